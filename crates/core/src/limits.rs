//! Limits of QoS and arrays: what counts, and which limit blocks.

use crate::alloc::NodeAlloc;
use crate::demand::Demand;
use crate::tables::Tables;
use bivouac_types::config::{QosConfig, TresLimit};
use bivouac_types::{PendingReason, TimeLimit};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Resources in use, or wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Jobs that hold resources.
    pub jobs: u64,
    /// CPUs.
    pub cpus: u64,
    /// Memory, MiB.
    pub mem_mb: u64,
    /// Nodes, counted once for each job on them.
    pub nodes: u64,
    /// Generic resources by name.
    pub gres: BTreeMap<Arc<str>, u64>,
}

impl Use {
    /// Of a grant.
    pub fn of(alloc: &[NodeAlloc]) -> Use {
        let mut sum = Use { jobs: 1, nodes: alloc.len() as u64, ..Use::default() };
        for node in alloc {
            sum.cpus += u64::from(node.cpus.len());
            sum.mem_mb += node.mem_mb;
            for g in &node.gres {
                *sum.gres.entry(g.name.clone()).or_default() += u64::from(g.indices.len());
            }
        }
        sum
    }

    /// What a job will use at least.
    pub fn least(demand: &Demand, tables: &Tables) -> Use {
        let nodes = u64::from(demand.min_nodes);
        let mut gres = BTreeMap::<Arc<str>, u64>::new();
        for g in &demand.gres {
            *gres.entry(g.name.as_str().into()).or_default() += u64::from(g.count) * nodes;
        }
        let more = demand.gpus.of_tasks(demand.tasks);
        if more > 0 {
            *gres.entry("gpu".into()).or_default() += more;
        }
        Use { jobs: 1, cpus: u64::from(demand.min_cpus()), mem_mb: demand.min_mem_mb(tables), nodes, gres }
    }

    /// Adds another.
    pub fn add(&mut self, other: &Use) {
        self.jobs += other.jobs;
        self.cpus += other.cpus;
        self.mem_mb += other.mem_mb;
        self.nodes += other.nodes;
        for (name, n) in &other.gres {
            *self.gres.entry(name.clone()).or_default() += n;
        }
    }

    /// Takes another away; what becomes zero is forgotten.
    pub fn subtract(&mut self, other: &Use) {
        self.jobs = self.jobs.saturating_sub(other.jobs);
        self.cpus = self.cpus.saturating_sub(other.cpus);
        self.mem_mb = self.mem_mb.saturating_sub(other.mem_mb);
        self.nodes = self.nodes.saturating_sub(other.nodes);
        for (name, n) in &other.gres {
            if let Some(have) = self.gres.get_mut(name) {
                *have = have.saturating_sub(*n);
            }
        }
        self.gres.retain(|_, n| *n > 0);
    }

    fn gres_of(&self, name: &str) -> u64 {
        self.gres.get(name).copied().unwrap_or(0)
    }
}

/// The words for one kind of limit on each resource.
struct Words {
    cpus: PendingReason,
    mem: PendingReason,
    nodes: PendingReason,
    gres: PendingReason,
}

const PER_USER: Words = Words {
    cpus: PendingReason::QOSMaxCpuPerUserLimit,
    mem: PendingReason::QOSMaxMemoryPerUser,
    nodes: PendingReason::QOSMaxNodePerUserLimit,
    gres: PendingReason::QOSMaxGRESPerUser,
};
const PER_JOB: Words = Words {
    cpus: PendingReason::QOSMaxCpuPerJobLimit,
    mem: PendingReason::QOSMaxMemoryPerJob,
    nodes: PendingReason::QOSMaxNodePerJobLimit,
    gres: PendingReason::QOSMaxGRESPerJob,
};
const GROUP: Words = Words {
    cpus: PendingReason::QOSGrpCpuLimit,
    mem: PendingReason::QOSGrpMemLimit,
    nodes: PendingReason::QOSGrpNodeLimit,
    gres: PendingReason::QOSGrpGRES,
};

