//! scontrol hold, release, requeue and update.

use super::Session;
use crate::report::{self, Trouble};
use bivouac_proto::client::Client;
use bivouac_proto::message::{Ask, JobQuery, JobTarget, Response};
use bivouac_render::squeue::{Filter, job_ref};
use bivouac_types::{JobChange, JobId, Reject, TimeLimit};
use std::collections::BTreeSet;
use std::process::ExitCode;

/// What is done to jobs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Held.
    Hold,
    /// Released.
    Release,
    /// Run again.
    Requeue,
}

impl Verb {
    fn ask(self, target: JobTarget) -> Ask {
        match self {
            Verb::Hold => Ask::Hold(target),
            Verb::Release => Ask::Release(target),
            Verb::Requeue => Ask::Requeue(target),
        }
    }
}

/// One change asked of the controller.
fn tell(client: &mut Client, ask: Ask) -> Result<(), Trouble> {
    match client.call(ask)? {
        Response::Done => Ok(()),
        other => Err(other.into()),
    }
}

/// Lists of jobs, or `jobname=NAME`; every job is tried, and a failure is told for each.
pub fn each(words: &[String], verb: Verb, session: Session) -> Result<(), ExitCode> {
    let mut client = report::connect().map_err(|e| session.fail(format_args!("slurm_suspend error: {e}")))?;
    let mut done = Ok(());
    for word in words {
        let targets = match named(word) {
            Some(name) => by_name(&mut client, name).map_err(|e| session.fail(e))?,
            None => ids(word).into_iter().map(|id| (id.to_owned(), target(id))).collect(),
        };
        for (id, target) in targets {
            let result = match target {
                Some(target) => tell(&mut client, verb.ask(target)),
                None => Err(Trouble::Rejected(Reject::InvalidJobId)),
            };
            if let Err(e) = result {
                done = Err(refused(&id, &e, verb, session));
            }
        }
    }
    done
}

fn refused(id: &str, e: &Trouble, verb: Verb, session: Session) -> ExitCode {
    if id.contains('_') {
        return session.fail(format_args!("{id}: {e}"));
    }
    let code = session.fail(format_args!("{e} for job {id}"));
    if verb != Verb::Requeue {
        session.fail(format_args!("slurm_suspend error: {e}"));
    }
    code
}

/// The name in `jobname=NAME` or `name=NAME`.
fn named(word: &str) -> Option<&str> {
    let (key, name) = word.split_once('=')?;
    (key.eq_ignore_ascii_case("jobname") || key.eq_ignore_ascii_case("name")).then_some(name)
}

/// The ids of a list; a comma within brackets separates no ids.
fn ids(list: &str) -> Vec<&str> {
    let mut depth = 0i32;
    list.split(move |c| {
        depth += i32::from(c == '[') - i32::from(c == ']');
        c == ',' && depth <= 0
    })
    .filter(|id| !id.is_empty())
    .collect()
}

fn target(id: &str) -> Option<JobTarget> {
    job_ref(id).map(|r| JobTarget { job: r.job, tasks: r.tasks })
}

/// All jobs of a name that have not ended.
fn by_name(client: &mut Client, name: &str) -> Result<Vec<(String, Option<JobTarget>)>, Trouble> {
    let filter =
        Filter { names: Some(vec![name.to_owned()]), states: Some(Filter::active()), ..Filter::default() };
    let rows = report::jobs(client, Ask::Jobs(JobQuery::default()))?;
    let jobs: BTreeSet<JobId> = rows.iter().filter(|row| filter.job(row)).map(|row| row.id).collect();
    Ok(jobs.into_iter().map(|job| (job.to_string(), Some(JobTarget { job, tasks: None }))).collect())
}

/// What `update` changes of a job.
struct Update<'a> {
    /// The ids, or all jobs of a name.
    jobs: Option<&'a str>,
    name: Option<&'a str>,
    changes: Vec<Change<'a>>,
}

enum Change<'a> {
    Plain(JobChange),
    /// `TimeLimit=+10`, `TimeLimit=-10`, relative to the limit in force: minutes.
    Longer(i64),
    /// A name, which selects the job instead if no id is given.
    Name(&'a str),
}

