//! scontrol update of a job.
//!
//! Rules as found on Slurm 22.05: what may be changed while a job runs, what only an operator may change, and which
//! refusal comes first. All changes of a command are made, or none.

use super::Changes;
use super::target::{Selected, Splitter};
use crate::cluster::Cluster;
use crate::command::{Caller, JobTarget};
use crate::deps::{self, Identity};
use crate::event::Change;
use crate::job::{Hold, Phase, Submission, Tally, Wait};
use bivouac_types::{JobChange, Now, Reject, TimeLimit, Uid};

/// Slurm's bounds of --nice.
const NICE_MAX: i32 = 2_147_483_645;

/// What the changes of one command come to, for one record.
struct Draft<'a> {
    selected: &'a Selected<'a>,
    /// The submission as amended so far; its tally does not count.
    submission: Submission,
    /// Something of it differs from what the job has.
    amended: bool,
    /// It is to be checked like a new one.
    unchecked: bool,
    waits: Option<Vec<Wait>>,
    /// What is kept with the job itself.
    own: Vec<JobChange>,
    /// The hold that follows from `Priority=0`.
    hold: Option<Hold>,
}

impl Cluster {
    pub(super) fn update(
        &self,
        caller: &Caller,
        target: &JobTarget,
        asked: Vec<JobChange>,
        now: Now,
    ) -> Result<Changes, Reject> {
        let mut splitter = Splitter::new(self);
        let mut changes = Vec::new();
        for selected in &self.select_live(caller, target)? {
            let mut draft = Draft {
                selected,
                submission: Submission { tally: Tally::default(), ..selected.submission.clone() },
                amended: false,
                unchecked: false,
                waits: None,
                own: Vec::new(),
                hold: None,
            };
            for change in &asked {
                may_change(caller, selected, change)?;
                self.draft(&mut draft, caller, change.clone(), now)?;
            }
            self.check_draft(&mut draft)?;
            let job = splitter.record(selected, &mut changes);
            changes.extend(draft.own.into_iter().map(|change| Change::Updated { job, change }));
            if draft.amended {
                let submission = Box::new(draft.submission);
                changes.push(Change::Amended { job, submission, waits: draft.waits });
            }
            changes.extend(draft.hold.map(|hold| Change::Held { job, hold }));
        }
        Ok(changes)
    }

    /// Adds one change to the draft, in the form in which it is kept.
    fn draft(&self, draft: &mut Draft, caller: &Caller, change: JobChange, now: Now) -> Result<(), Reject> {
        let s = draft.selected;
        let operator = caller.is_operator();
        match change {
            JobChange::TimeLimit(limit) => {
                if !operator && !self.may_have(s, limit) {
                    return Err(Reject::AccessDenied);
                }
                draft.own.push(JobChange::TimeLimit(limit));
                return Ok(());
            }
            JobChange::EndTime(at) => {
                let run = s.job.run().ok_or(Reject::NotRunning)?;
                let minutes = at.since(run.start.wall).0.div_ceil(60_000).max(1);
                let limit = TimeLimit::Minutes(u32::try_from(minutes).unwrap_or(u32::MAX));
                return self.draft(draft, caller, JobChange::TimeLimit(limit), now);
            }
            JobChange::Nice(nice) => {
                if !(-NICE_MAX..=NICE_MAX).contains(&nice) {
                    return Err(Reject::InvalidValue("Nice".into()));
                }
                draft.own.push(JobChange::Nice(nice));
                return Ok(());
            }
            JobChange::Name(_) => {
                draft.own.push(change);
                return Ok(());
            }
            JobChange::Priority(0) => {
                draft.hold = Some(hold_of(caller, &draft.submission, false));
                return Ok(());
            }
            JobChange::Priority(priority) => {
                if s.job.hold.is_some() {
                    return Err(Reject::JobHeld);
                }
                let first = self.demands(s.job).iter().flatten().next().map(|d| &**d);
                if !operator && priority > self.world.shown_priority(s.job, s.submission, first, now) {
                    return Err(Reject::AccessDenied);
                }
                draft.own.push(JobChange::Nice(0));
            }
            JobChange::Cpus(cpus) => {
                let tasks = self.demands(s.job).iter().flatten().next().map_or(1, |d| d.tasks);
                if cpus == 0 || !cpus.is_multiple_of(tasks) {
                    return Err(Reject::InvalidCpuCount);
                }
                return self.draft(draft, caller, JobChange::CpusPerTask(cpus / tasks), now);
            }
            JobChange::Dependency(ref dependency) => {
                let me = Identity {
                    uid: s.submission.owner.uid,
                    name: s.job.name.clone(),
                    origin: s.submission.id,
                };
                let waits = match dependency {
                    Some(d) => deps::resolve(d, &self.state, &self.index, &me, now)?,
                    None => Vec::new(),
                };
                if waits.iter().any(|w| w.on.target().is_some_and(|t| t.job == s.submission.id)) {
                    return Err(Reject::DependencyProblem);
                }
                draft.waits = Some(waits);
            }
            JobChange::Shrink(_) => return Err(Reject::NotSupported),
            JobChange::Tasks(0) => return Err(Reject::Other("Task count specification invalid".into())),
            _ => {}
        }
        draft.unchecked |= shapes(&change);
        draft.amended = true;
        change.amend(&mut draft.submission.spec);
        Ok(())
    }

