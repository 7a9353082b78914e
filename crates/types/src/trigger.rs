//! Triggers: programs that run when something happens (strigger).

use crate::ids::{JobId, Uid};
use serde::{Deserialize, Serialize};

/// What a trigger looks at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TriggerOn {
    /// A job, or all tasks of an array together.
    Job(JobId),
    /// These nodes; none: all.
    Nodes(Option<Vec<String>>),
    /// The nodes of a job.
    NodesOf(JobId),
    /// The controller.
    Controller,
}

/// What has to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TriggerEvent {
    /// The job ends.
    Fini,
    /// The job reaches its time limit.
    Time,
    /// A node goes down.
    Down,
    /// A node comes back to service.
    Up,
    /// A node that takes no new jobs has lost its last one.
    Drained,
    /// A node is expected to fail.
    Fail,
    /// A node has been idle for as long as the offset says.
    Idle,
    /// The configuration, or the state of a node, changes.
    Reconfig,
    /// The controller serves again after it was away.
    ControllerResumed,
}

impl TriggerEvent {
    /// strigger's word.
    pub fn name(self) -> &'static str {
        match self {
            TriggerEvent::Fini => "fini",
            TriggerEvent::Time => "time",
            TriggerEvent::Down => "down",
            TriggerEvent::Up => "up",
            TriggerEvent::Drained => "drained",
            TriggerEvent::Fail => "fail",
            TriggerEvent::Idle => "idle",
            TriggerEvent::Reconfig => "reconfig",
            TriggerEvent::ControllerResumed => "primary_slurmctld_resumed_operation",
        }
    }
}

/// A trigger as asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerSpec {
    /// What it looks at.
    pub on: TriggerOn,
    /// What has to happen.
    pub event: TriggerEvent,
    /// Seconds after the event; negative: before it.
    pub offset: i32,
    /// It stays after it has fired.
    pub permanent: bool,
    /// The program's absolute path and its first arguments, separated by blanks.
    pub program: String,
}

/// A trigger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// Its number.
    pub id: u32,
    /// Who set it, and as whom the program runs.
    pub uid: Uid,
    /// That user's name.
    pub user: String,
    /// What was asked for.
    pub spec: TriggerSpec,
}

/// Which triggers are meant: all conditions that are given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerSelect {
    /// That one.
    pub id: Option<u32>,
    /// Those of the job.
    pub job: Option<JobId>,
    /// Those that the user set.
    pub uid: Option<u32>,
}

impl TriggerSelect {
    /// Whether the trigger is meant.
    pub fn covers(&self, trigger: &Trigger) -> bool {
        let job = match trigger.spec.on {
            TriggerOn::Job(job) | TriggerOn::NodesOf(job) => Some(job),
            TriggerOn::Nodes(_) | TriggerOn::Controller => None,
        };
        self.id.is_none_or(|id| id == trigger.id)
            && self.job.is_none_or(|wanted| job == Some(wanted))
            && self.uid.is_none_or(|uid| uid == trigger.uid.0)
    }
}
