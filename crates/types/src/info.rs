//! What the controller tells about jobs, steps, nodes and partitions: flat rows from which every printed column
//! of squeue, sinfo, sacct and scontrol is made.

use crate::config::{NodeConfig, PartitionConfig};
use crate::depend::DependencyTerm;
use crate::ids::{Gid, JobId, StepKind, Uid};
use crate::job::JobSpec;
use crate::memory::MemRequest;
use crate::node::{NodeBase, NodeFlag, NodeStand, NodeState, Standing};
use crate::reason::PendingReason;
use crate::state::{ExitStatus, JobState};
use crate::time::{Duration, TimeLimit, Timestamp};
pub use crate::usage::Usage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A job, or the pending rest of an array, or one of its tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobInfo {
    /// Its number (%A of squeue).
    pub id: JobId,
    /// Its place in an array.
    pub array: Option<ArrayInfo>,
    /// Owner.
    pub uid: Uid,
    /// Owner's name.
    pub user: String,
    /// Owner's group.
    pub gid: Gid,
    /// The group's name.
    pub group: String,
    /// What was asked for; changed fields (name, nice, time limit) stand here as changed.
    pub spec: JobSpec,
    /// Account in force.
    pub account: Option<String>,
    /// QoS in force.
    pub qos: Option<String>,
    /// The partition it runs in; while pending, all it may run in, joined by commas.
    pub partition: String,
    /// Slurm's state.
    pub state: JobState,
    /// Why it is pending; `None` otherwise.
    pub reason: PendingReason,
    /// The reason with its particulars, where it has some: `ReqNodeNotAvail, UnavailableNodes:n1`.
    #[serde(default)]
    pub reason_text: Option<String>,
    /// What it waits for of its dependency.
    #[serde(default)]
    pub unmet: Vec<Unmet>,
    /// Priority; 0 when held.
    pub priority: u32,
    /// Time limit in force.
    pub time_limit: TimeLimit,
    /// When it was submitted.
    pub submit: Timestamp,
    /// When it became, or will become, eligible.
    pub eligible: Option<Timestamp>,
    /// When it started; while pending, when the planner expects it to.
    pub start: Option<Timestamp>,
    /// When it ended; while running, when its limit ends it.
    pub end: Option<Timestamp>,
    /// How long it has run (time it was not suspended), by the clock that limits count.
    pub elapsed: Duration,
    /// Its nodes, in order of allocation; empty while pending.
    pub nodes: Vec<NodeShare>,
    /// The node of the batch script, where that is not the first (--batch).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_node: Option<String>,
    /// Number of nodes: allocated, or the least asked for.
    pub num_nodes: u32,
    /// Number of CPUs: allocated, or asked for.
    pub num_cpus: u32,
    /// Number of tasks.
    pub num_tasks: u32,
    /// CPUs of a task.
    pub cpus_per_task: u32,
    /// Memory in MiB, all nodes together.
    pub mem_mb: u64,
    /// What the partition gives where memory is asked for by GPU, which scontrol shows beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_mem: Option<MemRequest>,
    /// How the script ended.
    pub exit: ExitStatus,
    /// Who cancelled it.
    pub cancelled_by: Option<Uid>,
    /// How often it was restarted.
    pub restarts: u32,
    /// Whether it may be requeued.
    pub requeue: bool,
    /// When the planner looked at it last.
    #[serde(default)]
    pub evaluated: Option<Timestamp>,
    /// When it was told to end, while its processes are not known to be gone.
    #[serde(default)]
    pub ending: Option<Timestamp>,
    /// When it was suspended or resumed last, and how long it had run until then.
    #[serde(default)]
    pub suspended: Option<(Timestamp, Duration)>,
    /// When it was made smaller last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resized: Option<Timestamp>,
    /// Its steps (with the batch step), oldest first.
    pub steps: Vec<StepInfo>,
    /// Process id of the batch script while it runs.
    pub pid: Option<u32>,
    /// Nodes on which the planner expects it to start (squeue --start).
    pub planned_nodes: Vec<String>,
    /// Expanded name of its output file.
    pub std_out: String,
    /// Expanded name of its error file.
    pub std_err: String,
    /// Expanded name of its input file.
    pub std_in: String,
    /// What only the accounting tells.
    #[serde(default)]
    pub accounting: Accounting,
}

