//! Follows one task.

use crate::parse::Stat;
use crate::process::{Process, below, io_of};
use std::collections::{BTreeMap, BTreeSet};

/// What was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// User CPU time in microseconds.
    pub user_us: u64,
    /// System CPU time in microseconds.
    pub system_us: u64,
    /// Largest resident set in KiB.
    pub rss_kb: u64,
    /// Largest virtual size in KiB; 0: it was never looked at.
    pub vm_kb: u64,
    /// Page faults for which something had to be read.
    pub pages: u64,
    /// Bytes read.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
}

impl Used {
    /// As much as both together; of what is a largest value, the larger one.
    pub fn with(self, other: Used) -> Used {
        Used {
            user_us: self.user_us.saturating_add(other.user_us),
            system_us: self.system_us.saturating_add(other.system_us),
            rss_kb: self.rss_kb.max(other.rss_kb),
            vm_kb: self.vm_kb.max(other.vm_kb),
            pages: self.pages.saturating_add(other.pages),
            read: self.read.saturating_add(other.read),
            written: self.written.saturating_add(other.written),
        }
    }

    /// Of a process that has ended, by the kernel's record, and with what it waited for.
    pub fn of_rusage(usage: &libc::rusage) -> Used {
        let us =
            |t: libc::timeval| (t.tv_sec as u64).saturating_mul(1_000_000).saturating_add(t.tv_usec as u64);
        Used {
            user_us: us(usage.ru_utime),
            system_us: us(usage.ru_stime),
            rss_kb: usage.ru_maxrss as u64,
            pages: usage.ru_majflt as u64,
            ..Used::default()
        }
    }

    /// Of a living process, with what it waited for; `rss_kb` and `vm_kb` are those of now.
    fn of(pid: i32, stat: &Stat) -> Used {
        let io = io_of(pid).unwrap_or_default();
        Used {
            user_us: ticks_us(stat.user_ticks.saturating_add(stat.waited_user_ticks)),
            system_us: ticks_us(stat.system_ticks.saturating_add(stat.waited_system_ticks)),
            rss_kb: stat.rss_pages.saturating_mul(page_kb()),
            vm_kb: stat.vm_bytes >> 10,
            pages: stat.major_faults.saturating_add(stat.waited_major_faults),
            read: io.read,
            written: io.written,
        }
    }

    /// As much as both together, sizes included: of processes that live at one time.
    fn beside(self, other: Used) -> Used {
        Used {
            rss_kb: self.rss_kb.saturating_add(other.rss_kb),
            vm_kb: self.vm_kb.saturating_add(other.vm_kb),
            ..self.with(other)
        }
    }
}

/// Follows a task and what it leaves behind.
#[derive(Clone, Debug, Default)]
pub struct Gauge {
    /// The task's own process.
    task: Option<Process>,
    /// Every process that was there at the last look, below which it was, and what it had used, what it had waited for
    /// included.
    members: BTreeMap<Process, (Process, Used)>,
    /// Processes whose collector told of their parent: they are ours, wherever they are.
    adrift: BTreeSet<Process>,
    /// What was last seen of daemons that ended since, and what their collector told.
    gone: Used,
    /// The largest sizes of all processes together.
    peak_rss_kb: u64,
    peak_vm_kb: u64,
}

impl Gauge {
    /// Looks at a task and at all below it. `others` are processes outside of its tree that belong to it as well.
    pub fn look(&mut self, task: i32, others: &[i32]) {
        let mut now = BTreeMap::<Process, (Process, Used)>::new();
        let mut walk = |pid: i32, is_ours: &dyn Fn(&Process) -> bool| -> Option<Process> {
            let tree = below(pid);
            let root = tree.first().map(|(root, _)| *root).filter(|root| is_ours(root))?;
            for (process, stat) in tree {
                now.entry(process).or_insert_with(|| (root, Used::of(process.pid, &stat)));
            }
            Some(root)
        };
        self.task = walk(task, &|_| true).or(self.task);
        // Daemons, then who has become one since: his parent ended before him.
        let roots = self.members.values().map(|(root, _)| root.pid);
        let all = self.members.keys().chain(&self.adrift).map(|p| p.pid);
        let mut open: Vec<i32> = others.iter().copied().chain(roots).collect();
        open.extend(all);
        for pid in open {
            // A number that was given to somebody else since is not ours, unless we were told that it is.
            walk(pid, &|p| {
                self.members.contains_key(p) || self.adrift.contains(p) || others.contains(&p.pid)
            });
        }
        // What a living process waited for is in its own account; what a daemon that ended had used was seen last.
        for (process, (root, used)) in &self.members {
            if Some(*root) != self.task && !now.contains_key(root) && !now.contains_key(process) {
                self.gone = self.gone.with(*used);
            }
        }
        self.adrift.clear();
        self.members = now;
        let together = self.sum(|_| true);
        self.peak_rss_kb = self.peak_rss_kb.max(together.rss_kb);
        self.peak_vm_kb = self.peak_vm_kb.max(together.vm_kb);
    }

    /// A daemon of the task ended, and this is what it used, what it had waited for included: its collector knows.
    pub fn collected(&mut self, process: Process, used: Used) {
        self.members.remove(&process);
        // What was below it has been waited for, or goes on.
        let below = |p: &Process, root: &Process| *root == process && *p != process;
        let adrift: Vec<Process> =
            self.members.iter().filter(|(p, (root, _))| below(p, root)).map(|(p, _)| *p).collect();
        self.members.retain(|p, _| !adrift.contains(p));
        self.adrift.extend(adrift);
        self.gone = self.gone.with(used);
    }

    /// Whether a process was seen as one of the task's.
    pub fn knows(&self, process: Process) -> bool {
        self.members.contains_key(&process) || self.adrift.contains(&process)
    }

    /// What the task used until it was looked at last.
    pub fn so_far(&self) -> Used {
        self.with_peaks(self.gone.with(self.sum(|_| true)))
    }

    /// What it used in all, now that its own process has ended; `own` is what is known of that.
    pub fn end(&self, own: Used) -> Used {
        let daemons = self.sum(|root| Some(root) != self.task);
        self.with_peaks(own.with(self.gone).with(Used { rss_kb: 0, ..daemons }))
    }

    /// What processes have used whose root is such a one, sizes added up.
    fn sum(&self, of: impl Fn(Process) -> bool) -> Used {
        let all = self.members.values().filter(|(root, _)| of(*root)).map(|(_, used)| *used);
        all.fold(Used::default(), Used::beside)
    }

    fn with_peaks(&self, used: Used) -> Used {
        Used { rss_kb: used.rss_kb.max(self.peak_rss_kb), vm_kb: used.vm_kb.max(self.peak_vm_kb), ..used }
    }
}

fn ticks_us(ticks: u64) -> u64 {
    // SAFETY: no pointers.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) }.max(1) as u64;
    ticks.saturating_mul(1_000_000 / per_second)
}

fn page_kb() -> u64 {
    // SAFETY: no pointers.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.max(1024) as u64 >> 10
}
