//! What a cluster is made of: nodes, partitions, QoS and the parameters that Slurm keeps in slurm.conf.
//! Built by a site profile, used by the core and printed by `sinfo` and `scontrol show`.

use crate::parameters::Parameters;
use crate::time::{Duration, TimeLimit};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A whole cluster, as the controller uses it. Every name that one part refers to exists in the other parts;
/// [`ClusterConfig::validate`] checks that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterConfig {
    /// ClusterName.
    pub cluster: String,
    /// The profile's name, for example `local` or `alpine@2023-07`.
    pub site: String,
    /// The nodes, in the order in which equals are filled.
    pub nodes: Vec<NodeConfig>,
    /// The partitions, in the order in which `sinfo` lists them.
    pub partitions: Vec<PartitionConfig>,
    /// The QoS definitions.
    pub qos: Vec<QosConfig>,
    /// Accounts that a job may name; empty: any name is accepted and recorded.
    pub accounts: Vec<String>,
    /// The account of a job that names none.
    pub default_account: Option<String>,
    /// The QoS of a job that names none.
    pub default_qos: Option<String>,
    /// Nodes may promise more than the machine has: shapes are rehearsed, nothing is pinned.
    pub overcommit: bool,
    /// Seconds between SIGTERM and SIGKILL at the end of a job.
    pub kill_wait: Duration,
    /// How long an ended job stays visible to squeue and scontrol.
    pub min_job_age: Duration,
    /// MaxArraySize: one above the largest array index.
    pub max_array_size: u32,
    /// MaxJobCount: jobs the controller keeps at once.
    pub max_job_count: u32,
    /// The first job id of a new cluster.
    pub first_job_id: u32,
    /// What time limits count.
    pub limit_clock: LimitClock,
    /// The owner of a personal cluster is an operator (`local`), or an ordinary user as on the real site.
    pub owner_is_operator: bool,
    /// JobRequeue: whether a job may be requeued that says neither.
    pub job_requeue: bool,
    /// What else slurm.conf says.
    #[serde(default)]
    pub parameters: Parameters,
}

/// What a running job's time limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LimitClock {
    /// CLOCK_MONOTONIC: a sleeping laptop does not eat a job's time.
    Monotonic,
    /// Wall time, as on a cluster.
    Wall,
}

/// A node's shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeConfig {
    /// NodeName.
    pub name: String,
    /// Sockets.
    pub sockets: u32,
    /// Cores of a socket.
    pub cores_per_socket: u32,
    /// Hardware threads of a core.
    pub threads_per_core: u32,
    /// RealMemory in MiB.
    pub memory_mb: u64,
    /// TmpDisk in MiB.
    pub tmp_disk_mb: u64,
    /// Features, in the profile's order.
    pub features: Vec<String>,
    /// Generic resources.
    pub gres: Vec<GresConfig>,
    /// Weight: nodes of lower weight are filled first.
    pub weight: u32,
    /// Boards; the sockets are those of all boards together.
    pub boards: u32,
    /// CPUs where they are not the product of sockets, cores and threads: then they are the cores.
    pub cpu_count: Option<u32>,
    /// State: what the node begins in.
    pub state: InitialState,
    /// Reason: why it is in that state.
    pub reason: Option<String>,
    /// NodeAddr; none: its name.
    pub address: Option<String>,
    /// NodeHostname; none: its name.
    pub hostname: Option<String>,
    /// Port; none: SlurmdPort.
    pub port: Option<u16>,
}

/// What slurm.conf's State of a node says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum InitialState {
    /// `UNKNOWN`: up, as all nodes here are.
    #[default]
    Up,
    /// `DOWN`.
    Down,
    /// `DRAIN`.
    Drain,
    /// `FAIL`, `FAILING`.
    Fail,
    /// `FUTURE`: defined, but not there.
    Future,
}

impl Default for NodeConfig {
    /// One CPU and 1 MiB, as of a `NodeName=` line that says nothing else.
    fn default() -> NodeConfig {
        NodeConfig {
            name: String::new(),
            sockets: 1,
            cores_per_socket: 1,
            threads_per_core: 1,
            memory_mb: 1,
            tmp_disk_mb: 0,
            features: Vec::new(),
            gres: Vec::new(),
            weight: 1,
            boards: 1,
            cpu_count: None,
            state: InitialState::Up,
            reason: None,
            address: None,
            hostname: None,
            port: None,
        }
    }
}

