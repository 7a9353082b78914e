//! What the planner starts, in which order, and what it leaves room for.

#[path = "../../core/tests/common/mod.rs"]
mod common;

use bivouac_core::{Change, Command, JobTarget, Plan};
use bivouac_sched::plan;
use bivouac_types::config::{ClusterConfig, NodeConfig, QosConfig};
use bivouac_types::job::OnlyFor;
use bivouac_types::tres::GresRequest;
use bivouac_types::{JobId, JobSpec, PendingReason as R, Reject, TimeLimit, Timestamp};
use common::*;

fn wants(ntasks: u32, minutes: u32) -> JobSpec {
    let mut spec = JobSpec { time_limit: Some(TimeLimit::Minutes(minutes)), ..spec() };
    spec.resources.ntasks = Some(ntasks);
    spec
}

/// Plans, lets the core dispose, and says what started where.
fn go(w: &mut World) -> (Vec<(JobId, Vec<String>)>, Plan) {
    let plan = plan(&w.cluster, w.now(), 100);
    let changes = w.command(Command::ApplyPlan(plan.clone())).unwrap();
    assert_eq!(changes.len(), plan.starts.len(), "the core agrees with every start");
    let started = changes.into_iter().map(|change| match change {
        Change::Started { job, alloc, .. } => {
            (job, alloc.iter().map(|a| format!("{}:{}", a.node, a.cpus)).collect())
        }
        other => panic!("{other:?}"),
    });
    (started.collect(), plan)
}

fn started(w: &mut World) -> Vec<JobId> {
    go(w).0.into_iter().map(|s| s.0).collect()
}

fn one_node() -> ClusterConfig {
    let mut config = config();
    config.nodes.truncate(1);
    config.partitions.truncate(1);
    config.partitions[0].nodes = vec!["n1".into()];
    config
}

#[test]
fn in_order_of_submission_onto_the_first_node_that_holds_it() {
    let mut w = World::new();
    let (a, b, c) = (w.submit(wants(3, 10)), w.submit(wants(2, 10)), w.submit(wants(1, 10)));
    let (starts, _) = go(&mut w);
    let expected = [(a, vec!["n1:0-2".to_string()]), (b, vec!["n2:0-1".into()]), (c, vec!["n1:3".into()])];
    assert_eq!(starts, expected);
}

#[test]
fn tier_then_qos_then_nice() {
    let mut config = one_node();
    config.partitions.push(config.partitions[0].clone());
    config.partitions[1].name = "urgent".into();
    config.partitions[1].default = false;
    config.partitions[1].priority_tier = 2;
    let mut w = World::with(config);
    let nice = w.submit(JobSpec { nice: 10, ..wants(1, 10) });
    let plain = w.submit(wants(1, 10));
    let qos = w.submit(JobSpec { qos: Some("long".into()), ..wants(1, 10) });
    let tier = w.submit(JobSpec { partitions: vec!["urgent".into()], ..wants(1, 10) });
    assert_eq!(started(&mut w), [tier, qos, plain, nice]);
}

#[test]
fn a_job_over_several_nodes() {
    let mut w = World::new();
    let wide = w.submit(wants(6, 10));
    assert_eq!(go(&mut w).0, [(wide, vec!["n1:0-3".to_string(), "n2:0-1".into()])]);
}

#[test]
fn a_short_job_slips_in_before_a_reservation_and_a_long_one_does_not() {
    let mut w = World::with(one_node());
    let running = w.submit(wants(3, 10));
    assert_eq!(started(&mut w), [running]);
    let top = w.submit(wants(4, 10));
    let (long, short) = (w.submit(wants(1, 11)), w.submit(wants(1, 10)));
    let (starts, plan) = go(&mut w);
    assert_eq!(starts, [(short, vec!["n1:3".to_string()])]);
    assert_eq!(plan.reasons[&top], R::Resources);
    assert_eq!(plan.reasons[&long], R::Priority);
    let at = Timestamp::from_secs(1000 + 600);
    assert_eq!(plan.expected[&top], (at, vec!["n1".to_string()]));
    assert_eq!(w.reason(long), R::Priority);
}

