//! The way of [`Confine`](crate::confine::Confine) without control groups: processes of an attempt are those in the batch process's
//! group or session, its descendants, and those that carry the attempt's marks in their environment, with all
//! descendants of these. What has left all four is not found.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::BorrowedFd;

use crate::confine::{Confine, Marks, Target};
use crate::protocol::KillMode;
use crate::report::Attempt;
use crate::sys;
use bivouac_gather::parse::Stat;

/// So often an orphan is looked at that seems to have no environment. A process that is just executing another program has none
/// for a moment; one that has none at all is not waited for.
const LOOKS: u32 = 8;

/// Searches `/proc`.
pub struct Search {
    marks: Marks,
    reaper: i32,
    keeper: i32,
    /// Orphans of which nobody can tell whose they are, and how often they were looked at.
    nameless: BTreeMap<i32, u32>,
}

impl Search {
    /// For processes with these marks. `reaper` is where orphans go.
    pub fn new(marks: Marks, reaper: i32) -> Search {
        Search { marks, reaper, keeper: std::process::id() as i32, nameless: BTreeMap::new() }
    }

    /// Whether anything but the keeper is among the reaper's children: that is where escaped processes end up. Spares a search
    /// through all of `/proc` at the end of every job. True where the kernel does not tell. Looked at twice, since the list may
    /// miss one while others end (proc(5)).
    fn has_orphans(&self) -> bool {
        let path = format!("/proc/{0}/task/{0}/children", self.reaper);
        let keeper = self.keeper.to_string();
        (0..2).any(|_| match std::fs::read_to_string(&path) {
            Ok(children) => children.split_ascii_whitespace().any(|pid| pid != keeper),
            Err(_) => true,
        })
    }

    /// Whether there is an orphan of which it may yet be seen whose it is.
    fn has_nameless(&mut self) -> bool {
        let mut orphans = bivouac_gather::children(self.reaper, 1);
        orphans.retain(|pid| *pid != self.keeper && is_nameless(*pid));
        self.nameless.retain(|pid, _| orphans.contains(pid));
        orphans.iter().fold(false, |before, pid| {
            let looks = self.nameless.entry(*pid).or_default();
            *looks += 1;
            before || *looks < LOOKS
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

/// Whether a process that is not dead has no environment.
fn is_nameless(pid: i32) -> bool {
    std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| environment.is_empty())
        && bivouac_gather::process(pid).is_some_and(|stat| is_alive(&stat))
}

fn is_alive(stat: &Stat) -> bool {
    !matches!(stat.state, b'Z' | b'X')
}

/// All processes that are not dead.
fn processes() -> Vec<(i32, Stat)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    let stats = pids.filter_map(|pid| Some((pid, bivouac_gather::process(pid)?)));
    stats.filter(|(_, s)| is_alive(s)).collect()
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

    fn owns(&self, target: &Target, pid: i32) -> bool {
        self.marked(pid, target.attempt)
    }

    fn cpu_us(&mut self, _slot: usize) -> Option<(u64, u64)> {
        None
    }

    fn kill(&mut self, target: &Target) -> bool {
        if let Some(pid) = target.pid {
            sys::kill(-pid, libc::SIGKILL);
        }
        if target.ended && !self.has_orphans() {
            return true;
        }
        // Before the search, or what got its environment in between would be missed.
        let has_nameless = self.has_nameless();
        let mut nothing_left = true;
        // Several rounds at once: what was forked between looking and killing is found in the next.
        for _ in 0..4 {
            let found = self.find(target);
            if found.is_empty() {
                return nothing_left && !has_nameless;
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
