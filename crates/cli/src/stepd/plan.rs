//! The tasks of a step: where each runs and what it finds in its environment. Pure.

use bivouac_options::srun::Request;
use bivouac_proto::message::{StepLayout, StepNode};
use bivouac_types::distribution::Method;
use bivouac_types::{Distribution, HostList, StepKind};
use std::fmt::Write;

/// A task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// SLURM_PROCID.
    pub rank: u32,
    /// Its node, as an index into the layout.
    pub node: usize,
    /// SLURM_LOCALID: its number on its node.
    pub local: u32,
}

/// How the tasks are spread: as was asked for, else in turn if there are no more of them than nodes.
pub fn distribution(request: &Request, layout: &StepLayout) -> Distribution {
    let few = layout.nodes.iter().all(|n| n.tasks <= 1);
    request.distribution.clone().unwrap_or_else(|| if few { Method::Cyclic } else { Method::Block }.into())
}

/// The tasks of a layout, by their rank.
pub fn tasks(layout: &StepLayout, way: &Distribution) -> Vec<Task> {
    let counts: Vec<u32> = layout.nodes.iter().map(|n| n.tasks).collect();
    let mut next = vec![0; counts.len()];
    let task = |(rank, node): (u32, usize)| {
        let local = next[node];
        next[node] += 1;
        Task { rank, node, local }
    };
    (0u32..).zip(way.nodes(&counts)).map(task).collect()
}

/// The variables of a task. `cpus_per_task` is set if it was asked for.
pub fn variables(
    layout: &StepLayout,
    way: &Distribution,
    task: &Task,
    cpus_per_task: Option<u32>,
) -> Vec<(&'static str, String)> {
    let node = &layout.nodes[task.node];
    let step = match layout.step.step {
        StepKind::Number(n) => n.to_string(),
        other => other.to_string(),
    };
    let total: u32 = layout.nodes.iter().map(|n| n.tasks).sum();
    let nodes: HostList = layout.nodes.iter().map(|n| n.name.clone()).collect();
    let per_node = counts(&layout.nodes);
    let here = |t: &Task| t.node == task.node;
    let ranks: Vec<String> =
        tasks(layout, way).iter().filter(|t| here(t)).map(|t| t.rank.to_string()).collect();
    let mut set = vec![
        ("SLURM_STEP_ID", step.clone()),
        ("SLURM_STEPID", step),
        ("SLURM_STEP_NODELIST", nodes.to_string()),
        ("SLURM_STEP_NUM_NODES", layout.nodes.len().to_string()),
        ("SLURM_STEP_NUM_TASKS", total.to_string()),
        ("SLURM_STEP_TASKS_PER_NODE", per_node.clone()),
        ("SLURM_TASKS_PER_NODE", per_node),
        ("SLURM_NNODES", layout.nodes.len().to_string()),
        ("SLURM_NTASKS", total.to_string()),
        ("SLURM_NPROCS", total.to_string()),
        ("SLURM_PROCID", task.rank.to_string()),
        ("SLURM_LOCALID", task.local.to_string()),
        ("SLURM_NODEID", task.node.to_string()),
        ("SLURM_GTIDS", ranks.join(",")),
        ("SLURM_CPUS_ON_NODE", node.cpus.to_string()),
        ("SLURM_DISTRIBUTION", way.to_string()),
        ("SLURM_LAUNCH_NODE_IPADDR", "127.0.0.1".to_owned()),
        ("SLURM_SRUN_COMM_HOST", "127.0.0.1".to_owned()),
        ("SLURM_TOPOLOGY_ADDR", node.name.clone()),
        ("SLURM_TOPOLOGY_ADDR_PATTERN", "node".to_owned()),
        ("SLURMD_NODENAME", node.name.clone()),
        ("HOSTNAME", node.name.clone()),
        ("SRUN_DEBUG", "3".to_owned()),
    ];
    set.extend(way.plane_size().map(|size| ("SLURM_DIST_PLANESIZE", size.to_string())));
    if let Some(cpus) = cpus_per_task {
        set.push(("SLURM_CPUS_PER_TASK", cpus.to_string()));
    }
    set
}

/// `2(x2),1`.
fn counts(nodes: &[StepNode]) -> String {
    let mut out = String::new();
    for run in nodes.chunk_by(|a, b| a.tasks == b.tasks) {
        if !out.is_empty() {
            out.push(',');
        }
        let _ = write!(out, "{}", run[0].tasks);
        if run.len() > 1 {
            let _ = write!(out, "(x{})", run.len());
        }
    }
    out
}

/// `0`, `0-1`, `0,2-3` of ascending ranks.
pub fn ranks(ranks: &[u32]) -> String {
    bivouac_types::TaskSet::from_ranges(ranks.iter().map(|&r| (r, r)))
        .ranges()
        .iter()
        .map(|&(a, b)| if a == b { a.to_string() } else { format!("{a}-{b}") })
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bivouac_types::{JobId, StepId};

    fn layout(tasks: &[u32]) -> StepLayout {
        let node =
            |(i, &tasks): (usize, &u32)| StepNode { name: format!("n{}", i + 1), tasks, cpus: 2 * tasks };
        StepLayout {
            step: StepId { job: JobId(12), step: StepKind::Number(3) },
            cpus_per_task: 2,
            nodes: tasks.iter().enumerate().map(node).collect(),
            socket: String::new(),
            gather: 30,
            kill_wait: 30,
            wait: 0,
            kill_on_bad_exit: false,
            mpi: Default::default(),
        }
    }

    #[test]
    fn a_task_knows_its_place() {
        let layout = layout(&[2, 2, 1]);
        let block = Distribution::default();
        let all = tasks(&layout, &block);
        assert_eq!(all[3], Task { rank: 3, node: 1, local: 1 });
        let set: std::collections::BTreeMap<_, _> =
            variables(&layout, &block, &all[3], None).into_iter().collect();
        for (name, value) in [
            ("SLURM_STEP_ID", "3"),
            ("SLURM_PROCID", "3"),
            ("SLURM_LOCALID", "1"),
            ("SLURM_NODEID", "1"),
            ("SLURM_GTIDS", "2,3"),
            ("SLURM_NTASKS", "5"),
            ("SLURM_STEP_NODELIST", "n[1-3]"),
            ("SLURM_TASKS_PER_NODE", "2(x2),1"),
            ("SLURM_CPUS_ON_NODE", "4"),
            ("SLURMD_NODENAME", "n2"),
        ] {
            assert_eq!(set.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert!(!set.contains_key("SLURM_CPUS_PER_TASK"));
    }

    #[test]
    fn tasks_are_dealt_in_turn() {
        let layout = layout(&[3, 2]);
        let cyclic = Distribution::from(Method::Cyclic);
        let all = tasks(&layout, &cyclic);
        assert_eq!(
            all.iter().map(|t| (t.node, t.local)).collect::<Vec<_>>(),
            [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)]
        );
        let set = variables(&layout, &cyclic, &all[1], None);
        assert!(set.contains(&("SLURM_GTIDS", "1,3".to_owned())), "{set:?}");
        assert!(set.contains(&("SLURM_DISTRIBUTION", "cyclic".to_owned())), "{set:?}");
    }

    #[test]
    fn ranks_are_folded() {
        assert_eq!(ranks(&[0, 1, 3]), "0-1,3");
        assert_eq!(ranks(&[0, 2, 4, 6]), "0,2,4,6");
    }
}
