//! The life of a job: launch, end, cancel in each phase, time limits, requeue, loss, late reports.

mod common;

use bivouac_core::{CancelScope, Command, Effect, JobChange, KeeperReport, Launch, Phase};
use bivouac_types::{Attempt, JobSpec, JobState, Outcome, PendingReason, Reject, TimeLimit};
use common::*;
use std::collections::BTreeSet;

const MINUTE: u64 = 60;

#[test]
fn a_job_runs_and_ends_once() {
    let mut w = World::new();
    let id = w.submit(spec());
    assert_eq!(w.state(id), JobState::Pending);
    w.start(id);
    let attempt = Attempt { job: id, restart: 0 };
    assert_eq!(w.effects, [Effect::Launch { attempt }]);
    assert_eq!(w.state(id), JobState::Running);
    w.launched(id);
    assert!(w.effects.is_empty());
    w.exits(id, exit(3));
    assert_eq!(w.state(id), JobState::Failed);
    let payload = bivouac_core::PayloadId("p1".into());
    assert_eq!(
        w.effects,
        [Effect::JobEnded { job: id }, Effect::AckKeeper { attempt }, Effect::DropPayload { payload }]
    );
    // The keeper says it again: nothing changes, and it is told that it may forget.
    let again = KeeperReport::Exited {
        attempt,
        status: exit(0),
        usage: Default::default(),
        ended: w.now().wall,
        out_of_memory: false,
    };
    assert_eq!(w.report(again.clone()), vec![]);
    assert_eq!(w.cluster.stale_effects(&again), [Effect::AckKeeper { attempt }]);
    assert_eq!(w.state(id), JobState::Failed);
    w.pass(300);
    assert!(w.cluster.job(id).is_none(), "forgotten after MinJobAge");
}

#[test]
fn out_of_memory_unless_it_was_ended_for_another_reason() {
    let mut w = World::new();
    let out_of_memory = |w: &mut World, id| {
        let report = KeeperReport::Exited {
            attempt: w.attempt(id),
            status: exit(0),
            usage: Default::default(),
            ended: w.now().wall,
            out_of_memory: true,
        };
        w.report(report);
        w.state(id)
    };
    let id = w.submit(spec());
    w.start(id);
    w.launched(id);
    assert_eq!(out_of_memory(&mut w, id), JobState::OutOfMemory);
    let id = w.submit(spec());
    w.start(id);
    w.launched(id);
    w.cancel(user(1000), id).unwrap();
    assert_eq!(out_of_memory(&mut w, id), JobState::Cancelled);
}

#[test]
fn cancelled_in_each_phase() {
    let mut w = World::new();
    // Pending.
    let id = w.submit(spec());
    w.cancel(user(1000), id).unwrap();
    assert_eq!(w.state(id), JobState::Cancelled);
    assert_eq!(w.cancel(user(1000), id), Err(Reject::JobFinished));
    // Granted, and the launch not confirmed.
    let id = w.submit(spec());
    w.start(id);
    let attempt = w.attempt(id);
    w.cancel(user(1000), id).unwrap();
    assert_eq!(w.effects, [Effect::Terminate { attempt }]);
    assert_eq!(w.state(id), JobState::Completing);
    w.report(KeeperReport::LaunchFailed { attempt, what: "told to end first".into() });
    assert_eq!(w.state(id), JobState::Cancelled);
    // Running: the script's status is kept, and the job is not what its script says.
    let id = w.submit(spec());
    w.start(id);
    w.launched(id);
    w.cancel(user(1000), id).unwrap();
    assert_eq!(w.cancel(user(1000), id).unwrap(), vec![], "a second time is no error");
    w.exits(id, exit(0));
    assert_eq!(w.state(id), JobState::Cancelled);
    let Phase::Ended(ended) = &w.job(id).phase else { panic!() };
    assert!(matches!(ended.outcome, Outcome::Cancelled { status: Some(_), .. }));
}

#[test]
fn a_confirmation_that_comes_after_the_cancel_does_no_harm() {
    let mut w = World::new();
    let id = w.submit(spec());
    w.start(id);
    w.cancel(user(1000), id).unwrap();
    w.launched(id);
    assert_eq!(w.state(id), JobState::Completing);
    assert_eq!(w.job(id).run().unwrap().launch, Launch::Launched { pid: 7 });
    w.exits(id, exit(1));
    assert_eq!(w.state(id), JobState::Cancelled);
}

