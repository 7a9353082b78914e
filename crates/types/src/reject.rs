//! Refusals: what the controller says when it does not do what was asked, in Slurm's words, which scripts read.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A refused command. `Display` is Slurm's text for the error number; the clients put their own prefix before it
/// (`sbatch: error: Batch job submission failed: `).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reject {
    /// The partition does not exist.
    InvalidPartition(String),
    /// The account is not the user's, or not of this cluster.
    InvalidAccount(String),
    /// The QoS does not exist, or the partition does not allow it.
    InvalidQos(String),
    /// A node of -w or -x does not exist.
    InvalidNodeName(String),
    /// A feature that no node has.
    InvalidFeature(String),
    /// A generic resource that no node has, or not so many.
    InvalidGres(String),
    /// No set of nodes of the partition can ever hold the job.
    NodeConfigUnavailable,
    /// The memory asked for is on no node.
    MemorySpecification,
    /// The temporary disk asked for is on no node.
    TmpDisk,
    /// No node has the sockets, cores and threads asked for.
    NodeShape,
    /// Time limit above the partition's or the QoS's maximum where that is refused at submission.
    InvalidTimeLimit,
    /// Node count below or above what the partition allows.
    InvalidNodeCount,
    /// More CPUs than the partition's nodes have together.
    TooManyCpus,
    /// A dependency that cannot be: unknown job, itself, a cycle.
    DependencyProblem,
    /// An array expression with an index above MaxArraySize, or none at all.
    InvalidArray,
    /// A submit limit (MaxSubmitJobs) is reached.
    QosSubmitLimit,
    /// A limit of the QoS that the job alone exceeds, where the QoS denies at submission.
    QosLimit,
    /// MaxJobCount is reached.
    TooManyJobs,
    /// No such job.
    InvalidJobId,
    /// The job has no such step.
    NoSuchStep,
    /// It has no batch script.
    NoScript,
    /// It is no batch job.
    BatchOnly,
    /// The job has ended already.
    JobFinished,
    /// The job has ended: it cannot be held, released or changed any more.
    JobEnded,
    /// The job is another user's, and only its owner or an operator may hold or change it.
    InvalidUser,
    /// A negative --nice by an ordinary user.
    InvalidNice,
    /// No node has as many CPUs as a task, or the tasks of one node, need.
    CpusPerNode,
    /// The CPUs that a step asks for are used by other steps: srun tries again.
    StepBusy,
    /// The job is pending, and what was asked needs a running one.
    JobPending,
    /// The caller may not do that.
    AccessDenied,
    /// A time that has passed.
    InvalidTime,
    /// More CPUs than the job's partitions have.
    PartitionConfig,
    /// --begin after the deadline.
    InvalidBeginTime,
    /// The job cannot be changed in this way in its state.
    NotInThisState,
    /// Only a pending job can be changed in this way.
    NotPending,
    /// Only a running job can be changed in this way.
    NotRunning,
    /// The job is not suspended.
    NotSuspended,
    /// The job is held: its priority cannot be set.
    JobHeld,
    /// What this cluster does not have (burst buffers, resizing ...).
    NotSupported,
    /// A CPU count that the job's tasks cannot have.
    InvalidCpuCount,
    /// A licence that the cluster does not have, or not so many.
    InvalidLicenses,
    /// --batch names what --constraint does not.
    InvalidBatchFeatures,
    /// A reservation that does not exist, or that the job may not use.
    InvalidReservation,
    /// A preferred feature that no node has.
    InvalidPrefer,
    /// The least time limit is above the time limit.
    InvalidTimeMin,
    /// The node cannot be put into that state from the one it is in.
    InvalidNodeState,
    /// Features are to be active that the node does not have.
    InactiveFeatures,
    /// No group of the user's is among the partition's AllowGroups.
    GroupNotPermitted,
    /// The partition takes no jobs at present.
    PartitionUnavailable,
    /// More memory than the partition's MaxMemPerNode allows.
    TaskMemory,
    /// JobSubmitPlugins=require_timelimit: no --time was given.
    MissingTimeLimit,
    /// The partition has jobs, and cannot be deleted.
    PartitionInUse,
    /// A field that cannot be changed, or a value it cannot have.
    InvalidValue(String),
    /// A step cannot be made: more tasks or CPUs than the job has.
    StepTooLarge,
    /// The state cannot be stored now (disk full): nothing was accepted.
    Storage(String),
    /// The request was refused for a reason that is ours, with the full sentence.
    Other(String),
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Reject::InvalidPartition(_) => "Invalid partition name specified",
            Reject::InvalidAccount(_) => "Invalid account or account/partition combination specified",
            Reject::InvalidQos(_) => "Invalid qos specification",
            Reject::InvalidNodeName(_) => "Invalid node name specified",
            Reject::InvalidFeature(_) => "Invalid feature specification",
            Reject::InvalidGres(_) => "Invalid generic resource (gres) specification",
            Reject::NodeConfigUnavailable => "Requested node configuration is not available",
            Reject::MemorySpecification => "Memory specification can not be satisfied",
            Reject::TmpDisk => "Temporary disk specification can not be satisfied",
            Reject::NodeShape => "Socket, core and/or thread specification can not be satisfied",
            Reject::InvalidTimeLimit => "Requested time limit is invalid (missing or exceeds some limit)",
            Reject::InvalidNodeCount => "Node count specification invalid",
            Reject::TooManyCpus => "More processors requested than permitted",
            Reject::DependencyProblem => "Job dependency problem",
            Reject::InvalidArray => "Invalid job array specification",
            Reject::QosSubmitLimit | Reject::QosLimit => {
                "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"
            }
            Reject::TooManyJobs => "Resource temporarily unavailable",
            Reject::InvalidJobId | Reject::NoSuchStep => "Invalid job id specified",
            Reject::NoScript => "Job script not specified",
            Reject::BatchOnly => "Only batch jobs are accepted or processed",
            Reject::JobFinished => "Job/step already completing or completed",
            Reject::JobEnded => "Job has already finished",
            Reject::InvalidUser => "Invalid user id",
            Reject::InvalidNice => "Invalid --nice value",
            Reject::CpusPerNode => "CPU count per node can not be satisfied",
            Reject::StepBusy => "Requested nodes are busy",
            Reject::JobPending => "Job is pending execution",
            Reject::AccessDenied => "Access/permission denied",
            Reject::InvalidTime => "Invalid time specified",
            Reject::PartitionConfig => "Requested partition configuration not available now",
            Reject::InvalidBeginTime => "Incompatible begin and deadline time specification",
            Reject::NotInThisState => "Requested operation is presently disabled",
            Reject::NotPending => "Job is no longer pending execution",
            Reject::NotRunning => "Job is not running",
            Reject::NotSuspended => "Job is not suspended",
            Reject::JobHeld => "Job is in held state, pending scheduler release",
            Reject::NotSupported => "Requested operation not supported on this system",
            Reject::InvalidCpuCount => "CPU count specification invalid",
            Reject::InvalidLicenses => "Invalid license specification",
            Reject::InvalidBatchFeatures => "Job --batch option is invalid or not a subset of --constraints",
            Reject::InvalidReservation => "Requested reservation is invalid",
            Reject::InvalidPrefer => "Invalid preferred feature specification",
            Reject::InvalidTimeMin => "Invalid time-min specification (exceeds job's time or other limits)",
            Reject::InvalidNodeState => "Invalid node state specified",
            Reject::InactiveFeatures => "Active features not subset of available features",
            Reject::PartitionUnavailable => "Required partition not available (inactive or drain)",
            Reject::GroupNotPermitted => "User's group not permitted to use this partition",
            Reject::MissingTimeLimit => "Time limit specification required, but not provided",
            Reject::TaskMemory => "Memory required by task is not available",
            Reject::PartitionInUse => "Partition is in use",
            Reject::InvalidValue(_) => "Invalid value specified",
            Reject::StepTooLarge => "More processors requested than permitted",
            Reject::Storage(what) | Reject::Other(what) => what,
        };
        f.write_str(text)
    }
}

impl std::error::Error for Reject {}
