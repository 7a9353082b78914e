//! `--pty`: a terminal for task 0, of which srun has the other end.

use super::launch::Streams;
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Stdio;

/// Both ends.
pub struct Terminal {
    /// srun's end.
    pub master: OwnedFd,
    slave: File,
}

impl Terminal {
    /// A new terminal of so many rows and columns.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(window: Option<(u16, u16)>) -> io::Result<Terminal> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags)?;
        rustix::pty::grantpt(&master)?;
        rustix::pty::unlockpt(&master)?;
        let name = rustix::pty::ptsname(&master, Vec::new())?;
        let path = std::path::Path::new(OsStr::from_bytes(name.to_bytes()));
        let slave = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open(path)?;
        if let Some((rows, columns)) = window {
            let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
            rustix::termios::tcsetwinsize(&master, size)?;
        }
        Ok(Terminal { master, slave })
    }

    /// The streams of a task: the terminal is task 0's, the others have none, as srun(1) says.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn streams(&self, rank: u32) -> io::Result<Streams> {
        let own = || if rank == 0 { self.slave.try_clone().map(Stdio::from) } else { Ok(Stdio::null()) };
        Ok(Streams { input: own()?, output: own()?, error: own()?, first: Vec::new() })
    }
}
