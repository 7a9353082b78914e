//! The rows that squeue, sinfo, sacct and scontrol are printed from.

mod common;

use bivouac_core::{KeeperReport, NodePick, Plan, Start};
use bivouac_types::info::{ArrayTasks, JobInfo, Usage};
use bivouac_types::job::NodeRange;
use bivouac_types::tres::GresRequest;
use bivouac_types::{JobId, JobSpec, JobState, PendingReason, TimeLimit, Timestamp, Uid};
use common::*;

fn info(w: &World, id: JobId) -> JobInfo {
    w.cluster.job_info(w.job(id), &Plan::default(), w.now()).unwrap()
}

#[test]
fn a_pending_job_shows_what_it_asks_for() {
    let mut w = World::new();
    let mut spec = JobSpec { partitions: vec!["small".into(), "main".into()], ..spec() };
    spec.resources.ntasks = Some(3);
    let row = {
        let id = w.submit(spec);
        info(&w, id)
    };
    assert_eq!((row.num_nodes, row.num_cpus, row.num_tasks, row.mem_mb), (1, 3, 3, 300));
    assert_eq!(
        (row.partition.as_str(), row.account.as_deref(), row.qos.as_deref()),
        ("small,main", Some("ucb"), Some("normal"))
    );
    assert_eq!(
        (row.state, row.reason, row.time_limit),
        (JobState::Pending, PendingReason::Priority, TimeLimit::Minutes(10))
    );
    assert_eq!((row.start, row.end, row.nodes.len(), row.elapsed.0), (None, None, 0, 0));
    assert!(row.priority > 1);
    // Held: priority 0. Too large: as many nodes as its CPUs take.
    let id = w.submit(JobSpec { hold: true, ..self::spec() });
    assert_eq!(info(&w, id).priority, 0);
    let mut large = self::spec();
    large.resources.ntasks = Some(9);
    let id = w.submit(large);
    assert_eq!(info(&w, id).num_nodes, 3);
}

fn spec() -> JobSpec {
    common::spec()
}

#[test]
fn a_running_job_shows_what_it_has_and_an_ended_one_what_it_had() {
    let mut w = World::new();
    let mut spec = spec();
    spec.resources.nodes = Some(NodeRange { min: 2, max: Some(2) });
    spec.resources.ntasks = Some(3);
    let id = w.submit(spec);
    let nodes = vec![NodePick { node: 0, tasks: 2 }, NodePick { node: 1, tasks: 1 }];
    let start = Start { job: id, task: None, partition: 0, nodes, ..Start::default() };
    w.command(bivouac_core::Command::ApplyPlan(Plan { starts: vec![start], ..Plan::default() })).unwrap();
    w.launched(id);
    w.secs += 90;
    let row = info(&w, id);
    assert_eq!((row.state, row.reason, row.pid), (JobState::Running, PendingReason::None, Some(7)));
    assert_eq!((row.start, row.end), (Some(Timestamp::from_secs(1000)), Some(Timestamp::from_secs(1600))));
    assert_eq!((row.elapsed.as_secs(), row.num_cpus, row.mem_mb), (90, 3, 300));
    let shares: Vec<(&str, &[u32], u32)> =
        row.nodes.iter().map(|n| (n.node.as_str(), &n.cpus[..], n.tasks)).collect();
    assert_eq!(shares, [("n1", &[0, 1][..], 2), ("n2", &[0][..], 1)]);
    let attempt = w.attempt(id);
    let usage = Usage { user_us: 5, system_us: 6, max_rss_kb: 7, ..Usage::default() };
    let ended = w.now().wall;
    w.secs += 1;
    let report =
        KeeperReport::Exited { attempt, status: exit(2), usage: usage.clone(), ended, out_of_memory: false };
    w.report(report);
    w.secs += 100;
    let row = info(&w, id);
    assert_eq!((row.state, row.exit, row.elapsed.as_secs()), (JobState::Failed, exit(2), 90));
    assert_eq!((row.end, row.nodes.len(), row.pid), (Some(ended), 2, None));
    assert_eq!(
        (row.steps.len(), row.steps[0].usage.clone(), row.steps[0].state),
        (1, usage, JobState::Failed)
    );
}

#[test]
fn arrays_and_who_cancelled() {
    let mut w = World::new();
    let id = w.submit(array("1-5%3"));
    let one = w.start_task(id, 1);
    let (rest, single) = (info(&w, id).array.unwrap(), info(&w, one).array.unwrap());
    assert_eq!((rest.job, rest.tasks, rest.max_running), (id, ArrayTasks::Pending(tasks("2-5")), Some(3)));
    assert_eq!((single.job, single.tasks), (id, ArrayTasks::One(1)));
    w.cancel(root(), id).unwrap();
    w.exits(one, exit(0));
    assert_eq!(info(&w, one).cancelled_by, Some(Uid::ROOT));
    let cut = info(&w, id);
    assert_eq!((cut.state, cut.start, cut.elapsed.0, cut.steps.len()), (JobState::Cancelled, None, 0, 0));
}

#[test]
fn nodes_and_partitions() {
    let mut w = World::new();
    let mut spec = spec();
    spec.resources.gres = vec![GresRequest { name: "gpu".into(), kind: None, count: 1, bare: false }];
    let id = w.submit(spec);
    w.try_start(id, None, 1).unwrap();
    let nodes = w.cluster.node_infos(&Plan::default(), Timestamp(0));
    assert_eq!(nodes.iter().map(|n| n.state().to_string()).collect::<Vec<_>>(), ["IDLE", "MIXED"]);
    assert_eq!(
        (nodes[1].alloc_cpus, nodes[1].alloc_mem_mb, &nodes[1].alloc_gres[0].indices[..]),
        (1, 100, &[0][..])
    );
    assert_eq!(nodes[0].partitions, ["main", "small"]);
    w.cancel(user(1000), id).unwrap();
    let node = w.cluster.node_infos(&Plan::default(), Timestamp(0)).swap_remove(1);
    assert_eq!((node.state().to_string().as_str(), node.alloc_cpus), ("IDLE+COMPLETING", 0));
    let partitions = w.cluster.partition_infos(&user(1000));
    assert_eq!(partitions.iter().map(|p| p.total_cpus).collect::<Vec<_>>(), [8, 4]);
}
