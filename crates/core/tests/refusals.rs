//! What sbatch is refused, in Slurm's words (observed on 22.05.8 with EnforcePartLimits=NO).

mod common;

use bivouac_types::array::ArraySpec;
use bivouac_types::config::QosConfig;
use bivouac_types::depend::{Dependency, DependencyTarget, DependencyTerm};
use bivouac_types::job::NodeRange;
use bivouac_types::tres::GresRequest;
use bivouac_types::{HostList, JobId, JobSpec, MemRequest, Reject, TaskSet};
use common::*;

fn asking(change: impl FnOnce(&mut JobSpec)) -> JobSpec {
    let mut spec = spec();
    change(&mut spec);
    spec
}

fn hosts(names: &[&str]) -> Option<HostList> {
    Some(HostList { names: names.iter().map(|n| n.to_string()).collect() })
}

fn gres(name: &str, kind: Option<&str>, count: u32) -> Vec<GresRequest> {
    vec![GresRequest { name: name.into(), kind: kind.map(str::to_string), count }]
}

#[test]
fn names_that_do_not_exist() {
    let mut w = World::new();
    let cases: Vec<(JobSpec, Reject)> = vec![
        (asking(|s| s.partitions = vec!["nope".into()]), Reject::InvalidPartition("nope".into())),
        (
            asking(|s| s.partitions = vec!["main".into(), "nope".into()]),
            Reject::InvalidPartition("nope".into()),
        ),
        (asking(|s| s.account = Some("nope".into())), Reject::InvalidAccount("nope".into())),
        (asking(|s| s.qos = Some("nope".into())), Reject::InvalidQos("nope".into())),
        (asking(|s| s.resources.nodelist = hosts(&["n9"])), Reject::InvalidNodeName("n9".into())),
        (asking(|s| s.resources.exclude = hosts(&["n9"])), Reject::InvalidNodeName("n9".into())),
        (asking(|s| s.resources.constraint = Some("nope".into())), Reject::InvalidFeature("nope".into())),
        (asking(|s| s.resources.constraint = Some("big|nope".into())), Reject::InvalidFeature("nope".into())),
        (asking(|s| s.resources.gres = gres("foo", None, 1)), Reject::InvalidGres("foo".into())),
    ];
    for (spec, reject) in cases {
        assert_eq!(w.refusal(spec), reject);
    }
}

#[test]
fn what_no_node_can_ever_hold() {
    let mut w = World::new();
    let cases: Vec<(JobSpec, Reject)> = vec![
        (asking(|s| s.resources.mem = Some(MemRequest::PerNode(1001))), Reject::MemorySpecification),
        (asking(|s| s.resources.mem = Some(MemRequest::PerCpu(1001))), Reject::MemorySpecification),
        (asking(|s| s.resources.cpus_per_task = Some(5)), Reject::CpusPerNode),
        (asking(|s| s.resources.ntasks_per_node = Some(5)), Reject::CpusPerNode),
        (asking(|s| s.resources.gres = gres("gpu", None, 3)), Reject::NodeConfigUnavailable),
        (asking(|s| s.resources.gres = gres("gpu", Some("v100"), 1)), Reject::NodeConfigUnavailable),
        (asking(|s| s.resources.constraint = Some("big&gpu".into())), Reject::NodeConfigUnavailable),
        (asking(|s| s.resources.exclude = hosts(&["n1", "n2"])), Reject::NodeConfigUnavailable),
        (
            asking(|s| {
                s.partitions = vec!["small".into()];
                s.resources.nodelist = hosts(&["n2"]);
            }),
            Reject::NodeConfigUnavailable,
        ),
        (
            asking(|s| {
                s.resources.nodelist = hosts(&["n1"]);
                s.resources.exclude = hosts(&["n1"]);
            }),
            Reject::InvalidNodeName("n1".into()),
        ),
    ];
    for (spec, reject) in cases {
        assert_eq!(w.refusal(spec), reject);
    }
    // In one of several partitions is enough.
    let spec = asking(|s| {
        s.partitions = vec!["small".into(), "main".into()];
        s.resources.gres = gres("gpu", None, 1);
    });
    assert!(w.try_submit(user(1000), spec).is_ok());
}

