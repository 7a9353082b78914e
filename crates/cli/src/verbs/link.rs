//! `bivouac link DIR`: makes the names of Slurm's commands.

use super::{Words, fail};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(super) fn run(mut words: Words) -> ExitCode {
    let dir = match words.operand("DIR") {
        Ok(dir) => PathBuf::from(dir),
        Err(code) => return code,
    };
    match std::env::current_exe().and_then(|exe| make(&dir, &exe)) {
        Ok(()) => {
            println!(
                "{} commands are in {}; put it first on PATH",
                crate::commands().count() + 1,
                dir.display()
            );
            ExitCode::SUCCESS
        }
        Err(e) => fail(format!("{}: {e}", dir.display())),
    }
}

/// Also of commands that there are not: a host's own shall not answer in their place, and perhaps reach a real cluster.
/// Links that are there already are renewed; a file that is no link is somebody's and stays.
fn make(dir: &Path, exe: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let absent = bivouac_site::ABSENT_COMMANDS.iter().map(|absent| absent.name);
    for name in crate::commands().chain(["bivouac"]).chain(absent) {
        let link = dir.join(name);
        match std::fs::symlink_metadata(&link) {
            Ok(meta) if meta.is_symlink() => std::fs::remove_file(&link)?,
            // The folder of the program itself: it needs no link to itself.
            Ok(_) if link == exe => continue,
            Ok(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    format!("{name} is there and is not a link; choose another folder"),
                ));
            }
            Err(_) => {}
        }
        symlink(exe, &link)?;
    }
    Ok(())
}
