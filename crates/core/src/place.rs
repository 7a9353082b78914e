//! The choice of nodes for a job, and the share of each.

mod order;

use crate::alloc::{NodeAlloc, NodeFree};
use crate::demand::Demand;
use crate::plan::NodePick;
use crate::tables::Tables;

/// Chooses nodes for a job: in Slurm's order ([`order`]) until they hold it, and then more where it asks for as many as
/// possible. Tasks fill them as they were chosen, at least one on each.
///
/// Finds a choice whenever one exists: a node is taken only if those with most room could complete it. With a total of GPUs
/// and a number of tasks the nodes with most GPUs are taken where Slurm's order fails, which may miss a choice.
pub fn place(demand: &Demand, free: &[NodeFree], tables: &Tables) -> Option<Vec<NodePick>> {
    if demand.choices.is_empty() {
        return place_among(&demand.nodes, demand, free, tables);
    }
    demand.choices.iter().find_map(|nodes| place_among(nodes, demand, free, tables))
}

fn place_among(
    nodes: &[usize],
    demand: &Demand,
    free: &[NodeFree],
    tables: &Tables,
) -> Option<Vec<NodePick>> {
    if !demand.required.iter().all(|n| nodes.contains(n)) {
        return None;
    }
    let cap = |n: usize| Room::new(demand, n, free, tables);
    if demand.min_nodes <= 1 && demand.required.is_empty() && demand.counts.is_empty() && !demand.widen {
        // By far the most frequent case: the first node that holds it all.
        let whole = |n: &&usize| {
            let room = cap(**n);
            room.tasks >= demand.tasks && room.gpus >= demand.total_gpus()
        };
        if let Some(&node) = nodes.iter().find(whole) {
            return Some(vec![NodePick { node, tasks: demand.tasks }]);
        }
        if demand.max_nodes <= 1 {
            return None;
        }
    }
    let chosen: Vec<Room> = demand.required.iter().map(|&n| cap(n)).collect();
    if chosen.iter().any(|c| c.tasks < demand.tasks_each.max(1)) {
        return None;
    }
    let others: Vec<Room> = nodes.iter().filter(|n| !demand.required.contains(n)).map(|&n| cap(n)).collect();
    if demand.contiguous {
        let all = chosen.into_iter().chain(others).collect();
        return spread_tasks(demand, window(demand, all)?);
    }
    let mut others: Vec<Room> = others.into_iter().filter(|c| c.tasks >= demand.tasks_each.max(1)).collect();
    let chosen = with_counted(demand, chosen, &mut others)?;
    let in_order = order::choose(demand, &chosen, &others, tables);
    in_order.and_then(|all| spread_tasks(demand, all)).or_else(|| {
        let (mut chosen, mut others) = (chosen, others);
        others.sort_by_key(|c| std::cmp::Reverse((c.gpus, c.tasks)));
        let mut others = others.into_iter();
        while !demand.is_held_by(&chosen) {
            chosen.push(others.next()?);
        }
        spread_tasks(demand, chosen)
    })
}

/// Adds as many nodes of each feature as are asked for, those with most room first. None: there are not so many.
fn with_counted(demand: &Demand, mut chosen: Vec<Room>, others: &mut Vec<Room>) -> Option<Vec<Room>> {
    for (count, of) in &demand.counts {
        let have = chosen.iter().filter(|c| of.contains(&c.node)).count();
        for _ in have..*count as usize {
            let fits = others.iter().enumerate().filter(|(_, c)| of.contains(&c.node));
            let best = fits.max_by_key(|(at, c)| (c.gpus, c.tasks, std::cmp::Reverse(*at)));
            chosen.push(others.remove(best?.0));
        }
    }
    Some(chosen)
}

/// What of the job a node can take.
#[derive(Clone, Copy)]
struct Room {
    node: usize,
    tasks: u32,
    gpus: u32,
}

impl Room {
    fn new(demand: &Demand, node: usize, free: &[NodeFree], tables: &Tables) -> Room {
        let (here, table) = (&free[node], &tables.nodes[node]);
        let tasks = here.tasks_that_fit(demand, table);
        let gpus = if tasks == 0 { 0 } else { here.gpus_that_fit(demand, demand.tasks_each.max(1), table) };
        Room { node, tasks, gpus }
    }
}

impl Demand {
    fn total_gpus(&self) -> u32 {
        self.gpus.total.as_ref().map_or(0, |g| g.count)
    }

