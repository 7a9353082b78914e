//! Signals to the processes of attempts, and their kill.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::Daemon;
use crate::confine::{self, Confine, Target};
use crate::protocol::Scope;
use crate::report::{Attempt, AttemptStatus};
use crate::sys;

/// Rounds of killing follow each other after this time, doubling up to a second.
const SWEEP_AFTER: Duration = Duration::from_millis(5);
/// Rounds in which the processes of an attempt are stopped, until none is found that runs.
const STOP_ROUNDS: usize = 32;

/// An attempt some of whose processes are not yet dead.
pub(super) struct Sweep {
    pub target: Target,
    pub due: Instant,
    pub wait: Duration,
}

impl Daemon {
    pub(super) fn signal(&mut self, attempt: Attempt, signal: i32, scope: Scope) {
        let Some(running) = self.running.get(&attempt) else { return };
        let pid = running.pid;
        if matches!(scope, Scope::BatchOnly | Scope::AllProcesses) {
            match &running.pidfd {
                Some(pidfd) => sys::pidfd_signal(pidfd.as_fd(), signal),
                None => sys::kill(pid, signal),
            };
        }
        if scope == Scope::BatchOnly {
            return;
        }
        let meant = |process: i32| match scope {
            Scope::BatchOnly => false,
            Scope::AllProcesses => true,
            Scope::Tasks => confine::step_of(process).is_some(),
            Scope::Step(number) => confine::step_of(process) == Some(number),
            Scope::StepDaemon(number) => confine::daemon_of(process) == Some(number),
        };
        let target = self.target(attempt);
        // What is being stopped may start others until it is: those are found in the next round.
        let rounds = if signal == libc::SIGSTOP { STOP_ROUNDS } else { 1 };
        for _ in 0..rounds {
            let others = self.confine.members(&target).into_iter().filter(|p| *p != pid && meant(*p));
            let others: Vec<i32> =
                others.filter(|p| signal != libc::SIGSTOP || !sys::is_stopped(*p)).collect();
            for other in &others {
                sys::kill(*other, signal);
            }
            if others.is_empty() {
                break;
            }
        }
    }

    pub(super) fn kill_all(&mut self, attempt: Attempt) {
        let target = self.target(attempt);
        if !target.ended {
            // Before it has entered its group, the group does not know it.
            self.signal(attempt, libc::SIGKILL, Scope::BatchOnly);
        }
        self.sweeps.retain(|s| s.target.attempt != attempt);
        if !self.kill_round(&target) {
            self.sweeps.push(Sweep { target, due: Instant::now() + SWEEP_AFTER, wait: SWEEP_AFTER });
        }
    }

    /// An attempt without a slot, or lost, may have processes outside the slot's group.
    pub(super) fn kill_round(&mut self, target: &Target) -> bool {
        let lost = matches!(self.logic.status(target.attempt), None | Some(AttemptStatus::Unknown));
        let found = if lost { self.search.kill(&Target { ended: false, ..*target }) } else { true };
        self.confine.kill(target) && found
    }
}
