//! Which jobs and steps squeue shows.

use super::StepRow;
use bivouac_types::hostlist::outside_brackets;
use bivouac_types::info::{ArrayTasks, JobInfo};
use bivouac_types::state::JOB_STATES;
use bivouac_types::{JobId, JobState, StepKind, TaskSet};

/// A job of -j: `12`, `12_3` or `12_[3-5]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRef {
    /// The job or array.
    pub job: JobId,
    /// Only these tasks.
    pub tasks: Option<TaskSet>,
}

/// A step of -s: `12.0`, `12.batch`, `12_3.1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRef {
    /// The job.
    pub job: JobRef,
    /// Its step.
    pub step: StepKind,
}

/// An id that is none; `Display` is squeue's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadId {
    /// Of a job.
    Job(String),
    /// Of a step.
    Step(String),
}

impl std::fmt::Display for BadId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BadId::Job(id) => write!(f, "Invalid job id: {id}"),
            BadId::Step(id) => write!(f, "Invalid job_step id: {id}"),
        }
    }
}

impl std::error::Error for BadId {}

/// A word of -t that is no state; `Display` is squeue's two lines without their prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadState(pub String);

impl BadState {
    /// The states that Slurm names in its second line.
    pub const VALID: &'static str = "PENDING,RUNNING,SUSPENDED,COMPLETED,CANCELLED,FAILED,TIMEOUT,NODE_FAIL,PREEMPTED,\
        BOOT_FAIL,DEADLINE,OUT_OF_MEMORY,COMPLETING,CONFIGURING,RESIZING,RESV_DEL_HOLD,REQUEUED,REQUEUE_FED,\
        REQUEUE_HOLD,REVOKED,SIGNALING,SPECIAL_EXIT,STAGE_OUT,STOPPED";
}

/// States that exist in Slurm and never occur here: asked for, they match nothing.
const NEVER: [&str; 20] = [
    "CONFIGURING",
    "CF",
    "RESIZING",
    "RS",
    "RESV_DEL_HOLD",
    "RD",
    "REQUEUE_FED",
    "RF",
    "REQUEUE_HOLD",
    "RH",
    "REVOKED",
    "RV",
    "SIGNALING",
    "SI",
    "SPECIAL_EXIT",
    "SE",
    "STAGE_OUT",
    "SO",
    "STOPPED",
    "ST",
];

/// Parses -t: none for `all`.
///
/// # Errors
/// The first word that is no state.
pub fn parse_states(text: &str) -> Result<Option<Vec<JobState>>, BadState> {
    let mut states = Vec::new();
    for word in text.split(',').filter(|w| !w.is_empty()) {
        if word.eq_ignore_ascii_case("all") {
            return Ok(None);
        }
        match JobState::parse(word) {
            Some(state) => states.push(state),
            None if NEVER.iter().any(|n| n.eq_ignore_ascii_case(word)) => {}
            None => return Err(BadState(word.to_owned())),
        }
    }
    Ok(Some(states))
}

/// Parses -j. A step's part (`12.0`) is passed over, as in Slurm.
///
/// # Errors
/// The first id that is none.
pub fn parse_jobs(text: &str) -> Result<Vec<JobRef>, BadId> {
    entries(text)
        .map(|id| job_ref(id.split('.').next().unwrap_or(id)).ok_or_else(|| BadId::Job(id.to_owned())))
        .collect()
}

/// Parses -s.
///
/// # Errors
/// The first id that is none; an id without a step is none.
pub fn parse_steps(text: &str) -> Result<Vec<StepRef>, BadId> {
    entries(text)
        .map(|id| match id.split_once('.') {
            None => Err(BadId::Step(format!("{id}.??"))),
            Some((job, step)) => job_ref(job)
                .zip(step_kind(step))
                .map(|(job, step)| StepRef { job, step })
                .ok_or_else(|| BadId::Step(id.to_owned())),
        })
        .collect()
}

/// The step of that name: `batch`, `extern` or a number.
pub fn step_kind(text: &str) -> Option<StepKind> {
    match text {
        "batch" => Some(StepKind::Batch),
        "extern" => Some(StepKind::Extern),
        number => digits(number).map(StepKind::Number),
    }
}

/// `12`, `12_3`, `12_[3-5]`.
pub fn job_ref(text: &str) -> Option<JobRef> {
    let (job, tasks) = match text.split_once('_') {
        None => (text, None),
        Some((job, tasks)) => {
            // The throttle that squeue itself prints is taken back.
            let tasks = tasks.strip_suffix(']').map_or(tasks, |t| t.split('%').next().unwrap_or(t));
            let tasks = tasks.strip_prefix('[').unwrap_or(tasks);
            (job, Some(TaskSet::parse(tasks, u32::MAX - 1).ok()?))
        }
    };
    Some(JobRef { job: JobId(digits(job)?), tasks })
}

fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The entries of a list of ids.
pub(crate) fn entries(text: &str) -> impl Iterator<Item = &str> {
    outside_brackets(text, |c| c == ',').filter(|id| !id.is_empty())
}

/// What is shown. `None` lets everything pass.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// -j.
    pub jobs: Option<Vec<JobRef>>,
    /// -s.
    pub steps: Option<Vec<StepRef>>,
    /// -u, --me.
    pub users: Option<Vec<u32>>,
    /// -t; see [`Filter::active`].
    pub states: Option<Vec<JobState>>,
    /// -p.
    pub partitions: Option<Vec<String>>,
    /// -n.
    pub names: Option<Vec<String>>,
    /// -A; compared in any case.
    pub accounts: Option<Vec<String>>,
    /// -q.
    pub qos: Option<Vec<String>>,
    /// -w.
    pub nodes: Option<Vec<String>>,
    /// -L: jobs that ask for any of these.
    pub licenses: Option<Vec<String>>,
    /// -R.
    pub reservations: Option<Vec<String>>,
}

impl Filter {
    /// The states that are shown when none are asked for: those of jobs that have not ended.
    pub fn active() -> Vec<JobState> {
        JOB_STATES.into_iter().filter(|s| !s.is_ended()).collect()
    }

    /// Whether a job is shown.
    pub fn job(&self, job: &JobInfo) -> bool {
        let named = |list: &Option<Vec<String>>, value: Option<&str>| {
            list.as_ref().is_none_or(|l| value.is_some_and(|v| l.iter().any(|w| w.eq_ignore_ascii_case(v))))
        };
        self.states.as_ref().is_none_or(|s| s.contains(&job.state))
            && self.users.as_ref().is_none_or(|u| u.contains(&job.uid.0))
            && self
                .partitions
                .as_ref()
                .is_none_or(|p| job.partition.split(',').any(|of| p.iter().any(|p| p == of)))
            && self.names.as_ref().is_none_or(|n| n.contains(&job.spec.name))
            && named(&self.accounts, job.account.as_deref())
            && named(&self.qos, job.qos.as_deref())
            && self.nodes.as_ref().is_none_or(|n| job.nodes.iter().any(|share| n.contains(&share.node)))
            && self
                .licenses
                .as_ref()
                .is_none_or(|wanted| job.spec.licenses.iter().any(|l| wanted.contains(&l.name)))
            && self.reservations.as_ref().is_none_or(|wanted| {
                job.spec.reservation.iter().flat_map(|r| r.split(',')).any(|r| wanted.iter().any(|w| w == r))
            })
            && self.jobs.as_ref().is_none_or(|refs| refs.iter().any(|r| r.covers(job)))
    }

    /// Whether single tasks of arrays are asked for.
    pub fn names_tasks(&self) -> bool {
        self.jobs.iter().flatten().any(|r| r.tasks.is_some())
    }

    /// The pending tasks that are wanted of a row of several: none if the whole row is.
    pub fn tasks_of(&self, job: &JobInfo) -> Option<TaskSet> {
        let refs: Vec<&JobRef> = self.jobs.iter().flatten().filter(|r| r.covers(job)).collect();
        let mut wanted: Option<TaskSet> = None;
        for r in refs {
            let tasks = r.tasks.as_ref()?;
            wanted = Some(wanted.map_or_else(|| tasks.clone(), |w| w.union(tasks)));
        }
        wanted
    }

    /// Whether a step is shown. Accounts and states do not matter to steps.
    pub fn step(&self, row: &StepRow<'_>) -> bool {
        let (job, step) = (row.job, row.step);
        self.users.as_ref().is_none_or(|u| u.contains(&job.uid.0))
            && self.partitions.as_ref().is_none_or(|p| p.contains(&job.partition))
            && self.names.as_ref().is_none_or(|n| n.contains(&step.name))
            && self.nodes.as_ref().is_none_or(|n| step.nodes.iter().any(|node| n.contains(node)))
            && self.jobs.as_ref().is_none_or(|refs| refs.iter().any(|r| r.covers(job)))
            && self
                .steps
                .as_ref()
                .is_none_or(|refs| refs.iter().any(|r| r.step == step.step && r.job.covers(job)))
    }
}

impl JobRef {
    /// Whether it means this row or a part of it.
    pub fn covers(&self, job: &JobInfo) -> bool {
        let Some(array) = &job.array else { return self.tasks.is_none() && self.job == job.id };
        match (&self.tasks, &array.tasks) {
            (None, _) => self.job == job.id || self.job == array.job,
            (Some(tasks), ArrayTasks::One(task)) => self.job == array.job && tasks.contains(*task),
            (Some(tasks), ArrayTasks::Pending(set)) => {
                self.job == array.job && !tasks.intersection(set).is_empty()
            }
        }
    }
}
