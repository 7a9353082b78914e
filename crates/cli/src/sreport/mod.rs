//! `sreport`.

mod command;
mod conditions;

pub use command::{FullNames, sources};

use crate::{interactive, invocation};
use bivouac_options::{Given, Program};
use bivouac_render::sreport::{Print, TimeForm, Unit};
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command.
pub fn run(args: &[OsString]) -> ExitCode {
    invocation::run(Program::Sreport, args, sreport)
}

/// How sreport was called, and what commands of a session made of that.
struct Session {
    form: TimeForm,
    /// -T, as written.
    tres: Option<String>,
    /// -M: the clusters to report on; none: this one.
    clusters: Vec<String>,
    print: Print,
    /// -Q: without remarks.
    quiet: bool,
    /// -v: how many jobs were found is told.
    verbose: bool,
}

fn sreport(given: &Given) -> Result<(), ExitCode> {
    let clusters = given.value("cluster").map(|names| names.split(',').map(str::to_owned).collect());
    let parsable = given.last_of(&["parsable", "parsable2"]).map(|c| c.opt.long);
    let mut session = Session {
        form: TimeForm::Time(Unit::Minutes),
        tres: given.value("tres").map(str::to_owned),
        clusters: clusters.unwrap_or_default(),
        print: Print {
            parsable: parsable.is_some(),
            trailing: parsable == Some("parsable"),
            bare: given.has("noheader"),
        },
        quiet: given.has("quiet"),
        verbose: given.has("verbose"),
    };
    if let Some(form) = given.value("time") {
        session.set_form(form);
    }
    invocation::finish(given)?;
    let words: Vec<String> = given.operands.iter().map(|w| w.to_string_lossy().into_owned()).collect();
    if !words.is_empty() {
        return command::carry_out(&words, &mut session).map(drop);
    }
    let mut worst = Ok(());
    interactive::run(Program::Sreport, |words| {
        let done = command::carry_out(words, &mut session);
        // A command that failed is told at the end, whatever came after it.
        worst = worst.and(done.map(drop));
        done
    })?;
    worst
}

impl Session {
    /// One that is none is told, and changes nothing.
    fn set_form(&mut self, text: &str) {
        match TimeForm::parse(text) {
            Some(form) => self.form = form,
            None => eprint!("unknown time format {text}"),
        }
    }
}
