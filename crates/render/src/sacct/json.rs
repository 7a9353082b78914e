//! sacct --json: jobs in the shape of the accounting's REST interface v0.0.38.

use super::cells::{distribution, exit_status, is_unknown_end, state_word, step_nodes};
use super::filter::{Filter, over, shown_start, started};
use super::rows::shown;
use crate::job;
use crate::json::{Interface, Value, object};
use crate::measured::{self, Figure};
use crate::settings::Settings;
use crate::tres::Tres;
use bivouac_types::info::{ArrayTasks, JobInfo, Scheduler, StepInfo};
use bivouac_types::usage::Amount;
use bivouac_types::{ExitStatus, JobState, MemRequest, StepKind, TaskSet, TimeLimit, Timestamp};

/// Every run of the jobs that a filter lets pass, with their steps unless `allocations` (-X).
pub fn document(jobs: &[JobInfo], filter: &Filter, allocations: bool, settings: &Settings) -> Value {
    let filter = Filter { duplicates: true, ..filter.clone() };
    let rows = shown(jobs, &filter);
    let list: Vec<Value> = rows
        .iter()
        .map(|row| {
            let steps = if allocations { Vec::new() } else { row.steps(&filter) };
            job_value(row.job, &steps, settings)
        })
        .collect();
    let errors = if list.is_empty() { vec![nothing_found()] } else { Vec::new() };
    crate::json::document(Interface::Accounting, errors, "jobs", list)
}

fn nothing_found() -> Value {
    object([
        ("description", "Nothing found".into()),
        ("error_number", Value::Int(9003)),
        ("error", "Nothing found with query".into()),
        ("source", "slurmdb_jobs_get".into()),
    ])
}

/// Seconds since the epoch; 0: not known.
fn time(at: Option<Timestamp>) -> Value {
    Value::Int(at.map_or(0, Timestamp::as_secs))
}

/// Of a job that is over and never started nothing.
fn start(job: &JobInfo) -> Value {
    match shown_start(job) {
        None if over(job).is_some() => Value::Null,
        start => time(start),
    }
}

fn cpu_time(us: u64) -> Value {
    object([("seconds", (us / 1_000_000).into()), ("microseconds", (us % 1_000_000).into())])
}

fn job_value(job: &JobInfo, steps: &[&StepInfo], s: &Settings) -> Value {
    let spec = &job.spec;
    let sum = |part: fn(&StepInfo) -> u64| steps.iter().map(|step| part(step)).sum::<u64>();
    let (system, user) = (sum(|s| s.usage.system_us), sum(|s| s.usage.user_us));
    let limit = match job.time_limit {
        TimeLimit::Minutes(minutes) => minutes.into(),
        TimeLimit::Unlimited => Value::Null,
    };
    let times = object([
        ("elapsed", job.elapsed.as_secs().into()),
        ("eligible", time(job::eligible(job))),
        ("end", time(over(job))),
        ("start", start(job)),
        ("submission", time(Some(job.submit))),
        ("suspended", job.accounting.suspended.as_secs().into()),
        ("system", cpu_time(system)),
        ("limit", limit),
        ("total", cpu_time(system + user)),
        ("user", cpu_time(user)),
    ]);
    let association = object([
        ("account", job.account.as_ref().into()),
        ("cluster", s.cluster.as_str().into()),
        ("partition", Value::Null),
        ("user", job.user.as_str().into()),
    ]);
    let comments = object([
        ("administrator", spec.admin_comment.as_ref().into()),
        ("job", spec.comment.as_ref().into()),
        ("system", Value::Null),
    ]);
    let asked = Tres::asked(job);
    let allocated = if job.nodes.is_empty() { Vec::new() } else { tres(&Tres::of_job(job)) };
    object([
        ("account", job.account.as_ref().into()),
        ("comment", comments),
        ("allocation_nodes", job.nodes.len().into()),
        ("array", array(job)),
        ("association", association),
        ("cluster", s.cluster.as_str().into()),
        ("constraints", spec.resources.constraint.as_deref().unwrap_or("").into()),
        ("container", Value::Null),
        ("derived_exit_code", exit(job::derived_exit(job))),
        ("time", times),
        ("exit_code", exit(exit_status(job, None))),
        ("flags", flags(job)),
        ("group", job.group.as_str().into()),
        ("het", object([("job_id", Value::Int(0)), ("job_offset", Value::Null)])),
        ("job_id", job.id.0.into()),
        ("name", spec.name.as_str().into()),
        ("mcs", object([("label", "".into())])),
        ("nodes", nodes(job).into()),
        ("partition", job.partition.as_str().into()),
        ("priority", job.priority.into()),
        ("qos", job.qos.as_ref().into()),
        ("required", object([("CPUs", asked.cpus.into()), ("memory", asked_memory(job).into())])),
        ("kill_request_user", killer(job)),
        ("reservation", object([("id", Value::Int(0)), ("name", spec.reservation.as_ref().into())])),
        (
            "state",
            object([
                ("current", state_word(job).into()),
                ("reason", job.accounting.waited.to_string().into()),
            ]),
        ),
        ("steps", steps.iter().map(|step| step_value(job, step, s)).collect()),
        ("tres", object([("allocated", Value::List(allocated)), ("requested", Value::List(tres(&asked)))])),
        ("user", job.user.as_str().into()),
        (
            "wckey",
            object([("wckey", spec.wckey.as_deref().unwrap_or("").into()), ("flags", Value::List(vec![]))]),
        ),
        ("working_directory", spec.work_dir.as_str().into()),
    ])
}

