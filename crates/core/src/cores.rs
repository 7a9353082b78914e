//! Which of a node's free CPUs a job gets, as Slurm picks them by cores (`CR_Core_Memory`, distribution `block:cyclic`).
//!
//! Found by what real Slurm gives: the CPUs of a task stay on one socket where one has room for them, all CPUs of the job if
//! they fit there; else the sockets take turns, task by task, or core by core where a task fits on none.

use crate::index_set::IndexSet;
use crate::tables::NodeTable;

/// So many of the free CPUs, for tasks of `each` CPUs. None if there are fewer.
pub fn choose(free: &IndexSet, count: u32, each: u32, node: &NodeTable) -> Option<IndexSet> {
    if free.len() < count {
        return None;
    }
    let core = node.threads_per_core.max(1);
    let socket = node.cores_per_socket.saturating_mul(core).max(1);
    // A node whose shape says less than its CPUs has the rest on its last socket.
    let sockets: Vec<(u32, u32)> = (0..node.sockets.max(1))
        .map(|s| (s * socket, if s + 1 == node.sockets.max(1) { IndexSet::LIMIT } else { (s + 1) * socket }))
        .collect();
    let within = |set: &IndexSet, &(from, to): &(u32, u32)| set.count_within(from, to);
    if let ([_], _) | (_, 0) = (&sockets[..], count) {
        return free.clone().take_lowest(count, 0, IndexSet::LIMIT);
    }
    let mut left = free.clone();
    let mut taken = IndexSet::default();
    if each > 1
        && let Some(&(from, to)) = sockets.iter().find(|s| within(&left, s) >= count)
    {
        return left.take_lowest(count, from, to);
    }
    let mut missing = count;
    let whole_tasks = |left: &IndexSet| each > 1 && sockets.iter().any(|s| within(left, s) >= each);
    let mut turn = 0;
    while missing > 0 {
        let unit = if whole_tasks(&left) { each } else { core }.min(missing);
        let at = (0..sockets.len()).map(|n| (turn + n) % sockets.len());
        // A socket with too little for the unit gives what it has where no other has more.
        let (at, unit) =
            at.clone().find(|&s| within(&left, &sockets[s]) >= unit).map(|s| (s, unit)).or_else(|| {
                let some = at.clone().find(|&s| within(&left, &sockets[s]) > 0)?;
                Some((some, within(&left, &sockets[some]).min(unit)))
            })?;
        let (from, to) = sockets[at];
        taken.add(&left.take_lowest(unit, from, to)?);
        missing -= unit;
        turn = at + 1;
    }
    Some(taken)
}

/// On how many sockets CPUs are, at least 1.
pub fn sockets(cpus: &IndexSet, node: &NodeTable) -> u32 {
    let socket = node.cores_per_socket.saturating_mul(node.threads_per_core.max(1)).max(1);
    let last = node.sockets.max(1) - 1;
    let on = |cpu: u32| (cpu / socket).min(last);
    cpus.iter().map(on).collect::<IndexSet>().len().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn node(sockets: u32, cores_per_socket: u32, threads_per_core: u32) -> NodeTable {
        NodeTable {
            name: "n1".into(),
            cpus: sockets * cores_per_socket * threads_per_core,
            sockets,
            cores_per_socket,
            threads_per_core,
            memory_mb: 1,
            tmp_disk_mb: 0,
            weight: 1,
            features: std::collections::BTreeSet::new(),
            gres: Vec::new(),
        }
    }

    #[test]
    fn as_slurm_picks_them() {
        let node = node(2, 4, 1);
        for (free, count, each, gets) in [
            ("0-7", 1, 1, "0"),
            ("0-7", 2, 1, "0,4"),
            ("0-7", 3, 1, "0-1,4"),
            ("0-7", 7, 1, "0-6"),
            ("0-7", 3, 3, "0-2"),
            ("0-7", 5, 5, "0-2,4-5"),
            ("0-7", 6, 6, "0-2,4-6"),
            ("0-7", 7, 7, "0-6"),
            ("0-7", 4, 2, "0-3"),
            ("0-7", 6, 2, "0-5"),
            ("0-7", 6, 3, "0-2,4-6"),
            ("1-7", 2, 1, "1,4"),
            ("2-3,5-7", 3, 1, "2-3,5"),
            ("2-3,6-7", 3, 3, "2-3,6"),
            ("3-7", 2, 2, "4-5"),
            ("3,6-7", 2, 2, "6-7"),
            ("3,7", 2, 2, "3,7"),
            ("2-7", 3, 1, "2-4"),
            ("1-7", 4, 4, "4-7"),
        ] {
            let free: IndexSet = free.parse().unwrap();
            assert_eq!(
                choose(&free, count, each, &node).unwrap().to_string(),
                gets,
                "{count} of {free} by {each}"
            );
        }
    }

    proptest! {
        #[test]
        fn gives_what_is_free_and_as_many_as_asked(
            free: Vec<u8>, count in 0u32..40, each in 1u32..9, sockets in 1u32..5, cores in 1u32..9, threads in 1u32..3,
        ) {
            let node = node(sockets, cores, threads);
            let all = sockets * cores * threads;
            let free: IndexSet = free.iter().map(|i| u32::from(*i) % all).collect();
            match choose(&free, count, each, &node) {
                Some(taken) => {
                    prop_assert_eq!(taken.len(), count);
                    prop_assert!(free.is_superset(&taken));
                }
                None => prop_assert!(free.len() < count),
            }
        }
    }
}
