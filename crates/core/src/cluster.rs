//! The cluster: state, index and configuration together, and the questions that others ask it.

use crate::command::{KeeperReport, RequestKey};
use crate::demand::Demand;
use crate::effect::{Effect, SignalScope};
use crate::event::{Change, Event};
use crate::index::Index;
use crate::job::{Job, Launch, Phase, Submission, Suspension};
use crate::state::State;
use crate::world::{QueueEntry, World};
use bivouac_types::config::ClusterConfig;
use bivouac_types::priority::JobFactors;
use bivouac_types::{Attempt, Duration, JobId, JobState, Now, Uid};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

const SIGKILL: i32 = 9;

/// The cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    pub(crate) world: Arc<World>,
    pub(crate) state: State,
    pub(crate) index: Index,
}

/// Why a stored state does not fit a configuration: which job, and what is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreError {
    /// The job.
    pub job: JobId,
    /// What does not fit, as a sentence.
    pub problem: String,
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job {}: {}", self.job, self.problem)
    }
}

impl std::error::Error for RestoreError {}

impl Cluster {
    /// A new, empty cluster.
    pub fn new(config: Arc<ClusterConfig>) -> Cluster {
        let state = State::new(config.first_job_id.max(1));
        Cluster::assemble(config, state)
    }

    /// A cluster as it was stored, or the same cluster under a changed configuration.
    ///
    /// # Errors
    /// A job has resources that the configuration does not have. Pending jobs never stand in the way: where a
    /// partition or node is gone they wait.
    pub fn restore(config: Arc<ClusterConfig>, state: State) -> Result<Cluster, RestoreError> {
        let cluster = Cluster::assemble(config, state);
        cluster.check_allocations()?;
        Ok(cluster)
    }

    pub(crate) fn assemble(config: Arc<ClusterConfig>, state: State) -> Cluster {
        let world = Arc::new(World::new(config, &state));
        let mut index = Index::new(&world);
        index.key_ages = state.used_keys.iter().map(|(key, used)| (used.at, *key)).collect();
        for submission in state.submissions.values() {
            index.add_submission(&world, submission);
        }
        for job in state.jobs.values() {
            if let Some(submission) = state.submission(job) {
                index.add(&world, submission, job);
            }
        }
        Cluster { world, state, index }
    }

    /// What a snapshot stores.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The configuration in force.
    pub fn config(&self) -> &Arc<ClusterConfig> {
        &self.world.config
    }

