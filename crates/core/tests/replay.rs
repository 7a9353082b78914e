//! Live state is the fold of the events: replay equals memory, snapshot and tail equal full replay, and events
//! survive being written and read.

mod common;

use bivouac_core::{
    Cluster, Command, Event, JobChange, JobTarget, KeeperReport, NodePick, Plan, Start, State,
};
use bivouac_types::array::ArraySpec;
use bivouac_types::depend::{Dependency, DependencyTarget, DependencyTerm};
use bivouac_types::{Duration, JobId, JobSpec, TaskSet, TimeLimit};
use common::*;
use proptest::prelude::*;
use std::sync::Arc;

/// What is done next, with numbers that are reduced to what there is.
#[derive(Clone, Debug)]
enum Do {
    Submit { tasks: Option<u32>, ntasks: u32, after: Option<(u8, u32)>, hold: bool },
    Start(u32),
    Launched(u32),
    Exit(u32, u8),
    Lost(u32),
    Cancel(u32, Option<(u32, u32)>),
    Hold(u32),
    Release(u32),
    Requeue(u32),
    Update(u32, u8),
    Pass(u64),
}

fn doing() -> impl Strategy<Value = Do> {
    let which = 0u32..40;
    prop_oneof![
        4 => (proptest::option::of(1u32..6), 1u32..5, proptest::option::of((0u8..5, which.clone())), any::<bool>())
            .prop_map(|(tasks, ntasks, after, hold)| Do::Submit { tasks, ntasks, after, hold: hold && ntasks == 1 }),
        6 => which.clone().prop_map(Do::Start),
        2 => which.clone().prop_map(Do::Launched),
        4 => (which.clone(), 0u8..2).prop_map(|(n, code)| Do::Exit(n, code)),
        1 => which.clone().prop_map(Do::Lost),
        2 => (which.clone(), proptest::option::of((0u32..6, 0u32..3))).prop_map(|(n, t)| Do::Cancel(n, t)),
        1 => which.clone().prop_map(Do::Hold),
        1 => which.clone().prop_map(Do::Release),
        1 => which.clone().prop_map(Do::Requeue),
        1 => (which, 0u8..5).prop_map(|(n, what)| Do::Update(n, what)),
        3 => (1u64..400).prop_map(Do::Pass),
    ]
}

