//! What is shown of jobs, nodes and partitions: rows for squeue, sinfo, sacct and scontrol.

use crate::alloc::NodeAlloc;
use crate::cluster::Cluster;
use crate::demand::Demand;
use crate::job::{
    EndCause, Ended, Job, Launch, Pending, Phase, Place, Repeated, Run, Step, Submission, Wait, WaitOn,
    WaitState,
};
use crate::ledger::Ledger;
use crate::limits::Use;
use crate::plan::Plan;
use crate::world::{Gate, World};
use bivouac_types::depend::DependencyTerm;
use bivouac_types::hostlist::compress;
use bivouac_types::info::{
    Accounting, ArrayInfo, ArrayTasks, GresShare, JobInfo, NodeShare, Scheduler, StepInfo, Unmet, Usage,
};
use bivouac_types::{
    Duration, ExitStatus, JobId, JobState, MemRequest, Now, Outcome, PendingReason, StepKind, TimeLimit,
    Timestamp,
};
use std::sync::Arc;

/// All that a job's row is made of, taken out of the cluster cheaply, so that rows can be made where nobody waits
/// for the owner of the state.
#[derive(Clone, Debug)]
pub struct JobView {
    world: Arc<World>,
    job: Arc<Job>,
    submission: Arc<Submission>,
    demands: Arc<[Option<Arc<Demand>>]>,
    reason: PendingReason,
    reason_text: Option<String>,
    expected: Option<(Timestamp, Vec<String>)>,
    evaluated: Option<Timestamp>,
    /// Arrays among what its dependency waits for.
    arrays: Vec<JobId>,
}

impl JobView {
    /// The job as it stands. The names of its files are left empty: the caller, who knows the patterns' other parts,
    /// expands them.
    ///
    /// For a job that has ended this is its accounting record.
    pub fn row(&self, now: Now) -> JobInfo {
        let JobView { world, job, submission, .. } = self;
        let run = job.last_run();
        let first = self.demands.iter().flatten().next().map(|d| &**d);
        let (start, end, elapsed) = world.times(job, run, self.expected(now), now);
        let (outcome, cancelled_by) = outcome(job);
        let ask = &submission.spec.resources;
        let partition = match run {
            Some(run) => run.partition.to_string(),
            None => submission.partitions.join(","),
        };
        JobInfo {
            id: job.id,
            array: array_info(job, submission),
            uid: submission.owner.uid,
            user: submission.owner.user.clone(),
            gid: submission.owner.gid,
            group: submission.owner.group.clone(),
            spec: spec_now(job, submission),
            account: submission.account.clone(),
            qos: submission.qos.clone(),
            partition,
            state: job.state(),
            reason: self.reason,
            reason_text: self.reason_text.clone(),
            unmet: match &job.phase {
                Phase::Pending(pending) => unmet(&pending.waits, &self.arrays, now),
                Phase::Ended(ended) => unmet(&ended.waits, &self.arrays, now),
                _ => Vec::new(),
            },
            priority: world.shown_priority(job, submission, first, now),
            time_limit: world.shown_limit(job, run, first),
            submit: job.requeued.unwrap_or(submission.at.wall),
            eligible: world.eligible(job, submission),
            start,
            end,
            elapsed,
            nodes: run.map_or(Vec::new(), |r| r.alloc.iter().map(node_share).collect()),
            batch_node: submission
                .spec
                .batch_features
                .as_ref()
                .and_then(|_| world.batch_part(run?, submission))
                .map(|part| part.node.to_string()),
            num_nodes: run
                .map_or(first.map_or(1, |d| d.node_estimate(&world.tables)), |r| r.alloc.len() as u32),
            num_cpus: run.map_or(ask.cpus.unwrap_or(first.map_or(1, Demand::min_cpus)), Run::cpus),
            num_tasks: match (run, first.and_then(|d| d.true_tasks)) {
                (_, Some(tasks)) => tasks,
                // It keeps its number of tasks on fewer nodes.
                (Some(Run { resized: Some(_), .. }), None) => first.map_or(1, |d| d.tasks),
                (Some(run), None) => run.alloc.iter().map(|n| n.tasks).sum(),
                (None, None) => first.map_or(ask.ntasks.unwrap_or(1), |d| d.tasks),
            },
            cpus_per_task: ask.cpus_per_task.unwrap_or(1),
            mem_mb: run.map_or(first.map_or(0, |d| d.shown_mem_mb(ask, &world.tables)), Run::mem_mb),
            default_mem: match ask.mem {
                Some(MemRequest::PerGpu(_)) => world.default_mem(run, first),
                _ => None,
            },
            exit: outcome.map_or(ExitStatus::default(), Outcome::status),
            cancelled_by,
            restarts: job.restarts,
            requeue: submission.shown_requeue(&world.config),
            evaluated: run.map(|r| r.start.wall).or(self.evaluated),
            ending: match &job.phase {
                Phase::Ending(_, e) => Some(e.since.wall),
                _ => None,
            },
            suspended: run.and_then(|r| r.suspension.last),
            resized: run.and_then(|r| r.resized),
            steps: steps(
                job,
                run.map(|r| (r, world.batch_part(r, submission).filter(|_| submission.spec.kind.is_batch()))),
                world.config.parameters.contains_jobs(),
            ),
            pid: job.run().and_then(|r| match r.launch {
                Launch::Launched { pid } => Some(pid),
                Launch::Granted => None,
            }),
            planned_nodes: self.expected.as_ref().map_or(Vec::new(), |e| e.1.clone()),
            std_out: String::new(),
            std_err: String::new(),
            std_in: String::new(),
            accounting: self.accounting(run, first, now),
        }
    }

