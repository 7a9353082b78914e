//! What changes only when an operator changes it: the configuration in force, and judgements that follow from it alone.

mod time;

use crate::alloc::{NodeAlloc, NodeFree};
use crate::constraint::Constraint;
use crate::demand::Demand;
use crate::job::{Job, Pending, Run, Submission, WaitState};
use crate::limits::{self, Use};
use crate::place::place;
use crate::priority::{self, Scale};
use crate::state::State;
use crate::tables::Tables;
use bivouac_types::config::{ClusterConfig, NodeConfig, PartitionConfig, PartitionState, QosConfig};
use bivouac_types::node::NodeStand;
use bivouac_types::parameters::Association;
use bivouac_types::{Duration, JobId, MemRequest, PendingReason, Timestamp};
use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

/// A job without a time limit is planned as if it ran so long, as Slurm does.
pub const UNLIMITED_AS: Duration = Duration::from_secs(365 * 86400);

/// A place in the order of the pending jobs, one for each partition a job may start in: higher partition tier
/// first, then higher priority, then earlier submission.
#[derive(Clone, Debug)]
pub struct QueueEntry {
    /// The record.
    pub job: JobId,
    /// What it needs in that partition.
    pub demand: Arc<Demand>,
    tier: Reverse<u32>,
    rank: Reverse<i64>,
    origin: JobId,
    /// Position in the submission's list of partitions.
    choice: usize,
}

impl QueueEntry {
    fn key(&self) -> (Reverse<u32>, Reverse<i64>, JobId, JobId, usize) {
        self.key_of(self.rank.0)
    }

    /// Its place with that priority.
    pub(crate) fn key_of(&self, priority: i64) -> (Reverse<u32>, Reverse<i64>, JobId, JobId, usize) {
        (self.tier, Reverse(priority), self.origin, self.job, self.choice)
    }
}

impl PartialEq for QueueEntry {
    fn eq(&self, other: &QueueEntry) -> bool {
        self.key() == other.key()
    }
}

impl Eq for QueueEntry {}

impl PartialOrd for QueueEntry {
    fn partial_cmp(&self, other: &QueueEntry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for QueueEntry {
    fn cmp(&self, other: &QueueEntry) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// Whether dependency and begin time let a job start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// The dependency is not decided.
    Waiting,
    /// The dependency can never be satisfied.
    Never,
    /// It may start from then on.
    From(Timestamp),
}

/// The configuration, with what operators changed of it, and what follows from it.
#[derive(Clone, Debug)]
pub struct World {
    /// The configuration as it was given.
    pub base: Arc<ClusterConfig>,
    /// The configuration in force.
    pub config: Arc<ClusterConfig>,
    /// The configuration in force by position.
    pub tables: Tables,
    /// What priorities are measured by.
    pub(crate) scale: Scale,
    /// How each node stands, by position.
    pub stands: Vec<NodeStand>,
    /// All nodes with nothing on them, those that are out of service unusable.
    in_service: Vec<NodeFree>,
}

/// Whether lists of what is allowed (empty: everything) and denied let a name in.
pub(crate) fn allows(allowed: &[String], denied: &[String], name: Option<&str>) -> bool {
    let is_in = |list: &[String]| name.is_some_and(|name| list.iter().any(|n| n == name));
    (allowed.is_empty() || is_in(allowed)) && !is_in(denied)
}

/// The configuration with what operators changed of nodes and partitions.
fn in_force(base: &Arc<ClusterConfig>, state: &State) -> Arc<ClusterConfig> {
    if state.nodes.is_empty() && state.partitions.is_empty() {
        return base.clone();
    }
    let mut config = ClusterConfig::clone(base);
    for node in &mut config.nodes {
        if let Some(stand) = state.nodes.get(&node.name) {
            *node = stand.configured(node);
        }
    }
    let cluster = config.partition_defaults();
    state.partitions.iter().for_each(|record| record.apply(&mut config.partitions, &cluster));
    Arc::new(config)
}

impl World {
    /// Of this configuration and what the state says was changed of it.
    pub fn new(base: Arc<ClusterConfig>, state: &State) -> World {
        let config = in_force(&base, state);
        let (tables, scale) = (Tables::new(&config), Scale::new(&config));
        let stand = |n: &NodeConfig| state.nodes.get(&n.name).cloned();
        let stands: Vec<NodeStand> =
            config.nodes.iter().map(|n| stand(n).unwrap_or_else(|| NodeStand::initial(n))).collect();
        let mut in_service = tables.idle();
        for (free, stand) in in_service.iter_mut().zip(&stands) {
            free.usable = stand.is_available();
        }
        World { base, config, tables, scale, stands, in_service }
    }

    /// All nodes with nothing on them, those that are out of service unusable.
    pub fn in_service(&self) -> &[NodeFree] {
        &self.in_service
    }

    /// How many licences of that name there are.
    pub fn licenses(&self, name: &str) -> u32 {
        let license = self.config.parameters.licenses.iter().find(|l| l.name == name);
        license.map_or(0, |l| l.count)
    }

    /// Whether the nodes in service have room for a job, were they empty.
    pub fn has_room(&self, demand: &Demand) -> bool {
        self.in_service.iter().all(|n| n.usable) || place(demand, &self.in_service, &self.tables).is_some()
    }

    /// The nodes that keep a job waiting because they are out of service: of those that it names, else of its
    /// partition's.
    pub fn missing<'a>(&'a self, demand: &'a Demand) -> impl Iterator<Item = &'a str> {
        let of = match demand.required.is_empty() {
            true => &self.tables.partitions[demand.partition].nodes,
            false => &demand.required,
        };
        of.iter().filter(|&&n| !self.in_service[n].usable).map(|&n| &*self.tables.nodes[n].name)
    }

    /// What a run has of the node of its batch script: the first one with the features of --batch.
    pub fn batch_part<'a>(&self, run: &'a Run, submission: &Submission) -> Option<&'a NodeAlloc> {
        let wanted = submission.spec.batch_features.as_deref().and_then(Constraint::parse);
        let features =
            |part: &&NodeAlloc| self.tables.node(&part.node).map(|n| &self.tables.nodes[n].features);
        let fits = |part: &&NodeAlloc| {
            wanted.as_ref().zip(features(part)).is_some_and(|(wanted, has)| wanted.holds(has))
        };
        run.alloc.iter().find(fits).or(run.alloc.first())
    }

