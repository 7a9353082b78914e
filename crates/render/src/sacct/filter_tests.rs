//! Which jobs are chosen, and in which order.

use super::*;
use crate::fixture::{START, job, jobs, running, share};
use bivouac_types::info::{JobInfo, Scheduler};
use bivouac_types::{Duration, ExitStatus, JobState, PendingReason, TimeLimit, Timestamp};

/// The jobs of the reference run; those that have ended did so with the second in which they began.
fn recorded() -> Vec<JobInfo> {
    let mut jobs = jobs();
    for job in &mut jobs {
        job.accounting.waited = if job.reason.is_turn() { PendingReason::None } else { job.reason };
        job.accounting.scheduler = (!job.nodes.is_empty()).then_some(Scheduler::Main);
    }
    jobs
}

fn at(secs: i64) -> Timestamp {
    Timestamp(START.0 + secs * 1000)
}

fn window(since: i64, until: i64) -> Filter {
    Filter { window: Window { since: at(since), until: at(until) }, ..Filter::default() }
}

fn everything() -> Filter {
    Filter { window: Window { since: Timestamp(0), until: at(131) }, ..Filter::default() }
}

fn ids_of(jobs: &[JobInfo], filter: &Filter) -> String {
    let id = |entry: Entry<'_>| {
        let mut id = String::new();
        crate::job::write_id(&mut id, entry.job, None, 0);
        id
    };
    entries(jobs, filter, true).into_iter().map(id).collect::<Vec<_>>().join(" ")
}

fn ids(filter: &Filter) -> String {
    ids_of(&recorded(), filter)
}

fn states(text: &str) -> Option<Vec<JobState>> {
    Some(parse_states(text).unwrap())
}

#[test]
fn without_states_what_was_there_in_the_window() {
    assert_eq!(ids(&everything()), "1 5 6 7 8 2_1 2_2");
    assert_eq!(ids(&window(1, 10)), "1 7 8 2_1 2_2", "5 and 6 ended before");
    assert_eq!(ids(&window(-500, -1)), "1 5 6 7 8", "the array became eligible later");
    assert_eq!(ids(&window(-5000, -1001)), "");
    let picks = Some(parse_jobs("3,4,2").unwrap());
    assert_eq!(
        ids(&Filter { jobs: picks, ..everything() }),
        "3 4 2_1 2_2 2_[3-10%2]",
        "by id all that were submitted"
    );
}

#[test]
fn states_are_those_that_a_job_had_in_the_window() {
    let show =
        |text: &str, since: i64, until: i64| ids(&Filter { states: states(text), ..window(since, until) });
    assert_eq!(show("R", 10, 11), "1 7 2_1 2_2");
    assert_eq!(show("R", -10, 11), "1 5 6 7 2_1 2_2", "all that ever ran");
    assert_eq!(show("R", -10, -1), "", "nothing had started");
    assert_eq!(show("PD", 10, 11), "8");
    assert_eq!(show("PD", -10, 11), "1 5 6 7 8 2_1 2_2", "all waited before they started");
    assert_eq!(show("CD,F", -10, 11), "5 6");
    assert_eq!(show("CD,F", 1, 11), "", "they ended before");
    assert_eq!(show("CA", 0, 11), "");
    assert_eq!(show("S", 0, 11), "");
    let mut jobs = recorded();
    jobs[0].accounting.suspended = Duration::from_secs(3);
    assert_eq!(ids_of(&jobs, &Filter { states: states("s"), ..window(0, 11) }), "1");
    assert_eq!(states("RS,rv"), Some(Vec::new()), "states that never occur");
    for (bad, text) in [
        ("canc", "unrecognized job state value 'canc'"),
        ("CG", "job state CG is not supported / accounted"),
        ("stopped", "job state stopped is not supported / accounted"),
    ] {
        assert_eq!(parse_states(bad).unwrap_err().to_string(), text);
    }
}

#[test]
fn a_job_that_never_ran() {
    let mut cancelled = job(9, "big");
    (cancelled.state, cancelled.end) = (JobState::Cancelled, Some(START));
    let mut held = cancelled.clone();
    (held.id.0, held.eligible) = (10, None);
    let jobs = [cancelled, held];
    let show = |text: &str| ids_of(&jobs, &Filter { states: states(text), ..window(-2000, 1) });
    assert_eq!((show("PD").as_str(), show("R").as_str(), show("CA").as_str()), ("9", "", "9 10"));
    assert_eq!(ids_of(&jobs, &window(-2000, 1)), "9");
}

