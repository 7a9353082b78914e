//! What happens because time has passed.

use super::Changes;
use crate::cluster::Cluster;
use crate::command::CancelScope;
use crate::event::Change;
use crate::index::Timer;
use crate::job::{EndCause, Phase};
use bivouac_types::info::Usage;
use bivouac_types::{ExitStatus, Now, Outcome};

const SIGKILL: i32 = 9;

impl Cluster {
    pub(super) fn tick(&self, now: Now) -> Changes {
        let mut changes = Vec::new();
        let clock = self.world.limit_clock(now);
        for (_, id) in self.index.limits.iter().take_while(|t| t.0 <= clock) {
            if let Some(job) = self.job(*id) {
                changes.push(Change::Ending { attempt: job.attempt(), cause: EndCause::TimeLimit });
            }
        }
        for (_, id, step) in self.index.step_limits.iter().take_while(|t| t.0 <= clock) {
            if let Some(job) = self.job(*id) {
                // Without its limit it is not told again.
                let scope = CancelScope::Step(*step);
                changes.push(Change::Signalled { attempt: job.attempt(), signal: SIGKILL, scope });
                changes.push(Change::StepLimited { job: *id, step: *step, minutes: None });
            }
        }
        for (_, id) in self.index.warnings.iter().take_while(|t| t.0 <= clock) {
            if let Some(job) = self.job(*id) {
                changes.push(Change::Warned { attempt: job.attempt() });
            }
        }
        for (_, id) in self.index.deadlines.iter().take_while(|t| t.0 <= now.wall) {
            let Some(job) = self.job(*id).filter(|j| !self.index.invalid.contains(&j.id)) else { continue };
            let attempt = job.attempt();
            let overdue = self.index.limits.iter().take_while(|t| t.0 <= clock).any(|t| t.1 == *id);
            match job.phase {
                Phase::Running(_) if overdue => {}
                Phase::Running(_) => changes.push(Change::Ending { attempt, cause: EndCause::Deadline }),
                _ => {
                    let outcome = Outcome::Deadline(ExitStatus { code: 0, signal: 1 });
                    let usage = Usage::default();
                    changes.push(Change::Ended { job: *id, outcome, end: now.wall, usage });
                }
            }
        }
        for id in &self.index.invalid {
            let (outcome, usage) = (Outcome::DependencyNeverSatisfied, Usage::default());
            changes.push(Change::Ended { job: *id, outcome, end: now.wall, usage });
        }
        let due = self.index.wall_timers.iter().take_while(|t| t.0 <= now.wall);
        changes.extend(due.map(|t| Change::Eligible { job: t.1 }));
        let mut purged = Vec::new();
        for (_, timer, id) in self.index.run_timers.iter().take_while(|t| t.0 <= now.run) {
            match (timer, self.job(*id)) {
                (Timer::Purge, _) => purged.push(*id),
                (Timer::Kill, Some(job)) => changes.push(Change::KillDue { attempt: job.attempt() }),
                (Timer::Kill, None) => {}
            }
        }
        if !purged.is_empty() {
            changes.push(Change::Purged { jobs: purged });
        }
        changes
    }
}
