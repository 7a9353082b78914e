//! The keeper's daemon: one thread, one epoll loop. It turns what happens into inputs of [`crate::logic`] and carries
//! out the actions that come back. It decides nothing itself.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::confine::{self, Confine, MODE_VARIABLE, Marks, Target};
use crate::journal::Journal;
use crate::launch::{self, Place, Setting};
use crate::logic::{Action, Found, Input, Keeper};
use crate::order::{LaunchOrder, Traces};
use crate::protocol::{FromKeeper, ToKeeper, VERSION, Welcome};
use crate::record::{Record, Session};
use crate::report::{Attempt, AttemptStatus, Ending, FailedStep, LaunchFailure, Process};
use crate::search::Search;
use crate::slot::{Slot, State};
use crate::sys::{self, ChildEnd};
use crate::{note, reaper, scratch};

mod limits;
mod measure;
mod signals;
mod sockets;
mod steps;

use limits::Limits;
use measure::Gauges;
use signals::Sweep;
use sockets::Sockets;

/// A keeper to which no controller comes ends after this time, if nothing runs.
const ALONE: Duration = Duration::from_secs(60);
/// First wait before a controller is started again; a living one whose connection broke is back by then.
const RESPAWN_AFTER: Duration = Duration::from_millis(500);
/// A child that has not claimed its attempt when its keeper would go to sleep is looked at again after this time.
const CLAIM_AFTER: Duration = Duration::from_millis(1);

/// What the reaper hands down.
pub struct Inherited {
    /// The state folder.
    pub dir: PathBuf,
    /// The shared lock.
    pub lock: File,
    /// Bytes: the reaper collected orphans, and recorded what ended. End of file: it died.
    pub reaper: File,
    /// To be closed when the socket listens.
    pub ready: Option<File>,
}

/// How the daemon came to its end.
pub enum Outcome {
    /// Nothing is left to do.
    Done,
    /// The reaper died: this process takes its role, and with it the children.
    BecomeReaper(Inherited),
}

enum Child {
    Batch(Attempt),
    Step(Attempt, u32),
    Scratch(Attempt),
    Passing,
}

struct Running {
    pid: i32,
    /// For a process that is not our child, and whose number we therefore do not own.
    pidfd: Option<OwnedFd>,
}

struct Daemon {
    inherited: Inherited,
    marks: Marks,
    open_files: libc::rlimit,
    reaper_pid: i32,
    journal: Journal,
    logic: Keeper,
    confine: Box<dyn Confine>,
    limits: Limits,
    search: Search,
    sockets: Sockets,
    notes: Vec<String>,
    children: BTreeMap<i32, Child>,
    gauges: Gauges,
    running: BTreeMap<Attempt, Running>,
    /// Daemons of steps that an earlier keeper forked.
    adopted_steps: Vec<steps::Adopted>,
    sweeps: Vec<Sweep>,
    queue: VecDeque<Action>,
    unrecorded: Option<Attempt>,
    unclaimed: Vec<(Attempt, i32)>,
    respawn_due: Option<Instant>,
    alone_due: Option<Instant>,
    done: bool,
}

/// Runs the keeper until it is done or the reaper is gone.
pub fn run(mut inherited: Inherited) -> io::Result<Outcome> {
    sys::daemon_signals();
    // SAFETY: no arguments.
    let reaper_pid = unsafe { libc::getppid() };
    let folder = crate::place::open(&inherited.dir)?;
    let marks = Marks::of(&inherited.dir)?;
    let (mut journal, mut records) = Journal::open(&inherited.dir)?;
    if inherited.ready.is_some() {
        // The first keeper of this pair: what an earlier controller said to an earlier pair is over.
        records.retain(|r| !matches!(r, Record::Session(_)));
        journal.write(&Record::Session(Session::default()), |_| false)?;
    }
    let open_files = sys::raise_open_files()?;
    let wanted = std::env::var(MODE_VARIABLE).ok();
    let mut confine = confine::detect(&marks, reaper_pid, wanted.as_deref())?;
    let mut limits = Limits::new(confine::memory_groups(&marks, wanted.as_deref()));
    limits.take_over(&mut *confine, &journal, &mut records);
    let (logic, actions) = Keeper::new(&records);
    let notes = records.iter().filter_map(|r| match r {
        Record::Corrupt { what, .. } => Some(what.clone()),
        _ => None,
    });
    let notes: Vec<String> = notes.collect();
    notes.iter().for_each(|n| eprintln!("bivouac-keeper: {n}"));
    let sockets = Sockets::open(folder, &inherited.reaper)?;
    let ready = inherited.ready.take();
    let mut daemon = Daemon {
        search: Search::new(marks.clone(), reaper_pid),
        inherited,
        marks,
        open_files,
        reaper_pid,
        journal,
        logic,
        confine,
        limits,
        sockets,
        notes,
        children: BTreeMap::new(),
        gauges: Gauges::default(),
        running: BTreeMap::new(),
        adopted_steps: Vec::new(),
        sweeps: Vec::new(),
        queue: actions.into(),
        unrecorded: None,
        unclaimed: Vec::new(),
        respawn_due: None,
        alone_due: Some(Instant::now() + ALONE),
        done: false,
    };
    daemon.perform();
    sys::drop_start_up_text();
    drop(ready);
    daemon.serve()
}

