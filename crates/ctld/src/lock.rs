//! One controller per state folder: a file lock that dies with its holder and names him.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// The held lock; it is given up when this is dropped or the process ends in any way.
pub struct Lock {
    _file: File,
}

/// How long a holder that does not serve (it is ending, or just starting) is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes the lock, or says which process has it. `serves` tells whether the holder answers: one that does not is on
/// its way out or in, and is waited for.
///
/// # Errors
/// A sentence for the user.
pub fn take(state_dir: &Path, serves: impl Fn() -> bool) -> Result<Lock, String> {
    let path = state_dir.join("controller.lock");
    let failed = |e: io::Error| format!("{}: {e}", path.display());
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_CLOEXEC | libc::O_NOFOLLOW)
        .open(&path)
        .map_err(failed)?;
    let begun = Instant::now();
    // SAFETY: the descriptor is open.
    while unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
        if !serves() && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        let mut holder = String::new();
        let _ = file.read_to_string(&mut holder);
        return Err(format!(
            "a controller already serves {} (process {}); stop it with `bivouac down`",
            state_dir.display(),
            holder.trim()
        ));
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(failed)?;
    Ok(Lock { _file: file })
}

#[cfg(test)]
mod tests {
    #[test]
    fn one_that_is_ending_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let first = std::cell::RefCell::new(Some(super::take(dir.path(), || true).unwrap()));
        // Asked whether it serves, the first ends.
        let ending = || {
            first.borrow_mut().take();
            false
        };
        assert!(super::take(dir.path(), ending).is_ok());
    }

    #[test]
    fn the_second_is_refused_and_told_who_the_first_is() {
        let dir = tempfile::tempdir().unwrap();
        let first = super::take(dir.path(), || true).unwrap();
        let refusal = super::take(dir.path(), || true).err().unwrap();
        assert!(refusal.contains(&format!("process {}", std::process::id())), "{refusal}");
        drop(first);
        assert!(super::take(dir.path(), || true).is_ok());
    }
}
