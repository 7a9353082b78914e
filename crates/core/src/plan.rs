//! What a planner proposes.

use bivouac_types::{JobId, PendingReason, TimeLimit, Timestamp};
use std::collections::BTreeMap;

/// Which jobs to start now and where; why the others wait and when they are expected to start. Only the starts
/// lead to events: reasons and expectations are shown, never stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// When it was made.
    pub made: Option<Timestamp>,
    /// Jobs to start, in this order.
    pub starts: Vec<Start>,
    /// Why a job waits, for the jobs that the planner looked at.
    pub reasons: BTreeMap<JobId, PendingReason>,
    /// Entries of the queue that were looked at.
    pub looked: usize,
    /// Entries for which a place was sought.
    pub tried: usize,
    /// Starts ahead of a job that has to wait.
    pub backfilled: usize,
    /// When and on which nodes a job is expected to start, where the planner worked it out.
    pub expected: BTreeMap<JobId, (Timestamp, Vec<String>)>,
}

/// One job, or one task of an array, to start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// The record.
    pub job: JobId,
    /// The task, if the record stands for several.
    pub task: Option<u32>,
    /// In which partition, as index into the configuration's partitions.
    pub partition: usize,
    /// On which nodes.
    pub nodes: Vec<NodePick>,
    /// Its time limit, where that is less than it could have; not less than its --time-min.
    pub limit: Option<TimeLimit>,
    /// It overtakes a job that has a reservation.
    pub backfill: bool,
    /// Why it waited, as the plan before this one said.
    pub waited: PendingReason,
}

/// A node and how many of the job's tasks go there. The core chooses the CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodePick {
    /// Index into the configuration's nodes.
    pub node: usize,
    /// Tasks of the job.
    pub tasks: u32,
}
