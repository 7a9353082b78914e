//! A fixed cluster for the tests: the nodes and jobs of the reference run on Slurm 22.05.8 (three nodes n1-n3, one
//! node g1 with GPUs, users alice and root), so that the expected texts are those of the real commands.

use crate::settings::Settings;
use bivouac_types::array::TaskSet;
use bivouac_types::config::{ClusterConfig, GresConfig, LimitClock, NodeConfig, PartitionConfig};
use bivouac_types::info::{
    ArrayInfo, ArrayTasks, GresShare, JobInfo, NodeInfo, NodeShare, PartitionInfo, StepInfo, Unmet, Usage,
};
use bivouac_types::job::{JobSpec, NodeRange};
use bivouac_types::node::NodeStand;
use bivouac_types::{
    Dependency, Duration, ExitStatus, Gid, GresRequest, HostList, JobId, JobState, MemRequest, PendingReason,
    StepKind, TimeLimit, Timestamp, Uid,
};

/// 2026-11-22T15:39:00 UTC, when the jobs began.
pub const START: Timestamp = Timestamp::from_secs(1_795_361_940);
/// Two seconds later: the time of the reports.
pub const NOW: Timestamp = Timestamp::from_secs(1_795_361_942);

/// Settings of a report made then.
pub fn settings() -> Settings {
    Settings { cluster: "ref".into(), ..Settings::new(NOW) }
}

fn node(name: &str, shape: (u32, u32), memory_mb: u64, features: &[&str], partition: &str) -> NodeInfo {
    NodeInfo {
        config: NodeConfig {
            name: name.into(),
            sockets: shape.0,
            cores_per_socket: shape.1,
            threads_per_core: 1,
            memory_mb,
            tmp_disk_mb: 0,
            features: features.iter().map(|f| (*f).to_owned()).collect(),
            gres: Vec::new(),
            weight: 1,
            ..NodeConfig::default()
        },
        partitions: vec![partition.into()],
        alloc_cpus: 0,
        alloc_mem_mb: 0,
        alloc_gres: Vec::new(),
        stand: NodeStand::default(),
        owner: None,
        completing: false,
        planned: false,
        last_busy: None,
        up_since: Timestamp(START.0 - 22_000),
    }
}

/// n1 and n2 in use, n3 idle, g1 in use with two of its three GPUs.
pub fn nodes() -> Vec<NodeInfo> {
    let mut n1 = node("n1", (1, 8), 4000, &["milan", "rh8"], "main");
    (n1.alloc_cpus, n1.alloc_mem_mb) = (4, 1124);
    let mut n2 = node("n2", (1, 8), 4000, &["milan"], "main");
    (n2.alloc_cpus, n2.alloc_mem_mb) = (1, 1024);
    let n3 = node("n3", (1, 8), 4000, &["milan"], "main");
    let mut g1 = node("g1", (2, 4), 8000, &[], "gpu");
    (g1.alloc_cpus, g1.alloc_mem_mb, g1.config.weight) = (1, 8000, 10);
    g1.config.gres = vec![GresConfig { name: "gpu".into(), kind: Some("a100".into()), count: 3 }];
    g1.alloc_gres = vec![gpus()];
    vec![n1, n2, n3, g1]
}

fn gpus() -> GresShare {
    GresShare { name: "gpu".into(), kind: Some("a100".into()), indices: vec![0, 1] }
}

fn partition(name: &str, nodes: &[&str], total_cpus: u32) -> PartitionInfo {
    PartitionInfo {
        config: PartitionConfig {
            name: name.into(),
            nodes: nodes.iter().map(|n| (*n).to_owned()).collect(),
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
            ..PartitionConfig::default()
        },
        total_cpus,
        hidden: false,
    }
}

/// main, the default with limits, and gpu.
pub fn partitions() -> Vec<PartitionInfo> {
    let mut main = partition("main", &["n1", "n2", "n3"], 24);
    main.config.default = true;
    main.config.default_time = Some(TimeLimit::Minutes(60));
    main.config.max_time = TimeLimit::Minutes(24 * 60);
    main.config.def_mem_per_cpu_mb = Some(100);
    let mut gpu = partition("gpu", &["g1"], 8);
    gpu.config.priority_tier = 2;
    gpu.config.max_nodes = Some(1);
    vec![main, gpu]
}

/// The cluster with its nodes and partitions, without accounts and QoS.
pub fn config() -> ClusterConfig {
    ClusterConfig {
        cluster: "ref".into(),
        site: "local".into(),
        nodes: nodes().into_iter().map(|n| n.config).collect(),
        partitions: partitions().into_iter().map(|p| p.config).collect(),
        qos: Vec::new(),
        accounts: Vec::new(),
        default_account: None,
        default_qos: None,
        overcommit: false,
        kill_wait: Duration::from_secs(3),
        min_job_age: Duration::from_secs(300),
        max_array_size: 1001,
        max_job_count: 10_000,
        first_job_id: 1,
        limit_clock: LimitClock::Wall,
        owner_is_operator: true,
        job_requeue: true,
        parameters: Default::default(),
    }
}

