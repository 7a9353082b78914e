//! A small cluster and short words to drive it.
#![allow(dead_code, reason = "each test file uses its part")]

use bivouac_core::{
    Caller, CancelScope, Change, Cluster, Command, Effect, Event, Job, JobChange, JobTarget, KeeperReport,
    NodePick, PayloadId, Phase, Place, Plan, RequestKey, Start,
};
use bivouac_types::array::ArraySpec;
use bivouac_types::config::{ClusterConfig, GresConfig, LimitClock, NodeConfig, PartitionConfig, QosConfig};
use bivouac_types::info::Usage;
use bivouac_types::{
    Attempt, Duration, ExitStatus, Gid, JobId, JobSpec, JobState, Now, PendingReason, Reject, TaskSet,
    TimeLimit, Timestamp, Uid,
};
use std::sync::Arc;

/// Two nodes of 4 CPUs and 1000 MiB, n2 with two gpus; partitions `main` (both, an hour) and `small` (n1).
pub fn config() -> ClusterConfig {
    let node = |name: &str, features: &[&str], gpus: u32| NodeConfig {
        name: name.into(),
        sockets: 1,
        cores_per_socket: 4,
        threads_per_core: 1,
        memory_mb: 1000,
        tmp_disk_mb: 0,
        features: features.iter().map(|f| f.to_string()).collect(),
        gres: (gpus > 0)
            .then(|| GresConfig { name: "gpu".into(), kind: Some("a100".into()), count: gpus })
            .into_iter()
            .collect(),
        weight: 1,
        ..NodeConfig::default()
    };
    let partition = |name: &str, nodes: &[&str]| PartitionConfig {
        name: name.into(),
        nodes: nodes.iter().map(|n| n.to_string()).collect(),
        default: name == "main",
        default_time: Some(TimeLimit::Minutes(10)),
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
        cluster: "test".into(),
        site: "test".into(),
        nodes: vec![node("n1", &["big"], 0), node("n2", &["gpu", "ib"], 2)],
        partitions: vec![partition("main", &["n1", "n2"]), partition("small", &["n1"])],
        qos: vec![
            QosConfig { name: "normal".into(), ..QosConfig::default() },
            QosConfig { name: "long".into(), priority: 100, ..QosConfig::default() },
        ],
        accounts: vec!["ucb".into()],
        default_account: Some("ucb".into()),
        default_qos: Some("normal".into()),
        overcommit: true,
        kill_wait: Duration::from_secs(30),
        min_job_age: Duration::from_secs(300),
        max_array_size: 1001,
        max_job_count: 10_000,
        first_job_id: 1,
        limit_clock: LimitClock::Monotonic,
        owner_is_operator: false,
        job_requeue: true,
        parameters: Default::default(),
    }
}

pub fn user(n: u32) -> Caller {
    Caller {
        uid: Uid(n),
        gid: Gid(100),
        user: format!("u{n}"),
        group: "users".into(),
        groups: Vec::new(),
        operator: false,
    }
}

pub fn root() -> Caller {
    Caller {
        uid: Uid::ROOT,
        gid: Gid(0),
        user: "root".into(),
        group: "root".into(),
        groups: Vec::new(),
        operator: true,
    }
}

pub fn spec() -> JobSpec {
    JobSpec { name: "job".into(), ..JobSpec::default() }
}

/// Seconds that a requeued job waits.
pub const REQUEUE_DELAY: u64 = 120;

pub fn array(text: &str) -> JobSpec {
    JobSpec { array: Some(ArraySpec::parse(text, 100_000).unwrap()), ..spec() }
}

pub fn tasks(text: &str) -> TaskSet {
    TaskSet::parse(text, 100_000).unwrap()
}

pub fn exit(code: u8) -> ExitStatus {
    ExitStatus { code, signal: 0 }
}

/// A cluster, its time, and what it did.
pub struct World {
    pub cluster: Cluster,
    pub secs: u64,
    pub effects: Vec<Effect>,
    pub events: Vec<Event>,
    keys: u128,
}

impl World {
    pub fn new() -> World {
        World::with(config())
    }

    pub fn with(config: ClusterConfig) -> World {
        let cluster = Cluster::new(Arc::new(config));
        World { cluster, secs: 1000, effects: Vec::new(), events: Vec::new(), keys: 0 }
    }

    pub fn now(&self) -> Now {
        Now { wall: Timestamp::from_secs(self.secs as i64), run: Duration::from_secs(self.secs) }
    }

