//! scontrol hold, release, requeue and update.

use super::Changes;
use super::target::{Selected, Splitter};
use crate::cluster::Cluster;
use crate::command::{Caller, JobChange, JobTarget};
use crate::event::Change;
use crate::job::{EndCause, Hold, Phase};
use bivouac_types::{Reject, Uid};

/// Slurm's bounds of --nice.
const NICE_MAX: i32 = 2_147_483_645;

impl Cluster {
    /// The records to change: not over, and the caller's to change.
    fn select_live(&self, caller: &Caller, target: &JobTarget) -> Result<Vec<Selected<'_>>, Reject> {
        let mut selected = self.select(target)?;
        if !selected.iter().all(|s| caller.may_command(s.submission)) {
            return Err(Reject::InvalidUser);
        }
        selected.retain(|s| !s.job.is_ended());
        if selected.is_empty() { Err(Reject::JobEnded) } else { Ok(selected) }
    }

    /// A held job does not start; a running one goes on, and would not start again. Root's hold is an admin
    /// hold, and so is an operator's hold of another's job.
    pub(super) fn hold(
        &self,
        caller: &Caller,
        target: &JobTarget,
        user_hold: bool,
    ) -> Result<Changes, Reject> {
        let mut splitter = Splitter::new(self);
        let mut changes = Vec::new();
        for s in &self.select_live(caller, target)? {
            let anothers = caller.uid != s.submission.owner.uid;
            let admin = !user_hold && (caller.uid == Uid::ROOT || anothers);
            let hold = if admin { Hold::Admin } else { Hold::User };
            if s.job.hold == Some(hold) || (s.job.hold == Some(Hold::Admin) && !caller.is_operator()) {
                continue;
            }
            let job = splitter.record(s, &mut changes);
            changes.push(Change::Held { job, hold });
        }
        Ok(changes)
    }

    pub(super) fn release(&self, caller: &Caller, target: &JobTarget) -> Result<Changes, Reject> {
        let mut splitter = Splitter::new(self);
        let mut changes = Vec::new();
        for s in &self.select_live(caller, target)? {
            match s.job.hold {
                None => continue,
                Some(Hold::Admin) if !caller.is_operator() => return Err(Reject::AccessDenied),
                Some(_) => {}
            }
            let job = splitter.record(s, &mut changes);
            changes.push(Change::Released { job });
        }
        Ok(changes)
    }

    /// Ends running jobs to run them again. Jobs that are over are not run again: submit them anew.
    pub(super) fn requeue(&self, caller: &Caller, target: &JobTarget) -> Result<Changes, Reject> {
        let selected = self.select(target)?;
        if !selected.iter().all(|s| caller.may_command(s.submission)) {
            return Err(Reject::AccessDenied);
        }
        let mut changes = Vec::new();
        let mut refusal = Reject::JobEnded;
        for s in &selected {
            match &s.job.phase {
                Phase::Running(_) if s.submission.requeue(&self.world.config) => {
                    changes.push(Change::Ending { attempt: s.job.attempt(), cause: EndCause::Requeue });
                }
                Phase::Running(_) | Phase::Ending(..) => refusal = Reject::NotInThisState,
                Phase::Pending(_) => refusal = Reject::JobPending,
                Phase::Ended(_) => {}
            }
        }
        if changes.is_empty() { Err(refusal) } else { Ok(changes) }
    }

    pub(super) fn update(
        &self,
        caller: &Caller,
        target: &JobTarget,
        change: &JobChange,
    ) -> Result<Changes, Reject> {
        let mut splitter = Splitter::new(self);
        let mut changes = Vec::new();
        for s in &self.select_live(caller, target)? {
            if !caller.is_operator() {
                self.check_user_change(s, change)?;
            }
            if matches!(change, JobChange::Nice(n) if !(-NICE_MAX..=NICE_MAX).contains(n)) {
                return Err(Reject::InvalidValue("Nice".into()));
            }
            if matches!(s.job.phase, Phase::Ending(..)) && matches!(change, JobChange::TimeLimit(_)) {
                return Err(Reject::NotInThisState);
            }
            let job = splitter.record(s, &mut changes);
            changes.push(Change::Updated { job, change: change.clone() });
        }
        Ok(changes)
    }

    /// What an ordinary user may not do to an own job.
    fn check_user_change(&self, s: &Selected, change: &JobChange) -> Result<(), Reject> {
        match change {
            JobChange::Nice(n) if *n < 0 => Err(Reject::AccessDenied),
            JobChange::TimeLimit(limit) => match s.job.run() {
                Some(run) if *limit > run.time_limit => Err(Reject::AccessDenied),
                Some(_) => Ok(()),
                None => {
                    let maxima =
                        s.submission.partitions.iter().filter_map(|p| self.world.config.partition(p));
                    let max = maxima.map(|p| p.max_time).max();
                    if max.is_some_and(|m| *limit > m) { Err(Reject::InvalidTimeLimit) } else { Ok(()) }
                }
            },
            _ => Ok(()),
        }
    }
}
