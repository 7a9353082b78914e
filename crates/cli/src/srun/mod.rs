//! `srun`: makes a step, and is its user's end while the step's daemon runs its tasks.

pub mod advice;
mod choice;
pub mod environment;
pub mod gres;
mod relay;
pub mod step;

use crate::invocation;
use crate::stepd::commands::Commands;
use crate::stepd::watch::Outcome;
use crate::stepd::{bcast, programs};
use bivouac_options::srun::{Request, request};
use bivouac_options::{Given, Program};
use bivouac_proto::message::StepLayout;
use bivouac_types::{ExitStatus, JobId, Mpi};
use relay::Relay;
use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

/// Runs the command.
pub fn run(args: &[OsString]) -> ExitCode {
    let done = invocation::read(Program::Srun, args).and_then(|given| srun(&given, args));
    done.unwrap_or_else(|code| code)
}

/// Says an error, and that it is one.
pub fn fail(what: impl std::fmt::Display) -> ExitCode {
    tell(format_args!("srun: error: {what}"));
    ExitCode::FAILURE
}

/// Prints a line to standard error; who reads that may be gone, and the step goes on.
pub fn tell(line: std::fmt::Arguments<'_>) {
    use std::io::Write;
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

fn srun(given: &Given, args: &[OsString]) -> Result<ExitCode, ExitCode> {
    let request = request(given, number("SLURM_DIST_PLANESIZE")).map_err(|e| {
        let code = invocation::fail_value(Program::Srun, &e);
        advice::refused(given.value("mpi"));
        code
    })?;
    if request.list_mpi {
        let kinds = Mpi::ALL.map(|kind| format!("\t{kind}\n")).concat();
        return Ok(invocation::print(&format!("MPI plugin types are...\n{kinds}")));
    }
    environment::check_binding(&request)?;
    let Some(name) = given.operands.first() else {
        eprintln!("srun: fatal: No command given to execute.");
        return Err(ExitCode::FAILURE);
    };
    let job = number("SLURM_JOB_ID").or_else(|| number("SLURM_JOBID")).map(JobId);
    let Some(job) = job else {
        return Err(fail("srun outside a job comes in a later release; use sbatch --wrap"));
    };
    // What is wrong with the command is found out before a step is made for it.
    let path = programs::path_of(&request.export.apply(std::env::vars_os()));
    let commands = Commands::read(&request, given, path, None)?;
    gres::variables(job, request.gres.as_deref())?;
    let ask = step::Sizes::of(job, &request)?;
    commands.check(ask.ntasks)?;
    if request.bcast.is_some() {
        bcast::source(name)?;
    }
    let layout = step::start(job, &request, name, ask)?;
    let outcome = around(&request, &layout, &given.operands, args);
    if outcome.is_err() {
        // A step that could not be run is over as well.
        let exit = ExitStatus { code: 1, signal: 0 };
        step::end(&layout, &Outcome { exit, usage: Default::default() });
    }
    outcome.map(ExitCode::from)
}

/// Words that only a shell knows are a common mistake.
pub fn shell_word(name: &OsStr) -> Result<(), ExitCode> {
    let word = name.to_str().unwrap_or_default();
    match word {
        "module" | "ml" | "conda" => Err(fail(format_args!(
            "{word} is a function of the shell, not a program: call it in the script before srun (tasks have the \
             script's environment), or run srun bash -lc '{word} ...'"
        ))),
        "cd" | "export" | "source" | "." | "ulimit" | "umask" | "alias" | "set" | "eval" => {
            Err(fail(format_args!("{word} is a command of the shell, not a program: run srun bash -c '...'")))
        }
        _ => Ok(()),
    }
}

/// The number that a variable holds.
pub fn number(variable: &str) -> Option<u32> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Runs the step between its prolog and its epilog, which are srun's own. Gives srun's exit code.
fn around(
    request: &Request,
    layout: &StepLayout,
    command: &[OsString],
    args: &[OsString],
) -> Result<u8, ExitCode> {
    let id = layout.step;
    let own = environment::of_programs(id);
    if let Some(prolog) = &request.programs.prolog
        && let Some(status) = programs::of_step(prolog, "prolog_srun", command, &own)
        && !status.success()
    {
        tell(format_args!("srun: error: srun prolog failed rc = {}. Aborting step.", programs::code(status)));
        tell(format_args!(
            "srun: launch/slurm: launch_p_step_launch: StepId={id} aborted before step completely launched."
        ));
        return Err(ExitCode::FAILURE);
    }
    let code = Relay::start(layout, request, args).map(|relay| relay.run(layout));
    if let Some(epilog) = &request.programs.epilog {
        programs::of_step(epilog, "epilog_srun", command, &own);
    }
    code
}
