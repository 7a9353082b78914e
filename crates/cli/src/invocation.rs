//! What every Slurm-named command does with its command line: read it by the option table, answer --help and its
//! like, and say which accepted options have no effect.

use crate::terminal;
use bivouac_options::value::ValueError;
use bivouac_options::{Given, Invocation, Program, Source, UsageError};
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

/// Reads the command line and does what it says; `Err` is the exit code of what went wrong and was said.
pub fn run(
    program: Program,
    args: &[OsString],
    command: impl FnOnce(&Given) -> Result<(), ExitCode>,
) -> ExitCode {
    match read(program, args).and_then(|given| command(&given)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}

/// Says an error of a command that ends with exit code 1.
pub fn fail(program: Program, what: impl std::fmt::Display) -> ExitCode {
    eprintln!("{program}: error: {what}");
    ExitCode::FAILURE
}

/// Says an error in the form in which Slurm says those that it cannot go on after.
pub fn fatal(program: Program, what: impl std::fmt::Display) -> ExitCode {
    eprintln!("{program}: fatal: {what}");
    ExitCode::FAILURE
}

/// What -o and -O ask for in squeue and sinfo; at most one of them.
pub struct Formats<'a> {
    /// -o, or its variable.
    pub letters: Option<&'a str>,
    /// -O, or its variable.
    pub names: Option<&'a str>,
}

/// Reads --format and --long of a command without --Format.
///
/// # Errors
/// Both were typed; it has been said.
pub fn letters(given: &Given) -> Result<Option<&str>, ExitCode> {
    let typed = given.get("format").filter(|c| c.source == Source::CommandLine).is_some();
    let long = given.has("long");
    if typed && long {
        let what = "Options -o(--format) and -l(--long) are mutually exclusive. Please remove one and retry.";
        return Err(fatal(given.program, what));
    }
    Ok(given.value("format").filter(|_| !long))
}

/// Reads --format, --Format and --long. Of two variables -o's counts; an option that was typed counts more than a
/// variable, and --long more than both variables.
///
/// # Errors
/// Options that exclude each other were typed; it has been said.
pub fn formats(given: &Given) -> Result<Formats<'_>, ExitCode> {
    let typed = |option| given.get(option).filter(|c| c.source == Source::CommandLine).is_some();
    if typed("format") && typed("Format") {
        return Err(fail(given.program, "-O (--Format) is incompatible with -o (--format)"));
    }
    let letters = letters(given)?.filter(|_| !typed("Format"));
    let names = given.value("Format").filter(|_| typed("Format") || !given.has("long"));
    Ok(Formats { letters, names: names.filter(|_| letters.is_none()) })
}

/// Checks, when a command has asked for all its options, that none was left.
pub fn finish(given: &Given) -> Result<(), ExitCode> {
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
    ExitCode::from(program.usage_exit_code())
}

/// The exit code of sbatch and srun for what goes wrong once the options are read: 1, or what SLURM_EXIT_ERROR says, so that
/// scripts can tell it from a program's.
pub fn error_exit() -> ExitCode {
    let wanted = std::env::var("SLURM_EXIT_ERROR").ok().and_then(|v| v.parse().ok());
    wanted.map_or(ExitCode::FAILURE, |code: u8| ExitCode::from(code))
}

/// Says what is wrong with the options of sbatch or srun.
pub fn fail_value(program: Program, e: &ValueError) -> ExitCode {
    eprint!("{}", e.message(program));
    if e.is_refusal() { error_exit() } else { ExitCode::from(e.code) }
}

/// The command line as it was typed, words joined by blanks: sacct's SubmitLine.
pub fn submit_line() -> String {
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    words.join(" ")
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

/// The system's words for an error's number, as C programs print them.
pub fn os_text(code: i32) -> String {
    // SAFETY: strerror returns a terminated text that stays until the next call in this, the only, thread.
    unsafe { std::ffi::CStr::from_ptr(libc::strerror(code)) }.to_string_lossy().into_owned()
}
