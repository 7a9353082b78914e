//! What the outside should do. Every effect is safe to repeat: it names its attempt, and the keeper does
//! nothing twice.

use crate::command::PayloadId;
use bivouac_types::{Attempt, JobId};
use serde::{Deserialize, Serialize};

/// Which processes of a job get a signal.
pub use crate::command::CancelScope as SignalScope;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Launch the job's script (its record has all that is needed).
    Launch {
        /// Which launch.
        attempt: Attempt,
    },
    /// Send a signal once. Not repeated after a restart.
    Signal {
        /// Which launch.
        attempt: Attempt,
        /// Signal number.
        signal: i32,
        /// To which processes.
        scope: SignalScope,
    },
    /// Stop every process of the attempt, so that none runs until [`Effect::Resume`].
    Suspend {
        /// Which launch.
        attempt: Attempt,
    },
    /// Let the processes of a suspended attempt go on.
    Resume {
        /// Which launch.
        attempt: Attempt,
    },
    /// Write a line to the standard error of the job's script (scontrol notify). Not repeated after a restart.
    Note {
        /// Which launch.
        attempt: Attempt,
        /// The line.
        text: String,
    },
    /// Start the daemon of a step in the job, unless it is there.
    StartStep {
        /// Which launch.
        attempt: Attempt,
        /// The step's number.
        step: u32,
    },
    /// End one step: tell its daemon, which knows its tasks. Not repeated after a restart.
    EndStep {
        /// Which launch.
        attempt: Attempt,
        /// The step's number.
        step: u32,
    },
    /// Send SIGTERM (and SIGCONT) to all processes. An attempt the keeper does not know is from now on not to
    /// be launched, and is reported as `LaunchFailed`.
    Terminate {
        /// Which launch.
        attempt: Attempt,
    },
    /// Kill every process of the attempt, for sure. An unknown attempt is treated as by `Terminate`.
    Kill {
        /// Which launch.
        attempt: Attempt,
    },
    /// The end of the attempt is stored: the keeper may forget it.
    AckKeeper {
        /// Which launch.
        attempt: Attempt,
    },
    /// The attempt is of no job that runs (any more): kill what is left of it and forget it.
    StopStale {
        /// Which launch.
        attempt: Attempt,
    },
    /// The job is over: its accounting record can be written, its scratch folder removed, waiting clients told.
    JobEnded {
        /// Which.
        job: JobId,
    },
    /// No job needs this script and environment any more.
    DropPayload {
        /// Which.
        payload: PayloadId,
    },
}
