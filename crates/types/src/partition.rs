//! What operators change of partitions while the cluster runs.

use crate::config::{PartitionConfig, PartitionState};
use crate::time::TimeLimit;
use serde::{Deserialize, Serialize};
use std::mem::discriminant;

/// One change of a partition by scontrol. Lists that are empty stand for ALL where they allow something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartitionChange {
    /// State.
    State(PartitionState),
    /// Nodes; none is allowed.
    Nodes(Vec<String>),
    /// Default.
    Default(bool),
    /// DefaultTime; none: as MaxTime.
    DefaultTime(Option<TimeLimit>),
    /// MaxTime.
    MaxTime(TimeLimit),
    /// MinNodes.
    MinNodes(u32),
    /// MaxNodes; none: unlimited.
    MaxNodes(Option<u32>),
    /// MaxCPUsPerNode; none: unlimited.
    MaxCpusPerNode(Option<u32>),
    /// DefMemPerCPU in MiB, instead of DefMemPerNode.
    DefMemPerCpu(Option<u64>),
    /// DefMemPerNode in MiB, instead of DefMemPerCPU.
    DefMemPerNode(Option<u64>),
    /// MaxMemPerCPU in MiB, instead of MaxMemPerNode.
    MaxMemPerCpu(Option<u64>),
    /// MaxMemPerNode in MiB, instead of MaxMemPerCPU.
    MaxMemPerNode(Option<u64>),
    /// AllowAccounts.
    AllowAccounts(Vec<String>),
    /// DenyAccounts.
    DenyAccounts(Vec<String>),
    /// AllowQos.
    AllowQos(Vec<String>),
    /// DenyQos.
    DenyQos(Vec<String>),
    /// AllowGroups.
    AllowGroups(Vec<String>),
    /// AllocNodes.
    AllocNodes(Vec<String>),
    /// QOS.
    Qos(Option<String>),
    /// Alternate.
    Alternate(Option<String>),
    /// Hidden.
    Hidden(bool),
    /// RootOnly.
    RootOnly(bool),
    /// DisableRootJobs.
    DisableRootJobs(bool),
    /// ReqResv.
    RequireReservation(bool),
    /// ExclusiveUser.
    ExclusiveUser(bool),
    /// LLN.
    LeastLoaded(bool),
    /// OverSubscribe as it is shown; none: NO.
    OverSubscribe(Option<String>),
    /// OverTimeLimit in minutes; none: the cluster's.
    OverTimeLimit(Option<TimeLimit>),
    /// GraceTime in seconds.
    GraceTime(u32),
    /// PreemptMode; none: the cluster's.
    PreemptMode(Option<String>),
    /// JobDefaults.
    JobDefaults(Vec<(String, u64)>),
    /// CpuBind as it is shown; none: taken away.
    CpuBind(Option<String>),
    /// TRESBillingWeights.
    Billing(Option<String>),
    /// PriorityTier.
    PriorityTier(u32),
    /// PriorityJobFactor.
    PriorityJobFactor(u32),
}

