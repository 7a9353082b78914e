use super::*;
use crate::fixture::{self, START, jobs, share, step};
use crate::{Settings, Units};
use bivouac_types::info::{JobInfo, Usage};
use bivouac_types::{Duration, ExitStatus, JobState, PendingReason, StepKind, Timestamp, Uid};
use proptest::prelude::*;

/// The reference jobs as the accounting has them: job 1 was cancelled after two minutes.
fn recorded() -> Vec<JobInfo> {
    let mut jobs = jobs();
    for job in &mut jobs {
        job.accounting.waited = if job.reason.is_turn() { PendingReason::None } else { job.reason };
    }
    let end = START + Duration::from_secs(120);
    jobs[0].state = JobState::Cancelled;
    jobs[0].cancelled_by = Some(Uid(1000));
    jobs[0].exit = ExitStatus { code: 0, signal: 15 };
    jobs[0].end = Some(end);
    jobs[0].elapsed = Duration::from_secs(120);
    for (n, s) in jobs[0].steps.iter_mut().enumerate() {
        s.state = JobState::Cancelled;
        s.end = Some(end);
        s.exit = ExitStatus { code: 0, signal: 15 };
        s.usage = Usage {
            user_us: 1000,
            system_us: 2000 + n as u64 * 1000,
            max_rss_kb: 12_720 - n as u64 * 11_008,
            ..Usage::default()
        };
    }
    jobs
}

fn settings() -> Settings {
    let qos = vec!["normal".to_owned()];
    Settings { now: START + Duration::from_secs(130), qos, ..fixture::settings() }
}

/// Everything of the window that reaches from the beginning of time to now.
fn everything() -> Filter {
    window(Timestamp(0), settings().now)
}

fn window(since: Timestamp, until: Timestamp) -> Filter {
    Filter { window: Window { since, until }, ..Filter::default() }
}

fn by_id(ids: &str) -> Filter {
    Filter { jobs: Some(parse_jobs(ids).unwrap()), ..everything() }
}

