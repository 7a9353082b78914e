//! `srun --bcast`: the program is copied before the tasks run the copy.

use super::launch;
use crate::bcast::{self, Manner};
use crate::srun::tell;
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
        let nodes = layout.nodes.iter().map(|node| node.name.as_str());
        let (lines, _) = bcast::failure("srun", nodes, &e);
        eprint!("{lines}");
        tell(format_args!("srun: fatal: Failed to broadcast '{}'. Step launch aborted.", source.display()));
        ExitCode::FAILURE
    })
}

fn replace(source: &Path, target: &Path) -> io::Result<()> {
    let mut from = File::open(source)?;
    let about = from.metadata()?;
    bcast::copy(&mut from, &about, target, Manner { force: true, preserve: false })
}
