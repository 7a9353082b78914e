//! suspend and resume, requeuehold, what was asked for the end of a job, update of any field, top.

mod common;

use bivouac_core::{
    CancelScope, Command, Effect, Hold, JobChange, NodePick, Plan, SignalScope, Start, StepAsk,
};
use bivouac_types::job::{NodeRange, SignalRequest};
use bivouac_types::{JobId, JobState, MemRequest, PendingReason as R, Reject, TimeLimit};
use common::*;

const MINUTE: u64 = 60;

fn suspend(w: &mut World, job: JobId) -> Result<(), Reject> {
    w.command(Command::Suspend { caller: root(), target: job.into() }).map(drop)
}

fn resume(w: &mut World, job: JobId) -> Result<(), Reject> {
    w.command(Command::Resume { caller: root(), target: job.into() }).map(drop)
}

fn requeue(w: &mut World, job: JobId, hold: Option<Hold>) -> Result<(), Reject> {
    let caller = user(1000);
    w.command(Command::Requeue { caller, target: job.into(), hold, incomplete: false }).map(drop)
}

#[test]
fn time_does_not_pass_for_a_suspended_job() {
    let mut w = World::new();
    let id = w.submit(spec());
    w.start(id);
    w.launched(id);
    w.pass(3 * MINUTE);
    let attempt = w.attempt(id);
    let target = id.into();
    assert_eq!(w.command(Command::Suspend { caller: user(1000), target }), Err(Reject::AccessDenied));
    suspend(&mut w, id).unwrap();
    assert_eq!((w.state(id), &w.effects[..]), (JobState::Suspended, &[Effect::Suspend { attempt }][..]));
    w.pass(60 * MINUTE);
    let row = w.cluster.job_info(w.job(id), &Default::default(), w.now()).unwrap();
    assert_eq!((row.elapsed.as_secs(), row.suspended.map(|s| s.1.as_secs())), (180, Some(180)));
    assert_eq!(w.cluster.resume_effects(), [Effect::Suspend { attempt }]);
    resume(&mut w, id).unwrap();
    assert_eq!(w.effects, [Effect::Resume { attempt }]);
    assert_eq!(w.cluster.resume_effects(), [Effect::Resume { attempt }], "it may not have heard");
    w.pass(7 * MINUTE - 1);
    assert_eq!(w.state(id), JobState::Running, "three minutes of ten are used up");
    w.pass(1);
    assert_eq!(w.state(id), JobState::Completing);
    assert_eq!(resume(&mut w, id), Err(Reject::JobFinished));
}

#[test]
fn the_cpus_of_a_suspended_job_are_free_and_it_waits_for_them() {
    let mut w = World::new();
    let mut whole = spec();
    whole.resources.ntasks = Some(w.cluster.config().nodes[0].cpus());
    whole.resources.mem = Some(MemRequest::PerNode(1));
    let (a, b) = (w.submit(whole.clone()), w.submit(whole));
    w.start(a);
    assert_eq!(w.try_start(b, None, 0), None);
    assert_eq!(suspend(&mut w, b), Err(Reject::JobPending));
    suspend(&mut w, a).unwrap();
    w.start(b);
    assert_eq!(resume(&mut w, a), Err(Reject::StepBusy));
    w.exits(b, exit(0));
    resume(&mut w, a).unwrap();
    assert_eq!(resume(&mut w, a), Err(Reject::NotSuspended));
    assert_eq!(w.state(a), JobState::Running);
}

#[test]
fn a_requeued_job_can_be_held_and_so_is_a_suspended_one() {
    let mut w = World::new();
    for (suspended, hold, state) in [
        (false, Some(Hold::Requeued), JobState::Pending),
        (false, Some(Hold::SpecialExit), JobState::SpecialExit),
        (true, None, JobState::Pending),
    ] {
        let id = w.submit(spec());
        w.start(id);
        if suspended {
            suspend(&mut w, id).unwrap();
        }
        requeue(&mut w, id, hold).unwrap();
        w.exits(id, exit(0));
        assert_eq!((w.state(id), w.reason(id)), (state, R::JobRequeuedHeld));
        w.command(Command::Release { caller: user(1000), target: id.into() }).unwrap();
        assert_eq!((w.state(id), w.reason(id)), (JobState::Pending, R::BeginTime));
        w.pass(REQUEUE_DELAY);
        assert!(w.is_ready(id));
        w.run(id, 0);
    }
}