impl Daemon {
    fn serve(mut self) -> io::Result<Outcome> {
        while !self.done {
            let happened = self.sockets.wait(self.timeout())?;
            if happened.reaper_gone {
                sys::set_open_files(&self.open_files)?;
                return Ok(Outcome::BecomeReaper(self.inherited));
            }
            if happened.reaper_collected {
                self.look_at_adopted();
                self.look_at_adopted_steps();
            }
            if happened.child_ended {
                self.collect()?;
            }
            let was_connected = self.sockets.has_controller();
            for message in self.sockets.messages() {
                self.input(Input::Message { message, now: sys::now() });
            }
            if was_connected && !self.sockets.has_controller() {
                self.alone_due = Some(Instant::now() + ALONE);
                self.input(Input::Disconnected);
            }
            self.look_at_claims();
            self.timers();
            self.sockets.flush();
        }
        self.sockets.close();
        self.limits.dissolve();
        self.confine.dissolve();
        self.journal.sync()?;
        Ok(Outcome::Done)
    }

    fn input(&mut self, input: Input) {
        self.queue.extend(self.logic.on(input));
        self.perform();
    }

    fn perform(&mut self) {
        while let Some(action) = self.queue.pop_front() {
            if let Some(answer) = self.act(action) {
                self.queue.extend(self.logic.on(answer));
            }
        }
    }

    fn act(&mut self, action: Action) -> Option<Input> {
        match action {
            Action::Record(record) => return self.record(&record),
            Action::Fork(order) => return self.fork(&order),
            Action::ForkStep { step, order } => self.fork_step(step, &order),
            Action::Reap { attempt } => {
                if let Some(running) = self.running.remove(&attempt) {
                    sys::reap(running.pid);
                    self.children.remove(&running.pid);
                }
            }
            Action::Send(message) => self.sockets.send(&message),
            Action::Welcome(attempts) => self.welcome(attempts),
            Action::Signal { attempt, signal, scope } => self.signal(attempt, signal, scope),
            Action::Note { attempt, text } => {
                if let Some(running) = self.running.get(&attempt) {
                    // A note that cannot be written is lost: it changes nothing.
                    let _ = note::append(running.pid, &text);
                }
            }
            Action::Measure { attempt } => self.tell_use(attempt),
            Action::KillAll { attempt } => self.kill_all(attempt),
            Action::Adopt { attempt, process } => {
                let found = self.adopt(attempt, process);
                return Some(Input::Adopted { attempt, found });
            }
            Action::RemoveScratch { attempt, traces } => return self.remove_scratch(attempt, &traces),
            Action::ScheduleRespawn { failures } => {
                self.respawn_due = Some(Instant::now() + RESPAWN_AFTER * 2u32.pow(failures.min(6)));
            }
            Action::SpawnController { argv } => self.spawn_controller(&argv),
            Action::End => self.done = true,
        }
        None
    }

