//! The fields of sacct, in the order of --helpformat. Fields of which nothing is known here are empty, as Slurm's
//! are where nothing was recorded.

use super::Entry;
use crate::job;
use crate::settings::{Settings, push};
use crate::table::{Column, Table};
use crate::tres::{Tres, step_cpus};
use bivouac_types::info::{JobInfo, StepInfo, Usage};
use bivouac_types::{Duration, ExitStatus, JobState, PendingReason, TimeLimit};

/// The table of the accounting.
pub struct Entries;

impl Table for Entries {
    type Row<'a> = Entry<'a>;
    fn columns() -> &'static [Column<Entries>] {
        COLUMNS
    }
}

type C = Column<Entries>;
type Row<'a> = Entry<'a>;

/// A field set to the right.
const fn f(width: usize, name: &'static str, cell: crate::table::Cell<Entries>) -> Column<Entries> {
    C::new('\0', name, name, cell).right(width)
}

/// A field of which nothing is known.
const fn unknown(width: usize, name: &'static str) -> Column<Entries> {
    f(width, name, |_, _, _| {})
}

fn number(out: &mut String, n: impl std::fmt::Display) {
    push(out, format_args!("{n}"));
}

/// Writes what only the job's own line has.
fn of_job(row: &Row<'_>, out: &mut String, write: impl Fn(&JobInfo, &mut String)) {
    if row.step.is_none() {
        write(row.job, out);
    }
}

/// Writes what only a step's line has.
fn of_step(row: &Row<'_>, out: &mut String, write: impl Fn(&StepInfo, &mut String)) {
    if let Some(step) = row.step {
        write(step, out);
    }
}

fn cpus(row: &Row<'_>) -> u32 {
    row.step.map_or(row.job.num_cpus, |step| step_cpus(row.job, step))
}

fn elapsed(row: &Row<'_>, s: &Settings) -> Duration {
    row.step.map_or(row.job.elapsed, |step| step.end.unwrap_or(s.now).since(step.start))
}

fn cpu_time(row: &Row<'_>, s: &Settings) -> Duration {
    Duration::from_secs(elapsed(row, s).as_secs() * u64::from(cpus(row)))
}

/// How long the job waited after it had become eligible.
fn waited(job: &JobInfo, s: &Settings) -> Duration {
    let until = job.start.filter(|_| !job.nodes.is_empty()).or(job.end).unwrap_or(s.now);
    job::eligible(job).map_or(Duration::ZERO, |t| until.since(t))
}

fn nodes(row: &Row<'_>) -> usize {
    row.step.map_or(row.job.nodes.len(), |step| step.nodes.len())
}

fn reserved_cpus(row: &Row<'_>, s: &Settings) -> Duration {
    Duration::from_secs(waited(row.job, s).as_secs() * u64::from(row.job.num_cpus))
}

/// What a step used, or all steps of the job together.
fn usage(row: &Row<'_>) -> Usage {
    match row.step {
        Some(step) => step.usage,
        None if row.with_steps => row.job.steps.iter().fold(Usage::default(), |sum, s| Usage {
            user_us: sum.user_us + s.usage.user_us,
            system_us: sum.system_us + s.usage.system_us,
            max_rss_kb: 0,
        }),
        None => Usage::default(),
    }
}

/// `00:01.234` below an hour, else `HH:MM:SS`.
fn cpu_us(out: &mut String, us: u64) {
    let secs = us / 1_000_000;
    if us > 0 && secs < 3600 {
        push(out, format_args!("{:02}:{:02}.{:03}", secs / 60, secs % 60, us / 1000 % 1000));
    } else {
        number(out, Duration::from_secs(secs));
    }
}

/// The step, if its usage was measured.
fn measured<'a>(row: &Row<'a>) -> Option<&'a StepInfo> {
    row.step.filter(|step| step.usage.max_rss_kb > 0)
}

/// As [`measured`], where it is one task's, so that it is the average and the least as well.
fn single<'a>(row: &Row<'a>) -> Option<&'a StepInfo> {
    measured(row).filter(|step| step.num_tasks <= 1)
}

