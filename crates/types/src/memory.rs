//! Memory requests in Slurm's spelling.

use serde::{Deserialize, Serialize};

/// --mem or --mem-per-cpu, in MiB. `PerNode(0)` asks for the whole node's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemRequest {
    /// --mem.
    PerNode(u64),
    /// --mem-per-cpu.
    PerCpu(u64),
}
