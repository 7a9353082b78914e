//! Programs around a step and around its tasks: --prolog, --epilog, --task-prolog, --task-epilog.

use crate::srun::tell;
use bivouac_types::Blob;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// An environment, `NAME=value` each.
type Environment = Vec<Vec<u8>>;

/// Runs srun's own prolog or epilog with the step's command as its arguments; its output is srun's. Gives how it ended,
/// or none if it could not be run, which is said and does not matter to Slurm.
pub fn of_step(
    program: &str,
    context: &str,
    command: &[OsString],
    variables: &[(&str, String)],
) -> Option<ExitStatus> {
    let mut run = Command::new(program);
    run.args(command).stdin(Stdio::null()).env("SLURM_SCRIPT_CONTEXT", context);
    run.envs(variables.iter().map(|(name, value)| (*name, value.as_str())));
    match run.status() {
        Ok(status) => Some(status),
        Err(e) => {
            let why = crate::invocation::os_text(e.raw_os_error().unwrap_or(libc::EACCES));
            tell(format_args!("srun: Access denied for {program}: {why}"));
            None
        }
    }
}

/// The exit code that a shell would give a process that ended so.
pub fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// What a task's prolog did.
pub enum Before {
    /// The task runs with this environment, and this is printed first.
    Run(Environment, Vec<u8>),
    /// The task is not run, and ends with this code.
    Fail(u8),
}

/// Runs the prolog of a task. Lines of its output change the task's environment (`export NAME=value`, `unset NAME`) or
/// are printed (`print text`); others, and its standard error, are lost, as in Slurm.
pub fn before_task(program: &str, mut env: Environment, folder: Option<&Path>) -> Before {
    let fail = |code: i32| {
        tell(format_args!("slurmstepd: error: --task-prolog failed status={code}"));
        Before::Fail(code as u8)
    };
    let wrong = |what: String| {
        tell(format_args!("slurmstepd: error: run_command: {what}"));
        tell(format_args!(
            "slurmstepd: error: user task_prolog did not exit normally. reason: Run command failed - configuration error"
        ));
        fail(1)
    };
    if !program.starts_with('/') {
        return wrong(format!("user task_prolog is not fully qualified pathname ({program})"));
    }
    let output = match in_task(program, "prolog_task", &env, folder).stdout(Stdio::piped()).output() {
        Ok(output) => output,
        Err(e) => {
            let why = crate::invocation::os_text(e.raw_os_error().unwrap_or(libc::EACCES));
            return wrong(format!("user task_prolog can not be executed ({program}) {why}"));
        }
    };
    if !output.status.success() {
        return fail(code(output.status));
    }
    let printed = apply(&mut env, &output.stdout);
    Before::Run(env, printed)
}

/// Runs the epilog of a task, whose output is lost, as in Slurm.
pub fn after_task(program: &str, env: &[Vec<u8>], folder: Option<&Path>) {
    let status = in_task(program, "epilog_task", env, folder).stdout(Stdio::null()).status();
    if status.is_err() {
        tell(format_args!("slurmstepd: error: Could not run user task_epilog [{program}]: access denied"));
    }
    let failed = status.map_or(Some(-1), |s| (!s.success()).then(|| code(s)));
    if let Some(code) = failed {
        tell(format_args!("slurmstepd: error: TaskEpilog failed status={code}"));
    }
}

fn in_task(program: &str, context: &str, env: &[Vec<u8>], folder: Option<&Path>) -> Command {
    let mut run = Command::new(program);
    run.env_clear().stdin(Stdio::null()).stderr(Stdio::null());
    for entry in env {
        let equals = entry.iter().position(|&b| b == b'=').unwrap_or(entry.len());
        let value = entry.get(equals + 1..).unwrap_or_default();
        run.env(OsStr::from_bytes(&entry[..equals]), OsStr::from_bytes(value));
    }
    run.env("SLURM_SCRIPT_CONTEXT", context);
    folder.map(|folder| run.current_dir(folder));
    run
}

/// Does what the lines of a task's prolog say; gives what is to be printed.
fn apply(env: &mut Environment, output: &[u8]) -> Vec<u8> {
    let mut printed = Vec::new();
    for line in output.split(|&b| b == b'\n') {
        let Some(blank) = line.iter().position(|&b| b == b' ') else { continue };
        let rest = line[blank..].trim_ascii_start();
        match &line[..blank] {
            b"export" => {
                let name = rest.iter().position(|&b| b == b'=').map(|at| rest[..=at].to_vec());
                if let Some(name) = name {
                    env.retain(|entry| !entry.starts_with(&name));
                    env.push(rest.to_vec());
                }
            }
            b"unset" => {
                let name = [rest.trim_ascii_end(), b"="].concat();
                env.retain(|entry| !entry.starts_with(&name));
            }
            b"print" => {
                printed.extend_from_slice(rest);
                printed.push(b'\n');
            }
            _ => {}
        }
    }
    printed
}

/// What is on the PATH of an environment.
pub fn path_of(env: &[Blob]) -> Option<OsString> {
    let entry = env.iter().find_map(|entry| entry.0.strip_prefix(b"PATH="))?;
    Some(OsStr::from_bytes(entry).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prolog_changes_its_tasks_environment() {
        let mut env = vec![b"A=1".to_vec(), b"B=2".to_vec(), b"AB=3".to_vec()];
        let printed = apply(&mut env, b"export A=x y\nprint hello 0\nunset B\nother\nexport C\nexport D=4\n");
        assert_eq!(env, [b"AB=3".to_vec(), b"A=x y".to_vec(), b"D=4".to_vec()]);
        assert_eq!(printed, b"hello 0\n");
    }
}
