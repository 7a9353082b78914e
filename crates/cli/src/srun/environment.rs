//! What tasks find in their environment of srun's options.

use super::choice;
use crate::cluster;
use bivouac_options::Program;
use bivouac_options::cpu_bind::CpuBind;
use bivouac_options::srun::Request;
use bivouac_proto::message::StepLayout;
use bivouac_proto::message::{Ask, Response};
use bivouac_types::{StepId, StepKind};
use std::process::ExitCode;

/// Says where the cluster's configuration has no plugin that binds, and what is wrong with --cpu-bind.
///
/// # Errors
/// The exit code; the error is printed.
pub fn check_binding(request: &Request) -> Result<(), ExitCode> {
    let asked = request.cpu_bind_text.is_some() || request.threads_per_core.is_some();
    if asked && !binds() {
        super::tell(format_args!("srun: cluster configuration lacks support for cpu binding"));
    }
    binding(request).map(drop)
}

/// Reads --cpu-bind.
///
/// # Errors
/// The exit code; the error is printed.
pub fn binding(request: &Request) -> Result<CpuBind, ExitCode> {
    let text = request.cpu_bind_text.as_deref();
    if text.is_none() && request.threads_per_core.is_none() {
        return Ok(CpuBind::default());
    }
    let Some(text) = text else { return Ok(CpuBind::implied("threads")) };
    CpuBind::parse(text).map_err(|e| {
        eprint!("{}", e.message(Program::Srun));
        eprintln!("srun: fatal: Failed to parse --cpu-bind= values.");
        ExitCode::FAILURE
    })
}

/// Whether the cluster is one that binds tasks to CPUs: a slurm.conf says so, sites do.
fn binds() -> bool {
    let Ok(Response::Config(config)) = cluster::ask(Ask::Config) else { return true };
    let plugin = config.parameters.given.get("TaskPlugin").map(String::as_str);
    config.parameters.conf_dir.is_none()
        || plugin.is_some_and(|p| p.contains("affinity") || p.contains("cgroup"))
}

/// Variables that follow from srun's options.
pub fn asked_for(request: &Request, bind: &CpuBind, layout: &StepLayout) -> Vec<(&'static str, String)> {
    let mut set = vec![("SLURM_UMASK", format!("{:04o}", umask()))];
    set.extend(bind.variables());
    set.extend(request.threads_per_core.map(|n| ("SLURM_THREADS_PER_CORE", n.to_string())));
    let tasks = layout.nodes.iter().map(|n| n.tasks).sum();
    let kept = request.ntasks_per_node.filter(|&per_node| {
        let nodes = layout.nodes.len() as u32;
        !choice::contradicts(per_node, tasks, nodes) && tasks == per_node.saturating_mul(nodes)
    });
    set.extend(kept.map(|n| ("SLURM_NTASKS_PER_NODE", n.to_string())));
    set
}

/// What --prolog and --epilog find of the step.
pub fn of_programs(step: StepId) -> Vec<(&'static str, String)> {
    let number = match step.step {
        StepKind::Number(n) => n.to_string(),
        other => other.to_string(),
    };
    vec![("SLURM_STEP_ID", number.clone()), ("SLURM_STEPID", number)]
}

/// srun's umask. It can only be read by setting it.
pub fn umask() -> u32 {
    // SAFETY: umask cannot fail, and srun has one thread.
    unsafe {
        let mask = libc::umask(0);
        libc::umask(mask);
        mask
    }
}
