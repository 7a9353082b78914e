//! Allocations: jobs without a script of their own.

mod common;

use bivouac_core::{Command, Effect, KeeperReport, StepAsk};
use bivouac_types::job::JobKind;
use bivouac_types::{ExitStatus, JobId, JobSpec, JobState, Reject};
use common::*;

fn allocation() -> JobSpec {
    JobSpec { kind: JobKind::Allocation { kept: false }, ..spec() }
}

fn complete(w: &mut World, job: JobId, code: u8) -> Result<(), Reject> {
    w.command(Command::Complete { caller: user(1000), job, exit: ExitStatus { code, signal: 0 } }).map(drop)
}

fn step(w: &mut World, job: JobId) {
    let ask = StepAsk { ntasks: 1, cpus_per_task: 1, exact: true, ..StepAsk::default() };
    w.command(Command::StepStart { caller: user(1000), job, ask }).unwrap();
}

#[test]
fn it_ends_as_its_clients_command_did() {
    let mut w = World::new();
    let id = w.submit(allocation());
    w.start(id);
    let attempt = w.attempt(id);
    complete(&mut w, id, 3).unwrap();
    assert_eq!(w.effects, [Effect::Kill { attempt }], "nothing is left to be asked");
    assert_eq!(w.state(id), JobState::Completing);
    w.exits(id, ExitStatus { code: 0, signal: 9 });
    assert_eq!(w.state(id), JobState::Failed);
    complete(&mut w, id, 0).unwrap();
    assert_eq!(w.state(id), JobState::Failed, "once is enough");
}

#[test]
fn its_steps_are_asked_to_end_first() {
    let mut w = World::new();
    let id = w.submit(allocation());
    w.start(id);
    let attempt = w.attempt(id);
    step(&mut w, id);
    assert_eq!(w.effects, [Effect::StartStep { attempt, step: 0 }]);
    complete(&mut w, id, 0).unwrap();
    assert_eq!(w.effects, [Effect::Terminate { attempt }]);
    let (exit, usage) = (ExitStatus { code: 0, signal: 15 }, Default::default());
    w.command(Command::StepEnd { caller: user(1000), job: id, step: 0, exit, usage }).unwrap();
    assert_eq!(w.effects, [Effect::Kill { attempt }], "the last step has ended");
    w.exits(id, ExitStatus { code: 0, signal: 9 });
    assert_eq!(w.state(id), JobState::Completed);
}

#[test]
fn one_that_waits_is_cancelled() {
    let mut w = World::new();
    let id = w.submit(allocation());
    complete(&mut w, id, 0).unwrap();
    assert_eq!(w.state(id), JobState::Cancelled);
}

#[test]
fn a_batch_job_is_not_given_back_and_strangers_give_nothing_back() {
    let mut w = World::new();
    let batch = w.submit(spec());
    assert!(complete(&mut w, batch, 0).is_err());
    let id = w.submit(allocation());
    let stranger = Command::Complete { caller: user(1001), job: id, exit: ExitStatus::default() };
    assert_eq!(w.command(stranger), Err(Reject::AccessDenied));
}

#[test]
fn it_is_never_requeued() {
    let mut w = World::new();
    let id = w.submit(JobSpec { requeue: Some(true), ..allocation() });
    w.start(id);
    let attempt = w.attempt(id);
    w.report(KeeperReport::Lost { attempt });
    assert_eq!(w.state(id), JobState::NodeFail);
}