fn nodes(job: &JobInfo) -> String {
    let mut text = String::new();
    job::write_nodes(&mut text, job);
    if text.is_empty() { "None assigned".to_owned() } else { text }
}

/// MiB of a node, of a CPU or of a GPU, as it was asked for.
fn asked_memory(job: &JobInfo) -> u64 {
    match job::min_memory(job) {
        MemRequest::PerNode(mb) | MemRequest::PerCpu(mb) | MemRequest::PerGpu(mb) => mb,
    }
}

fn killer(job: &JobInfo) -> Value {
    match job.cancelled_by {
        Some(by) if job.state == JobState::Cancelled => match by.0 {
            uid if uid == job.uid.0 => job.user.as_str().into(),
            0 => "root".into(),
            uid => uid.to_string().into(),
        },
        _ => Value::Null,
    }
}

fn flags(job: &JobInfo) -> Value {
    let by = match (job.accounting.scheduler, started(job)) {
        (Some(Scheduler::Backfill), _) => "STARTED_ON_BACKFILL",
        (Some(Scheduler::Main), _) | (None, Some(_)) => "STARTED_ON_SCHEDULE",
        (None, None) => return Value::List(Vec::new()),
    };
    vec!["CLEAR_SCHEDULING", by].into()
}

fn array(job: &JobInfo) -> Value {
    let (id, most, pending, task) = match &job.array {
        None => (0, 0, Value::Null, Value::Null),
        Some(array) => match &array.tasks {
            ArrayTasks::One(task) => (array.job.0, 0, Value::Null, (*task).into()),
            ArrayTasks::Pending(set) => {
                (array.job.0, array.max_running.unwrap_or(0), bits(set).into(), Value::Null)
            }
        },
    };
    let running = object([("tasks", most.into())]);
    object([
        ("job_id", id.into()),
        ("limits", object([("max", object([("running", running)]))])),
        ("task", pending),
        ("task_id", task),
    ])
}

/// A set of tasks as the hexadecimal number that has their bits.
fn bits(set: &TaskSet) -> String {
    let highest = set.last().unwrap_or(0) / 4;
    let digit = |n: u32| {
        let bit = |b: u32| u32::from(set.contains(n * 4 + b)) << b;
        char::from_digit((0..4).map(bit).sum(), 16).unwrap_or('0').to_ascii_uppercase()
    };
    let mut text = String::from("0x");
    text.extend((0..=highest).rev().map(digit));
    text
}

/// glibc's words for the signals from 1 on.
const SIGNALS: [&str; 31] = [
    "Hangup",
    "Interrupt",
    "Quit",
    "Illegal instruction",
    "Trace/breakpoint trap",
    "Aborted",
    "Bus error",
    "Floating point exception",
    "Killed",
    "User defined signal 1",
    "Segmentation fault",
    "User defined signal 2",
    "Broken pipe",
    "Alarm clock",
    "Terminated",
    "Stack fault",
    "Child exited",
    "Continued",
    "Stopped (signal)",
    "Stopped",
    "Stopped (tty input)",
    "Stopped (tty output)",
    "Urgent I/O condition",
    "CPU time limit exceeded",
    "File size limit exceeded",
    "Virtual timer expired",
    "Profiling timer expired",
    "Window changed",
    "I/O possible",
    "Power failure",
    "Bad system call",
];

fn exit(status: ExitStatus) -> Value {
    if status.signal == 0 {
        let word = if status.code == 0 { "SUCCESS" } else { "ERROR" };
        return object([("status", word.into()), ("return_code", u32::from(status.code).into())]);
    }
    let name = SIGNALS.get(usize::from(status.signal) - 1).copied();
    let name = name.map_or_else(|| format!("Unknown signal {}", status.signal), str::to_owned);
    let signal = object([("signal_id", u32::from(status.signal).into()), ("name", name.into())]);
    object([("status", "SIGNALED".into()), ("return_code", Value::Null), ("signal", signal)])
}

fn step_exit(job: &JobInfo, step: &StepInfo) -> Value {
    if is_unknown_end(step) {
        return object([("status", "PENDING".into()), ("return_code", Value::Null)]);
    }
    exit(exit_status(job, Some(step)))
}

