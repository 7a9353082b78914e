//! What kind of trouble a seed makes: cluster, load and fault rates. Each seed has its own, so that one seed
//! explores one kind.

use crate::rng::Rng;
use bivouac_types::config::{
    ClusterConfig, GresConfig, LimitClock, NodeConfig, PartitionConfig, QosConfig, TresLimit,
};
use bivouac_types::parameters::Parameters;
use bivouac_types::{Duration, TimeLimit};

/// Chances of 100, and lengths of virtual time in milliseconds.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The cluster.
    pub config: ClusterConfig,
    /// How many commands users send.
    pub commands: u64,
    /// Mean time between two of them.
    pub command_gap: u64,
    /// How long scripts run at most.
    pub script_ms: u64,
    /// How often a script ignores SIGTERM.
    pub stubborn: u64,
    /// Mean time between two crashes of anything; 0: none.
    pub crash_gap: u64,
    /// How often a message from the keeper is lost, with the connection.
    pub lose: u64,
    /// How often a message comes twice.
    pub double: u64,
    /// The keeper's messages may overtake each other.
    pub reorder: bool,
    /// How often a crash of the controller tears the record being written.
    pub torn: u64,
    /// How often a fault is a full disk, a clock step, a reboot, a broken journal record.
    pub rare: u64,
    /// A snapshot is stored after so many batches.
    pub snapshot_every: u64,
}

impl Shape {
    /// The shape of a seed.
    pub fn new(rng: &mut Rng) -> Shape {
        let crash_gap = *rng.pick(&[0, 3_000, 10_000, 30_000, 90_000]);
        let lossy = rng.chance(60);
        Shape {
            config: config(rng),
            commands: rng.range(10, 60),
            command_gap: *rng.pick(&[50, 500, 4_000]),
            script_ms: *rng.pick(&[200, 5_000, 90_000]),
            stubborn: *rng.pick(&[0, 20, 60]),
            crash_gap,
            lose: if lossy { rng.below(6) } else { 0 },
            double: if lossy { rng.below(20) } else { 0 },
            reorder: lossy && rng.chance(50),
            torn: rng.below(80),
            rare: if crash_gap > 0 { rng.below(30) } else { 0 },
            snapshot_every: rng.range(3, 40),
        }
    }
}

fn node(rng: &mut Rng, name: String) -> NodeConfig {
    let gpus = rng.below(3) as u32;
    let gres = match gpus {
        0 => Vec::new(),
        n => vec![
            GresConfig { name: "gpu".into(), kind: Some("a100".into()), count: n },
            GresConfig { name: "gpu".into(), kind: Some("v100".into()), count: 1 },
        ],
    };
    NodeConfig {
        name,
        sockets: 1,
        cores_per_socket: rng.range(1, 8) as u32,
        threads_per_core: 1,
        memory_mb: rng.range(1, 8) * 1000,
        tmp_disk_mb: 0,
        features: if rng.chance(50) { vec!["fast".into()] } else { vec!["slow".into(), "ib".into()] },
        gres,
        weight: rng.below(2) as u32,
        ..NodeConfig::default()
    }
}

fn limit(rng: &mut Rng, max: u64) -> Option<u64> {
    rng.chance(25).then(|| rng.range(1, max))
}

fn qos(rng: &mut Rng, name: &str) -> QosConfig {
    let tres = |rng: &mut Rng| TresLimit {
        cpus: limit(rng, 12),
        mem_mb: limit(rng, 12_000),
        nodes: limit(rng, 4),
        gres: limit(rng, 3).map(|n| ("gpu".to_string(), n)).into_iter().collect(),
    };
    QosConfig {
        name: name.into(),
        priority: rng.below(3) as u32 * 100,
        max_wall: rng.chance(20).then_some(TimeLimit::Minutes(3)),
        max_jobs_per_user: limit(rng, 4).map(|n| n as u32),
        max_submit_per_user: limit(rng, 40).map(|n| n as u32),
        max_per_user: tres(rng),
        max_per_job: tres(rng),
        min_per_job: TresLimit::default(),
        grp: tres(rng),
        grp_jobs: limit(rng, 5).map(|n| n as u32),
    }
}

fn config(rng: &mut Rng) -> ClusterConfig {
    let nodes: Vec<NodeConfig> = (1..=rng.range(1, 4)).map(|i| node(rng, format!("n{i}"))).collect();
    let all: Vec<String> = nodes.iter().map(|n| n.name.clone()).collect();
    let partition = |rng: &mut Rng, name: &str, default: bool| PartitionConfig {
        name: name.into(),
        nodes: if default { all.clone() } else { all.iter().take(1 + all.len() / 2).cloned().collect() },
        default,
        default_time: rng.chance(70).then(|| TimeLimit::Minutes(rng.range(1, 3) as u32)),
        max_time: *rng.pick(&[TimeLimit::Minutes(4), TimeLimit::Minutes(60), TimeLimit::Unlimited]),
        min_nodes: 1,
        max_nodes: limit(rng, 3).map(|n| n as u32),
        max_cpus_per_node: None,
        def_mem_per_cpu_mb: rng.chance(80).then(|| rng.range(10, 400)),
        max_mem_per_node_mb: None,
        allow_qos: Vec::new(),
        priority_tier: rng.range(1, 2) as u32,
        priority_job_factor: 1,
        billing: None,
        ..PartitionConfig::default()
    };
    ClusterConfig {
        cluster: "sim".into(),
        site: "sim".into(),
        partitions: vec![partition(rng, "main", true), partition(rng, "side", false)],
        nodes,
        qos: vec![qos(rng, "normal"), qos(rng, "long")],
        accounts: Vec::new(),
        default_account: None,
        default_qos: Some("normal".into()),
        overcommit: true,
        kill_wait: Duration::from_secs(rng.range(1, 30)),
        min_job_age: Duration::from_secs(*rng.pick(&[1, 20, 300])),
        max_array_size: 1001,
        max_job_count: *rng.pick(&[10, 10_000]),
        first_job_id: 1,
        limit_clock: *rng.pick(&[LimitClock::Monotonic, LimitClock::Wall]),
        owner_is_operator: false,
        job_requeue: rng.chance(70),
        parameters: Parameters {
            requeue_delay: rng.chance(80).then(|| Duration::from_secs(1)),
            ..Parameters::default()
        },
    }
}
