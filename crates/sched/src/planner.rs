//! The walk through the queue.

use crate::reservation::{Release, Reservation, releases};
use bivouac_core::alloc::NodeAlloc;
use bivouac_core::demand::Demand;
use bivouac_core::limits::Use;
use bivouac_core::place::place;
use bivouac_core::world::{QueueEntry, UNLIMITED_AS};
use bivouac_core::{Cluster, Job, Ledger, NodePick, Place, Plan, Start, Submission};
use bivouac_types::{Duration, JobId, Now, PendingReason, TaskSet, TimeLimit};
use std::collections::{BTreeMap, BTreeSet};

/// Looks at queue entries that cost as much as one placement: entries whose like has just found no room are many
/// and cheap.
const LOOKS_PER_PLACEMENT: usize = 8;

/// Demands that found no room are remembered, so that their like is not tried again.
const FAILED_KEPT: usize = 16;

/// Proposes what to start now. `budget` bounds the number of placements tried, so that a long queue of jobs
/// that do not fit does not hold everything else up; those beyond it wait for a later plan.
pub fn plan(cluster: &Cluster, now: Now, budget: usize) -> Plan {
    let mut planner = Planner::new(cluster, now);
    let mut looks = budget.saturating_mul(LOOKS_PER_PLACEMENT);
    for entry in cluster.queue_at(now) {
        if looks == 0 || planner.nothing_left() {
            break;
        }
        looks = looks.saturating_sub(planner.consider(entry));
    }
    planner.plan
}

