//! The columns of squeue.

use super::JobRow;
use crate::job;
use crate::request::over_subscribe;
use crate::settings::{DEFAULT_TASK_CHARS, Settings, push};
use crate::table::{Column, Table};
use crate::tres::Tres;
use bivouac_types::info::{ArrayTasks, JobInfo};
use bivouac_types::job::Specialized;
use bivouac_types::{Duration, MemRequest};
use std::cmp::Ordering;

/// The table of jobs.
pub struct Jobs;

impl Table for Jobs {
    type Row<'a> = JobRow<'a>;
    fn columns() -> &'static [Column<Jobs>] {
        COLUMNS
    }

    fn keeps_heading(column: &Column<Jobs>) -> bool {
        matches!(column.name, "nodelist" | "reasonlist" | "schednodes")
    }
}

type C = Column<Jobs>;
type Row<'a> = JobRow<'a>;

/// An array's tasks fill a longer id only where SLURM_BITSTR_LEN says otherwise than it does by default.
const LONGEST_ID: usize = 31;

/// By id: an array's tasks in order, its pending rest after those that have started. Tasks that were taken out of one
/// record are equal.
fn by_id(a: &Row<'_>, b: &Row<'_>, _: &Settings) -> Ordering {
    let key = |r: &Row<'_>| match &r.job.array {
        None => (r.job.id, 0),
        Some(array) => match &array.tasks {
            ArrayTasks::One(task) => (array.job, *task),
            ArrayTasks::Pending(_) => (array.job, u32::MAX),
        },
    };
    key(a).cmp(&key(b))
}

/// By id, then by task: the order of lines that are otherwise equal.
pub(super) fn in_order(a: &Row<'_>, b: &Row<'_>, settings: &Settings) -> Ordering {
    by_id(a, b, settings).then_with(|| a.task.cmp(&b.task))
}

/// Whether the row stands for tasks of an array that have not started.
fn pending_tasks(job: &JobInfo) -> bool {
    matches!(job.array.as_ref().map(|a| &a.tasks), Some(ArrayTasks::Pending(_)))
}

/// The partition of the line.
fn partition<'r>(r: &'r Row<'_>) -> &'r str {
    r.partition.map_or(&r.job.partition, |p| p.0)
}

/// By priority; where lines are of partitions, by those first.
fn by_priority(a: &Row<'_>, b: &Row<'_>, _: &Settings) -> Ordering {
    let key = |r: &Row<'_>| (r.partition.map_or(0, |p| p.1), r.job.priority);
    key(a).cmp(&key(b))
}

fn null(_: &Row<'_>, _: &Settings, out: &mut String) {
    out.push_str("(null)");
}
fn not_applicable(_: &Row<'_>, _: &Settings, out: &mut String) {
    out.push_str("N/A");
}
fn no_cluster(_: &Row<'_>, _: &Settings, out: &mut String) {
    out.push_str("NA");
}
fn zero(_: &Row<'_>, _: &Settings, out: &mut String) {
    out.push('0');
}
fn number(out: &mut String, n: impl std::fmt::Display) {
    push(out, format_args!("{n}"));
}

/// A number, or a word where none was asked for.
fn number_or(out: &mut String, n: Option<u32>, missing: &str) {
    match n {
        Some(n) => number(out, n),
        None => out.push_str(missing),
    }
}

/// Entries joined by commas, or a word where there are none.
fn list(out: &mut String, entries: impl IntoIterator<Item = impl std::fmt::Display>, missing: &str) {
    let from = out.len();
    for entry in entries {
        let comma = if out.len() > from { "," } else { "" };
        push(out, format_args!("{comma}{entry}"));
    }
    if out.len() == from {
        out.push_str(missing);
    }
}

/// Sockets, cores and threads as asked for, each `*` where it was not.
fn shape(r: &Row<'_>, _: &Settings, out: &mut String) {
    let ask = &r.job.spec.resources;
    for (n, asked) in
        [ask.sockets_per_node, ask.cores_per_socket, ask.threads_per_core].into_iter().enumerate()
    {
        out.push_str(if n > 0 { ":" } else { "" });
        number_or(out, asked, "*");
    }
}

