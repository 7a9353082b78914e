//! `srun`: makes a step, and is its user's end while the step's daemon runs its tasks.

pub mod advice;
mod choice;
pub mod environment;
pub mod gres;
mod outside;
mod relay;
pub mod step;

use crate::allocation::Allocation;
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
    // The job's part of the options first: what then is left over, nobody has asked for.
    let asked = if given.in_job { None } else { Some(outside::asked(given)?) };
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
    // What is wrong with the command is found out before anything is asked for.
    let path = programs::path_of(&request.export.apply(std::env::vars_os()));
    let commands = Commands::read(&request, given, path, None)?;
    commands.check(request.ntasks)?;
    if request.bcast.is_some() {
        bcast::source(name)?;
    }
    let step = Step { given, args, request: &request, commands };
    if let Some(asked) = asked {
        return outside::run(&step, asked);
    }
    let job = step.request.job.or_else(|| number("SLURM_JOB_ID")).or_else(|| number("SLURM_JOBID"));
    let Some(job) = job.map(JobId) else { return Err(fail("SLURM_JOB_ID is no job's number")) };
    if number("SLURM_JOB_ID") != Some(job.0) {
        outside::enter(job)?;
    }
    step.run(job, None).map(ExitCode::from)
}

/// A step that is asked for.
struct Step<'a> {
    given: &'a Given,
    args: &'a [OsString],
    request: &'a Request,
    commands: Commands,
}

impl Step<'_> {
    /// Makes the step and runs it; gives srun's exit code. `own` is the job, if it is srun's own.
    ///
    /// # Errors
    /// The exit code; the error is printed.
    fn run(&self, job: JobId, own: Option<&mut Allocation>) -> Result<u8, ExitCode> {
        let Some(name) = self.given.operands.first() else { return Err(ExitCode::FAILURE) };
        gres::variables(job, self.request.gres.as_deref())?;
        let ask = step::Sizes::of(job, self.request)?;
        self.commands.check(ask.ntasks)?;
        let layout = step::start(job, self.request, name, ask)?;
        let outcome = self.around(&layout, own);
        if outcome.is_err() {
            // A step that could not be run is over as well.
            let exit = ExitStatus { code: 1, signal: 0 };
            step::end(&layout, &Outcome { exit, usage: Default::default() });
        }
        outcome
    }

    /// Runs the step between its prolog and its epilog, which are srun's own.
    fn around(&self, layout: &StepLayout, own: Option<&mut Allocation>) -> Result<u8, ExitCode> {
        let id = layout.step;
        let (command, around) = (&self.given.operands, &self.request.programs);
        let variables = environment::of_programs(id);
        if let Some(prolog) = &around.prolog
            && let Some(status) = programs::of_step(prolog, "prolog_srun", command, &variables)
            && !status.success()
        {
            let code = programs::code(status);
            tell(format_args!("srun: error: srun prolog failed rc = {code}. Aborting step."));
            tell(format_args!(
                "srun: launch/slurm: launch_p_step_launch: StepId={id} aborted before step completely launched."
            ));
            return Err(ExitCode::FAILURE);
        }
        let code = Relay::start(layout, self.request, self.args, own).map(|relay| relay.run(layout));
        if let Some(epilog) = &around.epilog {
            programs::of_step(epilog, "epilog_srun", command, &variables);
        }
        code
    }
}

/// Reads the job's part of the options of an srun outside a job.
///
/// # Errors
/// The exit code; the error is printed.
pub fn asked_outside(given: &Given) -> Result<(), ExitCode> {
    outside::asked(given).map(drop)
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
