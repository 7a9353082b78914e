//! What srun and the daemon of its step (slurmstepd) say to each other, over a socket in the abstract namespace.
//!
//! The daemon runs among the job's processes and is given everything that srun has: command line, environment, folder
//! and, beside the first frame, its three standard streams as descriptors. Output needs no forwarding to another process
//! then, and what ends srun does not end the daemon.

use bivouac_types::usage::Measured;
use bivouac_types::{Blob, ExitStatus};
use serde::{Deserialize, Serialize};
use std::io::{self, Read};

/// The variable by which a step's daemon is told the name of its socket.
pub const SOCKET_VARIABLE: &str = "BIVOUAC_STEP_SOCKET";
/// The variable by which it is told srun's process id: an srun that is gone is not waited for.
pub const CLIENT_VARIABLE: &str = "BIVOUAC_STEP_CLIENT";

const PREFIX: &str = "bivouac-step-";
/// Random bytes of a name.
const RANDOM: usize = 16;

/// A name for the socket of a step's daemon that others could not have taken before.
///
/// # Errors
/// There is no randomness to be had.
pub fn socket_name() -> io::Result<String> {
    let mut bytes = [0u8; RANDOM];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold(String::from(PREFIX), |name, byte| format!("{name}{byte:02x}")))
}

/// Whether this is a name as [`socket_name`] makes them.
pub fn is_socket_name(name: &str) -> bool {
    let random = name.strip_prefix(PREFIX);
    random.is_some_and(|r| r.len() == 2 * RANDOM && r.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// From srun or sattach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToStep {
    /// Run the step: srun's first frame, with its standard input, output and error beside it.
    Run(Box<StepOrder>),
    /// A signal that srun got.
    Signal(i32),
    /// The job is being ended, or is the client's no more: why, as it is added to the announcement (` DUE TO TIME LIMIT`).
    Terminate(String),
    /// What the tasks use (sstat); answered by `Measured`.
    Measure,
    /// sattach's first frame, with its standard output and error beside it.
    Attach(Attach),
}

/// What a step's daemon is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepOrder {
    /// srun's arguments, without its name.
    pub args: Vec<Blob>,
    /// srun's environment, `NAME=value`.
    pub env: Vec<Blob>,
    /// srun's folder.
    pub cwd: Blob,
    /// srun's file mode creation mask.
    pub umask: u32,
    /// srun's resource limits: number, soft, hard.
    pub limits: Vec<(u32, u64, u64)>,
    /// Where the tasks go.
    pub layout: crate::message::StepLayout,
    /// The job is srun's own: its command line was read as one outside a job.
    #[serde(default)]
    pub outside: bool,
    /// Rows and columns of srun's terminal.
    pub window: Option<(u16, u16)>,
}

/// What sattach wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attach {
    /// Labels before the lines.
    pub label: bool,
    /// Output of this task only.
    pub output: Option<u32>,
    /// Errors of this task only.
    pub error: Option<u32>,
}

/// From a step's daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromStep {
    /// To who attaches: the nodes, in order, and the ranks of the tasks on each.
    Layout(Vec<(String, Vec<u32>)>),
    /// To who is attached: a task has ended.
    TaskEnded {
        /// Which.
        rank: u32,
        /// How.
        exit: ExitStatus,
    },
    /// The tasks run. With --pty, the other end of task 0's terminal is beside it.
    Running {
        /// Whether a descriptor is beside it.
        pty: bool,
    },
    /// To `Measure`.
    Measured {
        /// The tasks, by rank.
        tasks: Vec<Measured>,
        /// All their processes.
        pids: Vec<i32>,
    },
    /// The step is over, and the controller knows.
    Ended {
        /// srun's exit code.
        code: u8,
        /// The highest exit status of a task.
        exit: ExitStatus,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_sockets_are_known_as_such_and_differ() {
        let (one, other) = (socket_name().unwrap(), socket_name().unwrap());
        assert!(is_socket_name(&one) && one != other);
        for wrong in ["", "bivouac-step-", "bivouac-step-0123", &one[1..], &format!("{one}0")] {
            assert!(!is_socket_name(wrong), "{wrong}");
        }
    }
}
