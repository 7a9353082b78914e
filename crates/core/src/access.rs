//! Who may use what: partitions, accounts and QoS, as slurm.conf and the associations say.

use crate::cluster::Cluster;
use crate::command::Caller;
use crate::demand::Demand;
use crate::job::{Job, Submission};
use crate::world::{World, allows};
use bivouac_types::config::PartitionConfig;
use bivouac_types::parameters::{Association, EnforcePartLimits};
use bivouac_types::{JobSpec, PendingReason, Reject, TimeLimit, Uid};

/// Whether AllowGroups lets somebody use a partition.
pub(crate) fn is_admitted(partition: &PartitionConfig, caller: &Caller) -> bool {
    let member = |group: &String| *group == caller.group || caller.groups.contains(group);
    caller.uid == Uid::ROOT || partition.allow_groups.is_empty() || partition.allow_groups.iter().any(member)
}

/// Whether a partition and its jobs are not shown to somebody who does not ask for them.
pub(crate) fn is_hidden(partition: &PartitionConfig, caller: &Caller) -> bool {
    caller.uid != Uid::ROOT && (partition.hidden || !is_admitted(partition, caller))
}

impl World {
    /// The user's association with an account that holds in one of the partitions.
    fn association_of(&self, user: &str, account: &str, partitions: &[String]) -> Option<&Association> {
        self.config.parameters.associations.iter().find(|a| {
            a.user.as_deref() == Some(user)
                && a.account == account
                && a.partition.as_ref().is_none_or(|p| partitions.contains(p))
        })
    }

    /// What an association has, or else an account above it: the first that `of` finds.
    fn inherited<'a, T>(
        &'a self,
        from: &'a Association,
        of: impl Fn(&'a Association) -> Option<T>,
    ) -> Option<T> {
        let all = &self.config.parameters.associations;
        let mut next = Some(from);
        // No chain of accounts is longer than there are accounts.
        for _ in 0..=all.len() {
            let entry = next?;
            if let Some(found) = of(entry) {
                return Some(found);
            }
            let above = match entry.user {
                Some(_) => Some(&entry.account),
                None => entry.parent.as_ref(),
            };
            next = all.iter().find(|a| a.user.is_none() && Some(&a.account) == above);
        }
        None
    }
}

impl Cluster {
    /// Whether a job is shown to somebody who does not ask for hidden partitions.
    pub fn is_visible(&self, job: &Job, caller: &Caller) -> bool {
        let shown = |name: &str| {
            self.world.config.partition(name).is_none_or(|partition| !is_hidden(partition, caller))
        };
        match (job.run(), self.submission(job)) {
            (Some(run), _) => shown(&run.partition),
            (None, Some(submission)) => submission.partitions.iter().any(|name| shown(name)),
            (None, None) => true,
        }
    }

    /// What JobSubmitPlugins make of a request.
    pub(crate) fn through_plugins(&self, mut spec: JobSpec) -> Result<JobSpec, Reject> {
        let config = &self.world.config;
        for plugin in &config.parameters.job_submit {
            match plugin.as_str() {
                "require_timelimit" if spec.time_limit.is_none() => return Err(Reject::MissingTimeLimit),
                "all_partitions" if spec.partitions.is_empty() => {
                    spec.partitions = config.partitions.iter().map(|p| p.name.clone()).collect();
                }
                _ => {}
            }
        }
        Ok(spec)
    }

    /// The account of a job: the one it names or the user's default.
    pub(crate) fn account(
        &self,
        user: &str,
        spec: &JobSpec,
        partitions: &[String],
    ) -> Result<Option<String>, Reject> {
        let config = &self.world.config;
        let associations = &config.parameters.associations;
        let own = || associations.iter().find(|a| a.user.as_deref() == Some(user) && a.is_default);
        let account =
            spec.account.as_ref().or_else(|| Some(&own()?.account)).or(config.default_account.as_ref());
        if config.parameters.conf_dir.is_some() && config.parameters.enforce.associations {
            let name = account.cloned().unwrap_or_default();
            return match self.world.association_of(user, &name, partitions) {
                Some(_) => Ok(Some(name)),
                None => Err(Reject::InvalidAccount(name)),
            };
        }
        match account {
            Some(name) if !config.accounts.is_empty() && !config.accounts.contains(name) => {
                Err(Reject::InvalidAccount(name.clone()))
            }
            _ => Ok(account.cloned()),
        }
    }

