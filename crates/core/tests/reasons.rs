//! Why jobs wait, as squeue shows it.

mod common;

use bivouac_types::config::{ClusterConfig, QosConfig, TresLimit};
use bivouac_types::job::NodeRange;
use bivouac_types::tres::GresRequest;
use bivouac_types::{JobSpec, MemRequest, PendingReason as R, TimeLimit, Timestamp};
use common::*;

fn with_qos(change: impl FnOnce(&mut QosConfig)) -> ClusterConfig {
    let mut config = config();
    change(&mut config.qos[0]);
    config
}

fn tasks_of(n: u32) -> JobSpec {
    let mut spec = spec();
    spec.resources.ntasks = Some(n);
    spec
}

#[test]
fn too_much_for_the_partition_waits_with_that_reason() {
    let mut config = config();
    config.partitions[1].max_nodes = Some(1);
    let mut w = World::with(config);
    let id = w.submit(tasks_of(9));
    assert_eq!(w.reason(id), R::PartitionConfig);
    let mut nodes = spec();
    nodes.resources.nodes = Some(NodeRange { min: 3, max: None });
    let id = w.submit(nodes.clone());
    assert_eq!(w.reason(id), R::PartitionNodeLimit);
    nodes.resources.nodes = Some(NodeRange { min: 2, max: None });
    nodes.partitions = vec!["small".into()];
    let id = w.submit(nodes);
    assert_eq!(w.reason(id), R::PartitionNodeLimit);
    let id = w.submit(JobSpec { time_limit: Some(TimeLimit::Minutes(61)), ..spec() });
    assert_eq!(w.reason(id), R::PartitionTimeLimit);
    assert!(!w.is_ready(id));
    // The way out.
    w.update(user(1000), id, bivouac_core::JobChange::TimeLimit(TimeLimit::Minutes(5))).unwrap();
    assert!(w.is_ready(id));
}

#[test]
fn held_and_too_early() {
    let mut w = World::new();
    let held = w.submit(JobSpec { hold: true, ..spec() });
    assert_eq!(w.reason(held), R::JobHeldUser);
    let later = w.submit(JobSpec { begin: Some(Timestamp::from_secs(2000)), ..spec() });
    assert_eq!(w.reason(later), R::BeginTime);
    assert_eq!(w.cluster.next_deadline(w.now()).unwrap().as_secs(), 1000);
    w.pass(999);
    assert_eq!(w.reason(later), R::BeginTime);
    w.pass(1);
    assert_eq!(w.reason(later), R::Priority);
    assert!(w.is_ready(later));
}

#[test]
fn what_a_job_alone_exceeds_never_starts() {
    let cases: Vec<(ClusterConfig, JobSpec, R)> = vec![
        (with_qos(|q| q.max_per_job = cpus(2)), tasks_of(3), R::QOSMaxCpuPerJobLimit),
        (with_qos(|q| q.max_per_user = cpus(2)), tasks_of(3), R::QOSMaxCpuPerUserLimit),
        (with_qos(|q| q.grp = cpus(2)), tasks_of(3), R::QOSGrpCpuLimit),
        (with_qos(|q| q.min_per_job = cpus(4)), tasks_of(3), R::QOSMinCpuNotSatisfied),
        (with_qos(|q| q.max_wall = Some(TimeLimit::Minutes(5))), spec(), R::QOSMaxWallDurationPerJobLimit),
        (with_qos(|q| q.max_per_job.mem_mb = Some(10)), spec(), R::QOSMaxMemoryPerJob),
        (with_qos(|q| q.max_per_user.mem_mb = Some(10)), spec(), R::QOSMaxMemoryPerUser),
        (with_qos(|q| q.grp.mem_mb = Some(10)), spec(), R::QOSGrpMemLimit),
        (with_qos(|q| q.min_per_job.mem_mb = Some(500)), spec(), R::QOSMinMemory),
        (with_qos(|q| q.max_per_job.nodes = Some(1)), two_nodes(), R::QOSMaxNodePerJobLimit),
        (with_qos(|q| q.max_per_user.nodes = Some(1)), two_nodes(), R::QOSMaxNodePerUserLimit),
        (with_qos(|q| q.grp.nodes = Some(1)), two_nodes(), R::QOSGrpNodeLimit),
        (with_qos(|q| q.max_per_job.gres = gpus(1)), two_gpus(), R::QOSMaxGRESPerJob),
        (with_qos(|q| q.max_per_user.gres = gpus(1)), two_gpus(), R::QOSMaxGRESPerUser),
        (with_qos(|q| q.grp.gres = gpus(1)), two_gpus(), R::QOSGrpGRES),
        (with_qos(|q| q.min_per_job.gres = gpus(3)), two_gpus(), R::QOSMinGRES),
    ];
    for (config, spec, reason) in cases {
        let mut w = World::with(config);
        let id = w.submit(spec);
        assert_eq!(w.reason(id), reason);
        assert!(!w.is_ready(id), "{reason}");
    }
}