struct Planner<'a> {
    cluster: &'a Cluster,
    now: Now,
    /// The limit clock.
    clock: u64,
    ledger: Ledger<'a>,
    /// What this plan starts, by expected end.
    started: Vec<(u64, Vec<NodeAlloc>)>,
    /// The last task started of each array record; a job that is no array is there with task 0.
    last_task: BTreeMap<JobId, u32>,
    reservations: Vec<Reservation>,
    /// Nodes that reservations may be on, no two on the same.
    reserved: BTreeSet<usize>,
    failed: Vec<&'a Demand>,
    /// Partitions in which a job waits already.
    waited: BTreeSet<usize>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn new(cluster: &'a Cluster, now: Now) -> Planner<'a> {
        Planner {
            cluster,
            now,
            clock: cluster.world().limit_clock(now),
            ledger: Ledger::new(cluster),
            started: Vec::new(),
            last_task: BTreeMap::new(),
            reservations: Vec::new(),
            reserved: BTreeSet::new(),
            failed: Vec::new(),
            waited: BTreeSet::new(),
            plan: Plan { made: Some(now.wall), ..Plan::default() },
        }
    }

    /// The first job that waits has its reservation, and no CPU is free: nobody else can start.
    fn nothing_left(&self) -> bool {
        !self.reservations.is_empty() && self.ledger.free().iter().all(|n| n.cpus.is_empty())
    }

    /// Starts what can be started of a job in one of its partitions. Returns the looks it took.
    fn consider(&mut self, entry: &'a QueueEntry) -> usize {
        self.plan.looked += 1;
        let demand: &'a Demand = &entry.demand;
        if self.failed.contains(&demand) {
            return 1;
        }
        let Some(job) = self.cluster.job(entry.job) else { return 1 };
        let Some(submission) = self.cluster.submission(job) else { return 1 };
        let least = Use::least(demand, &self.cluster.world().tables);
        let mut looks = 1;
        loop {
            let task = match &job.place {
                Place::Tasks(set) => match next_after(set, self.last_task.get(&job.id).copied()) {
                    Some(task) => Some(task),
                    None => return looks,
                },
                _ if self.last_task.contains_key(&job.id) => return looks,
                _ => None,
            };
            if let Some(reason) = self.ledger.blocking(job, submission, demand.partition, &least) {
                self.waits(job.id, reason);
                return looks;
            }
            looks += LOOKS_PER_PLACEMENT;
            self.plan.tried += 1;
            match self.try_start(job, submission, demand) {
                Ok((nodes, limit)) => {
                    self.plan.backfilled += usize::from(!self.reservations.is_empty());
                    self.plan.reasons.remove(&job.id);
                    let backfill = self.is_behind(demand);
                    let partition = demand.partition;
                    let waited = PendingReason::None;
                    let start = Start { job: job.id, task, partition, nodes, limit, backfill, waited };
                    self.plan.starts.push(start);
                    self.last_task.insert(job.id, task.unwrap_or(0));
                }
                Err(reason) => {
                    self.waits(job.id, reason);
                    return looks;
                }
            }
        }
    }

    /// The first reason found stays: it is that of the job's first place in the queue.
    fn waits(&mut self, job: JobId, reason: PendingReason) {
        self.plan.reasons.entry(job).or_insert(reason);
    }

    fn try_start(
        &mut self,
        job: &Job,
        submission: &Submission,
        demand: &'a Demand,
    ) -> Result<(Vec<NodePick>, Option<TimeLimit>), PendingReason> {
        let world = self.cluster.world();
        let tables = &world.tables;
        // Who overtakes gets the least time that will do, as from Slurm's backfill planner.
        let limit = self.is_behind(demand).then(|| world.least_time(job, submission, demand.partition));
        let most = || world.most_time(job, submission, demand.partition, self.now);
        let time = limit.unwrap_or_else(most).duration().unwrap_or(UNLIMITED_AS);
        let end = self.clock.saturating_add(time.0);
        let picks = match self.narrowed(demand, end) {
            None => place(demand, self.ledger.free(), tables),
            Some(narrowed) => place(demand, &narrowed, tables),
        };
        let Some(picks) = picks else { return Err(self.no_room(job, demand)) };
        let alloc = self.ledger.allot(demand, &picks).ok_or(PendingReason::Resources)?;
        // Whole nodes and their memory are known only now.
        if let Some(reason) = self.ledger.blocking(job, submission, demand.partition, &Use::of(&alloc)) {
            return Err(reason);
        }
        self.ledger.enter(job, submission, demand.partition, &alloc);
        for reservation in self.reservations.iter_mut().filter(|r| r.at < end) {
            reservation.take(self.cluster, demand, &picks);
        }
        let place = self.started.partition_point(|s| s.0 <= end);
        self.started.insert(place, (end, alloc));
        Ok((picks, limit))
    }

    /// Whether a job that waits for some of its nodes has a reservation.
    fn is_behind(&self, demand: &Demand) -> bool {
        demand.nodes.iter().any(|n| self.reserved.contains(n))
    }

    /// What is free as far as reservations allow it to a job that ends then; none if they do not matter to it.
    fn narrowed(&self, demand: &Demand, end: u64) -> Option<Vec<bivouac_core::alloc::NodeFree>> {
        let matter: Vec<&Reservation> = self.reservations.iter().filter(|r| r.at < end).collect();
        if matter.is_empty() || !self.is_behind(demand) {
            return None;
        }
        let mut free = self.ledger.free().to_vec();
        for reservation in matter {
            for &n in &demand.nodes {
                free[n] = reservation.narrow(n, &free[n]);
            }
        }
        Some(free)
    }

    /// The job must wait: with a reservation, if it is the first that waits for these nodes.
    fn no_room(&mut self, job: &Job, demand: &'a Demand) -> PendingReason {
        let first = self.waited.insert(demand.partition);
        if !self.cluster.world().has_room(demand) {
            // Slurm says it at length of the first of a partition that names no nodes.
            return match first && demand.required.is_empty() {
                true => PendingReason::NodesNotInService,
                false => PendingReason::ReqNodeNotAvail,
            };
        }
        let behind = self.is_behind(demand);
        let room = || place(demand, self.ledger.free(), &self.cluster.world().tables).is_some();
        if self.failed.len() < FAILED_KEPT && !(behind && room()) {
            self.failed.push(demand);
        }
        if behind {
            return PendingReason::Priority;
        }
        let mine = self.started.iter().map(|(at, alloc)| Release { at: *at, alloc });
        let releases = merge(releases(self.cluster, self.clock), mine);
        if let Some(found) = Reservation::find(self.cluster, demand, self.ledger.free(), releases) {
            let world = self.cluster.world();
            let start = self.now.wall + Duration(found.at.saturating_sub(self.clock));
            let nodes = found.picks.iter().map(|p| world.tables.nodes[p.node].name.to_string()).collect();
            self.plan.expected.entry(job.id).or_insert((start, nodes));
            self.reserved.extend(&demand.nodes);
            self.reservations.push(found);
        }
        PendingReason::Resources
    }
}

/// The smallest index above `last`.
fn next_after(set: &TaskSet, last: Option<u32>) -> Option<u32> {
    let Some(last) = last else { return set.first() };
    let range = set.ranges().iter().find(|r| r.1 > last)?;
    Some(range.0.max(last + 1))
}

/// Two ascending sequences as one.
fn merge<'a>(
    a: impl Iterator<Item = Release<'a>>,
    b: impl Iterator<Item = Release<'a>>,
) -> impl Iterator<Item = Release<'a>> {
    let (mut a, mut b) = (a.peekable(), b.peekable());
    std::iter::from_fn(move || match (a.peek(), b.peek()) {
        (Some(x), Some(y)) if y.at < x.at => b.next(),
        (Some(_), _) => a.next(),
        (None, _) => b.next(),
    })
}
