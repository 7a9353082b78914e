//! The controller's part of a step: begun before the first task, ended after the last.

use super::{choice, fail, tell};
use crate::cluster::{self, Unreachable};
use crate::stepd::watch::Outcome;
use bivouac_options::srun::Request;
use bivouac_proto::message::{Ask, Response, StepLayout, StepRequest};
use bivouac_proto::step::socket_name;
use bivouac_types::{HostList, JobId, Reject};
use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a controller that does not answer is waited for: it may just be restarted.
const PATIENCE: Duration = Duration::from_secs(60);

/// How large the step is to be, and where.
pub struct Sizes {
    /// Its tasks; none: the job's.
    pub ntasks: Option<u32>,
    nodes: Option<u32>,
    nodelist: Vec<String>,
    exclude: Vec<String>,
}

impl Sizes {
    /// What the options come to.
    ///
    /// # Errors
    /// The exit code; the error is printed.
    pub fn of(job: JobId, request: &Request) -> Result<Sizes, ExitCode> {
        let mut nodelist = request.nodelist.clone().unwrap_or_default().names;
        let mut nodes = request.nodes;
        let ntasks = request.ntasks.or(nodes);
        let warn = |text: std::fmt::Arguments<'_>| {
            if !request.quiet {
                tell(format_args!("srun: Warning: {text}"));
            }
        };
        if let (Some(per_node), Some(tasks), Some(n)) = (request.ntasks_per_node, ntasks, nodes)
            && choice::contradicts(per_node, tasks, n)
        {
            warn(format_args!(
                "can't honor --ntasks-per-node set to {per_node} which doesn't match the requested tasks {tasks} with \
                 the number of requested nodes {n}. Ignoring --ntasks-per-node."
            ));
        }
        if let Some(tasks) = ntasks {
            // The nodes are reduced to what the tasks can use, as srun(1) says.
            nodelist.truncate(tasks as usize);
            if let Some(n) = nodes.filter(|&n| n > tasks) {
                warn(format_args!("can't run {tasks} processes on {n} nodes, setting nnodes to {tasks}"));
                nodes = Some(tasks);
            }
        }
        let names = std::env::var("SLURM_JOB_NODELIST").unwrap_or_default();
        let own = HostList::parse(&names).map(|list| list.names).unwrap_or_default();
        if let Some(unknown) = &request.exclude
            && unknown.names.iter().any(|name| !own.contains(name))
            && !own.is_empty()
            && !known(&unknown.names)
        {
            return Err(refuse(job, &Reject::InvalidNodeName(unknown.to_string())));
        }
        let choice = choice::Nodes { job: own, count: nodes, listed: nodelist };
        let exclude = choice
            .excluded(request)
            .map_err(|errors| errors.iter().fold(ExitCode::FAILURE, |_, error| fail(error)))?;
        Ok(Sizes { ntasks, nodes, nodelist: choice.listed, exclude })
    }
}

/// Whether all of these are nodes of the cluster.
fn known(names: &[String]) -> bool {
    match cluster::ask(Ask::Nodes) {
        Ok(Response::Nodes(nodes)) => names.iter().all(|name| nodes.iter().any(|n| n.config.name == *name)),
        _ => true,
    }
}

fn refuse(job: JobId, text: &dyn std::fmt::Display) -> ExitCode {
    fail(format_args!("Unable to create step for job {job}: {text}"))
}

/// Begins the step; waits while other steps have the CPUs.
///
/// # Errors
/// The exit code; the error is printed.
pub fn start(job: JobId, request: &Request, command: &OsStr, sizes: Sizes) -> Result<StepLayout, ExitCode> {
    let refuse = |text: &dyn std::fmt::Display| refuse(job, text);
    let Sizes { ntasks, nodes, nodelist, exclude } = sizes;
    let base = Path::new(command).file_name().unwrap_or(command).to_string_lossy().into_owned();
    let base = if base.is_empty() { std::env::var("SLURM_JOB_NAME").unwrap_or(base) } else { base };
    let ask = Ask::StepStart(StepRequest {
        job,
        name: request.name.clone().unwrap_or(base),
        ntasks,
        nodes,
        cpus_per_task: request.cpus_per_task,
        overlap: request.overlap,
        exact: request.exact,
        nodelist,
        ntasks_per_node: None,
        overcommit: request.overcommit,
        exclude,
        distribution: request.distribution.clone().unwrap_or_default(),
        submit_line: crate::invocation::submit_line(),
        socket: socket_name().map_err(|e| refuse(&format_args!("/dev/urandom: {e}")))?,
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
pub fn end(layout: &StepLayout, outcome: &Outcome) {
    let ask = Ask::StepEnd { step: layout.step, exit: outcome.exit, usage: outcome.usage.clone() };
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
