//! scontrol show partition.

use super::Form;
use crate::settings::Settings;
use crate::tres::{Tres, configured};
use bivouac_types::TimeLimit;
use bivouac_types::info::{NodeInfo, PartitionInfo};

/// The record of a partition; `nodes` are all nodes of the cluster.
pub fn show_partition(partition: &PartitionInfo, nodes: &[NodeInfo], form: Form, s: &Settings) -> String {
    let config = &partition.config;
    let own: Vec<&NodeInfo> = nodes.iter().filter(|n| config.nodes.contains(&n.config.name)).collect();
    let yes = |b: bool| if b { "YES" } else { "NO" };
    let most = |n: Option<u32>| n.map_or("UNLIMITED".to_owned(), |n| n.to_string());
    let qos = if config.allow_qos.is_empty() { "ALL".to_owned() } else { config.allow_qos.join(",") };
    let default_time = config.default_time.map_or("NONE".to_owned(), |t: TimeLimit| t.to_string());
    let default_mem = match config.def_mem_per_cpu_mb {
        Some(mb) => format!("DefMemPerCPU={mb}"),
        None => "DefMemPerNode=UNLIMITED".to_owned(),
    };
    let max_mem = config.max_mem_per_node_mb.map_or("UNLIMITED".to_owned(), |mb| mb.to_string());
    let all = Tres {
        cpus: partition.total_cpus,
        mem_mb: own.iter().map(|n| n.config.memory_mb).sum(),
        nodes: config.nodes.len() as u32,
        billing: Some(partition.total_cpus),
        gres: configured(own.iter().flat_map(|n| &n.config.gres)),
    };
    let mut tres = String::new();
    all.write(&mut tres, s);
    form.record(&[
        format!("PartitionName={}", config.name),
        format!("AllowGroups=ALL AllowAccounts=ALL AllowQos={qos}"),
        format!("AllocNodes=ALL Default={} QoS=N/A", yes(config.default)),
        format!("DefaultTime={default_time} DisableRootJobs=NO ExclusiveUser=NO GraceTime=0 Hidden=NO"),
        format!(
            "MaxNodes={} MaxTime={} MinNodes={} LLN=NO MaxCPUsPerNode={}",
            most(config.max_nodes),
            config.max_time,
            config.min_nodes,
            most(config.max_cpus_per_node)
        ),
        format!("Nodes={}", bivouac_types::hostlist::compress(config.nodes.iter().map(String::as_str))),
        format!(
            "PriorityJobFactor={} PriorityTier={} RootOnly=NO ReqResv=NO OverSubscribe=NO",
            config.priority_job_factor, config.priority_tier
        ),
        "OverTimeLimit=NONE PreemptMode=OFF".to_owned(),
        format!(
            "State=UP TotalCPUs={} TotalNodes={} SelectTypeParameters=NONE",
            partition.total_cpus,
            config.nodes.len()
        ),
        "JobDefaults=(null)".to_owned(),
        format!("{default_mem} MaxMemPerNode={max_mem}"),
        format!("TRES={tres}"),
    ])
}
