//! squeue --json and --yaml: every job that the controller knows, whatever else was asked for.

use crate::job;
use crate::json::{self, Interface, Value, object};
use crate::request::over_subscribe;
use crate::settings::Settings;
use crate::tres::Tres;
use bivouac_types::config::NodeConfig;
use bivouac_types::info::{ArrayTasks, GresShare, JobInfo, NodeShare};
use bivouac_types::job::Specialized;
use bivouac_types::{JobState, MemRequest, TaskSet, TimeLimit, Timestamp};
use std::collections::BTreeMap;

/// The nodes' shapes by name: they tell on which sockets a job's cores are.
pub type Shapes<'a> = BTreeMap<&'a str, &'a NodeConfig>;

/// The whole answer.
pub fn document(jobs: &[JobInfo], shapes: &Shapes<'_>, settings: &Settings) -> Value {
    let jobs = jobs.iter().map(|job| one(job, shapes, settings)).collect();
    json::document(Interface::Controller, Vec::new(), "jobs", jobs)
}

/// The text that a column's writer makes.
fn text(write: impl FnOnce(&mut String)) -> Value {
    let mut out = String::new();
    write(&mut out);
    Value::Text(out)
}

fn optional(text: Option<&str>) -> Value {
    text.unwrap_or("").into()
}

fn seconds(at: Option<Timestamp>) -> Value {
    at.map_or(0, Timestamp::as_secs).into()
}

fn minutes(limit: Option<TimeLimit>, unlimited: Value) -> Value {
    match limit {
        Some(TimeLimit::Minutes(minutes)) => minutes.into(),
        Some(TimeLimit::Unlimited) => unlimited,
        None => 0u32.into(),
    }
}

