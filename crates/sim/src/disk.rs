//! The store: a list of batches with checksums. What a crash leaves of the last one, and what a flipped bit does,
//! are decided here.

use crate::rng::Rng;
use bivouac_core::{Event, State};

/// Stored bytes that do not say what was stored: a controller must not start on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrupt {
    /// Which batch, counted from 0, or none for the snapshot.
    pub batch: Option<usize>,
}

/// What survives the controller.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    batches: Vec<Vec<u8>>,
    /// A state, and how many batches it stands for.
    snapshot: Option<(usize, Vec<u8>)>,
    /// No space: nothing can be stored.
    pub full: bool,
}

fn sealed(payload: Vec<u8>) -> Vec<u8> {
    let mut bytes = crc32fast::hash(&payload).to_le_bytes().to_vec();
    bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes.extend(payload);
    bytes
}

/// What a stored record is: whole, cut off, or changed.
enum Opened<'a> {
    Whole(&'a [u8]),
    Torn,
    Changed,
}

fn open(bytes: &[u8]) -> Opened<'_> {
    let (Some(sum), Some(len)) = (bytes.first_chunk::<4>(), bytes.get(4..8)) else { return Opened::Torn };
    let payload = &bytes[8..];
    let len = u32::from_le_bytes(len.try_into().unwrap_or_default()) as usize;
    if payload.len() < len {
        Opened::Torn
    } else if payload.len() > len || crc32fast::hash(payload) != u32::from_le_bytes(*sum) {
        Opened::Changed
    } else {
        Opened::Whole(payload)
    }
}

impl Disk {
    /// Stores a batch of events durably.
    pub fn append(&mut self, events: &[Event]) {
        let json = serde_json::to_vec(events).expect("events can be written as JSON");
        self.batches.push(sealed(json));
    }

    /// What a crash in the middle of [`Disk::append`] leaves: a part of the record.
    pub fn append_torn(&mut self, events: &[Event], rng: &mut Rng) {
        let json = serde_json::to_vec(events).expect("events can be written as JSON");
        let mut bytes = sealed(json);
        bytes.truncate(rng.below(bytes.len() as u64) as usize);
        self.batches.push(bytes);
    }

    /// Stores a state that stands for all batches so far.
    pub fn store_snapshot(&mut self, state: &State) {
        let json = serde_json::to_vec(state).expect("a state can be written as JSON");
        self.snapshot = Some((self.batches.len(), sealed(json)));
    }

    /// Flips one bit of one stored batch.
    pub fn flip(&mut self, rng: &mut Rng) {
        let Some(n) = self.batches.len().checked_sub(1) else { return };
        let batch = rng.range(0, n as u64) as usize;
        // Not in the length: a record that claims to be longer looks torn, and the last one may be.
        let at = match rng.below(2) {
            0 => rng.below(4),
            _ => 8 + rng.below(self.batches[batch].len() as u64 - 8),
        };
        self.batches[batch][at as usize] ^= 1 << rng.below(8);
    }

    /// Reads everything, as a controller does that starts: the snapshot if there is one and it is wanted, and the
    /// events after it. A torn last batch was never acknowledged, and is dropped for good.
    ///
    /// # Errors
    /// A record that was changed, or one that is torn and not the last.
    pub fn load(&mut self, use_snapshot: bool) -> Result<(Option<State>, Vec<Event>), Corrupt> {
        if let Some(last) = self.batches.last()
            && matches!(open(last), Opened::Torn)
        {
            self.batches.pop();
        }
        let (from, state) = match &self.snapshot {
            Some((from, bytes)) if use_snapshot => match open(bytes) {
                Opened::Whole(json) => {
                    (*from, Some(serde_json::from_slice(json).map_err(|_| Corrupt { batch: None })?))
                }
                _ => return Err(Corrupt { batch: None }),
            },
            _ => (0, None),
        };
        let mut events = Vec::new();
        for (n, bytes) in self.batches.iter().enumerate().skip(from) {
            let Opened::Whole(json) = open(bytes) else { return Err(Corrupt { batch: Some(n) }) };
            let batch: Vec<Event> = serde_json::from_slice(json).map_err(|_| Corrupt { batch: Some(n) })?;
            events.extend(batch);
        }
        Ok((state, events))
    }

    /// The bytes of the last batch, for the run's hash.
    pub fn last(&self) -> &[u8] {
        self.batches.last().map_or(&[], Vec::as_slice)
    }

    /// Whether anything is stored.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bivouac_core::Change;
    use bivouac_types::{JobId, Now};

    fn disk(batches: u32) -> Disk {
        let mut disk = Disk::default();
        for n in 0..batches {
            disk.append(&[Event { at: Now::default(), change: Change::Purged { jobs: vec![JobId(n)] } }]);
        }
        disk
    }

    #[test]
    fn every_flipped_bit_is_detected() {
        for seed in 0..2000 {
            let mut disk = disk(3);
            disk.flip(&mut Rng::new(seed));
            assert!(disk.load(false).is_err(), "seed {seed}");
        }
    }

    #[test]
    fn a_torn_last_batch_is_dropped_and_only_the_last() {
        for seed in 0..200 {
            let mut disk = disk(3);
            let torn = [Event { at: Now::default(), change: Change::Purged { jobs: vec![JobId(99)] } }];
            disk.append_torn(&torn, &mut Rng::new(seed));
            assert_eq!(disk.load(false).map(|(_, events)| events.len()), Ok(3));
            disk.append(&torn);
            assert_eq!(disk.load(false).map(|(_, events)| events.len()), Ok(4));
            disk.batches[1].truncate(9);
            assert_eq!(disk.load(false), Err(Corrupt { batch: Some(1) }));
        }
    }
}
