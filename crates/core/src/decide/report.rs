//! What the keeper says. A report of an attempt that does not count (any more) decides to nothing.

use super::Changes;
use crate::cluster::Cluster;
use crate::command::KeeperReport;
use crate::event::Change;
use crate::job::{EndCause, Hold, Job, Launch, Phase, Repeated};
use bivouac_types::info::Usage;
use bivouac_types::{ExitStatus, JobId, Now, Outcome, Timestamp};

/// How an attempt ended, as far as the keeper knows.
#[derive(Clone, Copy)]
enum End {
    Exited(ExitStatus),
    OutOfMemory(ExitStatus),
    Lost,
    NotLaunched,
}

impl Cluster {
    pub(super) fn report(&self, report: &KeeperReport, now: Now) -> Changes {
        let attempt = report.attempt();
        let Some(job) = self.job(attempt.job).filter(|j| j.attempt() == attempt) else { return Vec::new() };
        let (run, cause) = match &job.phase {
            Phase::Running(run) => (run, None),
            Phase::Ending(run, ending) => (run, Some(ending.cause)),
            _ => return Vec::new(),
        };
        match report {
            &KeeperReport::Launched { pid, .. } if run.launch == Launch::Granted => {
                vec![Change::Launched { attempt, pid }]
            }
            KeeperReport::Launched { .. } => Vec::new(),
            KeeperReport::Exited { status, usage, ended, out_of_memory, .. } => {
                let status = *status;
                let how = if *out_of_memory { End::OutOfMemory(status) } else { End::Exited(status) };
                let change = self.end(job, cause, how, (*ended, usage.clone()), now);
                let held = cause.is_none() && matches!(change, Change::Requeued { .. });
                let held = held && self.exits_held(status);
                let hold = held.then_some(Change::Held { job: job.id, hold: Hold::SpecialExit });
                std::iter::once(change).chain(hold).collect()
            }
            KeeperReport::Lost { .. } => {
                vec![self.end(job, cause, End::Lost, (now.wall, Usage::default()), now)]
            }
            KeeperReport::LaunchFailed { .. } => {
                vec![self.end(job, cause, End::NotLaunched, (now.wall, Usage::default()), now)]
            }
        }
    }

    /// The run that ended then is to be repeated, after what Slurm waits before it starts a job again.
    pub(super) fn again(&self, job: JobId, ran: Repeated, end: Timestamp, now: Now) -> Change {
        let begin = Some(now.wall + self.world.config.parameters.requeue_delay());
        Change::Requeued { job, end, begin, ran }
    }

    /// RequeueExitHold.
    fn exits_held(&self, status: ExitStatus) -> bool {
        status.signal == 0 && self.world.config.parameters.requeue_exit_hold.contains(&status.code)
    }

    /// RequeueExit and RequeueExitHold.
    fn exits_again(&self, status: ExitStatus) -> bool {
        let again = status.signal == 0 && self.world.config.parameters.requeue_exit.contains(&status.code);
        again || self.exits_held(status)
    }

    /// A lost job is run again by itself only if its submission said --requeue; the cluster's JobRequeue, which
    /// in Slurm suffices, lets a user do it by `scontrol requeue`. On one machine a lost job most often means
    /// that its owner pulled the plug, and a script that was not written to be repeated must not be.
    fn end(
        &self,
        job: &Job,
        cause: Option<EndCause>,
        how: End,
        (end, usage): (Timestamp, Usage),
        now: Now,
    ) -> Change {
        let status = match how {
            End::Exited(status) | End::OutOfMemory(status) => Some(status),
            _ => None,
        };
        let again =
            self.submission(job).is_some_and(|s| s.spec.kind.is_batch() && s.spec.requeue == Some(true));
        let may_again = self.submission(job).is_some_and(|s| s.requeue(&self.world.config));
        let again_after = |ran| self.again(job.id, ran, end, now);
        let outcome = match (cause, how) {
            (Some(EndCause::Requeue), _) => return again_after(Repeated::Asked),
            (Some(EndCause::PreemptedAndRequeued), _) => return again_after(Repeated::Preempted),
            (Some(EndCause::Cancelled { by }), _) => Outcome::Cancelled { by, status },
            (Some(EndCause::NodeFail), _) if may_again => return again_after(Repeated::NodeFail),
            (Some(EndCause::NodeFail), _) => Outcome::NodeFail,
            (Some(EndCause::Preempted), _) => Outcome::Preempted(status.unwrap_or_default()),
            (Some(EndCause::OutOfMemory), _) => Outcome::OutOfMemory,
            (Some(EndCause::Relinquished { exit }), _) => Outcome::Exited(exit),
            (Some(EndCause::Deadline), _) => Outcome::Deadline(status.unwrap_or_default()),
            (Some(EndCause::TimeLimit), _) => Outcome::Timeout(status.unwrap_or_default()),
            (None, End::Exited(status)) if may_again && self.exits_again(status) => {
                return again_after(Repeated::Exited { status, usage });
            }
            (None, End::Exited(status)) => Outcome::Exited(status),
            (None, End::OutOfMemory(_)) => Outcome::OutOfMemory,
            (None, End::NotLaunched) => Outcome::LaunchFailed,
            (None, End::Lost) if again => return again_after(Repeated::NodeFail),
            (None, End::Lost) => Outcome::NodeFail,
        };
        Change::Ended { job: job.id, outcome, end, usage }
    }
}
