//! What is asked for by GPUs, shapes and numbers of nodes is what is given.

mod common;

use bivouac_core::demand::Demand;
use bivouac_core::place::{allot, place};
use bivouac_core::tables::Tables;
use bivouac_types::GresRequest;
use bivouac_types::config::{ClusterConfig, GresConfig};
use bivouac_types::job::{GpuRequest, NodeRange, ResourceRequest};
use proptest::prelude::*;

/// Four nodes of 2 sockets with 4 cores and two GPUs, in one partition.
fn config() -> ClusterConfig {
    let mut config = common::config();
    let shape = config.nodes[0].clone();
    let node = |i: usize| {
        let mut node = shape.clone();
        node.name = format!("n{i}");
        (node.sockets, node.cores_per_socket, node.threads_per_core, node.memory_mb) = (2, 4, 1, 8000);
        node.gres = vec![GresConfig { name: "gpu".into(), kind: Some("tesla".into()), count: 2 }];
        node
    };
    config.nodes = (1..=4).map(node).collect();
    config.partitions.truncate(1);
    config.partitions[0].nodes = config.nodes.iter().map(|n| n.name.clone()).collect();
    (config.partitions[0].max_nodes, config.partitions[0].def_mem_per_cpu_mb) = (None, Some(100));
    config
}

fn gpus(count: u32) -> Vec<GresRequest> {
    if count == 0 {
        Vec::new()
    } else {
        vec![GresRequest { name: "gpu".into(), kind: None, count, bare: false }]
    }
}

