//! Runs the program of a trigger: as the user who set it, apart from the controller, for five minutes at most.

use crate::clock;
use bivouac_proto::place::{Account, Place};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// strigger(1): a program that takes longer is killed, with all that it started.
const LONGEST: Duration = Duration::from_secs(300);
/// How often its end is looked for.
const EVERY: Duration = Duration::from_millis(200);

/// A program to run.
pub struct Order {
    /// Its path and first arguments, separated by blanks.
    pub program: String,
    /// Its last argument: what happened to whom.
    pub argument: String,
    /// As whom, and in which groups.
    pub account: Account,
    pub groups: Vec<u32>,
}

/// Starts the program; what goes wrong is said in the log, because nobody waits for it.
pub fn start(order: Order, place: &Place, commands: &Path) {
    let what = format!("the trigger's program {:?} for {}", order.program, order.account.name);
    match spawn(&order, place, commands) {
        Ok(child) => {
            std::thread::spawn(move || watch(child, &what));
        }
        Err(e) => say!("{}: {what} cannot be run: {e}", clock::wall().as_secs()),
    }
}

fn spawn(order: &Order, place: &Place, commands: &Path) -> std::io::Result<Child> {
    let mut words = order.program.split_ascii_whitespace();
    let Account { name, home, uid, gid, .. } = &order.account;
    let root = place.state_dir.parent().unwrap_or(Path::new("/"));
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", commands.display());
    let mut command = Command::new(words.next().unwrap_or_default());
    command
        .args(words)
        .arg(&order.argument)
        .env_clear()
        .env("PATH", path)
        .env("HOME", home)
        .env("USER", name)
        .env("LOGNAME", name)
        .env("BIVOUAC_CLUSTER", &place.cluster)
        .env("BIVOUAC_STATE_DIR", root)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    // SAFETY: geteuid has no preconditions.
    let own = unsafe { libc::geteuid() };
    if own != *uid {
        let groups: Vec<libc::gid_t> = order.groups.clone();
        let (uid, gid) = (*uid, *gid);
        // SAFETY: only system calls are made between fork and exec; the list was made before.
        unsafe {
            command.pre_exec(move || {
                if libc::setgroups(groups.len(), groups.as_ptr()) != 0
                    || libc::setgid(gid) != 0
                    || libc::setuid(uid) != 0
                {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
    }
    command.spawn()
}

fn watch(mut child: Child, what: &str) {
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return,
            Ok(Some(status)) => return say!("{}: {what} ended: {status}", clock::wall().as_secs()),
            Ok(None) if begun.elapsed() < LONGEST => std::thread::sleep(EVERY),
            Ok(None) => {
                // SAFETY: the group is that of a child that has not been waited for.
                unsafe { libc::kill(-(child.id() as libc::pid_t), libc::SIGKILL) };
                let _ = child.wait();
                return say!(
                    "{}: {what} took longer than five minutes and was killed",
                    clock::wall().as_secs()
                );
            }
            Err(e) => return say!("{}: {what}: {e}", clock::wall().as_secs()),
        }
    }
}
