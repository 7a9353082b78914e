//! Job-local scratch folders: made before the job, removed after it, never following a link.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::sys;

/// Makes the folder, mode 0700, owned by the user. One that exists is accepted if it is the user's own folder.
pub fn make(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let name = sys::c_path(path)?;
    // SAFETY: a valid string.
    let made = unsafe { libc::mkdir(name.as_ptr(), 0o700) } == 0;
    if !made && io::Error::last_os_error().raw_os_error() != Some(libc::EEXIST) {
        return Err(io::Error::last_os_error());
    }
    let folder = open_folder(libc::AT_FDCWD, &name)?;
    let stat = stat_of(folder.as_raw_fd())?;
    if made && (stat.st_uid, stat.st_gid) != (uid, gid) {
        // SAFETY: a valid descriptor.
        sys::check(unsafe { libc::fchown(folder.as_raw_fd(), uid, gid) })?;
    } else if !made && stat.st_uid != uid {
        return Err(io::Error::from_raw_os_error(libc::EEXIST));
    }
    Ok(())
}

/// Moves the folder out of the way, so that its path is free at once for the job's next attempt. Answers where it is
/// now; also if an earlier keeper had moved it already.
pub fn set_aside(path: &Path, mark: &str) -> io::Result<PathBuf> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".removing-{mark}"));
    match std::fs::rename(path, &aside) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(aside.into()),
    }
}

/// Removes the folder with its contents: the contents as the user (if root calls), the folder itself as the caller.
/// An absent folder is removed already. Mount points below are left alone, which leaves the folder, too.
/// Changes the effective ids on the way: to be called in a process of its own.
pub fn remove(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let name = sys::c_path(path)?;
    let top = match open_folder(libc::AT_FDCWD, &name) {
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => return Ok(()),
        other => other?,
    };
    // SAFETY: raw calls, since libc's are for threads; no pointers but null.
    unsafe {
        if libc::geteuid() == 0 && uid != 0 {
            sys::check(libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()))?;
            sys::check(libc::syscall(libc::SYS_setresgid, -1, gid, -1))?;
            sys::check(libc::syscall(libc::SYS_setresuid, -1, uid, -1))?;
        }
        let cleared = clear(&top, &top, stat_of(top.as_raw_fd())?.st_dev, 0, &mut 0);
        libc::syscall(libc::SYS_setresuid, -1, libc::getuid(), -1);
        libc::syscall(libc::SYS_setresgid, -1, libc::getgid(), -1);
        cleared?;
        sys::check(libc::rmdir(name.as_ptr()))?;
    }
    Ok(())
}

/// Below this depth folders are first moved to the top, so that neither descriptors nor the stack run out.
const MAX_DEPTH: u32 = 100;

fn clear(
    folder: &OwnedFd,
    top: &OwnedFd,
    device: libc::dev_t,
    depth: u32,
    moved: &mut u64,
) -> io::Result<()> {
    let mut first_error = None;
    loop {
        let mut again = false;
        for name in names(folder)? {
            // SAFETY: valid descriptor and string.
            if unsafe { libc::unlinkat(folder.as_raw_fd(), name.as_ptr(), 0) } == 0 {
                continue;
            }
            match remove_folder(folder, &name, top, device, depth, moved) {
                Ok(true) => again = true,
                Ok(false) => {}
                Err(e) => first_error = first_error.or(Some(e)),
            }
        }
        if !again {
            return first_error.map_or(Ok(()), Err);
        }
    }
}

