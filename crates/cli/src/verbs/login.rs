//! `bivouac login`: the user's shell, or one command, on the site's login node.

use super::{Words, fail, place};
use crate::cluster::{connect_to, sibling, site_of};
use crate::terminal::hint;
use bivouac_proto::message::{Ask, Response};
use bivouac_proto::place::{Account, Place};
use bivouac_site::{Access, Cluster, Session, User};
use bivouac_view::Marker;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

pub(super) fn run(mut words: Words) -> ExitCode {
    let command = words.command();
    if let Err(code) = words.end() {
        return code;
    }
    match login(&command) {
        Ok(never) => match never {},
        Err(code) => code,
    }
}

/// Becomes the shell; comes back only if that fails.
fn login(command: &[OsString]) -> Result<std::convert::Infallible, ExitCode> {
    if let Some(marker) = Marker::read() {
        return Err(fail(format!("this is already a login of cluster {}", marker.cluster)));
    }
    let place = place()?;
    let account = Account::own().map_err(|e| fail(format!("the passwd database: {e}")))?;
    let (session, site) = session(&place, &account)?;
    if let Some(plan) = &session.plan {
        plan.apply().map_err(|e| fail(format!("the view of {site} could not be entered: {e}")))?;
    }
    if std::env::set_current_dir(&session.start_dir).is_err() {
        std::env::set_current_dir("/").map_err(fail)?;
    }
    let mut entries: Vec<Vec<u8>> =
        std::env::vars_os().map(|(n, v)| [n.as_bytes(), b"=", v.as_bytes()].concat()).collect();
    complete(&mut entries, &account);
    session.environment.apply(&mut entries);
    let mut shell = shell_command(&account.shell, command);
    shell.env_clear().envs(entries.iter().filter_map(|e| {
        let at = e.iter().position(|b| *b == b'=')?;
        Some((OsStr::from_bytes(&e[..at]), OsStr::from_bytes(&e[at + 1..])))
    }));
    shell.env("BIVOUAC_CLUSTER", &place.cluster).env("PWD", std::env::current_dir().unwrap_or_default());
    let error = shell.exec();
    Err(fail(format!("{}: {error}", account.shell.display())))
}

fn session(place: &Place, account: &Account) -> Result<(Session, String), ExitCode> {
    let mut client = connect_to(place, None).map_err(fail)?;
    let status = match client.call(Ask::Status).map_err(fail)? {
        Response::Status(status) => status,
        other => return Err(fail(format!("unexpected answer {other:?}"))),
    };
    let site = site_of(&mut client, &status.site, &account.home).map_err(fail)?;
    let exe = sibling("").map_err(fail)?;
    let cluster = Cluster { name: place.cluster.clone(), state_dir: place.state_dir.clone(), exe_dir: exe };
    let installed = site.installed(&cluster).map_err(fail)?;
    let (access, why_not) = Access::probe();
    if site.has_view()
        && let Some(why) = why_not
    {
        hint(format_args!("{why}; the site's folders are below {}", place.state_dir.join("files").display()));
    }
    let user = User { name: account.name.clone(), home: account.home.clone() };
    // A login needs no current folder: where it was removed, the home is one.
    let cwd = std::env::current_dir().unwrap_or_else(|_| account.home.clone());
    let session = installed.login(&user, access, &cwd).map_err(fail)?;
    Ok((session, status.site))
}

/// What login(1) would set, where the caller (cron, `env -i`) lacks it.
fn complete(entries: &mut Vec<Vec<u8>>, account: &Account) {
    let name = account.name.as_bytes();
    let facts = [
        ("HOME", account.home.as_os_str().as_bytes()),
        ("USER", name),
        ("LOGNAME", name),
        ("SHELL", account.shell.as_os_str().as_bytes()),
    ];
    for (variable, value) in facts {
        let start = [variable.as_bytes(), b"="].concat();
        if !entries.iter().any(|e| e.starts_with(&start)) {
            entries.push([&start, value].concat());
        }
    }
}

/// A login shell; with a command, a login shell that becomes it, so that the site's start files have been read.
fn shell_command(shell: &Path, command: &[OsString]) -> Command {
    let mut process = Command::new(shell);
    let name = shell.file_name().unwrap_or(shell.as_os_str());
    process.arg0(OsString::from_vec([b"-", name.as_bytes()].concat()));
    match command {
        [] => {}
        words => {
            process.arg("-c").arg("exec \"$@\"").arg(name).args(words);
        }
    }
    process
}
