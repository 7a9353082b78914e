//! The way of [`Confine`](crate::confine::Confine) without control groups: processes of an attempt are those in the batch process's
//! group or session, its descendants, and those that carry the attempt's marks in their environment, with all
//! descendants of these. What has left all four is not found.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::BorrowedFd;

use crate::confine::{Confine, Marks, Target};
use crate::protocol::KillMode;
use crate::report::Attempt;
use crate::sys::{self, ProcStat};

/// Searches `/proc`.
pub struct Search {
    marks: Marks,
    reaper: i32,
    keeper: i32,
}

impl Search {
    /// For processes with these marks. `reaper` is where orphans go.
    pub fn new(marks: Marks, reaper: i32) -> Search {
        Search { marks, reaper, keeper: std::process::id() as i32 }
    }

    /// Whether anything but the keeper is among the reaper's children: that is where escaped processes end up. Spares a search
    /// through all of `/proc` at the end of every job. True where the kernel does not tell. Whose they are is left to the
    /// search: a process that is just executing another program has no environment for a moment. Looked at twice, since
    /// the list may miss one while others end (proc(5)).
    fn has_orphans(&self) -> bool {
        let path = format!("/proc/{0}/task/{0}/children", self.reaper);
        let keeper = self.keeper.to_string();
        (0..2).any(|_| match std::fs::read_to_string(&path) {
            Ok(children) => children.split_ascii_whitespace().any(|pid| pid != keeper),
            Err(_) => true,
        })
    }

    fn marked(&self, pid: i32, attempt: Attempt) -> bool {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let has = |mark: &Vec<u8>| environment.split(|b| *b == 0).any(|v| v == &mark[..]);
        self.marks.variables(attempt).iter().all(has)
    }

    fn find(&self, target: &Target) -> Vec<i32> {
        let all = processes();
        let mut found = BTreeSet::new();
        for (pid, stat) in &all {
            let of_batch = target.pid.is_some_and(|b| *pid == b || stat.pgrp == b || stat.session == b);
            if of_batch || (*pid != self.keeper && *pid != self.reaper && self.marked(*pid, target.attempt)) {
                found.insert(*pid);
            }
        }
        loop {
            let children =
                all.iter().filter(|(pid, stat)| found.contains(&stat.ppid) && !found.contains(pid));
            let children: Vec<i32> = children.map(|(pid, _)| *pid).collect();
            if children.is_empty() {
                break;
            }
            found.extend(children);
        }
        found.into_iter().collect()
    }
}

/// All processes that are not dead.
fn processes() -> Vec<(i32, ProcStat)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    let stats = pids.filter_map(|pid| Some((pid, sys::proc_stat(pid)?)));
    stats.filter(|(_, s)| !matches!(s.state, b'Z' | b'X')).collect()
}

impl Confine for Search {
    fn mode(&self) -> KillMode {
        KillMode::Search
    }

    fn ready(&mut self, _slot: usize) -> io::Result<bool> {
        Ok(true)
    }

    fn birthplace(&self, _slot: usize) -> Option<BorrowedFd<'_>> {
        None
    }

    fn enter(&self, _slot: usize) -> io::Result<()> {
        Ok(())
    }

    fn members(&mut self, target: &Target) -> Vec<i32> {
        self.find(target)
    }

    fn kill(&mut self, target: &Target) -> bool {
        if let Some(pid) = target.pid {
            sys::kill(-pid, libc::SIGKILL);
        }
        if target.ended && !self.has_orphans() {
            return true;
        }
        let mut nothing_left = true;
        // Several rounds at once: what was forked between looking and killing is found in the next.
        for _ in 0..4 {
            let found = self.find(target);
            if found.is_empty() {
                return nothing_left;
            }
            nothing_left = false;
            for pid in found {
                sys::kill(pid, libc::SIGKILL);
            }
        }
        false
    }

    fn dissolve(&mut self) {}
}
