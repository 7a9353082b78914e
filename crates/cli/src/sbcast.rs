//! `sbcast`.

use crate::bcast::{self, Manner};
use crate::identity::Identity;
use crate::invocation::{self, os_text};
use crate::report;
use bivouac_options::sbcast::{Request, Target, request, warnings};
use bivouac_options::{Given, Program};
use bivouac_proto::message::{Ask, JobQuery};
use bivouac_types::info::JobInfo;
use bivouac_types::{HostList, JobState, Reject};
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::process::ExitCode;

/// Runs the command.
pub fn run(args: &[OsString]) -> ExitCode {
    let done = invocation::read(Program::Sbcast, args).and_then(|given| sbcast(&given));
    done.map_or_else(|code| code, |()| ExitCode::SUCCESS)
}

/// Says an error of the surroundings, which end with exit code 255.
fn fail(what: impl std::fmt::Display) -> ExitCode {
    eprintln!("sbcast: error: {what}");
    ExitCode::from(255)
}

fn sbcast(given: &Given) -> Result<(), ExitCode> {
    for (named, text) in warnings(given) {
        eprintln!("{}{text}", if named { "sbcast: error: " } else { "" });
    }
    let request = request(given, std::env::var("SLURM_JOB_ID").ok())
        .map_err(|e| invocation::fail_value(Program::Sbcast, &e))?;
    let shown = request.source.to_string_lossy();
    let because = |e: io::Error| {
        fail(format_args!("Can't open `{shown}`: {}", os_text(e.raw_os_error().unwrap_or(libc::EIO))))
    };
    // The writer of a pipe is not waited for.
    let source = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&request.source);
    let mut source = source.map_err(because)?;
    let about = source.metadata().map_err(because)?;
    if about.is_dir() {
        return Err(fail(format_args!("Can't mmap file `{shown}`, No such device.")));
    }
    if request.verbose > 0 {
        tell(&request, &about);
    }
    if about.len() == 0 {
        eprintln!("sbcast: error: Warning: file `{shown}` is empty.");
    }
    let job = find(&request.job)?;
    let nodes: Vec<&str> = job.nodes.iter().map(|share| share.node.as_str()).collect();
    if request.verbose > 0 {
        eprintln!("sbcast: jobid      = {}", request.job.text);
        let list: HostList = nodes.iter().map(|n| (*n).to_owned()).collect();
        eprintln!("sbcast: node_list  = {list}");
    }
    if job.uid.0 != report::own_uid() {
        // The file belongs to the job's user, and goes nowhere where he could not have put it.
        Identity { uid: Some(job.uid.0), gid: None }
            .assume()
            .map_err(|e| fail(format_args!("user {}: {e}", job.user)))?;
    }
    let manner = Manner { force: request.force, preserve: request.preserve };
    bcast::copy(&mut source, &about, Path::new(&request.destination), manner).map_err(|e| {
        let (lines, code) = bcast::failure("sbcast", nodes.iter().copied(), &e);
        eprint!("{lines}");
        ExitCode::from(code)
    })
}

/// The job, which has to run and to be the caller's, or anybody's for root.
fn find(target: &Target) -> Result<JobInfo, ExitCode> {
    let refuse =
        |why: &dyn std::fmt::Display| fail(format_args!("Slurm job {} lookup error: {why}", target.text));
    let id = target.job.ok_or_else(|| refuse(&Reject::InvalidJobId))?;
    let query = JobQuery::of(id);
    let rows = report::connect().and_then(|mut client| report::jobs(&mut client, Ask::Jobs(query)));
    let job = rows.map_err(|e| refuse(&e))?.into_iter().find(|job| job.id == id);
    let job = job.ok_or_else(|| refuse(&Reject::InvalidJobId))?;
    let caller = report::own_uid();
    if caller != 0 && caller != job.uid.0 {
        return Err(refuse(&Reject::AccessDenied));
    }
    match job.state {
        JobState::Pending => return Err(refuse(&Reject::JobPending)),
        JobState::Running | JobState::Suspended | JobState::Stopped => {}
        _ => return Err(refuse(&Reject::JobFinished)),
    }
    match target.step {
        Some(step) if !job.steps.iter().any(|s| s.step == step) => Err(refuse(&Reject::InvalidJobId)),
        _ => Ok(job),
    }
}

/// What `-v` tells before the job is asked for.
fn tell(request: &Request, about: &Metadata) {
    let time = |seconds: i64| {
        let at = jiff::Timestamp::from_second(seconds).unwrap_or_default();
        at.to_zoned(jiff::tz::TimeZone::system()).strftime("%a %b %d %H:%M:%S %Y").to_string()
    };
    let rule = "-".repeat(29);
    let rows = [
        ("force      = ", request.force.to_string()),
        ("preserve   = ", request.preserve.to_string()),
        ("verbose    = ", request.verbose.to_string()),
        ("source     = ", request.source.to_string_lossy().into_owned()),
        ("dest       = ", request.destination.to_string_lossy().into_owned()),
        ("", rule.clone()),
        ("modes    = ", format!("{:o}", about.mode())),
        ("uid      = ", about.uid().to_string()),
        ("gid      = ", about.gid().to_string()),
        ("atime    = ", time(about.atime())),
        ("mtime    = ", time(about.mtime())),
        ("ctime    = ", time(about.ctime())),
        ("size     = ", about.len().to_string()),
    ];
    eprintln!("sbcast: {rule}");
    rows.iter().for_each(|(name, value)| eprintln!("sbcast: {name}{value}"));
}
