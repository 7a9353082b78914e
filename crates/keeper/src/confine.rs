//! Finding and killing everything that an attempt ever started.
//!
//! Three ways, the surest usable one is chosen at start: cgroup v2 with `cgroup.kill`, the cgroup v1 freezer, or a
//! search through `/proc`. Groups belong to journal slots, not to attempts: a slot is reused only when its group is
//! empty, and making and removing a group per job is saved. Nothing but membership is ever read from them, except where a
//! memory limit is kept by the same group: that one is made for its attempt (see [`crate::memory`]).

use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use crate::cgroup::{CgroupV2, Freezer};
use crate::memory::{self, Seen};
use crate::protocol::KillMode;
use crate::report::Attempt;
use crate::search::Search;

/// Forces a kill mode: `cgroup2`, `freezer` or `search`. For tests, and to find out what a machine can do.
pub const MODE_VARIABLE: &str = "BIVOUAC_KILL_MODE";

/// Whom to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The attempt.
    pub attempt: Attempt,
    /// Its journal slot, if it has one.
    pub slot: Option<usize>,
    /// Its batch process, also when it has just ended and is not yet collected.
    pub pid: Option<i32>,
    /// Whether the batch process has ended.
    pub ended: bool,
}

/// One way to hold an attempt's processes together.
pub trait Confine {
    /// Which way it is.
    fn mode(&self) -> KillMode;

    /// Makes the group of a slot ready for a new attempt; false if an earlier one's processes are still in it.
    fn ready(&mut self, slot: usize) -> io::Result<bool>;

    /// The cgroup v2 into which the child is to be born.
    fn birthplace(&self, slot: usize) -> Option<BorrowedFd<'_>>;

    /// Called in the child: enters the slot's group where birth did not do it.
    fn enter(&self, slot: usize) -> io::Result<()>;

    /// The attempt's living processes.
    fn members(&mut self, target: &Target) -> Vec<i32>;

    /// Whether a process is one of the attempt's, as far as this way can tell.
    fn owns(&self, target: &Target, pid: i32) -> bool;

    /// CPU time of all that was in the slot's group since it was asked for last, user and system in microseconds; none: nothing
    /// counts that.
    fn cpu_us(&mut self, slot: usize) -> Option<(u64, u64)>;

    /// One round of killing. True if nothing was left to kill.
    fn kill(&mut self, target: &Target) -> bool;

    /// Whether the same groups can limit memory.
    fn limits_memory(&self) -> bool {
        false
    }

    /// Makes the group of a slot anew, with a limit of memory in bytes. Before the attempt's first process.
    fn limit_memory(&mut self, _slot: usize, _bytes: u64) -> io::Result<()> {
        Err(io::Error::from_raw_os_error(libc::ENOTSUP))
    }

    /// What the group of a slot knows about its memory.
    fn memory_seen(&mut self, _slot: usize) -> Option<Seen> {
        None
    }

    /// Removes the groups, as far as they are empty.
    fn dissolve(&mut self);
}

/// What processes are marked with, by variables in their environment.
#[derive(Clone, Debug)]
pub struct Marks {
    /// Names the state folder (device and inode), so that clusters with the same job numbers are kept apart.
    pub keeper: String,
}

impl Marks {
    /// The marks of a state folder.
    pub fn of(dir: &Path) -> io::Result<Marks> {
        use std::os::unix::fs::MetadataExt;
        let meta = std::fs::metadata(dir)?;
        Ok(Marks { keeper: format!("{:x}-{:x}", meta.dev(), meta.ino()) })
    }

    /// The two variables, `NAME=value`.
    pub fn variables(&self, attempt: Attempt) -> [Vec<u8>; 2] {
        [
            format!("BIVOUAC_ATTEMPT={attempt}").into_bytes(),
            format!("BIVOUAC_KEEPER={}", self.keeper).into_bytes(),
        ]
    }
}

/// What names a step's daemon in its own environment, and in no other process's.
pub const DAEMON_VARIABLE: &str = "BIVOUAC_STEP";

/// The step of which a process is a task, or was started by one: it is named in the environment of tasks.
pub fn step_of(pid: i32) -> Option<u32> {
    number_in_environment(pid, "SLURM_STEP_ID")
}

/// The step of which a process is the daemon.
pub fn daemon_of(pid: i32) -> Option<u32> {
    number_in_environment(pid, DAEMON_VARIABLE)
}

