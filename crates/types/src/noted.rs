//! What a job asks for that changes nothing on this cluster. It is kept because scontrol and squeue show it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Such requests, in Slurm's words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Noted {
    /// --bb, or the text of the --bbf file.
    pub burst_buffer: Option<String>,
    /// --cluster-constraint.
    pub cluster_features: Option<String>,
    /// --cpu-freq.
    pub cpu_freq: CpuFrequency,
    /// --gres-flags: whether CPUs and generic resources must be of one socket.
    pub gres_binding: Option<bool>,
    /// --gpu-freq: `gpu:high`.
    pub gpu_freq: Option<String>,
    /// --gpu-bind: `gpu:closest`. srun reads it from a variable.
    pub gpu_bind: Option<String>,
    /// --mcs-label.
    pub mcs_label: Option<String>,
    /// --power=level.
    pub power_level: bool,
}

impl Noted {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Noted::default()
    }
}

/// The range of CPU frequencies and the governor that are asked for: `Low`, `1000`, `OnDemand`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuFrequency {
    /// The lowest.
    pub min: Option<String>,
    /// The highest, or the only one.
    pub max: Option<String>,
    /// The governor.
    pub governor: Option<String>,
}

impl fmt::Display for CpuFrequency {
    /// As scontrol shows it: `CPU_min_freq=Low CPU_max_freq=High Governor=Performance`, with a space behind each frequency.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.min.iter().try_for_each(|min| write!(f, "CPU_min_freq={min} "))?;
        self.max.iter().try_for_each(|max| write!(f, "CPU_max_freq={max} "))?;
        self.governor.iter().try_for_each(|governor| write!(f, "Governor={governor}"))
    }
}
