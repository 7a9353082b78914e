//! The lines of sacct: which jobs and steps, in which order.

use super::filter::{Filter, Selection, Window};
use bivouac_types::StepKind;
use bivouac_types::info::{ArrayTasks, JobInfo, StepInfo};
use std::collections::BTreeMap;

/// One line of sacct: a job, or one of its steps.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    /// The job.
    pub job: &'a JobInfo,
    /// The step; none: the job itself.
    pub step: Option<&'a StepInfo>,
    /// Whether the job's own line sums up its steps (without -X).
    pub with_steps: bool,
    /// -T: the window to which times are cut.
    pub cut: Option<Window>,
}

/// A job that is shown, and what of it.
pub(super) struct Shown<'a> {
    pub job: &'a JobInfo,
    selection: Selection,
}

impl<'a> Shown<'a> {
    /// Its steps that are shown, in their order.
    pub fn steps(&self, filter: &Filter) -> Vec<&'a StepInfo> {
        let mut steps: Vec<&StepInfo> =
            self.job.steps.iter().filter(|s| filter.step(&self.selection, s)).collect();
        steps.sort_by_key(|s| match s.step {
            StepKind::Batch => (0, 0),
            StepKind::Extern => (1, 0),
            StepKind::Number(n) => (2, n),
        });
        steps
    }
}

/// The jobs that are shown, by their time of submission: the tasks of an array together, behind the other jobs of
/// the same second. Of the runs of a job the last one alone is shown, unless all are asked for.
pub(super) fn shown<'a>(jobs: &'a [JobInfo], filter: &Filter) -> Vec<Shown<'a>> {
    let mut last: BTreeMap<u32, u32> = BTreeMap::new();
    let passed: Vec<&JobInfo> = jobs.iter().filter(|job| filter.job(job)).collect();
    for job in &passed {
        let newest = last.entry(job.id.0).or_default();
        *newest = (*newest).max(job.restarts);
    }
    let wanted = |job: &&JobInfo| filter.duplicates || last.get(&job.id.0) == Some(&job.restarts);
    let mut chosen: Vec<&JobInfo> = passed.into_iter().filter(wanted).collect();
    chosen.sort_by_key(|job| {
        let (array, task) = match &job.array {
            None => (0, 0),
            Some(array) => match array.tasks {
                ArrayTasks::One(task) => (array.job.0, u64::from(task)),
                ArrayTasks::Pending(_) => (array.job.0, u64::MAX),
            },
        };
        (job.submit.as_secs(), array, task, job.id, job.restarts)
    });
    chosen.into_iter().map(|job| Shown { job, selection: filter.selection(job) }).collect()
}

/// The lines: each job followed by its steps unless `allocations` (-X).
pub fn entries<'a>(jobs: &'a [JobInfo], filter: &Filter, allocations: bool) -> Vec<Entry<'a>> {
    let cut = filter.truncate.then_some(filter.window);
    let mut entries = Vec::new();
    for shown in shown(jobs, filter) {
        let job = shown.job;
        if shown.selection == Selection::Job {
            entries.push(Entry { job, step: None, with_steps: !allocations, cut });
        }
        if !allocations {
            let line = |step| Entry { job, step: Some(step), with_steps: true, cut };
            entries.extend(shown.steps(filter).into_iter().map(line));
        }
    }
    entries
}

/// The jobs that are shown, without repetition: for what is printed once for each of them.
pub fn jobs_shown<'a>(jobs: &'a [JobInfo], filter: &Filter) -> Vec<&'a JobInfo> {
    shown(jobs, filter).into_iter().map(|shown| shown.job).collect()
}
