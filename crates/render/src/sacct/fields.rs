//! The fields of sacct, in the order of --helpformat. Fields of which nothing is known here are empty, as Slurm's
//! are where nothing was recorded.

use super::Entry;
use super::cells::*;
use crate::job;
use crate::measured::{self, Figure, Way};
use crate::settings::Settings;
use crate::table::{Column, Cut, Table};
use crate::tres::Tres;
use bivouac_types::usage::Amount;

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

/// The amount of a quantity of a step, in this form.
fn amount(
    row: &Row<'_>,
    out: &mut String,
    (figure, of): (Figure, Amount),
    write: impl FnOnce(&mut String, u64),
) {
    if let Some(amount) = row.step.and_then(|step| figure.of(step, of)) {
        write(out, amount);
    }
}

/// The node of the task with the most or the least.
fn node(row: &Row<'_>, out: &mut String, figure: Figure, of: Amount) {
    if let Some((step, extreme)) = row.step.and_then(|step| Some((step, figure.extreme(step, of)?))) {
        out.push_str(measured::node(step, extreme.node));
    }
}

/// The rank of that task.
fn task(row: &Row<'_>, out: &mut String, figure: Figure, of: Amount) {
    row.step.and_then(|step| figure.extreme(step, of)).into_iter().for_each(|e| number(out, e.task));
}

/// A list of the amounts of all quantities.
fn list(row: &Row<'_>, s: &Settings, out: &mut String, way: Way, figure: Figure) {
    of_step(row, out, |step, out| measured::amounts(out, step, way, figure, s));
}

/// A list of the nodes of those tasks.
fn list_nodes(row: &Row<'_>, out: &mut String, way: Way, figure: Figure) {
    of_step(row, out, |step, out| measured::nodes(out, step, way, figure));
}

