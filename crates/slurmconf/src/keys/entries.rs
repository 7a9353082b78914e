//! The keys of slurm.conf's node, partition and similar lines.

use super::Kind::{Count, Limit, Text, YesNo};
use super::{Key, honoured, listed, refused};

const NO_NET: &str = "one machine: nothing goes over a network";
const NO_POWER: &str = "nodes are not powered";
const NO_SPEC: &str = "no CPUs or memory are reserved for the system: lower CPUs or RealMemory instead";
const NO_BIND: &str = "tasks are bound as srun's options say";

/// `NodeName=` lines.
pub const NODE: &[Key] = &[
    honoured("NodeName", Text, ""),
    honoured("NodeHostname", Text, ""),
    honoured("NodeAddr", Text, ""),
    listed("BcastAddr", Text, "", NO_NET),
    honoured("Boards", Count, "1"),
    refused("CoreSpecCount", Count, "0", NO_SPEC),
    honoured("CoresPerSocket", Count, "1"),
    listed("CpuBind", Text, "", NO_BIND),
    honoured("CPUs", Count, ""),
    refused("CpuSpecList", Text, "", NO_SPEC),
    honoured("Features", Text, ""),
    honoured("Feature", Text, ""),
    honoured("Gres", Text, ""),
    refused("MemSpecLimit", Count, "0", NO_SPEC),
    listed("Port", Text, "", NO_NET),
    honoured("Procs", Count, ""),
    honoured("RealMemory", Count, "1"),
    honoured("Reason", Text, ""),
    honoured("Sockets", Count, "1"),
    honoured("SocketsPerBoard", Count, "1"),
    honoured("State", Text, "UNKNOWN"),
    honoured("ThreadsPerCore", Count, "1"),
    honoured("TmpDisk", Count, "0"),
    honoured("Weight", Count, "1"),
];

/// `DownNodes=` lines.
pub const DOWN_NODE: &[Key] =
    &[honoured("DownNodes", Text, ""), honoured("Reason", Text, ""), honoured("State", Text, "DOWN")];

/// `NodeSet=` lines.
pub const NODE_SET: &[Key] =
    &[honoured("NodeSet", Text, ""), honoured("Feature", Text, ""), honoured("Nodes", Text, "")];

/// `PartitionName=` lines.
pub const PARTITION: &[Key] = &[
    honoured("PartitionName", Text, ""),
    honoured("AllocNodes", Text, "ALL"),
    honoured("AllowAccounts", Text, "ALL"),
    honoured("AllowGroups", Text, "ALL"),
    honoured("AllowQos", Text, "ALL"),
    honoured("Alternate", Text, ""),
    listed("CpuBind", Text, "", NO_BIND),
    honoured("Default", YesNo, "NO"),
    honoured("DefaultTime", Text, "NONE"),
    honoured("DefCpuPerGPU", Count, "0"),
    honoured("DefMemPerCPU", Limit, "UNLIMITED"),
    honoured("DefMemPerGPU", Count, "0"),
    honoured("DefMemPerNode", Limit, "UNLIMITED"),
    honoured("DenyAccounts", Text, ""),
    honoured("DenyQos", Text, ""),
    honoured("DisableRootJobs", YesNo, "NO"),
    honoured("ExclusiveUser", YesNo, "NO"),
    listed("GraceTime", Count, "0", "running jobs are not preempted"),
    honoured("Hidden", YesNo, "NO"),
    refused("LLN", YesNo, "NO", "nodes are filled one after the other: leave it out"),
    honoured("MaxCPUsPerNode", Limit, "UNLIMITED"),
    honoured("MaxMemPerCPU", Limit, "UNLIMITED"),
    honoured("MaxMemPerNode", Limit, "UNLIMITED"),
    honoured("MaxNodes", Limit, "UNLIMITED"),
    honoured("MaxTime", Text, "UNLIMITED"),
    honoured("MinNodes", Count, "0"),
    honoured("Nodes", Text, ""),
    honoured("OverSubscribe", Text, "NO"),
    honoured("OverTimeLimit", Text, ""),
    refused("PreemptMode", Text, "OFF", "running jobs are not preempted: set PreemptMode=OFF"),
    honoured("PriorityJobFactor", Count, "1"),
    honoured("PriorityTier", Count, "1"),
    honoured("QOS", Text, ""),
    refused("ReqResv", YesNo, "NO", "there are no reservations yet: leave it out"),
    listed("ResumeTimeout", Text, "", NO_POWER),
    honoured("RootOnly", YesNo, "NO"),
    listed("SelectTypeParameters", Text, "", "what is allotted is the same in all partitions"),
    honoured("Shared", Text, "NO"),
    honoured("State", Text, "UP"),
    listed("SuspendTime", Text, "", NO_POWER),
    listed("SuspendTimeout", Text, "", NO_POWER),
    honoured("TRESBillingWeights", Text, ""),
];
