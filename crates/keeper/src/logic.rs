//! The keeper's mind: a pure state machine. No clock, no files, no processes; [`Keeper::on`] takes what happened and
//! returns what to do. The daemon and the deterministic simulator drive this same code.
//!
//! # The world's side of the contract
//!
//! Actions are carried out in order. A crash may come between any two of them.
//!
//! | action | the world | answers with |
//! |---|---|---|
//! | `Record(r)` | makes `r` survive the keeper's death | for `Intent` without space: skips the next `Fork`, `Input::NotLaunched` |
//! | `ForkStep` | creates a step's daemon | nothing: what becomes of it is told to the controller as it is |
//! | `Fork` | creates the child | `Input::Forked` when the child has claimed, `Input::Ended` if it ended before, or `Input::NotLaunched` |
//! | `Reap` | collects the zombie | |
//! | `Send` | to the admitted controller; dropped without one | |
//! | `Signal`, `KillAll` | signals; harmless if nothing is there | |
//! | `Adopt` | looks for a process that an earlier keeper started | `Input::Adopted` |
//! | `RemoveScratch` | removes the folder | `Input::ScratchRemoved` |
//! | `ScheduleRespawn` | waits, longer with each failure | `Input::RespawnDue` |
//! | `SpawnController`, `End` | as named | |
//!
//! # Why a script cannot run twice
//!
//! The child, not the keeper, takes the last step. Its first act is to *claim* the attempt: in one atomic step the
//! journal's slot goes from "intent" to "claimed by this process". Only with the claim it goes on to the script.
//! A keeper that starts from a journal first *voids* every unclaimed intent by the same atomic step. Exactly one of the two
//! wins: either the old child has claimed, and the new keeper sees a claim and adopts it; or the intent is void, and
//! the old child, whenever it wakes, exits without having run anything. So [`Keeper::new`] may take an `Intent`
//! without `Claimed` as "never ran and never will", provided that the world voided it when it opened the journal.
//! (No pipe, and no round trip between keeper and child, is needed for this; a crash at any point is covered.)
//!
//! The keeper reports an attempt as launched only when it is claimed (`Input::Forked`), so that what was reported as
//! launched can never turn into "not started" by a crash. Until then it may be signalled and killed like a running one.
//!
//! # Whose exit code
//!
//! A process has one parent. `Whose::Ours`: the keeper records the end, then reaps. `Whose::Reapers`: the process was
//! orphaned by a keeper's death; the reaper records, reaps, and the world tells the keeper (`Input::Ended`).

use std::collections::BTreeMap;

use crate::order::{LaunchOrder, Traces};
use crate::protocol::{FromKeeper, Scope, ToKeeper};
use crate::record::{Record, Session};
use crate::report::{Attempt, AttemptStatus, Ending, FailedStep, LaunchFailure, Process, Stamp};

/// After this many futile restarts of the controller a keeper without running jobs gives up and ends.
pub const RESPAWN_LIMIT: u32 = 12;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A message of the admitted controller; its first is Hello. `now` is the keeper's clock.
    Message {
        /// The message.
        message: ToKeeper,
        /// When it was read.
        now: Stamp,
    },
    /// The controller's connection ended, for whatever reason.
    Disconnected,
    /// The child of an attempt exists and has claimed it.
    Forked {
        /// Which attempt.
        attempt: Attempt,
        /// The child's process id.
        pid: i32,
        /// When it was created.
        at: Stamp,
    },
    /// No child was created: no space for the intent, or no process to be had.
    NotLaunched {
        /// Which attempt.
        attempt: Attempt,
        /// Why.
        failure: LaunchFailure,
    },
    /// The batch process is a zombie of ours, or the reaper recorded the end of an adopted one.
    Ended {
        /// Which attempt.
        attempt: Attempt,
        /// How it ended; `Failed` if the child never reached the script.
        ending: Ending,
    },
    /// What became of a process that an earlier keeper started.
    Adopted {
        /// Which attempt.
        attempt: Attempt,
        /// What was found.
        found: Found,
    },
    /// The scratch folder of the attempt is gone.
    ScratchRemoved {
        /// Which attempt.
        attempt: Attempt,
    },
    /// A scheduled respawn is due.
    RespawnDue,
    /// No controller ever came after the start.
    Alone,
}

