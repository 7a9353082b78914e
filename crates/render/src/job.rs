//! What several commands say about a job in the same words.

use crate::settings::{Settings, push};
use bivouac_types::info::{ArrayTasks, JobInfo};
use bivouac_types::{
    Duration, ExitStatus, GresRequest, JobState, MemRequest, PendingReason, TimeLimit, Timestamp,
};

/// The job's id as squeue's %i shows it: `12`, `12_3`, `12_[4-6%2]`. `task` is one of the pending tasks that this
/// row stands for (squeue -r).
pub fn write_id(out: &mut String, job: &JobInfo, task: Option<u32>, task_chars: usize) {
    match (&job.array, task) {
        (None, _) => push(out, format_args!("{}", job.id)),
        (Some(array), Some(task)) => push(out, format_args!("{}_{task}", array.job)),
        (Some(array), None) => match &array.tasks {
            ArrayTasks::One(task) => push(out, format_args!("{}_{task}", array.job)),
            ArrayTasks::Pending(_) => {
                push(out, format_args!("{}_[", array.job));
                write_tasks(out, job, None, task_chars);
                out.push(']');
            }
        },
    }
}

/// The array's tasks that this row stands for, with the throttle while they are pending: `3`, `4-6%2`, or `N/A`.
/// More than `limit` bytes are cut as Slurm cuts them (SLURM_BITSTR_LEN); 0 is no limit.
pub fn write_tasks(out: &mut String, job: &JobInfo, task: Option<u32>, limit: usize) {
    match (&job.array, task) {
        (None, _) => out.push_str("N/A"),
        (Some(_), Some(task)) => push(out, format_args!("{task}")),
        (Some(array), None) => match &array.tasks {
            ArrayTasks::One(task) => push(out, format_args!("{task}")),
            ArrayTasks::Pending(set) => {
                let from = out.len();
                push(out, format_args!("{set}"));
                if limit > 0 && out.len() - from >= limit {
                    // Three dots and a final zero byte count against the limit, and are cut by it.
                    out.truncate(from + limit.saturating_sub(4));
                    out.push_str(&"..."[..limit.saturating_sub(1).min(3)]);
                }
                if let Some(most) = array.max_running {
                    push(out, format_args!("%{most}"));
                }
            }
        },
    }
}

/// Why a job is pending or ended as it did, with its particulars: squeue's %r.
pub fn reason(job: &JobInfo) -> Reason<'_> {
    match (reason_word(job), job.reason_text.as_deref()) {
        (Reason::Pending(_), Some(text)) if job.state.waits() => Reason::Told(text),
        (reason, _) => reason,
    }
}

/// The word for why a job is pending or ended as it did.
pub fn reason_word(job: &JobInfo) -> Reason<'_> {
    match job.state {
        JobState::Failed if job.exit.signal != 0 => Reason::Ended("JobLaunchFailure"),
        JobState::Failed => Reason::Ended("NonZeroExitCode"),
        JobState::Timeout => Reason::Ended("TimeLimit"),
        JobState::NodeFail => Reason::Ended("NodeDown"),
        JobState::BootFail => Reason::Ended("BootFail"),
        JobState::OutOfMemory => Reason::Ended("OutOfMemory"),
        JobState::Deadline => Reason::Ended("DeadLine"),
        JobState::Cancelled if job.nodes.is_empty() && job.reason.is_none() => {
            Reason::Pending(job.accounting.waited)
        }
        JobState::Pending | JobState::SpecialExit | JobState::Cancelled => Reason::Pending(job.reason),
        _ => Reason::Pending(PendingReason::None),
    }
}

/// A reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason<'a> {
    /// Of a job that has not run.
    Pending(PendingReason),
    /// Of a job that has not run, with what keeps it.
    Told(&'a str),
    /// Of a job that failed.
    Ended(&'static str),
}

impl std::fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Reason::Pending(reason) => reason.fmt(f),
            Reason::Told(text) => f.write_str(text),
            Reason::Ended(word) => f.write_str(word),
        }
    }
}

/// Its nodes as a hostlist; nothing while it has none.
pub fn write_nodes(out: &mut String, job: &JobInfo) {
    match &job.nodes[..] {
        [] => {}
        [one] => out.push_str(&one.node),
        many => out.push_str(&bivouac_types::hostlist::compress(many.iter().map(|n| n.node.as_str()))),
    }
}

/// squeue's %R: the reason in parentheses while it is pending or if it failed, else its nodes.
pub fn write_nodes_or_reason(out: &mut String, job: &JobInfo) {
    match reason(job) {
        Reason::Ended(word) | Reason::Told(word) => push(out, format_args!("({word})")),
        Reason::Pending(reason) if job.state.waits() => push(out, format_args!("({reason})")),
        Reason::Pending(_) => write_nodes(out, job),
    }
}

/// When it started, or is expected to. A job that was cancelled before counts as started when it ended.
pub fn start(job: &JobInfo) -> Option<Timestamp> {
    job.start.or(if job.state.is_ended() { job.end } else { begin(job) })
}

/// Whether it waits, or ended before it could start.
fn never_ran(job: &JobInfo) -> bool {
    job.state.waits() || job.state.is_ended() && job.nodes.is_empty()
}

