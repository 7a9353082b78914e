//! What sbatch is refused, in Slurm's words (observed on 22.05.8 with EnforcePartLimits=NO).

mod common;

use bivouac_core::Caller;
use bivouac_types::array::ArraySpec;
use bivouac_types::config::QosConfig;
use bivouac_types::depend::{Dependency, DependencyTarget, DependencyTerm};
use bivouac_types::job::NodeRange;
use bivouac_types::parameters::{Association, Enforce, EnforcePartLimits, Parameters};
use bivouac_types::tres::GresRequest;
use bivouac_types::{HostList, JobId, JobSpec, MemRequest, PendingReason, Reject, TaskSet};
use common::*;

fn asking(change: impl FnOnce(&mut JobSpec)) -> JobSpec {
    let mut spec = spec();
    change(&mut spec);
    spec
}

/// Of a cluster that a slurm.conf describes, associations not enforced.
fn slurm_conf() -> Parameters {
    let enforce = Enforce { associations: false, ..Enforce::default() };
    Parameters { conf_dir: Some("/conf".into()), enforce, ..Parameters::default() }
}

fn hosts(names: &[&str]) -> Option<HostList> {
    Some(HostList { names: names.iter().map(|n| n.to_string()).collect() })
}

fn gres(name: &str, kind: Option<&str>, count: u32) -> Vec<GresRequest> {
    vec![GresRequest { name: name.into(), kind: kind.map(str::to_string), count, bare: false }]
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
    // One node is big.
    let constraint = |text: &'static str| asking(move |s| s.resources.constraint = Some(text.into()));
    assert_eq!(w.refusal(constraint("big*2")), Reject::NodeConfigUnavailable);
    assert_eq!(w.refusal(constraint("big*0")), Reject::InvalidFeature("big*0".into()));
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
    let mut of_site = World::with(config.clone());
    config.parameters = slurm_conf();
    let mut w = World::with(config);
    let small = |qos: Option<&str>| {
        asking(|s| {
            s.partitions = vec!["small".into()];
            s.qos = qos.map(str::to_string);
        })
    };
    assert_eq!(of_site.refusal(small(None)), Reject::InvalidQos("normal".into()));
    // As Slurm with EnforcePartLimits=NO: it waits, and says why.
    let job = w.submit(small(None));
    assert_eq!(w.reason(job), PendingReason::QOSNotAllowed);
    assert!(w.try_submit(user(1000), small(Some("long"))).is_ok());
    for enforce in [EnforcePartLimits::Any, EnforcePartLimits::All] {
        let mut config = common::config();
        config.partitions[1].allow_qos = vec!["long".into()];
        config.parameters = Parameters { enforce_part_limits: enforce, ..slurm_conf() };
        let mut w = World::with(config);
        assert_eq!(w.refusal(small(None)), Reject::InvalidQos("normal".into()));
        let both = asking(|s| s.partitions = vec!["small".into(), "main".into()]);
        assert_eq!(w.try_submit(user(1000), both).is_ok(), enforce == EnforcePartLimits::Any);
    }
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

#[test]
fn associations_say_who_may_use_which_account_and_qos() {
    let association = |account: &str, user: Option<&str>, qos: &[&str]| Association {
        account: account.into(),
        user: user.map(str::to_owned),
        parent: user.is_none().then(|| "root".to_owned()),
        is_default: account == "proj",
        qos: qos.iter().map(|q| q.to_string()).collect(),
        ..Association::default()
    };
    let mut config = config();
    config.parameters.conf_dir = Some("/conf".into());
    config.parameters.associations = vec![
        association("root", None, &["normal"]),
        association("proj", None, &["normal", "long"]),
        association("proj", Some("u1000"), &[]),
        association("other", Some("u1000"), &["normal"]),
        Association { partition: Some("small".into()), ..association("other", Some("u1001"), &[]) },
    ];
    let mut w = World::with(config);
    let ask = |account: Option<&str>, qos: Option<&str>, partition: &str| {
        asking(|s| {
            s.account = account.map(str::to_owned);
            s.qos = qos.map(str::to_owned);
            s.partitions = vec![partition.to_owned()];
        })
    };
    let job = w.submit(ask(None, None, "main"));
    assert_eq!(w.cluster.submission(w.job(job)).unwrap().account.as_deref(), Some("proj"));
    assert!(w.try_submit(user(1000), ask(None, Some("long"), "main")).is_ok(), "the account's QoS");
    assert_eq!(w.refusal(ask(Some("other"), Some("long"), "main")), Reject::InvalidQos("long".into()));
    assert_eq!(w.refusal(ask(Some("nope"), None, "main")), Reject::InvalidAccount("nope".into()));
    let stranger = w.try_submit(user(7), ask(None, None, "main"));
    assert!(matches!(stranger, Err(Reject::InvalidAccount(_))), "{stranger:?}");
    assert!(w.try_submit(user(1001), ask(Some("other"), None, "small")).is_ok());
    let elsewhere = w.try_submit(user(1001), ask(Some("other"), None, "main"));
    assert_eq!(elsewhere, Err(Reject::InvalidAccount("other".into())));
}

#[test]
fn partitions_have_doors() {
    let mut config = config();
    config.partitions[0].allow_groups = vec!["chosen".into()];
    config.partitions[1].deny_accounts = vec!["ucb".into()];
    let mut w = World::with(config);
    assert_eq!(w.refusal(spec()), Reject::GroupNotPermitted);
    let member = Caller { groups: vec!["chosen".into()], ..user(1000) };
    assert!(w.try_submit(member, spec()).is_ok());
    let denied = w.submit(asking(|s| s.partitions = vec!["small".into()]));
    assert_eq!(w.reason(denied), PendingReason::AccountNotAllowed);
}

#[test]
fn memory_beyond_the_partitions_maximum_waits_or_buys_cpus() {
    let mut config = config();
    config.partitions[0].max_mem_per_node_mb = Some(100);
    config.partitions[1].max_mem_per_cpu_mb = Some(50);
    let mut w = World::with(config);
    let job = w.submit(asking(|s| s.resources.mem = Some(MemRequest::PerNode(200))));
    assert_eq!(w.reason(job), PendingReason::MaxMemPerLimit);
    let job = w.submit(asking(|s| {
        s.partitions = vec!["small".into()];
        s.resources.mem = Some(MemRequest::PerCpu(100));
    }));
    let demand = w.cluster.demands(w.job(job))[0].clone().unwrap();
    assert_eq!((demand.min_cpus(), demand.min_mem_mb(&w.cluster.world().tables)), (2, 100));
}
