//! salloc's command: found, started, stopped and ended.

use super::terminal::{self, Terminal};
use crate::identity::Identity;
use bivouac_types::ExitStatus;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// What is run.
pub struct Order<'a> {
    /// Its file.
    pub program: PathBuf,
    /// Its words, its name first.
    pub words: &'a [OsString],
    /// Its environment.
    pub environment: Vec<(OsString, OsString)>,
    /// --uid and --gid.
    pub identity: Identity,
}

/// The command, which leads a process group of its own.
pub struct Running {
    child: Child,
    terminal: Option<Terminal>,
}

impl Running {
    /// Starts it; the terminal is its own from here on.
    ///
    /// # Errors
    /// It cannot be executed.
    pub fn start(order: Order<'_>, mut terminal: Option<Terminal>) -> io::Result<Running> {
        let mut command = Command::new(&order.program);
        command.arg0(&order.words[0]).args(&order.words[1..]).process_group(0);
        command.env_clear().envs(order.environment);
        let (identity, at_terminal) = (order.identity, terminal.is_some());
        let lends = terminal.as_ref().is_some_and(Terminal::is_own);
        // SAFETY: salloc has one thread, so that the child may do whatever salloc may.
        unsafe {
            command.pre_exec(move || {
                if lends {
                    // The command must not run before the terminal is its own.
                    libc::tcsetpgrp(0, libc::getpid());
                }
                let mut none = std::mem::zeroed();
                libc::sigemptyset(&mut none);
                libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
                libc::signal(libc::SIGTTOU, libc::SIG_DFL);
                // Nobody would let it go on: salloc waits for its end.
                libc::signal(libc::SIGTSTP, if at_terminal { libc::SIG_IGN } else { libc::SIG_DFL });
                identity.assume()
            });
        }
        let child = command.spawn()?;
        terminal.iter_mut().filter(|_| lends).for_each(|t| t.lend(child.id() as i32));
        Ok(Running { child, terminal })
    }

    /// How it ended, if it has. One that was stopped stops salloc with it, so that the shell above reads what is typed.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        loop {
            let mut status = 0;
            // SAFETY: the child is ours, and nobody else reaps it.
            let found = unsafe { libc::waitpid(self.group(), &mut status, libc::WNOHANG | libc::WUNTRACED) };
            match found {
                0 => return None,
                // It cannot be known any more.
                n if n < 0 => return Some(ExitStatus::default()),
                _ if libc::WIFSTOPPED(status) => self.stopped(libc::WSTOPSIG(status)),
                _ => return Some(exit_status(status)),
            }
        }
    }

    /// It was stopped. If it wanted a terminal that salloc has got since, it gets it.
    fn stopped(&mut self, signal: i32) {
        let group = self.group();
        let Some(terminal) = &mut self.terminal else { return };
        if matches!(signal, libc::SIGTTIN | libc::SIGTTOU) && terminal.is_own() {
            terminal.lend(group);
        } else if terminal::can_be_stopped() {
            terminal.take_back();
            // SAFETY: salloc stops here, and goes on when it is told to.
            unsafe { libc::kill(0, libc::SIGSTOP) };
            if terminal.is_own() {
                terminal.lend(group);
            }
        }
        self.signal(libc::SIGCONT);
    }

    /// Sends it a signal, and all that it started and that is in its group.
    pub fn signal(&self, signal: i32) {
        // SAFETY: the child is not reaped yet, so that the group's number is its own.
        unsafe { libc::kill(-self.group(), signal) };
    }

    fn group(&self) -> i32 {
        self.child.id() as i32
    }
}

fn exit_status(status: i32) -> ExitStatus {
    match libc::WIFSIGNALED(status) {
        true => ExitStatus { code: 0, signal: libc::WTERMSIG(status) as u8 },
        false => ExitStatus { code: libc::WEXITSTATUS(status) as u8, signal: 0 },
    }
}

/// salloc's exit code for that of its command: as salloc(1) has it, most signals are as good as success.
pub fn exit_code(status: ExitStatus) -> u8 {
    match i32::from(status.signal) {
        0 => status.code,
        libc::SIGHUP | libc::SIGINT | libc::SIGQUIT | libc::SIGKILL => 0,
        _ => 1,
    }
}

/// The file of a command: as named if that begins with `.` or `/`, else on PATH, else in the folder.
pub fn find(name: &OsStr, folder: &Path, path: &OsStr) -> Option<PathBuf> {
    let runs = |file: &PathBuf| {
        let name = std::ffi::CString::new(file.as_os_str().as_bytes());
        // SAFETY: the name is terminated.
        file.is_file() && name.is_ok_and(|name| unsafe { libc::access(name.as_ptr(), libc::X_OK) } == 0)
    };
    if name.is_empty() {
        return None;
    }
    let here = folder.join(name);
    if name.as_bytes().starts_with(b".") || name.as_bytes().starts_with(b"/") {
        return Some(here).filter(runs);
    }
    let folders = std::env::split_paths(path).filter(|d| !d.as_os_str().is_empty());
    folders.map(|d| folder.join(d).join(name)).find(runs).or(Some(here).filter(runs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn codes_as_salloc_has_them() {
        let of = |code, signal| exit_code(ExitStatus { code, signal });
        assert_eq!((of(0, 0), of(7, 0), of(255, 0)), (0, 7, 255));
        assert_eq!([1, 2, 3, 9].map(|signal| of(0, signal)), [0; 4]);
        assert_eq!((of(0, 15), of(0, 11)), (1, 1));
    }

    #[test]
    fn a_command_is_sought_on_path_and_then_in_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let script = |name: &str, mode| {
            let file = dir.path().join(name);
            std::fs::write(&file, "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
            file
        };
        let (own, plain) = (script("own-command", 0o755), script("plain", 0o644));
        let seek = |name: &str| find(OsStr::new(name), dir.path(), OsStr::new("/usr/bin:/bin"));
        assert_eq!(seek("own-command"), Some(own.clone()));
        assert_eq!(seek("./own-command"), Some(dir.path().join("./own-command")));
        assert!(seek("sh").is_some_and(|file| !file.starts_with(dir.path())));
        assert_eq!((seek("nope"), seek("./nope"), seek("")), (None, None, None));
        assert_eq!((seek("plain"), seek(&plain.to_string_lossy()), seek("/")), (None, None, None));
    }
}