fn perform(w: &mut World, what: Do) {
    let ids: Vec<JobId> = w.cluster.jobs().map(|j| j.id).collect();
    let pick = |n: u32| ids.get(n as usize % ids.len().max(1)).copied().unwrap_or(JobId(n));
    let target = |n: u32| JobTarget::from(pick(n));
    let attempt = |w: &World, n: u32| w.cluster.job(pick(n)).map(|j| j.attempt());
    let command = match what {
        Do::Submit { tasks, ntasks, after, hold } => {
            let mut spec = JobSpec { hold, ..spec() };
            spec.resources.ntasks = Some(ntasks);
            spec.array =
                tasks.map(|n| ArraySpec { tasks: TaskSet::from_ranges([(0, n)]), max_running: None });
            spec.dependency = after.map(|(kind, n)| {
                let job = DependencyTarget::job(pick(n));
                let term = match kind {
                    0 => DependencyTerm::AfterOk(job),
                    1 => DependencyTerm::AfterNotOk(job),
                    2 => DependencyTerm::AfterAny(job),
                    3 => DependencyTerm::Singleton,
                    _ => DependencyTerm::After { job, delay: Duration::from_secs(60) },
                };
                Dependency { terms: vec![term], any: false }
            });
            let _ = w.try_submit(user(1000), spec);
            return;
        }
        Do::Start(n) => {
            let Some(entry) = w.cluster.queue().nth(n as usize % w.cluster.queue().count().max(1)).cloned()
            else {
                return;
            };
            let task = w
                .job(entry.job)
                .tasks()
                .filter(|_| w.job(entry.job).task().is_none())
                .and_then(|t| t.first());
            let nodes = vec![NodePick { node: n as usize % 2, tasks: entry.demand.tasks }];
            let start =
                Start { job: entry.job, task, partition: entry.demand.partition, nodes, ..Start::default() };
            Command::ApplyPlan(Plan { starts: vec![start], ..Plan::default() })
        }
        Do::Launched(n) => match attempt(w, n) {
            Some(attempt) => Command::Report(KeeperReport::Launched { attempt, pid: n }),
            None => return,
        },
        Do::Exit(n, code) => match attempt(w, n) {
            Some(attempt) => Command::Report(KeeperReport::Exited {
                attempt,
                status: exit(code),
                usage: Default::default(),
                ended: w.now().wall,
                out_of_memory: code == 5,
            }),
            None => return,
        },
        Do::Lost(n) => match attempt(w, n) {
            Some(attempt) => Command::Report(KeeperReport::Lost { attempt }),
            None => return,
        },
        Do::Cancel(n, part) => {
            let tasks = part.map(|(first, more)| TaskSet::from_ranges([(first, first + more)]));
            let target = JobTarget { tasks, ..target(n) };
            Command::Cancel { caller: user(1000), target, signal: None, scope: Default::default() }
        }
        Do::Hold(n) => Command::Hold { caller: user(1000), target: target(n), user_hold: false },
        Do::Release(n) => Command::Release { caller: user(1000), target: target(n) },
        Do::Requeue(n) => {
            Command::Requeue { caller: user(1000), target: target(n), hold: None, incomplete: false }
        }
        Do::Update(n, what) => {
            let change = match what {
                0 => JobChange::TimeLimit(TimeLimit::Minutes(n)),
                1 => JobChange::Name(format!("job{}", n % 2)),
                2 => JobChange::Tasks(n % 4),
                3 => JobChange::Requeue(n % 2 == 0),
                _ => JobChange::Nice(n as i32),
            };
            Command::Update { caller: user(1000), target: target(n), changes: vec![change] }
        }
        Do::Pass(secs) => {
            w.pass(secs);
            return;
        }
    };
    // Refusals are part of life; `command` checks the invariants after each.
    let _ = w.command(command);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn state_is_the_fold_of_its_events(what in proptest::collection::vec(doing(), 1..60), cut in any::<prop::sample::Index>()) {
        let mut w = World::new();
        let mut snapshots = vec![(0, serde_json::to_string(w.cluster.state()).unwrap())];
        for step in what {
            perform(&mut w, step);
            snapshots.push((w.events.len(), serde_json::to_string(w.cluster.state()).unwrap()));
        }
        let config = Arc::new(config());
        let stored: Vec<Event> = w
            .events
            .iter()
            .map(|e| serde_json::from_str(&serde_json::to_string(e).unwrap()).unwrap())
            .collect();
        prop_assert_eq!(&stored, &w.events);

        let mut full = Cluster::new(config.clone());
        stored.iter().for_each(|e| full.apply(e));
        prop_assert_eq!(full.state(), w.cluster.state());
        full.check().unwrap();

        let (from, snapshot) = cut.get(&snapshots);
        let state: State = serde_json::from_str(snapshot).unwrap();
        let mut tail = Cluster::restore(config, state).unwrap();
        stored[*from..].iter().for_each(|e| tail.apply(e));
        prop_assert_eq!(tail.state(), w.cluster.state());
        tail.check().unwrap();
    }
}

/// Events are kept for ever: this is what version 1 wrote, and it must be read for ever.
#[test]
fn events_of_version_1_are_read() {
    let old = [
        r#"{"at":{"wall":1000,"run":1000},"change":{"Started":{"job":2,"from":1,"task":4,"partition":"main","time_limit":{"Minutes":10},"alloc":[{"node":"n1","cpus":"0-1,3","mem_mb":100,"tasks":3}]}}}"#,
        r#"{"at":{"wall":1000,"run":1000},"change":{"Launched":{"attempt":{"job":2,"restart":0},"pid":77}}}"#,
        r#"{"at":{"wall":1000,"run":1000},"change":{"Ending":{"attempt":{"job":2,"restart":0},"cause":"TimeLimit"}}}"#,
        r#"{"at":{"wall":1000,"run":1000},"change":{"Ended":{"job":2,"outcome":{"Exited":{"code":0,"signal":0}},"end":1000}}}"#,
        r#"{"at":{"wall":1000,"run":1000},"change":{"Purged":{"jobs":[1,2]}}}"#,
    ];
    for text in old {
        serde_json::from_str::<Event>(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    }
}

#[test]
fn a_job_on_a_node_that_is_gone_is_named() {
    let mut w = World::new();
    let id = w.submit(spec());
    w.start(id);
    let mut smaller = config();
    smaller.nodes.remove(0);
    smaller.partitions.truncate(1);
    smaller.partitions[0].nodes = vec!["n2".into()];
    let error = Cluster::restore(Arc::new(smaller), w.cluster.state().clone()).unwrap_err();
    assert_eq!(error.to_string(), "job 1: runs on node n1, which the configuration does not have");
}

#[test]
fn a_pending_job_whose_partition_is_gone_waits() {
    let mut w = World::new();
    let id = w.submit(JobSpec { partitions: vec!["small".into()], ..spec() });
    let mut other = config();
    other.partitions.truncate(1);
    w.cluster = Cluster::restore(Arc::new(other), w.cluster.state().clone()).unwrap();
    assert_eq!(w.reason(id), bivouac_types::PendingReason::PartitionConfig);
    w.cancel(user(1000), id).unwrap();
}
