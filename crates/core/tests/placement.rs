//! Placement against a brute force that tries every set of nodes.

mod common;

use bivouac_core::alloc::NodeFree;
use bivouac_core::demand::{Demand, MemDemand};
use bivouac_core::need::{GpuDemand, ShapeDemand};
use bivouac_core::place::place;
use bivouac_core::tables::Tables;
use bivouac_types::config::GresConfig;
use bivouac_types::tres::GresRequest;
use proptest::prelude::*;

const NODES: usize = 4;

/// Four nodes of up to 6 CPUs, 600 MiB and some gpus, each partly in use.
fn world() -> impl Strategy<Value = (Tables, Vec<NodeFree>)> {
    let node = (1u32..=6, 1u64..=6, 0u32..=2, 0u32..=1, 0u32..=6, 0u64..=6, 0u32..=2);
    proptest::collection::vec(node, NODES).prop_map(|nodes| {
        let mut config = common::config();
        let shape = config.nodes[0].clone();
        config.nodes = nodes
            .iter()
            .enumerate()
            .map(|(i, (cpus, mem, a100, v100, ..))| {
                let mut node = shape.clone();
                node.name = format!("n{i}");
                (node.cores_per_socket, node.memory_mb) = (*cpus, mem * 100);
                let gres = [("a100", *a100), ("v100", *v100)];
                let gres = gres.into_iter().filter(|g| g.1 > 0);
                node.gres = gres
                    .map(|(kind, count)| GresConfig { name: "gpu".into(), kind: Some(kind.into()), count })
                    .collect();
                node
            })
            .collect();
        config.partitions.truncate(1);
        config.partitions[0].nodes = config.nodes.iter().map(|n| n.name.clone()).collect();
        let tables = Tables::new(&config);
        let free = tables.idle().into_iter().zip(&nodes).map(|(mut free, (.., cpus, mem, gpus))| {
            // The lowest are in use.
            free.cpus.take_lowest((*cpus).min(free.cpus.len()), 0, 100);
            free.mem_mb = free.mem_mb.saturating_sub(mem * 100);
            if let Some(slot) = free.gres.first_mut() {
                slot.take_lowest((*gpus).min(slot.len()), 0, 100);
            }
            free.jobs = u32::from(*cpus + *gpus > 0 || *mem > 0);
            free
        });
        let free = free.collect();
        (tables, free)
    })
}

/// One task of one CPU, anywhere.
fn plain() -> Demand {
    Demand {
        partition: 0,
        nodes: Vec::new(),
        required: Vec::new(),
        tasks: 1,
        cpus_per_task: 1,
        true_tasks: None,
        min_nodes: 1,
        max_nodes: u32::MAX,
        tasks_per_node: u32::MAX,
        exclusive: false,
        mem: MemDemand::PerNode(0),
        gres: Vec::new(),
        gpus: GpuDemand::default(),
        shape: ShapeDemand::default(),
        min_node_cpus: 0,
        overcommit: false,
        tasks_each: 0,
        widen: false,
        fill_sockets: false,
        contiguous: false,
        max_cpus_per_node: u32::MAX,
        max_mem_per_node_mb: u64::MAX,
        never: None,
        counts: Vec::new(),
        choices: Vec::new(),
        holder: None,
    }
}

fn demand() -> impl Strategy<Value = Demand> {
    let mem = prop_oneof![
        (0u64..400).prop_map(MemDemand::PerNode),
        (0u64..150).prop_map(MemDemand::PerCpu),
        Just(MemDemand::WholeNode)
    ];
    let gres = proptest::collection::vec(
        (prop_oneof![Just(None), Just(Some("a100")), Just(Some("v100"))], 1u32..3),
        0..2,
    );
    let numbers = (1u32..=8, 1u32..=3, 1u32..=4, 1u32..=4, prop_oneof![Just(u32::MAX), 1u32..=3]);
    let nodes = proptest::sample::subsequence((0..NODES).collect::<Vec<_>>(), 1..=NODES);
    (numbers, mem, gres, nodes, any::<bool>(), 0usize..10).prop_map(
        |(n, mem, gres, nodes, exclusive, required)| {
            let (tasks, cpus_per_task, min, max, tasks_per_node) = n;
            let min_nodes = min.min(tasks);
            Demand {
                required: nodes.get(required).copied().into_iter().collect(),
                nodes,
                tasks,
                cpus_per_task,
                min_nodes,
                max_nodes: max.max(min_nodes),
                tasks_per_node,
                exclusive,
                mem,
                gres: gres
                    .into_iter()
                    .map(|(kind, count)| GresRequest {
                        name: "gpu".into(),
                        kind: kind.map(str::to_string),
                        count,
                        bare: false,
                    })
                    .collect(),
                ..plain()
            }
        },
    )
}

