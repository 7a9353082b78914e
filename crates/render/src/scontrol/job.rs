//! scontrol show job.

use super::Form;
use crate::settings::{Settings, push};
use crate::sinfo::ranges;
use crate::tres::Tres;
use crate::{job, request};
use bivouac_types::info::{JobInfo, NodeShare};
use bivouac_types::job::NodeRange;
use bivouac_types::{Duration, HostList, MemRequest, TaskSet, Timestamp};
use std::collections::BTreeMap;

/// The record of a job.
pub fn show_job(job: &JobInfo, form: Form, s: &Settings) -> String {
    let (spec, ask, noted) = (&job.spec, &job.spec.resources, &job.spec.noted);
    let time = |at: Option<Timestamp>| text(|out| s.time(out, at, "Unknown"));
    let hosts = |list: &Option<HostList>| list.as_ref().map_or("(null)".to_owned(), ToString::to_string);
    let or_null = |text: &Option<String>| text.clone().unwrap_or_else(|| "(null)".to_owned());
    let time_min = spec.time_min.map_or_else(|| "N/A".to_owned(), |t| t.to_string());
    let started = job.start.filter(|_| !job.nodes.is_empty() || job.state.waits());

    let mut lines = vec![
        title(job, s),
        format!(
            "UserId={}({}) GroupId={}({}) MCS_label={}",
            job.user,
            job.uid,
            job.group,
            job.gid,
            noted.mcs_label.as_deref().unwrap_or("N/A")
        ),
        format!(
            "Priority={} Nice={} Account={} QOS={}",
            job.priority,
            spec.nice,
            or_null(&job.account),
            or_null(&job.qos)
        ),
        format!(
            "JobState={} Reason={} Dependency={}",
            job.state,
            job::reason(job).to_string().replace(' ', "_"),
            text(|out| job::write_dependency(out, job))
        ),
        format!(
            "Requeue={} Restarts={} BatchFlag={} Reboot={} ExitCode={}",
            u8::from(job.requeue),
            job.restarts,
            u8::from(spec.kind.is_batch()),
            u8::from(spec.reboot),
            job.exit
        ),
    ];
    if form.details {
        lines.push(format!("DerivedExitCode={}", job::derived_exit(job)));
    }
    lines.extend([
        format!("RunTime={} TimeLimit={} TimeMin={}", job.elapsed, job.time_limit, time_min),
        format!("SubmitTime={} EligibleTime={}", time(Some(job.submit)), time(job::eligible(job))),
        format!("AccrueTime={}", time(job::eligible(job))),
    ]);
    lines.extend(job.resized.map(|at| format!("ResizeTime={}", time(Some(at)))));
    lines.extend([
        format!(
            "StartTime={} EndTime={} Deadline={}",
            time(started.or(job::start(job))),
            time(job::end(job)),
            text(|out| s.time(out, spec.deadline, "N/A"))
        ),
        format!(
            "SuspendTime={} SecsPreSuspend={} LastSchedEval={} Scheduler=Main",
            job.suspended.map_or("None".to_owned(), |s| time(Some(s.0))),
            job.suspended.map_or(0, |s| s.1.as_secs()),
            time(job.evaluated)
        ),
        format!("Partition={} AllocNode:Sid={}:{}", job.partition, spec.submit_host, spec.submit_sid),
        format!(
            "ReqNodeList={} ExcNodeList={}",
            hosts(&spec.resources.nodelist),
            hosts(&spec.resources.exclude)
        ),
        format!("NodeList={}", text(|out| job::write_nodes(out, job))),
    ]);
    if job.nodes.is_empty() && !job.planned_nodes.is_empty() {
        let planned = bivouac_types::hostlist::compress(job.planned_nodes.iter().map(String::as_str));
        lines.push(format!("SchedNodeList={planned}"));
    }
    let batch = [
        spec.batch_features.as_ref().map(|features| format!("BatchFeatures={features}")),
        job.batch_host().map(|node| format!("BatchHost={node}")),
    ];
    let batch: Vec<String> = batch.into_iter().flatten().collect();
    lines.extend(Some(batch.join(" ")).filter(|line| !line.is_empty()));
    // Of a job that never ran, nobody counts tasks.
    let unrun = Some("N/A").filter(|_| job.state.is_ended() && job.nodes.is_empty());
    lines.extend([
        format!(
            "NumNodes={} NumCPUs={} NumTasks={} CPUs/Task={} ReqB:S:C:T=0:0:{}:{}",
            num_nodes(job),
            job.num_cpus,
            unrun.map_or_else(|| job.num_tasks.to_string(), str::to_owned),
            job.cpus_per_task,
            request::or_star(ask.cores_per_socket),
            request::or_star(ask.threads_per_core)
        ),
        format!("TRES={}", text(|out| Tres::of_job(job).write(out, s))),
        format!(
            "Socks/Node={} NtasksPerN:B:S:C={}:0:{}:{} CoreSpec=*",
            request::or_star(ask.sockets_per_node),
            ask.ntasks_per_node.unwrap_or(0),
            request::or_star(ask.ntasks_per_socket),
            request::or_star(ask.ntasks_per_core)
        ),
    ]);
    if form.details && !job.nodes.is_empty() {
        lines.extend(allocation(job));
    }
    let (what, mb) = match job::min_memory(job) {
        MemRequest::PerNode(mb) => ("MinMemoryNode", mb),
        MemRequest::PerCpu(mb) => ("MinMemoryCPU", mb),
        // Said below, as MemPerTres.
        MemRequest::PerGpu(_) => ("MinMemoryNode", 0),
    };
    lines.extend([
        format!(
            "MinCPUsNode={} {what}={} MinTmpDiskNode={}",
            job::min_cpus(job),
            text(|out| s.memory(out, mb)),
            text(|out| s.memory(out, ask.tmp_mb.unwrap_or(0)))
        ),
        format!("Features={} DelayBoot={}", or_null(&ask.constraint), spec.delay_boot.unwrap_or_default()),
    ]);
    lines.extend(noted.cluster_features.iter().map(|features| format!("ClusterFeatures={features}")));
    lines.extend(ask.prefer.iter().map(|features| format!("Prefer={features}")));
    lines.extend(spec.reservation.iter().map(|name| format!("Reservation={name}")));
    lines.extend([
        format!(
            "OverSubscribe={} Contiguous={} Licenses={} Network={}",
            request::over_subscribe(ask),
            u8::from(ask.contiguous),
            request::licenses(spec),
            or_null(&spec.network)
        ),
        format!("Command={}", or_null(&spec.command)),
        format!("WorkDir={}", spec.work_dir),
    ]);
    lines.extend(spec.admin_comment.iter().map(|comment| format!("AdminComment={comment} ")));
    lines.extend(spec.comment.iter().map(|comment| format!("Comment={comment} ")));
    if spec.kind.is_batch() {
        lines.extend([
            format!("StdErr={}", job.std_err),
            format!("StdIn={}", job.std_in),
            format!("StdOut={}", job.std_out),
        ]);
    }
    if let Some(switches) = spec.switches {
        let wait = switches.wait.unwrap_or(SWITCH_WAIT).min(SWITCH_WAIT);
        lines.push(format!("Switches={}@{wait}", switches.count));
    }
    lines.extend(noted.burst_buffer.iter().map(|text| format!("BurstBuffer={text}")));
    lines.extend(Some(noted.cpu_freq.to_string()).filter(|text| !text.is_empty()));
    lines.push(format!("Power={}", if noted.power_level { "LEVEL" } else { "" }));
    // Slurm leaves nothing between these.
    let flag = |name: &str, set: Option<bool>| {
        set.map_or_else(String::new, |set| format!("{name}={}", if set { "Yes" } else { "No" }))
    };
    let flags = flag("GresEnforceBind", noted.gres_binding)
        + &flag("KillOInInvalidDependent", spec.kill_on_invalid_dep)
        + &flag("SpreadJob", ask.spread_job.then_some(true));
    lines.extend(Some(flags).filter(|f| !f.is_empty()));
    lines.extend(request::tres_lines(spec, &job.accounting.job_defaults));
    if !spec.mail_types.is_empty() {
        let user = spec.mail_user.as_ref().unwrap_or(&job.user);
        lines.push(format!("MailUser={user} MailType={}", spec.mail_types.join(",")));
    }
    lines.extend(ask.ntasks_per_gpu.map(|n| format!("NtasksPerTRES={n}")));
    // Slurm ends every record with an empty line of its own.
    lines.push(String::new());
    form.record(&lines)
}

