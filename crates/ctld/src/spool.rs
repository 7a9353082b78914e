//! Batch scripts as files: `spool/<payload>/slurm_script`, written once per distinct payload and shared by all tasks of
//! an array. The folder is the daemon's, so that the user cannot put a link in the place of a script.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

/// The path of a payload's script, which is written if it is not there yet.
///
/// # Errors
/// What the file system says; a half-written file is never left under the final name.
pub fn script(state_dir: &Path, payload: &str, bytes: &[u8], uid: u32, gid: u32) -> io::Result<PathBuf> {
    let dir = state_dir.join("spool").join(payload);
    let path = dir.join("slurm_script");
    // The name stands for the content; only a power cut can have left a file that is not whole.
    if fs::metadata(&path).is_ok_and(|file| file.len() == bytes.len() as u64) {
        return Ok(path);
    }
    fs::DirBuilder::new().recursive(true).mode(0o711).create(&dir)?;
    let temporary = dir.join(".slurm_script");
    match fs::remove_file(&temporary) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o700).open(&temporary)?;
    file.write_all(bytes)?;
    // SAFETY: geteuid has no preconditions.
    if unsafe { libc::geteuid() } == 0 {
        chown(&temporary, Some(uid), Some(gid))?;
    }
    fs::rename(&temporary, &path)?;
    Ok(path)
}

/// Removes the script of one payload.
pub fn remove(state_dir: &Path, payload: &str) {
    // One that cannot be removed, or is not there, is left to the next sweep.
    let _ = fs::remove_dir_all(state_dir.join("spool").join(payload));
}

/// Removes the scripts of payloads that no job needs any more.
pub fn sweep(state_dir: &Path, needed: &dyn Fn(&str) -> bool) {
    let Ok(entries) = fs::read_dir(state_dir.join("spool")) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_str().is_some_and(needed) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_written_once_and_swept_when_nobody_needs_it() {
        let dir = tempfile::tempdir().unwrap();
        // SAFETY: no preconditions.
        let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
        let path = script(dir.path(), "p1", b"#!/bin/sh\n", uid, gid).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"#!/bin/sh\n");
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(script(dir.path(), "p1", b"#!/bin/sh\n", uid, gid).unwrap(), path);
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written);
        fs::write(&path, "").unwrap();
        script(dir.path(), "p1", b"#!/bin/sh\n", uid, gid).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"#!/bin/sh\n", "a file that is not whole is written again");
        sweep(dir.path(), &|p| p == "p2");
        assert!(!path.exists());
    }
}
