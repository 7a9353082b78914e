//! Set-up, tests, demo and benchmarks of the project: `cargo xtask COMMAND`.
//!
//! Owns: what a developer or CI runs besides cargo's own commands. It must never hold logic of the product: it starts
//! the same programs and calls the same crates as everybody else. One file per command; this one only chooses.

mod bench;
mod channel;
mod clients;
mod demo;
mod diff;
mod fuzz;
mod link;
mod machine;
mod release;
mod test;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What a command comes to: an error's text says what failed and what to do.
pub type Outcome = Result<(), String>;

struct Command {
    name: &'static str,
    summary: &'static str,
    run: fn(&[String]) -> Outcome,
}

const COMMANDS: [Command; 8] = [
    Command {
        name: "demo",
        summary: "play the published Alpine example in the login view, for real",
        run: demo::run,
    },
    Command {
        name: "channel",
        summary: "build the offline conda channel (reused when nothing changed); prints its URL",
        run: channel::run,
    },
    Command {
        name: "link",
        summary: "build the programs and make a folder of their names (link [DIR]; DIR is target/bin)",
        run: link::run,
    },
    Command {
        name: "clients",
        summary: "run real programs on bivouac (clients [--repeat N] [--on local|four-nodes] [NAME...])",
        run: clients::run,
    },
    Command {
        name: "test",
        summary: "install what tests need, then format, clippy, licences, channel and all tests; what CI runs",
        run: test::run,
    },
    Command {
        name: "diff",
        summary: "run the same cases on real Slurm and on bivouac and compare (diff [--only PATTERN] [--list] ...)",
        run: diff::run,
    },
    Command {
        name: "fuzz",
        summary: "run the parsers of foreign bytes under libFuzzer (fuzz [--seconds N] [TARGET...])",
        run: fuzz::run,
    },
    Command {
        name: "bench",
        summary: "measure against peers in the same run (bench [--write] [NAME...])",
        run: bench::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, rest) = match arguments.split_first() {
        Some((name, rest)) => (name.as_str(), rest),
        None => ("help", &[][..]),
    };
    if ["help", "--help", "-h"].contains(&name) {
        print!("{}", help());
        return ExitCode::SUCCESS;
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        eprint!("xtask: there is no command {name}\n{}", help());
        return ExitCode::from(2);
    };
    match (command.run)(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn help() -> String {
    let mut help = "usage: cargo xtask COMMAND\n".to_owned();
    for command in &COMMANDS {
        help.push_str(&format!("  {:<8} {}\n", command.name, command.summary));
    }
    help
}

/// Refuses arguments for a command that has none.
///
/// # Errors
/// The first argument.
pub fn takes_no_arguments(name: &str, arguments: &[String]) -> Outcome {
    match arguments.first() {
        None => Ok(()),
        Some(argument) => Err(format!("{name} takes no arguments, but got {argument}")),
    }
}

/// The root of the checkout that this was built from.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}