    /// Decides, applies, and keeps the effects.
    pub fn command(&mut self, command: Command) -> Result<Vec<Change>, Reject> {
        let events = self.cluster.decide(command, self.now())?;
        self.effects.clear();
        for event in &events {
            self.cluster.apply(event);
            self.effects.extend(self.cluster.effects(event));
        }
        self.cluster.check().unwrap();
        self.events.extend(events.clone());
        Ok(events.into_iter().map(|e| e.change).collect())
    }

    pub fn try_submit(&mut self, caller: Caller, spec: JobSpec) -> Result<JobId, Reject> {
        self.keys += 1;
        let (key, payload) = (RequestKey(self.keys), PayloadId(format!("p{}", self.keys)));
        self.command(Command::Submit { caller, spec, payload, key })?;
        Ok(self.cluster.job_of_key(key).unwrap())
    }

    /// Of user 1000.
    pub fn submit(&mut self, spec: JobSpec) -> JobId {
        self.try_submit(user(1000), spec).unwrap()
    }

    pub fn refusal(&mut self, spec: JobSpec) -> Reject {
        let before = self.cluster.state().clone();
        let reject = self.try_submit(user(1000), spec).expect_err("it should be refused");
        assert_eq!(&before, self.cluster.state());
        reject
    }

    /// Asks for a start on one node, all tasks there; the job that started, if the core agreed.
    pub fn try_start(&mut self, job: JobId, task: Option<u32>, node: usize) -> Option<JobId> {
        let record = self.cluster.job(job)?;
        let demand = self.cluster.demands(record)[0].as_ref()?;
        // The last of an array's tasks is an ordinary job.
        let task = task.filter(|_| matches!(record.place, Place::Tasks(_)));
        let nodes = vec![NodePick { node, tasks: demand.tasks }];
        let start = Start { job, task, partition: demand.partition, nodes, ..Start::default() };
        let changes =
            self.command(Command::ApplyPlan(Plan { starts: vec![start], ..Plan::default() })).unwrap();
        match changes.first()? {
            Change::Started { job, .. } => Some(*job),
            other => panic!("{other:?}"),
        }
    }

    pub fn start(&mut self, job: JobId) -> JobId {
        self.try_start(job, None, 0).expect("it should start")
    }

    pub fn start_task(&mut self, job: JobId, task: u32) -> JobId {
        self.try_start(job, Some(task), 0).expect("it should start")
    }

    pub fn attempt(&self, job: JobId) -> Attempt {
        self.job(job).attempt()
    }

    pub fn report(&mut self, report: KeeperReport) -> Vec<Change> {
        self.command(Command::Report(report)).unwrap()
    }

    pub fn launched(&mut self, job: JobId) {
        let attempt = self.attempt(job);
        self.report(KeeperReport::Launched { attempt, pid: 7 });
    }

    pub fn exits(&mut self, job: JobId, status: ExitStatus) {
        let attempt = self.attempt(job);
        let ended = self.now().wall;
        self.report(KeeperReport::Exited {
            attempt,
            status,
            usage: Usage::default(),
            ended,
            out_of_memory: false,
        });
    }

    /// Starts, launches and ends it.
    pub fn run(&mut self, job: JobId, code: u8) {
        let job = self.start(job);
        self.launched(job);
        self.exits(job, exit(code));
    }

    pub fn run_task(&mut self, job: JobId, task: u32, code: u8) {
        let job = self.start_task(job, task);
        self.exits(job, exit(code));
    }

    pub fn cancel(&mut self, caller: Caller, target: impl Into<JobTarget>) -> Result<Vec<Change>, Reject> {
        self.command(Command::Cancel { caller, target: target.into(), signal: None, scope: CancelScope::Job })
    }

    pub fn update(&mut self, caller: Caller, job: JobId, change: JobChange) -> Result<Vec<Change>, Reject> {
        self.command(Command::Update { caller, target: job.into(), changes: vec![change] })
    }

    pub fn pass(&mut self, secs: u64) -> Vec<Change> {
        self.secs += secs;
        self.command(Command::Tick).unwrap()
    }

    pub fn job(&self, id: JobId) -> &Job {
        self.cluster.job(id).unwrap_or_else(|| panic!("job {id} is not there"))
    }

    pub fn state(&self, id: JobId) -> JobState {
        self.job(id).state()
    }

    pub fn reason(&self, id: JobId) -> PendingReason {
        self.cluster.reason(self.job(id), &Plan::default())
    }

    /// Whether the planner may start it now.
    pub fn is_ready(&self, id: JobId) -> bool {
        self.cluster.queue().any(|entry| entry.job == id)
    }

    pub fn is_ending(&self, id: JobId) -> bool {
        matches!(self.job(id).phase, Phase::Ending(..))
    }
}
