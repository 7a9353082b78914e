//! The controller's shell around the real core and planner: turns of mail, commits, effects, the link to the
//! keeper. A crash may come between any two steps.

use crate::keeper_mail::{from_keeper, from_status, ours, pretend_current, theirs};
use crate::planted::Planted;
use crate::sim::{Sim, Task};
use bivouac_core::{CancelScope, Change, Cluster, Command, Effect, Event, JobTarget, KeeperReport, Plan};
use bivouac_keeper::order::LaunchOrder;
use bivouac_keeper::protocol::{FromKeeper, Scope, ToKeeper};
use bivouac_keeper::report::{self, AttemptStatus};
use bivouac_types::{JobId, JobState, Reject};
use std::collections::{BTreeSet, VecDeque};

/// Placements the planner may try in a turn.
const BUDGET: usize = 200;

/// What the controller finds in its mailbox.
#[derive(Clone, Debug)]
pub enum Mail {
    /// A user's command.
    Request(u64, Box<Command>),
    /// The keeper answered Hello.
    Welcome(u64, Vec<(report::Attempt, AttemptStatus)>),
    /// The keeper said something.
    Keeper(u64, FromKeeper),
    /// The connection broke.
    LinkLost(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Down,
    /// Hello is sent. Nothing else is, until the keeper has said what it holds.
    Greeting(u64),
    Up(u64),
}

impl Link {
    fn is(self, connection: u64) -> bool {
        matches!(self, Link::Greeting(c) | Link::Up(c) if c == connection)
    }
}

/// An answer to a user.
pub type Answer = Result<Option<JobId>, Reject>;

#[derive(Default)]
struct Turn {
    events: Vec<Event>,
    effects: Vec<Effect>,
    answers: Vec<(u64, Answer)>,
    reports: Vec<KeeperReport>,
}

enum Step {
    Effect(Effect),
    Answer(u64, Answer),
}

enum Stage {
    Idle,
    Committing(Turn),
    Acting(VecDeque<Step>),
}

/// A controller that runs.
pub struct Controller {
    generation: u64,
    /// The real core.
    pub cluster: Cluster,
    /// The latest plan.
    pub plan: Plan,
    link: Link,
    mail: VecDeque<Mail>,
    stage: Stage,
    /// Ends that could not be stored yet.
    unstored: Vec<KeeperReport>,
    storage_problem: bool,
    batches: u64,
    awake: bool,
}

impl Controller {
    /// Whether it has nothing to do but wait.
    pub fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Idle) && self.mail.is_empty() && matches!(self.link, Link::Up(_))
    }
}

impl Sim {
    /// Starts a controller on what is stored, and checks that it is what was stored.
    pub(crate) fn start_controller(&mut self) {
        if self.controller.is_some() {
            return;
        }
        if self.shape.rare > 0 && !self.disk.is_empty() && self.rng.chance(20) {
            self.check_flipped_bit();
        }
        let (snapshot, tail) = match self.disk.load(true) {
            Ok(found) => found,
            Err(corrupt) => {
                return self.fail(format!("the store is corrupt at {corrupt:?} though nothing was changed"));
            }
        };
        let config = self.config.clone();
        let mut cluster = match snapshot {
            None => Cluster::new(config),
            Some(state) => match Cluster::restore(config, state) {
                Ok(cluster) => cluster,
                Err(e) => return self.fail(format!("a snapshot does not fit its own configuration: {e}")),
            },
        };
        tail.iter().for_each(|event| cluster.apply(event));
        self.check_replay(&cluster);
        self.generations += 1;
        let generation = self.generations;
        self.trace(|| format!("controller {generation} starts, {} events after the snapshot", tail.len()));
        self.controller = Some(Controller {
            generation,
            cluster,
            plan: Plan::default(),
            link: Link::Down,
            mail: VecDeque::new(),
            stage: Stage::Idle,
            unstored: Vec::new(),
            storage_problem: false,
            batches: 0,
            awake: false,
        });
        self.after(1, Task::Connect { generation });
        self.wake_controller(0);
    }

