//! Dependencies, and what becomes of them when jobs are forgotten.

mod common;

use bivouac_core::JobChange;
use bivouac_types::depend::{Dependency, DependencyTarget, DependencyTerm as T};
use bivouac_types::{Duration, JobId, JobSpec, PendingReason as R};
use common::*;

fn on(job: JobId) -> DependencyTarget {
    DependencyTarget::job(job)
}

fn task(job: JobId, task: u32) -> DependencyTarget {
    DependencyTarget::task(job, task)
}

fn needs(terms: &[T]) -> JobSpec {
    JobSpec { dependency: Some(Dependency { terms: terms.to_vec(), any: false }), ..spec() }
}

fn needs_any(terms: &[T]) -> JobSpec {
    JobSpec { dependency: Some(Dependency { terms: terms.to_vec(), any: true }), ..spec() }
}

#[test]
fn a_task_waits_for_the_task_of_its_index() {
    let mut w = World::new();
    let first = w.submit(array("1-2"));
    let one = w.start_task(first, 1);
    w.exits(one, exit(0));
    let wanted = Dependency { terms: vec![T::AfterCorr(on(first))], any: false };
    let after = w.submit(JobSpec { dependency: Some(wanted), ..array("1-3") });
    let of = |w: &World, t: u32| {
        w.cluster.jobs_of(after).find(|j| j.tasks() == Some(tasks(&t.to_string()))).unwrap().id
    };
    let reasons = |w: &World| [1, 2, 3].map(|t| w.reason(of(w, t)));
    assert_eq!(reasons(&w), [R::Priority, R::Dependency, R::Dependency]);
    let two = w.start_task(first, 2);
    w.exits(two, exit(1));
    let never = R::DependencyNeverSatisfied;
    assert_eq!(reasons(&w), [R::Priority, never, never], "a task without its like waits for all");
}

#[test]
fn what_was_waited_for_stays_shown_after_a_cancel() {
    let mut w = World::new();
    let first = w.submit(spec());
    let after = w.submit(needs(&[T::AfterOk(on(first))]));
    w.run(first, 1);
    w.cancel(user(1000), after).unwrap();
    let row = w.cluster.job_info(w.job(after), &Default::default(), w.now()).unwrap();
    assert_eq!(row.accounting.waited, R::DependencyNeverSatisfied);
    assert_eq!(row.unmet.iter().map(|u| u.term).collect::<Vec<_>>(), [T::AfterOk(on(first))]);
}

#[test]
fn by_how_the_other_ended() {
    for (code, ok, notok) in
        [(0, R::Priority, R::DependencyNeverSatisfied), (1, R::DependencyNeverSatisfied, R::Priority)]
    {
        let mut w = World::new();
        let first = w.submit(spec());
        let after_ok = w.submit(needs(&[T::AfterOk(on(first))]));
        let after_not = w.submit(needs(&[T::AfterNotOk(on(first))]));
        let after_any = w.submit(needs(&[T::AfterAny(on(first))]));
        for id in [after_ok, after_not, after_any] {
            assert_eq!((w.reason(id), w.is_ready(id)), (R::Dependency, false));
        }
        w.run(first, code);
        assert_eq!((w.reason(after_ok), w.reason(after_not), w.reason(after_any)), (ok, notok, R::Priority));
        // Decided at submission, when the other is over but not forgotten.
        let late = w.submit(needs(&[T::AfterOk(on(first))]));
        assert_eq!(w.reason(late), ok);
        // And what is decided stays so when the other is forgotten.
        w.pass(301);
        assert!(w.cluster.job(first).is_none());
        assert_eq!((w.reason(after_ok), w.reason(after_not)), (ok, notok));
        // A forgotten job is no obstacle, as in Slurm.
        let too_late = w.submit(needs(&[T::AfterOk(on(first))]));
        assert_eq!(w.reason(too_late), R::Priority);
    }
}

#[test]
fn a_cancelled_job_has_not_ended_well() {
    let mut w = World::new();
    let first = w.submit(spec());
    let (ok, begun) = (w.submit(needs(&[T::AfterOk(on(first))])), w.submit(needs(&[after(first, 0)])));
    w.cancel(user(1000), first).unwrap();
    assert_eq!(w.reason(ok), R::DependencyNeverSatisfied);
    assert!(w.is_ready(begun), "`after` is content with a cancelled job");
}

