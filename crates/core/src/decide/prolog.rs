//! What follows from a prolog that failed: the job was granted its resources and never launched.

use super::Changes;
use crate::cluster::Cluster;
use crate::event::Change;
use crate::job::{Hold, Launch, Phase, Repeated};
use bivouac_types::info::Usage;
use bivouac_types::{Attempt, Now, Outcome};

impl Cluster {
    /// The job waits again, held; one that may not be requeued has failed. An attempt that is over,
    /// or was launched after all, is left alone.
    pub(super) fn prolog_failed(&self, attempt: Attempt, now: Now) -> Changes {
        let Some(job) = self.job(attempt.job).filter(|j| j.attempt() == attempt) else { return Vec::new() };
        match &job.phase {
            Phase::Running(run) if run.launch == Launch::Granted => {}
            _ => return Vec::new(),
        }
        if !self.submission(job).is_some_and(|s| s.requeue(&self.world.config)) {
            let outcome = Outcome::LaunchFailed;
            return vec![Change::Ended { job: job.id, outcome, end: now.wall, usage: Usage::default() }];
        }
        vec![
            self.again(job.id, Repeated::Asked, now.wall, now),
            Change::Held { job: job.id, hold: Hold::LaunchFailed },
        ]
    }
}