#[test]
fn a_signal_leaves_the_job_running() {
    let mut w = World::new();
    let id = w.submit(spec());
    let signal = |w: &mut World, signal| {
        let (target, scope) = (id.into(), CancelScope::Full);
        w.command(Command::Cancel { caller: user(1000), target, signal: Some(signal), scope })
    };
    assert_eq!(signal(&mut w, 10), Err(Reject::JobPending));
    w.start(id);
    signal(&mut w, 10).unwrap();
    let attempt = w.attempt(id);
    assert_eq!(w.effects, [Effect::Signal { attempt, signal: 10, scope: CancelScope::Full }]);
    assert_eq!(w.state(id), JobState::Running);
    // A number that is no signal's is taken, and nobody gets it.
    signal(&mut w, 4711).unwrap();
    assert_eq!(w.effects, []);
}

#[test]
fn the_time_limit_ends_a_job_and_kills_what_stays() {
    let mut w = World::new();
    let id = w.submit(JobSpec { time_limit: Some(TimeLimit::Minutes(2)), ..spec() });
    w.start(id);
    w.launched(id);
    let attempt = w.attempt(id);
    assert_eq!(w.cluster.next_deadline(w.now()).unwrap().as_secs(), 2 * MINUTE);
    assert_eq!(w.pass(2 * MINUTE - 1), vec![]);
    w.pass(1);
    assert_eq!(w.effects, [Effect::Terminate { attempt }]);
    assert_eq!(w.cluster.next_deadline(w.now()).unwrap().as_secs(), 30, "KillWait");
    assert_eq!(w.pass(29), vec![]);
    w.pass(1);
    assert_eq!(w.effects, [Effect::Kill { attempt }]);
    assert_eq!(w.pass(1000), vec![], "once");
    w.exits(id, exit(0));
    assert_eq!(w.state(id), JobState::Timeout);
}

#[test]
fn a_changed_limit_counts_at_once() {
    let mut w = World::new();
    let id = w.submit(spec());
    w.start(id);
    w.pass(3 * MINUTE);
    let limit = |m| JobChange::TimeLimit(TimeLimit::Minutes(m));
    assert_eq!(w.update(user(1000), id, limit(11)), Err(Reject::AccessDenied), "more only by an operator");
    w.update(root(), id, limit(20)).unwrap();
    w.pass(16 * MINUTE);
    assert_eq!(w.state(id), JobState::Running);
    w.update(user(1000), id, limit(2)).unwrap();
    w.pass(0);
    assert_eq!(w.state(id), JobState::Completing);
}

#[test]
fn wall_time_counts_where_the_cluster_says_so() {
    use bivouac_types::config::LimitClock;
    use bivouac_types::{Duration, Now, Timestamp};
    for (clock, asleep_ends) in [(LimitClock::Wall, true), (LimitClock::Monotonic, false)] {
        let mut config = config();
        config.limit_clock = clock;
        let mut w = World::with(config);
        let id = w.submit(spec());
        w.start(id);
        // The machine slept for an hour: only the wall clock went on.
        let later = Now { wall: Timestamp::from_secs(1000 + 3600), run: Duration::from_secs(1000) };
        let events = w.cluster.decide(Command::Tick, later).unwrap();
        assert_eq!(!events.is_empty(), asleep_ends);
    }
}

#[test]
fn requeued_jobs_run_again_under_a_new_attempt() {
    let mut w = World::new();
    let id = w.submit(spec());
    assert_eq!(requeue(&mut w, 1000, id), Err(Reject::JobPending));
    w.start(id);
    w.launched(id);
    let first = w.attempt(id);
    assert_eq!(requeue(&mut w, 1001, id), Err(Reject::AccessDenied));
    requeue(&mut w, 1000, id).unwrap();
    assert_eq!(w.effects, [Effect::Terminate { attempt: first }]);
    w.exits(id, exit(0));
    assert_eq!(w.effects, [Effect::AckKeeper { attempt: first }]);
    assert_eq!((w.state(id), w.reason(id)), (JobState::Pending, PendingReason::BeginTime));
    w.pass(REQUEUE_DELAY - 1);
    assert_eq!(w.try_start(id, None, 0), None);
    w.pass(1);
    w.start(id);
    let second = w.attempt(id);
    assert_eq!(second, Attempt { job: id, restart: 1 });
    // What the first attempt says now is stale.
    let stale = KeeperReport::Launched { attempt: first, pid: 9 };
    assert_eq!(w.report(stale.clone()), vec![]);
    assert_eq!(w.cluster.stale_effects(&stale), [Effect::StopStale { attempt: first }]);
    w.report(KeeperReport::Exited {
        attempt: first,
        status: exit(1),
        usage: Default::default(),
        ended: w.now().wall,
        out_of_memory: false,
    });
    assert_eq!(w.state(id), JobState::Running);
    w.exits(id, exit(0));
    assert_eq!(w.state(id), JobState::Completed);
    assert_eq!(requeue(&mut w, 1001, id), Err(Reject::AccessDenied));
}

