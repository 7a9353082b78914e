//! `bivouac up`: starts the cluster, or says that it is there.

use super::{Words, fail, place, usage};
use crate::cluster::connect_to;
use bivouac_proto::client::Client;
use bivouac_proto::message::{Ask, Response, Status};
use bivouac_proto::place::{Account, DEFAULT_CLUSTER};
use bivouac_site::Site;
use std::process::ExitCode;

pub(super) fn run(mut words: Words) -> ExitCode {
    let (site, conf) = match (words.value("--site"), words.value("--slurm-conf")) {
        (Ok(site), Ok(conf)) => (site, conf),
        (Err(code), _) | (_, Err(code)) => return code,
    };
    let dry_run = words.flag("--dry-run");
    if let Err(code) = words.end() {
        return code;
    }
    let done = match (site, conf) {
        (Some(_), Some(_)) => return usage("--site and --slurm-conf exclude each other"),
        (site, None) if dry_run => return check(site.as_deref().unwrap_or(DEFAULT_SITE)),
        (site, None) => up(site.as_deref()),
        (None, Some(dir)) => slurm_conf_up(&dir, dry_run),
    };
    match done {
        Ok(code) | Err(code) => code,
    }
}

/// What `bivouac up` alone starts.
const DEFAULT_SITE: &str = "local";

/// `--dry-run`: the profile or the files are read, and nothing is started.
fn check(site: &str) -> ExitCode {
    let checked = || {
        let account = Account::own().map_err(|e| fail(format!("the passwd database: {e}")))?;
        let site = Site::load(site, &account.home).map_err(fail)?;
        let config = site.cluster_config(DEFAULT_CLUSTER).map_err(fail)?;
        for listed in site.listed() {
            println!("{listed}");
        }
        println!("{}: {} nodes, {} partitions", config.site, config.nodes.len(), config.partitions.len());
        Ok::<(), ExitCode>(())
    };
    checked().map_or_else(|code| code, |()| ExitCode::SUCCESS)
}

/// The cluster of a slurm.conf has the name that the file gives it, unless the command line does.
fn slurm_conf_up(dir: &str, dry_run: bool) -> Result<ExitCode, ExitCode> {
    let path = slurm_conf_folder(dir)?;
    if dry_run {
        return Ok(check(&path));
    }
    if std::env::var_os("BIVOUAC_CLUSTER").is_none_or(|c| c.is_empty()) {
        let name = cluster_named_in(&path)?;
        if name != DEFAULT_CLUSTER {
            crate::terminal::hint(format!(
                "this cluster is called {name}: `export BIVOUAC_CLUSTER={name}` to use it from here"
            ));
        }
        // SAFETY: no other thread exists yet.
        unsafe { std::env::set_var("BIVOUAC_CLUSTER", name) };
    }
    up(Some(&path))
}

/// The folder that --slurm-conf names, as the daemon is told of it.
pub(super) fn slurm_conf_folder(dir: &str) -> Result<String, ExitCode> {
    let path = std::fs::canonicalize(dir).map_err(|e| fail(format!("{dir}: {e}")))?;
    if !path.is_dir() {
        return Err(fail(format!("{dir} is no folder; --slurm-conf takes the folder that slurm.conf is in")));
    }
    path.into_os_string().into_string().map_err(|_| fail("the folder's path is not UTF-8"))
}

/// The ClusterName of the slurm.conf in a folder.
pub(super) fn cluster_named_in(path: &str) -> Result<String, ExitCode> {
    let site = Site::from_slurm_conf(path.as_ref()).map_err(fail)?;
    Ok(site.slurm_conf().map_or("", |c| c.cluster.as_str()).to_owned())
}

fn up(site: Option<&str>) -> Result<ExitCode, ExitCode> {
    let place = place()?;
    // The profile is looked at here first, so that its errors come from the command that names it.
    let account = Account::own().map_err(|e| fail(format!("the passwd database: {e}")))?;
    let wanted = site.map(|s| Site::load(s, &account.home)).transpose().map_err(fail)?;
    let site = absolute(site.map(str::to_owned))?;
    let mut client = connect_to(&place, site.as_deref()).map_err(fail)?;
    match client.call(Ask::Status).map_err(fail)? {
        Response::Status(s) => {
            if let Some(wanted) = &wanted {
                compare(&mut client, &s, wanted)?;
            }
            let nodes: u32 = s.nodes.values().sum();
            println!(
                "cluster {} is up: site {}, {nodes} node{}",
                s.cluster,
                s.site,
                if nodes == 1 { "" } else { "s" }
            );
            Ok(ExitCode::SUCCESS)
        }
        Response::Failed(e) => Err(fail(e)),
        other => Err(fail(format!("unexpected answer {other:?}"))),
    }
}

/// A profile's path made absolute: the daemon works in another folder. A name stays as it is.
pub(super) fn absolute(site: Option<String>) -> Result<Option<String>, ExitCode> {
    let Some(path) = site.as_ref().filter(|s| s.contains('/')) else { return Ok(site) };
    let found = std::fs::canonicalize(path).map_err(|e| fail(format!("{path}: {e}")))?;
    Ok(Some(found.to_str().ok_or_else(|| fail("the profile's path is not UTF-8"))?.to_owned()))
}

/// A second `up` with another site is refused; one with the cluster's slurm.conf tells what was changed in it.
fn compare(client: &mut Client, running: &Status, wanted: &Site) -> Result<(), ExitCode> {
    let same = wanted.name() == running.site;
    let config = match client.call(Ask::Config).map_err(fail)? {
        Response::Config(config) => config,
        other => return Err(fail(format!("unexpected answer {other:?}"))),
    };
    let differences = wanted.slurm_conf().filter(|_| config.parameters.conf_dir.is_some());
    let differences = differences.map(|w| bivouac_slurmconf::differences(&config, w)).unwrap_or_default();
    if !same {
        let (name, option) = match wanted.slurm_conf() {
            Some(_) => (wanted.name().trim_end_matches("/slurm.conf"), "--slurm-conf"),
            None => (wanted.name(), "--site"),
        };
        let mut text = format!(
            "cluster {} runs the site {}; another site needs another name: `bivouac --cluster NAME up {option} {name}`",
            running.cluster, running.site
        );
        for difference in differences {
            text.push_str(&format!("\n{name}: {difference}"));
        }
        return Err(fail(text));
    }
    for difference in &differences {
        println!("{}: {difference}", running.site);
    }
    if !differences.is_empty() {
        println!(
            "the cluster runs on what the file said before; `scontrol reconfigure` takes what it says now"
        );
    }
    Ok(())
}
