//! What the tasks of a step use: they are looked at now and then, and when they end.
//!
//! The step's daemon collects what its tasks leave behind (it is their subreaper), so that what daemons of tasks used is
//! known exactly as well.

use bivouac_gather::{Gauge, Process, Used, children, io_of, process};
use bivouac_types::usage::TaskUsage;
use std::time::{Duration, Instant};

/// When tasks are looked at first: what is over before costs nothing.
const FIRST: Duration = Duration::from_secs(1);

/// The tasks by their place, and what is known of each.
pub struct Ledger {
    tasks: Vec<Entry>,
    /// How often they are looked at; none: only when they end.
    every: Option<Duration>,
    due: Option<Instant>,
}

struct Entry {
    /// Its process, while that is not collected.
    pid: Option<i32>,
    gauge: Gauge,
}

/// From now on this process is who collects what its descendants leave behind.
pub fn become_collector() {
    // SAFETY: no pointers. Where it fails, daemons of tasks are the job's keeper's.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
}

impl Ledger {
    /// Of no tasks yet; they are looked at every so many seconds, 0: never.
    pub fn new(seconds: u64) -> Ledger {
        let every = Some(Duration::from_secs(seconds)).filter(|e| !e.is_zero());
        Ledger { tasks: Vec::new(), every, due: every.map(|every| Instant::now() + every.min(FIRST)) }
    }

    /// The next task; none: it could not be started.
    pub fn add(&mut self, pid: Option<i32>) {
        self.tasks.push(Entry { pid, gauge: Gauge::default() });
    }

    /// When the tasks are to be looked at.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Looks at the tasks if it is time.
    pub fn turn(&mut self, now: Instant) {
        if self.due.is_some_and(|due| due <= now) {
            self.look();
            self.due = self.every.map(|every| now + every);
        }
    }

    /// Looks at all tasks and at what they left behind.
    pub fn look(&mut self) {
        let mut others = vec![Vec::new(); self.tasks.len()];
        for pid in self.left_behind() {
            if let Some((at, _)) = self.whose(pid) {
                others[at].push(pid);
            }
        }
        for (task, others) in self.tasks.iter_mut().zip(others) {
            if let Some(pid) = task.pid {
                task.gauge.look(pid, &others);
            }
        }
    }

    /// Processes that tasks left behind, and that are this process's children now.
    pub fn left_behind(&self) -> Vec<i32> {
        let mut children = children(std::process::id() as i32, 1);
        children.retain(|pid| !self.tasks.iter().any(|task| task.pid == Some(*pid)));
        children
    }

    /// The step is over: they end with it. What they used is looked at before.
    pub fn end_left_behind(&mut self) {
        let left = self.left_behind();
        if left.is_empty() {
            return;
        }
        self.look();
        for pid in left.into_iter().flat_map(bivouac_gather::below).map(|(process, _)| process.pid) {
            // SAFETY: no pointers. They are this process's children, or theirs.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
    }

    /// Collects those of them that have ended.
    pub fn collect(&mut self) {
        for pid in self.left_behind() {
            let Some((at, process)) = self.whose(pid) else { continue };
            if bivouac_gather::process(pid).is_some_and(|stat| stat.state == b'Z') {
                let used = collected(pid);
                self.tasks[at].gauge.collected(process, used);
            }
        }
    }

    /// Which task's it is: it was seen as such, or is of the task's process group; else the first one's.
    fn whose(&self, pid: i32) -> Option<(usize, Process)> {
        let stat = process(pid)?;
        let process = Process { pid, start_ticks: stat.start_ticks };
        let seen = self.tasks.iter().position(|task| task.gauge.knows(process));
        let leads = |leader: i32| self.tasks.iter().position(|task| task.pid == Some(leader));
        let at = seen.or_else(|| leads(stat.pgrp)).or_else(|| leads(stat.session)).unwrap_or(0);
        (at < self.tasks.len()).then_some((at, process))
    }

    /// What a task used until now.
    pub fn so_far(&self, at: usize) -> TaskUsage {
        self.tasks.get(at).map(|task| usage(task.gauge.so_far())).unwrap_or_default()
    }

    /// Collects a task that has ended: what it used in all.
    pub fn end(&mut self, at: usize) -> TaskUsage {
        let Some(task) = self.tasks.get_mut(at) else { return TaskUsage::default() };
        let own = task.pid.take().map(collected).unwrap_or_default();
        usage(task.gauge.end(own))
    }

    /// All processes of the tasks, and of what they left behind.
    pub fn pids(&self) -> Vec<i32> {
        let roots = self.tasks.iter().filter_map(|task| task.pid).chain(self.left_behind());
        let mut pids: Vec<i32> = roots
            .flat_map(bivouac_gather::below)
            .filter(|(_, s)| s.state != b'Z')
            .map(|(p, _)| p.pid)
            .collect();
        pids.sort_unstable();
        pids.dedup();
        pids
    }
}

/// Collects an ended child: what it and those that it waited for used.
fn collected(pid: i32) -> Used {
    let io = io_of(pid).unwrap_or_default();
    // SAFETY: a zeroed record is a valid value to be filled in, and both pointers are valid for the call.
    let used = unsafe {
        let mut used: libc::rusage = std::mem::zeroed();
        libc::wait4(pid, std::ptr::null_mut(), 0, &mut used);
        used
    };
    Used { read: io.read, written: io.written, ..Used::of_rusage(&used) }
}

fn usage(used: Used) -> TaskUsage {
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
