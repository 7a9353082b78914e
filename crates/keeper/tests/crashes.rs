//! kill -9 of keeper and reaper: what runs goes on, what ended is known, nothing runs twice.

mod support;

use bivouac_keeper::protocol::{FromKeeper, ToKeeper};
use bivouac_keeper::report::{Attempt, AttemptStatus};
use support::{Camp, Gate, attempt, end_of, lives, slay, until};

#[test]
fn a_job_survives_the_keeper() {
    let camp = Camp::new();
    let (mut link, welcome) = camp.connect();
    let gate = Gate::new(camp.path("gate"));
    link.launch(camp.order(1, &format!("{}; exit 7", gate.wait())));
    let pid = link.launched(attempt(1));
    slay(welcome.keeper_pid);
    let (mut link, again) = camp.connect();
    assert_ne!(again.keeper_pid, welcome.keeper_pid);
    assert_eq!((again.reaper_pid, again.journal), (welcome.reaper_pid, welcome.journal));
    assert!(
        matches!(again.attempts[..], [(a, AttemptStatus::Running { pid: p, .. })] if a == attempt(1) && p == pid)
    );
    gate.open();
    assert_eq!(link.exited(attempt(1)).exit_code(), 7);
}

#[test]
fn an_exit_while_the_keeper_is_dead_is_kept() {
    let camp = Camp::new();
    let (mut link, mut welcome) = camp.connect();
    let gate = Gate::new(camp.path("gate"));
    link.launch(camp.order(1, &format!("{}; kill -9 $PPID; exit 9", gate.wait())));
    link.launched(attempt(1));
    // The job itself kills the keeper and ends at once; and again under the next one, where its parent is the reaper.
    gate.open();
    let before = welcome.keeper_pid;
    until("the keeper dies", || !lives(before));
    let (mut link, again) = camp.connect();
    assert_eq!(end_of(&mut link, &again, attempt(1)).exit_code(), 9);
    link.settle();
    welcome = again;
    slay(welcome.keeper_pid);
    let (_, last) = camp.connect();
    assert!(last.attempts.is_empty(), "acknowledged is forgotten: {:?}", last.attempts);
}

#[test]
fn a_job_survives_the_reaper_and_then_the_keeper() {
    let camp = Camp::new();
    let (mut link, first) = camp.connect();
    let gate = Gate::new(camp.path("gate"));
    link.launch(camp.order(1, &format!("{}; exit 7", gate.wait())));
    link.launched(attempt(1));
    slay(first.reaper_pid);
    let second = loop {
        let (new, welcome) = camp.connect();
        link = new;
        if welcome.reaper_pid != first.reaper_pid {
            break welcome;
        }
        drop(link);
    };
    // The keeper took the reaper's role, and with it the children.
    assert_eq!(second.reaper_pid, first.keeper_pid);
    assert!(matches!(second.attempts[..], [(_, AttemptStatus::Running { .. })]));
    slay(second.keeper_pid);
    let (new, third) = camp.connect();
    link = new;
    assert_eq!(third.reaper_pid, second.reaper_pid);
    gate.open();
    assert_eq!(link.exited(attempt(1)).exit_code(), 7);
    // And the new reaper is locked against a twin as the old one was.
    let refused = camp.try_start("").unwrap_err();
    assert!(refused.contains(&format!("reaper pid {}", third.reaper_pid)), "{refused}");
}

#[test]
fn a_job_whose_keeper_and_reaper_died_is_lost_and_gone() {
    let camp = Camp::new();
    let (mut link, welcome) = camp.connect();
    let gate = Gate::new(camp.path("gate"));
    link.launch(camp.order(1, &format!("setsid sleep 1000 & {}; touch completed", gate.wait())));
    let pid = link.launched(attempt(1));
    until("the job's child is there", || camp.marked().len() >= 2);
    // Stopped first, so that neither can do anything about the other's death.
    for daemon in [welcome.reaper_pid, welcome.keeper_pid] {
        assert!(bivouac_keeper::sys::kill(daemon, libc::SIGSTOP));
    }
    slay(welcome.keeper_pid);
    slay(welcome.reaper_pid);
    assert!(lives(pid));
    camp.try_start("").unwrap();
    let (mut link, again) = camp.connect();
    assert_eq!(again.journal, welcome.journal);
    assert_eq!(again.attempts, [(attempt(1), AttemptStatus::Unknown)]);
    until("its processes are killed", || camp.marked().is_empty());
    assert!(!camp.path("completed").exists());
    link.send(ToKeeper::Ack { attempt: attempt(1) });
}

