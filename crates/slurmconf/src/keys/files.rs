//! The keys of gres.conf, topology.conf and cgroup.conf.

use super::Kind::{LowerYesNo, Megabytes, Percent, Text};
use super::{Key, NULL, honoured, listed};

const NO_DEVICE: &str = "GRES of nodes are counted, their devices are not opened";
const NO_LIMITS: &str = "jobs are contained by the keeper, with the machine's cgroup";

/// gres.conf.
pub const GRES: &[Key] = &[
    honoured("Name", Text, ""),
    honoured("NodeName", Text, ""),
    honoured("Type", Text, ""),
    honoured("Count", Text, ""),
    honoured("File", Text, ""),
    honoured("MultipleFiles", Text, ""),
    listed("AutoDetect", Text, "off", "nodes have the GRES that are written down"),
    listed("Cores", Text, "", NO_DEVICE),
    listed("CPUs", Text, "", NO_DEVICE),
    listed("Flags", Text, "", NO_DEVICE),
    listed("Links", Text, "", NO_DEVICE),
];

/// topology.conf.
pub const TOPOLOGY: &[Key] = &[
    honoured("SwitchName", Text, ""),
    honoured("Switches", Text, ""),
    honoured("Nodes", Text, ""),
    listed("LinkSpeed", Text, "", "nodes are near each other"),
];

/// cgroup.conf, in the order of `scontrol show config`.
pub const CGROUP: &[Key] = &[
    listed("AllowedKmemSpace", Text, NULL, NO_LIMITS),
    listed("AllowedRAMSpace", Percent, "100.0%", NO_LIMITS),
    listed("AllowedSwapSpace", Percent, "0.0%", NO_LIMITS),
    listed("CgroupAutomount", LowerYesNo, "no", NO_LIMITS),
    listed("CgroupMountpoint", Text, "/sys/fs/cgroup", NO_LIMITS),
    listed("CgroupPlugin", Text, NULL, NO_LIMITS),
    listed("ConstrainCores", LowerYesNo, "no", NO_LIMITS),
    listed("ConstrainDevices", LowerYesNo, "no", NO_LIMITS),
    listed("ConstrainKmemSpace", LowerYesNo, "no", NO_LIMITS),
    honoured("ConstrainRAMSpace", LowerYesNo, "no"),
    listed("ConstrainSwapSpace", LowerYesNo, "no", NO_LIMITS),
    listed("IgnoreSystemd", LowerYesNo, "no", NO_LIMITS),
    listed("IgnoreSystemdOnFailure", LowerYesNo, "no", NO_LIMITS),
    listed("MaxKmemPercent", Percent, "100.0%", NO_LIMITS),
    listed("MaxRAMPercent", Percent, "100.0%", NO_LIMITS),
    listed("MaxSwapPercent", Percent, "100.0%", NO_LIMITS),
    listed("MemorySwappiness", Text, NULL, NO_LIMITS),
    listed("MinKmemSpace", Megabytes, "30 MB", NO_LIMITS),
    listed("MinRAMSpace", Megabytes, "30 MB", NO_LIMITS),
];
