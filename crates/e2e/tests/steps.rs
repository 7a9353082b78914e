//! srun inside a job: tasks, their places, streams, ends and signals.

use bivouac_e2e::Camp;

/// A site whose nodes have more CPUs than this machine.
fn alpine() -> Camp {
    let camp = Camp::new();
    camp.bivouac(["up", "--site", "alpine@2023-07"]).ok();
    camp
}

/// Runs a batch script to its end; its output, standard error included.
#[track_caller]
fn job(camp: &Camp, options: &[&str], script: &str) -> String {
    let id = camp.sbatch(options.iter().copied().chain(["-p", "amilan", "-o", "out", "--wrap", script]));
    camp.wait(id);
    camp.read("out")
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn tasks_are_placed_on_the_jobs_nodes_and_know_it() {
    let camp = alpine();
    let places = "srun -l sh -c 'echo $SLURMD_NODENAME $SLURM_PROCID $SLURM_NODEID $SLURM_LOCALID $SLURM_GTIDS \
                  $SLURM_NTASKS $SLURM_STEP_ID $SLURM_STEP_NODELIST $SLURM_STEP_TASKS_PER_NODE'";
    let out = job(&camp, &["-N2", "--ntasks-per-node=2"], places);
    assert_eq!(
        sorted(&out),
        [
            "0: c3cpu-a2-u1-1 0 0 0 0,1 4 0 c3cpu-a2-u1-[1-2] 2(x2)",
            "1: c3cpu-a2-u1-1 1 0 1 0,1 4 0 c3cpu-a2-u1-[1-2] 2(x2)",
            "2: c3cpu-a2-u1-2 2 1 0 2,3 4 0 c3cpu-a2-u1-[1-2] 2(x2)",
            "3: c3cpu-a2-u1-2 3 1 1 2,3 4 0 c3cpu-a2-u1-[1-2] 2(x2)",
        ]
    );
    let out = job(
        &camp,
        &["-N2", "-n4"],
        "srun --ntasks-per-node=1 -n2 sh -c 'echo $SLURM_NODEID'; srun -Q -n1 -w c3cpu-a2-u1-2 sh -c 'echo on $SLURMD_NODENAME'",
    );
    assert_eq!(sorted(&out), ["0", "1", "on c3cpu-a2-u1-2"]);
    let steps = camp.run("sacct", ["-n", "-P", "-j", "2", "-o", "JobID,NTasks,NodeList"]).ok();
    for row in ["2.0|2|c3cpu-a2-u1-[1-2]", "2.1|1|c3cpu-a2-u1-2"] {
        assert!(steps.lines().any(|l| l == row), "{row} in {steps}");
    }
    let refused = job(&camp, &["-N1"], "srun -w c3cpu-a2-u1-4 true; srun -n3 --ntasks-per-node=2 true");
    assert_eq!(
        refused,
        "srun: error: Unable to create step for job 3: Requested node configuration is not available\n\
         srun: Warning: can't honor --ntasks-per-node set to 2 which doesn't match the requested tasks 3 with the number of \
         requested nodes 1. Ignoring --ntasks-per-node.\n\
         srun: error: Unable to create step for job 3: More processors requested than permitted\n"
    );
}

#[test]
fn ends_are_told_in_slurms_words_and_codes() {
    let camp = alpine();
    let script = "srun -n1 sh -c 'exit 7'; echo $?; srun sh -c 'exit 3'; echo $?; srun -n1 sh -c 'kill -9 $$'; echo $?; \
                  srun -n1 /no/such; echo $?; srun -n1 true; echo $?; srun -n9 true; echo $?; srun -A x --begin=now true; echo $?; srun; echo $?";
    let out = job(&camp, &["-n2"], script);
    let node = "c3cpu-a2-u1-1";
    assert_eq!(
        out.lines().collect::<Vec<_>>(),
        [
            &format!("srun: error: {node}: task 0: Exited with exit code 7"),
            "7",
            &format!("srun: error: {node}: tasks 0-1: Exited with exit code 3"),
            "3",
            &format!("srun: error: {node}: task 0: Killed"),
            "srun: Force Terminated StepId=1.2",
            "137",
            "slurmstepd: error: execve(): /no/such: No such file or directory",
            &format!("srun: error: {node}: task 0: Exited with exit code 2"),
            "2",
            "0",
            "srun: error: Unable to create step for job 1: More processors requested than permitted",
            "1",
            "srun: error: --begin is not available here: it belongs to a job's allocation: give it to sbatch or salloc",
            "255",
            "srun: fatal: No command given to execute.",
            "1",
        ]
    );
    let steps = camp.run("sacct", ["-n", "-P", "-j", "1", "-o", "JobID,State,ExitCode"]).ok();
    for row in
        ["1.0|FAILED|7:0", "1.1|FAILED|3:0", "1.2|CANCELLED|0:9", "1.3|FAILED|2:0", "1.4|COMPLETED|0:0"]
    {
        assert!(steps.lines().any(|l| l == row), "{row} in {steps}");
    }
}

#[test]
fn output_arrives_whole_and_input_reaches_every_task() {
    let camp = alpine();
    let out = job(
        &camp,
        &["-n4"],
        "srun -l sh -c 'for i in $(seq 1000); do echo line of some length; done' | sort | uniq -c",
    );
    let counts: Vec<String> = out.lines().map(|l| l.trim().to_owned()).collect();
    assert_eq!(counts, [0, 1, 2, 3].map(|t| format!("1000 {t}: line of some length")));

    let out = job(
        &camp,
        &["-n3"],
        "seq 100000 | srun sh -c 'wc -l'; echo x | srun -i none sh -c 'wc -c'; echo y | srun -i 1 -l cat",
    );
    assert_eq!(out, "100000\n100000\n100000\n0\n0\n0\n1: y\n");

    job(
        &camp,
        &["-n2", "-J", "named"],
        "srun -o %x-%j-%s-%t.txt sh -c 'echo $SLURM_PROCID; echo error >&2'; srun -e none -o all -n1 sh -c 'echo shown; echo lost >&2'",
    );
    assert_eq!(camp.read("out"), "shown\n");
    for task in [0, 1] {
        assert_eq!(camp.read(&format!("named-3-0-{task}.txt")), format!("{task}\nerror\n"));
    }
}

#[test]
fn a_failed_task_takes_the_others_along_where_that_is_asked() {
    let camp = alpine();
    let script = "srun -K sh -c 'if [ $SLURM_PROCID = 0 ]; then exit 4; fi; exec sleep 600'; echo $?; \
                  srun -W1 sh -c 'if [ $SLURM_PROCID = 0 ]; then exit 0; fi; exec sleep 600'; echo $?";
    let out = job(&camp, &["-n2"], script);
    assert!(out.contains("task 0: Exited with exit code 4"), "{out}");
    assert!(out.contains("srun: launch/slurm: _step_signal: Terminating StepId=1.0"), "{out}");
    assert!(out.contains("srun: First task exited 1s ago"), "{out}");
    // Observed on 22.05.8: SIGTERM first, or SIGKILL at once.
    assert_eq!(
        out.lines().filter(|l| matches!(*l, "143" | "137")).collect::<Vec<_>>(),
        ["143", "137"],
        "{out}"
    );
}

#[test]
fn signals_reach_the_tasks_and_the_end_of_srun_is_theirs() {
    let camp = alpine();
    let script = "srun sh -c 'trap \"exit 9\" USR1; touch up; while :; do sleep 0.05; done' & \
                  while [ ! -e up ]; do sleep 0.05; done; kill -USR1 $!; wait $!; echo $?; \
                  srun sh -c 'touch up2; exec sleep 600' & while [ ! -e up2 ]; do sleep 0.05; done; kill -TERM $!; wait $!; echo $?; \
                  srun sh -c 'sleep 601 & touch up3; exec sleep 602' & while [ ! -e up3 ]; do sleep 0.05; done; kill -9 $!; wait $!; echo $?; \
                  srun echo the CPUs are free again; ps -A -o args | grep -c '^sleep 60[12]'";
    let out = job(&camp, &["-n1"], script);
    for line in ["9", "143", "137", "the CPUs are free again", "0"] {
        assert!(out.lines().any(|l| l == line), "{line} in {out}");
    }
}

#[test]
fn a_step_ends_with_its_daemon() {
    let camp = alpine();
    let script = "srun sh -c 'setsid sleep 603 & echo $PPID >pid; exec sleep 604' & while [ ! -s pid ]; do sleep 0.05; done; \
                  kill -9 $(cat pid); wait $!; echo $?; srun echo next; ps -A -o args | grep -c '^sleep 60[34]'";
    let out = job(&camp, &["-n1"], script);
    assert!(out.contains("slurmstepd: it is gone") && out.ends_with("next\n0\n"), "{out}");
    let steps = camp.run("sacct", ["-n", "-P", "-j", "1", "-o", "JobID,State,ExitCode"]).ok();
    assert!(steps.lines().any(|l| l == "1.0|CANCELLED|0:9"), "{steps}");
}

#[test]
fn steps_share_the_jobs_cpus() {
    let camp = alpine();
    let script = "srun -n2 sh -c 'while [ ! -e go ]; do sleep 0.05; done; echo first >> order' & \
                  while ! sacct -n -P -j $SLURM_JOB_ID -o JobID | grep -q '[.]0'; do sleep 0.05; done; \
                  srun -n1 sh -c 'echo second >> order' & srun --overlap -n1 true; touch go; wait";
    let out = job(&camp, &["-n2"], script);
    assert_eq!(camp.read("order"), "first\nfirst\nsecond\n", "{out}");
}

#[test]
fn outside_a_job_srun_makes_one_of_its_own() {
    let camp = Camp::new();
    let said = camp.run(
        "srun",
        ["-J", "named", "-n1", "sh", "-c", "echo $SLURM_JOB_ID $SLURM_STEP_ID $SLURM_JOB_NAME; exit 4"],
    );
    assert_eq!((said.code, said.out.as_str()), (4, "1 0 named\n"), "{}", said.err);
    let said = camp.run("srun", ["--begin=now", "--comment=x", "-t", "5", "true"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    // srun gives the allocation back; its end comes with that of its processes.
    camp.wait(2);
    let steps = camp.run("sacct", ["-n", "-P", "-o", "JobID,JobName,State,ExitCode"]).ok();
    assert_eq!(
        steps.lines().collect::<Vec<_>>(),
        ["1|named|FAILED|4:0", "1.0|named|FAILED|4:0", "2|true|COMPLETED|0:0", "2.0|true|COMPLETED|0:0"]
    );
}

#[test]
fn a_job_ends_with_its_srun() {
    let camp = Camp::new();
    let mut srun = camp.command("srun").args(["sleep", "605"]).spawn().unwrap();
    camp.until("the step runs", || camp.run("squeue", ["-h", "-s"]).ok().contains("1.0"));
    let inside =
        camp.run("srun", ["--jobid=1", "--overlap", "sh", "-c", "echo $SLURM_JOB_ID.$SLURM_STEP_ID"]);
    assert_eq!((inside.code, inside.out.as_str()), (0, "1.1\n"), "{}", inside.err);
    srun.kill().unwrap();
    srun.wait().unwrap();
    camp.until("the job has ended", || camp.run("squeue", ["-h"]).ok().is_empty());
    assert!(!camp.processes().iter().any(|(_, args)| args.contains("sleep 605")));
}
