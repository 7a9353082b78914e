//! Messages between controller and keeper, and their frames.
//!
//! A frame is: magic `BVKP`, version u16, kind u16, length of the body u32 (at most [`MAX_BODY`]), body; all
//! little-endian. This protocol outlives both programs (a keeper keeps running while the controller is upgraded):
//! fields are only ever appended under a new version, and kinds are never reused.

use bivouac_gather::Used;

use crate::codec::{DecodeError, Reader, Writer};
use crate::memory::MemoryMode;
use crate::order::{LaunchOrder, get_appended, get_attempt, put_appended, put_attempt};
use crate::report::{Attempt, AttemptStatus, ExitReport, FailedStep, LaunchFailure, Stamp};

/// Version of the protocol spoken here.
pub const VERSION: u16 = 1;
/// Largest body of a frame, bytes.
pub const MAX_BODY: u32 = 16 << 20;
/// Bytes before the body.
pub const HEADER: usize = 12;
const MAGIC: [u8; 4] = *b"BVKP";

/// Which processes a signal goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The batch process only (`scancel --batch`).
    BatchOnly,
    /// Every process of the attempt.
    AllProcesses,
    /// The tasks that srun started, not the batch process and what it started itself.
    Tasks,
    /// The tasks of the step of this number.
    Step(u32),
    /// The daemon of the step of this number.
    StepDaemon(u32),
}

/// From the controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToKeeper {
    /// First message of a connection; answered by Welcome or Refused.
    Hello {
        /// The controller's protocol version.
        version: u16,
        /// The controller's process id.
        controller_pid: i32,
        /// Command that restarts the controller if its connection ends without Goodbye; empty: do not restart it.
        respawn: Vec<Vec<u8>>,
    },
    /// Start an attempt.
    Launch(Box<LaunchOrder>),
    /// Start the daemon of a step among the processes of a running attempt, unless it is there already.
    Step {
        /// The step's number.
        step: u32,
        /// Its attempt and all the rest.
        order: Box<LaunchOrder>,
    },
    /// What the batch process of an attempt uses; answered by `Measured`.
    Measure {
        /// Which attempt.
        attempt: Attempt,
    },
    /// Send a signal.
    Signal {
        /// To which attempt.
        attempt: Attempt,
        /// Signal number.
        signal: i32,
        /// To which of its processes.
        scope: Scope,
    },
    /// Append a line to the standard error of a running attempt's batch process; without effect if that is not a file.
    Note {
        /// Which attempt.
        attempt: Attempt,
        /// The line, without its end.
        text: String,
    },
    /// Kill everything that the attempt ever started.
    Kill {
        /// Which attempt.
        attempt: Attempt,
    },
    /// The end of the attempt is durably recorded: forget it.
    Ack {
        /// Which attempt.
        attempt: Attempt,
    },
    /// Orderly stop of the controller: do not respawn it. Running jobs go on.
    Goodbye,
    /// End when no job is left.
    Shutdown {
        /// Kill the running ones first.
        cancel: bool,
    },
}

/// How surely Kill reaches processes that left their session and group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum KillMode {
    /// cgroup v2, `cgroup.kill`: nothing escapes.
    CgroupV2 = 1,
    /// cgroup v1 freezer: nothing escapes.
    Freezer = 2,
    /// Process group, session, descendants and marked environment: a process that left all four escapes.
    Search = 3,
}

/// The keeper's answer to Hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The keeper's protocol version.
    pub version: u16,
    /// The keeper's process id.
    pub keeper_pid: i32,
    /// The reaper's process id.
    pub reaper_pid: i32,
    /// The kernel's boot id.
    pub boot_id: String,
    /// Identity of the journal file. If it changed, what is not listed is lost; if not, what is not listed never began.
    pub journal: u64,
    /// How sure Kill is.
    pub kill_mode: KillMode,
    /// Damage found when the journal was read, one sentence each.
    pub notes: Vec<String>,
    /// Everything not yet acknowledged.
    pub attempts: Vec<(Attempt, AttemptStatus)>,
    /// How memory limits are kept.
    pub memory_mode: MemoryMode,
}

