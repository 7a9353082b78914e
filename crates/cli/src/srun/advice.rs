//! Hints for MPI programs that would not start as meant; on a terminal only, as all hints.

use crate::terminal;
use bivouac_types::Mpi;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// How much of a program is looked at: the names of its libraries stand near its beginning.
const LOOKED_AT: u64 = 1 << 20;

/// What to do in place of `--mpi=KIND`, which is refused.
pub fn refused(kind: Option<&str>) {
    if kind.is_some_and(|kind| kind.starts_with("pmix")) {
        terminal::hint(
            "PMIx is not here: start Open MPI programs with mpirun in the job (sbatch, salloc), it starts its ranks \
             through srun; MPICH programs with srun --mpi=pmi2",
        );
    }
}

/// Looks at a program that is about to be run by so many tasks.
pub fn program(path: &Path, mpi: Mpi, tasks: usize) {
    if !terminal::wants_hints() {
        return;
    }
    let mut bytes = Vec::new();
    // One that cannot be read is none that could be advised on.
    let read = File::open(path).and_then(|file| file.take(LOOKED_AT).read_to_end(&mut bytes));
    if let (Ok(_), Some(library)) = (read, library(&bytes)) {
        let name = path.file_name().unwrap_or(path.as_os_str()).display();
        match library {
            Library::OpenMpi => terminal::hint(format_args!(
                "{name} is an Open MPI program, which needs PMIx to be started by srun, and PMIx is not here: in the job \
                 write mpirun {name}, it starts its ranks through srun"
            )),
            Library::Mpich if mpi == Mpi::None && tasks > 1 => terminal::hint(format_args!(
                "{name} is an MPICH program, and each task will be alone in its MPI_COMM_WORLD: srun --mpi=pmi2 starts \
                 them as one"
            )),
            Library::Mpich => {}
        }
    }
}

/// Whose MPI library a program is linked with.
#[derive(Debug, PartialEq, Eq)]
enum Library {
    OpenMpi,
    Mpich,
}

/// By the names that such libraries have had for years.
fn library(program: &[u8]) -> Option<Library> {
    let names = |name: &str| program.windows(name.len()).any(|w| w == name.as_bytes());
    match () {
        () if !program.starts_with(b"\x7fELF") => None,
        () if ["libmpi.so.40", "libmpi.so.20"].into_iter().any(names) => Some(Library::OpenMpi),
        () if ["libmpich.so.1", "libmpi.so.12"].into_iter().any(names) => Some(Library::Mpich),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_known_by_their_library() {
        assert_eq!(library(b"\x7fELF...\0libmpi.so.40\0"), Some(Library::OpenMpi));
        assert_eq!(library(b"\x7fELF...\0libmpich.so.12\0"), Some(Library::Mpich));
        assert_eq!(library(b"\x7fELF...\0libc.so.6\0"), None);
        assert_eq!(library(b"#!/bin/sh\n# libmpi.so.40\n"), None);
    }
}
