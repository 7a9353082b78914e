//! What is derived from the state, kept up to date so that no question walks all jobs. Never stored;
//! [`crate::Cluster::check`] builds it anew and compares.

use crate::alloc::NodeFree;
use crate::command::RequestKey;
use crate::demand::Demand;
use crate::job::{Job, Phase, Place, Run, Submission, WaitOn, WaitState};
use crate::limits::Use;
use crate::world::{Gate, QueueEntry, World};
use bivouac_types::config::PartitionConfig;
use bivouac_types::{Duration, JobId, Timestamp, Uid};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What [`crate::Command::Tick`] does when a time has come that counts on [`bivouac_types::Now::run`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// KillWait of a job is over.
    Kill,
    /// MinJobAge of an ended job is over.
    Purge,
}

/// The derived part of a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Index {
    /// What is free on each node.
    pub free: Vec<NodeFree>,
    /// Jobs that nothing but resources and limits keeps from starting, the first to start first.
    pub queue: BTreeSet<QueueEntry>,
    /// Running jobs by the end of their time limit.
    pub limits: BTreeSet<(u64, JobId)>,
    /// Running jobs that asked for a signal before their end, by when it is due.
    pub warnings: BTreeSet<(u64, JobId)>,
    /// Running steps with a time limit of their own, by its end.
    pub step_limits: BTreeSet<(u64, JobId, u32)>,
    /// Jobs with a --deadline: when it is too late to start, or to run on.
    pub deadlines: BTreeSet<(Timestamp, JobId)>,
    /// Pending jobs of --kill-on-invalid-dep=yes whose dependency can never hold.
    pub invalid: BTreeSet<JobId>,
    /// Jobs that hold resources, by the time these are expected back.
    pub releases: BTreeSet<(u64, JobId)>,
    /// What falls due on the run clock.
    pub run_timers: BTreeSet<(Duration, Timer, JobId)>,
    /// Jobs that become eligible at a wall time.
    pub wall_timers: BTreeSet<(Timestamp, JobId)>,
    /// Single array tasks by array and index.
    pub tasks: BTreeMap<(JobId, u32), JobId>,
    /// All other records by submission.
    pub rests: BTreeSet<(JobId, JobId)>,
    /// Jobs with an undecided dependency, by the submission that it waits for.
    pub dependents: BTreeSet<(JobId, JobId)>,
    /// Jobs that are not over, by user, name and submission; how many records.
    pub names: BTreeMap<(Uid, Arc<str>, JobId), u32>,
    /// Jobs that wait as singletons, by user and name.
    pub singletons: BTreeSet<(Uid, Arc<str>, JobId)>,
    /// Submissions by key.
    pub keys: BTreeMap<RequestKey, JobId>,
    /// Keys of forgotten submissions by age.
    pub key_ages: BTreeSet<(Duration, RequestKey)>,
    /// The needs of each submission, parallel to its partitions.
    pub demands: BTreeMap<JobId, Arc<[Option<Arc<Demand>>]>>,
    /// The same of each job that is amended.
    pub amended: BTreeMap<JobId, Arc<[Option<Arc<Demand>>]>>,
    /// What each QoS has running.
    pub qos: BTreeMap<usize, Use>,
    /// What each user has running in each QoS.
    pub users: BTreeMap<(usize, Uid), Use>,
    /// Jobs of each user in each QoS that are not over, array tasks counted.
    pub submitted: BTreeMap<(usize, Uid), u64>,
    /// Licences in use, by name.
    pub licenses: BTreeMap<String, u64>,
    /// How many tasks of an array hold resources.
    pub array_running: BTreeMap<JobId, u32>,
    /// Records that are not over.
    pub live: usize,
}

fn member<T: Ord>(set: &mut BTreeSet<T>, item: T, put: bool) {
    if put {
        set.insert(item);
    } else {
        set.remove(&item);
    }
}

fn tally<K: Ord>(map: &mut BTreeMap<K, u64>, key: K, n: u64, put: bool) {
    let count = map.get(&key).copied().unwrap_or(0);
    let count = if put { count + n } else { count.saturating_sub(n) };
    if count == 0 {
        map.remove(&key);
    } else {
        map.insert(key, count);
    }
}

