//! What every Slurm-named command does with its command line: read it by the option table, answer --help and its
//! like, and say which accepted options have no effect.

use crate::terminal;
use bivouac_options::{Given, Invocation, Program, UsageError};
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// Reads arguments and the command's variables. `Err` is the exit code of a command that is done: --help was
/// answered, or the error was printed.
pub fn read(program: Program, args: &[OsString]) -> Result<Given, ExitCode> {
    match bivouac_options::read(program, args, |name| std::env::var_os(name)) {
        Ok(Invocation::Run(given)) => {
            hint_listed(&given);
            Ok(given)
        }
        Ok(Invocation::Print(text)) => Err(print(&text)),
        Err(e) => Err(fail_usage(program, &e)),
    }
}

/// Checks, when a command has asked for all its options, that none was left.
pub fn finish(given: &Given) -> Result<(), ExitCode> {
    given.last_of(&["help", "usage", "version"]);
    given.finish().map_err(|e| fail_usage(given.program, &e))
}

/// Prints a text that was asked for and ends well, or not if it could not be written.
pub fn print(text: &str) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Prints an error of the command line.
pub fn fail_usage(program: Program, e: &UsageError) -> ExitCode {
    eprint!("{}", e.message(program));
    error_exit(program.usage_exit_code())
}

/// The exit code of an error of the command itself; for sbatch's and srun's 255, SLURM_EXIT_ERROR may set another, so
/// that scripts can tell it from a program's.
pub fn error_exit(code: u8) -> ExitCode {
    let wanted = std::env::var("SLURM_EXIT_ERROR").ok().and_then(|v| v.parse().ok());
    ExitCode::from(wanted.filter(|_| code == 255).unwrap_or(code))
}

/// Says on a terminal which options were accepted without effect, those of one reason together.
pub fn hint_listed(given: &Given) {
    let listed = given.listed();
    for (at, (_, reason)) in listed.iter().enumerate() {
        if listed[..at].iter().any(|(_, r)| r == reason) {
            continue;
        }
        let names: Vec<String> =
            listed.iter().filter(|(_, r)| r == reason).map(|(o, _)| format!("--{}", o.long)).collect();
        terminal::hint(format_args!("{}: {reason}", names.join(", ")));
    }
}
