//! What can be asked of the cluster.

use crate::job::{Hold, Owner};
use crate::plan::Plan;
use bivouac_types::info::Usage;
use bivouac_types::node::{Misfortune, NodeChange};
use bivouac_types::partition::PartitionChange;
use bivouac_types::{
    Attempt, Distribution, ExitStatus, Gid, JobChange, JobId, JobSpec, StepLimit, TaskSet, Timestamp, Uid,
};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Who asks. Made by the controller from the socket's peer, never from what a client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// User number.
    pub uid: Uid,
    /// Group number.
    pub gid: Gid,
    /// User name.
    pub user: String,
    /// Group name.
    pub group: String,
    /// Names of further groups.
    pub groups: Vec<String>,
    /// May do everything to every job: root, the owner of a `local` cluster, the owner with --admin.
    pub operator: bool,
}

impl Caller {
    /// The owner of a submission, for what is done in his name: he has no more rights than that.
    pub fn owner(owner: Owner) -> Caller {
        let Owner { uid, gid, user, group } = owner;
        Caller { uid, gid, user, group, groups: Vec::new(), operator: false }
    }
}

/// The name under which the controller keeps a submission's script and environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PayloadId(pub String);

/// A number chosen by the client for each submission, so that a repeated one is recognised.
/// Serialized as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestKey(pub u128);

impl Serialize for RequestKey {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{:032x}", self.0))
    }
}

impl<'de> Deserialize<'de> for RequestKey {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<RequestKey, D::Error> {
        let text = String::deserialize(d)?;
        u128::from_str_radix(&text, 16).map(RequestKey).map_err(D::Error::custom)
    }
}

/// Which jobs a command is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobTarget {
    /// A job, or an array and with it all its tasks.
    pub job: JobId,
    /// Only these tasks of the array.
    pub tasks: Option<TaskSet>,
}

impl From<JobId> for JobTarget {
    fn from(job: JobId) -> JobTarget {
        JobTarget { job, tasks: None }
    }
}

/// Which processes of a job a signal is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CancelScope {
    /// As scancel without -b and -f: the steps, and with no signal named the whole job.
    #[default]
    Job,
    /// -b: the batch shell only.
    Batch,
    /// -f: the batch shell and the steps.
    Full,
    /// `JOB.STEP`: the tasks of one step.
    Step(u32),
}

