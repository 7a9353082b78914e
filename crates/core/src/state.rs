//! What is stored of a cluster.

use crate::job::{Job, Submission};
use bivouac_types::JobId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All that is stored of a cluster: the fold of its events. A snapshot is this, serialized.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The cluster's first job id: smaller ones never existed.
    pub first_id: u32,
    /// The next job id.
    pub next_id: u32,
    /// Every submission that a job is of.
    pub submissions: BTreeMap<JobId, Submission>,
    /// Every job that is not forgotten.
    pub jobs: BTreeMap<JobId, Job>,
}

impl State {
    /// Of a cluster whose first job gets that number.
    pub fn new(first_id: u32) -> State {
        State { first_id, next_id: first_id, ..State::default() }
    }

    /// What the job is of.
    pub fn submission(&self, job: &Job) -> Option<&Submission> {
        self.submissions.get(&job.origin)
    }
}