fn after(job: JobId, minutes: u64) -> T {
    T::After { job: on(job), delay: Duration::from_secs(minutes * 60) }
}

#[test]
fn after_a_start_and_some_minutes() {
    let mut w = World::new();
    let first = w.submit(spec());
    let id = w.submit(needs(&[after(first, 2)]));
    assert_eq!(w.reason(id), R::Dependency);
    w.start(first);
    w.pass(119);
    assert_eq!(w.reason(id), R::Dependency);
    assert_eq!(w.cluster.next_deadline(w.now()).unwrap().as_secs(), 1);
    w.pass(1);
    assert!(w.is_ready(id));
}

#[test]
fn whole_arrays_and_single_tasks() {
    let mut w = World::new();
    let all = w.submit(array("1-3"));
    let ok = w.submit(needs(&[T::AfterOk(on(all))]));
    let any = w.submit(needs(&[T::AfterAny(on(all))]));
    let not = w.submit(needs(&[T::AfterNotOk(on(all))]));
    let two = w.submit(needs(&[T::AfterOk(task(all, 2))]));
    let begun = w.submit(needs(&[after(all, 0)]));
    w.run_task(all, 2, 0);
    assert!(w.is_ready(two));
    w.run_task(all, 1, 1);
    assert_eq!([ok, any, not, begun].map(|id| w.reason(id)), [R::Dependency; 4], "one task is left");
    let last = w.start_task(all, 3);
    assert!(w.is_ready(begun), "all have begun");
    w.exits(last, exit(0));
    assert_eq!(w.reason(ok), R::DependencyNeverSatisfied);
    assert!(w.is_ready(any) && w.is_ready(not));
}

#[test]
fn the_number_of_a_task_is_that_task() {
    let mut w = World::new();
    let all = w.submit(array("1-3"));
    let one = w.start_task(all, 1);
    let id = w.submit(needs(&[T::AfterOk(on(one))]));
    w.exits(one, exit(0));
    assert!(w.is_ready(id));
}

#[test]
fn a_forgotten_task_is_no_obstacle() {
    let mut w = World::new();
    let all = w.submit(array("1-3"));
    w.run_task(all, 1, 0);
    w.pass(301);
    let id = w.submit(needs(&[T::AfterOk(task(all, 1))]));
    assert!(w.is_ready(id));
}

#[test]
fn all_terms_or_any_of_them() {
    let mut w = World::new();
    let (a, b) = (w.submit(spec()), w.submit(spec()));
    let terms = [T::AfterOk(on(a)), T::AfterOk(on(b))];
    let (all, any) = (w.submit(needs(&terms)), w.submit(needs_any(&terms)));
    w.run(a, 1);
    assert_eq!(w.reason(all), R::DependencyNeverSatisfied);
    assert_eq!(w.reason(any), R::Dependency, "the other can still end well");
    w.run(b, 0);
    assert!(w.is_ready(any));
    assert_eq!(w.reason(all), R::DependencyNeverSatisfied);
}

#[test]
fn singletons_run_in_the_order_of_their_submission() {
    let mut w = World::new();
    let single = || needs(&[T::Singleton]);
    let (a, b) = (w.submit(spec()), w.submit(single()));
    let c = w.submit(single());
    let other_name = w.submit(JobSpec { name: "other".into(), ..single() });
    let other_user = w.try_submit(user(1001), single()).unwrap();
    assert!(w.is_ready(other_name) && w.is_ready(other_user));
    assert!(!w.is_ready(b) && !w.is_ready(c));
    w.run(a, 1);
    assert!(w.is_ready(b) && !w.is_ready(c));
    // Renaming the one that is in the way is a way out.
    w.update(user(1000), b, JobChange::Name("away".into())).unwrap();
    assert!(w.is_ready(c));
}

#[test]
fn a_chain_of_jobs_that_are_forgotten_on_the_way() {
    let mut w = World::new();
    let mut last = w.submit(spec());
    for _ in 0..5 {
        let next = w.submit(needs(&[T::AfterOk(on(last))]));
        w.run(last, 0);
        w.pass(400);
        assert!(w.is_ready(next));
        last = next;
    }
    assert_eq!(w.cluster.jobs().count(), 1);
}