    /// What a new submission is checked for, as far as the changes touch it.
    fn check_draft(&self, draft: &mut Draft) -> Result<(), Reject> {
        let submission = &mut draft.submission;
        let spec = &submission.spec;
        if let Some(min) = spec.time_min {
            let own = draft.own.iter().rev().find_map(|c| match c {
                JobChange::TimeLimit(limit) => Some(*limit),
                _ => None,
            });
            let limit = own.or(draft.selected.job.time_limit).or_else(|| self.longest(submission));
            if limit.is_some_and(|limit| min > limit) {
                return Err(Reject::InvalidTimeMin);
            }
        }
        if !draft.unchecked || draft.selected.job.pending().is_none() {
            return Ok(());
        }
        submission.partitions = self.partitions(spec)?;
        let user = &submission.owner.user;
        if spec.licenses.iter().any(|l| l.count > self.world.licenses(&l.name)) {
            return Err(Reject::InvalidLicenses);
        }
        submission.account = self.account(user, spec, &submission.partitions)?;
        submission.qos = self.qos(user, submission.account.as_deref(), spec, &submission.partitions)?;
        self.check_nodes(spec, &submission.partitions)
    }

    /// The longest time limit that one of its partitions allows.
    fn longest(&self, submission: &Submission) -> Option<TimeLimit> {
        submission.partitions.iter().filter_map(|p| self.world.config.partition(p)).map(|p| p.max_time).max()
    }

    /// Whether an ordinary user may give an own job that limit: not above its partitions' while it is pending, not
    /// above its own while it runs.
    fn may_have(&self, s: &Selected, limit: TimeLimit) -> bool {
        match s.job.run() {
            Some(run) => limit <= run.time_limit,
            None => self.longest(s.submission).is_none_or(|most| limit <= most),
        }
    }
}

/// The hold that a caller's command puts on a job: root's is an admin hold, and so is an operator's of another's job.
pub(super) fn hold_of(caller: &Caller, submission: &Submission, user_hold: bool) -> Hold {
    let anothers = caller.uid != submission.owner.uid;
    if !user_hold && (caller.uid == Uid::ROOT || anothers) { Hold::Admin } else { Hold::User }
}

/// Whether the change may be made to the job as it stands, and by that caller.
fn may_change(caller: &Caller, s: &Selected, change: &JobChange) -> Result<(), Reject> {
    use JobChange::*;
    let at_any_time = matches!(
        change,
        TimeLimit(_)
            | EndTime(_)
            | Name(_)
            | Nice(_)
            | AdminComment(_)
            | Comment(_)
            | ArrayTaskThrottle(_)
            | DelayBoot(_)
            | MailType(_)
            | MailUser(_)
            | Priority(_)
            | Requeue(_)
            | WcKey(_)
            | Shrink(_)
    );
    match s.job.phase {
        Phase::Ending(..) if matches!(change, TimeLimit(_) | EndTime(_)) => {
            return Err(Reject::NotInThisState);
        }
        Phase::Pending(_) => {}
        // A running job cannot be given fewer nodes here.
        _ if matches!(change, Nodes(_)) => return Err(Reject::NotSupported),
        _ if !at_any_time => return Err(Reject::NotPending),
        _ => {}
    }
    let operators_only = match change {
        AdminComment(_) | Contiguous(_) | Deadline(_) | OverSubscribe(_) | TasksPerNode(_) => true,
        Nice(nice) => *nice < 0,
        _ => false,
    };
    if operators_only && !caller.is_operator() { Err(Reject::AccessDenied) } else { Ok(()) }
}

/// Whether the change has to do with where the job can run.
fn shapes(change: &JobChange) -> bool {
    use JobChange::*;
    !matches!(
        change,
        AdminComment(_)
            | Comment(_)
            | ArrayTaskThrottle(_)
            | Begin(_)
            | Deadline(_)
            | DelayBoot(_)
            | Dependency(_)
            | MailType(_)
            | MailUser(_)
            | Priority(_)
            | Requeue(_)
            | StdOut(_)
            | SwitchWait(_)
            | TimeMin(_)
            | WcKey(_)
            | WorkDir(_)
    )
}
