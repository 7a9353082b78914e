//! scontrol show node, partition, licenses, topology: what jobs run on.

use super::Session;
use super::show::{lookup, print};
use crate::report::{self, Trouble};
use bivouac_proto::client::Client;
use bivouac_proto::message::{Ask, Response};
use bivouac_render::scontrol;
use bivouac_types::HostList;
use bivouac_types::node::Standing;
use std::process::ExitCode;

pub fn nodes(list: Option<&str>, session: Session) -> Result<(), ExitCode> {
    let settings = report::node_settings();
    let mut all = report::connect()
        .and_then(|mut c| report::nodes(&mut c))
        .map_err(lookup(session, "slurm_load_node"))?;
    // Nodes that are yet to come are shown on demand only.
    all.retain(|n| session.future || n.stand.standing != Standing::Future);
    let names = match list {
        None => all.iter().map(|n| n.config.name.clone()).collect(),
        Some(text) => HostList::parse(text).map_err(|_| session.missing(format_args!("Node {text}")))?.names,
    };
    let mut found = Ok(());
    for name in names {
        match all.iter().find(|n| n.config.name == name) {
            Some(node) => print(&scontrol::show_node(node, session.form, &settings))?,
            None => found = Err(session.missing(format_args!("Node {name}"))),
        }
    }
    found
}

pub fn partitions(name: Option<&str>, session: Session) -> Result<(), ExitCode> {
    let settings = report::settings();
    let fetch = |mut c: Client| Ok((report::partitions(&mut c)?, report::nodes(&mut c)?));
    let (mut all, nodes) =
        report::connect().and_then(fetch).map_err(lookup(session, "slurm_load_partitions"))?;
    all.retain(|p| session.all || !p.hidden);
    let chosen: Vec<_> = all.iter().filter(|p| name.is_none_or(|n| p.config.name == n)).collect();
    if let (Some(name), true) = (name, chosen.is_empty()) {
        return Err(session.missing(format_args!("Partition {name}")));
    }
    if chosen.is_empty() {
        return print("No partitions in the system\n");
    }
    let record = |p: &&_| scontrol::show_partition(p, &nodes, session.form, &settings);
    print(&chosen.iter().map(record).collect::<String>())
}

pub fn licenses(name: Option<&str>, session: Session) -> Result<(), ExitCode> {
    let failed = lookup(session, "slurm_load_license");
    let mut client = report::connect().map_err(&failed)?;
    match client.call(Ask::Licenses).map_err(Trouble::from).map_err(&failed)? {
        Response::Licenses(licenses) => print(&scontrol::show_licenses(&licenses, name, session.form)),
        other => Err(failed(other.into())),
    }
}

/// What is not there is an error that, as in Slurm, does not fail.
pub fn topology(name: Option<&str>, session: Session) -> Result<(), ExitCode> {
    let failed = lookup(session, "slurm_load_topo");
    let config = report::connect().and_then(|mut c| report::config(&mut c)).map_err(failed)?;
    match scontrol::show_topology(&config.parameters.switches, name) {
        Ok(text) => print(&text),
        Err(what) => {
            session.fail(format_args!("scontrol: error: {what}"));
            Ok(())
        }
    }
}

/// The nodes that are on a host: that of the name, or this one.
pub fn aliases(host: Option<&str>, session: Session) -> Result<(), ExitCode> {
    let names = nodes_on(&host.map_or_else(own_name, str::to_owned), session)?;
    if names.is_empty() { Ok(()) } else { print(&format!("{}\n", names.join(" "))) }
}

/// The daemons that Slurm would have here: a node's only if a node has this machine's name.
pub fn daemons(session: Session) -> Result<(), ExitCode> {
    let name = own_name();
    let controller = super::host().map_err(lookup(session, "slurm_load_ctl_conf"))?;
    let is_controller = controller.split('.').next() == Some(&name);
    let is_node = !nodes_on(&name, session)?.is_empty();
    let daemons = [("slurmctld ", is_controller), ("slurmd ", is_node)];
    let text: String = daemons.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect();
    print(&format!("{text}\n"))
}

fn nodes_on(host: &str, session: Session) -> Result<Vec<String>, ExitCode> {
    let nodes = report::connect()
        .and_then(|mut c| report::nodes(&mut c))
        .map_err(lookup(session, "slurm_load_node"))?;
    let is_there =
        |n: &bivouac_types::info::NodeInfo| n.config.hostname.as_deref().unwrap_or(&n.config.name) == host;
    Ok(nodes.into_iter().filter(is_there).map(|n| n.config.name).collect())
}

/// This machine's name, in a job's view the node's, without its domain.
pub(super) fn own_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().split('.').next().unwrap_or_default().to_owned()
}
