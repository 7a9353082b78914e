//! The planner: which jobs to start now, and where. A pure function of the cluster.
//!
//! Owns the policy: the order is the core's queue, the rest is decided here. Must never know a clock, a file or
//! how a plan is carried out. A mistake here costs throughput, not correctness: the core checks every start
//! anew.
//!
//! A reader starts at [`plan`]. The policy in short: jobs are tried in order; the first that finds no room
//! gets a reservation at the earliest time at which the running jobs' time limits leave it room; jobs behind it
//! start if they end before that time or leave the reservation its room, with no more time than their --time-min.
//! Jobs that a limit blocks reserve nothing.

mod forecast;
mod planner;
mod reservation;

pub use forecast::{Forecast, test_only};
pub use planner::plan;
