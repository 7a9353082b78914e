//! The owner of the cluster's state: takes mail, decides, makes durable, and only then answers and acts.
//!
//! One *turn* deals with all mail that has come in the meantime: its events go into one transaction, so that many
//! clients share one flush. Nothing is answered, launched, acknowledged or shown before the turn is stored; a
//! turn that cannot be stored is undone by rebuilding the state from the database.

use crate::allocation::Attendance;
use crate::clock::{self, Clock};
use crate::history::{self, Replayed};
use crate::keeper_link::Link;
use crate::mail::Letter;
use crate::mailbox::{Mail, Reply};
use crate::measure::Measuring;
use crate::names::Names;
use crate::node_names::NodeHosts;
use crate::programs::Programs;
use crate::spells::Spells;
use crate::statistics::{self, Statistics};
use crate::trigger::Triggers;
use bivouac_core::{Change, Cluster, Command, Effect, Event, KeeperReport, Plan};
use bivouac_proto::message::{Ask, Response};
use bivouac_proto::place::Place;
use bivouac_site::{Access, Installed, Site};
use bivouac_store::{Batch, Store};
use bivouac_types::config::ClusterConfig;
use bivouac_types::fault::Script;
use bivouac_types::{Attempt, JobId, Now, Reject, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// Mail dealt with in one turn at most, so that answers do not wait for ever.
const TURN: usize = 512;
/// Placements that the planner may try in one turn: some milliseconds at worst.
const PLAN_BUDGET: usize = 5000;
/// Events after which the log is replaced by a snapshot.
const COMPACT_AFTER: u64 = 20_000;
/// How soon something that failed for want of space or of a keeper is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How long a stop waits for a keeper to take leave of.
const FAREWELL: Duration = Duration::from_secs(5);

/// The controller.
pub struct Controller {
    pub(crate) place: Place,
    pub(crate) site: Site,
    pub(crate) installed: Installed,
    /// Whether jobs of a site can have its view, as the machine allows.
    pub(crate) access: Access,
    pub(crate) hosts: NodeHosts,
    pub(crate) config: Arc<ClusterConfig>,
    /// FairShareDampeningFactor as scontrol set it, until the configuration is read again.
    pub(crate) dampening: Option<u16>,
    pub(crate) cluster: Cluster,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) names: Names,
    pub(crate) statistics: Statistics,
    pub(crate) triggers: Triggers,
    spells: Spells,
    pub(crate) measuring: Measuring,
    /// Why jobs wait and when they are expected, as of the last plan.
    pub(crate) plan: Plan,
    /// Whether `plan` is of the present state.
    planned: bool,
    pub(crate) keeper: Option<Link>,
    /// Why nothing can be stored at present.
    pub(crate) storage_problem: Option<String>,
    /// What is to go wrong on purpose.
    pub(crate) faults: Script,
    /// One of them is that this process dies, and is brought back by the keeper, when the turn is over.
    pub(crate) dying: bool,
    /// Why the site's files are not what the cluster runs on.
    pub(crate) config_problem: Option<String>,
    /// Prologs, epilogs and what is known of them.
    pub(crate) programs: Programs,
    pub(crate) up_since: Timestamp,
    stored: u64,
    compacted: u64,
    waiting: Vec<(JobId, Reply)>,
    /// The clients of allocations.
    pub(crate) attendance: Attendance,
    /// Ends that could not be stored yet: the keeper keeps them, but does not repeat them unasked.
    unstored: Vec<KeeperReport>,
    /// Launches that failed for want of space in the spool.
    relaunch: BTreeSet<Attempt>,
    /// Payloads that one submission less needs; their scripts are removed once nobody does.
    pub(crate) dropped: BTreeSet<String>,
    stopping: Option<Stopping>,
    /// What is in the place of the state folder now is somebody else's.
    abandoned: bool,
}

/// The site, what was laid out for it, and how users come to it.
pub struct Sited {
    /// The profile.
    pub site: Site,
    /// Its module tree, start files and links.
    pub installed: Installed,
    /// By namespaces or without.
    pub access: Access,
}

