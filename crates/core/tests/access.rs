//! Whose jobs are whose, and what only an operator may do.

mod common;

use bivouac_core::{Command, JobChange, StepAsk};
use bivouac_types::{JobId, PendingReason as R, Reject, TimeLimit};
use common::*;

#[test]
fn another_users_job_is_left_alone() {
    let mut w = World::new();
    let id = w.submit(spec());
    assert_eq!(w.cancel(user(1001), id), Err(Reject::AccessDenied));
    let hold =
        |w: &mut World| w.command(Command::Hold { caller: user(1001), target: id.into(), user_hold: true });
    assert_eq!(hold(&mut w), Err(Reject::InvalidUser));
    assert_eq!(w.update(user(1001), id, JobChange::Nice(5)), Err(Reject::InvalidUser));
    w.start(id);
    let step = Command::StepStart {
        caller: user(1001),
        job: id,
        ask: StepAsk {
            name: "x".into(),
            ntasks: 1,
            cpus_per_task: 1,
            nodes: None,
            overlap: false,
            exact: true,
            nodelist: Vec::new(),
            ntasks_per_node: None,
            overcommit: false,
            exclude: Vec::new(),
            distribution: Default::default(),
            submit_line: String::new(),
            srun: None,
            socket: String::new(),
        },
    };
    assert_eq!(w.command(step), Err(Reject::AccessDenied));
    assert!(w.cancel(root(), id).is_ok());
}

#[test]
fn an_admin_hold_is_released_by_an_operator_only() {
    let mut w = World::new();
    let id = w.submit(spec());
    let hold = |caller, user_hold| Command::Hold { caller, target: id.into(), user_hold };
    let release = |caller| Command::Release { caller, target: id.into() };
    w.command(hold(root(), false)).unwrap();
    assert_eq!(w.reason(id), R::JobHeldAdmin);
    assert_eq!(w.command(release(user(1000))), Err(Reject::AccessDenied));
    w.command(hold(user(1000), false)).unwrap();
    assert_eq!(w.reason(id), R::JobHeldAdmin, "a user's hold does not soften it");
    w.command(release(root())).unwrap();
    assert!(w.is_ready(id));
    w.command(hold(root(), true)).unwrap();
    assert_eq!(w.reason(id), R::JobHeldUser);
    w.command(release(user(1000))).unwrap();
    assert!(w.is_ready(id));
}

#[test]
fn an_ordinary_user_may_not_gain_by_an_update() {
    let mut w = World::new();
    let id = w.submit(spec());
    assert_eq!(w.update(user(1000), id, JobChange::Nice(-1)), Err(Reject::AccessDenied));
    let limit = |m| JobChange::TimeLimit(TimeLimit::Minutes(m));
    assert_eq!(w.update(user(1000), id, limit(61)), Err(Reject::AccessDenied));
    w.update(user(1000), id, limit(60)).unwrap();
    w.update(root(), id, JobChange::Nice(-1)).unwrap();
    w.update(user(1000), id, JobChange::Name("better".into())).unwrap();
    assert_eq!(&*w.job(id).name, "better");
}

#[test]
fn jobs_that_are_over_or_never_were() {
    let mut w = World::new();
    let id = w.submit(spec());
    w.run(id, 0);
    let release = |job: JobId| Command::Release { caller: user(1000), target: job.into() };
    assert_eq!(w.command(release(id)), Err(Reject::JobEnded));
    assert_eq!(w.command(release(JobId(99))), Err(Reject::InvalidJobId));
    assert_eq!(w.update(user(1000), id, JobChange::Nice(1)), Err(Reject::JobEnded));
    assert_eq!(w.cancel(user(1000), JobId(99)), Err(Reject::InvalidJobId));
}

#[test]
fn a_hold_on_a_running_job_counts_when_it_is_requeued() {
    let mut w = World::new();
    let id = w.submit(spec());
    w.start(id);
    w.command(Command::Hold { caller: user(1000), target: id.into(), user_hold: false }).unwrap();
    w.command(Command::Requeue { caller: user(1000), target: id.into(), hold: None, incomplete: false })
        .unwrap();
    w.exits(id, exit(0));
    assert_eq!((w.reason(id), w.is_ready(id)), (R::JobHeldUser, false));
}
