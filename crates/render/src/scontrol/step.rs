//! scontrol show step.

use super::Form;
use crate::settings::Settings;
use crate::tres::Tres;
use bivouac_types::hostlist::compress;
use bivouac_types::info::{JobInfo, StepInfo};
use bivouac_types::{StepKind, TimeLimit};

/// The record of a step that runs. `host` is where its srun is.
pub fn show_step(job: &JobInfo, step: &StepInfo, host: &str, form: Form, s: &Settings) -> String {
    let mut start = String::new();
    s.time(&mut start, Some(step.start), "Unknown");
    let limit = step.limit.map_or(TimeLimit::Unlimited, TimeLimit::Minutes);
    let batch = step.step == StepKind::Batch;
    let nodes = compress(step.nodes.iter().map(String::as_str));
    let (cpus, tres) = match batch {
        true => (0, "(null)".to_owned()),
        false => {
            let mut text = String::new();
            Tres::of_step(job, step).write(&mut text, s);
            (step.num_cpus, text)
        }
    };
    let lines = [
        format!("StepId={}.{} UserId={} StartTime={start} TimeLimit={limit}", job.id, step.step, job.uid),
        format!("State={} Partition={} NodeList={nodes}", step.state, job.partition),
        format!(
            "Nodes={} CPUs={cpus} Tasks={} Name={} Network=(null)",
            step.nodes.len(),
            step.num_tasks,
            step.name
        ),
        format!("TRES={tres}"),
        "ResvPorts=(null)".to_owned(),
        format!("CPUFreqReq=Default{}", if batch { "" } else { " Dist=Block" }),
        match step.srun_pid {
            Some(pid) => format!("SrunHost:Pid={host}:{pid}"),
            None => "SrunHost:Pid=(null):0".to_owned(),
        },
    ];
    form.record(&lines)
}
