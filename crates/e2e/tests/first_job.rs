//! A first job: nothing is started before, everything is there afterwards.

use bivouac_e2e::Camp;
use std::os::unix::fs::PermissionsExt;

#[test]
fn the_first_command_starts_the_cluster_and_the_job_runs() {
    let camp = Camp::new();
    let said = camp.run("sbatch", ["--wrap", "echo hello from $SLURM_JOB_ID; exit 3"]);
    assert_eq!(said.out, "Submitted batch job 1\n", "{said:?}");
    let exit = camp.wait(1);
    assert_eq!((exit.code, exit.signal), (3, 0));
    assert_eq!(camp.read("slurm-1.out"), "hello from 1\n");
    let row = camp.run("sacct", ["-n", "-P", "-X", "-j", "1", "-o", "JobID,State,ExitCode"]).ok();
    assert_eq!(row, "1|FAILED|3:0\n");
}

#[test]
fn a_script_with_directives_does_as_they_say() {
    let camp = Camp::new();
    camp.file(
        "job.sh",
        "#!/bin/bash\n#SBATCH -J named\n#SBATCH --output=out-%x-%j.txt\n#SBATCH -e err.txt\n#SBATCH -n 1\n\
         echo \"$SLURM_JOB_NAME $SLURM_NTASKS $PWD $*\"\necho problem >&2\n",
    );
    let id = camp.sbatch(["--export=ALL,GREETING=x", "job.sh", "one", "two words"]);
    assert!(camp.wait(id).success());
    let work = camp.path("work");
    assert_eq!(
        camp.read(&format!("out-named-{id}.txt")),
        format!("named 1 {} one two words\n", work.display())
    );
    assert_eq!(camp.read("err.txt"), "problem\n");
}

#[test]
fn an_array_has_its_indices_and_files() {
    let camp = Camp::new();
    let id = camp.sbatch([
        "-a",
        "1-5:2",
        "--wrap",
        "echo $SLURM_ARRAY_JOB_ID $SLURM_ARRAY_TASK_ID $SLURM_ARRAY_TASK_COUNT",
    ]);
    assert!(camp.wait(id).success());
    for task in [1, 3, 5] {
        assert_eq!(camp.read(&format!("slurm-{id}_{task}.out")), format!("{id} {task} 3\n"));
    }
    let rows = camp.run("sacct", ["-n", "-P", "-X", "-j", &id.to_string(), "-o", "JobID,State"]).ok();
    let mut rows: Vec<&str> = rows.lines().collect();
    rows.sort_unstable();
    assert_eq!(rows, [1, 3, 5].map(|t| format!("{id}_{t}|COMPLETED")));
}

#[test]
fn dependents_start_when_they_may_and_not_before() {
    let camp = Camp::new();
    let first = camp.sbatch(["--wrap", "echo first >> order; exit 1"]);
    let after_failure = camp.sbatch(["-d", &format!("afternotok:{first}"), "--wrap", "echo second >> order"]);
    let never = camp.sbatch(["-d", &format!("afterok:{first}"), "--wrap", "echo never >> order"]);
    assert!(camp.wait(after_failure).success());
    assert_eq!(camp.read("order"), "first\nsecond\n");
    let reason = camp.run("squeue", ["-h", "-o", "%r", "-j", &never.to_string()]).ok();
    assert_eq!(reason.trim(), "DependencyNeverSatisfied");
    camp.run("scancel", [never.to_string()]).ok();
    camp.wait(never);
    assert!(camp.state(never).starts_with("CANCELLED"));
}

#[test]
fn scancel_ends_a_running_job_and_its_descendants() {
    let camp = Camp::new();
    let id = camp.sbatch(["--wrap", "setsid sleep 1000 & echo $! > pid; sleep 1000"]);
    camp.until("the job has begun", || camp.path("work/pid").metadata().is_ok_and(|m| m.len() > 0));
    let pid: u32 = camp.read("pid").trim().parse().unwrap();
    assert!(bivouac_e2e::alive(pid));
    camp.run("scancel", [id.to_string()]).ok();
    camp.wait(id);
    assert!(camp.state(id).starts_with("CANCELLED"), "{}", camp.state(id));
    camp.until("the escaped process is gone", || !bivouac_e2e::alive(pid));
}

#[test]
fn the_state_folder_is_its_owners_alone() {
    let camp = Camp::new();
    camp.bivouac(["up"]).ok();
    let mode = std::fs::metadata(camp.place().state_dir).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn wait_gives_the_jobs_exit_code() {
    let camp = Camp::new();
    let said = camp.run("sbatch", ["--wait", "--wrap", "exit 7"]);
    assert_eq!(said.code, 7, "{said:?}");
}

#[test]
fn named_clusters_live_side_by_side() {
    let camp = Camp::new();
    let run = |name: &str, args: &[&str]| {
        let mut all = vec!["--cluster", name];
        all.extend(args);
        camp.bivouac(all)
    };
    let one = run("one", &["sbatch", "--parsable", "--wait", "--wrap", "echo $SLURM_CLUSTER_NAME > one"]);
    let two = run("two", &["sbatch", "--parsable", "--wait", "--wrap", "echo $SLURM_CLUSTER_NAME > two"]);
    assert_eq!((one.ok().trim().to_owned(), two.ok().trim().to_owned()), ("1".into(), "1".into()));
    assert_eq!((camp.read("one"), camp.read("two")), ("one\n".into(), "two\n".into()));
    for name in ["one", "two"] {
        run(name, &["down", "--cancel"]).ok();
    }
}
