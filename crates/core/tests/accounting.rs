//! What only the accounting tells: each run of a requeued job, what was asked for, why a job had waited.

mod common;

use bivouac_core::{Command, Launch, NodePick, Plan, Repeated, Start};
use bivouac_types::info::{JobInfo, Scheduler, Usage};
use bivouac_types::{ExitStatus, JobId, JobSpec, JobState, PendingReason, StepKind};
use common::*;

fn info(w: &World, id: JobId) -> JobInfo {
    w.cluster.job_info(w.job(id), &Plan::default(), w.now()).unwrap()
}

#[test]
fn a_run_that_is_requeued_has_a_record_and_the_job_a_new_submission() {
    let mut w = World::new();
    let id = w.submit(spec());
    w.start(id);
    w.launched(id);
    assert!(matches!(w.job(id).run().unwrap().launch, Launch::Launched { .. }));
    w.command(Command::Requeue { caller: user(1000), target: id.into(), hold: None, incomplete: false })
        .unwrap();
    w.secs += 20;
    let end = w.now().wall;
    let record = w.cluster.view(id, &Plan::default()).unwrap().requeued(Repeated::Asked, end, w.now());
    assert_eq!((record.state, record.end, record.restarts), (JobState::Requeued, Some(end), 0));
    assert_eq!((record.elapsed.as_secs(), record.pid), (20, None));
    let batch = &record.steps[0];
    assert_eq!((batch.step, batch.state, batch.end), (StepKind::Batch, JobState::Cancelled, Some(end)));
    assert_eq!(batch.exit, ExitStatus { code: 0, signal: 15 });
    let first = record.submit;
    w.exits(id, exit(0));
    let again = info(&w, id);
    assert_eq!((again.state, again.restarts, again.steps.len()), (JobState::Pending, 1, 0));
    assert_eq!(again.submit, end, "the time of the requeue counts as its submission");
    assert!(first < end);
}

#[test]
fn the_record_of_a_run_that_is_repeated_says_how_it_ended() {
    let mut w = World::new();
    let id = w.submit(spec());
    w.start(id);
    let record = |ran| w.cluster.view(id, &Plan::default()).unwrap().requeued(ran, w.now().wall, w.now());
    let told = |ran| {
        let record = record(ran);
        (record.state, record.exit, record.steps[0].state, record.steps[0].exit)
    };
    let (none, terminated) = (ExitStatus::default(), ExitStatus { code: 0, signal: 15 });
    assert_eq!(told(Repeated::NodeFail), (JobState::NodeFail, none, JobState::Cancelled, none));
    assert_eq!(told(Repeated::Preempted), (JobState::Preempted, none, JobState::Cancelled, terminated));
    let (status, usage) = (exit(3), Usage { user_us: 7, ..Usage::default() });
    assert_eq!(
        told(Repeated::Exited { status, usage: usage.clone() }),
        (JobState::Requeued, status, JobState::Failed, status)
    );
    assert_eq!(record(Repeated::Exited { status, usage: usage.clone() }).steps[0].usage, usage);
}

#[test]
fn what_was_asked_for_is_known_beside_what_was_given() {
    let mut w = World::new();
    let mut whole = spec();
    whole.resources.exclusive = true;
    let id = w.submit(whole);
    w.start(id);
    let row = info(&w, id);
    assert_eq!((row.num_cpus, row.mem_mb), (4, 400));
    let asked = row.accounting;
    assert_eq!((asked.req_cpus, asked.req_nodes, asked.req_mem_mb), (1, 1, 100));
    assert_eq!(asked.scheduler, Some(Scheduler::Main));
}

#[test]
fn the_last_reason_stays_with_the_job() {
    let mut w = World::new();
    let held = w.submit(JobSpec { hold: true, ..spec() });
    w.command(Command::Release { caller: user(1000), target: held.into() }).unwrap();
    assert_eq!(info(&w, held).accounting.waited, PendingReason::JobHeldUser);
    w.run(held, 0);
    assert_eq!(info(&w, held).accounting.waited, PendingReason::JobHeldUser);
    let begin = Some(w.now().wall + bivouac_types::Duration::from_secs(5));
    let later = w.submit(JobSpec { begin, ..spec() });
    w.pass(6);
    w.run(later, 0);
    assert_eq!(info(&w, later).accounting.waited, PendingReason::BeginTime);
    // What the planner knew comes with the start; a turn to wait for is no reason.
    for (waited, kept) in [
        (PendingReason::QOSMaxJobsPerUserLimit, PendingReason::QOSMaxJobsPerUserLimit),
        (PendingReason::Resources, PendingReason::None),
    ] {
        let job = w.submit(spec());
        let nodes = vec![NodePick { node: 0, tasks: 1 }];
        let start = Start { job, nodes, backfill: true, waited, ..Start::default() };
        w.command(Command::ApplyPlan(Plan { starts: vec![start], ..Plan::default() })).unwrap();
        let row = info(&w, job);
        assert_eq!((row.accounting.waited, row.accounting.scheduler), (kept, Some(Scheduler::Backfill)));
    }
}

#[test]
fn a_job_that_never_ran_was_eligible_all_the_same() {
    let mut w = World::new();
    let id = w.submit(spec());
    let eligible = info(&w, id).eligible;
    w.cancel(root(), id).unwrap();
    assert!(eligible.is_some());
    assert_eq!(info(&w, id).eligible, eligible);
}

#[test]
fn contained_jobs_have_a_step_for_everything_else() {
    let mut config = config();
    config.parameters.given.insert("PrologFlags".into(), "Alloc,Contain".into());
    let mut w = World::with(config);
    let id = w.submit(spec());
    w.start(id);
    let kinds = |row: &JobInfo| row.steps.iter().map(|s| (s.step, s.state)).collect::<Vec<_>>();
    let running = JobState::Running;
    assert_eq!(kinds(&info(&w, id)), [(StepKind::Batch, running), (StepKind::Extern, running)]);
    w.exits(id, exit(3));
    assert_eq!(
        kinds(&info(&w, id)),
        [(StepKind::Batch, JobState::Failed), (StepKind::Extern, JobState::Completed)]
    );
}
