//! The machine below the controller: the keeper's journal, the keeper (its real logic, action by action), the
//! reaper, and the processes of jobs. Follows the table in `bivouac_keeper::logic`.

use crate::processes::{Parent, Proc, Stage};
use crate::sim::{Sim, Task};
use bivouac_keeper::logic::{Action, Input, Keeper};
use bivouac_keeper::order::Traces;
use bivouac_keeper::protocol::{FromKeeper, ToKeeper, Welcome};
use bivouac_keeper::record::{Record, Session};
use bivouac_keeper::report::{Attempt, Ending, Process, Stamp};
use std::collections::{BTreeMap, VecDeque};

/// What of an attempt is in the journal.
#[derive(Clone, Debug)]
pub struct Slot {
    pub(crate) attempt: Attempt,
    pub(crate) traces: Traces,
    pub(crate) at: Stamp,
    /// A later keeper found the intent unclaimed: it can no longer be claimed.
    pub(crate) void: bool,
    pub(crate) claimed: Option<Process>,
    pub(crate) ended: Option<Ending>,
    pub(crate) scratch_removed: bool,
    /// Its bytes were changed; the next keeper that reads them notices.
    pub(crate) damaged: bool,
    pub(crate) corrupt: bool,
}

/// A keeper that runs.
pub struct KeeperProcess {
    pub(crate) generation: u64,
    pub(crate) mind: Keeper,
    pub(crate) actions: VecDeque<Action>,
    pub(crate) inputs: VecDeque<Input>,
    /// The connection of the admitted controller.
    pub(crate) connection: Option<u64>,
    pub(crate) busy: bool,
    /// The intent just recorded.
    pub(crate) last_slot: u64,
    /// There was no space for it.
    pub(crate) no_space: bool,
}

/// Journal, keeper, reaper and processes.
#[derive(Default)]
pub struct Machine {
    pub(crate) slots: BTreeMap<u64, Slot>,
    pub(crate) session: Option<Session>,
    pub(crate) next_slot: u64,
    pub(crate) keeper: Option<KeeperProcess>,
    /// Whether a reaper runs.
    pub reaper: bool,
    pub(crate) procs: BTreeMap<i32, Proc>,
    pub(crate) next_pid: i32,
    pub(crate) generations: u64,
}

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

    pub(crate) fn slot_of(&mut self, attempt: Attempt) -> Option<&mut Slot> {
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

    pub(crate) fn keeper_input(&mut self, input: Input) {
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
        let Some(keeper) = self.machine.keeper.as_mut().filter(|k| k.generation == generation) else {
            return;
        };
        keeper.busy = false;
        if let Some(action) = keeper.actions.pop_front() {
            self.keeper_acts(action);
        } else if let Some(input) = keeper.inputs.pop_front() {
            keeper.actions = keeper.mind.on(input).into();
        }
        let more =
            self.machine.keeper.as_ref().is_some_and(|k| !k.actions.is_empty() || !k.inputs.is_empty());
        if more {
            self.keeper_wakes();
        }
    }

    fn keeper_acts(&mut self, action: Action) {
        self.trace(|| format!("keeper: {action:?}"));
        match action {
            Action::Record(record) => self.keeper_records(record),
            Action::Fork(order) => self.fork(&order),
            // Steps have no processes of their own here.
            Action::ForkStep { .. } | Action::Measure { .. } => {}
            Action::Reap { attempt } => {
                self.machine.procs.retain(|_, p| {
                    p.attempt != attempt
                        || p.parent != Parent::Keeper
                        || !matches!(p.stage, Stage::Zombie { .. })
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
                    memory_mode: bivouac_keeper::memory::MemoryMode::Enforced,
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
            // A line in the job's output.
            Action::Note { .. } => {}
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
        if self.machine.keeper.as_ref().is_none_or(|k| k.generation != generation) {
            return;
        }
        self.machine.reaper = true;
        self.keeper_dies();
    }

    /// The machine goes down and comes up: no process survives, the journal does, and what ran is lost.
    pub(crate) fn reboot(&mut self) {
        self.trace(|| "the machine reboots".into());
        self.controller_dies();
        self.machine.keeper = None;
        self.machine.reaper = false;
        for proc in std::mem::take(&mut self.machine.procs).into_values() {
            match proc.stage {
                Stage::Running => self.checker.script_vanished(proc.attempt.job, proc.attempt.restart),
                // It had ended, and the machine went down before that was recorded.
                _ => self.checker.catastrophe(),
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