    /// The most nodes that its tasks and GPUs leave.
    fn most_nodes(&self) -> u32 {
        let by_tasks = if self.tasks_each > 0 { u32::MAX } else { self.tasks };
        let by_gpus = self.gpus.total.as_ref().map_or(u32::MAX, |g| g.count);
        self.max_nodes.min(by_tasks).min(by_gpus)
    }

    /// Whether it may have these nodes together: all that are required, as many of each feature as are asked for, and one of
    /// its choices.
    pub(crate) fn suits(&self, nodes: &[usize]) -> bool {
        let of = |set: &[usize]| nodes.iter().filter(|n| set.contains(n)).count();
        self.required.iter().all(|n| nodes.contains(n))
            && self.counts.iter().all(|(count, set)| of(set) >= *count as usize)
            && (self.choices.is_empty() || self.choices.iter().any(|set| of(set) == nodes.len()))
    }

    fn is_held_by(&self, chosen: &[Room]) -> bool {
        let sum = |of: fn(&Room) -> u32| chosen.iter().map(|c| u64::from(of(c))).sum::<u64>();
        chosen.len() >= self.min_nodes as usize
            && sum(|c| c.tasks) >= u64::from(self.tasks)
            && sum(|c| c.gpus) >= u64::from(self.total_gpus())
    }
}

/// The first run of nodes that follow one another, hold the job and have all that must be among them.
fn window(demand: &Demand, mut all: Vec<Room>) -> Option<Vec<Room>> {
    all.sort_by_key(|c| c.node);
    let most = demand.most_nodes() as usize;
    let holds = |run: &[Room]| {
        let nodes: Vec<usize> = run.iter().map(|c| c.node).collect();
        demand.is_held_by(run) && demand.suits(&nodes)
    };
    let fits = |c: &Room| c.tasks >= demand.tasks_each.max(1);
    for from in 0..all.len() {
        let follows = |i: &usize| fits(&all[*i]) && all[*i].node == all[from].node + (i - from);
        let end = (from..all.len()).take_while(follows).last().map_or(from, |last| last + 1);
        let length = (1..=(end - from).min(most)).find(|n| holds(&all[from..from + n]));
        if let Some(length) = length {
            let length = if demand.widen { (end - from).min(most) } else { length };
            return Some(all[from..from + length].to_vec());
        }
    }
    None
}

/// The tasks of each chosen node, in the order of the configuration; none if they are too many nodes.
fn spread_tasks(demand: &Demand, chosen: Vec<Room>) -> Option<Vec<NodePick>> {
    let count = chosen.len() as u32;
    if count > demand.most_nodes() {
        return None;
    }
    let mut left = demand.tasks.saturating_sub(count);
    let picks = chosen.into_iter().map(|c| {
        if demand.tasks_each > 0 {
            return NodePick { node: c.node, tasks: demand.tasks_each };
        }
        let more = left.min(c.tasks - 1);
        left -= more;
        NodePick { node: c.node, tasks: 1 + more }
    });
    let mut picks: Vec<NodePick> = picks.collect();
    picks.sort_by_key(|p| p.node);
    Some(picks)
}

/// What the job gets on the picked nodes, if it fits there. A total of GPUs fills them in order, with at least one on each.
pub fn allot(
    demand: &Demand,
    picks: &[NodePick],
    free: &[NodeFree],
    tables: &Tables,
) -> Option<Vec<NodeAlloc>> {
    let mut left = demand.total_gpus();
    let mut after = picks.len() as u32;
    let one = |pick: &NodePick| {
        let (here, node) = (free.get(pick.node)?, tables.nodes.get(pick.node)?);
        after -= 1;
        let gpus = match left {
            0 => 0,
            _ => here.gpus_that_fit(demand, pick.tasks, node).min(left.checked_sub(after)?),
        };
        left -= gpus;
        here.allot(demand, pick.tasks, gpus, node)
    };
    let alloc: Option<Vec<NodeAlloc>> = picks.iter().map(one).collect();
    let mut alloc = alloc.filter(|_| left == 0)?;
    if let Some(tasks) = demand.true_tasks {
        share_tasks(&mut alloc, tasks);
    }
    Some(alloc)
}

/// Tasks that are not what the CPUs were counted by: at least one on each node, then as many as its CPUs are, and the
/// first node has what is left.
fn share_tasks(alloc: &mut [NodeAlloc], tasks: u32) {
    let mut left = tasks.saturating_sub(alloc.len() as u32);
    for part in alloc.iter_mut() {
        let more = left.min(part.cpus.len().saturating_sub(1));
        left -= more;
        part.tasks = 1 + more;
    }
    if let Some(first) = alloc.first_mut() {
        first.tasks += left;
    }
}
