//! The controller's state machine, with no I/O: what a cluster is, what may happen to it, and what the outside
//! should then do.
//!
//! Owns the truth about jobs, allocations and limits. Must never know a file, a socket, a clock, a process, a
//! thread or a random number: times come in with each command ([`bivouac_types::Now`]), effects go out as
//! values. It must also not know how a plan was made: [`Plan`] comes from outside and is checked like any
//! other command.
//!
//! ```text
//! decide(&self, command, now) -> Result<Vec<Event>, Reject>   changes nothing; the refusal has the user's text
//! apply(&mut self, &Event)                                    total; the only way that state changes
//! effects(&self, &Event) -> Vec<Effect>                       after apply; safe to repeat
//! next_deadline(&self, now) -> Option<Duration>               when to send Command::Tick
//! check(&self) -> Result<(), Violation>                       every invariant, recomputed
//! ```
//!
//! The rule of the caller: events of a decision are made durable together, then applied in order, and only
//! then answered or acted upon. Live state is the fold of the events; a snapshot is a [`Cluster`] serialized.
//!
//! A reader starts at [`job`] (what a job is at each moment), then [`event`] (all that can happen), then
//! [`cluster`] and `decide/`.

mod access;
pub mod alloc;
mod apply;
mod check;
pub mod cluster;
pub mod command;
pub mod constraint;
mod cores;
mod decide;
pub mod demand;
pub mod deps;
pub mod effect;
pub mod event;
pub mod index;
pub mod index_set;
mod info;
pub mod job;
pub mod ledger;
pub mod limits;
pub mod need;
mod node_info;
pub mod place;
pub mod plan;
pub mod priority;
pub mod state;
pub mod tables;
pub mod world;

pub use alloc::NodeAlloc;
pub use bivouac_types::JobChange;
pub use check::Violation;
pub use cluster::{Cluster, RestoreError};
pub use command::{Caller, CancelScope, Command, JobTarget, KeeperReport, PayloadId, RequestKey, StepAsk};
pub use effect::{Effect, SignalScope};
pub use event::{Change, Event};
pub use index_set::IndexSet;
pub use info::JobView;
pub use job::{EndCause, Hold, Job, Launch, Owner, Pending, Phase, Place, Repeated, Run, Submission};
pub use ledger::Ledger;
pub use plan::{NodePick, Plan, Start};
pub use state::{KeptChanges, State};
