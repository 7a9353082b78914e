//! seff: a job's efficiency in a few lines.

use super::{Efficiency, Grade, Palette};
use crate::job;
use crate::sacct::exit_status;
use crate::settings::Settings;
use bivouac_types::JobState;
use bivouac_types::info::JobInfo;
use std::fmt::Write;

/// In which shape sites show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// One list.
    #[default]
    List,
    /// Sections for CPUs and GPUs.
    Sections,
}

/// The report.
pub fn seff(job: &JobInfo, form: Form, palette: Palette, settings: &Settings) -> String {
    let mut out = format!("Job ID: {}\n", job.id);
    if job.array.is_some() {
        let mut id = String::new();
        job::write_id(&mut id, job, None, settings.task_chars);
        let _ = writeln!(out, "Array Job ID: {id}");
    }
    let _ = writeln!(out, "Cluster: {}\nUser/Group: {}/{}", settings.cluster, job.user, job.group);
    let exit = exit_status(job, None);
    let code = exit.shell_code();
    let state = crate::sacct::state_word(job);
    match job.state.is_ended() {
        true => {
            let _ = writeln!(out, "State: {state} (exit code {code})");
        }
        false => {
            let _ = writeln!(out, "State: {state}");
        }
    }
    if job.nodes.is_empty() {
        let why = if job.state == JobState::Pending { "it has not started" } else { "it never ran" };
        let _ = writeln!(out, "Efficiency not available: {why}.");
        return out;
    }
    match (form, job.num_cpus) {
        (Form::List, 1) => out += "Cores: 1\n",
        _ => {
            let _ = writeln!(
                out,
                "Nodes: {}\nCores per node: {}",
                job.num_nodes,
                job.num_cpus.div_ceil(job.num_nodes.max(1))
            );
        }
    }
    if form == Form::Sections {
        out += "\n──────── CPU Metrics ────────\n";
    }
    figures(&mut out, job, form, palette);
    if form == Form::Sections {
        gpus(&mut out, job);
    }
    if !job.state.is_ended() {
        let _ = writeln!(
            out,
            "WARNING: the job is {state}: figures of steps that are not over are missing, and may be misleading."
        );
    }
    out
}

fn figures(out: &mut String, job: &JobInfo, form: Form, palette: Palette) {
    let of = Efficiency::of(job);
    let units: &[&str; 5] = match form {
        Form::List => &["KB", "MB", "GB", "TB", "PB"],
        Form::Sections => &["KiB", "MiB", "GiB", "TiB", "PiB"],
    };
    let duration = bivouac_types::Duration::from_secs;
    let cpu = palette.paint(Grade::of_cpu(of.cpu_percent()), &format!("{:.2}%", of.cpu_percent()));
    let mem = palette.paint(Grade::of_memory(of.mem_percent()), &format!("{:.2}%", of.mem_percent()));
    let estimated = if of.mem_estimated { " (estimated maximum)" } else { "" };
    let per_node = match form {
        Form::List => String::new(),
        Form::Sections => format!(" ({}/node)", size(of.mem_of_kb / u64::from(job.num_nodes.max(1)), units)),
    };
    let _ = write!(
        out,
        "CPU Utilized: {}\n\
         CPU Efficiency: {cpu} of {} core-walltime\n\
         Job Wall-clock time: {}\n\
         Memory Utilized: {}{estimated}\n\
         Memory Efficiency: {mem} of {}{per_node}\n",
        duration(of.cpu),
        duration(of.cpu_of),
        of.time,
        size(of.mem_kb, units),
        size(of.mem_of_kb, units),
    );
}

/// GPUs of a job that has some. Nothing measures them here.
fn gpus(out: &mut String, job: &JobInfo) {
    let of: Vec<_> = job.nodes.iter().flat_map(|n| &n.gres).filter(|g| g.name == "gpu").collect();
    let count: usize = of.iter().map(|g| g.indices.len()).sum();
    if count == 0 {
        return;
    }
    let kind = of.iter().find_map(|g| g.kind.as_deref()).unwrap_or("gpu");
    let _ = write!(
        out,
        "\n──────── GPU Metrics ────────\n\
         Number of GPUs: {count}\n\
         GPU Type: {kind}\n\
         NOTE: the use of GPUs is not measured on this cluster.\n\
         Max GPU Utilization: N/A\n\
         Max GPU Memory Utilized: N/A\n"
    );
}

/// `163.49 MB`.
fn size(kb: u64, units: &[&str; 5]) -> String {
    let (mut amount, mut unit) = (kb as f64, 0);
    while amount >= 1024.0 && unit + 1 < units.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.2} {}", units[unit])
}

/// All that is known, for `-d`: a line of names and one of values.
pub fn raw(job: &JobInfo, settings: &Settings) -> String {
    let of = Efficiency::of(job);
    let array = job.array.as_ref().map(|a| a.job.to_string()).unwrap_or_default();
    let exit = exit_status(job, None);
    let fields: [(&str, String); 14] = [
        ("JobID", job.id.to_string()),
        ("ArrayJobID", array),
        ("User", job.user.clone()),
        ("Group", job.group.clone()),
        ("State", crate::sacct::state_word(job).to_owned()),
        ("ClusterName", settings.cluster.clone()),
        ("NCPUS", job.num_cpus.to_string()),
        ("NNodes", job.num_nodes.to_string()),
        ("NTasks", job.num_tasks.to_string()),
        ("ReqMemKB", of.mem_of_kb.to_string()),
        ("CPUTime", of.cpu.to_string()),
        ("Walltime", of.time.as_secs().to_string()),
        ("MemKB", of.mem_kb.to_string()),
        ("ExitStatus", format!("{}:{}", exit.code, exit.signal)),
    ];
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let values: Vec<&str> = fields.iter().map(|(_, value)| value.as_str()).collect();
    format!("Slurm data: {}\nSlurm data: {}\n\n", names.join("|"), values.join("|"))
}
