//! The names of a step's nodes: a task finds its node's as its host's.
//!
//! Each node has a UTS namespace, which the node's tasks enter. An ordinary user needs a user namespace around them;
//! all tasks of the step share it, for the kernel lets processes of one user look into each other's memory, as MPI libraries do
//! on one machine, only within one user namespace.

use super::forward;
use bivouac_types::Blob;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// The namespaces of a step. Empty where the kernel makes none, or where none are needed.
#[derive(Default)]
pub struct Hosts {
    user: Option<OwnedFd>,
    nodes: BTreeMap<String, OwnedFd>,
}

/// What a task enters.
#[derive(Clone, Copy)]
pub struct Entry {
    user: Option<RawFd>,
    node: Option<RawFd>,
}

impl Hosts {
    /// For the nodes of a step.
    pub fn make(nodes: &[&str]) -> Hosts {
        let here = host_name();
        let others: Vec<&str> = nodes.iter().copied().filter(|name| name.as_bytes() != here).collect();
        // Where it cannot be done tasks find this host's name, as they say they are on one machine.
        if others.is_empty() { Hosts::default() } else { Hosts::try_make(&others).unwrap_or_default() }
    }

    fn try_make(nodes: &[&str]) -> io::Result<Hosts> {
        let names: Vec<CString> = nodes.iter().map(|n| CString::new(*n)).collect::<Result<_, _>>()?;
        let maps = Maps::own();
        let (mut read, write) = forward::pipe()?;
        let flags = libc::CLONE_FILES | libc::SIGCHLD;
        // SAFETY: a copy of this process, as fork makes it, but with the same descriptors; it makes system calls on memory
        // prepared before, and leaves without running what this process registered.
        let pid = match unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) } {
            -1 => return Err(io::Error::last_os_error()),
            // SAFETY: leaving has no preconditions.
            0 => unsafe { libc::_exit(i32::from(!make_all(&names, &maps, write.as_raw_fd()))) },
            pid => pid as libc::pid_t,
        };
        let mut status = -1;
        // SAFETY: the pointer is valid, and the child is nobody else's to reap.
        let done = unsafe { libc::waitpid(pid, &mut status, 0) } == pid && status == 0;
        drop(write);
        let mut told = Vec::new();
        read.read_to_end(&mut told)?;
        let (numbers, _) = told.as_chunks::<4>();
        // SAFETY: the child opened these descriptors in the table that it shares with this process, which owns them now.
        let mut opened = numbers.iter().map(|n| unsafe { OwnedFd::from_raw_fd(RawFd::from_ne_bytes(*n)) });
        let uts: Vec<OwnedFd> = opened.by_ref().take(names.len()).collect();
        let user = opened.next();
        if !done {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(Hosts { user, nodes: nodes.iter().map(|n| (*n).to_owned()).zip(uts).collect() })
    }

    /// Whether the kernel made any.
    #[cfg(test)]
    pub fn are_known(&self) -> bool {
        !self.nodes.is_empty()
    }

    /// What tasks of several nodes need that all find this host's name. Open MPI calls its shared memory after the host and a
    /// rank's number on its node, so that ranks of two nodes would write over each other.
    pub fn variable(&self, nodes: usize, environment: &[Blob]) -> Option<(&'static str, String)> {
        let given = environment.iter().any(|entry| entry.0.starts_with(b"OMPI_MCA_btl="));
        (nodes > 1 && self.nodes.is_empty() && !given).then(|| ("OMPI_MCA_btl", "^vader,sm".to_owned()))
    }

    /// What a task of that node enters.
    pub fn of(&self, node: &str) -> Entry {
        let raw = |fd: &OwnedFd| fd.as_raw_fd();
        Entry { user: self.user.as_ref().map(raw), node: self.nodes.get(node).map(raw) }
    }
}