    fn accounting(&self, run: Option<&Run>, demand: Option<&Demand>, now: Now) -> Accounting {
        let tables = &self.world.tables;
        let partition = match run {
            Some(run) => self.world.config.partition(&run.partition),
            None => demand.map(|d| &self.world.config.partitions[d.partition]),
        };
        Accounting {
            billing: partition.and_then(|p| p.billing.clone()),
            job_defaults: partition
                .filter(|_| self.submission.spec.resources.asks_gpus())
                .map_or(Vec::new(), |p| p.job_defaults.clone()),
            req_cpus: demand.map_or(1, Demand::min_cpus),
            req_nodes: demand.map_or(1, |d| d.min_nodes),
            req_mem_mb: demand.map_or(0, |d| d.min_mem_mb(tables)),
            waited: if self.reason.is_turn() { self.job.waited } else { self.reason },
            scheduler: run.map(|r| if r.backfill { Scheduler::Backfill } else { Scheduler::Main }),
            suspended: run.map_or(Duration::ZERO, |r| self.world.suspended(r, &self.job.phase, now)),
            association: self.world.association_number(&self.submission),
            payload: self.world.config.parameters.keeps_payloads().then(|| self.submission.payload.0.clone()),
        }
    }

    /// The accounting record of a run that ended then, before the job waits to be run again.
    pub fn requeued(&self, ran: Repeated, end: Timestamp, now: Now) -> JobInfo {
        let row = self.row(now);
        let (state, exit) = match ran {
            Repeated::Asked => (JobState::Requeued, ExitStatus::default()),
            Repeated::Preempted => (JobState::Preempted, ExitStatus::default()),
            Repeated::NodeFail => (JobState::NodeFail, ExitStatus::default()),
            Repeated::Exited { status, .. } => (JobState::Requeued, status),
        };
        let cut = if ran == Repeated::NodeFail { UNKNOWN } else { BY_THE_JOBS_END };
        let stop = |step: StepInfo| match (step.step, step.state) {
            (StepKind::Extern, JobState::Running) => {
                StepInfo { state: JobState::Completed, end: Some(end), ..step }
            }
            (kind, JobState::Running) => match &ran {
                Repeated::Exited { status, usage } if kind == StepKind::Batch => StepInfo {
                    state: step_state(*status),
                    end: Some(end),
                    exit: *status,
                    usage: usage.clone(),
                    ..step
                },
                _ => StepInfo { state: JobState::Cancelled, end: Some(end), exit: cut, ..step },
            },
            _ => step,
        };
        let elapsed = row.start.map_or(Duration::ZERO, |start| end.since(start));
        let steps = row.steps.into_iter().map(stop).collect();
        JobInfo { state, exit, end: Some(end), elapsed, steps, pid: None, ..row }
    }

