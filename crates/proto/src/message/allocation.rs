//! Messages about allocations and the steps in them.

use bivouac_types::{Distribution, JobId, JobState};
use serde::{Deserialize, Serialize};

/// What the client of an allocation waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Milestone {
    /// Nothing: how it stands.
    Asked,
    /// It has its resources, or will never have any.
    Granted,
    /// Its nodes are ready, or it will never have any.
    Ready,
    /// It is not the client's any more.
    Revoked,
}

/// How an allocation stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AllocationNews {
    /// It waits for its resources, or its nodes are made ready.
    Waiting {
        /// Whether the resources are granted.
        granted: bool,
    },
    /// It can be used.
    Ready(Grant),
    /// It is over, or being ended.
    Revoked {
        /// CANCELLED, TIMEOUT, NODE_FAIL ..., also while it is being ended so.
        state: JobState,
    },
}

/// What was granted to the client of an allocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The nodes, in order.
    pub nodes: Vec<String>,
    /// The variables of the client's command.
    pub variables: Vec<(String, String)>,
}

/// A step that srun wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRequest {
    /// The job it runs in.
    pub job: JobId,
    /// The command's name.
    pub name: String,
    /// -n; none: the job's tasks.
    pub ntasks: Option<u32>,
    /// -N; none: the job's nodes.
    pub nodes: Option<u32>,
    /// -c; none: the job's.
    pub cpus_per_task: Option<u32>,
    /// --overlap: the step shares CPUs with other steps.
    pub overlap: bool,
    /// --exact: only the CPUs of its tasks, not all of the job's on its nodes.
    #[serde(default)]
    pub exact: bool,
    /// -w: nodes of the job that must be among the step's.
    #[serde(default)]
    pub nodelist: Vec<String>,
    /// --ntasks-per-node: at most so many tasks on a node.
    #[serde(default)]
    pub ntasks_per_node: Option<u32>,
    /// --overcommit: more tasks than there are CPUs.
    #[serde(default)]
    pub overcommit: bool,
    /// -x, -r: nodes of the job that the step must not use.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// --distribution.
    #[serde(default)]
    pub distribution: Distribution,
    /// srun's command line, for the accounting.
    #[serde(default)]
    pub submit_line: String,
    /// The name for the daemon's socket ([`crate::step::socket_name`]). Asked again under the same name, as when the answer
    /// was lost with the controller, the step is the same one.
    #[serde(default)]
    pub socket: String,
}
