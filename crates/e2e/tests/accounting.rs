//! sacct on real jobs: runs of a requeued one, what was run, JSON, damage, and that a report holds nobody up.

use bivouac_e2e::Camp;

#[track_caller]
fn out(camp: &Camp, line: &str) -> String {
    let mut words = line.split_ascii_whitespace();
    camp.run(words.next().unwrap(), words).ok()
}

fn started(camp: &Camp, id: u32) {
    camp.until("the job runs", || camp.state(id) == "RUNNING");
}

#[test]
fn each_run_of_a_requeued_job_is_accounted_for() {
    let camp = Camp::new();
    let id = camp.sbatch(["--requeue", "-J", "again", "--wrap", "echo run >> log; exec sleep 300"]);
    camp.until("the first run", || camp.path("work/log").exists());
    out(&camp, &format!("scontrol requeue {id}"));
    camp.until("the first run is recorded", || {
        out(&camp, &format!("sacct -nXPDj {id} -o state")).starts_with("REQUEUED\n")
    });
    out(&camp, &format!("scancel {id}"));
    camp.wait(id);
    let runs = out(&camp, &format!("sacct -nPDj {id} -o jobid,state,exitcode,dbindex"));
    let mut lines = runs.lines();
    assert_eq!(lines.next(), Some(format!("{id}|REQUEUED|0:0|{id}").as_str()), "{runs}");
    assert_eq!(lines.next(), Some(format!("{id}.batch|CANCELLED|0:15|{id}").as_str()), "{runs}");
    assert!(runs.lines().filter(|l| l.starts_with(&format!("{id}|CANCELLED by "))).count() == 1, "{runs}");
    let last = out(&camp, &format!("sacct -nXPj {id} -o state"));
    assert!(last.starts_with("CANCELLED by ") && last.lines().count() == 1, "{last}");
    // Over a restart as well.
    camp.bivouac(["down"]).ok();
    assert_eq!(out(&camp, &format!("sacct -nPDj {id} -o jobid,state,exitcode,dbindex")), runs);
}

#[test]
fn what_was_asked_for_and_what_was_run() {
    let camp = Camp::new();
    let id = camp.sbatch(["-n2", "--hold", "--comment=said", "--wrap", "srun -n1 true"]);
    out(&camp, &format!("scontrol release {id}"));
    assert!(camp.wait(id).success());
    let lines = out(&camp, &format!("sacct -nPj {id} -o jobid,reqcpus,reason,flags,comment,submitline"));
    let first = format!("{id}|2|JobHeldUser|SchedMain,StartRecieved|said|");
    assert!(
        lines.lines().next().is_some_and(|l| l.starts_with(&first) && l.ends_with("--wrap srun -n1 true")),
        "{lines}"
    );
    assert!(
        lines.lines().any(|l| l.starts_with(&format!("{id}.0|")) && l.ends_with("srun -n1 true")),
        "{lines}"
    );
    let script = out(&camp, &format!("sacct -B -j {id}"));
    assert!(
        script.starts_with(&format!("Batch Script for {id}\n-----")) && script.contains("\nsrun -n1 true\n"),
        "{script}"
    );
    assert!(out(&camp, &format!("sacct --env-vars -j {id}")).contains("\nLANG=C.UTF-8\n"));
    let tree: serde_json::Value =
        serde_json::from_str(&out(&camp, &format!("sacct --json -j {id}"))).unwrap();
    let job = &tree["jobs"][0];
    assert_eq!((&job["job_id"], &job["state"]["current"]), (&id.into(), &"COMPLETED".into()));
    assert_eq!((&job["comment"]["job"], job["steps"].as_array().map(Vec::len)), (&"said".into(), Some(2)));
    assert!(out(&camp, "sacct --yaml").starts_with("%YAML 1.1\n--- !!map\n!!str meta: !!map\n"));
}

#[test]
fn states_are_those_of_the_window() {
    let camp = Camp::new();
    let done = camp.sbatch(["--wrap", "exit 0"]);
    camp.wait(done);
    let going = camp.sbatch(["--wrap", "exec sleep 300"]);
    started(&camp, going);
    let ids = |options: &str| {
        out(&camp, &format!("sacct -nXP -o jobid {options}")).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids("-s R"), going.to_string());
    assert_eq!(ids("-s CD -S now-1hour -E now"), done.to_string());
    assert_eq!(ids("-s R -S now-1hour -E now"), format!("{done} {going}"));
    assert_eq!(ids("-S now-2hours -E now-1hour"), "");
    assert_eq!(ids("-i 1 -I 1 --name=wrap -F SchedMain"), format!("{done} {going}"));
    assert_eq!(ids("--reason=JobHeldUser"), "");
    assert_eq!(ids("-M elsewhere"), "");
    let cut = out(&camp, &format!("sacct -nXPT -S now-1hour -E now -j {going} -o end"));
    assert!(!cut.contains("Unknown"), "{cut}");
    for (line, error) in [
        ("sacct -i 1-x", "sacct: error: Invalid numeric value \"1-x\" for requested node range.\n"),
        (
            "sacct -q nope",
            "sacct: error: You gave a bad qos 'nope'. Valid QOS's are normal\nsacct: fatal: problem processing qos list\n",
        ),
        ("sacct -k 0", "sacct: fatal: Invalid time limit specification\n"),
        ("sacct -g no-such-group", "sacct: error: Invalid group id: no-such-group\n"),
        ("sacct -F foo", "sacct: error: str_2_job_flags: Invalid job flag foo\n"),
        ("sacct -c", "Slurm job completion is disabled\n"),
        ("sacct -f nowhere", "nowhere is not a valid file\n"),
        (
            "sacct -B",
            "sacct: fatal: When requesting job scripts you must also request specific jobs with the '-j' option.\n",
        ),
        ("sacct -R x", "sacct: invalid option -- 'R'\n"),
    ] {
        let mut words = line.split_ascii_whitespace();
        let said = camp.run(words.next().unwrap(), words);
        assert_eq!((said.code, said.err.as_str(), said.out.as_str()), (1, error, ""), "{line}");
    }
}

#[test]
fn a_damaged_record_is_left_out_and_named() {
    let camp = Camp::new();
    for tasks in ["1", "3", "2"] {
        let id = camp.sbatch(["-n", tasks, "-O", "--wrap", "true"]);
        camp.wait(id);
    }
    camp.bivouac(["down"]).ok();
    let file = camp.place().state_dir.join("cluster.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let (word, mut hits) = (b"\"num_tasks\":3,\"cpus_per_task\"", 0);
    while let Some(at) = bytes.windows(word.len()).position(|w| w == word) {
        bytes[at + 1] = b'N';
        hits += 1;
    }
    assert!(hits > 0);
    std::fs::write(&file, &bytes).unwrap();
    let said = camp.run("sacct", ["-nXP", "-o", "jobid,state"]);
    let error = "sacct: error: job 2: its accounting record is damaged and is left out\n";
    assert_eq!((said.code, said.err.as_str(), said.out.as_str()), (0, error, "1|COMPLETED\n3|COMPLETED\n"));
}
