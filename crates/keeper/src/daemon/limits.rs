//! The attempts that have a memory limit: who keeps it, and what is done about those that went over it.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use super::Daemon;
use crate::confine::Confine;
use crate::journal::Journal;
use crate::launch::Setting;
use crate::memory::{self, MemoryMode, Seen};
use crate::record::Record;
use crate::report::{Attempt, Ending};
use crate::slot::Slot;
use crate::{note, sys};

/// Between two looks at the memory of attempts whose limit nobody else keeps, at least; longer where looking takes long, so
/// that it takes no more than a fiftieth of one CPU.
const WATCH_EVERY: Duration = Duration::from_millis(250);
const WATCH_SHARE: u32 = 50;

/// An attempt with a limit.
struct Limited {
    bytes: u64,
    by: MemoryMode,
    /// Where its batch process left its standard error. An earlier keeper's is gone.
    stderr: Option<OwnedFd>,
}

/// All of them.
pub(super) struct Limits {
    v1: Option<memory::V1>,
    limited: BTreeMap<Attempt, Limited>,
    due: Option<Instant>,
}

impl Limits {
    pub(super) fn new(v1: Option<memory::V1>) -> Limits {
        Limits { v1, limited: BTreeMap::new(), due: None }
    }

    /// Takes over what the journal tells, and completes it by what the groups know: the reaper, which recorded ends while there
    /// was no keeper, does not read those.
    pub(super) fn take_over(&mut self, confine: &mut dyn Confine, journal: &Journal, records: &mut [Record]) {
        for record in records {
            match record {
                Record::Intent { attempt, traces, .. } => {
                    let (Some(bytes), Some((number, _))) = (traces.memory, journal.slot(*attempt)) else {
                        continue;
                    };
                    let grouped = self.seen(confine, number).is_some();
                    let by = if grouped { MemoryMode::Enforced } else { MemoryMode::Watched };
                    self.insert(*attempt, Limited { bytes, by, stderr: None });
                }
                Record::Ended { attempt, ending: Ending::Exited(report) } => {
                    if let Some((number, slot)) = journal.slot(*attempt) {
                        self.look(confine, *attempt, number, slot);
                        *report = slot.completed(report.clone());
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn mode(&self, confine: &dyn Confine) -> MemoryMode {
        let enforced = self.v1.is_some() || confine.limits_memory();
        if enforced { MemoryMode::Enforced } else { MemoryMode::Watched }
    }

    /// Before an attempt's first process is created. Answers the socket for its standard error.
    pub(super) fn begin(
        &mut self,
        confine: &mut dyn Confine,
        attempt: Attempt,
        number: usize,
        bytes: u64,
    ) -> Option<OwnedFd> {
        let limited = match &mut self.v1 {
            Some(v1) => Some(v1.limit(number, bytes)),
            None => confine.limits_memory().then(|| confine.limit_memory(number, bytes)),
        };
        let by = match limited {
            Some(Ok(())) => MemoryMode::Enforced,
            Some(Err(e)) => {
                eprintln!("bivouac-keeper: the memory of attempt {attempt} is only watched: {e}");
                MemoryMode::Watched
            }
            None => MemoryMode::Watched,
        };
        let (ours, theirs) = sys::socket_pair().ok().unzip();
        self.insert(attempt, Limited { bytes, by, stderr: ours });
        theirs
    }

    fn insert(&mut self, attempt: Attempt, limited: Limited) {
        if limited.by == MemoryMode::Watched {
            self.due.get_or_insert_with(|| Instant::now() + WATCH_EVERY);
        }
        self.limited.insert(attempt, limited);
    }

    /// The group that a process of the attempt enters, and whether nobody but the keeper minds its memory.
    pub(super) fn of(&self, attempt: Attempt) -> (Option<&memory::V1>, bool) {
        match self.limited.get(&attempt).map(|l| l.by) {
            None => (None, false),
            Some(MemoryMode::Enforced) => (self.v1.as_ref(), false),
            Some(MemoryMode::Watched) => (None, true),
        }
    }

    fn seen(&mut self, confine: &mut dyn Confine, number: usize) -> Option<Seen> {
        self.v1.as_mut().map_or_else(|| confine.memory_seen(number), |v1| v1.seen(number))
    }

    /// Notes in the slot whether the kernel killed a process of the attempt; answers how many, if that is news.
    fn look(
        &mut self,
        confine: &mut dyn Confine,
        attempt: Attempt,
        number: usize,
        slot: Slot,
    ) -> Option<u64> {
        self.limited.get(&attempt).filter(|l| l.by == MemoryMode::Enforced)?;
        let seen = self.seen(confine, number).filter(|s| s.oom_kills > 0 && !slot.is_out_of_memory())?;
        // What could be reclaimed was: the peak is no page cache.
        slot.saw_memory(seen.peak >> 10);
        slot.set_out_of_memory();
        Some(seen.oom_kills)
    }

    /// The attempt leaves the journal, and its slot.
    pub(super) fn forget(&mut self, attempt: Attempt, number: usize) {
        if self.limited.remove(&attempt).is_some()
            && let Some(v1) = &mut self.v1
        {
            v1.release(number);
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    pub(super) fn dissolve(&mut self) {
        if let Some(v1) = &mut self.v1 {
            v1.dissolve();
        }
    }
}

impl Daemon {
    /// What a new process of the attempt finds.
    pub(super) fn setting(&self, attempt: Attempt) -> Setting<'_> {
        let (memory, expendable) = self.limits.of(attempt);
        let (marks, open_files) = (&self.marks, &self.open_files);
        Setting { confine: &*self.confine, marks, memory, expendable, stderr_to: None, open_files }
    }

    /// At the end of an attempt, before that is recorded or read: whether it was for lack of memory.
    pub(super) fn look_at_memory(&mut self, attempt: Attempt) {
        let Some((number, slot)) = self.journal.slot(attempt) else { return };
        if let Some(kills) = self.limits.look(&mut *self.confine, attempt, number, slot) {
            self.tell_out_of_memory(attempt, kills);
        }
    }

    /// Looks at the attempts whose memory nobody else minds, when it is time.
    pub(super) fn watch_memory(&mut self, now: Instant) {
        if self.limits.due.is_none_or(|due| due > now) {
            return;
        }
        let watched = self.limits.limited.iter().filter(|(_, l)| l.by == MemoryMode::Watched);
        let watched: Vec<(Attempt, u64)> = watched.map(|(a, l)| (*a, l.bytes)).collect();
        let watched: Vec<_> = watched.into_iter().filter(|(a, _)| self.logic.is_live(*a)).collect();
        for (attempt, bytes) in &watched {
            self.measure(*attempt, *bytes);
        }
        let wait = WATCH_EVERY.max(now.elapsed() * WATCH_SHARE);
        self.limits.due = (!watched.is_empty()).then(|| Instant::now() + wait);
    }

    fn measure(&mut self, attempt: Attempt, bytes: u64) {
        let Some((_, slot)) = self.journal.slot(attempt) else { return };
        let members = self.confine.members(&self.target(attempt));
        let all = |of: fn(i32) -> u64| members.iter().map(|pid| of(*pid)).sum::<u64>();
        let resident = all(memory::resident_kb);
        // Shared pages are all counted once for each process that has them: what looks too much is measured better.
        if resident << 10 <= bytes {
            return slot.saw_memory(resident);
        }
        let used = all(memory::proportional_kb);
        slot.saw_memory(used);
        if used << 10 > bytes && !slot.is_out_of_memory() {
            slot.set_out_of_memory();
            self.tell_out_of_memory(attempt, 1);
            self.kill_all(attempt);
        }
    }

    fn tell_out_of_memory(&mut self, attempt: Attempt, kills: u64) {
        let text = note::out_of_memory(attempt.job, kills);
        let socket = self.limits.limited.get(&attempt).and_then(|l| l.stderr.as_ref());
        let stderr = socket.and_then(|s| sys::receive_descriptor(s.as_fd()).ok().flatten());
        // A note that cannot be written is lost: it changes nothing.
        let _ = match (stderr, self.running.get(&attempt)) {
            (Some(stderr), _) => note::write(File::from(stderr), &text),
            (None, Some(running)) => note::append(running.pid, &text),
            (None, None) => Ok(()),
        };
    }
}
