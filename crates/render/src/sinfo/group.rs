//! Which nodes share a line of sinfo.

use super::nodes::Nodes;
use super::states::StateFilter;
use crate::settings::Settings;
use crate::table::{Column, Layout, Table};
use bivouac_types::info::{NodeInfo, PartitionInfo};
use bivouac_types::node::{NodeBase, NodeFlag};

/// One line of sinfo: nodes of a partition, or of several if the format does not tell them apart.
#[derive(Clone)]
pub struct Group<'a> {
    /// The partition, the first of them.
    pub partition: &'a PartitionInfo,
    /// The nodes; none where no node of the partition is shown.
    pub nodes: Vec<&'a NodeInfo>,
}

/// What sinfo shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// -p.
    pub partitions: Option<Vec<String>>,
    /// -n.
    pub nodes: Option<Vec<String>>,
    /// -t.
    pub states: Option<StateFilter>,
    /// -r: nodes that respond; -d: those that do not.
    pub responding: Option<bool>,
    /// -R: nodes that have a reason, and no line for a partition without such.
    pub reasons: bool,
}

impl Filter {
    fn partition(&self, partition: &PartitionInfo) -> bool {
        self.partitions.as_ref().is_none_or(|p| p.contains(&partition.config.name))
    }

    fn node(&self, node: &NodeInfo) -> bool {
        let state = node.state();
        // Nodes that are yet to come are never shown.
        state.base != NodeBase::Future
            && self.nodes.as_ref().is_none_or(|n| n.contains(&node.config.name))
            && self.states.as_ref().is_none_or(|s| s.shows(&state))
            && self.responding.is_none_or(|r| r != state.has(NodeFlag::NotResponding))
            && (!self.reasons || node.stand.reason.is_some())
    }

    /// The partitions that are shown with their nodes that are.
    fn apply<'a>(
        &self,
        partitions: &'a [PartitionInfo],
        nodes: &'a [NodeInfo],
    ) -> impl Iterator<Item = (&'a PartitionInfo, Vec<&'a NodeInfo>)> {
        partitions.iter().filter(|p| self.partition(p)).map(move |p| {
            let of = nodes.iter().filter(|n| n.partitions.contains(&p.config.name) && self.node(n));
            (p, of.collect())
        })
    }
}

/// One line for each node of each partition (-N).
pub fn pairs<'a>(partitions: &'a [PartitionInfo], nodes: &'a [NodeInfo], filter: &Filter) -> Vec<Group<'a>> {
    let of = |(partition, nodes): (&'a PartitionInfo, Vec<&'a NodeInfo>)| {
        nodes.into_iter().map(move |node| Group { partition, nodes: vec![node] })
    };
    filter.apply(partitions, nodes).flat_map(of).collect()
}

/// Groups nodes that the format does not tell apart. A partition of which no node is shown keeps a line of its own
/// if its name is shown.
/// Without `exact`, nodes may differ in size: the least is shown, with a `+`.
pub fn group<'a>(
    partitions: &'a [PartitionInfo],
    nodes: &'a [NodeInfo],
    filter: &Filter,
    layout: &Layout<Nodes>,
    exact: bool,
    settings: &Settings,
) -> Vec<Group<'a>> {
    let telling: Vec<&Column<Nodes>> = Nodes::columns()
        .iter()
        .filter(|c| tells_apart(c.name, exact) && layout.uses(|used| std::ptr::eq(used, *c)))
        .collect();
    let of_partition: Vec<&Column<Nodes>> =
        telling.iter().copied().filter(|c| is_partitions(c.name)).collect();
    // Without its name a partition that has nothing to show is no line.
    let names_partitions = layout.uses(|used| matches!(used.name, "partition" | "partitionname"));
    let key = |columns: &[&Column<Nodes>], row: &Group<'a>| {
        let mut text = String::new();
        for column in columns {
            (column.cell)(row, settings, &mut text);
            text.push('\0');
        }
        text
    };
    let mut groups: Vec<(String, String, Group<'a>)> = Vec::new();
    for (partition, nodes) in filter.apply(partitions, nodes) {
        let none = Group { partition, nodes: Vec::new() };
        let place = key(&of_partition, &none);
        if nodes.is_empty()
            && names_partitions
            && !filter.reasons
            && !groups.iter().any(|(_, p, _)| *p == place)
        {
            groups.push((String::new(), place.clone(), none));
        }
        for node in nodes {
            let one = Group { partition, nodes: vec![node] };
            let own = key(&telling, &one);
            match groups.iter_mut().find(|(k, p, _)| *k == own && *p == place) {
                Some((.., g)) if g.nodes.iter().any(|n| std::ptr::eq(*n, node)) => {}
                Some((.., g)) => g.nodes.push(node),
                None => groups.push((own, place.clone(), one)),
            }
        }
    }
    // A partition without nodes is no line of its own where another one that looks the same has nodes.
    let full: Vec<String> =
        groups.iter().filter(|(.., g)| !g.nodes.is_empty()).map(|(_, p, _)| p.clone()).collect();
    groups.retain(|(_, p, g)| !g.nodes.is_empty() || !full.contains(p));
    groups.into_iter().map(|(.., g)| g).collect()
}

/// Whether nodes that differ in this column stand in lines of their own.
fn tells_apart(name: &str, exact: bool) -> bool {
    match name {
        "nodeai" | "cpusstate" | "nodes" | "nodeaiot" | "nodelist" | "port" => false,
        "cpus" | "disk" | "freemem" | "memory" | "weight" | "socketcorethread" | "cpusload" | "sockets"
        | "cores" | "threads" => exact,
        _ => true,
    }
}

/// Whether a column says something of the partition, not of its nodes.
fn is_partitions(name: &str) -> bool {
    matches!(
        name,
        "available"
            | "groups"
            | "oversubscribe"
            | "prioritytier"
            | "root"
            | "size"
            | "time"
            | "maxcpuspernode"
            | "priorityjobfactor"
            | "defaulttime"
            | "preemptmode"
            | "partition"
            | "partitionname"
            | "allocnodes"
            | "cluster"
    )
}
