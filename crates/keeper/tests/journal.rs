//! The record file: what is written is found again, what is half-written does not count, what is damaged is named.

use bivouac_keeper::journal::Journal;
use bivouac_keeper::order::Traces;
use bivouac_keeper::record::{Record, Session};
use bivouac_keeper::report::{Attempt, Ending, ExitReport, FailedStep, LaunchFailure, Process, Stamp, Used};
use bivouac_keeper::slot::{Intent, Stage, State};
use bivouac_keeper::slots::{CHUNK, MAX_SESSION, Slots};
use proptest::prelude::*;

fn attempt(job: u32) -> Attempt {
    Attempt { job, restart: 0 }
}

fn intent(job: u32) -> Record {
    let traces = Traces { uid: 1, gid: 2, scratch: Some(vec![b'/'; 1024]), memory: Some(u64::MAX) };
    Record::Intent { attempt: attempt(job), traces, at: Stamp { wall_ms: -5, boot_ms: 6 } }
}

fn ending(job: u32) -> Ending {
    Ending::Exited(ExitReport {
        attempt: attempt(job),
        wait_status: 0x700,
        used: Used { user_us: u64::MAX, written: 5, ..Used::default() },
        ..Default::default()
    })
}

const ME: Process = Process { pid: 77, start_ticks: 88 };

#[test]
fn records_are_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, records) = Journal::open(dir.path()).unwrap();
    assert_eq!(records, []);
    let session = Session { respawn: vec![b"x".to_vec(), vec![]], ending: true };
    journal.write(&Record::Session(Session::default()), |_| true).unwrap();
    journal.write(&Record::Session(session.clone()), |_| true).unwrap();
    for job in 1..=4 {
        journal.write(&intent(job), |_| true).unwrap();
    }
    for job in 2..=4 {
        let (_, slot) = journal.slot(attempt(job)).unwrap();
        assert!(slot.claim(slot.state().0, ME));
    }
    let long = LaunchFailure { step: FailedStep::Stdio, errno: 2, what: "é".repeat(400) };
    let end = Record::Ended { attempt: attempt(3), ending: ending(3) };
    journal.write(&end, |_| true).unwrap();
    journal.write(&Record::ScratchRemoved { attempt: attempt(3) }, |_| true).unwrap();
    journal.write(&Record::Ended { attempt: attempt(4), ending: Ending::Failed(long) }, |_| true).unwrap();
    let id = journal.id();
    drop(journal);
    let (mut journal, records) = Journal::open(dir.path()).unwrap();
    assert_eq!(journal.id(), id);
    let claimed = |job| Record::Claimed { attempt: attempt(job), process: ME };
    assert_eq!(
        records[..8],
        [
            Record::Session(session),
            intent(1),
            intent(2),
            claimed(2),
            intent(3),
            claimed(3),
            end,
            Record::ScratchRemoved { attempt: attempt(3) },
        ]
    );
    assert!(
        matches!(&records[10..], [Record::Ended { ending: Ending::Failed(f), .. }] if f.what == "é".repeat(170))
    );
    for job in 1..=4 {
        journal.write(&Record::Forget { attempt: attempt(job) }, |_| true).unwrap();
    }
    drop(journal);
    assert!(matches!(Journal::open(dir.path()).unwrap().1[..], [Record::Session(_)]));
}

#[test]
fn a_late_child_cannot_claim_what_was_voided_or_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(dir.path()).unwrap();
    journal.write(&intent(1), |_| true).unwrap();
    let (_, slot) = journal.slot(attempt(1)).unwrap();
    let generation = slot.state().0;
    // The keeper dies here; the next one opens the journal before the child has done anything.
    let (mut next, records) = Journal::open(dir.path()).unwrap();
    assert_eq!(records, [intent(1)]);
    assert!(!slot.claim(generation, ME));
    next.write(&Record::Forget { attempt: attempt(1) }, |_| true).unwrap();
    next.write(&intent(2), |_| true).unwrap();
    assert_eq!(next.slot(attempt(2)).unwrap().0, 0, "the same slot");
    assert!(!slot.claim(generation, ME), "of another generation");
    let (_, again) = next.slot(attempt(2)).unwrap();
    assert!(again.claim(again.state().0, ME));
    assert_eq!(again.stage(), Ok(Stage::SettingUp));
}

