//! The two control group ways of [`Confine`](crate::confine::Confine): v2 with `cgroup.kill`, and the v1 freezer.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::confine::{Confine, Target};
use crate::memory::{self, Seen};
use crate::protocol::KillMode;
use crate::sys;

/// The groups of the slots, below one folder, each held open once used.
pub(crate) struct Groups {
    base: PathBuf,
    open: BTreeMap<usize, OwnedFd>,
}

impl Groups {
    pub(crate) fn new(base: PathBuf) -> io::Result<Groups> {
        make_folder(&base)?;
        Ok(Groups { base, open: BTreeMap::new() })
    }

    /// Opens the slot's group, making it if `make`.
    pub(crate) fn open(&mut self, slot: usize, make: bool) -> io::Result<BorrowedFd<'_>> {
        if !self.open.contains_key(&slot) {
            let path = self.base.join(format!("slot-{slot}"));
            if make {
                make_folder(&self.base)?;
                make_folder(&path)?;
            }
            self.open.insert(slot, File::open(path)?.into());
        }
        Ok(self.open[&slot].as_fd())
    }

    pub(crate) fn get(&self, slot: usize) -> Option<BorrowedFd<'_>> {
        self.open.get(&slot).map(|fd| fd.as_fd())
    }

    /// Living processes of a slot's group and of the groups that the job made below it.
    fn members(&mut self, slot: Option<usize>) -> Vec<i32> {
        let Some(slot) = slot else { return Vec::new() };
        let path = self.base.join(format!("slot-{slot}"));
        match self.open(slot, false).and_then(|fd| read_at(fd, c"cgroup.procs")) {
            Ok(text) => {
                let mut pids: Vec<i32> = text.lines().filter_map(|l| l.parse().ok()).collect();
                below(&path, &mut |p| {
                    let text = std::fs::read_to_string(p.join("cgroup.procs")).unwrap_or_default();
                    pids.extend(text.lines().filter_map(|l| l.parse::<i32>().ok()));
                });
                pids
            }
            Err(_) => Vec::new(),
        }
    }

    /// Whether a process is in the slot's group, or in one below it.
    fn has(&self, slot: Option<usize>, pid: i32) -> bool {
        let (Some(slot), Some(name)) = (slot, self.base.file_name()) else { return false };
        let group = format!("/{}/slot-{slot}", name.to_string_lossy());
        let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let within = |line: &str| {
            line.split_once(&group).is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with('/'))
        };
        text.lines().any(within)
    }

    /// Removes the slot's group, if there is one; false while something is in it.
    pub(crate) fn remove(&mut self, slot: usize) -> bool {
        self.open.remove(&slot);
        let path = self.base.join(format!("slot-{slot}"));
        below(&path, &mut |p| drop(std::fs::remove_dir(p)));
        match std::fs::remove_dir(path) {
            Err(e) => e.kind() == io::ErrorKind::NotFound,
            Ok(()) => true,
        }
    }

    pub(crate) fn dissolve(&mut self) {
        self.open.clear();
        let base = self.base.clone();
        below(&base, &mut |p| drop(std::fs::remove_dir(p)));
        let _ = std::fs::remove_dir(base);
    }
}

/// Visits the groups below a folder, deepest first.
fn below(folder: &Path, visit: &mut dyn FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            below(&entry.path(), visit);
            visit(&entry.path());
        }
    }
}

pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    match std::fs::create_dir(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
            Err(io::Error::new(e.kind(), format!("cannot make the control group {}: {e}", path.display())))
        }
        _ => Ok(()),
    }
}

fn open_at(folder: BorrowedFd, name: &std::ffi::CStr, flags: i32) -> io::Result<File> {
    // SAFETY: valid descriptor and string; the new descriptor is ours.
    unsafe {
        let fd = sys::check(libc::openat(folder.as_raw_fd(), name.as_ptr(), flags | libc::O_CLOEXEC))?;
        Ok(File::from_raw_fd(fd))
    }
}

pub(crate) fn read_at(folder: BorrowedFd, name: &std::ffi::CStr) -> io::Result<String> {
    let mut text = String::new();
    open_at(folder, name, libc::O_RDONLY)?.read_to_string(&mut text)?;
    Ok(text)
}

/// The start of a short file, with as few calls as can be: this is done for each job.
fn read_start(folder: BorrowedFd, name: &std::ffi::CStr) -> io::Result<String> {
    let mut bytes = [0; 128];
    let n = open_at(folder, name, libc::O_RDONLY)?.read(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes[..n]).into_owned())
}

