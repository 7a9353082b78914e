//! One slot of the journal's file: the fate of one attempt.
//!
//! A slot's sections are written first (length, checksum, bytes), then one atomic word says that they count. A writer killed
//! half-way leaves a section that does not count; a section that counts and has a wrong checksum was damaged, and is
//! named as such. The codes in the words differ in four bits from each other.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use bivouac_gather::Used;

use crate::codec::{DecodeError, Reader, Writer};
use crate::order::{Traces, get_appended, get_attempt, put_appended, put_attempt};
use crate::protocol::{get_failure, get_report, get_stamp, put_failure, put_report, put_stamp};
use crate::report::{Attempt, Ending, ExitReport, LaunchFailure, Process, Stamp};

/// Bytes of a slot.
pub(crate) const SLOT: usize = 2048;
// Within a slot.
const WORD: usize = 0;
const STAGE: usize = 8;
const END: usize = 12;
const SCRATCH: usize = 16;
const OUT_OF_MEMORY: usize = 20;
const PEAK: usize = 24;
const INTENT: Section = Section { at: 64, size: 1152 };
const PROCESS: Section = Section { at: 1216, size: 64 };
const FAILURE: Section = Section { at: 1280, size: 384 };
const ENDING: Section = Section { at: 1664, size: 384 };
/// Texts of failures are cut to this many bytes.
const MAX_TEXT: usize = 340;

const MARK: u32 = 0x3c0f_3355;

/// A number that is written by one instruction and known to be whole: its complement is beside it. 0 stands for none.
fn guarded(kb: u64) -> u64 {
    let kb = u32::try_from(kb).unwrap_or(u32::MAX);
    u64::from(kb) << 32 | u64::from(!kb)
}

fn unguarded(word: u64) -> Option<u64> {
    let (kb, complement) = ((word >> 32) as u32, word as u32);
    (kb == !complement).then_some(kb.into())
}

struct Section {
    at: usize,
    size: usize,
}

/// What a slot's word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Unused.
    Free = 0x00,
    /// A child is about to be created.
    Intent = 0x0f,
    /// The child has claimed it.
    Claimed = 0x33,
    /// A later keeper was faster than the child: nothing will ever run.
    Void = 0x3c,
}

/// How far the child came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Setting up.
    SettingUp,
    /// On to the script.
    Started,
    /// Gave up; the failure is in the slot.
    Failed,
}

/// Damage: which section's checksum is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged(pub &'static str);

/// The contents of an intent section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intent {
    /// Which attempt.
    pub attempt: Attempt,
    /// What is needed to clean up.
    pub traces: Traces,
    /// When.
    pub at: Stamp,
}

/// One slot of the mapping. Copies are the same slot; a forked child's too. Not to be used after `grow` or `refresh`.
#[derive(Clone, Copy)]
pub struct Slot {
    base: *mut u8,
}

impl Slot {
    /// # Safety
    /// `base` points to [`SLOT`] mapped bytes, aligned to 8, that stay mapped while the slot is used.
    pub(crate) unsafe fn at(base: *mut u8) -> Slot {
        Slot { base }
    }

    fn word(&self) -> &AtomicU64 {
        // SAFETY: inside the mapping, aligned to 8 (slots are multiples of 2048), only accessed atomically.
        unsafe { &*self.base.add(WORD).cast() }
    }

    fn mark(&self, at: usize) -> &AtomicU32 {
        // SAFETY: as above, aligned to 4.
        unsafe { &*self.base.add(at).cast() }
    }

    fn peak(&self) -> &AtomicU64 {
        // SAFETY: as for the word.
        unsafe { &*self.base.add(PEAK).cast() }
    }

    /// Generation and state; `None` for a state that nobody ever wrote. The generation rises with each use, so that a child
    /// of an earlier use cannot claim a later one.
    pub fn state(&self) -> (u64, Option<State>) {
        let word = self.word().load(Ordering::Acquire);
        let known = [State::Free, State::Intent, State::Claimed, State::Void];
        (word >> 8, known.into_iter().find(|s| *s as u8 == word as u8))
    }

