//! --gpus and its like.

use crate::getopt::Given;
use crate::value::{self, ValueError};
use bivouac_types::GresRequest;
use bivouac_types::MemRequest;
use bivouac_types::job::{GpuRequest, ResourceRequest};

/// What Slurm says last of all that is wrong with generic resources.
pub(super) const INVALID: &str = "Invalid generic resource (gres) specification";

/// Reads the values.
///
/// # Errors
/// [`ValueError`] for what is no list of types and counts.
pub(super) fn read(given: &Given) -> Result<GpuRequest, ValueError> {
    let list = |long| match given.value(long) {
        None | Some("") => Ok(Vec::new()),
        Some(text) => parse(text).ok_or_else(|| ValueError::plain(INVALID)),
    };
    let per_job = list("gpus")?;
    if per_job.len() > 1 {
        return Err(ValueError::plain(
            "--gpus with several types is not available here: use --gpus-per-node or --gres",
        ));
    }
    Ok(GpuRequest {
        per_job,
        per_node: list("gpus-per-node")?,
        per_socket: list("gpus-per-socket")?,
        per_task: list("gpus-per-task")?,
        cpus_per_gpu: value::count(given, "cpus-per-gpu")?,
    })
}

/// `2`, `a100:2`, `a100`, `a100:1,h100:2`; entries without a GPU are dropped.
fn parse(text: &str) -> Option<Vec<GresRequest>> {
    let entries: Vec<String> =
        text.split(',').map(|e| format!("gpu:{}", e.strip_prefix("gpu:").unwrap_or(e))).collect();
    let mut list = GresRequest::parse_list(&entries.join(","))?;
    list.retain(|g| g.count > 0);
    Some(list)
}

/// Checks how the options go together, and counts the tasks that follow from them.
///
/// # Errors
/// In Slurm's words.
pub(super) fn settle(ask: &mut ResourceRequest) -> Result<(), ValueError> {
    let fail = |what: &str| Err(ValueError::plain(format!("{what}\n{INVALID}")));
    let sum = |list: &[GresRequest]| list.iter().fold(0u32, |n, g| n.saturating_add(g.count));
    let gpus = &ask.gpus;
    let (per_job, per_node, per_task) = (sum(&gpus.per_job), sum(&gpus.per_node), sum(&gpus.per_task));
    let in_gres = ask.gres.iter().filter(|g| g.name == "gpu").fold(0u32, |n, g| n.saturating_add(g.count));
    if gpus.cpus_per_gpu.is_some() && ask.cpus_per_task.is_some() {
        return fail("--cpus-per-gpu is mutually exclusive with --cpus-per-task");
    }
    if per_task > 0 && per_job == 0 && ask.ntasks.is_none() {
        return fail(
            "Failed to validate job spec. --gpus-per-task used without either --gpus or -n/--ntasks is not allowed.",
        );
    }
    let per_socket = sum(&gpus.per_socket);
    if per_socket > 0 {
        let Some(sockets) = ask.sockets_per_node else {
            return fail("--gpus-per-socket option requires --sockets-per-node specification");
        };
        if per_job > 0 {
            return Err(ValueError::plain(
                "--gpus together with --gpus-per-socket is not available here: use one of them",
            ));
        }
        let on_node = per_node.saturating_add(in_gres);
        if on_node > 0 && per_socket.saturating_mul(sockets) != on_node {
            return fail(
                "Failed to validate job spec. Based on --gres=gpu/--gpus-per-node and --gpus-per-socket required \
                 number of sockets differ from --sockets-per-node.",
            );
        }
    }
    let min_nodes = ask.nodes.map_or(1, |n| n.min);
    if per_job > 0 && per_job < min_nodes {
        return fail("Failed to validate job spec, --gpus < -N");
    }
    if per_task > 0 && per_job > 0 {
        if !per_job.is_multiple_of(per_task) || ask.ntasks.is_some_and(|n| n * per_task != per_job) {
            return fail("Failed to validate job spec. --gpus, --ntasks and --gpus-per-task do not match.");
        }
        ask.ntasks = Some(per_job / per_task);
    }
    if let Some(each) = ask.ntasks_per_gpu {
        let tasks = match (ask.ntasks, per_job, per_node.saturating_add(in_gres)) {
            (Some(tasks), ..) => tasks,
            (None, 0, 0) => {
                return fail(
                    "gres_job_state_validate: --ntasks-per-tres needs either a GRES GPU specification or a node/ntask \
                     specification",
                );
            }
            (None, 0, n) => n.saturating_mul(min_nodes).saturating_mul(each),
            (None, n, _) => n.saturating_mul(each),
        };
        ask.ntasks = Some(tasks);
    }
    if let Some(MemRequest::PerGpu(mb)) = ask.mem
        && per_job + per_node + per_task + per_socket == 0
        && ask.ntasks_per_gpu.is_none()
        && in_gres == 0
    {
        return fail(&format!("Requested mem_per_tres=gres:gpu:{mb} but did not request any GPU."));
    }
    Ok(())
}
