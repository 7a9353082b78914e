//! What the controller relies on: durable together, found again, damage noticed, foreign files left alone.

use bivouac_store::{Batch, FILE, Store, StoreError, payload_id};

fn events(range: std::ops::RangeInclusive<u64>) -> Batch {
    Batch {
        events: range.map(|n| (n, format!("event number {n}").into_bytes())).collect(),
        ..Batch::default()
    }
}

/// Opening must fail, and with which error.
fn refusal(dir: &std::path::Path) -> StoreError {
    match Store::open(dir) {
        Ok(_) => panic!("it was opened"),
        Err(e) => e,
    }
}

#[test]
fn what_was_committed_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap().store;
    store.commit(&events(1..=3)).unwrap();
    let id = payload_id(b"script");
    store.commit(&Batch { payloads: vec![(id.clone(), b"script".to_vec())], ..Batch::default() }).unwrap();
    store.set_note("site", "alpine").unwrap();
    drop(store);
    let again = Store::open(dir.path()).unwrap();
    assert_eq!(again.events.len(), 3);
    assert_eq!(again.events[2], (3, b"event number 3".to_vec()));
    assert_eq!(again.store.payload(&id).unwrap(), b"script");
    assert_eq!(again.store.note("site").unwrap().as_deref(), Some("alpine"));
}

#[test]
fn a_snapshot_stands_for_the_events_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap().store;
    let (kept, dropped) = (payload_id(b"kept"), payload_id(b"dropped"));
    store
        .commit(&Batch {
            payloads: vec![(kept.clone(), b"kept".to_vec()), (dropped.clone(), b"dropped".to_vec())],
            ..events(1..=5)
        })
        .unwrap();
    store.compact(4, b"state after 4", &[&kept]).unwrap();
    drop(store);
    let again = Store::open(dir.path()).unwrap();
    assert_eq!(again.snapshot, Some((4, b"state after 4".to_vec())));
    assert_eq!(again.events, [(5, b"event number 5".to_vec())]);
    assert!(again.store.payload(&kept).is_ok());
    assert!(again.store.payload(&dropped).is_err());
}

#[test]
fn a_flipped_byte_is_detected_and_nothing_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap().store;
    store.commit(&events(1..=3)).unwrap();
    drop(store);
    let file = dir.path().join(FILE);
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(14).position(|w| w == b"event number 2").unwrap();
    bytes[at] ^= 0x20;
    std::fs::write(&file, &bytes).unwrap();
    let error = refusal(dir.path());
    assert!(matches!(&error, StoreError::Damaged { what, .. } if what.contains("event 2")), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
}

#[test]
fn a_missing_event_is_detected() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap().store;
    store.commit(&events(1..=1)).unwrap();
    store.commit(&events(3..=3)).unwrap();
    drop(store);
    assert!(refusal(dir.path()).to_string().contains("event 2 is missing"));
}

#[test]
fn a_file_that_is_no_database_is_refused_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(FILE);
    let text = "these are somebody's notes, not a database\n".repeat(100);
    std::fs::write(&file, &text).unwrap();
    let error = refusal(dir.path());
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains(&file.display().to_string()));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn a_newer_database_is_refused_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    let file = dir.path().join(FILE);
    rusqlite::Connection::open(&file).unwrap().execute_batch("PRAGMA user_version=999").unwrap();
    let before = std::fs::read(&file).unwrap();
    assert!(matches!(refusal(dir.path()), StoreError::Newer { found: 999, .. }));
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn a_failed_commit_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap().store;
    store.commit(&events(1..=2)).unwrap();
    // Event 2 is there already: the whole batch must be refused, event 3 and the payload with it.
    let id = payload_id(b"x");
    let mut clash = events(2..=3);
    clash.events.reverse();
    clash.payloads.push((id.clone(), b"x".to_vec()));
    assert!(store.commit(&clash).is_err());
    store.commit(&events(3..=3)).unwrap();
    assert!(store.payload(&id).is_err());
}