/// `update JobId=ID KEY=VALUE...`, also `update job ID ...`.
pub fn update(words: &[String], session: Session) -> Result<(), ExitCode> {
    let pairs = pairs(words);
    let update = parse(&pairs).map_err(|lines| {
        lines.iter().for_each(|line| {
            session.fail(line);
        });
        ExitCode::FAILURE
    })?;
    let mut client = report::connect().map_err(|e| session.fail(e))?;
    let targets: Vec<(String, Option<JobTarget>)> = match (update.jobs, update.name) {
        (Some(list), _) => ids(list).into_iter().map(|id| (id.to_owned(), target(id))).collect(),
        (None, Some(name)) => by_name(&mut client, name).map_err(|e| session.fail(e))?,
        (None, None) => Vec::new(),
    };
    let mut done = Ok(());
    for (id, target) in targets {
        let result = match target {
            Some(target) => change(&mut client, target, &update.changes),
            None => Err(Trouble::Rejected(Reject::InvalidJobId)),
        };
        if let Err(e) = result {
            done = Err(session.fail(format_args!("{e} for job {id}")));
        }
    }
    done
}

/// `KEY=VALUE` words; `job ID` is read as `job=ID`.
fn pairs(words: &[String]) -> Vec<(&str, Option<&str>)> {
    let mut pairs = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.split_once('=') {
            // Slurm's `TimeLimit+=10` is `TimeLimit=+10`.
            Some((key, value)) => pairs.push((key, Some(value))),
            None if word.eq_ignore_ascii_case("job") || word.eq_ignore_ascii_case("jobid") => {
                pairs.push((word.as_str(), words.next().map(String::as_str)));
            }
            None => pairs.push((word.as_str(), None)),
        }
    }
    pairs
}

/// Reads the pairs.
///
/// # Errors
/// The lines for standard error.
fn parse<'a>(pairs: &[(&'a str, Option<&'a str>)]) -> Result<Update<'a>, Vec<String>> {
    let line = |text: &str| vec![text.to_owned()];
    let mut update = Update { jobs: None, name: None, changes: Vec::new() };
    let mut unknown = None;
    for &(key, value) in pairs {
        let lower = key.to_ascii_lowercase();
        let (lower, sign) = match lower.strip_suffix(['+', '-']) {
            Some(stem) => (stem, &key[stem.len()..]),
            None => (lower.as_str(), ""),
        };
        match (lower, value) {
            ("job" | "jobid", Some(ids)) => update.jobs = Some(ids),
            ("timelimit", Some(text)) => {
                let change = time_limit(&format!("{sign}{text}"));
                let change = change.ok_or_else(|| line("scontrol: error: Invalid TimeLimit value"))?;
                update.changes.push(change);
            }
            ("jobname" | "name", Some(name)) => update.changes.push(Change::Name(name)),
            ("nice", value) => update.changes.push(Change::Plain(JobChange::Nice(nice(value)?))),
            (
                "nodename" | "node" | "partitionname" | "reservation" | "reservationname" | "stepid"
                | "slurmctlddebug",
                _,
            ) => {
                return Err(vec![format!(
                    "Update of {key} is not available here: the site profile defines it"
                )]);
            }
            _ => unknown = unknown.or(Some(value.map_or_else(|| key.to_owned(), |v| format!("{key}={v}")))),
        }
    }
    if update.jobs.is_none() {
        // Without an id a name says which jobs are meant.
        if let Some(at) = update.changes.iter().position(|c| matches!(c, Change::Name(_)))
            && let Change::Name(name) = update.changes.remove(at)
        {
            update.name = Some(name);
        }
    }
    if update.jobs.is_none() && update.name.is_none() {
        return Err(vec![
            "No valid entity in update command".to_owned(),
            "Input line must include \"NodeName\", \"PartitionName\", \"Reservation\", \"JobId\", or \
             \"SlurmctldDebug\""
                .to_owned(),
        ]);
    }
    if let Some(unknown) = unknown {
        return Err(vec![
            format!("Update of this parameter is not supported: {unknown}"),
            "Request aborted".to_owned(),
        ]);
    }
    if update.changes.is_empty() {
        return Err(line("No changes specified"));
    }
    Ok(update)
}

fn time_limit(text: &str) -> Option<Change<'static>> {
    let minutes = |text: &str| match TimeLimit::parse(text)? {
        TimeLimit::Minutes(minutes) => Some(i64::from(minutes)),
        TimeLimit::Unlimited => None,
    };
    match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(more), _) => Some(Change::Longer(minutes(more)?)),
        (None, Some(less)) => Some(Change::Longer(-minutes(less)?)),
        (None, None) => Some(Change::Plain(JobChange::TimeLimit(TimeLimit::parse(text)?))),
    }
}

