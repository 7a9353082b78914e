//! sbatch --test-only.

use crate::reservation::{Reservation, releases};
use bivouac_core::command::{PayloadId, RequestKey};
use bivouac_core::place::place;
use bivouac_core::{Caller, Cluster, Job};
use bivouac_types::{Duration, JobSpec, Now, PendingReason, Reject, Timestamp};

/// When and where a job would start if it were submitted now.
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

/// Answers sbatch --test-only: where the job would start, and when by the time limits of what runs now. Jobs
/// that wait are left out, as Slurm leaves them out.
///
/// # Errors
/// The refusal that submitting it would meet, or the limit that would keep it waiting for ever.
pub fn test_only(cluster: &Cluster, spec: &JobSpec, caller: &Caller, now: Now) -> Result<Forecast, Reject> {
    let none = (PayloadId::default(), RequestKey::default());
    let submission = cluster.accept(caller.clone(), spec.clone(), none.0, none.1, now)?;
    let world = cluster.world();
    let job = Job::of(&submission);
    let clock = world.limit_clock(now);
    let free = &cluster.index().free;
    let mut best: Option<(u64, Forecast)> = None;
    let mut refusal = Reject::NodeConfigUnavailable;
    for demand in world.demands(&submission).iter().flatten() {
        if let Some(reason) = world.never(&job, &submission, demand) {
            refusal = refusal_of(reason);
            continue;
        }
        let found = match place(demand, free, &world.tables) {
            Some(picks) => Some((clock, picks)),
            None => {
                let found = Reservation::find(cluster, demand, free, releases(cluster, clock));
                found.map(|r| (r.at, r.picks))
            }
        };
        let Some((at, picks)) = found else { continue };
        if best.as_ref().is_some_and(|(earliest, _)| *earliest <= at) {
            continue;
        }
        let node = |n: usize| &world.tables.nodes[n];
        let start = (now.wall + Duration(at.saturating_sub(clock))).max(spec.begin.unwrap_or(now.wall));
        let cpus = match demand.exclusive {
            true => picks.iter().map(|p| node(p.node).cpus).sum(),
            false => demand.min_cpus(),
        };
        let nodes = picks.iter().map(|p| node(p.node).name.to_string()).collect();
        let partition = world.tables.partitions[demand.partition].name.to_string();
        best = Some((at, Forecast { start, cpus, nodes, partition }));
    }
    best.map(|b| b.1).ok_or(refusal)
}

fn refusal_of(reason: PendingReason) -> Reject {
    match reason {
        PendingReason::PartitionTimeLimit => Reject::InvalidTimeLimit,
        PendingReason::PartitionNodeLimit => Reject::InvalidNodeCount,
        PendingReason::PartitionConfig => Reject::NodeConfigUnavailable,
        _ => Reject::QosLimit,
    }
}
