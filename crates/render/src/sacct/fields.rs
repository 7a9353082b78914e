//! The fields of sacct, in the order of --helpformat. Fields of which nothing is known here are empty, as Slurm's
//! are where nothing was recorded.

use super::Entry;
use super::cells::*;
use crate::job;
use crate::settings::{Settings, push};
use crate::table::{Column, Cut, Table};
use crate::tres::Tres;
use bivouac_types::info::StepInfo;

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

/// A number or a length of time: it is never cut.
const fn n(width: usize, name: &'static str, cell: crate::table::Cell<Entries>) -> Column<Entries> {
    f(width, name, cell).cut(Cut::Never)
}

/// A point in time: it is cut without a mark.
const fn t(width: usize, name: &'static str, cell: crate::table::Cell<Entries>) -> Column<Entries> {
    f(width, name, cell).cut(Cut::Plain)
}

/// A field of which nothing is known.
const fn unknown(width: usize, name: &'static str) -> Column<Entries> {
    f(width, name, |_, _, _| {})
}

fn max_rss(row: &Row<'_>, s: &Settings, out: &mut String) {
    measured(row).into_iter().for_each(|step| s.measured(out, step.usage.max_rss_kb));
}

fn average_rss(row: &Row<'_>, s: &Settings, out: &mut String) {
    single(row).into_iter().for_each(|step| s.measured(out, step.usage.max_rss_kb));
}

fn average_cpu(row: &Row<'_>, _: &Settings, out: &mut String) {
    measured(row).into_iter().for_each(|step| number(out, cpu_of_task(step)));
}

fn least_cpu(row: &Row<'_>, _: &Settings, out: &mut String) {
    single(row).into_iter().for_each(|step| number(out, cpu_of_task(step)));
}

fn rss_node(row: &Row<'_>, _: &Settings, out: &mut String) {
    out.push_str(measured(row).and_then(on_node).unwrap_or(""));
}

fn cpu_node(row: &Row<'_>, _: &Settings, out: &mut String) {
    out.push_str(single(row).and_then(on_node).unwrap_or(""));
}

fn task(row: &Row<'_>, _: &Settings, out: &mut String) {
    out.push_str(if single(row).is_some() { "0" } else { "" });
}

/// A list of what was measured of the step: its CPU time and its memory, where `cpu` and `mem` tell something.
fn list(
    step: Option<&StepInfo>,
    out: &mut String,
    cpu: impl Fn(&StepInfo, &mut String),
    mem: impl Fn(&StepInfo, &mut String),
) {
    let Some(step) = step else { return };
    out.push_str("cpu=");
    cpu(step, out);
    out.push_str(",mem=");
    mem(step, out);
}

/// Of one task's step the average, the least and the most are the same.
fn usage_in(row: &Row<'_>, s: &Settings, out: &mut String) {
    let mem = |step: &StepInfo, out: &mut String| s.measured(out, step.usage.max_rss_kb);
    list(single(row), out, |step, out| number(out, cpu_of_task(step)), mem);
}

/// Of a step of several tasks the most memory of one of them is known.
fn usage_in_max(row: &Row<'_>, s: &Settings, out: &mut String) {
    usage_in(row, s, out);
    if let Some(step) = measured(row).filter(|_| out.is_empty()) {
        out.push_str("mem=");
        s.measured(out, step.usage.max_rss_kb);
    }
}

/// Of a step of several tasks the CPU time of all is known.
fn usage_in_all(row: &Row<'_>, s: &Settings, out: &mut String, cpu: impl Fn(&StepInfo) -> u64) {
    usage_in(row, s, out);
    if let Some(step) = measured(row).filter(|_| out.is_empty()) {
        push(out, format_args!("cpu={}", bivouac_types::Duration::from_secs(cpu(step))));
    }
}

fn usage_node(row: &Row<'_>, _: &Settings, out: &mut String) {
    let node = |step: &StepInfo, out: &mut String| out.push_str(on_node(step).unwrap_or(""));
    list(single(row).filter(|step| on_node(step).is_some()), out, node, node);
}