/// Keepers are killed at arbitrary moments while many short jobs are launched; every job runs exactly once, and every
/// exit code arrives.
#[test]
fn keepers_killed_at_any_moment_neither_lose_nor_double() {
    const JOBS: u32 = 100;
    let camp = Camp::new();
    let script = |n: u32| format!("echo {n} >> runs; exit {}", n % 100);
    let mut open: std::collections::BTreeSet<u32> = (1..=JOBS).collect();
    let mut codes = std::collections::BTreeMap::new();
    let mut round = 0u32;
    while !open.is_empty() {
        let (link, welcome) = camp.connect();
        let (mut sender, mut receiver) = (link.0.sender, link.0.receiver);
        let mut news: Vec<FromKeeper> = Vec::new();
        for (a, status) in &welcome.attempts {
            match status {
                AttemptStatus::Exited(report) => news.push(FromKeeper::Exited(report.clone())),
                AttemptStatus::Running { .. } | AttemptStatus::NotStarted => {}
                other => panic!("{a} is {other:?}"),
            }
        }
        // What is open is launched again, whatever became of it: that must be harmless.
        let batch: Vec<u32> = open.iter().take(10).copied().collect();
        let orders = batch.iter().map(|n| ToKeeper::Launch(Box::new(camp.order(*n, &script(*n)))));
        let _ = sender.send_all(&orders.collect::<Vec<_>>());
        let victim = welcome.keeper_pid;
        // After the last rounds the keeper is left in peace; before, it dies after a growing number of reports.
        let mut left = if round < 16 { Some(round % 5) } else { None };
        if round.is_multiple_of(3) && left.is_some() {
            bivouac_keeper::sys::kill(victim, libc::SIGKILL);
        }
        round += 1;
        loop {
            for message in news.drain(..) {
                let FromKeeper::Exited(report) = message else { continue };
                let n = report.attempt.job;
                assert!(codes.insert(n, report.exit_code()).is_none_or(|c| c == report.exit_code()));
                if sender.send(&ToKeeper::Ack { attempt: Attempt { job: n, restart: 0 } }).is_ok() {
                    // Known for certain only when the keeper has read it; until then it may be told again.
                    open.remove(&n);
                }
                left = left.map(|l| l.saturating_sub(1));
            }
            if left == Some(0) {
                bivouac_keeper::sys::kill(victim, libc::SIGKILL);
            }
            if !batch.iter().any(|n| open.contains(n)) {
                break;
            }
            match receiver.receive() {
                Ok(message) => news.push(message),
                Err(_) => break,
            }
        }
    }
    assert!(round > 10, "the keeper was killed a few times: {round}");
    assert_eq!(codes.len(), JOBS as usize);
    assert!(codes.iter().all(|(n, code)| *code == (*n % 100) as i32), "{codes:?}");
    let mut runs: Vec<u32> = camp.read("runs").lines().map(|l| l.parse().unwrap()).collect();
    runs.sort_unstable();
    assert_eq!(runs, (1..=JOBS).collect::<Vec<_>>(), "each job ran exactly once");
}

