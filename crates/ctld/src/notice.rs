//! What stands in a job's output when it is ended from outside, in slurmstepd's words.

use crate::controller::Controller;
use bivouac_core::{Cluster, Effect, EndCause, Job, Phase, SignalScope};
use bivouac_types::time::TimeFormat;
use bivouac_types::{Attempt, JobId, Timestamp};

impl Controller {
    /// The line for the job's standard error that goes before an effect, if there is one. What an earlier controller
    /// began it has also said.
    pub(crate) fn notice(&self, effect: &Effect) -> Option<(Attempt, String)> {
        match *effect {
            Effect::Terminate { attempt } => {
                let job = self.cluster.job(attempt.job).filter(|j| j.attempt() == attempt)?;
                let Phase::Ending(_, ending) = &job.phase else { return None };
                let fresh = ending.since.wall >= self.up_since;
                let why = Why::of(ending.cause).filter(|_| fresh)?;
                Some((attempt, text(&self.cluster, job, why, ending.since.wall)))
            }
            Effect::Signal { attempt, signal, scope } if ends(signal, scope) => {
                let job = self.cluster.job(attempt.job).filter(|j| j.attempt() == attempt)?;
                Some((attempt, text(&self.cluster, job, Why::Cancelled, self.clock.now().wall)))
            }
            _ => None,
        }
    }
}

/// A signal to the batch process that Slurm announces like a cancellation.
fn ends(signal: i32, scope: SignalScope) -> bool {
    match scope {
        SignalScope::Job | SignalScope::Step(_) => false,
        SignalScope::Batch => signal == libc::SIGKILL,
        SignalScope::Full => matches!(signal, libc::SIGKILL | libc::SIGTERM),
    }
}

#[derive(Clone, Copy)]
enum Why {
    Cancelled,
    TimeLimit,
    Requeue,
    NodeFailure,
    Preemption,
    OutOfMemory,
    Deadline,
}

impl Why {
    /// None: the client has ended it himself.
    fn of(cause: EndCause) -> Option<Why> {
        Some(match cause {
            EndCause::Cancelled { .. } => Why::Cancelled,
            EndCause::TimeLimit => Why::TimeLimit,
            EndCause::Requeue => Why::Requeue,
            EndCause::NodeFail => Why::NodeFailure,
            EndCause::Preempted | EndCause::PreemptedAndRequeued => Why::Preemption,
            EndCause::OutOfMemory => Why::OutOfMemory,
            EndCause::Deadline => Why::Deadline,
            EndCause::Relinquished { .. } => return None,
        })
    }
}

fn text(cluster: &Cluster, job: &Job, why: Why, at: Timestamp) -> String {
    let part = job.run().zip(cluster.submission(job)).and_then(|(r, s)| cluster.world().batch_part(r, s));
    let node = part.map_or("", |n| &n.node);
    line(job.id, node, why, &at.format(&jiff::tz::TimeZone::system(), &TimeFormat::Standard, at))
}

fn line(job: JobId, node: &str, why: Why, at: &str) -> String {
    let why = match why {
        Why::Cancelled => "",
        Why::OutOfMemory => return bivouac_keeper::note::out_of_memory(job.0, 1),
        Why::TimeLimit => " DUE TO TIME LIMIT",
        Why::Requeue => " DUE TO JOB REQUEUE",
        Why::NodeFailure => " DUE TO NODE FAILURE, SEE SLURMCTLD LOG FOR DETAILS",
        Why::Preemption => " DUE TO PREEMPTION",
        Why::Deadline => " DUE TO DEADLINE",
    };
    format!("*** JOB {job} ON {node} CANCELLED AT {at}{why} ***")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_slurms() {
        let said = line(JobId(489), "n1", Why::TimeLimit, "2026-11-22T17:01:56");
        assert_eq!(said, "*** JOB 489 ON n1 CANCELLED AT 2026-11-22T17:01:56 DUE TO TIME LIMIT ***");
        let said = line(JobId(489), "n1", Why::Cancelled, "2026-11-22T17:01:56");
        assert_eq!(said, "*** JOB 489 ON n1 CANCELLED AT 2026-11-22T17:01:56 ***");
    }

    #[test]
    fn only_signals_to_the_batch_process_are_announced() {
        assert!(ends(libc::SIGKILL, SignalScope::Batch) && ends(libc::SIGTERM, SignalScope::Full));
        assert!(!ends(libc::SIGUSR1, SignalScope::Full) && !ends(libc::SIGTERM, SignalScope::Job));
    }
}