    /// What the partition gives to jobs that say nothing of memory.
    pub(crate) fn default_mem(&self, run: Option<&Run>, demand: Option<&Demand>) -> Option<MemRequest> {
        let partition = match run {
            Some(run) => self.config.partition(&run.partition),
            None => self.config.partitions.get(demand?.partition),
        }?;
        let per_cpu = partition.def_mem_per_cpu_mb.map(MemRequest::PerCpu);
        per_cpu.or(partition.def_mem_per_node_mb.map(MemRequest::PerNode))
    }

    /// The job's needs in each of its partitions; none where it has nothing to go to (any more).
    pub fn demands(&self, submission: &Submission) -> Vec<Option<Arc<Demand>>> {
        let demand = |name: &String| {
            let (spec, partition) = (&submission.spec, self.tables.partition(name)?);
            let demand = Demand::of_accepted(&spec.resources, partition, &self.config, &self.tables).ok()?;
            Some(Arc::new(demand.of(submission.owner.uid, spec, &self.config, &self.tables)))
        };
        submission.partitions.iter().map(demand).collect()
    }

    /// The QoS of a submission, by position.
    pub fn qos_of(&self, submission: &Submission) -> Option<usize> {
        self.qos_named(submission.qos.as_deref()?)
    }

    /// The number of a submission's association (AssocID): its place in the configuration, counted from 1, as a new
    /// database numbers what is read from a dump.
    pub fn association_number(&self, submission: &Submission) -> Option<u32> {
        let own = self.association(submission)?;
        let place = self.config.parameters.associations.iter().position(|a| std::ptr::eq(a, own))?;
        u32::try_from(place + 1).ok()
    }

    /// The association that a submission counts on: of its account and user, in its partition where it has one there.
    pub fn association(&self, submission: &Submission) -> Option<&Association> {
        let mine = |a: &&Association| {
            Some(&a.account) == submission.account.as_ref() && a.user.as_ref() == Some(&submission.owner.user)
        };
        let mut found = self.config.parameters.associations.iter().filter(mine);
        let first = found.clone().find(|a| a.partition.is_none());
        found.find(|a| a.partition.as_ref().is_some_and(|p| submission.partitions.contains(p))).or(first)
    }

    /// The QoS whose limits hold for a job in a partition, by position: the partition's, and then the job's own.
    pub fn qos_in(
        &self,
        submission: &Submission,
        partition: &PartitionConfig,
    ) -> impl Iterator<Item = usize> {
        let of_partition = partition.qos.as_deref().and_then(|name| self.qos_named(name));
        let own = self.qos_of(submission).filter(|own| of_partition != Some(*own));
        of_partition.into_iter().chain(own)
    }