fn request() -> impl Strategy<Value = ResourceRequest> {
    let gpu = (0u32..6, 0u32..3, 0u32..3, prop_oneof![Just(None), (1u32..4).prop_map(Some)]);
    let counts = (
        prop_oneof![Just(None), (1u32..9).prop_map(Some)],
        prop_oneof![Just(None), (1u32..4, 0u32..3).prop_map(Some)],
        0u32..9,
        prop_oneof![Just(None), (1u32..4).prop_map(Some)],
    );
    (gpu, counts, any::<[bool; 5]>()).prop_map(
        |(gpu, counts, [overcommit, contiguous, spread, few, whole])| {
            let (total, per_node, per_task, cpus_per_gpu) = gpu;
            let (ntasks, range, min_cpus, per_socket) = counts;
            ResourceRequest {
                ntasks,
                nodes: range.map(|(min, more)| NodeRange { min, max: Some(min + more) }),
                min_cpus: Some(min_cpus),
                ntasks_per_socket: per_socket,
                gpus: GpuRequest {
                    // A total and a number for each node or task are not asked for together here.
                    per_job: gpus(if per_node + per_task == 0 { total } else { 0 }),
                    per_node: gpus(per_node),
                    per_task: gpus(if ntasks.is_some() { per_task } else { 0 }),
                    per_socket: Vec::new(),
                    cpus_per_gpu,
                },
                overcommit,
                contiguous,
                spread_job: spread,
                use_min_nodes: few,
                exclusive: whole,
                ..ResourceRequest::default()
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_given_is_what_was_asked_for(ask in request()) {
        let config = config();
        let tables = Tables::new(&config);
        let Ok(demand) = Demand::new(&ask, 0, &config, &tables) else { return Ok(()) };
        let Some(picks) = place(&demand, &tables.idle(), &tables) else { return Ok(()) };
        let alloc = allot(&demand, &picks, &tables.idle(), &tables).expect("what is placed can be allotted");
        let range = ask.nodes.unwrap_or(NodeRange { min: 1, max: None });
        let nodes = alloc.len() as u32;
        prop_assert!(nodes <= range.max.unwrap_or(4) && nodes >= range.min.min(ask.ntasks.unwrap_or(u32::MAX)));
        let tasks: u32 = alloc.iter().map(|a| a.tasks).sum();
        prop_assert!(ask.ntasks.is_none_or(|n| tasks == n) && tasks >= nodes);
        let gpus_of = |a: &bivouac_core::NodeAlloc| a.gres.iter().map(|g| g.indices.len()).sum::<u32>();
        let count = |list: &[GresRequest]| list.iter().map(|g| g.count).sum::<u32>();
        let (total, each, per_task) = (count(&ask.gpus.per_job), count(&ask.gpus.per_node), count(&ask.gpus.per_task));
        let given: u32 = alloc.iter().map(gpus_of).sum();
        let asked = total + each * nodes + per_task * tasks;
        prop_assert!(if ask.exclusive { given == 2 * nodes } else { given == asked }, "{given} of {asked}");
        for a in &alloc {
            let for_tasks = if ask.overcommit { 1 } else { a.tasks };
            let for_gpus = ask.gpus.cpus_per_gpu.unwrap_or(0) * if ask.exclusive { 0 } else { gpus_of(a) };
            let least = for_tasks.max(for_gpus).max(ask.min_cpus.unwrap_or(0));
            prop_assert_eq!(a.cpus.len(), if ask.exclusive { 8 } else { least });
            prop_assert!(a.tasks <= ask.ntasks_per_socket.map_or(u32::MAX, |n| 2 * n));
            prop_assert_eq!(a.mem_mb, 100 * u64::from(a.cpus.len()));
        }
        if ask.contiguous {
            let mut at: Vec<usize> = picks.iter().map(|p| p.node).collect();
            at.sort_unstable();
            prop_assert!(at.windows(2).all(|w| w[1] == w[0] + 1), "{at:?}");
        }
    }
}

#[test]
fn as_many_nodes_as_possible_unless_few_are_wanted() {
    let config = config();
    let tables = Tables::new(&config);
    let nodes = |ask: ResourceRequest| {
        let demand = Demand::new(&ask, 0, &config, &tables).unwrap();
        place(&demand, &tables.idle(), &tables).map(|p| p.len())
    };
    let range = Some(NodeRange { min: 1, max: Some(3) });
    assert_eq!(nodes(ResourceRequest { nodes: range, ..Default::default() }), Some(3));
    assert_eq!(nodes(ResourceRequest { nodes: range, use_min_nodes: true, ..Default::default() }), Some(1));
    assert_eq!(nodes(ResourceRequest { nodes: range, ntasks: Some(2), ..Default::default() }), Some(2));
    assert_eq!(nodes(ResourceRequest { ntasks: Some(6), spread_job: true, ..Default::default() }), Some(4));
}

/// As Slurm gives them.
#[test]
fn gpus_for_each_socket_of_which_the_job_has_cpus() {
    let config = config();
    let tables = Tables::new(&config);
    for (each, ntasks, cpus, found) in [
        (1, 1, 1, &[("0", 1)][..]),
        (1, 2, 1, &[("0,4", 2)]),
        (1, 8, 1, &[("0-7", 2)]),
        (2, 1, 1, &[("0", 2)]),
        (2, 5, 1, &[("0-2,4-5", 2)]),
        (1, 1, 6, &[("0-2,4-6", 2)]),
        (1, 12, 1, &[("0-7", 2), ("0-1,4-5", 2)]),
    ] {
        let gpus = GpuRequest { per_socket: gpus(each), ..GpuRequest::default() };
        let (ntasks, cpus_per_task) = (Some(ntasks), Some(cpus));
        let ask = ResourceRequest { ntasks, cpus_per_task, gpus, ..ResourceRequest::default() };
        let demand = Demand::new(&ask, 0, &config, &tables).unwrap();
        let picks = place(&demand, &tables.idle(), &tables).unwrap();
        let alloc = allot(&demand, &picks, &tables.idle(), &tables).unwrap();
        let has = |a: &bivouac_core::NodeAlloc| {
            (a.cpus.to_string(), a.gres.iter().map(|g| g.indices.len()).sum::<u32>())
        };
        let has: Vec<(String, u32)> = alloc.iter().map(has).collect();
        let found: Vec<(String, u32)> = found.iter().map(|(cpus, gpus)| (cpus.to_string(), *gpus)).collect();
        assert_eq!(has, found, "{each} for each socket, {ask:?}");
    }
}
