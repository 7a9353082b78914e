//! Which of the step's GPUs a task finds in its environment.

use super::plan::Task;
use crate::srun::tell;
use bivouac_options::gpu_bind::GpuBind;
use bivouac_proto::message::StepLayout;

/// The variables that name a task's GPUs.
const NAMES: [&str; 5] = [
    "CUDA_VISIBLE_DEVICES",
    "GPU_DEVICE_ORDINAL",
    "ROCR_VISIBLE_DEVICES",
    "ZE_AFFINITY_MASK",
    "SLURM_STEP_GPUS",
];

/// Leaves a task its share of the step's GPUs, as --gpu-bind says, or what the job's options imply. A task that is alone
/// on its node has all of them there.
pub fn bind(asked: Option<&GpuBind>, task: &Task, layout: &StepLayout, env: &mut Vec<Vec<u8>>) {
    if let Some(tasks) = value(env, "SLURM_NTASKS_PER_GPU").map(str::to_owned) {
        set(env, "SLURM_NTASKS_PER_TRES", Some(tasks));
    }
    let Some(bind) = asked.cloned().or_else(|| implied(env)) else { return };
    if layout.nodes[task.node].tasks < 2 {
        return;
    }
    let text = value(env, "SLURM_STEP_GPUS").unwrap_or_default();
    let gpus: Vec<u32> = text.split(',').filter_map(|gpu| gpu.parse().ok()).collect();
    let share = bind.share(task.local, &gpus);
    share.lines.iter().for_each(|line| tell(format_args!("{line}")));
    let list: Vec<String> = share.gpus.iter().map(u32::to_string).collect();
    for name in NAMES {
        if value(env, name).is_some() {
            set(env, name, Some(list.join(",")).filter(|list| !list.is_empty()));
        }
    }
    set(env, "SLURMD_TRES_BIND", Some(format!("gpu:{}", bind.text)));
}

/// What --gpus-per-task and --ntasks-per-gpu of the job imply.
fn implied(env: &[Vec<u8>]) -> Option<GpuBind> {
    let count = |name| value(env, name)?.rsplit(':').next()?.parse().ok();
    let per_task = count("SLURM_GPUS_PER_TASK").map(GpuBind::per_task);
    per_task.or_else(|| count("SLURM_NTASKS_PER_GPU").map(GpuBind::single))
}

fn value<'a>(env: &'a [Vec<u8>], name: &str) -> Option<&'a str> {
    let of = |entry: &'a Vec<u8>| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=");
    std::str::from_utf8(env.iter().find_map(of)?).ok()
}

fn set(env: &mut Vec<Vec<u8>>, name: &str, value: Option<String>) {
    env.retain(|entry| entry.strip_prefix(name.as_bytes()).is_none_or(|rest| rest.first() != Some(&b'=')));
    env.extend(value.map(|value| format!("{name}={value}").into_bytes()));
}
