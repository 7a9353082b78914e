//! Nodes and partitions that operators take out of service, with real jobs on them.

use bivouac_e2e::{Camp, kill};

/// Two nodes of two CPUs, two licences.
const PROFILE: &str = r#"
[cluster]
overcommit = true
owner_is_operator = true
kill_wait = 1

[[nodes]]
names = "n[1-2]"
cores_per_socket = 2
memory = 1000

[[partitions]]
name = "main"
nodes = "ALL"
default = true
def_mem_per_cpu = 100
"#;

fn small() -> Camp {
    let camp = Camp::new();
    let profile = camp.file("small.toml", PROFILE);
    camp.bivouac(["up", "--site", profile.to_str().unwrap()]).ok();
    camp
}

fn node(camp: &Camp, name: &str) -> String {
    camp.run("sinfo", ["-h", "-n", name, "-o", "%T %E"]).ok().trim().to_owned()
}

fn running(camp: &Camp, node: &str) -> u32 {
    let job = camp.sbatch(["-w", node, "--wrap", "sleep 100"]);
    camp.until("the job runs", || camp.state(job) == "RUNNING");
    job
}

fn update(camp: &Camp, what: &str) {
    camp.run("scontrol", std::iter::once("update").chain(what.split(' '))).ok();
}

#[test]
fn a_drained_node_keeps_its_job_and_takes_no_other() {
    let camp = small();
    let job = running(&camp, "n1");
    update(&camp, "NodeName=n1 State=DRAIN Reason=fan");
    assert_eq!(node(&camp, "n1"), "draining fan");
    let next = camp.sbatch(["-w", "n1", "--wrap", "true"]);
    let reason = || camp.run("squeue", ["-h", "-o", "%r", "-j", &next.to_string()]).ok();
    camp.until("the job waits", || reason().trim() == "ReqNodeNotAvail, UnavailableNodes:n1");
    assert_eq!(camp.state(job), "RUNNING");

    // The controller dies: what was said of the node is stored.
    let controller = camp.complete_status().controller_pid;
    kill(controller, 9);
    camp.status_without(controller);
    assert_eq!(node(&camp, "n1"), "draining fan");
    camp.run("scancel", [job.to_string()]).ok();
    camp.until("the node is drained", || node(&camp, "n1") == "drained fan");
    update(&camp, "NodeName=n1 State=RESUME");
    assert!(camp.wait(next).success());
    assert_eq!(node(&camp, "n1"), "idle none");
}

#[test]
fn jobs_on_a_node_that_goes_down_end_or_run_again() {
    let camp = small();
    let job = camp.sbatch(["-w", "n1", "--no-requeue", "--wrap", "sleep 100"]);
    let again = camp.sbatch(["-w", "n1", "--requeue", "--wrap", "sleep 100"]);
    let other = running(&camp, "n2");
    camp.until("both run", || [job, again].iter().all(|j| camp.state(*j) == "RUNNING"));
    update(&camp, "NodeName=n1 State=DOWN Reason=fire");
    camp.until("it has failed", || camp.state(job) == "NODE_FAIL");
    camp.until("it waits again", || camp.state(again) == "PENDING");
    let first = ["-n", "-P", "-D", "-o", "State,ExitCode", "-j", &again.to_string()];
    let records = camp.run("sacct", first).ok();
    assert_eq!(records, "NODE_FAIL|0:0\nCANCELLED|\nPENDING|0:0\n");
    assert_eq!((camp.state(other).as_str(), node(&camp, "n1").as_str()), ("RUNNING", "down fire"));
    assert_eq!(camp.run("sinfo", ["-h", "-R", "-o", "%E|%u|%N"]).ok().lines().count(), 1);
    let shown = camp.run("scontrol", ["show", "node", "n1"]).ok();
    assert!(shown.contains("   State=DOWN ") && shown.contains("   Reason=fire ["), "{shown}");
}

#[test]
fn what_cannot_be_is_refused() {
    let camp = small();
    for (words, text) in [
        ("NodeName=n9 State=DOWN Reason=x", "slurm_update error: Invalid node name specified"),
        ("NodeName=n1 State=RESUME", "slurm_update error: Invalid node state specified"),
        (
            "NodeName=n1 State=DOWN",
            "You must specify a reason when DOWNING or DRAINING a node. Request denied",
        ),
        ("PartitionName=nope State=UP", "slurm_update error: Invalid partition name specified"),
        ("PartitionName=main Nodes=n9", "slurm_update error: Invalid node name specified"),
    ] {
        let said = camp.run("scontrol", std::iter::once("update").chain(words.split(' ')));
        assert_eq!((said.code, said.err.trim()), (1, text), "{words}");
    }
    assert_eq!(node(&camp, "n1"), "idle none");
}

