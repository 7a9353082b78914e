//! An attempt that has more memory than it may ends for it, and nothing else does; by the kernel where a control group keeps
//! the limit, by the keeper where it only watches.

mod support;

use bivouac_keeper::memory::MemoryMode;
use bivouac_keeper::order::LaunchOrder;
use support::{Camp, Gate, attempt, end_of, slay, until};

const LIMIT: u64 = 64 << 20;
/// `tail` keeps what it reads until the end of its input, which does not come.
const EAT: &str = "{ head -c 300M /dev/zero; sleep 1000; } | tail >/dev/null";
const SAID: &str = "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=1.batch. Some of your processes may have been \
                    killed by the cgroup out-of-memory handler.\n";

fn limited(camp: &Camp, job: u32, script: &str) -> LaunchOrder {
    LaunchOrder { memory: Some(LIMIT), ..camp.order(job, script) }
}

/// A camp of each way in which limits are kept here.
fn camps() -> Vec<(Camp, MemoryMode)> {
    let watched = Camp::with_mode("search").expect("a search is always possible");
    let found = Camp::new();
    let (_, welcome) = found.connect();
    if welcome.memory_mode == MemoryMode::Watched {
        eprintln!("skipped: memory cannot be limited here");
        return vec![(watched, MemoryMode::Watched)];
    }
    vec![(watched, MemoryMode::Watched), (found, MemoryMode::Enforced)]
}

#[test]
fn who_has_too_much_ends_and_a_neighbour_does_not() {
    for (camp, mode) in camps() {
        let (mut link, welcome) = camp.connect();
        assert_eq!(welcome.memory_mode, mode);
        let gate = Gate::new(camp.path("gate"));
        link.launch(limited(&camp, 2, &format!("{}; exit 3", gate.wait())));
        link.launched(attempt(2));
        // The pipeline's first half waits for the second, so that the script ends when that is killed.
        let report = link.run(limited(&camp, 1, &EAT.replace("sleep 1000", "exec yes")));
        assert!(report.out_of_memory, "{mode:?}: {report:?}");
        assert!(report.used.rss_kb > LIMIT / 1024 * 9 / 10, "{mode:?}: {report:?}");
        assert_eq!(camp.read("out-1").lines().last(), SAID.lines().next(), "{mode:?}");
        gate.open();
        let report = link.exited(attempt(2));
        assert_eq!((report.exit_code(), report.out_of_memory), (3, false), "{mode:?}");
        // The same slot, without a limit, and with one again: nothing is carried over.
        let eat = "head -c 80M /dev/zero | tail | wc -c";
        let report = link.run(camp.order(3, eat));
        assert_eq!((report.exit_code(), report.out_of_memory), (0, false), "{mode:?}");
        let report = link.run(limited(&camp, 4, "head -c 60M /dev/zero > file; cat file | wc -c"));
        assert_eq!((report.exit_code(), report.out_of_memory), (0, false), "{mode:?}");
    }
}

#[test]
fn it_is_known_also_when_the_keeper_died_meanwhile() {
    for (camp, mode) in camps() {
        let (mut link, welcome) = camp.connect();
        // Over the limit while there is no keeper, or as soon as there is one.
        let wait = format!("while kill -0 {} 2>/dev/null; do sleep 0.01; done", welcome.keeper_pid);
        link.launch(limited(&camp, 1, &format!("{wait}; {}", EAT.replace("sleep 1000", "exec yes"))));
        link.launched(attempt(1));
        slay(welcome.keeper_pid);
        let (mut link, welcome) = camp.connect();
        let report = end_of(&mut link, &welcome, attempt(1));
        assert!(report.out_of_memory, "{mode:?}: {report:?}");
    }
}

#[test]
fn an_end_that_the_reaper_recorded_is_completed() {
    for (camp, mode) in camps() {
        let (mut link, welcome) = camp.connect();
        link.launch(limited(&camp, 1, &EAT.replace("sleep 1000", "exec yes")));
        link.launched(attempt(1));
        // Wherever it is in its end: no keeper forgets what happened.
        drop(link);
        for _ in 0..4 {
            let (_, now) = camp.connect();
            slay(now.keeper_pid);
        }
        let (mut link, now) = camp.connect();
        assert_ne!(now.keeper_pid, welcome.keeper_pid);
        let report = end_of(&mut link, &now, attempt(1));
        assert!(report.out_of_memory, "{mode:?}: {report:?}");
    }
}

#[test]
fn a_process_killed_for_its_memory_counts_though_the_script_goes_on() {
    let Some((camp, _)) = camps().into_iter().find(|(_, mode)| *mode == MemoryMode::Enforced) else { return };
    let (mut link, _) = camp.connect();
    let report = link.run(limited(&camp, 1, "head -c 300M /dev/zero | tail | wc -c; exit 0"));
    assert_eq!((report.exit_code(), report.out_of_memory), (0, true));
    assert!(camp.read("out-1").ends_with(SAID), "{}", camp.read("out-1"));
}

#[test]
fn the_groups_with_limits_are_gone_with_the_keeper() {
    let Some((camp, _)) = camps().into_iter().find(|(_, mode)| *mode == MemoryMode::Enforced) else { return };
    let name = format!("bivouac-{}", bivouac_keeper::confine::Marks::of(&camp.dir).unwrap().keeper);
    let groups = || {
        let found = std::process::Command::new("find").args(["/sys/fs/cgroup", "-name", &name]).output();
        String::from_utf8(found.unwrap().stdout).unwrap()
    };
    assert_ne!(groups(), "");
    drop(camp);
    until("the groups are gone", || groups().is_empty());
}
