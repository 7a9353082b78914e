//! Kill reaches everything that an attempt ever started, in each way that this machine allows.

mod support;

use bivouac_keeper::protocol::{FromKeeper, KillMode, ToKeeper};
use support::{Camp, Gate, attempt, lives, slay, until};

/// A job that leaves its session and process tree behind: setsid, double fork, end of the middle process.
const ESCAPE: &str = "setsid sh -c 'setsid sleep 1000 & echo $! > escaped; exit' ";

fn escaped(camp: &Camp) -> i32 {
    until("the process has escaped", || camp.read("escaped").ends_with('\n'));
    camp.read("escaped").trim().parse().unwrap()
}

fn kill_reaches_the_escaped(mode: &'static str, wanted: KillMode) {
    let Some(camp) = Camp::with_mode(mode) else {
        eprintln!("skipped: {mode} is not usable here");
        return;
    };
    let (mut link, welcome) = camp.connect();
    assert_eq!(welcome.kill_mode, wanted);
    let gate = Gate::new(camp.path("gate"));
    link.launch(camp.order(1, &format!("{ESCAPE}; {}", gate.wait())));
    let pid = escaped(&camp);
    // Another job's process must not be touched.
    link.launch(camp.order(2, &format!("{}; exit 6", gate.wait())));
    link.launched(attempt(2));
    link.send(ToKeeper::Kill { attempt: attempt(1) });
    assert_eq!(link.exited(attempt(1)).signal(), libc::SIGKILL);
    until("the escaped process is killed", || !lives(pid));
    gate.open();
    assert_eq!(link.exited(attempt(2)).exit_code(), 6);
    // The end of the batch process ends the rest of the job, too.
    std::fs::remove_file(camp.path("escaped")).unwrap();
    link.launch(camp.order(3, ESCAPE));
    assert_eq!(link.exited(attempt(3)).exit_code(), 0);
    let pid = escaped(&camp);
    until("what outlives the script is killed", || !lives(pid));
    // And also after the keeper was killed.
    std::fs::remove_file(camp.path("escaped")).unwrap();
    link.launch(camp.order(4, &format!("{ESCAPE}; {}", gate.wait())));
    let pid = escaped(&camp);
    slay(welcome.keeper_pid);
    let (mut link, _) = camp.connect();
    link.send(ToKeeper::Kill { attempt: attempt(4) });
    assert_eq!(link.exited(attempt(4)).signal(), libc::SIGKILL);
    until("the escaped process is killed by the next keeper", || !lives(pid));
}

#[test]
fn cgroup_v2() {
    kill_reaches_the_escaped("cgroup2", KillMode::CgroupV2);
}

#[test]
fn freezer() {
    kill_reaches_the_escaped("freezer", KillMode::Freezer);
}

#[test]
fn search() {
    kill_reaches_the_escaped("search", KillMode::Search);
}

#[test]
fn groups_that_somebody_removed_are_made_anew() {
    for mode in ["cgroup2", "freezer"] {
        let Some(camp) = Camp::with_mode(mode) else {
            eprintln!("skipped: {mode} is not usable here");
            continue;
        };
        let (mut link, _) = camp.connect();
        link.run(camp.order(1, "true"));
        let name = format!("bivouac-{}", bivouac_keeper::confine::Marks::of(&camp.dir).unwrap().keeper);
        let tidy = [
            "/sys/fs/cgroup",
            "-depth",
            "-path",
            &format!("*/{name}*"),
            "-type",
            "d",
            "-exec",
            "rmdir",
            "{}",
            ";",
        ];
        std::process::Command::new("find").args(tidy).stderr(std::process::Stdio::null()).status().unwrap();
        assert_eq!(link.run(camp.order(2, "exit 3")).exit_code(), 3);
    }
}

#[test]
fn what_ignores_signals_and_forks_is_killed() {
    let camp = Camp::new();
    let (mut link, _) = camp.connect();
    link.launch(camp.order(1, "trap '' TERM INT HUP; echo up > up; while :; do sleep 0.01 & wait; done"));
    until("the job is up", || camp.read("up") == "up\n");
    link.send(ToKeeper::Kill { attempt: attempt(1) });
    assert_eq!(link.exited(attempt(1)).signal(), libc::SIGKILL);
    until("nothing of it is left", || camp.marked().is_empty());
}

#[test]
fn killing_the_unknown_is_answered() {
    let camp = Camp::new();
    let (mut link, _) = camp.connect();
    link.send(ToKeeper::Kill { attempt: attempt(99) });
    assert_eq!(link.receive(), FromKeeper::Unknown { attempt: attempt(99) });
}

#[test]
fn the_groups_are_gone_with_the_keeper() {
    let Some(camp) = Camp::with_mode("cgroup2").or_else(|| Camp::with_mode("freezer")) else {
        eprintln!("skipped: no control groups here");
        return;
    };
    let name = format!("bivouac-{}", bivouac_keeper::confine::Marks::of(&camp.dir).unwrap().keeper);
    let groups = || {
        std::process::Command::new("find").args(["/sys/fs/cgroup", "-name", &name]).output().unwrap().stdout
    };
    let (mut link, _) = camp.connect();
    link.run(camp.order(1, "true"));
    assert!(!groups().is_empty());
    link.send(ToKeeper::Shutdown { cancel: true });
    drop(link);
    camp.wait_gone();
    assert_eq!(String::from_utf8_lossy(&groups()), "");
}
