//! Steps: srun inside a job.

mod common;

use bivouac_core::job::StepNode;
use bivouac_core::{CancelScope, Change, Command, Effect, NodePick, Plan, Start, StepAsk};
use bivouac_types::info::Usage;
use bivouac_types::job::NodeRange;
use bivouac_types::{JobId, JobState, Reject, StepLimit, TimeLimit};
use common::*;

type Laid = Result<Vec<(String, u32)>, Reject>;

fn step(w: &mut World, job: JobId, ntasks: u32, cpus_per_task: u32, overlap: bool) -> Laid {
    step_on(w, job, ntasks, cpus_per_task, overlap, &[], None)
}

fn step_on(
    w: &mut World,
    job: JobId,
    ntasks: u32,
    cpus_per_task: u32,
    overlap: bool,
    nodelist: &[&str],
    ntasks_per_node: Option<u32>,
) -> Laid {
    let command = Command::StepStart {
        caller: user(1000),
        job,
        ask: StepAsk {
            name: "hostname".into(),
            ntasks,
            cpus_per_task,
            nodes: None,
            overlap,
            exact: true,
            nodelist: nodelist.iter().map(|n| n.to_string()).collect(),
            ntasks_per_node,
            overcommit: false,
            exclude: Vec::new(),
            distribution: Default::default(),
            submit_line: String::new(),
            srun: None,
            socket: String::new(),
        },
    };
    let changes = w.command(command)?;
    let Some(Change::StepStarted { layout, .. }) = changes.first() else { panic!("{changes:?}") };
    Ok(layout.iter().map(|StepNode { node, tasks, .. }| (node.to_string(), *tasks)).collect())
}

fn end(w: &mut World, job: JobId, number: u32, code: u8) {
    let (caller, usage) = (user(1000), Usage::default());
    w.command(Command::StepEnd { caller, job, step: number, exit: exit(code), usage }).unwrap();
}

/// A job of 4 CPUs on n1 and 2 on n2.
fn on_two_nodes(w: &mut World) -> JobId {
    let mut spec = spec();
    spec.resources.ntasks = Some(6);
    spec.resources.nodes = Some(NodeRange { min: 2, max: Some(2) });
    let job = w.submit(spec);
    let nodes = vec![NodePick { node: 0, tasks: 4 }, NodePick { node: 1, tasks: 2 }];
    let start = Start { job, task: None, partition: 0, nodes, ..Start::default() };
    w.command(Command::ApplyPlan(Plan { starts: vec![start], ..Plan::default() })).unwrap();
    job
}

#[test]
fn tasks_are_laid_out_over_the_jobs_nodes() {
    let mut w = World::new();
    let job = on_two_nodes(&mut w);
    assert_eq!(step(&mut w, job, 6, 1, false).unwrap(), [("n1".into(), 4), ("n2".into(), 2)]);
    end(&mut w, job, 0, 0);
    assert_eq!(step(&mut w, job, 3, 2, false).unwrap(), [("n1".into(), 2), ("n2".into(), 1)]);
    end(&mut w, job, 1, 0);
    assert_eq!(step(&mut w, job, 1, 1, false).unwrap(), [("n1".into(), 1)]);
}

#[test]
fn a_step_goes_where_it_is_told_to() {
    let mut w = World::new();
    let job = on_two_nodes(&mut w);
    assert_eq!(step_on(&mut w, job, 1, 1, true, &["n2"], None).unwrap(), [("n2".into(), 1)]);
    assert_eq!(step_on(&mut w, job, 3, 1, true, &["n2"], None), Err(Reject::StepTooLarge));
    assert_eq!(step_on(&mut w, job, 1, 1, true, &["n9"], None), Err(Reject::NodeConfigUnavailable));
    assert_eq!(step_on(&mut w, job, 3, 1, true, &[], Some(2)).unwrap(), [("n1".into(), 2), ("n2".into(), 1)]);
    assert_eq!(step_on(&mut w, job, 5, 1, true, &[], Some(2)), Err(Reject::StepTooLarge));
}

#[test]
fn steps_share_the_job_and_no_more() {
    let mut w = World::new();
    let job = on_two_nodes(&mut w);
    assert_eq!(step(&mut w, job, 7, 1, false), Err(Reject::StepTooLarge));
    assert_eq!(step(&mut w, job, 2, 3, false), Err(Reject::StepTooLarge), "n2 has only two CPUs of it");
    step(&mut w, job, 4, 1, false).unwrap();
    assert_eq!(step(&mut w, job, 4, 1, false), Err(Reject::StepBusy));
    step(&mut w, job, 6, 1, true).unwrap();
    end(&mut w, job, 0, 3);
    step(&mut w, job, 6, 1, false).unwrap();
    assert!(matches!(step(&mut w, job, 0, 1, false), Err(Reject::InvalidValue(_))));
}

#[test]
fn steps_are_shown_with_the_batch_step_and_end_with_their_job() {
    let mut w = World::new();
    let job = on_two_nodes(&mut w);
    step(&mut w, job, 1, 1, false).unwrap();
    step(&mut w, job, 1, 1, false).unwrap();
    end(&mut w, job, 0, 3);
    w.exits(job, exit(0));
    let info = w.cluster.job_info(w.job(job), &Plan::default(), w.now()).unwrap();
    let states: Vec<(String, JobState)> = info.steps.iter().map(|s| (s.step.to_string(), s.state)).collect();
    assert_eq!(
        states,
        [
            ("batch".into(), JobState::Completed),
            ("0".into(), JobState::Failed),
            ("1".into(), JobState::Cancelled)
        ]
    );
    assert_eq!(step(&mut w, job, 1, 1, false), Err(Reject::JobFinished));
}

