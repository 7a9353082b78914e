//! scontrol show node.

use super::{Form, VERSION};
use crate::settings::Settings;
use crate::sinfo::{write_gres, write_gres_used};
use crate::tres::{Tres, configured, shares};
use bivouac_types::info::NodeInfo;

/// The machine on which all nodes are.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// Its architecture, as `uname -m` has it.
    pub arch: String,
    /// Its operating system with release and version.
    pub os: String,
    /// Its host name.
    pub host: String,
}

/// The record of a node.
pub fn show_node(node: &NodeInfo, machine: &Machine, form: Form, s: &Settings) -> String {
    let config = &node.config;
    let cpus = config.cpus();
    let features = if config.features.is_empty() { "(null)".to_owned() } else { config.features.join(",") };
    let time = |at| {
        let mut out = String::new();
        s.time(&mut out, Some(at), "Unknown");
        out
    };
    let text = |write: &dyn Fn(&mut String)| {
        let mut out = String::new();
        write(&mut out);
        out
    };
    let all = Tres {
        cpus,
        mem_mb: config.memory_mb,
        billing: Some(cpus),
        gres: configured(&config.gres),
        ..Tres::default()
    };
    let used = Tres {
        cpus: node.alloc_cpus,
        mem_mb: node.alloc_mem_mb,
        gres: shares(&node.alloc_gres),
        ..Tres::default()
    };

    let mut lines = vec![
        format!("NodeName={} Arch={} CoresPerSocket={} ", config.name, machine.arch, config.cores_per_socket),
        format!("CPUAlloc={} CPUEfctv={cpus} CPUTot={cpus} CPULoad=N/A", node.alloc_cpus),
        format!("AvailableFeatures={features}"),
        format!("ActiveFeatures={features}"),
        format!("Gres={}", text(&|out| write_gres(config, out))),
    ];
    if form.details {
        lines.push("GresDrain=N/A".to_owned());
        lines.push(format!("GresUsed={}", text(&|out| write_gres_used(node, out))));
    }
    lines.extend([
        format!("NodeAddr={} NodeHostName={} Version={VERSION}", config.name, machine.host),
        format!("OS={} ", machine.os),
        format!(
            "RealMemory={} AllocMem={} FreeMem=N/A Sockets={} Boards=1",
            config.memory_mb, node.alloc_mem_mb, config.sockets
        ),
        format!(
            "State={} ThreadsPerCore={} TmpDisk={} Weight={} Owner=N/A MCS_label=N/A",
            node.state(),
            config.threads_per_core,
            config.tmp_disk_mb,
            config.weight
        ),
        format!("Partitions={} ", node.partitions.join(",")),
        format!("BootTime={} SlurmdStartTime={}", time(node.up_since), time(node.up_since)),
        "LastBusyTime=Unknown".to_owned(),
        format!("CfgTRES={}", text(&|out| all.write(out, s))),
        format!("AllocTRES={}", text(&|out| used.write(out, s))),
        "CapWatts=n/a".to_owned(),
        "CurrentWatts=0 AveWatts=0".to_owned(),
        "ExtSensorsJoules=n/s ExtSensorsWatts=0 ExtSensorsTemp=n/s".to_owned(),
    ]);
    form.record(&lines)
}