    /// A flipped bit anywhere in the store must be found by whoever reads it.
    fn check_flipped_bit(&mut self) {
        let mut damaged = self.disk.clone();
        // A torn end is dropped first: a bit of it that flips makes no difference.
        if damaged.load(false).is_err() || damaged.is_empty() {
            return;
        }
        damaged.flip(&mut self.rng);
        if let Ok((_, events)) = damaged.load(false) {
            let same = self.disk.load(false).is_ok_and(|(_, whole)| whole == events);
            self.fail(format!("a flipped bit in the store was not detected (read alike: {same})"));
        }
    }

    /// Snapshot and tail equal the replay of everything.
    pub(crate) fn check_replay(&mut self, cluster: &Cluster) {
        let Ok((_, all)) = self.disk.load(false) else { return };
        let mut full = Cluster::new(self.config.clone());
        all.iter().for_each(|event| full.apply(event));
        if full.state() != cluster.state() {
            self.fail("snapshot and tail differ from the replay of all events".into());
        }
        self.checker.compare(&all);
    }

    pub(crate) fn controller_dies(&mut self) {
        let Some(controller) = self.controller.take() else { return };
        self.trace(|| format!("controller {} dies", controller.generation));
        if let Stage::Committing(turn) = controller.stage {
            if !self.disk.full && self.rng.chance(50) {
                self.disk_append(&turn.events);
            } else if self.rng.chance(self.shape.torn) && !turn.events.is_empty() {
                self.disk.append_torn(&turn.events, &mut self.rng);
            }
        }
        if let Link::Greeting(connection) | Link::Up(connection) = controller.link {
            let delay = self.rng.below(20);
            self.after(delay, Task::KeeperDisconnected { connection });
        }
        let delay = self.rng.range(1, 1500);
        self.after(delay, Task::StartController);
    }

    pub(crate) fn controller_receives(&mut self, mail: Mail) {
        if let Some(controller) = &mut self.controller {
            controller.mail.push_back(mail);
            let delay = self.rng.below(3);
            self.wake_controller(delay);
        } else if let Mail::Request(request, _) = mail {
            self.user_answered(request, Err(Reject::Other("no controller".into())));
        }
    }

    fn wake_controller(&mut self, delay: u64) {
        if let Some(controller) =
            self.controller.as_mut().filter(|c| !c.awake && matches!(c.stage, Stage::Idle))
        {
            controller.awake = true;
            let generation = controller.generation;
            self.after(delay, Task::Turn { generation });
        }
    }

    fn is_current(&self, generation: u64) -> bool {
        self.controller.as_ref().is_some_and(|c| c.generation == generation)
    }

    pub(crate) fn connect(&mut self, generation: u64) {
        if !self.is_current(generation) || self.controller.as_ref().is_some_and(|c| c.link != Link::Down) {
            return;
        }
        self.connections += 1;
        let connection = self.connections;
        if !self.keeper_admits(connection) {
            // Nobody there: whoever finds both dead starts both.
            if !self.machine.reaper {
                self.machine.reaper = true;
                self.after(5, Task::StartKeeper);
            }
            return self.after(50, Task::Connect { generation });
        }
        if let Some(controller) = &mut self.controller {
            controller.link = Link::Greeting(connection);
        }
        self.send_order = self.time;
        let hello = ToKeeper::Hello { version: 1, controller_pid: 1, respawn: vec![b"bivouacd".to_vec()] };
        self.send_to_keeper(connection, hello);
    }

