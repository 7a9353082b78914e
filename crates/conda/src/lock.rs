//! Locks between processes: one per prefix, so that several working on one environment take turns, and one for the
//! package cache.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::error::{CondaError, Result};

/// A held lock; released when dropped, and by the kernel when the process dies.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Where the lock of `prefix` lies: beside named environments (`<envs>/.locks/<name>`), else below `~/.conda/locks`.
fn place(config: &Config, prefix: &Path) -> PathBuf {
    let name = prefix.file_name().unwrap_or_default().to_os_string();
    match prefix.parent() {
        Some(parent) if config.envs_dirs.iter().any(|dir| dir == parent) => parent.join(".locks").join(name),
        _ => {
            let digest = Sha256::digest(prefix.as_os_str().as_encoded_bytes());
            let mut name = name;
            name.push(format!("-{}", &hex(&digest)[..12]));
            config.user_dir.clone().unwrap_or_else(|| config.root.clone()).join("locks").join(name)
        }
    }
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn open(path: &Path) -> Result<File> {
    let open = || -> std::io::Result<File> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)
    };
    open().map_err(|error| CondaError::io("open the lock", path, &error))
}

/// Takes the lock of a prefix, waiting for whoever holds it; says so on standard error, once.
///
/// # Errors
/// The lock file cannot be made, or the file system has no locks.
pub fn take(config: &Config, prefix: &Path) -> Result<Lock> {
    take_file(&place(config, prefix), prefix)
}

/// Takes the lock at `path`, which guards `what`, as [`take`] does.
///
/// # Errors
/// As [`take`].
pub fn take_file(path: &Path, what: &Path) -> Result<Lock> {
    let mut file = open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            let holder =
                if holder.trim().is_empty() { String::new() } else { format!(" ({})", holder.trim()) };
            eprintln!("Waiting for another conda{holder} that works on {}", what.display());
            file.lock().map_err(|error| CondaError::io("lock", path, &error))?;
        }
        Err(TryLockError::Error(error)) => return Err(CondaError::io("lock", path, &error)),
    }
    // The pid is for the reader of the message above only, so failing to write it does not matter.
    let _ = file.rewind().and_then(|()| file.set_len(0)).and_then(|()| {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        write!(file, "pid {} on {}", std::process::id(), host.trim())
    });
    Ok(Lock { _file: file })
}

/// Takes the lock of a prefix if nobody holds it. `None` also where no lock can be made, as in a folder of somebody else.
pub fn try_take(config: &Config, prefix: &Path) -> Option<Lock> {
    let file = open(&place(config, prefix)).ok()?;
    file.try_lock().ok()?;
    Some(Lock { _file: file })
}
