//! The loop: one queue of (time, sequence, task), one seed, virtual time.

use crate::checker::Checker;
use crate::controller::{Controller, Mail};
use crate::disk::Disk;
use crate::machine::Machine;
use crate::planted::Planted;
use crate::rng::Rng;
use crate::shape::Shape;
use bivouac_core::Command;
use bivouac_keeper::protocol::{FromKeeper, ToKeeper};
use bivouac_keeper::report::Attempt;
use bivouac_types::config::ClusterConfig;
use bivouac_types::{Duration, Now, Timestamp};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

/// What happens at a time.
#[derive(Debug)]
#[expect(missing_docs, reason = "each is named after the function that does it")]
pub enum Task {
    User,
    Request { request: u64, command: Box<Command> },
    StartController,
    Connect { generation: u64 },
    Turn { generation: u64 },
    Stored { generation: u64 },
    Act { generation: u64 },
    Wake { generation: u64 },
    ToKeeper { connection: u64, message: ToKeeper },
    ToController { connection: u64, message: FromKeeper },
    LinkLost { connection: u64 },
    KeeperDisconnected { connection: u64 },
    StartKeeper,
    KeeperStep { generation: u64 },
    KeeperBecomesReaper { generation: u64 },
    Claim { pid: i32 },
    Exit { pid: i32, wait_status: i32 },
    ReaperCollects { pid: i32 },
    ScratchRemoved { attempt: Attempt },
    RespawnDue { generation: u64 },
    Crash,
    DiskFree,
}

/// After the users have fallen silent, faults go on for so long.
const AFTERMATH: u64 = 20_000;
/// Then faults end, and everything must settle within this time.
const PATIENCE: u64 = 40 * 3_600_000;
/// More steps than any run that settles takes.
const MAX_STEPS: u64 = 400_000;

/// How a run went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The first thing that must not be, if any.
    pub violation: Option<String>,
    /// Of everything that became durable, in order, with its time.
    pub hash: u64,
    /// Tasks done.
    pub steps: u64,
    /// What the run did see.
    pub seen: Seen,
}

/// What a run did see, to know that the faults are injected at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Jobs that became durable.
    pub submitted: u64,
    /// Grants.
    pub started: u64,
    /// Jobs that ran into their limit.
    pub timeouts: u64,
    /// Jobs whose end nobody knows.
    pub node_fails: u64,
    /// Runs that were repeated.
    pub requeued: u64,
    /// Runs that were suspended.
    pub suspended: u64,
    /// Jobs that their deadline ended.
    pub deadlines: u64,
    /// Jobs that were changed.
    pub amended: u64,
    /// Jobs that got less time than they asked for.
    pub shortened: u64,
    /// Restarts of the controller.
    pub controllers: u64,
}

/// A run.
pub struct Sim {
    pub(crate) rng: Rng,
    pub(crate) shape: Shape,
    pub(crate) config: Arc<ClusterConfig>,
    /// Virtual time, milliseconds.
    pub(crate) time: u64,
    wall_offset: i64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    tasks: BTreeMap<u64, Task>,
    sequence: u64,
    pub(crate) disk: Disk,
    pub(crate) controller: Option<Controller>,
    pub(crate) generations: u64,
    pub(crate) connections: u64,
    /// Messages to the keeper arrive in the order in which they were sent: none before this time.
    pub(crate) send_order: u64,
    pub(crate) machine: Machine,
    pub(crate) checker: Checker,
    pub(crate) commands_left: u64,
    pub(crate) requests: u64,
    pub(crate) open_requests: BTreeMap<u64, Command>,
    /// Faults are over.
    pub(crate) quiet: bool,
    pub(crate) planted: Option<Planted>,
    violation: Option<String>,
    hash: u64,
    traced: bool,
}

/// Runs a seed.
pub fn run(seed: u64, planted: Option<Planted>, traced: bool) -> Verdict {
    let mut rng = Rng::new(seed);
    let shape = Shape::new(&mut rng);
    let config = Arc::new(shape.config.clone());
    let mut sim = Sim {
        checker: Checker::new(config.clone()),
        commands_left: shape.commands,
        rng,
        shape,
        config,
        time: 1_000,
        wall_offset: 1_700_000_000_000,
        queue: BinaryHeap::new(),
        tasks: BTreeMap::new(),
        sequence: 0,
        disk: Disk::default(),
        controller: None,
        generations: 0,
        connections: 0,
        send_order: 0,
        machine: Machine::default(),
        requests: 0,
        open_requests: BTreeMap::new(),
        quiet: false,
        planted,
        violation: None,
        hash: 0xcbf2_9ce4_8422_2325,
        traced,
    };
    sim.go()
}

