//! scancel: what is named, what filters leave, signals, and whose jobs.

use bivouac_e2e::Camp;

fn queue(camp: &Camp) -> Vec<String> {
    let out = camp.run("squeue", ["-h", "-r", "-o", "%i"]).ok();
    let mut ids: Vec<String> = out.lines().map(str::to_owned).collect();
    ids.sort();
    ids
}

#[test]
fn single_tasks_and_ranges_of_an_array() {
    let camp = Camp::new();
    let id = camp.sbatch(["-H", "-a", "1-6", "--wrap", "true"]);
    camp.run("scancel", [format!("{id}_2")]).ok();
    camp.run("scancel", [format!("{id}_[4-5]")]).ok();
    assert_eq!(queue(&camp), [1, 3, 6].map(|t| format!("{id}_{t}")));
    let said = camp.run("scancel", ["1-3"]);
    assert_eq!((said.code, said.err.as_str()), (1, "scancel: error: Invalid job id 1-3\n"));
    camp.run("scancel", [id.to_string()]).ok();
    assert!(queue(&camp).is_empty());
}

#[test]
fn filters_must_all_hold() {
    let camp = Camp::new();
    for name in ["keep", "drop", "drop"] {
        camp.sbatch(["-H", "-J", name, "--wrap", "true"]);
    }
    let user = camp.run("id", ["-un"]).ok();
    camp.run("scancel", ["-n", "drop", "-t", "RUNNING"]).ok();
    assert_eq!(queue(&camp).len(), 3, "none of them runs");
    camp.run("scancel", ["-n", "drop", "-u", user.trim(), "-t", "PD", "-p", "local", "1", "2"]).ok();
    assert_eq!(queue(&camp), ["1", "3"]);
    camp.feed("scancel", ["-i", "--me"], "n\ny\n").ok();
    assert_eq!(queue(&camp).len(), 1, "the second was confirmed");
    let said = camp.run("scancel", ["-u", "no-such-user-here"]);
    assert_eq!((said.code, said.err.as_str()), (1, "scancel: error: Invalid user name: no-such-user-here\n"));
}

#[test]
fn what_is_gone_is_no_failure_and_said_on_demand() {
    let camp = Camp::new();
    camp.bivouac(["up"]).ok();
    let said = camp.run("scancel", ["999999"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let said = camp.run("scancel", ["-v", "999999"]);
    assert_eq!(
        said.err,
        "scancel: Terminating job 999999\nscancel: error: Kill job error on job id 999999: Invalid job id specified\n"
    );
    assert_eq!(camp.run("scancel", [] as [&str; 0]).err, "scancel: error: No job identification provided\n");
}

#[test]
fn a_signal_reaches_the_batch_shell_where_that_is_asked() {
    let camp = Camp::new();
    let script = "trap 'echo caught; exit 6' USR1; touch up; while :; do sleep 0.05; done";
    let id = camp.sbatch(["-o", "out", "--wrap", script]);
    camp.until("the script is up", || camp.path("work/up").exists());
    camp.run("scancel", ["-b", "-s", "usr1", &id.to_string()]).ok();
    assert_eq!(camp.wait(id).code, 6);
    assert_eq!((camp.read("out").as_str(), camp.state(id).as_str()), ("caught\n", "FAILED"));
}
