//! Frames and messages: what was written is read back, and garbage is refused without harm.

use bivouac_keeper::memory::MemoryMode;
use bivouac_keeper::order::{LaunchOrder, Limit, LoginEnv, Stream};
use bivouac_keeper::protocol::{
    FromKeeper, HEADER, KillMode, MAX_BODY, Scope, ToKeeper, VERSION, Welcome, read_frame, write_frame,
};
use bivouac_keeper::report::{Attempt, AttemptStatus, ExitReport, FailedStep, LaunchFailure, Stamp, Used};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

fn lists() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(bytes(), 0..5)
}

fn attempts() -> impl Strategy<Value = Attempt> {
    any::<(u32, u32)>().prop_map(|(job, restart)| Attempt { job, restart })
}

fn stamps() -> impl Strategy<Value = Stamp> {
    any::<(i64, u64)>().prop_map(|(wall_ms, boot_ms)| Stamp { wall_ms, boot_ms })
}

fn streams() -> impl Strategy<Value = Stream> {
    prop_oneof![
        Just(Stream::Null),
        Just(Stream::SameAsStdout),
        bytes().prop_map(Stream::Read),
        (bytes(), any::<bool>()).prop_map(|(path, append)| Stream::Write { path, append }),
    ]
}

fn orders() -> impl Strategy<Value = LaunchOrder> {
    let who = (attempts(), any::<(u32, u32)>(), vec(any::<u32>(), 0..4));
    let what = (lists(), option::of(bytes()), lists(), option::of((bytes(), lists())));
    let place = (bytes(), option::of(bytes()), streams(), streams(), streams());
    let limit = any::<(u32, u64, u64)>().prop_map(|(resource, soft, hard)| Limit { resource, soft, hard });
    let how = (any::<(u32, i32)>(), option::of(vec(any::<u32>(), 0..4)), vec(limit, 0..3));
    let rest = (option::of(bytes()), option::of(bytes()), option::of(any::<u64>()), any::<u32>());
    (who, what, place, how, rest).prop_map(|(who, what, place, how, rest)| LaunchOrder {
        attempt: who.0,
        uid: who.1.0,
        gid: who.1.1,
        groups: who.2,
        argv: what.0,
        argv0: what.1,
        env: what.2,
        login_env: what.3.map(|(shell, base)| LoginEnv { shell, base }),
        cwd: place.0,
        fallback_cwd: place.1,
        stdin: place.2,
        stdout: place.3,
        stderr: place.4,
        umask: how.0.0,
        nice: how.0.1,
        cpus: how.1,
        limits: how.2,
        view: rest.0,
        scratch: rest.1,
        memory: rest.2,
        gather: rest.3,
    })
}

fn to_keeper() -> impl Strategy<Value = ToKeeper> {
    prop_oneof![
        (any::<(u16, i32)>(), lists()).prop_map(|((version, controller_pid), respawn)| ToKeeper::Hello {
            version,
            controller_pid,
            respawn
        }),
        orders().prop_map(|o| ToKeeper::Launch(Box::new(o))),
        (attempts(), any::<i32>(), 0..3usize).prop_map(|(attempt, signal, scope)| ToKeeper::Signal {
            attempt,
            signal,
            scope: [Scope::BatchOnly, Scope::AllProcesses, Scope::Tasks][scope],
        }),
        (attempts(), ".{0,40}").prop_map(|(attempt, text)| ToKeeper::Note { attempt, text }),
        attempts().prop_map(|attempt| ToKeeper::Kill { attempt }),
        attempts().prop_map(|attempt| ToKeeper::Ack { attempt }),
        attempts().prop_map(|attempt| ToKeeper::Measure { attempt }),
        Just(ToKeeper::Goodbye),
        any::<bool>().prop_map(|cancel| ToKeeper::Shutdown { cancel }),
    ]
}

fn reports() -> impl Strategy<Value = ExitReport> {
    (attempts(), any::<i32>(), used(), stamps(), stamps(), any::<bool>()).prop_map(
        |(attempt, wait_status, used, started_at, ended_at, out_of_memory)| ExitReport {
            attempt,
            wait_status,
            used,
            started_at,
            ended_at,
            out_of_memory,
        },
    )
}

fn used() -> impl Strategy<Value = Used> {
    any::<[u64; 7]>().prop_map(|[user_us, system_us, rss_kb, vm_kb, pages, read, written]| Used {
        user_us,
        system_us,
        rss_kb,
        vm_kb,
        pages,
        read,
        written,
    })
}

fn failures() -> impl Strategy<Value = LaunchFailure> {
    (1u8..=9, any::<i32>(), ".{0,40}").prop_map(|(step, errno, what)| LaunchFailure {
        step: FailedStep::from_u8(step).unwrap(),
        errno,
        what,
    })
}

fn statuses() -> impl Strategy<Value = AttemptStatus> {
    prop_oneof![
        Just(AttemptStatus::NotStarted),
        Just(AttemptStatus::Unknown),
        (any::<i32>(), stamps()).prop_map(|(pid, started_at)| AttemptStatus::Running { pid, started_at }),
        reports().prop_map(AttemptStatus::Exited),
        failures().prop_map(AttemptStatus::Failed),
    ]
}