/// --begin of a job that has not run, where it was later than the submission.
fn begin(job: &JobInfo) -> Option<Timestamp> {
    job.spec.begin.filter(|begin| never_ran(job) && *begin > job.submit)
}

/// When it ended, or will by its limit; for a pending job from its expected start.
pub fn end(job: &JobInfo) -> Option<Timestamp> {
    job.end.or_else(|| match job.state {
        state if state.waits() => Some(start(job)? + job.time_limit.duration()?),
        _ => None,
    })
}

/// When it became, or will become, eligible: of a job that is held only --begin is known.
pub fn eligible(job: &JobInfo) -> Option<Timestamp> {
    let waited = if job.state.is_ended() { job.accounting.waited } else { job.reason };
    let held = matches!(waited, PendingReason::JobHeldUser | PendingReason::JobHeldAdmin);
    if job.reason == PendingReason::JobArrayTaskLimit {
        // Slurm looks at the rest of an array again when a task of it has ended.
        return None;
    }
    let begin = job.spec.begin.filter(|begin| *begin > job.submit);
    job.eligible.filter(|_| !(held && never_ran(job))).or(begin)
}

/// What is left of its limit; none: it has no limit.
pub fn time_left(job: &JobInfo) -> Option<Duration> {
    Some(job.time_limit.duration()? - job.elapsed)
}

/// Memory as asked for per node or per CPU; where nothing was asked, what it got, per CPU if that comes out even.
pub fn min_memory(job: &JobInfo) -> MemRequest {
    let nodes = u64::from(job.num_nodes.max(1));
    let before = job.spec.resources.cpus_before.filter(|_| job.nodes.is_empty());
    let cpus = u64::from(before.unwrap_or(job.num_cpus).max(1));
    let by_gpu = job.accounting.job_defaults.iter().any(|(key, _)| key == "DefMemPerGPU");
    match job.spec.resources.mem {
        None if by_gpu => MemRequest::PerGpu(0),
        // MemPerTres says what was asked for.
        Some(MemRequest::PerGpu(_)) => job.default_mem.unwrap_or(MemRequest::PerNode(0)),
        Some(asked) if !matches!(asked, MemRequest::PerGpu(_)) => asked,
        _ if job.mem_mb.is_multiple_of(cpus) && job.mem_mb > 0 => MemRequest::PerCpu(job.mem_mb / cpus),
        _ => MemRequest::PerNode(job.mem_mb / nodes),
    }
}

/// CPUs that a node must have at least for it.
pub fn min_cpus(job: &JobInfo) -> u32 {
    let ask = &job.spec.resources;
    // As it was before CPUs and tasks were changed.
    if ask.cpus.is_some() {
        return ask.min_cpus.unwrap_or(1);
    }
    let tasks = job.cpus_per_task.max(1).saturating_mul(ask.ntasks_per_node.unwrap_or(1).max(1));
    tasks.max(ask.min_cpus.unwrap_or(0))
}

/// Conditions that are not yet fulfilled: `afterok:12(unfulfilled)`, or `(null)`.
pub fn write_dependency(out: &mut String, job: &JobInfo) {
    let joint = if job.spec.dependency.as_ref().is_some_and(|d| d.any) { "?" } else { "," };
    if job.unmet.is_empty() {
        out.push_str("(null)");
    }
    for (n, unmet) in job.unmet.iter().enumerate() {
        push(out, format_args!("{}{unmet}", if n > 0 { joint } else { "" }));
    }
}

/// `gres:gpu:a100:2` per node, or `missing`.
pub fn write_gres(out: &mut String, job: &JobInfo, missing: &str) {
    let ask = &job.spec.resources;
    write_requests(out, ask.gres.iter().chain(&ask.gpus.per_node), missing);
}

/// Generic resources as asked for, or `missing`.
pub fn write_requests<'a>(out: &mut String, list: impl IntoIterator<Item = &'a GresRequest>, missing: &str) {
    let mut any = false;
    for gres in list {
        push(out, format_args!("{}gres:{gres}", if any { "," } else { "" }));
        any = true;
    }
    if !any {
        out.push_str(missing);
    }
}

/// The wait status of how it ended: squeue's exit_code.
pub fn wait_status(exit: ExitStatus) -> u32 {
    u32::from(exit.code) << 8 | u32::from(exit.signal)
}

/// The highest exit status of its srun steps (DerivedExitCode).
pub fn derived_exit(job: &JobInfo) -> ExitStatus {
    let steps = job.steps.iter().filter(|s| matches!(s.step, bivouac_types::StepKind::Number(_)));
    steps.map(|s| s.exit).max_by_key(|e| wait_status(*e)).unwrap_or_default()
}

/// A time limit in scontrol's and sacct's form: `01:00:00`, `1-00:00:00`, `UNLIMITED`.
pub fn write_limit(out: &mut String, limit: TimeLimit) {
    push(out, format_args!("{limit}"));
}

/// Text, or `missing` where there is none.
pub fn write_or(out: &mut String, text: Option<&str>, missing: &str) {
    out.push_str(text.unwrap_or(missing));
}

/// Where the job's own part of a time is not known, as [`Settings::time`] with `N/A`.
pub fn write_time(out: &mut String, settings: &Settings, at: Option<Timestamp>) {
    settings.time(out, at, "N/A");
}
