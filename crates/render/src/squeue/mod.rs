//! squeue: jobs and, with --steps, running steps.

mod filter;
mod jobs;
mod json;
mod records;
mod steps;

pub(crate) use filter::entries;
pub use filter::{
    BadId, BadState, Filter, JobRef, StepRef, job_ref, parse_jobs, parse_states, parse_steps, step_kind,
};
pub use jobs::Jobs;
pub use json::{Shapes, document};
pub use records::{Records, Shown};
pub use steps::Steps;

use crate::settings::Settings;
use crate::table::{self, SortKey};
use bivouac_types::info::{JobInfo, StepInfo};
use bivouac_types::{PendingReason, StepKind};

/// The format without -o, -O, -l.
pub const DEFAULT_FORMAT: &str = "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R";
/// The format of -l.
pub const LONG_FORMAT: &str = "%.18i %.9P %.8j %.8u %.8T %.10M %.9l %.6D %R";
/// The format of --start.
pub const START_FORMAT: &str = "%.18i %.9P %.8j %.8u %.2t %.19S %.6D %20Y %R";
/// The format of -s.
pub const STEPS_FORMAT: &str = "%.15i %.8j %.9P %.8u %.9M %N";
/// The order of jobs: by partition, state, then the highest priority first.
pub const DEFAULT_SORT: &str = "P,t,-p";
/// The order of --start.
pub const START_SORT: &str = "S";
/// The order of steps.
pub const STEPS_SORT: &str = "P,i";

/// One line of squeue: a job, or one of the pending tasks for which its row stands.
#[derive(Clone, Copy)]
pub struct JobRow<'a> {
    /// The job.
    pub job: &'a JobInfo,
    /// The task, where a row of pending tasks was taken apart (-r, or -j 12_3).
    pub task: Option<u32>,
    /// With -P: the one of its partitions that the line is about, and that one's PriorityTier.
    pub partition: Option<(&'a str, u32)>,
    /// Why other records of the array wait, where several are shown as one.
    pub further: &'a [PendingReason],
}

impl<'a> JobRow<'a> {
    /// The job in one line.
    pub fn of(job: &'a JobInfo) -> JobRow<'a> {
        JobRow { job, task: None, partition: None, further: &[] }
    }
}

/// One line of squeue -s.
#[derive(Clone, Copy)]
pub struct StepRow<'a> {
    /// The job.
    pub job: &'a JobInfo,
    /// Its step.
    pub step: &'a StepInfo,
}

/// The lines for running steps.
pub fn step_rows<'a>(jobs: &'a [JobInfo], filter: &Filter) -> Vec<StepRow<'a>> {
    let of = |job: &'a JobInfo| {
        job.steps
            .iter()
            .filter(|s| s.end.is_none() && s.step != StepKind::Extern)
            .map(move |step| StepRow { job, step })
    };
    jobs.iter().flat_map(of).filter(|row| filter.step(row)).collect()
}

/// The keys of an order of jobs. The word `cluster` is one by which all are equal.
///
/// # Errors
/// The first letter by which jobs are not sorted.
pub fn job_order(text: &str) -> Result<Vec<SortKey<Jobs>>, char> {
    table::sort_keys(&without_cluster(text))
}

/// The keys of an order of steps; letters by which steps are not sorted are passed over.
pub fn step_order(text: &str) -> Vec<SortKey<Steps>> {
    let known = |c: &char| match table::column_of::<Steps>(*c) {
        Some(column) => column.order.is_some(),
        None => matches!(c, '+' | '-' | ','),
    };
    table::sort_keys(&without_cluster(text).chars().filter(known).collect::<String>()).unwrap_or_default()
}

fn without_cluster(text: &str) -> String {
    let words = text.split(',').filter(|w| w.trim_start_matches(['+', '-']) != "cluster");
    words.collect::<Vec<_>>().join(",")
}

/// Sorts lines by keys; equals stay in the order of their ids.
pub fn sort<'a>(rows: &mut [JobRow<'a>], keys: &[SortKey<Jobs>], settings: &Settings) {
    rows.sort_by(|a, b| {
        table::compare::<Jobs>(a, b, keys, settings).then_with(|| jobs::in_order(a, b, settings))
    });
}

/// As [`sort`], for steps.
pub fn sort_steps<'a>(rows: &mut [StepRow<'a>], keys: &[SortKey<Steps>], settings: &Settings) {
    rows.sort_by(|a, b| {
        table::compare::<Steps>(a, b, keys, settings).then_with(|| steps::by_id(a, b, settings))
    });
}

/// What squeue says of a letter or name that is no column.
pub fn invalid_format(what: &str, steps: bool) -> String {
    let of = if steps { "job step" } else { "job" };
    format!("Invalid {of} format specification: {what}")
}

#[cfg(test)]
mod tests;