#[test]
fn what_a_reservation_spares_may_be_used_for_long() {
    let mut w = World::with(one_node());
    let running = w.submit(wants(3, 10));
    assert_eq!(started(&mut w), [running]);
    let (_top, long) = (w.submit(wants(2, 10)), w.submit(wants(1, 60)));
    // The two that come back at first suffice with the free one; but then only one of four is spare.
    assert_eq!(started(&mut w), [long]);
}

#[test]
fn an_earlier_end_is_used_at_once() {
    let mut w = World::with(one_node());
    let running = w.submit(wants(4, 60));
    assert_eq!(started(&mut w), [running]);
    let top = w.submit(wants(4, 10));
    assert_eq!(started(&mut w), []);
    w.exits(running, exit(0));
    assert_eq!(started(&mut w), [top]);
}

#[test]
fn jobs_on_other_nodes_do_not_wait_for_a_reservation() {
    let mut config = config();
    config.partitions[0].nodes = vec!["n2".into()];
    let mut w = World::with(config);
    let first = w.submit(wants(4, 60));
    assert_eq!(started(&mut w), [first]);
    let blocked = w.submit(wants(4, 60));
    let elsewhere = w.submit(JobSpec { partitions: vec!["small".into()], ..wants(4, 60) });
    let waits = w.submit(JobSpec { partitions: vec!["small".into()], ..wants(4, 60) });
    let (starts, plan) = go(&mut w);
    assert_eq!(starts.iter().map(|s| s.0).collect::<Vec<_>>(), [elsewhere]);
    assert_eq!((plan.reasons[&blocked], w.reason(waits)), (R::Resources, R::Priority));
}

#[test]
fn a_job_of_several_partitions_starts_once_where_it_can() {
    let mut w = World::new();
    let both = |n| JobSpec { partitions: vec!["small".into(), "main".into()], ..wants(n, 10) };
    let (a, b) = (w.submit(both(4)), w.submit(both(4)));
    let (starts, _) = go(&mut w);
    assert_eq!(starts, [(a, vec!["n1:0-3".to_string()]), (b, vec!["n2:0-3".into()])]);
    assert_eq!(&*w.job(b).run().unwrap().partition, "main");
}

#[test]
fn tasks_of_an_array_fill_what_is_free() {
    let mut w = World::with(one_node());
    let id = w.submit(array("1-100"));
    let (starts, plan) = go(&mut w);
    assert_eq!(starts.len(), 4);
    assert_eq!(plan.reasons[&id], R::Resources);
    let throttled = {
        let mut w = World::with(one_node());
        let id = w.submit(array("5,7-9%2"));
        let (starts, plan) = go(&mut w);
        assert_eq!(plan.reasons[&id], R::JobArrayTaskLimit);
        starts.iter().map(|s| w.job(s.0).task()).collect::<Vec<_>>()
    };
    assert_eq!(throttled, [Some(5), Some(7)]);
}

#[test]
fn whoever_is_at_a_limit_lets_others_pass() {
    let mut config = config();
    config.qos[0] = QosConfig { name: "normal".into(), max_jobs_per_user: Some(1), ..QosConfig::default() };
    let mut w = World::with(config);
    let (first, second) = (w.submit(wants(1, 10)), w.submit(wants(1, 10)));
    let other = w.try_submit(user(1001), wants(1, 60)).unwrap();
    let (starts, plan) = go(&mut w);
    assert_eq!(starts.iter().map(|s| s.0).collect::<Vec<_>>(), [first, other]);
    assert_eq!(plan.reasons[&second], R::QOSMaxJobsPerUserLimit);
}

#[test]
fn whole_nodes_and_gpus() {
    let mut w = World::new();
    let gpu = |n| {
        let mut spec = wants(1, 10);
        spec.resources.gres = vec![GresRequest { name: "gpu".into(), kind: None, count: n, bare: false }];
        spec
    };
    let (one, two) = (w.submit(gpu(1)), w.submit(gpu(2)));
    let mut whole = wants(1, 10);
    whole.resources.exclusive = true;
    let whole = w.submit(whole);
    let beside = w.submit(wants(1, 10));
    let (starts, plan) = go(&mut w);
    // `two` is reserved on n2 when `one` ends at the same time as `beside`; `whole` has n1 for itself.
    assert_eq!(starts[0], (one, vec!["n2:0".to_string()]));
    assert_eq!(starts[1], (whole, vec!["n1:0-3".to_string()]));
    assert_eq!(starts[2], (beside, vec!["n2:1".to_string()]));
    assert_eq!(plan.reasons[&two], R::Resources);
    let share = &w.job(one).run().unwrap().alloc[0].gres[0];
    assert_eq!(
        (&*share.name, share.kind.as_deref(), share.indices.to_string()),
        ("gpu", Some("a100"), "0".into())
    );
}

