//! scontrol show partition.

use super::Form;
use crate::settings::Settings;
use crate::tres::{Tres, billing, configured};
use bivouac_types::TimeLimit;
use bivouac_types::config::PartitionConfig;
use bivouac_types::hostlist::compress;
use bivouac_types::info::{NodeInfo, PartitionInfo};

/// The record of a partition; `nodes` are all nodes of the cluster.
pub fn show_partition(partition: &PartitionInfo, nodes: &[NodeInfo], form: Form, s: &Settings) -> String {
    let config = &partition.config;
    let own: Vec<&NodeInfo> = nodes.iter().filter(|n| config.nodes.contains(&n.config.name)).collect();
    let yes = |b: bool| if b { "YES" } else { "NO" };
    let most = |n: Option<u32>| n.map_or("UNLIMITED".to_owned(), |n| n.to_string());
    let alternate = config.alternate.as_ref().map_or(String::new(), |name| format!("Alternate={name} "));
    let bind = config.cpu_bind.as_ref().map_or(String::new(), |mode| format!("CpuBind={mode}  "));
    let mut lines = vec![
        format!("PartitionName={}", config.name),
        format!(
            "AllowGroups={} {} {}",
            all_or(&config.allow_groups),
            access("Accounts", &config.allow_accounts, &config.deny_accounts),
            access("Qos", &config.allow_qos, &config.deny_qos)
        ),
        format!(
            "AllocNodes={} {alternate}Default={} {bind}QoS={}",
            all_or(&config.alloc_nodes),
            yes(config.default),
            config.qos.as_deref().unwrap_or("N/A")
        ),
        format!(
            "DefaultTime={} DisableRootJobs={} ExclusiveUser={} GraceTime={} Hidden={}",
            config.default_time.map_or("NONE".to_owned(), |t| t.to_string()),
            yes(config.disable_root_jobs),
            yes(config.exclusive_user),
            config.grace_time,
            yes(config.hidden)
        ),
        format!(
            "MaxNodes={} MaxTime={} MinNodes={} LLN={} MaxCPUsPerNode={}",
            most(config.max_nodes),
            config.max_time,
            config.min_nodes,
            yes(config.least_loaded),
            most(config.max_cpus_per_node)
        ),
        format!("Nodes={}", names(config)),
        format!(
            "PriorityJobFactor={} PriorityTier={} RootOnly={} ReqResv={} OverSubscribe={}",
            config.priority_job_factor,
            config.priority_tier,
            yes(config.root_only),
            yes(config.require_reservation),
            over_subscribe(config)
        ),
        format!(
            "OverTimeLimit={} PreemptMode={}",
            match config.over_time_limit {
                None => "NONE".to_owned(),
                Some(TimeLimit::Unlimited) => "UNLIMITED".to_owned(),
                Some(TimeLimit::Minutes(minutes)) => minutes.to_string(),
            },
            preempt_mode(config)
        ),
        format!(
            "State={} TotalCPUs={} TotalNodes={} SelectTypeParameters=NONE",
            config.state.name(),
            partition.total_cpus,
            config.nodes.len()
        ),
        format!("JobDefaults={}", job_defaults(config)),
        memory(config),
        format!("TRES={}", tres(partition, &own, s)),
    ];
    lines.extend(config.billing.as_ref().map(|weights| format!("TRESBillingWeights={weights}")));
    form.record(&lines)
}

/// Names, or ALL where there is no restriction.
fn all_or(list: &[String]) -> String {
    if list.is_empty() { "ALL".to_owned() } else { list.join(",") }
}

/// `AllowQos=ALL`, `AllowQos=a,b` or `DenyQos=c`.
pub(super) fn access(what: &str, allowed: &[String], denied: &[String]) -> String {
    match (allowed.is_empty(), denied.is_empty()) {
        (true, false) => format!("Deny{what}={}", denied.join(",")),
        _ => format!("Allow{what}={}", all_or(allowed)),
    }
}

fn names(config: &PartitionConfig) -> String {
    match config.nodes.is_empty() {
        true => "(null)".to_owned(),
        false => compress(config.nodes.iter().map(String::as_str)),
    }
}

/// OverSubscribe as sinfo shows it too.
pub(crate) fn over_subscribe(config: &PartitionConfig) -> &str {
    config.over_subscribe.as_deref().unwrap_or("NO")
}

/// PreemptMode as sinfo shows it too.
pub(crate) fn preempt_mode(config: &PartitionConfig) -> &str {
    config.preempt_mode.as_deref().unwrap_or("OFF")
}

fn job_defaults(config: &PartitionConfig) -> String {
    let list: Vec<String> = config.job_defaults.iter().map(|(key, value)| format!("{key}={value}")).collect();
    if list.is_empty() { "(null)".to_owned() } else { list.join(",") }
}

fn memory(config: &PartitionConfig) -> String {
    // What the partition has from the cluster is not its own.
    let value = |inherits: bool, per_cpu: Option<u64>, per_node: Option<u64>| match (per_cpu, per_node) {
        (Some(mb), _) if !inherits => format!("CPU={mb}"),
        (None, Some(mb)) if !inherits => format!("Node={mb}"),
        _ => "Node=UNLIMITED".to_owned(),
    };
    format!(
        "DefMemPer{} MaxMemPer{}",
        value(config.inherits_def_mem, config.def_mem_per_cpu_mb, config.def_mem_per_node_mb),
        value(config.inherits_max_mem, config.max_mem_per_cpu_mb, config.max_mem_per_node_mb)
    )
}

fn tres(partition: &PartitionInfo, own: &[&NodeInfo], s: &Settings) -> String {
    if own.is_empty() {
        return "(null)".to_owned();
    }
    let mut all = Tres {
        cpus: partition.total_cpus,
        mem_mb: own.iter().map(|n| n.config.memory_mb).sum(),
        nodes: own.len() as u32,
        billing: None,
        gres: configured(own.iter().flat_map(|n| &n.config.gres)),
    };
    all.billing = Some(billing(partition.config.billing.as_deref(), &all));
    let mut out = String::new();
    all.write(&mut out, s);
    out
}
