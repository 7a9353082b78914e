//! `scancel`.

use crate::report::{self, Trouble};
use crate::{cluster, clusters, invocation};
use bivouac_options::scancel::{Request, Scope, Target, User, request, unrecognized};
use bivouac_options::{Given, Program};
use bivouac_proto::client::Client;
use bivouac_proto::message::{Ask, CancelRequest, JobQuery, JobTarget, Response, SignalScope};
use bivouac_types::Reject;
use bivouac_types::info::JobInfo;
use std::ffi::OsString;
use std::io::{BufRead, Write};
use std::process::ExitCode;

/// Runs the command.
pub fn run(args: &[OsString]) -> ExitCode {
    let done = invocation::read(Program::Scancel, args).and_then(|given| scancel(&given));
    done.unwrap_or_else(|code| code)
}

fn fail(what: impl std::fmt::Display) -> ExitCode {
    eprintln!("scancel: error: {what}");
    ExitCode::FAILURE
}

fn scancel(given: &Given) -> Result<ExitCode, ExitCode> {
    clusters::named(given)?;
    for what in unrecognized(|name| std::env::var(name).ok()) {
        eprintln!("scancel: error: {what}");
    }
    let request = request(given).map_err(|e| {
        eprint!("{}", e.message(Program::Scancel));
        ExitCode::from(e.code)
    })?;
    if let Some(User::Named(name)) = &request.filters.user
        && report::uid_of(name).is_none()
    {
        return Err(fail(format_args!("Invalid user name: {name}")));
    }
    let mut client = cluster::connect().map_err(fail)?;
    let mut worst = 0;
    if request.sibling {
        let rows = jobs(&mut client, &request)?;
        for selection in request.known(&rows) {
            fail(format_args!("Kill job error on job id {selection}: Not a valid federated job"));
            worst = 191;
        }
    } else if request.needs_rows() {
        let rows = jobs(&mut client, &request)?;
        let caller = report::own_uid();
        let targets: Vec<(&JobInfo, Target)> =
            rows.iter().filter_map(|job| Some((job, request.target(job, caller)?))).collect();
        for selection in request.unknown(&rows) {
            let what = if selection.step.is_some() { "job step id" } else { "job id" };
            fail(format_args!("Kill job error on {what} {selection}: {}", Reject::InvalidJobId));
            worst = 1;
        }
        if targets.is_empty() && request.verbose > 0 {
            let filters = request.filters.describe(caller);
            fail(format_args!("No active jobs match ALL job filters, including: {filters}"));
        }
        for (job, target) in targets {
            if !request.interactive || confirmed(job, &target) {
                worst = worst.max(cancel(&mut client, &request, &target, &target.to_string())?);
            }
        }
    } else {
        for selection in &request.selections {
            let target = Target { job: selection.job, tasks: selection.tasks.clone() };
            if let Some(step) = selection.step {
                worst = worst.max(cancel_step(&mut client, &request, &target, step, &selection.text)?);
                continue;
            }
            worst = worst.max(cancel(&mut client, &request, &target, &selection.text)?);
        }
    }
    Ok(ExitCode::from(worst))
}

/// Ends or signals one step; Slurm's exit code.
fn cancel_step(
    client: &mut Client,
    request: &Request,
    target: &Target,
    step: u32,
    shown: &str,
) -> Result<u8, ExitCode> {
    let ask = Ask::Cancel(CancelRequest {
        target: JobTarget { job: target.job, tasks: target.tasks.clone() },
        signal: request.signal,
        scope: SignalScope::Step(step),
    });
    let answer = client.call(ask).map_err(fail)?;
    if request.verbose > 0 && !matches!(answer, Response::Rejected(Reject::InvalidJobId)) {
        match request.signal {
            None => eprintln!("scancel: Terminating step {shown}"),
            Some(signal) => eprintln!("scancel: Signal {signal} to step {shown}"),
        }
    }
    let (error, code) = match answer {
        Response::Done => return Ok(0),
        Response::Rejected(reject) => (reject.to_string(), exit_code(&reject)),
        Response::Failed(what) => (what, 1),
        other => return Err(fail(format_args!("unexpected answer {other:?}"))),
    };
    // Of a job that is not there, Slurm names the step that was asked for; of one that is, the job.
    match code {
        1 => eprintln!("scancel: error: Kill job error on job step id {shown}: {error}"),
        _ => eprintln!("scancel: error: Kill job error on job step id {target}: {error}"),
    }
    Ok(code)
}

