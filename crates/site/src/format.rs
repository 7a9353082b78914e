//! The shape of a profile's TOML. Every key is optional here, because a profile may extend another one; what
//! must be there in the end is checked in `cluster.rs`. docs/sites.md describes the keys for users.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::values::{Gres, Hosts, Limit, Megabytes, MemoryPerCpu};

/// A whole profile.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    pub extends: Option<Spanned<String>>,
    pub description: Option<String>,
    #[serde(default)]
    pub cluster: Cluster,
    #[serde(default)]
    pub nodes: Vec<Nodes>,
    #[serde(default)]
    pub partitions: Vec<Partition>,
    #[serde(default)]
    pub qos: Vec<Qos>,
    pub view: Option<View>,
    pub modules: Option<Modules>,
    #[serde(default)]
    pub environment: BTreeMap<String, Spanned<String>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cluster {
    pub accounts: Option<Vec<String>>,
    pub default_account: Option<String>,
    pub default_qos: Option<String>,
    pub overcommit: Option<bool>,
    pub kill_wait: Option<u32>,
    pub min_job_age: Option<u32>,
    pub max_array_size: Option<u32>,
    pub max_job_count: Option<u32>,
    pub first_job_id: Option<u32>,
    pub limit_clock: Option<Clock>,
    pub owner_is_operator: Option<bool>,
    pub job_requeue: Option<bool>,
    pub requeue_delay: Option<u32>,
    pub memory_limits: Option<Limited>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Clock {
    Monotonic,
    Wall,
}

/// Which jobs have no more memory than they were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Limited {
    None,
    Asked,
    All,
}

/// Nodes of one shape.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nodes {
    /// `names`, or `machine = true` for the machine's own name and shape.
    pub names: Option<Spanned<Hosts>>,
    #[serde(default)]
    pub machine: bool,
    pub sockets: Option<u32>,
    pub cores_per_socket: Option<u32>,
    pub threads_per_core: Option<u32>,
    pub memory: Option<Megabytes>,
    pub tmp_disk: Option<Megabytes>,
    #[serde(default)]
    pub features: Vec<String>,
    #[serde(default)]
    pub gres: Vec<Gres>,
    pub weight: Option<u32>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Partition {
    pub name: Spanned<String>,
    /// A hostlist, or `"ALL"`.
    pub nodes: Option<Spanned<Hosts>>,
    pub default: Option<bool>,
    pub default_time: Option<Limit>,
    pub max_time: Option<Limit>,
    pub min_nodes: Option<u32>,
    pub max_nodes: Option<u32>,
    pub max_cpus_per_node: Option<u32>,
    pub def_mem_per_cpu: Option<MemoryPerCpu>,
    pub max_mem_per_node: Option<Megabytes>,
    pub allow_qos: Option<Vec<Spanned<String>>>,
    pub priority_tier: Option<u32>,
    pub priority_job_factor: Option<u32>,
    pub billing: Option<Spanned<String>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Qos {
    pub name: Spanned<String>,
    pub priority: Option<u32>,
    pub max_wall: Option<Limit>,
    pub max_jobs_per_user: Option<u32>,
    pub max_submit_per_user: Option<u32>,
    pub max_per_user: Option<Tres>,
    pub max_per_job: Option<Tres>,
    pub min_per_job: Option<Tres>,
    pub grp: Option<Tres>,
    pub grp_jobs: Option<u32>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tres {
    pub cpus: Option<u64>,
    pub memory: Option<Megabytes>,
    pub nodes: Option<u64>,
    #[serde(default)]
    pub gres: BTreeMap<String, u64>,
}

/// The site view. Paths may hold `$USER`, `job_scratch` also `$SLURM_JOB_ID`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct View {
    pub home: Option<Spanned<String>>,
    /// Variable name (used by the fallback) -> path.
    #[serde(default)]
    pub folders: BTreeMap<String, Spanned<String>>,
    pub job_scratch: Option<Spanned<String>>,
    pub login_host: Option<Spanned<String>>,
    pub prompt: Option<String>,
    pub keep: Option<Vec<Spanned<String>>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Modules {
    pub tree: Option<Spanned<String>>,
    pub paths: Option<Vec<Spanned<String>>>,
    pub default: Option<Vec<Spanned<String>>>,
    pub system_name: Option<String>,
}

impl Profile {
    /// This profile with what it leaves unsaid taken from `base`. Nodes are replaced as a whole when this one
    /// lists any; partitions and QoS are merged by name; `keep`, `paths` and accounts replace.
    pub fn over(self, base: Profile) -> Profile {
        Profile {
            extends: None,
            description: self.description.or(base.description),
            cluster: self.cluster.over(base.cluster),
            nodes: if self.nodes.is_empty() { base.nodes } else { self.nodes },
            partitions: merge(self.partitions, base.partitions, |p| p.name.as_ref(), Partition::over),
            qos: merge(self.qos, base.qos, |q| q.name.as_ref(), Qos::over),
            view: both(self.view, base.view, View::over),
            modules: both(self.modules, base.modules, Modules::over),
            environment: base.environment.into_iter().chain(self.environment).collect(),
        }
    }
}

fn both<T>(over: Option<T>, base: Option<T>, merged: fn(T, T) -> T) -> Option<T> {
    match (over, base) {
        (Some(over), Some(base)) => Some(merged(over, base)),
        (over, base) => over.or(base),
    }
}

/// Entries of the same name merged, in the base's order; new ones follow.
fn merge<T>(over: Vec<T>, base: Vec<T>, name: fn(&T) -> &str, merged: fn(T, T) -> T) -> Vec<T> {
    let mut over = over;
    let mut all = Vec::new();
    for entry in base {
        let found = over.iter().position(|o| name(o) == name(&entry));
        all.push(match found {
            Some(n) => merged(over.remove(n), entry),
            None => entry,
        });
    }
    all.extend(over);
    all
}

/// Writes `over` for a struct whose listed fields are options.
macro_rules! merge_options {
    ($type:ident { $($kept:ident),* } $($field:ident)*) => {
        impl $type {
            fn over(self, base: $type) -> $type {
                $type { $($kept: self.$kept,)* $($field: self.$field.or(base.$field),)* }
            }
        }
    };
}

merge_options!(Cluster {} accounts default_account default_qos overcommit kill_wait min_job_age max_array_size
    max_job_count first_job_id limit_clock owner_is_operator job_requeue
    requeue_delay memory_limits);
merge_options!(Partition { name } nodes default default_time max_time min_nodes max_nodes max_cpus_per_node
    def_mem_per_cpu max_mem_per_node allow_qos priority_tier priority_job_factor billing);
merge_options!(Qos { name } priority max_wall max_jobs_per_user max_submit_per_user max_per_user max_per_job
    min_per_job grp grp_jobs);
merge_options!(Modules {} tree paths default system_name);

impl View {
    fn over(self, base: View) -> View {
        View {
            home: self.home.or(base.home),
            folders: base.folders.into_iter().chain(self.folders).collect(),
            job_scratch: self.job_scratch.or(base.job_scratch),
            login_host: self.login_host.or(base.login_host),
            prompt: self.prompt.or(base.prompt),
            keep: self.keep.or(base.keep),
        }
    }
}
