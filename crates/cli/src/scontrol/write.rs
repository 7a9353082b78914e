//! scontrol write: a job's script, or the configuration, into a file. What goes wrong is said, and, as with Slurm's, the
//! exit code stays 0.

use super::jobs::target;
use super::{Session, errors, show};
use crate::report::{self, Trouble};
use bivouac_proto::message::{Ask, Response};
use bivouac_render::scontrol;
use bivouac_types::{JobId, Reject};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// `write batch_script ID [FILE]` and `write config [FILE]`.
pub fn write(words: &[String], session: Session) -> Result<(), ExitCode> {
    let rest = &words[1..];
    match words[0].to_ascii_lowercase().as_str() {
        "config" => config(rest.first().map(String::as_str), session),
        "batch_script" => script(rest, session),
        _ => Err(session.fail(format_args!("invalid write argument:{}", words[0]))),
    }
}

fn script(words: &[String], session: Session) -> Result<(), ExitCode> {
    let Some(id) = words.first() else {
        crate::terminal::hint("which job's script? write batch_script JOB [FILE]");
        return Ok(());
    };
    let (job, script) = match fetch(id) {
        Ok(found) => found,
        Err(e) => {
            session.fail(format_args!("job script retrieval failed: {e}"));
            return Ok(());
        }
    };
    let path = words.get(1).map_or_else(|| format!("slurm-{job}.sh"), String::clone);
    if path == "-" {
        let mut out = io::stdout().lock();
        return out.write_all(&script).and_then(|()| out.flush()).map_err(|_| ExitCode::FAILURE);
    }
    match std::fs::write(&path, script) {
        Ok(()) => println!("batch script for job {job} written to {path}"),
        Err(e) => drop(session.fail(format_args!("failed to open file `{path}`: {}", reason(&e)))),
    }
    Ok(())
}

fn fetch(id: &str) -> Result<(JobId, Vec<u8>), Trouble> {
    let job = target(id).map(|t| t.job).ok_or(Trouble::Rejected(Reject::InvalidJobId))?;
    match report::connect()?.call(Ask::Script(job))? {
        Response::Script(script) => Ok((job, script.0)),
        other => Err(other.into()),
    }
}

/// The configuration as a slurm.conf: beside the one in use, or where SLURM_CONF_OUT or the word says, always with the
/// time behind its name.
fn config(file: Option<&str>, session: Session) -> Result<(), ExitCode> {
    let (config, running) = show::loaded(session)?;
    let fetch = || {
        let mut client = report::connect()?;
        Ok((report::nodes(&mut client)?, report::partitions(&mut client)?))
    };
    let (nodes, partitions) = fetch().map_err(show::lookup(session, "slurm_load_node"))?;
    let settings = report::settings();
    let mut stamp = String::new();
    settings.time(&mut stamp, Some(settings.now), "");
    let beside = || {
        let folder = config.parameters.conf_dir.as_ref().unwrap_or(&running.state_dir);
        PathBuf::from(folder).join("slurm.conf").display().to_string()
    };
    let path =
        file.map(str::to_owned).or_else(|| std::env::var("SLURM_CONF_OUT").ok()).unwrap_or_else(beside);
    let path = format!("{path}.{stamp}");
    let text = scontrol::written_config(&config, &running, &nodes, &partitions, &settings);
    match std::fs::write(&path, text) {
        Ok(()) => println!("Slurm config saved to {path}"),
        Err(e) => drop(session.fail(format_args!("Could not create file {path}: {}", reason(&e)))),
    }
    Ok(())
}

/// The system's words for an error.
fn reason(e: &io::Error) -> String {
    e.raw_os_error().map_or_else(|| e.to_string(), errors::text)
}