/// An orderly end: who is told when it is done.
struct Stopping {
    told: Vec<Reply>,
    cancel: bool,
    since: Instant,
}

/// What one turn has gathered.
#[derive(Default)]
pub(crate) struct Turn {
    events: Vec<Event>,
    batch: Batch,
    effects: Vec<Effect>,
    answers: Vec<(Reply, Response)>,
    reads: Vec<(crate::mailbox::Peer, bool, Ask, Reply)>,
    reports: Vec<KeeperReport>,
    notes: Vec<(&'static str, String)>,
    mails: Vec<Letter>,
}

impl Turn {
    /// What should be going on anyway is asked for before what this turn adds: a signal must not reach the keeper before
    /// the launch that it is for.
    pub(crate) fn first(&mut self, effects: Vec<Effect>) {
        self.effects.splice(0..0, effects);
    }

    /// A note to keep once the turn is stored.
    pub(crate) fn then_note(&mut self, key: &'static str, value: String) {
        self.notes.push((key, value));
    }

    /// Something to do once the turn is stored.
    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(crate) fn answer(&mut self, reply: Reply, response: Response) {
        self.answers.push((reply, response));
    }

    pub(crate) fn read_later(&mut self, peer: crate::mailbox::Peer, admin: bool, ask: Ask, reply: Reply) {
        self.reads.push((peer, admin, ask, reply));
    }

    pub(crate) fn store_payload(&mut self, id: String, bytes: Vec<u8>) {
        self.batch.payloads.push((id, bytes));
    }
}

impl Controller {
    /// A controller of a rebuilt state.
    pub fn new(
        place: Place,
        sited: Sited,
        replayed: Replayed,
        store: Store,
        clock: Clock,
        config_problem: Option<String>,
        owner: Sender<Mail>,
    ) -> Controller {
        let Sited { site, installed, access } = sited;
        let faults = crate::faults::kept(&store);
        Controller {
            spells: Spells::load(&place.state_dir),
            measuring: Measuring::default(),
            place,
            site,
            installed,
            access,
            hosts: NodeHosts::new(),
            config: replayed.cluster.config().clone(),
            dampening: None,
            cluster: replayed.cluster,
            triggers: Triggers::load(&store),
            store,
            clock,
            names: Names::default(),
            statistics: Statistics::new(),
            plan: Plan::default(),
            planned: false,
            keeper: None,
            storage_problem: None,
            faults,
            dying: false,
            config_problem,
            programs: Programs::new(owner),
            up_since: clock::wall(),
            stored: replayed.seq,
            compacted: replayed.seq,
            waiting: Vec::new(),
            attendance: Attendance::default(),
            unstored: Vec::new(),
            relaunch: BTreeSet::new(),
            dropped: BTreeSet::new(),
            stopping: None,
            abandoned: false,
        }
    }

