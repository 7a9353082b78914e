//! The keeper: launches jobs, watches them and keeps their exit codes until the controller has them for certain.
//!
//! It owns the batch processes and the journal of their fates. It must never know what a queue, a partition or a
//! schedule is; it needs no configuration. A reader starts with [`logic`] (what it does), then [`protocol`] (how it
//! is told), then the daemon.

pub mod codec;
pub mod logic;
pub mod order;
pub mod protocol;
pub mod record;
pub mod report;
