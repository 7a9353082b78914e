//! scontrol: records of `Key=value`.

pub mod assoc_mgr;
mod config;
mod facility;
mod job;
mod node;
mod partition;
mod step;
mod written;

pub use assoc_mgr::show_assoc_mgr;
pub use config::{Running, show_config};
pub use facility::{show_licenses, show_topology};
pub use job::{completing, show_job};
pub use node::show_node;
pub use partition::show_partition;
pub use step::show_step;
pub use written::written_config;

pub(crate) use node::{free_memory, load};
pub(crate) use partition::{over_subscribe, preempt_mode};

/// The version of Slurm whose contract is kept.
pub const VERSION: &str = "22.05.8";

/// How records are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// -o: a record in one line.
    pub oneliner: bool,
    /// -d: more of it.
    pub details: bool,
}

impl Form {
    /// Puts a record's lines together.
    fn record(self, lines: &[String]) -> String {
        let (separator, end) = if self.oneliner { (" ", "\n") } else { ("\n   ", "\n\n") };
        let mut text = lines.join(separator);
        text.push_str(end);
        text
    }
}

/// `Slurmctld(primary) at HOST is UP`.
pub fn ping(host: &str, up: bool) -> String {
    format!("Slurmctld(primary) at {host} is {}", if up { "UP" } else { "DOWN" })
}

#[cfg(test)]
mod tests;