    /// The QoS of a job: the one it names, or the default of its association or of the cluster.
    pub(crate) fn qos(
        &self,
        user: &str,
        account: Option<&str>,
        spec: &JobSpec,
        partitions: &[String],
    ) -> Result<Option<String>, Reject> {
        let config = &self.world.config;
        let association = account.and_then(|a| self.world.association_of(user, a, partitions));
        let default = association.and_then(|a| self.world.inherited(a, |a| a.default_qos.as_ref()));
        let qos = spec.qos.as_ref().or(default).or(config.default_qos.as_ref());
        let Some(name) = qos else { return Ok(None) };
        if config.qos(name).is_none() {
            return Err(Reject::InvalidQos(name.clone()));
        }
        // Sites refuse what can never run; Slurm by itself lets it wait (EnforcePartLimits=NO).
        let of_site = config.parameters.conf_dir.is_none();
        let admits = |p: &PartitionConfig| allows(&p.allow_qos, &p.deny_qos, Some(name));
        if of_site && !partitions.iter().filter_map(|p| config.partition(p)).all(admits) {
            return Err(Reject::InvalidQos(name.clone()));
        }
        if config.parameters.enforce.qos
            && let Some(association) = association
        {
            let allowed = |a: &Association| (!a.qos.is_empty()).then(|| a.qos.contains(name));
            if self.world.inherited(association, allowed) == Some(false) {
                return Err(Reject::InvalidQos(name.clone()));
            }
        }
        Ok(Some(name.clone()))
    }

    /// EnforcePartLimits: what would wait for ever in a partition is refused.
    pub(crate) fn enforce_partition_limits(&self, submission: &Submission) -> Result<(), Reject> {
        let enforce = self.world.config.parameters.enforce_part_limits;
        if enforce == EnforcePartLimits::No {
            return Ok(());
        }
        let mut first = None;
        for name in &submission.partitions {
            match self.beyond(submission, name) {
                None if enforce == EnforcePartLimits::Any => return Ok(()),
                None => {}
                Some(reject) if enforce == EnforcePartLimits::All => return Err(reject),
                Some(reject) => first = first.or(Some(reject)),
            }
        }
        first.map_or(Ok(()), Err)
    }

    /// The limit of the partition that the submission is beyond.
    fn beyond(&self, submission: &Submission, name: &str) -> Option<Reject> {
        let world = &self.world;
        let n = world.tables.partition(name)?;
        let partition = &world.config.partitions[n];
        let (account, qos) = (submission.account.as_deref(), submission.qos.as_deref());
        if !allows(&partition.allow_accounts, &partition.deny_accounts, account) {
            return Some(Reject::InvalidAccount(account.unwrap_or_default().to_owned()));
        }
        if !allows(&partition.allow_qos, &partition.deny_qos, qos) {
            return Some(Reject::InvalidQos(qos.unwrap_or_default().to_owned()));
        }
        let default = partition.default_time.unwrap_or(partition.max_time);
        let limit: TimeLimit = submission.spec.time_limit.unwrap_or(default);
        if limit > partition.max_time {
            return Some(Reject::InvalidTimeLimit);
        }
        let demand = Demand::new(&submission.spec.resources, n, &world.config, &world.tables);
        match demand.map(|d| d.never) {
            Err(reject) => Some(reject),
            Ok(Some(PendingReason::PartitionNodeLimit)) => Some(Reject::InvalidNodeCount),
            Ok(Some(PendingReason::PartitionConfig)) => Some(Reject::TooManyCpus),
            Ok(Some(PendingReason::MaxMemPerLimit)) => Some(Reject::TaskMemory),
            Ok(_) => None,
        }
    }
}
