//! Limits, waiting, resources and requeueing with real processes.

use bivouac_e2e::Camp;
use std::time::{Duration, Instant};

/// A small cluster of its own shape: two nodes of two CPUs, one with a feature and two GPUs.
const PROFILE: &str = r#"
[cluster]
overcommit = true
owner_is_operator = true
kill_wait = 1
default_qos = "normal"

[[nodes]]
names = "n1"
cores_per_socket = 2
memory = 1000

[[nodes]]
names = "n2"
cores_per_socket = 2
memory = 1000
features = ["fast"]
gres = ["gpu:a100:2"]

[[partitions]]
name = "main"
nodes = "ALL"
default = true
max_time = "1-00:00:00"
def_mem_per_cpu = 100

[[qos]]
name = "normal"

[[qos]]
name = "narrow"
max_jobs_per_user = 1
"#;

fn small() -> Camp {
    let camp = Camp::new();
    let profile = camp.file("small.toml", PROFILE);
    camp.bivouac(["up", "--site", profile.to_str().unwrap()]).ok();
    camp
}

fn reason(camp: &Camp, job: u32) -> String {
    camp.run("squeue", ["-h", "-o", "%T %r", "-j", &job.to_string()]).ok().trim().to_owned()
}

#[test]
fn the_time_limit_terminates_and_then_kills() {
    let camp = small();
    let deaf =
        camp.sbatch(["-t", "1", "--wrap", "trap 'echo asked >> asked' TERM; while :; do sleep 0.1; done"]);
    let begun = Instant::now();
    while camp.state(deaf) != "TIMEOUT" {
        assert!(begun.elapsed() < Duration::from_secs(120), "{}", camp.state(deaf));
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(begun.elapsed() >= Duration::from_secs(59), "not before its time");
    assert_eq!(camp.read("asked"), "asked\n", "TERM came first");
    assert!(camp.wait(deaf).signal > 0);
}

#[test]
fn a_job_that_waits_for_room_says_so_and_starts_when_there_is_some() {
    let camp = small();
    let all = camp.sbatch(["-N", "2", "--exclusive", "--wrap", "sleep 1000"]);
    let first = camp.sbatch(["-n", "3", "--wrap", "true"]);
    let second = camp.sbatch(["-n", "1", "--wrap", "true"]);
    camp.until("the first job runs", || reason(&camp, all).starts_with("RUNNING"));
    assert_eq!(reason(&camp, first), "PENDING Resources");
    assert_eq!(reason(&camp, second), "PENDING Priority");
    camp.run("scancel", [all.to_string()]).ok();
    assert!(camp.wait(first).success() && camp.wait(second).success());
}

#[test]
fn a_short_job_is_filled_in_before_a_large_one_that_waits() {
    let camp = small();
    let long = camp.sbatch(["-n", "1", "-w", "n1", "-t", "60", "--wrap", "sleep 1000"]);
    camp.until("it runs", || reason(&camp, long).starts_with("RUNNING"));
    let large = camp.sbatch(["-N", "2", "--exclusive", "-t", "10", "--wrap", "true"]);
    let short = camp.sbatch(["-n", "1", "-t", "5", "--wrap", "true"]);
    let too_long = camp.sbatch(["-n", "1", "-t", "120", "--wrap", "true"]);
    assert!(camp.wait(short).success(), "it ends before the large one could start");
    assert_eq!(reason(&camp, large), "PENDING Resources");
    assert!(reason(&camp, too_long).starts_with("PENDING"), "it would delay the large one");
}

#[test]
fn gpus_features_and_nodes_are_what_was_asked_for() {
    let camp = small();
    let one = [
        "--gres=gpu:a100:1",
        "--wait",
        "-Q",
        "-o",
        "one",
        "--wrap",
        "echo $SLURMD_NODENAME $CUDA_VISIBLE_DEVICES",
    ];
    camp.run("sbatch", one).ok();
    assert_eq!(camp.read("one"), "n2 0\n");
    let both = [
        "--gres=gpu:2",
        "--wait",
        "-Q",
        "-o",
        "both",
        "--wrap",
        "echo $SLURM_GPUS_ON_NODE $CUDA_VISIBLE_DEVICES",
    ];
    camp.run("sbatch", both).ok();
    assert_eq!(camp.read("both"), "2 0,1\n");
    camp.run("sbatch", ["-C", "fast", "--wait", "-Q", "-o", "fast", "--wrap", "echo $SLURMD_NODENAME"]).ok();
    assert_eq!(camp.read("fast"), "n2\n");
    camp.run("sbatch", ["-x", "n1", "--wait", "-Q", "-o", "not", "--wrap", "echo $SLURMD_NODENAME"]).ok();
    assert_eq!(camp.read("not"), "n2\n");
    for (option, text) in [
        ("--gres=gpu:3", "Requested node configuration is not available"),
        ("--constraint=slow", "Invalid feature specification"),
        ("--mem=2000", "Memory specification can not be satisfied"),
        ("--nodelist=n9", "Invalid node name specified"),
    ] {
        let said = camp.run("sbatch", [option, "--wrap", "true"]);
        assert_eq!(said.code, 1, "{option}: {said:?}");
        assert!(said.err.contains(text), "{option}: {said:?}");
    }
}

#[test]
fn a_limit_of_the_qos_is_named_and_gives_way() {
    let camp = small();
    let first = camp.sbatch(["-q", "narrow", "--wrap", "until test -e go; do sleep 0.02; done"]);
    let second = camp.sbatch(["-q", "narrow", "--wrap", "true"]);
    camp.until("the first runs", || reason(&camp, first).starts_with("RUNNING"));
    assert_eq!(reason(&camp, second), "PENDING QOSMaxJobsPerUserLimit");
    camp.file("go", "");
    assert!(camp.wait(first).success() && camp.wait(second).success());
}

#[test]
fn a_requeued_job_runs_again_and_begins_its_file_anew() {
    let camp = small();
    let script = "echo run ${SLURM_RESTART_COUNT:-0}; test -n \"$SLURM_RESTART_COUNT\" && exit 4; touch began; sleep 1000";
    let id = camp.sbatch(["-o", "out", "--wrap", script]);
    camp.until("it has begun", || camp.path("work/began").exists());
    camp.run("scontrol", ["requeue", &id.to_string()]).ok();
    camp.start_again(id);
    assert_eq!(camp.wait(id).code, 4);
    let out = camp.read("out");
    assert_eq!(out, "run 1\n", "as on the site; --open-mode=append keeps it");
}

#[test]
fn a_throttled_array_never_runs_more_at_once() {
    let camp = small();
    let script = "mkdir running.$SLURM_ARRAY_TASK_ID; ls -d running.* | wc -l >> counts; sleep 0.1; rmdir running.$SLURM_ARRAY_TASK_ID";
    let id = camp.sbatch(["-a", "1-8%2", "-o", "/dev/null", "--wrap", script]);
    assert!(camp.wait(id).success());
    let counts = camp.read("counts");
    assert_eq!(counts.lines().count(), 8);
    assert!(counts.lines().all(|n| n.trim().parse::<u32>().unwrap() <= 2), "{counts}");
}
