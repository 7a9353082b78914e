//! One process, and those below it, as `/proc` tells of them now.

use crate::parse::{self, Io, Stat};

/// A process that is never confused with a later one of the same number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// When it was started, in clock ticks since boot.
    pub start_ticks: u64,
}

/// A process now; none: there is none of that number.
pub fn process(pid: i32) -> Option<Stat> {
    parse::stat(&std::fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// What it has read and written. Nothing is told of other users' processes.
pub fn io_of(pid: i32) -> Option<Io> {
    parse::io(&std::fs::read(format!("/proc/{pid}/io")).ok()?)
}

/// The children of a process, those of all its threads.
pub fn children(pid: i32, threads: u32) -> Vec<i32> {
    let of = |thread: i32| std::fs::read(format!("/proc/{pid}/task/{thread}/children"));
    if threads <= 1 {
        return of(pid).map(|text| parse::pids(&text).collect()).unwrap_or_default();
    }
    let entries = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let threads = entries.filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    threads.filter_map(|thread| of(thread).ok()).flat_map(|t| parse::pids(&t).collect::<Vec<_>>()).collect()
}

/// A process and all below it, each with what it is now.
pub fn below(pid: i32) -> Vec<(Process, Stat)> {
    let mut found: Vec<(Process, Stat)> = Vec::new();
    let mut open = vec![pid];
    while let Some(pid) = open.pop() {
        // What is seen twice has moved while it was looked at.
        if found.iter().any(|(p, _)| p.pid == pid) {
            continue;
        }
        let Some(stat) = process(pid) else { continue };
        open.extend(children(pid, stat.threads));
        found.push((Process { pid, start_ticks: stat.start_ticks }, stat));
    }
    found
}
