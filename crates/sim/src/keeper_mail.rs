//! Between the keeper's words and the core's.

use bivouac_core::{Cluster, KeeperReport};
use bivouac_keeper::protocol::FromKeeper;
use bivouac_keeper::report::{self, AttemptStatus};
use bivouac_types::info::Usage;
use bivouac_types::{Attempt, ExitStatus, JobId, Timestamp};

/// Planted defect: whatever attempt the report names, it counts for the current one.
pub fn pretend_current(cluster: &Cluster, report: &mut KeeperReport) {
    let Some(current) = cluster.job(report.attempt().job).map(|j| j.attempt()) else { return };
    match report {
        KeeperReport::Launched { attempt, .. }
        | KeeperReport::LaunchFailed { attempt, .. }
        | KeeperReport::Exited { attempt, .. }
        | KeeperReport::Lost { attempt } => *attempt = current,
    }
}

/// What a message of the keeper reports.
pub fn from_keeper(said: FromKeeper) -> Option<KeeperReport> {
    Some(match said {
        FromKeeper::Launched { attempt, pid, .. } => {
            KeeperReport::Launched { attempt: ours(attempt), pid: pid as u32 }
        }
        FromKeeper::LaunchFailed { attempt, failure } => {
            KeeperReport::LaunchFailed { attempt: ours(attempt), what: failure.what }
        }
        FromKeeper::Exited(e) => exited(&e),
        // Not that it never began: a confirmation may still be under way, or wait to be stored.
        FromKeeper::Unknown { attempt } => KeeperReport::Lost { attempt: ours(attempt) },
        FromKeeper::Welcome(_)
        | FromKeeper::Refused { .. }
        | FromKeeper::StepEnded { .. }
        | FromKeeper::Measured { .. } => return None,
    })
}

/// What an entry of the keeper's list reports. One that is not started reports nothing: it is about to be, or is
/// launched anew.
pub fn from_status(attempt: Attempt, status: &AttemptStatus) -> Option<KeeperReport> {
    Some(match status {
        AttemptStatus::Running { pid, .. } => KeeperReport::Launched { attempt, pid: *pid as u32 },
        AttemptStatus::Exited(e) => exited(e),
        AttemptStatus::Failed(f) => KeeperReport::LaunchFailed { attempt, what: f.what.clone() },
        AttemptStatus::Unknown => KeeperReport::Lost { attempt },
        AttemptStatus::NotStarted => return None,
    })
}

fn exited(e: &report::ExitReport) -> KeeperReport {
    KeeperReport::Exited {
        attempt: ours(e.attempt),
        status: ExitStatus::from_wait_status(e.wait_status),
        usage: Usage::default(),
        ended: Timestamp(e.ended_at.wall_ms),
        out_of_memory: e.out_of_memory,
    }
}

/// The core's form of an attempt.
pub fn ours(a: report::Attempt) -> Attempt {
    Attempt { job: JobId(a.job), restart: a.restart }
}

/// The keeper's form of an attempt.
pub fn theirs(a: Attempt) -> report::Attempt {
    report::Attempt { job: a.job.0, restart: a.restart }
}
