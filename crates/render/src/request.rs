//! What a job asked for beyond counts, as scontrol, squeue and sacct print it.

use bivouac_types::job::{OnlyFor, ResourceRequest};
use bivouac_types::{GresRequest, JobSpec, MemRequest};

/// `*` for what was not asked for.
pub fn or_star(value: Option<u32>) -> String {
    value.map_or_else(|| "*".to_owned(), |n| n.to_string())
}

/// squeue's OVER_SUBSCRIBE: `NO` for whole nodes, `YES` for -s, `USER` and `MCS`, else `OK`.
pub fn over_subscribe(ask: &ResourceRequest) -> &'static str {
    match (ask.exclusive, ask.only_for, ask.oversubscribe) {
        (true, ..) => "NO",
        (false, Some(OnlyFor::User), _) => "USER",
        (false, Some(OnlyFor::Mcs), _) => "MCS",
        (false, None, true) => "YES",
        (false, None, false) => "OK",
    }
}

/// `gres:gpu:a100:2,gres:gpu:1`.
pub fn tres(list: &[GresRequest]) -> String {
    list.iter().map(|g| format!("gres:{g}")).collect::<Vec<_>>().join(",")
}

/// TresPerNode: --gres and --gpus-per-node.
pub fn tres_per_node(ask: &ResourceRequest) -> String {
    let all: Vec<GresRequest> = ask.gres.iter().chain(&ask.gpus.per_node).cloned().collect();
    tres(&all)
}

/// `matlab:2,ansys`, or `(null)`.
pub fn licenses(spec: &JobSpec) -> String {
    match spec.licenses.as_slice() {
        [] => "(null)".to_owned(),
        list => list.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
    }
}

/// scontrol's lines of the GPU family that were asked for, `TresPerJob=gres:gpu:2` and so on; what the partition's
/// `defaults` say is shown without `gres:`, as by Slurm.
pub fn tres_lines(spec: &JobSpec, defaults: &[(String, u64)]) -> Vec<String> {
    let ask = &spec.resources;
    let default = |name: &str| {
        let found = defaults.iter().find(|(key, _)| key == name);
        found.map_or_else(String::new, |(_, value)| format!("gpu:{value}"))
    };
    let gpus = &ask.gpus;
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            lines.push(format!("{name}={value}"));
        }
    };
    line(
        "CpusPerTres",
        match (gpus.cpus_per_gpu, ask.cpus_per_task) {
            (Some(n), _) => format!("gres:gpu:{n}"),
            (None, None) => default("DefCpuPerGPU"),
            (None, Some(_)) => String::new(),
        },
    );
    let mem = match ask.mem {
        Some(MemRequest::PerGpu(mb)) => format!("gres:gpu:{mb}"),
        _ => default("DefMemPerGPU"),
    };
    line("MemPerTres", mem);
    line("TresBind", spec.noted.gpu_bind.clone().unwrap_or_default());
    line("TresFreq", spec.noted.gpu_freq.clone().unwrap_or_default());
    line("TresPerJob", tres(&gpus.per_job));
    line("TresPerNode", tres_per_node(ask));
    line("TresPerSocket", tres(&gpus.per_socket));
    line("TresPerTask", tres(&gpus.per_task));
    lines
}
