//! Submission and its answer.

use super::fail;
use crate::{cluster, clusters, refusal, submission};
use bivouac_options::Program;
use bivouac_options::sbatch::Request;
use bivouac_proto::message::{Ask, Response, Submission};
use bivouac_types::{ExitStatus, JobId};
use std::process::ExitCode;
use std::time::Duration;

/// Submits, prints the job's number and, with --wait, waits for its end.
///
/// # Errors
/// The exit code; the error is printed.
pub fn submit(request: &Request, submission: Submission) -> Result<ExitCode, ExitCode> {
    let clusters = request.job.clusters.as_deref();
    let cluster = clusters.map(|list| clusters::known(Program::Sbatch, list, "--cluster")).transpose()?;
    if request.test_only {
        return submission::test_only(Program::Sbatch, submission.spec);
    }
    let spec = submission.spec.clone();
    match submission::send(submission).map(|(answer, _)| answer) {
        Ok(Response::Submitted(job)) => {
            match cluster {
                _ if request.job.quiet => {}
                Some(name) if request.parsable => println!("{job};{name}"),
                Some(name) => println!("Submitted batch job {job} on cluster {name}"),
                None if request.parsable => println!("{job}"),
                None => println!("Submitted batch job {job}"),
            }
            if request.wait { Ok(wait(job)) } else { Ok(ExitCode::SUCCESS) }
        }
        Ok(Response::Rejected(reject)) => {
            refusal::print(Program::Sbatch, &reject, &spec);
            Err(crate::invocation::error_exit())
        }
        Ok(other) => Err(unexpected(&other)),
        Err(e) => Err(fail(format_args!("Batch job submission failed: {e}"))),
    }
}

fn unexpected(answer: &Response) -> ExitCode {
    match answer {
        Response::Failed(what) => fail(format_args!("Batch job submission failed: {what}")),
        other => fail(format_args!("Batch job submission failed: unexpected answer {other:?}")),
    }
}

/// Waits for the job's end. A controller that dies meanwhile is waited for: the job goes on without it.
fn wait(job: JobId) -> ExitCode {
    let mut unreachable = 0;
    loop {
        match cluster::ask(Ask::WaitEnd(job)) {
            Ok(Response::Ended { exit: ExitStatus { signal: 0, code } }) => return ExitCode::from(code),
            Ok(Response::Ended { .. }) => return ExitCode::FAILURE,
            Ok(Response::Rejected(reject)) => return fail(format_args!("job {job}: {reject}")),
            Ok(other) => return unexpected(&other),
            Err(e) if unreachable == 60 => return fail(format_args!("job {job} goes on, but: {e}")),
            Err(_) => {
                unreachable += 1;
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    }
}