    /// Everything in the mailbox is dealt with, then stored as one batch.
    pub(crate) fn turn(&mut self, generation: u64) {
        if !self.is_current(generation) {
            return;
        }
        let now = self.now();
        let Some(mut controller) = self.controller.take() else { return };
        controller.awake = false;
        if !matches!(controller.stage, Stage::Idle) {
            self.controller = Some(controller);
            return;
        }
        if controller.storage_problem && !self.disk.full {
            controller.storage_problem = false;
            let effects = controller.cluster.resume_effects();
            effects.into_iter().for_each(|e| self.perform(controller.link, &controller.cluster, e));
        }
        let mut turn = Turn::default();
        let stored = !controller.storage_problem;
        if stored {
            for report in std::mem::take(&mut controller.unstored) {
                self.report(&mut controller, &mut turn, report);
            }
        }
        while let Some(mail) = controller.mail.pop_front() {
            self.deal_with(&mut controller, &mut turn, mail);
        }
        if stored {
            if controller.cluster.next_deadline(now).is_some_and(|d| d.0 == 0) {
                self.decide(&mut controller, &mut turn, Command::Tick);
            }
            let plan = bivouac_sched::plan(&controller.cluster, now, BUDGET);
            controller.plan = plan.clone();
            self.decide(&mut controller, &mut turn, Command::ApplyPlan(plan));
        }
        if self.planted == Some(Planted::AnswerBeforeDurable) {
            for (request, answer) in std::mem::take(&mut turn.answers) {
                self.user_answered(request, answer);
            }
        }
        controller.stage = Stage::Committing(turn);
        self.controller = Some(controller);
        let delay = self.rng.below(5);
        self.after(delay, Task::Stored { generation });
    }

    fn deal_with(&mut self, controller: &mut Controller, turn: &mut Turn, mail: Mail) {
        self.trace(|| format!("controller reads {mail:?}"));
        match mail {
            Mail::Request(request, _) if controller.storage_problem => {
                turn.answers.push((request, Err(Reject::Storage("disk full".into()))));
            }
            Mail::Request(request, command) => {
                let key = match &*command {
                    Command::Submit { key, .. } => Some(*key),
                    _ => None,
                };
                let decided = controller.cluster.decide(*command, self.now());
                let answer = decided.map(|events| self.apply(controller, turn, events));
                let job = |()| key.and_then(|k| controller.cluster.job_of_key(k));
                turn.answers.push((request, answer.map(job)));
            }
            Mail::Welcome(connection, attempts) if controller.link == Link::Greeting(connection) => {
                controller.link = Link::Up(connection);
                let mut listed = BTreeSet::new();
                for (attempt, status) in attempts {
                    listed.insert(ours(attempt));
                    if let Some(report) = from_status(ours(attempt), &status) {
                        self.report(controller, turn, report);
                    }
                }
                for report in controller.cluster.reconcile(&listed, true) {
                    self.report(controller, turn, report);
                }
                // First: a signal decided in this very turn must find its job launched.
                let resumed = controller.cluster.resume_effects();
                turn.effects.splice(0..0, resumed);
            }
            // What an earlier connection still held is not heard.
            Mail::Keeper(connection, said) if controller.link.is(connection) => {
                if let Some(report) = from_keeper(said) {
                    self.report(controller, turn, report);
                }
            }
            Mail::LinkLost(connection) => {
                if controller.link.is(connection) {
                    controller.link = Link::Down;
                    let delay = self.rng.range(1, 100);
                    self.after(delay, Task::Connect { generation: controller.generation });
                }
            }
            Mail::Welcome(..) | Mail::Keeper(..) => {}
        }
    }

    fn report(&mut self, controller: &mut Controller, turn: &mut Turn, mut report: KeeperReport) {
        if controller.storage_problem {
            controller.unstored.push(report);
            return;
        }
        if self.planted == Some(Planted::AcceptStaleReport) {
            pretend_current(&controller.cluster, &mut report);
        }
        turn.reports.push(report.clone());
        match controller.cluster.decide(Command::Report(report.clone()), self.now()) {
            Ok(events) if events.is_empty() => turn.effects.extend(controller.cluster.stale_effects(&report)),
            Ok(events) => self.apply(controller, turn, events),
            Err(e) => self.fail(format!("a report was refused: {e}")),
        }
    }

    fn decide(&mut self, controller: &mut Controller, turn: &mut Turn, command: Command) {
        match controller.cluster.decide(command, self.now()) {
            Ok(events) => self.apply(controller, turn, events),
            Err(e) => self.fail(format!("a command of our own was refused: {e}")),
        }
    }