/// The rows that may be meant.
fn jobs(client: &mut Client, request: &Request) -> Result<Vec<JobInfo>, ExitCode> {
    let ids = match &request.selections[..] {
        [] => None,
        some => Some(some.iter().map(|s| s.job).collect()),
    };
    match report::jobs(client, Ask::Jobs(JobQuery::of_any(ids))) {
        Ok(rows) => Ok(rows),
        // None of the named jobs is known: nothing is left to cancel.
        Err(Trouble::Rejected(Reject::InvalidJobId)) => Ok(Vec::new()),
        Err(e) => Err(fail(e)),
    }
}

/// What is left of Slurm's error numbers in an exit code.
fn exit_code(reject: &Reject) -> u8 {
    match reject {
        Reject::AccessDenied => 210,
        Reject::NoSuchStep => 225,
        Reject::JobPending => 228,
        _ => 1,
    }
}

/// Cancels or signals one target; Slurm's exit code. To cancel what is gone is no failure.
fn cancel(client: &mut Client, request: &Request, target: &Target, shown: &str) -> Result<u8, ExitCode> {
    let ask = Ask::Cancel(CancelRequest {
        target: JobTarget { job: target.job, tasks: target.tasks.clone() },
        signal: request.signal,
        scope: match request.scope {
            Scope::Steps => SignalScope::Steps,
            Scope::Batch => SignalScope::Batch,
            Scope::All => SignalScope::All,
        },
    });
    let answer = client.call(ask).map_err(fail)?;
    let gone = matches!(answer, Response::Rejected(Reject::InvalidJobId | Reject::JobFinished));
    if request.verbose > 0 && !(gone && request.looks_first()) {
        match request.signal {
            None => eprintln!("scancel: Terminating job {shown}"),
            Some(signal) => {
                let batch = if request.scope == Scope::Batch { "batch " } else { "" };
                eprintln!("scancel: Signal {signal} to {batch}job {shown}");
            }
        }
    }
    let kill_error =
        |text: &dyn std::fmt::Display| eprintln!("scancel: error: Kill job error on job id {shown}: {text}");
    match answer {
        Response::Done => Ok(0),
        // Said only on demand, unless Slurm has to look at the jobs first.
        Response::Rejected(Reject::InvalidJobId | Reject::JobFinished) if request.looks_first() => {
            kill_error(&Reject::InvalidJobId);
            Ok(1)
        }
        Response::Rejected(gone @ (Reject::InvalidJobId | Reject::JobFinished)) => {
            if request.verbose > 0 {
                kill_error(&gone);
            }
            Ok(0)
        }
        Response::Rejected(reject) => {
            match reject {
                // To a signal; a pending job can be cancelled.
                Reject::JobPending => kill_error(&"Job can not be altered now, try again later"),
                _ => kill_error(&reject),
            }
            Ok(exit_code(&reject))
        }
        Response::Failed(what) => {
            kill_error(&what);
            Ok(1)
        }
        other => Err(fail(format_args!("unexpected answer {other:?}"))),
    }
}

/// --interactive: asks until the answer is yes or no; the end of the input means no.
fn confirmed(job: &JobInfo, target: &Target) -> bool {
    loop {
        print!("Cancel job_id={target} name={} partition={} [y/n]? ", job.spec.name, job.partition);
        let mut answer = String::new();
        let read = std::io::stdout().flush().and_then(|()| std::io::stdin().lock().read_line(&mut answer));
        match (read, answer.trim_start().chars().next()) {
            (Err(_) | Ok(0), _) | (_, Some('n' | 'N')) => return false,
            (_, Some('y' | 'Y')) => return true,
            _ => {}
        }
    }
}
