//! The machine below the controller: the keeper's journal, the keeper (its real logic, action by action), the
//! reaper, and the processes of jobs. Follows the table in `bivouac_keeper::logic`.

use crate::sim::{Sim, Task};
use bivouac_keeper::logic::{Action, Found, Input, Keeper};
use bivouac_keeper::order::{LaunchOrder, Traces};
use bivouac_keeper::protocol::{FromKeeper, ToKeeper, Welcome};
use bivouac_keeper::record::{Record, Session};
use bivouac_keeper::report::{Attempt, Ending, ExitReport, FailedStep, LaunchFailure, Process, Stamp};
use std::collections::{BTreeMap, VecDeque};

/// What of an attempt is in the journal.
#[derive(Clone, Debug)]
struct Slot {
    attempt: Attempt,
    traces: Traces,
    at: Stamp,
    /// A later keeper found the intent unclaimed: it can no longer be claimed.
    void: bool,
    claimed: Option<Process>,
    ended: Option<Ending>,
    scratch_removed: bool,
    /// Its bytes were changed; the next keeper that reads them notices.
    damaged: bool,
    corrupt: bool,
}

/// Who will learn how a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parent {
    Keeper,
    Reaper,
    /// Nobody of ours.
    Init,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Forked, not yet at its script.
    Young,
    Running,
    Zombie {
        wait_status: i32,
        ran: bool,
    },
}

#[derive(Clone, Debug)]
struct Proc {
    attempt: Attempt,
    /// Which intent it may claim.
    slot: u64,
    parent: Parent,
    stage: Stage,
    stubborn: bool,
    started: Stamp,
}

/// A keeper that runs.
struct KeeperProcess {
    generation: u64,
    mind: Keeper,
    actions: VecDeque<Action>,
    inputs: VecDeque<Input>,
    /// The connection of the admitted controller.
    connection: Option<u64>,
    busy: bool,
    /// The intent just recorded.
    last_slot: u64,
    /// There was no space for it.
    no_space: bool,
}

/// Journal, keeper, reaper and processes.
#[derive(Default)]
pub struct Machine {
    slots: BTreeMap<u64, Slot>,
    session: Option<Session>,
    next_slot: u64,
    keeper: Option<KeeperProcess>,
    /// Whether a reaper runs.
    pub reaper: bool,
    procs: BTreeMap<i32, Proc>,
    next_pid: i32,
    generations: u64,
}

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;
const SIGCONT: i32 = 18;

impl Machine {
    /// Whether any process of a job exists.
    pub fn has_processes(&self) -> bool {
        self.procs.values().any(|p| !matches!(p.stage, Stage::Zombie { .. }))
    }

    fn records(&mut self) -> Vec<Record> {
        let mut records: Vec<Record> = self.session.clone().map(Record::Session).into_iter().collect();
        for slot in self.slots.values_mut() {
            let attempt = slot.attempt;
            slot.corrupt |= slot.damaged;
            if slot.corrupt {
                records.push(Record::Corrupt { attempt: Some(attempt), what: "damaged".into() });
                continue;
            }
            records.push(Record::Intent { attempt, traces: slot.traces.clone(), at: slot.at });
            match slot.claimed {
                Some(process) => records.push(Record::Claimed { attempt, process }),
                None => slot.void = true,
            }
            records.extend(slot.ended.clone().map(|ending| Record::Ended { attempt, ending }));
            if slot.scratch_removed {
                records.push(Record::ScratchRemoved { attempt });
            }
        }
        records
    }

    fn slot_of(&mut self, attempt: Attempt) -> Option<&mut Slot> {
        self.slots.values_mut().rev().find(|s| s.attempt == attempt)
    }

    /// Damages one record of the journal; it is found when a keeper starts.
    pub fn damage(&mut self, which: u64) {
        let n = self.slots.len() as u64;
        if n > 0
            && let Some(slot) = self.slots.values_mut().nth((which % n) as usize)
        {
            slot.damaged = true;
        }
    }
}

