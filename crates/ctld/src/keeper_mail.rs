//! What the keeper says, turned into the core's reports, and what it holds compared with what the state says.

use crate::controller::{Controller, Turn};
use crate::keeper_link::Link;
use bivouac_core::{Effect, KeeperReport};
use bivouac_keeper::protocol::{FromKeeper, Scope, ToKeeper, Welcome};
use bivouac_keeper::report::{self, AttemptStatus, ExitReport, Used};
use bivouac_types::info::Usage;
use bivouac_types::usage::TaskUsage;
use bivouac_types::{Attempt, ExitStatus, JobId, Now, Timestamp};
use std::collections::BTreeSet;

/// Where the identity of the keeper's journal is kept.
const JOURNAL: &str = "keeper_journal";

impl Controller {
    /// A keeper is there, perhaps another one than before: what it holds is reported, what it has lost is lost, and
    /// everything that should be going on is asked for again.
    pub(crate) fn keeper_up(&mut self, turn: &mut Turn, welcome: &Welcome, link: Link, now: Now) {
        for note in &welcome.notes {
            say!("keeper: {note}");
        }
        self.keeper = Some(link);
        if self.storage_problem.is_some() {
            // Nothing of it could be kept. When there is room again, the keeper is met anew.
            return;
        }
        for report in welcome.attempts.iter().filter_map(|(a, status)| from_status(ours(*a), status)) {
            self.report(turn, report, now);
        }
        let listed: BTreeSet<Attempt> = welcome.attempts.iter().map(|(a, _)| ours(*a)).collect();
        let journal = format!("{} {:016x}", welcome.boot_id, welcome.journal);
        let known = self.store.note(JOURNAL).ok().flatten();
        let same = known.as_ref().is_none_or(|k| *k == journal);
        for report in self.cluster.reconcile(&listed, same) {
            self.report(turn, report, now);
        }
        // Only after the losses are stored may the new journal count as known; both are repeated after a crash.
        turn.then_note(JOURNAL, journal);
        turn.first(self.cluster.resume_effects());
    }

    pub(crate) fn keeper_said(&mut self, turn: &mut Turn, said: FromKeeper, now: Now) {
        let report = match said {
            FromKeeper::Launched { attempt, pid, .. } => {
                KeeperReport::Launched { attempt: ours(attempt), pid: pid as u32 }
            }
            FromKeeper::LaunchFailed { attempt, failure } => {
                say!("job {}: not launched: {}", attempt.job, failure.what);
                KeeperReport::LaunchFailed { attempt: ours(attempt), what: failure.what }
            }
            FromKeeper::Exited(e) => exited(&e),
            FromKeeper::StepEnded { attempt, step } => {
                return self.step_daemon_ended(turn, ours(attempt), step, now);
            }
            FromKeeper::Unknown { attempt } => KeeperReport::Lost { attempt: ours(attempt) },
            FromKeeper::Measured { attempt, used, pids } => return self.measured(attempt, &used, &pids),
            FromKeeper::Welcome(_) | FromKeeper::Refused { .. } => return,
        };
        self.report(turn, report, now);
    }
}

fn from_status(attempt: Attempt, status: &AttemptStatus) -> Option<KeeperReport> {
    Some(match status {
        AttemptStatus::Running { pid, .. } => KeeperReport::Launched { attempt, pid: *pid as u32 },
        AttemptStatus::Exited(e) => exited(e),
        AttemptStatus::Failed(f) => KeeperReport::LaunchFailed { attempt, what: f.what.clone() },
        AttemptStatus::Unknown => KeeperReport::Lost { attempt },
        // It never ran and never will, unless it is launched again, which the resumed effects do.
        AttemptStatus::NotStarted => return None,
    })
}

fn exited(e: &ExitReport) -> KeeperReport {
    KeeperReport::Exited {
        attempt: ours(e.attempt),
        status: ExitStatus::from_wait_status(e.wait_status),
        usage: Usage::of_one(task_usage(&e.used)),
        ended: Timestamp(e.ended_at.wall_ms),
        out_of_memory: e.out_of_memory,
    }
}

/// What the keeper measured.
pub(crate) fn task_usage(used: &Used) -> TaskUsage {
    TaskUsage {
        user_us: used.user_us,
        system_us: used.system_us,
        rss_kb: used.rss_kb,
        vm_kb: used.vm_kb,
        pages: used.pages,
        read: used.read,
        written: used.written,
    }
}

pub(crate) fn ours(a: report::Attempt) -> Attempt {
    Attempt { job: JobId(a.job), restart: a.restart }
}

/// The keeper's form of an attempt.
pub(crate) fn theirs(a: Attempt) -> report::Attempt {
    report::Attempt { job: a.job.0, restart: a.restart }
}

/// What is asked of the keeper for an effect that needs no more than the attempt.
pub(crate) fn message(effect: &Effect) -> Vec<ToKeeper> {
    use bivouac_core::SignalScope;
    use bivouac_proto::message::END_STEP;
    let to_all =
        |attempt, signal| ToKeeper::Signal { attempt: theirs(attempt), signal, scope: Scope::AllProcesses };
    match effect {
        Effect::Signal { attempt, signal, scope } => vec![ToKeeper::Signal {
            attempt: theirs(*attempt),
            signal: *signal,
            scope: match scope {
                SignalScope::Batch => Scope::BatchOnly,
                SignalScope::Job => Scope::Tasks,
                SignalScope::Full => Scope::AllProcesses,
                SignalScope::Step(number) => Scope::Step(*number),
            },
        }],
        Effect::Note { attempt, text } => {
            vec![ToKeeper::Note { attempt: theirs(*attempt), text: text.clone() }]
        }
        Effect::Suspend { attempt } => vec![to_all(*attempt, libc::SIGSTOP)],
        Effect::Resume { attempt } => vec![to_all(*attempt, libc::SIGCONT)],
        Effect::EndStep { attempt, step } => vec![ToKeeper::Signal {
            attempt: theirs(*attempt),
            signal: END_STEP,
            scope: Scope::StepDaemon(*step),
        }],
        Effect::Terminate { attempt } => {
            [libc::SIGCONT, libc::SIGTERM].map(|signal| to_all(*attempt, signal)).into()
        }
        Effect::Kill { attempt } => vec![ToKeeper::Kill { attempt: theirs(*attempt) }],
        Effect::AckKeeper { attempt } => vec![ToKeeper::Ack { attempt: theirs(*attempt) }],
        Effect::StopStale { attempt } => {
            vec![ToKeeper::Kill { attempt: theirs(*attempt) }, ToKeeper::Ack { attempt: theirs(*attempt) }]
        }
        Effect::Launch { .. }
        | Effect::StartStep { .. }
        | Effect::JobEnded { .. }
        | Effect::DropPayload { .. } => Vec::new(),
    }
}