/// scontrol completing: a job that is being ended, in a line.
pub fn completing(job: &JobInfo, s: &Settings) -> String {
    let since = job.ending.unwrap_or(s.now);
    format!(
        "JobId={} EndTime={} CompletingTime={} Nodes(COMPLETING)={} \n",
        job.id,
        text(|out| s.time(out, Some(since), "Unknown")),
        s.now.since(since),
        text(|out| job::write_nodes(out, job))
    )
}

/// max_switch_wait of SchedulerParameters.
const SWITCH_WAIT: Duration = Duration::from_secs(300);

fn text(write: impl FnOnce(&mut String)) -> String {
    let mut out = String::new();
    write(&mut out);
    out
}

fn title(job: &JobInfo, s: &Settings) -> String {
    let mut line = format!("JobId={}", job.id);
    if let Some(array) = &job.array {
        push(&mut line, format_args!(" ArrayJobId={} ArrayTaskId=", array.job));
        job::write_tasks(&mut line, job, None, s.task_chars);
        if let Some(most) = array.max_running {
            push(&mut line, format_args!(" ArrayTaskThrottle={most}"));
        }
    }
    push(&mut line, format_args!(" JobName={}", job.spec.name));
    line
}

/// The number of nodes: while pending, the range that was asked for.
fn num_nodes(job: &JobInfo) -> String {
    match job.spec.resources.nodes.filter(|_| job.nodes.is_empty()) {
        Some(NodeRange { min, max: Some(max) }) => format!("{min}-{max}"),
        Some(NodeRange { min, max: None }) => min.to_string(),
        None => job.num_nodes.to_string(),
    }
}

