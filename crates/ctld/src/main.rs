//! `bivouacd`, the controller: one owner of the cluster's state, between the clients, the database and the keeper.
//!
//! Owns the order of things: mail comes in ([`mailbox`]), the core decides, the store makes it durable, and only then
//! is anything answered, launched or shown ([`controller`]). Must never know how a job is placed (that is `bivouac-sched`) or
//! how a process is made (that is the keeper's). A reader starts at [`controller::Controller`].

/// A line for the log. `eprintln!` would panic where the disk that holds the log is full.
macro_rules! say {
    ($($what:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($what)*);
    }};
}

mod accounting;
mod allocation;
mod clock;
mod configuration;
mod connection;
mod controller;
mod environment;
mod faults;
mod history;
mod keeper_link;
mod keeper_mail;
mod launch;
mod limits;
mod lock;
mod mail;
mod mailbox;
mod measure;
mod names;
mod node_names;
mod notice;
mod programs;
mod queries;
mod requests;
mod spells;
mod spool;
mod start;
mod statistics;
mod steps;
mod trigger;
mod watch;

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    match start::serve(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            // Whoever started us reads this line; in the background it goes to the log.
            let _ = writeln!(std::io::stdout(), "{problem}");
            ExitCode::FAILURE
        }
    }
}
