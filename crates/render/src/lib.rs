//! What squeue, sinfo, sacct and scontrol print: rows and a format in, text out.
//!
//! Owns every column, heading, width, default format, filter and sort order of those commands, in Slurm's spelling.
//! Must never know a socket, a clock, the environment or a terminal: what depends on "now", on a time zone or on
//! a variable comes in as [`Settings`]. A reader starts at [`table`] (the one renderer), then at the module of a
//! command; [`job`] holds what several commands say about a job.
//!
//! The facts (headings, widths, forms of values) were observed on Slurm 22.05.8 and read in its man pages.

pub mod efficiency;
pub mod job;
pub mod json;
mod measured;
pub mod request;
pub mod sacct;
pub mod scontrol;
pub mod sdiag;
pub mod settings;
pub mod sinfo;
pub mod sprio;
pub mod squeue;
pub mod sreport;
pub mod sshare;
pub mod strigger;
pub mod table;
pub mod tres;

pub use settings::{Machine, Settings, Units};
pub use table::{Layout, Table};

#[cfg(test)]
mod fixture;
