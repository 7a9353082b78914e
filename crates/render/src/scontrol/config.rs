//! scontrol show config: every parameter that Slurm prints, in its order and form.

use crate::settings::Settings;
use bivouac_slurmconf::{Facts, Lines};
use bivouac_types::Timestamp;
use bivouac_types::config::ClusterConfig;

/// What a configuration does not say about the running cluster.
#[derive(Clone, Debug, Default)]
pub struct Running {
    /// The controller's host.
    pub host: String,
    /// Its state folder.
    pub state_dir: String,
    /// The owner, `root(0)`.
    pub owner: String,
    /// Numbers of the users that SlurmUser and SlurmdUser name.
    pub users: Vec<(String, u32)>,
    /// When the controller started.
    pub since: Timestamp,
    /// The next job's number.
    pub next_job_id: u32,
}

/// The configuration, with the line about the controller below it.
pub fn show_config(config: &ClusterConfig, running: &Running, s: &Settings) -> String {
    let (parameters, cgroup) = lines(config, running, s);
    let mut text = format!("Configuration data as of {}\n", time(s.now, s));
    for (key, value) in parameters {
        text.push_str(&format!("{key:<23} = {value}\n"));
    }
    if !cgroup.is_empty() {
        text.push_str("\nCgroup Support Configuration:\n");
    }
    for (key, value) in cgroup {
        text.push_str(&format!("{key:<23} = {value}\n"));
    }
    text.push_str(&format!("\n{}\n", super::ping(&running.host, true)));
    text
}

/// The keys and their values.
pub(super) fn lines(
    config: &ClusterConfig,
    running: &Running,
    s: &Settings,
) -> (Lines<String>, Lines<&'static str>) {
    let boot_time = time(running.since, s);
    let facts = Facts {
        host: &running.host,
        state_dir: &running.state_dir,
        owner: &running.owner,
        users: &running.users,
        boot_time: &boot_time,
        next_job_id: running.next_job_id,
    };
    bivouac_slurmconf::show(config, &facts)
}

pub(super) fn time(at: Timestamp, s: &Settings) -> String {
    let mut text = String::new();
    s.time(&mut text, Some(at), "");
    text
}
