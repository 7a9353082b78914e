//! Requests and responses. One connection carries any number of requests, answered in order.

mod allocation;
mod query;
mod repeat;

pub use allocation::{AllocationNews, Grant, Milestone, StepRequest};
pub use query::{AccountingQuery, JobQuery};

use bivouac_types::config::ClusterConfig;
use bivouac_types::diagnostics::Diagnostics;
use bivouac_types::fault::{Fault, Greeting, Scripted};
use bivouac_types::info::{JobInfo, LicenseInfo, NodeInfo, NodeSpell, PartitionInfo, Usage};
use bivouac_types::node::{Misfortune, NodeChange};
use bivouac_types::partition::PartitionChange;
use bivouac_types::priority::JobFactors;
use bivouac_types::trigger::{Trigger, TriggerSelect, TriggerSpec};
use bivouac_types::usage::TaskUsage;
use bivouac_types::{
    Blob, Duration, ExitStatus, JobChange, JobId, JobSpec, Mpi, Reject, StepId, StepLimit, TaskSet, Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::path::PathBuf;

/// One request. Who asks is not part of it: the kernel tells the controller.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// `--admin`: the owner of a personal cluster acts as its operator.
    #[serde(default)]
    pub admin: bool,
    /// What is asked.
    pub body: Ask,
}

/// What holds until the configuration is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Setting {
    /// How much is logged: the log of the controller has one level, and this changes nothing.
    Debug,
    /// FairShareDampeningFactor.
    DampeningFactor(u16),
}

/// What can be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Ask {
    /// Whether the controller answers.
    Ping,
    /// A command of Slurm's begins. Answered by `Greeted`.
    Greet {
        /// Its name.
        program: String,
    },
    /// What `bivouac status` shows.
    Status,
    /// The owner scripts a fault. Answered by `Faults` with that fault alone.
    AddFault {
        /// What.
        fault: Fault,
        /// How often, if it happens to commands; none: until it is cleared.
        times: Option<u32>,
        /// So long from now.
        after: Duration,
    },
    /// The faults that are to come. Answered by `Faults`.
    Faults,
    /// Clears a fault, or all.
    ClearFaults(Option<u32>),
    /// A new job. Answered by `Submitted` once it is durable.
    Submit(Box<Submission>),
    /// When the job would start, without submitting it. Answered by `WouldStart`.
    TestOnly(Box<JobSpec>),
    /// Jobs that the controller still knows. Answered by one or more `Jobs`.
    Jobs(JobQuery),
    /// Jobs of the accounting, ended ones included. Answered by one or more `Records`.
    Accounting(AccountingQuery),
    /// All nodes.
    Nodes,
    /// What nodes were worth since when (sreport). Answered by `Spells`.
    Spells,
    /// All partitions.
    Partitions,
    /// All licences.
    Licenses,
    /// The factors of pending jobs' priorities. Answered by one or more `Priorities`.
    Priorities,
    /// What the controller counts of its own work.
    Diagnostics,
    /// Begins to count anew; for operators.
    ResetDiagnostics,
    /// The configuration.
    Config,
    /// scontrol reconfigure: the site's files are read again.
    Reconfigure,
    /// Cancel, or send a signal.
    Cancel(CancelRequest),
    /// scontrol hold.
    Hold {
        /// Which job.
        target: JobTarget,
        /// scontrol uhold: a user's hold even from an operator.
        user: bool,
    },
    /// scontrol release.
    Release(JobTarget),
    /// scontrol requeue and requeuehold.
    Requeue {
        /// Which job.
        target: JobTarget,
        /// Whether it is held then.
        hold: RequeueHold,
        /// Only jobs that are not over.
        incomplete: bool,
    },
    /// scontrol suspend.
    Suspend(JobTarget),
    /// scontrol resume.
    Resume(JobTarget),
    /// scontrol top: these first, in this order.
    Top(Vec<JobId>),
    /// scontrol notify.
    Notify {
        /// Which job.
        job: JobId,
        /// What is written to its standard error.
        message: String,
    },
    /// scontrol update.
    Update {
        /// Which job.
        target: JobTarget,
        /// What to change, in the given order; all or nothing.
        changes: Vec<JobChange>,
        /// scontrol -u: as this user, which root may.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<u32>,
    },
    /// scontrol update StepId=...
    UpdateStep {
        /// The job.
        job: JobId,
        /// The step's number; none: all steps.
        step: Option<u32>,
        /// Its time limit.
        limit: StepLimit,
    },
    /// scontrol setdebug and its like, for operators.
    Set(Setting),
    /// scontrol update NodeName=...; all changes of all nodes or none.
    UpdateNodes {
        /// Which; `ALL` alone stands for all.
        nodes: Vec<String>,
        /// What to change, in the given order.
        changes: Vec<NodeChange>,
    },
    /// scontrol update PartitionName=...
    UpdatePartition {
        /// Which.
        name: String,
        /// What to change.
        changes: Vec<PartitionChange>,
    },
    /// scontrol create PartitionName=...
    CreatePartition {
        /// Its name.
        name: String,
        /// What is said of it.
        changes: Vec<PartitionChange>,
    },
    /// scontrol delete PartitionName=...
    DeletePartition(String),
    /// Makes running jobs end as a misfortune would end them; for operators.
    Misfortune {
        /// Which jobs.
        target: JobTarget,
        /// What befalls them.
        what: Misfortune,
    },
    /// Answered by `Ended` when the job, and every task if it is an array, has ended (sbatch --wait).
    WaitEnd(JobId),
    /// The client of an allocation attends it: answered by `Allocation` when it has come so far. A client whose connection
    /// ends while it waits for this is taken to be gone, and with it the allocation.
    Attend {
        /// Which.
        job: JobId,
        /// What is waited for.
        until: Milestone,
    },
    /// The client gives its allocation back.
    Complete {
        /// Which.
        job: JobId,
        /// How its command ended.
        exit: ExitStatus,
    },
    /// The socket of a running step's daemon, for the job's owner. Answered by `StepSocket`.
    StepSocket(StepId),
    /// What a running job's batch script uses, for the job's owner (sstat). Answered by `Measured`. Steps are asked themselves,
    /// see `StepSocket`.
    Measure(JobId),
    /// srun within a job: a step begins. Answered by `StepStarted`.
    StepStart(StepRequest),
    /// The step has ended.
    StepEnd {
        /// Which.
        step: StepId,
        /// The highest exit status of its tasks.
        exit: ExitStatus,
        /// What its tasks used together; the largest resident set of one of them.
        usage: Usage,
    },
    /// The bytes of a job's batch script (scontrol write batch_script), for its owner.
    Script(JobId),
    /// What a job ran or runs, its environment included, for its owner (sacct -B, --env-vars). Answered by `Payload`.
    Payload(JobId),
    /// strigger --set.
    TriggerSet(TriggerSpec),
    /// strigger --get. Answered by `Triggers`.
    Triggers,
    /// strigger --clear.
    TriggerClear(TriggerSelect),
    /// End the controller.
    Shutdown {
        /// Cancel all jobs first.
        cancel: bool,
    },
}

