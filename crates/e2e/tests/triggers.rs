//! strigger: programs that run when something happens to jobs, nodes and the controller.

use bivouac_e2e::{Camp, kill};

/// A program that asks the cluster something, then writes its arguments, its user and where it runs into a file of the camp.
fn program(camp: &Camp) -> String {
    let (log, queue) = (camp.path("work/log"), camp.path("work/queue"));
    let (log, queue) = (log.display(), queue.display());
    let script = format!(
        "squeue -h > {queue} 2>&1 && echo reached >> {queue}\necho \"$* $(id -u) $PWD\" > {log}.new; mv {log}.new {log}\n"
    );
    format!("/bin/sh {} first", camp.file("trigger.sh", &script).display())
}

#[track_caller]
fn set(camp: &Camp, options: &str, program: &str) {
    let said = camp.run("strigger", options.split(' ').chain(["--program", program]));
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", ""), "{options}");
}

#[track_caller]
fn fired(camp: &Camp, argument: &str) {
    let log = camp.path("work/log");
    camp.until("the program has run", || log.exists());
    // SAFETY: geteuid has no preconditions.
    let uid = unsafe { libc::geteuid() };
    assert_eq!(camp.read("log"), format!("first {argument} {uid} /\n"));
    std::fs::remove_file(log).unwrap();
}

fn list(camp: &Camp) -> String {
    camp.run("strigger", ["--get", "-N"]).ok()
}

#[test]
fn the_end_of_a_job_and_of_an_array() {
    let camp = Camp::new();
    let program = program(&camp);
    let id = camp.sbatch(["--wrap", "exec sleep 300"]);
    set(&camp, &format!("--set --jobid={id} --fini"), &program);
    assert!(list(&camp).contains(" job "), "{}", list(&camp));
    camp.run("scancel", [id.to_string()]).ok();
    fired(&camp, &id.to_string());
    assert_eq!(list(&camp), "", "it fires once");
    assert!(
        camp.read("queue").ends_with("reached\n"),
        "the program finds the cluster: {}",
        camp.read("queue")
    );
    let array = camp.sbatch(["-a", "1-2", "--wrap", "true"]);
    let ended = camp.run("strigger", ["--set", "-j", &array.to_string(), "-f", "-p", &program]);
    if ended.code == 0 {
        fired(&camp, &array.to_string());
    } else {
        assert_eq!(ended.err, "slurm_set_trigger: Invalid job id specified\n", "both tasks were quick");
    }
}

#[test]
fn the_time_limit() {
    let camp = Camp::new();
    let program = program(&camp);
    let id = camp.sbatch(["-t", "10", "--wrap", "exec sleep 300"]);
    camp.until("the job runs", || camp.state(id) == "RUNNING");
    set(&camp, &format!("--set -j {id} --time --offset=-30000"), &program);
    fired(&camp, &id.to_string());
    set(&camp, &format!("--set -j {id} --time --offset=-60"), &program);
    let shown = list(&camp);
    assert!(shown.contains(" time ") && shown.contains("   -60 "), "{shown}");
    camp.run("scancel", [id.to_string()]).ok();
    camp.wait(id);
    assert_eq!(list(&camp), "", "the limit will not be reached any more");
    assert!(!camp.path("work/log").exists());
}

#[test]
fn nodes_over_a_restart() {
    let camp = Camp::new();
    let program = program(&camp);
    camp.file(
        "conf/slurm.conf",
        "ClusterName=test\nNodeName=n[1-2] CPUs=4 RealMemory=1000\nPartitionName=p Nodes=ALL Default=YES\n",
    );
    camp.bivouac(["up", "--slurm-conf", camp.path("work/conf").to_str().unwrap()]).ok();
    let node = "n2";
    set(&camp, &format!("--set --node={node} --down --flags=PERM"), &program);
    camp.bivouac(["down"]).ok();
    assert!(list(&camp).contains(" PERM "), "{}", list(&camp));
    let update = |state: &str| {
        camp.run("scontrol", ["update", &format!("NodeName={node}"), &format!("State={state}"), "Reason=x"])
            .ok();
    };
    for _ in 0..2 {
        update("DOWN");
        fired(&camp, node);
        update("RESUME");
    }
    camp.run("strigger", ["--clear", "--id=1"]).ok();
    set(&camp, "--set -A", &program);
    let before = camp.complete_status();
    kill(before.controller_pid, 9);
    fired(&camp, "primary_slurmctld_resumed_operation");
}

#[test]
fn refusals() {
    let camp = Camp::new();
    let program = program(&camp);
    let said = |args: &[&str]| {
        let said = camp.run("strigger", args);
        (said.code, said.err.trim_end().to_owned())
    };
    let error = |text: &str| (1, text.to_owned());
    let p = program.as_str();
    for (args, text) in [
        (&["--set", "--jobid=999", "--fini", "-p", p][..], "slurm_set_trigger: Invalid job id specified"),
        (&["--set", "--node=nope", "--down", "-p", p], "slurm_set_trigger: Invalid node name specified"),
        (&["--clear", "--id=99"], "slurm_clear_trigger: No such process"),
        (&["--clear"], "strigger: error: You must specify a --id, --jobid, or --user to clear"),
        (&["--set", "--fini", "-p", p], "strigger: error: You must specify a --jobid value"),
        (&["--set", "-j1", "--fini"], "strigger: error: You must specify a --program value"),
        (
            &["--set", "-j1", "--fini", "-p", "sh"],
            "strigger: error: The --program value must start with \"/\"",
        ),
        (
            &["--set", "-j1", "--fini", "-p", "/nowhere"],
            "strigger: error: Invalid --program value, file not found",
        ),
        (&["--set", "-jx", "--fini", "-p", p], "strigger: error: Invalid jobid x"),
        (&["--get", "--user=no-such-user"], "strigger: error: Invalid user no-such-user"),
        (&[], "strigger: error: You must use exactly one of the following options: --set, --get or --clear"),
    ] {
        assert_eq!(said(args), error(text), "{args:?}");
    }
    assert_eq!(said(&["--clear", "--id=99", "-Q"]), (0, String::new()));
    let refused = said(&["--set", "--primary_slurmdbd_failure", "-p", p]).1;
    assert!(refused.contains("--primary_slurmdbd_failure is not available here"), "{refused}");
}
