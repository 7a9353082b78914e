//! Accepting a job: defaults, and the rules by which Slurm refuses at submission.
//!
//! As Slurm with `EnforcePartLimits=NO` and `AccountingStorageEnforce=limits`: what no node can ever hold, and
//! names that do not exist, are refused; what exceeds a limit of the partition or of the QoS is accepted and
//! waits with that reason. Only MaxSubmitJobs refuses.

use super::Changes;
use crate::access::is_admitted;
use crate::cluster::Cluster;
use crate::command::{Caller, PayloadId, RequestKey};
use crate::constraint::Constraint;
use crate::demand::Demand;
use crate::deps::{self, Identity};
use crate::event::Change;
use crate::job::{Owner, Submission, Tally, WaitOn};
use bivouac_types::config::PartitionConfig;
use bivouac_types::{JobId, JobSpec, Now, Reject, TaskSet, TimeLimit, Uid};

impl Cluster {
    pub(super) fn submit(
        &self,
        caller: Caller,
        spec: JobSpec,
        payload: PayloadId,
        key: RequestKey,
        now: Now,
    ) -> Result<Changes, Reject> {
        if let Some(uid) = self.user_of_key(key) {
            // The same request again. Another user's use of the key is no business of this one.
            return if uid == caller.uid { Ok(Vec::new()) } else { Err(Reject::AccessDenied) };
        }
        let submission = self.accept(caller, spec, payload, key, now)?;
        let (id, own) = (submission.id, tasks_of_their_own(&submission));
        let mut changes = vec![Change::Submitted(Box::new(submission))];
        let number = |n: usize| JobId(id.0.saturating_add(1).saturating_add(n as u32));
        let split = |(n, tasks)| Change::Split { from: id, tasks, job: number(n) };
        changes.extend(own.into_iter().enumerate().map(split));
        Ok(changes)
    }

    /// The submission that a request leads to, with every default filled in; sbatch --test-only stops here.
    ///
    /// # Errors
    /// Slurm's refusal.
    pub fn accept(
        &self,
        caller: Caller,
        spec: JobSpec,
        payload: PayloadId,
        key: RequestKey,
        now: Now,
    ) -> Result<Submission, Reject> {
        let mut spec = self.through_plugins(spec)?;
        let config = &self.world.config;
        // An ordinary user's --priority is passed over.
        spec.priority = spec.priority.filter(|_| caller.is_operator());
        if self.index.live >= config.max_job_count as usize || self.state.next_id == u32::MAX {
            return Err(Reject::TooManyJobs);
        }
        if config.parameters.disable_root_jobs && caller.uid == Uid::ROOT {
            return Err(Reject::InvalidUser);
        }
        if spec.nice < 0 && !caller.is_operator() {
            return Err(Reject::InvalidNice);
        }
        let partitions = self.open_partitions(self.partitions(&spec)?, &spec, &caller)?;
        let account = self.account(&caller.user, &spec, &partitions)?;
        let qos = self.qos(&caller.user, account.as_deref(), &spec, &partitions)?;
        if let Some(array) = &spec.array {
            let last = array.tasks.last().ok_or(Reject::InvalidArray)?;
            if last >= config.max_array_size {
                return Err(Reject::InvalidArray);
            }
        }
        self.check_nodes(&spec, &partitions)?;
        self.check_times(&spec, &partitions, now)?;
        check_batch_features(&spec)?;
        if spec.reservation.is_some() {
            return Err(Reject::InvalidReservation);
        }
        if spec.licenses.iter().any(|l| l.count > self.world.licenses(&l.name)) {
            return Err(Reject::InvalidLicenses);
        }
        let id = JobId(self.state.next_id);
        let me = Identity {
            uid: caller.uid,
            name: spec.name.as_str().into(),
            origin: id,
            tasks: spec.array.as_ref().map(|a| a.tasks.clone()),
        };
        let mut waits = match &spec.dependency {
            Some(dependency) => deps::resolve(dependency, &self.state, &self.index, &me, now)?,
            None => Vec::new(),
        };
        if spec.hold {
            deps::put_off(&mut waits);
        }
        let owner = Owner { uid: caller.uid, gid: caller.gid, user: caller.user, group: caller.group };
        let tally = Tally::default();
        let submission =
            Submission { id, owner, spec, account, qos, partitions, payload, key, at: now, waits, tally };
        self.enforce_partition_limits(&submission)?;
        self.check_submit_limit(&submission)?;
        Ok(submission)
    }

