//! The plain facts that keeper and controller exchange: which attempt, when, how it ended.

pub use bivouac_gather::Used;
use std::fmt;

/// One try at running one job: `restart` counts requeues from 0. Every message about a job's processes names
/// its attempt, so that a stale or doubled report can be told from a fresh one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt {
    /// Job number, as Slurm prints it.
    pub job: u32,
    /// How often the job was requeued before this attempt.
    pub restart: u32,
}

impl fmt::Display for Attempt {
    /// `JOB.RESTART`, the value of `BIVOUAC_ATTEMPT` in a job's environment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.job, self.restart)
    }
}

/// An instant on two clocks: the wall's (may step) and the machine's since boot (never steps, counts sleep).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// Milliseconds since the Unix epoch (`CLOCK_REALTIME`).
    pub wall_ms: i64,
    /// Milliseconds since boot (`CLOCK_BOOTTIME`).
    pub boot_ms: u64,
}

/// A process that cannot be confused with a later one of the same number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Process id, as seen by the keeper.
    pub pid: i32,
    /// Field 22 of `/proc/PID/stat`: clock ticks between boot and the start of the process.
    pub start_ticks: u64,
}

/// How a batch process ended. Sent until acknowledged, hence possibly more than once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExitReport {
    /// Whose end this is.
    pub attempt: Attempt,
    /// Wait status as of wait(2): exit code in bits 8 to 15, signal in bits 0 to 6, 128 for a core dump.
    pub wait_status: i32,
    /// What the batch process and all that it started used, the steps of srun left out. Its resident set is that of the largest
    /// process; of an attempt with a memory limit that was watched or that went over it, of all its processes together, where
    /// that was more.
    pub used: Used,
    /// When the child process was created.
    pub started_at: Stamp,
    /// When its end was noticed.
    pub ended_at: Stamp,
    /// It went over its memory limit, and lost a process or all of them for it.
    pub out_of_memory: bool,
}

impl ExitReport {
    /// Exit code, 0 if a signal ended the process.
    pub fn exit_code(&self) -> i32 {
        if self.signal() == 0 { (self.wait_status >> 8) & 0xff } else { 0 }
    }

    /// The signal that ended the process, 0 if none did.
    pub fn signal(&self) -> i32 {
        self.wait_status & 0x7f
    }
}

/// The step at which a launch failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum FailedStep {
    /// The keeper would not: it is ending, or another attempt of the job is in the way, or the order is invalid.
    #[default]
    Refused = 1,
    /// The record file could not grow; nothing was started.
    NoSpace = 2,
    /// No process could be created, or it vanished before it did anything.
    Fork = 3,
    /// The attempt's control group could not be joined.
    Cgroup = 4,
    /// The job-local scratch folder could not be made.
    Scratch = 5,
    /// The site view could not be set up.
    View = 6,
    /// Resource limits, CPU affinity, groups, user or group id.
    Credentials = 7,
    /// Working directory (and its fallback).
    Chdir = 8,
    /// Standard input, output or error file.
    Stdio = 9,
}

impl FailedStep {
    /// The step of a stored or received number.
    pub fn from_u8(n: u8) -> Option<Self> {
        use FailedStep::*;
        [Refused, NoSpace, Fork, Cgroup, Scratch, View, Credentials, Chdir, Stdio]
            .into_iter()
            .find(|s| *s as u8 == n)
    }
}

/// Why an attempt never reached its script. A missing interpreter is not among these: as with Slurm, that is an
/// exit with the error number as exit code and a line on the job's standard error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaunchFailure {
    /// At which step.
    pub step: FailedStep,
    /// Error number (errno), 0 if no system call failed.
    pub errno: i32,
    /// The text for the user, with the path concerned.
    pub what: String,
}

/// The end of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The batch process ran and ended.
    Exited(ExitReport),
    /// The script never ran.
    Failed(LaunchFailure),
    /// It ran, but both processes that could collect its exit code died. Leftovers were killed.
    Lost,
}

/// What the keeper holds about one attempt, as listed in its Welcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptStatus {
    /// Ordered, but a crash came first, or the child has not begun yet: never reported as launched. Launch it again: either it
    /// never ran and never will of its own, or the keeper knows it already; both are safe.
    NotStarted,
    /// Its batch process exists.
    Running {
        /// The batch process.
        pid: i32,
        /// When it was created.
        started_at: Stamp,
    },
    /// Ended, not yet acknowledged.
    Exited(ExitReport),
    /// Never reached its script, not yet acknowledged.
    Failed(LaunchFailure),
    /// Lost: it ran, its end is unknown (the controller's NODE_FAIL).
    Unknown,
}
