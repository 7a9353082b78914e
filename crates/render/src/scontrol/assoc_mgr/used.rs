//! What jobs use of their associations and QOS.

use super::limit;
use crate::tres::Tres;
use bivouac_types::config::{ClusterConfig, TresLimit};
use bivouac_types::info::{ArrayTasks, JobInfo};
use bivouac_types::{JobState, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// The names of AccountingStorageTRES, those that there always are first.
pub(super) fn tres_names(config: &ClusterConfig) -> Vec<String> {
    let always = ["cpu", "mem", "energy", "node", "billing", "fs/disk", "vmem", "pages"].map(str::to_owned);
    let p = &config.parameters;
    let more: Vec<String> = match p.conf_dir.is_some() {
        true => {
            let given = p.given.get("AccountingStorageTRES").map_or("", String::as_str);
            given.split(',').filter(|n| n.contains('/')).map(str::to_owned).collect()
        }
        false => {
            let names: BTreeSet<&str> = config.nodes.iter().flat_map(|n| &n.gres).map(|g| &*g.name).collect();
            names.into_iter().map(|name| format!("gres/{name}")).collect()
        }
    };
    always.into_iter().chain(more).collect()
}

/// What jobs use and have used.
#[derive(Default)]
pub(super) struct Used {
    /// Jobs that run.
    pub(super) jobs: u64,
    /// Jobs that wait, and could start but for others.
    pub(super) accruing: u64,
    /// Jobs that wait or run.
    pub(super) submitted: u64,
    /// Minutes that jobs ran.
    pub(super) wall: f64,
    /// CPU-seconds.
    pub(super) seconds: f64,
    /// What running jobs have; nodes that several of them have count once.
    now: BTreeMap<String, u64>,
    nodes: BTreeSet<String>,
    /// Resources times minutes that were used.
    used: BTreeMap<String, f64>,
    /// Resources times minutes that running jobs may still use.
    left: BTreeMap<String, f64>,
}

impl Used {
    pub(super) fn add(&mut self, job: &JobInfo, now: Timestamp) {
        let count = match &job.array {
            Some(array) => match &array.tasks {
                ArrayTasks::Pending(set) => set.len(),
                ArrayTasks::One(_) => 1,
            },
            None => 1,
        };
        if !job.state.is_ended() {
            self.submitted += count;
        }
        if job.state == JobState::Pending {
            if job.priority > 0 && job.eligible.is_some_and(|at| at <= now) {
                self.accruing += count;
            }
            return;
        }
        if job.nodes.is_empty() {
            return;
        }
        let tres = amounts_of(job);
        let minutes = job.elapsed.as_secs() as f64 / 60.0;
        self.wall += minutes;
        self.seconds += job.elapsed.as_secs() as f64 * f64::from(job.num_cpus);
        let limit =
            job.time_limit.duration().map_or(0, |limit| (limit - job.elapsed).0.div_ceil(60_000)) as f64;
        let runs = !job.state.is_ended();
        for (name, n) in tres {
            *self.used.entry(name.clone()).or_default() += minutes * n as f64;
            if runs {
                *self.left.entry(name.clone()).or_default() += limit * n as f64;
                *self.now.entry(name).or_default() += n;
            }
        }
        if runs {
            self.jobs += 1;
            self.nodes.extend(job.nodes.iter().map(|share| share.node.clone()));
        }
    }

    pub(super) fn tres(&self, names: &[String], limits: &TresLimit) -> String {
        let limit_of = |name: &str| match name {
            "cpu" => limits.cpus,
            "mem" => limits.mem_mb,
            "node" => limits.nodes,
            _ => limits.gres.iter().find(|(g, _)| name.strip_prefix("gres/") == Some(g)).map(|(_, n)| *n),
        };
        list(names, |name| {
            let used = match name {
                "node" => self.nodes.len() as u64,
                _ => self.now.get(name).copied().unwrap_or(0),
            };
            format!("{}({used})", limit(limit_of(name)))
        })
    }

    pub(super) fn minutes(&self, names: &[String]) -> String {
        list(names, |name| format!("N({:.0})", self.used.get(name).copied().unwrap_or(0.0).floor()))
    }

    pub(super) fn run_minutes(&self, names: &[String]) -> String {
        list(names, |name| format!("N({:.0})", self.left.get(name).copied().unwrap_or(0.0)))
    }
}

fn list(names: &[String], value: impl Fn(&str) -> String) -> String {
    let all: Vec<String> = names.iter().map(|name| format!("{name}={}", value(name))).collect();
    all.join(",")
}

/// What a job has, by name.
fn amounts_of(job: &JobInfo) -> BTreeMap<String, u64> {
    let tres = Tres::of_job(job);
    let fixed = [
        ("cpu", u64::from(tres.cpus)),
        ("mem", tres.mem_mb),
        ("node", u64::from(tres.nodes)),
        ("billing", u64::from(tres.billing.unwrap_or(0))),
    ];
    let fixed = fixed.into_iter().map(|(name, n)| (name.to_owned(), n));
    fixed.chain(tres.gres.into_iter().map(|(name, n)| (format!("gres/{name}"), n))).collect()
}
