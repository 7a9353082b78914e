//! scontrol suspend and resume. A suspended job's time does not pass, and its CPUs are free for others; memory and
//! generic resources stay with it.

use super::Changes;
use crate::cluster::Cluster;
use crate::command::{Caller, JobTarget};
use crate::event::Change;
use crate::job::{Job, Phase, Run};
use bivouac_types::Reject;

impl Cluster {
    pub(super) fn suspend(&self, caller: &Caller, target: &JobTarget) -> Result<Changes, Reject> {
        self.each_run(caller, target, |job, run| match run.suspension.since {
            None => Ok(Some(Change::Suspended { attempt: job.attempt() })),
            Some(_) => Ok(None),
        })
    }

    /// Refused while others have its CPUs: two jobs on one CPU would each be slower than asked for.
    pub(super) fn resume(&self, caller: &Caller, target: &JobTarget) -> Result<Changes, Reject> {
        let tables = &self.world.tables;
        let mut free = self.index.free.clone();
        self.each_run(caller, target, |job, run| {
            if run.suspension.since.is_none() {
                return Err(Reject::NotSuspended);
            }
            for part in &run.alloc {
                let Some(n) = tables.node(&part.node) else { continue };
                if !free[n].cpus.is_superset(&part.cpus) {
                    return Err(Reject::StepBusy);
                }
                free[n].cpus.subtract(&part.cpus);
            }
            Ok(Some(Change::Resumed { attempt: job.attempt() }))
        })
    }

    /// One change for each record that runs; a refusal if one is met and nothing is to be changed.
    fn each_run(
        &self,
        caller: &Caller,
        target: &JobTarget,
        mut change: impl FnMut(&Job, &Run) -> Result<Option<Change>, Reject>,
    ) -> Result<Changes, Reject> {
        if !caller.is_operator() {
            return Err(Reject::AccessDenied);
        }
        let mut changes = Vec::new();
        let (mut refusal, mut met) = (Reject::JobEnded, false);
        for s in self.select(target)? {
            match &s.job.phase {
                Phase::Running(run) => match change(s.job, run) {
                    Ok(found) => {
                        met = true;
                        changes.extend(found);
                    }
                    Err(e) => refusal = e,
                },
                Phase::Pending(_) => refusal = Reject::JobPending,
                Phase::Ending(..) => refusal = Reject::JobFinished,
                Phase::Ended(_) => {}
            }
        }
        if met { Ok(changes) } else { Err(refusal) }
    }
}