fn usage_task(row: &Row<'_>, _: &Settings, out: &mut String) {
    list(single(row), out, |_, out| out.push('0'), |_, out| out.push('0'));
}

static COLUMNS: &[Column<Entries>] = &[
    f(10, "Account", |r, _, o| job::write_or(o, r.job.account.as_deref(), "")),
    f(15, "AdminComment", |r, _, o| {
        of_job(r, o, |job, o| job::write_or(o, job.spec.admin_comment.as_deref(), ""));
    }),
    n(10, "AllocCPUS", |r, _, o| number(o, cpus(r))),
    n(10, "AllocNodes", |r, _, o| number(o, nodes(r))),
    f(10, "AllocTRES", tres_allocated),
    f(7, "AssocID", |r, _, o| {
        r.job.accounting.association.iter().for_each(|n| number(o, n));
    }),
    f(10, "AveCPU", average_cpu),
    f(10, "AveCPUFreq", |r, _, o| of_step(r, o, |_, o| o.push('0'))),
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
    f(14, "ConsumedEnergy", energy),
    f(17, "ConsumedEnergyRaw", energy),
    unknown(19, "Container"),
    n(10, "CPUTime", |r, s, o| number(o, cpu_time(r, s))),
    n(10, "CPUTimeRAW", |r, s, o| number(o, cpu_time(r, s).as_secs())),
    C::new('\0', "DBIndex", "DBIndex", |r, _, o| number(o, run_number(r.job))).left(10).cut(Cut::Never),
    f(15, "DerivedExitCode", |r, _, o| of_job(r, o, |job, o| number(o, job::derived_exit(job)))),
    n(10, "Elapsed", |r, s, o| number(o, elapsed(r, s))),
    n(10, "ElapsedRaw", |r, s, o| number(o, elapsed(r, s).as_secs())),
    t(19, "Eligible", eligible),
    t(19, "End", end),
    f(8, "ExitCode", exit_code),
    f(19, "Flags", flags),
    n(6, "GID", |r, _, o| of_job(r, o, |job, o| number(o, job.gid))),
    f(9, "Group", |r, _, o| of_job(r, o, |job, o| o.push_str(&job.group))),
    C::new('\0', "JobID", "JobID", id).left(12),
    C::new('\0', "JobIDRaw", "JobIDRaw", raw_id).left(12),
    f(10, "JobName", |r, _, o| o.push_str(r.step.map_or(&r.job.spec.name, |step| &step.name))),
    f(9, "Layout", |r, _, o| of_step(r, o, |step, o| o.push_str(distribution(step)))),
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
    f(10, "MaxRSSNode", rss_node),
    f(10, "MaxRSSTask", task),
    unknown(10, "MaxVMSize"),
    unknown(14, "MaxVMSizeNode"),
    unknown(14, "MaxVMSizeTask"),
    unknown(12, "McsLabel"),
    f(10, "MinCPU", least_cpu),
    f(10, "MinCPUNode", cpu_node),
    f(10, "MinCPUTask", task),
    n(10, "NCPUS", |r, _, o| number(o, cpus(r))),
    n(8, "NNodes", |r, _, o| number(o, if nodes(r) > 0 { nodes(r) } else { asked_nodes(r) })),
    f(15, "NodeList", node_list),
    n(8, "NTasks", |r, _, o| of_step(r, o, |step, o| number(o, step.num_tasks))),
    f(10, "Partition", |r, _, o| of_job(r, o, |job, o| o.push_str(&job.partition))),
    n(10, "Priority", |r, _, o| of_job(r, o, |job, o| number(o, job.priority))),
    f(10, "QOS", |r, _, o| of_job(r, o, |job, o| job::write_or(o, job.qos.as_deref(), ""))),
    n(6, "QOSRAW", qos_number),
    f(22, "Reason", |r, _, o| of_job(r, o, |job, o| number(o, job.accounting.waited))),
    f(10, "ReqCPUFreq", frequency),
    f(13, "ReqCPUFreqGov", frequency),
    f(13, "ReqCPUFreqMax", frequency),
    f(13, "ReqCPUFreqMin", frequency),
    n(8, "ReqCPUS", |r, _, o| number(o, asked_cpus(r))),
    f(10, "ReqMem", |r, s, o| of_job(r, o, |job, o| s.memory(o, Tres::asked(job).mem_mb))),
    n(8, "ReqNodes", |r, _, o| number(o, asked_nodes(r))),
    f(10, "ReqTRES", |r, s, o| of_job(r, o, |job, o| Tres::asked(job).write_sorted(o, s))),
    f(20, "Reservation", |r, _, o| {
        of_job(r, o, |job, o| job::write_or(o, job.spec.reservation.as_deref(), ""));
    }),
    unknown(8, "ReservationId"),
    n(10, "Reserved", |r, s, o| of_job(r, o, |_, o| number(o, waited(r, s)))),
    n(10, "ResvCPU", |r, s, o| of_job(r, o, |_, o| number(o, waited_cpus(r, s)))),
    n(10, "ResvCPURAW", |r, s, o| of_job(r, o, |_, o| number(o, waited_cpus(r, s).as_secs()))),
    t(19, "Start", start),
    f(10, "State", state),
    t(19, "Submit", submit),
    f(20, "SubmitLine", |r, _, o| o.push_str(r.step.map_or(&r.job.spec.submit_line, |s| &s.submit_line))),
    n(10, "Suspended", |r, _, o| number(o, r.job.accounting.suspended)),
    unknown(15, "SystemComment"),
    f(10, "SystemCPU", |r, _, o| cpu_us(o, usage(r).system_us)),
    f(10, "Timelimit", |r, _, o| of_job(r, o, |job, o| job::write_limit(o, job.time_limit))),
    f(10, "TimelimitRaw", limit_raw),
    f(10, "TotalCPU", |r, _, o| {
        let used = usage(r);
        cpu_us(o, used.user_us + used.system_us);
    }),
    f(14, "TRESUsageInAve", |r, s, o| usage_in_all(r, s, o, |step| cpu_of_task(step).as_secs())),
    f(14, "TRESUsageInMax", usage_in_max),
    f(18, "TRESUsageInMaxNode", usage_node),
    f(18, "TRESUsageInMaxTask", usage_task),
    f(14, "TRESUsageInMin", usage_in),
    f(18, "TRESUsageInMinNode", usage_node),
    f(18, "TRESUsageInMinTask", usage_task),
    f(14, "TRESUsageInTot", |r, s, o| {
        usage_in_all(r, s, o, |step| (step.usage.user_us + step.usage.system_us) / 1_000_000);
    }),
    unknown(15, "TRESUsageOutAve"),
    unknown(15, "TRESUsageOutMax"),
    unknown(19, "TRESUsageOutMaxNode"),
    unknown(19, "TRESUsageOutMaxTask"),
    unknown(15, "TRESUsageOutMin"),
    unknown(19, "TRESUsageOutMinNode"),
    unknown(19, "TRESUsageOutMinTask"),
    unknown(15, "TRESUsageOutTot"),
    n(6, "UID", |r, _, o| of_job(r, o, |job, o| number(o, job.uid))),
    f(9, "User", |r, _, o| of_job(r, o, |job, o| o.push_str(&job.user))),
    f(10, "UserCPU", |r, _, o| cpu_us(o, usage(r).user_us)),
    f(10, "WCKey", |r, _, o| of_job(r, o, |job, o| job::write_or(o, job.spec.wckey.as_deref(), ""))),
    n(10, "WCKeyID", |r, _, o| of_job(r, o, |_, o| o.push('0'))),
    f(20, "WorkDir", |r, _, o| of_job(r, o, |job, o| o.push_str(&job.spec.work_dir))),
];
