//! The configuration, prepared for quick questions: names become positions.

use crate::alloc::NodeFree;
use crate::index_set::IndexSet;
use bivouac_types::config::ClusterConfig;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Nodes and partitions by position, in the configuration's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Tables {
    /// The nodes.
    pub nodes: Vec<NodeTable>,
    /// The partitions.
    pub partitions: Vec<PartitionTable>,
    node_of: BTreeMap<Arc<str>, usize>,
    partition_of: BTreeMap<Arc<str>, usize>,
}

/// A node's shape.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeTable {
    /// Name.
    pub name: Arc<str>,
    /// Logical CPUs.
    pub cpus: u32,
    /// Sockets.
    pub sockets: u32,
    /// Cores of a socket.
    pub cores_per_socket: u32,
    /// Threads of a core.
    pub threads_per_core: u32,
    /// Memory, MiB.
    pub memory_mb: u64,
    /// TmpDisk, MiB.
    pub tmp_disk_mb: u64,
    /// Weight: lighter nodes are taken first.
    pub weight: u32,
    /// Features.
    pub features: BTreeSet<String>,
    /// Generic resources.
    pub gres: Vec<GresTable>,
}

/// Generic resources of one name and type on a node.
#[derive(Clone, Debug, PartialEq)]
pub struct GresTable {
    /// Name.
    pub name: Arc<str>,
    /// Type.
    pub kind: Option<Arc<str>>,
    /// Index of the first, counted over the node's resources of that name.
    pub from: u32,
    /// One above the index of the last.
    pub to: u32,
}

/// A partition.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionTable {
    /// Name.
    pub name: Arc<str>,
    /// Its nodes, lower weight first.
    pub nodes: Vec<usize>,
    /// CPUs of its nodes together.
    pub cpus: u32,
}

impl Tables {
    /// Of this configuration.
    pub fn new(config: &ClusterConfig) -> Tables {
        let nodes: Vec<NodeTable> = config
            .nodes
            .iter()
            .map(|n| {
                let mut counted = BTreeMap::<&str, u32>::new();
                let gres = n.gres.iter().map(|g| {
                    let next = counted.entry(&g.name).or_default();
                    let from = *next;
                    *next += g.count;
                    GresTable {
                        name: g.name.as_str().into(),
                        kind: g.kind.as_deref().map(Into::into),
                        from,
                        to: *next,
                    }
                });
                let gres = gres.collect();
                NodeTable {
                    name: n.name.as_str().into(),
                    cpus: n.cpus(),
                    sockets: n.sockets,
                    cores_per_socket: n.cores_per_socket,
                    threads_per_core: n.threads_per_core,
                    memory_mb: n.memory_mb,
                    tmp_disk_mb: n.tmp_disk_mb,
                    weight: n.weight,
                    features: n.features.iter().cloned().collect(),
                    gres,
                }
            })
            .collect();
        let node_of: BTreeMap<Arc<str>, usize> =
            nodes.iter().enumerate().map(|(i, n)| (n.name.clone(), i)).collect();
        let partitions: Vec<PartitionTable> = config
            .partitions
            .iter()
            .map(|p| {
                let mut members: Vec<usize> =
                    p.nodes.iter().filter_map(|n| node_of.get(n.as_str()).copied()).collect();
                members.sort_by_key(|&n| (config.nodes[n].weight, n));
                let cpus = members.iter().map(|&n| nodes[n].cpus).sum();
                PartitionTable { name: p.name.as_str().into(), nodes: members, cpus }
            })
            .collect();
        let partition_of = partitions.iter().enumerate().map(|(i, p)| (p.name.clone(), i)).collect();
        Tables { nodes, partitions, node_of, partition_of }
    }

    /// The position of the node of that name.
    pub fn node(&self, name: &str) -> Option<usize> {
        self.node_of.get(name).copied()
    }

    /// The position of the partition of that name.
    pub fn partition(&self, name: &str) -> Option<usize> {
        self.partition_of.get(name).copied()
    }

    /// All nodes with nothing on them.
    pub fn idle(&self) -> Vec<NodeFree> {
        self.nodes.iter().map(NodeTable::idle).collect()
    }
}

impl NodeTable {
    /// Cores of all sockets.
    pub fn cores(&self) -> u32 {
        self.sockets.saturating_mul(self.cores_per_socket)
    }

    /// The node with nothing on it.
    pub fn idle(&self) -> NodeFree {
        NodeFree {
            cpus: IndexSet::below(self.cpus),
            mem_mb: self.memory_mb,
            gres: self.gres.iter().map(|g| (g.from..g.to).collect()).collect(),
            jobs: 0,
            holders: Vec::new(),
            usable: true,
        }
    }
}
