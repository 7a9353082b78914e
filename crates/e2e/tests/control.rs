//! What scontrol does to jobs, with real processes: suspend, requeue, update, notify; signals for steps and before the end.

use bivouac_e2e::Camp;

/// A script that counts as long as it runs.
const COUNTS: &str = "while :; do echo x >> ticks; sleep 0.02; done";

fn ticks(camp: &Camp) -> usize {
    std::fs::read_to_string(camp.path("work/ticks")).map_or(0, |t| t.lines().count())
}

fn state(camp: &Camp, id: u32) -> String {
    camp.run("squeue", ["-h", "-j", &id.to_string(), "-o", "%T %r"]).out.trim().to_owned()
}

#[test]
fn a_suspended_job_stands_still_until_it_is_resumed() {
    for mode in ["", "search"] {
        let camp = Camp::new();
        let camp = if mode.is_empty() { camp } else { camp.with("BIVOUAC_KILL_MODE", mode) };
        let id = camp.sbatch(["-o", "/dev/null", "--wrap", &format!("({COUNTS}) & wait")]);
        let text = id.to_string();
        camp.until("it runs", || ticks(&camp) > 2);
        camp.run("scontrol", ["suspend", &text]).ok();
        assert_eq!(state(&camp, id), "SUSPENDED None");
        // All of its processes are stopped by the time that a later answer comes from the keeper's machine.
        camp.until("its processes are stopped", || {
            let out = camp.run("ps", ["-eo", "stat,args"]).ok();
            let of_job: Vec<&str> = out.lines().filter(|l| l.contains("slurm_script")).collect();
            !of_job.is_empty() && of_job.iter().all(|l| l.starts_with('T'))
        });
        let before = ticks(&camp);
        assert_eq!(camp.run("scontrol", ["suspend", &text]).ok(), "");
        assert_eq!(ticks(&camp), before);
        let cpus = camp.run("sinfo", ["-h", "-o", "%C"]).ok();
        assert!(cpus.starts_with("0/"), "its CPUs are free: {cpus}");
        camp.run("scontrol", ["resume", &text]).ok();
        camp.until("it goes on", || ticks(&camp) > before + 2);
        let said = camp.run("scontrol", ["resume", &text]);
        assert_eq!((said.code, said.err), (1, format!("Job is not suspended for job {id}\n")));
        camp.run("scontrol", ["suspend", &text]).ok();
        camp.run("scancel", [&text]).ok();
        camp.wait(id);
        assert!(camp.state(id).starts_with("CANCELLED"), "a suspended job can be cancelled");
    }
}

#[test]
fn a_job_that_is_over_is_run_again_and_requeuehold_waits_for_a_release() {
    let camp = Camp::new();
    let id = camp.sbatch(["-o", "out", "--wrap", "echo run ${SLURM_RESTART_COUNT:-0}; exit 3"]);
    let text = id.to_string();
    assert_eq!(camp.wait(id).code, 3);
    camp.run("scontrol", ["requeuehold", &text]).ok();
    assert_eq!(state(&camp, id), "PENDING job requeued in held state");
    camp.run("scontrol", ["release", &text]).ok();
    assert_eq!(camp.wait(id).code, 3);
    assert_eq!(camp.read("out"), "run 1\n", "the file is begun anew");
    camp.run("scontrol", ["requeue", "incomplete", &text]).ok();
    let said = camp.run("scontrol", ["requeuehold", "state=SpecialExit", &text]);
    assert_eq!((said.code, state(&camp, id).as_str()), (0, "SPECIAL_EXIT job requeued in held state"));
}

#[test]
fn fields_of_a_pending_job_are_changed_and_it_runs_so() {
    let camp = Camp::new();
    let id =
        camp.sbatch(["-H", "-o", "old", "-t", "10", "--wrap", "echo $SLURM_JOB_NAME $SLURM_NTASKS in $PWD"]);
    let text = id.to_string();
    std::fs::create_dir(camp.path("work/there")).unwrap();
    let there = camp.path("work/there");
    let job = format!("jobid={text}");
    let dir = format!("workdir={}", there.display());
    camp.run(
        "scontrol",
        ["update", &job, "name=new", "comment=two words", "numtasks=1", "timelimit+=5", &dir],
    )
    .ok();
    camp.run("scontrol", ["update", &job, "stdout=new.%j", "nice=5", "mailuser=me", "starttime=now"]).ok();
    let shown = camp.run("scontrol", ["-o", "show", "job", &text]).ok();
    for field in ["JobName=new", "Comment=two words", "TimeLimit=00:15:00", "Nice=5", "NumTasks=1"] {
        assert!(shown.contains(field), "{field} in {shown}");
    }
    for (words, line) in [
        ("features=nope", "Invalid feature specification"),
        ("partition=nope", "Invalid partition name specified"),
        ("dependency=bad", "Job dependency problem"),
        ("reqnodelist=nope", "Invalid node name specified"),
        ("burstbuffer=x", "Requested operation not supported on this system"),
    ] {
        let said = camp.run("scontrol", ["update", &job, "name=other", words]);
        assert_eq!((said.code, said.err), (1, format!("{line} for job {id}\n")), "{words}");
    }
    camp.run("scontrol", ["release", &text]).ok();
    assert!(camp.wait(id).success());
    let said = std::fs::read_to_string(there.join(format!("new.{id}"))).unwrap();
    assert_eq!(said, format!("new 1 in {}\n", there.display()), "refused updates have changed nothing");
    let said = camp.run("scontrol", ["update", &job, "name=late"]);
    assert_eq!(said.err, format!("Job has already finished for job {id}\n"));
}

