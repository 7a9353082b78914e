use super::*;
use crate::fixture::{self, jobs, print, settings};
use crate::table::sort_keys;
use crate::{Layout, Units};
use bivouac_types::info::ArrayTasks;
use bivouac_types::{ExitStatus, JobState, LicenseRequest, PendingReason, TaskSet, TimeLimit};
use proptest::prelude::*;

/// squeue with a format, an order and a filter.
fn squeue(format: &str, order: &str, filter: &Filter, expand: bool) -> String {
    let (settings, shown) = (settings(), Shown { expand, ..Shown::default() });
    let records = Records::new(jobs(), filter, shown);
    let mut rows = records.rows(filter, shown);
    sort(&mut rows, &sort_keys(order).unwrap(), &settings);
    print(&Layout::<Jobs>::letters(format).layout, rows, &settings)
}

fn active() -> Filter {
    Filter { states: Some(Filter::active()), ..Filter::default() }
}

fn names(format: &str, id: u32) -> String {
    let (jobs, settings) = (jobs(), settings());
    let rows = jobs.iter().filter(|j| j.id.0 == id).map(JobRow::of);
    let text = print(&Layout::<Jobs>::names(format).layout, rows, &settings);
    text.lines().nth(1).unwrap().to_owned()
}

#[test]
fn the_default_report() {
    insta::assert_snapshot!(squeue(DEFAULT_FORMAT, DEFAULT_SORT, &active(), false), @r"
                 JOBID PARTITION     NAME     USER ST       TIME  NODES NODELIST(REASON)
                     7       gpu     gres     root  R       0:02      1 g1
                     4  gpu,main      beg     root PD       0:00      1 (BeginTime)
            2_[3-10%2]      main      arr    alice PD       0:00      1 (JobArrayTaskLimit)
                     8      main     feat     root PD       0:00      1 (Resources)
              10_[5,7]      main      dep     root PD       0:00      2 (Dependency)
                     3      main     held     root PD       0:00      1 (JobHeldUser)
                     1      main longname    alice  R       0:02      2 n[1-2]
                   2_1      main      arr    alice  R       0:02      1 n1
                   2_2      main      arr    alice  R       0:02      1 n1
    ");
}

#[test]
fn the_long_report_of_all_states() {
    insta::assert_snapshot!(squeue(LONG_FORMAT, DEFAULT_SORT, &Filter::default(), false), @r"
                 JOBID PARTITION     NAME     USER    STATE       TIME TIME_LIMI  NODES NODELIST(REASON)
                     7       gpu     gres     root  RUNNING       0:02 UNLIMITED      1 g1
                     4  gpu,main      beg     root  PENDING       0:00   1:00:00      1 (BeginTime)
                     6      main       ok     root COMPLETE       0:00   1:00:00      1 n1
                     5      main     fail     root   FAILED       0:00   1:00:00      1 (NonZeroExitCode)
            2_[3-10%2]      main      arr    alice  PENDING       0:00      5:00      1 (JobArrayTaskLimit)
                     8      main     feat     root  PENDING       0:00   1:00:00      1 (Resources)
              10_[5,7]      main      dep     root  PENDING       0:00   1:00:00      2 (Dependency)
                     3      main     held     root  PENDING       0:00     10:00      1 (JobHeldUser)
                     1      main longname    alice  RUNNING       0:02   1:00:00      2 n[1-2]
                   2_1      main      arr    alice  RUNNING       0:02      5:00      1 n1
                   2_2      main      arr    alice  RUNNING       0:02      5:00      1 n1
    ");
}

#[test]
fn expected_starts() {
    let filter = Filter { states: Some(vec![JobState::Pending]), ..Filter::default() };
    insta::assert_snapshot!(squeue(START_FORMAT, START_SORT, &filter, false), @r"
                 JOBID PARTITION     NAME     USER ST          START_TIME  NODES SCHEDNODES           NODELIST(REASON)
                     4  gpu,main      beg     root PD 2026-11-22T16:38:59      1 (null)               (BeginTime)
            2_[3-10%2]      main      arr    alice PD                 N/A      1 (null)               (JobArrayTaskLimit)
                     3      main     held     root PD                 N/A      1 (null)               (JobHeldUser)
                     8      main     feat     root PD                 N/A      1 (null)               (Resources)
              10_[5,7]      main      dep     root PD                 N/A      2 (null)               (Dependency)
    ");
}

#[test]
fn arrays_taken_apart() {
    let filter = Filter { names: Some(vec!["arr".into()]), ..active() };
    insta::assert_snapshot!(squeue("%i %K %A %F %R", "i", &filter, true), @r"
    JOBID ARRAY_TASK_ID JOBID ARRAY_JOB_ID NODELIST(REASON)
    2_1 1 11 2 n1
    2_2 2 12 2 n1
    2_3 3 2 2 (JobArrayTaskLimit)
    2_4 4 2 2 (JobArrayTaskLimit)
    2_5 5 2 2 (JobArrayTaskLimit)
    2_6 6 2 2 (JobArrayTaskLimit)
    2_7 7 2 2 (JobArrayTaskLimit)
    2_8 8 2 2 (JobArrayTaskLimit)
    2_9 9 2 2 (JobArrayTaskLimit)
    2_10 10 2 2 (JobArrayTaskLimit)
    ");
}

/// The rows of an array of which one task is held by itself, under other names.
fn with_a_held_task(shown: Shown<'_>, filter: &Filter, format: &str) -> String {
    let mut jobs = jobs();
    let rest = jobs.iter().position(|j| j.id.0 == 2).unwrap();
    let mut held = jobs[rest].clone();
    (held.id, held.reason, held.priority) = (bivouac_types::JobId(20), PendingReason::JobHeldUser, 0);
    held.array.as_mut().unwrap().tasks = ArrayTasks::Pending(TaskSet::single(4));
    jobs[rest].array.as_mut().unwrap().tasks = ArrayTasks::Pending(TaskSet::parse("3,5-10", 100).unwrap());
    jobs.insert(0, held);
    let (records, settings) = (Records::new(jobs, filter, shown), settings());
    let mut rows = records.rows(filter, shown);
    sort(&mut rows, &job_order("i,-p").unwrap(), &settings);
    let text = print(&Layout::<Jobs>::letters(format).layout, rows, &settings);
    text.lines().skip(1).filter(|l| l.starts_with("2_")).collect::<Vec<_>>().join(";")
}

#[test]
fn pending_records_of_an_array_are_put_together() {
    let filter = active();
    let (whole, unique) = (Shown::default(), Shown { unique: true, ..Shown::default() });
    assert_eq!(
        with_a_held_task(whole, &filter, "%i %R"),
        "2_1 n1;2_2 n1;2_[3-10] (JobArrayTaskLimit,JobHeldUser)"
    );
    assert_eq!(
        with_a_held_task(unique, &filter, "%i %r"),
        "2_1 None;2_2 None;2_[3,5-10%2] JobArrayTaskLimit;2_[4%2] JobHeldUser"
    );
    let one = Filter { jobs: Some(parse_jobs("2_4").unwrap()), ..active() };
    assert_eq!(with_a_held_task(whole, &one, "%i %R"), "2_4 (JobHeldUser)");
}

#[test]
fn a_line_for_each_partition() {
    let tiers = [("main".to_owned(), 1), ("gpu".to_owned(), 2)].into();
    let shown = Shown { tiers: Some(&tiers), ..Shown::default() };
    let (records, settings) = (Records::new(jobs(), &active(), shown), settings());
    let mut rows = records.rows(&active(), shown);
    sort(&mut rows, &job_order("-p,i").unwrap(), &settings);
    let text = print(&Layout::<Jobs>::letters("%i %P").layout, rows, &settings);
    let lines: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(lines[..2], ["4 gpu", "7 gpu"], "{text}");
    assert_eq!(lines.iter().filter(|l| l.starts_with("4 ")).count(), 2, "{text}");
}

#[test]
fn jobs_by_licence_and_reservation() {
    let mut all = jobs();
    all[0].spec.licenses = LicenseRequest::parse_list("foo:2,bar").unwrap();
    all[1].spec.reservation = Some("r1,r2".into());
    let of = |filter: Filter| -> Vec<u32> { all.iter().filter(|j| filter.job(j)).map(|j| j.id.0).collect() };
    let names = |list: &str| Some(list.split(',').map(str::to_owned).collect());
    assert_eq!(of(Filter { licenses: names("nope,bar"), ..Filter::default() }), [1]);
    assert_eq!(of(Filter { reservations: names("r2"), ..Filter::default() }), [11]);
    assert!(of(Filter { licenses: names("fo"), ..Filter::default() }).is_empty());
    let shown = print(&Layout::<Jobs>::letters("%W %v").layout, [JobRow::of(&all[0])], &settings());
    assert!(shown.ends_with("\nfoo:2,bar (null)\n"), "{shown}");
}

#[test]
fn long_ids_of_arrays_are_cut() {
    let mut job = jobs().into_iter().find(|j| j.id.0 == 2).unwrap();
    job.array.as_mut().unwrap().tasks =
        ArrayTasks::Pending(TaskSet::parse("1,3,5,7-9,11,13,15,17,19,21", 100).unwrap());
    job.array.as_mut().unwrap().max_running = None;
    let show = |limit: usize| {
        let settings = Settings { task_chars: limit, ..settings() };
        let text = print(&Layout::<Jobs>::letters("%i").layout, [JobRow::of(&job)], &settings);
        text.lines().nth(1).unwrap().to_owned()
    };
    assert_eq!(show(64), "2_[1,3,5,7-9,11,13,15,17,19,21]");
    assert_eq!(show(64).len(), 31);
    assert_eq!((show(0).as_str(), show(3).as_str()), ("2_[1,3,5,7-9,11,13,15,17,19,21]", "2_[..]"));
    job.array.as_mut().unwrap().job = bivouac_types::JobId(123_456);
    let text = print(&Layout::<Jobs>::letters("%i").layout, [JobRow::of(&job)], &settings());
    assert!(text.ends_with("\n123456_[1,3,5,7-9,11,13,15,17,1\n"), "{text}");
}

#[test]
fn older_names_and_sizes_that_are_none() {
    assert_eq!(names("gres:", 7), names("tres-per-node:", 7));
    assert_eq!(names("tres:", 7), names("tres-alloc:", 7));
    assert_eq!(names("jobid:-5,name:", 1), "1 longnamejob");
    assert_eq!(Layout::<Jobs>::names("all").invalid, ["all"]);
}

#[test]
fn orders_that_are_none() {
    assert_eq!(job_order("cluster,-i").unwrap().len(), 1);
    assert_eq!(job_order("foo").err(), Some('o'));
    assert_eq!(job_order("!").err(), Some('!'));
    assert_eq!(job_order("bad").err(), Some('a'), "the last one that is none");
    assert_eq!(step_order("P,Q!,-i").len(), 2, "steps take any letter");
}

#[test]
fn all_jobs_as_a_tree() {
    let (jobs, nodes) = (jobs(), fixture::nodes());
    let shapes = nodes.iter().map(|n| (n.config.name.as_str(), &n.config)).collect();
    let tree = document(&jobs, &shapes, &settings()).print(crate::json::Form::Json);
    let parsed: serde_json::Value = serde_json::from_str(&tree).unwrap();
    let job =
        |id: u64| parsed["jobs"].as_array().unwrap().iter().find(|j| j["job_id"] == id).unwrap().clone();
    let (one, rest, gres) = (job(1), job(2), job(7));
    assert_eq!(one.as_object().unwrap().len(), 111, "fields of a job that has nodes");
    assert_eq!(rest.as_object().unwrap().len(), 110, "fields of a job that has none");
    assert_eq!((&one["job_state"], &one["memory_per_node"]), (&"RUNNING".into(), &1024.into()));
    assert_eq!(one["flags"], serde_json::json!(["JOB_WAS_RUNNING", "JOB_MEM_SET"]));
    assert_eq!((&rest["array_task_string"], &rest["array_max_tasks"]), (&"3-10%2".into(), &2.into()));
    assert_eq!(gres["gres_detail"], serde_json::json!(["gpu:a100:2(IDX:0-1)"]));
    assert_eq!(gres["time_limit"], serde_json::Value::Null);
    assert_eq!(
        one["job_resources"],
        serde_json::json!({
            "nodes": "n[1-2]", "allocated_cores": 3, "allocated_hosts": 2,
            "allocated_nodes": [
                {"sockets": {"0": {"cores": {"0": "allocated", "1": "allocated"}}}, "nodename": "n1",
                 "cpus_used": 0, "memory_used": 0, "memory_allocated": 1024},
                {"sockets": {"0": {"cores": {"0": "allocated"}}}, "nodename": "n2",
                 "cpus_used": 0, "memory_used": 0, "memory_allocated": 1024},
            ],
        })
    );
}

#[test]
fn no_jobs_leave_the_heading() {
    let filter = Filter { partitions: Some(vec!["nope".into()]), ..active() };
    insta::assert_snapshot!(
        squeue(DEFAULT_FORMAT, DEFAULT_SORT, &filter, false),
        @"             JOBID PARTITION     NAME     USER ST       TIME  NODES NODELIST(REASON)"
    );
}

#[test]
fn running_steps() {
    let (jobs, settings) = (jobs(), settings());
    let mut rows = step_rows(&jobs, &Filter::default());
    sort_steps(&mut rows, &sort_keys(STEPS_SORT).unwrap(), &settings);
    insta::assert_snapshot!(print(&Layout::<Steps>::letters(STEPS_FORMAT).layout, rows, &settings), @r"
             STEPID     NAME PARTITION     USER      TIME NODELIST
            7.batch    batch       gpu     root      0:02 g1
                1.0    sleep      main    alice      0:02 n[1-2]
            1.batch    batch      main    alice      0:02 n1
          2_1.batch    batch      main    alice      0:02 n1
          2_2.batch    batch      main    alice      0:02 n1
    ");
    let filter = Filter { steps: Some(parse_steps("1.0,2_2.batch").unwrap()), ..Filter::default() };
    let rows = step_rows(&jobs, &filter);
    let text = print(&Layout::<Steps>::letters("%i|%A|%l").layout, rows, &settings);
    assert_eq!(text, "STEPID|TASKS|TIME_LIMIT\n1.0|2|UNLIMITED\n2_2.batch|1|UNLIMITED\n");
}

#[test]
fn widths_literals_and_suffixes() {
    let two = Filter { jobs: Some(parse_jobs("7,1").unwrap()), ..active() };
    for (format, expected) in [
        ("%i|%.5t|%%|%5j<>%Q %R", "1|    R|%|longn<>4294901759 n[1-2]"),
        ("%.i|%i%", "1|1"),
        ("%05i|", "1    |"),
        ("%i<><>%j", "1<><>longnamejob"),
        ("abc", "abc"),
        ("%%i", "1"),
        ("%t|%.3t|%3t|%10T|%.2T|", "R|  R|R  |RUNNING   |RU|"),
        ("100%", "100"),
        ("", ""),
    ] {
        let text = squeue(format, "i", &two, false);
        assert_eq!(text.lines().nth(1).unwrap_or_default(), expected, "{format}");
    }
}

#[test]
fn what_is_no_column_is_told_and_stands_as_it_is() {
    for (format, invalid, heading) in [
        ("%-5i|", vec!["-"], "%-5i|"),
        ("% i|", vec![" "], "% i|"),
        ("%5", vec![""], "%5"),
        ("%i|%!x%j", vec!["!"], "JOBID|%!xNAME"),
        ("%.5%|", vec!["", "|"], "%.5%|"),
    ] {
        let parsed = Layout::<Jobs>::letters(format);
        assert_eq!(parsed.invalid, invalid, "{format}");
        assert_eq!(print(&parsed.layout, [], &settings()), format!("{heading}\n"), "{format}");
    }
    let parsed = Layout::<Jobs>::names("jobid:6,foo,name:.10cd,JOBID:|,All2:x");
    assert_eq!(parsed.invalid, ["foo", "All2"]);
    assert_eq!(print(&parsed.layout, [], &settings()), "JOBID       NAMEcdJOBID|x\n");
    assert_eq!(invalid_format("foo", false), "Invalid job format specification: foo");
    assert_eq!(invalid_format("a", true), "Invalid job step format specification: a");
}

#[test]
fn names_of_columns() {
    assert_eq!(
        names("jobid,state", 1),
        format!("{:<20}{:<20}", "1", "RUNNING"),
        "a name alone is 20 characters wide"
    );
    for (field, id, expected) in [
        ("jobarrayid:", 2, "2_[3-10%2]"),
        ("exit_code:", 5, "768"),
        ("pendingtime:", 1, "1"),
        ("tres-alloc:", 1, "cpu=3,mem=2G,node=2,billing=3"),
        ("tres-alloc:", 7, "cpu=1,mem=8000M,node=1,billing=1,gres/gpu=2"),
        ("tres-per-node:", 7, "gres:gpu:a100:2"),
        ("tres-per-node:", 1, "N/A"),
        ("minmemory:", 1, "1G"),
        ("minmemory:", 2, "50M"),
        ("minmemory:", 4, "0"),
        ("mincpus:", 10, "4"),
        ("dependency:", 10, "afterok:1(unfulfilled)"),
        ("dependency:", 1, "(null)"),
        ("endtime:", 7, "NONE"),
        ("endtime:", 1, "2026-11-22T16:39:00"),
        ("endtime:", 4, "2026-11-22T17:38:59"),
        ("starttime:", 3, "N/A"),
        ("timeleft:", 1, "59:58"),
        ("timeleft:", 7, "UNLIMITED"),
        ("priority:", 1, "0.99998474121093"),
        ("batchhost:", 1, "n1"),
        ("batchhost:", 3, "n/a"),
        ("oversubscribe:", 8, "NO"),
        ("oversubscribe:", 1, "OK"),
        ("reqnodes:", 8, "n1"),
        ("cluster:", 1, "ref"),
        ("comment:", 1, "(null)"),
        ("comment:", 7, "a comment"),
        ("feature:", 8, "milan&rh8"),
    ] {
        assert_eq!(names(field, id), expected, "{field} of {id}");
    }
}

#[test]
fn every_letter_and_name_of_the_man_page_is_a_column() {
    for letter in ('a'..='z').chain('A'..='Z') {
        assert!(crate::table::column_of::<Jobs>(letter).is_some(), "%{letter}");
    }
    let all = Layout::<Jobs>::letters("%all").layout;
    assert_eq!(print(&all, [], &settings()).trim_end().split('|').count(), 52);
    for name in "Account AccrueTime admin_comment AllocNodes AllocSID ArrayJobID ArrayTaskID AssocID BatchFlag BatchHost \
        BoardsPerNode BurstBuffer BurstBufferState Cluster ClusterFeature Command Comment Contiguous Container Cores \
        CoreSpec cpus-per-task cpus-per-tres Deadline DelayBoot Dependency DerivedEC EligibleTime EndTime exit_code \
        Feature GroupID GroupName HetJobID HetJobIDSet HetJobOffset JobArrayID JobID LastSchedEval Licenses MaxCPUs \
        MaxNodes MCSLabel mem-per-tres MinCpus MinMemory MinTime MinTmpDisk Name Network Nice NodeList NTPerBoard \
        NTPerCore NTPerNode NTPerSocket NumCPUs NumNodes NumTasks Origin OriginRaw OverSubscribe Partition PendingTime \
        PreemptTime Prefer Priority PriorityLong Profile QOS Reason ReasonList Reboot ReqNodes ReqSwitch Requeue \
        Reservation ResizeTime RestartCnt SchedNodes SCT SelectJobInfo SiblingsActive SiblingsActiveRaw SiblingsViable \
        SiblingsViableRaw Sockets SPerBoard StartTime State StateCompact STDERR STDIN STDOUT SubmitTime system_comment \
        Threads TimeLeft TimeLimit TimeUsed tres-alloc tres-bind tres-freq tres-per-job tres-per-node tres-per-socket \
        tres-per-task UserID UserName Wait4Switch WCKey WorkDir"
        .split_whitespace()
    {
        assert!(crate::table::column_named::<Jobs>(name).is_some(), "{name}");
    }
    for name in "ArrayJobID ArrayTaskID Cluster Container CPUFreq cpus-per-tres JobID mem-per-tres Network Nodes NumCPUs \
        NumTasks Partition StartTime StepID StepName StepState TimeLimit TimeUsed tres-bind tres-freq \
        tres-per-job tres-per-node tres-per-socket tres-per-step tres-per-task UserID UserName"
        .split_whitespace()
    {
        assert!(crate::table::column_named::<Steps>(name).is_some(), "step {name}");
    }
}

#[test]
fn orders() {
    let ids = |order: &str| {
        let text = squeue("%i", order, &active(), false);
        text.lines().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids("i"), "1 2_1 2_2 2_[3-10%2] 3 4 7 8 10_[5,7]");
    assert_eq!(ids("-i"), "10_[5,7] 8 7 4 3 2_[3-10%2] 2_2 2_1 1");
    assert_eq!(ids("u,-j"), "1 2_1 2_2 2_[3-10%2] 3 7 8 10_[5,7] 4");
    assert_eq!(ids("p"), "3 10_[5,7] 8 7 4 2_1 2_2 2_[3-10%2] 1");
    assert_eq!(ids("-C,i"), "10_[5,7] 1 2_1 2_2 2_[3-10%2] 3 4 7 8");
    assert!(matches!(sort_keys::<Jobs>("foo"), Err('o')));
    assert!(matches!(sort_keys::<Jobs>("P,9"), Err('9')));
    // Letters by which Slurm does not sort either.
    for letter in "abkoqrswxyAEFKRWXYZ".chars().filter(|c| *c != 'b') {
        assert!(sort_keys::<Jobs>(&letter.to_string()).is_err(), "{letter}");
    }
}

#[test]
fn filters() {
    let ids =
        |filter: &Filter| squeue("%i", "i", filter, false).lines().skip(1).collect::<Vec<_>>().join(" ");
    let jobs = |text: &str| ids(&Filter { jobs: Some(parse_jobs(text).unwrap()), ..active() });
    assert_eq!(jobs("2"), "2_1 2_2 2_[3-10%2]");
    assert_eq!(jobs("2_4"), "2_4");
    assert_eq!(jobs("2_1"), "2_1");
    assert_eq!(jobs("11"), "2_1");
    assert_eq!(jobs("2_[9-12],3"), "2_9 2_10 3");
    assert_eq!(jobs("2_[3-10%2]"), "2_3 2_4 2_5 2_6 2_7 2_8 2_9 2_10");
    assert_eq!(jobs("2_99"), "");
    assert_eq!(jobs("1.0"), "1");
    assert_eq!(jobs("5"), "", "a job that has ended is not shown without -t");
    assert_eq!(ids(&Filter { users: Some(vec![1000]), ..active() }), "1 2_1 2_2 2_[3-10%2]");
    assert_eq!(ids(&Filter { users: Some(Vec::new()), ..active() }), "");
    assert_eq!(ids(&Filter { partitions: Some(vec!["gpu".into()]), ..active() }), "4 7");
    assert_eq!(ids(&Filter { accounts: Some(vec!["ACCT1".into()]), ..active() }), "1 2_1 2_2 2_[3-10%2]");
    assert_eq!(ids(&Filter { qos: Some(vec!["nope".into()]), ..active() }), "");
    assert_eq!(ids(&Filter { nodes: Some(vec!["n2".into()]), ..active() }), "1");
    assert_eq!(ids(&Filter { states: parse_states("f,Completed").unwrap(), ..Filter::default() }), "5 6");
    assert_eq!(parse_states("r,ALL"), Ok(None));
    assert_eq!(parse_states("CF"), Ok(Some(Vec::new())), "a state that never occurs here");
    assert_eq!(parse_states("R,foo"), Err(BadState("foo".into())));
    assert!(BadState::VALID.starts_with("PENDING,RUNNING,SUSPENDED,") && !BadState::VALID.contains(' '));
    for (text, expected) in [
        ("abc", "Invalid job id: abc"),
        ("1,abc", "Invalid job id: abc"),
        ("1_", "Invalid job id: 1_"),
        ("-1", "Invalid job id: -1"),
        ("99999999999", "Invalid job id: 99999999999"),
    ] {
        assert_eq!(parse_jobs(text).unwrap_err().to_string(), expected);
    }
    assert_eq!(parse_steps("1").unwrap_err().to_string(), "Invalid job_step id: 1.??");
    assert_eq!(parse_steps("1.x").unwrap_err().to_string(), "Invalid job_step id: 1.x");
}

#[test]
fn long_lists_of_tasks_are_cut() {
    let set = "1,3,5,7-12,20,22,24,26,28,30,32,34,36,38,40,42,44,46,48,50,52,54,56,58,60";
    let mut job = fixture::job(29, "long");
    let tasks = ArrayTasks::Pending(TaskSet::parse(set, 100).unwrap());
    job.array = Some(bivouac_types::info::ArrayInfo { job: job.id, tasks, max_running: Some(5) });
    let show = |limit: usize| {
        let settings = Settings { task_chars: limit, ..settings() };
        print(&Layout::<Jobs>::letters("%K").layout, [JobRow::of(&job)], &settings)
    };
    assert!(show(64).ends_with("\n1,3,5,7-12,20,22,24,26,28,30,32,34,36,38,40,42,44,46,48,50,5...%5\n"));
    assert!(show(0).ends_with(&format!("\n{set}%5\n")));
}

#[test]
fn reasons_tell_which_nodes_are_missing() {
    let mut job = crate::fixture::job(30, "waits");
    job.reason = PendingReason::ReqNodeNotAvail;
    job.reason_text = Some("ReqNodeNotAvail, UnavailableNodes:n[1-2]".into());
    let mut out = String::new();
    crate::job::write_nodes_or_reason(&mut out, &job);
    assert_eq!(out, "(ReqNodeNotAvail, UnavailableNodes:n[1-2])");
    assert_eq!(crate::job::reason_word(&job).to_string(), "ReqNodeNotAvail");
}

#[test]
fn reasons_of_jobs_that_ended() {
    let shown = |state: JobState, exit: ExitStatus| {
        let job = fixture::running(fixture::job(1, "x"), vec![fixture::share("n1", 0..1, 100)]);
        let job = fixture::ended(job, state, exit);
        let row = JobRow::of(&job);
        let text = print(&Layout::<Jobs>::letters("%t %R").layout, [row], &settings());
        text.lines().nth(1).unwrap().to_owned()
    };
    let signal = ExitStatus { code: 0, signal: 9 };
    assert_eq!(shown(JobState::Failed, ExitStatus { code: 77, signal: 0 }), "F (NonZeroExitCode)");
    assert_eq!(shown(JobState::Failed, signal), "F (JobLaunchFailure)");
    assert_eq!(shown(JobState::Timeout, signal), "TO (TimeLimit)");
    assert_eq!(shown(JobState::NodeFail, signal), "NF (NodeDown)");
    assert_eq!(shown(JobState::Cancelled, signal), "CA n1");
    assert_eq!(shown(JobState::Completing, ExitStatus::default()), "CG n1");
}

#[test]
fn times_and_units_follow_the_settings() {
    let (jobs, base) = (jobs(), settings());
    let show = |settings: &Settings, format: &str| {
        let row = JobRow::of(&jobs[0]);
        print(&Layout::<Jobs>::letters(format).layout, [row], settings).lines().nth(1).unwrap().to_owned()
    };
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(-7));
    assert_eq!(show(&Settings { zone, ..base.clone() }, "%S"), "2026-11-22T08:39:00");
    let seconds = bivouac_types::time::TimeFormat::Strftime("%s".into());
    assert_eq!(show(&Settings { time_format: seconds, ..base.clone() }, "%S"), "1795361940");
    assert_eq!(show(&Settings { units: Units::Original, ..base.clone() }, "%m"), "1024M");
    assert_eq!(base.stamp(), "Sun Nov 22 15:39:02 2026");
}

#[test]
fn a_long_time_is_shown_in_days() {
    let mut job = fixture::running(fixture::job(1, "x"), vec![fixture::share("n1", 0..1, 100)]);
    job.time_limit = TimeLimit::Minutes(3 * 1440);
    job.elapsed = bivouac_types::Duration::from_secs(93_784);
    let text = print(&Layout::<Jobs>::letters("%M %l %L").layout, [JobRow::of(&job)], &settings());
    assert!(text.ends_with("\n1-02:03:04 3-00:00:00 1-21:56:56\n"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_format_prints(format in "(%[.]?[0-9]{0,3}[a-zA-Z%!]|[a-z |<>é]|%all){0,12}", any in "\\PC{0,40}") {
        let (jobs, settings) = (jobs(), settings());
        for text in [&format, &any] {
            for layout in [Layout::<Jobs>::letters(text).layout, Layout::<Jobs>::names(text).layout] {
                print(&layout, jobs.iter().map(JobRow::of), &settings);
            }
        }
    }

    #[test]
    fn text_without_per_cent_signs_survives(text in "[^%\n]{0,40}") {
        let layout = Layout::<Jobs>::letters(&text);
        prop_assert!(layout.invalid.is_empty());
        prop_assert_eq!(print(&layout.layout, [], &settings()), format!("{text}\n"));
    }

    #[test]
    fn ids_and_states_never_panic(text in "[0-9_,\\[\\]%.a-z-]{0,20}", any in "\\PC{0,20}") {
        for text in [&text, &any] {
            let _ = (parse_jobs(text), parse_steps(text), parse_states(text), sort_keys::<Jobs>(text));
        }
    }

    #[test]
    fn a_field_is_as_wide_as_asked(width in 1usize..40, letter in proptest::sample::select(vec!['i', 'j', 'R', 'T'])) {
        let text = squeue(&format!("%{width}{letter}"), "i", &Filter::default(), true);
        prop_assert!(text.lines().all(|line| line.chars().count() == width));
    }
}
