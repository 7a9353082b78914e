//! What goes along with a job besides its script: the environment, and in it the umask and the resource limits.

use super::{fail, limits};
use crate::bounded;
use bivouac_options::export::ExportList;
use bivouac_options::sbatch::Request;
use bivouac_types::Blob;
use bivouac_types::job::Export;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::fd::FromRawFd;
use std::process::ExitCode;

/// Tells the job where its script was submitted from, for messages about files that lie beside it.
const SCRIPT_DIR: &str = "BIVOUAC_SUBMIT_SCRIPT_DIR";

/// The largest file of --export-file, in bytes: more than any environment that a program can be started with.
const LARGEST: u64 = 16 << 20;

/// The entries, `NAME=value` each. `folder` is the script's.
///
/// # Errors
/// The exit code; the error is printed.
pub fn of(request: &Request, folder: Option<Vec<u8>>) -> Result<Vec<Blob>, ExitCode> {
    // The folder is this submission's: one from a job that submits is not passed on.
    let caller = std::env::vars_os().filter(|(name, _)| name != SCRIPT_DIR && name != "SLURM_UMASK");
    let mut env = match &request.export_file {
        None => request.export.apply(caller),
        Some(name) => {
            // What the file says stands in the place of the caller's environment.
            let unreadable = |_| fail(format_args!("Could not open user environment file {name}"));
            let mut env = ExportList { kind: Export::None, items: Vec::new() }.apply(caller);
            overlay(&mut env, &from_file(name).map_err(unreadable)?);
            env
        }
    };
    if let Some(folder) = folder {
        env.push(Blob([SCRIPT_DIR.as_bytes(), b"=", &folder].concat()));
    }
    for (name, value) in &request.job.variables {
        overlay(&mut env, format!("{name}={value}").as_bytes());
    }
    let umask = std::env::var("SLURM_UMASK").unwrap_or_else(|_| format!("{:04o}", umask()));
    env.push(format!("SLURM_UMASK={umask}").into());
    if let Some(export) = request.export_text.as_ref().filter(|e| !e.eq_ignore_ascii_case("ALL")) {
        env.push(format!("SLURM_EXPORT_ENV={export}").into());
    }
    let limits = limits::entries(request.propagate.as_deref())?;
    if request.job.verbose > 1 {
        tell(&limits, &umask);
    }
    env.extend(limits);
    Ok(env)
}

/// What `-vv` tells of the process's properties that go along.
fn tell(limits: &[Blob], umask: &str) {
    for entry in limits {
        let text = String::from_utf8_lossy(&entry.0);
        let limit = text.strip_prefix("SLURM_").unwrap_or(&text).replacen("=U", "=", 1);
        eprintln!("sbatch: debug:  propagating {limit}");
    }
    // SAFETY: a question about this process, which has a priority.
    let priority = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    eprintln!("sbatch: debug:  propagating SLURM_PRIO_PROCESS={priority}");
    eprintln!("sbatch: debug:  propagating UMASK={umask}");
}

/// What the file of --export-file holds, or the open file of that number; definitions end with a NUL byte.
fn from_file(name: &str) -> io::Result<Vec<u8>> {
    let file = match name.parse::<i32>() {
        Ok(fd) if fd > 2 => {
            // SAFETY: no pointers; the number may be that of no open file.
            let own = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) };
            if own < 0 {
                return Err(io::Error::last_os_error());
            }
            // SAFETY: just made, and nobody else's.
            unsafe { File::from_raw_fd(own) }
        }
        Ok(_) => return Err(io::ErrorKind::InvalidInput.into()),
        Err(_) => File::open(name)?,
    };
    bounded::read(file, LARGEST)
}

/// Adds the definitions of a file; they win over what is there.
fn overlay(env: &mut Vec<Blob>, file: &[u8]) {
    fn name(entry: &[u8]) -> Option<&[u8]> {
        entry.iter().position(|b| *b == b'=').filter(|at| *at > 0).map(|at| &entry[..at])
    }
    // Of several definitions of a name the last one counts.
    let mut defined = HashSet::new();
    let mut added: Vec<&[u8]> = file
        .split(|b| *b == 0)
        .rev()
        .filter(|entry| name(entry).is_some_and(|name| defined.insert(name)))
        .collect();
    added.reverse();
    env.retain(|e| name(&e.0).is_none_or(|name| !defined.contains(name)));
    env.extend(added.into_iter().map(|entry| Blob(entry.to_vec())));
}

fn umask() -> u32 {
    // SAFETY: no other thread runs that could see the mask in between.
    unsafe {
        let mask = libc::umask(0);
        libc::umask(mask);
        mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_of_a_file_win() {
        let mut env = vec![Blob(b"A=1".to_vec()), Blob(b"AB=2".to_vec())];
        overlay(&mut env, b"A=0\0A=x\ny\0=bad\0nothing\0C=\0");
        let shown: Vec<String> = env.iter().map(|e| String::from_utf8_lossy(&e.0).into_owned()).collect();
        assert_eq!(shown, ["AB=2", "A=x\ny", "C="]);
    }
}
