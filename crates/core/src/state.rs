//! What is stored of a cluster.

use crate::command::RequestKey;
use crate::job::{Job, Submission};
use bivouac_types::config::ClusterConfig;
use bivouac_types::node::NodeStand;
use bivouac_types::partition::{PartitionChange, PartitionOrigin, PartitionRecord};
use bivouac_types::{Duration, JobId, Timestamp, Uid};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All that is stored of a cluster: the fold of its events. A snapshot is this, serialized.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The cluster's first job id: smaller ones never existed.
    pub first_id: u32,
    /// The next job id.
    pub next_id: u32,
    /// Every submission that a job is of. It is shared, as jobs are: rows are made of both while the state goes on.
    pub submissions: BTreeMap<JobId, Arc<Submission>>,
    /// Every job that is not forgotten.
    pub jobs: BTreeMap<JobId, Arc<Job>>,
    /// Keys of forgotten submissions, for clients that ask again late: when each was used, by whom, for what.
    #[serde(default)]
    pub used_keys: BTreeMap<RequestKey, UsedKey>,
    /// What operators and failures made of nodes, by name; the others are as the configuration says.
    #[serde(default)]
    pub nodes: BTreeMap<String, NodeStand>,
    /// What operators made of partitions, in the order of the first change of each.
    #[serde(default)]
    pub partitions: Vec<PartitionRecord>,
    /// When a job last left a node, or the node came back into service, by name.
    #[serde(default)]
    pub last_busy: BTreeMap<String, Timestamp>,
}

/// A request key whose submission is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedKey {
    /// The job that was submitted under it.
    pub job: JobId,
    /// By whom.
    pub uid: Uid,
    /// When, by the run clock.
    pub at: Duration,
}

/// For so long after the submission a key is remembered at least.
pub const KEY_MEMORY: Duration = Duration::from_secs(600);

/// What a reconfiguration keeps of scontrol's changes of partitions: ReconfigFlags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeptChanges {
    /// Nothing.
    #[default]
    Nothing,
    /// KeepPartState.
    States,
    /// KeepPartInfo.
    All,
}

impl KeptChanges {
    /// What that configuration says.
    pub fn of(config: &ClusterConfig) -> KeptChanges {
        let given = config.parameters.given.get("ReconfigFlags").map(String::as_str).unwrap_or_default();
        let has = |flag: &str| given.split(',').any(|word| word.trim().eq_ignore_ascii_case(flag));
        match (has("KeepPartInfo"), has("KeepPartState")) {
            (true, _) => KeptChanges::All,
            (_, true) => KeptChanges::States,
            _ => KeptChanges::Nothing,
        }
    }
}

impl State {
    /// Without what scontrol changed of things that a configuration says: partitions, and nodes' weight, features,
    /// resources and addresses. How nodes stand, and comments, stay.
    pub fn as_configured(&self, kept: KeptChanges) -> State {
        let mut state = self.clone();
        match kept {
            KeptChanges::All => {}
            KeptChanges::Nothing => state.partitions.clear(),
            KeptChanges::States => {
                state.partitions.retain(|record| record.origin == PartitionOrigin::Configured);
                for record in &mut state.partitions {
                    record.changes.retain(|change| matches!(change, PartitionChange::State(_)));
                }
            }
        }
        for stand in state.nodes.values_mut() {
            *stand = NodeStand {
                standing: stand.standing,
                flags: std::mem::take(&mut stand.flags),
                reason: stand.reason.take(),
                comment: stand.comment.take(),
                extra: stand.extra.take(),
                ..NodeStand::default()
            };
        }
        state
    }

    /// Of a cluster whose first job gets that number.
    pub fn new(first_id: u32) -> State {
        State { first_id, next_id: first_id, ..State::default() }
    }

    /// What the job asks for: its submission, as changed for it.
    pub fn submission<'a>(&'a self, job: &'a Job) -> Option<&'a Arc<Submission>> {
        job.amended.as_ref().or_else(|| self.submissions.get(&job.origin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bivouac_types::TimeLimit;
    use bivouac_types::config::PartitionState;

    #[test]
    fn a_reconfiguration_keeps_how_nodes_stand_and_what_the_flags_say() {
        let mut state = State::new(1);
        let mut record = PartitionRecord { name: "p".into(), ..PartitionRecord::default() };
        record.change(PartitionChange::MaxTime(TimeLimit::Minutes(5)));
        record.change(PartitionChange::State(PartitionState::Down));
        let created =
            PartitionRecord { name: "q".into(), origin: PartitionOrigin::Created, ..record.clone() };
        state.partitions = vec![record, created];
        let comment = Some("x".to_owned());
        let stand = NodeStand { weight: Some(7), comment: comment.clone(), ..NodeStand::default() };
        state.nodes.insert("n1".into(), stand);

        let after = state.as_configured(KeptChanges::Nothing);
        assert!(after.partitions.is_empty());
        assert_eq!((after.nodes["n1"].weight, &after.nodes["n1"].comment), (None, &comment));
        let states = state.as_configured(KeptChanges::States).partitions;
        assert_eq!(
            (states.len(), &states[0].changes[..]),
            (1, &[PartitionChange::State(PartitionState::Down)][..])
        );
        assert_eq!(state.as_configured(KeptChanges::All).partitions, state.partitions);
    }
}
