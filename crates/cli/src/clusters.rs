//! `--clusters` and its variables: which of the clusters that share a database a command is for. A cluster of bivouac's is
//! alone in its database; its name, and `all`, mean it.

use crate::terminal;
use bivouac_options::{Given, Program, Source};
use bivouac_proto::place::Place;
use std::process::ExitCode;

/// This cluster's name, if the command was asked for clusters.
///
/// # Errors
/// It was not among them; Slurm's words for that have been said.
pub fn named(given: &Given) -> Result<Option<String>, ExitCode> {
    let option = if given.program == Program::Sdiag { "cluster" } else { "clusters" };
    let Some(choice) = given.get(option) else { return Ok(None) };
    let reports = !matches!(given.program, Program::Scancel | Program::Salloc | Program::Srun);
    let by_variable = matches!(choice.source, Source::Variable(_)) && reports;
    let entry = if by_variable { "SLURM_CLUSTERS" } else { "--cluster" };
    known(given.program, choice.value.as_deref().unwrap_or_default(), entry).map(Some)
}

/// This cluster's name, if it is in the list; `entry` is where the list was given.
///
/// # Errors
/// As [`named`].
pub fn known(program: Program, list: &str, entry: &str) -> Result<String, ExitCode> {
    let own = own(program)?;
    let mut found = false;
    for name in list.split(',') {
        if is(name, &own) {
            found = true;
        } else {
            eprintln!("{program}: error: No cluster '{name}' known by database.");
        }
    }
    if found {
        return Ok(own);
    }
    hint(program, list, &own);
    Err(crate::invocation::fail(
        program,
        format_args!(
            "'{list}' can't be reached now, or it is an invalid entry for {entry}.  Use 'sacctmgr list clusters' to \
             see available clusters."
        ),
    ))
}

/// How another cluster of bivouac's is spoken to.
fn hint(program: Program, list: &str, own: &str) {
    let is_there =
        |name: &&str| Place::find(Some(name)).is_ok_and(|place| !place.inside && place.state_dir.is_dir());
    match list.split(',').find(is_there) {
        Some(name) => {
            terminal::hint(format_args!(
                "cluster {name} is spoken to by `BIVOUAC_CLUSTER={name} {program} ...`"
            ));
        }
        None => terminal::hint(format_args!(
            "this is cluster {own}, and it knows no other; `BIVOUAC_CLUSTER=NAME {program} ...` speaks to another \
             cluster of this machine"
        )),
    }
}

fn own(program: Program) -> Result<String, ExitCode> {
    Ok(Place::find(None).map_err(|e| crate::invocation::fail(program, e))?.cluster)
}

fn is(name: &str, own: &str) -> bool {
    name.eq_ignore_ascii_case("all") || name.eq_ignore_ascii_case(own)
}