pub(crate) fn write_at(folder: BorrowedFd, name: &std::ffi::CStr, text: &str) -> io::Result<()> {
    open_at(folder, name, libc::O_WRONLY)?.write_all(text.as_bytes())
}

/// cgroup v2: children are born into their group, `cgroup.kill` ends it with everything below.
///
/// What a group has used of CPU time is counted over all attempts that were in it; each begins where the one before ended.
///
/// A group that was killed is not used again but made anew: kernels that number the kills of a group (Linux 6.14 and
/// later) take a child born into it for one that the earlier kill missed, and kill it.
pub struct CgroupV2 {
    groups: Groups,
    /// Made by this process and never killed.
    fresh: BTreeSet<usize>,
    /// Whether the groups can limit memory.
    memory: bool,
    /// Made for one attempt with a memory limit: not to be used again.
    limited: BTreeSet<usize>,
    /// CPU time that was counted so far, of groups that were made by this process.
    counted: BTreeMap<usize, (u64, u64)>,
}

impl CgroupV2 {
    /// Uses the folder `base`; an error if no child can be born into a group there or it cannot be killed as one.
    pub fn new(base: PathBuf) -> io::Result<CgroupV2> {
        let mut groups = Groups::new(base)?;
        let path = groups.base.join("probe");
        let probe = || -> io::Result<()> {
            make_folder(&path)?;
            let folder: OwnedFd = File::open(&path)?.into();
            open_at(folder.as_fd(), c"cgroup.kill", libc::O_WRONLY)?;
            // SAFETY: the keeper has one thread, and the child only exits.
            let pid = unsafe { sys::fork(Some(folder.as_fd())) }?;
            if pid == 0 {
                sys::exit_now(0);
            }
            // SAFETY: no pointers but null; the child ends at once.
            sys::check(unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) })?;
            // The kernel may hold the dead child against it for a moment; then it goes with the others at the end.
            let _ = std::fs::remove_dir(&path);
            Ok(())
        };
        let answer = probe();
        if answer.is_err() {
            groups.dissolve();
        }
        let memory = answer.is_ok() && memory::hand_down(&groups.base, "memory").is_ok();
        answer.map(|()| CgroupV2 {
            groups,
            fresh: BTreeSet::new(),
            memory,
            limited: BTreeSet::new(),
            counted: BTreeMap::new(),
        })
    }

    fn populated(&mut self, slot: usize) -> bool {
        let events = self.groups.open(slot, false).and_then(|fd| read_start(fd, c"cgroup.events"));
        events.is_ok_and(|text| text.contains("populated 1"))
    }
}

impl Confine for CgroupV2 {
    fn mode(&self) -> KillMode {
        KillMode::CgroupV2
    }

    fn ready(&mut self, slot: usize) -> io::Result<bool> {
        if self.limited.remove(&slot) {
            self.fresh.remove(&slot);
        }
        if self.fresh.contains(&slot) {
            match self.groups.open(slot, false).and_then(|fd| read_start(fd, c"cgroup.events")) {
                Ok(events) => return Ok(!events.contains("populated 1")),
                // Somebody tidied up below us: make it anew.
                Err(_) => self.fresh.remove(&slot),
            };
        }
        if !self.groups.remove(slot) {
            return Ok(false);
        }
        self.groups.open(slot, true)?;
        self.fresh.insert(slot);
        self.counted.insert(slot, (0, 0));
        Ok(true)
    }

