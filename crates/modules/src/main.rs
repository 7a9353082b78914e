//! `bivouac-module SHELL SUBCOMMAND...` prints shell code; `bivouac-module init SHELL` prints the shell functions.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use bivouac_modules::command;
use bivouac_modules::environment::Environment;
use bivouac_modules::init;
use bivouac_modules::shell::Shell;

const USAGE: &str =
    "usage: bivouac-module SHELL SUBCOMMAND [ARGUMENT...]   code for SHELL (bash, zsh, sh) to evaluate
       bivouac-module init SHELL                          the functions module and ml for SHELL";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let own_name = arguments.next().unwrap_or_default();
    let called =
        std::path::Path::new(&own_name).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if matches!(called, "module" | "ml") {
        eprintln!("{}", called_as_program(called));
        return ExitCode::FAILURE;
    }
    let words: Result<Vec<String>, OsString> = arguments.map(OsString::into_string).collect();
    let words = match words {
        Ok(words) => words,
        Err(word) => return refuse(&format!("module: the argument {word:?} is not UTF-8")),
    };
    match words.as_slice() {
        [] => refuse(USAGE),
        [help] if matches!(help.as_str(), "-h" | "--help") => print(format!("{USAGE}\n").as_bytes(), true),
        [version] if version == "--version" => {
            print(format!("bivouac-module {}\n", env!("CARGO_PKG_VERSION")).as_bytes(), true)
        }
        [init, shell] if init == "init" => match Shell::named(shell) {
            Ok(shell) => print(init::text(shell).as_bytes(), true),
            Err(text) => refuse(&format!("bivouac-module init: {text}")),
        },
        [shell, words @ ..] => match Shell::named(shell) {
            Ok(shell) => {
                let environment = Environment::of_process();
                let messages = Box::new(std::io::stderr());
                let outcome = command::run(shell, words, environment, messages, terminal_width());
                print(&outcome.code, outcome.success)
            }
            Err(text) => refuse(&format!("bivouac-module: {text}\n{USAGE}")),
        },
    }
}

fn refuse(text: &str) -> ExitCode {
    eprintln!("{text}");
    ExitCode::FAILURE
}

fn print(code: &[u8], success: bool) -> ExitCode {
    let mut stdout = std::io::stdout().lock();
    if let Err(error) = stdout.write_all(code).and_then(|()| stdout.flush()) {
        return refuse(&format!("module: the shell does not take the answer: {error}"));
    }
    if success { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn terminal_width() -> usize {
    let width = rustix::termios::tcgetwinsize(std::io::stderr()).map_or(0, |size| usize::from(size.ws_col));
    if width < 20 { 80 } else { width }
}

/// The message of a program that cannot do what a shell function does.
fn called_as_program(name: &str) -> String {
    format!(
        "{name}: this shell has no `{name}` function, and a program cannot change the environment of the shell that calls \
         it.\n  In a job script: start it with #!/bin/bash (or #!/bin/bash -l).\n  In a step: srun bash -c 'module load \
         NAME; PROGRAM', or load the module in the job script before srun.\n  In sh or dash: read the functions first:  \
         eval \"$(\"$LMOD_CMD\" init sh 2>/dev/null || bivouac-module init sh)\""
    )
}
