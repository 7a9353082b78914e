//! How each event changes the state. Total: an event that does not fit is a bug, which debug builds report and
//! release builds survive by leaving the state as it is.

use crate::cluster::Cluster;
use crate::deps::{self, Identity};
use crate::event::{Change, Event};
use crate::job::{
    EndCause, Ended, Ending, Job, Launch, Pending, Phase, Place, Run, Step, StepEnd, Submission, Suspension,
    Wait, WaitOn, WaitState,
};
use crate::state::{KEY_MEMORY, UsedKey};
use crate::world::{Gate, World};
use bivouac_types::info::Usage;
use bivouac_types::{
    Attempt, Duration, JobChange, JobId, JobState, Now, Outcome, PendingReason, TaskSet, Timestamp,
};
use std::sync::Arc;

/// Signals that stop a job's processes and let them go on.
pub(crate) const SIGSTOP: i32 = 19;
pub(crate) const SIGCONT: i32 = 18;

impl Cluster {
    /// Makes an event part of the state. The only way that the state changes.
    pub fn apply(&mut self, event: &Event) {
        let at = event.at;
        match &event.change {
            Change::Submitted(submission) => self.submitted(submission, at),
            Change::Split { from, tasks, job } => {
                self.split(*from, tasks, *job, at);
                [*from, *job].into_iter().for_each(|id| self.edit(id, |record| record.place.ordinary()));
            }
            Change::Dropped { from, tasks } => self.dropped(*from, tasks, at),
            Change::Started { job, from, task, partition, time_limit, alloc, backfill, waited } => {
                let grant = |eligible| Run {
                    start: at,
                    partition: partition.clone(),
                    time_limit: *time_limit,
                    cut: Duration::ZERO,
                    resized: None,
                    alloc: alloc.clone(),
                    launch: Launch::Granted,
                    eligible,
                    backfill: *backfill,
                    suspension: Suspension::default(),
                    stopped: false,
                    warned: false,
                };
                self.started(*job, *from, *task, grant, at);
                if !waited.is_turn() {
                    self.edit(*job, |job| job.waited = *waited);
                }
            }
            Change::Launched { attempt, pid } => self.edit_attempt(*attempt, |phase| match phase {
                Phase::Running(run) | Phase::Ending(run, _) => run.launch = Launch::Launched { pid: *pid },
                _ => {}
            }),
            Change::Ending { attempt, cause } => self.ending(*attempt, *cause, at),
            Change::KillDue { attempt } => self.edit_attempt(*attempt, |phase| {
                if let Phase::Ending(_, ending) = phase {
                    ending.killed = true;
                }
            }),
            Change::Signalled { attempt, signal, .. } => self.edit_attempt(*attempt, |phase| match phase {
                Phase::Running(run) if *signal == SIGSTOP => run.stopped = true,
                Phase::Running(run) if *signal == SIGCONT => run.stopped = false,
                _ => {}
            }),
            Change::Warned { attempt } => self.edit_run(*attempt, |run, _| run.warned = true),
            Change::Suspended { attempt } => self.edit_run(*attempt, |run, world| {
                let ran = world.elapsed(run, at);
                run.suspension.since = Some(at);
                run.suspension.last = Some((at.wall, ran));
            }),
            Change::Resumed { attempt } => self.edit_run(*attempt, |run, world| {
                let suspension = &mut run.suspension;
                let Some(since) = suspension.since.take() else { return };
                let passed = world.limit_clock(at).saturating_sub(world.limit_clock(since));
                suspension.before = suspension.before + Duration(passed);
                suspension.last = suspension.last.map(|(_, ran)| (at.wall, ran));
            }),
            Change::Resized { attempt, nodes } => {
                self.touch_nodes(attempt.job, at.wall);
                self.edit_run(*attempt, |run, _| {
                    run.alloc.retain(|part| nodes.contains(&part.node));
                    run.resized = Some(at.wall);
                });
            }
            Change::Ended { job, outcome, end, usage } => self.ended(*job, *outcome, *end, usage, at),
            Change::Requeued { job, begin, .. } => self.requeued(*job, *begin, at),
            Change::Held { job, hold } => self.edit(*job, |job| {
                job.hold = Some(*hold);
                job.waited = hold.reason();
            }),
            Change::Released { job } => {
                self.edit(*job, |job| job.hold = None);
                self.settle(*job, at);
            }
            Change::Updated { job, change } => self.updated(*job, change, at),
            Change::Amended { job, submission, waits } => self.amended(*job, submission, waits.clone(), at),
            Change::Eligible { job } => self.edit(*job, |job| {
                if let Phase::Pending(pending) = &mut job.phase {
                    *pending = Pending { waits: Vec::new(), eligible: Some(at.wall) };
                }
            }),
            Change::StepStarted {
                job,
                step,
                name,
                layout,
                cpus_per_task,
                overlap,
                submit_line,
                srun,
                socket,
            } => {
                let step = Step {
                    number: *step,
                    name: name.clone(),
                    layout: layout.clone(),
                    cpus_per_task: *cpus_per_task,
                    overlap: *overlap,
                    submit_line: submit_line.clone(),
                    srun: *srun,
                    socket: socket.clone(),
                    limit: None,
                    start: at,
                    end: None,
                };
                self.edit(*job, |job| job.steps.push(step));
            }
            Change::StepEnded { job, step, exit, usage } => self.edit(*job, |job| {
                if let Some(step) = job.steps.iter_mut().find(|s| s.number == *step) {
                    step.end = Some(StepEnd { at: at.wall, exit: Some(*exit), usage: usage.clone() });
                }
            }),
            Change::StepLimited { job, step, minutes } => self.edit(*job, |job| {
                if let Some(step) = job.steps.iter_mut().find(|s| s.number == *step) {
                    step.limit = *minutes;
                }
            }),
            Change::NodesSet { nodes } => {
                for (name, stand) in nodes {
                    // Slurm counts the return to service as use, and nothing else of what is set.
                    let before = self.world.tables.node(name).map(|n| &self.world.stands[n]);
                    if before.is_some_and(|b| !b.in_service()) && stand.in_service() {
                        self.state.last_busy.insert(name.clone(), at.wall);
                    }
                }
                self.state.nodes.extend(nodes.clone());
                self.rebuild();
            }
            Change::PartitionSet(record) => {
                let records = &mut self.state.partitions;
                match records.iter_mut().find(|r| r.name == record.name && r.origin == record.origin) {
                    Some(same) => same.clone_from(record),
                    None => {
                        // Created anew, or deleted: it goes to the end, as Slurm lists it.
                        records.retain(|r| r.name != record.name);
                        records.push((**record).clone());
                    }
                }
                self.rebuild();
            }
            Change::Purged { jobs } => {
                jobs.iter().for_each(|id| self.purge(*id));
                self.forget_keys(at);
            }
        }
    }