/// What became of a process that an earlier keeper started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It lives and the reaper is its parent: its exit code will come.
    Running,
    /// The reaper recorded its end.
    Ended(Ending),
    /// It lives, but nobody of ours is its parent any more, or it is gone without a record.
    Lost,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make this survive the keeper's death, before anything after it happens.
    Record(Record),
    /// Create the child.
    Fork(Box<LaunchOrder>),
    /// Create the daemon of a step among the attempt's processes; its end, or that there is none, is told at once.
    ForkStep {
        /// The step's number.
        step: u32,
        /// All the rest.
        order: Box<LaunchOrder>,
    },
    /// Tell the controller what an attempt uses.
    Measure {
        /// Which attempt.
        attempt: Attempt,
    },
    /// Collect our zombie; its end is recorded.
    Reap {
        /// Which attempt.
        attempt: Attempt,
    },
    /// Send to the controller.
    Send(FromKeeper),
    /// Answer Hello with all these, and the world's own particulars.
    Welcome(Vec<(Attempt, AttemptStatus)>),
    /// Signal a running attempt.
    Signal {
        /// Which attempt.
        attempt: Attempt,
        /// Signal number.
        signal: i32,
        /// To which processes.
        scope: Scope,
    },
    /// Append a line to a running attempt's standard error.
    Note {
        /// Which attempt.
        attempt: Attempt,
        /// The line.
        text: String,
    },
    /// Kill everything that the attempt ever started, repeatedly until nothing is left.
    KillAll {
        /// Which attempt.
        attempt: Attempt,
    },
    /// Find out about a process of an earlier keeper.
    Adopt {
        /// Which attempt.
        attempt: Attempt,
        /// The process that claimed it.
        process: Process,
    },
    /// Remove the scratch folder.
    RemoveScratch {
        /// Which attempt.
        attempt: Attempt,
        /// Path, user and group.
        traces: Traces,
    },
    /// Ask again in a while, longer after more failures.
    ScheduleRespawn {
        /// How often it was tried in vain.
        failures: u32,
    },
    /// Start the controller.
    SpawnController {
        /// Program and arguments.
        argv: Vec<Vec<u8>>,
    },
    /// Nothing is left to do: keeper and reaper end.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Ours,
    Reapers,
    /// Not yet known: the answer to `Adopt` is outstanding.
    Unclear,
}

#[derive(Clone, Debug)]
enum Phase {
    NotStarted,
    Forking,
    Running { pid: i32, started_at: Stamp, whose: Whose },
    Ended(Ending),
}

#[derive(Clone, Debug)]
struct Held {
    phase: Phase,
    traces: Traces,
    acked: bool,
}

/// The state of the keeper.
#[derive(Clone, Debug, Default)]
pub struct Keeper {
    held: BTreeMap<Attempt, Held>,
    session: Session,
    connected: bool,
    failures: u32,
    respawn_scheduled: bool,
    ended: bool,
}

impl Keeper {
    /// Folds the journal's records (unclaimed intents already voided, see the module's text) and says what a new keeper
    /// does first.
    pub fn new(records: &[Record]) -> (Self, Vec<Action>) {
        let mut keeper = Keeper::default();
        let mut claims = BTreeMap::new();
        let mut begun = BTreeMap::new();
        for record in records {
            keeper.fold(record, &mut claims, &mut begun);
        }
        let mut actions = Vec::new();
        for (attempt, held) in &keeper.held {
            match &held.phase {
                Phase::Running { .. } => {
                    actions.push(Action::Adopt { attempt: *attempt, process: claims[attempt] });
                }
                Phase::Ended(_) => {
                    actions.push(Action::KillAll { attempt: *attempt });
                    if held.traces.scratch.is_some() {
                        actions
                            .push(Action::RemoveScratch { attempt: *attempt, traces: held.traces.clone() });
                    }
                }
                _ => {}
            }
        }
        keeper.expect_controller(&mut actions);
        keeper.maybe_end(&mut actions);
        (keeper, actions)
    }

