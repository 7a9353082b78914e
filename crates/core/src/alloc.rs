//! Resources of nodes: what is free, and what a job is given.

use crate::demand::{Demand, MemDemand};
use crate::index_set::IndexSet;
use crate::plan::NodePick;
use crate::tables::{NodeTable, Tables};
use bivouac_types::tres::GresRequest;
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

/// What is free on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFree {
    /// Logical CPUs.
    pub cpus: IndexSet,
    /// Memory, MiB.
    pub mem_mb: u64,
    /// Generic resources, parallel to the node's [`crate::tables::NodeTable::gres`].
    pub gres: Vec<IndexSet>,
    /// How many jobs are on the node.
    pub jobs: u32,
    /// Whether new jobs may use it: it is in service.
    pub usable: bool,
}

impl NodeFree {
    /// Takes what the job has of the node away.
    pub fn take(&mut self, alloc: &NodeAlloc, node: &NodeTable) {
        self.cpus.subtract(&alloc.cpus);
        self.mem_mb = self.mem_mb.saturating_sub(alloc.mem_mb);
        for gres in &alloc.gres {
            if let Some(slot) = gres.slot(node) {
                self.gres[slot].subtract(&gres.indices);
            }
        }
        self.jobs += 1;
    }

    /// Gives it back.
    pub fn give_back(&mut self, alloc: &NodeAlloc, node: &NodeTable) {
        self.cpus.add(&alloc.cpus);
        self.mem_mb += alloc.mem_mb;
        for gres in &alloc.gres {
            if let Some(slot) = gres.slot(node) {
                self.gres[slot].add(&gres.indices);
            }
        }
        self.jobs = self.jobs.saturating_sub(1);
    }

    /// How many tasks of the job fit, at most; 0 also if the job cannot be on the node at all.
    pub fn tasks_that_fit(&self, demand: &Demand, node: &NodeTable) -> u32 {
        if !self.usable || demand.exclusive && self.jobs > 0 {
            return 0;
        }
        if !demand.gres.is_empty() && self.pick_gres(&demand.gres, node).is_none() {
            return 0;
        }
        let cpus = self.cpus.len().min(demand.max_cpus_per_node);
        let by_cpu = cpus / demand.cpus_per_task;
        let mem = self.mem_mb.min(demand.max_mem_per_node_mb);
        let fits =
            match demand.mem {
                MemDemand::PerNode(mb) if mb > mem => 0,
                MemDemand::WholeNode if self.mem_mb < node.memory_mb => 0,
                MemDemand::PerNode(_) | MemDemand::WholeNode => by_cpu,
                MemDemand::PerCpu(mb) if demand.exclusive => {
                    if mb.saturating_mul(u64::from(node.cpus)) <= mem { by_cpu } else { 0 }
                }
                MemDemand::PerCpu(mb) => {
                    let task_mb = mb.saturating_mul(u64::from(demand.cpus_per_task));
                    by_cpu
                        .min(mem.checked_div(task_mb).map_or(u32::MAX, |n| n.min(u64::from(u32::MAX)) as u32))
                }
            };
        fits.min(demand.tasks_per_node)
    }

    /// What a job with so many tasks there gets of the node: the lowest free indices. None if it does not fit.
    pub fn allot(&self, demand: &Demand, tasks: u32, node: &NodeTable) -> Option<NodeAlloc> {
        if tasks == 0 || self.tasks_that_fit(demand, node) < tasks {
            return None;
        }
        let cpus = if demand.exclusive {
            self.cpus.clone()
        } else {
            self.cpus.clone().take_lowest(tasks.checked_mul(demand.cpus_per_task)?, 0, IndexSet::LIMIT)?
        };
        let mem_mb = match demand.mem {
            MemDemand::WholeNode => node.memory_mb,
            MemDemand::PerNode(mb) => mb,
            MemDemand::PerCpu(mb) => mb.saturating_mul(u64::from(cpus.len())),
        };
        let gres = self.pick_gres(&demand.gres, node)?;
        Some(NodeAlloc { node: node.name.clone(), cpus, mem_mb, tasks, gres })
    }

    /// The lowest free ones of each request; requests that name a type choose first.
    fn pick_gres(&self, requests: &[GresRequest], node: &NodeTable) -> Option<Vec<GresAlloc>> {
        let mut free = self.gres.clone();
        let mut picked = Vec::new();
        let typed_first = requests.iter().filter(|r| r.kind.is_some());
        for request in typed_first.chain(requests.iter().filter(|r| r.kind.is_none())) {
            let mut missing = request.count;
            for (slot, table) in node.gres.iter().enumerate() {
                if *table.name != *request.name
                    || (request.kind.is_some() && request.kind.as_deref() != table.kind.as_deref())
                {
                    continue;
                }
                let count = free[slot].len().min(missing);
                if count == 0 {
                    continue;
                }
                let indices = free[slot].take_lowest(count, 0, IndexSet::LIMIT)?;
                missing -= count;
                picked.push(GresAlloc { name: table.name.clone(), kind: table.kind.clone(), indices });
            }
            if missing > 0 {
                return None;
            }
        }
        Some(picked)
    }
}

impl GresAlloc {
    /// The position among the node's resources; none if the node has no such (any more).
    pub fn slot(&self, node: &NodeTable) -> Option<usize> {
        node.gres.iter().position(|t| t.name == self.name && t.kind == self.kind)
    }
}

/// Chooses nodes for a job: the fewest that hold it, in the order of the demand's nodes. Tasks fill them in that
/// order, at least one on each.
///
/// Finds a choice whenever one exists: with the nodes that must be among them taken first, the ones that hold
/// most are best for every number of nodes.
pub fn place(demand: &Demand, free: &[NodeFree], tables: &Tables) -> Option<Vec<NodePick>> {
    let cap = |n: usize| free[n].tasks_that_fit(demand, &tables.nodes[n]);
    if demand.min_nodes <= 1 && demand.required.is_empty() {
        // By far the most frequent case: the first node that holds it all.
        if let Some(&node) = demand.nodes.iter().find(|&&n| cap(n) >= demand.tasks) {
            return Some(vec![NodePick { node, tasks: demand.tasks }]);
        }
        if demand.max_nodes <= 1 {
            return None;
        }
    }
    let mut chosen: Vec<(usize, u32)> = demand.required.iter().map(|&n| (n, cap(n))).collect();
    if chosen.iter().any(|c| c.1 == 0) {
        return None;
    }
    let mut others: Vec<(usize, u32)> = demand
        .nodes
        .iter()
        .filter(|n| !demand.required.contains(n))
        .map(|&n| (n, cap(n)))
        .filter(|c| c.1 > 0)
        .collect();
    others.sort_by_key(|c| std::cmp::Reverse(c.1));
    let mut others = others.into_iter();
    let holds = |chosen: &[(usize, u32)]| {
        chosen.iter().map(|c| u64::from(c.1)).sum::<u64>() >= u64::from(demand.tasks)
    };
    while (chosen.len() as u32) < demand.min_nodes || !holds(&chosen) {
        chosen.push(others.next()?);
    }
    let count = chosen.len() as u32;
    if count > demand.max_nodes || count > demand.tasks {
        return None;
    }
    chosen.sort_by_key(|c| demand.nodes.iter().position(|n| *n == c.0));
    let mut left = demand.tasks - count;
    let picks = chosen.into_iter().map(|(node, cap)| {
        let more = left.min(cap - 1);
        left -= more;
        NodePick { node, tasks: 1 + more }
    });
    Some(picks.collect())
}
