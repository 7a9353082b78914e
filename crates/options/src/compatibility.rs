//! docs/compatibility.md, made from the table.

use crate::table::{Arg, COMMANDS, ENTITIES, Opt, PROGRAMS, REPORTS, Status, Word};
use std::fmt::Write;

/// Lists of words that commands know, by what they are.
const WORDS: [(&str, &[Word]); 3] =
    [("scontrol's commands", COMMANDS), ("scontrol's entities", ENTITIES), ("sreport's reports", REPORTS)];

/// The whole document.
pub fn document() -> String {
    let mut out = String::from(
        "# Options of Slurm's commands\n\n\
         Made from the option table (crates/options/src/table); do not edit. A test compares it with the table and \
         says how to make it anew; another one compares the table with Slurm's manual pages.\n\n\
         Every option, variable and word of the manual pages of Slurm 22.05 is in one of three states: **honoured**, it \
         does what Slurm does; **listed**, it is accepted because it cannot matter on this cluster; **refused**, it is an \
         error that names what to use instead. Nothing is accepted and then ignored. seff, seff-array, jobstats, suuser and \
         suacct are no programs of Slurm's, but of sites that add them; theirs are in the table too.\n\n",
    );
    out += "| command | honoured | listed | refused |\n|---|---|---|---|\n";
    let mut all = Vec::new();
    for program in PROGRAMS {
        let states: Vec<Status> = program.options().iter().map(|o| o.status).collect();
        out += &counts(program.name(), &states);
        all.extend(states);
    }
    for (what, words) in WORDS {
        let states: Vec<Status> = words.iter().map(|w| w.status).collect();
        out += &counts(what, &states);
        all.extend(states);
    }
    out += &counts("**all**", &all);
    for program in PROGRAMS {
        let _ = writeln!(out, "\n## {program}\n\n| option | variable | state | |\n|---|---|---|---|");
        for o in program.options() {
            let variables: Vec<&str> = o.variables().collect();
            let help = match o.in_job {
                Some(Status::Listed(why)) => format!("{}; in a job listed: {why}", o.help),
                Some(Status::Refused(instead)) => format!("{}; in a job refused: {instead}", o.help),
                Some(Status::Honoured) | None => o.help.to_owned(),
            };
            out += &row(&name(o), &variables.join(", "), o.status, &help);
        }
        for v in program.variables() {
            out += &row("", v.name, v.status, v.help);
        }
    }
    for (what, words) in WORDS {
        let _ = writeln!(out, "\n## {what}\n\n| word | | state | |\n|---|---|---|---|");
        for w in words {
            out += &row(&word(w), "", w.status, w.help);
        }
    }
    out
}

fn counts(what: &str, states: &[Status]) -> String {
    let count = |wanted: fn(&Status) -> bool| states.iter().filter(|s| wanted(s)).count();
    format!(
        "| {what} | {} | {} | {} |\n",
        count(|s| *s == Status::Honoured),
        count(|s| matches!(s, Status::Listed(_))),
        count(|s| matches!(s, Status::Refused(_)))
    )
}

fn row(name: &str, variable: &str, status: Status, help: &str) -> String {
    let (state, note) = match status {
        Status::Honoured => ("honoured", help.to_owned()),
        Status::Listed(why) => ("listed", format!("{help}: {why}")),
        Status::Refused(instead) => ("refused", format!("{help}: {instead}")),
    };
    format!("| {name} | {variable} | {state} | {} |\n", note.replace('|', "\\|"))
}

fn word(w: &Word) -> String {
    format!("`{} {}`", w.name, w.arguments).replace(" `", "`").replace('|', "\\|")
}

fn name(o: &Opt) -> String {
    let short = o.short.map_or_else(String::new, |c| format!("-{c}, "));
    let arg = match o.arg {
        Arg::No => String::new(),
        Arg::Required(word) => format!("={word}"),
        Arg::Optional(word) => format!("[={word}]"),
    };
    let aliases: String = o.aliases.iter().map(|a| format!(", --{a}")).collect();
    format!("`{short}--{}{arg}{aliases}`", o.long).replace('|', "\\|")
}
