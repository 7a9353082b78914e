//! What stands in sacct's fields.

use super::Entry;
use super::filter::{Window, over, shown_start, started};
use crate::job;
use crate::settings::{Settings, push};
use crate::tres::{Tres, step_cpus};
use bivouac_types::info::{JobInfo, Scheduler, StepInfo};
use bivouac_types::{Duration, ExitStatus, JobState, StepKind, TimeLimit, Timestamp};

type Row<'a> = Entry<'a>;

pub(super) fn number(out: &mut String, n: impl std::fmt::Display) {
    push(out, format_args!("{n}"));
}

/// Writes what only the job's own line has.
pub(super) fn of_job(row: &Row<'_>, out: &mut String, write: impl Fn(&JobInfo, &mut String)) {
    if row.step.is_none() {
        write(row.job, out);
    }
}

/// Writes what only a step's line has.
pub(super) fn of_step(row: &Row<'_>, out: &mut String, write: impl Fn(&StepInfo, &mut String)) {
    if let Some(step) = row.step {
        write(step, out);
    }
}

pub(super) fn cpus(row: &Row<'_>) -> u32 {
    row.step.map_or(row.job.num_cpus, |step| step_cpus(row.job, step))
}

pub(super) fn asked_cpus(row: &Row<'_>) -> u32 {
    row.step.map_or(Tres::asked(row.job).cpus, |step| step_cpus(row.job, step))
}

/// When it started and ended, and how long it ran: cut to the window with -T.
struct Span {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    elapsed: Duration,
}

fn span(row: &Row<'_>, s: &Settings) -> Span {
    let (start, end, elapsed) = match row.step {
        Some(step) => (Some(step.start), step.end, step.end.unwrap_or(s.now).since(step.start)),
        None => (shown_start(row.job), over(row.job), row.job.elapsed),
    };
    let Some(Window { since, until }) = row.cut else { return Span { start, end, elapsed } };
    let until = until.min(s.now);
    let end = end.map_or(until, |t| t.min(until));
    let start = start.map_or(until, |t| t.max(since));
    Span { start: Some(start), end: Some(end), elapsed: end.since(start) }
}

pub(super) fn elapsed(row: &Row<'_>, s: &Settings) -> Duration {
    // Both ends are shown in whole seconds.
    span(row, s).elapsed
}

pub(super) fn cpu_time(row: &Row<'_>, s: &Settings) -> Duration {
    Duration::from_secs(elapsed(row, s).as_secs() * u64::from(cpus(row)))
}

/// How long the job waited after it had become eligible.
pub(super) fn waited(row: &Row<'_>, s: &Settings) -> Duration {
    let until = span(row, s).start.or(over(row.job)).unwrap_or(s.now);
    job::eligible(row.job).map_or(Duration::ZERO, |t| until.since(t))
}

pub(super) fn waited_cpus(row: &Row<'_>, s: &Settings) -> Duration {
    Duration::from_secs(waited(row, s).as_secs() * u64::from(asked_cpus(row)))
}

pub(super) fn nodes(row: &Row<'_>) -> usize {
    row.step.map_or(row.job.nodes.len(), |step| step.nodes.len())
}

pub(super) fn asked_nodes(row: &Row<'_>) -> usize {
    row.step.map_or(Tres::asked(row.job).nodes as usize, |step| step.nodes.len())
}

/// User and system CPU time of a step, or of all steps of the job together, in microseconds.
pub(super) fn cpu_used(row: &Row<'_>) -> (u64, u64) {
    let of = |step: &StepInfo| (step.usage.user_us, step.usage.system_us);
    match row.step {
        Some(step) => of(step),
        None if row.with_steps => {
            row.job.steps.iter().map(of).fold((0, 0), |sum, step| (sum.0 + step.0, sum.1 + step.1))
        }
        None => (0, 0),
    }
}

/// `00:01.234` below an hour, else `HH:MM:SS`.
pub(super) fn cpu_us(out: &mut String, us: u64) {
    let secs = us / 1_000_000;
    if us > 0 && secs < 3600 {
        push(out, format_args!("{:02}:{:02}.{:03}", secs / 60, secs % 60, us / 1000 % 1000));
    } else {
        number(out, Duration::from_secs(secs));
    }
}

pub(super) fn id(row: &Row<'_>, s: &Settings, out: &mut String) {
    job::write_id(out, row.job, None, s.task_chars);
    of_step(row, out, |step, out| push(out, format_args!(".{}", step.step)));
}

pub(super) fn raw_id(row: &Row<'_>, _: &Settings, out: &mut String) {
    number(out, row.job.id);
    of_step(row, out, |step, out| push(out, format_args!(".{}", step.step)));
}

/// A number of its own for each run of each job.
pub(super) fn run_number(job: &JobInfo) -> u64 {
    u64::from(job.restarts) << 32 | u64::from(job.id.0)
}

pub(crate) fn state_word(job: &JobInfo) -> &'static str {
    match job.state {
        // The accounting learns of a job's end when it has ended, and of no state besides the main one.
        JobState::Completing | JobState::Stopped => "RUNNING",
        JobState::SpecialExit => "PENDING",
        state => state.name(),
    }
}

