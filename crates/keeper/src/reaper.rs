//! The reaper: a child subreaper above the keeper. It starts the keeper, starts it again when it dies, and takes the
//! exit codes of the jobs that a dead keeper left behind. It opens no socket and reads no messages: the less it does,
//! the less can end it.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::report::{Ending, ExitReport, FailedStep, LaunchFailure};
use crate::slot::{Slot, Stage, State};
use crate::slots::Slots;
use crate::sys::{self, ChildEnd};

/// Exit code of a keeper that cannot use its state folder: starting it again would not help.
pub const UNUSABLE: i32 = 78;

/// After this many keepers that died young, and with no job running, the reaper gives up.
const MAX_FAILURES: u32 = 10;

/// What a reaper needs.
pub struct Reaper {
    /// The state folder.
    pub dir: PathBuf,
    /// The locked file `reaper.lock`; the keeper shares the lock, so that it lasts while either lives.
    pub lock: File,
    /// Told, by closing, when the first keeper is up or has failed; absent after a change of roles.
    pub ready: Option<File>,
}

impl Reaper {
    /// Runs until the keeper ends in order; returns its exit code.
    pub fn run(mut self) -> io::Result<i32> {
        sys::daemon_signals();
        // SAFETY: no pointers.
        sys::check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) })?;
        let mut slots = Slots::open(&self.dir)?;
        let mut failures: u32 = 0;
        loop {
            sys::set_signal_mask(&[libc::SIGCHLD]);
            let begun = Instant::now();
            let mut killed = false;
            let what = match self.start_keeper() {
                Ok((keeper, notify)) => {
                    self.ready = None;
                    let status = collect(&mut slots, Some((keeper, &notify)), None)?;
                    if status & 0x7f == 0 && matches!(status >> 8, 0 | UNUSABLE) {
                        return Ok(status >> 8);
                    }
                    killed = status & 0x7f == libc::SIGKILL;
                    format!("keeper {keeper} died (wait status {status})")
                }
                Err(e) => format!("cannot start the keeper: {e}"),
            };
            // A keeper that lived a while is started again at once.
            failures = if begun.elapsed() > Duration::from_secs(10) { 0 } else { failures + 1 };
            let wait = Duration::from_millis(10 << failures.min(6)).saturating_sub(Duration::from_millis(20));
            eprintln!("bivouac-keeper: {what}; next try in {wait:?}");
            // Being killed says nothing about the keeper; ending by itself again and again does.
            if failures > MAX_FAILURES && !killed && !has_live(&slots) {
                return Ok(1);
            }
            collect(&mut slots, None, Some(Instant::now() + wait))?;
        }
    }

    /// Starts the same program in the keeper's role. The pipe tells it that orphans were collected, and of our death by its end.
    fn start_keeper(&self) -> io::Result<(i32, File)> {
        let (read, write) = io::pipe()?;
        let mut inherit = vec![read.as_raw_fd(), self.lock.as_raw_fd()];
        let mut command = Command::new("/proc/self/exe");
        command.arg0("bivouac-keeper").arg("keeper").arg("--state-dir").arg(&self.dir);
        command.arg("--lock-fd").arg(self.lock.as_raw_fd().to_string());
        command.arg("--reaper-fd").arg(read.as_raw_fd().to_string());
        if let Some(ready) = &self.ready {
            command.arg("--ready-fd").arg(ready.as_raw_fd().to_string());
            inherit.push(ready.as_raw_fd());
        }
        // SAFETY: only async-signal-safe calls between fork and exec.
        unsafe {
            command.pre_exec(move || inherit.iter().try_for_each(|fd| set_inheritable(*fd)));
        }
        let child = command.spawn()?;
        let write: File = std::os::fd::OwnedFd::from(write).into();
        // SAFETY: a valid descriptor. A keeper that does not read must not hold up the reaper.
        unsafe { libc::fcntl(write.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        Ok((child.id() as i32, write))
    }
}

/// Lets a descriptor survive exec.
pub fn set_inheritable(fd: i32) -> io::Result<()> {
    // SAFETY: no pointers.
    sys::check(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) }).map(drop)
}

/// Collects children until the keeper has ended (its wait status), or, without a keeper, until the deadline (0).
fn collect(slots: &mut Slots, keeper: Option<(i32, &File)>, until: Option<Instant>) -> io::Result<i32> {
    let signals = sys::set_signal_mask(&[libc::SIGCHLD]);
    loop {
        while let Some(end) = sys::peek_child().or_else(no_children)? {
            if keeper.is_some_and(|(pid, _)| pid == end.pid) {
                sys::reap(end.pid);
                return Ok(end.wait_status);
            }
            record(slots, &end)?;
            sys::reap(end.pid);
            // Of every orphan: the keeper may wait for the daemon of a step that has no record.
            if let Some((_, mut notify)) = keeper {
                // A full pipe holds notices enough; a closed one has nobody to tell.
                let _ = notify.write(b"e");
            }
        }
        let left = match until {
            None => Duration::from_secs(3600),
            Some(t) if Instant::now() >= t => return Ok(0),
            Some(t) => t - Instant::now(),
        };
        let time = libc::timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos() as i64 };
        // SAFETY: valid pointers. SIGCHLD is blocked, so that none is missed between looking and waiting.
        unsafe { libc::sigtimedwait(&signals, std::ptr::null_mut(), &time) };
    }
}

fn has_live(slots: &Slots) -> bool {
    let live = |slot: Slot| slot.state().1 == Some(State::Claimed) && slot.ending() == Ok(None);
    (0..slots.count()).any(|n| live(slots.slot(n)))
}

fn no_children(e: io::Error) -> io::Result<Option<ChildEnd>> {
    if e.raw_os_error() == Some(libc::ECHILD) { Ok(None) } else { Err(e) }
}

/// Records the end of an orphan if it is the batch process of an attempt; before it is reaped, so that a crash in
/// between repeats the record instead of losing it.
fn record(slots: &mut Slots, end: &ChildEnd) -> io::Result<()> {
    slots.refresh()?;
    let start_ticks = bivouac_gather::process(end.pid).map_or(0, |s| s.start_ticks);
    for number in 0..slots.count() {
        let slot = slots.slot(number);
        if slot.state().1 != Some(State::Claimed) || slot.ending() != Ok(None) {
            continue;
        }
        if slot.process().is_ok_and(|p| p.pid == end.pid && p.start_ticks == start_ticks) {
            slot.set_ending(&ending(slot, end));
            return Ok(());
        }
    }
    Ok(())
}

/// How an attempt ended, from its slot and the end of its process.
pub fn ending(slot: Slot, end: &ChildEnd) -> Ending {
    let Ok(intent) = slot.intent() else { return Ending::Lost };
    match slot.stage() {
        Ok(Stage::Started) => Ending::Exited(slot.completed(ExitReport {
            attempt: intent.attempt,
            wait_status: end.wait_status,
            used: end.used,
            started_at: intent.at,
            ended_at: sys::now(),
            out_of_memory: false,
        })),
        Ok(Stage::Failed) => slot.failure().map_or(Ending::Lost, Ending::Failed),
        Ok(Stage::SettingUp) => {
            let what = format!("the process ended before the script began (wait status {})", end.wait_status);
            Ending::Failed(LaunchFailure { step: FailedStep::Fork, errno: 0, what })
        }
        Err(_) => Ending::Lost,
    }
}
