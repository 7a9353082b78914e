//! `bivouac up`: starts the cluster, or says that it is there.

use super::{Words, fail, place};
use crate::cluster::connect_to;
use bivouac_proto::message::{Ask, Response};
use bivouac_proto::place::Account;
use bivouac_site::Site;
use std::process::ExitCode;

pub(super) fn run(mut words: Words) -> ExitCode {
    let site = match words.value("--site") {
        Ok(site) => site,
        Err(code) => return code,
    };
    if let Err(code) = words.end() {
        return code;
    }
    match up(site.as_deref()) {
        Ok(code) | Err(code) => code,
    }
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
            if let Some(wanted) = wanted
                && wanted.name() != s.site
            {
                return Err(fail(format!(
                    "cluster {} runs the site {}; another site needs another name: `bivouac --cluster NAME up --site {}`",
                    s.cluster,
                    s.site,
                    wanted.name()
                )));
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
