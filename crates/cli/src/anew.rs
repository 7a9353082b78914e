//! A file that is made anew, whatever lies at its name.
//!
//! The name may be easily guessed and the folder everybody's: a link or somebody else's file that lies there already is
//! replaced, and neither followed nor written to.

use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::{self, Read};
use std::path::Path;

/// Writes all of `from` to a new file, which then takes the place of what had its name. Nothing is left of a file that
/// could not be written.
///
/// # Errors
/// It cannot be read, written or put there.
pub fn write(path: &Path, mut from: impl Read, permissions: Permissions) -> io::Result<()> {
    let mut hidden = OsString::from(".");
    hidden.push(path.file_name().ok_or(io::ErrorKind::InvalidInput)?);
    hidden.push(format!(".{}", std::process::id()));
    let new = path.with_file_name(hidden);
    let written = File::options().write(true).create_new(true).open(&new).and_then(|mut to| {
        io::copy(&mut from, &mut to)?;
        to.set_permissions(permissions)?;
        std::fs::rename(&new, path)
    });
    written.inspect_err(|e| {
        // What was there before this is somebody else's.
        if e.kind() != io::ErrorKind::AlreadyExists {
            let _ = std::fs::remove_file(&new);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_lies_there_already_is_not_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let (file, other) = (dir.path().join("slurm_job_1_resize.sh"), dir.path().join("other"));
        std::fs::write(&other, "precious").unwrap();
        for link in [true, false] {
            let _ = std::fs::remove_file(&file);
            let laid = if link {
                std::os::unix::fs::symlink(&other, &file)
            } else {
                std::fs::hard_link(&other, &file)
            };
            laid.unwrap();
            write(&file, &b"text"[..], Permissions::from_mode(0o700)).unwrap();
            assert_eq!(std::fs::read_to_string(&other).unwrap(), "precious");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), "text");
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o700);
        }
        let missing = write(&dir.path().join("nope/x"), &b"text"[..], Permissions::from_mode(0o700));
        assert!(missing.is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left behind");
    }
}