/// How many tasks fit on a node, by trying one number after the other.
fn most_tasks(demand: &Demand, free: &NodeFree, tables: &Tables, n: usize) -> u32 {
    let node = &tables.nodes[n];
    let fits = |tasks: u32| {
        let cpus = if demand.exclusive { node.cpus } else { tasks * demand.cpus_per_task };
        let mem = match demand.mem {
            MemDemand::PerNode(mb) => mb,
            MemDemand::PerCpu(mb) => mb * u64::from(cpus),
            MemDemand::WholeNode => node.memory_mb,
            MemDemand::PerGpu(_) => unreachable!("not generated"),
        };
        let of = |kind: Option<&str>| -> u32 {
            let slots = node.gres.iter().zip(&free.gres);
            slots.filter(|(t, _)| kind.is_none() || t.kind.as_deref() == kind).map(|(_, f)| f.len()).sum()
        };
        let wanted: u32 = demand.gres.iter().map(|g| g.count).sum();
        tasks * demand.cpus_per_task <= free.cpus.len()
            && mem <= free.mem_mb
            && demand.gres.iter().all(|g| g.count <= of(g.kind.as_deref()))
            && wanted <= of(None)
            && (!demand.exclusive || free.jobs == 0)
            && tasks <= demand.tasks_per_node
    };
    (1..=demand.tasks).take_while(|tasks| fits(*tasks)).last().unwrap_or(0)
}

