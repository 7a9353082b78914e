//! The planner proposes, this disposes: capacity, limits and state are checked anew for every start.

use super::Changes;
use crate::cluster::Cluster;
use crate::event::Change;
use crate::job::Place;
use crate::ledger::Ledger;
use crate::limits::Use;
use crate::plan::{Plan, Start};
use bivouac_types::{JobId, Now, TaskSet};
use std::collections::BTreeMap;

/// The state while the starts of one plan are decided one after the other.
struct Starting<'a> {
    cluster: &'a Cluster,
    now: Now,
    ledger: Ledger<'a>,
    /// Tasks that left each record, or nothing for a job that is no array.
    gone: BTreeMap<JobId, TaskSet>,
    next_id: u32,
}

impl Cluster {
    /// The starts that hold; the others are left out.
    pub(super) fn start_all(&self, plan: &Plan, now: Now) -> Changes {
        let mut starting = Starting {
            cluster: self,
            now,
            ledger: Ledger::new(self),
            gone: BTreeMap::new(),
            next_id: self.state.next_id,
        };
        plan.starts.iter().filter_map(|start| starting.start(start)).collect()
    }
}

impl Starting<'_> {
    fn start(&mut self, start: &Start) -> Option<Change> {
        let (world, cluster) = (&self.cluster.world, self.cluster);
        let record = cluster.job(start.job)?;
        let submission = cluster.submission(record)?;
        if record.hold.is_some() || record.pending()?.eligible.is_none() {
            return None;
        }
        let from = self.leaves(start)?;

        let choice = cluster.demands(record).iter().flatten().find(|d| d.partition == start.partition)?;
        if world.never(record, submission, choice).is_some() {
            return None;
        }
        let count = start.nodes.len() as u32;
        let tasks = start.nodes.iter().try_fold(0u32, |sum, pick| sum.checked_add(pick.tasks))?;
        let allowed = |n: &usize| choice.nodes.contains(n);
        let counted =
            if choice.tasks_each > 0 { choice.tasks_each.checked_mul(count)? } else { choice.tasks };
        if tasks != counted
            || !(choice.min_nodes..=choice.max_nodes).contains(&count)
            || !start.nodes.iter().all(|pick| allowed(&pick.node))
            || !choice.suits(&start.nodes.iter().map(|pick| pick.node).collect::<Vec<_>>())
            || start.nodes.iter().enumerate().any(|(i, a)| start.nodes[..i].iter().any(|b| a.node == b.node))
        {
            return None;
        }
        let alloc = self.ledger.allot(choice, &start.nodes)?;
        if self.ledger.blocking(record, submission, start.partition, &Use::of(&alloc)).is_some() {
            return None;
        }
        self.ledger.enter(record, submission, start.partition, &alloc);
        let least = world.least_time(record, submission, start.partition);
        let most = world.most_time(record, submission, start.partition, self.now);
        let time_limit = start.limit.unwrap_or(most).clamp(least, most);

        let job = match from {
            Some(_) => {
                let job = JobId(self.next_id);
                self.next_id = self.next_id.checked_add(1)?;
                job
            }
            None => record.id,
        };
        if let Some(task) = start.task {
            self.gone.entry(start.job).or_default().insert(task);
        } else {
            self.gone.insert(start.job, TaskSet::default());
        }
        Some(Change::Started {
            job,
            from,
            task: start.task,
            partition: world.tables.partitions[start.partition].name.clone(),
            time_limit,
            alloc,
            backfill: start.backfill,
            waited: start.waited,
        })
    }

    /// The record that the task leaves others behind in; the last one keeps the record and its number. None at
    /// all if the start does not fit the record.
    fn leaves(&self, start: &Start) -> Option<Option<JobId>> {
        let gone = self.gone.get(&start.job);
        match (&self.cluster.job(start.job)?.place, start.task) {
            (Place::Tasks(set), Some(task))
                if set.contains(task) && !gone.is_some_and(|g| g.contains(task)) =>
            {
                let others = set.len() - gone.map_or(0, TaskSet::len) > 1;
                Some(others.then_some(start.job))
            }
            (Place::Task(_), None) | (Place::Whole, None) if gone.is_none() => Some(None),
            _ => None,
        }
    }
}
