//! The keeper: launches jobs, watches them and keeps their exit codes until the controller has them for certain.
//!
//! **Owns** the batch processes, everything they start, and the journal of their fates. **Must never know** what a
//! queue, a partition, a schedule or a site is; it needs no configuration and resolves no names. **Start reading** at
//! [`logic`] (what it does, and why a script cannot run twice), then [`protocol`] (how it is told), then [`daemon`]
//! (how it is done). A controller needs [`client`].
//!
//! # Two processes
//!
//! ```text
//! reaper        child subreaper: starts the keeper again when it dies, collects the orphans of a dead keeper
//!   keeper      one thread, one socket: launches, signals, reports
//!     job ...   direct children, in sessions of their own
//! ```
//!
//! Both map the same record file, `keeper.journal`, and so does each child until it executes the script.
//!
//! | what dies | what happens |
//! |---|---|
//! | controller | the keeper starts it again (unless it said Goodbye), with growing pauses |
//! | keeper | its jobs become the reaper's children; the reaper starts a keeper, which adopts them by the journal; an end is recorded by the reaper and reported by the keeper |
//! | reaper | the keeper takes its role by exec in place, and starts a new keeper below itself |
//! | both at once, or the reaper of an adopted job | the exit code went to somebody else: the attempt is lost (`Unknown`, the controller's NODE_FAIL), and its processes are killed |
//!
//! **Why the keeper turns into the reaper.** A new subreaper cannot be put above living processes: a process collects
//! orphans only from below itself. When the reaper dies, the keeper is the topmost process of ours left, and it is the
//! parent of the jobs; children stay children across exec, so that executing the reaper's program in its place loses
//! no exit code, needs no hand-over, and leads to the same picture as at the start. The two share one lock
//! (`reaper.lock`, one open file description): it lasts while either lives, so that no second pair can begin in
//! between, and it passes through the exec.
//!
//! **Why the reaper is not rolled into the keeper.** Exit codes survive their collector's death only if there is an
//! ancestor that does less, and so lives longer: it has no socket, parses nothing that others send, and sleeps.
//!
//! **What is durable.** The journal survives the death of any process at any instruction. It is not flushed at each
//! record, and need not be: after a crash of the machine no job runs, and what the controller has not acknowledged
//! it treats as lost. It is flushed when the pair ends in order.
//!
//! **When the pair ends.** After Goodbye or Shutdown, as soon as nothing runs; ends that nobody has acknowledged wait
//! in the journal for the next pair. Also when no controller comes within a minute of the start, or the controller cannot be
//! restarted, and nothing runs. SIGTERM ends either process as SIGKILL does, and is survived likewise.

pub mod cgroup;
pub mod client;
pub mod codec;
pub mod confine;
pub mod daemon;
pub mod journal;
pub mod launch;
pub mod logic;
pub mod login;
pub mod memory;
pub mod note;
pub mod order;
pub mod place;
pub mod protocol;
pub mod reaper;
pub mod record;
pub mod report;
pub mod scratch;
pub mod search;
pub mod server;
pub mod slot;
pub mod slots;
pub mod sys;