#[test]
fn a_job_that_is_over_can_be_run_again() {
    let mut w = World::new();
    let id = w.submit(spec());
    let mut after = spec();
    after.dependency = Some(bivouac_types::Dependency::parse(&format!("afternotok:{id}")).unwrap());
    let after = w.submit(after);
    w.run(id, 3);
    assert!(w.is_ready(after));
    let incomplete = Command::Requeue { caller: user(1000), target: id.into(), hold: None, incomplete: true };
    assert_eq!(w.command(incomplete), Ok(vec![]));
    requeue(&mut w, id, None).unwrap();
    assert_eq!((w.state(id), w.job(id).restarts), (JobState::Pending, 1));
    assert_eq!(requeue(&mut w, id, None), Err(Reject::JobPending));
    let now = w.now().wall;
    w.update(user(1000), id, JobChange::Begin(now)).unwrap();
    w.run(id, 0);
    assert_eq!((w.state(id), w.is_ready(after)), (JobState::Completed, true));
    w.update(user(1000), after, JobChange::Requeue(false)).unwrap();
    w.run(after, 1);
    assert_eq!(requeue(&mut w, after, None), Err(Reject::NotInThisState));
}

#[test]
fn a_job_is_told_before_its_limit_if_it_asked() {
    let mut w = World::new();
    let mut asks = spec();
    let signal = SignalRequest { signal: 10, seconds: 60, batch_only: true, reservation: false };
    asks.signal = Some(signal);
    let id = w.submit(asks);
    w.start(id);
    assert_eq!(w.pass(9 * MINUTE - 1), vec![]);
    w.pass(1);
    let attempt = w.attempt(id);
    assert_eq!(w.effects, [Effect::Signal { attempt, signal: 10, scope: SignalScope::Batch }]);
    assert_eq!(w.pass(MINUTE - 1), vec![], "once");
    w.pass(1);
    assert_eq!(w.effects, [Effect::Terminate { attempt }]);
}

#[test]
fn a_deadline_ends_what_cannot_end_before_it() {
    let mut w = World::new();
    let mut late = spec();
    late.deadline = Some(w.now().wall + bivouac_types::Duration::from_secs(15 * MINUTE));
    let (waits, runs) = (w.submit(late.clone()), w.submit(late));
    w.start(runs);
    w.update(root(), runs, JobChange::TimeLimit(TimeLimit::Minutes(30))).unwrap();
    w.pass(5 * MINUTE - 1);
    assert_eq!(w.state(waits), JobState::Pending);
    w.pass(1);
    assert_eq!(w.state(waits), JobState::Deadline, "its ten minutes do not fit any more");
    w.pass(10 * MINUTE);
    assert_eq!(w.state(runs), JobState::Completing);
    w.exits(runs, exit(0));
    assert_eq!(w.state(runs), JobState::Deadline);
}

#[test]
fn a_stopped_job_is_shown_as_stopped() {
    let mut w = World::new();
    let id = w.submit(spec());
    w.start(id);
    for (signal, state) in [(19, JobState::Stopped), (10, JobState::Stopped), (18, JobState::Running)] {
        let (caller, scope) = (user(1000), CancelScope::Job);
        w.command(Command::Cancel { caller, target: id.into(), signal: Some(signal), scope }).unwrap();
        assert_eq!(w.state(id), state);
    }
}