    fn record(&mut self, record: &Record) -> Option<Input> {
        if let Record::Forget { attempt } = record
            && let Some((number, _)) = self.journal.slot(*attempt)
        {
            self.limits.forget(*attempt, number);
        }
        let confine = &mut self.confine;
        // A group that cannot be made is found out by the child, which then says so.
        let written = self.journal.write(record, |slot| confine.ready(slot).unwrap_or(true));
        if let Record::Intent { attempt, .. } = record {
            // Its group is empty, or it would not have been taken: a sweep of the former user must not hit the new one.
            let slot = self.journal.slot(*attempt).map(|(number, _)| number);
            self.sweeps.iter_mut().filter(|s| s.target.slot == slot).for_each(|s| s.target.slot = None);
        }
        let e = written.err()?;
        let Record::Intent { attempt, .. } = record else {
            eprintln!("bivouac-keeper: a record could not be written: {e}");
            return None;
        };
        self.unrecorded = Some(*attempt);
        let what = format!("The keeper's record file could not grow: {}", plain(&e));
        let failure = LaunchFailure { step: FailedStep::NoSpace, errno: e.raw_os_error().unwrap_or(0), what };
        Some(Input::NotLaunched { attempt: *attempt, failure })
    }

    fn fork(&mut self, order: &LaunchOrder) -> Option<Input> {
        let attempt = order.attempt;
        if self.unrecorded.take() == Some(attempt) {
            return None;
        }
        let (number, slot) = self.journal.slot(attempt)?;
        let begin = |bytes| self.limits.begin(&mut *self.confine, attempt, number, bytes);
        let stderr_to = order.memory.and_then(begin);
        let setting = Setting { stderr_to: stderr_to.as_ref().map(|s| s.as_fd()), ..self.setting(attempt) };
        // SAFETY: the keeper has one thread.
        match unsafe { launch::launch(order, Place { slot, number }, setting) } {
            Ok(pid) => {
                self.children.insert(pid, Child::Batch(attempt));
                self.running.insert(attempt, Running { pid, pidfd: None });
                self.gauges.begin(order);
                self.unclaimed.push((attempt, pid));
                None
            }
            Err(e) => {
                let what = format!("Could not create a process for the job: {}", plain(&e));
                let failure =
                    LaunchFailure { step: FailedStep::Fork, errno: e.raw_os_error().unwrap_or(0), what };
                Some(Input::NotLaunched { attempt, failure })
            }
        }
    }

    /// Reports the children that have claimed their attempts since the last look: mostly those forked in this turn.
    fn look_at_claims(&mut self) {
        for (attempt, pid) in std::mem::take(&mut self.unclaimed) {
            let Some((_, slot)) = self.journal.slot(attempt) else { continue };
            if slot.state().1 == Some(State::Intent) {
                self.unclaimed.push((attempt, pid));
            } else {
                let at = slot.intent().map(|i| i.at).unwrap_or_default();
                self.input(Input::Forked { attempt, pid, at });
            }
        }
    }

    fn welcome(&mut self, attempts: Vec<(Attempt, AttemptStatus)>) {
        self.alone_due = None;
        self.sockets.send(&FromKeeper::Welcome(Box::new(Welcome {
            version: VERSION,
            keeper_pid: std::process::id() as i32,
            reaper_pid: self.reaper_pid,
            boot_id: self.journal.boot_id().to_owned(),
            journal: self.journal.id(),
            kill_mode: self.confine.mode(),
            notes: self.notes.clone(),
            attempts,
            memory_mode: self.limits.mode(&*self.confine),
        })));
    }

    /// Collects ended children: each is recorded before it is reaped, since `Reap` comes after `Record`.
    fn collect(&mut self) -> io::Result<()> {
        loop {
            let end = match sys::peek_child() {
                Ok(Some(end)) => end,
                Ok(None) => return Ok(()),
                Err(e) if e.raw_os_error() == Some(libc::ECHILD) => return Ok(()),
                Err(e) => return Err(e),
            };
            let known = self.children.contains_key(&end.pid);
            match self.children.get(&end.pid) {
                Some(Child::Batch(attempt)) => self.batch_ended(*attempt, &end),
                Some(Child::Step(attempt, step)) => {
                    let (attempt, step) = (*attempt, *step);
                    self.step_ended(attempt, step, &end);
                }
                Some(Child::Scratch(attempt)) => {
                    let attempt = *attempt;
                    if end.wait_status != 0 {
                        eprintln!(
                            "bivouac-keeper: the scratch folder of attempt {attempt} could not be removed"
                        );
                    }
                    self.input(Input::ScratchRemoved { attempt });
                }
                Some(Child::Passing) | None => {}
            }
            // What is no batch process, and what the logic did not ask to reap: a zombie left would be found for ever.
            if self.children.remove(&end.pid).is_some() || !known {
                sys::reap(end.pid);
            }
        }
    }