fn max_rss(row: &Row<'_>, s: &Settings, out: &mut String) {
    measured(row).into_iter().for_each(|step| s.measured(out, step.usage.max_rss_kb));
}

fn average_rss(row: &Row<'_>, s: &Settings, out: &mut String) {
    single(row).into_iter().for_each(|step| s.measured(out, step.usage.max_rss_kb));
}

fn average_cpu(row: &Row<'_>, _: &Settings, out: &mut String) {
    if let Some(step) = measured(row) {
        let us = (step.usage.user_us + step.usage.system_us) / u64::from(step.num_tasks.max(1));
        number(out, Duration::from_secs(us / 1_000_000));
    }
}

fn least_cpu(row: &Row<'_>, s: &Settings, out: &mut String) {
    if single(row).is_some() {
        average_cpu(row, s, out);
    }
}

fn on_node(row: &Row<'_>, _: &Settings, out: &mut String) {
    if let Some([node]) = measured(row).map(|step| &step.nodes[..]) {
        out.push_str(node);
    }
}

fn task(row: &Row<'_>, _: &Settings, out: &mut String) {
    if single(row).is_some() {
        out.push('0');
    }
}

fn id(row: &Row<'_>, s: &Settings, out: &mut String) {
    job::write_id(out, row.job, None, s.task_chars);
    of_step(row, out, |step, out| push(out, format_args!(".{}", step.step)));
}

fn raw_id(row: &Row<'_>, _: &Settings, out: &mut String) {
    number(out, row.job.id);
    of_step(row, out, |step, out| push(out, format_args!(".{}", step.step)));
}

fn state(row: &Row<'_>, _: &Settings, out: &mut String) {
    match row.step {
        Some(step) => out.push_str(step.state.name()),
        // The accounting learns of a job's end when it has ended.
        None if row.job.state == JobState::Completing => out.push_str("RUNNING"),
        None => {
            out.push_str(row.job.state.name());
            if let (JobState::Cancelled, Some(uid)) = (row.job.state, row.job.cancelled_by) {
                push(out, format_args!(" by {uid}"));
            }
        }
    }
}

/// A job that was ended from outside has no exit code of its own. Codes above 127 are what a shell makes of signals;
/// Slurm's accounting takes them for that and shows what is above 128.
fn exit_code(row: &Row<'_>, _: &Settings, out: &mut String) {
    let exit = match row.step {
        Some(step) => step.exit,
        None if matches!(row.job.state, JobState::Cancelled | JobState::Timeout) => ExitStatus::default(),
        None => row.job.exit,
    };
    number(out, ExitStatus { code: exit.code & 0x7f, ..exit });
}

fn start(row: &Row<'_>, s: &Settings, out: &mut String) {
    match row.step {
        Some(step) => s.time(out, Some(step.start), ""),
        None if row.job.nodes.is_empty() => {
            out.push_str(if row.job.state.is_ended() { "None" } else { "Unknown" });
        }
        None => s.time(out, row.job.start, "Unknown"),
    }
}

fn end(row: &Row<'_>, s: &Settings, out: &mut String) {
    let ended = row.job.end.filter(|_| row.job.state.is_ended());
    s.time(out, row.step.map_or(ended, |step| step.end), "Unknown");
}

fn node_list(row: &Row<'_>, _: &Settings, out: &mut String) {
    match row.step {
        Some(step) => out.push_str(&bivouac_types::hostlist::compress(step.nodes.iter().map(String::as_str))),
        None if row.job.nodes.is_empty() => out.push_str("None assigned"),
        None => job::write_nodes(out, row.job),
    }
}

/// The last reason other than waiting for resources or for jobs of higher priority.
fn reason(row: &Row<'_>, _: &Settings, out: &mut String) {
    of_job(row, out, |job, out| match job.reason {
        PendingReason::Resources | PendingReason::Priority => out.push_str("None"),
        reason => number(out, reason),
    });
}

fn tres_allocated(row: &Row<'_>, s: &Settings, out: &mut String) {
    match row.step {
        Some(step) => Tres::of_step(row.job, step).write_sorted(out, s),
        None if row.job.nodes.is_empty() => {}
        None => Tres::of_job(row.job).write_sorted(out, s),
    }
}