    fn fold(
        &mut self,
        record: &Record,
        claims: &mut BTreeMap<Attempt, Process>,
        begun: &mut BTreeMap<Attempt, Stamp>,
    ) {
        match record {
            Record::Session(session) => self.session = session.clone(),
            Record::Intent { attempt, traces, at } => {
                begun.insert(*attempt, *at);
                let held = Held { phase: Phase::NotStarted, traces: traces.clone(), acked: false };
                self.held.insert(*attempt, held);
            }
            Record::Claimed { attempt, process } => {
                claims.insert(*attempt, *process);
                let started_at = begun.get(attempt).copied().unwrap_or_default();
                let phase = Phase::Running { pid: process.pid, started_at, whose: Whose::Unclear };
                self.fold_phase(*attempt, phase);
            }
            Record::Ended { attempt, ending } => self.fold_phase(*attempt, Phase::Ended(ending.clone())),
            Record::ScratchRemoved { attempt } => {
                if let Some(held) = self.held.get_mut(attempt) {
                    held.traces.scratch = None;
                }
            }
            Record::Forget { attempt } => {
                self.held.remove(attempt);
            }
            // Nothing certain is known of it, so it is lost; never "not started", which would allow a second run.
            Record::Corrupt { attempt: Some(attempt), .. } => {
                self.fold_phase(*attempt, Phase::Ended(Ending::Lost))
            }
            Record::Corrupt { attempt: None, .. } => {}
        }
    }

    fn fold_phase(&mut self, attempt: Attempt, phase: Phase) {
        let fresh = Held { phase: Phase::NotStarted, traces: Traces::default(), acked: false };
        self.held.entry(attempt).or_insert(fresh).phase = phase;
    }

    /// What is held about each attempt that is not acknowledged.
    pub fn attempts(&self) -> Vec<(Attempt, AttemptStatus)> {
        self.held.iter().filter(|(_, h)| !h.acked).map(|(a, h)| (*a, h.phase.status())).collect()
    }

    /// What is held about one attempt.
    pub fn status(&self, attempt: Attempt) -> Option<AttemptStatus> {
        self.held.get(&attempt).map(|h| h.phase.status())
    }

    /// Whether the attempt's batch process may exist.
    pub fn is_live(&self, attempt: Attempt) -> bool {
        self.held.get(&attempt).is_some_and(|h| h.phase.is_live())
    }

    /// Whether any batch process may exist.
    pub fn has_live(&self) -> bool {
        self.held.values().any(|h| h.phase.is_live())
    }

    /// Takes in what happened, returns what to do.
    pub fn on(&mut self, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        match input {
            Input::Message { message, now } => self.message(message, now, &mut actions),
            Input::Disconnected => {
                self.connected = false;
                self.expect_controller(&mut actions);
            }
            Input::Forked { attempt, pid, at } => self.forked(attempt, pid, at, &mut actions),
            Input::NotLaunched { attempt, failure } => {
                self.end_attempt(attempt, Ending::Failed(failure), Whose::Unclear, &mut actions);
            }
            Input::Ended { attempt, ending } => {
                // A process of ours is known to be so from the fork on; all else is the reaper's to record.
                let whose = match self.held.get(&attempt).map(|h| &h.phase) {
                    Some(Phase::Forking | Phase::Running { whose: Whose::Ours, .. }) => Whose::Ours,
                    _ => Whose::Reapers,
                };
                self.end_attempt(attempt, ending, whose, &mut actions);
            }
            Input::Adopted { attempt, found } => self.adopted(attempt, found, &mut actions),
            Input::ScratchRemoved { attempt } => self.scratch_removed(attempt, &mut actions),
            Input::RespawnDue => self.respawn(&mut actions),
            Input::Alone => {
                if !self.connected && self.session.respawn.is_empty() && !self.has_work() {
                    actions.push(Action::End);
                    self.ended = true;
                }
            }
        }
        self.maybe_end(&mut actions);
        actions
    }

