//! The invariants of a cluster, each recomputed from the jobs.

use crate::cluster::{Cluster, RestoreError};
use crate::job::{Job, Phase, Place, Run, WaitState};
use crate::world::Gate;
use bivouac_types::{JobId, TaskSet};
use std::collections::BTreeMap;
use std::fmt;

/// An invariant that does not hold: a bug, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Violation {}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation(what())) }
}

impl Cluster {
    /// Checks every invariant: nothing is given twice, what is kept incrementally equals what is recomputed,
    /// each task is in one record, each pending job has a way out or a permanent reason.
    ///
    /// # Errors
    /// The first that does not hold.
    pub fn check(&self) -> Result<(), Violation> {
        self.check_allocations().map_err(|e| Violation(e.to_string()))?;
        self.check_tasks()?;
        for job in self.jobs() {
            self.check_job(job)?;
        }
        let rebuilt = Cluster::assemble(self.world.base.clone(), self.state.clone());
        ensure(rebuilt.index == self.index, || "the index differs from one built anew".into())
    }

    /// Every resource that a job holds exists, and no other job holds it.
    pub(crate) fn check_allocations(&self) -> Result<(), RestoreError> {
        let mut free = self.world.tables.idle();
        for job in self.jobs() {
            let fail = |problem: String| Err(RestoreError { job: job.id, problem });
            let held = job.run().map(Run::held).unwrap_or_default();
            for part in held.iter() {
                let Some(n) = self.world.tables.node(&part.node) else {
                    return fail(format!(
                        "runs on node {}, which the configuration does not have",
                        part.node
                    ));
                };
                let (node, left) = (&self.world.tables.nodes[n], &mut free[n]);
                if !left.cpus.is_superset(&part.cpus) {
                    return fail(format!(
                        "has CPUs {} of node {}, not all of them free or existing",
                        part.cpus, part.node
                    ));
                }
                if left.mem_mb < part.mem_mb {
                    return fail(format!(
                        "has {} MiB of node {}, of {} left",
                        part.mem_mb, part.node, left.mem_mb
                    ));
                }
                for g in &part.gres {
                    if !g.slot(node).is_some_and(|slot| left.gres[slot].is_superset(&g.indices)) {
                        return fail(format!(
                            "has {} {} of node {}, not all of them free or existing",
                            g.name, g.indices, part.node
                        ));
                    }
                }
                left.take(part, node);
            }
        }
        Ok(())
    }

    /// No task is in two records, none outside its array, and the tally agrees with the records.
    fn check_tasks(&self) -> Result<(), Violation> {
        let mut seen = BTreeMap::<JobId, TaskSet>::new();
        let mut whole = BTreeMap::<JobId, u64>::new();
        for job in self.jobs() {
            let Some(submission) = self.submission(job) else {
                return Err(Violation(format!("job {} is of no submission", job.id)));
            };
            *whole.entry(job.origin).or_default() += job.count();
            match (&submission.spec.array, job.tasks()) {
                (None, None) => {}
                (Some(array), Some(tasks)) => {
                    ensure(!tasks.is_empty(), || format!("job {} stands for no task", job.id))?;
                    ensure(tasks.difference(&array.tasks).is_empty(), || {
                        format!("job {} has foreign tasks", job.id)
                    })?;
                    let all = seen.entry(job.origin).or_default();
                    ensure(all.intersection(&tasks).is_empty(), || {
                        format!("job {} has a task of another", job.id)
                    })?;
                    *all = all.union(&tasks);
                }
                _ => return Err(Violation(format!("job {} is an array task of no array", job.id))),
            }
        }
        for submission in self.state.submissions.values() {
            let here = whole.get(&submission.id).copied().unwrap_or(0);
            ensure(here > 0, || format!("submission {} has no jobs", submission.id))?;
            ensure(here <= submission.tasks(), || format!("submission {} has too many jobs", submission.id))?;
            let ended: u64 = self.jobs_of(submission.id).filter(|j| j.is_ended()).map(Job::count).sum();
            let gone = submission.tasks() - here;
            ensure(submission.tally.ended == ended + gone, || {
                format!(
                    "submission {} counts {} ended, {ended} are and {gone} are gone",
                    submission.id, submission.tally.ended
                )
            })?;
        }
        Ok(())
    }

    fn check_job(&self, job: &Job) -> Result<(), Violation> {
        ensure(job.id.0 < self.state.next_id, || format!("job {} has a number not given out yet", job.id))?;
        if job.run().is_some() {
            ensure(!matches!(job.place, Place::Tasks(_)), || {
                format!("job {} runs as several tasks", job.id)
            })?;
        }
        let Phase::Pending(pending) = &job.phase else { return Ok(()) };
        let Some(submission) = self.submission(job) else { return Ok(()) };
        if pending.eligible.is_none() && self.world.gate(pending, submission) == Gate::Waiting {
            for wait in pending.waits.iter().filter(|w| w.state == WaitState::Open) {
                let Some(target) = wait.on.target() else { continue };
                let alive = self.jobs_of(target.job).any(|other| !other.is_ended());
                ensure(alive, || format!("job {} waits for {}, which is over", job.id, target.job))?;
            }
        }
        Ok(())
    }
}
