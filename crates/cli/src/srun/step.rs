//! The controller's part of a step: begun before the first task, ended after the last.

use super::watch::Outcome;
use super::{fail, tell};
use crate::cluster::{self, Unreachable};
use bivouac_options::srun::Request;
use bivouac_proto::message::{Ask, Response, StepLayout, StepRequest};
use bivouac_types::{JobId, Reject};
use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a controller that does not answer is waited for: it may just be restarted.
const PATIENCE: Duration = Duration::from_secs(60);

/// Begins the step; waits while other steps have the CPUs.
///
/// # Errors
/// The exit code; the error is printed.
pub fn start(job: JobId, request: &Request, command: &OsStr) -> Result<StepLayout, ExitCode> {
    let refuse =
        |text: &dyn std::fmt::Display| fail(format_args!("Unable to create step for job {job}: {text}"));
    let mut nodelist = request.nodelist.clone().unwrap_or_default().names;
    let mut nodes = request.nodes;
    let ntasks = request.ntasks.or(nodes);
    if let Some(tasks) = ntasks {
        // The nodes are reduced to what the tasks can use, as srun(1) says.
        nodelist.truncate(tasks as usize);
        if let Some(n) = nodes.filter(|&n| n > tasks) {
            if !request.quiet {
                eprintln!(
                    "srun: Warning: can't run {tasks} processes on {n} nodes, setting nnodes to {tasks}"
                );
            }
            nodes = Some(tasks);
        }
    }
    let base = Path::new(command).file_name().unwrap_or(command).to_string_lossy();
    let ask = Ask::StepStart(StepRequest {
        job,
        name: request.name.clone().unwrap_or_else(|| base.into_owned()),
        ntasks,
        nodes,
        cpus_per_task: request.cpus_per_task,
        overlap: request.overlap,
        exact: request.exact,
        nodelist,
        ntasks_per_node: request.ntasks_per_node,
        submit_line: crate::invocation::submit_line(),
    });
    let begun = Instant::now();
    let mut pause = Duration::from_millis(50);
    let (mut busy, mut silent) = (false, false);
    loop {
        match cluster::ask(ask.clone()) {
            Ok(Response::StepStarted(layout)) => {
                if busy && !request.quiet {
                    eprintln!("srun: Step created for job {job}");
                }
                return Ok(layout);
            }
            Ok(Response::Rejected(reject @ Reject::StepBusy)) => {
                if !busy && !request.quiet {
                    eprintln!("srun: Job {job} step creation temporarily disabled, retrying ({reject})");
                }
                busy = true;
            }
            Ok(Response::Rejected(reject)) => return Err(refuse(&reject)),
            Ok(Response::Failed(what)) => return Err(refuse(&what)),
            Ok(other) => return Err(refuse(&format_args!("unexpected answer {other:?}"))),
            Err(e @ (Unreachable::NotRunning(_) | Unreachable::Frame(_))) => {
                if begun.elapsed() > PATIENCE {
                    return Err(refuse(&e));
                }
                if !silent && !request.quiet {
                    eprintln!("srun: Unable to contact slurm controller (connect failure), retrying");
                }
                silent = true;
            }
            Err(e) => return Err(refuse(&e)),
        }
        // Steps and controllers tell nobody outside when they are ready: asked again, ever less often.
        sleep(pause);
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

/// Tells the controller that the step is over. A controller that is away for long learns it from the job's end.
pub fn end(layout: &StepLayout, outcome: Outcome) {
    let ask = Ask::StepEnd { step: layout.step, exit: outcome.exit, usage: outcome.usage };
    let begun = Instant::now();
    let mut pause = Duration::from_millis(50);
    while let Err(e) = cluster::ask(ask.clone()) {
        if begun.elapsed() > Duration::from_secs(10) {
            tell(format_args!("srun: error: the end of step {} could not be reported: {e}", layout.step));
            return;
        }
        sleep(pause);
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}
