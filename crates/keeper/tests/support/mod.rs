//! A real keeper in a temporary folder, and what tests ask of it.
#![allow(dead_code, missing_docs)]

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bivouac_keeper::client::Client;
use bivouac_keeper::confine::Marks;
use bivouac_keeper::order::{LaunchOrder, Stream};
use bivouac_keeper::protocol::{FromKeeper, Scope, ToKeeper, Welcome};
use bivouac_keeper::report::{Attempt, AttemptStatus, ExitReport, Used};
use bivouac_keeper::sys;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_bivouac-keeper");
/// Generous: tests wait for events and fail only if one never comes.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Camp {
    pub root: tempfile::TempDir,
    pub dir: PathBuf,
    mode: Option<&'static str>,
}

pub fn attempt(job: u32) -> Attempt {
    Attempt { job, restart: 0 }
}

impl Camp {
    pub fn new() -> Camp {
        Camp::with(None, "state").expect("a keeper without a wanted kill mode starts anywhere")
    }

    /// With a kill mode; `None` if it is not usable on this machine.
    pub fn with_mode(mode: &'static str) -> Option<Camp> {
        Camp::with(Some(mode), "state")
    }

    pub fn with(mode: Option<&'static str>, name: &str) -> Option<Camp> {
        let root = tempfile::tempdir().unwrap();
        // Jobs of other users get there as well.
        std::fs::set_permissions(root.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let dir = root.path().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o700)).unwrap();
        let camp = Camp { root, dir, mode };
        if !camp.start("") {
            camp.wait_gone();
            return None;
        }
        Some(camp)
    }

    /// Starts reaper and keeper; `before` is shell text run first, such as a ulimit.
    pub fn start(&self, before: &str) -> bool {
        self.try_start(before).is_ok()
    }

    pub fn try_start(&self, before: &str) -> Result<(), String> {
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(format!("{before}\nexec \"$0\" reaper --state-dir \"$1\""))
            .arg(PROGRAM)
            .arg(&self.dir);
        command.env_remove("BIVOUAC_KILL_MODE").env("BIVOUAC_TEST", "kept").stdin(Stdio::null());
        if let Some(mode) = self.mode {
            command.env("BIVOUAC_KILL_MODE", mode);
        }
        let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(text) }
    }

    /// Connects, waiting for a keeper that is being restarted.
    pub fn connect(&self) -> (Link, Welcome) {
        self.connect_with(vec![])
    }

    pub fn connect_with(&self, respawn: Vec<Vec<u8>>) -> (Link, Welcome) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match Client::connect(&self.dir, respawn.clone()) {
                Ok((client, welcome)) => {
                    client.receiver.set_timeout(Some(PATIENCE)).unwrap();
                    return (Link(client), welcome);
                }
                Err(e) if Instant::now() > deadline => panic!("no connection: {e}\n{}", self.log()),
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("keeper.log")).unwrap_or_default()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// An order that runs a shell text in the camp's root, output to `out-JOB`.
    pub fn order(&self, job: u32, script: &str) -> LaunchOrder {
        // SAFETY: no arguments.
        let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
        let out = self.path(&format!("out-{job}"));
        LaunchOrder {
            attempt: attempt(job),
            uid,
            gid,
            argv: ["/bin/sh", "-c", script].iter().map(|a| a.as_bytes().to_vec()).collect(),
            env: vec![
                b"PATH=/usr/local/bin:/usr/bin:/bin".to_vec(),
                format!("SLURM_JOB_ID={job}").into_bytes(),
            ],
            cwd: self.root.path().as_os_str().as_bytes().to_vec(),
            stdout: Stream::Write { path: out.as_os_str().as_bytes().to_vec(), append: false },
            stderr: Stream::SameAsStdout,
            umask: 0o022,
            ..Default::default()
        }
    }

    /// Processes that carry this camp's mark.
    pub fn marked(&self) -> Vec<i32> {
        let mark = format!("BIVOUAC_KEEPER={}", Marks::of(&self.dir).unwrap().keeper).into_bytes();
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
        pids.filter(|pid| {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|b| *b == 0).any(|v| v == mark) && lives(*pid)
        })
        .collect()
    }

    /// Keeper and reaper of this state folder.
    pub fn daemons(&self) -> Vec<i32> {
        let dir = std::fs::canonicalize(&self.dir).unwrap();
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
        pids.filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|b| *b == 0).any(|w| w == dir.as_os_str().as_bytes()) && lives(*pid)
        })
        .collect()
    }

    pub fn wait_gone(&self) {
        until("keeper and reaper end", || self.daemons().is_empty());
    }
}