#[test]
fn a_step_that_is_not_exact_has_its_nodes_to_itself() {
    let mut w = World::new();
    let job = on_two_nodes(&mut w);
    let begin = |w: &mut World, exact: bool, overlap: bool| {
        w.command(Command::StepStart {
            caller: user(1000),
            job,
            ask: StepAsk {
                name: "hostname".into(),
                ntasks: 1,
                cpus_per_task: 1,
                nodes: Some(1),
                overlap,
                exact,
                nodelist: vec!["n1".into()],
                ntasks_per_node: None,
                overcommit: false,
                exclude: Vec::new(),
                distribution: Default::default(),
                submit_line: String::new(),
                srun: None,
                socket: String::new(),
            },
        })
    };
    assert!(begin(&mut w, false, false).is_ok());
    let info = w.cluster.job_info(w.job(job), &Plan::default(), w.now()).unwrap();
    assert_eq!(info.steps[1].num_cpus, 4, "all the job's on n1");
    assert_eq!(begin(&mut w, false, false), Err(Reject::StepBusy));
    assert_eq!(begin(&mut w, true, false), Err(Reject::StepBusy));
    assert!(begin(&mut w, false, true).is_ok(), "sharing is asked for");
    end(&mut w, job, 0, 0);
    assert!(begin(&mut w, true, false).is_ok() && begin(&mut w, true, false).is_ok(), "each takes one CPU");
    assert_eq!(begin(&mut w, false, false), Err(Reject::StepBusy), "it waits for the whole node");
}

#[test]
fn a_step_is_ended_at_its_own_time_limit_once() {
    let mut w = World::new();
    let job = on_two_nodes(&mut w);
    step(&mut w, job, 1, 1, true).unwrap();
    step(&mut w, job, 1, 1, true).unwrap();
    let limit = |w: &mut World, caller, step, limit| {
        w.command(Command::UpdateStep { caller, job, step, limit }).map(|changes| changes.len())
    };
    let minutes = |n| StepLimit::To(TimeLimit::Minutes(n));
    assert_eq!(limit(&mut w, user(1000), Some(0), minutes(2)), Ok(1));
    assert_eq!(limit(&mut w, root(), Some(0), StepLimit::By(-1)), Ok(1));
    assert_eq!(limit(&mut w, user(1001), Some(0), minutes(9)), Err(Reject::AccessDenied));
    assert_eq!(limit(&mut w, user(1000), Some(7), minutes(9)), Err(Reject::InvalidJobId));
    assert_eq!(w.cluster.next_deadline(w.now()).unwrap().as_secs(), 60);
    assert!(w.pass(59).is_empty());
    let attempt = w.attempt(job);
    let told = Change::Signalled { attempt, signal: 9, scope: CancelScope::Step(0) };
    assert_eq!(w.pass(1), [told, Change::StepLimited { job, step: 0, minutes: None }]);
    assert!(w.pass(60).is_empty(), "the other step, and the job, go on");
    assert_eq!(limit(&mut w, user(1000), None, minutes(9)), Ok(2));
    end(&mut w, job, 0, 0);
    end(&mut w, job, 1, 0);
    assert!(w.pass(430).is_empty(), "a step that has ended is not ended again");
}

#[test]
fn more_tasks_than_cpus_go_to_the_nodes_in_turn() {
    let mut w = World::new();
    let job = on_two_nodes(&mut w);
    let mut laid = |ntasks: u32, overcommit: bool| {
        let ask = StepAsk { ntasks, cpus_per_task: 1, overcommit, overlap: true, ..StepAsk::default() };
        let changes = w.command(Command::StepStart { caller: user(1000), job, ask })?;
        let Some(Change::StepStarted { layout, .. }) = changes.first() else { panic!("{changes:?}") };
        Ok(layout.iter().map(|n| n.tasks).collect::<Vec<_>>())
    };
    assert_eq!(laid(9, true).unwrap(), [6, 3]);
    assert_eq!(laid(9, false), Err(Reject::StepTooLarge));
}

#[test]
fn a_step_that_is_asked_for_again_is_the_same_and_its_daemon_is_seen_to_until_it_ends() {
    let mut w = World::new();
    let job = w.submit(spec());
    w.start(job);
    w.launched(job);
    let attempt = w.attempt(job);
    let start = |w: &mut World, socket: &str| {
        let ask = StepAsk { ntasks: 1, cpus_per_task: 1, socket: socket.into(), ..StepAsk::default() };
        w.command(Command::StepStart { caller: user(1000), job, ask })
    };
    assert_eq!(start(&mut w, "one").unwrap().len(), 1);
    assert_eq!(start(&mut w, "one").unwrap(), [], "the answer was lost");
    assert_eq!(start(&mut w, "two"), Err(Reject::StepBusy));
    assert_eq!(w.cluster.resume_effects(), [Effect::StartStep { attempt, step: 0 }]);
    end(&mut w, job, 0, 0);
    assert_eq!(w.cluster.resume_effects(), []);
    assert_eq!(start(&mut w, "one").unwrap().len(), 1, "that one is over");
}
