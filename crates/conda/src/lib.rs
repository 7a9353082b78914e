//! Conda's command line on rattler.
//!
//! **Owns** environments: reading `.condarc` and environment files, solving, the package cache, putting environments in
//! place and taking them away, and the shell code that activates them. **Must never know** jobs, nodes or the cluster:
//! to it a job is a shell like any other, but for one hint about where a job starts. **A reader starts** at [`main`] for
//! the commands, at [`build`] for the life of an environment, at [`activate`] for what a shell sees.

pub mod activate;
pub mod args;
pub mod build;
pub mod channel;
pub mod commands;
pub mod config;
pub mod envfile;
pub mod environments;
pub mod error;
pub mod lock;
pub mod meta;
pub mod packages;
pub mod pip;
pub mod progress;
pub mod pyc;
pub mod refusal;
pub mod replace;
pub mod shell;
pub mod solve;
pub mod tree;
pub mod vars;

use std::path::PathBuf;
use std::process::ExitCode;

use commands::Context;
use config::{CONDA_VERSION, Config};
use error::{CondaError, Result};
use vars::Vars;

const HELP: &str = "\
usage: conda [-h] [-V] command ...

conda is a tool for managing and deploying applications, environments and packages.
This is bivouac's own implementation; docs/conda.md says how it differs.

Commands:
  activate      Activate an environment (a shell function does this).
  create        Create a new environment from a list of packages.
  deactivate    Leave the active environment (a shell function does this).
  env create    Create an environment from an environment file.
  env list      List the environments.
  env remove    Remove an environment.
  info          Show what is configured and active.
  list          List the packages of an environment.
  remove --all  Remove an environment.
  run           Run a program in an environment.

`conda COMMAND -h` shows the options of a command.
";

/// Runs the command that the process was called with.
pub fn main() -> ExitCode {
    let mut args = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned());
    let program = args.next().unwrap_or_else(|| "conda".to_owned());
    let args: Vec<String> = args.collect();
    let changes_disk = matches!(args.first().map(String::as_str), Some("create" | "env" | "remove"));
    if !changes_disk {
        // A reader of our output that goes away (`conda list | head`) ends us quietly. Not so in the middle of a change.
        // SAFETY: no other thread runs yet.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    }
    match run(&program, &args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if args.iter().any(|arg| arg == "--json") && error.exit != 2 {
                commands::print_json(&serde_json::json!({
                    "error": error.to_string(),
                    "exception_name": error.name,
                    "message": error.message,
                    "success": false,
                }));
            } else if error.exit == 2 {
                eprintln!("{error}");
            } else {
                eprintln!("\n{error}\n");
            }
            ExitCode::from(error.exit)
        }
    }
}

fn run(program: &str, args: &[String]) -> Result<()> {
    let word = |at: usize| args.get(at).map(String::as_str);
    match word(0) {
        None | Some("-h" | "--help" | "help") => {
            print!("{HELP}");
            return Ok(());
        }
        Some("-V" | "--version") => {
            println!("conda {CONDA_VERSION} (bivouac {})", env!("CARGO_PKG_VERSION"));
            return Ok(());
        }
        // Constant text: no configuration is read for it.
        Some(shell) if shell.starts_with("shell.") && word(1) == Some("function") => {
            if let Some(syntax) = shell::Syntax::from_word(&shell["shell.".len()..]) {
                print!("{}", shell::function(syntax));
                return Ok(());
            }
        }
        Some(_) => {}
    }
    let vars = Vars::from_process();
    let cwd = std::env::current_dir().map_err(|error| {
        CondaError::new("CondaOSError", format!("the current folder cannot be found: {error}; cd elsewhere"))
    })?;
    let config = Config::load(&vars, &own_path(program), &cwd)?;
    let context = Context { vars, config, cwd, args: args.to_vec() };
    let rest = |from: usize| args.get(from..).unwrap_or_default();
    match word(0).unwrap_or_default() {
        "create" => commands::create::create(&context, rest(1)),
        "list" => commands::list::run(&context, rest(1)),
        "run" => commands::run::run(&context, rest(1)),
        "info" => commands::info::run(&context, rest(1)),
        "remove" => commands::envs::remove_packages(&context, rest(1)),
        "env" => match word(1) {
            Some("create") => commands::create::env_create(&context, rest(2)),
            Some("list") => commands::envs::list(&context, rest(2)),
            Some("remove") => commands::envs::remove(&context, rest(2)),
            Some(other @ ("config" | "export" | "update")) => {
                Err(refusal::refused(&context.config, &format!("env {other}")))
            }
            None | Some("-h" | "--help") => {
                println!("usage: conda env {{create,list,remove}} ...");
                Ok(())
            }
            Some(other) => Err(CondaError::usage(format!(
                "argument cmd: invalid choice: '{other}' (choose from 'create', 'list', 'remove')"
            ))),
        },
        verb @ ("activate" | "deactivate") => Err(commands::shell::without_function(&context, verb)),
        "init" => {
            println!(
                "no change: `conda init` is not needed. `module load anaconda` defines conda in the shell and in jobs; \
                 elsewhere add\n\n    eval \"$('{}' shell.posix hook)\"\n\nto the file your shell reads.",
                context.config.exe.display()
            );
            Ok(())
        }
        shell if shell.starts_with("shell.") => {
            commands::shell::run(&context, &shell["shell.".len()..], rest(1))
        }
        known if refusal::NOT_YET.contains(&known) => Err(refusal::refused(&context.config, known)),
        other => Err(CondaError::new("CommandNotFoundError", format!("No command 'conda {other}'."))),
    }
}

/// This program as it was called, absolute; the name matters more than the file it is a link to.
fn own_path(program: &str) -> PathBuf {
    let called = PathBuf::from(program);
    if called.is_absolute() {
        return called;
    }
    let in_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|dir| dir.join(&called)).find(|file| file.is_file())
    };
    let found = if program.contains('/') { std::path::absolute(&called).ok() } else { in_path() };
    found.or_else(|| std::env::current_exe().ok()).unwrap_or(called)
}
