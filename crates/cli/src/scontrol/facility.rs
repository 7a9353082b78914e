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
    all.retain(|p| session.all || report::may_see(p));
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

/// The nodes that are this machine: all of them.
pub fn aliases(host: Option<&str>, session: Session) -> Result<(), ExitCode> {
    let nodes = report::connect()
        .and_then(|mut c| report::nodes(&mut c))
        .map_err(lookup(session, "slurm_load_node"))?;
    let is_meant = |n: &&bivouac_types::info::NodeInfo| {
        host.is_none_or(|h| n.config.hostname.as_deref().unwrap_or(&n.config.name) == h)
    };
    let names: Vec<&str> = nodes.iter().filter(is_meant).map(|n| n.config.name.as_str()).collect();
    print(&format!("{}\n", names.join(" ")))
}
