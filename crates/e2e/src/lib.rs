//! The end-to-end tests' ground: a cluster of its own in a temporary folder, used by the real commands.
//!
//! Owns the set-up and the clean-up: when a [`Camp`] is dropped, its cluster is stopped and it is checked that no process
//! of it is left. Must never look into the programs: what a test sees is what a user sees. The programs are those that
//! `cargo build --workspace` made; `cargo xtask test` does that first.

pub mod screen;

use bivouac_proto::client::Client;
use bivouac_proto::message::{Ask, Response, Status};
use bivouac_proto::place::Place;
use bivouac_types::{ExitStatus, JobId};
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. Generous: machines are busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// An account without rights, made by the tests' set-up.
pub const ORDINARY_USER: &str = "camper";

/// A cluster of its own.
pub struct Camp {
    dir: tempfile::TempDir,
    cluster: String,
    user: Option<(u32, u32)>,
    extra: Vec<(String, String)>,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Said {
    /// Exit code; 128 + signal if a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// The output of a command that must have succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "it failed: {self:?}");
        self.out
    }
}

/// The folder of the programs under test.
pub fn programs() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    // target/PROFILE/deps/TEST
    let dir = own.parent().and_then(Path::parent).unwrap().to_owned();
    for name in ["bivouac", "bivouacd", "bivouac-keeper"] {
        assert!(
            dir.join(name).exists(),
            "{} is missing: run `cargo build --workspace` first",
            dir.join(name).display()
        );
    }
    dir
}

impl Camp {
    /// A camp whose cluster is not started yet: the first command does it.
    pub fn new() -> Camp {
        let dir = tempfile::Builder::new().prefix("bivouac-e2e.").tempdir().unwrap();
        let camp = Camp { dir, cluster: "test".into(), user: None, extra: Vec::new() };
        for folder in ["bin", "state", "work", "home"] {
            std::fs::create_dir(camp.path(folder)).unwrap();
        }
        camp.bivouac(["link", camp.path("bin").to_str().unwrap()]).ok();
        camp
    }

    /// A camp of the ordinary user that `cargo xtask test` makes for this when it runs as root; none, said loudly, where
    /// there is no such user.
    pub fn of_ordinary_user() -> Option<Camp> {
        let mut camp = Camp::new();
        let id = |flag: &str| camp.run("id", [flag, ORDINARY_USER]).out.trim().parse().ok();
        let (Some(uid), Some(gid), true) = (id("-u"), id("-g"), is_root()) else {
            eprintln!("SKIPPED: this needs root and the user {ORDINARY_USER}, whom `cargo xtask test` makes");
            return None;
        };
        for folder in ["", "bin", "state", "work", "home"] {
            std::os::unix::fs::chown(camp.path(folder), Some(uid), Some(gid)).unwrap();
        }
        camp.user = Some((uid, gid));
        Some(camp)
    }

    /// A camp in which every command has this variable.
    pub fn with(mut self, name: &str, value: &str) -> Camp {
        self.extra.push((name.into(), value.into()));
        self
    }

