//! A running account of what would be free, and what limits would be used, while several starts are weighed
//! one after the other. The planner proposes with it, and `decide` checks the proposal with a fresh one.

use crate::alloc::{NodeAlloc, NodeFree};
use crate::cluster::Cluster;
use crate::demand::Demand;
use crate::job::{Job, Place, Submission};
use crate::limits::{self, Use};
use crate::place;
use crate::plan::NodePick;
use bivouac_types::{JobId, PendingReason, Uid};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The account.
pub struct Ledger<'a> {
    cluster: &'a Cluster,
    free: Cow<'a, [NodeFree]>,
    qos: BTreeMap<usize, Use>,
    users: BTreeMap<(usize, Uid), Use>,
    arrays: BTreeMap<JobId, u32>,
    /// What starts take of licences on top of what is in use.
    licenses: BTreeMap<String, u64>,
}

impl<'a> Ledger<'a> {
    /// Opened on the cluster as it is.
    pub fn new(cluster: &'a Cluster) -> Ledger<'a> {
        Ledger {
            cluster,
            free: Cow::Borrowed(&cluster.index.free),
            qos: BTreeMap::new(),
            users: BTreeMap::new(),
            arrays: BTreeMap::new(),
            licenses: BTreeMap::new(),
        }
    }

    /// What would be free on each node.
    pub fn free(&self) -> &[NodeFree] {
        &self.free
    }

    /// The limit that keeps one more job (or task) of this size from starting in the partition.
    pub fn blocking(
        &self,
        job: &Job,
        submission: &Submission,
        partition: usize,
        want: &Use,
    ) -> Option<PendingReason> {
        let index = &self.cluster.index;
        if let (Some(array), false) = (&submission.spec.array, job.place == Place::Whole)
            && let Some(throttle) = array.max_running
        {
            let running = self.arrays.get(&job.origin).or(index.array_running.get(&job.origin));
            if running.copied().unwrap_or(0) >= throttle {
                return Some(PendingReason::JobArrayTaskLimit);
            }
        }
        if !submission.spec.licenses.iter().all(|l| self.has_license(&l.name, l.count)) {
            return Some(PendingReason::Licenses);
        }
        let (world, nothing) = (&self.cluster.world, Use::default());
        world.limits_in(submission, &world.config.partitions[partition]).find_map(|(qos, limits)| {
            let group = self.qos.get(&qos).or(index.qos.get(&qos)).unwrap_or(&nothing);
            let key = (qos, submission.owner.uid);
            let user = self.users.get(&key).or(index.users.get(&key)).unwrap_or(&nothing);
            limits::blocking(&limits, group, user, want)
        })
    }

    /// Whether so many of a licence are free.
    pub(crate) fn has_license(&self, name: &str, count: u32) -> bool {
        let count_of = |map: &BTreeMap<String, u64>| map.get(name).copied().unwrap_or(0);
        let used = count_of(&self.cluster.index.licenses) + count_of(&self.licenses);
        used + u64::from(count) <= u64::from(self.cluster.world.licenses(name))
    }

    /// What the job would get on the picked nodes, if it fits there.
    pub fn allot(&self, demand: &Demand, picks: &[NodePick]) -> Option<Vec<NodeAlloc>> {
        place::allot(demand, picks, &self.free, &self.cluster.world.tables)
    }

    /// Enters a start in the partition.
    pub fn enter(&mut self, job: &Job, submission: &Submission, partition: usize, alloc: &[NodeAlloc]) {
        let (index, tables) = (&self.cluster.index, &self.cluster.world.tables);
        for part in alloc {
            if let Some(n) = tables.node(&part.node) {
                self.free.to_mut()[n].take(part, &tables.nodes[n]);
            }
        }
        for license in &submission.spec.licenses {
            *self.licenses.entry(license.name.clone()).or_default() += u64::from(license.count);
        }
        let size = Use::of(alloc);
        let world = &self.cluster.world;
        for qos in world.qos_in(submission, &world.config.partitions[partition]) {
            let key = (qos, submission.owner.uid);
            self.qos
                .entry(qos)
                .or_insert_with(|| index.qos.get(&qos).cloned().unwrap_or_default())
                .add(&size);
            self.users
                .entry(key)
                .or_insert_with(|| index.users.get(&key).cloned().unwrap_or_default())
                .add(&size);
        }
        if job.place != Place::Whole {
            let running = index.array_running.get(&job.origin).copied().unwrap_or(0);
            *self.arrays.entry(job.origin).or_insert(running) += 1;
        }
    }
}
