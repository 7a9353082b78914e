//! Allocations and their clients: who waits for one, and what becomes of those whose client is gone.

use crate::controller::{Controller, Turn};
use crate::environment;
use crate::mailbox::Reply;
use bivouac_core::{Caller, Command, EndCause, Job, Phase};
use bivouac_proto::message::{AllocationNews, Grant, Milestone, Response};
use bivouac_types::job::JobKind;
use bivouac_types::{ExitStatus, JobId, JobState, Now, Reject};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a client may take to come (back): its controller may have been restarted.
const PATIENCE: Duration = Duration::from_secs(60);

/// The clients of allocations.
#[derive(Default)]
pub(crate) struct Attendance {
    waiting: Vec<(JobId, Milestone, Reply)>,
    /// Allocations whose client is not there, and until when he is waited for.
    absent: BTreeMap<JobId, Instant>,
}

impl Attendance {
    /// When the next absent client is given up.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.absent.values().min().copied()
    }
}

impl Controller {
    /// A controller that has just come up knows no clients.
    pub(crate) fn expect_clients(&mut self) {
        let open: Vec<JobId> = self.cluster.jobs().filter(|j| !j.is_ended()).map(|j| j.id).collect();
        open.into_iter().for_each(|job| self.expect_client(job));
    }

    /// From here on the allocation has to have a client, if it is one that needs one.
    pub(crate) fn expect_client(&mut self, job: JobId) {
        let submission = self.cluster.job(job).and_then(|j| self.cluster.submission(j));
        if submission.is_some_and(|s| s.spec.kind == JobKind::Allocation { kept: false }) {
            self.attendance.absent.entry(job).or_insert(Instant::now() + PATIENCE);
        }
    }

    pub(crate) fn attend(
        &mut self,
        turn: &mut Turn,
        caller: &Caller,
        id: JobId,
        until: Milestone,
        reply: Reply,
    ) {
        let submission = self.cluster.job(id).and_then(|job| self.cluster.submission(job));
        let refusal = match submission {
            None => Some(Reject::InvalidJobId),
            Some(submission) => (!caller.may_command(submission)).then_some(Reject::AccessDenied),
        };
        match refusal {
            Some(reject) => turn.answer(reply, Response::Rejected(reject)),
            None => {
                if until != Milestone::Asked {
                    self.attendance.absent.remove(&id);
                }
                self.attendance.waiting.push((id, until, reply));
            }
        }
    }

    /// After a turn: who waits for what has come is told.
    pub(crate) fn tell_attendants(&mut self) {
        for (job, until, reply) in std::mem::take(&mut self.attendance.waiting) {
            let news = self.allocation(job);
            let come = match (&news, until) {
                (AllocationNews::Revoked { .. }, _) | (_, Milestone::Asked) => true,
                (AllocationNews::Ready(_), until) => matches!(until, Milestone::Granted | Milestone::Ready),
                (AllocationNews::Waiting { granted }, until) => *granted && until == Milestone::Granted,
            };
            if come {
                // Until he asks for the next.
                if !matches!(news, AllocationNews::Revoked { .. }) && until != Milestone::Asked {
                    self.expect_client(job);
                }
                reply.send(Response::Allocation(news));
            } else {
                self.attendance.waiting.push((job, until, reply));
            }
        }
    }

    fn allocation(&mut self, id: JobId) -> AllocationNews {
        let Some(job) = self.cluster.job(id) else {
            return AllocationNews::Revoked { state: JobState::Completed };
        };
        match &job.phase {
            Phase::Pending(_) => AllocationNews::Waiting { granted: false },
            Phase::Ending(_, ending) => AllocationNews::Revoked { state: state_of(ending.cause) },
            Phase::Ended(ended) => AllocationNews::Revoked { state: ended.outcome.state() },
            Phase::Running(run) if run.launch == bivouac_core::Launch::Granted => {
                AllocationNews::Waiting { granted: true }
            }
            Phase::Running(_) => match self.row(id, self.clock.now()) {
                None => AllocationNews::Revoked { state: JobState::Completed },
                Some(row) => AllocationNews::Ready(Grant {
                    nodes: row.nodes.iter().map(|n| n.node.clone()).collect(),
                    variables: environment::allocation(&row, &self.config)
                        .into_iter()
                        .map(|(name, value)| (name.to_owned(), value))
                        .collect(),
                }),
            },
        }
    }

    /// The connection ended on which a client attended his allocation.
    pub(crate) fn unattended(&mut self, job: JobId) {
        self.expect_client(job);
        if let Some(due) = self.attendance.absent.get_mut(&job) {
            *due = Instant::now();
        }
    }

    /// Ends the allocations whose clients do not come (back).
    pub(crate) fn give_up_absent(&mut self, turn: &mut Turn, now: Now) {
        let over = |due: &Instant| *due <= Instant::now();
        let gone: Vec<JobId> =
            self.attendance.absent.iter().filter(|(_, due)| over(due)).map(|(job, _)| *job).collect();
        for id in gone {
            self.attendance.absent.remove(&id);
            let open = self.cluster.job(id).filter(|job| !job.is_ended());
            let owner = open.and_then(|job: &Job| self.cluster.submission(job)).map(|s| s.owner.clone());
            let Some(owner) = owner else { continue };
            let exit = ExitStatus { code: 0, signal: libc::SIGHUP as u8 };
            let _ =
                self.command(turn, Command::Complete { caller: Caller::owner(owner), job: id, exit }, now);
        }
    }
}

/// The state in which a job will end that is being ended for this.
fn state_of(cause: EndCause) -> JobState {
    match cause {
        EndCause::Cancelled { .. } => JobState::Cancelled,
        EndCause::TimeLimit => JobState::Timeout,
        EndCause::Requeue | EndCause::PreemptedAndRequeued => JobState::Requeued,
        EndCause::NodeFail => JobState::NodeFail,
        EndCause::Preempted => JobState::Preempted,
        EndCause::OutOfMemory => JobState::OutOfMemory,
        EndCause::Deadline => JobState::Deadline,
        EndCause::Relinquished { .. } => JobState::Completed,
    }
}
