//! What a partition says of its jobs: a QOS of its own, and defaults for jobs with GPUs.

mod common;

use bivouac_types::config::{GresConfig, QosConfig};
use bivouac_types::job::GpuRequest;
use bivouac_types::{GresRequest, MemRequest, PendingReason, TimeLimit};
use common::*;

#[test]
fn a_partitions_qos_counts_its_jobs_with_those_that_have_it_themselves() {
    let mut config = config();
    let short = QosConfig {
        name: "short".into(),
        max_jobs_per_user: Some(2),
        max_wall: Some(TimeLimit::Minutes(10)),
        ..QosConfig::default()
    };
    let own = QosConfig { name: "own".into(), max_jobs_per_user: Some(0), ..QosConfig::default() };
    config.qos.extend([short, own]);
    config.partitions[0].qos = Some("short".into());
    let mut w = World::with(config);
    let minutes = |n, qos: Option<&str>| {
        let mut spec = spec();
        spec.time_limit = Some(TimeLimit::Minutes(n));
        spec.qos = qos.map(str::to_owned);
        spec
    };
    let long = w.submit(minutes(11, None));
    assert_eq!(w.reason(long), PendingReason::QOSMaxWallDurationPerJobLimit);
    let first = w.submit(minutes(5, Some("short")));
    w.start(first);
    // The partition's QOS limits the number of jobs, and so the job's own does not.
    let second = w.submit(minutes(5, Some("own")));
    w.start(second);
    let third = w.submit(minutes(5, None));
    assert_eq!(w.reason(third), PendingReason::QOSMaxJobsPerUserLimit);
    assert_eq!(w.try_start(third, None, 0), None);
    w.exits(first, exit(0));
    w.start(third);
}

#[test]
fn jobs_with_gpus_take_the_partitions_defaults_for_them() {
    let mut config = config();
    config.nodes[0].gres.push(GresConfig { name: "gpu".into(), kind: None, count: 2 });
    config.partitions[0].job_defaults = vec![("DefCpuPerGPU".into(), 2), ("DefMemPerGPU".into(), 50)];
    let mut w = World::with(config);
    let mut of = |cpus, mem| {
        let mut spec = spec();
        spec.resources.gpus = GpuRequest {
            per_job: vec![GresRequest { name: "gpu".into(), kind: None, count: 2, bare: false }],
            ..GpuRequest::default()
        };
        (spec.resources.cpus_per_task, spec.resources.mem) = (cpus, mem);
        let job = w.submit(spec);
        let job = w.start(job);
        let run = w.job(job).run().unwrap();
        let has = (run.cpus(), run.mem_mb());
        w.exits(job, exit(0));
        has
    };
    assert_eq!(of(None, None), (4, 100));
    assert_eq!(of(Some(1), None), (1, 100), "-c says how many CPUs");
    assert_eq!(of(None, Some(MemRequest::PerNode(30))), (4, 30));
}