    fn set_state(&self, generation: u64, state: State) {
        self.word().store(generation << 8 | state as u64, Ordering::Release);
    }

    fn change(&self, generation: u64, from: State, to: State) -> bool {
        let word = |s: State| generation << 8 | s as u64;
        self.word().compare_exchange(word(from), word(to), Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Takes a free slot for an attempt; returns the generation of this use.
    pub fn occupy(&self, intent: &Intent) -> u64 {
        let generation = self.state().0 + 1;
        for at in [STAGE, END, SCRATCH, OUT_OF_MEMORY] {
            self.mark(at).store(0, Ordering::Relaxed);
        }
        self.peak().store(0, Ordering::Relaxed);
        let mut w = Writer::default();
        put_attempt(&mut w, &intent.attempt);
        w.u32(intent.traces.uid).u32(intent.traces.gid);
        w.option(&intent.traces.scratch, |w, s| {
            w.bytes(s);
        });
        put_stamp(&mut w, &intent.at);
        put_appended(&mut w, intent.traces.memory);
        self.put(INTENT, generation, &w.bytes);
        self.set_state(generation, State::Intent);
        generation
    }

    /// The child's step: true if the attempt is now this process's to run.
    pub fn claim(&self, generation: u64, process: Process) -> bool {
        let mut w = Writer::default();
        w.i32(process.pid).u64(process.start_ticks);
        self.put(PROCESS, generation, &w.bytes);
        self.change(generation, State::Intent, State::Claimed)
    }

    /// The later keeper's step: true if no child can claim the attempt any more.
    pub fn void(&self, generation: u64) -> bool {
        self.change(generation, State::Intent, State::Void)
    }

    /// Makes the slot free.
    pub fn free(&self) {
        self.set_state(self.state().0 + 1, State::Free);
    }

    /// The child goes on to the script.
    pub fn set_started(&self) {
        self.mark(STAGE).store(MARK, Ordering::Release);
    }

    /// The child gives up.
    pub fn set_failed(&self, failure: &LaunchFailure) {
        let mut w = Writer::default();
        put_failure(&mut w, &cut(failure));
        self.put(FAILURE, self.state().0, &w.bytes);
        self.mark(STAGE).store(!MARK, Ordering::Release);
    }

    /// How far the child came.
    pub fn stage(&self) -> Result<Stage, Damaged> {
        match self.mark(STAGE).load(Ordering::Acquire) {
            0 => Ok(Stage::SettingUp),
            MARK => Ok(Stage::Started),
            n if n == !MARK => Ok(Stage::Failed),
            _ => Err(Damaged("stage")),
        }
    }

    /// Records the end, for the one process that is the child's parent.
    pub fn set_ending(&self, ending: &Ending) {
        let mut w = Writer::default();
        match ending {
            Ending::Exited(report) => {
                w.u8(1);
                put_report(&mut w, report);
            }
            Ending::Failed(failure) => {
                w.u8(2);
                put_failure(&mut w, &cut(failure));
            }
            Ending::Lost => {
                w.u8(3);
            }
        }
        self.put(ENDING, self.state().0, &w.bytes);
        self.mark(END).store(MARK, Ordering::Release);
    }

    /// The recorded end.
    pub fn ending(&self) -> Result<Option<Ending>, Damaged> {
        match self.mark(END).load(Ordering::Acquire) {
            0 => Ok(None),
            MARK => {
                let ending = self.get(ENDING, |r| {
                    Ok(match r.u8("ending")? {
                        1 => Ending::Exited(self.completed(get_report(r)?)),
                        2 => Ending::Failed(get_failure(r)?),
                        3 => Ending::Lost,
                        _ => return Err(DecodeError::Invalid("ending")),
                    })
                });
                ending.map(Some).ok_or(Damaged("ending"))
            }
            _ => Err(Damaged("ending")),
        }
    }

    /// The attempt had more memory than it may, and lost a process or all of them for it. A mark of its own, so that it counts
    /// whoever records the end, and also after that.
    pub fn set_out_of_memory(&self) {
        self.mark(OUT_OF_MEMORY).store(MARK, Ordering::Release);
    }

    /// Whether it is so.
    pub fn is_out_of_memory(&self) -> bool {
        self.mark(OUT_OF_MEMORY).load(Ordering::Acquire) == MARK
    }

    /// Its processes together were seen to have so much memory, KiB.
    pub fn saw_memory(&self, kb: u64) {
        self.peak().fetch_max(guarded(kb), Ordering::AcqRel);
    }

    /// The report, with what was noted about the attempt's memory.
    pub fn completed(&self, report: ExitReport) -> ExitReport {
        let peak = unguarded(self.peak().load(Ordering::Acquire)).unwrap_or(0);
        let rss_kb = report.used.rss_kb.max(peak);
        ExitReport { used: Used { rss_kb, ..report.used }, out_of_memory: self.is_out_of_memory(), ..report }
    }

    /// The scratch folder is gone.
    pub fn set_scratch_removed(&self) {
        self.mark(SCRATCH).store(MARK, Ordering::Release);
    }

    /// Whether the scratch folder is gone.
    pub fn scratch_removed(&self) -> bool {
        self.mark(SCRATCH).load(Ordering::Acquire) == MARK
    }

    /// The attempt in this slot.
    pub fn intent(&self) -> Result<Intent, Damaged> {
        let intent = self.get(INTENT, |r| {
            let attempt = get_attempt(r)?;
            let (uid, gid) = (r.u32("uid")?, r.u32("gid")?);
            let scratch = r.option("scratch", |r| r.bytes("scratch"))?;
            let at = get_stamp(r)?;
            let memory = get_appended(r, "memory")?;
            Ok(Intent { attempt, traces: Traces { uid, gid, scratch, memory }, at })
        });
        intent.ok_or(Damaged("intent"))
    }

    /// The process that claimed it.
    pub fn process(&self) -> Result<Process, Damaged> {
        let process = self.get(PROCESS, |r| Ok(Process { pid: r.i32("pid")?, start_ticks: r.u64("start")? }));
        process.ok_or(Damaged("process"))
    }

    /// What the child said when it gave up.
    pub fn failure(&self) -> Result<LaunchFailure, Damaged> {
        self.get(FAILURE, get_failure).ok_or(Damaged("failure"))
    }

    fn put(&self, section: Section, generation: u64, body: &[u8]) {
        assert!(body.len() + 8 <= section.size, "{} bytes for a section of {}", body.len(), section.size);
        let mut whole = Writer::default();
        whole.u32(checksum(generation, body)).bytes(body);
        // SAFETY: the section lies inside the slot.
        unsafe {
            let target = self.base.add(section.at);
            std::ptr::copy_nonoverlapping(whole.bytes.as_ptr(), target, whole.bytes.len());
        }
    }

    fn get<T>(
        &self,
        section: Section,
        read: impl FnOnce(&mut Reader) -> Result<T, DecodeError>,
    ) -> Option<T> {
        let mut bytes = vec![0; section.size];
        // SAFETY: the section lies inside the slot.
        unsafe { std::ptr::copy_nonoverlapping(self.base.add(section.at), bytes.as_mut_ptr(), section.size) };
        let mut r = Reader::new(&bytes);
        let crc = r.u32("checksum").ok()?;
        let body = r.bytes("section").ok()?;
        if checksum(self.state().0, &body) != crc {
            return None;
        }
        read(&mut Reader::new(&body)).ok()
    }
}

/// The generation is part of it, so that a section of an earlier use never counts.
fn checksum(generation: u64, body: &[u8]) -> u32 {
    let mut hash = crc32fast::Hasher::new();
    hash.update(&generation.to_le_bytes());
    hash.update(body);
    hash.finalize()
}

fn cut(failure: &LaunchFailure) -> LaunchFailure {
    let mut end = failure.what.len().min(MAX_TEXT);
    while !failure.what.is_char_boundary(end) {
        end -= 1;
    }
    LaunchFailure { what: failure.what[..end].to_owned(), ..failure.clone() }
}