    /// The QoS that count a submission: those in the first of its partitions.
    pub fn qos_submitted(&self, submission: &Submission) -> Vec<usize> {
        let first = submission.partitions.first().and_then(|name| self.config.partition(name));
        match first {
            Some(partition) => self.qos_in(submission, partition).collect(),
            None => self.qos_of(submission).into_iter().collect(),
        }
    }

    fn qos_named(&self, name: &str) -> Option<usize> {
        self.config.qos.iter().position(|q| q.name == name)
    }

    /// Those QoS with their limits; what the partition's limits, the job's own does not.
    pub(crate) fn limits_in<'a>(
        &'a self,
        submission: &Submission,
        partition: &'a PartitionConfig,
    ) -> impl Iterator<Item = (usize, Cow<'a, QosConfig>)> {
        let of_partition = partition.qos.as_deref().and_then(|name| self.qos_named(name));
        self.qos_in(submission, partition).map(move |qos| match of_partition {
            Some(first) if first != qos => (qos, Cow::Owned(limits::below(self.qos(qos), self.qos(first)))),
            _ => (qos, Cow::Borrowed(self.qos(qos))),
        })
    }

    /// The QoS at that position.
    pub fn qos(&self, position: usize) -> &QosConfig {
        &self.config.qos[position]
    }

    /// Why a job, as it is, can never start in a partition; it waits there until it or the cluster is changed.
    pub fn never(&self, job: &Job, submission: &Submission, demand: &Demand) -> Option<PendingReason> {
        let partition = &self.config.partitions[demand.partition];
        match partition.state {
            PartitionState::Down => return Some(PendingReason::PartitionDown),
            PartitionState::Inactive => return Some(PendingReason::PartitionInactive),
            PartitionState::Up | PartitionState::Drain => {}
        }
        if !allows(&partition.allow_accounts, &partition.deny_accounts, submission.account.as_deref()) {
            return Some(PendingReason::AccountNotAllowed);
        }
        if !allows(&partition.allow_qos, &partition.deny_qos, submission.qos.as_deref()) {
            return Some(PendingReason::QOSNotAllowed);
        }
        if self.least_time(job, submission, demand.partition) > partition.max_time {
            return Some(PendingReason::PartitionTimeLimit);
        }
        let limit = self.time_limit(job, demand.partition);
        demand.never.or_else(|| {
            let least = Use::least(demand, &self.tables);
            self.limits_in(submission, partition).find_map(|(_, qos)| limits::never(&qos, limit, &least))
        })
    }

    /// What orders pending jobs within a tier: the priority that was set, or the QoS's priority and the partition's
    /// factor, less --nice.
    pub(crate) fn rank(&self, job: &Job, submission: &Submission, partition: usize) -> i64 {
        if let Some(set) = submission.spec.priority {
            return i64::from(set) - priority::BASE;
        }
        let qos = self.qos_of(submission).map_or(0, |q| self.qos(q).priority);
        i64::from(qos) + i64::from(self.config.partitions[partition].priority_job_factor)
            - i64::from(job.nice)
    }

    /// The job's place in the queue for one of its partitions.
    pub fn queue_entry(
        &self,
        job: &Job,
        submission: &Submission,
        choice: usize,
        demand: &Arc<Demand>,
    ) -> QueueEntry {
        QueueEntry {
            job: job.id,
            demand: demand.clone(),
            tier: Reverse(self.config.partitions[demand.partition].priority_tier),
            rank: Reverse(self.rank(job, submission, demand.partition)),
            origin: job.origin,
            choice,
        }
    }

    /// Whether dependency and begin time let the job start.
    pub fn gate(&self, pending: &Pending, submission: &Submission) -> Gate {
        if let Some(since) = pending.eligible {
            return Gate::From(since);
        }
        let begin = submission.spec.begin.unwrap_or(submission.at.wall).max(submission.at.wall);
        let any = submission.spec.dependency.as_ref().is_some_and(|d| d.any);
        let times = pending.waits.iter().filter_map(|w| match w.state {
            WaitState::Met(at) => Some(at),
            _ => None,
        });
        let is = |state| pending.waits.iter().any(|w| w.state == state);
        let (all_met, none_left) = (!is(WaitState::Open) && !is(WaitState::Never), !is(WaitState::Open));
        let met = match any && !pending.waits.is_empty() {
            true => times.min().map(|at| at.max(begin)),
            false if all_met => Some(times.max().unwrap_or(begin).max(begin)),
            false => None,
        };
        match met {
            Some(from) => Gate::From(from),
            None if none_left || (!any && is(WaitState::Never)) => Gate::Never,
            None => Gate::Waiting,
        }
    }
}