    /// A job is about to leave its nodes.
    fn touch_nodes(&mut self, job: JobId, at: Timestamp) {
        let run = self.state.jobs.get(&job).and_then(|j| j.run());
        let nodes = run.into_iter().flat_map(|r| &r.alloc).map(|part| part.node.to_string());
        let left: Vec<String> = nodes.collect();
        self.state.last_busy.extend(left.into_iter().map(|node| (node, at)));
    }

    /// After a change of nodes or partitions, on which everything derived depends. Such changes are rare.
    fn rebuild(&mut self) {
        *self = Cluster::assemble(self.world.base.clone(), std::mem::take(&mut self.state));
    }

    /// Changes one job, with the index kept in step.
    fn edit(&mut self, id: JobId, change: impl FnOnce(&mut Job)) {
        let Some(job) = self.state.jobs.get_mut(&id) else {
            debug_assert!(false, "an event names job {id}, which does not exist");
            return;
        };
        let origin = self.state.submissions.get(&job.origin).cloned();
        if let Some(submission) = job.amended.as_ref().or(origin.as_ref()) {
            self.index.remove(&self.world, submission, job);
        }
        change(Arc::make_mut(job));
        if let Some(submission) = job.amended.as_ref().or(origin.as_ref()) {
            self.index.add(&self.world, submission, job);
        }
    }

    fn edit_attempt(&mut self, attempt: Attempt, change: impl FnOnce(&mut Phase)) {
        self.edit(attempt.job, |job| {
            debug_assert_eq!(job.attempt(), attempt);
            change(&mut job.phase);
        });
    }

    fn edit_run(&mut self, attempt: Attempt, change: impl FnOnce(&mut Run, &World)) {
        let world = self.world.clone();
        self.edit_attempt(attempt, |phase| {
            if let Phase::Running(run) = phase {
                change(run, &world);
            }
        });
    }

    fn insert(&mut self, job: Job) {
        self.state.next_id = self.state.next_id.max(job.id.0.saturating_add(1));
        if let Some(submission) = self.state.submission(&job) {
            self.index.add(&self.world, submission, &job);
        }
        self.state.jobs.insert(job.id, Arc::new(job));
    }

