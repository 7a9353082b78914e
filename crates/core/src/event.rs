//! All that can happen. Events are what is stored, for ever: fields are only added, with a default.

use crate::alloc::NodeAlloc;
use crate::command::CancelScope;
use crate::job::{EndCause, Hold, Repeated, StepNode, Submission, Wait};
use bivouac_types::info::Usage;
use bivouac_types::node::NodeStand;
use bivouac_types::partition::PartitionRecord;
use bivouac_types::{
    Attempt, ExitStatus, JobChange, JobId, Now, Outcome, PendingReason, TaskSet, TimeLimit, Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Something that happened, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it was decided.
    pub at: Now,
    /// What.
    pub change: Change,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// A job was accepted.
    Submitted(Box<Submission>),
    /// Some of the tasks that wait in one record got a record of their own, to be treated differently.
    Split {
        /// The record they were in.
        from: JobId,
        /// The tasks.
        tasks: TaskSet,
        /// Their new record.
        job: JobId,
    },
    /// Some of the tasks that wait in one record were cancelled: nothing stays of them, as in Slurm.
    Dropped {
        /// The record they were in, which keeps others.
        from: JobId,
        /// The tasks.
        tasks: TaskSet,
    },
    /// Resources were granted; the launch follows.
    Started {
        /// The job, with a number of its own.
        job: JobId,
        /// The record the task was in, if it left others behind.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<JobId>,
        /// The array task it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<u32>,
        /// The partition.
        partition: Arc<str>,
        /// The time limit in force.
        time_limit: TimeLimit,
        /// The resources.
        alloc: Vec<NodeAlloc>,
        /// It overtook a job that had a reservation.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        backfill: bool,
        /// Why it had waited, as far as the planner knew.
        #[serde(default, skip_serializing_if = "PendingReason::is_none")]
        waited: PendingReason,
    },
    /// The keeper confirmed the launch.
    Launched {
        /// Which launch.
        attempt: Attempt,
        /// Process id of the script.
        pid: u32,
    },
    /// The job is told to end: SIGTERM.
    Ending {
        /// Which launch.
        attempt: Attempt,
        /// Why.
        cause: EndCause,
    },
    /// KillWait is over: SIGKILL.
    KillDue {
        /// Which launch.
        attempt: Attempt,
    },
    /// A user sent a signal; the job goes on.
    Signalled {
        /// Which launch.
        attempt: Attempt,
        /// Signal number.
        signal: i32,
        /// To which processes.
        scope: CancelScope,
    },
    /// The signal that the job asked for before its end is sent.
    Warned {
        /// Which launch.
        attempt: Attempt,
    },
    /// scontrol suspend: its processes are stopped, its CPUs are free.
    Suspended {
        /// Which launch.
        attempt: Attempt,
    },
    /// scontrol resume.
    Resumed {
        /// Which launch.
        attempt: Attempt,
    },
    /// scontrol update NumNodes= or NodeList=: it gives nodes back.
    Resized {
        /// Which launch.
        attempt: Attempt,
        /// The nodes that it keeps.
        nodes: Vec<Arc<str>>,
    },
    /// The job is over, its resources are free.
    Ended {
        /// Which.
        job: JobId,
        /// How.
        outcome: Outcome,
        /// When the script ended; for a job that never ran, when it was cancelled.
        end: Timestamp,
        /// What the batch step used.
        #[serde(default)]
        usage: Usage,
    },
    /// The job's run is over (it may have been for a while), and it waits again.
    Requeued {
        /// Which.
        job: JobId,
        /// When the run ended.
        end: Timestamp,
        /// Not before then it starts again; none: as soon as it may.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        begin: Option<Timestamp>,
        /// How the run ended.
        #[serde(default)]
        ran: Repeated,
    },
    /// scontrol hold.
    Held {
        /// Which.
        job: JobId,
        /// By whom.
        hold: Hold,
    },
    /// scontrol release.
    Released {
        /// Which.
        job: JobId,
    },
    /// scontrol update of what is kept with the job: time limit, name, nice value.
    Updated {
        /// Which.
        job: JobId,
        /// How.
        change: JobChange,
    },
    /// scontrol update of anything else.
    Amended {
        /// Which.
        job: JobId,
        /// What it asks for from now on.
        submission: Box<Submission>,
        /// The terms of a new dependency, as they stand.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waits: Option<Vec<Wait>>,
    },
    /// Begin time or a dependency's delay is over.
    Eligible {
        /// Which.
        job: JobId,
    },
    /// srun made a step.
    StepStarted {
        /// In which job.
        job: JobId,
        /// Its number.
        step: u32,
        /// Its name.
        name: String,
        /// Where its tasks are.
        layout: Vec<StepNode>,
        /// CPUs of a task.
        cpus_per_task: u32,
        /// It shares CPUs with other steps.
        #[serde(default)]
        overlap: bool,
        /// The command line of its srun.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        submit_line: String,
        /// The process id of its srun.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        srun: Option<u32>,
        /// The name of its daemon's socket.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        socket: String,
    },
    /// A step is over.
    StepEnded {
        /// In which job.
        job: JobId,
        /// Its number.
        step: u32,
        /// How.
        exit: ExitStatus,
        /// What it used.
        usage: Usage,
    },
    /// scontrol update of a step, or its time is over, which takes the limit away.
    StepLimited {
        /// In which job.
        job: JobId,
        /// Its number.
        step: u32,
        /// Its own time limit from now on; none: that of the job alone.
        minutes: Option<u32>,
    },
    /// scontrol update, or a failure: nodes stand so from now on.
    NodesSet {
        /// By name.
        nodes: BTreeMap<String, NodeStand>,
    },
    /// scontrol create, update or delete of a partition.
    PartitionSet(Box<PartitionRecord>),
    /// Ended jobs are forgotten after MinJobAge; the history keeps them.
    Purged {
        /// Which.
        jobs: Vec<JobId>,
    },
}
