//! scontrol write config: the configuration in force as a slurm.conf, in the form and with the keys of Slurm's.

use super::config::{Running, lines, time};
use super::partition::{access, over_subscribe};
use crate::settings::Settings;
use crate::sinfo::write_gres;
use bivouac_types::TimeLimit;
use bivouac_types::config::{ClusterConfig, NodeConfig, PartitionConfig};
use bivouac_types::hostlist::compress;
use bivouac_types::info::{NodeInfo, PartitionInfo};

/// The parts of the file, and the keys that stand in each; the last takes what is left.
const PARTS: [(&str, &[&str]); 12] = [
    ("CONTROL", &["ClusterName", "SlurmUser", "SlurmctldHost", "SlurmctldPort", "SlurmdPort", "SlurmdUser"]),
    (
        "LOGGING & OTHER PATHS",
        &[
            "SlurmctldLogFile",
            "SlurmdLogFile",
            "SlurmdPidFile",
            "SlurmdSpoolDir",
            "SlurmSchedLogFile",
            "SlurmctldPidFile",
            "StateSaveLocation",
        ],
    ),
    (
        "ACCOUNTING",
        &[
            "AccountingStorageBackupHost",
            "AccountingStorageEnforce",
            "AccountingStorageHost",
            "AccountingStoragePort",
            "AccountingStorageType",
            "AccountingStorageUser",
            "AccountingStoreFlags",
            "AcctGatherEnergyType",
            "AcctGatherFilesystemType",
            "AcctGatherInterconnectType",
            "AcctGatherNodeFreq",
            "AcctGatherProfileType",
            "ExtSensorsType",
            "ExtSensorsFreq",
            "JobAcctGatherFrequency",
            "JobAcctGatherType",
        ],
    ),
    (
        "SCHEDULING & ALLOCATION",
        &[
            "PreemptMode",
            "PreemptType",
            "PreemptExemptTime",
            "PriorityType",
            "SchedulerParameters",
            "SchedulerTimeSlice",
            "SchedulerType",
            "SelectType",
            "SelectTypeParameters",
            "SlurmSchedLogLevel",
        ],
    ),
    ("TOPOLOGY", &["TopologyPlugin"]),
    (
        "TIMERS",
        &[
            "BatchStartTimeout",
            "CompleteWait",
            "EpilogMsgTime",
            "GetEnvTimeout",
            "InactiveLimit",
            "KillWait",
            "MinJobAge",
            "SlurmctldTimeout",
            "SlurmdTimeout",
            "WaitTime",
        ],
    ),
    (
        "POWER",
        &[
            "ResumeProgram",
            "ResumeRate",
            "ResumeTimeout",
            "SuspendExcNodes",
            "SuspendExcParts",
            "SuspendProgram",
            "SuspendRate",
            "SuspendTime",
            "SuspendTimeout",
        ],
    ),
    ("DEBUG", &["DebugFlags", "SlurmctldDebug", "SlurmdDebug"]),
    ("EPILOG & PROLOG", &["Epilog", "Prolog", "SrunEpilog", "SrunProlog", "TaskEpilog", "TaskProlog"]),
    ("PROCESS TRACKING", &["ProctrackType"]),
    ("RESOURCE CONFINEMENT", &["TaskPlugin", "TaskPluginParam"]),
    ("OTHER", &[]),
];

/// The file's text.
pub fn written_config(
    config: &ClusterConfig,
    running: &Running,
    nodes: &[NodeInfo],
    partitions: &[PartitionInfo],
    s: &Settings,
) -> String {
    let frame = "#".repeat(56);
    let mut text =
        format!("{frame}\n#  Configuration file for Slurm - {}  #\n{frame}\n#\n#\n", time(s.now, s));
    let keys: Vec<(String, String)> = lines(config, running, s)
        .0
        .into_iter()
        .filter(|(key, _)| key.chars().any(|c| c.is_ascii_lowercase()))
        .map(|(key, value)| (key.split('[').next().unwrap_or_default().to_owned(), value))
        .collect();
    for (title, own) in PARTS {
        head(&mut text, title);
        let is_here = |key: &str| match own.is_empty() {
            true => !PARTS.iter().any(|(_, keys)| keys.contains(&key)),
            false => own.contains(&key),
        };
        for (key, value) in keys.iter().filter(|(key, _)| is_here(key)) {
            match bare(key, value) {
                Some(value) => text.push_str(&format!("{key}={value}\n")),
                None => text.push_str(&format!("#{key}=\n")),
            }
        }
    }
    head(&mut text, "NODES");
    nodes.iter().rev().for_each(|node| text.push_str(&node_line(&node.config)));
    head(&mut text, "PARTITIONS");
    partitions.iter().for_each(|partition| text.push_str(&partition_line(&partition.config)));
    text
}

fn head(text: &mut String, title: &str) {
    let frame = "#".repeat(48);
    text.push_str(&format!("#\n{frame}\n#{title:^46}#\n{frame}\n"));
}

