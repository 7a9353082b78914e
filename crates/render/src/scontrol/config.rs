//! scontrol show config: the parameters that hold on this cluster, in the order and form of Slurm's.

use crate::settings::Settings;
use bivouac_types::config::ClusterConfig;
use std::collections::BTreeSet;

/// The configuration, with the line about the controller below it.
pub fn show_config(config: &ClusterConfig, host: &str, state_dir: &str, s: &Settings) -> String {
    let mut now = String::new();
    s.time(&mut now, Some(s.now), "");
    let mut text = format!("Configuration data as of {now}\n");
    for (key, value) in parameters(config, host, state_dir) {
        text.push_str(&format!("{key:<23} = {value}\n"));
    }
    text.push_str(&format!("\n{}\n", super::ping(host, true)));
    text
}

fn parameters(config: &ClusterConfig, host: &str, state_dir: &str) -> Vec<(&'static str, String)> {
    let none = || "(null)".to_owned();
    let text = str::to_owned;
    let secs = |d: bivouac_types::Duration| format!("{} sec", d.as_secs());
    let gres: BTreeSet<&str> = config.nodes.iter().flat_map(|n| &n.gres).map(|g| g.name.as_str()).collect();
    let gres: Vec<&str> = gres.into_iter().collect();
    let tres: String = gres.iter().map(|g| format!(",gres/{g}")).collect();
    let enforced = if config.qos.is_empty() { "none" } else { "associations,limits,qos" };
    vec![
        ("AccountingStorageEnforce", text(enforced)),
        ("AccountingStorageHost", text(host)),
        ("AccountingStorageParameters", none()),
        ("AccountingStorageTRES", format!("cpu,mem,energy,node,billing,fs/disk,vmem,pages{tres}")),
        ("AccountingStorageType", text("accounting_storage/bivouac")),
        ("AccountingStoreFlags", text("job_comment")),
        ("AllowSpecResourcesUsage", text("No")),
        ("AuthType", text("auth/peercred")),
        ("BurstBufferType", none()),
        ("CliFilterPlugins", none()),
        ("ClusterName", config.cluster.clone()),
        ("CompleteWait", text("0 sec")),
        ("CoreSpecPlugin", text("core_spec/none")),
        ("DefMemPerNode", text("UNLIMITED")),
        ("DependencyParameters", none()),
        ("DisableRootJobs", text("No")),
        ("EnforcePartLimits", text("NO")),
        ("Epilog", none()),
        ("FederationParameters", none()),
        ("FirstJobId", config.first_job_id.to_string()),
        ("GresTypes", if gres.is_empty() { none() } else { gres.join(",") }),
        ("InactiveLimit", text("0 sec")),
        ("JobAcctGatherType", text("jobacct_gather/linux")),
        ("JobCompType", text("jobcomp/none")),
        ("JobContainerType", text("job_container/none")),
        ("JobDefaults", none()),
        ("JobFileAppend", text("0")),
        ("JobRequeue", u8::from(config.job_requeue).to_string()),
        ("JobSubmitPlugins", none()),
        ("KillOnBadExit", text("0")),
        ("KillWait", secs(config.kill_wait)),
        ("LaunchParameters", none()),
        ("Licenses", none()),
        ("MaxArraySize", config.max_array_size.to_string()),
        ("MaxJobCount", config.max_job_count.to_string()),
        ("MaxMemPerNode", text("UNLIMITED")),
        ("MaxNodeCount", config.nodes.len().to_string()),
        ("MCSPlugin", text("mcs/none")),
        ("MinJobAge", secs(config.min_job_age)),
        ("MpiDefault", text("none")),
        ("MpiParams", none()),
        ("OverTimeLimit", text("0 min")),
        ("PreemptMode", text("OFF")),
        ("PreemptType", text("preempt/none")),
        ("PriorityParameters", none()),
        ("PriorityType", text("priority/basic")),
        ("PrivateData", text("none")),
        ("Prolog", none()),
        ("PropagateResourceLimits", text("NONE")),
        ("RebootProgram", none()),
        ("ReturnToService", text("2")),
        ("SchedulerParameters", none()),
        ("SchedulerType", text("sched/backfill")),
        ("SelectType", text("select/cons_tres")),
        ("SelectTypeParameters", text("CR_CPU_MEMORY")),
        ("SlurmctldHost[0]", text(host)),
        ("SLURM_VERSION", text(super::VERSION)),
        ("StateSaveLocation", text(state_dir)),
        ("SuspendTime", text("INFINITE")),
        ("SwitchType", text("switch/none")),
        ("TaskPlugin", text("task/none")),
        ("TmpFS", text("/tmp")),
        ("TopologyPlugin", text("topology/none")),
        ("TrackWCKey", text("No")),
        ("UsePam", text("No")),
    ]
}
