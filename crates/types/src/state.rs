//! Slurm's job states and exit statuses. They are computed from the core's phases and never stored as flags.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A job's state as squeue and sacct show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum JobState {
    /// PD.
    Pending,
    /// R.
    Running,
    /// CG: being ended, its processes are not yet all gone.
    Completing,
    /// S.
    Suspended,
    /// CD: exit code 0.
    Completed,
    /// F: any other exit code or a signal.
    Failed,
    /// CA.
    Cancelled,
    /// TO: the time limit was reached.
    Timeout,
    /// NF: the node, or both parents of the job, failed; how the job ended is not known.
    NodeFail,
    /// OOM.
    OutOfMemory,
    /// PR.
    Preempted,
    /// DL.
    Deadline,
    /// BF: could not be launched.
    BootFail,
    /// RQ: ended and to be run again.
    Requeued,
    /// ST: its processes were stopped by a signal; it keeps its resources.
    Stopped,
    /// SE: queued again and held by `scontrol requeuehold State=SpecialExit`.
    SpecialExit,
}

/// Every state, in the order of the man pages.
pub const JOB_STATES: [JobState; 16] = [
    JobState::Pending,
    JobState::Running,
    JobState::Completing,
    JobState::Suspended,
    JobState::Completed,
    JobState::Failed,
    JobState::Cancelled,
    JobState::Timeout,
    JobState::NodeFail,
    JobState::OutOfMemory,
    JobState::Preempted,
    JobState::Deadline,
    JobState::BootFail,
    JobState::Requeued,
    JobState::Stopped,
    JobState::SpecialExit,
];

impl JobState {
    /// The long name, for example `PENDING`.
    pub fn name(self) -> &'static str {
        match self {
            JobState::Pending => "PENDING",
            JobState::Running => "RUNNING",
            JobState::Completing => "COMPLETING",
            JobState::Suspended => "SUSPENDED",
            JobState::Completed => "COMPLETED",
            JobState::Failed => "FAILED",
            JobState::Cancelled => "CANCELLED",
            JobState::Timeout => "TIMEOUT",
            JobState::NodeFail => "NODE_FAIL",
            JobState::OutOfMemory => "OUT_OF_MEMORY",
            JobState::Preempted => "PREEMPTED",
            JobState::Deadline => "DEADLINE",
            JobState::BootFail => "BOOT_FAIL",
            JobState::Requeued => "REQUEUED",
            JobState::Stopped => "STOPPED",
            JobState::SpecialExit => "SPECIAL_EXIT",
        }
    }

    /// The compact code, for example `PD`.
    pub fn code(self) -> &'static str {
        match self {
            JobState::Pending => "PD",
            JobState::Running => "R",
            JobState::Completing => "CG",
            JobState::Suspended => "S",
            JobState::Completed => "CD",
            JobState::Failed => "F",
            JobState::Cancelled => "CA",
            JobState::Timeout => "TO",
            JobState::NodeFail => "NF",
            JobState::OutOfMemory => "OOM",
            JobState::Preempted => "PR",
            JobState::Deadline => "DL",
            JobState::BootFail => "BF",
            JobState::Requeued => "RQ",
            JobState::Stopped => "ST",
            JobState::SpecialExit => "SE",
        }
    }

    /// The state of that long name or compact code, in any case.
    pub fn parse(word: &str) -> Option<JobState> {
        JOB_STATES
            .into_iter()
            .find(|s| s.name().eq_ignore_ascii_case(word) || s.code().eq_ignore_ascii_case(word))
    }

    /// Whether the job waits to be run.
    pub fn waits(self) -> bool {
        matches!(self, JobState::Pending | JobState::SpecialExit)
    }

    /// Whether the job has ended for good (its resources are free).
    pub fn is_ended(self) -> bool {
        !matches!(
            self,
            JobState::Pending
                | JobState::Running
                | JobState::Completing
                | JobState::Suspended
                | JobState::Requeued
                | JobState::Stopped
                | JobState::SpecialExit
        )
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a process ended, printed `code:signal` as sacct's ExitCode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct ExitStatus {
    /// The exit code; 0 if a signal ended it.
    pub code: u8,
    /// The signal that ended it, or 0.
    pub signal: u8,
}

impl ExitStatus {
    /// From the status word of wait(2).
    pub fn from_wait_status(status: i32) -> ExitStatus {
        let signal = (status & 0x7f) as u8;
        if signal == 0 {
            ExitStatus { code: (status >> 8) as u8, signal: 0 }
        } else {
            ExitStatus { code: 0, signal }
        }
    }
    /// Exit code 0 and no signal.
    pub fn success(self) -> bool {
        self == ExitStatus::default()
    }
    /// What a shell's `$?` shows: the code, or 128 + signal.
    pub fn shell_code(self) -> u8 {
        if self.signal == 0 { self.code } else { 128u8.wrapping_add(self.signal) }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.code, self.signal)
    }
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The batch script ended by itself: COMPLETED or FAILED by its status.
    Exited(ExitStatus),
    /// Cancelled, by whom, with the script's status where it had started.
    Cancelled {
        /// The user who cancelled it.
        by: crate::ids::Uid,
        /// The script's status, if it had started.
        status: Option<ExitStatus>,
    },
    /// Ended by its time limit.
    Timeout(ExitStatus),
    /// It could not end before its --deadline, or reached it.
    Deadline(ExitStatus),
    /// Both parents of the job died, or the machine did: nobody knows how it ended.
    NodeFail,
    /// The script could not be launched (JobLaunchFailure).
    LaunchFailed,
    /// Preempted by another job.
    Preempted(ExitStatus),
    /// Killed for using more memory than it had.
    OutOfMemory,
    /// A dependency can never be satisfied (kill-on-invalid-dep).
    DependencyNeverSatisfied,
}

impl Outcome {
    /// Slurm's word for it.
    pub fn state(self) -> JobState {
        match self {
            Outcome::Exited(s) if s.success() => JobState::Completed,
            Outcome::Exited(_) | Outcome::LaunchFailed => JobState::Failed,
            Outcome::Cancelled { .. } | Outcome::DependencyNeverSatisfied => JobState::Cancelled,
            Outcome::Timeout(_) => JobState::Timeout,
            Outcome::Deadline(_) => JobState::Deadline,
            Outcome::NodeFail => JobState::NodeFail,
            Outcome::Preempted(_) => JobState::Preempted,
            Outcome::OutOfMemory => JobState::OutOfMemory,
        }
    }

    /// The exit status that sacct shows.
    pub fn status(self) -> ExitStatus {
        match self {
            Outcome::Exited(s) | Outcome::Timeout(s) | Outcome::Deadline(s) | Outcome::Preempted(s) => s,
            // Slurm's number for it, shown as 0:125.
            Outcome::OutOfMemory => ExitStatus { code: 0, signal: 125 },
            Outcome::Cancelled { status, .. } => status.unwrap_or_default(),
            // Slurm's number for a job whose launch failed, shown as 0:53.
            Outcome::LaunchFailed => ExitStatus { code: 0, signal: 53 },
            Outcome::NodeFail | Outcome::DependencyNeverSatisfied => ExitStatus::default(),
        }
    }
}