/// The numbers that Slurm's database gives to what it counts; generic resources begin at 1001.
fn tres(amounts: &Tres<'_>) -> Vec<Value> {
    let entry = |kind: &str, name: Option<&str>, id: i64, count: u64| {
        (count > 0).then(|| {
            object([
                ("type", kind.into()),
                ("name", name.into()),
                ("id", Value::Int(id)),
                ("count", count.into()),
            ])
        })
    };
    let fixed = [
        entry("cpu", None, 1, amounts.cpus.into()),
        entry("mem", None, 2, amounts.mem_mb),
        entry("node", None, 4, amounts.nodes.into()),
        entry("billing", None, 5, amounts.billing.unwrap_or(0).into()),
    ];
    let gres =
        amounts.gres.iter().zip(1001..).map(|((name, count), id)| entry("gres", Some(name), id, *count));
    fixed.into_iter().chain(gres).flatten().collect()
}

fn step_value(job: &JobInfo, step: &StepInfo, s: &Settings) -> Value {
    let usage = &step.usage;
    let times = object([
        ("elapsed", step.end.unwrap_or(s.now).since(step.start).as_secs().into()),
        ("end", time(step.end)),
        ("start", time(Some(step.start))),
        ("suspended", Value::Int(0)),
        ("system", cpu_time(usage.system_us)),
        ("total", cpu_time(usage.system_us + usage.user_us)),
        ("user", cpu_time(usage.user_us)),
    ]);
    let (frequency, governors): (Value, &[&str]) = match step.step {
        StepKind::Number(_) => {
            (Value::Null, &["Conservative", "Performance", "PowerSave", "OnDemand", "UserSpace"])
        }
        StepKind::Batch | StepKind::Extern => (Value::Int(0), &[]),
    };
    let id = match step.step {
        StepKind::Number(number) => number.into(),
        other => other.to_string().into(),
    };
    object([
        (
            "nodes",
            object([
                ("list", step.nodes.iter().collect()),
                ("count", step.nodes.len().into()),
                ("range", step_nodes(step).into()),
            ]),
        ),
        ("tres", step_tres(job, step)),
        ("time", times),
        ("exit_code", step_exit(job, step)),
        ("tasks", object([("count", step.num_tasks.into())])),
        ("pid", Value::Null),
        (
            "CPU",
            object([
                ("requested_frequency", object([("min", frequency.clone()), ("max", frequency)])),
                ("governor", governors.iter().copied().collect()),
            ]),
        ),
        ("kill_request_user", Value::Null),
        ("state", step.state.name().into()),
        (
            "statistics",
            object([
                ("CPU", object([("actual_frequency", Value::Int(0))])),
                ("energy", object([("consumed", Value::Int(0))])),
            ]),
        ),
        (
            "step",
            object([
                ("job_id", job.id.0.into()),
                ("het", object([("component", Value::Null)])),
                ("id", id),
                ("name", step.name.as_str().into()),
            ]),
        ),
        ("task", object([("distribution", distribution(step).into())])),
    ])
}

/// A quantity that is measured: type, name, the number of the resource, and what is measured; none of energy.
type Kind = (&'static str, Option<&'static str>, i64, Option<Amount>);

const REQUESTED: [Kind; 6] = [
    ("cpu", None, 1, Some(Amount::Cpu)),
    ("mem", None, 2, Some(Amount::Rss)),
    ("energy", None, 3, None),
    ("fs", Some("disk"), 6, Some(Amount::Read)),
    ("vmem", None, 7, Some(Amount::Vm)),
    ("pages", None, 8, Some(Amount::Pages)),
];
const CONSUMED: [Kind; 2] = [("energy", None, 3, None), ("fs", Some("disk"), 6, Some(Amount::Written))];

/// What was measured: CPU time in milliseconds, the rest in bytes; of a step that was not measured nothing.
fn step_tres(job: &JobInfo, step: &StepInfo) -> Value {
    let all = |kinds: &[Kind]| {
        let of = |figure: Figure| {
            Value::List(kinds.iter().filter_map(|k| measured_value(step, k, figure)).collect())
        };
        object([
            ("max", of(Figure::Max)),
            ("min", of(Figure::Min)),
            ("average", of(Figure::Ave)),
            ("total", of(Figure::Tot)),
        ])
    };
    let allocated = Value::List(tres(&Tres::of_step(job, step)));
    object([("requested", all(&REQUESTED)), ("consumed", all(&CONSUMED)), ("allocated", allocated)])
}

/// A figure of a quantity; of the most and the least it is told whose.
fn measured_value(step: &StepInfo, kind: &Kind, figure: Figure) -> Option<Value> {
    let (name, sub, id, of) = *kind;
    figure.of(step, Amount::Cpu)?;
    let count = match of {
        Some(Amount::Cpu) => figure.of(step, Amount::Cpu)? / 1000,
        Some(of) => figure.of(step, of)?,
        None => 0,
    };
    let mut entry = vec![
        ("type", name.into()),
        ("name", sub.map_or(Value::Null, Value::from)),
        ("id", Value::Int(id)),
        ("count", count.into()),
    ];
    if matches!(figure, Figure::Max | Figure::Min) {
        let of = of.and_then(|of| figure.extreme(step, of));
        let (task, node) = of.map_or((0, u32::MAX), |e| (e.task, e.node));
        entry.extend([("task", task.into()), ("node", measured::node(step, node).into())]);
    }
    Some(Value::Object(entry.into_iter().map(|(name, value)| (name.into(), value)).collect()))
}