impl NodeConfig {
    /// Logical CPUs: sockets x cores x threads, unless counted otherwise.
    pub fn cpus(&self) -> u32 {
        let product =
            self.sockets.saturating_mul(self.cores_per_socket).saturating_mul(self.threads_per_core);
        self.cpu_count.unwrap_or(product)
    }
}

/// A node's generic resource, printed `gpu:a100:3`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GresConfig {
    /// Name, for example `gpu`.
    pub name: String,
    /// Type, for example `a100`.
    pub kind: Option<String>,
    /// How many.
    pub count: u32,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PartitionConfig {
    /// PartitionName.
    pub name: String,
    /// Names of its nodes.
    pub nodes: Vec<String>,
    /// The partition of a job that names none.
    pub default: bool,
    /// DefaultTime; none: as MaxTime.
    pub default_time: Option<TimeLimit>,
    /// MaxTime.
    pub max_time: TimeLimit,
    /// MinNodes of a job.
    pub min_nodes: u32,
    /// MaxNodes of a job; none: unlimited.
    pub max_nodes: Option<u32>,
    /// MaxCPUsPerNode; none: unlimited.
    pub max_cpus_per_node: Option<u32>,
    /// DefMemPerCPU in MiB; none: a job that asks for no memory takes the whole node's.
    pub def_mem_per_cpu_mb: Option<u64>,
    /// MaxMemPerNode in MiB.
    pub max_mem_per_node_mb: Option<u64>,
    /// AllowQos; empty: all.
    pub allow_qos: Vec<String>,
    /// PriorityTier: higher ones are planned first.
    pub priority_tier: u32,
    /// PriorityJobFactor.
    pub priority_job_factor: u32,
    /// TRES weights that sacct's billing uses, for example `CPU=1.0`.
    pub billing: Option<String>,
    /// State.
    pub state: PartitionState,
    /// DefMemPerNode in MiB.
    pub def_mem_per_node_mb: Option<u64>,
    /// The default of memory is the cluster's; the partition itself says none.
    pub inherits_def_mem: bool,
    /// The maximum of memory is the cluster's; the partition itself says none.
    pub inherits_max_mem: bool,
    /// MaxMemPerCPU in MiB.
    pub max_mem_per_cpu_mb: Option<u64>,
    /// AllowAccounts; empty: all.
    pub allow_accounts: Vec<String>,
    /// DenyAccounts; only where AllowAccounts is empty.
    pub deny_accounts: Vec<String>,
    /// DenyQos; only where AllowQos is empty.
    pub deny_qos: Vec<String>,
    /// AllowGroups; empty: all.
    pub allow_groups: Vec<String>,
    /// AllocNodes: submit hosts; empty: all.
    pub alloc_nodes: Vec<String>,
    /// QOS of the partition: its limits hold for all of its jobs.
    pub qos: Option<String>,
    /// Alternate: where jobs go while this one is not to be used.
    pub alternate: Option<String>,
    /// Hidden.
    pub hidden: bool,
    /// RootOnly.
    pub root_only: bool,
    /// DisableRootJobs.
    pub disable_root_jobs: bool,
    /// ReqResv.
    pub require_reservation: bool,
    /// ExclusiveUser: a node runs jobs of one user at a time.
    pub exclusive_user: bool,
    /// LLN: least loaded nodes first.
    pub least_loaded: bool,
    /// OverSubscribe as `scontrol show partition` prints it; none: `NO`.
    pub over_subscribe: Option<String>,
    /// OverTimeLimit in minutes; none: the cluster's.
    pub over_time_limit: Option<TimeLimit>,
    /// GraceTime in seconds.
    pub grace_time: u32,
    /// PreemptMode; none: the cluster's.
    pub preempt_mode: Option<String>,
    /// CpuBind, as it is shown; it binds nothing, as with TaskPlugin=task/none.
    pub cpu_bind: Option<String>,
    /// DefCpuPerGPU and DefMemPerGPU as `scontrol show partition` prints them under JobDefaults.
    pub job_defaults: Vec<(String, u64)>,
}

