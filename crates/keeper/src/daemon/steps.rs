//! Daemons of steps: forked among their attempt's processes, and not remembered beyond that.

use super::{Child, Daemon};
use crate::launch;
use crate::order::LaunchOrder;
use crate::protocol::{FromKeeper, Scope};
use crate::report::Attempt;
use crate::sys::{self, ChildEnd};
use std::io;

impl Daemon {
    pub(super) fn fork_step(&mut self, step: u32, order: &LaunchOrder) {
        let attempt = order.attempt;
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

    /// What a step's daemon leaves behind ends with it, also when it was killed.
    pub(super) fn step_ended(&mut self, attempt: Attempt, step: u32, end: &ChildEnd) {
        sys::kill(-end.pid, libc::SIGKILL);
        self.signal(attempt, libc::SIGKILL, Scope::Step(step));
        self.sockets.send(&FromKeeper::StepEnded { attempt, step });
    }
}
