//! `srun --gres`: whether the job has what the step asks for, and what the tasks find of it.

use super::fail;
use crate::report;
use bivouac_proto::message::{Ask, JobQuery};
use bivouac_types::info::JobInfo;
use bivouac_types::{GresRequest, JobId};
use std::process::ExitCode;

/// The variables that name GPUs by their numbers.
const GPU_LISTS: [&str; 4] =
    ["CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK"];

/// The variables that follow from a step's share of its job's resources: all of them, unless it asks for less.
///
/// # Errors
/// The exit code; the error is printed.
pub fn variables(job: JobId, text: Option<&str>) -> Result<Vec<(&'static str, String)>, ExitCode> {
    let of_job = std::env::var("SLURM_JOB_GPUS").ok().filter(|gpus| !gpus.is_empty());
    let Some(text) = text else {
        return Ok(of_job.map(|gpus| ("SLURM_STEP_GPUS", gpus)).into_iter().collect());
    };
    let invalid = "Invalid generic resource (gres) specification";
    let asked = GresRequest::parse_list(text).ok_or_else(|| fail(invalid))?;
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let query = Ask::Jobs(JobQuery::of(job));
    let rows = report::connect().and_then(|mut client| report::jobs(&mut client, query));
    // A controller that is away is waited for when the step is asked for.
    let Some(info) = rows.ok().and_then(|rows| rows.into_iter().find(|row| !row.nodes.is_empty())) else {
        return Ok(Vec::new());
    };
    check(&info, &asked).map_err(|why| {
        fail(why);
        fail(format_args!("Unable to create step for job {job}: {invalid}"))
    })?;
    let gpus: u32 = asked.iter().filter(|g| g.name == "gpu").map(|g| g.count).sum();
    if gpus == 0 {
        return Ok(Vec::new());
    }
    let mut set = vec![("SLURM_GPUS_ON_NODE", gpus.to_string())];
    let first = |all: String| all.split(',').take(gpus as usize).collect::<Vec<_>>().join(",");
    set.extend(of_job.map(|all| ("SLURM_STEP_GPUS", first(all))));
    set.extend(GPU_LISTS.into_iter().filter_map(|name| Some((name, first(std::env::var(name).ok()?)))));
    Ok(set)
}

/// Whether each node of the job has what is asked for. Types count only where the job asked for them.
fn check(job: &JobInfo, asked: &[GresRequest]) -> Result<(), String> {
    let shares = || job.nodes.iter().flat_map(|n| &n.gres);
    if shares().next().is_none() {
        return Err("Step requested GRES but job doesn't have GRES".into());
    }
    let typed = |kind: &String| {
        let ask = &job.spec.resources;
        let gpus = [&ask.gpus.per_job, &ask.gpus.per_node, &ask.gpus.per_task].into_iter().flatten();
        ask.gres.iter().chain(gpus).any(|g| g.kind.as_ref() == Some(kind))
    };
    for want in asked {
        let of_name = |n: &&bivouac_types::info::GresShare| n.name == want.name;
        let has =
            job.nodes.iter().map(|n| n.gres.iter().filter(of_name).map(|g| g.indices.len() as u32).sum());
        let least: u32 = has.min().unwrap_or(0);
        if want.kind.as_ref().is_some_and(|kind| !typed(kind)) || least == 0 {
            let kind = want.kind.as_ref().map_or(String::new(), |kind| format!(":{kind}"));
            return Err(format!("Step requested GRES ({}{kind}) not found in the job", want.name));
        }
        if want.count > least {
            return Err(format!(
                "Step requested gres_per_node={want} is more than the job's gres_per_node={}:{least}",
                want.name
            ));
        }
    }
    Ok(())
}