#[test]
fn the_file_grows_by_chunks_and_prefers_usable_low_slots() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(dir.path()).unwrap();
    for job in 0..=CHUNK as u32 {
        journal.write(&intent(job), |n| n != 3).unwrap();
    }
    assert_eq!(journal.slot(attempt(2)).unwrap().0, 2);
    assert_eq!(journal.slot(attempt(3)).unwrap().0, 4);
    assert_eq!(journal.slot(attempt(CHUNK as u32)).unwrap().0, CHUNK + 1);
    let mut slots = Slots::open(dir.path()).unwrap();
    assert_eq!(slots.count(), 2 * CHUNK);
    for job in CHUNK as u32 + 1..=2 * CHUNK as u32 {
        journal.write(&intent(job), |_| true).unwrap();
    }
    slots.refresh().unwrap();
    assert_eq!(slots.count(), 3 * CHUNK);
}

#[test]
fn attempts_of_another_boot_are_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(dir.path()).unwrap();
    for job in 1..=2 {
        journal.write(&intent(job), |_| true).unwrap();
        let (_, slot) = journal.slot(attempt(job)).unwrap();
        assert!(slot.claim(slot.state().0, ME));
    }
    journal.write(&Record::Ended { attempt: attempt(2), ending: ending(2) }, |_| true).unwrap();
    drop(journal);
    Slots::open(dir.path()).unwrap().set_boot_id("another-boot");
    let (journal, records) = Journal::open(dir.path()).unwrap();
    assert!(records.contains(&Record::Ended { attempt: attempt(1), ending: Ending::Lost }));
    assert!(records.contains(&Record::Ended { attempt: attempt(2), ending: ending(2) }));
    assert_eq!(journal.boot_id(), bivouac_keeper::sys::boot_id());
}

#[test]
fn a_session_that_does_not_fit_is_refused_and_the_old_one_kept() {
    let dir = tempfile::tempdir().unwrap();
    let slots = Slots::open(dir.path()).unwrap();
    let session = Session { respawn: vec![b"old".to_vec()], ending: false };
    slots.set_session(&session).unwrap();
    assert!(slots.set_session(&Session { respawn: vec![vec![b'x'; MAX_SESSION]], ending: false }).is_err());
    assert_eq!(slots.session().unwrap().1, session);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// One flipped bit anywhere in a used slot never yields a wrong record: what was there, less, or a named damage.
    #[test]
    fn a_flipped_bit_is_never_taken_for_a_record(at in 0usize..2048, bit in 0u8..8) {
        let dir = tempfile::tempdir().unwrap();
        let slots = Slots::open(dir.path()).unwrap();
        let slot = slots.slot(0);
        let Record::Intent { attempt: a, traces, at: when } = intent(1) else { unreachable!() };
        let generation = slot.occupy(&Intent { attempt: a, traces, at: when });
        prop_assert!(slot.claim(generation, ME));
        slot.set_started();
        slot.set_ending(&ending(1));
        prop_assert_eq!(slot.state().1, Some(State::Claimed));
        drop(slots);
        let path = dir.path().join("keeper.journal");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[(28 << 10) + at] ^= 1 << bit;
        std::fs::write(&path, bytes).unwrap();
        let (_, records) = Journal::open(dir.path()).unwrap();
        let whole = [
            intent(1),
            Record::Claimed { attempt: a, process: ME },
            Record::Ended { attempt: a, ending: ending(1) },
        ];
        let damaged = matches!(records[..], [Record::Corrupt { .. }]);
        prop_assert!(damaged || records == whole, "{:?}", records);
    }
}