impl Sim {
    fn go(&mut self) -> Verdict {
        self.after(0, Task::StartController);
        self.after(10, Task::User);
        if self.shape.crash_gap > 0 {
            let gap = self.rng.below(self.shape.crash_gap);
            self.after(gap, Task::Crash);
        }
        let mut steps = 0;
        let mut silent_since = None;
        while self.violation.is_none() && steps < MAX_STEPS {
            let Some(Reverse((time, sequence))) = self.queue.pop() else {
                match self.quiet {
                    false => self.calm(),
                    true => self.resume_everything(),
                }
                if self.queue.is_empty() {
                    break;
                }
                continue;
            };
            let Some(task) = self.tasks.remove(&sequence) else { continue };
            self.time = time;
            steps += 1;
            self.perform_task(task);
            if let Some(found) = self.checker.violation.take() {
                self.fail(found);
            }
            if self.commands_left == 0 && silent_since.is_none() {
                silent_since = Some(self.time);
            }
            match silent_since {
                Some(since) if !self.quiet && self.time > since + AFTERMATH => self.calm(),
                Some(since) if self.quiet && self.time > since + PATIENCE => break,
                _ => {}
            }
            if self.quiet && steps % 64 == 0 {
                if self.is_settled() {
                    break;
                }
                self.resume_everything();
            }
        }
        if self.violation.is_none() && !self.is_settled() {
            let what = format!("it has not settled after {steps} steps: {}", self.unsettled());
            self.fail(what);
        }
        if self.violation.is_none() {
            self.check_settled();
        }
        let seen = Seen { controllers: self.generations, ..self.checker.seen };
        Verdict { violation: self.violation.clone(), hash: self.hash, steps, seen }
    }

    fn perform_task(&mut self, task: Task) {
        match task {
            Task::User => self.user_acts(),
            Task::Request { request, command } => self.request_arrives(request, *command),
            Task::StartController => self.start_controller(),
            Task::Connect { generation } => self.connect(generation),
            Task::Turn { generation } => self.turn(generation),
            Task::Stored { generation } => self.stored(generation),
            Task::Act { generation } => self.act(generation),
            Task::Wake { generation } => self.wake(generation),
            Task::ToKeeper { connection, message } => self.keeper_receives(connection, message),
            Task::ToController { connection, message } => self.controller_hears(connection, message),
            Task::LinkLost { connection } => self.controller_receives(Mail::LinkLost(connection)),
            Task::KeeperDisconnected { connection } => self.keeper_disconnected(connection),
            Task::StartKeeper => self.start_keeper(),
            Task::KeeperStep { generation } => self.keeper_step(generation),
            Task::KeeperBecomesReaper { generation } => self.keeper_becomes_reaper(generation),
            Task::Claim { pid } => self.claim(pid),
            Task::Exit { pid, wait_status } => self.exit(pid, wait_status),
            Task::ReaperCollects { pid } => self.reaper_collects(pid),
            Task::ScratchRemoved { attempt } => self.scratch_removed(attempt),
            Task::RespawnDue { generation } => self.respawn_due(generation),
            Task::Crash => self.crash(),
            Task::DiskFree => self.disk.full = false,
        }
    }

    pub(crate) fn after(&mut self, delay: u64, task: Task) {
        self.sequence += 1;
        self.queue.push(Reverse((self.time + delay, self.sequence)));
        self.tasks.insert(self.sequence, task);
    }

    pub(crate) fn now(&self) -> Now {
        Now { wall: Timestamp(self.wall_offset + self.time as i64), run: Duration(self.time) }
    }