    fn message(&mut self, message: ToKeeper, now: Stamp, actions: &mut Vec<Action>) {
        match message {
            ToKeeper::Hello { respawn, .. } => {
                self.connected = true;
                self.failures = 0;
                self.set_session(Session { respawn, ending: false }, actions);
                actions.push(Action::Welcome(self.attempts()));
            }
            ToKeeper::Launch(order) => self.launch(order, now, actions),
            ToKeeper::Step { step, order } => {
                let attempt = order.attempt;
                if self.is_live(attempt) {
                    actions.push(Action::ForkStep { step, order });
                } else {
                    self.report(attempt, actions);
                    actions.push(Action::Send(FromKeeper::StepEnded { attempt, step }));
                }
            }
            ToKeeper::Measure { attempt } => actions.push(Action::Measure { attempt }),
            ToKeeper::Signal { attempt, signal, scope } => match self.held.get(&attempt).map(|h| &h.phase) {
                Some(phase) if phase.is_live() => actions.push(Action::Signal { attempt, signal, scope }),
                _ => self.report(attempt, actions),
            },
            ToKeeper::Note { attempt, text } => {
                if self.is_live(attempt) {
                    actions.push(Action::Note { attempt, text });
                }
            }
            ToKeeper::Kill { attempt } => {
                // Also for what is ended or unknown here: something it started may still be alive.
                actions.push(Action::KillAll { attempt });
                if !self.is_live(attempt) {
                    self.report(attempt, actions);
                }
            }
            ToKeeper::Ack { attempt } => {
                if let Some(held) = self.held.get_mut(&attempt).filter(|h| !h.phase.is_live()) {
                    held.acked = true;
                    self.forget_if_done(attempt, actions);
                }
            }
            ToKeeper::Goodbye => self.set_session(Session { respawn: Vec::new(), ending: true }, actions),
            ToKeeper::Shutdown { cancel } => {
                self.set_session(Session { respawn: Vec::new(), ending: true }, actions);
                if cancel {
                    let live = self.held.iter().filter(|(_, h)| h.phase.is_live());
                    actions.extend(live.map(|(a, _)| Action::KillAll { attempt: *a }));
                }
            }
        }
    }

    fn launch(&mut self, order: Box<LaunchOrder>, now: Stamp, actions: &mut Vec<Action>) {
        let attempt = order.attempt;
        match self.held.get(&attempt) {
            Some(Held { phase: Phase::NotStarted, .. }) => {
                actions.push(Action::Record(Record::Forget { attempt }))
            }
            Some(_) => return self.report(attempt, actions),
            None => {}
        }
        if let Err(what) = self.admissible(&order, actions) {
            let failure = LaunchFailure { step: FailedStep::Refused, errno: 0, what };
            let phase = Phase::Ended(Ending::Failed(failure));
            // Remembered, though not recorded, so that a doubled message cannot start what was refused.
            self.held.insert(attempt, Held { phase, traces: Traces::default(), acked: false });
            return self.report(attempt, actions);
        }
        let traces = order.traces();
        self.held.insert(attempt, Held { phase: Phase::Forking, traces: traces.clone(), acked: false });
        actions.push(Action::Record(Record::Intent { attempt, traces, at: now }));
        actions.push(Action::Fork(order));
    }

    /// Whether an unknown attempt may start. An older one of the same job that still lives is killed.
    fn admissible(&self, order: &LaunchOrder, actions: &mut Vec<Action>) -> Result<(), String> {
        let attempt = order.attempt;
        if self.session.ending {
            return Err(format!("attempt {attempt} refused: the keeper is ending"));
        }
        order.validate().map_err(|what| format!("attempt {attempt} refused: {what}"))?;
        let job = Attempt { job: attempt.job, restart: 0 }..=Attempt { job: attempt.job, restart: u32::MAX };
        for (other, held) in self.held.range(job) {
            if *other != attempt && held.phase.is_live() {
                if *other < attempt {
                    actions.push(Action::KillAll { attempt: *other });
                }
                return Err(format!("attempt {attempt} refused: attempt {other} of the same job still runs"));
            }
        }
        Ok(())
    }

    fn forked(&mut self, attempt: Attempt, pid: i32, started_at: Stamp, actions: &mut Vec<Action>) {
        let forking = |h: &&mut Held| matches!(h.phase, Phase::Forking);
        if let Some(held) = self.held.get_mut(&attempt).filter(forking) {
            held.phase = Phase::Running { pid, started_at, whose: Whose::Ours };
            self.report(attempt, actions);
        }
    }

    fn adopted(&mut self, attempt: Attempt, found: Found, actions: &mut Vec<Action>) {
        let Some(Held { phase: Phase::Running { whose, .. }, .. }) = self.held.get_mut(&attempt) else {
            return;
        };
        if *whose != Whose::Unclear {
            return;
        }
        match found {
            Found::Running => *whose = Whose::Reapers,
            Found::Ended(ending) => self.end_attempt(attempt, ending, Whose::Reapers, actions),
            Found::Lost => self.end_attempt(attempt, Ending::Lost, Whose::Unclear, actions),
        }
    }

