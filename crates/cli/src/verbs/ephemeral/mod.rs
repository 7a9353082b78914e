//! `bivouac ephemeral -- COMMAND...`: a private cluster in a temporary folder, for as long as one command runs.
//!
//! Two processes share the work. The *guard* ([`guard`]) is a child in a session of its own: it makes the folder,
//! starts the cluster, and ends and removes both when the pipe to us closes, which it does however we end. We run the
//! command ([`command`]) and pass its end on.

mod command;
mod guard;

use super::{Words, fail, up, usage};
use guard::Guard;
use std::process::ExitCode;

/// The exit code when the cluster could not be had, as of `timeout`, `env` and their like.
const NO_CLUSTER: u8 = 125;

pub(super) fn run(mut words: Words) -> ExitCode {
    let command = words.command();
    let site = match words.value("--site") {
        Ok(site) => site,
        Err(code) => return code,
    };
    if let Err(code) = words.end() {
        return code;
    }
    if command.is_empty() {
        return usage("a command is missing: bivouac ephemeral [--site PROFILE] -- COMMAND...");
    }
    let site = match up::absolute(site) {
        Ok(site) => site,
        Err(code) => return code,
    };
    let mask = command::hold_signals();
    let guard = match Guard::start(site.as_deref()) {
        Ok(guard) => guard,
        Err(what) => {
            fail(what);
            return ExitCode::from(NO_CLUSTER);
        }
    };
    let code = command::run(guard.place(), &command, mask);
    match guard.end() {
        Ok(()) => ExitCode::from(code),
        Err(what) => {
            fail(what);
            // The command's failure says more than ours.
            ExitCode::from(if code == 0 { NO_CLUSTER } else { code })
        }
    }
}