    pub(crate) fn fail(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    pub(crate) fn trace(&self, what: impl FnOnce() -> String) {
        if self.traced {
            eprintln!("{:>9} {}", self.time, what());
        }
    }

    /// FNV-1a of what becomes durable and when.
    pub(crate) fn hash(&mut self, bytes: &[u8]) {
        for byte in self.time.to_le_bytes().iter().chain(bytes) {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    /// A stream: in order, and what is under way when the connection breaks is lost.
    pub(crate) fn send_to_keeper(&mut self, connection: u64, message: ToKeeper) {
        let copies = if self.rng.chance(self.shape.double) && !self.quiet { 2 } else { 1 };
        for _ in 0..copies {
            let at = (self.time + self.rng.below(5)).max(self.send_order);
            self.send_order = at;
            self.after(at - self.time, Task::ToKeeper { connection, message: message.clone() });
        }
    }

    pub(crate) fn send_to_controller(&mut self, connection: u64, message: FromKeeper) {
        if !self.quiet && self.rng.chance(self.shape.lose) {
            // A stream does not lose bytes without breaking.
            self.trace(|| format!("lost, with connection {connection}: {message:?}"));
            self.after(1, Task::LinkLost { connection });
            return self.after(2, Task::KeeperDisconnected { connection });
        }
        let copies = if !self.quiet && self.rng.chance(self.shape.double) { 2 } else { 1 };
        for _ in 0..copies {
            let spread = if self.shape.reorder { 400 } else { 1 };
            let delay = self.rng.below(spread) + 1;
            self.after(delay, Task::ToController { connection, message: message.clone() });
        }
    }

    fn controller_hears(&mut self, connection: u64, message: FromKeeper) {
        match message {
            FromKeeper::Welcome(w) => self.controller_receives(Mail::Welcome(connection, w.attempts)),
            message => self.controller_receives(Mail::Keeper(connection, message)),
        }
    }

    fn crash(&mut self) {
        if self.quiet {
            return;
        }
        let gap = self.rng.below(2 * self.shape.crash_gap) + 1;
        self.after(gap, Task::Crash);
        if self.rng.chance(self.shape.rare) {
            return self.rare_fault();
        }
        match self.rng.below(10) {
            0..=4 => self.controller_dies(),
            5..=7 => self.keeper_dies(),
            _ => self.reaper_dies(),
        }
    }

    fn rare_fault(&mut self) {
        match self.rng.below(5) {
            0 => self.reboot(),
            1 => {
                self.disk.full = true;
                let length = self.rng.below(20_000);
                self.after(length, Task::DiskFree);
            }
            2 => {
                let step = self.rng.below(240_000) as i64 - 120_000;
                self.trace(|| format!("the wall clock steps by {step} ms"));
                self.wall_offset += step;
                self.checker.clock_stepped();
                // Timers wait on another clock: the controller looks again.
                let generation = self.generations;
                self.after(1, Task::Wake { generation });
            }
            3 => {
                let which = self.rng.next();
                self.machine.damage(which);
                self.checker.journal_damaged();
            }
            _ => {
                self.keeper_dies();
                self.reaper_dies();
            }
        }
    }

    /// Faults end; whatever is down comes back.
    fn calm(&mut self) {
        self.trace(|| "faults end".into());
        self.quiet = true;
        self.disk.full = false;
        self.after(0, Task::StartController);
        self.release_everything();
        let generation = self.generations;
        self.after(2_000, Task::Wake { generation });
    }

    fn is_settled(&self) -> bool {
        self.quiet && self.unsettled().is_empty()
    }

    /// What is still going on, or waits without a permanent reason.
    fn unsettled(&self) -> String {
        let Some(controller) = &self.controller else { return "there is no controller".into() };
        if !controller.is_idle() {
            return "the controller is busy".into();
        }
        if self.machine.has_processes() {
            return "processes of jobs exist".into();
        }
        let (cluster, plan) = (&controller.cluster, &controller.plan);
        let moving = cluster.jobs().find(|j| {
            j.run().is_some() || (j.pending().is_some() && !crate::checker::is_permanent(cluster, plan, j))
        });
        match moving {
            Some(job) => format!("job {} is {} ({})", job.id, job.state(), cluster.reason(job, plan)),
            None => String::new(),
        }
    }

    fn check_settled(&mut self) {
        let Some(controller) = self.controller.take() else { return };
        let result = controller.cluster.check();
        if let (Err(violation), None) = (result, self.planted) {
            self.fail(format!("the core's own check at the end: {violation}"));
        }
        // What is in memory is what is stored.
        self.check_replay(&controller.cluster);
        if let Some(found) = self.checker.at_the_end() {
            self.fail(found);
        }
    }
}
