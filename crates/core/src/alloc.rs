//! Resources of nodes: what is free, and what a job is given.

use crate::index_set::IndexSet;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a job has of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeAlloc {
    /// The node.
    pub node: Arc<str>,
    /// Which logical CPUs.
    pub cpus: IndexSet,
    /// Memory, MiB.
    pub mem_mb: u64,
    /// Tasks of the job placed there.
    pub tasks: u32,
    /// Generic resources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gres: Vec<GresAlloc>,
}

/// Generic resources of one name and type that a job has of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GresAlloc {
    /// Name.
    pub name: Arc<str>,
    /// Type.
    pub kind: Option<Arc<str>>,
    /// Which ones, counted over the node's resources of that name from 0.
    pub indices: IndexSet,
}
