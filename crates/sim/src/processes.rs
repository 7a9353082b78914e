//! The processes of jobs: who forks them, what they do, who learns how they end.

use crate::machine::Slot;
use crate::sim::{Sim, Task};
use bivouac_keeper::logic::{Found, Input};
use bivouac_keeper::order::LaunchOrder;
use bivouac_keeper::report::{Attempt, Ending, ExitReport, FailedStep, LaunchFailure, Process, Stamp};

/// Who will learn how a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parent {
    Keeper,
    Reaper,
    /// Nobody of ours.
    Init,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Forked, not yet at its script.
    Young,
    Running,
    Zombie {
        wait_status: i32,
        ran: bool,
    },
}

/// A batch process.
#[derive(Clone, Debug)]
pub struct Proc {
    pub attempt: Attempt,
    /// Which intent it may claim.
    pub slot: u64,
    pub parent: Parent,
    pub stage: Stage,
    pub stubborn: bool,
    pub started: Stamp,
    /// It does nothing until it may go on.
    pub stopped: bool,
    /// What it does then: claim its attempt, end so.
    pub then: Vec<Option<i32>>,
}

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;
const SIGCONT: i32 = 18;
const SIGSTOP: i32 = 19;

impl Sim {
    pub(crate) fn fork(&mut self, order: &LaunchOrder) {
        let (attempt, at) = (order.attempt, self.stamp());
        let Some(keeper) = &mut self.machine.keeper else { return };
        if std::mem::take(&mut keeper.no_space) {
            let failure = LaunchFailure { step: FailedStep::NoSpace, errno: 28, what: "no space".into() };
            return self.keeper_input(Input::NotLaunched { attempt, failure });
        }
        let slot = keeper.last_slot;
        self.machine.next_pid += 1;
        let pid = self.machine.next_pid;
        let stubborn = self.rng.chance(self.shape.stubborn);
        let proc = Proc {
            attempt,
            slot,
            parent: Parent::Keeper,
            stage: Stage::Young,
            stubborn,
            started: at,
            stopped: false,
            then: Vec::new(),
        };
        self.machine.procs.insert(pid, proc);
        let delay = self.rng.below(20);
        self.after(delay, Task::Claim { pid });
    }

    /// The child's first act: with the claim it goes on to the script, without it it exits.
    pub(crate) fn claim(&mut self, pid: i32) {
        let Some(proc) = self.machine.procs.get_mut(&pid).filter(|p| p.stage == Stage::Young) else { return };
        if proc.stopped {
            return proc.then.push(None);
        }
        let attempt = proc.attempt;
        let slot = self.machine.slots.get_mut(&proc.slot).filter(|s| !s.void && s.attempt == attempt);
        let Some(slot) = slot else { return self.exit(pid, 0) };
        slot.claimed = Some(Process { pid, start_ticks: self.time });
        proc.stage = Stage::Running;
        let ours = proc.parent == Parent::Keeper;
        if ours {
            let at = self.stamp();
            self.keeper_input(Input::Forked { attempt, pid, at });
        }
        self.trace(|| format!("script of {attempt} runs as {pid}"));
        self.checker.script_started(attempt.job, attempt.restart);
        let length = self.rng.below(self.shape.script_ms) + 1;
        let status = if self.rng.chance(70) { 0 } else { (self.rng.range(1, 3) as i32) << 8 };
        self.after(length, Task::Exit { pid, wait_status: status });
    }

    pub(crate) fn exit(&mut self, pid: i32, wait_status: i32) {
        let Some(proc) = self.machine.procs.get_mut(&pid) else { return };
        if matches!(proc.stage, Stage::Zombie { .. }) {
            return;
        }
        if proc.stopped && wait_status != SIGKILL {
            return proc.then.push(Some(wait_status));
        }
        let ran = proc.stage == Stage::Running;
        proc.stage = Stage::Zombie { wait_status, ran };
        let (attempt, parent) = (proc.attempt, proc.parent);
        self.trace(|| format!("process {pid} of {attempt} ends with {wait_status:#x}, ran: {ran}"));
        if ran {
            self.checker.script_exited(attempt.job, attempt.restart, wait_status);
        }
        match parent {
            Parent::Keeper => {
                let ending = self.ending(pid);
                self.keeper_input(Input::Ended { attempt, ending });
            }
            Parent::Reaper => {
                let delay = self.rng.below(3);
                self.after(delay, Task::ReaperCollects { pid });
            }
            Parent::Init => drop(self.machine.procs.remove(&pid)),
        }
    }

