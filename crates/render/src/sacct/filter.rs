//! Which jobs and steps sacct shows.

use super::ids::Pick;
use crate::job::eligible;
use bivouac_types::info::{JobInfo, Scheduler, StepInfo};
use bivouac_types::{JobState, StepKind, TimeLimit, Timestamp};

/// The time between -S and -E, in whole seconds as the accounting has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// -S.
    pub since: Timestamp,
    /// -E.
    pub until: Timestamp,
}

/// `-F`: which part of the scheduler started a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartedBy {
    /// `SchedSubmit`: at once, while it was submitted. No batch job is.
    Submit,
    /// `SchedMain`.
    Main,
    /// `SchedBackfill`.
    Backfill,
}

impl StartedBy {
    /// The word of -F, in any case.
    pub fn parse(word: &str) -> Option<StartedBy> {
        let words = [
            ("SchedSubmit", StartedBy::Submit),
            ("SchedMain", StartedBy::Main),
            ("SchedBackfill", StartedBy::Backfill),
        ];
        words.into_iter().find(|(w, _)| w.eq_ignore_ascii_case(word)).map(|(_, by)| by)
    }
}

/// What is shown. `None` lets everything pass. Names are compared in any case, as the accounting's database does.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// -j.
    pub jobs: Option<Vec<Pick>>,
    /// -s.
    pub states: Option<Vec<JobState>>,
    /// -u; none: everybody.
    pub users: Option<Vec<u32>>,
    /// -g.
    pub groups: Option<Vec<u32>>,
    /// -A.
    pub accounts: Option<Vec<String>>,
    /// -r.
    pub partitions: Option<Vec<String>>,
    /// -q.
    pub qos: Option<Vec<String>>,
    /// --name.
    pub names: Option<Vec<String>>,
    /// -W.
    pub wckeys: Option<Vec<String>>,
    /// -x: jobs of the associations of these numbers.
    pub associations: Option<Vec<String>>,
    /// -N: jobs that ran on one of these.
    pub nodes: Option<Vec<String>>,
    /// -C: parts of what was asked for with --constraint, all of them.
    pub constraints: Vec<String>,
    /// --reason.
    pub reasons: Option<Vec<String>>,
    /// -F.
    pub started_by: Option<Vec<StartedBy>>,
    /// -i: number of allocated nodes, inclusive.
    pub num_nodes: Option<(u32, u32)>,
    /// -I: number of allocated CPUs, inclusive.
    pub num_cpus: Option<(u32, u32)>,
    /// -k and -K: minutes, inclusive. UNLIMITED is larger than any.
    pub limits: Option<(u32, u32)>,
    /// -S and -E.
    pub window: Window,
    /// -D: every run of a job, not the last one alone.
    pub duplicates: bool,
    /// -T: times are cut to the window.
    pub truncate: bool,
}

/// What of a job is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    /// The job with all its steps.
    Job,
    /// Only these steps.
    Steps(Vec<StepKind>),
}

impl Selection {
    fn step(&self, step: StepKind) -> bool {
        match self {
            Selection::Job => true,
            Selection::Steps(list) => list.contains(&step),
        }
    }
}

/// When a run was over; none while it is not.
pub(crate) fn over(job: &JobInfo) -> Option<Timestamp> {
    job.end.filter(|_| job.state.is_ended() || job.state == JobState::Requeued)
}

/// When a job started; none if it has not run.
pub(super) fn started(job: &JobInfo) -> Option<Timestamp> {
    job.start.filter(|_| !job.nodes.is_empty())
}

/// What is shown for that. Slurm's controller tells the database every five seconds of jobs that wait: one that was
/// cancelled before that has the time of its end, a later one none.
pub(crate) fn shown_start(job: &JobInfo) -> Option<Timestamp> {
    let unknown_yet = |end: &Timestamp| end.as_secs() - job.submit.as_secs() < 5;
    started(job).or(job.end.filter(|_| job.state.is_ended()).filter(unknown_yet))
}

/// Whether a value is in a list, if there is one.
fn listed(list: &Option<Vec<String>>, value: Option<&str>) -> bool {
    list.as_ref().is_none_or(|l| value.is_some_and(|v| l.iter().any(|w| w.eq_ignore_ascii_case(v))))
}

fn within(range: Option<(u32, u32)>, value: u32) -> bool {
    range.is_none_or(|(least, most)| (least..=most).contains(&value))
}