fn limit_raw(row: &Row<'_>, _: &Settings, out: &mut String) {
    of_job(row, out, |job, out| match job.time_limit {
        TimeLimit::Minutes(minutes) => number(out, minutes),
        TimeLimit::Unlimited => out.push_str("UNLIMITED"),
    });
}

fn requested_nodes(row: &Row<'_>, _: &Settings, out: &mut String) {
    number(out, row.step.map_or(row.job.num_nodes as usize, |step| step.nodes.len()));
}

static COLUMNS: &[Column<Entries>] = &[
    f(10, "Account", |r, _, o| job::write_or(o, r.job.account.as_deref(), "")),
    unknown(15, "AdminComment"),
    f(10, "AllocCPUS", |r, _, o| number(o, cpus(r))),
    f(10, "AllocNodes", |r, _, o| number(o, nodes(r))),
    f(10, "AllocTRES", tres_allocated),
    unknown(7, "AssocID"),
    f(10, "AveCPU", average_cpu),
    unknown(10, "AveCPUFreq"),
    unknown(14, "AveDiskRead"),
    unknown(14, "AveDiskWrite"),
    unknown(10, "AvePages"),
    f(10, "AveRSS", average_rss),
    unknown(10, "AveVMSize"),
    unknown(16, "BlockID"),
    f(10, "Cluster", |_, s, o| o.push_str(&s.cluster)),
    f(14, "Comment", |r, _, o| of_job(r, o, |job, o| job::write_or(o, job.spec.comment.as_deref(), ""))),
    f(19, "Constraints", |r, _, o| {
        of_job(r, o, |job, o| job::write_or(o, job.spec.resources.constraint.as_deref(), ""));
    }),
    unknown(14, "ConsumedEnergy"),
    unknown(17, "ConsumedEnergyRaw"),
    unknown(19, "Container"),
    f(10, "CPUTime", |r, s, o| number(o, cpu_time(r, s))),
    f(10, "CPUTimeRAW", |r, s, o| number(o, cpu_time(r, s).as_secs())),
    unknown(10, "DBIndex"),
    f(15, "DerivedExitCode", |r, _, o| of_job(r, o, |job, o| number(o, job::derived_exit(job)))),
    f(10, "Elapsed", |r, s, o| number(o, elapsed(r, s))),
    f(10, "ElapsedRaw", |r, s, o| number(o, elapsed(r, s).as_secs())),
    f(19, "Eligible", |r, s, o| {
        s.time(o, r.step.map_or(job::eligible(r.job), |step| Some(step.start)), "Unknown")
    }),
    f(19, "End", end),
    f(8, "ExitCode", exit_code),
    unknown(19, "Flags"),
    f(6, "GID", |r, _, o| of_job(r, o, |job, o| number(o, job.gid))),
    f(9, "Group", |r, _, o| of_job(r, o, |job, o| o.push_str(&job.group))),
    C::new('\0', "JobID", "JobID", id).left(12),
    C::new('\0', "JobIDRaw", "JobIDRaw", raw_id).left(12),
    f(10, "JobName", |r, _, o| o.push_str(r.step.map_or(&r.job.spec.name, |step| &step.name))),
    unknown(9, "Layout"),
    unknown(12, "MaxDiskRead"),
    unknown(15, "MaxDiskReadNode"),
    unknown(15, "MaxDiskReadTask"),
    unknown(12, "MaxDiskWrite"),
    unknown(16, "MaxDiskWriteNode"),
    unknown(16, "MaxDiskWriteTask"),
    unknown(8, "MaxPages"),
    unknown(12, "MaxPagesNode"),
    unknown(14, "MaxPagesTask"),
    f(10, "MaxRSS", max_rss),
    f(10, "MaxRSSNode", on_node),
    f(10, "MaxRSSTask", task),
    unknown(10, "MaxVMSize"),
    unknown(14, "MaxVMSizeNode"),
    unknown(14, "MaxVMSizeTask"),
    unknown(12, "McsLabel"),
    f(10, "MinCPU", least_cpu),
    f(10, "MinCPUNode", |r, s, o| {
        if single(r).is_some() {
            on_node(r, s, o);
        }
    }),
    f(10, "MinCPUTask", task),
    f(10, "NCPUS", |r, _, o| number(o, cpus(r))),
    f(8, "NNodes", requested_nodes),
    f(15, "NodeList", node_list),
    f(8, "NTasks", |r, _, o| of_step(r, o, |step, o| number(o, step.num_tasks))),
    f(10, "Partition", |r, _, o| of_job(r, o, |job, o| o.push_str(&job.partition))),
    f(10, "Priority", |r, _, o| of_job(r, o, |job, o| number(o, job.priority))),
    f(10, "QOS", |r, _, o| of_job(r, o, |job, o| job::write_or(o, job.qos.as_deref(), ""))),
    unknown(6, "QOSRAW"),
    f(22, "Reason", reason),
    unknown(10, "ReqCPUFreq"),
    unknown(13, "ReqCPUFreqGov"),
    unknown(13, "ReqCPUFreqMax"),
    unknown(13, "ReqCPUFreqMin"),
    f(8, "ReqCPUS", |r, _, o| number(o, cpus(r))),
    f(10, "ReqMem", |r, s, o| of_job(r, o, |job, o| s.memory(o, job.mem_mb))),
    f(8, "ReqNodes", requested_nodes),
    f(10, "ReqTRES", |r, s, o| of_job(r, o, |job, o| Tres::requested(job).write_sorted(o, s))),
    unknown(20, "Reservation"),
    unknown(8, "ReservationId"),
    f(10, "Reserved", |r, s, o| of_job(r, o, |job, o| number(o, waited(job, s)))),
    f(10, "ResvCPU", |r, s, o| of_job(r, o, |_, o| number(o, reserved_cpus(r, s)))),
    f(10, "ResvCPURAW", |r, s, o| of_job(r, o, |_, o| number(o, reserved_cpus(r, s).as_secs()))),
    f(19, "Start", start),
    f(10, "State", state),
    f(19, "Submit", |r, s, o| s.time(o, Some(r.step.map_or(r.job.submit, |step| step.start)), "")),
    unknown(20, "SubmitLine"),
    f(10, "Suspended", |_, _, o| o.push_str("00:00:00")),
    unknown(15, "SystemComment"),
    f(10, "SystemCPU", |r, _, o| cpu_us(o, usage(r).system_us)),
    f(10, "Timelimit", |r, _, o| of_job(r, o, |job, o| job::write_limit(o, job.time_limit))),
    f(10, "TimelimitRaw", limit_raw),
    f(10, "TotalCPU", |r, _, o| {
        let used = usage(r);
        cpu_us(o, used.user_us + used.system_us);
    }),
    unknown(14, "TRESUsageInAve"),
    unknown(14, "TRESUsageInMax"),
    unknown(18, "TRESUsageInMaxNode"),
    unknown(18, "TRESUsageInMaxTask"),
    unknown(14, "TRESUsageInMin"),
    unknown(18, "TRESUsageInMinNode"),
    unknown(18, "TRESUsageInMinTask"),
    unknown(14, "TRESUsageInTot"),
    unknown(15, "TRESUsageOutAve"),
    unknown(15, "TRESUsageOutMax"),
    unknown(19, "TRESUsageOutMaxNode"),
    unknown(19, "TRESUsageOutMaxTask"),
    unknown(15, "TRESUsageOutMin"),
    unknown(19, "TRESUsageOutMinNode"),
    unknown(19, "TRESUsageOutMinTask"),
    unknown(15, "TRESUsageOutTot"),
    f(6, "UID", |r, _, o| of_job(r, o, |job, o| number(o, job.uid))),
    f(9, "User", |r, _, o| of_job(r, o, |job, o| o.push_str(&job.user))),
    f(10, "UserCPU", |r, _, o| cpu_us(o, usage(r).user_us)),
    unknown(10, "WCKey"),
    unknown(10, "WCKeyID"),
    f(20, "WorkDir", |r, _, o| of_job(r, o, |job, o| o.push_str(&job.spec.work_dir))),
];