    fn batch_ended(&mut self, attempt: Attempt, end: &ChildEnd) {
        // What it leaves behind has used something as well, until it is killed.
        let used = self.used(attempt, end);
        let end = &ChildEnd { used, ..*end };
        // Now, because until it is reaped the number is certainly this process group's.
        sys::kill(-end.pid, libc::SIGKILL);
        // So that even of the shortest job the launch is reported before the end.
        self.look_at_claims();
        self.unclaimed.retain(|(a, _)| *a != attempt);
        self.look_at_memory(attempt);
        let ending = self.journal.slot(attempt).map_or(Ending::Lost, |(_, slot)| reaper::ending(slot, end));
        self.input(Input::Ended { attempt, ending });
        self.running.remove(&attempt);
    }

    /// The reaper collected something: see which of the adopted attempts it was.
    fn look_at_adopted(&mut self) {
        let adopted = self.running.iter().filter(|(_, r)| r.pidfd.is_some()).map(|(a, _)| *a);
        for attempt in adopted.collect::<Vec<_>>() {
            let Some(ending) = self.recorded(attempt) else { continue };
            let ending = self.with_use(attempt, ending);
            self.input(Input::Ended { attempt, ending });
            self.running.remove(&attempt);
        }
    }

    fn recorded(&mut self, attempt: Attempt) -> Option<Ending> {
        let slot: Slot = self.journal.slot(attempt)?.1;
        self.look_at_memory(attempt);
        slot.ending().unwrap_or(Some(Ending::Lost))
    }

    fn adopt(&mut self, attempt: Attempt, process: Process) -> Found {
        // The descriptor first: what is then found under the number is what the descriptor holds.
        let pidfd = sys::pidfd_open(process.pid).ok();
        let stat = bivouac_gather::process(process.pid).filter(|s| s.start_ticks == process.start_ticks);
        // The record last: the reaper writes it before it reaps, so that it is there for whatever was gone, or just
        // going (without a parent in its last moment), when we looked.
        if let Some(ending) = self.recorded(attempt) {
            return Found::Ended(ending);
        }
        let (Some(pidfd), Some(stat)) = (pidfd, stat) else { return Found::Lost };
        if stat.ppid != self.reaper_pid {
            sys::pidfd_signal(pidfd.as_fd(), libc::SIGKILL);
            return Found::Lost;
        }
        self.running.insert(attempt, Running { pid: process.pid, pidfd: Some(pidfd) });
        self.gauges.adopt(attempt);
        Found::Running
    }

    fn target(&self, attempt: Attempt) -> Target {
        let slot = self.journal.slot(attempt).map(|(number, _)| number);
        let ended = !self.logic.is_live(attempt);
        // The number of a process that is collected, or that the reaper may have collected, is no longer its own.
        let pid = self.running.get(&attempt).filter(|_| !ended).map(|r| r.pid);
        Target { attempt, slot, pid, ended }
    }

    fn remove_scratch(&mut self, attempt: Attempt, traces: &Traces) -> Option<Input> {
        use std::os::unix::ffi::OsStrExt;
        let path = std::ffi::OsStr::from_bytes(traces.scratch.as_deref()?);
        let aside = match scratch::set_aside(path.as_ref(), &attempt.to_string()) {
            Ok(aside) => aside,
            Err(e) => {
                eprintln!("bivouac-keeper: scratch folder {}: {e}", path.display());
                return Some(Input::ScratchRemoved { attempt });
            }
        };
        if !aside.exists() {
            return Some(Input::ScratchRemoved { attempt });
        }
        // SAFETY: the keeper has one thread; the child removes and exits.
        match unsafe { sys::fork(None) } {
            Ok(0) => {
                sys::close_range(3, i32::MAX);
                // Processes that are being killed may still write there.
                let gone = (0..40).any(|n| {
                    let gone = scratch::remove(&aside, traces.uid, traces.gid).is_ok();
                    std::thread::sleep(Duration::from_millis(if gone { 0 } else { 5 * (n + 1) }));
                    gone
                });
                sys::exit_now(!gone as i32)
            }
            Ok(pid) => {
                self.children.insert(pid, Child::Scratch(attempt));
                None
            }
            Err(e) => {
                eprintln!("bivouac-keeper: scratch folder {}: {e}", aside.display());
                Some(Input::ScratchRemoved { attempt })
            }
        }
    }