fn exists(demand: &Demand, free: &[NodeFree], tables: &Tables) -> bool {
    (1u32..1 << NODES).any(|set| {
        let chosen: Vec<usize> = (0..NODES).filter(|n| set & (1 << n) != 0).collect();
        let caps: Vec<u32> = chosen.iter().map(|n| most_tasks(demand, &free[*n], tables, *n)).collect();
        let count = chosen.len() as u32;
        chosen.iter().all(|n| demand.nodes.contains(n))
            && demand.required.iter().all(|n| chosen.contains(n))
            && caps.iter().all(|c| *c > 0)
            && caps.iter().sum::<u32>() >= demand.tasks
            && (demand.min_nodes..=demand.max_nodes.min(demand.tasks)).contains(&count)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_place_is_found_exactly_when_there_is_one((tables, free) in world(), demand in demand()) {
        let found = place(&demand, &free, &tables);
        prop_assert_eq!(found.is_some(), exists(&demand, &free, &tables));
        if let Some(picks) = found {
            prop_assert!(picks.is_sorted_by_key(|p| p.node) && picks.len() >= demand.min_nodes as usize);
            prop_assert!(picks.len() <= demand.max_nodes as usize);
            prop_assert_eq!(picks.iter().map(|p| p.tasks).sum::<u32>(), demand.tasks);
            prop_assert!(demand.required.iter().all(|n| picks.iter().any(|p| p.node == *n)));
            for pick in picks {
                prop_assert!(pick.tasks > 0 && demand.nodes.contains(&pick.node));
                let (free, node) = (&free[pick.node], &tables.nodes[pick.node]);
                let alloc = free.allot(&demand, pick.tasks, 0, node);
                let alloc = alloc.expect("what is placed can be allotted");
                prop_assert!(free.cpus.is_superset(&alloc.cpus) && alloc.mem_mb <= free.mem_mb);
                let cpus = if demand.exclusive { node.cpus } else { pick.tasks * demand.cpus_per_task };
                prop_assert_eq!(alloc.cpus.len(), cpus);
                for g in &demand.gres {
                    let fits = |a: &&bivouac_core::alloc::GresAlloc| g.kind.is_none() || a.kind.as_deref() == g.kind.as_deref();
                    let got: u32 = alloc.gres.iter().filter(fits).map(|a| a.indices.len()).sum();
                    prop_assert!(got >= g.count);
                }
                let mut rest = free.clone();
                rest.take(&alloc, node);
                rest.give_back(&alloc, node);
                prop_assert_eq!(&rest, free, "taken and given back is as before");
            }
        }
    }
}

/// Free CPUs of n1 to n4 on the cluster of the differential tests, where n1 and n2 have weight 1, n3 and n4 weight 2.
fn slurms(cpus: [u32; 4]) -> (Tables, Vec<NodeFree>) {
    let mut config = common::config();
    let shape = config.nodes[0].clone();
    let node = |i: u32| {
        let mut node = shape.clone();
        (node.name, node.weight) = (format!("n{i}"), if i > 2 { 2 } else { 1 });
        (node.sockets, node.cores_per_socket, node.memory_mb) = (2, 4, 8000);
        node
    };
    config.nodes = (1..=4).map(node).collect();
    config.partitions.truncate(1);
    config.partitions[0].nodes = config.nodes.iter().map(|n| n.name.clone()).collect();
    let tables = Tables::new(&config);
    let mut free = tables.idle();
    for (free, cpus) in free.iter_mut().zip(cpus) {
        free.cpus.take_lowest(8 - cpus, 0, 8);
    }
    (tables, free)
}

#[test]
fn as_slurm_chooses() {
    let (idle, first, mixed) = ([8, 8, 8, 8], [1, 8, 8, 8], [8, 2, 5, 8]);
    // Free CPUs; tasks; nodes, at least and at most (0: any); nodes that must be among them; tasks of each node.
    type Case = ([u32; 4], u32, u32, u32, &'static [usize], [u32; 4]);
    let cases: &[Case] = &[
        (idle, 2, 2, 2, &[3], [0, 0, 1, 1]),
        (idle, 2, 2, 2, &[2], [1, 0, 1, 0]),
        (idle, 3, 3, 3, &[3], [1, 0, 1, 1]),
        (idle, 3, 3, 3, &[2], [1, 1, 1, 0]),
        (idle, 3, 3, 3, &[1, 3], [1, 1, 0, 1]),
        (idle, 9, 1, 0, &[2], [1, 0, 8, 0]),
        (idle, 17, 1, 0, &[2], [8, 1, 8, 0]),
        (idle, 12, 1, 0, &[3], [0, 0, 4, 8]),
        (idle, 12, 2, 2, &[], [8, 4, 0, 0]),
        (first, 9, 1, 0, &[], [1, 8, 0, 0]),
        (first, 2, 2, 2, &[], [1, 1, 0, 0]),
        (first, 8, 1, 0, &[], [0, 8, 0, 0]),
        (first, 12, 1, 0, &[], [1, 8, 3, 0]),
        (first, 10, 2, 2, &[], [0, 8, 2, 0]),
        (first, 17, 1, 0, &[], [1, 8, 8, 0]),
        (first, 3, 2, 2, &[], [1, 2, 0, 0]),
        (mixed, 9, 1, 0, &[], [8, 1, 0, 0]),
        (mixed, 12, 1, 0, &[], [8, 2, 2, 0]),
        (mixed, 17, 1, 0, &[], [8, 2, 0, 7]),
        (mixed, 15, 1, 0, &[], [8, 2, 5, 0]),
        (mixed, 16, 1, 0, &[], [8, 2, 0, 6]),
        (mixed, 12, 2, 2, &[], [8, 0, 4, 0]),
        (mixed, 16, 2, 2, &[], [8, 0, 0, 8]),
        (mixed, 9, 1, 0, &[3], [0, 0, 1, 8]),
        (mixed, 9, 1, 0, &[0, 3], [8, 0, 0, 1]),
        (mixed, 17, 1, 0, &[2, 3], [4, 0, 5, 8]),
        (mixed, 3, 3, 3, &[3], [0, 1, 1, 1]),
    ];
    for case in cases {
        let &(cpus, tasks, min, max, required, expected) = case;
        let (tables, free) = slurms(cpus);
        let demand = Demand {
            required: required.to_vec(),
            nodes: vec![0, 1, 2, 3],
            tasks,
            min_nodes: min.max(required.len() as u32),
            max_nodes: if max == 0 { u32::MAX } else { max },
            ..plain()
        };
        let mut got = [0; 4];
        for pick in place(&demand, &free, &tables).unwrap() {
            got[pick.node] = pick.tasks;
        }
        assert_eq!(got, expected, "{case:?}");
    }
}
