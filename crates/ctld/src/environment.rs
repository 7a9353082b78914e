//! The `SLURM_*` variables of a batch script, from the job as it runs. Names and forms: sbatch(1) of 22.05, "OUTPUT
//! ENVIRONMENT VARIABLES".

use bivouac_types::config::ClusterConfig;
use bivouac_types::info::{ArrayTasks, JobInfo, NodeShare, repeated};
use bivouac_types::job::Export;
use bivouac_types::{GresRequest, HostList, MemRequest};

/// Variables that tell a batch script where it runs, which the client of an allocation is not told: he runs elsewhere.
const OF_THE_NODE: [&str; 20] = [
    "SLURM_CPUS_ON_NODE",
    "SLURM_TOPOLOGY_ADDR",
    "SLURM_TOPOLOGY_ADDR_PATTERN",
    "SLURMD_NODENAME",
    "HOSTNAME",
    "SLURM_JOB_GPUS",
    "SLURM_GPUS_ON_NODE",
    "GPU_DEVICE_ORDINAL",
    "CUDA_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "ZE_AFFINITY_MASK",
    "SLURM_PRIO_PROCESS",
    "SLURM_PROCID",
    "SLURM_LOCALID",
    "SLURM_NODEID",
    "SLURM_GTIDS",
    "ENVIRONMENT",
    "SLURM_JOB_USER",
    "SLURM_JOB_UID",
    "SLURM_JOB_GID",
];

/// The variables of the command of an allocation's client: salloc(1), "OUTPUT ENVIRONMENT VARIABLES".
pub fn allocation(job: &JobInfo, config: &ClusterConfig) -> Vec<(&'static str, String)> {
    let mut env = batch(job, config);
    // What the cluster gives where no memory is asked for is told to a batch script only.
    let asked = job.spec.resources.mem.is_some();
    env.retain(|(name, _)| !OF_THE_NODE.contains(name) && (asked || !name.starts_with("SLURM_MEM_PER_")));
    env
}