/// What it has of its nodes; nodes with equal shares in one line.
fn allocation(job: &JobInfo) -> Vec<String> {
    let mut kinds: BTreeMap<(&str, Option<&str>), usize> = BTreeMap::new();
    for g in job.nodes.iter().flat_map(|n| &n.gres) {
        *kinds.entry((&g.name, g.kind.as_deref())).or_default() += g.indices.len();
    }
    let gres: Vec<String> =
        kinds.into_iter().map(|((name, kind), n)| format!("{name}:{}{n}", prefix(kind))).collect();
    let gres = if gres.is_empty() { "(null)".to_owned() } else { gres.join(",") };
    let mut groups: Vec<(&NodeShare, Vec<&str>)> = Vec::new();
    for share in &job.nodes {
        let equal = |g: &NodeShare| g.cpus == share.cpus && g.mem_mb == share.mem_mb && g.gres == share.gres;
        match groups.iter_mut().find(|(g, _)| equal(g)) {
            Some((_, names)) => names.push(&share.node),
            None => groups.push((share, vec![&share.node])),
        }
    }
    let mut lines = vec![format!("JOB_GRES={gres}")];
    lines.extend(groups.into_iter().map(|(share, names)| {
        let cpus: TaskSet = share.cpus.iter().copied().collect();
        let gres: Vec<String> = share
            .gres
            .iter()
            .map(|g| {
                let indices: TaskSet = g.indices.iter().copied().collect();
                format!(
                    "{}:{}{}(IDX:{})",
                    g.name,
                    prefix(g.kind.as_deref()),
                    g.indices.len(),
                    ranges(&indices)
                )
            })
            .collect();
        format!(
            "  Nodes={} CPU_IDs={} Mem={} GRES={}",
            bivouac_types::hostlist::compress(names),
            ranges(&cpus),
            share.mem_mb,
            gres.join(",")
        )
    }));
    lines
}

fn prefix(kind: Option<&str>) -> String {
    kind.map_or(String::new(), |k| format!("{k}:"))
}