/// True if the folder was moved to the top, which then has to be read again.
fn remove_folder(
    parent: &OwnedFd,
    name: &CStr,
    top: &OwnedFd,
    device: libc::dev_t,
    depth: u32,
    moved: &mut u64,
) -> io::Result<bool> {
    let (at, to) = (parent.as_raw_fd(), top.as_raw_fd());
    if depth >= MAX_DEPTH {
        *moved += 1;
        let target = sys::c_string(format!(".bivouac-removing-{moved}").as_bytes())?;
        // SAFETY: valid descriptors and strings.
        sys::check(unsafe { libc::renameat(at, name.as_ptr(), to, target.as_ptr()) })?;
        return Ok(true);
    }
    let folder = match open_folder(at, name) {
        // A folder without permissions for its owner: it is the user's, give them back.
        Err(e) if e.raw_os_error() == Some(libc::EACCES) => {
            // SAFETY: valid descriptor and string; run as the user, so that a link swapped in gains nothing.
            unsafe { libc::fchmodat(at, name.as_ptr(), 0o700, 0) };
            open_folder(at, name)?
        }
        other => other?,
    };
    let stat = stat_of(folder.as_raw_fd())?;
    if stat.st_dev != device {
        return Err(io::Error::from_raw_os_error(libc::EBUSY));
    }
    if stat.st_mode & 0o300 != 0o300 {
        // SAFETY: a valid descriptor.
        unsafe { libc::fchmod(folder.as_raw_fd(), 0o700) };
    }
    let before = *moved;
    clear(&folder, top, device, depth + 1, moved)?;
    // SAFETY: valid descriptor and string.
    sys::check(unsafe { libc::unlinkat(at, name.as_ptr(), libc::AT_REMOVEDIR) })?;
    Ok(depth == 0 && *moved > before)
}

fn open_folder(at: i32, name: &CStr) -> io::Result<OwnedFd> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: valid descriptor and string; the new descriptor is ours.
    unsafe { Ok(OwnedFd::from_raw_fd(sys::check(libc::openat(at, name.as_ptr(), flags))?)) }
}

fn stat_of(fd: i32) -> io::Result<libc::stat> {
    // SAFETY: zeroed is a valid stat; the pointer is valid.
    unsafe {
        let mut stat = std::mem::zeroed();
        sys::check(libc::fstat(fd, &mut stat))?;
        Ok(stat)
    }
}

/// The entries of an open folder, by descriptor: after the change of user `/proc/self/fd` is closed to this process.
fn names(folder: &OwnedFd) -> io::Result<Vec<CString>> {
    let again = open_folder(folder.as_raw_fd(), c".")?;
    let mut names = Vec::new();
    // SAFETY: the stream takes over the descriptor and is closed here; entries are copied before the next call.
    unsafe {
        let stream = libc::fdopendir(again.into_raw_fd());
        if stream.is_null() {
            return Err(io::Error::last_os_error());
        }
        loop {
            let entry = libc::readdir(stream);
            if entry.is_null() {
                break;
            }
            let name = CStr::from_ptr((*entry).d_name.as_ptr());
            if name != c"." && name != c".." {
                names.push(name.to_owned());
            }
        }
        libc::closedir(stream);
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn me() -> (u32, u32) {
        // SAFETY: no arguments.
        unsafe { (libc::geteuid(), libc::getegid()) }
    }

    #[test]
    fn a_folder_comes_and_goes_with_all_it_holds() {
        let (uid, gid) = me();
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("precious"), "x").unwrap();
        let scratch = dir.path().join("scratch");
        make(&scratch, uid, gid).unwrap();
        assert_eq!(std::fs::metadata(&scratch).unwrap().permissions().mode() & 0o7777, 0o700);
        make(&scratch, uid, gid).unwrap();
        std::os::unix::fs::symlink(&outside, scratch.join("link")).unwrap();
        std::fs::create_dir_all(scratch.join("a/locked")).unwrap();
        std::fs::write(scratch.join("a/locked/f"), "").unwrap();
        std::fs::set_permissions(scratch.join("a/locked"), PermissionsExt::from_mode(0o0)).unwrap();
        let aside = set_aside(&scratch, "5.0").unwrap();
        assert!(!scratch.exists());
        assert_eq!(set_aside(&scratch, "5.0").unwrap(), aside);
        remove(&aside, uid, gid).unwrap();
        assert!(!aside.exists());
        assert!(outside.join("precious").exists());
        remove(&aside, uid, gid).unwrap();
    }

    #[test]
    fn depth_is_no_obstacle() {
        let (uid, gid) = me();
        let dir = tempfile::tempdir().unwrap();
        let scratch = dir.path().join("s");
        make(&scratch, uid, gid).unwrap();
        std::fs::create_dir_all(scratch.join("d/".repeat(450))).unwrap();
        remove(&scratch, uid, gid).unwrap();
        assert!(!scratch.exists());
    }

    #[test]
    fn a_link_in_its_place_is_refused() {
        let (uid, gid) = me();
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("s");
        std::os::unix::fs::symlink(dir.path(), &link).unwrap();
        assert!(make(&link, uid, gid).is_err());
        assert!(remove(&link, uid, gid).is_err());
        assert!(dir.path().exists());
    }
}
