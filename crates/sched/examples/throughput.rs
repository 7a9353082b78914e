//! What core and planner cost per job: an array on a few CPUs, single jobs, and a queue that is full.
//! Run with `cargo run --release -p bivouac-sched --example throughput`.

#![expect(clippy::disallowed_types, reason = "this measures time; what it measures does not")]

use bivouac_core::{Caller, Cluster, Command, Effect, Event, KeeperReport, PayloadId, RequestKey};
use bivouac_types::array::ArraySpec;
use bivouac_types::config::{ClusterConfig, LimitClock, NodeConfig, PartitionConfig};
use bivouac_types::info::Usage;
use bivouac_types::{Attempt, Duration, ExitStatus, Gid, JobSpec, Now, TaskSet, TimeLimit, Timestamp, Uid};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

const CPUS: u32 = 8;

fn config() -> ClusterConfig {
    let node = NodeConfig {
        name: "n1".into(),
        sockets: 1,
        cores_per_socket: CPUS,
        threads_per_core: 1,
        memory_mb: 16_000,
        tmp_disk_mb: 0,
        features: Vec::new(),
        gres: Vec::new(),
        weight: 1,
        ..NodeConfig::default()
    };
    let partition = PartitionConfig {
        name: "main".into(),
        nodes: vec!["n1".into()],
        default: true,
        default_time: None,
        max_time: TimeLimit::Minutes(60),
        min_nodes: 1,
        max_nodes: None,
        max_cpus_per_node: None,
        def_mem_per_cpu_mb: Some(100),
        max_mem_per_node_mb: None,
        allow_qos: Vec::new(),
        priority_tier: 1,
        priority_job_factor: 1,
        billing: None,
        ..PartitionConfig::default()
    };
    ClusterConfig {
        cluster: "bench".into(),
        site: "bench".into(),
        nodes: vec![node],
        partitions: vec![partition],
        qos: Vec::new(),
        accounts: Vec::new(),
        default_account: None,
        default_qos: None,
        overcommit: false,
        kill_wait: Duration::from_secs(30),
        min_job_age: Duration::from_secs(300),
        max_array_size: 2_000_000,
        max_job_count: 100_000,
        first_job_id: 1,
        limit_clock: LimitClock::Monotonic,
        owner_is_operator: true,
        job_requeue: true,
        parameters: Default::default(),
    }
}

struct Bench {
    cluster: Cluster,
    time: u64,
    launched: VecDeque<Attempt>,
    events: Vec<Event>,
}

impl Bench {
    fn new() -> Bench {
        Bench {
            cluster: Cluster::new(Arc::new(config())),
            time: 0,
            launched: VecDeque::new(),
            events: Vec::new(),
        }
    }

    fn now(&self) -> Now {
        Now { wall: Timestamp(self.time as i64), run: Duration(self.time) }
    }

    fn command(&mut self, command: Command) {
        let events = self.cluster.decide(command, self.now()).expect("the benchmark's commands are good");
        for event in events {
            self.cluster.apply(&event);
            for effect in self.cluster.effects(&event) {
                if let Effect::Launch { attempt } = effect {
                    self.launched.push_back(attempt);
                }
            }
            self.events.push(event);
        }
    }

    fn submit(&mut self, n: u128, tasks: Option<u32>, ntasks: u32) {
        let mut spec = JobSpec { name: "bench".into(), ..JobSpec::default() };
        spec.array = tasks.map(|n| ArraySpec { tasks: TaskSet::from_ranges([(1, n)]), max_running: None });
        spec.resources.ntasks = Some(ntasks);
        let caller = Caller {
            uid: Uid(1),
            gid: Gid(1),
            user: "u".into(),
            group: "g".into(),
            groups: Vec::new(),
            operator: true,
        };
        self.command(Command::Submit { caller, spec, payload: PayloadId::default(), key: RequestKey(n) });
    }

    /// One plan after each end, as on a cluster of short jobs.
    fn drain(&mut self) -> u32 {
        let mut ended = 0;
        loop {
            let plan = bivouac_sched::plan(&self.cluster, self.now(), 1000);
            self.command(Command::ApplyPlan(plan));
            let Some(attempt) = self.launched.pop_front() else { return ended };
            self.time += 1;
            self.command(Command::Report(KeeperReport::Launched { attempt, pid: 1 }));
            let (status, usage, ended_at) = (ExitStatus::default(), Usage::default(), self.now().wall);
            self.command(Command::Report(KeeperReport::Exited {
                attempt,
                status,
                usage,
                ended: ended_at,
                out_of_memory: false,
            }));
            self.command(Command::Tick);
            ended += 1;
        }
    }
}

fn measure(what: &str, prepare: impl FnOnce(&mut Bench)) {
    let mut bench = Bench::new();
    prepare(&mut bench);
    let begun = Instant::now();
    let jobs = bench.drain();
    let each = begun.elapsed().as_secs_f64() * 1e6 / f64::from(jobs);
    println!("{what}: {jobs} jobs, {each:.1} us each, {} events", bench.events.len());
    bench.cluster.check().expect("the cluster is in order");
}

fn main() {
    measure("array of 5,000", |b| b.submit(1, Some(5000), 1));
    measure("5,000 single jobs", |b| (0..5000).for_each(|n| b.submit(n, None, 1)));
    measure("array of 5,000, of 3 CPUs each", |b| b.submit(1, Some(5000), 3));
    measure("2,000 jobs of 3 CPUs, then 2,000 of 5", |b| {
        (0..4000).for_each(|n| b.submit(n, None, if n < 2000 { 3 } else { 5 }));
    });
    let mut bench = Bench::new();
    let begun = Instant::now();
    bench.submit(1, Some(1_000_000), 1);
    let plan = bivouac_sched::plan(&bench.cluster, bench.now(), 1000);
    bench.command(Command::ApplyPlan(plan));
    println!("array of 1,000,000: submitted and its first tasks started in {:?}", begun.elapsed());
}
