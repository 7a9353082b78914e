//! `bivouac ephemeral -- COMMAND...`: a private cluster in a temporary folder, for as long as one command runs.
//!
//! Two processes share the work. The *guard* ([`guard`]) is a child in a session of its own: it makes the folder,
//! starts the cluster, and ends and removes both when the pipe to us closes, which it does however we end. We run the
//! command ([`command`]) and pass its end on.

mod command;
mod guard;

use super::{Words, fail, up, usage};
use bivouac_view::Marker;
use guard::{Guard, NotStarted};
use std::process::ExitCode;

/// The exit code when the cluster could not be had, as of `timeout`, `env` and their like.
const NO_CLUSTER: u8 = 125;

/// The name of a cluster that no slurm.conf names. The folder it lies in is its own, so the name can be the same each
/// time, for what prints it.
const NAME: &str = "ephemeral";

pub(super) fn run(mut words: Words) -> ExitCode {
    let command = words.command();
    let (site, conf) = match (words.value("--site"), words.value("--slurm-conf")) {
        (Ok(site), Ok(conf)) => (site, conf),
        (Err(code), _) | (_, Err(code)) => return code,
    };
    if let Err(code) = words.end() {
        return code;
    }
    if command.is_empty() {
        return usage("a command is missing: bivouac ephemeral [--site P|--slurm-conf DIR] -- COMMAND...");
    }
    if site.is_some() && conf.is_some() {
        return usage("--site and --slurm-conf exclude each other");
    }
    let Ok((name, site)) = choose(site, conf) else { return ExitCode::from(NO_CLUSTER) };
    let mask = command::hold_signals();
    let guard = match Guard::start(&name, site.as_deref()) {
        Ok(guard) => guard,
        Err(NotStarted::Failed(what)) => {
            fail(what);
            return ExitCode::from(NO_CLUSTER);
        }
        Err(NotStarted::Interrupted(signal)) => return ExitCode::from(128 + signal as u8),
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

/// The cluster's name and site.
fn choose(site: Option<String>, conf: Option<String>) -> Result<(String, Option<String>), ExitCode> {
    let (name, site) = match conf {
        None => (NAME.to_owned(), up::absolute(site)?),
        Some(dir) => {
            let path = up::slurm_conf_folder(&dir)?;
            (up::cluster_named_in(&path)?, Some(path))
        }
    };
    // Within a view a name means the cluster of that view.
    Ok(match Marker::read() {
        Some(view) if view.cluster == name => (format!("{name}-inner"), site),
        _ => (name, site),
    })
}