fn number_in_environment(pid: i32, variable: &str) -> Option<u32> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let value = |entry| <[u8]>::strip_prefix(entry, variable.as_bytes())?.strip_prefix(b"=");
    let value = environment.split(|b| *b == 0).find_map(value)?;
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Chooses the surest way that works here. `wanted` is the value of [`MODE_VARIABLE`], if set; a wanted mode that
/// does not work is an error.
pub fn detect(marks: &Marks, reaper: i32, wanted: Option<&str>) -> io::Result<Box<dyn Confine>> {
    let name = format!("bivouac-{}", marks.keeper);
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let unusable =
        |what: &str| io::Error::new(io::ErrorKind::Unsupported, format!("{what} is not usable here"));
    if matches!(wanted, None | Some("cgroup2")) {
        let found =
            own_group(&mounts, &own, Hierarchy::V2).map(|p| CgroupV2::new(above_daemons(p).join(&name)));
        match (found, wanted) {
            (Some(Ok(c)), _) => return Ok(Box::new(c)),
            (Some(Err(e)), Some(_)) => return Err(e),
            (None, Some(w)) => return Err(unusable(w)),
            _ => {}
        }
    }
    if matches!(wanted, None | Some("freezer")) {
        let found = own_group(&mounts, &own, Hierarchy::V1("freezer")).map(|p| Freezer::new(p.join(&name)));
        match (found, wanted) {
            (Some(Ok(c)), _) => return Ok(Box::new(c)),
            (Some(Err(e)), Some(_)) => return Err(e),
            (None, Some(w)) => return Err(unusable(w)),
            _ => {}
        }
    }
    match wanted {
        None | Some("search") => Ok(Box::new(Search::new(marks.clone(), reaper))),
        Some(other) => Err(unusable(other)),
    }
}

/// The cgroup v1 groups for memory limits, where they are usable and `wanted`, as for [`detect`], does not forbid it: a search
/// is what is done without any control groups.
pub fn memory_groups(marks: &Marks, wanted: Option<&str>) -> Option<memory::V1> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let folder = own_group(&mounts, &own, Hierarchy::V1("memory")).filter(|_| wanted != Some("search"))?;
    memory::V1::new(folder.join(format!("bivouac-{}", marks.keeper))).ok()
}

/// An earlier keeper may have moved the daemons out of the way.
fn above_daemons(own: PathBuf) -> PathBuf {
    match own.parent() {
        Some(above) if own.ends_with(memory::DAEMONS) => above.to_owned(),
        _ => own,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hierarchy {
    V2,
    V1(&'static str),
}

/// The folder of this process's own group in a hierarchy, from `/proc/self/mountinfo` and `/proc/self/cgroup`.
fn own_group(mounts: &str, own: &str, hierarchy: Hierarchy) -> Option<PathBuf> {
    let path = own.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (id, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let fits = match hierarchy {
            Hierarchy::V2 => id == "0" && controllers.is_empty(),
            Hierarchy::V1(wanted) => controllers.split(',').any(|c| c == wanted),
        };
        fits.then_some(path)
    })?;
    mounts.lines().find_map(|line| {
        let (mount, super_block) = line.split_once(" - ")?;
        let mut fields = mount.split(' ');
        let (root, point) = (fields.nth(3)?, fields.next()?);
        let mut fields = super_block.split(' ');
        let kind = fields.next()?;
        let options = fields.nth(1)?;
        let fits = match hierarchy {
            Hierarchy::V2 => kind == "cgroup2",
            Hierarchy::V1(wanted) => kind == "cgroup" && options.split(',').any(|o| o == wanted),
        };
        let below = Path::new(path).strip_prefix(root).ok().filter(|_| fits)?;
        Some(Path::new(point).join(below))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
30 24 0:26 / /sys/fs/cgroup/unified rw,nosuid shared:5 - cgroup2 cgroup2 rw,nsdelegate
31 24 0:27 / /sys/fs/cgroup/freezer rw,nosuid shared:6 - cgroup cgroup rw,freezer
32 24 0:28 /docker/1 /sys/fs/cgroup/cpu rw shared:7 - cgroup cgroup rw,cpu,cpuacct
";

    #[test]
    fn own_groups_are_found() {
        let own = "8:freezer:/a\n0::/user.slice/x.scope\n";
        let v2 = own_group(MOUNTS, own, Hierarchy::V2);
        assert_eq!(v2, Some(PathBuf::from("/sys/fs/cgroup/unified/user.slice/x.scope")));
        assert_eq!(
            own_group(MOUNTS, own, Hierarchy::V1("freezer")),
            Some(PathBuf::from("/sys/fs/cgroup/freezer/a"))
        );
        assert_eq!(own_group(MOUNTS, "0::/\n", Hierarchy::V1("freezer")), None);
        assert_eq!(own_group("", own, Hierarchy::V2), None);
        assert_eq!(own_group("garbage\n1 2 - \n", own, Hierarchy::V2), None);
    }
}