fn above(limit: &TresLimit, have: &Use, want: &Use, words: &Words) -> Option<PendingReason> {
    let over =
        |limit: Option<u64>, have: u64, want: u64| limit.is_some_and(|l| have.saturating_add(want) > l);
    if over(limit.cpus, have.cpus, want.cpus) {
        Some(words.cpus)
    } else if over(limit.mem_mb, have.mem_mb, want.mem_mb) {
        Some(words.mem)
    } else if over(limit.nodes, have.nodes, want.nodes) {
        Some(words.nodes)
    } else if limit.gres.iter().any(|(name, l)| over(Some(*l), have.gres_of(name), want.gres_of(name))) {
        Some(words.gres)
    } else {
        None
    }
}

/// A job's QoS in a partition with a QoS of its own: what that one limits, this one does not.
pub fn below(own: &QosConfig, partition: &QosConfig) -> QosConfig {
    let tres = |own: &TresLimit, first: &TresLimit| TresLimit {
        cpus: own.cpus.filter(|_| first.cpus.is_none()),
        mem_mb: own.mem_mb.filter(|_| first.mem_mb.is_none()),
        nodes: own.nodes.filter(|_| first.nodes.is_none()),
        gres: own
            .gres
            .iter()
            .filter(|(name, _)| !first.gres.iter().any(|(n, _)| n == name))
            .cloned()
            .collect(),
    };
    QosConfig {
        name: own.name.clone(),
        priority: own.priority,
        max_wall: own.max_wall.filter(|_| partition.max_wall.is_none()),
        max_jobs_per_user: own.max_jobs_per_user.filter(|_| partition.max_jobs_per_user.is_none()),
        max_submit_per_user: own.max_submit_per_user.filter(|_| partition.max_submit_per_user.is_none()),
        max_per_user: tres(&own.max_per_user, &partition.max_per_user),
        max_per_job: tres(&own.max_per_job, &partition.max_per_job),
        min_per_job: tres(&own.min_per_job, &partition.min_per_job),
        grp: tres(&own.grp, &partition.grp),
        grp_jobs: own.grp_jobs.filter(|_| partition.grp_jobs.is_none()),
    }
}

/// The limit of the QoS that blocks a job of this size now, with what the QoS and the user in it use already.
pub fn blocking(qos: &QosConfig, group: &Use, user: &Use, want: &Use) -> Option<PendingReason> {
    if qos.grp_jobs.is_some_and(|l| group.jobs + want.jobs > u64::from(l)) {
        return Some(PendingReason::QOSGrpJobsLimit);
    }
    if let Some(reason) = above(&qos.grp, group, want, &GROUP) {
        return Some(reason);
    }
    if qos.max_jobs_per_user.is_some_and(|l| user.jobs + want.jobs > u64::from(l)) {
        return Some(PendingReason::QOSMaxJobsPerUserLimit);
    }
    above(&qos.max_per_user, user, want, &PER_USER)
        .or_else(|| above(&qos.max_per_job, &Use::default(), want, &PER_JOB))
}

/// The limit of the QoS that the job alone can never meet.
pub fn never(qos: &QosConfig, limit: TimeLimit, least: &Use) -> Option<PendingReason> {
    if qos.max_wall.is_some_and(|max| limit > max) {
        return Some(PendingReason::QOSMaxWallDurationPerJobLimit);
    }
    let min = &qos.min_per_job;
    let under = |limit: Option<u64>, want: u64| limit.is_some_and(|l| want < l);
    if under(min.cpus, least.cpus) {
        return Some(PendingReason::QOSMinCpuNotSatisfied);
    }
    if under(min.mem_mb, least.mem_mb) {
        return Some(PendingReason::QOSMinMemory);
    }
    if min.gres.iter().any(|(name, l)| least.gres_of(name) < *l) {
        return Some(PendingReason::QOSMinGRES);
    }
    let nothing = Use::default();
    above(&qos.max_per_job, &nothing, least, &PER_JOB)
        .or_else(|| above(&qos.max_per_user, &nothing, least, &PER_USER))
        .or_else(|| above(&qos.grp, &nothing, least, &GROUP))
}