/// Reapers are killed at arbitrary moments while their keeper launches; each time the keeper takes the role.
#[test]
fn reapers_killed_at_any_moment_lose_nothing() {
    let camp = Camp::new();
    for round in 0..6u32 {
        let (mut link, welcome) = camp.connect();
        let jobs = round * 5 + 1..=round * 5 + 5;
        for n in jobs.clone() {
            link.launch(camp.order(n, &format!("echo {n} >> runs; exit {n}")));
        }
        let mut launched = 0;
        while launched < round.min(5) {
            launched += matches!(link.receive(), FromKeeper::Launched { .. }) as u32;
        }
        bivouac_keeper::sys::kill(welcome.reaper_pid, libc::SIGKILL);
        until("the keeper has become the reaper", || {
            camp.read("state/reaper.lock").trim() == welcome.keeper_pid.to_string()
        });
        let (mut link, again) = camp.connect();
        assert_eq!(again.reaper_pid, welcome.keeper_pid);
        assert_eq!(again.notes, Vec::<String>::new());
        let mut codes = std::collections::BTreeMap::new();
        for n in jobs.clone() {
            match again.attempts.iter().find(|(a, _)| *a == attempt(n)).map(|(_, s)| s) {
                Some(AttemptStatus::Exited(report)) => drop(codes.insert(n, report.exit_code())),
                Some(AttemptStatus::Running { .. }) => {}
                // The message was still in the socket, or its child had not begun.
                None | Some(AttemptStatus::NotStarted) => {
                    link.launch(camp.order(n, &format!("echo {n} >> runs; exit {n}")));
                }
                other => panic!("attempt {n} is {other:?}"),
            }
        }
        while codes.len() < 5 {
            if let FromKeeper::Exited(report) = link.receive() {
                codes.insert(report.attempt.job, report.exit_code());
            }
        }
        for n in jobs {
            assert_eq!(codes[&n], n as i32);
            link.send(ToKeeper::Ack { attempt: attempt(n) });
        }
        link.settle();
    }
    let mut runs: Vec<u32> = camp.read("runs").lines().map(|l| l.parse().unwrap()).collect();
    runs.sort_unstable();
    assert_eq!(runs, (1..=30).collect::<Vec<_>>());
}

#[test]
fn a_damaged_record_is_named_and_its_job_lost() {
    let camp = Camp::new();
    let (mut link, _) = camp.connect();
    link.launch(camp.order(1, "exit 3"));
    while !matches!(link.receive(), FromKeeper::Exited(_)) {}
    link.launch(camp.order(2, "exit 4"));
    while !matches!(link.receive(), FromKeeper::Exited(_)) {}
    link.send(ToKeeper::Goodbye);
    drop(link);
    camp.wait_gone();
    let path = camp.dir.join("keeper.journal");
    let mut bytes = std::fs::read(&path).unwrap();
    // One bit in the exit record of the first slot (28 KiB of header, the ending at 1664 within the slot).
    bytes[(28 << 10) + 1664 + 20] ^= 0x10;
    std::fs::write(&path, bytes).unwrap();
    camp.try_start("").unwrap();
    let (mut link, welcome) = camp.connect();
    assert_eq!(welcome.notes.len(), 1);
    assert!(
        welcome.notes[0].contains("slot 0") && welcome.notes[0].contains("attempt 1.0"),
        "{:?}",
        welcome.notes
    );
    assert_eq!(welcome.attempts[0], (attempt(1), AttemptStatus::Unknown));
    assert_eq!(end_of(&mut link, &welcome, attempt(2)).exit_code(), 4);
    link.send(ToKeeper::Ack { attempt: attempt(1) });
}

#[test]
fn a_damaged_header_is_refused_and_left_as_it_is() {
    let camp = Camp::new();
    let (mut link, _) = camp.connect();
    link.send(ToKeeper::Goodbye);
    drop(link);
    camp.wait_gone();
    let path = camp.dir.join("keeper.journal");
    let whole = std::fs::read(&path).unwrap();
    for (at, what) in [(0, "does not start"), (4, "version"), (20, "checksum")] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        std::fs::write(&path, &bytes).unwrap();
        let said = camp.try_start("").unwrap_err();
        assert!(said.contains("keeper.journal") && said.contains(what), "{said}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
    std::fs::write(&path, whole).unwrap();
}
