//! What the controller counts of its own work, as sdiag shows it.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Everything sdiag shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Diagnostics {
    /// When this was asked.
    pub at: Timestamp,
    /// Since when is counted: the controller's start, or the last reset.
    pub since: Timestamp,
    /// Threads that serve clients.
    pub threads: u32,
    /// What became of jobs.
    pub jobs: JobCounts,
    /// Jobs that are pending.
    pub pending: u64,
    /// Jobs that are running.
    pub running: u64,
    /// The planner's passes over the queue.
    pub main: Passes,
    /// Those of them that went on behind a job that has to wait.
    pub backfill: Passes,
    /// Jobs started ahead of one that has to wait, since the controller's start.
    pub backfilled_ever: u64,
    /// The same since the last reset.
    pub backfilled: u64,
    /// When a pass last went on behind a job that has to wait.
    pub last_backfill: Option<Timestamp>,
    /// Time of 1000 readings of the clock at the start, microseconds.
    pub clock_latency_us: u64,
    /// Requests by type.
    pub by_type: Vec<Calls>,
    /// Requests by user.
    pub by_user: Vec<Calls>,
}

/// How many jobs; an array counts each of its tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobCounts {
    /// Submitted.
    pub submitted: u64,
    /// Started.
    pub started: u64,
    /// Ended by themselves, or by their time limit.
    pub completed: u64,
    /// Cancelled.
    pub canceled: u64,
    /// Lost with their node, or not to be launched.
    pub failed: u64,
}

/// Passes over the queue. Times are in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passes {
    /// How many.
    pub count: u64,
    /// Time of the last.
    pub last_us: u64,
    /// The longest.
    pub max_us: u64,
    /// All together.
    pub total_us: u64,
    /// Jobs looked at in the last.
    pub last_depth: u64,
    /// Of these, jobs for which a place was sought.
    pub last_tried: u64,
    /// Jobs looked at in all.
    pub total_depth: u64,
    /// Jobs for which a place was sought in all.
    pub total_tried: u64,
    /// Entries of the queue at the last.
    pub last_queue: u64,
    /// Entries of the queue, summed over all.
    pub total_queue: u64,
}

impl Passes {
    /// Enters a pass.
    pub fn enter(&mut self, us: u64, depth: u64, tried: u64, queue: u64) {
        self.count += 1;
        self.last_us = us;
        self.max_us = self.max_us.max(us);
        self.total_us += us;
        (self.last_depth, self.last_tried, self.last_queue) = (depth, tried, queue);
        self.total_depth += depth;
        self.total_tried += tried;
        self.total_queue += queue;
    }

    /// The mean of a total; none before the first pass.
    pub fn mean(&self, total: u64) -> Option<u64> {
        total.checked_div(self.count)
    }
}

/// Requests of one type or of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    /// Slurm's name of the type, or the user's.
    pub name: String,
    /// Slurm's number of the type, or the user's.
    pub id: u32,
    /// How many.
    pub count: u64,
    /// The time that the owner of the state spent on them, microseconds.
    pub total_us: u64,
}

impl Calls {
    /// The mean time.
    pub fn mean_us(&self) -> u64 {
        self.total_us.checked_div(self.count).unwrap_or(0)
    }
}
