//! A file that is copied to a job's nodes (sbcast, srun --bcast): once, for they all see the same files.

use crate::anew;
use std::fs::{File, FileTimes, Metadata};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// What becomes of a file that has the copy's name, and of the times.
#[derive(Clone, Copy)]
pub struct Manner {
    /// It is replaced; else it stays, and there is no copy.
    pub force: bool,
    /// The copy has the times of the original.
    pub preserve: bool,
}

/// Copies an open file; the copy has the permissions of the original, whatever the umask, but none that change who a
/// program runs as.
///
/// # Errors
/// The copy cannot be made; nothing is left of it.
pub fn copy(from: &mut File, about: &Metadata, target: &Path, manner: Manner) -> io::Result<()> {
    let permissions = PermissionsExt::from_mode(about.permissions().mode() & 0o777);
    match manner.force {
        true => {
            // What is no file, a device for example, is not replaced.
            if std::fs::symlink_metadata(target).is_ok_and(|m| !m.is_file() && !m.is_symlink()) {
                let why = if target.is_dir() { libc::EISDIR } else { libc::EEXIST };
                return Err(io::Error::from_raw_os_error(why));
            }
            anew::write(target, &mut *from, permissions)?;
        }
        false => {
            let mut to = File::options().write(true).create_new(true).mode(0o600).open(target)?;
            let written = io::copy(from, &mut to).and_then(|_| to.set_permissions(permissions));
            if let Err(e) = written {
                let _ = std::fs::remove_file(target);
                return Err(e);
            }
        }
    }
    if manner.preserve {
        let times = FileTimes::new().set_accessed(about.accessed()?).set_modified(about.modified()?);
        // Not through a link that has come in its place meanwhile.
        let copy = File::options().read(true).custom_flags(libc::O_NOFOLLOW).open(target)?;
        copy.set_times(times)?;
    }
    Ok(())
}

/// The lines for a copy that could not be made, and the exit code: the number of the error.
pub fn failure<'a>(program: &str, nodes: impl IntoIterator<Item = &'a str>, e: &io::Error) -> (String, u8) {
    let number = e.raw_os_error().unwrap_or(libc::EIO);
    let why = crate::invocation::os_text(number);
    let lines =
        nodes.into_iter().map(|node| format!("{program}: error: REQUEST_FILE_BCAST({node}): {why}\n"));
    (lines.collect(), number as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(from: &Path, to: &Path, force: bool, preserve: bool) -> io::Result<()> {
        let mut file = File::open(from)?;
        let about = file.metadata()?;
        copy(&mut file, &about, to, Manner { force, preserve })
    }

    #[test]
    fn a_copy_has_the_rights_of_the_original_and_its_times_if_asked() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        std::fs::write(&from, "text").unwrap();
        std::fs::set_permissions(&from, PermissionsExt::from_mode(0o4751)).unwrap();
        let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        File::options().write(true).open(&from).unwrap().set_modified(old).unwrap();
        copied(&from, &to, false, false).unwrap();
        let about = to.metadata().unwrap();
        assert_eq!((about.permissions().mode() & 0o7777, about.modified().unwrap() == old), (0o751, false));
        copied(&from, &to, true, true).unwrap();
        assert_eq!(to.metadata().unwrap().modified().unwrap(), old);
        assert_eq!(std::fs::read_to_string(&to).unwrap(), "text");
    }

    #[test]
    fn what_is_there_stays_unless_it_is_a_file_and_replaced_by_force() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("from"), "new").unwrap();
        std::fs::write(at("there"), "old").unwrap();
        std::os::unix::fs::symlink(at("there"), at("link")).unwrap();
        std::os::unix::fs::symlink(at("nowhere"), at("dangling")).unwrap();
        std::fs::create_dir(at("folder")).unwrap();
        for name in ["there", "link", "dangling", "folder"] {
            let e = copied(&at("from"), &at(name), false, false).unwrap_err();
            assert_eq!(e.raw_os_error(), Some(libc::EEXIST), "{name}");
        }
        copied(&at("from"), &at("link"), true, false).unwrap();
        assert_eq!(std::fs::read_to_string(at("there")).unwrap(), "old", "no link is followed");
        let e = copied(&at("from"), &at("folder"), true, false).unwrap_err();
        let told = failure("sbcast", ["n1", "n2"], &e);
        let line = |node: &str| format!("sbcast: error: REQUEST_FILE_BCAST({node}): Is a directory\n");
        assert_eq!(told, (line("n1") + &line("n2"), libc::EISDIR as u8));
    }
}
