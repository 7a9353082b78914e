//! The options of Slurm's commands: what each command takes, how a command line, a variable and an `#SBATCH` line
//! are read, and what a job asks for by them.
//!
//! Owns the one table ([`table`]) from which parsing ([`getopt`]), `--help` ([`help`]) and docs/compatibility.md
//! ([`compatibility`]) are made. Must never know a file, a socket or a terminal. A reader starts at [`table`], then
//! reads [`getopt::read`].
//!
//! An honoured option that was given but that nobody asked for is an error ([`getopt::Given::finish`]): nothing can
//! be accepted and then ignored.

pub mod compatibility;
pub mod completion;
pub mod cpu_bind;
pub mod directive;
pub mod export;
pub mod foreign;
pub mod getopt;
pub mod gpu_bind;
pub mod help;
pub mod job;
pub mod job_update;
pub mod manual;
pub mod salloc;
pub mod sattach;
pub mod sbatch;
pub mod sbcast;
pub mod scancel;
pub mod signal;
pub mod sreport;
pub mod srun;
pub mod step_update;
pub mod table;
pub mod update;
pub mod value;

pub use getopt::{Choice, Given, Invocation, JOB_VARIABLES, Source, UsageError, read};
pub use table::{Arg, Opt, PROGRAMS, Program, Status};
