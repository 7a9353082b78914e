//! Hostlists: `n[1-4,7],login1`.

use serde::{Deserialize, Serialize};

/// An expanded hostlist, in the order given, without doubles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HostList {
    /// The names.
    pub names: Vec<String>,
}
