//! scontrol top: the order of a user's own pending jobs is changed, not what they have against others.

use super::Changes;
use crate::cluster::Cluster;
use crate::command::Caller;
use crate::event::Change;
use crate::job::{Job, Submission};
use bivouac_types::{JobChange, JobId, Reject};

impl Cluster {
    /// The named jobs get the places of the first among all pending jobs of the same user, partition, account and QoS;
    /// the others move down. Places are nice values: the highest is not exceeded.
    pub(super) fn top(&self, caller: &Caller, jobs: &[JobId]) -> Result<Changes, Reject> {
        if !caller.is_operator() {
            return Err(Reject::AccessDenied);
        }
        let mut named = Vec::new();
        for id in jobs {
            let job = self.job(*id).ok_or(Reject::InvalidJobId)?;
            match job.pending() {
                Some(_) => named.push(job),
                None if job.is_ended() => return Err(Reject::JobEnded),
                None => return Err(Reject::NotPending),
            }
        }
        let Some(first) = named.first().and_then(|job| self.submission(job)) else { return Ok(Vec::new()) };
        let alike = |s: &Submission| {
            s.owner.uid == first.owner.uid
                && s.partitions == first.partitions
                && s.account == first.account
                && s.qos == first.qos
        };
        let pending = |job: &&Job| {
            job.pending().is_some() && job.hold.is_none() && self.submission(job).is_some_and(alike)
        };
        named.retain(|job| pending(job));
        let mut others: Vec<&Job> = self.jobs().filter(pending).collect();
        others.sort_by_key(|job| (job.nice, job.id));
        let mut places: Vec<i64> = others.iter().map(|job| i64::from(job.nice)).collect();
        others.retain(|job| !named.iter().any(|n| n.id == job.id));
        places.sort_unstable();
        let mut changes = Vec::new();
        let mut above: Option<i64> = None;
        for (job, place) in named.into_iter().chain(others).zip(places) {
            // Equal values would leave the order to the numbers of the jobs.
            let nice = above.map_or(place, |a| place.max(a + 1));
            above = Some(nice);
            let nice = i32::try_from(nice).unwrap_or(i32::MAX);
            if nice != job.nice {
                changes.push(Change::Updated { job: job.id, change: JobChange::Nice(nice) });
            }
        }
        Ok(changes)
    }
}
