//! Identifiers. Each is its own type, so that a job id cannot be passed where a user id is meant.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
        #[serde(transparent)]
        pub struct $name(pub u32);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

id!(
    /// A job's number. Every array task that has started has one of its own, as in Slurm.
    JobId
);
id!(
    /// A user's number as the kernel knows it.
    Uid
);
id!(
    /// A group's number as the kernel knows it.
    Gid
);

impl Uid {
    /// The superuser.
    pub const ROOT: Uid = Uid(0);
}

/// One launch of a job: a requeued job is launched again under the next `restart`, and a report that names an
/// older one changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Attempt {
    /// The job.
    pub job: JobId,
    /// How often the job had been restarted when this launch was granted (SLURM_RESTART_COUNT).
    pub restart: u32,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.job, self.restart)
    }
}

/// Which step of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StepKind {
    /// The batch script.
    Batch,
    /// Everything on the node that belongs to no other step.
    Extern,
    /// A step made by srun, counted from 0.
    Number(u32),
}

/// A step's identifier, printed `12.batch`, `12.extern` or `12.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepId {
    /// The job that the step belongs to.
    pub job: JobId,
    /// Which of its steps.
    pub step: StepKind,
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StepKind::Batch => f.write_str("batch"),
            StepKind::Extern => f.write_str("extern"),
            StepKind::Number(n) => write!(f, "{n}"),
        }
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.job, self.step)
    }
}
