//! scontrol listpids and pidinfo: which processes of this machine are of which job. A job's processes carry its attempt
//! and their step in their environment, by which the keeper finds them too.

use super::Session;
use crate::report;
use bivouac_proto::message::{Ask, JobQuery};
use bivouac_proto::place::{Account, Place};
use bivouac_render::squeue::job_ref;
use bivouac_types::JobId;
use bivouac_types::info::JobInfo;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::process::ExitCode;

/// A process of a job.
struct Member {
    pid: u32,
    job: JobId,
    /// Its node.
    node: String,
    /// Its step; none: the batch script's.
    step: Option<u32>,
    /// Its task's places in the node and in the step; none of what a task, or the script, has started.
    task: Option<(u32, u32)>,
}

/// `listpids [JOB[.STEP] [NODE]]`: without a node, of all nodes, which are this machine.
pub fn list(id: Option<&str>, node: Option<&str>, session: Session) -> Result<(), ExitCode> {
    let (job, step) = match id.filter(|id| *id != "*") {
        None => (None, None),
        Some(id) => {
            let invalid = || session.fail(format_args!("\"{id}\" does not look like a jobid"));
            let (job, step) = match id.split_once('.') {
                Some((job, step)) => (job, Some(step)),
                None => (id, None),
            };
            let job = job_ref(job).ok_or_else(invalid)?.job;
            (Some(job), step.map(str::to_owned))
        }
    };
    println!("PID      JOBID    STEPID   LOCALID GLOBALID");
    let ids = job.map(|job| vec![job]);
    let rows = report::connect()
        .and_then(|mut c| report::jobs(&mut c, Ask::Jobs(JobQuery::of_any(ids))))
        .unwrap_or_default();
    let mut members = members(&rows);
    members.retain(|m| job.is_none_or(|j| m.job == j) && node.is_none_or(|n| m.node == n));
    if let Some(step) = &step {
        members.retain(|m| m.step.map_or("batch".to_owned(), |s| s.to_string()) == *step);
    }
    if members.is_empty() {
        let place = node.unwrap_or("(null)");
        return Err(match (job, &step) {
            (None, _) => session.fail("No job steps exist on this node."),
            (Some(job), None) => session.fail(format_args!("JobId={job} does not exist on node {place}.")),
            (Some(job), Some(step)) => {
                session.fail(format_args!("StepId={job}.{step} does not exist on node {place}."))
            }
        });
    }
    for m in members {
        let step = m.step.map_or("batch".to_owned(), |s| s.to_string());
        let place = |n: Option<u32>| n.map_or("-".to_owned(), |n| n.to_string());
        let (local, global) = (place(m.task.map(|t| t.0)), place(m.task.map(|t| t.1)));
        println!("{:<8} {:<8} {step:<8} {local:<7} {global:<8}", m.pid, m.job.0);
    }
    Ok(())
}

/// `getent [NODE]`: what nss_slurm would say of the users of a node's steps. It is not in the manual; no job here has
/// LaunchParameters=enable_nss_slurm, and so there are no groups.
pub fn getent(node: Option<&str>, session: Session) -> Result<(), ExitCode> {
    let own = super::facility::own_name();
    let rows = report::connect().and_then(|mut c| report::jobs(&mut c, Ask::Jobs(JobQuery::default())));
    let mut found = false;
    for row in rows.unwrap_or_default().iter().filter(|row| row.pid.is_some()) {
        let is_here = |name: &String| name == node.unwrap_or(&own);
        let steps = row.steps.iter().filter(|s| s.end.is_none() && s.nodes.iter().any(is_here));
        for step in steps {
            found = true;
            let Ok(account) = Account::of_uid(row.uid.0) else { continue };
            println!("JobId={}.{}:\nUser:\n{}\nGroups:\n", row.id, step.step, passwd(&account));
        }
    }
    if !found && node.is_none() {
        session.fail("No steps found on this node");
    }
    Ok(())
}

/// The user's line, in which nss_slurm has the password's place filled with x.
fn passwd(account: &Account) -> String {
    let home = account.home.display();
    format!(
        "{}:x:{}:{}:{}:{home}:{}",
        account.name,
        account.uid,
        account.gid,
        account.gecos,
        account.shell.display()
    )
}

/// `pidinfo PID`.
pub fn info(pid: &str, session: Session) -> Result<(), ExitCode> {
    let rows = report::connect().and_then(|mut c| report::jobs(&mut c, Ask::Jobs(JobQuery::default())));
    let rows = rows.unwrap_or_default();
    let pid: Option<u32> = pid.parse().ok();
    let member = pid.and_then(|pid| members(&rows).into_iter().find(|m| m.pid == pid));
    let job = member.and_then(|m| rows.into_iter().find(|row| row.id == m.job));
    let Some(job) = job else { return Err(session.fail("Failed to locate job for requested pid")) };
    match job.end {
        Some(end) => {
            let settings = report::settings();
            let at = end.zoned(&settings.zone).strftime("%a %b %e %H:%M:%S %Y").to_string();
            println!("Slurm JobId={} ends at {at}", job.id);
        }
        None => println!("Slurm JobId={} has no time limit", job.id),
    }
    Ok(())
}

/// The processes of jobs that run, by their numbers.
fn members(rows: &[JobInfo]) -> Vec<Member> {
    let running: BTreeMap<u32, &JobInfo> =
        rows.iter().filter(|r| r.pid.is_some()).map(|r| (r.id.0, r)).collect();
    let keeper = Place::find(None).ok().and_then(|place| std::fs::metadata(place.state_dir).ok());
    let Some(keeper) = keeper.map(|m| format!("{:x}-{:x}", m.dev(), m.ino())) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else { continue };
        let Ok(environment) = std::fs::read(entry.path().join("environ")) else { continue };
        let value = |name: &str| {
            let found = environment.split(|b| *b == 0).find_map(|v| v.strip_prefix(name.as_bytes()));
            found.and_then(|v| std::str::from_utf8(v).ok())
        };
        if value("BIVOUAC_KEEPER=") != Some(&keeper) {
            continue;
        }
        let attempt = value("BIVOUAC_ATTEMPT=").and_then(|a| a.split_once('.'));
        let Some(job) = attempt.and_then(|(job, _)| running.get(&job.parse().ok()?)) else { continue };
        let number = |name| value(name).and_then(|v| v.parse().ok());
        let step = number("SLURM_STEP_ID=");
        let leads = match step {
            Some(_) => number("SLURM_TASK_PID=") == Some(pid),
            None => job.pid == Some(pid),
        };
        let task = || Some((number("SLURM_LOCALID=")?, number("SLURM_PROCID=")?));
        let first = || job.nodes.first().map(|n| n.node.clone()).unwrap_or_default();
        let node = value("SLURMD_NODENAME=").map_or_else(first, str::to_owned);
        found.push(Member { pid, job: job.id, node, step, task: if leads { task() } else { None } });
    }
    found.sort_by_key(|m| (m.job, m.step, m.pid));
    found
}
