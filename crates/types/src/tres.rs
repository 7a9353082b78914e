//! Generic resources and trackable resources (TRES).

use serde::{Deserialize, Serialize};
use std::fmt;

/// One entry of --gres: `name[:type][:count]`, a count per node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GresRequest {
    /// Name, for example `gpu`.
    pub name: String,
    /// Type, for example `a100`.
    pub kind: Option<String>,
    /// How many on each node.
    pub count: u32,
}

impl fmt::Display for GresRequest {
    /// `gpu:a100:2`, `gpu:1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Some(k) => write!(f, "{}:{}:{}", self.name, k, self.count),
            None => write!(f, "{}:{}", self.name, self.count),
        }
    }
}