impl Sim {
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp { wall_ms: self.now().wall.0, boot_ms: self.time }
    }

    /// The reaper (or, at the very start, whoever starts both) starts a keeper.
    pub(crate) fn start_keeper(&mut self) {
        if self.machine.keeper.is_some() || !self.machine.reaper {
            return;
        }
        let records = self.machine.records();
        let (mind, actions) = Keeper::new(&records);
        self.machine.generations += 1;
        self.trace(|| format!("keeper {} starts with {} records", self.machine.generations, records.len()));
        self.machine.keeper = Some(KeeperProcess {
            generation: self.machine.generations,
            mind,
            actions: actions.into(),
            inputs: VecDeque::new(),
            connection: None,
            busy: false,
            last_slot: 0,
            no_space: false,
        });
        self.keeper_wakes();
    }

    /// A controller connects; false if there is no keeper.
    pub(crate) fn keeper_admits(&mut self, connection: u64) -> bool {
        let Some(keeper) = &mut self.machine.keeper else { return false };
        if keeper.connection.is_some() {
            keeper.inputs.push_back(Input::Disconnected);
        }
        keeper.connection = Some(connection);
        self.keeper_wakes();
        true
    }

    pub(crate) fn keeper_disconnected(&mut self, connection: u64) {
        if let Some(keeper) = self.machine.keeper.as_mut().filter(|k| k.connection == Some(connection)) {
            keeper.connection = None;
            keeper.inputs.push_back(Input::Disconnected);
            self.keeper_wakes();
        }
    }

    pub(crate) fn keeper_receives(&mut self, connection: u64, message: ToKeeper) {
        let now = self.stamp();
        if let Some(keeper) = self.machine.keeper.as_mut().filter(|k| k.connection == Some(connection)) {
            keeper.inputs.push_back(Input::Message { message, now });
            self.keeper_wakes();
        }
    }

    fn keeper_input(&mut self, input: Input) {
        if let Some(keeper) = &mut self.machine.keeper {
            keeper.inputs.push_back(input);
            self.keeper_wakes();
        }
    }

    fn keeper_wakes(&mut self) {
        if let Some(keeper) = self.machine.keeper.as_mut().filter(|k| !k.busy) {
            keeper.busy = true;
            let generation = keeper.generation;
            let delay = self.rng.below(3);
            self.after(delay, Task::KeeperStep { generation });
        }
    }

    /// One action of the keeper, or one input if there is none. A crash may come between any two.
    pub(crate) fn keeper_step(&mut self, generation: u64) {
        let Some(keeper) = self.machine.keeper.as_mut().filter(|k| k.generation == generation) else { return };
        keeper.busy = false;
        if let Some(action) = keeper.actions.pop_front() {
            self.keeper_acts(action);
        } else if let Some(input) = keeper.inputs.pop_front() {
            keeper.actions = keeper.mind.on(input).into();
        }
        let more = self.machine.keeper.as_ref().is_some_and(|k| !k.actions.is_empty() || !k.inputs.is_empty());
        if more {
            self.keeper_wakes();
        }
    }

    fn keeper_acts(&mut self, action: Action) {
        self.trace(|| format!("keeper: {action:?}"));
        match action {
            Action::Record(record) => self.keeper_records(record),
            Action::Fork(order) => self.fork(&order),
            Action::Reap { attempt } => {
                self.machine.procs.retain(|_, p| {
                    p.attempt != attempt || p.parent != Parent::Keeper || !matches!(p.stage, Stage::Zombie { .. })
                });
            }
            Action::Send(message) => self.keeper_sends(message),
            Action::Welcome(attempts) => {
                let welcome = Welcome {
                    version: bivouac_keeper::protocol::VERSION,
                    keeper_pid: 2,
                    reaper_pid: 1,
                    boot_id: "boot".into(),
                    journal: 1,
                    kill_mode: bivouac_keeper::protocol::KillMode::CgroupV2,
                    notes: Vec::new(),
                    attempts,
                };
                self.keeper_sends(FromKeeper::Welcome(Box::new(welcome)));
            }
            Action::Signal { attempt, signal, .. } => self.signal(attempt, signal),
            Action::KillAll { attempt } => self.kill_all(attempt),
            Action::Adopt { attempt, process } => {
                let found = self.look_for(attempt, process);
                self.keeper_input(Input::Adopted { attempt, found });
            }
            Action::RemoveScratch { attempt, .. } => {
                let delay = self.rng.below(50);
                self.after(delay, Task::ScratchRemoved { attempt });
            }
            Action::ScheduleRespawn { failures } => {
                let Some(generation) = self.machine.keeper.as_ref().map(|k| k.generation) else { return };
                self.after(500 + 100 * u64::from(failures), Task::RespawnDue { generation });
            }
            Action::SpawnController { .. } => self.after(5, Task::StartController),
            // Nothing is left, and the controller said goodbye: this simulation's controllers never do.
            Action::End => self.fail("the keeper ended though its controller did not say goodbye".into()),
        }
    }

    fn keeper_records(&mut self, record: Record) {
        let no_space = self.shape.rare > 0 && !self.quiet && self.rng.chance(2);
        let machine = &mut self.machine;
        match record {
            Record::Session(session) => machine.session = Some(session),
            Record::Intent { attempt, traces, at } => {
                let Some(keeper) = &mut machine.keeper else { return };
                keeper.no_space = no_space;
                if no_space {
                    return;
                }
                machine.next_slot += 1;
                keeper.last_slot = machine.next_slot;
                let slot = Slot {
                    attempt,
                    traces,
                    at,
                    void: false,
                    claimed: None,
                    ended: None,
                    scratch_removed: false,
                    damaged: false,
                    corrupt: false,
                };
                machine.slots.insert(machine.next_slot, slot);
            }
            Record::Ended { attempt, ending } => {
                if let Some(slot) = machine.slot_of(attempt) {
                    slot.ended = Some(ending);
                }
            }
            Record::ScratchRemoved { attempt } => {
                if let Some(slot) = machine.slot_of(attempt) {
                    slot.scratch_removed = true;
                }
            }
            Record::Forget { attempt } => machine.slots.retain(|_, s| s.attempt != attempt),
            Record::Claimed { .. } | Record::Corrupt { .. } => {}
        }
    }

    fn fork(&mut self, order: &LaunchOrder) {
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
        let proc = Proc { attempt, slot, parent: Parent::Keeper, stage: Stage::Young, stubborn, started: at };
        self.machine.procs.insert(pid, proc);
        let delay = self.rng.below(20);
        self.after(delay, Task::Claim { pid });
        self.keeper_input(Input::Forked { attempt, pid, at });
    }

    /// The child's first act: with the claim it goes on to the script, without it it exits.
    pub(crate) fn claim(&mut self, pid: i32) {
        let Some(proc) = self.machine.procs.get_mut(&pid).filter(|p| p.stage == Stage::Young) else { return };
        let attempt = proc.attempt;
        let slot = self.machine.slots.get_mut(&proc.slot).filter(|s| !s.void && s.attempt == attempt);
        let Some(slot) = slot else { return self.exit(pid, 0) };
        slot.claimed = Some(Process { pid, start_ticks: self.time });
        proc.stage = Stage::Running;
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

    fn ending(&self, pid: i32) -> Ending {
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
        let claimed = |s: &&mut Slot| s.claimed.is_some_and(|c| c.pid == pid) && s.ended.is_none() && !s.corrupt;
        if let Some(slot) = self.machine.slots.values_mut().find(claimed) {
            slot.ended = Some(ending.clone());
            self.keeper_input(Input::Ended { attempt, ending });
        }
        self.machine.procs.remove(&pid);
    }

    fn look_for(&mut self, attempt: Attempt, process: Process) -> Found {
        if let Some(ending) = self.machine.slot_of(attempt).and_then(|s| s.ended.clone()) {
            return Found::Ended(ending);
        }
        match self.machine.procs.get(&process.pid) {
            Some(proc) if proc.parent == Parent::Reaper => Found::Running,
            _ => Found::Lost,
        }
    }

    fn signal(&mut self, attempt: Attempt, signal: i32) {
        let alive = |p: &Proc| p.attempt == attempt && !matches!(p.stage, Stage::Zombie { .. });
        let pids: Vec<(i32, bool)> =
            self.machine.procs.iter().filter(|(_, p)| alive(p)).map(|(pid, p)| (*pid, p.stubborn)).collect();
        for (pid, stubborn) in pids {
            let delay = self.rng.below(300);
            match signal {
                SIGCONT => {}
                SIGKILL => self.after(1, Task::Exit { pid, wait_status: SIGKILL }),
                SIGTERM if stubborn => {}
                SIGTERM if self.rng.chance(20) => self.after(delay, Task::Exit { pid, wait_status: 0 }),
                signal if self.rng.chance(80) => self.after(delay, Task::Exit { pid, wait_status: signal & 0x7f }),
                _ => {}
            }
        }
    }

    fn kill_all(&mut self, attempt: Attempt) {
        let alive = |p: &Proc| p.attempt == attempt && !matches!(p.stage, Stage::Zombie { .. });
        let pids: Vec<i32> = self.machine.procs.iter().filter(|(_, p)| alive(p)).map(|(pid, _)| *pid).collect();
        for pid in pids {
            let delay = self.rng.below(5);
            self.after(delay, Task::Exit { pid, wait_status: SIGKILL });
        }
    }

    fn keeper_sends(&mut self, message: FromKeeper) {
        let Some(connection) = self.machine.keeper.as_ref().and_then(|k| k.connection) else { return };
        self.send_to_controller(connection, message);
    }

    /// The keeper dies. Its children become the reaper's, if there is one.
    pub(crate) fn keeper_dies(&mut self) {
        let Some(keeper) = self.machine.keeper.take() else { return };
        self.trace(|| format!("keeper {} dies", keeper.generation));
        self.orphan(Parent::Keeper, if self.machine.reaper { Parent::Reaper } else { Parent::Init });
        if let Some(connection) = keeper.connection {
            let delay = self.rng.below(20);
            self.after(delay, Task::LinkLost { connection });
        }
        if self.machine.reaper {
            let delay = self.rng.range(1, 400);
            self.after(delay, Task::StartKeeper);
        }
    }

    /// The reaper dies. Its own children are lost; a living keeper notices after a while and takes its place.
    pub(crate) fn reaper_dies(&mut self) {
        if !std::mem::take(&mut self.machine.reaper) {
            return;
        }
        self.trace(|| "reaper dies".into());
        self.checker.catastrophe();
        self.orphan(Parent::Reaper, Parent::Init);
        if let Some(generation) = self.machine.keeper.as_ref().map(|k| k.generation) {
            let delay = self.rng.below(30);
            self.after(delay, Task::KeeperBecomesReaper { generation });
        }
    }

    pub(crate) fn keeper_becomes_reaper(&mut self, generation: u64) {
        if !self.machine.keeper.as_ref().is_some_and(|k| k.generation == generation) {
            return;
        }
        self.machine.reaper = true;
        self.keeper_dies();
    }

    fn orphan(&mut self, of: Parent, to: Parent) {
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

    /// The machine goes down and comes up: no process survives, the journal does, and what ran is lost.
    pub(crate) fn reboot(&mut self) {
        self.trace(|| "the machine reboots".into());
        self.controller_dies();
        self.machine.keeper = None;
        self.machine.reaper = false;
        for proc in std::mem::take(&mut self.machine.procs).into_values() {
            if proc.stage == Stage::Running {
                self.checker.script_vanished(proc.attempt.job, proc.attempt.restart);
            }
        }
        for slot in self.machine.slots.values_mut().filter(|s| s.claimed.is_some() && s.ended.is_none()) {
            slot.ended = Some(Ending::Lost);
        }
    }

    pub(crate) fn scratch_removed(&mut self, attempt: Attempt) {
        self.keeper_input(Input::ScratchRemoved { attempt });
    }

    pub(crate) fn respawn_due(&mut self, generation: u64) {
        if self.machine.keeper.as_ref().is_some_and(|k| k.generation == generation) {
            self.keeper_input(Input::RespawnDue);
        }
    }
}
