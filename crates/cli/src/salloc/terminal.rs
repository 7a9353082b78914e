//! The terminal that salloc was called at: lent to its command, and left as it was.

use rustix::process::{Pid, getpgrp, getsid};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr, tcsetpgrp};
use std::io::{self, IsTerminal};

/// Standard input, if it is a terminal.
pub struct Terminal {
    before: Termios,
    /// It is the command's now.
    lent: bool,
}

impl Terminal {
    /// The terminal as it is now.
    pub fn find() -> Option<Terminal> {
        let before = io::stdin().is_terminal().then(|| tcgetattr(io::stdin()).ok()).flatten()?;
        // Who takes the terminal back is in the background at that moment, and would be stopped for it.
        // SAFETY: ignoring a signal touches nothing else.
        unsafe { libc::signal(libc::SIGTTOU, libc::SIG_IGN) };
        Some(Terminal { before, lent: false })
    }

    /// Whether what is typed is for salloc.
    pub fn is_own(&self) -> bool {
        tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp())
    }

    /// The command's group reads what is typed.
    pub fn lend(&mut self, group: i32) {
        self.lent = Pid::from_raw(group).is_some_and(|group| tcsetpgrp(io::stdin(), group).is_ok());
    }

    /// salloc reads what is typed, if its command did.
    pub fn take_back(&mut self) {
        if std::mem::take(&mut self.lent) {
            let _ = tcsetpgrp(io::stdin(), getpgrp());
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let lent = self.lent;
        self.take_back();
        if lent {
            let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
        }
    }
}

/// Whether a shell above salloc can let it go on, once it is stopped.
pub fn can_be_stopped() -> bool {
    let above = rustix::process::getppid();
    above.is_some_and(|above| getsid(Some(above)).ok() == getsid(None).ok())
}