/// Why the job waits, and why further records of the array do that are shown with it.
fn reasons(r: &Row<'_>, out: &mut String) {
    number(out, job::reason(r.job));
    for (n, further) in r.further.iter().enumerate() {
        let said = r.job.reason == *further || r.further[..n].contains(further);
        if !said {
            push(out, format_args!(",{further}"));
        }
    }
}

fn nodes_or_reasons(r: &Row<'_>, _: &Settings, out: &mut String) {
    if r.further.is_empty() {
        return job::write_nodes_or_reason(out, r.job);
    }
    out.push('(');
    reasons(r, out);
    out.push(')');
}

/// Of the output and error files squeue shows the patterns as they are, where one was given.
fn file(job: &JobInfo, pattern: Option<&str>, out: &mut String) {
    let folder = job.spec.work_dir.trim_end_matches('/');
    match pattern {
        Some("none") => out.push_str("/dev/null"),
        Some(path) if path.starts_with('/') => out.push_str(path),
        Some(path) => push(out, format_args!("{folder}/{path}")),
        None => push(out, format_args!("{folder}/slurm-{}.out", job.id)),
    }
}

/// The longest time that switches are waited for: max_switch_wait of SchedulerParameters, of which only the default
/// exists.
const SWITCH_WAIT: Duration = Duration::from_secs(300);

fn switch_wait(r: &Row<'_>, _: &Settings, out: &mut String) {
    let wait = r.job.spec.switches.map_or(Duration::ZERO, |s| s.wait.unwrap_or(SWITCH_WAIT).min(SWITCH_WAIT));
    out.push_str(&wait.squeue());
}

fn specialized(r: &Row<'_>, _: &Settings, out: &mut String) {
    match r.job.spec.resources.specialized {
        None => out.push_str("N/A"),
        Some(Specialized::Cores(n)) => number(out, n),
        Some(Specialized::Threads(n)) => push(out, format_args!("{n}_Threads")),
    }
}

fn memory(r: &Row<'_>, s: &Settings, out: &mut String) {
    match job::min_memory(r.job) {
        MemRequest::PerNode(mb) | MemRequest::PerCpu(mb) => s.memory(out, mb),
        MemRequest::PerGpu(_) => s.memory(out, 0),
    }
}

fn end_time(r: &Row<'_>, s: &Settings, out: &mut String) {
    let unlimited = r.job.start.is_some() && r.job.time_limit.duration().is_none();
    s.time(out, job::end(r.job), if unlimited { "NONE" } else { "N/A" });
}

fn time_left(r: &Row<'_>, _: &Settings, out: &mut String) {
    match job::time_left(r.job) {
        Some(left) => out.push_str(&left.squeue()),
        None => out.push_str("UNLIMITED"),
    }
}

fn mem_mb(job: &JobInfo) -> u64 {
    match job::min_memory(job) {
        MemRequest::PerNode(mb) | MemRequest::PerCpu(mb) => mb,
        MemRequest::PerGpu(_) => 0,
    }
}

fn planned(r: &Row<'_>, _: &Settings, out: &mut String) {
    if r.job.planned_nodes.is_empty() {
        out.push_str("(null)");
    } else {
        out.push_str(&bivouac_types::hostlist::compress(r.job.planned_nodes.iter().map(String::as_str)));
    }
}

fn pending_secs(r: &Row<'_>, s: &Settings, out: &mut String) {
    let until = r.job.start.filter(|_| !r.job.nodes.is_empty()).unwrap_or(s.now);
    number(out, until.since(r.job.submit).as_secs());
}

