//! Events as bytes: one version byte, then JSON. A version that is not known here is refused, never guessed.

use bivouac_core::{Cluster, Event, State};
use bivouac_store::{Store, StoreError};
use bivouac_types::Now;
use bivouac_types::config::ClusterConfig;
use std::sync::Arc;

/// The form written today. Older forms are read for ever; each has its arm in [`decode`].
const VERSION: u8 = 1;

/// An event as it is stored.
pub fn encode(event: &Event) -> Vec<u8> {
    versioned(event)
}

/// A snapshot, and when it was taken.
#[derive(serde::Serialize, serde::Deserialize)]
struct Snapshot<S> {
    at: Now,
    state: S,
}

/// A state as it is stored.
pub fn encode_state(state: &State, at: Now) -> Vec<u8> {
    versioned(&Snapshot { at, state })
}

fn versioned<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    // Writing plain data with string keys to memory cannot fail.
    let _ = serde_json::to_writer(&mut bytes, value);
    bytes
}

/// A stored event.
///
/// # Errors
/// What is wrong with the bytes, for a message that names the event.
pub fn decode(bytes: &[u8]) -> Result<Event, String> {
    read(bytes)
}

fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match bytes.split_first() {
        Some((&VERSION, json)) => serde_json::from_slice(json).map_err(|e| e.to_string()),
        Some((v, _)) => Err(format!("it has form {v}, this version understands up to {VERSION}")),
        None => Err("it is empty".to_owned()),
    }
}

/// Replaces the log by a snapshot of the state, before anything was added to it.
///
/// # Errors
/// What the store says; the log is then as it was.
pub fn compact(store: &mut Store, replayed: &Replayed) -> Result<(), StoreError> {
    let state = replayed.cluster.state();
    let needed: Vec<&str> = state.submissions.values().map(|s| s.payload.0.as_str()).collect();
    store.compact(replayed.seq, &encode_state(state, replayed.at), &needed)
}

/// What the database holds, as a state.
pub struct Replayed {
    /// The state.
    pub cluster: Cluster,
    /// The number of the last event.
    pub seq: u64,
    /// When the last event, or the snapshot, was.
    pub at: Now,
}

/// The state that a snapshot and the events after it give.
///
/// # Errors
/// Which part cannot be read, and why.
pub fn replay(
    config: Arc<ClusterConfig>,
    snapshot: Option<&(u64, Vec<u8>)>,
    events: &[(u64, Vec<u8>)],
) -> Result<Replayed, String> {
    let mut replayed = match snapshot {
        None => Replayed { cluster: Cluster::new(config), seq: 0, at: Now::default() },
        Some((seq, body)) => {
            let Snapshot { at, state } =
                read(body).map_err(|e| format!("snapshot {seq} cannot be read: {e}"))?;
            let cluster = Cluster::restore(config, state).map_err(|e| format!("snapshot {seq}: {e}"))?;
            Replayed { cluster, seq: *seq, at }
        }
    };
    for (number, body) in events {
        let event = decode(body).map_err(|e| format!("event {number} cannot be read: {e}"))?;
        replayed.cluster.apply(&event);
        replayed.seq = *number;
        replayed.at = event.at;
    }
    Ok(replayed)
}
