//! What the journal holds, as values. The bytes are the business of `journal`.

use crate::order::Traces;
use crate::report::{Attempt, Ending, Process, Stamp};

/// One fact in the journal. Of each attempt there is at most one of each kind; they arise in the order
/// Intent, Claimed, Ended, ScratchRemoved, and Forget removes them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// What the keeper shall do about its controller.
    Session(Session),
    /// A process for this attempt is about to be created.
    Intent {
        /// Which attempt.
        attempt: Attempt,
        /// What is needed to clean up.
        traces: Traces,
        /// When.
        at: Stamp,
    },
    /// Written by the child itself, before it does anything else: the attempt is mine. See [`crate::logic`].
    Claimed {
        /// Which attempt.
        attempt: Attempt,
        /// The child.
        process: Process,
    },
    /// The attempt ended. Written before the process is reaped, by whoever is its parent (keeper or reaper).
    Ended {
        /// Which attempt.
        attempt: Attempt,
        /// How.
        ending: Ending,
    },
    /// The scratch folder is gone.
    ScratchRemoved {
        /// Which attempt.
        attempt: Attempt,
    },
    /// Acknowledged: the attempt leaves the journal.
    Forget {
        /// Which attempt.
        attempt: Attempt,
    },
    /// Found when reading: a record whose checksum is wrong. Never written.
    Corrupt {
        /// Which attempt, if that much is legible.
        attempt: Option<Attempt>,
        /// Which record where, a sentence.
        what: String,
    },
}

/// The keeper's relation to the controller, kept across a crash of the keeper.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// Command that restarts the controller; empty: none is to be restarted.
    pub respawn: Vec<Vec<u8>>,
    /// The controller said Goodbye or Shutdown: end when nothing runs.
    pub ending: bool,
}
