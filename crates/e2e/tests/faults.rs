//! `bivouac fault`: what was scripted happens, once or until cleared, and is seen in `bivouac status`.

use bivouac_e2e::Camp;
use std::time::{Duration, Instant};

fn add(camp: &Camp, words: &str) -> String {
    camp.bivouac(["fault", "add"].into_iter().chain(words.split(' '))).ok()
}

#[test]
fn sbatch_is_refused_once_with_the_text_that_was_asked_for() {
    let camp = Camp::new();
    let text = "sbatch: error: Batch job submission failed: Invalid qos specification";
    camp.bivouac(["fault", "add", "refuse", "sbatch", "--text", text, "--code", "3"]).ok();
    let shown = format!("fault       1 refuse sbatch: exit 3, {text} (once)\n");
    assert!(camp.bivouac(["status"]).ok().contains(&shown));
    assert_eq!(camp.run("squeue", ["-h"]).ok(), "");
    let said = camp.run("sbatch", ["--wrap", "true"]);
    assert_eq!((said.code, said.out.as_str(), said.err), (3, "", format!("{text}\n")));
    assert_eq!(camp.sbatch(["-W", "--wrap", "true"]), 1);
    assert!(!camp.bivouac(["status"]).ok().contains("fault"));
}

#[test]
fn a_refusal_without_a_number_of_times_lasts_until_it_is_cleared() {
    let camp = Camp::new();
    add(&camp, "refuse squeue --times 0");
    let timed_out = "slurm_load_jobs error: Socket timed out on send/recv operation\n";
    for _ in 0..3 {
        let said = camp.run("squeue", ["-h"]);
        assert_eq!((said.code, said.err.as_str()), (1, timed_out));
    }
    camp.bivouac(["fault", "clear", "1"]).ok();
    camp.run("squeue", ["-h"]).ok();
    let said = camp.bivouac(["fault", "clear", "1"]);
    assert_eq!((said.code, said.err.as_str()), (1, "bivouac: error: there is no fault 1\n"));
}

#[test]
fn squeue_is_slow_and_nobody_else() {
    let camp = Camp::new();
    camp.run("sinfo", [""; 0]).ok();
    let time = |program: &str| {
        let begun = Instant::now();
        camp.run(program, ["-h"]).ok();
        begun.elapsed()
    };
    add(&camp, "slow squeue 0.7 --times 2");
    assert!(time("squeue") >= Duration::from_millis(700));
    assert!(time("sinfo") < Duration::from_millis(700));
    assert!(time("squeue") >= Duration::from_millis(700));
    assert_eq!(camp.bivouac(["fault", "list"]).ok(), "");
}

#[test]
fn sacct_is_behind() {
    let camp = Camp::new();
    add(&camp, "lag 300");
    let job = camp.sbatch(["-W", "--wrap", "true"]);
    let sacct = || camp.run("sacct", ["-n", "-P", "-o", "JobID,State", "-j", &job.to_string()]).ok();
    assert_eq!(sacct(), "");
    assert!(camp.run("squeue", ["-h", "-t", "all", "-o", "%T"]).ok().contains("COMPLETED"));
    camp.bivouac(["fault", "clear"]).ok();
    assert!(sacct().starts_with("1|COMPLETED\n"));
}

#[test]
fn jobs_are_killed_for_memory_and_preempted() {
    let camp = Camp::new();
    add(&camp, "oom");
    let job = camp.sbatch(["--wrap", "sleep 300"]);
    camp.wait(job);
    assert_eq!(camp.state(job), "OUT_OF_MEMORY");
    let second =
        camp.sbatch(["-o", "runs", "--open-mode=append", "--requeue", "--wrap", "echo run; sleep 300"]);
    camp.until("it runs", || camp.path("work/runs").exists() && camp.read("runs") == "run\n");
    add(&camp, &format!("preempt {second} --requeue"));
    camp.until("it runs again", || camp.read("runs").lines().filter(|l| *l == "run").count() == 2);
    camp.run("scancel", [second.to_string()]).ok();
    camp.wait(second);
    let records = ["-X", "-n", "-P", "-D", "-o", "State,ExitCode", "-j", &second.to_string()];
    let records = camp.run("sacct", records).ok();
    assert!(records.starts_with("PREEMPTED|0:0\nCANCELLED by "), "{records}");
    let third = camp.sbatch(["--wrap", "sleep 300"]);
    add(&camp, &format!("preempt {third} --after 0.2"));
    camp.wait(third);
    assert_eq!(camp.state(third), "PREEMPTED");
}

#[test]
fn a_node_fails_and_comes_back() {
    let camp = Camp::new();
    let node = camp.run("sinfo", ["-h", "-o", "%n"]).ok().trim().to_owned();
    let job = camp.sbatch(["--no-requeue", "--wrap", "sleep 300"]);
    camp.until("it runs", || camp.run("squeue", ["-h", "-o", "%T"]).ok() == "RUNNING\n");
    add(&camp, &format!("node-down {node} --back 1 --after 0.1"));
    camp.wait(job);
    assert_eq!(camp.state(job), "NODE_FAIL");
    assert!(camp.run("sinfo", ["-h", "-o", "%T"]).ok().starts_with("down"));
    assert!(camp.bivouac(["status"]).ok().contains(&format!("node-up {node}")));
    camp.until("it is back", || camp.run("sinfo", ["-h", "-o", "%T"]).ok() == "idle\n");
    let said = camp.bivouac(["fault", "add", "node-down", "nowhere"]);
    assert_eq!((said.code, said.err.as_str()), (1, "bivouac: error: there is no node nowhere\n"));
}

#[test]
fn the_controller_is_restarted_and_the_script_goes_on() {
    let camp = Camp::new();
    let job = camp.sbatch(["-o", "out", "--wrap", "until test -e go; do sleep 0.02; done; echo done"]);
    let before = camp.complete_status().controller_pid;
    add(&camp, "refuse sbatch");
    add(&camp, "restart");
    camp.status_without(before);
    camp.file("go", "");
    assert_eq!(camp.wait(job).code, 0);
    assert_eq!(camp.read("out"), "done\n");
    assert_eq!(camp.run("sbatch", ["--wrap", "true"]).code, 1, "the refusal outlived the restart");
    camp.sbatch(["-W", "--wrap", "true"]);
}

#[test]
fn what_is_not_understood_is_refused_and_changes_nothing() {
    let camp = Camp::new();
    for wrong in [
        "add",
        "add refuse",
        "add refuse bash",
        "add slow squeue",
        "add slow squeue -1",
        "add slow squeue x",
        "add lag 3 --times 2",
        "add oom x",
        "add oom --requeue",
        "add restart now",
        "add slow squeue 1 --code 3",
        "add node-down n[",
        "add preempt --code 999",
        "clear x",
        "remove",
    ] {
        let said = camp.bivouac(["fault"].into_iter().chain(wrong.split(' ')));
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{wrong}");
        assert!(said.err.starts_with("bivouac: "), "{wrong}: {}", said.err);
    }
    assert_eq!(camp.bivouac(["fault", "list"]).ok(), "");
}
