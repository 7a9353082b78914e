//! What the keeper says that batch processes used, in each way of holding processes together.

mod support;

use bivouac_keeper::protocol::ToKeeper;
use bivouac_keeper::report::Used;
use support::{Camp, attempt, until};

/// Some tenths of a second of CPU time.
const BUSY: &str = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";

fn cpu(used: Used) -> u64 {
    used.user_us + used.system_us
}

/// The work of a daemon that is over before the script is, the daemon's own word for it, and what was reported.
fn daemons(mode: &'static str, daemon: &str, gather: u32) -> Option<(u64, Used)> {
    let Some(camp) = Camp::with_mode(mode) else {
        eprintln!("skipped: {mode} is not usable here");
        return None;
    };
    let (mut link, _) = camp.connect();
    let work = camp.path("work");
    let text = format!("{BUSY}\ntimes > {0}.times; echo > {0}.done; read x < {0}.end", work.display());
    std::fs::write(&work, text).unwrap();
    let fifo = format!("{}.end", work.display());
    // The shell between them ends at once: the daemon is nobody's child of the script's.
    let script = format!(
        "mkfifo {fifo}; sh -c '{daemon} sh {0} </dev/null >/dev/null 2>&1 &'
         while [ ! -e {0}.done ]; do sleep 0.05; done; sleep {1}; [ {gather} = 0 ] || echo > {fifo}; sleep 0.2",
        work.display(),
        if gather > 0 { "2.5" } else { "0" },
    );
    let mut order = camp.order(1, &script);
    order.gather = gather;
    let report = link.run(order);
    assert_eq!(report.exit_code(), 0, "{}", camp.read("out-1"));
    // `times`: the shell's user and system time, as 0m0.310s.
    let said = std::fs::read_to_string(work.with_extension("times")).unwrap();
    let seconds = |word: &str| word[2..].trim_end_matches('s').parse::<f64>().unwrap();
    let own: f64 = said.split_whitespace().take(2).map(seconds).sum();
    Some(((own * 1e6) as u64, report.used))
}

/// One that lives on when the script ends is looked at before it is killed.
#[test]
fn a_daemon_that_is_killed_with_its_job_counts() {
    for (mode, daemon) in [("cgroup2", "env -i setsid"), ("freezer", "env -i setsid"), ("search", "setsid")] {
        if let Some((own, used)) = daemons(mode, daemon, 0) {
            assert!(cpu(used) + 30_000 >= own && own > 50_000, "{mode}: {used:?}, of which {own}");
        }
    }
}

/// One that ends before the script is known by what was seen of it, or by its group.
#[test]
fn a_daemon_that_ended_before_its_job_counts() {
    for (mode, daemon) in [("cgroup2", "env -i setsid"), ("freezer", "env -i setsid"), ("search", "setsid")] {
        if let Some((own, used)) = daemons(mode, daemon, 1) {
            assert!(cpu(used) + 30_000 >= own && own > 50_000, "{mode}: {used:?}, of which {own}");
            assert!(used.vm_kb > 0 && used.rss_kb > 0, "{mode}: {used:?}");
        }
    }
}

#[test]
fn all_that_a_job_reads_and_writes_counts() {
    let camp = Camp::new();
    let (mut link, _) = camp.connect();
    let report = link.run(camp.order(1, "head -c 3000000 /dev/zero | cat > big; sh -c 'cat big' | wc -c"));
    let used = report.used;
    // head and cat, cat again and wc.
    assert!(used.read >= 12_000_000 && used.read < 13_000_000, "{used:?}");
    assert!(used.written >= 9_000_000 && used.written < 10_000_000, "{used:?}");
    assert_eq!(used.vm_kb, 0, "a job of a moment is not looked at");
}

#[test]
fn a_running_job_is_measured_when_that_is_asked_for() {
    let camp = Camp::new();
    let (mut link, _) = camp.connect();
    link.launch(camp.order(1, &format!("mkfifo end; {BUSY}; echo > up; read x < end")));
    until("it has worked", || camp.path("up").exists());
    let (used, pids) = link.measure(1);
    assert!(cpu(used) > 50_000 && used.vm_kb > 0 && used.rss_kb > 0, "{used:?}");
    assert_eq!(pids.len(), 1);
    link.send(ToKeeper::Kill { attempt: attempt(1) });
    let report = link.exited(attempt(1));
    assert!(cpu(report.used) >= cpu(used) && report.used.vm_kb >= used.vm_kb, "{:?} {used:?}", report.used);
    assert_eq!(link.measure(1), (Used::default(), vec![]), "what does not run uses nothing");
    assert!(matches!(link.measure(77), (_, pids) if pids.is_empty()));
}

/// What one attempt used in a group is not the next one's.
#[test]
fn attempts_in_one_slot_are_told_apart() {
    let Some(camp) = Camp::with_mode("cgroup2") else {
        return eprintln!("skipped: cgroup2 is not usable here");
    };
    let (mut link, _) = camp.connect();
    let busy = link.run(camp.order(1, BUSY)).used;
    let idle = link.run(camp.order(2, "true")).used;
    assert!(cpu(busy) > 50_000 && cpu(idle) < cpu(busy) / 2, "{busy:?} {idle:?}");
}