/// From the keeper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromKeeper {
    /// The connection is accepted.
    Welcome(Box<Welcome>),
    /// The batch process exists, and no crash of the keeper can undo that. It may still fail before its script: then
    /// LaunchFailed follows, not Exited.
    Launched {
        /// Which attempt.
        attempt: Attempt,
        /// Its batch process.
        pid: i32,
        /// When it was created.
        started_at: Stamp,
    },
    /// The script never ran and never will. To be acknowledged like an exit.
    LaunchFailed {
        /// Which attempt.
        attempt: Attempt,
        /// Why.
        failure: LaunchFailure,
    },
    /// The batch process ended. Repeated until acknowledged.
    Exited(ExitReport),
    /// The attempt is lost, or was never known here.
    Unknown {
        /// Which attempt.
        attempt: Attempt,
    },
    /// The daemon of a step has ended, or could not be started. Told once, by the keeper that started it.
    StepEnded {
        /// Which attempt.
        attempt: Attempt,
        /// The step's number.
        step: u32,
    },
    /// To `Measure`; without processes if the attempt does not run.
    Measured {
        /// Which attempt.
        attempt: Attempt,
        /// What it used until now.
        used: Used,
        /// Its processes, those of steps left out.
        pids: Vec<i32>,
    },
    /// The connection is not accepted; it is closed after this.
    Refused {
        /// Why, a sentence.
        reason: String,
    },
}

/// A message that travels in a frame.
pub trait Message: Sized {
    /// Kind and body.
    fn encode(&self, w: &mut Writer) -> u16;
    /// From kind and body.
    fn decode(kind: u16, body: &[u8]) -> Result<Self, DecodeError>;
}

/// Appends the message as one frame. Fails if its body would exceed [`MAX_BODY`]; nothing is appended then.
pub fn write_frame(out: &mut Vec<u8>, message: &impl Message) -> Result<(), DecodeError> {
    let mut w = Writer::default();
    let kind = message.encode(&mut w);
    let length = w.bytes.len();
    if length > MAX_BODY as usize {
        return Err(DecodeError::TooLong(length.min(u32::MAX as usize) as u32));
    }
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&(length as u32).to_le_bytes());
    out.extend_from_slice(&w.bytes);
    Ok(())
}

/// Reads the first frame of `bytes`: `None` if it is not complete yet, else the message and the bytes it took.
/// An error means that the stream cannot be trusted any more; the connection is to be closed.
pub fn read_frame<M: Message>(bytes: &[u8]) -> Result<Option<(M, usize)>, DecodeError> {
    let known = bytes.len().min(4);
    if bytes[..known] != MAGIC[..known] {
        let mut seen = [0; 4];
        seen[..known].copy_from_slice(&bytes[..known]);
        return Err(DecodeError::Magic(seen));
    }
    if bytes.len() < HEADER {
        return Ok(None);
    }
    let mut r = Reader::new(&bytes[4..HEADER]);
    let (version, kind, length) = (r.u16("version")?, r.u16("kind")?, r.u32("length")?);
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    if length > MAX_BODY {
        return Err(DecodeError::TooLong(length));
    }
    match bytes.get(HEADER..HEADER + length as usize) {
        None => Ok(None),
        Some(body) => Ok(Some((M::decode(kind, body)?, HEADER + length as usize))),
    }
}

impl Message for ToKeeper {
    fn encode(&self, w: &mut Writer) -> u16 {
        match self {
            ToKeeper::Hello { version, controller_pid, respawn } => {
                w.u16(*version).i32(*controller_pid).byte_list(respawn);
                1
            }
            ToKeeper::Launch(order) => {
                order.encode(w);
                2
            }
            ToKeeper::Signal { attempt, signal, scope } => {
                put_attempt(w, attempt);
                w.i32(*signal);
                match scope {
                    Scope::BatchOnly => w.u8(0),
                    Scope::AllProcesses => w.u8(1),
                    Scope::Tasks => w.u8(2),
                    Scope::Step(number) => w.u8(3).u32(*number),
                    Scope::StepDaemon(number) => w.u8(5).u32(*number),
                };
                3
            }
            ToKeeper::Kill { attempt } => {
                put_attempt(w, attempt);
                4
            }
            ToKeeper::Ack { attempt } => {
                put_attempt(w, attempt);
                5
            }
            ToKeeper::Goodbye => 6,
            ToKeeper::Shutdown { cancel } => {
                w.bool(*cancel);
                7
            }
            ToKeeper::Note { attempt, text } => {
                put_attempt(w, attempt);
                w.bytes(text.as_bytes());
                8
            }
            ToKeeper::Step { step, order } => {
                w.u32(*step);
                order.encode(w);
                9
            }
            ToKeeper::Measure { attempt } => {
                put_attempt(w, attempt);
                10
            }
        }
    }