/// What srun asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepAsk {
    /// Its name: the command.
    pub name: String,
    /// -n.
    pub ntasks: u32,
    /// -c.
    pub cpus_per_task: u32,
    /// -N: on so many nodes; none: on all nodes of the job, or as many as there are tasks.
    pub nodes: Option<u32>,
    /// --overlap: CPUs are shared with other steps.
    pub overlap: bool,
    /// --exact: only the CPUs of its tasks; else all of the job's on its nodes.
    pub exact: bool,
    /// -w: nodes of the job that must be among the step's.
    pub nodelist: Vec<String>,
    /// --ntasks-per-node: at most so many tasks on a node.
    pub ntasks_per_node: Option<u32>,
    /// --overcommit: more tasks than there are CPUs.
    pub overcommit: bool,
    /// -x, -r: nodes of the job that the step must not use.
    pub exclude: Vec<String>,
    /// --distribution.
    pub distribution: Distribution,
    /// srun's command line, for the accounting.
    pub submit_line: String,
    /// The process id of srun.
    pub srun: Option<u32>,
    /// A name for the socket of the step's daemon, which nobody can guess. An open step of this name is the one that is asked
    /// for.
    pub socket: String,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "a command is made once and used up at once, never kept in numbers"
)]
pub enum Command {
    /// A new job.
    Submit {
        /// Whose.
        caller: Caller,
        /// What is asked for.
        spec: JobSpec,
        /// Where its script and environment are.
        payload: PayloadId,
        /// A repeated key decides to nothing: [`crate::Cluster::job_of_key`] has the job.
        key: RequestKey,
    },
    /// scancel. Jobs that have ended already are left alone without an error, if one of the target has not.
    Cancel {
        /// Who.
        caller: Caller,
        /// What.
        target: JobTarget,
        /// Only this signal is sent, and the job goes on.
        signal: Option<i32>,
        /// To which processes.
        scope: CancelScope,
    },
    /// scontrol hold: an operator's hold of another's job is an admin hold.
    Hold {
        /// Who.
        caller: Caller,
        /// What.
        target: JobTarget,
        /// scontrol uhold: a user hold even from an operator.
        user_hold: bool,
    },
    /// scontrol release.
    Release {
        /// Who.
        caller: Caller,
        /// What.
        target: JobTarget,
    },
    /// scontrol requeue and requeuehold.
    Requeue {
        /// Who.
        caller: Caller,
        /// What.
        target: JobTarget,
        /// requeuehold: it waits to be released; State=SpecialExit if that is the hold.
        hold: Option<Hold>,
        /// Incomplete: jobs that are over, or wait, are left alone.
        incomplete: bool,
    },
    /// scontrol suspend.
    Suspend {
        /// Who.
        caller: Caller,
        /// What.
        target: JobTarget,
    },
    /// scontrol resume.
    Resume {
        /// Who.
        caller: Caller,
        /// What.
        target: JobTarget,
    },
    /// scontrol top.
    Top {
        /// Who.
        caller: Caller,
        /// These are to be first among their like, in this order.
        jobs: Vec<JobId>,
    },
    /// scontrol update.
    Update {
        /// Who.
        caller: Caller,
        /// What.
        target: JobTarget,
        /// How: all of it, or nothing.
        changes: Vec<JobChange>,
    },
    /// The planner's proposal. Starts that do not hold (any more) are left out, never an error.
    ApplyPlan(Plan),
    /// What a keeper says.
    Report(KeeperReport),
    /// An allocation is given back, or its client is gone.
    Complete {
        /// Who.
        caller: Caller,
        /// Which.
        job: JobId,
        /// How the client's command ended.
        exit: ExitStatus,
    },
    /// srun inside a job.
    StepStart {
        /// Who.
        caller: Caller,
        /// In which job.
        job: JobId,
        /// What it asks for.
        ask: StepAsk,
    },
    /// A step is over.
    StepEnd {
        /// Who.
        caller: Caller,
        /// In which job.
        job: JobId,
        /// Its number.
        step: u32,
        /// The highest exit status of its tasks.
        exit: ExitStatus,
        /// What it used.
        usage: Usage,
    },
    /// scontrol update StepId=...
    UpdateStep {
        /// Who.
        caller: Caller,
        /// In which job.
        job: JobId,
        /// Its number; none: all that run.
        step: Option<u32>,
        /// Its time limit.
        limit: StepLimit,
    },
    /// scontrol update NodeName=..., all changes of all nodes or none.
    UpdateNodes {
        /// Who.
        caller: Caller,
        /// Which nodes.
        nodes: Vec<String>,
        /// How, in this order.
        changes: Vec<NodeChange>,
    },
    /// scontrol update PartitionName=...
    UpdatePartition {
        /// Who.
        caller: Caller,
        /// Which.
        name: String,
        /// How, in this order.
        changes: Vec<PartitionChange>,
    },
    /// scontrol create PartitionName=...
    CreatePartition {
        /// Who.
        caller: Caller,
        /// Its name, which is not taken.
        name: String,
        /// What is said of it.
        changes: Vec<PartitionChange>,
    },
    /// scontrol delete PartitionName=...
    DeletePartition {
        /// Who.
        caller: Caller,
        /// Which; no job that is not over is in it.
        name: String,
    },
    /// A scripted misfortune of running jobs, for those who test what their tools do then. Operators only.
    Misfortune {
        /// Who.
        caller: Caller,
        /// What.
        target: JobTarget,
        /// What befalls it.
        what: Misfortune,
    },
    /// Prolog or PrologSlurmctld failed: the attempt is not launched.
    PrologFailed {
        /// Which launch.
        attempt: Attempt,
    },
    /// Time has passed: time limits, KillWait, begin times, MinJobAge.
    Tick,
}

/// What a keeper says about an attempt. Reports may come late, twice or for an attempt that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeeperReport {
    /// The script runs.
    Launched {
        /// Which launch.
        attempt: Attempt,
        /// Its process id.
        pid: u32,
    },
    /// The script could not be launched, and will not be.
    LaunchFailed {
        /// Which launch.
        attempt: Attempt,
        /// Why.
        what: String,
    },
    /// The script has ended and nothing of it runs any more.
    Exited {
        /// Which launch.
        attempt: Attempt,
        /// How.
        status: ExitStatus,
        /// What it used.
        usage: Usage,
        /// When.
        ended: Timestamp,
        /// It had more memory than it may, and lost a process or all of them for it.
        out_of_memory: bool,
    },
    /// It ran, nothing of it runs any more, and nobody knows how it ended.
    Lost {
        /// Which launch.
        attempt: Attempt,
    },
}

impl KeeperReport {
    /// The launch it is about.
    pub fn attempt(&self) -> Attempt {
        match self {
            KeeperReport::Launched { attempt, .. }
            | KeeperReport::LaunchFailed { attempt, .. }
            | KeeperReport::Exited { attempt, .. }
            | KeeperReport::Lost { attempt } => *attempt,
        }
    }

    /// Whether it says that nothing of the attempt runs any more: the keeper repeats it until acknowledged.
    pub fn is_end(&self) -> bool {
        !matches!(self, KeeperReport::Launched { .. })
    }
}