fn cpus(n: u64) -> TresLimit {
    TresLimit { cpus: Some(n), ..TresLimit::default() }
}

fn gpus(n: u64) -> Vec<(String, u64)> {
    vec![("gpu".into(), n)]
}

fn two_nodes() -> JobSpec {
    let mut spec = spec();
    spec.resources.nodes = Some(NodeRange { min: 2, max: Some(2) });
    spec
}

fn two_gpus() -> JobSpec {
    let mut spec = spec();
    spec.resources.gres = vec![GresRequest { name: "gpu".into(), kind: None, count: 2, bare: false }];
    spec
}

#[test]
fn what_runs_already_uses_the_limits() {
    let cases: Vec<(ClusterConfig, R)> = vec![
        (with_qos(|q| q.max_jobs_per_user = Some(1)), R::QOSMaxJobsPerUserLimit),
        (with_qos(|q| q.grp_jobs = Some(1)), R::QOSGrpJobsLimit),
        (with_qos(|q| q.max_per_user = cpus(2)), R::QOSMaxCpuPerUserLimit),
        (with_qos(|q| q.grp = cpus(2)), R::QOSGrpCpuLimit),
        (with_qos(|q| q.max_per_user.mem_mb = Some(250)), R::QOSMaxMemoryPerUser),
        (with_qos(|q| q.grp.nodes = Some(1)), R::QOSGrpNodeLimit),
    ];
    for (config, reason) in cases {
        let mut w = World::with(config);
        let (first, second) = (w.submit(tasks_of(2)), w.submit(tasks_of(2)));
        w.start(first);
        assert_eq!(w.reason(second), reason);
        assert_eq!(w.try_start(second, None, 1), None, "{reason}: the core does not take the planner's word");
        w.exits(first, exit(0));
        assert_eq!(w.reason(second), R::Priority);
        assert!(w.try_start(second, None, 1).is_some());
    }
}

#[test]
fn limits_of_a_user_are_not_those_of_another() {
    let mut w = World::with(with_qos(|q| q.max_jobs_per_user = Some(1)));
    let (first, mine) = (w.submit(spec()), w.submit(spec()));
    let theirs = w.try_submit(user(1001), spec()).unwrap();
    w.start(first);
    assert_eq!(w.reason(mine), R::QOSMaxJobsPerUserLimit);
    assert!(w.try_start(theirs, None, 0).is_some());
}

#[test]
fn an_array_runs_no_more_tasks_than_its_throttle() {
    let mut w = World::new();
    let id = w.submit(array("1-5%2"));
    let first = w.start_task(id, 1);
    w.start_task(id, 2);
    assert_eq!(w.reason(id), R::JobArrayTaskLimit);
    assert_eq!(w.try_start(id, Some(3), 1), None);
    w.exits(first, exit(0));
    assert!(w.try_start(id, Some(3), 1).is_some());
}

#[test]
fn whole_memory_without_a_default() {
    let mut config = config();
    config.partitions[0].def_mem_per_cpu_mb = None;
    let mut w = World::with(config);
    let (first, second) = (w.submit(spec()), w.submit(spec()));
    w.start(first);
    assert_eq!(w.job(first).run().unwrap().alloc[0].mem_mb, 1000);
    assert_eq!(w.try_start(second, None, 0), None);
    let mut small = spec();
    small.resources.mem = Some(MemRequest::PerNode(10));
    let third = w.submit(small);
    assert_eq!(w.try_start(third, None, 0), None, "nothing is left beside it");
}