/// The value without its unit, or the number behind a user's or a host's name; none: it is not set.
fn bare<'a>(key: &str, value: &'a str) -> Option<&'a str> {
    let value = match key {
        "SlurmUser" | "SlurmdUser" | "SlurmctldHost" => value.split('(').next().unwrap_or_default(),
        _ => value,
    };
    let unset = value.starts_with("(null") || (key, value) == ("CpuFreqDef", "Unknown");
    let value = value.split(' ').next().filter(|v| !v.is_empty() && !unset)?;
    // What a database keeps to itself is not said here either.
    (value != "N/A").then_some(value)
}

fn node_line(node: &NodeConfig) -> String {
    let mut line = format!("NodeName={}", node.name);
    let mut say = |key: &str, value: &str| line.push_str(&format!(" {key}={value}"));
    if let Some(host) = node.hostname.as_deref().filter(|h| **h != node.name) {
        say("NodeHostName", host);
    }
    if let Some(address) = node.address.as_deref().filter(|a| **a != node.name) {
        say("NodeAddr", address);
    }
    say("Sockets", &node.sockets.to_string());
    say("CoresPerSocket", &node.cores_per_socket.to_string());
    say("ThreadsPerCore", &node.threads_per_core.to_string());
    if !node.gres.is_empty() {
        let mut gres = String::new();
        write_gres(node, &mut gres);
        say("Gres", &gres);
    }
    say("RealMemory", &node.memory_mb.to_string());
    if node.tmp_disk_mb > 0 {
        say("TmpDisk", &node.tmp_disk_mb.to_string());
    }
    if node.weight != 1 {
        say("Weight", &node.weight.to_string());
    }
    if !node.features.is_empty() {
        say("Feature", &node.features.join(","));
    }
    if let Some(port) = node.port {
        say("Port", &port.to_string());
    }
    line.push('\n');
    line
}

/// What is not as by default, in the order of the names.
fn partition_line(p: &PartitionConfig) -> String {
    let list = |names: &[String]| Some(names.join(",")).filter(|text| !text.is_empty());
    let yes = |is: bool| is.then(|| "YES".to_owned());
    let number = |n: u64, default: u64| (n != default).then(|| n.to_string());
    let most = |n: Option<u32>| n.map(|n| n.to_string());
    let memory = |mb: Option<u64>, inherits: bool| mb.filter(|_| !inherits).map(|mb| mb.to_string());
    let allow = |what, allowed: &[String], denied: &[String]| {
        let text = access(what, allowed, denied);
        let (key, value) = text.split_once('=')?;
        (value != "ALL").then(|| (key.to_owned(), value.to_owned()))
    };
    let (accounts, qos) =
        (allow("Accounts", &p.allow_accounts, &p.deny_accounts), allow("Qos", &p.allow_qos, &p.deny_qos));
    let of = |pair: &Option<(String, String)>, key: &str| {
        pair.as_ref().filter(|(name, _)| name == key).map(|(_, value)| value.clone())
    };
    let keys = [
        ("AllocNodes", list(&p.alloc_nodes)),
        ("AllowAccounts", of(&accounts, "AllowAccounts")),
        ("AllowGroups", list(&p.allow_groups)),
        ("AllowQos", of(&qos, "AllowQos")),
        ("Alternate", p.alternate.clone()),
        ("Default", yes(p.default)),
        ("DefMemPerCPU", memory(p.def_mem_per_cpu_mb, p.inherits_def_mem)),
        ("DefMemPerNode", memory(p.def_mem_per_node_mb, p.inherits_def_mem)),
        ("DefaultTime", p.default_time.map(|t| t.to_string())),
        ("DenyAccounts", of(&accounts, "DenyAccounts")),
        ("DenyQos", of(&qos, "DenyQos")),
        ("DisableRootJobs", yes(p.disable_root_jobs)),
        ("ExclusiveUser", yes(p.exclusive_user)),
        ("GraceTime", number(p.grace_time.into(), 0)),
        ("Hidden", yes(p.hidden)),
        ("LLN", yes(p.least_loaded)),
        ("MaxCPUsPerNode", most(p.max_cpus_per_node)),
        ("MaxMemPerCPU", memory(p.max_mem_per_cpu_mb, p.inherits_max_mem)),
        ("MaxMemPerNode", memory(p.max_mem_per_node_mb, p.inherits_max_mem)),
        ("MaxNodes", most(p.max_nodes)),
        ("MaxTime", Some(p.max_time).filter(|t| *t != TimeLimit::Unlimited).map(|t| t.to_string())),
        ("MinNodes", number(p.min_nodes.into(), 1)),
        ("Nodes", Some(compress(p.nodes.iter().map(String::as_str))).filter(|text| !text.is_empty())),
        ("PreemptMode", p.preempt_mode.clone()),
        ("PriorityJobFactor", number(p.priority_job_factor.into(), 1)),
        ("PriorityTier", number(p.priority_tier.into(), 1)),
        ("QOS", p.qos.clone()),
        ("ReqResv", yes(p.require_reservation)),
        ("RootOnly", yes(p.root_only)),
        ("OverSubscribe", Some(over_subscribe(p).to_owned()).filter(|text| text != "NO")),
        ("State", Some(p.state.name().to_owned())),
        ("TRESBillingWeights", p.billing.clone()),
    ];
    let mut line = format!("PartitionName={}", p.name);
    for (key, value) in keys {
        if let Some(value) = value {
            line.push_str(&format!(" {key}={value}"));
        }
    }
    line.push('\n');
    line
}
