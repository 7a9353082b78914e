//! The words of the cluster: ids, times, resources, job specifications, states, reasons and refusals, with
//! their parsing and printing in Slurm's spelling.
//!
//! Owns the vocabulary that every other crate speaks. Must never know a file, a socket, a clock, a process or
//! a terminal: all functions are pure, and what depends on "now" or on a time zone takes it as an argument.
//! A reader starts at [`job`] (what a user asks for), [`state`] (what became of it) and [`config`] (what the
//! cluster is).

pub mod array;
pub mod blob;
pub mod change;
pub mod config;
pub mod depend;
pub mod diagnostics;
pub mod distribution;
pub mod fault;
pub mod hostlist;
pub mod ids;
pub mod info;
pub mod job;
pub mod license;
pub mod memory;
pub mod mpi;
pub mod node;
pub mod noted;
pub mod parameters;
pub mod partition;
pub mod pattern;
pub mod priority;
pub mod reason;
pub mod reject;
pub mod state;
pub mod time;
pub mod tres;
pub mod trigger;
pub mod usage;
pub mod when;

pub use array::{ArraySpec, TaskSet};
pub use blob::Blob;
pub use change::JobChange;
pub use depend::Dependency;
pub use distribution::Distribution;
pub use hostlist::HostList;
pub use ids::{Attempt, Gid, JobId, StepId, StepKind, Uid};
pub use job::JobSpec;
pub use license::LicenseRequest;
pub use memory::MemRequest;
pub use mpi::Mpi;
pub use noted::Noted;
pub use reason::PendingReason;
pub use reject::Reject;
pub use state::{ExitStatus, JobState, Outcome};
pub use time::{Duration, Now, StepLimit, TimeLimit, Timestamp};
pub use tres::GresRequest;