#[test]
fn a_step_is_signalled_and_ended_by_its_number() {
    let camp = Camp::new();
    let script = "srun sh -c 'trap \"echo caught >> said\" USR1; touch up; while :; do sleep 0.02; done'; echo $? >> said; exit 5";
    let id = camp.sbatch(["-o", "out", "--wrap", script]);
    camp.until("the step is up", || camp.path("work/up").exists());
    let step = format!("{id}.0");
    let shown = camp.run("scontrol", ["show", "step", &step]).ok();
    assert!(shown.starts_with(&format!("StepId={step} UserId=")), "{shown}");
    let pids = camp.run("scontrol", ["listpids", &step]).ok();
    assert!(pids.lines().count() > 1, "{pids}");
    camp.run("scancel", ["-s", "USR1", &step]).ok();
    camp.until("it has caught the signal", || camp.path("work/said").exists());
    camp.run("scancel", [&step]).ok();
    assert_eq!(camp.wait(id).code, 5, "the job goes on");
    assert_eq!(camp.read("said"), "caught\n137\n");
    let out = camp.read("out");
    let parts =
        [&format!("*** STEP {step} ON "), "srun: Job step aborted: Waiting up to ", ": task 0: Killed\n"];
    assert!(parts.iter().all(|part| out.contains(*part)), "{out}");
    let said = camp.run("scancel", [&step]);
    assert_eq!(said.code, 225, "{said:?}");
}

#[test]
fn a_job_is_told_before_its_end_and_by_notify() {
    let camp = Camp::new();
    let script = "trap 'echo told; exit 6' USR1; touch up; while :; do sleep 0.02; done";
    let id = camp.sbatch(["-o", "out", "-t", "5", "--signal=B:USR1@60", "--wrap", script]);
    let text = id.to_string();
    camp.until("it is up", || camp.path("work/up").exists());
    camp.run("scontrol", ["notify", &text, "mind", "the gap"]).ok();
    camp.until("it is noted", || camp.read("out").contains("slurmstepd: error: mind the gap\n"));
    // Within a minute of its new end it is told at once.
    camp.run("scontrol", ["update", &format!("jobid={text}"), "timelimit=1"]).ok();
    assert_eq!(camp.wait(id).code, 6);
    assert!(camp.read("out").ends_with("told\n"), "{}", camp.read("out"));
}

#[test]
fn commands_are_read_one_a_line() {
    let camp = Camp::new();
    camp.bivouac(["up"]).ok();
    let said = camp.feed(
        "scontrol",
        [] as [&str; 0],
        "errnumstr 2017\n!!\nbogus\n\nshow hostlist n1,n2\nquit\nversion\n",
    );
    let text = "Invalid job id specified\n";
    let expected = format!(
        "scontrol: errnumstr 2017\n{text}scontrol: !!\n{text}scontrol: bogus\nscontrol: \nscontrol: show hostlist n1,n2\nn[1-2]\nscontrol: quit\n"
    );
    // The exit code is that of the last command.
    assert_eq!((said.code, said.out, said.err.as_str()), (0, expected, "invalid keyword: bogus\n"));
    assert_eq!(camp.feed("scontrol", [] as [&str; 0], "version\nbogus\nquit\n").code, 1);
    // A line that is no text is told, and the others are carried out.
    let said = camp.run("sh", ["-c", "printf 'bog\\377us\\nerrnumstr 2017\\n' | scontrol"]);
    assert!(said.out.contains(text), "{said:?}");
    assert_eq!((said.code, said.err.as_str()), (0, "scontrol: error: the line is not valid UTF-8\n"));
}