impl Drop for Camp {
    fn drop(&mut self) {
        let failing = std::thread::panicking();
        if !failing && !self.daemons().is_empty() {
            let (mut link, _) = self.connect();
            link.send(ToKeeper::Shutdown { cancel: true });
            drop(link);
            self.wait_gone();
        }
        let left: Vec<i32> = self.marked().into_iter().chain(self.daemons()).collect();
        left.iter().for_each(|pid| drop(sys::pidfd_open(*pid).map(|_| sys::kill(*pid, libc::SIGKILL))));
        if failing {
            eprintln!("log of the keeper:\n{}", self.log());
        } else {
            assert!(left.is_empty(), "processes left behind: {left:?}\n{}", self.log());
        }
    }
}

/// An accepted connection.
pub struct Link(pub Client);

impl Link {
    pub fn send(&mut self, message: ToKeeper) {
        self.0.sender.send(&message).unwrap();
    }

    pub fn launch(&mut self, order: LaunchOrder) {
        self.send(ToKeeper::Launch(Box::new(order)));
    }

    pub fn receive(&mut self) -> FromKeeper {
        self.0.receiver.receive().unwrap()
    }

    /// Waits until the keeper has handled everything sent so far.
    pub fn settle(&mut self) {
        let nobody = Attempt { job: u32::MAX, restart: u32::MAX };
        self.send(ToKeeper::Signal { attempt: nobody, signal: 0, scope: Scope::BatchOnly });
        while self.receive() != (FromKeeper::Unknown { attempt: nobody }) {}
    }

    /// Waits until the keeper says that the process exists.
    pub fn launched(&mut self, wanted: Attempt) -> i32 {
        loop {
            match self.receive() {
                FromKeeper::Launched { attempt, pid, .. } if attempt == wanted => return pid,
                FromKeeper::LaunchFailed { failure, .. } => panic!("launch failed: {failure:?}"),
                _ => {}
            }
        }
    }

    /// Waits for the end of an attempt, and acknowledges it.
    pub fn exited(&mut self, wanted: Attempt) -> ExitReport {
        loop {
            match self.receive() {
                FromKeeper::Exited(report) if report.attempt == wanted => {
                    self.send(ToKeeper::Ack { attempt: wanted });
                    return report;
                }
                FromKeeper::LaunchFailed { attempt, failure } if attempt == wanted => {
                    panic!("launch failed: {failure:?}")
                }
                FromKeeper::Unknown { attempt } if attempt == wanted => panic!("{attempt} is lost"),
                _ => {}
            }
        }
    }

    /// What an attempt uses now, and its processes.
    pub fn measure(&mut self, job: u32) -> (Used, Vec<i32>) {
        self.send(ToKeeper::Measure { attempt: attempt(job) });
        loop {
            match self.receive() {
                FromKeeper::Measured { attempt: of, used, pids } if of == attempt(job) => {
                    return (used, pids);
                }
                _ => {}
            }
        }
    }

    pub fn run(&mut self, order: LaunchOrder) -> ExitReport {
        let attempt = order.attempt;
        self.launch(order);
        self.exited(attempt)
    }
}

/// The end of an attempt, from a Welcome or, if it is not there yet, from the link.
pub fn end_of(link: &mut Link, welcome: &Welcome, wanted: Attempt) -> ExitReport {
    match welcome.attempts.iter().find(|(a, _)| *a == wanted).map(|(_, s)| s) {
        Some(AttemptStatus::Exited(report)) => {
            link.send(ToKeeper::Ack { attempt: wanted });
            report.clone()
        }
        Some(AttemptStatus::Running { .. }) => link.exited(wanted),
        other => panic!("attempt {wanted} is {other:?}"),
    }
}

pub fn lives(pid: i32) -> bool {
    bivouac_gather::process(pid).is_some_and(|s| !matches!(s.state, b'Z' | b'X'))
}

/// Waits for something that gives no event of its own.
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// kill -9, and waits until it has taken effect.
pub fn slay(pid: i32) {
    assert!(sys::kill(pid, libc::SIGKILL));
    until("a killed process ends", || !lives(pid));
}

/// A named pipe by which a test holds a job up and lets it go on.
pub struct Gate(PathBuf);

impl Gate {
    pub fn new(path: PathBuf) -> Gate {
        let name = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: a valid string.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o666) }, 0);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        Gate(path)
    }

    /// Shell text that waits.
    pub fn wait(&self) -> String {
        format!("read x < '{}'", self.0.display())
    }

    /// Lets one waiting job go on, once it waits.
    pub fn open(&self) {
        std::fs::write(&self.0, "go\n").unwrap();
    }
}

pub fn bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}