impl JobInfo {
    /// The node on which the batch script runs or ran.
    pub fn batch_host(&self) -> Option<&str> {
        self.batch_share().map(|share| share.node.as_str())
    }

    /// What it has of that node.
    pub fn batch_share(&self) -> Option<&NodeShare> {
        let named = self.batch_node.as_ref().and_then(|node| self.nodes.iter().find(|s| s.node == *node));
        named.or(self.nodes.first())
    }
}

/// What only the accounting tells of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Accounting {
    /// CPUs asked for.
    pub req_cpus: u32,
    /// Nodes asked for, at least.
    pub req_nodes: u32,
    /// Memory asked for in MiB, all nodes together.
    pub req_mem_mb: u64,
    /// The last reason for which it waited, other than for its turn.
    pub waited: PendingReason,
    /// Which part of the planner started it.
    pub scheduler: Option<Scheduler>,
    /// How long it was suspended.
    pub suspended: Duration,
    /// TRESBillingWeights of its partition; none: it is billed by CPUs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing: Option<String>,
    /// JobDefaults of its partition, of a job that asks for GPUs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub job_defaults: Vec<(String, u64)>,
    /// The number of its association; none: it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub association: Option<u32>,
    /// The name of what it ran, where AccountingStoreFlags says that this is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
}

/// Which part of the planner started a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scheduler {
    /// In the order of the queue.
    Main,
    /// Before a job that had a reservation.
    Backfill,
}

/// A condition of a pending job's dependency that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmet {
    /// The condition.
    pub term: DependencyTerm,
    /// It can never hold.
    pub failed: bool,
    /// It is about all tasks of an array.
    #[serde(default)]
    pub array: bool,
}

impl fmt::Display for Unmet {
    /// `afterok:12(unfulfilled)`, `after:12_*+5(failed)` of an array.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let term = self.term.to_string();
        let (job, delay) = term.split_at(term.find('+').unwrap_or(term.len()));
        let all = if self.array { "_*" } else { "" };
        write!(f, "{job}{all}{delay}({})", if self.failed { "failed" } else { "unfulfilled" })
    }
}

/// A place in an array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrayInfo {
    /// The array's number (%F).
    pub job: JobId,
    /// One task, or the tasks that have not started.
    pub tasks: ArrayTasks,
    /// The %throttle.
    pub max_running: Option<u32>,
}

/// Which tasks a row stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArrayTasks {
    /// A task of its own.
    One(u32),
    /// All that have not started.
    Pending(crate::array::TaskSet),
}

/// What a job has of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeShare {
    /// The node.
    pub node: String,
    /// Indices of its CPUs.
    pub cpus: Vec<u32>,
    /// Memory in MiB.
    pub mem_mb: u64,
    /// Tasks placed there.
    pub tasks: u32,
    /// Generic resources: name, type, indices.
    pub gres: Vec<GresShare>,
}

/// Generic resources given to a job on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GresShare {
    /// Name.
    pub name: String,
    /// Type.
    pub kind: Option<String>,
    /// Which ones, counted over the node's resources of that name from 0.
    pub indices: Vec<u32>,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepInfo {
    /// Which.
    pub step: StepKind,
    /// Its name: `batch`, or the command of srun.
    pub name: String,
    /// RUNNING, COMPLETED, FAILED, CANCELLED ...
    pub state: JobState,
    /// Number of tasks.
    pub num_tasks: u32,
    /// CPUs.
    pub num_cpus: u32,
    /// Its nodes.
    pub nodes: Vec<String>,
    /// When it started.
    pub start: Timestamp,
    /// When it ended.
    pub end: Option<Timestamp>,
    /// How it ended.
    pub exit: ExitStatus,
    /// What it used, where known.
    pub usage: Usage,
    /// Its own time limit, in minutes.
    #[serde(default)]
    pub limit: Option<u32>,
    /// Process id of its srun.
    #[serde(default)]
    pub srun_pid: Option<u32>,
    /// The command line of its srun.
    #[serde(default)]
    pub submit_line: String,
}