    /// When it is expected to start: as the plan says, or not before its begin time.
    fn expected(&self, now: Now) -> Option<Timestamp> {
        let pending = self.job.pending().filter(|_| self.job.hold.is_none())?;
        let begin = || match self.world.gate(pending, &self.submission) {
            Gate::From(time) if time > now.wall && self.submission.spec.begin == Some(time) => Some(time),
            _ => None,
        };
        self.expected.as_ref().map(|e| e.0).or_else(begin)
    }

    /// The job's number.
    pub fn id(&self) -> JobId {
        self.job.id
    }
}

impl World {
    fn shown_limit(&self, job: &Job, run: Option<&Run>, demand: Option<&Demand>) -> TimeLimit {
        match (run, demand) {
            (Some(run), _) => run.time_limit,
            (None, Some(d)) => self.time_limit(job, d.partition),
            (None, None) => job.time_limit.unwrap_or(TimeLimit::Unlimited),
        }
    }

    fn eligible(&self, job: &Job, submission: &Submission) -> Option<Timestamp> {
        match job.pending() {
            Some(pending) => match self.gate(pending, submission) {
                Gate::From(time) => Some(time),
                _ => None,
            },
            None => match (&job.phase, job.last_run()) {
                (_, Some(run)) => Some(run.eligible),
                (Phase::Ended(ended), None) => ended.eligible,
                _ => None,
            },
        }
    }

    /// How long a run was suspended until now, or until it ended.
    fn suspended(&self, run: &Run, phase: &Phase, now: Now) -> Duration {
        let until = match phase {
            Phase::Ended(e) => e.at,
            _ => now,
        };
        let last =
            run.suspension.since.map_or(0, |s| self.limit_clock(until).saturating_sub(self.limit_clock(s)));
        run.suspension.before + Duration(last)
    }

    fn times(
        &self,
        job: &Job,
        run: Option<&Run>,
        expected: Option<Timestamp>,
        now: Now,
    ) -> (Option<Timestamp>, Option<Timestamp>, Duration) {
        match (&job.phase, run) {
            (Phase::Ended(e), Some(run)) => {
                let ran = e.ran() - self.suspended(run, &job.phase, now);
                (Some(run.start.wall), Some(e.end), ran)
            }
            (Phase::Ended(e), None) => (None, Some(e.end), Duration::ZERO),
            (_, Some(run)) => {
                let clock = self.limit_clock(now);
                let left = self.limit_end(run).map(|d| now.wall + Duration(d.saturating_sub(clock)));
                (Some(run.start.wall), left, self.elapsed(run, now))
            }
            (_, None) => (expected, None, Duration::ZERO),
        }
    }
}

/// The submission's request with what has been changed since.
fn spec_now(job: &Job, submission: &Submission) -> bivouac_types::JobSpec {
    let mut spec = submission.spec.clone();
    spec.name = job.name.to_string();
    spec.nice = job.nice;
    spec.time_limit = job.time_limit;
    spec.hold = job.hold.is_some();
    spec
}