    fn submitted(&mut self, submission: &Submission, at: Now) {
        let mut job = Job::of(submission);
        if let Phase::Pending(pending) = &mut job.phase {
            match self.world.gate(pending, submission) {
                Gate::From(time) if time <= at.wall => {
                    *pending = Pending { waits: Vec::new(), eligible: Some(time) };
                }
                _ if job.hold.is_some() => {}
                Gate::From(_) => job.waited = PendingReason::BeginTime,
                Gate::Waiting | Gate::Never => job.waited = PendingReason::Dependency,
            }
        }
        self.index.add_submission(&self.world, submission);
        self.state.submissions.insert(submission.id, Arc::new(submission.clone()));
        self.insert(job);
    }

    fn split(&mut self, from: JobId, tasks: &TaskSet, job: JobId, at: Now) {
        let Some(record) = self.state.jobs.get(&from) else {
            debug_assert!(false, "a split of job {from}, which does not exist");
            return;
        };
        let part = Job { id: job, place: Place::Tasks(tasks.clone()), ..Job::clone(record) };
        self.edit(from, |record| {
            if let Place::Tasks(set) = &mut record.place {
                *set = set.difference(tasks);
            }
        });
        self.insert(part);
        // Fewer tasks may have an answer that more had not (aftercorr).
        self.settle(job, at);
        self.settle(from, at);
    }

    /// For a moment the tasks are a record that ends, under a number that is given out later: whoever waits for them
    /// learns of their end as of any other.
    fn dropped(&mut self, from: JobId, tasks: &TaskSet, at: Now) {
        let job = JobId(self.state.next_id);
        self.split(from, tasks, job, at);
        let outcome = Outcome::Cancelled { by: bivouac_types::Uid::ROOT, status: None };
        self.ended(job, outcome, at.wall, &Usage::default(), at);
        self.purge(job);
        self.state.next_id = job.0;
    }

    fn started(
        &mut self,
        id: JobId,
        from: Option<JobId>,
        task: Option<u32>,
        grant: impl FnOnce(Timestamp) -> Run,
        at: Now,
    ) {
        if let (Some(record), Some(task)) = (from, task) {
            let Some(rest) = self.state.jobs.get(&record) else {
                debug_assert!(false, "a task of job {record}, which does not exist, starts");
                return;
            };
            let part = Job { id, place: Place::Tasks(TaskSet::single(task)), ..rest.clone_without_place() };
            self.edit(record, |job| {
                if let Place::Tasks(set) = &mut job.place {
                    set.remove(task);
                }
                job.place.ordinary();
            });
            self.insert(part);
        }
        let mut first = false;
        self.edit(id, |job| {
            first = job.restarts == 0;
            if let Some(task) = task {
                job.place = Place::Task(task);
            }
            let eligible = job.pending().and_then(|p| p.eligible).unwrap_or(at.wall);
            let run = grant(eligible);
            job.time_limit = Some(run.time_limit);
            job.phase = Phase::Running(run);
        });
        let origin = self.state.jobs.get(&id).map(|j| j.origin);
        if let Some(origin) = origin.filter(|_| first) {
            if let Some(submission) = self.state.submissions.get_mut(&origin) {
                let submission = Arc::make_mut(submission);
                submission.tally.begun += 1;
                submission.tally.last_begun = at.wall;
            }
            self.settle_dependents(origin, at);
        }
    }

    fn ending(&mut self, attempt: Attempt, cause: EndCause, at: Now) {
        self.edit_attempt(attempt, |phase| {
            *phase =
                match std::mem::replace(phase, Phase::Pending(Pending { waits: Vec::new(), eligible: None }))
                {
                    Phase::Running(run) => Phase::Ending(run, Ending { cause, since: at, killed: false }),
                    // Already being ended: only the cause changes, KillWait goes on.
                    Phase::Ending(run, ending) => Phase::Ending(run, Ending { cause, ..ending }),
                    other => other,
                };
        });
    }

