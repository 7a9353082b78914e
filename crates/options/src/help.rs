//! --help, --usage and --version, made from the table.

use crate::getopt::VERSION;
use crate::table::{Arg, Opt, Program, Status};

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

/// The whole help.
pub fn help(program: Program) -> String {
    const WIDTH: usize = 38;
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
        let left = signature(o);
        let gap = if left.len() + 2 < WIDTH { String::new() } else { format!("\n{:WIDTH$}", "") };
        out += &format!("  {left:<width$}{gap}{}\n", o.help, width = WIDTH - 2);
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