fn amount<K: Ord>(map: &mut BTreeMap<K, Use>, key: K, size: &Use, put: bool) {
    if put {
        map.entry(key).or_default().add(size);
    } else if let Some(have) = map.get_mut(&key) {
        have.subtract(size);
        if *have == Use::default() {
            map.remove(&key);
        }
    }
}

impl Index {
    /// Of no jobs at all.
    pub fn new(world: &World) -> Index {
        Index { free: world.in_service().to_vec(), ..Index::default() }
    }

    /// Makes a submission known; before any job of it.
    pub fn add_submission(&mut self, world: &World, submission: &Submission) {
        self.keys.insert(submission.key, submission.id);
        self.demands.insert(submission.id, world.demands(submission).into());
    }

    /// Forgets a submission; after all jobs of it.
    pub fn remove_submission(&mut self, submission: &Submission) {
        self.keys.remove(&submission.key);
        self.demands.remove(&submission.id);
    }

    /// The needs of a job in each of its partitions.
    pub fn demands(&self, job: &Job) -> Option<&Arc<[Option<Arc<Demand>>]>> {
        match job.amended {
            Some(_) => self.amended.get(&job.id),
            None => self.demands.get(&job.origin),
        }
    }

    /// Counts a job in.
    pub fn add(&mut self, world: &World, submission: &Submission, job: &Job) {
        self.count(world, submission, job, true);
    }

    /// Counts a job out, as it was counted in.
    pub fn remove(&mut self, world: &World, submission: &Submission, job: &Job) {
        self.count(world, submission, job, false);
    }

    /// One function for both directions, so that they cannot differ.
    fn count(&mut self, world: &World, submission: &Submission, job: &Job, put: bool) {
        if job.amended.is_some() && put {
            self.amended.insert(job.id, world.demands(submission).into());
        }
        self.count_parts(world, submission, job, put);
        if !put {
            self.amended.remove(&job.id);
        }
    }

    fn count_parts(&mut self, world: &World, submission: &Submission, job: &Job, put: bool) {
        match job.place {
            Place::Task(t) if put => {
                self.tasks.insert((job.origin, t), job.id);
            }
            Place::Task(t) => {
                self.tasks.remove(&(job.origin, t));
            }
            _ => member(&mut self.rests, (job.origin, job.id), put),
        }
        match &job.phase {
            Phase::Ended(ended) => {
                let due = ended.at.run + world.config.min_job_age;
                member(&mut self.run_timers, (due, Timer::Purge, job.id), put);
                return;
            }
            Phase::Pending(_) => self.count_pending(world, submission, job, put),
            Phase::Running(run) => {
                self.count_run(world, submission, job, run, put);
                member(&mut self.releases, (world.expected_end(run), job.id), put);
                if let Some(deadline) = world.deadline(run) {
                    member(&mut self.limits, (deadline, job.id), put);
                    if let Some(signal) = submission.spec.signal.filter(|_| !run.warned) {
                        let due = deadline.saturating_sub(u64::from(signal.seconds) * 1000);
                        member(&mut self.warnings, (due, job.id), put);
                    }
                }
                if let Some(deadline) = submission.spec.deadline {
                    member(&mut self.deadlines, (deadline, job.id), put);
                }
                for step in job.steps.iter().filter(|s| s.end.is_none()) {
                    let Some(minutes) = step.limit.filter(|_| run.suspension.since.is_none()) else {
                        continue;
                    };
                    let due = world.limit_clock(step.start).saturating_add(u64::from(minutes) * 60_000);
                    member(&mut self.step_limits, (due, job.id, step.number), put);
                }
            }
            Phase::Ending(run, ending) => {
                self.count_run(world, submission, job, run, put);
                let gone = world.limit_clock(ending.since).saturating_add(world.config.kill_wait.0);
                member(&mut self.releases, (gone, job.id), put);
                if !ending.killed {
                    let due = ending.since.run + world.config.kill_wait;
                    member(&mut self.run_timers, (due, Timer::Kill, job.id), put);
                }
            }
        }
        self.live = if put { self.live + 1 } else { self.live.saturating_sub(1) };
        let name = (submission.owner.uid, job.name.clone(), job.origin);
        let records = self.names.get(&name).copied().unwrap_or(0);
        match if put { records + 1 } else { records.saturating_sub(1) } {
            0 => drop(self.names.remove(&name)),
            n => drop(self.names.insert(name, n)),
        }
        for qos in world.qos_submitted(submission) {
            tally(&mut self.submitted, (qos, submission.owner.uid), job.count(), put);
        }
    }

