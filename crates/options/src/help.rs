//! --help, --usage and --version, made from the table.

use crate::getopt::VERSION;
use crate::table::{Arg, COMMANDS, ENTITIES, Opt, Program, REPORTS, Status, Word};

/// The text that ends the command at once, if the option is one of those.
pub fn answer(program: Program, opt: &Opt) -> Option<String> {
    match opt.long {
        "help" => Some(help(program)),
        "usage" => Some(usage(program)),
        "version" => Some(format!("{VERSION}\n")),
        _ => None,
    }
}

/// The option with its argument as --help shows it.
fn signature(opt: &Opt) -> String {
    let short = opt.short.map_or_else(|| "    ".to_owned(), |c| format!("-{c}, "));
    match opt.arg {
        Arg::No => format!("{short}--{}", opt.long),
        Arg::Required(word) => format!("{short}--{}=<{word}>", opt.long),
        Arg::Optional(word) => format!("{short}--{}[=<{word}>]", opt.long),
    }
}

/// A line of two columns; two lines where the first one is full.
fn entry(left: &str, text: &str) -> String {
    const WIDTH: usize = 38;
    let gap = if left.len() + 2 < WIDTH { String::new() } else { format!("\n{:WIDTH$}", "") };
    format!("  {left:<width$}{gap}{text}\n", width = WIDTH - 2)
}

/// The whole help.
pub fn help(program: Program) -> String {
    let mut out = format!("Usage: {program} [options] {}\n", program.synopsis()).replace(" \n", "\n");
    if program.is_added() {
        // As sites have it, what it is for comes first.
        out = format!("Purpose: {}\n\n{out}", program.purpose());
        for (line, what) in crate::manual::examples(program) {
            out += &format!("Hint: {line}    {what}\n");
        }
    }
    out += "\nOptions:\n";
    for o in program.options().iter().filter(|o| o.status == Status::Honoured) {
        out += &entry(&signature(o), o.help);
    }
    match program {
        Program::Scontrol => {
            out += &words("Commands", COMMANDS);
            out += &words("What show shows", ENTITIES);
        }
        Program::Sreport => out += &words("Reports", REPORTS),
        _ => {}
    }
    let mut others = |heading: &str, reason: fn(&Opt) -> Option<&'static str>| {
        let told = program.options().iter().filter_map(|o| Some((o, reason(o)?)));
        for (n, (o, why)) in told.enumerate() {
            if n == 0 {
                out += &format!("\n{heading}:\n");
            }
            out += &format!("  {}: {why}\n", signature(o).trim_start());
        }
    };
    others("Accepted, without effect on this cluster", |o| match o.status {
        Status::Listed(why) => Some(why),
        _ => None,
    });
    others("Not available here", |o| match o.status {
        Status::Refused(instead) => Some(instead),
        _ => None,
    });
    out
}

/// Words that a command knows, with what follows them.
fn words(heading: &str, words: &[Word]) -> String {
    let mut out = format!("\n{heading}:\n");
    for word in words.iter().filter(|w| !matches!(w.status, Status::Refused(_))) {
        let left = format!("{} {}", word.name, word.arguments);
        let text = match word.status {
            Status::Listed(why) => format!("{} (without effect: {why})", word.help),
            _ => word.help.to_owned(),
        };
        out += &entry(left.trim_end(), &text);
    }
    out
}

/// The honoured options in brief, folded at 80 columns.
pub fn usage(program: Program) -> String {
    let words = program.options().iter().filter(|o| o.status == Status::Honoured).map(|o| {
        let name = o.short.map_or_else(|| format!("--{}", o.long), |c| format!("-{c}"));
        match (o.arg, o.short) {
            (Arg::No, _) => format!("[{name}]"),
            (Arg::Required(word), Some(_)) => format!("[{name} {word}]"),
            (Arg::Required(word), None) => format!("[{name}={word}]"),
            (Arg::Optional(word), Some(_)) => format!("[{name}[{word}]]"),
            (Arg::Optional(word), None) => format!("[{name}[={word}]]"),
        }
    });
    let mut out = format!("Usage: {program}");
    let indent = out.len();
    let mut column = indent;
    for word in words.chain(Some(program.synopsis().to_owned()).filter(|s| !s.is_empty())) {
        if column + 1 + word.len() > 80 {
            out += &format!("\n{:indent$}", "");
            column = indent;
        }
        out += &format!(" {word}");
        column += 1 + word.len();
    }
    out + "\n"
}
