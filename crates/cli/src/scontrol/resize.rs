//! What scontrol adds when a running job is made smaller: the files that set a shell's variables right again.

use super::Session;
use crate::{anew, report};
use bivouac_options::job_update::Asked;
use bivouac_proto::client::Client;
use bivouac_proto::message::{Ask, JobQuery, JobTarget};
use bivouac_types::info::{JobInfo, repeated};
use bivouac_types::{JobChange, JobId, hostlist};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn is_resize(asked: &[Asked]) -> bool {
    asked.iter().any(|a| matches!(a, Asked::Change(JobChange::Nodes(_) | JobChange::NodeList(_))))
}

fn rows(client: &mut Client, job: JobId) -> Vec<JobInfo> {
    report::jobs(client, Ask::Jobs(JobQuery::of(job))).unwrap_or_default()
}

/// Whether an array as a whole is to be made smaller, which scontrol refuses.
pub fn is_of_array(client: &mut Client, target: &JobTarget, asked: &[Asked]) -> bool {
    let array = |row: &JobInfo| row.array.as_ref().is_some_and(|a| a.job == target.job);
    let runs = |row: &JobInfo| !row.state.waits() && !row.state.is_ended();
    is_resize(asked)
        && target.tasks.is_none()
        && rows(client, target.job).iter().filter(|row| array(row)).any(runs)
}

/// Within the job that was made smaller, leaves files behind that set the shell's variables right again, and says so.
pub fn tell_shell(client: &mut Client, id: &str, asked: &[Asked], session: Session) {
    let variable = |name: &str| std::env::var(name).ok();
    if !is_resize(asked) || variable("SLURM_JOB_ID").as_deref() != Some(id) {
        return;
    }
    let Some(job) = id.parse().ok().map(JobId) else { return };
    let Some(row) = rows(client, job).into_iter().find(|row| row.id == job && !row.nodes.is_empty()) else {
        return;
    };
    for shell in [Shell::Sh, Shell::Csh] {
        let path = format!("slurm_job_{id}_resize.{}", shell.extension());
        let text = assignments(&row, shell, |name| variable(name).is_some());
        // A shell will run what is in it.
        if let Err(e) = anew::write(Path::new(&path), text.as_bytes(), Permissions::from_mode(0o700)) {
            session.fail(format_args!("Could not create file {path}: {e}"));
            return;
        }
    }
    println!("To reset Slurm environment variables, execute");
    println!("  For bash or sh shells:  . ./slurm_job_{id}_resize.sh");
    println!("  For csh shells:         source ./slurm_job_{id}_resize.csh");
}

/// For which shell a file is.
#[derive(Clone, Copy)]
enum Shell {
    Sh,
    Csh,
}

impl Shell {
    fn extension(self) -> &'static str {
        match self {
            Shell::Sh => "sh",
            Shell::Csh => "csh",
        }
    }

    fn set(self, name: &str, value: &str) -> String {
        match self {
            Shell::Sh => format!("export {name}={value}\n"),
            Shell::Csh => format!("setenv {name} {value}\n"),
        }
    }

    fn unset(self, name: &str) -> String {
        match self {
            Shell::Sh => format!("unset {name}\n"),
            Shell::Csh => format!("unsetenv {name}\n"),
        }
    }
}

/// What sets right those of a shell's variables that it has; how many tasks there are is no longer said.
fn assignments(row: &JobInfo, shell: Shell, is_set: impl Fn(&str) -> bool) -> String {
    let nodes = format!("\"{}\"", hostlist::compress(row.nodes.iter().map(|n| n.node.as_str())));
    let count = row.nodes.len().to_string();
    let cpus = format!("\"{}\"", repeated(row.nodes.iter().map(|n| n.cpus.len() as u32)));
    let values = [
        ("SLURM_NODELIST", &nodes),
        ("SLURM_JOB_NODELIST", &nodes),
        ("SLURM_NNODES", &count),
        ("SLURM_JOB_NUM_NODES", &count),
        ("SLURM_JOB_CPUS_PER_NODE", &cpus),
    ];
    let set = values.into_iter().filter(|(name, _)| is_set(name)).map(|(name, value)| shell.set(name, value));
    let gone = ["SLURM_NPROCS", "SLURM_NTASKS", "SLURM_TASKS_PER_NODE"];
    set.chain(gone.into_iter().filter(|name| is_set(name)).map(|name| shell.unset(name))).collect()
}
