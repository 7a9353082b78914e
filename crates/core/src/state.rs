//! What is stored of a cluster.

use crate::command::RequestKey;
use crate::job::{Job, Submission};
use bivouac_types::node::NodeStand;
use bivouac_types::partition::PartitionRecord;
use bivouac_types::{Duration, JobId, Timestamp, Uid};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All that is stored of a cluster: the fold of its events. A snapshot is this, serialized.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The cluster's first job id: smaller ones never existed.
    pub first_id: u32,
    /// The next job id.
    pub next_id: u32,
    /// Every submission that a job is of. It is shared, as jobs are: rows are made of both while the state goes on.
    pub submissions: BTreeMap<JobId, Arc<Submission>>,
    /// Every job that is not forgotten.
    pub jobs: BTreeMap<JobId, Arc<Job>>,
    /// Keys of forgotten submissions, for clients that ask again late: when each was used, by whom, for what.
    #[serde(default)]
    pub used_keys: BTreeMap<RequestKey, UsedKey>,
    /// What operators and failures made of nodes, by name; the others are as the configuration says.
    #[serde(default)]
    pub nodes: BTreeMap<String, NodeStand>,
    /// What operators made of partitions, in the order of the first change of each.
    #[serde(default)]
    pub partitions: Vec<PartitionRecord>,
    /// When a job last left a node, or the node came back into service, by name.
    #[serde(default)]
    pub last_busy: BTreeMap<String, Timestamp>,
}

/// A request key whose submission is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedKey {
    /// The job that was submitted under it.
    pub job: JobId,
    /// By whom.
    pub uid: Uid,
    /// When, by the run clock.
    pub at: Duration,
}

/// For so long after the submission a key is remembered at least.
pub const KEY_MEMORY: Duration = Duration::from_secs(600);

impl State {
    /// Of a cluster whose first job gets that number.
    pub fn new(first_id: u32) -> State {
        State { first_id, next_id: first_id, ..State::default() }
    }

    /// What the job asks for: its submission, as changed for it.
    pub fn submission<'a>(&'a self, job: &'a Job) -> Option<&'a Arc<Submission>> {
        job.amended.as_ref().or_else(|| self.submissions.get(&job.origin))
    }
}
