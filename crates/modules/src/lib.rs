//! The `module` command: Lua modulefiles in the manner of Lmod 9.
//!
//! This crate owns finding, evaluating and undoing modulefiles, the state of a session's loaded modules, and the shell
//! code and functions that bring the changes about. It must never know of jobs, daemons, sites or conda: where
//! modulefiles lie comes from MODULEPATH, and what a site's modules do is written in its modulefiles.
//!
//! A reader starts at [`command::run`]: words and environment in, shell code out. [`session`] holds what changes,
//! `operations` the rules of loading and unloading, [`interpreter`] and `functions` evaluate files into
//! [`action::Action`]s, `perform` does and undoes these. Messages go to the user as they come; the code is printed at
//! the end, so that a command which fails has changed nothing.

pub mod action;
mod arguments;
mod columns;
pub mod command;
mod encoding;
pub mod environment;
pub mod failure;
mod functions;
pub mod hierarchy;
pub mod init;
pub mod interpreter;
mod library;
pub mod modulerc;
mod operations;
pub mod options;
pub mod pathlist;
mod perform;
mod report;
pub mod session;
pub mod shell;
pub mod state;
mod suggest;
pub mod tree;
pub mod version;

/// The version of Lmod whose behaviour this follows; scripts look for it in the variable of the same name.
pub const LMOD_VERSION: &str = "9.0";