/// The variables of the batch script of a running job, in a fixed order.
pub fn batch(job: &JobInfo, config: &ClusterConfig) -> Vec<(&'static str, String)> {
    let mut env: Vec<(&'static str, String)> = Vec::with_capacity(48);
    let mut set = |name, value: String| env.push((name, value));
    let nodes = HostList { names: job.nodes.iter().map(|n| n.node.clone()).collect() }.to_string();
    let first = job.batch_share();
    let head = first.map(|n| n.node.clone()).unwrap_or_default();
    let request = &job.spec.resources;

    set("SLURM_CLUSTER_NAME", config.cluster.clone());
    set("SLURM_JOB_ID", job.id.to_string());
    set("SLURM_JOBID", job.id.to_string());
    set("SLURM_JOB_NAME", job.spec.name.clone());
    set("SLURM_JOB_USER", job.user.clone());
    set("SLURM_JOB_UID", job.uid.to_string());
    set("SLURM_JOB_GID", job.gid.to_string());
    set("SLURM_JOB_PARTITION", job.partition.clone());
    if let Some(account) = &job.account {
        set("SLURM_JOB_ACCOUNT", account.clone());
    }
    if let Some(qos) = &job.qos {
        set("SLURM_JOB_QOS", qos.clone());
    }
    if let Some(dependency) = &job.spec.dependency {
        set("SLURM_JOB_DEPENDENCY", dependency.to_string());
    }
    set("SLURM_JOB_NODELIST", nodes.clone());
    set("SLURM_NODELIST", nodes);
    set("SLURM_JOB_NUM_NODES", job.nodes.len().to_string());
    set("SLURM_NNODES", job.nodes.len().to_string());
    set("SLURM_NODE_ALIASES", "(null)".into());
    set("SLURM_JOB_CPUS_PER_NODE", repeated(job.nodes.iter().map(|n| n.cpus.len() as u32)));
    set("SLURM_CPUS_ON_NODE", first.map_or(0, |n| n.cpus.len()).to_string());
    set("SLURM_TASKS_PER_NODE", tasks_per_node(job));
    set("SLURM_TOPOLOGY_ADDR", head.clone());
    set("SLURM_TOPOLOGY_ADDR_PATTERN", "node".into());
    set("SLURMD_NODENAME", head.clone());
    set("HOSTNAME", head);
    if request.ntasks.is_some() || request.ntasks_per_node.is_some() {
        set("SLURM_NTASKS", job.num_tasks.to_string());
        set("SLURM_NPROCS", job.num_tasks.to_string());
    }
    if let Some(n) = request.ntasks_per_node {
        set("SLURM_NTASKS_PER_NODE", n.to_string());
    }
    if let Some(c) = request.cpus_per_task {
        set("SLURM_CPUS_PER_TASK", c.to_string());
    }
    for (name, value) in requested(job) {
        set(name, value);
    }
    let default = config.partition(&job.partition).and_then(|p| p.def_mem_per_cpu_mb);
    match request.mem.or(default.map(MemRequest::PerCpu)) {
        Some(MemRequest::PerNode(mb)) if mb > 0 => set("SLURM_MEM_PER_NODE", mb.to_string()),
        Some(MemRequest::PerCpu(mb)) => set("SLURM_MEM_PER_CPU", mb.to_string()),
        Some(MemRequest::PerGpu(mb)) => set("SLURM_MEM_PER_GPU", mb.to_string()),
        _ => {}
    }
    if let Some(gpus) = first.map(gpu_indices).filter(|g| !g.is_empty()) {
        set("SLURM_JOB_GPUS", gpus.clone());
        set("SLURM_GPUS_ON_NODE", gpus.split(',').count().to_string());
        // Devices are numbered from 0 in the job's own view, as with ConstrainDevices.
        set("GPU_DEVICE_ORDINAL", gpus.clone());
        set("CUDA_VISIBLE_DEVICES", gpus.clone());
        set("ROCR_VISIBLE_DEVICES", gpus.clone());
        set("ZE_AFFINITY_MASK", gpus);
    }
    set("SLURM_SUBMIT_DIR", job.spec.submit_dir.clone());
    set("SLURM_SUBMIT_HOST", job.spec.submit_host.clone());
    set("SLURM_PRIO_PROCESS", "0".into());
    set("SLURM_PROCID", "0".into());
    set("SLURM_LOCALID", "0".into());
    set("SLURM_NODEID", "0".into());
    set("SLURM_GTIDS", "0".into());
    set("ENVIRONMENT", "BATCH".into());
    if job.restarts > 0 {
        set("SLURM_RESTART_COUNT", job.restarts.to_string());
    }
    if job.spec.export == Export::None {
        set("SLURM_EXPORT_ENV", "NONE".into());
    }
    if job.spec.export.loads_login_environment() {
        set("SLURM_GET_USER_ENV", "1".into());
    }
    if let (Some(array), Some(spec)) = (&job.array, &job.spec.array)
        && let ArrayTasks::One(index) = array.tasks
    {
        let indices: Vec<u32> = [spec.tasks.first(), spec.tasks.last()].into_iter().flatten().collect();
        let step =
            spec.tasks.iter().nth(1).zip(spec.tasks.first()).map_or(1, |(second, first)| second - first);
        set("SLURM_ARRAY_JOB_ID", array.job.to_string());
        set("SLURM_ARRAY_TASK_ID", index.to_string());
        set("SLURM_ARRAY_TASK_COUNT", spec.tasks.len().to_string());
        set("SLURM_ARRAY_TASK_MIN", indices.first().copied().unwrap_or(index).to_string());
        set("SLURM_ARRAY_TASK_MAX", indices.last().copied().unwrap_or(index).to_string());
        set("SLURM_ARRAY_TASK_STEP", step.to_string());
    }
    env
}

/// How many tasks each node has; where their number was left open, as many as its CPUs take.
fn tasks_per_node(job: &JobInfo) -> String {
    let ask = &job.spec.resources;
    let open = ask.ntasks.is_none() && ask.ntasks_per_node.is_none();
    let tasks = |n: &NodeShare| match open {
        true => (n.cpus.len() as u32 / ask.cpus_per_task.unwrap_or(1).max(1)).max(n.tasks),
        false => n.tasks,
    };
    repeated(job.nodes.iter().map(tasks))
}

/// The variables that repeat options.
fn requested(job: &JobInfo) -> Vec<(&'static str, String)> {
    let ask = &job.spec.resources;
    let number = |n: Option<u32>| n.map(|n| n.to_string());
    let list = |list: &[GresRequest]| {
        let one = |g: &GresRequest| g.to_string().trim_start_matches("gpu:").to_owned();
        Some(list.iter().map(one).collect::<Vec<_>>().join(",")).filter(|t| !t.is_empty())
    };
    let all = [
        ("SLURM_NTASKS_PER_CORE", number(ask.ntasks_per_core)),
        ("SLURM_NTASKS_PER_SOCKET", number(ask.ntasks_per_socket)),
        ("SLURM_NTASKS_PER_GPU", number(ask.ntasks_per_gpu)),
        ("SLURM_THREADS_PER_CORE", number(ask.threads_per_core)),
        ("SLURM_OVERCOMMIT", ask.overcommit.then(|| "1".to_owned())),
        ("SLURM_CPUS_PER_GPU", number(ask.gpus.cpus_per_gpu)),
        ("SLURM_GPUS", list(&ask.gpus.per_job)),
        ("SLURM_GPUS_PER_NODE", list(&ask.gpus.per_node)),
        ("SLURM_GPUS_PER_SOCKET", list(&ask.gpus.per_socket)),
        ("SLURM_GPUS_PER_TASK", list(&ask.gpus.per_task)),
        ("SLURM_JOB_RESERVATION", job.spec.reservation.clone()),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn gpu_indices(node: &NodeShare) -> String {
    let all = node.gres.iter().filter(|g| g.name == "gpu").flat_map(|g| &g.indices);
    all.map(u32::to_string).collect::<Vec<_>>().join(",")
}