/// State of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartitionState {
    /// Takes jobs and starts them.
    #[default]
    Up,
    /// Takes jobs, starts none.
    Down,
    /// Takes none, starts those it has.
    Drain,
    /// Neither.
    Inactive,
}

impl PartitionState {
    /// As `scontrol show partition` spells it.
    pub fn name(self) -> &'static str {
        match self {
            PartitionState::Up => "UP",
            PartitionState::Down => "DOWN",
            PartitionState::Drain => "DRAIN",
            PartitionState::Inactive => "INACTIVE",
        }
    }

    /// Whether jobs may be submitted to it.
    pub fn takes_jobs(self) -> bool {
        matches!(self, PartitionState::Up | PartitionState::Down)
    }

    /// Whether its jobs may start.
    pub fn starts_jobs(self) -> bool {
        matches!(self, PartitionState::Up | PartitionState::Drain)
    }
}

impl PartitionConfig {
    /// A DefaultTime above MaxTime counts for nothing, as in Slurm: the most is the default.
    pub fn drop_high_default(&mut self) {
        self.default_time = self.default_time.filter(|default| *default <= self.max_time);
    }
}

impl Default for PartitionConfig {
    /// Without nodes and without limits, as of a `PartitionName=` line that says nothing else.
    fn default() -> PartitionConfig {
        PartitionConfig {
            name: String::new(),
            nodes: Vec::new(),
            default: false,
            default_time: None,
            max_time: TimeLimit::Unlimited,
            min_nodes: 0,
            max_nodes: None,
            max_cpus_per_node: None,
            def_mem_per_cpu_mb: None,
            max_mem_per_node_mb: None,
            allow_qos: Vec::new(),
            priority_tier: 1,
            priority_job_factor: 1,
            billing: None,
            state: PartitionState::Up,
            def_mem_per_node_mb: None,
            inherits_def_mem: false,
            inherits_max_mem: false,
            max_mem_per_cpu_mb: None,
            allow_accounts: Vec::new(),
            deny_accounts: Vec::new(),
            deny_qos: Vec::new(),
            allow_groups: Vec::new(),
            alloc_nodes: Vec::new(),
            qos: None,
            alternate: None,
            hidden: false,
            root_only: false,
            disable_root_jobs: false,
            require_reservation: false,
            exclusive_user: false,
            least_loaded: false,
            over_subscribe: None,
            over_time_limit: None,
            grace_time: 0,
            preempt_mode: None,
            cpu_bind: None,
            job_defaults: Vec::new(),
        }
    }
}

/// A quality of service and its limits. `None` is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QosConfig {
    /// Name.
    pub name: String,
    /// Added to a job's priority.
    pub priority: u32,
    /// MaxWall of a job.
    pub max_wall: Option<TimeLimit>,
    /// MaxJobsPerUser: running jobs; array tasks count.
    pub max_jobs_per_user: Option<u32>,
    /// MaxSubmitJobsPerUser: pending and running jobs; array tasks count.
    pub max_submit_per_user: Option<u32>,
    /// MaxTRESPerUser, running jobs together.
    pub max_per_user: TresLimit,
    /// MaxTRESPerJob.
    pub max_per_job: TresLimit,
    /// MinTRESPerJob.
    pub min_per_job: TresLimit,
    /// GrpTRES: all running jobs of the QoS together.
    pub grp: TresLimit,
    /// GrpJobs: running jobs of the QoS together.
    pub grp_jobs: Option<u32>,
}

/// Limits per trackable resource; `None` is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TresLimit {
    /// CPUs.
    pub cpus: Option<u64>,
    /// Memory in MiB.
    pub mem_mb: Option<u64>,
    /// Nodes.
    pub nodes: Option<u64>,
    /// Generic resources by name (all types together), for example gpu.
    pub gres: Vec<(String, u64)>,
}

/// Why a configuration does not hold together: the place (for example `partition amilan`) and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Which entry.
    pub place: String,
    /// What is wrong with it.
    pub problem: String,
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

impl std::error::Error for ConfigError {}

/// Whether a name may be a cluster's: letters, digits, `.`, `_`, `-`, not beginning with a dot or dash, at most 64. It names a
/// folder.
pub fn valid_cluster_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && !name.starts_with(['.', '-'])
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