impl Entry {
    /// Moves the calling process there. Async-signal-safe.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn enter(self) -> io::Result<()> {
        let kinds = [(self.user, libc::CLONE_NEWUSER), (self.node, libc::CLONE_NEWUTS)];
        for (fd, kind) in kinds.into_iter().filter_map(|(fd, kind)| Some((fd?, kind))) {
            // SAFETY: setns acts on this process alone.
            if unsafe { libc::setns(fd, kind) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }
}

/// Makes a UTS namespace for each name and writes the numbers of their descriptors, then that of the user namespace
/// if one had to be made. Whether all of that worked. Async-signal-safe.
fn make_all(names: &[CString], maps: &Maps, to: RawFd) -> bool {
    // SAFETY: unshare acts on this process alone.
    let lacks_rights = unsafe { libc::unshare(libc::CLONE_NEWUTS) } != 0;
    if lacks_rights && !maps.enter_new() {
        return false;
    }
    let tell = |path: &CStr| {
        // SAFETY: the path is terminated; the pointer and the length are the number's.
        unsafe {
            let fd: RawFd = libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
            fd >= 0 && libc::write(to, fd.to_ne_bytes().as_ptr().cast(), size_of::<RawFd>()) == 4
        }
    };
    names.iter().all(|name| {
        // SAFETY: as above; the pointer and the length are the name's.
        let named = unsafe {
            libc::unshare(libc::CLONE_NEWUTS) == 0
                && libc::sethostname(name.as_ptr(), name.as_bytes().len()) == 0
        };
        named && tell(c"/proc/self/ns/uts")
    }) && (!lacks_rights || tell(c"/proc/self/ns/user"))
}

/// What makes a user namespace in which the user stays who he is.
struct Maps {
    uid: Vec<u8>,
    gid: Vec<u8>,
}

impl Maps {
    fn own() -> Maps {
        // SAFETY: both calls have no preconditions.
        let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
        Maps { uid: format!("{uid} {uid} 1").into_bytes(), gid: format!("{gid} {gid} 1").into_bytes() }
    }

    /// Moves the calling process to a new user namespace. Async-signal-safe.
    fn enter_new(&self) -> bool {
        let write = |path: &CStr, bytes: &[u8]| {
            // SAFETY: the path is terminated, the pointer and the length are the slice's, the descriptor is closed once.
            unsafe {
                let fd = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
                let written =
                    fd >= 0 && libc::write(fd, bytes.as_ptr().cast(), bytes.len()) == bytes.len() as isize;
                libc::close(fd);
                written
            }
        };
        // SAFETY: unshare acts on this process alone.
        let entered = unsafe { libc::unshare(libc::CLONE_NEWUSER) } == 0;
        entered
            && write(c"/proc/self/uid_map", &self.uid)
            && write(c"/proc/self/setgroups", b"deny")
            && write(c"/proc/self/gid_map", &self.gid)
    }
}

/// This host's name.
pub fn host_name() -> Vec<u8> {
    let mut buffer = [0u8; 256];
    // SAFETY: the pointer and the length are the buffer's, less one byte so that it stays terminated.
    if unsafe { libc::gethostname(buffer.as_mut_ptr().cast(), buffer.len() - 1) } != 0 {
        return Vec::new();
    }
    let end = buffer.iter().position(|&b| b == 0).unwrap_or(buffer.len());
    buffer[..end].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_hosts_own_name_needs_nothing() {
        let here = String::from_utf8(host_name()).unwrap();
        let hosts = Hosts::make(&[&here]);
        assert!(hosts.user.is_none() && hosts.nodes.is_empty());
        assert!(hosts.of(&here).node.is_none());
    }

    #[test]
    fn ranks_of_nodes_with_one_name_share_no_memory() {
        let none = Hosts::default();
        assert_eq!(none.variable(2, &[]), Some(("OMPI_MCA_btl", "^vader,sm".into())));
        assert_eq!(none.variable(1, &[]), None);
        assert_eq!(
            none.variable(2, &[Blob(b"OMPI_MCA_btl=self,tcp".to_vec())]),
            None,
            "the user knows better"
        );
    }
}
