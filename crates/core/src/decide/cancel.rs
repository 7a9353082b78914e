//! scancel.

use super::Changes;
use super::target::Selected;
use crate::cluster::Cluster;
use crate::command::{Caller, CancelScope, JobTarget};
use crate::event::Change;
use crate::job::{EndCause, Phase};
use bivouac_types::info::Usage;
use bivouac_types::{Now, Outcome, Reject};

const SIGKILL: i32 = 9;

impl Cluster {
    /// Ends jobs, or only sends a signal to running ones. SIGKILL ends them too, as in Slurm, unless it is for the
    /// batch process (-b, -f).
    pub(super) fn cancel(
        &self,
        caller: &Caller,
        target: &JobTarget,
        signal: Option<i32>,
        scope: CancelScope,
        now: Now,
    ) -> Result<Changes, Reject> {
        let selected = self.select(target)?;
        if !selected.iter().all(|s| caller.may_command(s.submission)) {
            return Err(Reject::AccessDenied);
        }
        // -b without a signal is for the shell alone, and the job goes on if its steps do.
        let signal = signal.or((scope == CancelScope::Batch).then_some(SIGKILL));
        let signal = signal.filter(|s| !(*s == SIGKILL && scope == CancelScope::Job));
        if let CancelScope::Step(number) = scope {
            return self.signal_step(&selected, number, signal.unwrap_or(SIGKILL));
        }
        let is_none = signal.is_some_and(|s| !(0..=64).contains(&s));
        let mut changes = Vec::new();
        let (mut pending, mut alive) = (false, false);
        for s in &selected {
            let attempt = s.job.attempt();
            match (&s.job.phase, signal) {
                (Phase::Ended(_), _) => continue,
                (Phase::Pending(_), None | Some(SIGKILL)) => {
                    let (job, outcome) = (s.job.id, Outcome::Cancelled { by: caller.uid, status: None });
                    changes.push(match s.part.clone() {
                        Some(tasks) => Change::Dropped { from: job, tasks },
                        None => Change::Ended { job, outcome, end: now.wall, usage: Usage::default() },
                    });
                }
                (Phase::Pending(_), Some(_)) => {
                    pending = true;
                    continue;
                }
                // A number that is no signal's is taken, and nobody gets it.
                (Phase::Running(_) | Phase::Ending(..), Some(_)) if is_none => {}
                (Phase::Running(_) | Phase::Ending(..), Some(signal)) => {
                    changes.push(Change::Signalled { attempt, signal, scope });
                }
                (Phase::Running(_), None) => {
                    changes.push(Change::Ending { attempt, cause: EndCause::Cancelled { by: caller.uid } });
                }
                // A requeue becomes a cancellation; what is being ended otherwise stays so.
                (Phase::Ending(_, e), None) if e.cause == EndCause::Requeue => {
                    changes.push(Change::Ending { attempt, cause: EndCause::Cancelled { by: caller.uid } });
                }
                (Phase::Ending(..), None) => {}
            }
            alive = true;
        }
        match (alive, pending) {
            (true, _) => Ok(changes),
            (false, true) => Err(Reject::JobPending),
            (false, false) => Err(Reject::JobFinished),
        }
    }

    /// A signal for one step. SIGKILL, which is also what no signal means, ends it.
    fn signal_step(&self, selected: &[Selected], number: u32, signal: i32) -> Result<Changes, Reject> {
        let mut changes = Vec::new();
        for s in selected.iter().filter(|s| s.job.run().is_some()) {
            if s.job.steps.iter().any(|step| step.number == number && step.end.is_none()) {
                let (attempt, scope) = (s.job.attempt(), CancelScope::Step(number));
                changes.push(Change::Signalled { attempt, signal, scope });
            }
        }
        // To a step that is none, a signal is sent in vain.
        if changes.is_empty() && signal == SIGKILL { Err(Reject::NoSuchStep) } else { Ok(changes) }
    }
}