impl Filter {
    /// Whether something of a job is shown.
    pub(super) fn job(&self, job: &JobInfo) -> bool {
        let limit = match job.time_limit {
            TimeLimit::Minutes(minutes) => minutes,
            TimeLimit::Unlimited => u32::MAX,
        };
        let ran = |n: u32| if job.nodes.is_empty() { 0 } else { n };
        let wanted = job.spec.resources.constraint.as_deref().unwrap_or("").to_ascii_lowercase();
        self.users.as_ref().is_none_or(|u| u.contains(&job.uid.0))
            && self.groups.as_ref().is_none_or(|g| g.contains(&job.gid.0))
            && listed(&self.accounts, job.account.as_deref())
            && listed(&self.qos, job.qos.as_deref())
            && listed(&self.names, Some(&job.spec.name))
            && listed(&self.wckeys, job.spec.wckey.as_deref())
            && listed(&self.associations, job.accounting.association.map(|n| n.to_string()).as_deref())
            && job.partition.split(',').any(|partition| listed(&self.partitions, Some(partition)))
            && self.nodes.as_ref().is_none_or(|n| job.nodes.iter().any(|share| n.contains(&share.node)))
            && self.constraints.iter().all(|c| wanted.contains(&c.to_ascii_lowercase()))
            && listed(&self.reasons, Some(&job.accounting.waited.to_string()))
            && self.started_by.as_ref().is_none_or(|by| job_started_by(job).is_some_and(|s| by.contains(&s)))
            && within(self.num_nodes, ran(job.num_nodes))
            && within(self.num_cpus, ran(job.num_cpus))
            && within(self.limits, limit)
            && self.picks(job).is_none_or(|mut picks| picks.next().is_some())
            && self.in_window(job)
    }

    /// The entries of -j that mean the job; none: all jobs are meant.
    fn picks<'a>(&'a self, job: &'a JobInfo) -> Option<impl Iterator<Item = &'a Pick>> {
        let picks = self.jobs.as_ref()?.iter();
        Some(picks.filter(|pick| pick.component.is_none() && pick.job.covers(job)))
    }

    /// Whether the job was there in the window of time, and in one of the states if states are asked for. Jobs that
    /// are not asked for by their id must have become eligible.
    fn in_window(&self, job: &JobInfo) -> bool {
        let (since, until) = (self.window.since.as_secs(), self.window.until.as_secs());
        let secs = |at: Option<Timestamp>| at.map(Timestamp::as_secs);
        let (eligible, start, end) = (secs(eligible(job)), secs(started(job)), secs(over(job)));
        let Some(states) = &self.states else {
            let began = if self.jobs.is_some() { Some(job.submit.as_secs()) } else { eligible };
            return began.is_some_and(|t| t <= until) && end.is_none_or(|t| t >= since);
        };
        states.iter().any(|state| match state {
            JobState::Pending => {
                eligible.is_some_and(|t| t <= until) && start.or(end).is_none_or(|waited| waited > since)
            }
            JobState::Running => start.is_some_and(|t| t <= until) && end.is_none_or(|t| t > since),
            JobState::Suspended => {
                let ever = job.state == JobState::Suspended || job.accounting.suspended.0 > 0;
                ever && start.is_some_and(|t| t <= until) && end.is_none_or(|t| t >= since)
            }
            state => job.state == *state && end.is_some_and(|t| (since..=until).contains(&t)),
        })
    }

    /// What of a job that passed [`Filter::job`] is shown.
    pub(super) fn selection(&self, job: &JobInfo) -> Selection {
        let Some(picks) = self.picks(job) else { return Selection::Job };
        let mut steps = Vec::new();
        for pick in picks {
            match pick.step {
                None => return Selection::Job,
                Some(step) => steps.push(step),
            }
        }
        Selection::Steps(steps)
    }

    /// Whether a step of a job that is shown so is shown: those of another time are not.
    pub(super) fn step(&self, selection: &Selection, step: &StepInfo) -> bool {
        let (since, until) = (self.window.since.as_secs(), self.window.until.as_secs());
        selection.step(step.step)
            && step.start.as_secs() <= until
            && step.end.is_none_or(|end| end.as_secs() >= since)
    }
}

fn job_started_by(job: &JobInfo) -> Option<StartedBy> {
    match job.accounting.scheduler {
        Some(Scheduler::Main) => Some(StartedBy::Main),
        Some(Scheduler::Backfill) => Some(StartedBy::Backfill),
        // Recorded before the part of the scheduler was.
        None => started(job).map(|_| StartedBy::Main),
    }
}