/// A new job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Submission {
    /// Drawn at random by the client, 32 hexadecimal digits: a repeated submission is answered with the same job.
    pub key: String,
    /// What is asked for.
    pub spec: JobSpec,
    /// What is run.
    pub payload: Payload,
    /// --uid: whose job it is, which root alone may say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// --gid: the group it runs as, which root alone may say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
}

/// What a job runs; stored once per distinct content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// The batch script.
    pub script: Blob,
    /// Its arguments (without its own name).
    pub args: Vec<Blob>,
    /// The environment, `NAME=value` each, already reduced as --export says.
    pub env: Vec<Blob>,
}

/// A job, or some tasks of an array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobTarget {
    /// The job or array.
    pub job: JobId,
    /// Only these tasks.
    pub tasks: Option<TaskSet>,
}

/// scancel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelRequest {
    /// Which.
    pub target: JobTarget,
    /// -s: only send this signal; none: end the job.
    pub signal: Option<i32>,
    /// Which processes get the signal.
    pub scope: SignalScope,
}

/// Which processes of a job a signal reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignalScope {
    /// All steps but not the batch shell itself (scancel's default).
    Steps,
    /// The batch shell only (--batch).
    Batch,
    /// The batch shell and its steps (--full).
    All,
    /// One step (`JOB.STEP`).
    Step(u32),
}

/// What becomes of a requeued job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequeueHold {
    /// It runs again.
    #[default]
    No,
    /// requeuehold.
    Held,
    /// requeuehold State=SpecialExit.
    SpecialExit,
}

/// The signal by which the keeper tells an srun to end its step at once: a real-time signal that no libc uses itself.
pub const END_STEP: i32 = 40;

/// Answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Response {
    /// To `Ping`.
    Pong {
        /// The controller's host.
        host: String,
    },
    /// To `Greet`.
    Greeted(Greeting),
    /// To `Status`.
    Status(Box<Status>),
    /// Scripted faults.
    Faults(Vec<Scripted>),
    /// The job is stored.
    Submitted(JobId),
    /// To `TestOnly`.
    WouldStart {
        /// The id it might get.
        job: JobId,
        /// When.
        start: Timestamp,
        /// CPUs.
        cpus: u32,
        /// Where.
        nodes: Vec<String>,
        /// The partition.
        partition: String,
    },
    /// Rows; the last part has `more` false.
    Jobs {
        /// Some of them.
        rows: Vec<JobInfo>,
        /// Whether another part follows.
        more: bool,
    },
    /// Accounting records; the last part has `more` false.
    Records {
        /// Some of them.
        records: Vec<Record>,
        /// Jobs whose record is damaged.
        damaged: Vec<JobId>,
        /// Whether another part follows.
        more: bool,
    },
    /// To `Priorities`; the last part has `more` false.
    Priorities {
        /// Some of them.
        rows: Vec<JobFactors>,
        /// Whether another part follows.
        more: bool,
    },
    /// To `Diagnostics`.
    Diagnostics(Box<Diagnostics>),
    /// To `Nodes`.
    Nodes(Vec<NodeInfo>),
    /// To `Spells`, oldest first.
    Spells(Vec<NodeSpell>),
    /// To `Partitions`.
    Partitions(Vec<PartitionInfo>),
    /// To `Licenses`.
    Licenses(Vec<LicenseInfo>),
    /// To `Config`.
    Config(Box<ClusterConfig>),
    /// To `WaitEnd`: the highest exit status over all tasks.
    Ended {
        /// The status.
        exit: ExitStatus,
    },
    /// To `StepStart`.
    StepStarted(StepLayout),
    /// To `Attend`.
    Allocation(AllocationNews),
    /// To the ask of that name: a name in the abstract namespace.
    StepSocket(String),
    /// To `Measure`.
    Measured {
        /// What it used until now.
        usage: TaskUsage,
        /// Its processes, those of steps left out.
        pids: Vec<i32>,
    },
    /// To `Script`.
    Script(Blob),
    /// To the ask of that name.
    Payload(Box<Payload>),
    /// To the ask of that name, by their numbers.
    Triggers(Vec<Trigger>),
    /// Done.
    Done,
    /// Refused.
    Rejected(Reject),
    /// The request could not be understood, or the controller could not serve it.
    Failed(String),
}

/// An accounting record, as it is stored: the controller passes it on unread.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The job.
    pub job: JobId,
    /// Its [`JobInfo`].
    pub body: Box<RawValue>,
}

/// Where a step's tasks go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepLayout {
    /// The step.
    pub step: StepId,
    /// CPUs of a task.
    pub cpus_per_task: u32,
    /// Nodes in order with their numbers of tasks.
    pub nodes: Vec<StepNode>,
    /// The socket of the step's daemon: a name in the abstract namespace.
    #[serde(default)]
    pub socket: String,
    /// Seconds between SIGTERM and SIGKILL.
    pub kill_wait: u64,
    /// How often, in seconds, it is looked at what the tasks use; 0: only when they end.
    #[serde(default)]
    pub gather: u64,
    /// WaitTime in seconds, 0: for ever.
    #[serde(default)]
    pub wait: u64,
    /// KillOnBadExit.
    #[serde(default)]
    pub kill_on_bad_exit: bool,
    /// MpiDefault.
    #[serde(default)]
    pub mpi: Mpi,
}

/// A node of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepNode {
    /// Its name.
    pub name: String,
    /// Tasks on it.
    pub tasks: u32,
    /// CPUs of the step on it.
    pub cpus: u32,
}

/// What `bivouac status --json` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The cluster's name.
    pub cluster: String,
    /// The profile.
    pub site: String,
    /// The state folder.
    pub state_dir: PathBuf,
    /// The controller's socket.
    pub socket: PathBuf,
    /// Process id of the controller.
    pub controller_pid: u32,
    /// Process id of the keeper; none while it is being started.
    pub keeper_pid: Option<u32>,
    /// Process id of the reaper.
    pub reaper_pid: Option<u32>,
    /// Nodes by state.
    pub nodes: std::collections::BTreeMap<String, u32>,
    /// Jobs by state.
    pub jobs: std::collections::BTreeMap<String, u64>,
    /// How jobs are contained and killed (the keeper's word).
    pub containment: Option<String>,
    /// How memory limits of jobs are kept.
    #[serde(default)]
    pub memory: Option<String>,
    /// Why nothing can be stored at present.
    pub storage_problem: Option<String>,
    /// Scripted faults that are to come.
    #[serde(default)]
    pub faults: Vec<Scripted>,
    /// Why the files of the cluster's slurm.conf are not what it runs on.
    #[serde(default)]
    pub config_problem: Option<String>,
    /// When the controller started.
    #[serde(default)]
    pub up_since: Timestamp,
    /// The number that the next job gets.
    #[serde(default)]
    pub next_job_id: u32,
}

impl Status {
    /// Jobs that run now, those that are being ended included.
    pub fn running(&self) -> u64 {
        ["RUNNING", "COMPLETING"].iter().filter_map(|state| self.jobs.get(*state)).sum()
    }
}
