//! What the batch processes of attempts use: they are looked at now and then, and when they end.
//!
//! Not counted are the daemons of steps and all below them, which count for themselves. What the batch process leaves behind
//! is the reaper's child; of a control group of version 2 the kernel knows what all that was ever in it has used.

use super::{Child, Daemon};
use crate::confine;
use crate::order::LaunchOrder;
use crate::protocol::FromKeeper;
use crate::report::{Attempt, Ending};
use crate::sys::ChildEnd;
use bivouac_gather::{Gauge, Used, below, children, io_of};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// When it is looked at first: what is over before costs nothing.
const FIRST: Duration = Duration::from_secs(1);
/// How often an attempt is looked at of which an earlier keeper had the order.
const PERIOD: Duration = Duration::from_secs(30);

/// The attempts whose batch processes run.
#[derive(Default)]
pub(super) struct Gauges(BTreeMap<Attempt, Watched>);

#[derive(Default)]
struct Watched {
    gauge: Gauge,
    /// How often it is looked at; none: only when it ends.
    every: Option<Duration>,
    due: Option<Instant>,
    /// CPU time of the daemons of its steps that have ended, and of all below them: user, system.
    steps: (u64, u64),
    /// Whether it was ever looked at.
    seen: bool,
}

impl Gauges {
    /// A batch process was created.
    pub fn begin(&mut self, order: &LaunchOrder) {
        let every = Duration::from_secs(order.gather.into());
        self.add(order.attempt, Some(every).filter(|e| !e.is_zero()));
    }

    /// A batch process of an earlier keeper's goes on.
    pub fn adopt(&mut self, attempt: Attempt) {
        self.add(attempt, Some(PERIOD));
    }

    fn add(&mut self, attempt: Attempt, every: Option<Duration>) {
        let due = every.map(|every| Instant::now() + every.min(FIRST));
        self.0.insert(attempt, Watched { every, due, ..Watched::default() });
    }

    /// The daemon of a step has ended.
    pub fn step_ended(&mut self, attempt: Attempt, end: &ChildEnd) {
        if let Some(watched) = self.0.get_mut(&attempt) {
            watched.steps.0 += end.used.user_us;
            watched.steps.1 += end.used.system_us;
        }
    }

    /// When the next attempt is to be looked at.
    pub fn due(&self) -> Option<Instant> {
        self.0.values().filter_map(|watched| watched.due).min()
    }
}

impl Daemon {
    /// Looks at the attempts for which it is time.
    pub(super) fn look_at_use(&mut self, now: Instant) {
        let mut attempts = Vec::new();
        for (attempt, watched) in
            self.gauges.0.iter_mut().filter(|(_, w)| w.due.is_some_and(|due| due <= now))
        {
            watched.due = watched.every.map(|every| now + every);
            attempts.push(*attempt);
        }
        for attempt in attempts {
            self.look_at(attempt);
        }
    }

    fn look_at(&mut self, attempt: Attempt) {
        let Some(pid) = self.running.get(&attempt).map(|r| r.pid) else { return };
        let others = self.left_behind(attempt);
        if let Some(watched) = self.gauges.0.get_mut(&attempt) {
            watched.gauge.look(pid, &others);
            watched.seen = true;
        }
    }

    /// Processes that the batch process or one below it left behind. They are the reaper's children.
    fn left_behind(&self, attempt: Attempt) -> Vec<i32> {
        let keeper = std::process::id() as i32;
        let mut orphans = children(self.reaper_pid, 1);
        orphans.retain(|pid| *pid != keeper);
        if orphans.is_empty() {
            return orphans;
        }
        let target = self.target(attempt);
        orphans.retain(|pid| self.confine.owns(&target, *pid) && confine::step_of(*pid).is_none());
        orphans
    }

    /// What an attempt's batch process used in all, which has just ended and is not yet collected.
    pub(super) fn used(&mut self, attempt: Attempt, end: &ChildEnd) -> Used {
        let io = io_of(end.pid).unwrap_or_default();
        let own = Used { read: io.read, written: io.written, ..end.used };
        let others = self.left_behind(attempt);
        let mut watched = self.gauges.0.remove(&attempt).unwrap_or_default();
        if watched.seen || !others.is_empty() {
            watched.gauge.look(end.pid, &others);
        }
        let used = watched.gauge.end(own);
        let slot = self.journal.slot(attempt).map(|(number, _)| number);
        let Some(group) = slot.and_then(|slot| self.confine.cpu_us(slot)) else { return used };
        let steps = self.steps_of(attempt).fold(watched.steps, |sum, step| (sum.0 + step.0, sum.1 + step.1));
        // The group knows of what ended unseen as well.
        Used {
            user_us: used.user_us.max(group.0.saturating_sub(steps.0)),
            system_us: used.system_us.max(group.1.saturating_sub(steps.1)),
            ..used
        }
    }

    /// CPU time of the daemons of an attempt's steps that run, and of all below them.
    fn steps_of(&self, attempt: Attempt) -> impl Iterator<Item = (u64, u64)> {
        let is_step = move |child: &Child| matches!(child, Child::Step(a, _) if *a == attempt);
        let daemons = self.children.iter().filter(move |(_, child)| is_step(child)).map(|(pid, _)| *pid);
        daemons.map(|pid| {
            let mut gauge = Gauge::default();
            gauge.look(pid, &[]);
            let used = gauge.so_far();
            (used.user_us, used.system_us)
        })
    }

    /// What is known of an adopted attempt beside what the reaper recorded of its end.
    pub(super) fn with_use(&mut self, attempt: Attempt, ending: Ending) -> Ending {
        let watched = self.gauges.0.remove(&attempt).unwrap_or_default();
        match ending {
            Ending::Exited(mut report) => {
                report.used = watched.gauge.end(report.used);
                Ending::Exited(report)
            }
            other => other,
        }
    }

    /// Tells the controller what an attempt's batch process uses.
    pub(super) fn tell_use(&mut self, attempt: Attempt) {
        self.look_at(attempt);
        let Some(pid) = self.running.get(&attempt).map(|r| r.pid) else {
            return self.sockets.send(&FromKeeper::Measured {
                attempt,
                used: Used::default(),
                pids: Vec::new(),
            });
        };
        let roots = std::iter::once(pid).chain(self.left_behind(attempt));
        let found = roots.flat_map(below).filter(|(_, stat)| stat.state != b'Z');
        let pids: Vec<i32> = found.map(|(process, _)| process.pid).collect();
        let used = self.gauges.0.get(&attempt).map(|w| w.gauge.so_far()).unwrap_or_default();
        self.sockets.send(&FromKeeper::Measured { attempt, used, pids });
    }
}
