//! docs/compatibility.md, made from the table.

use crate::table::{Arg, Opt, PROGRAMS, Status};
use std::fmt::Write;

/// The whole document.
pub fn document() -> String {
    let mut out = String::from(
        "# Options of Slurm's commands\n\n\
         Made from the option table (crates/options/src/table); do not edit. A test compares it with the table and \
         says how to make it anew.\n\n\
         Every option of the manual pages of Slurm 22.05 is in one of three states: **honoured**, it does what Slurm \
         does; **listed**, it is accepted because it cannot matter on this cluster; **refused**, it is an error that \
         names what to use instead. Nothing is accepted and then ignored.\n\n",
    );
    out += "| command | honoured | listed | refused |\n|---|---|---|---|\n";
    for program in PROGRAMS {
        let count =
            |wanted: fn(&Status) -> bool| program.options().iter().filter(|o| wanted(&o.status)).count();
        let _ = writeln!(
            out,
            "| {program} | {} | {} | {} |",
            count(|s| *s == Status::Honoured),
            count(|s| matches!(s, Status::Listed(_))),
            count(|s| matches!(s, Status::Refused(_)))
        );
    }
    for program in PROGRAMS {
        let _ = writeln!(out, "\n## {program}\n\n| option | variable | state | |\n|---|---|---|---|");
        for o in program.options() {
            let (state, note) = match o.status {
                Status::Honoured => ("honoured", o.help.to_owned()),
                Status::Listed(why) => ("listed", format!("{}: {why}", o.help)),
                Status::Refused(instead) => ("refused", format!("{}: {instead}", o.help)),
            };
            let _ = writeln!(
                out,
                "| {} | {} | {state} | {} |",
                name(o),
                o.env.join(", "),
                note.replace('|', "\\|")
            );
        }
    }
    out
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
