//! What the controller counts of its own work, for sdiag.

use crate::clock;
use crate::connection;
use crate::names::Names;
use bivouac_core::{Change, Cluster, Event, Phase, Plan};
use bivouac_proto::message::{Ask, JobQuery};
use bivouac_types::diagnostics::{Calls, Diagnostics, JobCounts, Passes};
use bivouac_types::{Outcome, Timestamp};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The counters.
#[derive(Default)]
pub(crate) struct Statistics {
    since: Timestamp,
    jobs: JobCounts,
    main: Passes,
    backfill: Passes,
    backfilled_ever: u64,
    backfilled: u64,
    last_backfill: Option<Timestamp>,
    clock_latency_us: u64,
    by_type: BTreeMap<Type, Tally>,
    by_user: BTreeMap<u32, Tally>,
}

/// Slurm's name and number of a request.
type Type = (&'static str, u32);

#[derive(Clone, Copy, Default)]
struct Tally {
    count: u64,
    time: Duration,
}

impl Tally {
    fn calls(self, name: String, id: u32) -> Calls {
        Calls { name, id, count: self.count, total_us: self.time.as_micros() as u64 }
    }
}

impl Statistics {
    /// From now on.
    pub(crate) fn new() -> Statistics {
        let begun = Instant::now();
        for _ in 0..1000 {
            std::hint::black_box(clock::wall());
        }
        let clock_latency_us = begun.elapsed().as_micros() as u64;
        Statistics { since: clock::wall(), clock_latency_us, ..Statistics::default() }
    }

    /// Begins anew; what counts since the start goes on.
    pub(crate) fn reset(&mut self) {
        let Statistics { backfilled_ever, last_backfill, clock_latency_us, .. } = *self;
        let since = clock::wall();
        *self =
            Statistics { since, backfilled_ever, last_backfill, clock_latency_us, ..Statistics::default() };
    }

    /// Enters a request.
    pub(crate) fn request(&mut self, kind: Type, uid: u32, time: Duration) {
        for tally in [self.by_type.entry(kind).or_default(), self.by_user.entry(uid).or_default()] {
            tally.count += 1;
            tally.time += time;
        }
    }

    /// Enters further time of a request.
    pub(crate) fn more_time(&mut self, kind: Type, uid: u32, time: Duration) {
        self.by_type.entry(kind).or_default().time += time;
        self.by_user.entry(uid).or_default().time += time;
    }

    /// Enters a pass of the planner.
    pub(crate) fn pass(&mut self, plan: &Plan, queue: usize, time: Duration, at: Timestamp) {
        let (us, depth, tried) = (time.as_micros() as u64, plan.looked as u64, plan.tried as u64);
        self.main.enter(us, depth, tried, queue as u64);
        if !plan.expected.is_empty() {
            self.backfill.enter(us, depth, tried, queue as u64);
            self.last_backfill = Some(at);
        }
        self.backfilled += plan.backfilled as u64;
        self.backfilled_ever += plan.backfilled as u64;
    }

    /// Enters an event that is stored.
    pub(crate) fn event(&mut self, event: &Event, cluster: &Cluster) {
        match &event.change {
            Change::Submitted(submission) => self.jobs.submitted += submission.tasks(),
            Change::Dropped { tasks, .. } => self.jobs.canceled += tasks.len(),
            Change::Started { .. } => self.jobs.started += 1,
            Change::Ended { job, outcome, .. } => {
                let count = cluster.job(*job).map_or(1, |j| j.count());
                match outcome {
                    Outcome::Cancelled { .. } | Outcome::DependencyNeverSatisfied => {
                        self.jobs.canceled += count;
                    }
                    Outcome::NodeFail | Outcome::LaunchFailed => self.jobs.failed += count,
                    _ => self.jobs.completed += count,
                }
            }
            _ => {}
        }
    }

    /// Everything, with what the cluster is at now.
    pub(crate) fn diagnostics(&self, cluster: &Cluster, names: &mut Names, at: Timestamp) -> Diagnostics {
        let count = |is: fn(&Phase) -> bool| cluster.jobs().filter(|j| is(&j.phase)).map(|j| j.count()).sum();
        Diagnostics {
            at,
            since: self.since,
            // Each client has a thread of its own, and the state has its owner.
            threads: connection::clients() + 1,
            jobs: self.jobs,
            pending: count(|phase| matches!(phase, Phase::Pending(_))),
            running: count(|phase| matches!(phase, Phase::Running(_))),
            main: self.main,
            backfill: self.backfill,
            backfilled_ever: self.backfilled_ever,
            backfilled: self.backfilled,
            last_backfill: self.last_backfill,
            clock_latency_us: self.clock_latency_us,
            by_type: self.by_type.iter().map(|((name, id), t)| t.calls((*name).to_owned(), *id)).collect(),
            by_user: self.by_user.iter().map(|(uid, t)| t.calls(names.user(*uid), *uid)).collect(),
        }
    }
}

/// Slurm's name and number of a request; those that only bivouac has are numbered from 9001.
pub(crate) fn kind(ask: &Ask) -> Type {
    match ask {
        Ask::Ping | Ask::Greet { .. } => ("REQUEST_PING", 1008),
        Ask::Shutdown { .. } => ("REQUEST_SHUTDOWN", 1005),
        Ask::Config => ("REQUEST_BUILD_INFO", 2001),
        Ask::Jobs(JobQuery { ids: Some(ids), .. }) if ids.len() == 1 => ("REQUEST_JOB_INFO_SINGLE", 2021),
        Ask::Jobs(_) => ("REQUEST_JOB_INFO", 2003),
        Ask::Nodes => ("REQUEST_NODE_INFO", 2007),
        Ask::Partitions => ("REQUEST_PARTITION_INFO", 2009),
        Ask::Priorities => ("REQUEST_PRIORITY_FACTORS", 2026),
        Ask::Diagnostics | Ask::ResetDiagnostics => ("REQUEST_STATS_INFO", 2035),
        Ask::Script(_) => ("REQUEST_BATCH_SCRIPT", 2051),
        Ask::Update { .. } | Ask::Hold { .. } | Ask::Release(_) => ("REQUEST_UPDATE_JOB", 3001),
        Ask::UpdateStep { .. } => ("REQUEST_UPDATE_JOB_STEP", 3021),
        Ask::Submit(_) => ("REQUEST_SUBMIT_BATCH_JOB", 4003),
        Ask::TestOnly(_) => ("REQUEST_JOB_WILL_RUN", 4012),
        Ask::Attend { .. } => ("BIVOUAC_ATTEND", 9005),
        Ask::StepSocket(_) => ("BIVOUAC_STEP_SOCKET", 9006),
        Ask::Complete { .. } => ("REQUEST_COMPLETE_JOB_ALLOCATION", 5017),
        Ask::StepStart(_) => ("REQUEST_JOB_STEP_CREATE", 5001),
        Ask::StepEnd { .. } => ("REQUEST_STEP_COMPLETE", 5016),
        Ask::Requeue { .. } => ("REQUEST_JOB_REQUEUE", 5023),
        Ask::Cancel(_) => ("REQUEST_KILL_JOB", 5032),
        Ask::AddFault { .. } | Ask::Faults | Ask::ClearFaults(_) => ("BIVOUAC_FAULT", 9004),
        Ask::Measure(_) => ("REQUEST_JOB_STEP_STAT", 5017),
        Ask::Status => ("BIVOUAC_STATUS", 9001),
        Ask::Accounting(_) | Ask::Spells => ("BIVOUAC_ACCOUNTING", 9002),
        Ask::WaitEnd(_) => ("BIVOUAC_WAIT_END", 9003),
        #[allow(unreachable_patterns)]
        _ => ("BIVOUAC_OTHER", 9099),
    }
}
