//! What scontrol does to jobs by lists of their ids: hold, release, requeue, suspend, top, notify, wait_job.

use super::Session;
use crate::report::{self, Trouble};
use bivouac_proto::client::Client;
use bivouac_proto::message::{Ask, JobQuery, JobTarget, RequeueHold, Response};
use bivouac_render::squeue::{Filter, job_ref};
use bivouac_types::hostlist::outside_brackets;
use bivouac_types::{JobId, JobState, Reject};
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

/// What is done to jobs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Held.
    Hold,
    /// Held as by their users.
    UserHold,
    /// Released.
    Release,
    /// Run again.
    Requeue,
    /// Run again once they are released.
    RequeueHold,
    /// Stopped.
    Suspend,
    /// Going on.
    Resume,
}

/// What requeue and requeuehold take before the ids.
#[derive(Clone, Copy, Default)]
struct Manner {
    incomplete: bool,
    special_exit: bool,
}

impl Verb {
    fn ask(self, target: JobTarget, manner: Manner) -> Ask {
        let requeue = |target, hold| Ask::Requeue { target, hold, incomplete: manner.incomplete };
        match self {
            Verb::Hold => Ask::Hold { target, user: false },
            Verb::UserHold => Ask::Hold { target, user: true },
            Verb::Release => Ask::Release(target),
            Verb::Requeue => requeue(target, RequeueHold::No),
            Verb::RequeueHold if manner.special_exit => requeue(target, RequeueHold::SpecialExit),
            Verb::RequeueHold => requeue(target, RequeueHold::Held),
            Verb::Suspend => Ask::Suspend(target),
            Verb::Resume => Ask::Resume(target),
        }
    }

    /// Whether scontrol says the last error once more under its own name.
    fn repeats_errors(self) -> bool {
        matches!(self, Verb::Hold | Verb::UserHold | Verb::Release)
    }

    fn pauses(self) -> bool {
        matches!(self, Verb::Suspend | Verb::Resume)
    }

    fn requeues(self) -> bool {
        matches!(self, Verb::Requeue | Verb::RequeueHold)
    }
}

/// One change asked of the controller.
pub fn tell(client: &mut Client, ask: Ask) -> Result<(), Trouble> {
    match client.call(ask)? {
        Response::Done => Ok(()),
        other => Err(other.into()),
    }
}

/// Lists of jobs, or `jobname=NAME`; every job is tried, and a failure is told for each.
pub fn each(words: &[String], verb: Verb, session: Session) -> Result<(), ExitCode> {
    let mut client = report::connect().map_err(|e| session.fail(format_args!("slurm_suspend error: {e}")))?;
    let mut manner = Manner::default();
    let mut done = Ok(());
    for word in words {
        if verb.requeues() && word.eq_ignore_ascii_case("incomplete") {
            manner.incomplete = true;
            continue;
        }
        if verb == Verb::RequeueHold && word.eq_ignore_ascii_case("state=specialexit") {
            manner.special_exit = true;
            continue;
        }
        let targets = match named(word).filter(|_| verb.repeats_errors()) {
            Some(name) => by_name(&mut client, name, None).map_err(|e| session.fail(e))?,
            None => ids(without_key(word, verb)).into_iter().map(|id| (id.to_owned(), target(id))).collect(),
        };
        for (id, target) in targets {
            let known = target.is_some();
            let result = match target {
                Some(target) => tell(&mut client, verb.ask(target, manner)),
                None => Err(Trouble::Rejected(Reject::InvalidJobId)),
            };
            let own = match &result {
                _ if !(known && verb.pauses()) => None,
                // Slurm's texts for a job that it does not have, and for one that is over.
                Err(Trouble::Rejected(Reject::InvalidJobId)) => Some("Unexpected message received"),
                Err(Trouble::Rejected(Reject::JobEnded)) => Some("Job/step already completing or completed"),
                _ => None,
            };
            if let Some(text) = own {
                done = Err(session.fail(format_args!("{text} for job {id}")));
                continue;
            }
            if let Err(e) = result {
                done = Err(refused(&id, &e, session));
                if verb.repeats_errors() && !is_task(&id) {
                    session.fail(format_args!("slurm_suspend error: {e}"));
                }
            }
        }
    }
    done
}

/// Says why something could not be done to a job.
pub fn refused(id: &str, e: &Trouble, session: Session) -> ExitCode {
    if is_task(id) {
        return session.fail(format_args!("{id}: {e}"));
    }
    session.fail(format_args!("{e} for job {id}"))
}

fn is_task(id: &str) -> bool {
    id.contains('_') && target(id).is_some()
}