/// A list of their ranks.
fn list_tasks(row: &Row<'_>, out: &mut String, way: Way, figure: Figure) {
    of_step(row, out, |step, out| measured::tasks(out, step, way, figure));
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
    f(10, "AveCPU", |r, _, o| amount(r, o, (Figure::Ave, Amount::Cpu), measured::cpu)),
    f(10, "AveCPUFreq", |r, _, o| of_step(r, o, |_, o| o.push('0'))),
    f(14, "AveDiskRead", |r, s, o| amount(r, o, (Figure::Ave, Amount::Read), |o, n| measured::disk(o, n, s))),
    f(14, "AveDiskWrite", |r, _, o| amount(r, o, (Figure::Ave, Amount::Written), measured::mebibytes)),
    f(10, "AvePages", |r, _, o| amount(r, o, (Figure::Ave, Amount::Pages), number)),
    f(10, "AveRSS", |r, s, o| amount(r, o, (Figure::Ave, Amount::Rss), |o, n| measured::memory(o, n, s))),
    f(10, "AveVMSize", |r, s, o| amount(r, o, (Figure::Ave, Amount::Vm), |o, n| measured::memory(o, n, s))),
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
    f(12, "MaxDiskRead", |r, s, o| amount(r, o, (Figure::Max, Amount::Read), |o, n| measured::disk(o, n, s))),
    f(15, "MaxDiskReadNode", |r, _, o| node(r, o, Figure::Max, Amount::Read)),
    f(15, "MaxDiskReadTask", |r, _, o| task(r, o, Figure::Max, Amount::Read)),
    f(12, "MaxDiskWrite", |r, s, o| {
        amount(r, o, (Figure::Max, Amount::Written), |o, n| measured::disk(o, n, s))
    }),
    f(16, "MaxDiskWriteNode", |r, _, o| node(r, o, Figure::Max, Amount::Written)),
    f(16, "MaxDiskWriteTask", |r, _, o| task(r, o, Figure::Max, Amount::Written)),
    f(8, "MaxPages", |r, _, o| amount(r, o, (Figure::Max, Amount::Pages), number)),
    f(12, "MaxPagesNode", |r, _, o| node(r, o, Figure::Max, Amount::Pages)),
    f(14, "MaxPagesTask", |r, _, o| task(r, o, Figure::Max, Amount::Pages)),
    f(10, "MaxRSS", |r, s, o| amount(r, o, (Figure::Max, Amount::Rss), |o, n| measured::memory(o, n, s))),
    f(10, "MaxRSSNode", |r, _, o| node(r, o, Figure::Max, Amount::Rss)),
    f(10, "MaxRSSTask", |r, _, o| task(r, o, Figure::Max, Amount::Rss)),
    f(10, "MaxVMSize", |r, s, o| amount(r, o, (Figure::Max, Amount::Vm), |o, n| measured::memory(o, n, s))),
    f(14, "MaxVMSizeNode", |r, _, o| node(r, o, Figure::Max, Amount::Vm)),
    f(14, "MaxVMSizeTask", |r, _, o| task(r, o, Figure::Max, Amount::Vm)),
    unknown(12, "McsLabel"),
    f(10, "MinCPU", |r, _, o| amount(r, o, (Figure::Min, Amount::Cpu), measured::cpu)),
    f(10, "MinCPUNode", |r, _, o| node(r, o, Figure::Min, Amount::Cpu)),
    f(10, "MinCPUTask", |r, _, o| task(r, o, Figure::Min, Amount::Cpu)),
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
    f(10, "SystemCPU", |r, _, o| cpu_us(o, cpu_used(r).1)),
    f(10, "Timelimit", |r, _, o| of_job(r, o, |job, o| job::write_limit(o, job.time_limit))),
    f(10, "TimelimitRaw", limit_raw),
    f(10, "TotalCPU", |r, _, o| {
        let (user, system) = cpu_used(r);
        cpu_us(o, user + system);
    }),
    f(14, "TRESUsageInAve", |r, s, o| list(r, s, o, Way::In, Figure::Ave)),
    f(14, "TRESUsageInMax", |r, s, o| list(r, s, o, Way::In, Figure::Max)),
    f(18, "TRESUsageInMaxNode", |r, _, o| list_nodes(r, o, Way::In, Figure::Max)),
    f(18, "TRESUsageInMaxTask", |r, _, o| list_tasks(r, o, Way::In, Figure::Max)),
    f(14, "TRESUsageInMin", |r, s, o| list(r, s, o, Way::In, Figure::Min)),
    f(18, "TRESUsageInMinNode", |r, _, o| list_nodes(r, o, Way::In, Figure::Min)),
    f(18, "TRESUsageInMinTask", |r, _, o| list_tasks(r, o, Way::In, Figure::Min)),
    f(14, "TRESUsageInTot", |r, s, o| list(r, s, o, Way::In, Figure::Tot)),
    f(15, "TRESUsageOutAve", |r, s, o| list(r, s, o, Way::Out, Figure::Ave)),
    f(15, "TRESUsageOutMax", |r, s, o| list(r, s, o, Way::Out, Figure::Max)),
    f(19, "TRESUsageOutMaxNode", |r, _, o| list_nodes(r, o, Way::Out, Figure::Max)),
    f(19, "TRESUsageOutMaxTask", |r, _, o| list_tasks(r, o, Way::Out, Figure::Max)),
    f(15, "TRESUsageOutMin", |r, s, o| list(r, s, o, Way::Out, Figure::Min)),
    f(19, "TRESUsageOutMinNode", |r, _, o| list_nodes(r, o, Way::Out, Figure::Min)),
    f(19, "TRESUsageOutMinTask", |r, _, o| list_tasks(r, o, Way::Out, Figure::Min)),
    f(15, "TRESUsageOutTot", |r, s, o| list(r, s, o, Way::Out, Figure::Tot)),
    n(6, "UID", |r, _, o| of_job(r, o, |job, o| number(o, job.uid))),
    f(9, "User", |r, _, o| of_job(r, o, |job, o| o.push_str(&job.user))),
    f(10, "UserCPU", |r, _, o| cpu_us(o, cpu_used(r).0)),
    f(10, "WCKey", |r, _, o| of_job(r, o, |job, o| job::write_or(o, job.spec.wckey.as_deref(), ""))),
    n(10, "WCKeyID", |r, _, o| of_job(r, o, |_, o| o.push('0'))),
    f(20, "WorkDir", |r, _, o| of_job(r, o, |job, o| o.push_str(&job.spec.work_dir))),
];