#[test]
fn conditions() {
    let list = |word: &str| Some(vec![word.to_owned()]);
    let e = everything;
    assert_eq!(ids(&Filter { users: Some(vec![1000]), ..e() }), "1 2_1 2_2");
    assert_eq!(ids(&Filter { groups: Some(vec![1000]), ..e() }), "1 2_1 2_2");
    assert_eq!(ids(&Filter { accounts: list("ACCT1"), ..e() }), "1 2_1 2_2");
    assert_eq!(ids(&Filter { partitions: list("GPU"), ..e() }), "7");
    assert_eq!(ids(&Filter { names: list("ARR"), ..e() }), "2_1 2_2");
    assert_eq!(ids(&Filter { nodes: list("n2"), ..e() }), "1");
    assert_eq!(ids(&Filter { qos: list("nope"), ..e() }), "");
    assert_eq!(ids(&Filter { wckeys: list("nope"), ..e() }), "");
    assert_eq!(ids(&Filter { associations: list("6"), ..e() }), "");
    let constraints = |words: &[&str]| words.iter().map(|w| w.to_string()).collect();
    assert_eq!(ids(&Filter { constraints: constraints(&["MIL"]), ..e() }), "8", "a part of it will do");
    assert_eq!(ids(&Filter { constraints: constraints(&["milan", "rh8"]), ..e() }), "8");
    assert_eq!(ids(&Filter { constraints: constraints(&["milan", "rh9"]), ..e() }), "");
    assert_eq!(ids(&Filter { num_nodes: Some((2, 2)), ..e() }), "1");
    assert_eq!(ids(&Filter { num_cpus: Some((1, 2)), ..e() }), "5 6 7 2_1 2_2", "8 has none yet");
    assert_eq!(ids(&Filter { limits: Some((5, 5)), ..e() }), "2_1 2_2");
    assert_eq!(ids(&Filter { limits: Some((61, u32::MAX)), ..e() }), "7", "without a limit");
    let by = |by: StartedBy| ids(&Filter { started_by: Some(vec![by]), ..e() });
    assert_eq!((by(StartedBy::Main).as_str(), by(StartedBy::Backfill).as_str()), ("1 5 6 7 2_1 2_2", ""));
    let mut jobs = recorded();
    jobs[0].accounting.waited = PendingReason::JobHeldUser;
    let reasons = Some(parse_reasons("jobhelduser,Licenses").unwrap());
    assert_eq!(ids_of(&jobs, &Filter { reasons, ..e() }), "1");
    assert_eq!(parse_reasons("Licenses,foo").unwrap_err().to_string(), "unrecognized job reason value 'foo'");
}

/// A job that was requeued after a minute and runs again.
fn requeued() -> [JobInfo; 3] {
    let again = running(job(1, "x"), vec![share("n1", 0..1, 100)]);
    let first = JobInfo { state: JobState::Requeued, end: Some(at(60)), ..again.clone() };
    let again = JobInfo { restarts: 1, submit: at(60), eligible: Some(at(60)), start: Some(at(61)), ..again };
    [first, again, job(2, "y")]
}

#[test]
fn of_several_runs_the_last_one_that_passes() {
    let jobs = requeued();
    let runs = |filter: &Filter| {
        let shown = jobs_shown(&jobs, filter);
        shown.iter().map(|job| (job.id.0, job.state.code())).collect::<Vec<_>>()
    };
    let all = Filter { duplicates: true, ..everything() };
    assert_eq!(runs(&everything()), [(2, "PD"), (1, "R")], "by the time of submission");
    assert_eq!(runs(&all), [(1, "RQ"), (2, "PD"), (1, "R")]);
    assert_eq!(runs(&window(0, 30)), [(1, "RQ"), (2, "PD")], "the run of that time");
    assert_eq!(runs(&Filter { states: states("RQ"), ..everything() }), [(1, "RQ")]);
}

#[test]
fn times_cut_to_the_window() {
    let done = running(job(5, "done"), vec![share("n1", 0..2, 100)]);
    let mut done = JobInfo { state: JobState::Completed, end: Some(at(100)), num_cpus: 2, ..done };
    (done.elapsed, done.exit) = (Duration::from_secs(100), ExitStatus::default());
    done.steps[0].end = Some(at(100));
    done.steps.push(crate::fixture::step(bivouac_types::StepKind::Number(0), "early", 1, 1, "n1"));
    done.steps[1].end = Some(at(10));
    let live = running(job(6, "live"), vec![share("n1", 2..3, 100)]);
    let waits = job(8, "waits");
    let jobs = [done, live, waits];
    let show = |filter: &Filter| {
        let layout = layout("jobid,start,end,elapsed,cputimeraw,reserved", Style::Parsable2("|")).unwrap();
        let mut out = Vec::new();
        let settings = crate::Settings { now: at(60), ..crate::fixture::settings() };
        layout.lines(entries(&jobs, filter, false), &settings, &mut out).unwrap();
        String::from_utf8(out).unwrap().replace("2026-11-22T15:", "")
    };
    insta::assert_snapshot!(show(&Filter { truncate: true, ..window(20, 50) }), @r"
    5|39:20|39:50|00:00:30|60|00:00:21
    5.batch|39:20|39:50|00:00:30|60|
    6|39:20|39:50|00:00:30|30|00:00:21
    6.batch|39:20|39:50|00:00:30|30|
    8|39:50|39:50|00:00:00|0|00:00:51
    ");
    assert!(show(&window(20, 50)).starts_with("5|39:00|40:40|00:01:40|200|00:00:01\n5.batch|"));
    assert!(!show(&window(20, 50)).contains("5.0"), "the step ended before the window");
    assert!(show(&window(5, 50)).contains("5.0"));
}

#[test]
fn limits_are_compared_in_minutes() {
    let mut unlimited = job(1, "u");
    unlimited.time_limit = TimeLimit::Unlimited;
    let only = Filter { limits: Some((u32::MAX, u32::MAX)), ..everything() };
    assert_eq!(ids_of(&[unlimited, job(2, "x")], &only), "1");
}