/// Nice without a value is 100, as in Slurm.
fn nice(value: Option<&str>) -> Result<i32, Vec<String>> {
    match value {
        None => Ok(100),
        Some(text) => text
            .parse()
            .map_err(|_| vec![format!("scontrol: error: Invalid nice value, must be a number: {text}")]),
    }
}

/// Makes all changes of one job, or none.
fn change(client: &mut Client, target: JobTarget, changes: &[Change<'_>]) -> Result<(), Trouble> {
    let mut asked = Vec::new();
    for change in changes {
        asked.push(match change {
            Change::Plain(change) => change.clone(),
            Change::Name(name) => JobChange::Name((*name).to_owned()),
            Change::Longer(minutes) => JobChange::TimeLimit(longer(client, &target, *minutes)?),
        });
    }
    tell(client, Ask::Update { target, changes: asked })
}

/// The limit in force, longer or shorter by so many minutes.
fn longer(client: &mut Client, target: &JobTarget, by: i64) -> Result<TimeLimit, Trouble> {
    let rows = report::jobs(client, Ask::Jobs(JobQuery { ids: Some(vec![target.job]), uid: None }))?;
    match rows.first().map(|row| row.time_limit) {
        None => Err(Trouble::Rejected(Reject::InvalidJobId)),
        Some(TimeLimit::Unlimited) => Ok(TimeLimit::Unlimited),
        Some(TimeLimit::Minutes(now)) => match u32::try_from(i64::from(now) + by) {
            Ok(minutes) if minutes > 0 => Ok(TimeLimit::Minutes(minutes)),
            _ => Err(Trouble::Rejected(Reject::InvalidTimeLimit)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an update asks for, as text.
    fn read(line: &str) -> String {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        match parse(&pairs(&words)) {
            Err(lines) => lines.join(" / "),
            Ok(update) => {
                let mut text = update.jobs.or(update.name).unwrap_or_default().to_owned();
                for change in update.changes {
                    text += &match change {
                        Change::Plain(change) => format!(" {change:?}"),
                        Change::Longer(minutes) => format!(" {minutes:+}"),
                        Change::Name(name) => format!(" name {name}"),
                    };
                }
                text
            }
        }
    }

    #[test]
    fn updates() {
        for (line, expected) in [
            ("JobId=12 TimeLimit=10", "12 TimeLimit(Minutes(10))"),
            ("timelimit=1-0 job=12,13", "12,13 TimeLimit(Minutes(1440))"),
            ("job 12_3 name=new", "12_3 name new"),
            ("jobid=12 jobname=new nice=-5", "12 name new Nice(-5)"),
            ("jobid=12 nice", "12 Nice(100)"),
            ("jobid=12 timelimit=+10", "12 +10"),
            ("jobid=12 timelimit+=10", "12 +10"),
            ("jobid=12 TimeLimit-=1:30:00", "12 -90"),
            ("jobid=12 timelimit=-1", "12 -1"),
            ("jobname=old timelimit=3", "old TimeLimit(Minutes(3))"),
            ("jobid=12 timelimit=bad", "scontrol: error: Invalid TimeLimit value"),
            ("jobid=12 timelimit=+bad", "scontrol: error: Invalid TimeLimit value"),
            ("jobid=12 foo=1", "Update of this parameter is not supported: foo=1 / Request aborted"),
            ("jobid=12 comment", "Update of this parameter is not supported: comment / Request aborted"),
            ("jobid=12", "No changes specified"),
            (
                "nodename=n1 state=drain",
                "Update of nodename is not available here: the site profile defines it",
            ),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
        for line in ["foo=1", "timelimit=5", "job", "=", "+=1"] {
            assert!(read(line).starts_with("No valid entity in update command / Input line must "), "{line}");
        }
    }

    #[test]
    fn ids_and_names_of_jobs() {
        assert_eq!(ids("12,13_[4-6,8],,14"), ["12", "13_[4-6,8]", "14"]);
        assert_eq!(ids(""), Vec::<&str>::new());
        assert_eq!(
            (named("jobname=x"), named("Name=x=y"), named("12"), named("job=12")),
            (Some("x"), Some("x=y"), None, None)
        );
        assert!(target("12_[4-6]").is_some_and(|t| t.tasks.is_some_and(|t| t.len() == 3)));
        assert!(target("abc").is_none());
    }
}
