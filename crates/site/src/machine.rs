//! This machine, as `local` needs it: the only part of the crate that looks at hardware.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use bivouac_types::config::{GresConfig, NodeConfig};

use crate::error::SiteError;
use crate::values::is_host_name;

/// A machine's shape in Slurm's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Host name up to the first dot.
    pub name: String,
    /// Sockets.
    pub sockets: u32,
    /// Cores of a socket.
    pub cores_per_socket: u32,
    /// Hardware threads of a core.
    pub threads_per_core: u32,
    /// Usable memory in MiB: what the machine has, or what its cgroup allows if that is less.
    pub memory_mb: u64,
    /// GPUs that have a device file (`/dev/nvidia0`, ...).
    pub gpus: u32,
}

impl Machine {
    /// Looks at the machine. CPUs that this process may not use (affinity, a CPU quota) do not count: the
    /// sockets, cores and threads are the hardware's only if all of it may be used, and otherwise one
    /// socket with single-threaded cores.
    ///
    /// # Errors
    /// [`SiteError::Machine`] if the amount of memory cannot be learnt.
    pub fn detect() -> Result<Machine, SiteError> {
        Machine::look(Path::new("/"), std::thread::available_parallelism().map_or(1, |n| n.get() as u32))
    }

    /// As [`Machine::detect`], of a machine whose `/proc`, `/sys` and `/dev` lie below `root`.
    fn look(root: &Path, cpus: u32) -> Result<Machine, SiteError> {
        let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
        let memory_mb = memory_mb(&read("proc/meminfo"), &cgroup_limits(root)).ok_or_else(|| {
            SiteError::Machine("cannot learn how much memory this machine has from /proc/meminfo".into())
        })?;
        let (sockets, cores_per_socket, threads_per_core) =
            topology(root).filter(|(s, c, t)| s * c * t == cpus).unwrap_or((1, cpus, 1));
        Ok(Machine {
            name: short_name(&read("proc/sys/kernel/hostname")),
            sockets,
            cores_per_socket,
            threads_per_core,
            memory_mb,
            gpus: gpus(root),
        })
    }

    /// The machine as a node.
    pub(crate) fn node(&self) -> NodeConfig {
        let gpu = GresConfig { name: "gpu".into(), kind: None, count: self.gpus };
        NodeConfig {
            name: self.name.clone(),
            sockets: self.sockets,
            cores_per_socket: self.cores_per_socket,
            threads_per_core: self.threads_per_core,
            memory_mb: self.memory_mb,
            tmp_disk_mb: 0,
            features: Vec::new(),
            gres: if self.gpus > 0 { vec![gpu] } else { Vec::new() },
            weight: 1,
            ..NodeConfig::default()
        }
    }
}

fn short_name(text: &str) -> String {
    let short = text.trim().split('.').next().unwrap_or_default();
    if is_host_name(short) { short.to_owned() } else { "localhost".to_owned() }
}

/// MemTotal of /proc/meminfo (in kB), or the smallest of the cgroup's limits (in bytes).
fn memory_mb(meminfo: &str, limits: &[u64]) -> Option<u64> {
    let line = meminfo.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
    let total_kb: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    let least = limits.iter().map(|bytes| bytes >> 20).chain([total_kb >> 10]).min()?;
    (least > 0).then_some(least)
}

/// Memory limits of the root cgroup as seen here: a container's limit appears there.
fn cgroup_limits(root: &Path) -> Vec<u64> {
    let files = ["sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"];
    files.iter().filter_map(|f| fs::read_to_string(root.join(f)).ok()?.trim().parse().ok()).collect()
}