/// A pending job of root's in main with the defaults of the reference cluster.
pub fn job(id: u32, name: &str) -> JobInfo {
    let spec = JobSpec {
        name: name.into(),
        work_dir: "/tmp/j".into(),
        submit_host: "localhost".into(),
        ..JobSpec::default()
    };
    JobInfo {
        id: JobId(id),
        array: None,
        uid: Uid(0),
        user: "root".into(),
        gid: Gid(0),
        group: "root".into(),
        spec,
        account: Some("root".into()),
        qos: Some("normal".into()),
        partition: "main".into(),
        state: JobState::Pending,
        reason: PendingReason::None,
        reason_text: None,
        unmet: Vec::new(),
        priority: 4_294_901_760 - id,
        time_limit: TimeLimit::Minutes(60),
        submit: Timestamp(START.0 - 1000),
        eligible: Some(Timestamp(START.0 - 1000)),
        start: None,
        end: None,
        elapsed: Duration::ZERO,
        nodes: Vec::new(),
        batch_node: None,
        num_nodes: 1,
        num_cpus: 1,
        num_tasks: 1,
        cpus_per_task: 1,
        mem_mb: 100,
        default_mem: None,
        exit: ExitStatus::default(),
        cancelled_by: None,
        restarts: 0,
        requeue: true,
        evaluated: None,
        ending: None,
        suspended: None,
        resized: None,
        steps: Vec::new(),
        pid: None,
        planned_nodes: Vec::new(),
        std_out: format!("/tmp/j/slurm-{id}.out"),
        std_err: format!("/tmp/j/slurm-{id}.out"),
        std_in: "/dev/null".into(),
        accounting: bivouac_types::info::Accounting::default(),
    }
}

fn alices(job: JobInfo) -> JobInfo {
    JobInfo {
        uid: Uid(1000),
        user: "alice".into(),
        gid: Gid(1000),
        group: "alice".into(),
        account: Some("acct1".into()),
        ..job
    }
}

/// A job's part of a node: its CPUs and memory.
pub fn share(node: &str, cpus: std::ops::Range<u32>, mem_mb: u64) -> NodeShare {
    NodeShare { node: node.into(), tasks: cpus.len() as u32, cpus: cpus.collect(), mem_mb, gres: Vec::new() }
}

/// The job, running since [`START`].
pub fn running(job: JobInfo, nodes: Vec<NodeShare>) -> JobInfo {
    JobInfo {
        state: JobState::Running,
        start: Some(START),
        end: job.time_limit.duration().map(|limit| START + limit),
        elapsed: Duration::from_secs(2),
        num_nodes: nodes.len() as u32,
        steps: vec![step(StepKind::Batch, "batch", 1, 1, &nodes[0].node)],
        nodes,
        ..job
    }
}

/// The job, ended within the second in which it began.
pub fn ended(job: JobInfo, state: JobState, exit: ExitStatus) -> JobInfo {
    let steps = job.steps.iter().map(|s| StepInfo {
        state: if exit.success() { JobState::Completed } else { JobState::Failed },
        end: Some(START),
        exit,
        ..s.clone()
    });
    JobInfo { state, exit, end: Some(START), elapsed: Duration::ZERO, steps: steps.collect(), ..job }
}

/// A step that runs since [`START`].
pub fn step(step: StepKind, name: &str, tasks: u32, cpus: u32, nodes: &str) -> StepInfo {
    StepInfo {
        step,
        name: name.into(),
        state: JobState::Running,
        num_tasks: tasks,
        num_cpus: cpus,
        nodes: HostList::parse(nodes).expect("a hostlist").names,
        start: START,
        end: None,
        exit: ExitStatus::default(),
        usage: Usage::default(),
        submit_line: String::new(),
        limit: None,
        srun_pid: None,
    }
}

fn in_array(job: JobInfo, array: u32, tasks: ArrayTasks, max_running: Option<u32>) -> JobInfo {
    JobInfo { array: Some(ArrayInfo { job: JobId(array), tasks, max_running }), ..job }
}

