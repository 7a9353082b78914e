//! Which records a user's target means, and who may touch them.

use super::Changes;
use crate::cluster::Cluster;
use crate::command::{Caller, JobTarget};
use crate::event::Change;
use crate::job::{Job, Place, Submission};
use bivouac_types::{JobId, Reject, TaskSet};

/// A record, or some of the tasks that it stands for.
pub(super) struct Selected<'a> {
    /// The record.
    pub job: &'a Job,
    /// What it is of.
    pub submission: &'a Submission,
    /// Only these of its tasks; none: all of it.
    pub part: Option<TaskSet>,
}

impl Caller {
    /// As the controller found: the owner of a personal cluster is an ordinary user on a site's profile, even if he
    /// is root, so that a rehearsal does not lie.
    pub fn is_operator(&self) -> bool {
        self.operator
    }

    /// Whether the submission is the caller's to command.
    pub fn may_command(&self, submission: &Submission) -> bool {
        self.is_operator() || self.uid == submission.owner.uid
    }
}

impl Cluster {
    /// The records that a target means. The number of an array means all its tasks, also when one of them
    /// bears it.
    ///
    /// # Errors
    /// `InvalidJobId` if there is none.
    pub(super) fn select(&self, target: &JobTarget) -> Result<Vec<Selected<'_>>, Reject> {
        let ids = match (self.state.submissions.get(&target.job), &target.tasks) {
            (Some(s), None) => self.index.records(s.id).map(|id| (id, None)).collect(),
            (Some(s), Some(tasks)) if s.spec.array.is_some() => self.records_with(s.id, tasks),
            (None, None) => vec![(target.job, None)],
            _ => Vec::new(),
        };
        let selected: Vec<Selected> = ids
            .into_iter()
            .filter_map(|(id, part)| {
                let job = self.job(id)?;
                Some(Selected { job, submission: self.submission(job)?, part })
            })
            .collect();
        if selected.is_empty() { Err(Reject::InvalidJobId) } else { Ok(selected) }
    }

    /// Whether a target names tasks that its array has not, or not any more.
    pub fn lacks_tasks(&self, target: &JobTarget) -> bool {
        let Some(tasks) = &target.tasks else { return false };
        let mut missing = tasks.clone();
        for job in self.jobs_of(target.job) {
            missing = job.tasks().map_or(missing.clone(), |has| missing.difference(&has));
        }
        !missing.is_empty()
    }

    fn records_with(&self, origin: JobId, tasks: &TaskSet) -> Vec<(JobId, Option<TaskSet>)> {
        let mut found = Vec::new();
        for job in self
            .index
            .rests
            .range((origin, JobId(0))..=(origin, JobId(u32::MAX)))
            .filter_map(|r| self.job(r.1))
        {
            let Place::Tasks(set) = &job.place else { continue };
            let part = set.intersection(tasks);
            if part == *set {
                found.push((job.id, None));
            } else if !part.is_empty() {
                found.push((job.id, Some(part)));
            }
        }
        for &(first, last) in tasks.ranges() {
            found.extend(self.index.tasks.range((origin, first)..=(origin, last)).map(|t| (*t.1, None)));
        }
        found
    }
}

/// Gives parts of records a record of their own where that is needed, under new numbers.
pub(super) struct Splitter {
    next: u32,
}

impl Splitter {
    pub fn new(cluster: &Cluster) -> Splitter {
        Splitter { next: cluster.state.next_id }
    }

    /// The record that stands for exactly what is selected.
    pub fn record(&mut self, selected: &Selected, changes: &mut Changes) -> JobId {
        let Some(tasks) = &selected.part else { return selected.job.id };
        let job = JobId(self.next);
        self.next = self.next.saturating_add(1);
        changes.push(Change::Split { from: selected.job.id, tasks: tasks.clone(), job });
        job
    }
}