#[test]
fn numbers_that_cannot_be() {
    let mut w = World::new();
    let range = |min, max| Some(NodeRange { min, max });
    assert_eq!(w.refusal(asking(|s| s.resources.nodes = range(0, None))), Reject::InvalidNodeCount);
    assert_eq!(w.refusal(asking(|s| s.resources.nodes = range(3, Some(2)))), Reject::InvalidNodeCount);
    assert!(matches!(w.refusal(asking(|s| s.resources.ntasks = Some(0))), Reject::InvalidValue(_)));
    assert!(matches!(w.refusal(asking(|s| s.resources.cpus_per_task = Some(0))), Reject::InvalidValue(_)));
    let huge = asking(|s| {
        s.resources.ntasks = Some(u32::MAX);
        s.resources.cpus_per_task = Some(2);
    });
    assert_eq!(w.refusal(huge), Reject::TooManyCpus);
    assert!(matches!(w.refusal(asking(|s| s.resources.constraint = Some("big*2".into()))), Reject::Other(_)));
    let throttled = |tasks| JobSpec { array: Some(ArraySpec { tasks, max_running: None }), ..spec() };
    assert_eq!(w.refusal(throttled(TaskSet::default())), Reject::InvalidArray);
    assert_eq!(w.refusal(array("0-1001")), Reject::InvalidArray);
    assert!(w.try_submit(user(1000), array("0-1000")).is_ok());
    assert_eq!(w.refusal(asking(|s| s.nice = -1)), Reject::InvalidNice);
    assert!(w.try_submit(root(), asking(|s| s.nice = -1)).is_ok());
}

#[test]
fn qos_that_the_partition_does_not_allow() {
    let mut config = config();
    config.partitions[1].allow_qos = vec!["long".into()];
    let mut w = World::with(config);
    let small = |qos: Option<&str>| {
        asking(|s| {
            s.partitions = vec!["small".into()];
            s.qos = qos.map(str::to_string);
        })
    };
    assert_eq!(w.refusal(small(None)), Reject::InvalidQos("normal".into()));
    assert!(w.try_submit(user(1000), small(Some("long"))).is_ok());
}

#[test]
fn dependencies_on_what_never_was() {
    let mut w = World::new();
    let job = w.submit(spec());
    let several = w.submit(array("1-3"));
    let after = |job: u32, task: Option<u32>| {
        let target = DependencyTarget { job: JobId(job), task };
        asking(|s| {
            s.dependency = Some(Dependency { terms: vec![DependencyTerm::AfterOk(target)], any: false })
        })
    };
    assert_eq!(w.refusal(after(99, None)), Reject::DependencyProblem);
    assert_eq!(w.refusal(after(0, None)), Reject::DependencyProblem);
    assert_eq!(w.refusal(after(job.0, Some(1))), Reject::DependencyProblem, "no array");
    assert_eq!(w.refusal(after(several.0, Some(4))), Reject::DependencyProblem, "no such task");
    assert!(w.try_submit(user(1000), after(several.0, Some(3))).is_ok());
    // Not even its own number, which is the next.
    let own = w.cluster.state().next_id;
    assert_eq!(w.refusal(after(own, None)), Reject::DependencyProblem);
}

#[test]
fn more_jobs_than_allowed() {
    let mut config = config();
    config.max_job_count = 2;
    let mut w = World::with(config);
    let first = w.submit(spec());
    w.submit(spec());
    assert_eq!(w.refusal(spec()), Reject::TooManyJobs);
    w.cancel(user(1000), first).unwrap();
    assert!(w.try_submit(user(1000), spec()).is_ok(), "ended jobs do not count");
}

#[test]
fn more_jobs_than_the_qos_lets_a_user_submit() {
    let mut config = config();
    config.qos[0] = QosConfig { name: "normal".into(), max_submit_per_user: Some(5), ..QosConfig::default() };
    let mut w = World::with(config);
    w.submit(array("1-4"));
    assert_eq!(w.refusal(array("1-2")), Reject::QosSubmitLimit);
    w.submit(spec());
    assert_eq!(w.refusal(spec()), Reject::QosSubmitLimit);
    assert!(w.try_submit(user(1001), spec()).is_ok(), "another user");
}

#[test]
fn a_repeated_request_is_the_same_job() {
    use bivouac_core::{Command, PayloadId, RequestKey};
    let mut w = World::new();
    let again =
        |caller| Command::Submit { caller, spec: spec(), payload: PayloadId("p".into()), key: RequestKey(9) };
    assert_eq!(w.command(again(user(1000))).unwrap().len(), 1);
    let job = w.cluster.job_of_key(RequestKey(9)).unwrap();
    assert_eq!(w.command(again(user(1000))).unwrap(), vec![]);
    assert_eq!(w.command(again(user(1001))), Err(Reject::AccessDenied), "another user's key");
    w.run(job, 0);
    w.pass(301);
    assert!(w.cluster.job(job).is_none(), "forgotten");
    assert_eq!(w.command(again(user(1000))).unwrap(), vec![], "the key is not");
    assert_eq!(w.cluster.job_of_key(RequestKey(9)), Some(job));
}
