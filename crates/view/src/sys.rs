//! The few system calls of a view, as safe functions over `libc`.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

fn check(rc: libc::c_int) -> io::Result<()> {
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

pub(crate) fn unshare(flags: libc::c_int) -> io::Result<()> {
    // SAFETY: takes flags only and touches no memory of ours.
    check(unsafe { libc::unshare(flags) })
}

/// mount(2). `kind` is the file system type, `options` its option text.
pub(crate) fn mount(
    source: Option<&Path>,
    target: &Path,
    kind: Option<&str>,
    flags: libc::c_ulong,
    options: Option<&[u8]>,
) -> io::Result<()> {
    let invalid = |_| io::Error::from_raw_os_error(libc::EINVAL);
    let source = source.map(c_path).transpose()?;
    let target = c_path(target)?;
    let kind = kind.map(CString::new).transpose().map_err(invalid)?;
    let options = options.map(CString::new).transpose().map_err(invalid)?;
    let or_null = |text: &Option<CString>| text.as_ref().map_or(std::ptr::null(), |t| t.as_ptr());
    // SAFETY: every pointer is null or a NUL-terminated string that lives until the call returns.
    check(unsafe {
        libc::mount(or_null(&source), target.as_ptr(), or_null(&kind), flags, or_null(&options).cast())
    })
}

/// Makes `new` the root and puts the old one at `old`.
pub(crate) fn pivot_root(new: &Path, old: &Path) -> io::Result<()> {
    let (new, old) = (c_path(new)?, c_path(old)?);
    // SAFETY: both pointers are NUL-terminated strings that live until the call returns.
    let rc = unsafe { libc::syscall(libc::SYS_pivot_root, new.as_ptr(), old.as_ptr()) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes a mount and all below it out of the tree, even while it is in use.
pub(crate) fn detach(path: &Path) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: the pointer is a NUL-terminated string that lives until the call returns.
    check(unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) })
}

pub(crate) fn set_host_name(name: &str) -> io::Result<()> {
    // SAFETY: pointer and length describe one live buffer; no terminator is needed.
    check(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) })
}

/// The name of the host as this process sees it.
pub fn host_name() -> String {
    let mut buffer = [0u8; 256];
    // SAFETY: the pointer and the length are the buffer's, less one byte so that it stays terminated.
    if unsafe { libc::gethostname(buffer.as_mut_ptr().cast(), buffer.len() - 1) } != 0 {
        return String::new();
    }
    let end = buffer.iter().position(|&b| b == 0).unwrap_or(buffer.len());
    String::from_utf8_lossy(&buffer[..end]).into_owned()
}

/// Effective user and group of this process.
pub(crate) fn user_and_group() -> (libc::uid_t, libc::gid_t) {
    // SAFETY: both calls cannot fail and touch no memory.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

/// Lets a process that changed its user write its own `/proc/self/uid_map`.
pub(crate) fn set_dumpable() {
    // SAFETY: changes one attribute of this process; a refusal shows in the write that follows.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) };
}