#[test]
fn one_step_is_signalled_or_ended() {
    let mut w = World::new();
    let id = w.submit(spec());
    w.start(id);
    let ask = StepAsk { ntasks: 1, cpus_per_task: 1, exact: true, ..StepAsk::default() };
    w.command(Command::StepStart { caller: user(1000), job: id, ask }).unwrap();
    let cancel = |step, signal| Command::Cancel {
        caller: user(1000),
        target: id.into(),
        signal,
        scope: CancelScope::Step(step),
    };
    assert_eq!(w.command(cancel(1, None)), Err(Reject::NoSuchStep));
    let attempt = w.attempt(id);
    w.command(cancel(0, Some(10))).unwrap();
    assert_eq!(w.effects, [Effect::Signal { attempt, signal: 10, scope: SignalScope::Step(0) }]);
    w.command(cancel(0, None)).unwrap();
    assert_eq!(w.effects, [Effect::EndStep { attempt, step: 0 }]);
    assert_eq!(w.state(id), JobState::Running);
}

#[test]
fn an_update_is_made_as_a_whole_or_not_at_all() {
    let mut w = World::new();
    let id = w.submit(spec());
    let all = |changes| Command::Update { caller: user(1000), target: id.into(), changes };
    let before = w.job(id).clone();
    let nodes = bivouac_types::HostList { names: vec!["nope".into()] };
    let bad = all(vec![JobChange::Name("x".into()), JobChange::Tasks(2), JobChange::NodeList(Some(nodes))]);
    assert!(matches!(w.command(bad), Err(Reject::InvalidNodeName(_))));
    assert_eq!(*w.job(id), before);
    w.command(all(vec![
        JobChange::Tasks(2),
        JobChange::CpusPerTask(2),
        JobChange::Comment(Some("c".into())),
    ]))
    .unwrap();
    w.start(id);
    // The CPUs are those that the job was submitted with, whatever its tasks are now.
    assert_eq!((w.job(id).run().unwrap().cpus(), w.job(id).run().unwrap().alloc[0].tasks), (1, 2));
    assert_eq!(w.cluster.submission(w.job(id)).unwrap().spec.comment.as_deref(), Some("c"));
    assert_eq!(w.update(user(1000), id, JobChange::Tasks(1)), Err(Reject::NotPending));
    w.update(user(1000), id, JobChange::Comment(None)).unwrap();
}

#[test]
fn begin_time_and_dependency_can_be_changed() {
    let mut w = World::new();
    let (first, id) = (w.submit(spec()), w.submit(spec()));
    let later = JobChange::Begin(w.now().wall + bivouac_types::Duration::from_secs(MINUTE));
    w.update(user(1000), id, later).unwrap();
    assert_eq!((w.reason(id), w.is_ready(id)), (R::BeginTime, false));
    w.pass(MINUTE);
    assert!(w.is_ready(id));
    let on =
        |job: JobId| JobChange::Dependency(bivouac_types::Dependency::parse(&format!("afterok:{job}")).ok());
    assert_eq!(w.update(user(1000), id, on(id)), Err(Reject::DependencyProblem));
    w.update(user(1000), id, on(first)).unwrap();
    assert_eq!(w.reason(id), R::Dependency);
    w.run(first, 0);
    assert!(w.is_ready(id));
}

#[test]
fn a_priority_is_an_operators_to_raise_and_release_forgets_it() {
    let mut w = World::new();
    let (first, second) = (w.submit(spec()), w.submit(spec()));
    let order = |w: &World| w.cluster.queue().map(|e| e.job).collect::<Vec<_>>();
    assert_eq!(order(&w), [first, second]);
    assert_eq!(w.update(user(1000), second, JobChange::Priority(u32::MAX - 5)), Err(Reject::AccessDenied));
    w.update(user(1000), first, JobChange::Priority(100)).unwrap();
    assert_eq!(order(&w), [second, first]);
    w.update(user(1000), first, JobChange::Priority(0)).unwrap();
    assert_eq!(w.reason(first), R::JobHeldUser);
    assert_eq!(w.update(root(), first, JobChange::Priority(7)), Err(Reject::JobHeld));
    w.command(Command::Release { caller: user(1000), target: first.into() }).unwrap();
    assert_eq!(order(&w), [first, second]);
}

