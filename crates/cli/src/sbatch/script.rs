//! The batch script: found, read and checked; --wrap makes one.

use super::fail;
use crate::bounded;
use bivouac_options::directive;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A batch script.
pub struct Script {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its absolute path; none for standard input and --wrap.
    pub path: Option<PathBuf>,
    /// Its name as given, for messages.
    pub shown: String,
    /// The job's name if nobody gives one.
    pub job_name: String,
}

/// Reads the script of that name, or standard input, and checks it.
///
/// # Errors
/// The exit code; the error is printed.
pub fn read(name: Option<&OsStr>, base: &Path) -> Result<Script, ExitCode> {
    let script = match name {
        None => {
            let bytes = bytes(io::stdin().lock()).map_err(|e| fail(format_args!("standard input: {e}")))?;
            Script { bytes, path: None, shown: "-".into(), job_name: "sbatch".into() }
        }
        Some(name) => {
            let shown = name.to_string_lossy().into_owned();
            let unreadable = |e: io::Error| {
                // Slurm's sentence stands alone; the reason is worth a line where it is not that there is no such file.
                if e.kind() != io::ErrorKind::NotFound {
                    eprintln!("sbatch: error: {shown}: {e}");
                }
                fail(format_args!("Unable to open file {shown}"))
            };
            let path = find(name, base).ok_or_else(|| unreadable(io::ErrorKind::NotFound.into()))?;
            let bytes = File::open(&path).and_then(bytes).map_err(unreadable)?;
            let job_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Script { bytes, path: Some(path), shown, job_name }
        }
    };
    match directive::check(&script.bytes) {
        Ok(()) => Ok(script),
        Err(e) => {
            e.to_string().lines().for_each(|line| eprintln!("sbatch: error: {line}"));
            Err(crate::invocation::error_exit())
        }
    }
}

/// The script that --wrap stands for.
pub fn wrap(command: &str) -> Script {
    let text = format!("#!/bin/sh\n# This script was created by sbatch --wrap.\n\n{command}\n");
    Script { bytes: text.into_bytes(), path: None, shown: "wrap".into(), job_name: "wrap".into() }
}

/// The bytes of a script; of one that is too long so many that the check sees it.
fn bytes(from: impl Read) -> io::Result<Vec<u8>> {
    match bounded::begin(from, directive::MAX_SCRIPT as u64) {
        // Slurm finds a folder empty.
        Err(e) if e.kind() == io::ErrorKind::IsADirectory => Ok(Vec::new()),
        read => read,
    }
}

/// Where a script is: as named if it begins with `.` or `/`, else in the folder, else on PATH.
fn find(name: &OsStr, base: &Path) -> Option<PathBuf> {
    let here = base.join(name);
    if name.as_bytes().starts_with(b".") || name.as_bytes().starts_with(b"/") || here.exists() {
        return Some(here);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .filter(|d| !d.as_os_str().is_empty())
        .map(|d| base.join(d).join(name))
        .find(|p| p.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_sought_in_the_folder_first() {
        let tmp = tempfile::tempdir().unwrap();
        std::fs::write(tmp.path().join("true"), "#!/bin/sh\n").unwrap();
        assert_eq!(find(OsStr::new("true"), tmp.path()), Some(tmp.path().join("true")));
        let elsewhere = find(OsStr::new("sh"), tmp.path()).unwrap();
        assert!(
            elsewhere.is_file() && !elsewhere.starts_with(tmp.path()),
            "on PATH: {}",
            elsewhere.display()
        );
        assert_eq!(find(OsStr::new("no-such-script.sh"), tmp.path()), None);
        assert_eq!(
            find(OsStr::new("./no"), tmp.path()),
            Some(tmp.path().join("./no")),
            "named where it must be"
        );
    }

    #[test]
    fn wrapped_commands_are_batch_scripts() {
        assert_eq!(directive::check(&wrap("echo hi").bytes), Ok(()));
    }
}
