//! The keeper: launches jobs, watches them and keeps their exit codes until the controller has them for certain.
//!
//! It owns the batch processes and the journal of their fates. It must never know what a queue, a partition or a
//! schedule is; it needs no configuration. A reader starts with [`logic`] (what it does), then [`protocol`] (how it
//! is told), then the daemon.

pub mod cgroup;
pub mod client;
pub mod codec;
pub mod confine;
pub mod daemon;
pub mod journal;
pub mod launch;
pub mod logic;
pub mod login;
pub mod order;
pub mod place;
pub mod protocol;
pub mod reaper;
pub mod record;
pub mod report;
pub mod scratch;
pub mod search;
pub mod server;
pub mod slot;
pub mod slots;
pub mod sys;