pub(super) fn state(row: &Row<'_>, _: &Settings, out: &mut String) {
    match row.step {
        Some(step) => out.push_str(step.state.name()),
        None => {
            out.push_str(state_word(row.job));
            if let (JobState::Cancelled, Some(uid)) = (row.job.state, row.job.cancelled_by) {
                push(out, format_args!(" by {uid}"));
            }
        }
    }
}

/// Whether nobody knows how a step ended: its node failed. What ends a step otherwise is a signal.
pub(super) fn is_unknown_end(step: &StepInfo) -> bool {
    step.state == JobState::Cancelled && step.exit == ExitStatus::default()
}

pub(super) fn exit_code(row: &Row<'_>, _: &Settings, out: &mut String) {
    if !row.step.is_some_and(is_unknown_end) {
        number(out, exit_status(row.job, row.step));
    }
}

/// A job that was ended from outside has no exit code of its own. Codes above 127 are what a shell makes of signals;
/// Slurm's accounting takes them for that and shows what is above 128. Of a script that SIGHUP ended, it says that the job
/// exited with 1.
pub(crate) fn exit_status(job: &JobInfo, step: Option<&StepInfo>) -> ExitStatus {
    let exit = match step {
        Some(step) => step.exit,
        None if matches!(job.state, JobState::Cancelled | JobState::Timeout | JobState::Preempted) => {
            ExitStatus::default()
        }
        None if job.exit.signal == 1 => ExitStatus { code: 1, signal: 0 },
        None => job.exit,
    };
    ExitStatus { code: exit.code & 0x7f, ..exit }
}

pub(super) fn start(row: &Row<'_>, s: &Settings, out: &mut String) {
    let never = if row.job.state.is_ended() { "None" } else { "Unknown" };
    s.time(out, span(row, s).start, never);
}

pub(super) fn end(row: &Row<'_>, s: &Settings, out: &mut String) {
    s.time(out, span(row, s).end, "Unknown");
}

pub(super) fn eligible(row: &Row<'_>, s: &Settings, out: &mut String) {
    s.time(out, row.step.map_or(job::eligible(row.job), |step| Some(step.start)), "Unknown");
}

pub(super) fn submit(row: &Row<'_>, s: &Settings, out: &mut String) {
    s.time(out, Some(row.step.map_or(row.job.submit, |step| step.start)), "");
}

pub(super) fn node_list(row: &Row<'_>, _: &Settings, out: &mut String) {
    match row.step {
        Some(step) => out.push_str(&step_nodes(step)),
        None if row.job.nodes.is_empty() => out.push_str("None assigned"),
        None => job::write_nodes(out, row.job),
    }
}

pub(super) fn step_nodes(step: &StepInfo) -> String {
    bivouac_types::hostlist::compress(step.nodes.iter().map(String::as_str))
}

pub(super) fn tres_allocated(row: &Row<'_>, s: &Settings, out: &mut String) {
    match row.step {
        Some(step) => Tres::of_step(row.job, step).write_sorted(out, s),
        None if row.job.nodes.is_empty() => {}
        None => Tres::of_job(row.job).write_sorted(out, s),
    }
}

pub(super) fn limit_raw(row: &Row<'_>, _: &Settings, out: &mut String) {
    of_job(row, out, |job, out| match job.time_limit {
        TimeLimit::Minutes(minutes) => number(out, minutes),
        TimeLimit::Unlimited => out.push_str("UNLIMITED"),
    });
}

/// The misspelling is Slurm's.
pub(super) fn flags(row: &Row<'_>, _: &Settings, out: &mut String) {
    of_job(row, out, |job, out| {
        out.push_str(match (job.accounting.scheduler, started(job)) {
            (Some(Scheduler::Backfill), _) => "SchedBackfill,StartRecieved",
            (Some(Scheduler::Main), _) | (None, Some(_)) => "SchedMain,StartRecieved",
            (None, None) => "StartRecieved",
        });
    });
}

/// How srun laid out the tasks: in turn over the nodes, unless there are more tasks than nodes.
pub(super) fn distribution(step: &StepInfo) -> &'static str {
    match step.step {
        StepKind::Number(_) if step.num_tasks as usize <= step.nodes.len() => "Cyclic",
        StepKind::Number(_) => "Block",
        StepKind::Batch | StepKind::Extern => "Unknown",
    }
}

/// Frequencies cannot be asked for; Slurm has two words for that.
pub(super) fn frequency(row: &Row<'_>, _: &Settings, out: &mut String) {
    let no_tasks = row.step.is_some_and(|step| !matches!(step.step, StepKind::Number(_)));
    out.push_str(if no_tasks { "0" } else { "Unknown" });
}

/// Nothing measures energy. Slurm shows no sum for a job of one step.
pub(super) fn energy(row: &Row<'_>, _: &Settings, out: &mut String) {
    if row.step.is_some() || row.job.steps.len() != 1 {
        out.push('0');
    }
}

pub(super) fn qos_number(row: &Row<'_>, s: &Settings, out: &mut String) {
    of_job(row, out, |job, out| {
        let place = |name: &str| s.qos.iter().position(|q| q == name);
        if let Some(at) = job.qos.as_deref().and_then(place) {
            number(out, at + 1);
        }
    });
}
