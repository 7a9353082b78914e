//! `srun --bcast`: the program is copied before the tasks run the copy.

use super::{fail, launch, os_text, tell};
use bivouac_proto::message::StepLayout;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The program's file.
///
/// # Errors
/// The exit code; the error is printed.
pub fn source(name: &OsStr) -> Result<PathBuf, ExitCode> {
    let found = launch::resolve(name, std::env::var_os("PATH").as_deref());
    if launch::executable(&found) {
        return Ok(found);
    }
    tell(format_args!("srun: fatal: Can not execute {}", name.display()));
    Err(ExitCode::FAILURE)
}

/// Copies the program to a path from the root; to another one, or one that ends with a slash, under a name of the step's,
/// in srun's folder or in that one. Gives the copy.
///
/// # Errors
/// The exit code; the error is printed.
pub fn copy(source: &Path, to: &str, layout: &StepLayout) -> Result<PathBuf, ExitCode> {
    let own = format!("slurm_bcast_{}", layout.step);
    let target = match to {
        to if to.starts_with('/') && !to.ends_with('/') => PathBuf::from(to),
        to if to.starts_with('/') => Path::new(to).join(own),
        _ => std::env::current_dir().unwrap_or_default().join(own),
    };
    replace(source, &target).map(|()| target).map_err(|e| {
        let why = os_text(e.raw_os_error().unwrap_or(libc::EIO));
        for node in &layout.nodes {
            fail(format_args!("REQUEST_FILE_BCAST({}): {why}", node.name));
        }
        tell(format_args!("srun: fatal: Failed to broadcast '{}'. Step launch aborted.", source.display()));
        ExitCode::FAILURE
    })
}

/// Copies a file in place of another one: what a link of that name leads to is not touched.
fn replace(source: &Path, target: &Path) -> io::Result<()> {
    let mut from = File::open(source)?;
    let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    let new = target.with_file_name(hidden);
    let copied = File::options().write(true).create_new(true).open(&new).and_then(|mut to| {
        io::copy(&mut from, &mut to)?;
        to.set_permissions(from.metadata()?.permissions())?;
        std::fs::rename(&new, target)
    });
    copied.inspect_err(|e| {
        if e.kind() != io::ErrorKind::AlreadyExists {
            let _ = std::fs::remove_file(&new);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_link_leads_to_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (source, victim, link) = (dir.path().join("s"), dir.path().join("v"), dir.path().join("l"));
        std::fs::write(&source, "program").unwrap();
        std::fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        replace(&source, &link).unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(std::fs::read_to_string(&link).unwrap(), "program");
        assert!(replace(&source, &dir.path().join("nope/x")).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3, "nothing is left behind");
    }
}
