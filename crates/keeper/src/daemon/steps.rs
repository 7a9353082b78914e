//! Daemons of steps: forked among their attempt's processes, and not remembered beyond that. Those that an earlier keeper forked
//! are found when they are ordered again, as the controller does for all open steps when it meets a keeper.

use super::{Child, Daemon};
use crate::confine::{self, Target};
use crate::launch;
use crate::order::LaunchOrder;
use crate::protocol::{FromKeeper, Scope};
use crate::report::Attempt;
use crate::sys::{self, ChildEnd};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// A daemon that is the reaper's child.
pub(super) struct Adopted {
    attempt: Attempt,
    step: u32,
    pidfd: OwnedFd,
}

impl Daemon {
    pub(super) fn fork_step(&mut self, step: u32, order: &LaunchOrder) {
        let attempt = order.attempt;
        let is_own = |child: &Child| matches!(child, Child::Step(a, s) if (*a, *s) == (attempt, step));
        if self.children.values().any(is_own) || self.adopt_step(attempt, step) {
            return;
        }
        let forked = match self.journal.slot(attempt) {
            // SAFETY: the keeper has one thread.
            Some((number, _)) => unsafe { launch::launch_step(step, order, number, self.setting(attempt)) },
            None => Err(io::Error::from_raw_os_error(libc::ESRCH)),
        };
        match forked {
            Ok(pid) => {
                self.children.insert(pid, Child::Step(attempt, step));
            }
            Err(e) => {
                eprintln!("bivouac-keeper: step {step} of attempt {attempt} could not be started: {e}");
                self.sockets.send(&FromKeeper::StepEnded { attempt, step });
            }
        }
    }

    /// Whether an earlier keeper forked the daemon, and it lives; its end is then watched for.
    fn adopt_step(&mut self, attempt: Attempt, step: u32) -> bool {
        if self.adopted_steps.iter().any(|a| (a.attempt, a.step) == (attempt, step)) {
            return true;
        }
        // Only an attempt that was adopted can have one.
        let Some(pid) = self.running.get(&attempt).filter(|r| r.pidfd.is_some()).map(|r| r.pid) else {
            return false;
        };
        let target = Target { pid: Some(pid), ended: false, ..self.target(attempt) };
        let found = self.confine.members(&target).into_iter().find_map(|process| {
            // The descriptor first: what is then found under the number is what the descriptor holds. What is not an orphan is
            // on its way from the daemon to a task.
            let pidfd = sys::pidfd_open(process).ok()?;
            let orphan = bivouac_gather::process(process).is_some_and(|s| s.ppid == self.reaper_pid);
            (orphan && confine::daemon_of(process) == Some(step)).then_some(pidfd)
        });
        self.adopted_steps.extend(found.map(|pidfd| Adopted { attempt, step, pidfd }));
        self.adopted_steps.last().is_some_and(|a| (a.attempt, a.step) == (attempt, step))
    }

    /// The reaper collected something: see which of the adopted daemons it was.
    pub(super) fn look_at_adopted_steps(&mut self) {
        let all = std::mem::take(&mut self.adopted_steps);
        let (live, ended): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|a| sys::pidfd_signal(a.pidfd.as_fd(), 0));
        self.adopted_steps = live;
        for Adopted { attempt, step, .. } in ended {
            self.signal(attempt, libc::SIGKILL, Scope::Step(step));
            self.sockets.send(&FromKeeper::StepEnded { attempt, step });
        }
    }

    /// What a step's daemon leaves behind ends with it, also when it was killed.
    pub(super) fn step_ended(&mut self, attempt: Attempt, step: u32, end: &ChildEnd) {
        self.gauges.step_ended(attempt, end);
        sys::kill(-end.pid, libc::SIGKILL);
        self.signal(attempt, libc::SIGKILL, Scope::Step(step));
        self.sockets.send(&FromKeeper::StepEnded { attempt, step });
    }
}
