//! Which rank is on which node, in the words of MPI libraries.

use std::fmt::Write;

/// `PMI_process_mapping`: blocks of (first node, nodes, ranks on each) that follow each other by rank. `nodes` holds each
/// rank's node, by its number in the step.
pub fn process_mapping(nodes: &[u32]) -> String {
    let mut blocks: Vec<(u32, u32, usize)> = Vec::new();
    for run in nodes.chunk_by(|a, b| a == b) {
        match blocks.last_mut() {
            Some((first, count, ranks)) if *ranks == run.len() && *first + *count == run[0] => *count += 1,
            _ => blocks.push((run[0], 1, run.len())),
        }
    }
    let mut out = "(vector".to_owned();
    for (first, count, ranks) in blocks {
        let _ = write!(out, ",({first},{count},{ranks})");
    }
    out.push(')');
    out
}