/// Sockets, cores of each and threads of each, if all are alike.
fn topology(root: &Path) -> Option<(u32, u32, u32)> {
    let (mut sockets, mut cores, mut cpus) = (BTreeSet::new(), BTreeSet::new(), 0u32);
    for entry in fs::read_dir(root.join("sys/devices/system/cpu")).ok()?.flatten() {
        let topology = entry.path().join("topology");
        let number = |file: &str| fs::read_to_string(topology.join(file)).ok()?.trim().parse::<i64>().ok();
        // Offline CPUs have no topology folder.
        let Some((socket, core)) = number("physical_package_id").zip(number("core_id")) else { continue };
        sockets.insert(socket);
        cores.insert((socket, core));
        cpus += 1;
    }
    let (sockets, cores) = (u32::try_from(sockets.len()).ok()?, u32::try_from(cores.len()).ok()?);
    let even = sockets > 0 && cores % sockets == 0 && cpus % cores == 0;
    even.then(|| (sockets, cores / sockets, cpus / cores))
}

fn gpus(root: &Path) -> u32 {
    let is_gpu = |name: &str| {
        name.strip_prefix("nvidia").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let names = fs::read_dir(root.join("dev")).into_iter().flatten().flatten();
    names.filter(|e| e.file_name().to_str().is_some_and(is_gpu)).count() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(cpus: &[(u32, u32)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("temporary folder");
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("parent")).expect("folder");
            fs::write(path, text).expect("file");
        };
        write("proc/meminfo", "MemTotal:       16384000 kB\nMemFree: 1 kB\n");
        write("proc/sys/kernel/hostname", "laptop.example.org\n");
        for (n, (socket, core)) in cpus.iter().enumerate() {
            write(
                &format!("sys/devices/system/cpu/cpu{n}/topology/physical_package_id"),
                &socket.to_string(),
            );
            write(&format!("sys/devices/system/cpu/cpu{n}/topology/core_id"), &core.to_string());
        }
        write("dev/nvidia0", "");
        write("dev/nvidiactl", "");
        dir
    }

    #[test]
    fn hardware_is_described_as_it_is() {
        let root = root(&[(0, 0), (0, 1), (0, 0), (0, 1), (1, 0), (1, 1), (1, 0), (1, 1)]);
        let m = Machine::look(root.path(), 8).expect("machine");
        assert_eq!((m.sockets, m.cores_per_socket, m.threads_per_core), (2, 2, 2));
        assert_eq!((m.name.as_str(), m.memory_mb, m.gpus), ("laptop", 16_000, 1));
        assert_eq!(m.node().gres[0].count, 1);
    }

    #[test]
    fn cpus_out_of_reach_do_not_count() {
        let root = root(&[(0, 0), (0, 1), (0, 2), (0, 3)]);
        let m = Machine::look(root.path(), 3).expect("machine");
        assert_eq!((m.sockets, m.cores_per_socket, m.threads_per_core), (1, 3, 1));
    }

    #[test]
    fn a_containers_memory_limit_counts() {
        let root = root(&[(0, 0)]);
        fs::create_dir_all(root.path().join("sys/fs/cgroup")).expect("folder");
        fs::write(root.path().join("sys/fs/cgroup/memory.max"), "1073741824\n").expect("file");
        assert_eq!(Machine::look(root.path(), 1).expect("machine").memory_mb, 1024);
        fs::write(root.path().join("sys/fs/cgroup/memory.max"), "max\n").expect("file");
        assert_eq!(Machine::look(root.path(), 1).expect("machine").memory_mb, 16_000);
    }

    #[test]
    fn this_machine_is_usable() {
        let m = Machine::detect().expect("machine");
        assert!(m.node().cpus() > 0 && m.memory_mb > 0 && is_host_name(&m.name), "{m:?}");
    }

    #[test]
    fn nonsense_gives_an_error_and_no_panic() {
        assert_eq!(memory_mb("", &[]), None);
        assert_eq!(memory_mb("MemTotal: x kB", &[]), None);
        assert_eq!(short_name("-bad\n"), "localhost");
        let empty = tempfile::tempdir().expect("temporary folder");
        assert!(matches!(Machine::look(empty.path(), 1), Err(SiteError::Machine(_))));
    }
}
