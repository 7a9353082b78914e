//! The end of an allocation by its client.

use super::Changes;
use crate::cluster::Cluster;
use crate::command::Caller;
use crate::event::Change;
use crate::job::{EndCause, Phase};
use bivouac_types::info::Usage;
use bivouac_types::{ExitStatus, JobId, Now, Outcome, Reject};

impl Cluster {
    /// The client gives the allocation back; one that still waits for its resources is cancelled. Of one that is over,
    /// or being ended otherwise, nothing changes.
    pub(super) fn complete(
        &self,
        caller: &Caller,
        id: JobId,
        exit: ExitStatus,
        now: Now,
    ) -> Result<Changes, Reject> {
        let job = self.job(id).ok_or(Reject::InvalidJobId)?;
        let submission = self.submission(job).ok_or(Reject::InvalidJobId)?;
        if !caller.may_command(submission) {
            return Err(Reject::AccessDenied);
        }
        if submission.spec.kind.is_batch() {
            return Err(Reject::Other("a batch job ends with its script".into()));
        }
        let attempt = job.attempt();
        Ok(match &job.phase {
            Phase::Running(_) => vec![Change::Ending { attempt, cause: EndCause::Relinquished { exit } }],
            Phase::Pending(_) => {
                let outcome = Outcome::Cancelled { by: caller.uid, status: None };
                vec![Change::Ended { job: id, outcome, end: now.wall, usage: Usage::default() }]
            }
            Phase::Ending(..) | Phase::Ended(_) => Vec::new(),
        })
    }
}
