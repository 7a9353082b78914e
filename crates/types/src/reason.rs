//! Why a job is pending (squeue's REASON): a closed set.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a job does not run. `Display` is squeue's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub enum PendingReason {
    /// `None`: not considered yet.
    #[default]
    None,
    /// The job is first in line and waits for resources.
    Resources,
    /// Jobs of higher priority are ahead.
    Priority,
    /// A dependency is not yet satisfied.
    Dependency,
    /// A dependency can never be satisfied.
    DependencyNeverSatisfied,
    /// --begin is in the future.
    BeginTime,
    /// Held by its user (scontrol hold, sbatch --hold).
    JobHeldUser,
    /// Held by an administrator.
    JobHeldAdmin,
    /// Held by scontrol requeuehold.
    JobRequeuedHeld,
    /// The array's %throttle is used up.
    JobArrayTaskLimit,
    /// The QoS's MaxJobsPerUser.
    QOSMaxJobsPerUserLimit,
    /// The QoS's MaxTRESPerUser: CPUs.
    QOSMaxCpuPerUserLimit,
    /// The QoS's MaxTRESPerUser: memory.
    QOSMaxMemoryPerUser,
    /// The QoS's MaxTRESPerUser: nodes.
    QOSMaxNodePerUserLimit,
    /// The QoS's MaxTRESPerUser: generic resources.
    QOSMaxGRESPerUser,
    /// The QoS's MaxTRESPerJob: CPUs.
    QOSMaxCpuPerJobLimit,
    /// The QoS's MaxTRESPerJob: nodes.
    QOSMaxNodePerJobLimit,
    /// The QoS's MaxTRESPerJob: memory.
    QOSMaxMemoryPerJob,
    /// The QoS's MaxTRESPerJob: generic resources.
    QOSMaxGRESPerJob,
    /// The QoS's MinTRESPerJob: memory.
    QOSMinMemory,
    /// The QoS's MinTRESPerJob: CPUs.
    QOSMinCpuNotSatisfied,
    /// The QoS's MinTRESPerJob: generic resources.
    QOSMinGRES,
    /// The QoS's GrpTRES: CPUs.
    QOSGrpCpuLimit,
    /// The QoS's GrpTRES: memory.
    QOSGrpMemLimit,
    /// The QoS's GrpTRES: nodes.
    QOSGrpNodeLimit,
    /// The QoS's GrpTRES: generic resources.
    QOSGrpGRES,
    /// The QoS's GrpJobs.
    QOSGrpJobsLimit,
    /// The QoS's MaxWall is below the job's limit.
    QOSMaxWallDurationPerJobLimit,
    /// The time limit is above the partition's.
    PartitionTimeLimit,
    /// More CPUs than the partition has, so that it can never start there.
    PartitionConfig,
    /// No nodes of the partition can hold it, as it is or as they are now.
    BadConstraints,
    /// More nodes than the partition allows.
    PartitionNodeLimit,
    /// Nodes that the job needs are down, drained or reserved.
    ReqNodeNotAvail,
    /// The first job of its partition finds too few nodes in service.
    NodesNotInService,
    /// The partition is down.
    PartitionDown,
    /// The partition is inactive.
    PartitionInactive,
    /// The partition does not take the job's account.
    AccountNotAllowed,
    /// The partition does not take the job's QoS.
    QOSNotAllowed,
    /// The licences it needs are in use.
    Licenses,
    /// More memory than the partition's MaxMemPerNode allows.
    MaxMemPerLimit,
    /// `launch failed requeued held`: a prolog failed.
    LaunchFailedHeld,
}

impl PendingReason {
    /// Whether it is [`PendingReason::None`].
    pub fn is_none(&self) -> bool {
        *self == PendingReason::None
    }

    /// Whether the job waits for its turn only: for resources, or for jobs of higher priority. sacct's Reason tells of
    /// nothing of the kind.
    pub fn is_turn(self) -> bool {
        matches!(self, PendingReason::None | PendingReason::Resources | PendingReason::Priority)
    }
}

impl fmt::Display for PendingReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PendingReason::NodesNotInService => f.write_str(
                "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions",
            ),
            PendingReason::JobRequeuedHeld => f.write_str("job requeued in held state"),
            PendingReason::LaunchFailedHeld => f.write_str("launch failed requeued held"),
            // The other variants are spelled as Slurm spells them.
            _ => write!(f, "{self:?}"),
        }
    }
}