impl Cluster {
    /// What the job's row is made of. `plan` is the latest, for its reasons and expectations.
    pub fn view(&self, id: JobId, plan: &Plan) -> Option<JobView> {
        let job = self.state.jobs.get(&id)?;
        let submission = self.state.submission(job)?;
        let reason = self.reason(job, plan);
        let is_array = |job: &JobId| self.state.submissions.get(job).is_some_and(|s| s.spec.array.is_some());
        let waits = match &job.phase {
            Phase::Pending(pending) => &pending.waits[..],
            Phase::Ended(ended) => &ended.waits,
            _ => &[],
        };
        let waits = waits.iter();
        Some(JobView {
            arrays: waits.filter_map(|w| Some(w.on.target()?.job)).filter(is_array).collect(),
            evaluated: plan.made,
            world: self.world.clone(),
            reason,
            reason_text: self.reason_text(job, reason),
            expected: plan.expected.get(&id).filter(|_| job.pending().is_some()).cloned(),
            demands: self.index.demands(job).cloned().unwrap_or_else(|| Arc::new([])),
            job: job.clone(),
            submission: submission.clone(),
        })
    }

    /// The job as it stands: see [`JobView::row`].
    pub fn job_info(&self, job: &Job, plan: &Plan, now: Now) -> Option<JobInfo> {
        Some(self.view(job.id, plan)?.row(now))
    }

    /// Why the job waits: what is known of the job itself, then what the plan says, then the first limit that
    /// would block it. `None` if it does not wait.
    pub fn reason(&self, job: &Job, plan: &Plan) -> PendingReason {
        let (Some(pending), Some(submission)) = (job.pending(), self.submission(job)) else {
            return PendingReason::None;
        };
        if let Some(hold) = job.hold {
            return hold.reason();
        }
        if pending.eligible.is_none() {
            return match self.world.gate(pending, submission) {
                Gate::Never => PendingReason::DependencyNeverSatisfied,
                Gate::From(time) if submission.spec.begin == Some(time) => PendingReason::BeginTime,
                Gate::Waiting | Gate::From(_) => PendingReason::Dependency,
            };
        }
        let never = |d: &Demand| self.world.never(job, submission, d);
        let demands = || self.demands(job).iter().flatten();
        let Some(open) = demands().find(|d| never(d).is_none()) else {
            return demands().find_map(|d| never(d)).unwrap_or(PendingReason::PartitionConfig);
        };
        if let Some(reason) = plan.reasons.get(&job.id) {
            return *reason;
        }
        if !self.world.has_room(open) {
            return PendingReason::ReqNodeNotAvail;
        }
        let least = Use::least(open, &self.world.tables);
        Ledger::new(self).blocking(job, submission, open.partition, &least).unwrap_or(PendingReason::Priority)
    }

    /// The particulars of a reason that has some.
    fn reason_text(&self, job: &Job, reason: PendingReason) -> Option<String> {
        if matches!(reason, PendingReason::AccountNotAllowed | PendingReason::QOSNotAllowed) {
            return self.not_permitted(job, reason);
        }
        if reason != PendingReason::ReqNodeNotAvail {
            return None;
        }
        let demand = self.demands(job).iter().flatten().find(|d| !self.world.has_room(d))?;
        let missing = compress(self.world.missing(demand));
        (!missing.is_empty()).then(|| format!("{reason}, UnavailableNodes:{missing}"))
    }

    /// Why a partition does not take the job's account or QoS, as a sentence.
    fn not_permitted(&self, job: &Job, reason: PendingReason) -> Option<String> {
        let submission = self.submission(job)?;
        let config = |d: &Arc<Demand>| &self.world.config.partitions[d.partition];
        let demand = self.demands(job).iter().flatten();
        let demand = demand.into_iter().find(|d| self.world.never(job, submission, d) == Some(reason))?;
        let (what, allowed, denied, name) = match reason {
            PendingReason::AccountNotAllowed => {
                let p = config(demand);
                ("account", &p.allow_accounts, &p.deny_accounts, &submission.account)
            }
            _ => ("QOS", &config(demand).allow_qos, &config(demand).deny_qos, &submission.qos),
        };
        let (partition, name) = (&config(demand).name, name.as_deref().unwrap_or_default());
        let lists = match allowed.is_empty() {
            false => format!("{partition} allows {} not {name}", allowed.join(",")),
            true => format!("{partition} denies {} including {name}", denied.join(",")),
        };
        Some(format!("Job's {what} not permitted to use this partition ({lists})"))
    }
}