    fn apply(&mut self, controller: &mut Controller, turn: &mut Turn, events: Vec<Event>) {
        for event in events {
            controller.cluster.apply(&event);
            turn.effects.extend(controller.cluster.effects(&event));
            if self.planted == Some(Planted::FreeTwice)
                && let Change::Ending { attempt, .. } = &event.change
            {
                bivouac_core::cluster::sabotage::free_too_early(&mut controller.cluster, attempt.job);
            }
            turn.events.push(event);
        }
        if self.planted.is_none()
            && let Err(violation) = controller.cluster.check()
        {
            self.fail(format!("the core's own check: {violation}"));
        }
    }

    fn disk_append(&mut self, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        self.disk.append(events);
        let bytes = self.disk.last().to_vec();
        self.hash(&bytes);
        for event in events {
            self.trace(|| format!("durable: {:?}", event.change));
            self.checker.event(event);
        }
    }

    /// The batch is durable, or it is not and everything is as it was.
    pub(crate) fn stored(&mut self, generation: u64) {
        if !self.is_current(generation) {
            return;
        }
        let Some(mut controller) = self.controller.take() else { return };
        let Stage::Committing(turn) = std::mem::replace(&mut controller.stage, Stage::Idle) else {
            self.controller = Some(controller);
            return;
        };
        let mut steps = VecDeque::new();
        if self.disk.full && !turn.events.is_empty() {
            self.trace(|| "the disk is full, the turn is undone".into());
            controller.storage_problem = true;
            controller.unstored.extend(turn.reports);
            controller.plan = Plan::default();
            let (snapshot, tail) = self.disk.load(true).unwrap_or_default();
            let config = self.config.clone();
            controller.cluster = match snapshot {
                Some(state) => Cluster::restore(config, state).unwrap_or_else(|e| panic!("restore: {e}")),
                None => Cluster::new(config),
            };
            tail.iter().for_each(|event| controller.cluster.apply(event));
            let refused = |answer: Answer| match answer {
                Ok(_) => Err(Reject::Storage("disk full".into())),
                refusal => refusal,
            };
            steps.extend(turn.answers.into_iter().map(|(request, a)| Step::Answer(request, refused(a))));
        } else {
            self.disk_append(&turn.events);
            controller.batches += 1;
            if controller.batches.is_multiple_of(self.shape.snapshot_every) {
                self.disk.store_snapshot(controller.cluster.state());
            }
            for event in &turn.events {
                if let Change::Ended { job, .. } = &event.change
                    && let Some(job) = controller.cluster.job(*job)
                    && let Some(info) = controller.cluster.job_info(job, &controller.plan, self.now())
                {
                    self.checker.accounted(&info, event.at);
                }
            }
            self.checker.shown(&controller.cluster, &controller.plan, self.now());
            steps.extend(turn.answers.into_iter().map(|(request, answer)| Step::Answer(request, answer)));
            steps.extend(turn.effects.into_iter().map(Step::Effect));
        }
        controller.stage = Stage::Acting(steps);
        self.controller = Some(controller);
        self.act(generation);
    }

    /// One effect or answer; the next comes a little later.
    pub(crate) fn act(&mut self, generation: u64) {
        if !self.is_current(generation) {
            return;
        }
        let Some(mut controller) = self.controller.take() else { return };
        let step = match &mut controller.stage {
            Stage::Acting(steps) => steps.pop_front(),
            _ => None,
        };
        match step {
            Some(Step::Effect(effect)) => self.perform(controller.link, &controller.cluster, effect),
            Some(Step::Answer(request, answer)) => self.user_answered(request, answer),
            None => {
                controller.stage = Stage::Idle;
                let wait = controller.cluster.next_deadline(self.now()).map(|d| d.0.max(1));
                let wait = if controller.storage_problem { Some(1000) } else { wait };
                let more = !controller.mail.is_empty();
                self.controller = Some(controller);
                if more {
                    self.wake_controller(0);
                } else if let Some(wait) = wait {
                    self.after(wait, Task::Wake { generation });
                }
                return;
            }
        }
        self.controller = Some(controller);
        let delay = self.rng.below(2);
        self.after(delay, Task::Act { generation });
    }

