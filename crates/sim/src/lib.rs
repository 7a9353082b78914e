//! A deterministic simulation of a cluster: the real core, the real planner and the keeper's real logic under
//! virtual time, with faults, driven by one seed.
//!
//! Owns a model of everything around that code (store, processes, reaper, connections, users) and an
//! independent judge of the outcome. Must never use a clock, a thread, a file or any other source of chance than
//! its seed: two runs of a seed do the same.
//!
//! What is simulated: messages lost with their connection, doubled, and (from the keeper, where they may be)
//! reordered; controller, keeper and reaper killed between any two steps, also during recovery; a torn last
//! record, a flipped bit, a full disk, a damaged journal record, steps of the wall clock, reboots. Messages to
//! the keeper keep their order within a connection, as on the stream that carries them.
//!
//! A reader starts at [`sim`] (the loop), then `controller` (the shell around the core), `machine` (keeper,
//! reaper, processes), `users`, and `checker` (the judge).

mod checker;
mod controller;
mod disk;
mod keeper_mail;
mod machine;
pub mod planted;
mod processes;
mod rng;
mod shape;
pub mod sim;
mod users;

pub use planted::Planted;
pub use sim::{Seen, Verdict, run};
