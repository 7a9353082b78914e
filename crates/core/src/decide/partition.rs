//! scontrol create, update and delete of partitions.

use super::Changes;
use crate::cluster::Cluster;
use crate::command::Caller;
use crate::event::Change;
use bivouac_types::partition::{PartitionChange, PartitionOrigin, PartitionRecord};
use bivouac_types::{Reject, TimeLimit};

impl Cluster {
    pub(super) fn update_partition(
        &self,
        caller: &Caller,
        name: &str,
        changes: &[PartitionChange],
    ) -> Result<Changes, Reject> {
        self.check_operator(caller)?;
        if self.world.tables.partition(name).is_none() {
            return Err(Reject::InvalidPartition(name.to_owned()));
        }
        self.set_partition(self.partition_record(name), changes)
    }

    pub(super) fn create_partition(
        &self,
        caller: &Caller,
        name: &str,
        changes: &[PartitionChange],
    ) -> Result<Changes, Reject> {
        self.check_operator(caller)?;
        if self.world.tables.partition(name).is_some() || !is_name(name) {
            return Err(Reject::InvalidPartition(name.to_owned()));
        }
        let origin = PartitionOrigin::Created;
        self.set_partition(PartitionRecord { name: name.to_owned(), origin, changes: Vec::new() }, changes)
    }

    /// A partition goes only when no job that is not over may run in it.
    pub(super) fn delete_partition(&self, caller: &Caller, name: &str) -> Result<Changes, Reject> {
        self.check_operator(caller)?;
        if self.world.tables.partition(name).is_none() {
            return Err(Reject::InvalidPartition(name.to_owned()));
        }
        let uses = |job: &crate::job::Job| match job.run() {
            Some(run) => *run.partition == *name,
            None => self.submission(job).is_some_and(|s| s.partitions.iter().any(|p| p == name)),
        };
        if self.jobs().any(|job| !job.is_ended() && uses(job)) {
            return Err(Reject::PartitionInUse);
        }
        let origin = PartitionOrigin::Deleted;
        let record = PartitionRecord { name: name.to_owned(), origin, changes: Vec::new() };
        Ok(vec![Change::PartitionSet(Box::new(record))])
    }

    fn check_operator(&self, caller: &Caller) -> Result<(), Reject> {
        if caller.is_operator() { Ok(()) } else { Err(Reject::InvalidUser) }
    }

    /// What is stored of the partition so far.
    fn partition_record(&self, name: &str) -> PartitionRecord {
        let stored = self.state.partitions.iter().find(|r| r.name == name);
        stored.cloned().unwrap_or_else(|| PartitionRecord { name: name.to_owned(), ..Default::default() })
    }

    fn set_partition(
        &self,
        mut record: PartitionRecord,
        changes: &[PartitionChange],
    ) -> Result<Changes, Reject> {
        let mut set = Vec::new();
        let most = changes.iter().rev().find_map(|change| match change {
            PartitionChange::MaxTime(time) => Some(*time),
            _ => None,
        });
        let most = most.or_else(|| self.world.config.partition(&record.name).map(|p| p.max_time));
        let is_beyond = |time: &TimeLimit| most.is_some_and(|most| *time > most);
        for change in changes {
            self.check_names(change)?;
            // As in Slurm, which keeps the default that was there, without a word.
            if matches!(change, PartitionChange::DefaultTime(Some(time)) if is_beyond(time)) {
                continue;
            }
            if *change == PartitionChange::Default(true) {
                // There is one default: the others cease to be it.
                let others =
                    self.world.config.partitions.iter().filter(|p| p.default && p.name != record.name);
                for other in others {
                    let mut other = self.partition_record(&other.name);
                    other.change(PartitionChange::Default(false));
                    set.push(Change::PartitionSet(Box::new(other)));
                }
            }
            record.change(change.clone());
        }
        set.push(Change::PartitionSet(Box::new(record)));
        Ok(set)
    }

    /// Names in a change must exist.
    fn check_names(&self, change: &PartitionChange) -> Result<(), Reject> {
        match change {
            PartitionChange::Nodes(nodes) => {
                match nodes.iter().find(|n| self.world.tables.node(n).is_none()) {
                    Some(unknown) => Err(Reject::InvalidNodeName(unknown.clone())),
                    None => Ok(()),
                }
            }
            PartitionChange::Qos(Some(name)) if self.world.config.qos(name).is_none() => {
                Err(Reject::InvalidQos(name.clone()))
            }
            PartitionChange::Alternate(Some(name)) if self.world.tables.partition(name).is_none() => {
                Err(Reject::InvalidPartition(name.clone()))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a text can name a partition: it stands in lists and in hostlist-like places.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control() || ",=\"'".contains(c))
}
