//! The memory of an attempt's processes: kept below a limit by a control group where one can be had, else measured.
//!
//! A group with a limit is made for one attempt and never used again: what an earlier one left in the page cache would count
//! against the next, and its peak and its kills could not be told from the next one's.

use std::io;
use std::path::{Path, PathBuf};

use crate::cgroup::{self, Groups};

/// How memory limits are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MemoryMode {
    /// The keeper looks now and then, and kills the attempt that has too much.
    Watched = 1,
    /// By the kernel, in a control group.
    Enforced = 2,
}

/// What a group with a limit knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Processes that the kernel killed because of the limit.
    pub oom_kills: u64,
    /// The most that was ever in use, bytes, page cache included; 0 where the kernel does not tell.
    pub peak: u64,
}

/// No slot: those of an earlier keeper may still be in use.
const PROBE: usize = usize::MAX;

/// Groups of the cgroup v1 memory controller, one for each slot whose attempt has a limit. The child enters before it does
/// anything else.
pub struct V1 {
    groups: Groups,
}

impl V1 {
    /// Uses the folder `base`; an error if no group with a limit can be made there, or it does not count its kills.
    pub fn new(base: PathBuf) -> io::Result<V1> {
        let mut v1 = V1 { groups: Groups::new(base)? };
        let answer = v1.limit(PROBE, 1 << 30).and_then(|()| {
            let counts = v1.seen(PROBE).is_some();
            v1.release(PROBE);
            counts.then_some(()).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOTSUP))
        });
        if answer.is_err() {
            v1.groups.dissolve();
        }
        answer.map(|()| v1)
    }

    /// Makes the slot's group anew, with this limit of memory and swap together.
    pub fn limit(&mut self, slot: usize, bytes: u64) -> io::Result<()> {
        if !self.groups.remove(slot) {
            return Err(io::Error::from_raw_os_error(libc::EBUSY));
        }
        let group = self.groups.open(slot, true)?;
        cgroup::write_at(group, c"memory.limit_in_bytes", &bytes.to_string())?;
        // Absent where swap is not counted.
        absent(cgroup::write_at(group, c"memory.memsw.limit_in_bytes", &bytes.to_string()))
    }

    /// Called in the child.
    pub fn enter(&self, slot: usize) -> io::Result<()> {
        let group = self.groups.get(slot).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))?;
        cgroup::write_at(group, c"cgroup.procs", "0")
    }

    /// What the slot's group knows, if there is one.
    pub fn seen(&mut self, slot: usize) -> Option<Seen> {
        let group = self.groups.open(slot, false).ok()?;
        let oom_kills = value_of(&cgroup::read_at(group, c"memory.oom_control").ok()?, "oom_kill")?;
        let peak = cgroup::read_at(group, c"memory.max_usage_in_bytes").unwrap_or_default();
        Some(Seen { oom_kills, peak: peak.trim().parse().unwrap_or(0) })
    }

    /// Removes the slot's group, if it is empty.
    pub fn release(&mut self, slot: usize) {
        self.groups.remove(slot);
    }

    /// Removes all that are empty.
    pub fn dissolve(&mut self) {
        self.groups.dissolve();
    }
}

/// A file that is not there is no error.
pub(crate) fn absent(done: io::Result<()>) -> io::Result<()> {
    done.or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })
}

/// The number after a name, in a file of such lines.
pub(crate) fn value_of(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' '))?;
    line.trim().parse().ok()
}

/// The folder in which the daemons themselves are, once they had to leave the group above the jobs' groups.
pub(crate) const DAEMONS: &str = "bivouac-daemons";

/// Lets the groups below `base`, a folder in this process's own group of cgroup v2, have a controller. A group that hands
/// controllers on may have no processes of its own; where all of those are ours, they go into a group beside `base`.
pub(crate) fn hand_down(base: &Path, controller: &str) -> io::Result<()> {
    let own = base.parent().ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))?;
    let switch = format!("+{controller}");
    let ask = |folder: &Path| std::fs::write(folder.join("cgroup.subtree_control"), &switch);
    let mut answer = ask(own);
    if answer.as_ref().is_err_and(|e| e.raw_os_error() == Some(libc::EBUSY)) && all_ours(own) {
        let aside = own.join(DAEMONS);
        cgroup::make_folder(&aside)?;
        for pid in processes(own) {
            std::fs::write(aside.join("cgroup.procs"), pid.to_string())?;
        }
        answer = ask(own);
    }
    answer.and_then(|()| ask(base))
}

fn processes(group: &Path) -> Vec<i32> {
    let text = std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|l| l.parse().ok()).collect()
}

/// Whether only our programs are in a group: others are not moved about.
fn all_ours(group: &Path) -> bool {
    let ours = |pid: &i32| {
        let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        program.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"bivouac"))
    };
    processes(group).iter().all(ours)
}

/// What of a process is in memory, KiB: pages that it shares with others count in full. 0 for one that is gone.
pub fn resident_kb(pid: i32) -> u64 {
    let pages = |text: String| text.split(' ').nth(1)?.parse::<u64>().ok();
    // SAFETY: no pointers.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64;
    std::fs::read_to_string(format!("/proc/{pid}/statm")).ok().and_then(pages).unwrap_or(0) * page / 1024
}

/// The same, with shared pages divided among those that share them. Dearer, and not for processes of others unless root.
pub fn proportional_kb(pid: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"));
    let known = text.ok().and_then(|t| {
        t.lines().find_map(|l| l.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.parse().ok())
    });
    known.unwrap_or_else(|| resident_kb(pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_whole_name() {
        let v2 = "low 0\nhigh 0\nmax 31\noom 2\noom_kill 1\noom_group_kill 0\n";
        assert_eq!((value_of(v2, "oom"), value_of(v2, "oom_kill")), (Some(2), Some(1)));
        let v1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n";
        assert_eq!(value_of(v1, "oom_kill"), Some(4));
        // Linux before 4.13.
        assert_eq!(value_of("oom_kill_disable 0\nunder_oom 0\n", "oom_kill"), None);
        assert_eq!(value_of("oom_kill many\n", "oom_kill"), None);
    }

    #[test]
    fn a_process_is_measured() {
        let own = std::process::id() as i32;
        assert!(resident_kb(own) > 500 && proportional_kb(own) > 100);
        assert_eq!((resident_kb(-1), proportional_kb(-1)), (0, 0));
    }
}