#[test]
fn top_changes_the_order_of_ones_own() {
    let mut w = World::new();
    let ids: Vec<JobId> = (0..4).map(|_| w.submit(spec())).collect();
    let top = |caller| Command::Top { caller, jobs: vec![ids[2], ids[1]] };
    assert_eq!(w.command(top(user(1000))), Err(Reject::AccessDenied));
    w.command(top(root())).unwrap();
    let order: Vec<JobId> = w.cluster.queue().map(|e| e.job).collect();
    assert_eq!(order, [ids[2], ids[1], ids[0], ids[3]]);
    assert_eq!(w.job(ids[2]).nice, 0, "nobody else is overtaken");
}

#[test]
fn a_job_that_can_never_start_is_cancelled_if_it_asked_for_that() {
    let mut w = World::new();
    let first = w.submit(spec());
    let mut after = spec();
    after.dependency = bivouac_types::Dependency::parse(&format!("afterok:{first}")).ok();
    let stays = w.submit(after.clone());
    after.kill_on_invalid_dep = Some(true);
    let goes = w.submit(after);
    w.run(first, 1);
    assert_eq!(w.reason(stays), R::DependencyNeverSatisfied);
    w.pass(0);
    assert_eq!((w.state(stays), w.state(goes)), (JobState::Pending, JobState::Cancelled));
}

#[test]
fn a_running_job_gives_nodes_back() {
    let mut w = World::new();
    let mut two = spec();
    (two.resources.nodes, two.resources.ntasks) = (Some(NodeRange { min: 2, max: Some(2) }), Some(2));
    let id = w.submit(two);
    let nodes = vec![NodePick { node: 0, tasks: 1 }, NodePick { node: 1, tasks: 1 }];
    let start = Start { job: id, task: None, partition: 0, nodes, ..Start::default() };
    w.command(Command::ApplyPlan(Plan { starts: vec![start], ..Plan::default() })).unwrap();
    let names: Vec<String> = w.job(id).run().unwrap().alloc.iter().map(|a| a.node.to_string()).collect();
    let ask = StepAsk { ntasks: 2, cpus_per_task: 1, exact: true, ..StepAsk::default() };
    w.command(Command::StepStart { caller: user(1000), job: id, ask }).unwrap();
    let range = |min| JobChange::Nodes(NodeRange { min, max: None });
    let list = |name: &str| JobChange::NodeList(bivouac_types::HostList::parse(name).ok());
    assert_eq!(w.update(user(1000), id, range(3)), Err(Reject::NotSupported), "it does not grow");
    assert_eq!(w.update(user(1000), id, range(0)), Err(Reject::InvalidNodeCount));
    let batch_host = w.update(user(1000), id, list(&names[1]));
    assert_eq!(batch_host, Err(Reject::InvalidNodeName(names[1].clone())), "the script is on the other one");
    let free = w.cluster.index().free[1].cpus.len();
    w.update(user(1000), id, list(&names[0])).unwrap();
    let attempt = w.attempt(id);
    assert_eq!(w.effects, [Effect::EndStep { attempt, step: 0 }], "it has a task on the other node");
    let run = w.job(id).run().unwrap();
    assert_eq!((run.alloc.len(), run.resized), (1, Some(w.now().wall)));
    assert_eq!(w.cluster.index().free[1].cpus.len(), free + 1);
}

#[test]
fn an_end_is_set_to_the_second() {
    let mut w = World::new();
    let id = w.submit(spec());
    w.start(id);
    let at = w.now().wall + bivouac_types::Duration::from_secs(90);
    w.update(user(1000), id, JobChange::EndTime(at)).unwrap();
    let info = w.cluster.job_info(w.job(id), &Plan::default(), w.now()).unwrap();
    assert_eq!((info.end, info.time_limit), (Some(at), TimeLimit::Minutes(2)));
    let past = JobChange::EndTime(bivouac_types::Timestamp(0));
    assert_eq!(w.update(user(1000), id, past), Err(Reject::InvalidTime));
    w.pass(91);
    assert!(w.is_ending(id));
}

#[test]
fn what_no_node_can_hold_any_more_waits() {
    let mut w = World::new();
    let id = w.submit(spec());
    w.update(user(1000), id, JobChange::Memory(MemRequest::PerNode(1 << 40))).unwrap();
    assert_eq!(w.reason(id), R::BadConstraints);
    assert_eq!(w.try_start(id, None, 0), None);
}
