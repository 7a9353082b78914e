//! What processes use of the machine: CPU time, memory, page faults, bytes read and written.
//!
//! Owns the reading of `/proc` and of a control group's `cpu.stat`, and the [`Gauge`], which follows one task from its
//! start to its end. Must never know what a job is. A reader starts at [`Gauge`]; what the files say is parsed in
//! [`parse`], which is pure.
//!
//! # What a gauge can know
//!
//! | quantity | while it runs | when it has ended |
//! |---|---|---|
//! | CPU time, page faults | of all processes below the task, those included that it has waited for | exact, by wait(2) |
//! | bytes read and written | the same | exact: a zombie still tells those of itself and of what it waited for |
//! | largest resident set | of all processes together at each look | the largest of that, and of any single process |
//! | largest virtual size | of all processes together at each look | the same |
//!
//! A process whose parent ended before it (a daemon) leaves the task's tree. It is followed on its own, from the look at
//! which it was seen to its last; what it used after that is told by its collector, if the task has one
//! ([`Gauge::collected`]), or by a control group.

mod gauge;
pub mod parse;
mod process;

pub use gauge::{Gauge, Used};
pub use process::{Process, below, children, io_of, process};