    fn ended(&mut self, id: JobId, outcome: Outcome, end: Timestamp, usage: &Usage, at: Now) {
        self.touch_nodes(id, end);
        let mut run = None;
        let world = self.world.clone();
        let asked = self.state.jobs.get(&id).and_then(|job| self.state.submission(job)).cloned();
        self.edit(id, |job| {
            run = job.run().cloned();
            let eligible = job.pending().and_then(|p| p.eligible);
            let waits = job.pending().map_or(Vec::new(), |p| p.waits.clone());
            if let Some((pending, asked)) = job.pending().zip(asked.as_ref())
                && world.gate(pending, asked) == Gate::Never
            {
                job.waited = PendingReason::DependencyNeverSatisfied;
            }
            for step in job.steps.iter_mut().filter(|s| s.end.is_none()) {
                step.end = Some(StepEnd { at: end, exit: None, usage: Usage::default() });
            }
            job.phase = Phase::Ended(Ended {
                outcome,
                at,
                end,
                run: run.clone(),
                usage: usage.clone(),
                eligible,
                waits,
            });
        });
        let Some(job) = self.state.jobs.get(&id) else { return };
        let (origin, name, count) = (job.origin, job.name.clone(), job.count());
        let Some(submission) = self.state.submissions.get_mut(&origin) else { return };
        let tally = &mut Arc::make_mut(submission).tally;
        tally.ended += count;
        if outcome.state() != JobState::Completed {
            tally.failed += count;
        }
        if run.is_none() && job.restarts == 0 {
            tally.begun += count;
            tally.last_begun = at.wall;
        }
        let uid = submission.owner.uid;
        self.settle_dependents(origin, at);
        self.settle_singletons(uid, name, at);
    }

    /// A job that was over is over no more; what depended on its end has been settled, and stays so.
    fn requeued(&mut self, id: JobId, begin: Option<Timestamp>, at: Now) {
        self.touch_nodes(id, at.wall);
        let mut outcome = None;
        let begin = begin.filter(|begin| *begin > at.wall);
        // As if it had been asked for: it is shown as such, and may be changed.
        let later = self.state.jobs.get(&id).zip(begin).and_then(|(job, begin)| {
            let mut submission = Submission::clone(self.state.submission(job)?);
            submission.spec.begin = Some(begin);
            Some(Arc::new(submission))
        });
        self.edit(id, |job| {
            if let Phase::Ended(ended) = &job.phase {
                outcome = Some(ended.outcome);
            }
            job.restarts += 1;
            job.requeued = Some(at.wall);
            job.steps.clear();
            let eligible = later.is_none().then_some(at.wall);
            job.phase = Phase::Pending(Pending { waits: Vec::new(), eligible });
            if later.is_some() {
                job.amended = later;
                if job.hold.is_none() {
                    job.waited = PendingReason::BeginTime;
                }
            }
        });
        let origin = self.state.jobs.get(&id).map(|j| j.origin);
        if let (Some(outcome), Some(origin)) = (outcome, origin)
            && let Some(submission) = self.state.submissions.get_mut(&origin)
        {
            let tally = &mut Arc::make_mut(submission).tally;
            tally.ended = tally.ended.saturating_sub(1);
            if outcome.state() != JobState::Completed {
                tally.failed = tally.failed.saturating_sub(1);
            }
        }
    }

    fn updated(&mut self, id: JobId, change: &JobChange, at: Now) {
        let before = self.state.jobs.get(&id).map(|j| (j.name.clone(), j.origin));
        let world = self.world.clone();
        self.edit(id, |job| match change {
            JobChange::TimeLimit(limit) => {
                job.time_limit = Some(*limit);
                if let Phase::Running(run) | Phase::Ending(run, _) = &mut job.phase {
                    run.time_limit = *limit;
                    run.cut = Duration::ZERO;
                }
            }
            JobChange::EndTime(end) => {
                if let Phase::Running(run) | Phase::Ending(run, _) = &mut job.phase {
                    let left = end.since(at.wall).0;
                    let due = world.limit_clock(at).saturating_add(left);
                    run.cut = Duration(world.limit_end(run).map_or(0, |end| end.saturating_sub(due)));
                }
            }
            JobChange::Name(name) => job.name = name.as_str().into(),
            JobChange::Nice(nice) => job.nice = *nice,
            other => debug_assert!(false, "{other:?} of job {id} is an amendment"),
        });
        if let (JobChange::Name(_), Some((name, origin))) = (change, before)
            && let Some(uid) = self.state.submissions.get(&origin).map(|s| s.owner.uid)
        {
            self.settle_singletons(uid, name, at);
            self.settle(id, at);
        }
    }