#[test]
fn nothing_free_ends_the_walk_and_a_budget_bounds_it() {
    let mut w = World::with(one_node());
    for _ in 0..50 {
        w.submit(wants(3, 10));
    }
    let first = plan(&w.cluster, w.now(), 100);
    assert_eq!(
        (first.starts.len(), first.reasons.len()),
        (1, 1),
        "one CPU is left, and nobody behind is looked at twice"
    );
    let made = Some(w.now().wall);
    assert_eq!(plan(&w.cluster, w.now(), 0), Plan { made, ..Plan::default() });
}

#[test]
fn a_plan_that_is_out_of_date_does_no_harm() {
    let mut w = World::new();
    let (a, b) = (w.submit(wants(4, 10)), w.submit(wants(4, 10)));
    let old = plan(&w.cluster, w.now(), 100);
    w.cancel(user(1000), a).unwrap();
    let late = w.submit(wants(4, 10));
    w.try_start(late, None, 1).unwrap();
    // Of the old plan, a is cancelled and b's node is taken.
    assert_eq!(w.command(Command::ApplyPlan(old)).unwrap(), vec![]);
    assert_eq!(started(&mut w), [b]);
}

#[test]
fn test_only_says_when_and_where() {
    use bivouac_sched::test_only;
    use bivouac_types::Reject;
    let mut w = World::with(one_node());
    let ask = |w: &World, spec: &JobSpec| test_only(&w.cluster, spec, &user(1000), w.now());
    let now = ask(&w, &wants(2, 10)).unwrap();
    assert_eq!((now.start, now.cpus, now.partition.as_str()), (w.now().wall, 2, "main"));
    let before = w.cluster.state().clone();
    let running = w.submit(wants(4, 10));
    w.start(running);
    let later = ask(&w, &wants(2, 10)).unwrap();
    assert_eq!((later.start, later.nodes), (Timestamp::from_secs(1600), vec!["n1".to_string()]));
    assert_eq!(ask(&w, &wants(2, 61)), Err(Reject::InvalidTimeLimit));
    assert_eq!(ask(&w, &wants(5, 10)), Err(Reject::NodeConfigUnavailable));
    let mut nowhere = wants(1, 1);
    nowhere.partitions = vec!["nope".into()];
    assert_eq!(ask(&w, &nowhere), Err(Reject::InvalidPartition("nope".into())));
    assert_ne!(&before, w.cluster.state());
}

#[test]
fn a_node_kept_for_one_user() {
    let alone = || {
        let mut spec = wants(1, 10);
        spec.resources.only_for = Some(OnlyFor::User);
        spec
    };
    let mut w = World::with(one_node());
    let kept = w.submit(alone());
    let (mine, others) = (w.submit(wants(1, 10)), w.try_submit(user(1001), wants(1, 10)).unwrap());
    assert_eq!(started(&mut w), [kept, mine]);
    let (_, plan) = go(&mut w);
    assert_eq!(plan.reasons[&others], R::Resources);
    assert_eq!(w.cluster.node_infos(&plan, Timestamp(0))[0].owner.as_deref(), Some("u1000(1000)"));

    // Nor does it come to where others are.
    let mut w = World::with(one_node());
    let others = w.try_submit(user(1001), wants(1, 10)).unwrap();
    assert_eq!(started(&mut w), [others]);
    let kept = w.submit(alone());
    let (starts, plan) = go(&mut w);
    assert_eq!((starts.len(), plan.reasons[&kept]), (0, R::Resources));

    // ExclusiveUser of a partition asks for it in the name of all its jobs.
    let mut config = one_node();
    config.partitions[0].exclusive_user = true;
    let mut w = World::with(config);
    let first = w.submit(wants(1, 10));
    w.try_submit(user(1001), wants(1, 10)).unwrap();
    assert_eq!(started(&mut w), [first]);
}

