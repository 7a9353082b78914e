//! Backfill never delays the planned start of the first job that waits, judged by an oracle of its own.

#[path = "../../core/tests/common/mod.rs"]
mod common;

use bivouac_core::alloc::NodeFree;
use bivouac_core::place::place;
use bivouac_core::{Command, JobTarget, Phase};
use bivouac_sched::plan;
use bivouac_types::{JobId, JobSpec, MemRequest, TimeLimit};
use common::*;
use proptest::prelude::*;

/// Tasks, CPUs of each, minutes, memory of each CPU, whole nodes.
type Ask = (u32, u32, u32, u64, bool);

fn ask() -> impl Strategy<Value = Ask> {
    (1u32..=6, 1u32..=2, 1u32..=30, 0u64..=400, proptest::bool::weighted(0.15))
}

fn spec_of((ntasks, cpus, minutes, mem, exclusive): Ask, n: usize) -> JobSpec {
    let mut spec = JobSpec { time_limit: Some(TimeLimit::Minutes(minutes)), ..spec() };
    spec.resources.ntasks = Some(ntasks);
    spec.resources.cpus_per_task = Some(cpus);
    spec.resources.mem = Some(MemRequest::PerCpu(mem));
    spec.resources.exclusive = exclusive;
    if n.is_multiple_of(3) {
        spec.time_min = Some(TimeLimit::Minutes(minutes.div_ceil(4)));
    }
    if n.is_multiple_of(5) {
        spec.partitions = vec!["small".into()];
    }
    spec
}

/// When the job finds room if everything that runs takes all of its time: the free resources of each moment are
/// counted anew from the jobs that still run then.
fn earliest(w: &World, job: JobId) -> Option<u64> {
    let cluster = &w.cluster;
    let tables = &cluster.world().tables;
    let job = cluster.job(job)?;
    let demand = cluster.demands(job).first()?.as_ref()?;
    let ends: Vec<(u64, &bivouac_core::Run)> = cluster
        .jobs()
        .filter_map(|j| match &j.phase {
            Phase::Running(run) => Some((run.start.run.0 + run.time_limit.duration()?.0, run)),
            _ => None,
        })
        .collect();
    // What should have ended by now may end at any moment.
    let mut moments: Vec<u64> = ends.iter().map(|e| e.0.max(w.now().run.0)).collect();
    moments.sort_unstable();
    moments.into_iter().find(|t| {
        let mut free: Vec<NodeFree> = tables.idle();
        for part in ends.iter().filter(|e| e.0 > *t).flat_map(|e| &e.1.alloc) {
            let n = tables.node(&part.node).unwrap();
            free[n].take(part, &tables.nodes[n]);
        }
        place(demand, &free, tables).is_some()
    })
}

/// Submits `early`, starts what can be, lets `gap` seconds pass, submits `late` and plans again: the first job that then
/// waits starts as early as without everybody behind it, and that start is the one shown.
fn never_delayed(early: Vec<Ask>, late: Vec<Ask>, gap: u64) -> Result<(), TestCaseError> {
    let mut w = World::new();
    for (n, ask) in early.into_iter().enumerate() {
        let _ = w.try_submit(user(1000), spec_of(ask, n + 1));
    }
    let first = plan(&w.cluster, w.now(), 1000);
    w.command(Command::ApplyPlan(first)).unwrap();
    w.secs += gap;
    for (n, ask) in late.into_iter().enumerate() {
        let _ = w.try_submit(user(1000), spec_of(ask, n));
    }
    let full = plan(&w.cluster, w.now(), 1000);
    let first_to_wait = w.cluster.queue().map(|e| e.job).find(|id| !full.starts.iter().any(|s| s.job == *id));
    let Some(top) = first_to_wait else { return Ok(()) };

    // Without everybody behind it.
    let mut alone = World::new();
    alone.cluster = w.cluster.clone();
    alone.secs = w.secs;
    let behind: Vec<JobId> = w.cluster.queue().map(|e| e.job).skip_while(|id| *id != top).skip(1).collect();
    for id in behind {
        alone.cancel(root(), JobTarget::from(id)).unwrap();
    }
    let ahead = plan(&alone.cluster, alone.now(), 1000);
    alone.command(Command::ApplyPlan(ahead)).unwrap();
    let undisturbed = earliest(&alone, top);

    w.command(Command::ApplyPlan(full.clone())).unwrap();
    prop_assert_eq!(earliest(&w, top), undisturbed);
    // And the start that is shown is that one.
    let shown = full.expected.get(&top).map(|e| e.0.0 as u64);
    prop_assert_eq!(shown, undisturbed);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_first_job_that_waits_is_never_delayed(
        early in proptest::collection::vec(ask(), 0..8),
        late in proptest::collection::vec(ask(), 1..12),
        gap in 0u64..600,
    ) {
        never_delayed(early, late, gap)?;
    }

    /// With finite work and no more arrivals everything starts, in time.
    #[test]
    fn everything_starts_at_last(asks in proptest::collection::vec(ask(), 1..20)) {
        let mut w = World::new();
        // One after the other would take so many minutes.
        let minutes: u32 = asks.iter().map(|ask| ask.2).sum();
        for (n, ask) in asks.into_iter().enumerate() {
            let _ = w.try_submit(user(1000), spec_of(ask, n));
        }
        for _ in 0..=minutes {
            let now = plan(&w.cluster, w.now(), 1000);
            w.command(Command::ApplyPlan(now)).unwrap();
            let running: Vec<JobId> = w.cluster.jobs().filter(|j| j.run().is_some()).map(|j| j.id).collect();
            if running.is_empty() {
                break;
            }
            w.pass(60);
            for id in running {
                if w.is_ending(id) {
                    w.exits(id, exit(0));
                }
            }
        }
        prop_assert_eq!(w.cluster.queue().count(), 0);
    }
}

#[test]
fn cases_that_once_failed() {
    let early = vec![
        (5, 2, 1, 0, false),
        (5, 2, 1, 0, false),
        (5, 2, 1, 0, false),
        (3, 1, 8, 0, false),
        (2, 1, 1, 0, false),
        (1, 2, 8, 0, false),
    ];
    never_delayed(early, vec![(1, 1, 1, 0, false)], 0).unwrap();
    let early = vec![
        (1, 1, 1, 251, false),
        (3, 2, 1, 251, false),
        (1, 1, 1, 0, false),
        (5, 2, 1, 0, false),
        (2, 2, 1, 0, false),
        (1, 1, 2, 0, false),
    ];
    never_delayed(early, vec![(1, 1, 1, 0, false)], 120).unwrap();
}
