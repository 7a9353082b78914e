//! Job dependencies: `afterok:12:13,singleton`.

use crate::ids::JobId;
use crate::time::Duration;
use serde::{Deserialize, Serialize};

/// --dependency: conditions that must all hold (`,`) or of which one suffices (`?`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// The conditions in the given order.
    pub terms: Vec<DependencyTerm>,
    /// Joined by `?`: one that holds is enough.
    pub any: bool,
}

/// One condition on one job (`afterok:12:13` makes two).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DependencyTerm {
    /// `after:job[+minutes]`: it has begun or was cancelled, and the delay has passed since.
    After {
        /// What is waited for.
        job: DependencyTarget,
        /// The delay.
        delay: Duration,
    },
    /// `afterany:job`: it has ended.
    AfterAny(DependencyTarget),
    /// `afterok:job`: it has ended with exit code 0.
    AfterOk(DependencyTarget),
    /// `afternotok:job`: it has ended otherwise.
    AfterNotOk(DependencyTarget),
    /// `singleton`: no earlier job of the same user and name is pending or running.
    Singleton,
}

/// The job of a dependency: `12`, or an array's task `12_3`. A whole array counts as ended when all its tasks have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DependencyTarget {
    /// The job or array.
    pub job: JobId,
    /// The task of the array.
    pub task: Option<u32>,
}
