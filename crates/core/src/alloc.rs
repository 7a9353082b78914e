//! Resources of nodes: what is free, and what a job is given.

use crate::cores;
use crate::demand::Demand;
use crate::index_set::IndexSet;
use crate::tables::{GresTable, NodeTable};
use bivouac_types::Uid;
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
    /// Whose job it is; none in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
}

/// The user of a job on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Holder {
    /// Who.
    pub user: Uid,
    /// Only this user's jobs may be there beside it (--exclusive=user, ExclusiveUser of the partition).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alone: bool,
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
    /// Whose they are, in ascending order.
    pub holders: Vec<Holder>,
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
        if let Some(holder) = alloc.holder {
            let at = self.holders.partition_point(|h| *h < holder);
            self.holders.insert(at, holder);
        }
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
        if let Some(at) = self.holders.iter().position(|h| Some(*h) == alloc.holder) {
            self.holders.remove(at);
        }
    }

    /// Whether a job of this holder may be beside those on the node.
    pub(crate) fn admits(&self, holder: Holder) -> bool {
        let suits = |other: &Holder| other.user == holder.user || !(other.alone || holder.alone);
        self.holders.iter().all(suits)
    }

    /// What a job with so many tasks and so many of its total of GPUs gets of the node: the lowest free indices. None if
    /// it does not fit.
    pub fn allot(&self, demand: &Demand, tasks: u32, gpus: u32, node: &NodeTable) -> Option<NodeAlloc> {
        if tasks == 0 || self.tasks_that_fit(demand, node) < tasks {
            return None;
        }
        let (need, gres) = self.holds(demand, tasks, gpus, node)?;
        let cpus = self.choose_cpus(demand, need.cpus, node)?;
        // Whole nodes come with all that is on them.
        let gres = if demand.exclusive { self.all_gres(node) } else { gres };
        let (node, mem_mb, holder) = (node.name.clone(), need.mem_mb, demand.holder);
        Some(NodeAlloc { node, cpus, mem_mb, tasks, gres, holder })
    }

    /// Which of its free CPUs a job gets that needs so many.
    pub(crate) fn choose_cpus(&self, demand: &Demand, count: u32, node: &NodeTable) -> Option<IndexSet> {
        if demand.exclusive {
            Some(self.cpus.clone())
        } else if demand.fill_sockets {
            self.cpus.clone().take_lowest(count, 0, IndexSet::LIMIT)
        } else {
            cores::choose(&self.cpus, count, demand.cpus_per_task, node)
        }
    }

    fn all_gres(&self, node: &NodeTable) -> Vec<GresAlloc> {
        let some = self.gres.iter().zip(&node.gres).filter(|(free, _)| !free.is_empty());
        let whole = |(free, table): (&IndexSet, &GresTable)| GresAlloc {
            name: table.name.clone(),
            kind: table.kind.clone(),
            indices: free.clone(),
        };
        some.map(whole).collect()
    }

    /// The lowest free ones of each request; requests that name a type choose first.
    pub(crate) fn pick_gres(&self, requests: &[GresRequest], node: &NodeTable) -> Option<Vec<GresAlloc>> {
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