impl Ended {
    /// How long the script ran, by wall time where it did not step, else by the run clock.
    fn ran(&self) -> Duration {
        let Some(run) = &self.run else { return Duration::ZERO };
        // The controller may have learned of the end later than it was: never show more than it knows of.
        self.end.since(run.start.wall).min(self.at.run - run.start.run)
    }
}

fn outcome(job: &Job) -> (Option<Outcome>, Option<bivouac_types::Uid>) {
    match &job.phase {
        Phase::Ended(Ended { outcome, .. }) => match outcome {
            Outcome::Cancelled { by, .. } => (Some(*outcome), Some(*by)),
            _ => (Some(*outcome), None),
        },
        Phase::Ending(_, e) => match e.cause {
            EndCause::Cancelled { by } => (None, Some(by)),
            _ => (None, None),
        },
        _ => (None, None),
    }
}

fn array_info(job: &Job, submission: &Submission) -> Option<ArrayInfo> {
    let tasks = match &job.place {
        Place::Whole => return None,
        Place::Task(t) => ArrayTasks::One(*t),
        Place::Tasks(set) => ArrayTasks::Pending(set.clone()),
    };
    let max_running = submission.spec.array.as_ref().and_then(|a| a.max_running);
    Some(ArrayInfo { job: job.origin, tasks, max_running })
}

fn node_share(part: &NodeAlloc) -> NodeShare {
    NodeShare {
        node: part.node.to_string(),
        cpus: part.cpus.iter().collect(),
        mem_mb: part.mem_mb,
        tasks: part.tasks,
        gres: part
            .gres
            .iter()
            .map(|g| GresShare {
                name: g.name.to_string(),
                kind: g.kind.as_deref().map(str::to_string),
                indices: g.indices.iter().collect(),
            })
            .collect(),
    }
}

/// The batch step and the steps of srun.
fn steps(job: &Job, run: Option<(&Run, Option<&NodeAlloc>)>, contained: bool) -> Vec<StepInfo> {
    let Some((run, batch)) = run else { return Vec::new() };
    let (state, end, exit, usage) = match &job.phase {
        Phase::Ended(e) => (batch_state(e.outcome), Some(e.end), e.outcome.status(), e.usage.clone()),
        _ => (JobState::Running, None, ExitStatus::default(), Usage::default()),
    };
    let mut steps = Vec::new();
    let batch_step = || StepInfo {
        step: StepKind::Batch,
        name: "batch".into(),
        state,
        num_tasks: 1,
        num_cpus: batch.map_or(0, |n| n.cpus.len()),
        nodes: batch.map(|n| n.node.to_string()).into_iter().collect(),
        start: run.start.wall,
        end,
        exit,
        usage,
        submit_line: String::new(),
        limit: None,
        srun_pid: None,
    };
    if batch.is_some() {
        steps.push(batch_step());
    }
    if contained {
        steps.push(extern_step(run, end));
    }
    let cut = match &job.phase {
        Phase::Ended(ended) if ended.outcome == Outcome::NodeFail => UNKNOWN,
        _ => BY_THE_JOBS_END,
    };
    steps.extend(job.steps.iter().map(|step| step_info(step, cut)));
    steps
}

/// The exit status of a step that the end of its job ended, which begins with SIGTERM.
const BY_THE_JOBS_END: ExitStatus = ExitStatus { code: 0, signal: 15 };