impl PartitionChange {
    /// Makes the change.
    pub fn apply(&self, p: &mut PartitionConfig) {
        use PartitionChange as C;
        p.inherits_def_mem &= !matches!(self, C::DefMemPerCpu(_) | C::DefMemPerNode(_));
        p.inherits_max_mem &= !matches!(self, C::MaxMemPerCpu(_) | C::MaxMemPerNode(_));
        match self.clone() {
            C::State(state) => p.state = state,
            C::Nodes(nodes) => p.nodes = nodes,
            C::Default(default) => p.default = default,
            C::DefaultTime(time) => p.default_time = time,
            C::MaxTime(time) => p.max_time = time,
            C::MinNodes(nodes) => p.min_nodes = nodes,
            C::MaxNodes(nodes) => p.max_nodes = nodes,
            C::MaxCpusPerNode(cpus) => p.max_cpus_per_node = cpus,
            C::DefMemPerCpu(mb) => (p.def_mem_per_cpu_mb, p.def_mem_per_node_mb) = (mb, None),
            C::DefMemPerNode(mb) => (p.def_mem_per_node_mb, p.def_mem_per_cpu_mb) = (mb, None),
            C::MaxMemPerCpu(mb) => (p.max_mem_per_cpu_mb, p.max_mem_per_node_mb) = (mb, None),
            C::MaxMemPerNode(mb) => (p.max_mem_per_node_mb, p.max_mem_per_cpu_mb) = (mb, None),
            C::AllowAccounts(names) => (p.allow_accounts, p.deny_accounts) = (names, Vec::new()),
            C::DenyAccounts(names) => p.deny_accounts = names,
            C::AllowQos(names) => (p.allow_qos, p.deny_qos) = (names, Vec::new()),
            C::DenyQos(names) => p.deny_qos = names,
            C::AllowGroups(names) => p.allow_groups = names,
            C::AllocNodes(names) => p.alloc_nodes = names,
            C::Qos(name) => p.qos = name,
            C::Alternate(name) => p.alternate = name,
            C::Hidden(yes) => p.hidden = yes,
            C::RootOnly(yes) => p.root_only = yes,
            C::DisableRootJobs(yes) => p.disable_root_jobs = yes,
            C::RequireReservation(yes) => p.require_reservation = yes,
            C::ExclusiveUser(yes) => p.exclusive_user = yes,
            C::LeastLoaded(yes) => p.least_loaded = yes,
            C::OverSubscribe(text) => p.over_subscribe = text,
            C::OverTimeLimit(limit) => p.over_time_limit = limit,
            C::GraceTime(seconds) => p.grace_time = seconds,
            C::PreemptMode(mode) => p.preempt_mode = mode,
            C::JobDefaults(list) => p.job_defaults = list,
            C::CpuBind(mode) => p.cpu_bind = mode,
            C::Billing(weights) => p.billing = weights,
            C::PriorityTier(tier) => p.priority_tier = tier,
            C::PriorityJobFactor(factor) => p.priority_job_factor = factor,
        }
    }
}

/// What operators made of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PartitionRecord {
    /// PartitionName.
    pub name: String,
    /// Whether it is there: created or changed, or deleted.
    pub origin: PartitionOrigin,
    /// What was changed, the last change of each field.
    pub changes: Vec<PartitionChange>,
}

/// Where a partition comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartitionOrigin {
    /// The configuration has it.
    #[default]
    Configured,
    /// scontrol created it.
    Created,
    /// scontrol deleted it.
    Deleted,
}

impl PartitionRecord {
    /// Adds a change, which replaces an earlier one of the same field.
    pub fn change(&mut self, change: PartitionChange) {
        self.changes.retain(|c| discriminant(c) != discriminant(&change));
        self.changes.push(change);
    }

    /// Brings the list of partitions up to date; `cluster` has what the cluster says for partitions that say nothing.
    pub fn apply(&self, partitions: &mut Vec<PartitionConfig>, cluster: &PartitionConfig) {
        if self.origin != PartitionOrigin::Configured {
            partitions.retain(|p| p.name != self.name);
        }
        if self.origin == PartitionOrigin::Created {
            // What scontrol creates has MinNodes=1, what slurm.conf defines has 0.
            let name = self.name.clone();
            partitions.push(PartitionConfig { name, min_nodes: 1, ..cluster.clone() });
        }
        // One that the configuration does not have any more is left out.
        if let Some(partition) = partitions.iter_mut().find(|p| p.name == self.name) {
            self.changes.iter().for_each(|change| change.apply(partition));
            partition.drop_high_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_make_change_and_remove_partitions() {
        let named = |name: &str| PartitionConfig { name: name.into(), ..PartitionConfig::default() };
        let mut record = PartitionRecord { name: "a".into(), ..PartitionRecord::default() };
        record.change(PartitionChange::MaxTime(TimeLimit::Minutes(5)));
        record.change(PartitionChange::DefMemPerNode(Some(7)));
        record.change(PartitionChange::MaxTime(TimeLimit::Minutes(6)));
        assert_eq!(record.changes.len(), 2);

        let mut partitions = vec![named("a"), named("b")];
        partitions[0].def_mem_per_cpu_mb = Some(1);
        record.apply(&mut partitions, &PartitionConfig::default());
        assert_eq!(partitions[0].max_time, TimeLimit::Minutes(6));
        assert_eq!((partitions[0].def_mem_per_cpu_mb, partitions[0].def_mem_per_node_mb), (None, Some(7)));

        record.name = "gone".into();
        record.apply(&mut partitions, &PartitionConfig::default());
        assert_eq!(partitions.len(), 2);
        record.origin = PartitionOrigin::Created;
        record.apply(&mut partitions, &PartitionConfig::default());
        assert_eq!((partitions[2].name.as_str(), partitions[2].min_nodes), ("gone", 1));
        record.origin = PartitionOrigin::Deleted;
        record.apply(&mut partitions, &PartitionConfig::default());
        assert_eq!(partitions.len(), 2);
    }
}
