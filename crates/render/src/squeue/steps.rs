//! The columns of squeue -s.

use super::StepRow;
use crate::job;
use crate::settings::{Settings, push};
use crate::table::{Column, Table};
use bivouac_types::StepKind;
use bivouac_types::info::ArrayTasks;
use std::cmp::Ordering;

/// The table of steps.
pub struct Steps;

impl Table for Steps {
    type Row<'a> = StepRow<'a>;
    fn columns() -> &'static [Column<Steps>] {
        COLUMNS
    }

    fn keeps_heading(column: &Column<Steps>) -> bool {
        matches!(column.name, "nodelist")
    }
}

type C = Column<Steps>;

/// By job, then by step.
pub(super) fn by_id(a: &StepRow<'_>, b: &StepRow<'_>, _: &Settings) -> Ordering {
    // Numbers sort before the batch step, as in Slurm.
    let rank = |s: StepKind| match s {
        StepKind::Number(n) => (0, n),
        StepKind::Extern => (1, 0),
        StepKind::Batch => (2, 0),
    };
    a.job.id.cmp(&b.job.id).then_with(|| rank(a.step.step).cmp(&rank(b.step.step)))
}

fn id(row: &StepRow<'_>, s: &Settings, out: &mut String) {
    job::write_id(out, row.job, None, s.task_chars);
    push(out, format_args!(".{}", row.step.step));
}

fn nodes(row: &StepRow<'_>, _: &Settings, out: &mut String) {
    out.push_str(&bivouac_types::hostlist::compress(row.step.nodes.iter().map(String::as_str)));
}

fn null(_: &StepRow<'_>, _: &Settings, out: &mut String) {
    out.push_str("(null)");
}

static COLUMNS: &[Column<Steps>] = &[
    // The headings of these two are those of 22.05.
    C::new('b', "tres-per-node", "TRES_PER_JOB", |r, _, o| job::write_gres(o, r.job, "(null)")),
    C::new('i', "stepid", "STEPID", id).by(by_id),
    C::new('j', "stepname", "NAME", |r, _, o| o.push_str(&r.step.name))
        .by(|a, b, _| a.step.name.cmp(&b.step.name)),
    C::new('l', "timelimit", "TIME_LIMIT", |_, _, o| o.push_str("UNLIMITED")).text(),
    C::new('u', "username", "USER", |r, _, o| o.push_str(&r.job.user))
        .by(|a, b, _| a.job.user.cmp(&b.job.user)),
    C::new('A', "numtasks", "TASKS", |r, _, o| push(o, format_args!("{}", r.step.num_tasks)))
        .by(|a, b, _| a.step.num_tasks.cmp(&b.step.num_tasks)),
    C::new('M', "timeused", "TIME", |r, s, o| o.push_str(&s.since(r.step.start).squeue()))
        .by(|a, b, _| b.step.start.cmp(&a.step.start)),
    C::new('N', "nodes", "NODELIST", nodes).text(),
    C::new('P', "partition", "PARTITION", |r, _, o| o.push_str(&r.job.partition))
        .by(|a, b, _| a.job.partition.cmp(&b.job.partition)),
    C::new('S', "starttime", "START_TIME", |r, s, o| s.time(o, Some(r.step.start), ""))
        .by(|a, b, _| a.step.start.cmp(&b.step.start)),
    C::new('U', "userid", "UID", |r, _, o| push(o, format_args!("{}", r.job.uid)))
        .by(|a, b, _| a.job.uid.cmp(&b.job.uid)),
    C::new('\0', "arrayjobid", "ARRAY_JOB_ID", |r, _, o| match &r.job.array {
        Some(array) => push(o, format_args!("{}", array.job)),
        None => o.push('0'),
    }),
    C::new('\0', "arraytaskid", "ARRAY_TASK_ID", |r, _, o| match r.job.array.as_ref().map(|a| &a.tasks) {
        Some(ArrayTasks::One(task)) => push(o, format_args!("{task}")),
        _ => o.push_str("N/A"),
    }),
    C::new('\0', "cluster", "CLUSTER", |_, s, o| o.push_str(&s.cluster)),
    C::new('\0', "container", "CONTAINER", null),
    C::new('\0', "cpufreq", "CPU_FREQ", |r, _, o| {
        o.push_str(if r.step.step == StepKind::Batch { "0-0:0" } else { "Unknown-Unknown:Unknown" });
    }),
    C::new('\0', "cpus-per-tres", "CPUS_PER_TRES", null),
    C::new('\0', "jobid", "JOB_ID", |r, _, o| push(o, format_args!("{}", r.job.id))),
    C::new('\0', "mem-per-tres", "MEM_PER_TRES", null),
    C::new('\0', "network", "NETWORK", null),
    // The batch step counts none of its own.
    C::new('\0', "numcpus", "NUM_CPUS", |r, _, o| {
        let cpus = if r.step.step == StepKind::Batch { 0 } else { r.step.num_cpus };
        push(o, format_args!("{cpus}"));
    }),
    C::new('\0', "stepstate", "STATE", |r, _, o| o.push_str(r.step.state.name())),
    C::new('\0', "tres-bind", "TRES_BIND", null),
    C::new('\0', "tres-freq", "TRES_FREQ", null),
    C::new('\0', "tres-per-job", "TRES_PER_STEP", null),
    C::new('\0', "tres-per-socket", "TRES_PER_SOCKET", null),
    C::new('\0', "tres-per-step", "TRES_PER_STEP", null),
    C::new('\0', "tres-per-task", "TRES_PER_TASK", null),
];