/// That of one of which nobody was left to tell it: cancelled without a signal.
const UNKNOWN: ExitStatus = ExitStatus { code: 0, signal: 0 };

/// Everything on the job's nodes that belongs to no other step: there, and well, for as long as the job is.
fn extern_step(run: &Run, end: Option<Timestamp>) -> StepInfo {
    StepInfo {
        step: StepKind::Extern,
        name: "extern".into(),
        state: if end.is_some() { JobState::Completed } else { JobState::Running },
        num_tasks: run.alloc.len() as u32,
        num_cpus: run.cpus(),
        nodes: run.alloc.iter().map(|n| n.node.to_string()).collect(),
        start: run.start.wall,
        end,
        exit: ExitStatus::default(),
        usage: Usage::default(),
        submit_line: String::new(),
        limit: None,
        srun_pid: None,
    }
}

/// The batch script's state is of its own end, however the job ended.
fn batch_state(outcome: Outcome) -> JobState {
    match outcome {
        Outcome::Cancelled { status: None, .. } => JobState::Cancelled,
        Outcome::NodeFail => JobState::Cancelled,
        outcome => step_state(outcome.status()),
    }
}

/// The state of a step that ended so: what a signal ended counts as cancelled.
fn step_state(exit: ExitStatus) -> JobState {
    match exit {
        ExitStatus { signal: 0, code: 0 } => JobState::Completed,
        ExitStatus { signal: 0, .. } => JobState::Failed,
        exit if exit == Outcome::OutOfMemory.status() => JobState::OutOfMemory,
        _ => JobState::Cancelled,
    }
}

/// `cut` is the status if its job's end ended it.
fn step_info(step: &Step, cut: ExitStatus) -> StepInfo {
    let (state, exit) = match step.end.as_ref().map(|e| e.exit) {
        None => (JobState::Running, ExitStatus::default()),
        Some(None) => (JobState::Cancelled, cut),
        Some(Some(exit)) => (step_state(exit), exit),
    };
    StepInfo {
        step: StepKind::Number(step.number),
        name: step.name.clone(),
        state,
        num_tasks: step.tasks(),
        num_cpus: step.layout.iter().map(|n| n.cpus).sum(),
        nodes: step.layout.iter().map(|n| n.node.to_string()).collect(),
        start: step.start.wall,
        end: step.end.as_ref().map(|e| e.at),
        exit,
        usage: step.end.as_ref().map(|e| e.usage.clone()).unwrap_or_default(),
        submit_line: step.submit_line.clone(),
        limit: step.limit,
        srun_pid: step.srun,
    }
}

fn unmet(waits: &[Wait], arrays: &[JobId], now: Now) -> Vec<Unmet> {
    let open = |w: &&Wait| !matches!(w.state, WaitState::Met(at) if at <= now.wall);
    let shown = |w: &Wait| Unmet {
        failed: w.state == WaitState::Never,
        array: w.on.target().is_some_and(|t| t.task.is_none() && arrays.contains(&t.job)),
        term: match w.on {
            WaitOn::Begun(job, delay) => DependencyTerm::After { job, delay },
            WaitOn::Ended(job) => DependencyTerm::AfterAny(job),
            WaitOn::Ok(job) => DependencyTerm::AfterOk(job),
            WaitOn::NotOk(job) => DependencyTerm::AfterNotOk(job),
            WaitOn::Corresponding(job) => DependencyTerm::AfterCorr(job),
            WaitOn::BurstBuffer(job) => DependencyTerm::AfterBurstBuffer(job),
            WaitOn::Singleton => DependencyTerm::Singleton,
        },
    };
    waits.iter().filter(open).map(shown).collect()
}

impl Pending {
    /// The terms of its dependency that are not satisfied yet.
    pub fn unmet(&self) -> impl Iterator<Item = &crate::job::Wait> {
        self.waits.iter().filter(|w| !matches!(w.state, crate::job::WaitState::Met(_)))
    }
}
