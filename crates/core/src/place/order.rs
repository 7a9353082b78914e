//! The order in which Slurm takes nodes, found by what real Slurm gives.
//!
//! After the nodes that must be among them come those that stand beside such a node in the configuration, then the others, those
//! of lower weight first. Of equal ones the tightest that holds all that is left, else the first. A node is passed over if the
//! nodes that may still be taken could not complete the job with it.

use super::Room;
use crate::demand::Demand;
use crate::tables::Tables;
use std::collections::{BTreeMap, BTreeSet};

/// Those that must be among them (in the order of the configuration) and as many of the others as are needed, as they are
/// taken. None: they do not suffice.
pub(super) fn choose(
    demand: &Demand,
    required: &[Room],
    others: &[Room],
    tables: &Tables,
) -> Option<Vec<Room>> {
    let mut chosen = required.to_vec();
    chosen.sort_by_key(|c| c.node);
    let mut groups = groups(demand, &chosen, others, tables);
    let most = demand.most_nodes() as usize;
    let mut held: u64 = chosen.iter().map(|c| u64::from(c.tasks)).sum();
    // Task counts of what is left, the highest first.
    let mut rooms: Vec<u64> = others.iter().map(|c| u64::from(c.tasks)).collect();
    rooms.sort_unstable_by(|a, b| b.cmp(a));
    loop {
        let complete = demand.is_held_by(&chosen);
        if complete && !(demand.widen && chosen.len() < most) {
            return Some(chosen);
        }
        let missing = u64::from(demand.tasks).saturating_sub(held);
        let after = most.saturating_sub(chosen.len() + 1);
        let of_best = |n: usize| rooms.iter().take(n).sum::<u64>();
        let (best, with_own) = (of_best(after), of_best(after.saturating_add(1)));
        let can_complete = |c: &Room| {
            let own = u64::from(c.tasks);
            let among_best = rooms.partition_point(|r| *r > own) < after;
            complete || if among_best { with_own } else { best + own } >= missing
        };
        let mut taken = None;
        for group in &mut groups {
            let fit = || group.iter().enumerate().filter(|(_, c)| can_complete(c));
            let tightest = fit().filter(|(_, c)| u64::from(c.tasks) >= missing).min_by_key(|(_, c)| c.tasks);
            if let Some(at) = tightest.or_else(|| fit().next()).map(|(at, _)| at) {
                taken = Some(group.remove(at));
                break;
            }
        }
        let Some(room) = taken else {
            // More than it needs there need not be.
            return complete.then_some(chosen);
        };
        held += u64::from(room.tasks);
        if let Some(at) = rooms.iter().position(|r| *r == u64::from(room.tasks)) {
            rooms.remove(at);
        }
        chosen.push(room);
    }
}

/// Nodes of one weight that follow one another; one that is required goes on with the run before it.
struct Run {
    nodes: Vec<usize>,
    /// That of those that are not required.
    weight: Option<u32>,
    /// A required one is among them.
    required: bool,
}

fn runs(required: &[Room], others: &[Room], tables: &Tables) -> Vec<Run> {
    let mut all: Vec<(usize, bool)> = others.iter().map(|c| (c.node, false)).collect();
    all.extend(required.iter().map(|c| (c.node, true)));
    all.sort_unstable();
    let mut runs: Vec<Run> = Vec::new();
    for (node, must) in all {
        let weight = Some(tables.nodes[node].weight).filter(|_| !must);
        match runs.last_mut() {
            Some(run)
                if run.nodes.last() == node.checked_sub(1).as_ref()
                    && (weight.is_none() || run.weight.is_none() || run.weight == weight) =>
            {
                run.nodes.push(node);
                run.weight = run.weight.or(weight);
                run.required |= must;
            }
            _ => runs.push(Run { nodes: vec![node], weight, required: must }),
        }
    }
    runs
}

/// The others, in groups that are taken one after the other.
fn groups(demand: &Demand, required: &[Room], others: &[Room], tables: &Tables) -> Vec<Vec<Room>> {
    let mut beside = BTreeSet::new();
    if !required.is_empty() {
        let with = runs(required, others, tables).into_iter().filter(|run| run.required);
        beside.extend(with.flat_map(|run| run.nodes));
    }
    let by_node: BTreeMap<usize, Room> = others.iter().map(|c| (c.node, *c)).collect();
    let mut groups: Vec<(bool, u32, Vec<Room>)> = Vec::new();
    // As the demand has them: preferred ones first, then by weight.
    for (away, node) in
        [false, true].into_iter().flat_map(|away| demand.nodes.iter().map(move |n| (away, *n)))
    {
        let Some(room) = by_node.get(&node) else { continue };
        if beside.contains(&node) == away {
            continue;
        }
        let weight = tables.nodes[node].weight;
        match groups.last_mut() {
            Some((a, w, group)) if *a == away && *w == weight => group.push(*room),
            _ => groups.push((away, weight, vec![*room])),
        }
    }
    groups.into_iter().map(|g| g.2).collect()
}
