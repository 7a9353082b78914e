//! The daemon around the jobs: who may connect, full disks, its controller's restart, its own end.

mod support;

use std::io::{Read, Write};

use bivouac_keeper::client::{Client, ClientError, connect_or_start};
use bivouac_keeper::place;
use bivouac_keeper::protocol::{FromKeeper, ToKeeper, VERSION};
use bivouac_keeper::report::{AttemptStatus, FailedStep};
use support::{Camp, Gate, attempt, bytes, end_of, until};

#[test]
fn a_second_reaper_refuses_and_names_the_first() {
    let camp = Camp::new();
    let (link, welcome) = camp.connect();
    let said = camp.try_start("").unwrap_err();
    assert!(said.contains(&format!("reaper pid {}", welcome.reaper_pid)), "{said}");
    drop(link);
}

#[test]
fn a_second_controller_is_refused_while_the_first_lives() {
    let camp = Camp::new();
    let (first, _) = camp.connect();
    match Client::connect(&camp.dir, vec![]) {
        Err(ClientError::Refused(reason)) => {
            assert_eq!(reason, format!("controller pid {} is connected", std::process::id()));
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("a second controller was accepted"),
    }
    drop(first);
    camp.connect();
}

#[test]
fn garbage_is_closed_and_harms_nobody() {
    let camp = Camp::new();
    let (mut link, _) = camp.connect();
    let frame = |version: u16, kind: u16, length: u32| {
        let mut bytes = b"BVKP".to_vec();
        bytes.extend(version.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes
    };
    let bad = [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        frame(99, 1, 0),
        frame(VERSION, 1, u32::MAX),
        frame(VERSION, 77, 0),
    ];
    for bytes in bad {
        let mut stream = place::connect(&camp.dir).unwrap();
        stream.write_all(&bytes).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let refused = bivouac_keeper::protocol::read_frame::<FromKeeper>(&answer).unwrap();
        assert!(matches!(refused, Some((FromKeeper::Refused { .. }, _))), "{bytes:?}: {refused:?}");
    }
    assert_eq!(link.run(camp.order(1, "exit 5")).exit_code(), 5);
}

#[test]
fn without_space_launches_are_refused_and_what_runs_goes_on() {
    let camp = Camp::new();
    let (mut link, _) = camp.connect();
    link.send(ToKeeper::Goodbye);
    drop(link);
    camp.wait_gone();
    // Files may not grow beyond what the record file has: 156 KiB with its first 64 slots.
    camp.try_start("ulimit -S -f 320").unwrap();
    let (mut link, _) = camp.connect();
    let gate = Gate::new(camp.path("gate"));
    for job in 1..=65 {
        link.launch(camp.order(job, &format!("{}; exit 8", gate.wait())));
    }
    let failure = loop {
        if let FromKeeper::LaunchFailed { attempt: a, failure } = link.receive() {
            assert_eq!(a, attempt(65));
            link.send(ToKeeper::Ack { attempt: a });
            break failure;
        }
    };
    assert_eq!(failure.step, FailedStep::NoSpace);
    assert!(failure.what.starts_with("The keeper's record file could not grow: "), "{}", failure.what);
    gate.open();
    let first = loop {
        if let FromKeeper::Exited(report) = link.receive() {
            break report;
        }
    };
    assert_eq!(first.exit_code(), 8);
    link.send(ToKeeper::Ack { attempt: first.attempt });
    // Acknowledged, its slot is free again.
    assert_eq!(link.run(camp.order(66, "exit 9")).exit_code(), 9);
    link.send(ToKeeper::Shutdown { cancel: true });
    drop(link);
    camp.wait_gone();
}

#[test]
fn a_controller_that_vanishes_is_started_again() {
    let camp = Camp::new();
    let mark = camp.path("respawned");
    let script = format!("echo $BIVOUAC_TEST > '{}'", mark.display());
    let argv = ["/bin/sh", "-c", &script].iter().map(|a| a.as_bytes().to_vec()).collect();
    let (link, _) = camp.connect_with(argv);
    drop(link);
    until("the controller is started", || camp.read("respawned") == "kept\n");
}

#[test]
fn after_goodbye_jobs_go_on_and_their_ends_wait_in_the_journal() {
    let camp = Camp::new();
    let (mut link, welcome) = camp.connect();
    let gate = Gate::new(camp.path("gate"));
    link.launch(camp.order(1, &format!("{}; exit 7", gate.wait())));
    link.launched(attempt(1));
    link.send(ToKeeper::Goodbye);
    drop(link);
    gate.open();
    camp.wait_gone();
    assert!(!camp.dir.join("keeper.sock").exists());
    camp.try_start("").unwrap();
    let (mut link, again) = camp.connect();
    assert_eq!(again.journal, welcome.journal);
    assert!(matches!(&again.attempts[..], [(_, AttemptStatus::Exited(_))]));
    assert_eq!(end_of(&mut link, &again, attempt(1)).exit_code(), 7);
}

#[test]
fn a_new_start_is_not_bound_by_an_old_goodbye() {
    let camp = Camp::new();
    let (mut link, first) = camp.connect();
    let gate = Gate::new(camp.path("gate"));
    link.launch(camp.order(1, &gate.wait()));
    link.launched(attempt(1));
    link.send(ToKeeper::Goodbye);
    drop(link);
    gate.open();
    camp.wait_gone();
    let program = std::ffi::OsStr::new(support::PROGRAM);
    let (client, second) = connect_or_start(program, &camp.dir, &[], support::PATIENCE).unwrap();
    assert_ne!(first.reaper_pid, second.reaper_pid);
    // A restart of the keeper alone, before and after that connection ends, changes nothing.
    support::slay(second.keeper_pid);
    drop(client);
    let (mut link, third) = camp.connect();
    assert_eq!(third.reaper_pid, second.reaper_pid);
    assert_eq!(end_of(&mut link, &third, attempt(1)).exit_code(), 0);
}

#[test]
fn shutdown_waits_for_jobs_and_cancel_kills_them() {
    let camp = Camp::new();
    let (mut link, _) = camp.connect();
    let gate = Gate::new(camp.path("gate"));
    link.launch(camp.order(1, &format!("echo up; {}", gate.wait())));
    link.launched(attempt(1));
    until("the job is up", || camp.read("out-1") == "up\n");
    link.send(ToKeeper::Shutdown { cancel: false });
    link.launch(camp.order(2, "touch ran"));
    match link.receive() {
        FromKeeper::LaunchFailed { failure, .. } => assert_eq!(failure.step, FailedStep::Refused),
        other => panic!("{other:?}"),
    }
    link.send(ToKeeper::Ack { attempt: attempt(2) });
    link.send(ToKeeper::Shutdown { cancel: true });
    assert_eq!(link.exited(attempt(1)).signal(), libc::SIGKILL);
    camp.wait_gone();
    assert!(!camp.path("ran").exists());
}

#[test]
fn a_long_state_folder_is_no_obstacle() {
    let name = format!("{}/{}", "long".repeat(30), "longer".repeat(30));
    let camp = Camp::with(None, &name).unwrap();
    let (mut link, _) = camp.connect();
    let mut order = camp.order(1, "echo here");
    order.cwd = bytes(&camp.dir);
    assert_eq!(link.run(order).exit_code(), 0);
}

#[test]
fn a_folder_that_others_may_write_to_is_refused() {
    let camp = Camp::new();
    let (mut link, _) = camp.connect();
    link.send(ToKeeper::Goodbye);
    drop(link);
    camp.wait_gone();
    std::fs::set_permissions(&camp.dir, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    assert!(camp.try_start("").unwrap_err().contains("writable by nobody else"));
    std::fs::set_permissions(&camp.dir, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
}