/// sacct with a heading and its rule.
fn sacct(format: &str, style: Style<'_>, filter: &Filter, allocations: bool) -> String {
    let jobs = recorded();
    let layout = layout(format, style).unwrap();
    let mut out = Vec::new();
    layout.heading(&mut out).unwrap();
    if style == Style::Columns {
        layout.rule(&mut out).unwrap();
    }
    layout.lines(entries(&jobs, filter, allocations), &settings(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Values of one job's lines.
fn values(format: &str, ids: &str) -> String {
    let text = sacct(format, Style::Parsable2("|"), &by_id(ids), false);
    text.lines().skip(1).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_default_report() {
    let text = sacct(DEFAULT_FIELDS, Style::Columns, &everything(), false);
    insta::assert_snapshot!(text.replace(" \n", "|\n"), @r"
    JobID           JobName  Partition    Account  AllocCPUS      State ExitCode|
    ------------ ---------- ---------- ---------- ---------- ---------- --------|
    1            longnamej+       main      acct1          3 CANCELLED+      0:0|
    1.batch           batch                 acct1          2  CANCELLED     0:15|
    1.0               sleep                 acct1          3  CANCELLED     0:15|
    5                  fail       main       root          1     FAILED      3:0|
    5.batch           batch                  root          1     FAILED      3:0|
    6                    ok       main       root          1  COMPLETED      0:0|
    6.batch           batch                  root          1  COMPLETED      0:0|
    7                  gres        gpu       root          1    RUNNING      0:0|
    7.batch           batch                  root          1    RUNNING      0:0|
    8                  feat       main       root          1    PENDING      0:0|
    2_1                 arr       main      acct1          1    RUNNING      0:0|
    2_1.batch         batch                 acct1          1    RUNNING      0:0|
    2_2                 arr       main      acct1          1    RUNNING      0:0|
    2_2.batch         batch                 acct1          1    RUNNING      0:0|
    ");
}

#[test]
fn jobs_by_id() {
    let ids = |list: &str| {
        let text = sacct("jobid", Style::Parsable2("|"), &by_id(list), false);
        text.lines().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids("2"), "2_1 2_1.batch 2_2 2_2.batch 2_[3-10%2]");
    assert_eq!(ids("2_1"), "2_1 2_1.batch");
    assert_eq!(ids("11"), "2_1 2_1.batch");
    assert_eq!(ids("1.0"), "1.0");
    assert_eq!(ids("1.batch,3"), "1.batch 3", "with its id a job that is not eligible is shown");
    assert_eq!(ids("1.7"), "");
    assert_eq!(ids("999"), "");
    assert_eq!(ids("2_[3-5]"), "2_[3-10%2]");
    assert_eq!((ids("1+0").as_str(), ids("1.extern").as_str()), ("", ""));
    for (bad, text) in [
        ("abc", "Bad job/step specified: abc"),
        ("1,abc", "Bad job/step specified: abc"),
        ("-1", "Bad job/step specified: -1"),
        ("0", "Bad job/step specified: 0"),
        ("1.x", "Bad step specified: 1"),
        ("1.", "Bad step specified: 1"),
        ("2_x", "Bad job array element specified: 2"),
        ("2_", "Bad job array element specified: 2"),
        ("1+x", "Bad hetjob offset specified: 1"),
    ] {
        assert_eq!(parse_jobs(bad).unwrap_err().to_string(), text);
    }
}

#[test]
fn parsable_forms() {
    let show = |style| sacct("jobid%3,state,exitcode", style, &by_id("1"), true);
    assert_eq!(show(Style::Parsable("|")), "JobID|State|ExitCode|\n1|CANCELLED by 1000|0:0|\n");
    assert_eq!(show(Style::Parsable2("|")), "JobID|State|ExitCode\n1|CANCELLED by 1000|0:0\n");
    assert_eq!(show(Style::Parsable2("::")), "JobID::State::ExitCode\n1::CANCELLED by 1000::0:0\n");
}

#[test]
fn widths_and_shortened_names() {
    let show = |format: &str| sacct(format, Style::Columns, &by_id("1"), true);
    assert_eq!(
        show("jobid%5,jobn%-20,state%3"),
        "JobID JobName              Sta \n----- -------------------- --- \n    1 longnamejob          CA+ \n"
    );
    assert_eq!(
        show("start%5,submit%-6,elapsed%3,alloccpus%0,state%4,timelimit%2"),
        "Start Submit Ela  Stat Ti \n----- ------ ---  ---- -- \n2026- 2026-1 00:02:00 3 CAN+ 0+ \n",
        "times are cut without a mark, numbers and lengths of time not at all"
    );
    assert_eq!(show("jobname%0,jobid"), " JobID        \n ------------ \n 1            \n");
    assert_eq!(show("job, st%19 "), show("JOBID,START"));
    assert_eq!(show("partition,account%xyz").lines().next(), Some(" Partition  "));
    assert_eq!(show(""), "\n\n\n");
    let error = layout("jobid,foo", Style::Columns).err().unwrap();
    assert_eq!(error.to_string(), "Invalid field requested: \"foo\"");
    assert!(show("%5").starts_with("Accou Admin Alloc "), "no name is the beginning of ALL");
}

#[test]
fn values_of_fields() {
    for (format, ids, expected) in [
        ("alloctres", "1", "billing=3,cpu=3,mem=2G,node=2 cpu=2,mem=1G,node=1 cpu=3,mem=2G,node=2"),
        ("reqtres", "1", "billing=3,cpu=3,mem=2G,node=2  "),
        ("alloctres", "7.batch", "cpu=1,gres/gpu=2,mem=8000M,node=1"),
        ("alloctres", "3", ""),
        ("reqtres", "3", "billing=1,cpu=1,mem=100M,node=1"),
        ("reqmem", "1", "2G  "),
        ("nodelist,nnodes,allocnodes", "1", "n[1-2]|2|2 n1|1|1 n[1-2]|2|2"),
        ("nodelist,nnodes,allocnodes", "3", "None assigned|1|0"),
        ("start,end,elapsed", "1.batch", "2026-11-22T15:39:00|2026-11-22T15:41:00|00:02:00"),
        ("start,end,elapsed", "3", "Unknown|Unknown|00:00:00"),
        ("start,end", "7.batch", "2026-11-22T15:39:00|Unknown"),
        ("eligible,submit", "3", "Unknown|2026-11-22T15:38:59"),
        ("cputime,cputimeraw", "1.0", "00:06:00|360"),
        (
            "totalcpu,usercpu,systemcpu",
            "1",
            "00:00.007|00:00.002|00:00.005 00:00.003|00:00.001|00:00.002 00:00.004|00:00.001|00:00.003",
        ),
        ("maxrss,maxrssnode,ntasks", "1", "|| 12720K|n1|1 ||2"),
        ("timelimit,timelimitraw", "7,2_1", "UNLIMITED|UNLIMITED | 00:05:00|5 |"),
        ("state,exitcode,derivedexitcode", "5", "FAILED|3:0|0:0 FAILED|3:0|"),
        ("derivedexitcode", "1", "0:15  "),
        ("user,uid,group,gid,qos", "1.0", "||||"),
        ("user,uid,group,gid,qos", "3", "root|0|root|0|normal"),
        ("jobidraw,jobid", "2_1", "11|2_1 11.batch|2_1.batch"),
        ("reason", "3", "JobHeldUser"),
        ("reserved,resvcpu,resvcpuraw", "5", "00:00:01|00:00:01|1 ||"),
        ("cluster", "3", "ref"),
        ("constraints", "8", "milan&rh8"),
        ("averss,maxvmsize,layout,flags", "3", "|||StartRecieved"),
        ("layout,flags,dbindex", "1", "|SchedMain,StartRecieved|1 Unknown||1 Cyclic||1"),
        ("reqcpufreq,reqcpufreqgov,avecpufreq", "1", "Unknown|Unknown| 0|0|0 Unknown|Unknown|0"),
        ("consumedenergy", "1", "0 0 0"),
        ("consumedenergy", "5", " 0"),
        ("qosraw,wckeyid", "5", "1|0 |"),
        ("workdir", "3", "/tmp/j"),
    ] {
        assert_eq!(values(format, ids), expected, "{format} of {ids}");
    }
}

#[test]
fn a_job_alone_sums_up_no_steps() {
    let show = |allocations| {
        let text = sacct("totalcpu", Style::Parsable2("|"), &by_id("1"), allocations);
        text.lines().nth(1).unwrap().to_owned()
    };
    assert_eq!((show(false).as_str(), show(true).as_str()), ("00:00.007", "00:00:00"));
}

#[test]
fn long_cpu_times() {
    let mut job = fixture::running(fixture::job(1, "x"), vec![share("n1", 0..1, 100)]);
    let show = |job: &JobInfo| {
        let layout = layout("usercpu", Style::Parsable2("|")).unwrap();
        let row = Entry { job, step: None, with_steps: true, cut: None };
        let mut out = Vec::new();
        layout.lines([row], &settings(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    for (us, text) in [
        (0, "00:00:00\n"),
        (61_500_000, "01:01.500\n"),
        (3_723_000_000, "01:02:03\n"),
        (90_000_000_000, "1-01:00:00\n"),
    ] {
        job.steps[0].usage.user_us = us;
        assert_eq!(show(&job), text);
    }
}

#[test]
fn a_job_cancelled_while_pending_started_when_it_ended() {
    let mut job = fixture::job(9, "big");
    (job.state, job.end, job.cancelled_by) = (JobState::Cancelled, Some(START), Some(Uid(0)));
    let layout = layout("start,end,state%30,nodelist,alloctres,allocnodes", Style::Parsable2("|")).unwrap();
    let mut out = Vec::new();
    layout
        .lines([Entry { job: &job, step: None, with_steps: true, cut: None }], &settings(), &mut out)
        .unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "2026-11-22T15:39:00|2026-11-22T15:39:00|CANCELLED by 0|None assigned||0\n"
    );
}

#[test]
fn units() {
    let jobs = recorded();
    let show = |units| {
        let layout = layout("reqmem,maxrss,alloctres", Style::Parsable2("|")).unwrap();
        let settings = Settings { units, ..settings() };
        let mut out = Vec::new();
        layout.lines(entries(&jobs, &by_id("1"), false), &settings, &mut out).unwrap();
        String::from_utf8(out).unwrap().lines().take(2).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(show(Units::Natural), "2G||billing=3,cpu=3,mem=2G,node=2 |12720K|cpu=2,mem=1G,node=1");
    assert_eq!(
        show(Units::Original),
        "2048M||billing=3,cpu=3,mem=2048M,node=2 |13025280|cpu=2,mem=1024M,node=1"
    );
    assert_eq!(
        show(Units::Fixed('K')),
        "2097152K||billing=3,cpu=3,mem=2097152K,node=2 |12720K|cpu=2,mem=1048576K,node=1"
    );
    assert_eq!(
        show(Units::Fixed('T')),
        "0.00T||billing=3,cpu=3,mem=0.00T,node=2 |0.00T|cpu=2,mem=0.00T,node=1"
    );
}

#[test]
fn every_field_of_the_man_page_in_its_place() {
    let text = help_format();
    assert!(
        text.starts_with("Account             AdminComment        AllocCPUS           AllocNodes         \n")
    );
    assert!(text.ends_with("\nWorkDir            \n"));
    assert_eq!(text.split_whitespace().count(), 109);
    assert!(layout("a", Style::Columns).unwrap().uses(|c| c.name == "WorkDir"), "the shortest form of ALL");
    let widest = sacct(LONG_FIELDS, Style::Columns, &by_id("999"), false);
    assert!(widest.starts_with("JobID        JobIDRaw        JobName  Partition  MaxVMSize  MaxVMSizeNode "));
    assert_eq!(widest.lines().next().map(str::len), widest.lines().nth(1).map(str::len));
    assert_eq!(
        sacct("reservationid,timelimitraw", Style::Columns, &by_id("999"), false).lines().next(),
        Some("Reservat TimelimitR ")
    );
}

#[test]
fn the_document_names_the_fields_of_which_nothing_is_known() {
    let document = include_str!("../../../../docs/reports.md");
    let list = document.split("<!-- empty fields -->").nth(1).unwrap();
    let named: Vec<&str> = list.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    // Everything that can be known of a job and its step is known of these.
    let mut job = recorded().swap_remove(0);
    job.spec.comment = Some("comment".into());
    job.spec.resources.constraint = Some("feature".into());
    (job.spec.reservation, job.spec.wckey) = (Some("resv".into()), Some("key".into()));
    (job.spec.submit_line, job.spec.admin_comment) = ("sbatch x".into(), Some("said".into()));
    job.steps[0].num_tasks = 1;
    job.accounting.association = Some(3);
    let empty = Entries::columns().iter().filter(|column| {
        let rows =
            [None, Some(&job.steps[0])].map(|step| Entry { job: &job, step, with_steps: true, cut: None });
        rows.iter().all(|row| {
            let mut cell = String::new();
            (column.cell)(row, &settings(), &mut cell);
            cell.is_empty()
        })
    });
    assert_eq!(empty.map(|column| column.name).collect::<Vec<_>>(), named);
}

#[test]
fn steps_stand_in_their_order() {
    let mut job = fixture::running(fixture::job(1, "x"), vec![share("n1", 0..4, 100)]);
    job.steps.insert(0, step(StepKind::Number(1), "b", 1, 1, "n1"));
    job.steps.insert(0, step(StepKind::Number(0), "a", 1, 1, "n1"));
    job.steps.push(step(StepKind::Extern, "extern", 1, 4, "n1"));
    let jobs = [job];
    let names: Vec<&str> = entries(&jobs, &everything(), false)
        .iter()
        .map(|e| e.step.map_or("job", |s| s.name.as_str()))
        .collect();
    assert_eq!(names, ["job", "batch", "extern", "a", "b"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_format_prints_or_is_refused(text in "([a-zA-Z]{1,8}(%-?[0-9]{1,3})?,?){0,6}", any in "\\PC{0,30}") {
        let jobs = recorded();
        for text in [&text, &any] {
            for style in [Style::Columns, Style::Parsable("|"), Style::Parsable2("--")] {
                if let Ok(layout) = layout(text, style) {
                    let mut out = Vec::new();
                    layout.lines(entries(&jobs, &everything(), false), &settings(), &mut out).unwrap();
                }
            }
            let _ = (parse_jobs(text), parse_states(text), parse_reasons(text));
        }
    }
}