    /// The configuration and what follows from it.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// What is derived from the state.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Every job that is not forgotten, by number.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.state.jobs.values().map(Arc::as_ref)
    }

    /// The job of that number.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.state.jobs.get(&id).map(Arc::as_ref)
    }

    /// What the job asks for: its submission, as changed for it.
    pub fn submission<'a>(&'a self, job: &'a Job) -> Option<&'a Submission> {
        self.state.submission(job).map(Arc::as_ref)
    }

    /// All records of a submission that are not forgotten.
    pub fn jobs_of(&self, origin: JobId) -> impl Iterator<Item = &Job> {
        self.index.records(origin).filter_map(|id| self.job(id))
    }

    /// The job that was submitted under that key; it may be over and forgotten.
    pub fn job_of_key(&self, key: RequestKey) -> Option<JobId> {
        self.index.keys.get(&key).copied().or_else(|| Some(self.state.used_keys.get(&key)?.job))
    }

    /// Who submitted under that key.
    pub(crate) fn user_of_key(&self, key: RequestKey) -> Option<Uid> {
        match self.index.keys.get(&key) {
            Some(id) => self.state.submissions.get(id).map(|s| s.owner.uid),
            None => self.state.used_keys.get(&key).map(|used| used.uid),
        }
    }

    /// The job's needs in each of its partitions, parallel to the submission's; none where it cannot be.
    pub fn demands(&self, job: &Job) -> &[Option<Arc<Demand>>] {
        self.index.demands(job).map_or(&[], Arc::as_ref)
    }

    /// Jobs that only resources and limits keep from starting, the first to start first. A job is listed once
    /// for each partition it may start in.
    pub fn queue(&self) -> impl Iterator<Item = &QueueEntry> {
        self.index.queue.iter()
    }

    /// The same in the order that holds now: with priority/multifactor it changes with the time.
    pub fn queue_at(&self, now: Now) -> Box<dyn Iterator<Item = &QueueEntry> + '_> {
        if !self.config().parameters.priority.multifactor {
            return Box::new(self.queue());
        }
        let priority = |entry: &QueueEntry| {
            let job = self.job(entry.job)?;
            Some(self.world.priority(job, self.submission(job)?, &entry.demand, now))
        };
        let mut queue: Vec<(u32, &QueueEntry)> =
            self.queue().map(|entry| (priority(entry).unwrap_or(0), entry)).collect();
        queue.sort_by_key(|(priority, entry)| entry.key_of((*priority).into()));
        Box::new(queue.into_iter().map(|(_, entry)| entry))
    }

    /// The factors of the jobs that could start if there were room, for sprio: with priority/multifactor.
    pub fn factors(&self, now: Now) -> Vec<JobFactors> {
        let factors = |entry: &QueueEntry| {
            let job = self.job(entry.job)?;
            let submission = self.submission(job)?;
            Some(JobFactors {
                job: job.id,
                uid: submission.owner.uid,
                user: submission.owner.user.clone(),
                partition: self.config().partitions[entry.demand.partition].name.clone(),
                factors: self.world.factors(job, submission, &entry.demand, now),
            })
        };
        self.queue().filter_map(factors).collect()
    }

    /// How long until [`crate::Command::Tick`] has something to do; none: until something else happens.
    pub fn next_deadline(&self, now: Now) -> Option<Duration> {
        let limit = self.index.limits.first().map(|t| t.0.saturating_sub(self.world.limit_clock(now)));
        let step = self.index.step_limits.first().map(|t| t.0.saturating_sub(self.world.limit_clock(now)));
        let warning = self.index.warnings.first().map(|t| t.0.saturating_sub(self.world.limit_clock(now)));
        let deadline = self.index.deadlines.first().map(|t| t.0.since(now.wall).0);
        let invalid = (!self.index.invalid.is_empty()).then_some(0);
        let wall = self.index.wall_timers.first().map(|t| t.0.since(now.wall).0);
        let run = self.index.run_timers.first().map(|t| (t.0 - now.run).0);
        [limit, step, warning, deadline, invalid, wall, run].into_iter().flatten().min().map(Duration)
    }

    /// What the outside should do about an event that is durable and applied.
    pub fn effects(&self, event: &Event) -> Vec<Effect> {
        match &event.change {
            Change::Started { job, .. } => {
                self.job(*job).map(|j| Effect::Launch { attempt: j.attempt() }).into_iter().collect()
            }
            Change::Ending { attempt, .. } => {
                self.job(attempt.job).and_then(|job| self.way_to_end(job)).into_iter().collect()
            }
            Change::StepStarted { job, step, .. } => {
                let start = |j: &Job| Effect::StartStep { attempt: j.attempt(), step: *step };
                self.job(*job).map(start).into_iter().collect()
            }
            // The last step of an allocation that is being ended.
            Change::StepEnded { job, .. } => {
                let job = self.job(*job).and_then(|job| self.way_to_end(job));
                job.filter(|effect| matches!(effect, Effect::Kill { .. })).into_iter().collect()
            }
            Change::KillDue { attempt } => vec![Effect::Kill { attempt: *attempt }],
            Change::Signalled { attempt, signal, scope } => vec![self.signal(*attempt, *signal, *scope)],
            Change::Warned { attempt } => self.warning(*attempt).into_iter().collect(),
            Change::Suspended { attempt } => vec![Effect::Suspend { attempt: *attempt }],
            Change::Resumed { attempt } => vec![Effect::Resume { attempt: *attempt }],
            Change::Resized { attempt, nodes } => self.steps_beyond(*attempt, nodes),
            // It was suspended before it was launched.
            Change::Launched { attempt, .. } => {
                let job = self.job(attempt.job).filter(|j| j.state() == JobState::Suspended);
                job.map(|j| Effect::Suspend { attempt: j.attempt() }).into_iter().collect()
            }
            Change::Ended { job, .. } => self.job(*job).map_or(Vec::new(), |j| self.effects_of_end(j)),
            Change::Requeued { job, .. } => {
                let ended = |j: &Job| Attempt { job: j.id, restart: j.restarts.saturating_sub(1) };
                self.job(*job).map(|j| Effect::AckKeeper { attempt: ended(j) }).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// What ends a job that is to end. Of an allocation nothing is left to be asked gently once no step of it runs.
    fn way_to_end(&self, job: &Job) -> Option<Effect> {
        let attempt = job.attempt();
        let Phase::Ending(_, ending) = &job.phase else { return None };
        let is_allocation = self.submission(job).is_some_and(|s| !s.spec.kind.is_batch());
        let is_empty = is_allocation && job.steps.iter().all(|step| step.end.is_some());
        Some(if ending.killed || is_empty { Effect::Kill { attempt } } else { Effect::Terminate { attempt } })
    }

    /// The end of a step is its daemon's to make.
    fn signal(&self, attempt: Attempt, signal: i32, scope: SignalScope) -> Effect {
        if let (SignalScope::Step(number), SIGKILL) = (scope, signal) {
            let steps = self.job(attempt.job).into_iter().flat_map(|j| &j.steps);
            let step = steps.into_iter().find(|s| s.number == number && s.end.is_none());
            if step.is_some() {
                return Effect::EndStep { attempt, step: number };
            }
        }
        Effect::Signal { attempt, signal, scope }
    }

    /// The end of the steps that have tasks on nodes which the job does not have any more.
    fn steps_beyond(&self, attempt: Attempt, nodes: &[Arc<str>]) -> Vec<Effect> {
        let open = self.job(attempt.job).into_iter().flat_map(|j| &j.steps).filter(|s| s.end.is_none());
        let beyond = open.filter(|s| s.layout.iter().any(|part| !nodes.contains(&part.node)));
        beyond.map(|s| self.signal(attempt, SIGKILL, SignalScope::Step(s.number))).collect()
    }

    /// The signal that a job asked for before its end.
    fn warning(&self, attempt: Attempt) -> Option<Effect> {
        let asked = self.submission(self.job(attempt.job)?)?.spec.signal?;
        let scope = if asked.batch_only { SignalScope::Batch } else { SignalScope::Job };
        Some(Effect::Signal { attempt, signal: asked.signal, scope })
    }

    fn effects_of_end(&self, job: &Job) -> Vec<Effect> {
        let mut effects = vec![Effect::JobEnded { job: job.id }];
        if job.last_run().is_some() {
            effects.push(Effect::AckKeeper { attempt: job.attempt() });
        }
        if let Some(submission) = self.state.submissions.get(&job.origin).filter(|s| s.is_over()) {
            effects.push(Effect::DropPayload { payload: submission.payload.clone() });
        }
        effects
    }

    /// What to do about a report that decided to nothing because it is late, doubled or of a run that is over:
    /// acknowledge an end, stop what should not run.
    pub fn stale_effects(&self, report: &KeeperReport) -> Vec<Effect> {
        let attempt = report.attempt();
        let active = self.job(attempt.job).is_some_and(|j| j.attempt() == attempt && j.run().is_some());
        match report {
            _ if active => Vec::new(),
            KeeperReport::Launched { .. } => vec![Effect::StopStale { attempt }],
            _ => vec![Effect::AckKeeper { attempt }],
        }
    }

    /// What should be going on, for a controller that has just started or has a new connection to its keeper:
    /// launches that were not confirmed, and what is being ended. First comes [`Cluster::reconcile`].
    pub fn resume_effects(&self) -> Vec<Effect> {
        let effects = |job: &Job| {
            let attempt = job.attempt();
            let (launch, then) = match &job.phase {
                Phase::Running(run) => {
                    let then = match run.suspension {
                        Suspension { since: Some(_), .. } => Some(Effect::Suspend { attempt }),
                        // It may not have heard that it was resumed.
                        Suspension { last: Some(_), .. } if !run.stopped => Some(Effect::Resume { attempt }),
                        _ => None,
                    };
                    (run.launch == Launch::Granted, then)
                }
                Phase::Ending(..) => (false, self.way_to_end(job)),
                _ => (false, None),
            };
            let steps =
                job.steps.iter().filter(|s| s.end.is_none() && matches!(job.phase, Phase::Running(_)));
            let steps = steps.map(move |s| Effect::StartStep { attempt, step: s.number });
            launch
                .then_some(Effect::Launch { attempt })
                .into_iter()
                .chain(steps)
                .chain(then)
                .collect::<Vec<_>>()
        };
        self.active().flat_map(effects).collect()
    }

    /// What it means that jobs are not on a keeper's list of its attempts, as reports to decide upon.
    ///
    /// `same_journal` tells that the keeper's records are the ones it had when it was last connected. Then what it
    /// does not list and did not confirm has never begun: it is launched by [`Cluster::resume_effects`] or, if it
    /// is being ended, reported as unknown when that is asked for. Everything else is lost: nobody knows whether
    /// it ran, and a script never runs twice.
    pub fn reconcile(&self, listed: &BTreeSet<Attempt>, same_journal: bool) -> Vec<KeeperReport> {
        let granted = |job: &Job| job.run().is_some_and(|r| r.launch == Launch::Granted);
        let missing = self.active().filter(|j| !listed.contains(&j.attempt()));
        let lost = missing.filter(|j| !(same_journal && granted(j)));
        lost.map(|j| KeeperReport::Lost { attempt: j.attempt() }).collect()
    }

    /// Jobs that hold resources.
    fn active(&self) -> impl Iterator<Item = &Job> {
        self.index.releases.iter().filter_map(|r| self.job(r.1))
    }
}

/// Planted defects, with which the simulator proves that its checks catch such things. Nothing else calls this.
#[doc(hidden)]
pub mod sabotage {
    use super::Cluster;
    use bivouac_types::JobId;

    /// Gives the resources of a job back although it holds them.
    pub fn free_too_early(cluster: &mut Cluster, job: JobId) {
        let Some(run) = cluster.state.jobs.get(&job).and_then(|j| j.run()) else { return };
        for part in &run.alloc {
            if let Some(n) = cluster.world.tables.node(&part.node) {
                cluster.index.free[n].give_back(part, &cluster.world.tables.nodes[n]);
            }
        }
    }
}
