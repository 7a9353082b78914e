//! scontrol update of jobs.

use super::jobs::{by_name, ids, refused, target, tell};
use super::{Session, resize};
use crate::report::{self, Trouble};
use bivouac_options::job_update::{Asked, JobUpdate, read};
use bivouac_proto::client::Client;
use bivouac_proto::message::{Ask, JobQuery, JobTarget};
use bivouac_types::{JobChange, TimeLimit};
use std::process::ExitCode;

/// `update JobId=ID KEY=VALUE...`, also `update job ID ...` and `update JobName=NAME ...`; false if the words are about
/// no job.
pub fn job(words: &[String], session: Session) -> Result<bool, ExitCode> {
    let is_user = |user: &str| report::uid_of(user).is_some();
    let update = read(words, &jiff::Zoned::now(), is_user).map_err(|lines| session.fail(lines.join("\n")))?;
    let Some(update) = update else { return Ok(false) };
    for line in &update.passed_over {
        session.fail(line);
    }
    if update.changes.is_empty() {
        return Ok(true);
    }
    let mut client = report::connect().map_err(|e| session.fail(e))?;
    let mut done = Ok(true);
    for (id, target) in targets(&mut client, &update, session)? {
        let result = match target {
            Some(target) if resize::is_of_array(&mut client, &target, &update.changes) => {
                done = Err(session.fail("scontrol: error: Job resizing not supported for job arrays"));
                continue;
            }
            Some(target) => change(&mut client, target, &update.changes, session),
            None => Err(Trouble::Rejected(bivouac_types::Reject::InvalidJobId)),
        };
        match result {
            Ok(Ok(())) => resize::tell_shell(&mut client, &id, &update.changes, session),
            Ok(Err(code)) => done = Err(code),
            Err(e) => done = Err(refused(&id, &e, session)),
        }
    }
    done
}

/// Whether the words are about a step.
pub fn is_step(words: &[String]) -> bool {
    let pairs = bivouac_options::update::pairs(words);
    pairs.iter().any(|(key, _)| bivouac_options::update::is_key(key, "StepId", 4))
}

/// `update StepId=JOB[.STEP] TimeLimit=LIMIT`: without a step, all of the job.
pub fn step(words: &[String], session: Session) -> Result<(), ExitCode> {
    let update = bivouac_options::step_update::read(words).map_err(|lines| session.fail(lines.join("\n")))?;
    let ask = Ask::UpdateStep { job: update.job, step: update.step, limit: update.limit };
    let told = report::connect().and_then(|mut client| tell(&mut client, ask));
    told.map_err(|e| session.fail(format_args!("slurm_update error: {e}")))
}

type Targets = Vec<(String, Option<JobTarget>)>;

fn targets(client: &mut Client, update: &JobUpdate, session: Session) -> Result<Targets, ExitCode> {
    if let Some(list) = &update.ids {
        return Ok(ids(list).into_iter().map(|id| (id.to_owned(), target(id))).collect());
    }
    let name = update.name.as_deref().unwrap_or_default();
    let uid = update.user.as_deref().and_then(report::uid_of);
    let found = by_name(client, name, uid).map_err(|e| session.fail(e))?;
    if found.is_empty() {
        let whose = uid.map_or(String::new(), |uid| format!("user ID {uid} and "));
        return Err(session.fail(format_args!("scontrol: error: No jobs with {whose}name '{name}'")));
    }
    Ok(found)
}

/// Makes all changes of one job, or none.
fn change(
    client: &mut Client,
    target: JobTarget,
    asked: &[Asked],
    session: Session,
) -> Result<Result<(), ExitCode>, Trouble> {
    let mut changes = Vec::new();
    for one in asked {
        match one {
            Asked::Change(change) => changes.push(change.clone()),
            Asked::Refused(reject) => return Err(Trouble::Rejected(reject.clone())),
            Asked::TimeLimitBy(minutes) => match longer(client, &target, *minutes)? {
                Ok(limit) => changes.push(JobChange::TimeLimit(limit)),
                Err(text) => return Ok(Err(session.fail(format_args!("scontrol: error: {text}")))),
            },
        }
    }
    tell(client, Ask::Update { target, changes, user: session.user }).map(Ok)
}

/// The limit in force, longer or shorter by so many minutes; else what is wrong with that.
fn longer(client: &mut Client, target: &JobTarget, by: i64) -> Result<Result<TimeLimit, String>, Trouble> {
    let rows = report::jobs(client, Ask::Jobs(JobQuery::of(target.job)))?;
    if rows.len() > 1 && target.tasks.is_none() {
        return Ok(Err("TimeLimit increment/decrement not supported for job arrays".to_owned()));
    }
    Ok(Ok(match rows.first().map(|row| row.time_limit) {
        None => return Err(Trouble::Rejected(bivouac_types::Reject::InvalidJobId)),
        Some(TimeLimit::Unlimited) => TimeLimit::Unlimited,
        Some(TimeLimit::Minutes(now)) => match u32::try_from(i64::from(now) + by) {
            Ok(minutes) => TimeLimit::Minutes(minutes),
            Err(_) => {
                return Ok(Err(format!(
                    "TimeLimit decrement larger than current time limit ({} > {now})",
                    -by
                )));
            }
        },
    }))
}