    /// A new dependency or a later begin time takes a job's eligibility away; an earlier one may give it.
    fn amended(&mut self, id: JobId, submission: &Submission, waits: Option<Vec<Wait>>, at: Now) {
        self.edit(id, |job| {
            job.amended = Some(Arc::new(submission.clone()));
            let Phase::Pending(pending) = &mut job.phase else { return };
            if waits.is_some() || submission.spec.begin.is_some_and(|begin| begin > at.wall) {
                pending.eligible = None;
            }
            if let Some(waits) = waits {
                pending.waits = waits;
            }
        });
        let Some(job) = self.state.jobs.get(&id) else { return };
        if let Some(pending) = job.pending().filter(|p| p.eligible.is_none())
            && let Gate::From(time) = self.world.gate(pending, submission)
            && time <= at.wall
        {
            let eligible = Pending { waits: Vec::new(), eligible: Some(at.wall) };
            self.edit(id, |job| job.phase = Phase::Pending(eligible));
        }
    }

    fn purge(&mut self, id: JobId) {
        let Some(job) = self.state.jobs.remove(&id) else {
            debug_assert!(false, "job {id} is forgotten twice");
            return;
        };
        if let Some(submission) = self.state.submission(&job) {
            self.index.remove(&self.world, submission, &job);
        }
        let Some(submission) = self.state.submissions.get(&job.origin) else { return };
        if self.index.records(job.origin).next().is_none() {
            let used = UsedKey { job: submission.id, uid: submission.owner.uid, at: submission.at.run };
            self.index.key_ages.insert((used.at, submission.key));
            self.state.used_keys.insert(submission.key, used);
            self.index.remove_submission(submission);
            self.state.submissions.remove(&job.origin);
        }
    }

    fn forget_keys(&mut self, at: Now) {
        while let Some(&(used, key)) = self.index.key_ages.first().filter(|k| k.0 + KEY_MEMORY <= at.run) {
            self.index.key_ages.remove(&(used, key));
            self.state.used_keys.remove(&key);
        }
    }

    /// Something of the submission began or ended: who waits for it?
    fn settle_dependents(&mut self, origin: JobId, at: Now) {
        let all = (origin, JobId(0))..=(origin, JobId(u32::MAX));
        let waiting: Vec<JobId> = self.index.dependents.range(all).map(|d| d.1).collect();
        waiting.into_iter().for_each(|id| self.settle(id, at));
    }

    /// A job of that user and name ended: who waits as a singleton?
    fn settle_singletons(&mut self, uid: bivouac_types::Uid, name: Arc<str>, at: Now) {
        let all = (uid, name.clone(), JobId(0))..=(uid, name, JobId(u32::MAX));
        let waiting: Vec<JobId> = self.index.singletons.range(all).map(|s| s.2).collect();
        waiting.into_iter().for_each(|id| self.settle(id, at));
    }

    /// Settles what can be settled of a job's dependency.
    fn settle(&mut self, id: JobId, at: Now) {
        let Some(job) = self.state.jobs.get(&id) else { return };
        let Some(submission) = self.state.submission(job) else { return };
        let Some(pending) = job.pending() else { return };
        let me = Identity {
            uid: submission.owner.uid,
            name: job.name.clone(),
            origin: job.origin,
            tasks: job.tasks(),
        };
        let mut settled = pending.clone();
        for wait in settled.waits.iter_mut().filter(|w| w.state == WaitState::Open) {
            wait.state = deps::standing(wait.on, &self.state, &self.index, &me, at.wall);
        }
        if settled == *pending {
            return;
        }
        if let Gate::From(time) = self.world.gate(&settled, submission)
            && time <= at.wall
        {
            settled = Pending { waits: Vec::new(), eligible: Some(at.wall) };
        }
        self.edit(id, |job| job.phase = Phase::Pending(settled));
    }
}

impl Job {
    /// A copy for a task that leaves the record: the set of the others is not copied.
    fn clone_without_place(&self) -> Job {
        Job {
            id: self.id,
            origin: self.origin,
            place: Place::Whole,
            name: self.name.clone(),
            nice: self.nice,
            time_limit: self.time_limit,
            restarts: self.restarts,
            hold: self.hold,
            waited: self.waited,
            requeued: self.requeued,
            amended: self.amended.clone(),
            phase: self.phase.clone(),
            steps: Vec::new(),
        }
    }
}

impl WaitOn {
    /// The submission that it waits for, if it names one.
    pub fn target(&self) -> Option<bivouac_types::depend::DependencyTarget> {
        match self {
            WaitOn::Begun(t, _)
            | WaitOn::Ended(t)
            | WaitOn::Ok(t)
            | WaitOn::NotOk(t)
            | WaitOn::Corresponding(t)
            | WaitOn::BurstBuffer(t) => Some(*t),
            WaitOn::Singleton => None,
        }
    }
}
