//! From the controller's records to the lines of jobs.

use super::{Filter, JobRow};
use bivouac_types::info::{ArrayTasks, JobInfo};
use bivouac_types::{JobId, JobState, PendingReason, TaskSet};
use std::collections::BTreeMap;

/// How records become lines.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown<'a> {
    /// -r: a line for each pending task of an array.
    pub expand: bool,
    /// --array-unique: a line for each record of an array; else its pending records are one line.
    pub unique: bool,
    /// -P: a line for each partition of a pending job, with the partitions' PriorityTier.
    pub tiers: Option<&'a BTreeMap<String, u32>>,
}

/// The records that may be shown.
#[derive(Clone, Debug, Default)]
pub struct Records {
    jobs: Vec<JobInfo>,
    /// Why further records wait, by the number of the one that they were put to.
    further: BTreeMap<JobId, Vec<PendingReason>>,
}

impl Records {
    /// Those that pass the filter. Unless lines are wanted for each record or task, the pending records of an array
    /// are put together.
    pub fn new(mut jobs: Vec<JobInfo>, filter: &Filter, shown: Shown<'_>) -> Records {
        jobs.retain(|job| filter.job(job));
        let mut records = Records::default();
        if shown.expand || shown.unique || filter.names_tasks() {
            records.jobs = jobs;
            return records;
        }
        let mut first_of = BTreeMap::<JobId, usize>::new();
        for mut job in jobs {
            let Some(array) = pending_tasks(&job) else {
                records.jobs.push(job);
                continue;
            };
            let at = *first_of.entry(array).or_insert(records.jobs.len());
            match records.jobs.get_mut(at) {
                None => records.jobs.push(job),
                Some(first) => {
                    // The record of the tasks that were never touched is the one that is shown.
                    if job.id == array {
                        std::mem::swap(first, &mut job);
                    }
                    records.further.entry(array).or_default().push(job.reason);
                    put_together(first, &job);
                }
            }
        }
        records
    }

    /// The lines.
    pub fn rows<'a>(&'a self, filter: &Filter, shown: Shown<'a>) -> Vec<JobRow<'a>> {
        let mut rows = Vec::with_capacity(self.jobs.len());
        for job in &self.jobs {
            let further = job.array.as_ref().and_then(|a| self.further.get(&a.job));
            let further = further.filter(|_| pending_tasks(job).is_some()).map_or(&[][..], Vec::as_slice);
            let row = JobRow { further, ..JobRow::of(job) };
            // A job that has started is in one partition.
            for name in job.partition.split(',').filter(|_| shown.tiers.is_some()) {
                let tier = shown.tiers.and_then(|tiers| tiers.get(name)).copied().unwrap_or(1);
                push(&mut rows, JobRow { partition: Some((name, tier)), ..row }, filter, shown.expand);
            }
            if shown.tiers.is_none() {
                push(&mut rows, row, filter, shown.expand);
            }
        }
        rows
    }
}

/// Adds the line, or one for each of the tasks where it is to be taken apart.
fn push<'a>(rows: &mut Vec<JobRow<'a>>, row: JobRow<'a>, filter: &Filter, expand: bool) {
    let wanted = filter.tasks_of(row.job);
    match row.job.array.as_ref().map(|a| &a.tasks) {
        Some(ArrayTasks::Pending(set)) if expand || wanted.is_some() => {
            let tasks = set.iter().filter(|t| wanted.as_ref().is_none_or(|w| w.contains(*t)));
            rows.extend(tasks.map(|task| JobRow { task: Some(task), ..row }));
        }
        _ => rows.push(row),
    }
}

/// The array of which the record has tasks that wait.
fn pending_tasks(job: &JobInfo) -> Option<JobId> {
    job.array.as_ref().filter(|_| job.state == JobState::Pending).map(|a| a.job)
}

/// Puts a record's tasks to those of another; a throttle is not shown then.
fn put_together(first: &mut JobInfo, other: &JobInfo) {
    let tasks = |job: &JobInfo| match job.array.as_ref().map(|a| &a.tasks) {
        Some(ArrayTasks::One(task)) => TaskSet::single(*task),
        Some(ArrayTasks::Pending(set)) => set.clone(),
        None => TaskSet::default(),
    };
    let all = tasks(first).union(&tasks(other));
    if let Some(array) = &mut first.array {
        array.tasks = ArrayTasks::Pending(all);
        array.max_running = None;
    }
}
