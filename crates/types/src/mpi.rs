//! How the tasks of a step find each other, as `srun --mpi` and MpiDefault name it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A kind of MPI start-up that exists here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mpi {
    /// None: the program sees to it, as `mpirun` does.
    #[default]
    None,
    /// PMI-2, and PMI-1 on the same descriptor.
    Pmi2,
}

impl Mpi {
    /// All, in the order in which they are listed.
    pub const ALL: [Mpi; 2] = [Mpi::None, Mpi::Pmi2];

    /// The kind of that name; `openmpi` never was one of its own.
    pub fn parse(name: &str) -> Option<Mpi> {
        match name {
            "none" | "openmpi" => Some(Mpi::None),
            "pmi2" => Some(Mpi::Pmi2),
            _ => None,
        }
    }
}

impl fmt::Display for Mpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mpi::None => "none",
            Mpi::Pmi2 => "pmi2",
        })
    }
}
