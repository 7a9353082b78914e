//! What a job is at each moment. States carry their data: a running job without a start does not compile.
//! Slurm's state word is computed ([`Job::state`]), never stored.

use crate::alloc::NodeAlloc;
use crate::command::{PayloadId, RequestKey};
use crate::index_set::IndexSet;
use bivouac_types::config::ClusterConfig;
use bivouac_types::depend::DependencyTarget;
use bivouac_types::info::Usage;
use bivouac_types::{
    Attempt, Duration, ExitStatus, Gid, JobId, JobSpec, JobState, Now, Outcome, PendingReason, TaskSet,
    TimeLimit, Timestamp, Uid,
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// Whose job it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// User number.
    pub uid: Uid,
    /// Group number.
    pub gid: Gid,
    /// User name.
    pub user: String,
    /// Group name.
    pub group: String,
}

/// One accepted submission, shared by all tasks of an array. Only its tally changes; what `scontrol update`
/// changes stands in [`Job`] and in [`Job::amended`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// The job's number, and the array's.
    pub id: JobId,
    /// Whose.
    pub owner: Owner,
    /// As asked for.
    pub spec: JobSpec,
    /// Account in force.
    pub account: Option<String>,
    /// QoS in force.
    pub qos: Option<String>,
    /// Partitions it may run in, at least one.
    pub partitions: Vec<String>,
    /// Script and environment, which the controller keeps under this name.
    pub payload: PayloadId,
    /// A repeated submission under this key answers with this job.
    pub key: RequestKey,
    /// When it was submitted.
    pub at: Now,
    /// What the dependency waits for, as it stood then; settled term by term in [`Pending::waits`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<Wait>,
    /// How far its tasks are.
    #[serde(default)]
    pub tally: Tally,
}

/// How far the tasks of a submission are, kept when ended tasks are forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Started at least once, or cancelled before they could.
    pub begun: u64,
    /// When the last of them did.
    pub last_begun: Timestamp,
    /// Ended for good.
    pub ended: u64,
    /// Ended otherwise than with exit code 0.
    pub failed: u64,
}

impl Submission {
    /// How many tasks: 1 if it is no array.
    pub fn tasks(&self) -> u64 {
        self.spec.array.as_ref().map_or(1, |a| a.tasks.len())
    }

    /// Whether all its tasks have ended.
    pub fn is_over(&self) -> bool {
        self.tally.ended == self.tasks()
    }

    /// Whether it may be run again (--requeue, JobRequeue): nobody would be there for an allocation that begins anew.
    pub fn requeue(&self, config: &ClusterConfig) -> bool {
        self.spec.kind.is_batch() && self.shown_requeue(config)
    }

    /// The same as reports have it, where an allocation is no different.
    pub fn shown_requeue(&self, config: &ClusterConfig) -> bool {
        self.spec.requeue.unwrap_or(config.job_requeue)
    }
}

/// A job: a whole submission, one task of an array that has started (or stands alone for another reason), or
/// the array's tasks that have not started, in one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its own number.
    pub id: JobId,
    /// The submission it is of.
    pub origin: JobId,
    /// What of the submission it is.
    pub place: Place,
    /// Its name now.
    pub name: Arc<str>,
    /// Its --nice now.
    pub nice: i32,
    /// Its time limit now; none: that of the partition it will start in.
    pub time_limit: Option<TimeLimit>,
    /// How often it was restarted.
    pub restarts: u32,
    /// Held, by whom: it does not start (again) until released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// The last reason for which it waited, other than for its turn.
    #[serde(default, skip_serializing_if = "PendingReason::is_none")]
    pub waited: PendingReason,
    /// When it was requeued last: the time that counts as its submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requeued: Option<Timestamp>,
    /// The submission as `scontrol update` has changed it for this job; none: unchanged. Its tally does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amended: Option<Arc<Submission>>,
    /// Where it stands.
    pub phase: Phase,
    /// The steps that srun made in the present or last run, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

/// What of a submission a record stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// The whole of it: no array.
    Whole,
    /// One task of an array, with a record of its own.
    Task(u32),
    /// Array tasks in one record, which have not started (or were cancelled before they did), at least one.
    Tasks(TaskSet),
}

impl Place {
    /// A task that is left alone when others got records of their own is an ordinary one. (One that is left alone when
    /// others were cancelled is not, in Slurm.)
    pub(crate) fn ordinary(&mut self) {
        if let Place::Tasks(set) = self
            && let (1, Some(task)) = (set.len(), set.first())
        {
            *self = Place::Task(task);
        }
    }
}

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Waiting.
    Pending(Pending),
    /// Resources are granted; the script runs or is being launched.
    Running(Run),
    /// It was told to end, and its processes are not known to be gone.
    Ending(Run, Ending),
    /// Over.
    Ended(Ended),
}

/// A job that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The terms of its dependency; empty: none left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<Wait>,
    /// Since when dependency and begin time let it start; none while they do not.
    pub eligible: Option<Timestamp>,
}

