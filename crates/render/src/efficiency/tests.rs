use super::*;
use crate::fixture;
use bivouac_types::info::{ArrayInfo, ArrayTasks, GresShare, Usage};
use bivouac_types::{ExitStatus, JobId, JobState, StepKind, TimeLimit, Timestamp};

/// A job of 24 CPUs on one node, as in the sites' examples.
fn job() -> JobInfo {
    let nodes = vec![fixture::share("n1", 0..24, 113 << 10)];
    let mut job = fixture::ended(
        fixture::running(fixture::job(8_636_572, "x"), nodes),
        JobState::Completed,
        ExitStatus::default(),
    );
    (job.num_cpus, job.num_nodes, job.mem_mb) = (24, 1, 113 << 10);
    (job.elapsed, job.time_limit) = (Duration::from_secs(662), TimeLimit::Minutes(60));
    job.steps.truncate(1);
    job.steps[0].usage =
        Usage { user_us: 14_000_000_000, system_us: 645_000_000, max_rss_kb: 167_414, ..Usage::default() };
    job
}

fn show(job: &JobInfo, form: Form) -> String {
    seff(job, form, Palette::Plain, &fixture::settings())
}

#[test]
fn a_job_as_sites_show_it() {
    insta::assert_snapshot!(show(&job(), Form::List), @r"
    Job ID: 8636572
    Cluster: ref
    User/Group: root/root
    State: COMPLETED (exit code 0)
    Nodes: 1
    Cores per node: 24
    CPU Utilized: 04:04:05
    CPU Efficiency: 92.18% of 04:24:48 core-walltime
    Job Wall-clock time: 00:11:02
    Memory Utilized: 163.49 MB
    Memory Efficiency: 0.14% of 113.00 GB
    ");
}

#[test]
fn sections_for_cpus_and_gpus() {
    let mut job = job();
    job.nodes[0].gres = vec![GresShare { name: "gpu".into(), kind: Some("l40".into()), indices: vec![1] }];
    let text = show(&job, Form::Sections);
    insta::assert_snapshot!(text.split_once("24\n").unwrap().1, @r"
    ──────── CPU Metrics ────────
    CPU Utilized: 04:04:05
    CPU Efficiency: 92.18% of 04:24:48 core-walltime
    Job Wall-clock time: 00:11:02
    Memory Utilized: 163.49 MiB
    Memory Efficiency: 0.14% of 113.00 GiB (113.00 GiB/node)

    ──────── GPU Metrics ────────
    Number of GPUs: 1
    GPU Type: l40
    NOTE: the use of GPUs is not measured on this cluster.
    Max GPU Utilization: N/A
    Max GPU Memory Utilized: N/A
    ");
    job.nodes[0].gres.clear();
    assert!(!show(&job, Form::Sections).contains("GPU"));
}

#[test]
fn jobs_of_other_states() {
    let text = show(&fixture::job(3, "x"), Form::List);
    assert!(text.contains("\nState: PENDING\nEfficiency not available: it has not started.\n"), "{text}");
    let running = fixture::running(fixture::job(3, "x"), vec![fixture::share("n1", 0..1, 100)]);
    let text = show(&running, Form::List);
    assert!(
        text.contains("\nState: RUNNING\nCores: 1\n") && text.contains("WARNING: the job is RUNNING"),
        "{text}"
    );
    let mut task = job();
    task.array = Some(ArrayInfo { job: JobId(7), tasks: ArrayTasks::One(2), max_running: None });
    (task.state, task.exit) = (JobState::Failed, ExitStatus { code: 3, signal: 0 });
    task.steps[0].num_tasks = 4;
    let text = show(&task, Form::List);
    assert!(text.starts_with("Job ID: 8636572\nArray Job ID: 7_2\n"), "{text}");
    assert!(
        text.contains("State: FAILED (exit code 3)\n") && text.contains(" MB (estimated maximum)\n"),
        "{text}"
    );
}

#[test]
fn colours_and_advice_tell_what_was_wasted() {
    let mut job = job();
    assert_eq!(advice(&job), ["memory was under-used: of 115712M, --mem=256M would have done"]);
    let text = seff(&job, Form::List, Palette::Coloured, &fixture::settings());
    assert!(text.contains("\x1b[32m92.18%\x1b[0m") && text.contains("\x1b[31m0.14%\x1b[0m"), "{text}");
    job.steps[0].usage =
        Usage { user_us: 662_000_000, system_us: 0, max_rss_kb: 112 << 20, ..Usage::default() };
    let said = advice(&job);
    assert!(
        said[0].starts_with("CPUs were under-used: of 24 at most 1 were busy") && said[1].contains("used up")
    );
    job.steps[0].usage.user_us = 24 * 2 * 662_000_000;
    assert!(advice(&job)[0].starts_with("CPUs were over-used"));
    job.elapsed = Duration::from_secs(3);
    assert!(advice(&job).is_empty(), "nothing follows from a moment");
}

fn task(n: u32, cpu_percent: u64, state: JobState) -> JobInfo {
    let mut task = job();
    task.id = JobId(100 + n);
    task.array = Some(ArrayInfo { job: JobId(100), tasks: ArrayTasks::One(n), max_running: None });
    (task.state, task.num_cpus, task.mem_mb) = (state, 1, 3840);
    task.elapsed = Duration(3500);
    task.steps[0].usage.user_us = cpu_percent * 30_000 + 5_000_000 * u64::from(cpu_percent > 100);
    task.steps[0].usage.system_us = 0;
    task
}

#[test]
fn an_array_with_its_histograms() {
    let states = [(1, 34), (2, 34), (3, 67), (4, 100)];
    let mut jobs: Vec<JobInfo> = states.iter().map(|(n, p)| task(*n, *p, JobState::Completed)).collect();
    jobs.push(task(5, 1, JobState::Cancelled));
    let mut rest = fixture::job(99, "x");
    let tasks = bivouac_types::array::TaskSet::parse("6-15", 1000).unwrap();
    rest.array = Some(ArrayInfo { job: JobId(100), tasks: ArrayTasks::Pending(tasks), max_running: None });
    jobs.push(rest);
    let text = array(&jobs, Palette::Plain, &fixture::settings()).unwrap();
    let (head, _) = text.split_once("\nMemory Efficiency").unwrap();
    insta::assert_snapshot!(head, @r"
    --------------------------------------------------------
    Job Information
    ID: 100
    Name: x
    Cluster: ref
    User/Group: root/root
    Requested CPUs: 1 cores on 1 node(s)
    Requested Memory: 3.75G
    Requested Time: 01:00:00
    --------------------------------------------------------
    Job Status
    CANCELLED: 1
    COMPLETED: 4
    PENDING: 10
    --------------------------------------------------------
    --------------------------------------------------------
    Finished Job Statistics
    (excludes pending, running, and cancelled jobs)
    Average CPU Efficiency 58.33%
    Average Memory Usage 0.16G
    Average Run-time 3.50s
    ---------------------

    CPU Efficiency (%)
    ---------------------
    +0.00e+00 - +1.00e+01  [0]
    +1.00e+01 - +2.00e+01  [0]
    +2.00e+01 - +3.00e+01  [0]
    +3.00e+01 - +4.00e+01  [2]  ████████████████████████████████████████
    +4.00e+01 - +5.00e+01  [0]
    +5.00e+01 - +6.00e+01  [0]
    +6.00e+01 - +7.00e+01  [1]  ████████████████████
    +7.00e+01 - +8.00e+01  [0]
    +8.00e+01 - +9.00e+01  [0]
    +9.00e+01 - +1.00e+02  [1]  ████████████████████
    ");
    assert_eq!(array(&[], Palette::Plain, &fixture::settings()), None);
}

#[test]
fn a_line_for_each_job() {
    let mut long = job();
    (long.spec.name, long.partition, long.account) =
        ("spawner-hub".into(), "amilan".into(), Some("ucb-general".into()));
    (long.qos, long.eligible) =
        (Some("interactive".into()), Some(Timestamp(fixture::START.0 - 143 * 3_600_000)));
    let mut waiting = fixture::job(9, "x");
    (waiting.num_cpus, waiting.eligible) = (8192, Some(fixture::START));
    insta::assert_snapshot!(jobstats(&[long, waiting], "root", 35, &fixture::settings()), @r"
    job stats for user root over past 35 days
    jobid        jobname  partition    qos          account      cpus state    start-date-time     elapsed    wait
    -------------------------------------------------------------------------------------------------------------------
    8636572      spawner- amilan       interacti+   ucb-gener+   24   COMPLETE 2026-11-22T15:39:00 00:11:02   143 hrs
    9            x        main         normal       root         8192 PENDING  Unknown             00:00:00   0 hrs
    ");
}

#[test]
fn steps_count_together() {
    let mut job = job();
    let mut step = job.steps[0].clone();
    (step.step, step.num_tasks, step.usage.max_rss_kb) = (StepKind::Number(0), 3, 100_000);
    job.steps.push(step);
    let of = Efficiency::of(&job);
    assert_eq!((of.cpu, of.mem_kb, of.mem_estimated), (2 * 14_645, 300_000, true));
}