static COLUMNS: &[Column<Jobs>] = &[
    C::new('a', "account", "ACCOUNT", |r, _, o| job::write_or(o, r.job.account.as_deref(), "(null)")),
    C::new('b', "tres-per-node", "TRES_PER_NODE", |r, _, o| job::write_gres(o, r.job, "N/A")).text(),
    C::new('c', "mincpus", "MIN_CPUS", |r, _, o| number(o, job::min_cpus(r.job)))
        .by(|a, b, _| job::min_cpus(a.job).cmp(&job::min_cpus(b.job))),
    C::new('d', "mintmpdisk", "MIN_TMP_DISK", |r, s, o| match r.job.spec.resources.tmp_mb {
        Some(mb) => s.memory(o, mb),
        None => o.push('0'),
    })
    .by(|a, b, _| a.job.spec.resources.tmp_mb.cmp(&b.job.spec.resources.tmp_mb)),
    C::new('e', "endtime", "END_TIME", end_time).by(|a, b, _| job::end(a.job).cmp(&job::end(b.job))),
    C::new('f', "feature", "FEATURES", |r, _, o| {
        job::write_or(o, r.job.spec.resources.constraint.as_deref(), "(null)")
    })
    .text(),
    C::new('g', "groupname", "GROUP", |r, _, o| o.push_str(&r.job.group))
        .by(|a, b, _| a.job.group.cmp(&b.job.group)),
    C::new('h', "oversubscribe", "OVER_SUBSCRIBE", |r, _, o| {
        o.push_str(over_subscribe(&r.job.spec.resources))
    })
    .text(),
    C::new('i', "jobarrayid", "JOBID", |r, s, o| {
        let from = o.len();
        job::write_id(o, r.job, r.task, s.task_chars);
        if s.task_chars == DEFAULT_TASK_CHARS && o.len() - from > LONGEST_ID {
            o.truncate(from + LONGEST_ID);
        }
    })
    .by(by_id),
    C::new('j', "name", "NAME", |r, _, o| o.push_str(&r.job.spec.name))
        .by(|a, b, _| a.job.spec.name.cmp(&b.job.spec.name)),
    C::new('k', "comment", "COMMENT", |r, _, o| job::write_or(o, r.job.spec.comment.as_deref(), "(null)")),
    C::new('l', "timelimit", "TIME_LIMIT", |r, _, o| o.push_str(&r.job.time_limit.squeue()))
        .by(|a, b, _| a.job.time_limit.cmp(&b.job.time_limit)),
    C::new('m', "minmemory", "MIN_MEMORY", memory).by(|a, b, _| mem_mb(a.job).cmp(&mem_mb(b.job))),
    C::new('n', "reqnodes", "REQ_NODES", |r, _, o| {
        r.job.spec.resources.nodelist.iter().for_each(|list| number(o, list));
    })
    // Slurm takes this order, by which all jobs are equal.
    .by(|_, _, _| Ordering::Equal),
    C::new('o', "command", "COMMAND", |r, _, o| job::write_or(o, r.job.spec.command.as_deref(), "(null)")),
    C::new('p', "priority", "PRIORITY", |r, _, o| {
        push(o, format_args!("{:.14}", f64::from(r.job.priority) / f64::from(u32::MAX)));
    })
    .by(by_priority),
    C::new('q', "qos", "QOS", |r, _, o| job::write_or(o, r.job.qos.as_deref(), "(null)")),
    C::new('r', "reason", "REASON", |r, _, o| reasons(r, o)),
    C::new('s', "selectjobinfo", "", |_, _, _| {}),
    C::new('t', "statecompact", "ST", |r, _, o| o.push_str(r.job.state.code()))
        .by(|a, b, _| a.job.state.code().cmp(b.job.state.code())),
    C::new('u', "username", "USER", |r, _, o| o.push_str(&r.job.user))
        .by(|a, b, _| a.job.user.cmp(&b.job.user)),
    C::new('v', "reservation", "RESERVATION", |r, _, o| {
        job::write_or(o, r.job.spec.reservation.as_deref(), "(null)")
    })
    .text(),
    C::new('w', "wckey", "WCKEY", |r, _, o| job::write_or(o, r.job.spec.wckey.as_deref(), "(null)")),
    C::new('x', "", "EXC_NODES", |r, _, o| {
        r.job.spec.resources.exclude.iter().for_each(|list| number(o, list));
    }),
    C::new('y', "nice", "NICE", |r, _, o| number(o, r.job.spec.nice)),
    C::new('z', "sct", "S:C:T", shape).text(),
    C::new('A', "jobid", "JOBID", |r, _, o| number(o, r.job.id)),
    C::new('B', "batchhost", "EXEC_HOST", |r, _, o| {
        job::write_or(o, r.job.batch_host(), "n/a");
    })
    .text(),
    C::new('C', "numcpus", "CPUS", |r, _, o| number(o, r.job.num_cpus))
        .by(|a, b, _| a.job.num_cpus.cmp(&b.job.num_cpus)),
    C::new('D', "numnodes", "NODES", |r, _, o| number(o, r.job.num_nodes))
        .by(|a, b, _| a.job.num_nodes.cmp(&b.job.num_nodes)),
    C::new('E', "dependency", "DEPENDENCY", |r, _, o| job::write_dependency(o, r.job)),
    C::new('F', "arrayjobid", "ARRAY_JOB_ID", |r, _, o| {
        number(o, r.job.array.as_ref().map_or(r.job.id, |a| a.job));
    }),
    C::new('G', "groupid", "GROUP", |r, _, o| number(o, r.job.gid)).by(|a, b, _| a.job.gid.cmp(&b.job.gid)),
    C::new('H', "sockets", "SOCKETS_PER_NODE", |r, _, o| {
        number_or(o, r.job.spec.resources.sockets_per_node, "*")
    })
    .text(),
    C::new('I', "cores", "CORES_PER_SOCKET", |r, _, o| {
        number_or(o, r.job.spec.resources.cores_per_socket, "*")
    })
    .text(),
    C::new('J', "threads", "THREADS_PER_CORE", |r, _, o| {
        number_or(o, r.job.spec.resources.threads_per_core, "*")
    })
    .text(),
    C::new('K', "arraytaskid", "ARRAY_TASK_ID", |r, s, o| job::write_tasks(o, r.job, r.task, s.task_chars)),
    C::new('L', "timeleft", "TIME_LEFT", time_left).by(|a, b, _| {
        let left = |r: &Row<'_>| job::time_left(r.job).map_or(u64::MAX, |d| d.0);
        left(a).cmp(&left(b))
    }),
    C::new('M', "timeused", "TIME", |r, _, o| o.push_str(&r.job.elapsed.squeue()))
        .by(|a, b, _| a.job.elapsed.cmp(&b.job.elapsed)),
    C::new('N', "nodelist", "NODELIST", |r, _, o| job::write_nodes(o, r.job)).text(),
    C::new('O', "contiguous", "CONTIGUOUS", |r, _, o| number(o, u8::from(r.job.spec.resources.contiguous)))
        .text(),
    C::new('P', "partition", "PARTITION", |r, _, o| o.push_str(partition(r)))
        .by(|a, b, _| partition(a).cmp(partition(b))),
    C::new('Q', "prioritylong", "PRIORITY", |r, _, o| number(o, r.job.priority)).by(by_priority),
    C::new('R', "reasonlist", "NODELIST(REASON)", nodes_or_reasons),
    C::new('S', "starttime", "START_TIME", |r, s, o| job::write_time(o, s, job::start(r.job))).by(
        |a, b, _| {
            // A job of which nobody knows when it starts comes last.
            let key = |r: &Row<'_>| job::start(r.job).map_or(i64::MAX, |t| t.0);
            key(a).cmp(&key(b))
        },
    ),
    C::new('T', "state", "STATE", |r, _, o| o.push_str(r.job.state.name()))
        .by(|a, b, _| a.job.state.name().cmp(b.job.state.name())),
    C::new('U', "userid", "UID", |r, _, o| number(o, r.job.uid)).by(|a, b, _| a.job.uid.cmp(&b.job.uid)),
    C::new('V', "submittime", "SUBMIT_TIME", |r, s, o| job::write_time(o, s, Some(r.job.submit)))
        .by(|a, b, _| a.job.submit.cmp(&b.job.submit)),
    C::new('W', "licenses", "LICENSES", |r, _, o| list(o, &r.job.spec.licenses, "(null)")),
    C::new('X', "corespec", "CORE_SPEC", specialized),
    C::new('Y', "schednodes", "SCHEDNODES", planned),
    C::new('Z', "workdir", "WORK_DIR", |r, _, o| o.push_str(&r.job.spec.work_dir)),
    // Without a letter.
    C::new('\0', "accruetime", "ACCRUE_TIME", |r, s, o| {
        // Tasks that wait for their time have not begun to.
        let waits = pending_tasks(r.job);
        job::write_time(o, s, job::eligible(r.job).filter(|at| !waits || *at <= s.now));
    }),
    C::new('\0', "admin_comment", "ADMIN_COMMENT", null),
    C::new('\0', "allocnodes", "ALLOC_NODES", |r, _, o| o.push_str(&r.job.spec.submit_host)),
    C::new('\0', "allocsid", "ALLOC_SID", |r, _, o| number(o, r.job.spec.submit_sid)),
    C::new('\0', "associd", "ASSOC_ID", |r, _, o| number(o, r.job.accounting.association.unwrap_or(0))),
    C::new('\0', "batchflag", "BATCH_FLAG", |r, _, o| number(o, u8::from(r.job.spec.kind.is_batch()))),
    C::new('\0', "boardspernode", "BOARDS_PER_NODE", zero),
    C::new('\0', "burstbuffer", "BURST_BUFFER", |r, _, o| {
        job::write_or(o, r.job.spec.noted.burst_buffer.as_deref(), "(null)")
    }),
    C::new('\0', "burstbufferstate", "BURST_BUFFER_STATE", null),
    C::new('\0', "cluster", "CLUSTER", |_, s, o| o.push_str(&s.cluster)),
    C::new('\0', "clusterfeature", "CLUSTER_FEATURES", |r, _, o| {
        job::write_or(o, r.job.spec.noted.cluster_features.as_deref(), "(null)")
    }),
    C::new('\0', "container", "CONTAINER", null),
    C::new('\0', "cpus-per-task", "CPUS_PER_TASK", |r, _, o| number(o, r.job.cpus_per_task)),
    C::new('\0', "cpus-per-tres", "CPUS_PER_TRES", |r, _, o| {
        list(o, r.job.spec.resources.gpus.cpus_per_gpu.map(|n| format!("gres:gpu:{n}")), "N/A");
    }),
    C::new('\0', "deadline", "DEADLINE", |r, s, o| job::write_time(o, s, r.job.spec.deadline)),
    C::new('\0', "delayboot", "DELAY_BOOT", |r, _, o| {
        o.push_str(&r.job.spec.delay_boot.unwrap_or(Duration::ZERO).squeue());
    }),
    C::new('\0', "derivedec", "DERIVED_EC", |r, _, o| number(o, job::wait_status(job::derived_exit(r.job)))),
    C::new('\0', "eligibletime", "ELIGIBLE_TIME", |r, s, o| job::write_time(o, s, job::eligible(r.job))),
    C::new('\0', "exit_code", "EXIT_CODE", |r, _, o| number(o, job::wait_status(r.job.exit))),
    C::new('\0', "hetjobid", "HET_JOB_ID", not_applicable),
    C::new('\0', "hetjobidset", "HET_JOB_ID_SET", not_applicable),
    C::new('\0', "hetjoboffset", "HET_JOB_OFFSET", not_applicable),
    C::new('\0', "lastschedeval", "LAST_SCHED_EVAL", |r, s, o| job::write_time(o, s, r.job.evaluated)),
    C::new('\0', "maxcpus", "MAX_CPUS", |r, _, o| number(o, r.job.num_cpus)),
    C::new('\0', "maxnodes", "MAX_NODES", |r, _, o| {
        number(o, r.job.spec.resources.nodes.and_then(|n| n.max).unwrap_or(r.job.num_nodes));
    }),
    C::new('\0', "mcslabel", "MCSLABEL", |r, _, o| {
        job::write_or(o, r.job.spec.noted.mcs_label.as_deref(), "(null)")
    }),
    C::new('\0', "mem-per-tres", "MEM_PER_TRES", |r, _, o| {
        let mem = match r.job.spec.resources.mem {
            Some(MemRequest::PerGpu(mb)) => Some(format!("gres:gpu:{mb}")),
            _ => None,
        };
        list(o, mem, "N/A");
    }),
    C::new('\0', "mintime", "TIME_MIN", |r, _, o| match r.job.spec.time_min {
        Some(limit) => o.push_str(&limit.squeue()),
        None => o.push_str("0:00"),
    }),
    C::new('\0', "network", "NETWORK", |r, _, o| job::write_or(o, r.job.spec.network.as_deref(), "(null)")),
    C::new('\0', "ntperboard", "NTASKS_PER_BOARD", zero),
    C::new('\0', "ntpercore", "NTASKS_PER_CORE", |r, _, o| {
        number_or(o, r.job.spec.resources.ntasks_per_core, "N/A");
    }),
    C::new('\0', "ntpernode", "NTASKS_PER_NODE", |r, _, o| {
        number(o, r.job.spec.resources.ntasks_per_node.unwrap_or(0));
    }),
    C::new('\0', "ntpersocket", "NTASKS_PER_SOCKET", |r, _, o| {
        number_or(o, r.job.spec.resources.ntasks_per_socket, "N/A");
    }),
    C::new('\0', "numtasks", "TASKS", |r, _, o| number(o, r.job.num_tasks)),
    C::new('\0', "origin", "ORIGIN", no_cluster),
    C::new('\0', "originraw", "ORIGIN_RAW", no_cluster),
    C::new('\0', "pendingtime", "PENDING_TIME", pending_secs),
    C::new('\0', "preempttime", "PREEMPT_TIME", not_applicable),
    C::new('\0', "prefer", "PREFER", |r, _, o| {
        job::write_or(o, r.job.spec.resources.prefer.as_deref(), "(null)");
    }),
    C::new('\0', "profile", "PROFILE", |_, _, o| o.push_str("NotSet")),
    C::new('\0', "reboot", "REBOOT", |r, _, o| number(o, u8::from(r.job.spec.reboot))),
    C::new('\0', "reqswitch", "REQ_SWITCH", |r, _, o| number(o, r.job.spec.switches.map_or(0, |s| s.count))),
    C::new('\0', "requeue", "REQUEUE", |r, _, o| number(o, u8::from(r.job.requeue))),
    C::new('\0', "resizetime", "RESIZE_TIME", not_applicable),
    C::new('\0', "restartcnt", "RESTART_COUNT", |r, _, o| number(o, r.job.restarts)),
    C::new('\0', "siblingsactive", "ACTIVE_SIBLINGS", no_cluster),
    C::new('\0', "siblingsactiveraw", "ACTIVE_SIBLINGS_RAW", no_cluster),
    C::new('\0', "siblingsviable", "VIABLE_SIBLINGS", no_cluster),
    C::new('\0', "siblingsviableraw", "VIALBLE_SIBLINGS_RAW", no_cluster),
    C::new('\0', "sperboard", "SOCKETS_PER_BOARD", zero),
    C::new('\0', "stderr", "STDERR", |r, _, o| {
        file(r.job, r.job.spec.std_err.as_deref().or(r.job.spec.std_out.as_deref()), o);
    }),
    C::new('\0', "stdin", "STDIN", |r, _, o| match r.job.spec.std_in.as_deref() {
        Some(pattern) => file(r.job, Some(pattern), o),
        None => o.push_str(if r.job.spec.kind.is_batch() { "/dev/null" } else { "(null)" }),
    }),
    C::new('\0', "stdout", "STDOUT", |r, _, o| file(r.job, r.job.spec.std_out.as_deref(), o)),
    C::new('\0', "system_comment", "SYSTEM_COMMENT", null),
    C::new('\0', "tres-alloc", "TRES_ALLOC", |r, s, o| Tres::of_job(r.job).write(o, s)),
    // Older names of two fields.
    C::new('\0', "tres", "TRES_ALLOC", |r, s, o| Tres::of_job(r.job).write(o, s)),
    C::new('\0', "gres", "TRES_PER_NODE", |r, _, o| job::write_gres(o, r.job, "N/A")),
    C::new('\0', "tres-bind", "TRES_BIND", |r, _, o| {
        job::write_or(o, r.job.spec.noted.gpu_bind.as_deref(), "N/A")
    }),
    C::new('\0', "tres-freq", "TRES_FREQ", |r, _, o| {
        job::write_or(o, r.job.spec.noted.gpu_freq.as_deref(), "N/A")
    }),
    C::new('\0', "tres-per-job", "TRES_PER_JOB", |r, _, o| {
        job::write_requests(o, &r.job.spec.resources.gpus.per_job, "N/A");
    }),
    C::new('\0', "tres-per-socket", "TRES_PER_SOCKET", |r, _, o| {
        job::write_requests(o, &r.job.spec.resources.gpus.per_socket, "N/A");
    }),
    C::new('\0', "tres-per-task", "TRES_PER_TASK", |r, _, o| {
        job::write_requests(o, &r.job.spec.resources.gpus.per_task, "N/A");
    }),
    C::new('\0', "wait4switch", "WAIT4SWITCH", switch_wait),
];
