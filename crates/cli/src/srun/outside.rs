//! srun outside a job: a job of its own, for one step.

use super::{Step, fail};
use crate::allocation::{ABORTING, Allocation, Wanted};
use crate::signals::Signals;
use crate::{cluster, invocation, submission};
use bivouac_options::job::Surroundings;
use bivouac_options::srun::{Allocation as Asked, allocation};
use bivouac_options::{Given, Program};
use bivouac_proto::message::{AllocationNews, Ask, Grant, Milestone, Payload, Response};
use bivouac_types::job::JobKind;
use bivouac_types::{ExitStatus, JobId, Reject};
use std::process::ExitCode;

/// The job that the options ask for.
///
/// # Errors
/// The exit code; the error is printed.
pub fn asked(given: &Given) -> Result<Asked, ExitCode> {
    let around = Surroundings {
        now: &jiff::Zoned::now(),
        read: &submission::read_file,
        plane_size: super::number("SLURM_DIST_PLANESIZE"),
    };
    allocation(given, &around).map_err(|e| invocation::fail_value(Program::Srun, &e))
}

/// Asks for the job, runs the step in it and gives the job back.
///
/// # Errors
/// The exit code; the error is printed.
pub(super) fn run(step: &Step<'_>, asked: Asked) -> Result<ExitCode, ExitCode> {
    submission::announce(step.given, &asked.job);
    let cwd = submission::folder(Program::Srun)?;
    let folder = step.request.chdir.as_ref().map_or_else(|| cwd.clone(), |dir| cwd.join(dir));
    let mut spec = submission::surrounded(Program::Srun, &asked.job, folder)?;
    if asked.test_only {
        return submission::test_only(Program::Srun, spec);
    }
    spec.kind = JobKind::Allocation { kept: false };
    let nothing = Payload { script: Vec::new().into(), args: Vec::new(), env: Vec::new() };
    let submission = submission::of(Program::Srun, &asked.job, spec, nothing)?;
    let mut signals =
        Signals::block(&ABORTING).map_err(|e| fail(format_args!("signals cannot be watched: {e}")))?;
    let wanted =
        Wanted { program: Program::Srun, submission, immediate: asked.immediate, quiet: asked.job.quiet };
    let (mut own, grant) = Allocation::obtain(wanted, &mut signals)?;
    drop(signals);
    adopt(grant);
    own.attend();
    let job = own.job;
    let code = step.run(job, Some(&mut own));
    let exit = ExitStatus { code: *code.as_ref().unwrap_or(&1), signal: 0 };
    own.complete(exit);
    code.map(ExitCode::from)
}

/// What an allocation's client is told of it becomes srun's own.
fn adopt(grant: Grant) {
    for (name, value) in grant.variables {
        // SAFETY: srun has one thread.
        unsafe { std::env::set_var(name, value) };
    }
}

/// --jobid: a job that runs, and that srun was not called in.
///
/// # Errors
/// The exit code; the error is printed.
pub fn enter(job: JobId) -> Result<(), ExitCode> {
    let refused =
        |why: &dyn std::fmt::Display| fail(format_args!("Unable to confirm allocation for job {job}: {why}"));
    match cluster::ask(Ask::Attend { job, until: Milestone::Asked }) {
        Ok(Response::Allocation(AllocationNews::Ready(grant))) => {
            adopt(grant);
            Ok(())
        }
        Ok(Response::Allocation(AllocationNews::Waiting { .. })) => Err(refused(&Reject::JobPending)),
        Ok(Response::Allocation(AllocationNews::Revoked { .. })) => Err(refused(&Reject::JobFinished)),
        Ok(Response::Rejected(reject)) => Err(refused(&reject)),
        Ok(other) => Err(refused(&format_args!("unexpected answer {other:?}"))),
        Err(e) => Err(refused(&e)),
    }
}
