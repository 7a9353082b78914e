//! scontrol show node.

use super::{Form, VERSION};
use crate::settings::Settings;
use crate::sinfo::{write_gres, write_gres_used};
use crate::tres::Tres;
use bivouac_types::info::NodeInfo;
use bivouac_types::node::NodeFlag;

/// The record of a node.
pub fn show_node(node: &NodeInfo, form: Form, s: &Settings) -> String {
    let (config, stand, machine) = (&node.config, &node.stand, &s.machine);
    let cpus = config.cpus();
    let time = |at, missing| {
        let mut out = String::new();
        s.time(&mut out, at, missing);
        out
    };
    let text = |write: &dyn Fn(&mut String)| {
        let mut out = String::new();
        write(&mut out);
        out
    };
    let (all, used) = (Tres::of_node(node), Tres::used_of_node(node));
    let bind = stand.cpu_bind.as_ref().map_or(String::new(), |mode| format!("CpuBind={mode} "));
    let port = config.port.map_or(String::new(), |port| format!(" Port={port}"));
    // A node that does not answer has no boot time to show.
    let boot = match stand.flags.contains(&NodeFlag::NotResponding) {
        true => "None".to_owned(),
        false => time(machine.boot, "None"),
    };

    let mut lines = vec![
        format!(
            "NodeName={} Arch={} {bind}CoresPerSocket={} ",
            config.name, machine.arch, config.cores_per_socket
        ),
        format!("CPUAlloc={} CPUEfctv={cpus} CPUTot={cpus} CPULoad={}", node.alloc_cpus, load(s)),
        format!("AvailableFeatures={}", features(&config.features)),
        format!("ActiveFeatures={}", features(stand.active_features(config))),
        format!("Gres={}", text(&|out| write_gres(config, out))),
    ];
    if form.details {
        lines.push("GresDrain=N/A".to_owned());
        lines.push(format!("GresUsed={}", text(&|out| write_gres_used(node, out))));
    }
    lines.extend([
        format!(
            "NodeAddr={} NodeHostName={}{port} Version={VERSION}",
            config.address.as_ref().unwrap_or(&config.name),
            config.hostname.as_ref().unwrap_or(&config.name)
        ),
        format!("OS={} ", machine.os),
        format!(
            "RealMemory={} AllocMem={} FreeMem={} Sockets={} Boards={}",
            config.memory_mb,
            node.alloc_mem_mb,
            free_memory(s),
            config.sockets,
            config.boards
        ),
        format!(
            "State={} ThreadsPerCore={} TmpDisk={} Weight={} Owner={} MCS_label=N/A",
            node.state(),
            config.threads_per_core,
            config.tmp_disk_mb,
            config.weight,
            node.owner.as_deref().unwrap_or("N/A")
        ),
        format!("Partitions={} ", node.partitions.join(",")),
        format!("BootTime={boot} SlurmdStartTime={}", time(Some(node.up_since), "None")),
        format!("LastBusyTime={}", time(Some(node.last_busy.unwrap_or(node.up_since)), "Unknown")),
        format!("CfgTRES={}", text(&|out| all.write(out, s))),
        format!("AllocTRES={}", text(&|out| used.write(out, s))),
        "CapWatts=n/a".to_owned(),
        "CurrentWatts=0 AveWatts=0".to_owned(),
        "ExtSensorsJoules=n/s ExtSensorsWatts=0 ExtSensorsTemp=n/s".to_owned(),
    ]);
    if let Some(reason) = &stand.reason {
        let by = reason.by.as_ref();
        let by = by.map_or(String::new(), |by| format!(" [{}@{}]", by.user, time(Some(by.at), "")));
        lines.push(format!("Reason={}{by}", reason.text));
    }
    lines.extend(stand.comment.as_ref().map(|text| format!("Comment={text}")));
    lines.extend(stand.extra.as_ref().map(|text| format!("Extra={text}")));
    form.record(&lines)
}

/// Features, or `(null)`.
fn features(features: &[String]) -> String {
    if features.is_empty() { "(null)".to_owned() } else { features.join(",") }
}

/// The load of the machine, `0.25`.
pub(crate) fn load(s: &Settings) -> String {
    s.machine.load.map_or("N/A".to_owned(), |load| format!("{load:.2}"))
}

/// The free memory of the machine, MiB.
pub(crate) fn free_memory(s: &Settings) -> String {
    s.machine.free_mb.map_or("N/A".to_owned(), |mb| mb.to_string())
}