fn requeue(w: &mut World, uid: u32, id: bivouac_types::JobId) -> Result<Vec<bivouac_core::Change>, Reject> {
    w.command(Command::Requeue { caller: user(uid), target: id.into(), hold: None, incomplete: false })
}

#[test]
fn no_requeue_means_no() {
    let mut w = World::new();
    let id = w.submit(JobSpec { requeue: Some(false), ..spec() });
    w.start(id);
    assert_eq!(requeue(&mut w, 1000, id), Err(Reject::NotInThisState));
}

#[test]
fn a_requeue_can_still_be_cancelled() {
    let mut w = World::new();
    let id = w.submit(spec());
    w.start(id);
    requeue(&mut w, 1000, id).unwrap();
    w.cancel(user(1000), id).unwrap();
    w.exits(id, exit(0));
    assert_eq!(w.state(id), JobState::Cancelled);
}

#[test]
fn a_lost_job_is_a_node_failure_and_never_completed() {
    let mut w = World::new();
    let id = w.submit(spec());
    w.start(id);
    w.launched(id);
    let attempt = w.attempt(id);
    w.report(KeeperReport::Lost { attempt });
    assert_eq!(w.state(id), JobState::NodeFail);
    // Only what was made to be repeated is repeated.
    let id = w.submit(JobSpec { requeue: Some(true), ..spec() });
    w.start(id);
    let attempt = w.attempt(id);
    w.report(KeeperReport::Lost { attempt });
    assert_eq!((w.state(id), w.job(id).restarts), (JobState::Pending, 1));
}

#[test]
fn a_launch_that_fails_ends_the_job() {
    let mut w = World::new();
    let id = w.submit(spec());
    w.start(id);
    let attempt = w.attempt(id);
    w.report(KeeperReport::LaunchFailed { attempt, what: "no such folder".into() });
    assert_eq!(w.state(id), JobState::Failed);
}

#[test]
fn after_a_restart_everything_that_should_go_on_is_asked_for() {
    let mut w = World::new();
    let ids: Vec<_> = (0..4).map(|_| w.submit(spec())).collect();
    for id in &ids {
        w.start(*id);
    }
    w.launched(ids[1]);
    w.cancel(user(1000), ids[2]).unwrap();
    w.cancel(user(1000), ids[3]).unwrap();
    w.pass(30);
    let mut effects = w.cluster.resume_effects();
    effects.sort_by_key(|e| format!("{e:?}"));
    let a = |n: usize| Attempt { job: ids[n], restart: 0 };
    assert_eq!(
        effects,
        [Effect::Kill { attempt: a(2) }, Effect::Kill { attempt: a(3) }, Effect::Launch { attempt: a(0) }]
    );
}

#[test]
fn a_keeper_that_does_not_know_a_job_has_lost_it_or_never_began_it() {
    let mut w = World::new();
    let (granted, confirmed, ending) = (w.submit(spec()), w.submit(spec()), w.submit(spec()));
    for id in [granted, confirmed, ending] {
        w.start(id);
    }
    w.launched(confirmed);
    w.cancel(user(1000), ending).unwrap();
    let none = BTreeSet::new();
    let [begin, lost, never] = [granted, confirmed, ending].map(|id| w.attempt(id));
    // What was not confirmed never began: it is launched, or ended by the answer to this.
    assert_eq!(w.cluster.reconcile(&none, true), [KeeperReport::Lost { attempt: lost }]);
    let resumed = w.cluster.resume_effects();
    assert!(resumed.contains(&Effect::Launch { attempt: begin }));
    assert!(resumed.contains(&Effect::Terminate { attempt: never }));
    // With another journal nobody knows what began: nothing is run twice.
    assert_eq!(w.cluster.reconcile(&none, false).len(), 3);
    assert_eq!(w.cluster.reconcile(&[begin, lost, never].into(), false), vec![]);
}