/// Who holds a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hold {
    /// Its user (or an operator with `uhold`): either may release it.
    User,
    /// An operator: only an operator releases it.
    Admin,
    /// scontrol requeuehold, and the requeue of a suspended job: its user or an operator may release it.
    Requeued,
    /// scontrol requeuehold State=SpecialExit.
    SpecialExit,
    /// A prolog failed: its user or an operator may release it.
    LaunchFailed,
}

impl Hold {
    /// Why a job waits that is held so.
    pub fn reason(self) -> PendingReason {
        match self {
            Hold::User => PendingReason::JobHeldUser,
            Hold::Admin => PendingReason::JobHeldAdmin,
            Hold::Requeued | Hold::SpecialExit => PendingReason::JobRequeuedHeld,
            Hold::LaunchFailed => PendingReason::LaunchFailedHeld,
        }
    }
}

/// One term of a dependency and how it stands. A term is settled once, by the event that settles it, and
/// stays so when the other job is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// What is waited for.
    pub on: WaitOn,
    /// How it stands.
    pub state: WaitState,
}

/// What a dependency's term waits for. Targets name a submission and, if one task is meant, its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WaitOn {
    /// It has begun or was cancelled, and so much time has passed since.
    Begun(DependencyTarget, Duration),
    /// It has ended.
    Ended(DependencyTarget),
    /// It has ended with exit code 0.
    Ok(DependencyTarget),
    /// It has ended otherwise.
    NotOk(DependencyTarget),
    /// The array's task of the same index has ended with exit code 0.
    Corresponding(DependencyTarget),
    /// It has ended, said by `afterburstbuffer`.
    BurstBuffer(DependencyTarget),
    /// No earlier job of this user and name is pending or running.
    Singleton,
}

/// How a dependency's term stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WaitState {
    /// Not known yet.
    Open,
    /// It holds from then on.
    Met(Timestamp),
    /// It can never hold.
    Never,
}

/// A grant of resources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// When it was granted: time limits count from here.
    pub start: Now,
    /// The partition.
    pub partition: Arc<str>,
    /// The time limit in force.
    pub time_limit: TimeLimit,
    /// So much earlier than after its time limit it ends (`scontrol update EndTime=`).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cut: Duration,
    /// When it was made smaller last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resized: Option<Timestamp>,
    /// The resources.
    pub alloc: Vec<NodeAlloc>,
    /// How far the launch is.
    pub launch: Launch,
    /// Since when the job was eligible.
    pub eligible: Timestamp,
    /// It overtook a job that had a reservation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backfill: bool,
    /// Whether and how long it was suspended.
    #[serde(default, skip_serializing_if = "Suspension::never")]
    pub suspension: Suspension,
    /// A signal has stopped it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stopped: bool,
    /// The signal that it asked for before its end (--signal) has been sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub warned: bool,
}

fn is_zero(time: &Duration) -> bool {
    *time == Duration::ZERO
}

/// How a run was suspended and resumed. While it is suspended, its CPUs are free for other jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Suspension {
    /// Suspended since; none: it is not.
    pub since: Option<Now>,
    /// How long it had been suspended before, by the clock that limits count.
    pub before: Duration,
    /// When it was suspended or resumed last, and how long it had run until it was suspended.
    pub last: Option<(Timestamp, Duration)>,
}

impl Suspension {
    fn never(&self) -> bool {
        *self == Suspension::default()
    }
}

/// How far a launch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Launch {
    /// Granted; the keeper has not confirmed. It is told again after a restart.
    Granted,
    /// The keeper has confirmed.
    Launched {
        /// Process id of the batch script.
        pid: u32,
    },
}

/// Why and how far a job is being ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// Why.
    pub cause: EndCause,
    /// When SIGTERM was sent.
    pub since: Now,
    /// KillWait is over, SIGKILL was sent.
    pub killed: bool,
}

/// Why a job is being ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndCause {
    /// By a user.
    Cancelled {
        /// Who.
        by: Uid,
    },
    /// By its time limit.
    TimeLimit,
    /// To be run again.
    Requeue,
    /// A node of it went out of service.
    NodeFail,
    /// It was preempted.
    Preempted,
    /// It was preempted, to be run again.
    PreemptedAndRequeued,
    /// It used too much memory.
    OutOfMemory,
    /// By its --deadline.
    Deadline,
    /// Its client gave the allocation back.
    Relinquished {
        /// How the client's command ended.
        exit: ExitStatus,
    },
}

/// How a run ended that is to be repeated; sacct's record of it says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Repeated {
    /// It was told to, or never began.
    #[default]
    Asked,
    /// By another job.
    Preempted,
    /// A node of it went out of service, or nobody knows what became of it.
    NodeFail,
    /// The script exited with one of RequeueExit.
    Exited {
        /// How.
        status: ExitStatus,
        /// What the batch step used.
        usage: Usage,
    },
}

/// A job that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// How it ended.
    pub outcome: Outcome,
    /// When the controller learned of it (the clock that MinJobAge counts), and when the script ended.
    pub at: Now,
    /// When the script ended.
    pub end: Timestamp,
    /// The last run; none if it never started.
    pub run: Option<Run>,
    /// What the batch step used.
    pub usage: Usage,
    /// Since when a job that never ran was eligible, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eligible: Option<Timestamp>,
    /// What a job that never ran still waited for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<Wait>,
}