    fn count_run(&mut self, world: &World, submission: &Submission, job: &Job, run: &Run, put: bool) {
        let held = run.held();
        for alloc in held.iter() {
            // A node that the configuration no longer has: `Cluster::restore` refuses before this matters.
            let Some(n) = world.tables.node(&alloc.node) else { continue };
            if put {
                self.free[n].take(alloc, &world.tables.nodes[n]);
            } else {
                self.free[n].give_back(alloc, &world.tables.nodes[n]);
            }
        }
        let size = Use::of(&held);
        // Of a partition that is there no more, nothing is known.
        let nowhere = PartitionConfig::default();
        let partition = world.config.partition(&run.partition).unwrap_or(&nowhere);
        for qos in world.qos_in(submission, partition) {
            amount(&mut self.qos, qos, &size, put);
            amount(&mut self.users, (qos, submission.owner.uid), &size, put);
        }
        for license in &submission.spec.licenses {
            tally(&mut self.licenses, license.name.clone(), license.count.into(), put);
        }
        if job.place != Place::Whole {
            let n = self.array_running.get(&job.origin).copied().unwrap_or(0);
            match if put { n + 1 } else { n.saturating_sub(1) } {
                0 => drop(self.array_running.remove(&job.origin)),
                n => drop(self.array_running.insert(job.origin, n)),
            }
        }
    }

    fn count_pending(&mut self, world: &World, submission: &Submission, job: &Job, put: bool) {
        let Phase::Pending(pending) = &job.phase else { return };
        if let Some(latest) = world.latest_start(job, submission) {
            member(&mut self.deadlines, (latest, job.id), put);
        }
        for wait in pending.waits.iter().filter(|w| w.state == WaitState::Open) {
            match wait.on {
                WaitOn::Begun(target, _)
                | WaitOn::Ended(target)
                | WaitOn::Ok(target)
                | WaitOn::NotOk(target)
                | WaitOn::Corresponding(target)
                | WaitOn::BurstBuffer(target) => {
                    member(&mut self.dependents, (target.job, job.id), put);
                }
                WaitOn::Singleton => {
                    member(&mut self.singletons, (submission.owner.uid, job.name.clone(), job.id), put);
                }
            }
        }
        if pending.eligible.is_none() {
            match world.gate(pending, submission) {
                Gate::From(time) => member(&mut self.wall_timers, (time, job.id), put),
                Gate::Never if submission.spec.kill_on_invalid_dep == Some(true) => {
                    member(&mut self.invalid, job.id, put);
                }
                Gate::Never | Gate::Waiting => {}
            }
            return;
        }
        if job.hold.is_some() {
            return;
        }
        for (choice, demand) in self.demands(job).cloned().iter().flat_map(|d| d.iter()).enumerate() {
            let Some(demand) = demand else { continue };
            if world.never(job, submission, demand).is_none() {
                member(&mut self.queue, world.queue_entry(job, submission, choice, demand), put);
            }
        }
    }

    /// The records of a submission: those of several tasks, then the single ones.
    pub fn records(&self, origin: JobId) -> impl Iterator<Item = JobId> + '_ {
        let rests = self.rests.range((origin, JobId(0))..=(origin, JobId(u32::MAX))).map(|r| r.1);
        rests.chain(self.tasks.range((origin, 0)..=(origin, u32::MAX)).map(|t| *t.1))
    }
}