    fn decode(kind: u16, body: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(body);
        let message = match kind {
            1 => ToKeeper::Hello {
                version: r.u16("version")?,
                controller_pid: r.i32("controller pid")?,
                respawn: r.byte_list("respawn")?,
            },
            2 => ToKeeper::Launch(Box::new(LaunchOrder::decode(&mut r)?)),
            3 => ToKeeper::Signal {
                attempt: get_attempt(&mut r)?,
                signal: r.i32("signal")?,
                scope: match r.u8("scope")? {
                    0 => Scope::BatchOnly,
                    1 => Scope::AllProcesses,
                    2 => Scope::Tasks,
                    3 => Scope::Step(r.u32("step")?),
                    5 => Scope::StepDaemon(r.u32("step")?),
                    _ => return Err(DecodeError::Invalid("scope")),
                },
            },
            4 => ToKeeper::Kill { attempt: get_attempt(&mut r)? },
            5 => ToKeeper::Ack { attempt: get_attempt(&mut r)? },
            6 => ToKeeper::Goodbye,
            7 => ToKeeper::Shutdown { cancel: r.bool("cancel")? },
            8 => ToKeeper::Note { attempt: get_attempt(&mut r)?, text: r.text("text")? },
            9 => ToKeeper::Step { step: r.u32("step")?, order: Box::new(LaunchOrder::decode(&mut r)?) },
            10 => ToKeeper::Measure { attempt: get_attempt(&mut r)? },
            other => return Err(DecodeError::Kind(other)),
        };
        r.end()?;
        Ok(message)
    }
}

impl Message for FromKeeper {
    fn encode(&self, w: &mut Writer) -> u16 {
        match self {
            FromKeeper::Welcome(m) => {
                w.u16(m.version)
                    .i32(m.keeper_pid)
                    .i32(m.reaper_pid)
                    .bytes(m.boot_id.as_bytes())
                    .u64(m.journal);
                w.u8(m.kill_mode as u8);
                w.list(&m.notes, |w, n| {
                    w.bytes(n.as_bytes());
                });
                w.list(&m.attempts, |w, (attempt, status)| {
                    put_attempt(w, attempt);
                    put_status(w, status);
                });
                put_appended(w, (m.memory_mode != MemoryMode::Watched).then_some(m.memory_mode as u64));
                101
            }
            FromKeeper::Launched { attempt, pid, started_at } => {
                put_attempt(w, attempt);
                w.i32(*pid);
                put_stamp(w, started_at);
                102
            }
            FromKeeper::LaunchFailed { attempt, failure } => {
                put_attempt(w, attempt);
                put_failure(w, failure);
                103
            }
            FromKeeper::Exited(report) => {
                put_report(w, report);
                if report.out_of_memory { 108 } else { 104 }
            }
            FromKeeper::Unknown { attempt } => {
                put_attempt(w, attempt);
                105
            }
            FromKeeper::Refused { reason } => {
                w.bytes(reason.as_bytes());
                106
            }
            FromKeeper::StepEnded { attempt, step } => {
                put_attempt(w, attempt);
                w.u32(*step);
                107
            }
            FromKeeper::Measured { attempt, used, pids } => {
                put_attempt(w, attempt);
                put_used(w, used);
                w.list(pids, |w, pid| {
                    w.i32(*pid);
                });
                109
            }
        }
    }

    fn decode(kind: u16, body: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(body);
        let message = match kind {
            101 => FromKeeper::Welcome(Box::new(Welcome {
                version: r.u16("version")?,
                keeper_pid: r.i32("keeper pid")?,
                reaper_pid: r.i32("reaper pid")?,
                boot_id: r.text("boot id")?,
                journal: r.u64("journal")?,
                kill_mode: match r.u8("kill mode")? {
                    1 => KillMode::CgroupV2,
                    2 => KillMode::Freezer,
                    3 => KillMode::Search,
                    _ => return Err(DecodeError::Invalid("kill mode")),
                },
                notes: r.list("notes", |r| r.text("note"))?,
                attempts: r.list("attempts", |r| Ok((get_attempt(r)?, get_status(r)?)))?,
                memory_mode: match get_appended(&mut r, "memory mode")? {
                    None => MemoryMode::Watched,
                    Some(2) => MemoryMode::Enforced,
                    Some(_) => return Err(DecodeError::Invalid("memory mode")),
                },
            })),
            102 => FromKeeper::Launched {
                attempt: get_attempt(&mut r)?,
                pid: r.i32("pid")?,
                started_at: get_stamp(&mut r)?,
            },
            103 => FromKeeper::LaunchFailed { attempt: get_attempt(&mut r)?, failure: get_failure(&mut r)? },
            104 => FromKeeper::Exited(get_report(&mut r)?),
            108 => FromKeeper::Exited(out_of_memory(get_report(&mut r)?)),
            105 => FromKeeper::Unknown { attempt: get_attempt(&mut r)? },
            106 => FromKeeper::Refused { reason: r.text("reason")? },
            107 => FromKeeper::StepEnded { attempt: get_attempt(&mut r)?, step: r.u32("step")? },
            109 => FromKeeper::Measured {
                attempt: get_attempt(&mut r)?,
                used: get_used(&mut r)?,
                pids: r.list("processes", |r| r.i32("process"))?,
            },
            other => return Err(DecodeError::Kind(other)),
        };
        r.end()?;
        Ok(message)
    }
}