/// A step made by srun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its number.
    pub number: u32,
    /// Its name: the command.
    pub name: String,
    /// Its nodes, in order, and how many tasks are on each.
    pub layout: Vec<StepNode>,
    /// CPUs of a task.
    pub cpus_per_task: u32,
    /// It shares CPUs with other steps.
    #[serde(default)]
    pub overlap: bool,
    /// The command line of its srun.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub submit_line: String,
    /// The process id of its srun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub srun: Option<u32>,
    /// The name of its daemon's socket in the abstract namespace, which nobody can guess.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub socket: String,
    /// Its own time limit, in minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// When it started.
    pub start: Now,
    /// How it ended, and when.
    pub end: Option<StepEnd>,
}

/// A step's part on one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepNode {
    /// The node.
    pub node: Arc<str>,
    /// How many tasks.
    pub tasks: u32,
    /// How many CPUs.
    pub cpus: u32,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepEnd {
    /// When.
    pub at: Timestamp,
    /// The highest exit status of its tasks; none if it ended with its job before it was reported.
    pub exit: Option<ExitStatus>,
    /// What it used.
    pub usage: Usage,
}

impl Step {
    /// Number of tasks.
    pub fn tasks(&self) -> u32 {
        self.layout.iter().map(|n| n.tasks).sum()
    }
}

impl Job {
    /// The one record that a submission begins with.
    pub fn of(submission: &Submission) -> Job {
        let spec = &submission.spec;
        Job {
            id: submission.id,
            origin: submission.id,
            place: spec.array.as_ref().map_or(Place::Whole, |a| Place::Tasks(a.tasks.clone())),
            name: spec.name.as_str().into(),
            nice: spec.nice,
            time_limit: spec.time_limit,
            restarts: 0,
            hold: spec.hold.then_some(Hold::User),
            waited: if spec.hold { PendingReason::JobHeldUser } else { PendingReason::None },
            requeued: None,
            amended: None,
            phase: Phase::Pending(Pending { waits: submission.waits.clone(), eligible: None }),
            steps: Vec::new(),
        }
    }

    /// The launch that counts now: reports of any other are stale.
    pub fn attempt(&self) -> Attempt {
        Attempt { job: self.id, restart: self.restarts }
    }

    /// Slurm's state word.
    pub fn state(&self) -> JobState {
        match &self.phase {
            Phase::Pending(_) if self.hold == Some(Hold::SpecialExit) => JobState::SpecialExit,
            Phase::Pending(_) => JobState::Pending,
            Phase::Running(run) if run.suspension.since.is_some() => JobState::Suspended,
            Phase::Running(run) if run.stopped => JobState::Stopped,
            Phase::Running(_) => JobState::Running,
            Phase::Ending(..) => JobState::Completing,
            Phase::Ended(e) => e.outcome.state(),
        }
    }

    /// The array task it is, if it is a single one.
    pub fn task(&self) -> Option<u32> {
        match &self.place {
            Place::Task(t) => Some(*t),
            _ => None,
        }
    }

    /// The run that holds resources now.
    pub fn run(&self) -> Option<&Run> {
        match &self.phase {
            Phase::Running(run) | Phase::Ending(run, _) => Some(run),
            _ => None,
        }
    }

    /// The run that holds resources now, or the last one of an ended job.
    pub fn last_run(&self) -> Option<&Run> {
        match &self.phase {
            Phase::Ended(e) => e.run.as_ref(),
            _ => self.run(),
        }
    }

    /// The tasks of an array that it stands for; none if it is no array.
    pub fn tasks(&self) -> Option<TaskSet> {
        match &self.place {
            Place::Whole => None,
            Place::Task(t) => Some(TaskSet::single(*t)),
            Place::Tasks(set) => Some(set.clone()),
        }
    }

    /// Waiting, with its data.
    pub fn pending(&self) -> Option<&Pending> {
        match &self.phase {
            Phase::Pending(p) => Some(p),
            _ => None,
        }
    }

    /// Whether it is over.
    pub fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }

    /// How many jobs it counts as, in limits: its tasks, or 1.
    pub fn count(&self) -> u64 {
        match &self.place {
            Place::Tasks(set) => set.len(),
            _ => 1,
        }
    }
}

impl Run {
    /// What it holds of its nodes: while it is suspended, all but the CPUs.
    pub fn held(&self) -> Cow<'_, [NodeAlloc]> {
        if self.suspension.since.is_none() {
            return Cow::Borrowed(&self.alloc);
        }
        let without_cpus = |part: &NodeAlloc| NodeAlloc { cpus: IndexSet::default(), ..part.clone() };
        Cow::Owned(self.alloc.iter().map(without_cpus).collect())
    }
    /// CPUs of all its nodes.
    pub fn cpus(&self) -> u32 {
        self.alloc.iter().map(|n| n.cpus.len()).sum()
    }
    /// Memory of all its nodes, MiB.
    pub fn mem_mb(&self) -> u64 {
        self.alloc.iter().map(|n| n.mem_mb).sum()
    }
}
