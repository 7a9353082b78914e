//! `sinfo`.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command.
pub fn run(_args: &[OsString]) -> ExitCode {
    ExitCode::FAILURE
}