    pub(crate) fn wake(&mut self, generation: u64) {
        if self.is_current(generation) {
            self.wake_controller(0);
        }
    }

    fn perform(&mut self, link: Link, cluster: &Cluster, effect: Effect) {
        let Link::Up(connection) = link else { return };
        let messages = match &effect {
            Effect::Launch { attempt } => {
                let scratch = (attempt.job.0 % 3 == 0).then(|| b"/scratch".to_vec());
                let order = LaunchOrder {
                    attempt: theirs(*attempt),
                    argv: vec![b"/bin/sh".to_vec()],
                    scratch,
                    ..LaunchOrder::default()
                };
                if cluster.job(attempt.job).is_none() {
                    self.fail(format!("{attempt} is to be launched, and its job is unknown"));
                }
                self.checker.launched(*attempt);
                vec![ToKeeper::Launch(Box::new(order))]
            }
            Effect::Signal { attempt, signal, .. } => vec![ToKeeper::Signal {
                attempt: theirs(*attempt),
                signal: *signal,
                scope: Scope::AllProcesses,
            }],
            Effect::Terminate { attempt } => [18, 15]
                .map(|signal| ToKeeper::Signal {
                    attempt: theirs(*attempt),
                    signal,
                    scope: Scope::AllProcesses,
                })
                .into(),
            Effect::Suspend { attempt } | Effect::Resume { attempt } => vec![ToKeeper::Signal {
                attempt: theirs(*attempt),
                signal: if matches!(effect, Effect::Suspend { .. }) { 19 } else { 18 },
                scope: Scope::AllProcesses,
            }],
            Effect::Kill { attempt } => vec![ToKeeper::Kill { attempt: theirs(*attempt) }],
            Effect::AckKeeper { attempt } => {
                self.checker.acknowledged_to_keeper(*attempt);
                vec![ToKeeper::Ack { attempt: theirs(*attempt) }]
            }
            Effect::StopStale { attempt } => {
                vec![
                    ToKeeper::Kill { attempt: theirs(*attempt) },
                    ToKeeper::Ack { attempt: theirs(*attempt) },
                ]
            }
            Effect::JobEnded { .. }
            | Effect::DropPayload { .. }
            | Effect::StartStep { .. }
            | Effect::EndStep { .. }
            | Effect::Note { .. } => Vec::new(),
        };
        for message in messages {
            self.send_to_keeper(connection, message);
        }
    }

    /// What users have stopped goes on, as soon as there is room for it.
    pub(crate) fn resume_everything(&mut self) {
        let Some(controller) = self.controller.as_ref().filter(|c| c.is_idle()) else { return };
        let mut commands = Vec::new();
        for job in controller.cluster.jobs() {
            let (caller, target) = (crate::users::root(), JobTarget::from(job.id));
            match job.state() {
                JobState::Suspended => commands.push(Command::Resume { caller, target }),
                JobState::Stopped => commands.push(Command::Cancel {
                    caller,
                    target,
                    signal: Some(18),
                    scope: CancelScope::Full,
                }),
                _ => {}
            }
        }
        for command in commands {
            self.requests += 1;
            self.controller_receives(Mail::Request(self.requests, Box::new(command)));
        }
    }

    /// Everything that is asked when the faults are over, so that what users left undone can end.
    pub(crate) fn release_everything(&mut self) {
        let Some(controller) = &self.controller else { return };
        let held: Vec<JobId> = controller.cluster.jobs().filter(|j| j.hold.is_some()).map(|j| j.id).collect();
        for job in held {
            let command = Command::Release { caller: crate::users::root(), target: JobTarget::from(job) };
            self.requests += 1;
            self.controller_receives(Mail::Request(self.requests, Box::new(command)));
        }
    }
}
