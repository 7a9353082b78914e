//! Manual pages, made from the table.

use crate::getopt::VERSION;
use crate::table::{Arg, COMMANDS, ENTITIES, Opt, Program, Status, Word};
use std::fmt::Write;

/// The manual page of a command, section 1.
pub fn page(program: Program) -> String {
    let name = program.name();
    let mut out = head(name, program.purpose());
    let synopsis = program.synopsis();
    let _ = writeln!(out, ".SH SYNOPSIS\n.B {name}\n[\\fIoptions\\fR] {}", text(synopsis));
    let _ = writeln!(
        out,
        ".SH DESCRIPTION\n.B {name}\nis Slurm's command of that name as bivouac has it ({}). This page lists what it takes; what an \
         honoured option does is what Slurm's own manual page says of it.",
        text(VERSION)
    );
    let options = |wanted: fn(&Status) -> bool| {
        let some = program.options().iter().filter(move |o| wanted(&o.status));
        some.map(|o| item(&signature(o), &note(o.help, o.status, o.env))).collect::<String>()
    };
    section(&mut out, "OPTIONS", &options(|s| *s == Status::Honoured));
    section(&mut out, "OPTIONS WITHOUT EFFECT", &options(|s| matches!(s, Status::Listed(_))));
    section(&mut out, "OPTIONS NOT AVAILABLE", &options(|s| matches!(s, Status::Refused(_))));
    if program == Program::Scontrol {
        section(&mut out, "COMMANDS", &words(COMMANDS));
        section(&mut out, "WHAT SHOW SHOWS", &words(ENTITIES));
    }
    let variables: String = program
        .variables()
        .iter()
        .map(|v| item(&format!("\\fB{}\\fR", text(v.name)), &note(v.help, v.status, &[])))
        .collect();
    section(&mut out, "ENVIRONMENT", &variables);
    out + ".SH SEE ALSO\n.BR bivouac (1)\n"
}

/// The manual page of `bivouac` itself, from its help text: lines that begin with two spaces name a verb or an option.
pub fn own_page(help: &str) -> String {
    let mut out = head("bivouac", "your own Slurm cluster on one machine");
    out += ".SH SYNOPSIS\n.B bivouac\n[\\fIoptions\\fR] \\fIverb\\fR [\\fIarguments\\fR]\n.SH DESCRIPTION\n.nf\n";
    for line in help.lines().skip(1).skip_while(|l| l.is_empty()) {
        let _ = writeln!(out, "{}", text(line));
    }
    out += ".fi\n.SH SEE ALSO\n";
    let others: Vec<String> = crate::table::PROGRAMS.iter().map(|p| format!(".BR {p} (1)")).collect();
    out + &others.join("\n") + "\n"
}

fn head(name: &str, purpose: &str) -> String {
    format!(
        ".TH {} 1 \"\" bivouac \"bivouac\"\n.SH NAME\n{name} \\- {}\n",
        name.to_uppercase(),
        text(purpose)
    )
}

fn section(out: &mut String, title: &str, items: &str) {
    if !items.is_empty() {
        let _ = write!(out, ".SH {title}\n{items}");
    }
}

fn words(words: &[Word]) -> String {
    let one = |w: &Word| {
        item(&format!("\\fB{}\\fR {}", text(w.name), text(w.arguments)), &note(w.help, w.status, &[]))
    };
    words.iter().map(one).collect()
}

fn item(tag: &str, body: &str) -> String {
    format!(".TP\n{}\n{body}\n", tag.trim_end())
}

fn note(help: &str, status: Status, variables: &[&str]) -> String {
    let mut said = format!("{}.", text(help));
    match status {
        Status::Honoured => {}
        Status::Listed(why) => said += &format!(" Without effect: {}.", text(why)),
        Status::Refused(instead) => said += &format!(" Refused: {}.", text(instead)),
    }
    if !variables.is_empty() {
        let names: Vec<String> = variables.iter().map(|v| format!("\\fB{v}\\fR")).collect();
        said += &format!(" Variable: {}.", names.join(", "));
    }
    said
}

fn signature(o: &Opt) -> String {
    let short = o.short.map_or_else(String::new, |c| format!("\\fB\\-{}\\fR, ", text(&c.to_string())));
    let arg = match o.arg {
        Arg::No => String::new(),
        Arg::Required(word) => format!("=\\fI{}\\fR", text(word)),
        Arg::Optional(word) => format!("[=\\fI{}\\fR]", text(word)),
    };
    let long = |name: &str| format!("\\fB\\-\\-{}\\fR", text(name));
    let aliases: String = o.aliases.iter().map(|a| format!(", {}", long(a))).collect();
    format!("{short}{}{arg}{aliases}", long(o.long))
}

/// Text as roff takes it: hyphens that are typed, no escapes, no requests at a line's beginning.
fn text(plain: &str) -> String {
    let escaped = plain.replace('\\', "\\e").replace('-', "\\-");
    match escaped.chars().next() {
        Some('.' | '\'') => format!("\\&{escaped}"),
        _ => escaped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::PROGRAMS;

    #[test]
    fn every_page_names_every_option_and_begins_as_whatis_reads_it() {
        for program in PROGRAMS {
            let page = page(program);
            assert!(page.contains(&format!(".SH NAME\n{program} \\- ")), "{page}");
            for o in program.options() {
                assert!(page.contains(&signature(o)), "{program} --{}", o.long);
            }
            let bad = page.lines().find(|l| l.starts_with('.') && !REQUESTS.iter().any(|r| l.starts_with(r)));
            assert_eq!(bad, None, "{program}");
        }
    }

    const REQUESTS: [&str; 5] = [".TH ", ".SH ", ".TP", ".B ", ".BR "];

    #[test]
    fn text_is_escaped() {
        assert_eq!(text("-a\\b"), "\\-a\\eb");
        assert_eq!(text(".x"), "\\&.x");
    }
}
