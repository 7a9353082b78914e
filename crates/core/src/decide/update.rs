//! scontrol update of a job.
//!
//! Rules as found on Slurm 22.05: what may be changed while a job runs, what only an operator may change, and which
//! refusal comes first. All changes of a command are made, or none.

use super::Changes;
use super::target::{Selected, Splitter};
use crate::cluster::Cluster;
use crate::command::{Caller, JobTarget};
use crate::demand::Demand;
use crate::deps::{self, Identity};
use crate::event::Change;
use crate::job::{Hold, Phase, Run, Submission, Tally, Wait};
use crate::ledger::Ledger;
use bivouac_types::job::NodeRange;
use bivouac_types::{HostList, JobChange, LicenseRequest, Now, Reject, TimeLimit, Uid};
use std::sync::Arc;

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
    /// The nodes that a running job keeps.
    keeps: Option<Vec<Arc<str>>>,
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
                keeps: None,
            };
            for change in &asked {
                may_change(caller, selected, change)?;
                self.draft(&mut draft, caller, change.clone(), now)?;
            }
            self.check_draft(&mut draft, now)?;
            let job = splitter.record(selected, &mut changes);
            changes.extend(draft.own.into_iter().map(|change| Change::Updated { job, change }));
            if draft.amended {
                let submission = Box::new(draft.submission);
                changes.push(Change::Amended { job, submission, waits: draft.waits });
            }
            changes.extend(draft.hold.map(|hold| Change::Held { job, hold }));
            let attempt = selected.job.attempt();
            changes.extend(draft.keeps.map(|nodes| Change::Resized { attempt, nodes }));
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
                if at < now.wall {
                    return Err(Reject::InvalidTime);
                }
                let limit = TimeLimit::Minutes(u32::try_from(minutes).unwrap_or(u32::MAX));
                self.draft(draft, caller, JobChange::TimeLimit(limit), now)?;
                draft.own.push(JobChange::EndTime(at));
                return Ok(());
            }
            // Slurm takes it, and the job keeps what it was started with.
            JobChange::Deadline(_) | JobChange::Qos(None) | JobChange::TimeMin(_)
                if s.job.pending().is_none() =>
            {
                return Ok(());
            }
            JobChange::ResetAccrueTime => {
                draft.submission.spec.accrues_from = Some(now.wall);
                draft.amended = true;
                return Ok(());
            }
            JobChange::Nodes(range) if let Some(run) = s.job.run() => {
                draft.keeps = Some(first_nodes(run, range)?);
                return Ok(());
            }
            JobChange::NodeList(ref list) if let Some(run) = s.job.run() => {
                draft.keeps = Some(kept_nodes(run, list.as_ref())?);
                return Ok(());
            }
            JobChange::Reservation(Some(_)) => return Err(Reject::InvalidReservation),
            JobChange::Licenses(ref wanted) if s.job.pending().is_none() => {
                let have = |name: &str| s.submission.spec.licenses.iter().find(|l| l.name == name);
                let more = |l: &LicenseRequest| l.count.saturating_sub(have(&l.name).map_or(0, |h| h.count));
                let ledger = Ledger::new(self);
                if !wanted.iter().all(|l| ledger.has_license(&l.name, more(l))) {
                    return Err(Reject::InvalidLicenses);
                }
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
                if cpus == 0 {
                    return Err(Reject::InvalidCpuCount);
                }
                let partitions = draft.submission.partitions.iter();
                let known = partitions.filter_map(|p| self.world.tables.partition(p));
                if !known.into_iter().any(|p| cpus <= self.world.tables.partitions[p].cpus) {
                    return Err(Reject::PartitionConfig);
                }
                self.freeze_cpus(draft);
            }
            JobChange::CpusPerTask(_) => self.freeze_cpus(draft),
            JobChange::MinCpusNode(cpus) => {
                self.freeze_cpus(draft);
                let r = &mut draft.submission.spec.resources;
                let nodes = r.nodes.map_or(1, |n| n.min.max(1));
                r.cpus = r.cpus.max(Some(cpus.saturating_mul(nodes)));
            }
            JobChange::Dependency(ref dependency) => {
                let me = Identity {
                    uid: s.submission.owner.uid,
                    name: s.job.name.clone(),
                    origin: s.submission.id,
                    tasks: s.part.clone().or_else(|| s.job.tasks()),
                };
                let mut waits = match dependency {
                    Some(d) => deps::resolve(d, &self.state, &self.index, &me, now)?,
                    None => Vec::new(),
                };
                if s.job.hold.is_some() {
                    deps::put_off(&mut waits);
                }
                if waits.iter().any(|w| w.on.target().is_some_and(|t| t.job == s.submission.id)) {
                    return Err(Reject::DependencyProblem);
                }
                draft.waits = Some(waits);
            }
            JobChange::Tasks(0) => return Err(Reject::Other("Task count specification invalid".into())),
            JobChange::Tasks(_) => self.freeze_cpus(draft),
            _ => {}
        }
        draft.unchecked |= shapes(&change);
        draft.amended = true;
        change.amend(&mut draft.submission.spec);
        Ok(())
    }

    /// From now on the job's CPUs are what they are, whatever becomes of its tasks, and so is what is shown of each node's.
    fn freeze_cpus(&self, draft: &mut Draft) {
        let r = &mut draft.submission.spec.resources;
        if r.cpus.is_none() {
            let on_node = r.cpus_per_task.unwrap_or(1).saturating_mul(r.ntasks_per_node.unwrap_or(1));
            r.min_cpus = Some(r.min_cpus.unwrap_or(0).max(on_node));
            let first = self.demands(draft.selected.job).iter().flatten().next();
            r.cpus = Some(first.map_or(1, |d| d.min_cpus()));
            r.cpus_before = r.cpus;
        }
    }

    /// What a new submission is checked for, as far as the changes touch it.
    fn check_draft(&self, draft: &mut Draft, now: Now) -> Result<(), Reject> {
        let submission = &mut draft.submission;
        let spec = &submission.spec;
        let own = draft.own.iter().rev().find_map(|c| match c {
            JobChange::TimeLimit(limit) => Some(*limit),
            _ => None,
        });
        let before = draft.selected.submission.spec.time_min;
        if draft.selected.job.pending().is_some() && (own.is_some() || spec.time_min != before) {
            let own = own.or(draft.selected.job.time_limit);
            self.check_time_min(spec, own, &submission.partitions, now)?;
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
        // What the nodes cannot hold waits, as in Slurm; what is not there at all is refused.
        let known = submission.partitions.iter().filter_map(|p| self.world.tables.partition(p));
        let tried = known.map(|p| {
            Demand::of_accepted(&spec.resources, p, &self.world.config, &self.world.tables).map(drop)
        });
        tried.reduce(|one, other| one.or(other)).unwrap_or(Ok(()))
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

/// The nodes that are left of a run which is to have so many: its first ones.
fn first_nodes(run: &Run, range: NodeRange) -> Result<Vec<Arc<str>>, Reject> {
    let has = run.alloc.len();
    match range {
        NodeRange { min: 0, .. } => Err(Reject::InvalidNodeCount),
        NodeRange { min, max } if max.is_some_and(|max| max != min) => Err(Reject::NotPending),
        NodeRange { min, .. } if min as usize > has => Err(Reject::NotSupported),
        NodeRange { min, .. } if min as usize == has => Err(Reject::NotPending),
        NodeRange { min, .. } => Ok(run.alloc.iter().take(min as usize).map(|p| p.node.clone()).collect()),
    }
}

/// The nodes of a run that are to be left: the one of the batch script must be among them.
fn kept_nodes(run: &Run, list: Option<&HostList>) -> Result<Vec<Arc<str>>, Reject> {
    let names = list.map_or(&[][..], |l| &l.names);
    let has = |name: &String| run.alloc.iter().any(|part| *part.node == **name);
    if let Some(other) = names.iter().find(|name| !has(name)) {
        return Err(Reject::InvalidNodeName(other.clone()));
    }
    let kept: Vec<Arc<str>> =
        run.alloc.iter().map(|p| p.node.clone()).filter(|n| names.iter().any(|m| **m == **n)).collect();
    if kept.first() == run.alloc.first().map(|p| &p.node) && !kept.is_empty() {
        return Ok(kept);
    }
    Err(Reject::InvalidNodeName(names.join(",")))
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
            | Deadline(_)
            | DelayBoot(_)
            | Licenses(_)
            | MailType(_)
            | MailUser(_)
            | NodeList(_)
            | Nodes(_)
            | Priority(_)
            | Qos(None)
            | Requeue(_)
            | Reservation(Some(_))
            | SiteFactor(_)
            | SwitchWait(_)
            | Switches(_)
            | TimeMin(_)
    );
    match s.job.phase {
        Phase::Ending(..) if matches!(change, TimeLimit(_) | EndTime(_)) => {
            return Err(Reject::NotInThisState);
        }
        Phase::Pending(_) => {}
        _ if !at_any_time => return Err(Reject::NotPending),
        _ => {}
    }
    let operators_only = match change {
        AdminComment(_) | Contiguous(_) | Deadline(_) | OverSubscribe(_) | SiteFactor(_)
        | TasksPerNode(_) => true,
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
            | Reboot(_)
            | Requeue(_)
            | SiteFactor(_)
            | StdOut(_)
            | SwitchWait(_)
            | TimeMin(_)
            | WcKey(_)
            | WorkDir(_)
    )
}
