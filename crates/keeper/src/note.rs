//! Lines of the keeper's in a job's output: why it is ended.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

use crate::sys;

/// Appends `slurmstepd: error: TEXT` to the file that is the process's standard error at present. Files only: a pipe
/// could make the keeper wait.
///
/// # Errors
/// Of opening and writing, as the process's own user: what he cannot write to, the keeper does not write to either.
pub fn append(pid: i32, text: &str) -> io::Result<()> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    // The real ids: a program with more rights than its user must not lend them to this.
    let (Some(uid), Some(gid)) = (real_id(&status, "Uid:"), real_id(&status, "Gid:")) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let _user = sys::FileUser::become_user(uid, gid);
    let path = format!("/proc/{pid}/fd/2");
    let kind = std::fs::metadata(&path)?.file_type();
    if !kind.is_file() && !kind.is_char_device() {
        return Ok(());
    }
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let mut file = OpenOptions::new().append(true).custom_flags(flags).open(path)?;
    file.write_all(line(text).as_bytes())
}

/// The same, to what the process once had opened itself.
///
/// # Errors
/// Of writing.
pub fn write(mut stderr: File, text: &str) -> io::Result<()> {
    let kind = stderr.metadata()?.file_type();
    if kind.is_file() || kind.is_char_device() { stderr.write_all(line(text).as_bytes()) } else { Ok(()) }
}

/// Of a job that had more memory than it may.
pub fn out_of_memory(job: u32, kills: u64) -> String {
    format!(
        "Detected {kills} oom-kill event(s) in StepId={job}.batch. Some of your processes may have been killed by the \
         cgroup out-of-memory handler."
    )
}

fn line(text: &str) -> String {
    format!("slurmstepd: error: {text}\n")
}

fn real_id(status: &str, name: &str) -> Option<u32> {
    status.lines().find_map(|l| l.strip_prefix(name))?.split_ascii_whitespace().next()?.parse().ok()
}
