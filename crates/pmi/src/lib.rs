//! PMI, by which the tasks of an MPI program find each other: both wire protocols, and the server of one step.
//!
//! **Owns** what tasks and the process manager say to each other over `PMI_FD`: PMI-1 (lines of words, [`line`]), PMI-2
//! (frames, [`frame`]), and who is answered what and when ([`Server`]). **Must never know** a socket, a process or a
//! clock: bytes of a rank come in, bytes for ranks go out.
//!
//! Learned by watching: MPICH 4.0 and 5.0 and Slurm's libpmi2 speak to Slurm 22.05.8 and to MPICH's mpiexec. Where these two
//! answer differently, this answers as Slurm does.
//!
//! **Start reading** at [`Server::receive`]; then `one.rs` and `two.rs`, which answer the commands.

mod command;
pub mod frame;
pub mod line;
mod mapping;
mod one;
mod server;
mod stream;
mod two;
mod values;

pub use command::{Command, Malformed};
pub use mapping::process_mapping;
pub use server::{Reaction, Server, Step};

#[cfg(test)]
mod tests;
