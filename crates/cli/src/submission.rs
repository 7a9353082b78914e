//! What sbatch, salloc and srun have in common when they ask for a job: what its options say, and what only the caller's
//! surroundings tell.

use crate::cluster::{self, Unreachable};
use crate::identity::{self, Identity};
use crate::invocation;
use crate::refusal;
use bivouac_options::job::Asked;
use bivouac_options::{Given, Program};
use bivouac_proto::client::Client;
use bivouac_proto::message::{Ask, Payload, Response, Submission};
use bivouac_types::{JobSpec, Timestamp};
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::ExitCode;

/// Says an error and gives the exit code of errors.
pub fn fail(program: Program, what: impl std::fmt::Display) -> ExitCode {
    eprintln!("{program}: error: {what}");
    invocation::error_exit()
}

/// A file that an option names.
///
/// # Errors
/// In the system's words alone, as C programs print them.
pub fn read_file(name: &str) -> io::Result<String> {
    std::fs::read_to_string(name).map_err(|e| {
        let text = e.to_string();
        let words = text.split(" (os error").next().unwrap_or_default();
        io::Error::new(e.kind(), words.to_owned())
    })
}

/// The caller's folder.
///
/// # Errors
/// The exit code; the error is printed.
pub fn folder(program: Program) -> Result<PathBuf, ExitCode> {
    std::env::current_dir().map_err(|e| fail(program, format_args!("getcwd failed: {e}")))
}

/// A path as it is recorded.
///
/// # Errors
/// The exit code; the error is printed.
pub fn recorded(program: Program, path: PathBuf) -> Result<String, ExitCode> {
    path.into_os_string().into_string().map_err(|p| {
        let path = PathBuf::from(p);
        fail(program, format_args!("the path {} is not valid UTF-8 and cannot be recorded", path.display()))
    })
}

/// The job with what the caller's surroundings tell of it; it runs in `work_dir`.
///
/// # Errors
/// The exit code; the error is printed.
pub fn surrounded(program: Program, asked: &Asked, work_dir: PathBuf) -> Result<JobSpec, ExitCode> {
    let text = |path| recorded(program, path);
    let work_dir = text(work_dir)?;
    let kept_dir = match bivouac_view::Marker::read() {
        Some(marker) => marker.kept.map(text).transpose()?,
        None => Some(work_dir.clone()),
    };
    Ok(JobSpec {
        work_dir,
        kept_dir,
        submit_dir: text(folder(program)?)?,
        submit_line: invocation::submit_line(),
        submit_host: host_name(),
        // SAFETY: no preconditions.
        submit_sid: unsafe { libc::getsid(0) }.unsigned_abs(),
        ..asked.spec.clone()
    })
}

/// The job with what it runs.
///
/// # Errors
/// The exit code; the error is printed.
pub fn of(program: Program, asked: &Asked, spec: JobSpec, payload: Payload) -> Result<Submission, ExitCode> {
    let Identity { uid, gid } = identity::asked(program, asked)?;
    let key = key().map_err(|e| fail(program, format_args!("/dev/urandom: {e}")))?;
    Ok(Submission { key, spec, payload, uid, gid })
}

/// Submits a job, and gives the connection too: who asked for an allocation is gone when it ends. If nobody knows whether
/// it arrived, it is asked again with the same key: nothing is submitted twice.
///
/// # Errors
/// See [`Unreachable`].
pub fn send(submission: Submission) -> Result<(Response, Client), Unreachable> {
    let mut client = cluster::connect()?;
    let answer = client.call(Ask::Submit(Box::new(submission)))?;
    Ok((answer, client))
}

/// --test-only: when the job would start, and where.
///
/// # Errors
/// The exit code; the error is printed.
pub fn test_only(program: Program, spec: JobSpec) -> Result<ExitCode, ExitCode> {
    let refused = |what: &dyn std::fmt::Display| fail(program, format_args!("allocation failure: {what}"));
    match cluster::ask(Ask::TestOnly(Box::new(spec.clone()))) {
        Ok(Response::WouldStart { job, start, cpus, nodes, partition }) => {
            let zone = jiff::tz::TimeZone::system();
            let format = bivouac_types::time::TimeFormat::Standard;
            let start = start.format(&zone, &format, Timestamp::of(&jiff::Zoned::now()));
            let nodes: bivouac_types::HostList = nodes.into_iter().collect();
            eprintln!(
                "{program}: Job {job} to start at {start} using {cpus} processors on nodes {nodes} in partition {partition}"
            );
            Ok(ExitCode::SUCCESS)
        }
        Ok(Response::Rejected(reject)) => {
            refusal::print_of_test(program, &reject, &spec);
            Err(invocation::error_exit())
        }
        Ok(Response::Failed(what)) => Err(refused(&what)),
        Ok(other) => Err(refused(&format_args!("unexpected answer {other:?}"))),
        Err(e) => Err(refused(&e)),
    }
}

/// A random name for this submission: asked twice, the controller answers with the same job.
fn key() -> io::Result<String> {
    let mut bytes = [0u8; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// This machine's name up to the first dot.
fn host_name() -> String {
    let name = bivouac_view::host_name();
    let short = name.split('.').next().unwrap_or_default();
    if short.is_empty() { "localhost".to_owned() } else { short.to_owned() }
}

/// What goes before a job is asked for: `warnings` are said, and with -v what was asked for, as Slurm lists it.
pub fn announce(given: &Given, asked: &Asked) {
    let program = given.program;
    asked.warnings.iter().for_each(|w| eprintln!("{program}: error: {w}"));
    if asked.verbose == 0 {
        return;
    }
    let rule = format!("{0} {0}", "-".repeat(20));
    eprintln!("{program}: defined options\n{program}: {rule}");
    let mut rows: Vec<(&str, String)> = Vec::new();
    for c in given.choices() {
        let value = match c.opt.long {
            "verbose" => given.count("verbose").to_string(),
            _ => c.value.clone().unwrap_or_else(|| "set".to_owned()),
        };
        rows.retain(|(name, _)| *name != c.opt.long);
        rows.push((c.opt.long, value));
    }
    rows.sort();
    rows.iter().for_each(|(name, value)| eprintln!("{program}: {name:<20}: {value}"));
    eprintln!("{program}: {rule}\n{program}: end of defined options");
}
