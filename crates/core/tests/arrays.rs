//! Job arrays: one record for what waits, numbers of their own for what runs, single tasks and ranges.

mod common;

use bivouac_core::{Change, Command, JobChange, JobTarget, Place};
use bivouac_types::{JobId, JobState, Reject, TimeLimit};
use common::*;

fn of(job: JobId, text: &str) -> JobTarget {
    JobTarget { job, tasks: Some(tasks(text)) }
}

#[test]
fn a_million_tasks_are_one_record() {
    let mut config = config();
    config.max_array_size = 1_000_001;
    let mut w = World::with(config);
    let id = w.submit(bivouac_types::JobSpec {
        array: Some(bivouac_types::array::ArraySpec {
            tasks: bivouac_types::TaskSet::from_ranges([(0, 999_999)]),
            max_running: None,
        }),
        ..spec()
    });
    assert_eq!(w.cluster.jobs().count(), 1);
    w.start_task(id, 5);
    assert_eq!(w.cluster.jobs().count(), 2);
    let stored = serde_json::to_string(w.cluster.state()).unwrap();
    assert!(stored.len() < 4000, "{}", stored.len());
}

#[test]
fn tasks_get_numbers_as_they_start_and_the_last_keeps_the_arrays() {
    let mut w = World::new();
    let id = w.submit(array("1-3"));
    let (one, two, three) = (w.start_task(id, 1), w.start_task(id, 2), w.start_task(id, 3));
    assert_eq!((one, two, three), (JobId(id.0 + 1), JobId(id.0 + 2), id));
    assert_eq!(w.job(three).place, Place::Task(3));
    assert_eq!(w.job(one).place, Place::Task(1));
    assert_eq!(w.submit(spec()), JobId(id.0 + 3));
}

#[test]
fn no_task_starts_twice() {
    let mut w = World::new();
    let id = w.submit(array("1-3"));
    w.start_task(id, 2);
    assert_eq!(w.try_start(id, Some(2), 1), None);
    assert_eq!(w.try_start(id, Some(9), 1), None);
    assert_eq!(w.try_start(id, None, 1), None, "not the whole array as one");
}

#[test]
fn ranges_of_waiting_tasks_are_cancelled_as_one() {
    let mut w = World::new();
    let id = w.submit(array("1-10"));
    let running = w.start_task(id, 4);
    let changes = w.cancel(user(1000), of(id, "4-9")).unwrap();
    assert!(matches!(&changes[0], Change::Dropped { tasks: part, .. } if *part == tasks("5-9")));
    assert_eq!(w.state(running), JobState::Completing);
    let rest = w.job(id);
    assert_eq!((rest.state(), &rest.place), (JobState::Pending, &Place::Tasks(tasks("1-3,10"))));
    // As in Slurm nothing stays of tasks that never were a record, and their numbers are not used up.
    assert_eq!(w.cluster.jobs_of(id).count(), 2);
    assert_eq!(w.cancel(user(1000), of(id, "5")), Err(Reject::InvalidJobId));
    assert!(w.cluster.lacks_tasks(&of(id, "3-5")) && !w.cluster.lacks_tasks(&of(id, "1-4")));
    assert_eq!(w.submit(spec()), JobId(running.0 + 1));
    assert_eq!(w.cancel(user(1000), of(id, "77")), Err(Reject::InvalidJobId));
    // The number of the array is all of it, also by the number that its last task bears.
    w.cancel(user(1000), id).unwrap();
    assert!(w.cluster.jobs_of(id).all(|j| j.is_ended() || w.is_ending(j.id)));
}

#[test]
fn one_number_is_one_task() {
    let mut w = World::new();
    let id = w.submit(array("1-3"));
    let (one, two) = (w.start_task(id, 1), w.start_task(id, 2));
    w.cancel(user(1000), one).unwrap();
    assert!(w.is_ending(one) && !w.is_ending(two));
    assert_eq!(w.state(id), JobState::Pending);
}

#[test]
fn a_part_can_be_held_released_and_changed() {
    let mut w = World::new();
    let id = w.submit(array("1-6"));
    w.command(Command::Hold { caller: user(1000), target: of(id, "2-3"), user_hold: false }).unwrap();
    let part = w.cluster.jobs_of(id).find(|j| j.hold.is_some()).unwrap().id;
    assert_eq!(w.job(part).place, Place::Tasks(tasks("2-3")));
    assert!(!w.is_ready(part) && w.is_ready(id));
    assert_eq!(w.try_start(part, Some(2), 0), None, "held");
    w.command(Command::Release { caller: user(1000), target: id.into() }).unwrap();
    assert!(w.is_ready(part));
    let target = of(id, "6");
    let changes = vec![JobChange::TimeLimit(TimeLimit::Minutes(1))];
    w.command(Command::Update { caller: user(1000), target, changes }).unwrap();
    let started = w.start_task(part, 2);
    assert_eq!(w.job(started).run().unwrap().time_limit, TimeLimit::Minutes(10));
    let six = w.cluster.jobs_of(id).find(|j| j.place == Place::Task(6)).unwrap().id;
    let six = w.start_task(six, 6);
    assert_eq!(w.job(six).run().unwrap().time_limit, TimeLimit::Minutes(1));
}

#[test]
fn a_requeued_task_stays_a_task() {
    let mut w = World::new();
    let id = w.submit(array("1-2"));
    let one = w.start_task(id, 1);
    w.command(Command::Requeue { caller: user(1000), target: one.into(), hold: None, incomplete: false })
        .unwrap();
    w.exits(one, exit(0));
    assert_eq!((w.state(one), &w.job(one).place), (JobState::Pending, &Place::Task(1)));
    w.pass(REQUEUE_DELAY);
    assert!(w.try_start(one, None, 0).is_some());
}

#[test]
fn ended_tasks_are_forgotten_one_by_one() {
    let mut w = World::new();
    let id = w.submit(array("1-3"));
    w.run_task(id, 1, 0);
    w.pass(200);
    w.run_task(id, 2, 0);
    w.pass(100);
    assert_eq!(w.cluster.jobs_of(id).count(), 2);
    w.run_task(id, 3, 0);
    w.pass(300);
    assert_eq!(w.cluster.jobs().count(), 0);
    assert!(w.cluster.state().submissions.is_empty());
}
