//! The few system calls that std lacks, with errors as `io::Error`. Nothing here decides anything.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::report::Stamp;
use bivouac_gather::{Used, process};

/// Turns a negative result into the calling thread's `errno`.
pub fn check<T: Default + PartialOrd>(result: T) -> io::Result<T> {
    if result < T::default() { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Both clocks, now.
pub fn now() -> Stamp {
    let read = |clock| {
        let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `t` is a valid timespec; both clocks exist since Linux 2.6.39.
        unsafe { libc::clock_gettime(clock, &mut t) };
        t.tv_sec * 1000 + t.tv_nsec / 1_000_000
    };
    Stamp { wall_ms: read(libc::CLOCK_REALTIME), boot_ms: read(libc::CLOCK_BOOTTIME) as u64 }
}

/// The kernel's boot id, empty if `/proc` does not tell.
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// A path as the kernel wants it. Paths with NUL bytes do not exist.
pub fn c_path(path: &Path) -> io::Result<CString> {
    c_string(path.as_os_str().as_bytes())
}

/// Bytes as the kernel wants them.
pub fn c_string(bytes: &[u8]) -> io::Result<CString> {
    CString::new(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

/// Whether a process is stopped by a signal, or gone.
pub fn is_stopped(pid: i32) -> bool {
    process(pid).is_none_or(|s| matches!(s.state, b'T' | b't' | b'Z' | b'X'))
}

/// The end of a child, not yet collected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChildEnd {
    /// Which child.
    pub pid: i32,
    /// As of wait(2).
    pub wait_status: i32,
    /// What it and its awaited children used, as wait(2) tells it.
    pub used: Used,
}

/// Looks at any ended child without collecting it. `None`: none has ended. An error of `ECHILD`: there is no child.
pub fn peek_child() -> io::Result<Option<ChildEnd>> {
    // SAFETY: zeroed is a valid value of both structures.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // The raw call, because libc's waitid has no place for the resource usage.
    // SAFETY: both pointers are valid for writing.
    check(unsafe { libc::syscall(libc::SYS_waitid, libc::P_ALL, 0, &mut info, flags, &mut usage) })?;
    // SAFETY: waitid filled the SIGCHLD fields, or left all zero.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    if pid == 0 {
        return Ok(None);
    }
    let wait_status = match info.si_code {
        libc::CLD_EXITED => (status & 0xff) << 8,
        libc::CLD_DUMPED => status | 0x80,
        _ => status,
    };
    Ok(Some(ChildEnd { pid, wait_status, used: Used::of_rusage(&usage) }))
}

/// Collects an ended child.
pub fn reap(pid: i32) {
    // SAFETY: no pointers but null.
    unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::WNOHANG) };
}

/// Sends a signal. Whether somebody got it is answered; why not is of no use to any caller.
pub fn kill(pid: i32, signal: i32) -> bool {
    // SAFETY: no pointers.
    unsafe { libc::kill(pid, signal) == 0 }
}

/// While it lives, this thread touches files as another user. Without root's rights nothing changes.
pub struct FileUser {
    uid: libc::uid_t,
    gid: libc::gid_t,
}

impl FileUser {
    /// Files are touched with these ids from now on.
    pub fn become_user(uid: libc::uid_t, gid: libc::gid_t) -> FileUser {
        // SAFETY: no pointers. Both answer the former id, and cannot fail otherwise than by changing nothing.
        unsafe {
            let gid = libc::setfsgid(gid) as libc::gid_t;
            FileUser { uid: libc::setfsuid(uid) as libc::uid_t, gid }
        }
    }
}

impl Drop for FileUser {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe {
            libc::setfsuid(self.uid);
            libc::setfsgid(self.gid);
        }
    }
}

/// A pidfd, close-on-exec by the kernel.
pub fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: no pointers; the descriptor is fresh and ours.
    unsafe { Ok(OwnedFd::from_raw_fd(check(libc::syscall(libc::SYS_pidfd_open, pid, 0))? as RawFd)) }
}

/// Signals the very process behind a pidfd, never a later one of the same number.
pub fn pidfd_signal(fd: BorrowedFd, signal: i32) -> bool {
    let null = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo is allowed.
    unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd.as_raw_fd(), signal, null, 0) == 0 }
}

#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Forks: 0 in the child. The child is created in the given cgroup v2 if there is one.
///
/// # Safety
/// The calling process has one thread.
pub unsafe fn fork(cgroup: Option<BorrowedFd>) -> io::Result<i32> {
    let mut args = CloneArgs { exit_signal: libc::SIGCHLD as u64, ..Default::default() };
    if let Some(fd) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = fd.as_raw_fd() as u64;
    }
    // SAFETY: `args` is valid and asks for a plain copy of this single-threaded process.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &args, size_of::<CloneArgs>()) };
    match check(pid) {
        // Before Linux 5.3, or where a sandbox hides clone3: plain fork does all but the cgroup.
        Err(e) if cgroup.is_none() && matches!(e.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL)) => {
            // SAFETY: single-threaded by contract.
            check(unsafe { libc::fork() })
        }
        other => other.map(|pid| pid as i32),
    }
}

/// Allows this process as many open files as it may have (a group of each running job is held open); answers what was
/// allowed before, which is what jobs shall get.
pub fn raise_open_files() -> io::Result<libc::rlimit> {
    let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a valid pointer.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut before) })?;
    set_open_files(&libc::rlimit { rlim_cur: before.rlim_max, rlim_max: before.rlim_max })?;
    Ok(before)
}