    /// The one way an attempt ends: recorded, reaped, its leftovers killed, told, its scratch folder removed.
    fn end_attempt(&mut self, attempt: Attempt, ending: Ending, whose: Whose, actions: &mut Vec<Action>) {
        let Some(held) = self.held.get_mut(&attempt).filter(|h| h.phase.is_live()) else { return };
        held.phase = Phase::Ended(ending.clone());
        if whose != Whose::Reapers {
            actions.push(Action::Record(Record::Ended { attempt, ending }));
        }
        if whose == Whose::Ours {
            actions.push(Action::Reap { attempt });
        }
        actions.push(Action::KillAll { attempt });
        if held.traces.scratch.is_some() {
            actions.push(Action::RemoveScratch { attempt, traces: held.traces.clone() });
        }
        self.report(attempt, actions);
    }

    fn scratch_removed(&mut self, attempt: Attempt, actions: &mut Vec<Action>) {
        if let Some(held) = self.held.get_mut(&attempt).filter(|h| h.phase.is_over()) {
            held.traces.scratch = None;
            actions.push(Action::Record(Record::ScratchRemoved { attempt }));
            self.forget_if_done(attempt, actions);
        }
    }

    fn forget_if_done(&mut self, attempt: Attempt, actions: &mut Vec<Action>) {
        // The child makes the scratch folder, so what never started has none.
        let done = |h: &Held| h.acked && (h.traces.scratch.is_none() || !h.phase.is_over());
        if self.held.get(&attempt).is_some_and(done) {
            self.held.remove(&attempt);
            actions.push(Action::Record(Record::Forget { attempt }));
        }
    }

    /// Tells the controller what is known of one attempt.
    fn report(&self, attempt: Attempt, actions: &mut Vec<Action>) {
        let message = match self.held.get(&attempt).map(|h| &h.phase) {
            None | Some(Phase::NotStarted | Phase::Ended(Ending::Lost)) => FromKeeper::Unknown { attempt },
            Some(Phase::Forking) => return,
            Some(Phase::Running { pid, started_at, .. }) => {
                FromKeeper::Launched { attempt, pid: *pid, started_at: *started_at }
            }
            Some(Phase::Ended(Ending::Exited(report))) => FromKeeper::Exited(report.clone()),
            Some(Phase::Ended(Ending::Failed(failure))) => {
                FromKeeper::LaunchFailed { attempt, failure: failure.clone() }
            }
        };
        actions.push(Action::Send(message));
    }

    fn set_session(&mut self, session: Session, actions: &mut Vec<Action>) {
        if self.session != session {
            self.session = session;
            actions.push(Action::Record(Record::Session(self.session.clone())));
        }
    }

    fn expect_controller(&mut self, actions: &mut Vec<Action>) {
        if !self.connected && !self.session.respawn.is_empty() && !self.respawn_scheduled {
            self.respawn_scheduled = true;
            actions.push(Action::ScheduleRespawn { failures: self.failures });
        }
    }

    fn respawn(&mut self, actions: &mut Vec<Action>) {
        self.respawn_scheduled = false;
        if self.connected || self.session.respawn.is_empty() {
            return;
        }
        if self.failures >= RESPAWN_LIMIT && !self.has_work() {
            let session = Session { respawn: Vec::new(), ending: true };
            return self.set_session(session, actions);
        }
        self.failures += 1;
        actions.push(Action::SpawnController { argv: self.session.respawn.clone() });
        self.expect_controller(actions);
    }

    fn has_work(&self) -> bool {
        self.held.values().any(|h| h.phase.is_live() || (h.phase.is_over() && h.traces.scratch.is_some()))
    }

    /// Unacknowledged ends do not keep a keeper alive without a controller: they wait in the journal.
    fn maybe_end(&mut self, actions: &mut Vec<Action>) {
        let told = !self.connected || self.held.is_empty();
        if self.session.ending && !self.has_work() && told && !self.ended {
            self.ended = true;
            actions.push(Action::End);
        }
    }
}

impl Phase {
    fn is_live(&self) -> bool {
        matches!(self, Phase::Forking | Phase::Running { .. })
    }

    fn is_over(&self) -> bool {
        matches!(self, Phase::Ended(_))
    }

    fn status(&self) -> AttemptStatus {
        match self {
            Phase::NotStarted | Phase::Forking => AttemptStatus::NotStarted,
            Phase::Running { pid, started_at, .. } => {
                AttemptStatus::Running { pid: *pid, started_at: *started_at }
            }
            Phase::Ended(Ending::Exited(report)) => AttemptStatus::Exited(report.clone()),
            Phase::Ended(Ending::Failed(failure)) => AttemptStatus::Failed(failure.clone()),
            Phase::Ended(Ending::Lost) => AttemptStatus::Unknown,
        }
    }
}

#[cfg(test)]
mod tests;
