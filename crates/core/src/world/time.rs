//! Time limits, and the clocks by which they are counted.

use super::{UNLIMITED_AS, World};
use crate::job::{Job, Run, Submission};
use bivouac_types::config::LimitClock;
use bivouac_types::{Duration, Now, TimeLimit, Timestamp};

impl World {
    /// The time limit that a job has in a partition.
    pub fn time_limit(&self, job: &Job, partition: usize) -> TimeLimit {
        let p = &self.config.partitions[partition];
        job.time_limit.or(p.default_time).unwrap_or(p.max_time)
    }

    /// The least time limit that will do for it there (--time-min): what it gets if it overtakes a job that waits.
    pub fn least_time(&self, job: &Job, submission: &Submission, partition: usize) -> TimeLimit {
        let whole = self.time_limit(job, partition);
        submission.spec.time_min.map_or(whole, |least| least.min(whole))
    }

    /// The most it gets there if it starts now. Who names a least time gets less than asked for where it could not end
    /// before its deadline, and the least where the partition does not allow more.
    pub fn most_time(&self, job: &Job, submission: &Submission, partition: usize, now: Now) -> TimeLimit {
        let whole = self.time_limit(job, partition);
        if submission.spec.time_min.is_none() {
            return whole;
        }
        let least = self.least_time(job, submission, partition);
        if whole > self.config.partitions[partition].max_time {
            return least;
        }
        let Some(deadline) = submission.spec.deadline else { return whole };
        let minutes = u32::try_from(deadline.since(now.wall).0 / 60_000).unwrap_or(u32::MAX);
        whole.min(TimeLimit::Minutes(minutes)).max(least)
    }

    /// The clock that time limits count, in milliseconds.
    pub fn limit_clock(&self, now: Now) -> u64 {
        match self.config.limit_clock {
            LimitClock::Monotonic => now.run.0,
            LimitClock::Wall => now.wall.0.max(0) as u64,
        }
    }

    /// When the limit of the run is reached, by [`World::limit_clock`], were it not (further) suspended; none for
    /// UNLIMITED.
    pub fn limit_end(&self, run: &Run) -> Option<u64> {
        let begun = self.limit_clock(run.start).saturating_add(run.suspension.before.0);
        Some(begun.saturating_add(run.time_limit.duration()?.0).saturating_sub(run.cut.0))
    }

    /// When the run is ended for its limit, by [`World::limit_clock`]; none for UNLIMITED and while it is suspended.
    pub fn deadline(&self, run: &Run) -> Option<u64> {
        let partition = self.config.partition(&run.partition);
        let beyond = match partition.and_then(|p| p.over_time_limit) {
            Some(TimeLimit::Unlimited) => return None,
            Some(limit) => limit.duration().unwrap_or_default(),
            None => self.config.parameters.over_time_limit,
        };
        if beyond == Duration(u64::MAX) {
            return None;
        }
        let end = self.limit_end(run).filter(|_| run.suspension.since.is_none())?;
        Some(end.saturating_add(beyond.0))
    }

    /// How long it has run, time of suspension not counted, by [`World::limit_clock`].
    pub fn elapsed(&self, run: &Run, now: Now) -> Duration {
        let until = self.limit_clock(run.suspension.since.unwrap_or(now));
        let begun = self.limit_clock(run.start).saturating_add(run.suspension.before.0);
        Duration(until.saturating_sub(begun))
    }

    /// The last moment at which a pending job can start so as to end before its --deadline.
    pub fn latest_start(&self, job: &Job, submission: &Submission) -> Option<Timestamp> {
        let deadline = submission.spec.deadline?;
        let partitions = submission.partitions.iter().filter_map(|p| self.tables.partition(p));
        let least = partitions.map(|p| self.least_time(job, submission, p)).min();
        let needed = least.and_then(TimeLimit::duration).unwrap_or(Duration::ZERO);
        Some(Timestamp(deadline.0.saturating_sub_unsigned(needed.0)))
    }

    /// When its resources are expected back, by [`World::limit_clock`].
    pub fn expected_end(&self, run: &Run) -> u64 {
        let unlimited = || self.limit_clock(run.start).saturating_add(UNLIMITED_AS.0);
        self.deadline(run).unwrap_or_else(unlimited)
    }
}
