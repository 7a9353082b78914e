//! The lines of `scontrol show config`.

use crate::keys::{self, CGROUP, Key, NULL, Shown, Standing};
use crate::parameters::{is_set, shown};
use bivouac_types::config::ClusterConfig;
use std::collections::BTreeSet;

/// What a configuration does not say about the running cluster.
#[derive(Clone, Debug, Default)]
pub struct Facts<'a> {
    /// The controller's host.
    pub host: &'a str,
    /// Its state folder.
    pub state_dir: &'a str,
    /// The owner, `root(0)`.
    pub owner: &'a str,
    /// Numbers of the users that SlurmUser and SlurmdUser name.
    pub users: &'a [(String, u32)],
    /// When the controller started, as times are printed.
    pub boot_time: &'a str,
    /// The next job's number.
    pub next_job_id: u32,
}

/// Keys with their values as they are printed.
pub type Lines<K> = Vec<(K, String)>;

/// Key and value of each line, in Slurm's order, and then those of cgroup.conf (where Slurm prints them).
pub fn show(config: &ClusterConfig, facts: &Facts) -> (Lines<String>, Lines<&'static str>) {
    let p = &config.parameters;
    let multifactor = p.priority.multifactor;
    let mut lines = Vec::new();
    for key in keys::parameters() {
        match key.shown {
            Shown::Never => continue,
            Shown::Multifactor if !multifactor => continue,
            _ => {}
        }
        let (name, value) = line(key, config, facts);
        lines.push((name, value));
    }
    let uses_cgroup = ["ProctrackType", "TaskPlugin", "JobAcctGatherType"]
        .iter()
        .any(|name| keys::parameter(name).is_some_and(|key| shown(p, key).contains("cgroup")));
    let cgroup = CGROUP
        .iter()
        .map(|key| (key.name, p.cgroup.get(key.name).cloned().unwrap_or_else(|| key.default.to_owned())));
    (lines, if uses_cgroup { cgroup.collect() } else { Vec::new() })
}

fn line(key: &Key, config: &ClusterConfig, facts: &Facts) -> (String, String) {
    let p = &config.parameters;
    let given = |name: &str| p.given.get(name).cloned();
    let secs = |d: bivouac_types::Duration| format!("{} sec", d.as_secs());
    let from_site = p.conf_dir.is_none();
    let own = match key.name {
        "AccountingStorageEnforce" if from_site => {
            Some(if config.qos.is_empty() { "none" } else { "associations,limits,qos" }.to_owned())
        }
        "AccountingStorageTRES" => {
            let more = match from_site {
                true => gres_types(config).iter().map(|g| format!(",gres/{g}")).collect(),
                false => given(key.name).filter(|t| is_set(t)).map(|t| format!(",{t}")).unwrap_or_default(),
            };
            Some(format!("{}{more}", key.default))
        }
        "AccountingStorageUser" if has_dbd(config) => Some("N/A".to_owned()),
        "MaxDBDMsgs" if has_dbd(config) && given(key.name).is_none() => {
            let messages = u64::from(config.max_job_count) * 2 + config.nodes.len() as u64 * 4;
            Some(messages.max(10_000).to_string())
        }
        "SlurmUser" | "SlurmdUser" if given(key.name).is_some_and(|n| !n.contains('(')) => {
            let name = given(key.name).unwrap_or_default();
            let uid = facts.users.iter().find(|(user, _)| *user == name).map(|(_, uid)| uid.to_string());
            Some(format!("{name}({})", uid.unwrap_or_default()))
        }
        "BOOT_TIME" => Some(facts.boot_time.to_owned()),
        "ClusterName" => Some(config.cluster.clone()),
        "DefMemPerNode" => return memory(config, key, "DefMemPerCPU"),
        "MaxMemPerNode" => return memory(config, key, "MaxMemPerCPU"),
        "FirstJobId" => Some(config.first_job_id.to_string()),
        "GresTypes" if from_site => Some(gres_types(config).join(",")).filter(|t| !t.is_empty()),
        "JobRequeue" => Some(u8::from(config.job_requeue).to_string()),
        "KillWait" => Some(secs(config.kill_wait)),
        "MaxArraySize" => Some(config.max_array_size.to_string()),
        "MaxJobCount" => Some(config.max_job_count.to_string()),
        "MaxNodeCount" if given(key.name).is_none() => Some(config.nodes.len().to_string()),
        "MinJobAge" if from_site => Some(secs(config.min_job_age)),
        "NEXT_JOB_ID" => Some(facts.next_job_id.to_string()),
        "MULTIPLE_SLURMD" => Some("Yes".to_owned()),
        "PropagateResourceLimits" if given("PropagateResourceLimitsExcept").is_some_and(|t| is_set(&t)) => {
            Some(NULL.to_owned())
        }
        "SlurmctldHost" => {
            let host = given(key.name).unwrap_or_else(|| facts.host.to_owned());
            return ("SlurmctldHost[0]".to_owned(), host);
        }
        "SLURM_CONF" => {
            let dir = p.conf_dir.as_deref().unwrap_or(facts.state_dir);
            Some(format!("{}/{}", dir.trim_end_matches('/'), crate::SLURM_CONF))
        }
        "SlurmUser" | "SlurmdUser" if given(key.name).is_none() => Some(facts.owner.to_owned()),
        "StateSaveLocation" if given(key.name).is_none() => Some(facts.state_dir.to_owned()),
        _ if key.standing == Standing::Computed => Some(key.default.to_owned()),
        _ => None,
    };
    let printed = match key.name {
        "PriorityWeightFairshare" => "PriorityWeightFairShare",
        name => name,
    };
    (printed.to_owned(), own.unwrap_or_else(|| shown(p, key).to_owned()))
}

/// Whether the accounting is a slurmdbd's, in Slurm's eyes.
fn has_dbd(config: &ClusterConfig) -> bool {
    let storage = config.parameters.given.get("AccountingStorageType");
    storage.is_some_and(|t| t == "accounting_storage/slurmdbd")
}

/// Memory per CPU and per node are one line.
fn memory(config: &ClusterConfig, node: &Key, per_cpu: &str) -> (String, String) {
    match config.parameters.given.get(per_cpu).filter(|v| *v != "UNLIMITED") {
        Some(value) => (per_cpu.to_owned(), value.clone()),
        None => (node.name.to_owned(), shown(&config.parameters, node).to_owned()),
    }
}

fn gres_types(config: &ClusterConfig) -> Vec<&str> {
    let names: BTreeSet<&str> = config.nodes.iter().flat_map(|n| &n.gres).map(|g| g.name.as_str()).collect();
    names.into_iter().collect()
}
