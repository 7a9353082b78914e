//! Any one process may be killed at any moment and nothing is lost.

use bivouac_e2e::{Camp, kill};
use bivouac_proto::message::Status;

const SIGKILL: i32 = 9;

/// A job that ends with code 42 once the file `go` is there.
fn waiting_job(camp: &Camp) -> u32 {
    let id = camp.sbatch([
        "--wrap",
        "echo began >> log; until test -e go; do sleep 0.02; done; echo ended >> log; exit 42",
    ]);
    camp.until("the job has begun", || camp.path("work/log").exists());
    id
}

fn finish(camp: &Camp, id: u32) {
    camp.file("go", "");
    let exit = camp.wait(id);
    assert_eq!((exit.code, exit.signal), (42, 0));
    assert_eq!(camp.read("log"), "began\nended\n");
    assert_eq!(camp.state(id), "FAILED");
}

fn killing(which: fn(&Status) -> Vec<u32>) {
    let camp = Camp::new();
    let id = waiting_job(&camp);
    let status = camp.complete_status();
    for pid in which(&status) {
        kill(pid, SIGKILL);
    }
    finish(&camp, id);
}

#[test]
fn of_the_controller() {
    killing(|s| vec![s.controller_pid]);
}

#[test]
fn of_the_keeper() {
    killing(|s| vec![s.keeper_pid.unwrap()]);
}

#[test]
fn of_the_reaper() {
    killing(|s| vec![s.reaper_pid.unwrap()]);
}

#[test]
fn of_the_controller_and_the_keeper() {
    killing(|s| vec![s.controller_pid, s.keeper_pid.unwrap()]);
}

#[test]
fn of_the_controller_and_the_reaper() {
    killing(|s| vec![s.controller_pid, s.reaper_pid.unwrap()]);
}

#[test]
fn of_the_controller_and_the_keeper_in_turns_again_and_again() {
    let camp = Camp::new();
    let id = waiting_job(&camp);
    let mut s = camp.complete_status();
    for _ in 0..3 {
        let kinds: [fn(&Status) -> u32; 2] = [|s| s.controller_pid, |s| s.keeper_pid.unwrap()];
        for which in kinds {
            let pid = which(&s);
            kill(pid, SIGKILL);
            s = camp.status_without(pid);
        }
    }
    finish(&camp, id);
}

#[test]
fn of_keeper_and_reaper_together_is_a_node_failure_never_a_success() {
    let camp = Camp::new();
    let id = waiting_job(&camp);
    let s = camp.complete_status();
    // Stopped first, so that neither can react to the other's death.
    for pid in [s.keeper_pid.unwrap(), s.reaper_pid.unwrap()] {
        kill(pid, 19);
    }
    for pid in [s.keeper_pid.unwrap(), s.reaper_pid.unwrap()] {
        kill(pid, SIGKILL);
    }
    camp.wait(id);
    assert_eq!(camp.state(id), "NODE_FAIL");
    camp.file("go", "");
    // The cluster works on.
    let next = camp.sbatch(["--wrap", "true"]);
    assert!(camp.wait(next).success());
}

#[test]
fn an_acknowledged_job_is_there_after_the_controller_was_killed_at_once() {
    let camp = Camp::new();
    camp.bivouac(["up"]).ok();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(camp.sbatch(["--hold", "--wrap", "true"]));
        kill(camp.status().unwrap().controller_pid, SIGKILL);
    }
    for id in ids {
        camp.run("scontrol", ["release", &id.to_string()]).ok();
        assert!(camp.wait(id).success());
    }
}

#[test]
fn down_leaves_running_jobs_running() {
    let camp = Camp::new();
    let id = waiting_job(&camp);
    camp.bivouac(["down"]).ok();
    assert!(camp.status().is_none());
    camp.bivouac(["up"]).ok();
    finish(&camp, id);
}

#[test]
fn jobs_that_outlived_the_controller_are_seen_and_can_be_ended() {
    let camp = Camp::new();
    let id = waiting_job(&camp);
    assert_eq!(camp.bivouac(["down"]).ok(), "cluster test is down; 1 running job goes on\n");
    assert!(camp.bivouac(["status"]).err.contains("but jobs of it are"));
    assert_eq!(camp.bivouac(["down", "--cancel"]).ok(), "cluster test is down; 1 running job ended\n");
    assert_eq!(camp.bivouac(["down", "--cancel"]).ok(), "cluster test is not running\n");
    assert!(camp.state(id).starts_with("CANCELLED"));
}

#[test]
fn a_second_controller_on_the_same_state_is_refused_and_told_who_the_first_is() {
    let camp = Camp::new();
    camp.bivouac(["up"]).ok();
    let pid = camp.status().unwrap().controller_pid;
    let place = camp.place();
    let said = camp.run(
        bivouac_e2e::programs().join("bivouacd").to_str().unwrap(),
        ["--cluster", &place.cluster, "--state-dir", place.state_dir.to_str().unwrap()],
    );
    assert_eq!(said.code, 1);
    assert!(said.out.contains(&format!("process {pid}")), "{said:?}");
}

/// The controller dies when a command has found it, and before it asks.
#[test]
fn of_the_controller_while_it_is_asked() {
    let camp = Camp::new();
    let job = camp.sbatch(["-b", "now+1hour", "--wrap", "true"]).to_string();
    let asked = |words: &[&str]| {
        let pid = camp.complete_status().controller_pid;
        camp.bivouac(["fault", "add", "slow", words[0], "1", "--times", "1"]).ok();
        let child = camp
            .command(words[0])
            .args(&words[1..])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        camp.until("it has found the controller", || camp.bivouac(["fault", "list"]).ok().is_empty());
        kill(pid, SIGKILL);
        let said = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (said.status.code(), text(said.stdout), text(said.stderr))
    };
    let fine = |out: &str| (Some(0), out.to_owned(), String::new());
    assert_eq!(asked(&["squeue", "-h", "-o", "%A"]), fine(&format!("{job}\n")));
    assert_eq!(asked(&["sinfo", "-h", "-o", "%D"]), fine("1\n"));
    assert_eq!(asked(&["sacct", "-X", "-n", "-P", "-o", "JobID", "-j", &job]), fine(&format!("{job}\n")));
    assert_eq!(asked(&["scontrol", "hold", &job]), fine(""));
    assert!(camp.run("squeue", ["-h", "-o", "%r"]).ok().starts_with("JobHeld"));
    assert_eq!(asked(&["scancel", &job]), fine(""));
    assert!(camp.state(job.parse().unwrap()).starts_with("CANCELLED"));
    // What would be done twice is not asked twice.
    let (code, _, error) = asked(&["scontrol", "create", "PartitionName=another"]);
    assert!(code == Some(1) && error.contains("it ended while it was asked"), "{code:?} {error}");
}
