//! scontrol hold, release and requeue.

use super::Changes;
use super::target::{Selected, Splitter};
use super::update::hold_of;
use crate::cluster::Cluster;
use crate::command::{Caller, JobTarget};
use crate::event::Change;
use crate::job::{EndCause, Ended, Hold, Phase, Repeated};
use bivouac_types::{Now, Reject};

impl Cluster {
    /// The records to change: not over, and the caller's to change.
    pub(super) fn select_live(
        &self,
        caller: &Caller,
        target: &JobTarget,
    ) -> Result<Vec<Selected<'_>>, Reject> {
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
            let hold = hold_of(caller, s.submission, user_hold);
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
            if s.submission.spec.priority.is_some() {
                // It is computed again, as Slurm does after a release.
                let mut submission = Box::new(s.submission.clone());
                submission.spec.priority = None;
                changes.push(Change::Amended { job, submission, waits: None });
            }
        }
        Ok(changes)
    }

    /// Ends running jobs to run them again, and takes up again jobs that are over. A suspended one is then held, as in
    /// Slurm, and so is any by requeuehold.
    pub(super) fn requeue(
        &self,
        caller: &Caller,
        target: &JobTarget,
        hold: Option<Hold>,
        incomplete: bool,
        now: Now,
    ) -> Result<Changes, Reject> {
        let selected = self.select(target)?;
        if !selected.iter().all(|s| caller.may_command(s.submission)) {
            return Err(Reject::AccessDenied);
        }
        let mut changes = Vec::new();
        let mut refusal = None;
        for s in &selected {
            let job = s.job.id;
            let may = s.submission.requeue(&self.world.config);
            match &s.job.phase {
                Phase::Pending(_) | Phase::Ended(_) if incomplete => continue,
                _ if !s.submission.spec.kind.is_batch() => refusal = Some(Reject::BatchOnly),
                Phase::Pending(_) => refusal = Some(Reject::JobPending),
                Phase::Ended(Ended { run: None, .. }) => refusal = Some(Reject::JobEnded),
                _ if !may => refusal = Some(Reject::NotInThisState),
                Phase::Running(run) => {
                    let suspended = run.suspension.since.map(|_| Hold::Requeued);
                    changes.extend(hold.or(suspended).map(|hold| Change::Held { job, hold }));
                    changes.push(Change::Ending { attempt: s.job.attempt(), cause: EndCause::Requeue });
                }
                Phase::Ending(..) => refusal = Some(Reject::NotInThisState),
                Phase::Ended(_) => {
                    changes.extend(hold.map(|hold| Change::Held { job, hold }));
                    changes.push(self.again(job, Repeated::Asked, now.wall, now));
                }
            }
        }
        match refusal {
            Some(refusal) if changes.is_empty() => Err(refusal),
            _ => Ok(changes),
        }
    }
}