    /// Serves until it is told to stop.
    pub fn run(mut self, mail: &Receiver<Mail>) {
        // Whatever became possible while nobody was there is done first.
        self.turn(Vec::new());
        self.expect_clients();
        loop {
            let mut bag = Vec::new();
            match mail.recv_timeout(self.patience()) {
                Ok(first) => bag.push(first),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while bag.len() < TURN
                && let Ok(more) = mail.try_recv()
            {
                bag.push(more);
            }
            self.turn(bag);
            if self.dying {
                std::process::exit(1);
            }
            if self.finish_stopping() {
                return;
            }
        }
    }

    /// How long there is nothing to do but wait for mail.
    fn patience(&self) -> Duration {
        let due = self.cluster.next_deadline(self.clock.now()).map(|d| Duration::from_millis(d.0.max(1)));
        let retry =
            (self.storage_problem.is_some() || !self.unstored.is_empty() || !self.relaunch.is_empty())
                .then_some(RETRY);
        let farewell = self.stopping.is_some().then_some(FAREWELL);
        let trigger = self.triggers.due().map(|at| {
            let wait = at.since(clock::wall());
            Duration::from_millis(wait.0.max(1))
        });
        let replan = (!self.planned && self.storage_problem.is_none()).then_some(Duration::ZERO);
        let fault = self.next_fault();
        let absent = self.attendance.due().map(|at| at.saturating_duration_since(Instant::now()));
        let waits = [absent, due, retry, farewell, trigger, replan, fault];
        waits.into_iter().flatten().min().unwrap_or(Duration::from_secs(3600))
    }

    fn turn(&mut self, bag: Vec<Mail>) {
        let now = self.clock.now();
        let mut turn = Turn::default();
        if self.storage_problem.is_some() {
            self.probe_storage(now);
        }
        for report in std::mem::take(&mut self.unstored) {
            self.report(&mut turn, report, now);
        }
        for mail in bag {
            self.deal_with(&mut turn, mail, now);
        }
        if self.storage_problem.is_none() {
            if self.cluster.next_deadline(now).is_some_and(|d| d.0 == 0) {
                let _ = self.command(&mut turn, Command::Tick, now);
            }
            self.give_up_absent(&mut turn, now);
            self.befall(&mut turn, now);
            self.replan(&mut turn, now);
        }
        self.finish_turn(turn);
    }

    fn deal_with(&mut self, turn: &mut Turn, mail: Mail, now: Now) {
        match mail {
            Mail::Request { peer, request, reply } => {
                let (kind, begun) = (statistics::kind(&request.body), Instant::now());
                self.request(turn, peer, *request, reply, now);
                self.statistics.request(kind, peer.uid, begun.elapsed());
            }
            Mail::KeeperUp { welcome, link } => self.keeper_up(turn, &welcome, link, now),
            Mail::Keeper(said) => self.keeper_said(turn, said, now),
            Mail::KeeperDown => {
                self.keeper = None;
                self.measuring = Measuring::default();
            }
            Mail::KeeperTrouble(what) => say!("{}: no keeper: {what}", clock::wall().as_secs()),
            Mail::Ran(ran) => self.ran(turn, ran, now),
            Mail::Unattended(job) => self.unattended(job),
            Mail::Stop => self.stop(None, false),
            Mail::Gone(path) => {
                say!("{}: {} is not ours any more", clock::wall().as_secs(), path.display());
                self.abandoned = true;
                self.stop(None, false);
            }
        }
    }

    /// Decides and applies; the events are stored at the end of the turn.
    pub(crate) fn command(&mut self, turn: &mut Turn, command: Command, now: Now) -> Result<(), Reject> {
        let events = self.cluster.decide(command, now)?;
        self.apply(turn, events);
        Ok(())
    }

    pub(crate) fn apply(&mut self, turn: &mut Turn, events: Vec<Event>) {
        for event in events {
            // One that was over has its record.
            if let Change::Requeued { job, end, ran, .. } = &event.change
                && self.cluster.job(*job).is_some_and(|j| j.run().is_some())
            {
                turn.batch.ended.extend(self.requeued_record(*job, ran.clone(), *end, event.at));
            }
            self.cluster.apply(&event);
            turn.mails.extend(self.mail_about(&event.change));
            for effect in self.cluster.effects(&event) {
                if let Effect::JobEnded { job } = effect {
                    turn.batch.ended.extend(self.row(job, event.at));
                }
                turn.effects.push(effect);
            }
            turn.events.push(event);
        }
    }

    /// A keeper's report; one that cannot be stored now is kept for later.
    pub(crate) fn report(&mut self, turn: &mut Turn, report: KeeperReport, now: Now) {
        if self.storage_problem.is_some() {
            self.unstored.push(report);
            return;
        }
        turn.reports.push(report.clone());
        // A report is never refused: one that is stale decides to nothing and its effects clean up.
        match self.cluster.decide(Command::Report(report.clone()), now) {
            Ok(events) if !events.is_empty() => self.apply(turn, events),
            Ok(_) => {
                turn.effects.extend(self.cluster.stale_effects(&report));
            }
            Err(e) => say!("{}: report {report:?}: {e}", clock::wall().as_secs()),
        }
    }

    fn replan(&mut self, turn: &mut Turn, now: Now) {
        // A plan holds until something happens; reads alone cost no planning.
        if turn.events.is_empty() && self.planned {
            return;
        }
        self.planned = true;
        let (before, begun) = (std::mem::take(&mut self.plan), Instant::now());
        self.plan = bivouac_sched::plan(&self.cluster, now, PLAN_BUDGET);
        for start in &mut self.plan.starts {
            start.waited = before.reasons.get(&start.job).copied().unwrap_or_default();
        }
        self.statistics.pass(&self.plan, self.cluster.index().queue.len(), begun.elapsed(), now.wall);
        if !self.plan.starts.is_empty() {
            let plan = self.plan.clone();
            let _ = self.command(turn, Command::ApplyPlan(plan), now);
        }
    }

    fn finish_turn(&mut self, mut turn: Turn) {
        if let Err(problem) = self.store_turn(&mut turn) {
            self.undo(turn, &problem);
            return;
        }
        for event in &turn.events {
            self.statistics.event(event, &self.cluster);
        }
        for (reply, response) in turn.answers {
            reply.send(response);
        }
        for (key, value) in turn.notes {
            if let Err(e) = self.store.set_note(key, &value) {
                say!("{}: {e}", clock::wall().as_secs());
            }
        }
        for letter in turn.mails {
            self.mail(letter);
        }
        for effect in turn.effects {
            self.perform(effect);
        }
        for attempt in std::mem::take(&mut self.relaunch) {
            self.perform(Effect::Launch { attempt });
        }
        for (peer, admin, ask, reply) in turn.reads {
            let (kind, begun) = (statistics::kind(&ask), Instant::now());
            self.read(peer, admin, ask, &reply);
            self.statistics.more_time(kind, peer.uid, begun.elapsed());
        }
        self.tell_waiting();
        self.tell_attendants();
        self.look_at_triggers(self.clock.now());
        self.compact();
    }

    fn store_turn(&mut self, turn: &mut Turn) -> Result<(), String> {
        let first = self.stored + 1;
        turn.batch.events = (first..).zip(turn.events.iter().map(history::encode)).collect();
        if turn.events.iter().any(|e| matches!(e.change, Change::NodesSet { .. })) {
            self.spells.doubt();
        }
        if self.storage_problem.is_none() {
            turn.batch.spells = self.spells.changed(&self.cluster, clock::wall());
        }
        if turn.batch.is_empty() {
            return Ok(());
        }
        self.store.commit(&turn.batch).map_err(|e| e.to_string())?;
        self.spells.written(std::mem::take(&mut turn.batch.spells));
        self.stored += turn.batch.events.len() as u64;
        Ok(())
    }

    /// Nothing of the turn was stored: the state becomes again what the database says, and everybody who asked for a
    /// change is told.
    fn undo(&mut self, turn: Turn, problem: &str) {
        say!("{}: not stored: {problem}", clock::wall().as_secs());
        self.storage_problem = Some(problem.to_owned());
        // Its starts did not happen: with room again it is made anew.
        self.plan = Plan::default();
        match self
            .store
            .reload()
            .map_err(|e| e.to_string())
            .and_then(|found| history::replay(self.config.clone(), found.snapshot.as_ref(), &found.events))
        {
            Ok(replayed) => {
                self.cluster = replayed.cluster;
                self.planned = false;
                self.stored = replayed.seq;
            }
            Err(e) => {
                // The database cannot even be read: a controller that guesses would lose jobs. The keeper goes on.
                say!("{}: the state cannot be rebuilt: {e}", clock::wall().as_secs());
                std::process::exit(1);
            }
        }
        self.unstored.extend(turn.reports);
        let refusal = Reject::Storage(format!("the cluster's state cannot be stored: {problem}"));
        for (reply, response) in turn.answers {
            reply.send(match response {
                Response::Rejected(_) | Response::Failed(_) => response,
                _ => Response::Rejected(refusal.clone()),
            });
        }
        for (peer, admin, ask, reply) in turn.reads {
            self.read(peer, admin, ask, &reply);
        }
    }

    /// Tries a small write; while it fails, changes are refused without touching the state.
    fn probe_storage(&mut self, now: Now) {
        match self.store.set_note("probe", &now.wall.0.to_string()) {
            Ok(()) => {
                say!("{}: the database can be written again", clock::wall().as_secs());
                self.storage_problem = None;
                // What the keeper said in the meantime may be lost: met anew, it says all that it holds.
                if let Some(link) = &self.keeper {
                    link.renew();
                }
            }
            Err(e) => self.storage_problem = Some(e.to_string()),
        }
    }

    fn compact(&mut self) {
        if self.stored < self.compacted + COMPACT_AFTER {
            return;
        }
        self.compacted = self.stored;
        let _ = self.compact_now();
    }

    /// Replaces the log by a snapshot, and tells whether that was possible. A failure leaves the log as it was.
    pub(crate) fn compact_now(&mut self) -> bool {
        let state = history::encode_state(self.cluster.state(), self.clock.now());
        let needed: Vec<&str> =
            self.cluster.state().submissions.values().map(|s| s.payload.0.as_str()).collect();
        let compacted = self.store.compact(self.stored, &state, &needed);
        if let Err(e) = &compacted {
            say!("{}: the log was not compacted: {e}", clock::wall().as_secs());
        }
        let needed: BTreeSet<&str> = needed.into_iter().collect();
        crate::spool::sweep(&self.place.state_dir, &|p| needed.contains(p));
        compacted.is_ok()
    }

    /// Goes on under another configuration.
    pub(crate) fn take(&mut self, site: Site, config: Arc<ClusterConfig>, cluster: Cluster) {
        (self.site, self.config, self.cluster) = (site, config, cluster);
        self.hosts.forget();
        self.dampening = None;
        self.config_problem = None;
        self.planned = false;
        self.spells.doubt();
    }

    /// Remembers who waits for a job's end.
    pub(crate) fn wait_for(&mut self, job: JobId, reply: Reply) {
        self.waiting.push((job, reply));
    }

    fn tell_waiting(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        for (job, reply) in waiting {
            match self.final_exit(job) {
                Some(answer) => reply.send(answer),
                None => self.waiting.push((job, reply)),
            }
        }
    }

    /// A report of our own, for the next turn.
    pub(crate) fn report_later(&mut self, report: KeeperReport) {
        self.unstored.push(report);
    }

    /// A launch that could not be made for want of space: tried again in a while.
    pub(crate) fn try_later(&mut self, attempt: Attempt) {
        self.relaunch.insert(attempt);
    }

    /// Begins the orderly end.
    pub(crate) fn stop(&mut self, told: Option<Reply>, cancel: bool) {
        let stopping = self.stopping.get_or_insert_with(|| Stopping {
            told: Vec::new(),
            cancel: false,
            since: Instant::now(),
        });
        stopping.told.extend(told);
        stopping.cancel |= cancel;
    }

    /// Whether a stop is under way and everything it waits for has happened.
    fn finish_stopping(&mut self) -> bool {
        let Some(stopping) = self.stopping.take() else { return false };
        if stopping.cancel && self.storage_problem.is_none() && self.cluster.jobs().any(|j| !j.is_ended()) {
            self.stopping = Some(stopping);
            return false;
        }
        match &mut self.keeper {
            Some(link) => link.part(stopping.cancel),
            // A keeper that is just coming up must be told, or it would bring the controller back.
            None if stopping.since.elapsed() < FAREWELL => {
                self.stopping = Some(stopping);
                return false;
            }
            None => {}
        }
        if self.abandoned {
            return true;
        }
        let _ = self.compact_now();
        // Whoever comes now finds no controller, and starts one that waits for our end.
        let _ = std::fs::remove_file(self.place.socket());
        for reply in &stopping.told {
            reply.send(Response::Done);
        }
        true
    }
}