/// The list in `jobid=LIST` and `job=LIST`, which hold and release take too.
fn without_key(word: &str, verb: Verb) -> &str {
    let keyed = word.split_once('=').filter(|_| verb.repeats_errors());
    let is_id = |key: &str| key.eq_ignore_ascii_case("jobid") || key.eq_ignore_ascii_case("job");
    keyed.filter(|(key, _)| is_id(key)).map_or(word, |(_, list)| list)
}

/// The name in `jobname=NAME` or `name=NAME`.
fn named(word: &str) -> Option<&str> {
    let (key, name) = word.split_once('=')?;
    (key.eq_ignore_ascii_case("jobname") || key.eq_ignore_ascii_case("name")).then_some(name)
}

/// The ids of a list; a comma within brackets separates no ids, a blank does.
pub fn ids(list: &str) -> Vec<&str> {
    outside_brackets(list, |c| c == ',' || c == ' ').filter(|id| !id.is_empty()).collect()
}

/// The jobs that an id means.
pub fn target(id: &str) -> Option<JobTarget> {
    job_ref(id).filter(|r| r.job.0 > 0).map(|r| JobTarget { job: r.job, tasks: r.tasks })
}

/// All jobs of a name, and of a user, that have not ended.
pub fn by_name(
    client: &mut Client,
    name: &str,
    uid: Option<u32>,
) -> Result<Vec<(String, Option<JobTarget>)>, Trouble> {
    let filter =
        Filter { names: Some(vec![name.to_owned()]), states: Some(Filter::active()), ..Filter::default() };
    let rows = report::jobs(client, Ask::Jobs(JobQuery { uid, ..JobQuery::default() }))?;
    let jobs: BTreeSet<JobId> = rows.iter().filter(|row| filter.job(row)).map(|row| row.id).collect();
    Ok(jobs.into_iter().map(|job| (job.to_string(), Some(JobTarget { job, tasks: None }))).collect())
}

/// `top JOBS`.
pub fn top(list: &str, session: Session) -> Result<(), ExitCode> {
    let invalid = || refused(list, &Trouble::Rejected(Reject::InvalidJobId), session);
    let jobs: Option<Vec<JobId>> = ids(list).into_iter().map(|id| Some(target(id)?.job)).collect();
    let jobs = jobs.ok_or_else(invalid)?;
    let told = report::connect().and_then(|mut client| tell(&mut client, Ask::Top(jobs)));
    told.map_err(|e| refused(list, &e, session))
}

/// `notify JOB MESSAGE...`.
pub fn notify(id: &str, words: &[String], session: Session) -> Result<(), ExitCode> {
    let Some(job) = target(id).map(|t| t.job) else {
        return Err(session.fail(format_args!("Invalid job_id {id}")));
    };
    let ask = Ask::Notify { job, message: words.join(" ") };
    let told = report::connect().and_then(|mut client| tell(&mut client, ask));
    told.map_err(|e| session.fail(format_args!("job notify failure: {e}")))
}

/// How often a job that waits is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// `wait_job JOB`: until the job runs, whose nodes are then ready, or is over.
pub fn wait_job(id: &str, session: Session) -> Result<(), ExitCode> {
    let Some(job) = target(id).map(|t| t.job) else {
        if !session.quiet {
            // Slurm does not end this line.
            eprint!("Invalid job_id {id}");
        }
        return Err(ExitCode::FAILURE);
    };
    let problem = || session.fail(format_args!("scontrol: Problem running job {job}"));
    let mut client = report::connect().map_err(|_| problem())?;
    loop {
        let query = JobQuery::of(job);
        let rows = report::jobs(&mut client, Ask::Jobs(query)).map_err(|_| problem())?;
        match rows.iter().find(|r| r.id == job).or(rows.first()).map(|r| r.state) {
            Some(state) if state.waits() => std::thread::sleep(LOOK),
            Some(JobState::Running | JobState::Suspended | JobState::Stopped) => {
                session.fail(format_args!("scontrol: Nodes are ready for job {job}"));
                return Ok(());
            }
            Some(_) => return Err(session.fail(format_args!("scontrol: Job {job} no longer running"))),
            None => return Err(problem()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_of_jobs() {
        assert_eq!(ids("12,13_[4-6,8],,14"), ["12", "13_[4-6,8]", "14"]);
        assert_eq!(ids(""), Vec::<&str>::new());
        assert_eq!(
            (named("jobname=x"), named("Name=x=y"), named("12"), named("job=12")),
            (Some("x"), Some("x=y"), None, None)
        );
        assert!(target("12_[4-6]").is_some_and(|t| t.tasks.is_some_and(|t| t.len() == 3)));
        assert!(target("abc").is_none() && target("0").is_none());
    }
}