    pub(super) fn partitions(&self, spec: &JobSpec) -> Result<Vec<String>, Reject> {
        let config = &self.world.config;
        if spec.partitions.is_empty() {
            let default =
                config.default_partition().ok_or_else(|| Reject::InvalidPartition(String::new()))?;
            return Ok(vec![default.name.clone()]);
        }
        let mut names: Vec<String> = Vec::new();
        for name in &spec.partitions {
            if config.partition(name).is_none() {
                return Err(Reject::InvalidPartition(name.clone()));
            }
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        Ok(names)
    }

    /// The partitions, an alternate in place of one that takes no jobs.
    fn open_partitions(
        &self,
        mut names: Vec<String>,
        spec: &JobSpec,
        caller: &Caller,
    ) -> Result<Vec<String>, Reject> {
        for name in &mut names {
            let mut partition = self.world.config.partition(name);
            // A chain of alternates that leads nowhere, or in a circle, ends.
            for _ in 0..self.world.config.partitions.len() {
                match partition {
                    Some(p) if !p.state.takes_jobs() => {
                        let alternate = p.alternate.as_deref().ok_or(Reject::PartitionUnavailable)?;
                        partition = self.world.config.partition(alternate);
                    }
                    _ => break,
                }
            }
            let partition = partition.filter(|p| p.state.takes_jobs()).ok_or(Reject::PartitionUnavailable)?;
            name.clone_from(&partition.name);
        }
        let mut refusal = None;
        for partition in names.iter().filter_map(|n| self.world.config.partition(n)) {
            match may_use(partition, spec, caller) {
                Ok(()) => return Ok(names),
                Err(e) => refusal = refusal.or(Some(e)),
            }
        }
        refusal.map_or(Ok(names), Err)
    }

    /// --deadline must be in the future, and --time-min within the limits.
    fn check_times(&self, spec: &JobSpec, partitions: &[String], now: Now) -> Result<(), Reject> {
        if spec.deadline.is_some_and(|deadline| deadline < now.wall) {
            return Err(Reject::InvalidTimeLimit);
        }
        self.check_time_min(spec, spec.time_limit, partitions, now)
    }

    /// --time-min must be within the job's own time limit, or else the default one, within what one of its partitions
    /// allows, and leave it time before its deadline.
    pub(super) fn check_time_min(
        &self,
        spec: &JobSpec,
        own: Option<TimeLimit>,
        partitions: &[String],
        now: Now,
    ) -> Result<(), Reject> {
        let Some(least) = spec.time_min else { return Ok(()) };
        let partitions = partitions.iter().filter_map(|p| self.world.config.partition(p));
        let most = |p: &PartitionConfig| own.or(p.default_time).unwrap_or(p.max_time).min(p.max_time);
        let needed = least.duration().map_or(u64::MAX, |time| time.0);
        let late = spec.deadline.is_some_and(|deadline| deadline.since(now.wall).0 < needed);
        match late || partitions.map(most).max().is_some_and(|most| least > most) {
            true => Err(Reject::InvalidTimeMin),
            false => Ok(()),
        }
    }

    /// At least one of the partitions must have nodes for it.
    pub(super) fn check_nodes(&self, spec: &JobSpec, partitions: &[String]) -> Result<(), Reject> {
        let mut refusal = None;
        for partition in partitions.iter().filter_map(|p| self.world.tables.partition(p)) {
            match Demand::new(&spec.resources, partition, &self.world.config, &self.world.tables) {
                Ok(_) => return Ok(()),
                Err(reject) => refusal = refusal.or(Some(reject)),
            }
        }
        refusal.map_or(Ok(()), Err)
    }

    fn check_submit_limit(&self, submission: &Submission) -> Result<(), Reject> {
        // The partition's limit, if it has one, is the one that counts.
        let limited = |qos: usize| Some((qos, self.world.qos(qos).max_submit_per_user?));
        let all = self.world.qos_submitted(submission);
        let Some((qos, limit)) = all.into_iter().find_map(limited) else { return Ok(()) };
        let have = self.index.submitted.get(&(qos, submission.owner.uid)).copied().unwrap_or(0);
        if have.saturating_add(submission.tasks()) > u64::from(limit) {
            Err(Reject::QosSubmitLimit)
        } else {
            Ok(())
        }
    }
}

/// The tasks of an array that each wait for something else: all but the last, which keeps the array's record.
fn tasks_of_their_own(submission: &Submission) -> Vec<TaskSet> {
    let corresponding = submission.waits.iter().any(|w| matches!(w.on, WaitOn::Corresponding(_)));
    let Some(array) = submission.spec.array.as_ref().filter(|_| corresponding) else { return Vec::new() };
    let all = array.tasks.len().saturating_sub(1) as usize;
    array.tasks.iter().take(all).map(TaskSet::single).collect()
}

/// --batch names features of --constraint only.
fn check_batch_features(spec: &JobSpec) -> Result<(), Reject> {
    let Some(text) = &spec.batch_features else { return Ok(()) };
    let constraint = spec.resources.constraint.as_deref().and_then(Constraint::parse);
    let wanted = Constraint::parse(text).filter(|w| w.counts().is_empty() && w.choices().is_empty());
    let (Some(constraint), Some(wanted)) = (constraint, wanted) else {
        return Err(Reject::InvalidBatchFeatures);
    };
    let known = constraint.names();
    match wanted.names().iter().all(|name| known.contains(name)) {
        true => Ok(()),
        false => Err(Reject::InvalidBatchFeatures),
    }
}

/// Whether a user may submit to a partition at all.
fn may_use(partition: &PartitionConfig, spec: &JobSpec, caller: &Caller) -> Result<(), Reject> {
    let root = caller.uid == Uid::ROOT;
    if partition.root_only && !root || partition.require_reservation && spec.reservation.is_none() {
        return Err(Reject::AccessDenied);
    }
    if partition.disable_root_jobs && root {
        return Err(Reject::InvalidUser);
    }
    if !is_admitted(partition, caller) {
        return Err(Reject::GroupNotPermitted);
    }
    if !partition.alloc_nodes.is_empty() && !partition.alloc_nodes.contains(&spec.submit_host) {
        return Err(Reject::AccessDenied);
    }
    Ok(())
}