    /// A path in the camp.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(relative)
    }

    /// The cluster's place.
    pub fn place(&self) -> Place {
        Place {
            cluster: self.cluster.clone(),
            state_dir: self.path("state").join(&self.cluster),
            inside: false,
        }
    }

    /// A command, not yet started, in the folder `work`.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let name = program.as_ref();
        let link = self.path("bin").join(name);
        let mut command = Command::new(if link.exists() { link.as_os_str() } else { name });
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", self.path("bin").display());
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path("home"))
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .env("BIVOUAC_STATE_DIR", self.path("state"))
            .env("BIVOUAC_CLUSTER", &self.cluster)
            .envs(self.extra.iter().map(|(k, v)| (k, v)))
            .current_dir(self.path("work"))
            .stdin(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Runs a command to its end.
    pub fn run<A: AsRef<OsStr>>(&self, program: &str, args: impl IntoIterator<Item = A>) -> Said {
        said(self.command(program).args(args).output().unwrap())
    }

    /// Runs a command with this standard input.
    pub fn feed<A: AsRef<OsStr>>(
        &self,
        program: &str,
        args: impl IntoIterator<Item = A>,
        input: &str,
    ) -> Said {
        let mut child = self
            .command(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that refuses its options does not read; that is no error here.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        said(child.wait_with_output().unwrap())
    }

    /// Runs `bivouac VERB...`.
    pub fn bivouac<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Said {
        let link = self.path("bin/bivouac");
        let program = if link.exists() { link } else { programs().join("bivouac") };
        said(self.command(program).args(args).output().unwrap())
    }

    /// Writes a file in the folder `work`.
    pub fn file(&self, name: &str, contents: &str) -> PathBuf {
        let path = self.path("work").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, contents).unwrap();
        if let Some((uid, gid)) = self.user {
            std::os::unix::fs::chown(&path, Some(uid), Some(gid)).unwrap();
        }
        path
    }

    /// A file's contents in the folder `work`.
    #[track_caller]
    pub fn read(&self, name: &str) -> String {
        let path = self.path("work").join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Submits with `sbatch --parsable`.
    #[track_caller]
    pub fn sbatch<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> u32 {
        let args: Vec<_> = args.into_iter().map(|a| a.as_ref().to_owned()).collect();
        let out = said(self.command("sbatch").arg("--parsable").args(args).output().unwrap()).ok();
        out.trim().parse().unwrap_or_else(|_| panic!("no job id: {out}"))
    }

    /// Waits for a job's end, over restarts of the controller, and gives the highest exit status.
    #[track_caller]
    pub fn wait(&self, job: u32) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let Ok(mut client) = Client::connect(&self.place()) else {
                // A controller that was killed is brought back by the keeper, or by the next command.
                let _ = self.run("squeue", ["-h"]);
                continue;
            };
            match client.call(Ask::WaitEnd(JobId(job))) {
                Ok(Response::Ended { exit }) => return exit,
                Ok(other) => panic!("job {job}: {other:?}"),
                Err(_) => {}
            }
        }
        panic!("job {job} did not end in time: {:?}", self.run("squeue", ["-l"]));
    }

    /// What `sacct -n -P -X -o State` says of a job.
    #[track_caller]
    pub fn state(&self, job: u32) -> String {
        let out = self.run("sacct", ["-n", "-P", "-X", "-o", "State", "-j", &job.to_string()]).ok();
        out.trim().to_owned()
    }

    /// Waits until something holds. Only for what no command can wait for.
    #[track_caller]
    pub fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let until = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < until, "in vain: {what}; queue: {:?}", self.run("squeue", ["-l"]));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Has a requeued job start at once, as soon as it waits for its time.
    #[track_caller]
    pub fn start_again(&self, job: u32) {
        let text = job.to_string();
        self.until("it waits again", || {
            self.run("squeue", ["-h", "-o", "%r", "-j", &text]).out == "BeginTime\n"
        });
        self.run("scontrol", ["update", &format!("JobId={text}"), "StartTime=now"]).ok();
    }

    /// What `bivouac status` knows; starts nothing.
    pub fn status(&self) -> Option<Status> {
        let mut client = Client::connect(&self.place()).ok()?;
        match client.call(Ask::Status) {
            Ok(Response::Status(s)) => Some(*s),
            _ => None,
        }
    }

    /// The status once controller, keeper and reaper are all there.
    #[track_caller]
    pub fn complete_status(&self) -> Status {
        self.status_without(0)
    }

    /// The status once controller, keeper and reaper are all there and none of them is the process `gone`.
    #[track_caller]
    pub fn status_without(&self, gone: u32) -> Status {
        let mut status = None;
        let there = |pid: u32| pid != gone && alive(pid);
        self.until("controller, keeper and reaper are there", || {
            status = self.status().filter(|s| {
                [Some(s.controller_pid), s.keeper_pid, s.reaper_pid].iter().all(|p| p.is_some_and(there))
            });
            status.is_some()
        });
        status.unwrap()
    }

    /// Processes that belong to this camp: their command line or environment names its folder.
    pub fn processes(&self) -> Vec<(u32, String)> {
        let mark = self.dir.path().to_str().unwrap().to_owned();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
            if pid == std::process::id() {
                continue;
            }
            let text = |file: &str| {
                let bytes = std::fs::read(entry.path().join(file)).unwrap_or_default();
                String::from_utf8_lossy(&bytes).replace('\0', " ")
            };
            let line = text("cmdline");
            if line.contains(&mark) || text("environ").contains(&mark) {
                found.push((pid, line));
            }
        }
        found
    }
}

impl Default for Camp {
    fn default() -> Self {
        Camp::new()
    }
}

impl Drop for Camp {
    fn drop(&mut self) {
        let down = self.bivouac(["down", "--cancel"]);
        let until = Instant::now() + PATIENCE;
        let mut left = self.processes();
        while !left.is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
            left = self.processes();
        }
        for (pid, _) in &left {
            kill(*pid, libc::SIGKILL);
        }
        if std::thread::panicking() {
            let log =
                std::fs::read_to_string(self.place().state_dir.join("bivouacd.log")).unwrap_or_default();
            eprintln!("--- bivouacd.log\n{log}--- end");
        } else {
            assert!(left.is_empty(), "processes were left: {left:?}; down said {down:?}");
        }
    }
}

/// Sends a signal; a process that is gone is no error.
pub fn kill(pid: u32, signal: i32) {
    // SAFETY: no preconditions.
    unsafe { libc::kill(pid as i32, signal) };
}

/// Whether a process is there (a zombie is not).
pub fn alive(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    !matches!(stat.rsplit(')').next().map(|s| s.trim().as_bytes().first().copied()), Some(Some(b'Z' | b'X')))
}

/// Whether the tests run as root.
pub fn is_root() -> bool {
    // SAFETY: no preconditions.
    unsafe { libc::geteuid() == 0 }
}

fn said(output: Output) -> Said {
    use std::os::unix::process::ExitStatusExt;
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    Said {
        code: output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0)),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}

/// Chance for tests, the same for the same seed. Xorshift: enough to be different with every seed.
pub struct Dice(u64);

impl Dice {
    /// Dice of a seed.
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    /// One of several.
    pub fn of<T: Clone>(&mut self, several: &[T]) -> Option<T> {
        let n = several.len() as u64;
        (n > 0).then(|| several[self.below(n) as usize].clone())
    }
}
