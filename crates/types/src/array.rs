//! Job arrays: the expression of --array and sets of task indices.

use serde::{Deserialize, Serialize};

/// A set of array task indices as sorted, disjoint, non-adjacent ranges: a million consecutive tasks take one
/// entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSet {
    /// Inclusive ranges `(first, last)`, ascending, with a gap of at least one index between two.
    ranges: Vec<(u32, u32)>,
}

/// --array: the tasks and, after `%`, how many may run at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArraySpec {
    /// The indices.
    pub tasks: TaskSet,
    /// The throttle; none: no limit.
    pub max_running: Option<u32>,
}