#[test]
fn feature_counts_choices_and_the_node_of_the_batch_script() {
    let mut config = config();
    config.nodes.push(NodeConfig { name: "n3".into(), ..config.nodes[0].clone() });
    config.partitions[0].nodes = vec!["n1".into(), "n2".into(), "n3".into()];
    for (node, feature) in config.nodes.iter_mut().zip(["a", "a", "b"]) {
        node.features = vec![feature.into()];
    }
    let on = |constraint: &str, batch: Option<&str>, tasks: Option<u32>| {
        let mut w = World::with(config.clone());
        let mut spec = JobSpec { batch_features: batch.map(str::to_owned), ..wants(1, 10) };
        spec.resources.ntasks = tasks;
        spec.resources.constraint = Some(constraint.into());
        let job = w.try_submit(user(1000), spec).map_err(|e| e.to_string())?;
        let nodes = go(&mut w).0.remove(0).1;
        let batch = w
            .cluster
            .job_info(w.job(job), &Plan::default(), w.now())
            .unwrap()
            .batch_host()
            .map(str::to_owned);
        let names: Vec<String> = nodes.iter().map(|n| n.split(':').next().unwrap().to_owned()).collect();
        Ok::<_, String>((names.join(","), batch.unwrap()))
    };
    let is = |nodes: &str, batch: &str| Ok((nodes.to_owned(), batch.to_owned()));
    assert_eq!(on("[a*1&b*1]", None, None), is("n1,n3", "n1"));
    assert_eq!(on("[a*1&b*1]", Some("b"), None), is("n1,n3", "n3"));
    assert_eq!(on("a*2", None, None), is("n1,n2", "n1"));
    assert_eq!(on("[b|a]", None, Some(2)), is("n3", "n3"));
    assert_eq!(on("[a*3&b*1]", None, None), Err("Requested node configuration is not available".into()));
    assert_eq!(
        on("a", Some("b"), None),
        Err("Job --batch option is invalid or not a subset of --constraints".into())
    );
}

/// What the job runs with.
fn limit(w: &World, job: JobId) -> Option<TimeLimit> {
    w.job(job).run().map(|run| run.time_limit)
}

fn least(minutes: u32, least: u32) -> JobSpec {
    JobSpec { time_min: Some(TimeLimit::Minutes(least)), ..wants(1, minutes) }
}

#[test]
fn who_overtakes_gets_the_least_time_that_will_do() {
    let mut w = World::new();
    let free = w.submit(least(20, 5));
    assert_eq!(started(&mut w), [free]);
    assert_eq!(limit(&w, free), Some(TimeLimit::Minutes(20)), "nobody waits");

    let big = w.submit(wants(6, 30));
    started(&mut w);
    let top = w.submit(wants(8, 10));
    let (a, b, c) = (w.submit(least(60, 30)), w.submit(least(60, 31)), w.submit(wants(1, 31)));
    assert_eq!(started(&mut w), [a]);
    assert_eq!(limit(&w, a), Some(TimeLimit::Minutes(30)), "it ends before the reservation of {top}");
    w.cancel(root(), JobTarget::from(top)).unwrap();
    w.cancel(root(), JobTarget::from(big)).unwrap();
    w.exits(big, exit(0));
    assert_eq!(started(&mut w), [b, c]);
    assert_eq!(limit(&w, b), Some(TimeLimit::Minutes(60)));
}

#[test]
fn a_least_time_limit_fits_a_job_into_its_partition_and_before_its_deadline() {
    let mut w = World::with(one_node());
    let long = w.submit(least(90, 20));
    let in_time = JobSpec { deadline: Some(Timestamp(w.now().wall.0 + 330_000)), ..least(20, 1) };
    let in_time = w.submit(in_time);
    assert_eq!(started(&mut w), [long, in_time]);
    assert_eq!(limit(&w, long), Some(TimeLimit::Minutes(20)));
    assert_eq!(limit(&w, in_time), Some(TimeLimit::Minutes(5)));
    for refused in [least(10, 11), least(90, 61)] {
        assert_eq!(w.try_submit(user(1000), refused), Err(Reject::InvalidTimeMin));
    }
}
