//! The cluster.

use crate::command::{Command, KeeperReport, RequestKey};
use crate::effect::Effect;
use crate::event::Event;
use crate::job::{Job, Submission};
use bivouac_types::config::ClusterConfig;
use bivouac_types::{Duration, JobId, Now, Reject};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All that is stored of a cluster: the fold of its events. A snapshot is this, serialized.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The next job id.
    pub next_id: u32,
    /// Every submission that a job is of.
    pub submissions: BTreeMap<JobId, Submission>,
    /// Every job that is not purged.
    pub jobs: BTreeMap<JobId, Job>,
}

/// The cluster: state, and what is derived from it to answer quickly.
#[derive(Clone, Debug)]
pub struct Cluster {
    config: Arc<ClusterConfig>,
    state: State,
}

/// Why a stored state does not fit a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreError(pub String);

/// An invariant that does not hold: a bug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

impl Cluster {
    /// A new, empty cluster.
    pub fn new(config: Arc<ClusterConfig>) -> Cluster {
        let state = State { next_id: config.first_job_id.max(1), ..State::default() };
        Cluster { config, state }
    }

    /// A cluster as it was stored, or the same cluster under a changed configuration.
    ///
    /// # Errors
    /// A running job has resources that the configuration does not have.
    pub fn restore(config: Arc<ClusterConfig>, state: State) -> Result<Cluster, RestoreError> {
        Ok(Cluster { config, state })
    }

    /// What a snapshot stores.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The configuration.
    pub fn config(&self) -> &Arc<ClusterConfig> {
        &self.config
    }

    /// Every job that is not forgotten, by number.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.state.jobs.values()
    }

    /// The job of that number.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.state.jobs.get(&id)
    }

    /// What was submitted when the job was.
    pub fn submission(&self, job: &Job) -> Option<&Submission> {
        self.state.submissions.get(&job.origin)
    }

    /// The job that was submitted under that key.
    pub fn job_of_key(&self, key: RequestKey) -> Option<JobId> {
        self.state.submissions.values().find(|s| s.key == key).map(|s| s.id)
    }

    /// What a command leads to. Changes nothing.
    ///
    /// # Errors
    /// The refusal, in Slurm's words.
    pub fn decide(&self, _cmd: Command, _now: Now) -> Result<Vec<Event>, Reject> {
        Err(Reject::Other("not there yet".into()))
    }

    /// Makes an event part of the state.
    pub fn apply(&mut self, _event: &Event) {}

    /// What the outside should do about an event that was applied and is durable.
    pub fn effects(&self, _event: &Event) -> Vec<Effect> {
        Vec::new()
    }

    /// What to do about a report that decided to nothing: acknowledge it, or stop what should not run.
    pub fn stale_effects(&self, _report: &KeeperReport) -> Vec<Effect> {
        Vec::new()
    }

    /// What should be going on, for a controller that has just started or has a new keeper.
    pub fn resume_effects(&self) -> Vec<Effect> {
        Vec::new()
    }

    /// How long until [`Command::Tick`] has something to do.
    pub fn next_deadline(&self, _now: Now) -> Option<Duration> {
        None
    }

    /// Checks every invariant, recomputing what is kept incrementally.
    ///
    /// # Errors
    /// The first that does not hold.
    pub fn check(&self) -> Result<(), Violation> {
        Ok(())
    }
}