    /// Started as an orphan, so that it is nobody's child but the reaper's, which asks no questions.
    fn spawn_controller(&mut self, argv: &[Vec<u8>]) {
        use std::os::unix::{ffi::OsStrExt, process::CommandExt};
        let Some((program, arguments)) = argv.split_first() else { return };
        let mut command = std::process::Command::new(std::ffi::OsStr::from_bytes(program));
        command.args(arguments.iter().map(|a| std::ffi::OsStr::from_bytes(a)));
        command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
        // SAFETY: the keeper has one thread.
        match unsafe { sys::fork(None) } {
            Ok(0) => {
                sys::reset_signals(sys::IGNORED);
                sys::set_signal_mask(&[]);
                // SAFETY: no pointers.
                unsafe { libc::setsid() };
                // SAFETY: as above.
                if !matches!(unsafe { sys::fork(None) }, Ok(0)) {
                    sys::exit_now(0);
                }
                // Every other descriptor, the lock among them, closes on exec.
                let e = command.exec();
                eprintln!("bivouac-keeper: cannot start the controller {:?}: {e}", command.get_program());
                sys::exit_now(127)
            }
            Ok(pid) => {
                self.children.insert(pid, Child::Passing);
            }
            Err(e) => eprintln!("bivouac-keeper: cannot start the controller: {e}"),
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let claims = self.unclaimed.first().map(|_| Instant::now() + CLAIM_AFTER);
        let timers = [
            claims,
            self.respawn_due,
            self.alone_due,
            self.sockets.deadline(),
            self.limits.deadline(),
            self.gauges.due(),
        ]
        .into_iter()
        .flatten();
        let next = self.sweeps.iter().map(|s| s.due).chain(timers).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn timers(&mut self) {
        let now = Instant::now();
        self.look_at_use(now);
        if self.respawn_due.is_some_and(|t| t <= now) {
            self.respawn_due = None;
            self.input(Input::RespawnDue);
        }
        if self.alone_due.is_some_and(|t| t <= now) {
            self.alone_due = Some(now + ALONE);
            self.input(Input::Alone);
        }
        self.watch_memory(now);
        for mut sweep in std::mem::take(&mut self.sweeps) {
            if sweep.due > now {
                self.sweeps.push(sweep);
                continue;
            }
            sweep.target = Target { slot: sweep.target.slot, ..self.target(sweep.target.attempt) };
            if !self.kill_round(&sweep.target) {
                sweep.wait = (sweep.wait * 2).min(Duration::from_secs(1));
                sweep.due = now + sweep.wait;
                self.sweeps.push(sweep);
            }
        }
    }
}

fn plain(e: &io::Error) -> String {
    e.raw_os_error().map_or_else(|| e.to_string(), sys::error_text)
}

/// Prepares this process for the reaper's role and starts it in place: children stay children across exec, so that no
/// exit code is lost.
pub fn become_reaper(inherited: &Inherited) -> io::Error {
    use std::os::unix::process::CommandExt;
    if let Err(e) = reaper::set_inheritable(inherited.lock.as_raw_fd()) {
        return e;
    }
    let mut command = std::process::Command::new("/proc/self/exe");
    command.arg0("bivouac-keeper").arg("reaper").arg("--state-dir").arg(&inherited.dir);
    command.arg("--lock-fd").arg(inherited.lock.as_raw_fd().to_string());
    command.exec()
}

/// A respawn command that the journal cannot hold is refused when the controller says Hello.
fn refusal(message: &ToKeeper) -> Option<String> {
    match message {
        ToKeeper::Hello { version, .. } if *version != VERSION => {
            Some(format!("this keeper speaks protocol version {VERSION}, not {version}"))
        }
        ToKeeper::Hello { respawn, .. } => {
            let length: usize = respawn.iter().map(|a| a.len() + 4).sum();
            let fits = length + 32 <= crate::slots::MAX_SESSION && !respawn.iter().flatten().any(|b| *b == 0);
            (!fits).then(|| {
                "the command that restarts the controller is longer than 12 KiB or has a NUL byte".into()
            })
        }
        _ => Some("the first message of a connection must be Hello".into()),
    }
}