#[test]
fn partitions_are_closed_made_and_removed() {
    let camp = small();
    update(&camp, "PartitionName=main State=DOWN");
    let job = camp.sbatch(["--wrap", "true"]);
    let reason = || camp.run("squeue", ["-h", "-o", "%r", "-j", &job.to_string()]).ok();
    camp.until("it waits", || reason().trim() == "PartitionDown");
    update(&camp, "PartitionName=main State=UP MaxTime=5");
    assert!(camp.wait(job).success());

    camp.run("scontrol", ["create", "PartitionName=extra", "Nodes=n2"]).ok();
    let long = camp.sbatch(["-p", "extra", "--wrap", "sleep 100"]);
    let said = camp.run("scontrol", ["delete", "PartitionName=extra"]);
    assert_eq!(said.err.trim(), "delete_partition PartitionName=extra: Partition is in use");
    camp.run("scancel", [long.to_string()]).ok();
    camp.until("it is over", || camp.state(long).starts_with("CANCELLED"));
    camp.run("scontrol", ["delete", "PartitionName=extra"]).ok();
    assert_eq!(camp.run("sinfo", ["-h", "-o", "%P %l"]).ok().trim(), "main* 5:00");
}

#[test]
fn hidden_partitions_are_shown_to_who_asks_for_them() {
    let Some(camp) = Camp::of_ordinary_user() else { return };
    let profile = camp.file("small.toml", PROFILE);
    camp.bivouac(["up", "--site", profile.to_str().unwrap()]).ok();
    camp.run("scontrol", ["create", "PartitionName=secret", "Nodes=n2", "Hidden=YES"]).ok();
    camp.run("scontrol", ["create", "PartitionName=others", "Nodes=n2"]).ok();
    let hidden = camp.sbatch(["-n", "1", "-p", "secret", "--mem=10", "--wrap", "sleep 100"]);
    let others = camp.sbatch(["-p", "others", "--mem=10", "--wrap", "sleep 100"]);
    let both = camp.sbatch(["-p", "others,main", "-H", "--wrap", "true"]);
    camp.until("they run", || [hidden, others].iter().all(|j| camp.state(*j) == "RUNNING"));
    update(&camp, "PartitionName=others AllowGroups=nobody-is-in-it");
    let ids = |ids: &[u32]| ids.iter().map(|id| format!("{id}\n")).collect::<String>();
    let squeue = |words: &str| {
        let fixed = ["-h", "-S", "i", "-o", "%A"];
        camp.run("squeue", fixed.into_iter().chain(words.split_ascii_whitespace())).ok()
    };
    let all = ids(&[hidden, others, both]);
    for (words, shown) in [
        ("", ids(&[both])),
        ("--hide", ids(&[both])),
        ("--me", ids(&[both])),
        ("-a", all.clone()),
        ("-p secret,others", all),
        (&format!("-j {hidden}"), ids(&[hidden])),
    ] {
        assert_eq!(squeue(words), shown, "squeue {words}");
    }
    assert_eq!(camp.run("squeue", ["-h", "-s"]).ok(), "");
    assert_eq!(camp.run("squeue", ["-h", "-s", "-a"]).ok().lines().count(), 2);
    let partitions = |words: &[&str]| camp.run("sinfo", [&["-h", "-o", "%R"], words].concat()).ok();
    assert_eq!(partitions(&[]), "main\n");
    assert_eq!(partitions(&["-a"]), "main\nsecret\nothers\n");
    assert_eq!(partitions(&["-p", "secret"]), "secret\n");
    let said = camp.run("scontrol", ["show", "partition", "secret"]);
    assert_eq!((said.code, said.out.as_str()), (1, "Partition secret not found\n"));
    camp.run("scontrol", ["-a", "show", "partition", "secret"]).ok();
    camp.run("scontrol", ["show", "job", &hidden.to_string()]).ok();
    let step = format!("{hidden}.batch");
    assert_eq!(camp.run("scontrol", ["show", "step", &step]).code, 1);
    camp.run("scontrol", ["-a", "show", "step", &step]).ok();
}
