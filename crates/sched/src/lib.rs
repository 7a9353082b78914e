//! The planner: which jobs to start now, and where. A pure function of the cluster.

use bivouac_core::{Caller, Cluster, Plan};
use bivouac_types::{JobSpec, Now, Reject, Timestamp};

/// Proposes what to start now: in priority order, with backfill that never delays the first job that waits.
/// `budget` bounds the number of placements tried.
pub fn plan(_cluster: &Cluster, _now: Now, _budget: usize) -> Plan {
    Plan::default()
}

/// When and where a job would start if it were submitted now (sbatch --test-only).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// When.
    pub start: Timestamp,
    /// With how many CPUs.
    pub cpus: u32,
    /// On which nodes.
    pub nodes: Vec<String>,
    /// In which partition.
    pub partition: String,
}

/// Answers sbatch --test-only.
///
/// # Errors
/// The refusal that submitting it would meet.
pub fn test_only(_cluster: &Cluster, _spec: &JobSpec, _caller: &Caller, _now: Now) -> Result<Forecast, Reject> {
    Err(Reject::NodeConfigUnavailable)
}
