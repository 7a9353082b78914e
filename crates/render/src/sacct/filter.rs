//! Which jobs and steps sacct shows.

use crate::job::eligible;
use crate::squeue::{JobRef, job_ref, step_kind};
use bivouac_types::info::JobInfo;
use bivouac_types::{JobState, StepKind, Timestamp};

/// An id of -j that is none; `Display` is sacct's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadId(pub String);

impl std::fmt::Display for BadId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bad job/step specified: {}", self.0)
    }
}

impl std::error::Error for BadId {}

/// A word of -s that is no state, or one that is not in the accounting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadState {
    /// Not a state.
    Unknown(String),
    /// A state that is never recorded.
    NotRecorded(String),
}

impl std::fmt::Display for BadState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BadState::Unknown(word) => write!(f, "unrecognized job state value '{word}'"),
            BadState::NotRecorded(word) => write!(f, "job state {word} is not supported / accounted"),
        }
    }
}

impl std::error::Error for BadState {}

/// Parses -j: `12`, `12_3`, `12.batch`, `12_3.0`; with a step only that step is shown.
///
/// # Errors
/// The first id that is none.
pub fn parse_jobs(text: &str) -> Result<Vec<(JobRef, Option<StepKind>)>, BadId> {
    let one = |id: &str| match id.split_once('.') {
        None => Some((job_ref(id)?, None)),
        Some((job, step)) => Some((job_ref(job)?, Some(step_kind(step)?))),
    };
    text.split(',')
        .filter(|id| !id.is_empty())
        .map(|id| one(id).ok_or_else(|| BadId(id.to_owned())))
        .collect()
}

/// Parses -s.
///
/// # Errors
/// The first word that is no state of the accounting.
pub fn parse_states(text: &str) -> Result<Vec<JobState>, BadState> {
    text.split(',')
        .filter(|w| !w.is_empty())
        .map(|word| match JobState::parse(word) {
            Some(JobState::Completing) => Err(BadState::NotRecorded(word.to_owned())),
            Some(state) => Ok(state),
            None => Err(BadState::Unknown(word.to_owned())),
        })
        .collect()
}

/// What is shown. `None` lets everything pass.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// -j.
    pub jobs: Option<Vec<(JobRef, Option<StepKind>)>>,
    /// -s.
    pub states: Option<Vec<JobState>>,
    /// -u; none: everybody.
    pub users: Option<Vec<u32>>,
    /// -A.
    pub accounts: Option<Vec<String>>,
    /// -r.
    pub partitions: Option<Vec<String>>,
    /// -q.
    pub qos: Option<Vec<String>>,
    /// --name.
    pub names: Option<Vec<String>>,
    /// -N.
    pub nodes: Option<Vec<String>>,
    /// -S.
    pub since: Timestamp,
    /// -E.
    pub until: Timestamp,
}

/// What of a job is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The job with all its steps.
    Job,
    /// Only these steps.
    Steps(Vec<StepKind>),
}

impl Selection {
    /// Whether a step is shown.
    pub fn step(&self, step: StepKind) -> bool {
        match self {
            Selection::Job => true,
            Selection::Steps(list) => list.contains(&step),
        }
    }
}

impl Filter {
    /// Whether something of a job is shown.
    pub fn job(&self, job: &JobInfo) -> bool {
        let named = |list: &Option<Vec<String>>, value: Option<&str>| {
            list.as_ref().is_none_or(|l| value.is_some_and(|v| l.iter().any(|w| w.eq_ignore_ascii_case(v))))
        };
        self.users.as_ref().is_none_or(|u| u.contains(&job.uid.0))
            && named(&self.accounts, job.account.as_deref())
            && named(&self.qos, job.qos.as_deref())
            && self
                .partitions
                .as_ref()
                .is_none_or(|p| job.partition.split(',').any(|of| p.iter().any(|p| p == of)))
            && self.names.as_ref().is_none_or(|n| n.contains(&job.spec.name))
            && self.nodes.as_ref().is_none_or(|n| job.nodes.iter().any(|share| n.contains(&share.node)))
            && self.jobs.as_ref().is_none_or(|list| list.iter().any(|(r, _)| r.covers(job)))
            && self.in_window(job)
    }

    /// Whether the job was there in the window of time, and in one of the states if states are asked for. Jobs that
    /// are not asked for by their id must have become eligible.
    fn in_window(&self, job: &JobInfo) -> bool {
        let ended_before = job.state.is_ended() && job.end.is_some_and(|end| end < self.since);
        let Some(states) = &self.states else {
            let began = if self.jobs.is_some() { Some(job.submit) } else { eligible(job) };
            return !ended_before && began.is_some_and(|t| t <= self.until);
        };
        states.iter().any(|state| match state {
            JobState::Pending => {
                let until = job.start.filter(|_| !job.nodes.is_empty()).or(if job.state.is_ended() {
                    job.end
                } else {
                    None
                });
                eligible(job).is_some_and(|t| t <= self.until) && until.is_none_or(|t| t >= self.since)
            }
            JobState::Running => {
                let started = job.start.filter(|_| !job.nodes.is_empty());
                started.is_some_and(|t| t <= self.until) && !ended_before
            }
            state => job.state == *state && job.end.is_none_or(|end| end >= self.since && end <= self.until),
        })
    }

    /// What of a job that passed [`Filter::job`] is shown.
    pub fn selection(&self, job: &JobInfo) -> Selection {
        let Some(list) = &self.jobs else { return Selection::Job };
        let mut steps = Vec::new();
        for (_, step) in list.iter().filter(|(r, _)| r.covers(job)) {
            match step {
                None => return Selection::Job,
                Some(step) => steps.push(*step),
            }
        }
        Selection::Steps(steps)
    }
}
