//! The state folder: who may use it, its socket, and its lock.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::sys;

/// Name of the socket in the state folder.
pub const SOCKET: &str = "keeper.sock";
/// Name of the log in the state folder.
pub const LOG: &str = "keeper.log";

/// Opens the state folder; refuses one that others own or may write to.
pub fn open(dir: &Path) -> io::Result<File> {
    let explain = |e: io::Error| io::Error::new(e.kind(), format!("state folder {}: {e}", dir.display()));
    let file = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(dir).map_err(explain)?;
    let meta = file.metadata().map_err(explain)?;
    // SAFETY: no arguments.
    if meta.uid() != unsafe { libc::geteuid() } || meta.mode() & 0o022 != 0 {
        let text = format!(
            "state folder {} belongs to user {} with mode {:o}; it must be this user's own, writable by nobody else",
            dir.display(),
            meta.uid(),
            meta.mode() & 0o7777
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    Ok(file)
}

/// The socket by way of the open folder: a path in `sockaddr_un` has 108 bytes, a state folder's may be longer.
fn socket_path(dir: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", dir.as_raw_fd()))
}

/// Listens on the folder's socket, mode 0600, in place of an earlier keeper's.
pub fn listen(dir: &File) -> io::Result<UnixListener> {
    let path = socket_path(dir);
    let _ = std::fs::remove_file(&path);
    // SAFETY: cannot fail; the keeper has one thread.
    let before = unsafe { libc::umask(0o177) };
    let listener = UnixListener::bind(&path);
    // SAFETY: as above.
    unsafe { libc::umask(before) };
    let listener = listener?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Removes the socket.
pub fn unlisten(dir: &File) {
    let _ = std::fs::remove_file(socket_path(dir));
}

/// Connects to the folder's socket.
pub fn connect(dir: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(socket_path(&open(dir)?))
}

/// Process and user at the other end, as the kernel knows them.
pub fn peer(stream: &UnixStream) -> io::Result<(i32, u32)> {
    let mut credentials = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of_val(&credentials) as libc::socklen_t;
    let target = (&raw mut credentials).cast();
    // SAFETY: the pointers and the length fit together.
    sys::check(unsafe {
        libc::getsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, target, &mut length)
    })?;
    Ok((credentials.pid, credentials.uid))
}

/// Takes the lock of the state folder for reaper and keeper together; refuses and names the holder if it is taken.
pub fn lock(dir: &Path) -> io::Result<File> {
    let path = dir.join("reaper.lock");
    let mut options = OpenOptions::new();
    let mut file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
    // SAFETY: a valid descriptor.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
        return Ok(file);
    }
    let mut holder = String::new();
    file.read_to_string(&mut holder)?;
    let text = format!("a keeper already runs in {} (reaper pid {})", dir.display(), holder.trim());
    Err(io::Error::new(io::ErrorKind::AddrInUse, text))
}

/// Writes this process's id into the lock file, for those who are refused.
pub fn sign(mut lock: &File) -> io::Result<()> {
    lock.rewind()?;
    lock.set_len(0)?;
    writeln!(lock, "{}", std::process::id())
}
