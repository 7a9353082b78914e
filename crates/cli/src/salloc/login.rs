//! --get-user-env: what the user's login shell sets.

use crate::identity::Identity;
use bivouac_proto::place::Account;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// The environment of a fresh login, and of the caller's own what leads to his cluster.
pub fn environment(account: &Account, identity: Identity) -> Vec<(OsString, OsString)> {
    let kept = |name: &OsStr| {
        name.as_bytes().starts_with(b"BIVOUAC_") || name.as_bytes().starts_with(b"SLURM_") || name == "TERM"
    };
    let mut base: Vec<(OsString, OsString)> = std::env::vars_os().filter(|(name, _)| kept(name)).collect();
    let facts = [
        ("HOME", account.home.clone().into_os_string()),
        ("USER", account.name.clone().into()),
        ("LOGNAME", account.name.clone().into()),
        ("SHELL", account.shell.clone().into_os_string()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin".into()),
    ];
    base.extend(facts.into_iter().map(|(name, value)| (name.into(), value)));
    let mut shell = Command::new(&account.shell);
    // What start files print ends with the first NUL.
    shell.args(["-l", "-c", "printf '\\0'; exec /usr/bin/env -0"]).env_clear().envs(base.iter().cloned());
    shell.stdin(Stdio::null()).stderr(Stdio::null());
    // SAFETY: salloc has one thread, so that the child may do whatever salloc may.
    unsafe { shell.pre_exec(move || identity.assume()) };
    match shell.output() {
        Ok(said) if said.status.success() => {
            said.stdout.split(|b| *b == 0).skip(1).filter_map(split).collect()
        }
        _ => base,
    }
}

/// `NAME=value`.
fn split(entry: &[u8]) -> Option<(OsString, OsString)> {
    let at = entry.iter().position(|b| *b == b'=')?;
    let text = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
    Some((text(&entry[..at]), text(&entry[at + 1..])))
}