pub(crate) fn put_stamp(w: &mut Writer, s: &Stamp) {
    w.i64(s.wall_ms).u64(s.boot_ms);
}

pub(crate) fn get_stamp(r: &mut Reader) -> Result<Stamp, DecodeError> {
    Ok(Stamp { wall_ms: r.i64("wall time")?, boot_ms: r.u64("boot time")? })
}

/// That it is so is told by the kind of the message.
fn out_of_memory(report: ExitReport) -> ExitReport {
    ExitReport { out_of_memory: true, ..report }
}

pub(crate) fn put_report(w: &mut Writer, e: &ExitReport) {
    put_attempt(w, &e.attempt);
    w.i32(e.wait_status).u64(e.used.user_us).u64(e.used.system_us).u64(e.used.rss_kb);
    put_stamp(w, &e.started_at);
    put_stamp(w, &e.ended_at);
    w.u64(e.used.vm_kb).u64(e.used.pages).u64(e.used.read).u64(e.used.written);
}

pub(crate) fn get_report(r: &mut Reader) -> Result<ExitReport, DecodeError> {
    let mut report = ExitReport {
        attempt: get_attempt(r)?,
        wait_status: r.i32("wait status")?,
        used: Used {
            user_us: r.u64("user time")?,
            system_us: r.u64("system time")?,
            rss_kb: r.u64("largest resident set")?,
            ..Used::default()
        },
        started_at: get_stamp(r)?,
        ended_at: get_stamp(r)?,
        out_of_memory: false,
    };
    // A journal that an earlier version wrote ends here.
    if !r.is_at_end() {
        report.used.vm_kb = r.u64("largest virtual size")?;
        report.used.pages = r.u64("page faults")?;
        report.used.read = r.u64("bytes read")?;
        report.used.written = r.u64("bytes written")?;
    }
    Ok(report)
}

fn put_used(w: &mut Writer, used: &Used) {
    w.u64(used.user_us).u64(used.system_us).u64(used.rss_kb).u64(used.vm_kb);
    w.u64(used.pages).u64(used.read).u64(used.written);
}

fn get_used(r: &mut Reader) -> Result<Used, DecodeError> {
    Ok(Used {
        user_us: r.u64("user time")?,
        system_us: r.u64("system time")?,
        rss_kb: r.u64("largest resident set")?,
        vm_kb: r.u64("largest virtual size")?,
        pages: r.u64("page faults")?,
        read: r.u64("bytes read")?,
        written: r.u64("bytes written")?,
    })
}

pub(crate) fn put_failure(w: &mut Writer, f: &LaunchFailure) {
    w.u8(f.step as u8).i32(f.errno).bytes(f.what.as_bytes());
}

pub(crate) fn get_failure(r: &mut Reader) -> Result<LaunchFailure, DecodeError> {
    Ok(LaunchFailure {
        step: FailedStep::from_u8(r.u8("step")?).ok_or(DecodeError::Invalid("step"))?,
        errno: r.i32("errno")?,
        what: r.text("failure")?,
    })
}

fn put_status(w: &mut Writer, s: &AttemptStatus) {
    match s {
        AttemptStatus::NotStarted => {
            w.u8(1);
        }
        AttemptStatus::Running { pid, started_at } => {
            w.u8(2).i32(*pid);
            put_stamp(w, started_at);
        }
        AttemptStatus::Exited(report) => {
            w.u8(if report.out_of_memory { 6 } else { 3 });
            put_report(w, report);
        }
        AttemptStatus::Failed(failure) => {
            w.u8(4);
            put_failure(w, failure);
        }
        AttemptStatus::Unknown => {
            w.u8(5);
        }
    }
}

fn get_status(r: &mut Reader) -> Result<AttemptStatus, DecodeError> {
    Ok(match r.u8("status")? {
        1 => AttemptStatus::NotStarted,
        2 => AttemptStatus::Running { pid: r.i32("pid")?, started_at: get_stamp(r)? },
        3 => AttemptStatus::Exited(get_report(r)?),
        6 => AttemptStatus::Exited(out_of_memory(get_report(r)?)),
        4 => AttemptStatus::Failed(get_failure(r)?),
        5 => AttemptStatus::Unknown,
        _ => return Err(DecodeError::Invalid("status")),
    })
}