/// A node and how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// Its shape, with what operators changed of it.
    pub config: NodeConfig,
    /// What operators and failures made of it.
    #[serde(default)]
    pub stand: NodeStand,
    /// Partitions that contain it.
    pub partitions: Vec<String>,
    /// CPUs given to jobs that are not being ended.
    pub alloc_cpus: u32,
    /// Memory given to jobs that are not being ended, MiB.
    pub alloc_mem_mb: u64,
    /// Generic resources given to jobs, by name and type.
    pub alloc_gres: Vec<GresShare>,
    /// The user who has it alone, with the number: `alice(1000)` (--exclusive=user).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// A job is being ended on it.
    pub completing: bool,
    /// The planner keeps it for a job.
    #[serde(default)]
    pub planned: bool,
    /// When a job last left it, or it came back into service; none: that never was.
    #[serde(default)]
    pub last_busy: Option<Timestamp>,
    /// Since when the controller is up (SlurmdStartTime is shown from it).
    pub up_since: Timestamp,
}

impl NodeInfo {
    /// Its state, from how it stands and what jobs have of it.
    pub fn state(&self) -> NodeState {
        let base = match self.stand.standing {
            Standing::Down => NodeBase::Down,
            Standing::Future => NodeBase::Future,
            Standing::Up if self.alloc_cpus == 0 => NodeBase::Idle,
            Standing::Up if self.alloc_cpus >= self.config.cpus() => NodeBase::Allocated,
            Standing::Up => NodeBase::Mixed,
        };
        let mut flags = self.stand.flags.clone();
        if self.completing {
            flags.insert(NodeFlag::Completing);
        }
        if self.planned {
            flags.insert(NodeFlag::Planned);
        }
        NodeState { base, flags }
    }
}

/// A partition and how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionInfo {
    /// Its definition.
    pub config: PartitionConfig,
    /// CPUs of its nodes together.
    pub total_cpus: u32,
    /// Whether it is hidden from who asked.
    #[serde(default)]
    pub hidden: bool,
}

/// What a node was worth from some time on, for reports on how a cluster was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSpell {
    /// Since when.
    pub since: Timestamp,
    /// The node.
    pub node: String,
    /// CPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub mem_mb: u64,
    /// Generic resources by name, all types together.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gres: BTreeMap<String, u64>,
    /// Whether jobs could have it.
    pub service: Service,
}

/// Whether a node is there for jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Service {
    /// It is.
    Up,
    /// Down, or drained: what jobs do not have of it is lost.
    Down,
    /// FUTURE: defined, but not there.
    Future,
    /// No node of the cluster any more.
    Gone,
}

impl NodeSpell {
    /// How a node stands now.
    pub fn of(config: &NodeConfig, stand: &NodeStand, since: Timestamp) -> NodeSpell {
        let service = match stand.standing {
            Standing::Down => Service::Down,
            Standing::Future => Service::Future,
            Standing::Up if stand.flags.contains(&NodeFlag::Drain) => Service::Down,
            Standing::Up => Service::Up,
        };
        let mut gres = BTreeMap::new();
        for of in &config.gres {
            *gres.entry(of.name.clone()).or_default() += u64::from(of.count);
        }
        let (node, cpus, mem_mb) = (config.name.clone(), config.cpus(), config.memory_mb);
        NodeSpell { since, node, cpus, mem_mb, gres, service }
    }

    /// The same node, not of the cluster any more.
    pub fn gone(&self, since: Timestamp) -> NodeSpell {
        NodeSpell { since, service: Service::Gone, ..self.clone() }
    }

    /// Whether nothing differs but the time.
    pub fn same(&self, other: &NodeSpell) -> bool {
        *self == NodeSpell { since: self.since, ..other.clone() }
    }
}

/// A licence and how it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenseInfo {
    /// Name.
    pub name: String,
    /// How many there are.
    pub total: u32,
    /// How many running jobs have.
    pub used: u64,
}

/// `4(x2),3`: runs of equal counts.
pub fn repeated(counts: impl Iterator<Item = u32>) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for count in counts {
        match runs.last_mut() {
            Some((last, times)) if *last == count => *times += 1,
            _ => runs.push((count, 1)),
        }
    }
    let text = |(count, times): &(u32, u32)| match times {
        1 => count.to_string(),
        _ => format!("{count}(x{times})"),
    };
    runs.iter().map(text).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_equal_counts_are_folded() {
        assert_eq!(repeated([4, 4, 3, 4].into_iter()), "4(x2),3,4");
        assert_eq!(repeated([1].into_iter()), "1");
    }
}