/// Sets the limit of open files.
pub fn set_open_files(limit: &libc::rlimit) -> io::Result<()> {
    // SAFETY: a valid pointer.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, limit) }).map(drop)
}

/// Signals that the daemons ignore: a write to a closed socket or beyond a size limit is an error to handle.
pub const IGNORED: [i32; 4] = [libc::SIGPIPE, libc::SIGXFSZ, libc::SIGHUP, libc::SIGINT];

/// A daemon's signal actions: all default, whatever was inherited, but for [`IGNORED`].
pub fn daemon_signals() {
    reset_signals(1..=64);
    for signal in IGNORED {
        // SAFETY: SIG_IGN is always allowed.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// These signals back to their default action.
pub fn reset_signals(signals: impl IntoIterator<Item = i32>) {
    for signal in signals {
        // SAFETY: SIG_DFL is always allowed; the few signals that cannot be set answer with an error.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Blocks exactly these signals.
pub fn set_signal_mask(signals: &[i32]) -> libc::sigset_t {
    // SAFETY: the set is initialised by sigemptyset before use.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for s in signals {
            libc::sigaddset(&mut set, *s);
        }
        libc::sigprocmask(libc::SIG_SETMASK, &set, std::ptr::null_mut());
        set
    }
}

/// The system's text for an error number, as `%m` prints it.
pub fn error_text(errno: i32) -> String {
    // SAFETY: strerror returns a valid string; there is one thread to overwrite it.
    unsafe { std::ffi::CStr::from_ptr(libc::strerror(errno)) }.to_string_lossy().into_owned()
}

/// Lets go of the program text that was needed for the start only: what is used again is mapped in again from the page
/// cache. A third of a small daemon's resident memory is such text, most of it the C library's.
pub fn drop_start_up_text() {
    for line in std::fs::read_to_string("/proc/self/maps").unwrap_or_default().lines() {
        let Some((range, rest)) = line.split_once(' ') else { continue };
        let number = |text: &str| usize::from_str_radix(text, 16).ok();
        let bounds = range.split_once('-').and_then(|(a, b)| Some((number(a)?, number(b)?)));
        if let Some((start, end)) = bounds.filter(|_| rest.starts_with("r-xp") && rest.contains('/')) {
            // SAFETY: executable file mappings are never written to, so that nothing but page table entries is lost.
            unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_DONTNEED) };
        }
    }
}

/// A pair of connected sockets, close-on-exec, that do not block.
pub fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut pair = [-1; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: the array has room for two; the descriptors are fresh and ours.
    unsafe {
        check(libc::socketpair(libc::AF_UNIX, kind, 0, pair.as_mut_ptr()))?;
        Ok((OwnedFd::from_raw_fd(pair[0]), OwnedFd::from_raw_fd(pair[1])))
    }
}

/// Room for a control message with one descriptor, aligned as its header.
type Control = [u64; 4];

/// Calls `act` with a message of one byte and room for one descriptor.
fn with_message<T>(act: impl FnOnce(&mut libc::msghdr) -> io::Result<T>) -> io::Result<T> {
    let (mut byte, mut control) = ([0u8; 1], Control::default());
    let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    // SAFETY: zeroed is the empty message.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    (message.msg_iov, message.msg_iovlen) = (&mut part, 1);
    (message.msg_control, message.msg_controllen) = (control.as_mut_ptr().cast(), size_of::<Control>() as _);
    act(&mut message)
}

/// Sends a copy of a descriptor, which lasts in the socket also when this process ends.
pub fn send_descriptor(socket: BorrowedFd, descriptor: RawFd) -> io::Result<()> {
    with_message(|message| {
        // SAFETY: the control buffer has room for the header and one descriptor, and is aligned.
        unsafe {
            message.msg_controllen = libc::CMSG_SPACE(size_of::<RawFd>() as u32) as _;
            let header = libc::CMSG_FIRSTHDR(message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as _;
            libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(descriptor);
            check(libc::sendmsg(socket.as_raw_fd(), message, libc::MSG_NOSIGNAL)).map(drop)
        }
    })
}

/// Takes the descriptor that was sent, if one was.
pub fn receive_descriptor(socket: BorrowedFd) -> io::Result<Option<OwnedFd>> {
    with_message(|message| {
        // SAFETY: the buffers are valid; a descriptor that came is fresh and ours.
        unsafe {
            check(libc::recvmsg(socket.as_raw_fd(), message, libc::MSG_CMSG_CLOEXEC))?;
            let header = libc::CMSG_FIRSTHDR(message);
            let came = !header.is_null() && (*header).cmsg_type == libc::SCM_RIGHTS;
            Ok(came.then(|| OwnedFd::from_raw_fd(libc::CMSG_DATA(header).cast::<RawFd>().read_unaligned())))
        }
    })
}

/// Ends the process at once, without running anything of Rust's or libc's.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: always allowed.
    unsafe { libc::_exit(code) }
}

/// Closes every descriptor from `first` to `last`.
pub fn close_range(first: RawFd, last: RawFd) {
    // SAFETY: the caller gives up these descriptors; the process is about to exec or to exit.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first as u32, last as u32, 0) };
    if done != 0 {
        // SAFETY: as above. Before Linux 5.9.
        (first..=last.min(4096)).for_each(|fd| unsafe {
            libc::close(fd);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_process_is_found() {
        let me = std::process::id() as i32;
        let stat = process(me).unwrap();
        // SAFETY: no arguments.
        assert_eq!(stat.ppid, unsafe { libc::getppid() });
        assert!(stat.start_ticks > 0);
    }
}
