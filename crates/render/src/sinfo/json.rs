//! sinfo --json and --yaml: every node, whatever else was asked for.

use super::nodes::PORT;
use super::{states, write_gres, write_gres_used};
use crate::json::{self, Interface, Value};
use crate::scontrol::VERSION;
use crate::settings::Settings;
use crate::tres::Tres;
use bivouac_types::info::NodeInfo;
use bivouac_types::node::NodeFlag;
use bivouac_types::{Timestamp, node::NodeAuthor};

/// The whole answer.
pub fn document(nodes: &[NodeInfo], settings: &Settings) -> Value {
    let list = nodes.iter().map(|node| one(node, settings)).collect();
    json::document(Interface::Controller, Vec::new(), "nodes", list)
}

fn seconds(at: Option<Timestamp>) -> Value {
    at.map_or(0, Timestamp::as_secs).into()
}

/// The text that a writer makes.
fn text(write: impl FnOnce(&mut String)) -> String {
    let mut out = String::new();
    write(&mut out);
    out
}

fn one(node: &NodeInfo, s: &Settings) -> Value {
    let (config, stand, machine) = (&node.config, &node.stand, &s.machine);
    let (cpus, state) = (config.cpus(), node.state());
    let (all, used) = (Tres::of_node(node), Tres::used_of_node(node));
    let used = text(|out| used.write(out, s));
    let gres = |write: &dyn Fn(&mut String)| match config.gres.is_empty() {
        true => String::new(),
        false => text(write),
    };
    let (base, flags) = states::parts(&state);
    let by = |get: fn(&NodeAuthor) -> Value| stand.reason.as_ref().and_then(|r| r.by.as_ref()).map(get);
    let boot = machine.boot.filter(|_| !state.has(NodeFlag::NotResponding));
    json::object([
        ("architecture", machine.arch.as_str().into()),
        ("burstbuffer_network_address", "".into()),
        ("boards", config.boards.into()),
        ("boot_time", seconds(boot)),
        ("comment", stand.comment.clone().unwrap_or_default().into()),
        ("cores", config.cores_per_socket.into()),
        ("cpu_binding", 0u32.into()),
        ("cpu_load", ((machine.load.unwrap_or(0.0) * 100.0).round() as i64).into()),
        ("extra", stand.extra.clone().unwrap_or_default().into()),
        ("free_memory", machine.free_mb.unwrap_or(0).into()),
        ("cpus", cpus.into()),
        ("last_busy", seconds(Some(node.last_busy.unwrap_or(node.up_since)))),
        ("features", config.features.join(",").into()),
        ("active_features", stand.active_features(config).join(",").into()),
        ("gres", gres(&|out| write_gres(config, out)).into()),
        ("gres_drained", "N/A".into()),
        ("gres_used", gres(&|out| write_gres_used(node, out)).into()),
        ("mcs_label", "".into()),
        ("name", config.name.as_str().into()),
        ("next_state_after_reboot", "invalid".into()),
        ("address", config.address.as_ref().unwrap_or(&config.name).into()),
        ("hostname", config.hostname.as_ref().unwrap_or(&config.name).into()),
        ("state", base.into()),
        ("state_flags", flags.into_iter().collect()),
        ("next_state_after_reboot_flags", Value::List(Vec::new())),
        ("operating_system", machine.os.as_str().into()),
        ("owner", Value::Null),
        ("partitions", node.partitions.clone().into()),
        ("port", u32::from(config.port.unwrap_or(PORT)).into()),
        ("real_memory", config.memory_mb.into()),
        ("reason", stand.reason.as_ref().map_or("", |r| &r.text).into()),
        ("reason_changed_at", by(|by| seconds(Some(by.at))).unwrap_or(Value::Int(0))),
        ("reason_set_by_user", by(|by| by.user.as_str().into()).unwrap_or(Value::Null)),
        ("slurmd_start_time", seconds(Some(node.up_since))),
        ("sockets", config.sockets.into()),
        ("threads", config.threads_per_core.into()),
        ("temporary_disk", config.tmp_disk_mb.into()),
        ("weight", config.weight.into()),
        ("tres", text(|out| all.write(out, s)).into()),
        ("slurmd_version", VERSION.into()),
        ("alloc_memory", node.alloc_mem_mb.into()),
        ("alloc_cpus", node.alloc_cpus.into()),
        ("idle_cpus", cpus.saturating_sub(node.alloc_cpus).into()),
        ("tres_used", Some(used).filter(|u| !u.is_empty()).into()),
        ("tres_weighted", f64::from(node.alloc_cpus).into()),
    ])
}