/// The jobs of the reference run: running on one and two nodes and with GPUs, an array with a throttle, held,
/// waiting for a time, for resources, for another job, and two that have ended.
pub fn jobs() -> Vec<JobInfo> {
    let mut one = alices(job(1, "longnamejob"));
    one.spec.command = Some("/tmp/j/run.sh".into());
    one.spec.resources.nodes = Some(NodeRange { min: 2, max: Some(2) });
    one.spec.resources.mem = Some(MemRequest::PerNode(1024));
    (one.num_cpus, one.num_tasks, one.mem_mb) = (3, 3, 2048);
    let mut one = running(one, vec![share("n1", 0..2, 1024), share("n2", 0..1, 1024)]);
    one.steps.push(step(StepKind::Number(0), "sleep", 2, 3, "n[1-2]"));

    let task = |id: u32, index: u32| {
        let mut job = alices(job(id, "arr"));
        job.time_limit = TimeLimit::Minutes(5);
        (job.priority, job.mem_mb) = (4_294_901_758, 50);
        job.spec.resources.mem = Some(MemRequest::PerCpu(50));
        job.eligible = Some(START);
        for file in [&mut job.std_out, &mut job.std_err] {
            *file = format!("/tmp/j/slurm-2_{index}.out");
        }
        running(
            in_array(job, 2, ArrayTasks::One(index), Some(2)),
            vec![share("n1", index + 1..index + 2, 50)],
        )
    };
    let mut rest = task(2, 0);
    let files = [&mut rest.std_out, &mut rest.std_err];
    files.into_iter().for_each(|file| "/tmp/j/slurm-2_4294967294.out".clone_into(file));
    let pending = ArrayTasks::Pending(TaskSet::parse("3-10", 1000).expect("a set"));
    rest = JobInfo { nodes: Vec::new(), start: None, end: None, steps: Vec::new(), ..rest };
    rest = JobInfo { state: JobState::Pending, reason: PendingReason::JobArrayTaskLimit, ..rest };
    rest = JobInfo { elapsed: Duration::ZERO, eligible: None, ..in_array(rest, 2, pending, Some(2)) };

    let mut held = job(3, "held");
    (held.priority, held.reason, held.eligible) = (0, PendingReason::JobHeldUser, None);
    held.time_limit = TimeLimit::Minutes(10);

    let mut begin = job(4, "beg");
    begin.partition = "gpu,main".into();
    begin.reason = PendingReason::BeginTime;
    begin.eligible = Some(Timestamp(START.0 + 3_599_000));
    begin.start = begin.eligible;
    begin.spec.resources.mem = Some(MemRequest::PerNode(0));

    let failed = running(job(5, "fail"), vec![share("n1", 0..1, 100)]);
    let failed = ended(failed, JobState::Failed, ExitStatus { code: 3, signal: 0 });
    let done = running(job(6, "ok"), vec![share("n1", 0..1, 100)]);
    let done = ended(done, JobState::Completed, ExitStatus::default());

    let mut gres = job(7, "gres");
    gres.partition = "gpu".into();
    gres.time_limit = TimeLimit::Unlimited;
    gres.mem_mb = 8000;
    gres.spec.comment = Some("a comment".into());
    gres.spec.resources.mem = Some(MemRequest::PerNode(0));
    gres.spec.resources.gres =
        vec![GresRequest { name: "gpu".into(), kind: Some("a100".into()), count: 2, bare: false }];
    let mut gres = running(gres, vec![share("g1", 0..1, 8000)]);
    gres.nodes[0].gres = vec![gpus()];

    let mut features = job(8, "feat");
    features.reason = PendingReason::Resources;
    features.spec.resources.constraint = Some("milan&rh8".into());
    features.spec.resources.exclusive = true;
    features.spec.resources.nodelist = Some(HostList::parse("n1").expect("a hostlist"));

    let mut depends = job(10, "dep");
    depends.priority = 4_294_901_741;
    depends.spec.nice = 10;
    (depends.reason, depends.eligible) = (PendingReason::Dependency, None);
    let dependency = Dependency::parse("afterok:1").expect("a dependency");
    depends.unmet =
        dependency.terms.iter().map(|&term| Unmet { term, failed: false, array: false }).collect();
    depends.spec.dependency = Some(dependency);
    depends.spec.resources.exclude = Some(HostList::parse("n3").expect("a hostlist"));
    depends.spec.resources.nodes = Some(NodeRange { min: 2, max: Some(2) });
    depends.spec.resources.ntasks_per_node = Some(2);
    depends.spec.mail_types = vec!["END".into()];
    (depends.num_nodes, depends.num_cpus, depends.num_tasks, depends.cpus_per_task) = (2, 8, 4, 2);
    (depends.mem_mb, depends.requeue) = (800, false);
    let tasks = ArrayTasks::Pending(TaskSet::parse("5,7", 1000).expect("a set"));
    let depends = in_array(depends, 10, tasks, None);

    vec![one, task(11, 1), task(12, 2), rest, held, begin, failed, done, gres, features, depends]
}

/// A layout's heading and lines as text.
pub fn print<'a, T: crate::Table>(
    layout: &crate::Layout<T>,
    rows: impl IntoIterator<Item = T::Row<'a>>,
    settings: &Settings,
) -> String {
    let mut out = Vec::new();
    layout.heading(&mut out).expect("memory takes it");
    layout.lines(rows, settings, &mut out).expect("memory takes it");
    String::from_utf8(out).expect("text")
}