    fn birthplace(&self, slot: usize) -> Option<BorrowedFd<'_>> {
        self.groups.get(slot)
    }

    /// The child was born in its group, if that could be opened; outside of it no job is to run.
    fn enter(&self, slot: usize) -> io::Result<()> {
        self.groups.get(slot).map(drop).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
    }

    fn members(&mut self, target: &Target) -> Vec<i32> {
        self.groups.members(target.slot)
    }

    fn owns(&self, target: &Target, pid: i32) -> bool {
        self.groups.has(target.slot, pid)
    }

    fn cpu_us(&mut self, slot: usize) -> Option<(u64, u64)> {
        // Of a group that an earlier keeper made it is not known what others had used in it.
        let counted = self.counted.get_mut(&slot)?;
        let text = self.groups.open(slot, false).and_then(|fd| read_start(fd, c"cpu.stat")).ok()?;
        let all = bivouac_gather::parse::cpu_stat(text.as_bytes())?;
        let before = std::mem::replace(counted, all);
        Some((all.0.saturating_sub(before.0), all.1.saturating_sub(before.1)))
    }

    fn kill(&mut self, target: &Target) -> bool {
        let Some(slot) = target.slot else { return true };
        if !self.populated(slot) {
            return true;
        }
        self.fresh.remove(&slot);
        let _ = self.groups.open(slot, false).and_then(|fd| write_at(fd, c"cgroup.kill", "1"));
        false
    }

    fn limits_memory(&self) -> bool {
        self.memory
    }

    fn limit_memory(&mut self, slot: usize, bytes: u64) -> io::Result<()> {
        if !self.memory || !self.groups.remove(slot) {
            return Err(io::Error::from_raw_os_error(libc::EBUSY));
        }
        self.limited.insert(slot);
        self.counted.insert(slot, (0, 0));
        let group = self.groups.open(slot, true)?;
        write_at(group, c"memory.max", &bytes.to_string())?;
        memory::absent(write_at(group, c"memory.swap.max", "0"))
    }

    fn memory_seen(&mut self, slot: usize) -> Option<Seen> {
        let group = self.groups.open(slot, false).ok()?;
        let oom_kills = memory::value_of(&read_at(group, c"memory.events").ok()?, "oom_kill")?;
        // Linux before 5.19 does not tell the peak.
        let peak = read_at(group, c"memory.peak").unwrap_or_default();
        Some(Seen { oom_kills, peak: peak.trim().parse().unwrap_or(0) })
    }

    fn dissolve(&mut self) {
        self.groups.dissolve();
    }
}

/// cgroup v1: the child enters its group before anything else; to kill, the group is frozen, so that nothing can fork
/// away, every member is killed, and the group is thawed.
pub struct Freezer {
    groups: Groups,
}

impl Freezer {
    /// Uses the folder `base`; an error if no group can be made there.
    pub fn new(base: PathBuf) -> io::Result<Freezer> {
        let mut groups = Groups::new(base)?;
        let answer = groups.open(0, true).and_then(|fd| write_at(fd, c"freezer.state", "THAWED"));
        if answer.is_err() {
            groups.dissolve();
        }
        answer.map(|()| Freezer { groups })
    }
}

impl Confine for Freezer {
    fn mode(&self) -> KillMode {
        KillMode::Freezer
    }

    fn ready(&mut self, slot: usize) -> io::Result<bool> {
        let fd = self.groups.open(slot, true)?;
        if read_start(fd, c"freezer.state").is_err() {
            // Somebody tidied up below us: make it anew.
            self.groups.remove(slot);
            self.groups.open(slot, true)?;
        }
        Ok(self.groups.members(Some(slot)).is_empty())
    }

    fn birthplace(&self, _slot: usize) -> Option<BorrowedFd<'_>> {
        None
    }

    fn enter(&self, slot: usize) -> io::Result<()> {
        let group = self.groups.get(slot).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))?;
        write_at(group, c"cgroup.procs", "0")
    }

    fn members(&mut self, target: &Target) -> Vec<i32> {
        self.groups.members(target.slot)
    }

    fn owns(&self, target: &Target, pid: i32) -> bool {
        self.groups.has(target.slot, pid)
    }

    fn cpu_us(&mut self, _slot: usize) -> Option<(u64, u64)> {
        None
    }

    fn kill(&mut self, target: &Target) -> bool {
        let Some(slot) = target.slot else { return true };
        if self.groups.members(Some(slot)).is_empty() {
            return true;
        }
        let Ok(group) = self.groups.open(slot, false).and_then(|fd| fd.try_clone_to_owned()) else {
            return true;
        };
        let _ = write_at(group.as_fd(), c"freezer.state", "FROZEN");
        // Reading drives the transition on; a member in an uninterruptible sleep may hold it up.
        for _ in 0..20 {
            if read_at(group.as_fd(), c"freezer.state").is_ok_and(|s| s.trim() == "FROZEN") {
                break;
            }
        }
        for pid in self.groups.members(Some(slot)) {
            sys::kill(pid, libc::SIGKILL);
        }
        let _ = write_at(group.as_fd(), c"freezer.state", "THAWED");
        false
    }

    fn dissolve(&mut self) {
        self.groups.dissolve();
    }
}
