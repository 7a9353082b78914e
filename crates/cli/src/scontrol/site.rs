//! scontrol create, update and delete of nodes and partitions.

use super::Session;
use crate::report::{self, Trouble};
use bivouac_options::update::{self, Refusal, node, partition};
use bivouac_proto::message::{Ask, Response};
use std::process::ExitCode;

/// What the words of an update are about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Entity {
    /// Nodes.
    Node,
    /// A partition.
    Partition,
}

/// Nodes or a partition, if the words name them and neither a job nor a step nor a reservation, which go first.
pub fn entity(words: &[String]) -> Option<Entity> {
    const FIRST: [(&str, usize); 5] =
        [("JobId", 1), ("JobName", 4), ("StepId", 4), ("ReservationName", 3), ("SlurmctldDebug", 2)];
    let pairs = update::pairs(words);
    let any = |is: &dyn Fn(&str) -> bool| pairs.iter().any(|(key, _)| is(key));
    if any(&|key| FIRST.iter().any(|(name, least)| update::is_key(key, name, *least))) {
        return None;
    }
    match (any(&node::names_nodes), any(&partition::names_partition)) {
        (true, _) => Some(Entity::Node),
        (false, true) => Some(Entity::Partition),
        (false, false) => None,
    }
}

/// `update NodeName=...` or `update PartitionName=...`.
pub fn update(entity: Entity, words: &[String], session: Session) -> Result<(), ExitCode> {
    let pairs = update::pairs(words);
    let ask = match entity {
        Entity::Node => {
            let update = node::read(&pairs).map_err(|e| refused(&e, true, session))?;
            Ask::UpdateNodes { nodes: update.nodes, changes: update.changes }
        }
        Entity::Partition => {
            let update = partition::read(&pairs).map_err(|e| refused(&e, true, session))?;
            if update.changes.is_empty() {
                return Err(session.fail("scontrol: error: No changes specified"));
            }
            Ask::UpdatePartition { name: update.name, changes: update.changes }
        }
    };
    tell(ask).map_err(|e| session.fail(format_args!("slurm_update error: {e}")))
}

/// `create PartitionName=...`.
pub fn create(words: &[String], session: Session) -> Result<(), ExitCode> {
    let pairs = update::pairs(words);
    let named = |&(key, _): &update::Pair<'_>| partition::names_partition(key);
    if !pairs.first().is_some_and(named) {
        return Err(uncreatable(&words[0], &pairs, session));
    }
    let update = partition::read(&pairs).map_err(|e| refused(&e, false, session))?;
    tell(Ask::CreatePartition { name: update.name, changes: update.changes })
        .map_err(|e| session.fail(format_args!("Error creating the partition: {e}")))
}

/// Nodes come from the configuration, and there are no reservations.
fn uncreatable(word: &str, pairs: &[update::Pair<'_>], session: Session) -> ExitCode {
    let key = pairs.first().map_or("", |p| p.0);
    if node::names_nodes(key) {
        return session
            .fail("Error creating the node(s): the configuration defines the nodes of this cluster");
    }
    if update::is_key(key, "ReservationName", 3) {
        return session.fail("scontrol: error: there are no reservations here.  No reservation created.");
    }
    session.fail(format_args!("scontrol: error: Invalid creation entity: {word}"))
}

/// `delete PartitionName=NAME`.
pub fn delete(words: &[String], session: Session) -> Result<(), ExitCode> {
    let word = &words[0];
    let pairs = update::pairs(words);
    let (key, name) = pairs.first().map_or(("", ""), |&(key, value)| (key, value.unwrap_or_default()));
    if update::is_key(key, "ReservationName", 3) {
        return Err(session.fail(format_args!("delete_reservation {word}: Requested reservation is invalid")));
    }
    if node::names_nodes(key) {
        let what = "the configuration defines the nodes of this cluster";
        return Err(session.fail(format_args!("delete_node {word}: {what}")));
    }
    if !partition::names_partition(key) {
        return Err(session.fail(format_args!("Invalid deletion entity: {word}")));
    }
    tell(Ask::DeletePartition(name.to_owned()))
        .map_err(|e| session.fail(format_args!("delete_partition {word}: {e}")))
}

fn tell(ask: Ask) -> Result<(), Trouble> {
    match report::connect()?.call(ask)? {
        Response::Done => Ok(()),
        other => Err(other.into()),
    }
}

/// Prints why words were not understood. An update goes on to say that it failed, for a reason that is none.
fn refused(refusal: &Refusal, update: bool, session: Session) -> ExitCode {
    for line in &refusal.lines {
        session.fail(line);
    }
    if refusal.goes_on && update {
        session.fail("slurm_update error: No error");
    }
    ExitCode::FAILURE
}