fn one(job: &JobInfo, shapes: &Shapes<'_>, settings: &Settings) -> Value {
    let mut fields = begin(job, settings);
    fields.extend(middle(job, shapes));
    fields.extend(end(job, settings));
    Value::Object(fields.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

type Fields = Vec<(&'static str, Value)>;

/// From `account` to `group_name`.
fn begin(job: &JobInfo, settings: &Settings) -> Fields {
    let (spec, ask) = (&job.spec, &job.spec.resources);
    let array = job.array.as_ref();
    let task = array.and_then(|a| match a.tasks {
        ArrayTasks::One(task) => Some(task),
        ArrayTasks::Pending(_) => None,
    });
    let batch_host = job.batch_host();
    let specialized = |of: fn(Specialized) -> Option<u32>| Value::from(ask.specialized.and_then(of));
    let gres_detail = job.nodes.iter().filter(|n| !n.gres.is_empty()).map(|n| gres(&n.gres));
    vec![
        ("account", optional(job.account.as_deref())),
        ("accrue_time", seconds(job::eligible(job))),
        ("admin_comment", "".into()),
        ("array_job_id", array.map_or(0, |a| a.job.0).into()),
        ("array_task_id", task.into()),
        ("array_max_tasks", array.and_then(|a| a.max_running).unwrap_or(0).into()),
        ("array_task_string", waiting_tasks(job)),
        ("association_id", 0u32.into()),
        ("batch_features", optional(spec.batch_features.as_deref())),
        ("batch_flag", job.spec.kind.is_batch().into()),
        ("batch_host", optional(batch_host)),
        ("flags", flags(job)),
        ("burst_buffer", optional(spec.noted.burst_buffer.as_deref())),
        ("burst_buffer_state", "".into()),
        ("cluster", settings.cluster.as_str().into()),
        ("cluster_features", optional(spec.noted.cluster_features.as_deref())),
        ("command", optional(spec.command.as_deref())),
        ("comment", optional(spec.comment.as_deref())),
        ("container", "".into()),
        ("contiguous", ask.contiguous.into()),
        ("core_spec", specialized(|s| if let Specialized::Cores(n) = s { Some(n) } else { None })),
        ("thread_spec", specialized(|s| if let Specialized::Threads(n) = s { Some(n) } else { None })),
        ("cores_per_socket", ask.cores_per_socket.into()),
        ("billable_tres", batch_host.map(|_| f64::from(job.num_cpus)).into()),
        ("cpus_per_task", Value::Null),
        ("cpu_frequency_minimum", Value::Null),
        ("cpu_frequency_maximum", Value::Null),
        ("cpu_frequency_governor", Value::Null),
        ("cpus_per_tres", ask.gpus.cpus_per_gpu.map_or(String::new(), |n| format!("gres:gpu:{n}")).into()),
        ("deadline", seconds(spec.deadline)),
        ("delay_boot", spec.delay_boot.map_or(0, |d| d.as_secs()).into()),
        (
            "dependency",
            if job.unmet.is_empty() { "".into() } else { text(|o| job::write_dependency(o, job)) },
        ),
        ("derived_exit_code", job::wait_status(job::derived_exit(job)).into()),
        ("eligible_time", seconds(job::eligible(job))),
        ("end_time", seconds(job::end(job))),
        ("excluded_nodes", ask.exclude.as_ref().map_or(String::new(), ToString::to_string).into()),
        ("exit_code", job::wait_status(job.exit).into()),
        ("features", optional(ask.constraint.as_deref())),
        ("federation_origin", "".into()),
        ("federation_siblings_active", "".into()),
        ("federation_siblings_viable", "".into()),
        ("gres_detail", gres_detail.collect()),
        ("group_id", job.gid.0.into()),
        ("group_name", (&job.group).into()),
        ("job_id", job.id.0.into()),
    ]
}

/// From `job_resources` to `resv_name`.
fn middle(job: &JobInfo, shapes: &Shapes<'_>) -> Fields {
    let (spec, ask) = (&job.spec, &job.spec.resources);
    let pending = job.state == JobState::Pending;
    let max_nodes = ask.nodes.and_then(|n| n.max).filter(|_| pending).unwrap_or(0);
    let (per_node, per_cpu, per_tres) = memory(job);
    let mut fields: Fields = Vec::new();
    if !job.nodes.is_empty() {
        fields.push(("job_resources", resources(job, shapes)));
    }
    fields.extend([
        ("job_state", job.state.name().into()),
        ("last_sched_evaluation", seconds(job.evaluated)),
        ("licenses", spec.licenses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",").into()),
        ("max_cpus", 0u32.into()),
        ("max_nodes", max_nodes.into()),
        ("mcs_label", optional(spec.noted.mcs_label.as_deref())),
        ("memory_per_tres", per_tres),
        ("name", (&spec.name).into()),
        ("nodes", text(|o| job::write_nodes(o, job))),
        ("nice", Some(i64::from(spec.nice)).filter(|n| *n != 0).into()),
        ("tasks_per_core", ask.ntasks_per_core.into()),
        ("tasks_per_node", ask.ntasks_per_node.unwrap_or(0).into()),
        ("tasks_per_socket", ask.ntasks_per_socket.into()),
        ("tasks_per_board", 0u32.into()),
        ("cpus", job.num_cpus.into()),
        ("node_count", job.num_nodes.into()),
        ("tasks", job.num_tasks.into()),
        ("het_job_id", 0u32.into()),
        ("het_job_id_set", "".into()),
        ("het_job_offset", 0u32.into()),
        ("partition", (&job.partition).into()),
        ("prefer", optional(ask.prefer.as_deref())),
        ("memory_per_node", per_node),
        ("memory_per_cpu", per_cpu),
        ("minimum_cpus_per_node", job::min_cpus(job).into()),
        ("minimum_tmp_disk_per_node", ask.tmp_mb.unwrap_or(0).into()),
        ("preempt_time", 0u32.into()),
        ("pre_sus_time", 0u32.into()),
        ("priority", job.priority.into()),
        ("profile", Value::Null),
        ("qos", optional(job.qos.as_deref())),
        ("reboot", spec.reboot.into()),
        ("required_nodes", ask.nodelist.as_ref().map_or(String::new(), ToString::to_string).into()),
        ("requeue", job.requeue.into()),
        ("resize_time", 0u32.into()),
        ("restart_cnt", job.restarts.into()),
        ("resv_name", optional(spec.reservation.as_deref())),
    ]);
    fields
}

/// From `shared` to `current_working_directory`.
fn end(job: &JobInfo, settings: &Settings) -> Fields {
    let (spec, ask) = (&job.spec, &job.spec.resources);
    let shared = match over_subscribe(ask) {
        "NO" => "none".into(),
        "YES" => "shared".into(),
        "USER" => "user".into(),
        "MCS" => "mcs".into(),
        _ => Value::Null,
    };
    let file = |pattern: Option<&str>, missing: &str| match pattern {
        Some("none") => "/dev/null".to_owned(),
        Some(path) if !path.starts_with('/') => format!("{}/{path}", spec.work_dir.trim_end_matches('/')),
        other => other.unwrap_or(missing).to_owned(),
    };
    let requests = |list: &[bivouac_types::GresRequest]| text(|o| job::write_requests(o, list, ""));
    let allocated = if job.nodes.is_empty() { "".into() } else { tres(&Tres::of_job(job), settings) };
    vec![
        ("shared", shared),
        ("show_flags", ["SHOW_ALL", "SHOW_DETAIL", "SHOW_LOCAL"].into_iter().collect()),
        ("sockets_per_board", 0u32.into()),
        ("sockets_per_node", ask.sockets_per_node.into()),
        ("start_time", seconds(job::start(job))),
        ("state_description", "".into()),
        ("state_reason", job::reason_word(job).to_string().into()),
        ("standard_error", file(spec.std_err.as_deref(), "").into()),
        (
            "standard_input",
            file(spec.std_in.as_deref(), if spec.kind.is_batch() { "/dev/null" } else { "" }).into(),
        ),
        ("standard_output", file(spec.std_out.as_deref(), "").into()),
        ("submit_time", seconds(Some(job.submit))),
        ("suspend_time", 0u32.into()),
        ("system_comment", "".into()),
        ("time_limit", minutes(Some(job.time_limit), Value::Null)),
        ("time_minimum", minutes(spec.time_min, 0u32.into())),
        ("threads_per_core", ask.threads_per_core.into()),
        ("tres_bind", optional(spec.noted.gpu_bind.as_deref())),
        ("tres_freq", optional(spec.noted.gpu_freq.as_deref())),
        ("tres_per_job", requests(&ask.gpus.per_job)),
        ("tres_per_node", text(|o| job::write_gres(o, job, ""))),
        ("tres_per_socket", requests(&ask.gpus.per_socket)),
        ("tres_per_task", requests(&ask.gpus.per_task)),
        ("tres_req_str", tres(&Tres::requested(job), settings)),
        ("tres_alloc_str", allocated),
        ("user_id", job.uid.0.into()),
        ("user_name", (&job.user).into()),
        ("wckey", optional(spec.wckey.as_deref())),
        ("current_working_directory", (&spec.work_dir).into()),
    ]
}

fn tres(amounts: &Tres<'_>, settings: &Settings) -> Value {
    text(|o| amounts.write(o, settings))
}

fn waiting_tasks(job: &JobInfo) -> Value {
    match job.array.as_ref().map(|a| &a.tasks) {
        Some(ArrayTasks::Pending(_)) => text(|o| job::write_tasks(o, job, None, 0)),
        _ => "".into(),
    }
}

fn flags(job: &JobInfo) -> Value {
    let ask = &job.spec.resources;
    let flags = [
        ("JOB_CPUS_SET", ask.cpus_per_task.is_some()),
        ("JOB_WAS_RUNNING", job.state == JobState::Running),
        ("JOB_MEM_SET", ask.mem.is_some()),
    ];
    flags.into_iter().filter(|f| f.1).map(|f| f.0).collect()
}

/// Memory per node, per CPU and per GPU, as far as it was asked for or is the partition's default.
fn memory(job: &JobInfo) -> (Value, Value, Value) {
    let none = || (Value::Null, Value::Null, Value::from(""));
    match job::min_memory(job) {
        _ if job.spec.resources.mem == Some(MemRequest::PerNode(0)) => none(),
        MemRequest::PerNode(mb) => (mb.into(), Value::Null, "".into()),
        MemRequest::PerCpu(mb) => (Value::Null, mb.into(), "".into()),
        MemRequest::PerGpu(mb) => (Value::Null, Value::Null, format!("gres:gpu:{mb}").into()),
    }
}

/// `gpu:a100:2(IDX:0-1)`, joined by commas.
fn gres(shares: &[GresShare]) -> String {
    let one = |g: &GresShare| {
        let kind = g.kind.as_ref().map_or(String::new(), |k| format!("{k}:"));
        let indices: TaskSet = g.indices.iter().copied().collect();
        format!("{}:{kind}{}(IDX:{indices})", g.name, g.indices.len())
    };
    shares.iter().map(one).collect::<Vec<_>>().join(",")
}

fn resources(job: &JobInfo, shapes: &Shapes<'_>) -> Value {
    let cores: usize = job.nodes.iter().map(|n| cores(n, shapes).values().map(Vec::len).sum::<usize>()).sum();
    object([
        ("nodes", text(|o| job::write_nodes(o, job))),
        ("allocated_cores", cores.into()),
        ("allocated_hosts", job.nodes.len().into()),
        ("allocated_nodes", job.nodes.iter().map(|n| on_node(n, shapes)).collect()),
    ])
}

/// The job's cores on a node, by socket.
fn cores(share: &NodeShare, shapes: &Shapes<'_>) -> BTreeMap<u32, Vec<u32>> {
    let shape = shapes.get(share.node.as_str());
    let threads = shape.map_or(1, |s| s.threads_per_core.max(1));
    let per_socket = shape.map_or(u32::MAX, |s| s.cores_per_socket.max(1));
    let mut sockets = BTreeMap::<u32, Vec<u32>>::new();
    for core in share.cpus.iter().map(|cpu| cpu / threads) {
        let cores = sockets.entry(core / per_socket).or_default();
        if cores.last() != Some(&(core % per_socket)) {
            cores.push(core % per_socket);
        }
    }
    sockets
}

fn on_node(share: &NodeShare, shapes: &Shapes<'_>) -> Value {
    let named = |n: &u32, value: Value| (n.to_string().into(), value);
    let cores = |list: Vec<u32>| Value::Object(list.iter().map(|n| named(n, "allocated".into())).collect());
    let sockets =
        self::cores(share, shapes).into_iter().map(|(n, list)| named(&n, object([("cores", cores(list))])));
    object([
        ("sockets", Value::Object(sockets.collect())),
        ("nodename", (&share.node).into()),
        ("cpus_used", 0u32.into()),
        ("memory_used", 0u32.into()),
        ("memory_allocated", share.mem_mb.into()),
    ])
}
