//! The list of -j.

use crate::squeue::{JobRef, entries, job_ref, step_kind};
use bivouac_types::{JobId, StepKind};

/// An entry of -j: a job, an array, a task, or one step of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    /// The job.
    pub job: JobRef,
    /// Only this step.
    pub step: Option<StepKind>,
    /// `12+0`: a component of a heterogeneous job. There are none, so that it picks nothing.
    pub component: Option<u32>,
}

/// An entry of -j that is none; `Display` is sacct's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadId {
    /// Not a job at all.
    Job(String),
    /// A task that is no number or set of numbers, of this job.
    Task(String),
    /// A component that is no number, of this job.
    Component(String),
    /// A step that is none, of this job.
    Step(String),
}

impl std::fmt::Display for BadId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BadId::Job(id) => write!(f, "Bad job/step specified: {id}"),
            BadId::Task(job) => write!(f, "Bad job array element specified: {job}"),
            BadId::Component(job) => write!(f, "Bad hetjob offset specified: {job}"),
            BadId::Step(job) => write!(f, "Bad step specified: {job}"),
        }
    }
}

impl std::error::Error for BadId {}

/// Parses -j: `12`, `12_3`, `12_[3-5]`, `12.batch`, `12_3.0`, `12+1`; with a step only that step is shown.
///
/// # Errors
/// The first id that is none.
pub fn parse_jobs(text: &str) -> Result<Vec<Pick>, BadId> {
    entries(text).map(pick).collect()
}

fn pick(text: &str) -> Result<Pick, BadId> {
    let (of, step) = match text.split_once('.') {
        None => (text, None),
        Some((of, step)) => (of, Some(step)),
    };
    let (number, component) = match of.split_once('+') {
        None => (of, None),
        Some((number, component)) => (number, Some(component)),
    };
    // The job's own number first: what is wrong with the rest is said of it.
    let job = number.split('_').next().unwrap_or(number);
    let Some(JobRef { job: id, .. }) = job_ref(job).filter(|r| r.job != JobId(0)) else {
        return Err(BadId::Job(text.to_owned()));
    };
    let component = match component.map(str::parse) {
        None => None,
        Some(Ok(offset)) => Some(offset),
        Some(Err(_)) => return Err(BadId::Component(id.to_string())),
    };
    let step = match step.map(step_kind) {
        None => None,
        Some(Some(step)) => Some(step),
        // srun's own step of salloc, and what waits for a number: kinds that do not occur here.
        Some(None) => return Err(BadId::Step(id.to_string())),
    };
    let job = job_ref(number).ok_or_else(|| BadId::Task(id.to_string()))?;
    Ok(Pick { job, step, component })
}