fn from_keeper() -> impl Strategy<Value = FromKeeper> {
    let modes = prop_oneof![Just(KillMode::CgroupV2), Just(KillMode::Freezer), Just(KillMode::Search)];
    let welcome = (
        any::<(u16, i32, i32, u64, bool)>(),
        ".{0,40}",
        modes,
        vec(".{0,20}", 0..3),
        vec((attempts(), statuses()), 0..5),
    );
    prop_oneof![
        welcome.prop_map(|(n, boot_id, kill_mode, notes, attempts)| {
            let (version, keeper_pid, reaper_pid, journal, enforced) = n;
            let memory_mode = if enforced { MemoryMode::Enforced } else { MemoryMode::Watched };
            let w = Welcome {
                version,
                keeper_pid,
                reaper_pid,
                boot_id,
                journal,
                kill_mode,
                notes,
                attempts,
                memory_mode,
            };
            FromKeeper::Welcome(Box::new(w))
        }),
        (attempts(), any::<i32>(), stamps()).prop_map(|(attempt, pid, started_at)| FromKeeper::Launched {
            attempt,
            pid,
            started_at
        }),
        (attempts(), failures()).prop_map(|(attempt, failure)| FromKeeper::LaunchFailed { attempt, failure }),
        reports().prop_map(FromKeeper::Exited),
        attempts().prop_map(|attempt| FromKeeper::Unknown { attempt }),
        ".{0,40}".prop_map(|reason| FromKeeper::Refused { reason }),
        (attempts(), used(), vec(any::<i32>(), 0..4))
            .prop_map(|(attempt, used, pids)| FromKeeper::Measured { attempt, used, pids }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn messages_to_the_keeper_survive(messages in vec(to_keeper(), 1..4)) {
        let mut stream = Vec::new();
        messages.iter().for_each(|m| write_frame(&mut stream, m).unwrap());
        let mut at = 0;
        for m in &messages {
            let (read, length) = read_frame::<ToKeeper>(&stream[at..]).unwrap().unwrap();
            prop_assert_eq!(&read, m);
            at += length;
        }
        prop_assert_eq!(at, stream.len());
    }

    #[test]
    fn messages_from_the_keeper_survive(m in from_keeper()) {
        let mut stream = Vec::new();
        write_frame(&mut stream, &m).unwrap();
        prop_assert_eq!(read_frame::<FromKeeper>(&stream).unwrap(), Some((m, stream.len())));
    }

    #[test]
    fn a_cut_frame_is_waited_for_and_a_changed_one_does_no_harm(m in to_keeper(), cut in 0.0..1.0f64, bit in 0usize..8) {
        let mut stream = Vec::new();
        write_frame(&mut stream, &m).unwrap();
        let at = (stream.len() as f64 * cut) as usize;
        prop_assert_eq!(read_frame::<ToKeeper>(&stream[..at]).unwrap(), None);
        stream[at] ^= 1 << bit;
        // Anything but a panic or a read beyond the frame.
        if let Ok(Some((_, length))) = read_frame::<ToKeeper>(&stream) {
            prop_assert!(length <= stream.len());
        }
    }

    #[test]
    fn garbage_is_refused(garbage in vec(any::<u8>(), 0..200), kind in 0u16..110) {
        let mut framed = b"BVKP".to_vec();
        framed.extend(VERSION.to_le_bytes());
        framed.extend(kind.to_le_bytes());
        framed.extend((garbage.len() as u32).to_le_bytes());
        framed.extend(&garbage);
        let _ = read_frame::<ToKeeper>(&framed);
        let _ = read_frame::<FromKeeper>(&framed);
        if !garbage.is_empty() && !b"BVKP".starts_with(&garbage[..garbage.len().min(4)]) {
            prop_assert!(read_frame::<ToKeeper>(&garbage).is_err());
        }
    }
}

#[test]
fn too_long_is_refused_on_both_sides() {
    let mut out = Vec::new();
    let order = LaunchOrder { env: vec![vec![b'x'; MAX_BODY as usize]], ..Default::default() };
    assert!(write_frame(&mut out, &ToKeeper::Launch(Box::new(order))).is_err());
    assert!(out.is_empty());
    write_frame(&mut out, &ToKeeper::Goodbye).unwrap();
    assert_eq!(out.len(), HEADER);
    out[8..12].copy_from_slice(&(MAX_BODY + 1).to_le_bytes());
    assert!(read_frame::<ToKeeper>(&out).is_err());
}

#[test]
fn the_frame_is_what_the_documentation_says() {
    let mut out = Vec::new();
    write_frame(&mut out, &ToKeeper::Ack { attempt: Attempt { job: 0x0102, restart: 3 } }).unwrap();
    assert_eq!(out, b"BVKP\x01\x00\x05\x00\x08\x00\x00\x00\x02\x01\x00\x00\x03\x00\x00\x00");
}
