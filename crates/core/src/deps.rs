//! Dependencies: what a term waits for, and when it is settled.
//!
//! A term is settled by the event that decides it, and then stays so: nothing about ended jobs must be
//! remembered for the sake of those that depended on them. A target that was forgotten before the dependent was
//! submitted is no obstacle, as in Slurm 22.05; one that never existed is refused.

use crate::index::Index;
use crate::job::{Job, Phase, Place, Wait, WaitOn, WaitState};
use crate::state::State;
use bivouac_types::depend::{Dependency, DependencyTarget, DependencyTerm};
use bivouac_types::{JobId, JobState, Now, Reject, TaskSet, Timestamp, Uid};
use std::sync::Arc;

/// The terms of a dependency, each as it stands now.
///
/// # Errors
/// `DependencyProblem` for a job that never was, or a task that the array does not have.
pub fn resolve(
    dependency: &Dependency,
    state: &State,
    index: &Index,
    me: &Identity,
    now: Now,
) -> Result<Vec<Wait>, Reject> {
    let mut waits = Vec::new();
    for term in &dependency.terms {
        let on = match *term {
            DependencyTerm::After { job, delay } => {
                target(job, state, index)?.map(|t| WaitOn::Begun(t, delay))
            }
            DependencyTerm::AfterAny(job) => target(job, state, index)?.map(WaitOn::Ended),
            DependencyTerm::AfterOk(job) => target(job, state, index)?.map(WaitOn::Ok),
            DependencyTerm::AfterNotOk(job) => target(job, state, index)?.map(WaitOn::NotOk),
            DependencyTerm::AfterCorr(job) => target(job, state, index)?.map(WaitOn::Corresponding),
            DependencyTerm::AfterBurstBuffer(job) => target(job, state, index)?.map(WaitOn::BurstBuffer),
            DependencyTerm::Singleton => Some(WaitOn::Singleton),
        };
        // With `?`, a forgotten job satisfies the whole; otherwise it satisfies its own term.
        match on {
            Some(on) => waits.push(Wait { on, state: standing(on, state, index, me, now.wall) }),
            None if dependency.any => return Ok(Vec::new()),
            None => {}
        }
    }
    Ok(waits)
}

/// Whether others of its name are ahead is looked at when a held job is released.
pub fn put_off(waits: &mut [Wait]) {
    waits.iter_mut().filter(|w| w.on == WaitOn::Singleton).for_each(|w| w.state = WaitState::Open);
}

/// Who waits, as far as `singleton` and `aftercorr` ask.
pub struct Identity {
    /// The user.
    pub uid: Uid,
    /// The name.
    pub name: Arc<str>,
    /// The submission.
    pub origin: JobId,
    /// The tasks of an array.
    pub tasks: Option<TaskSet>,
}

/// The submission and task that a user's target means; none if it is forgotten.
fn target(given: DependencyTarget, state: &State, index: &Index) -> Result<Option<DependencyTarget>, Reject> {
    let whole = DependencyTarget::job;
    let one = DependencyTarget::task;
    match (state.submissions.get(&given.job), state.jobs.get(&given.job), given.task) {
        (Some(submission), _, Some(task)) => {
            if !submission.spec.array.as_ref().is_some_and(|a| a.tasks.contains(task)) {
                return Err(Reject::DependencyProblem);
            }
            Ok(single(given, state, index).map(|_| given))
        }
        (Some(_), _, None) => Ok(Some(given)),
        // The number of a single task means that task; of several that wait together, their array.
        (None, Some(job), None) => Ok(Some(match &job.place {
            Place::Task(t) => one(job.origin, *t),
            Place::Tasks(set) if set.len() == 1 => {
                set.first().map_or(whole(job.origin), |t| one(job.origin, t))
            }
            _ => whole(job.origin),
        })),
        (None, None, None) if (state.first_id..state.next_id).contains(&given.job.0) => Ok(None),
        _ => Err(Reject::DependencyProblem),
    }
}

/// How a term stands; `at` is the time of the event that may have settled it.
pub fn standing(on: WaitOn, state: &State, index: &Index, me: &Identity, at: Timestamp) -> WaitState {
    let met = |holds: bool| if holds { WaitState::Met(at) } else { WaitState::Never };
    match on {
        WaitOn::Singleton => {
            let first = (me.uid, me.name.clone(), JobId(0));
            let mine = (me.uid, me.name.clone(), me.origin);
            if index.names.range(first..mine).next().is_some() { WaitState::Open } else { met(true) }
        }
        WaitOn::Begun(target, delay) => match begun(target, state, index) {
            Some(begun) => WaitState::Met(begun + delay),
            None => WaitState::Open,
        },
        WaitOn::Ended(target) | WaitOn::BurstBuffer(target) => {
            ended(target, state, index).map_or(WaitState::Open, |_| met(true))
        }
        WaitOn::Corresponding(target) => {
            let of = |task: u32| {
                state
                    .submissions
                    .get(&target.job)?
                    .spec
                    .array
                    .as_ref()?
                    .tasks
                    .contains(task)
                    .then(|| DependencyTarget::task(target.job, task))
            };
            match &me.tasks {
                // Several that wait in one record have no common answer but one that holds for all.
                Some(tasks) if tasks.len() > 1 => {
                    ended(target, state, index).filter(|ok| *ok).map_or(WaitState::Open, met)
                }
                // A task without its like waits for the whole.
                tasks => {
                    let own = tasks.as_ref().and_then(TaskSet::first).and_then(of).unwrap_or(target);
                    ended(own, state, index).map_or(WaitState::Open, met)
                }
            }
        }
        WaitOn::Ok(target) => ended(target, state, index).map_or(WaitState::Open, met),
        WaitOn::NotOk(target) => ended(target, state, index).map_or(WaitState::Open, |ok| met(!ok)),
    }
}

fn single<'a>(target: DependencyTarget, state: &'a State, index: &Index) -> Option<&'a Job> {
    let task = target.task?;
    if let Some(id) = index.tasks.get(&(target.job, task)) {
        return state.jobs.get(id).map(|j| &**j);
    }
    let records = index.rests.range((target.job, JobId(0))..=(target.job, JobId(u32::MAX)));
    records.filter_map(|(_, id)| state.jobs.get(id).map(|j| &**j)).find(|job| match &job.place {
        Place::Tasks(set) => set.contains(task),
        _ => false,
    })
}

/// When it began (or was cancelled before it could); an array when its last task did.
fn begun(target: DependencyTarget, state: &State, index: &Index) -> Option<Timestamp> {
    if target.task.is_none() {
        let submission = state.submissions.get(&target.job)?;
        return (submission.tally.begun == submission.tasks()).then_some(submission.tally.last_begun);
    }
    let job = single(target, state, index)?;
    match &job.phase {
        Phase::Pending(_) if job.restarts > 0 => job.requeued,
        Phase::Pending(_) => None,
        Phase::Running(run) | Phase::Ending(run, _) => Some(run.start.wall),
        Phase::Ended(e) => Some(e.run.as_ref().map_or(e.end, |r| r.start.wall)),
    }
}

/// Whether it ended well; none if it has not ended.
fn ended(target: DependencyTarget, state: &State, index: &Index) -> Option<bool> {
    if target.task.is_none() {
        let submission = state.submissions.get(&target.job)?;
        return submission.is_over().then_some(submission.tally.failed == 0);
    }
    let job = single(target, state, index)?;
    job.is_ended().then(|| job.state() == JobState::Completed)
}
