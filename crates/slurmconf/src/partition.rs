//! `PartitionName=` lines.

use crate::Build;
use crate::entry::Entry;
use crate::values::{self, limit, time, words, words_or_all};
use bivouac_types::config::{NodeConfig, PartitionConfig, PartitionState};
use std::collections::{BTreeMap, BTreeSet};

/// The cluster's memory defaults, which a partition's stand above.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    pub def_per_cpu: Option<u64>,
    pub def_per_node: Option<u64>,
    pub max_per_cpu: Option<u64>,
    pub max_per_node: Option<u64>,
}

impl Build {
    /// The partitions of a line (its name may be a hostlist).
    pub(crate) fn partitions(
        &mut self,
        entry: &Entry,
        nodes: &[NodeConfig],
        sets: &BTreeMap<String, Vec<String>>,
        memory: Memory,
    ) -> Vec<PartitionConfig> {
        let given = entry.get("PartitionName").unwrap_or_default();
        let names = match values::hosts(given) {
            Ok(names) => names,
            Err(e) => {
                self.problem(&entry.place, e);
                return Vec::new();
            }
        };
        let number = |build: &mut Build, key| entry.read(build, key, limit).flatten();
        let small = |build: &mut Build, key| number(build, key).map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        let priority = |build: &mut Build, key| {
            let n: u32 = entry.count(build, key).unwrap_or(1);
            if n > 65_533 {
                build.problem(&entry.place, format!("{key}={n} is above 65533"));
            }
            n
        };
        let default_time = entry.read(self, "DefaultTime", time);
        let max_time = entry.read(self, "MaxTime", time);
        let mut own = PartitionConfig {
            nodes: self.members(entry, nodes, sets),
            default: entry.yes(self, "Default"),
            default_time,
            max_time: max_time.unwrap_or(bivouac_types::TimeLimit::Unlimited),
            min_nodes: entry.count(self, "MinNodes").unwrap_or(0),
            max_nodes: small(self, "MaxNodes"),
            max_cpus_per_node: small(self, "MaxCPUsPerNode"),
            def_mem_per_cpu_mb: number(self, "DefMemPerCPU"),
            def_mem_per_node_mb: number(self, "DefMemPerNode"),
            max_mem_per_cpu_mb: number(self, "MaxMemPerCPU"),
            max_mem_per_node_mb: number(self, "MaxMemPerNode"),
            allow_qos: entry.get("AllowQos").map(words_or_all).unwrap_or_default(),
            deny_qos: entry.get("DenyQos").map(words).unwrap_or_default(),
            allow_accounts: entry.get("AllowAccounts").map(words_or_all).unwrap_or_default(),
            deny_accounts: entry.get("DenyAccounts").map(words).unwrap_or_default(),
            allow_groups: entry.get("AllowGroups").map(words_or_all).unwrap_or_default(),
            alloc_nodes: entry.get("AllocNodes").map(words_or_all).unwrap_or_default(),
            priority_tier: priority(self, "PriorityTier"),
            priority_job_factor: priority(self, "PriorityJobFactor"),
            billing: entry.get("TRESBillingWeights").map(str::to_owned),
            state: entry.read(self, "State", state).unwrap_or_default(),
            qos: entry.get("QOS").map(str::to_owned),
            alternate: entry.get("Alternate").map(str::to_owned),
            hidden: entry.yes(self, "Hidden"),
            exclusive_user: entry.yes(self, "ExclusiveUser"),
            root_only: entry.yes(self, "RootOnly"),
            disable_root_jobs: entry.yes(self, "DisableRootJobs"),
            over_subscribe: self.over_subscribe(entry),
            over_time_limit: entry.read(self, "OverTimeLimit", time),
            job_defaults: ["DefCpuPerGPU", "DefMemPerGPU"]
                .into_iter()
                .filter_map(|key| Some((key.to_owned(), entry.count::<u64>(self, key).filter(|n| *n > 0)?)))
                .collect(),
            grace_time: entry.count(self, "GraceTime").unwrap_or(0),
            ..PartitionConfig::default()
        };
        own.drop_high_default();
        let own = with_memory(own, memory);
        names.into_iter().map(|name| PartitionConfig { name, ..own.clone() }).collect()
    }

    fn members(
        &mut self,
        entry: &Entry,
        nodes: &[NodeConfig],
        sets: &BTreeMap<String, Vec<String>>,
    ) -> Vec<String> {
        let Some(text) = entry.get("Nodes").filter(|t| *t != "(null)") else { return Vec::new() };
        let names = match values::hosts(text) {
            Ok(names) => names,
            Err(e) => {
                self.problem(&entry.place, e);
                return Vec::new();
            }
        };
        let known: BTreeSet<&str> = nodes.iter().map(|n| n.name.as_str()).collect();
        let mut members: Vec<String> = Vec::new();
        for name in names {
            if name.eq_ignore_ascii_case("all") {
                members.extend(nodes.iter().map(|n| n.name.clone()));
            } else if let Some(set) = sets.get(&name) {
                members.extend(set.iter().cloned());
            } else if known.contains(name.as_str()) {
                members.push(name);
            } else {
                self.problem(&entry.place, format!("node {name} does not exist"));
            }
        }
        let mut seen = BTreeSet::new();
        members.retain(|n| seen.insert(n.clone()));
        members
    }

    /// OverSubscribe, formerly Shared: jobs never share CPUs here, and so FORCE is refused.
    fn over_subscribe(&mut self, entry: &Entry) -> Option<String> {
        let text = entry.get("OverSubscribe")?;
        let upper = text.to_ascii_uppercase();
        let (word, count) = upper.split_once(':').unwrap_or((&upper, ""));
        if !count.is_empty() && count.parse::<u32>().is_err() {
            self.problem(&entry.place, format!("OverSubscribe value \"{text}\" is not valid"));
            return None;
        }
        match (word, count) {
            ("NO", "") => None,
            ("EXCLUSIVE", "") => Some("EXCLUSIVE".into()),
            ("YES", "") => Some("YES:4".into()),
            ("YES" | "FORCE", "1") => Some(upper.clone()),
            ("YES", _) => Some(upper.clone()),
            ("FORCE", _) => {
                let text = format!(
                    "OverSubscribe={text} is not available here: jobs do not share CPUs; use FORCE:1 or NO"
                );
                self.problem(&entry.place, text);
                None
            }
            _ => {
                self.problem(&entry.place, format!("OverSubscribe value \"{text}\" is not valid"));
                None
            }
        }
    }
}

/// Per CPU and per node are one setting in Slurm: the partition's replaces the cluster's.
fn with_memory(mut p: PartitionConfig, memory: Memory) -> PartitionConfig {
    if p.def_mem_per_cpu_mb.is_none() && p.def_mem_per_node_mb.is_none() {
        (p.def_mem_per_cpu_mb, p.def_mem_per_node_mb) = (memory.def_per_cpu, memory.def_per_node);
        p.inherits_def_mem = true;
    }
    if p.max_mem_per_cpu_mb.is_none() && p.max_mem_per_node_mb.is_none() {
        (p.max_mem_per_cpu_mb, p.max_mem_per_node_mb) = (memory.max_per_cpu, memory.max_per_node);
        p.inherits_max_mem = true;
    }
    p
}

fn state(text: &str) -> Option<PartitionState> {
    Some(match text.to_ascii_uppercase().as_str() {
        "UP" => PartitionState::Up,
        "DOWN" => PartitionState::Down,
        "DRAIN" => PartitionState::Drain,
        "INACTIVE" => PartitionState::Inactive,
        _ => return None,
    })
}
