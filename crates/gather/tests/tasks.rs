//! Real processes, and what a gauge makes of them.

use bivouac_gather::{Gauge, Process, Used, io_of, process};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

/// A shell that does what it is told, line by line, and answers each line with one.
struct Shell {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Shell {
    fn new() -> Shell {
        let mut command = Command::new("bash");
        command.args(["--norc", "-c", "while read -r line; do eval \"$line\"; echo done; done"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Shell { child, answers }
    }

    fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Does a line; what it says before it is done.
    fn does(&mut self, line: &str) -> String {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
        let mut said = String::new();
        loop {
            let mut answer = String::new();
            self.answers.read_line(&mut answer).unwrap();
            match answer.as_str() {
                "done\n" | "" => return said.trim().to_owned(),
                more => said += more,
            }
        }
    }

    /// Ends it and gives what wait(2) and its zombie tell.
    fn end(mut self) -> Used {
        drop(self.child.stdin.take());
        // SAFETY: zeroed records are valid values to be filled in, and all pointers are valid for the calls.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            libc::waitid(libc::P_PID, self.child.id(), &mut info, libc::WEXITED | libc::WNOWAIT);
            let io = io_of(self.pid()).unwrap_or_default();
            let mut usage: libc::rusage = std::mem::zeroed();
            libc::wait4(self.pid(), std::ptr::null_mut(), 0, &mut usage);
            Used { read: io.read, written: io.written, ..Used::of_rusage(&usage) }
        }
    }
}

/// About half a second of CPU time.
const BUSY: &str = "i=0; while ((i < 300000)); do ((i++)); done";

fn cpu(used: Used) -> u64 {
    used.user_us + used.system_us
}

#[test]
fn what_was_waited_for_counts_once() {
    let mut shell = Shell::new();
    let mut gauge = Gauge::default();
    gauge.look(shell.pid(), &[]);
    shell.does(&format!("bash -c '{BUSY}' & p=$!; wait $p"));
    gauge.look(shell.pid(), &[]);
    let before = cpu(gauge.so_far());
    assert!(before > 50_000, "{before}");
    shell.does("head -c 300000 /dev/zero | cat >/dev/null");
    gauge.look(shell.pid(), &[]);
    let so_far = gauge.so_far();
    assert!(so_far.read >= 600_000 && so_far.written >= 600_000, "{so_far:?}");
    let end = gauge.end(shell.end());
    assert!(cpu(end) >= before && cpu(end) < 2 * before + 500_000, "{end:?} after {before}");
    assert!(end.read >= so_far.read && end.rss_kb > 1000 && end.vm_kb > end.rss_kb, "{end:?}");
}

#[test]
fn daemons_are_followed_until_they_end() {
    let mut shell = Shell::new();
    let mut gauge = Gauge::default();
    let fifo = tempfile::tempdir().unwrap();
    let path = fifo.path().join("go");
    shell.does(&format!("mkfifo {}", path.display()));
    // A grandchild that works, and then waits to be told to end; its parent waits too.
    let daemon = format!("{BUSY}; read < {}", path.display());
    shell.does(&format!(
        "bash -c 'bash -c \"{daemon}\" >/dev/null & echo $! > {}.pid; wait' & middle=$!",
        path.display()
    ));
    let wait_for = |file: &std::path::Path| loop {
        match std::fs::read_to_string(file) {
            Ok(text) if text.ends_with('\n') => break text.trim().parse::<i32>().unwrap(),
            _ => std::thread::yield_now(),
        }
    };
    let daemon = wait_for(&path.with_extension("pid"));
    let name = Process { pid: daemon, start_ticks: process(daemon).unwrap().start_ticks };
    while cpu(gauge.so_far()) < 100_000 {
        gauge.look(shell.pid(), &[]);
        std::thread::yield_now();
    }
    assert!(gauge.knows(name));
    // Its parent ends: it is a daemon now.
    shell.does("kill -9 $middle; wait $middle 2>/dev/null; true");
    while process(daemon).is_some_and(|s| s.state == b'R') {
        gauge.look(shell.pid(), &[]);
        std::thread::yield_now();
    }
    gauge.look(shell.pid(), &[]);
    assert!(gauge.knows(name), "it is followed although it is nobody's child of ours");
    let of_daemon = {
        let stat = process(daemon).unwrap();
        (stat.user_ticks + stat.system_ticks) * 10_000
    };
    let so_far = cpu(gauge.so_far());
    assert!(so_far >= of_daemon && so_far < of_daemon + 500_000, "{so_far} of {of_daemon}");
    shell.does(&format!("echo > {}", path.display()));
    while process(daemon).is_some_and(|s| s.state != b'Z') {
        std::thread::yield_now();
    }
    gauge.look(shell.pid(), &[]);
    let end = cpu(gauge.end(shell.end()));
    assert!(end >= of_daemon && end < of_daemon + 500_000, "{end} of {of_daemon}");
}

#[test]
fn sizes_are_those_of_all_together() {
    let mut shell = Shell::new();
    let mut gauge = Gauge::default();
    gauge.look(shell.pid(), &[]);
    let alone = gauge.so_far();
    shell.does("for n in 1 2 3; do sleep 100 & done");
    gauge.look(shell.pid(), &[]);
    let four = gauge.so_far();
    assert!(four.vm_kb > alone.vm_kb && four.rss_kb > alone.rss_kb, "{alone:?} {four:?}");
    shell.does("kill $(jobs -p); wait");
    gauge.look(shell.pid(), &[]);
    assert_eq!(gauge.so_far().vm_kb, four.vm_kb, "the peak stays");
    let _ = shell.end();
}

#[test]
fn what_a_collector_tells_of_a_daemon_replaces_what_was_seen() {
    let mut gauge = Gauge::default();
    let shell = Shell::new();
    let other = Shell::new();
    gauge.look(shell.pid(), &[other.pid()]);
    let name = Process { pid: other.pid(), start_ticks: process(other.pid()).unwrap().start_ticks };
    assert!(gauge.knows(name));
    let used = Used { user_us: 7_000_000, read: 5, ..Used::default() };
    gauge.collected(name, used);
    let _ = other.end();
    let end = gauge.end(shell.end());
    assert!(cpu(end) >= 7_000_000 && cpu(end) < 8_000_000, "{end:?}");
    assert!(!gauge.knows(name));
}