impl ClusterConfig {
    /// A partition without nodes of which nothing is said: the cluster's memory for each CPU or node holds in it.
    pub fn partition_defaults(&self) -> PartitionConfig {
        let mb = |key: &str| self.parameters.given.get(key).and_then(|text| text.parse().ok());
        PartitionConfig {
            def_mem_per_cpu_mb: mb("DefMemPerCPU"),
            def_mem_per_node_mb: mb("DefMemPerNode"),
            max_mem_per_cpu_mb: mb("MaxMemPerCPU"),
            max_mem_per_node_mb: mb("MaxMemPerNode"),
            inherits_def_mem: true,
            inherits_max_mem: true,
            ..PartitionConfig::default()
        }
    }

    /// The partition of that name.
    pub fn partition(&self, name: &str) -> Option<&PartitionConfig> {
        self.partitions.iter().find(|p| p.name == name)
    }

    /// The QoS of that name.
    pub fn qos(&self, name: &str) -> Option<&QosConfig> {
        self.qos.iter().find(|q| q.name == name)
    }

    /// The partition of a job that names none.
    pub fn default_partition(&self) -> Option<&PartitionConfig> {
        self.partitions.iter().find(|p| p.default)
    }

    /// CPUs that all nodes together may have: each takes its place in tables. The largest clusters have some millions.
    pub const MAX_CPUS: u64 = 1 << 26;

    /// Says that nodes have more CPUs than that.
    pub fn too_many_cpus(cpus: u64) -> String {
        format!(
            "the nodes have {cpus} CPUs together, more than {}: tables of them would exhaust this machine's memory",
            ClusterConfig::MAX_CPUS
        )
    }

    /// Checks that names are unique and that every name referred to exists.
    ///
    /// # Errors
    /// The first entry that does not hold.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let fail = |place: String, problem: String| Err(ConfigError { place, problem });
        fn twice<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
            let mut seen = BTreeSet::new();
            names.into_iter().find(|n| !seen.insert(*n))
        }
        if self.nodes.is_empty() {
            return fail("cluster".into(), "it has no nodes".into());
        }
        if self.partitions.is_empty() {
            return fail("cluster".into(), "it has no partitions".into());
        }
        if let Some(n) = twice(self.nodes.iter().map(|n| n.name.as_str())) {
            return fail(format!("node {n}"), "is named twice".into());
        }
        if let Some(n) = twice(self.partitions.iter().map(|n| n.name.as_str())) {
            return fail(format!("partition {n}"), "is named twice".into());
        }
        if let Some(n) = twice(self.qos.iter().map(|n| n.name.as_str())) {
            return fail(format!("qos {n}"), "is named twice".into());
        }
        if self.partitions.iter().filter(|p| p.default).count() > 1 {
            return fail("partitions".into(), "more than one is the default".into());
        }
        for n in &self.nodes {
            if n.cpus() == 0 {
                return fail(format!("node {}", n.name), "has no CPUs".into());
            }
            if n.memory_mb == 0 {
                return fail(format!("node {}", n.name), "has no memory".into());
            }
        }
        let cpus: u64 = self.nodes.iter().map(|n| u64::from(n.cpus())).sum();
        if cpus > ClusterConfig::MAX_CPUS {
            return fail("nodes".into(), ClusterConfig::too_many_cpus(cpus));
        }
        let nodes: BTreeSet<&str> = self.nodes.iter().map(|n| n.name.as_str()).collect();
        for p in &self.partitions {
            let place = || format!("partition {}", p.name);
            if let Some(n) = p.nodes.iter().find(|n| !nodes.contains(n.as_str())) {
                return fail(place(), format!("names node {n}, which does not exist"));
            }
            if let Some(q) = p.allow_qos.iter().find(|q| self.qos(q).is_none()) {
                return fail(place(), format!("allows QoS {q}, which does not exist"));
            }
        }
        if let Some(q) = self.default_qos.as_deref().filter(|q| self.qos(q).is_none()) {
            return fail("cluster".into(), format!("default QoS {q} does not exist"));
        }
        if let Some(a) = &self.default_account
            && !self.accounts.is_empty()
            && !self.accounts.contains(a)
        {
            return fail("cluster".into(), format!("default account {a} does not exist"));
        }
        Ok(())
    }
}