    pub(crate) fn ending(&self, pid: i32) -> Ending {
        let proc = &self.machine.procs[&pid];
        match proc.stage {
            Stage::Zombie { wait_status, ran: true } => Ending::Exited(ExitReport {
                attempt: proc.attempt,
                wait_status,
                started_at: proc.started,
                ended_at: self.stamp(),
                ..ExitReport::default()
            }),
            _ => Ending::Failed(LaunchFailure {
                step: FailedStep::Fork,
                errno: 0,
                what: "the process ended before the script began".into(),
            }),
        }
    }

    /// The reaper records the end of an orphan, then collects it.
    pub(crate) fn reaper_collects(&mut self, pid: i32) {
        let zombie = |p: &&Proc| p.parent == Parent::Reaper && matches!(p.stage, Stage::Zombie { .. });
        let Some(proc) = self.machine.procs.get(&pid).filter(zombie) else { return };
        if !self.machine.reaper {
            return;
        }
        let (attempt, ending) = (proc.attempt, self.ending(pid));
        let claimed =
            |s: &&mut Slot| s.claimed.is_some_and(|c| c.pid == pid) && s.ended.is_none() && !s.corrupt;
        if let Some(slot) = self.machine.slots.values_mut().find(claimed) {
            slot.ended = Some(ending.clone());
            self.keeper_input(Input::Ended { attempt, ending });
        }
        self.machine.procs.remove(&pid);
    }

    pub(crate) fn look_for(&mut self, attempt: Attempt, process: Process) -> Found {
        if let Some(ending) = self.machine.slot_of(attempt).and_then(|s| s.ended.clone()) {
            return Found::Ended(ending);
        }
        match self.machine.procs.get(&process.pid) {
            Some(proc) if proc.parent == Parent::Reaper => Found::Running,
            _ => Found::Lost,
        }
    }

    pub(crate) fn signal(&mut self, attempt: Attempt, signal: i32) {
        let alive = |p: &Proc| p.attempt == attempt && !matches!(p.stage, Stage::Zombie { .. });
        let pids: Vec<(i32, bool)> =
            self.machine.procs.iter().filter(|(_, p)| alive(p)).map(|(pid, p)| (*pid, p.stubborn)).collect();
        for (pid, stubborn) in pids {
            let delay = self.rng.below(300);
            match signal {
                SIGCONT => self.go_on(pid),
                SIGSTOP => {
                    if let Some(proc) = self.machine.procs.get_mut(&pid) {
                        proc.stopped = true;
                    }
                }
                SIGKILL => self.after(1, Task::Exit { pid, wait_status: SIGKILL }),
                SIGTERM if stubborn => {}
                SIGTERM if self.rng.chance(20) => self.after(delay, Task::Exit { pid, wait_status: 0 }),
                signal if self.rng.chance(80) => {
                    self.after(delay, Task::Exit { pid, wait_status: signal & 0x7f })
                }
                _ => {}
            }
        }
    }

    fn go_on(&mut self, pid: i32) {
        let Some(proc) = self.machine.procs.get_mut(&pid) else { return };
        proc.stopped = false;
        for then in std::mem::take(&mut proc.then) {
            match then {
                None => self.after(1, Task::Claim { pid }),
                Some(wait_status) => self.after(1, Task::Exit { pid, wait_status }),
            }
        }
    }

    pub(crate) fn kill_all(&mut self, attempt: Attempt) {
        let alive = |p: &Proc| p.attempt == attempt && !matches!(p.stage, Stage::Zombie { .. });
        let pids: Vec<i32> =
            self.machine.procs.iter().filter(|(_, p)| alive(p)).map(|(pid, _)| *pid).collect();
        for pid in pids {
            let delay = self.rng.below(5);
            self.after(delay, Task::Exit { pid, wait_status: SIGKILL });
        }
    }

    pub(crate) fn orphan(&mut self, of: Parent, to: Parent) {
        let mut zombies = Vec::new();
        for (pid, proc) in self.machine.procs.iter_mut().filter(|(_, p)| p.parent == of) {
            proc.parent = to;
            if matches!(proc.stage, Stage::Zombie { .. }) {
                zombies.push(*pid);
            }
        }
        for pid in zombies {
            match to {
                Parent::Reaper => self.after(1, Task::ReaperCollects { pid }),
                _ => drop(self.machine.procs.remove(&pid)),
            }
        }
    }
}
