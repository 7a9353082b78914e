//! A launch order: everything the keeper needs to start one batch process. Plain data, bytes where the system has bytes.

use crate::codec::{DecodeError, Reader, Writer};
use crate::report::Attempt;

/// Where a standard stream of the job comes from or goes to. Opened as the job's user, after the working directory is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stream {
    /// `/dev/null`.
    #[default]
    Null,
    /// A file to read from.
    Read(Vec<u8>),
    /// A file to write to, created with mode 0666 less the umask.
    Write {
        /// Path; relative ones start at the working directory.
        path: Vec<u8>,
        /// Append (Slurm's `--open-mode=append`, and what a requeue does) or truncate.
        append: bool,
    },
    /// For standard error only: the same open file as standard output.
    SameAsStdout,
}

/// How to obtain the user's login environment (what `--export=NONE` and name lists need).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginEnv {
    /// The user's login shell, an absolute path.
    pub shell: Vec<u8>,
    /// Environment given to the shell, `NAME=value` (HOME, USER, LOGNAME, SHELL, PATH at least). Used as it is when
    /// the shell fails or takes more than 20 s.
    pub base: Vec<Vec<u8>>,
}

/// Resource limits that go along with a job, in the order in which `sbatch -vv` tells them: Slurm's names and this
/// system's numbers.
pub const LIMITS: [(&str, u32); 10] = [
    ("CPU", libc::RLIMIT_CPU),
    ("FSIZE", libc::RLIMIT_FSIZE),
    ("DATA", libc::RLIMIT_DATA),
    ("STACK", libc::RLIMIT_STACK),
    ("CORE", libc::RLIMIT_CORE),
    ("RSS", libc::RLIMIT_RSS),
    ("NPROC", libc::RLIMIT_NPROC),
    ("NOFILE", libc::RLIMIT_NOFILE),
    ("MEMLOCK", libc::RLIMIT_MEMLOCK),
    ("AS", libc::RLIMIT_AS),
];

/// One resource limit. A hard limit above the keeper's own is cut to it where the keeper is not root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// `RLIMIT_*` number of this system.
    pub resource: u32,
    /// Soft limit, `u64::MAX` for none.
    pub soft: u64,
    /// Hard limit, likewise.
    pub hard: u64,
}

impl Limit {
    /// The calling process's limit of that number; none where the system knows no such limit.
    pub fn own(resource: u32) -> Option<Limit> {
        let mut own = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the pointer is that of a valid structure.
        let found = unsafe { libc::getrlimit(resource, &mut own) } == 0;
        found.then_some(Limit { resource, soft: own.rlim_cur, hard: own.rlim_max })
    }
}

/// Everything about one batch process. The launcher adds `BIVOUAC_ATTEMPT` and `BIVOUAC_KEEPER` to the environment,
/// by which processes that escaped every group are found again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaunchOrder {
    /// Which attempt; a known one is reported again, never started again.
    pub attempt: Attempt,
    /// User to run as. A keeper that is not root accepts its own only.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Supplementary groups (set by a root keeper only).
    pub groups: Vec<u32>,
    /// Program (a path, not searched for) and arguments; none: nothing is run, and the attempt lasts until it is killed, as
    /// the place of its steps.
    pub argv: Vec<Vec<u8>>,
    /// Replaces `argv[0]` as the program sees it; the path executed stays.
    pub argv0: Option<Vec<u8>>,
    /// Environment, `NAME=value`; laid over the login environment if that is asked for.
    pub env: Vec<Vec<u8>>,
    /// If set, the login environment is the base under `env`.
    pub login_env: Option<LoginEnv>,
    /// Working directory.
    pub cwd: Vec<u8>,
    /// Where to go if `cwd` cannot be entered; Slurm's message then goes to the job's standard error.
    pub fallback_cwd: Option<Vec<u8>>,
    /// Standard input.
    pub stdin: Stream,
    /// Standard output.
    pub stdout: Stream,
    /// Standard error.
    pub stderr: Stream,
    /// File mode creation mask.
    pub umask: u32,
    /// CPUs to run on, numbered as the kernel does; none: as the keeper.
    pub cpus: Option<Vec<u32>>,
    /// Added to the keeper's nice value.
    pub nice: i32,
    /// Encoded `Entry` of bivouac-view, applied before privileges are dropped.
    pub view: Option<Vec<u8>>,
    /// Job-local scratch folder as a path outside the view (at most [`MAX_SCRATCH`] bytes): made with mode 0700 for the
    /// user before the start, removed after the end.
    pub scratch: Option<Vec<u8>>,
    /// Resource limits to set.
    pub limits: Vec<Limit>,
    /// How often, in seconds, it is looked at what it uses; 0: only when it ends.
    pub gather: u32,
    /// Memory that all processes of the attempt together may have, bytes; none: as much as there is.
    pub memory: Option<u64>,
}

/// Longest scratch path: it must fit the attempt's slot in the journal.
pub const MAX_SCRATCH: usize = 1024;

impl LaunchOrder {
    /// What the journal keeps of the order: enough to clean up after a crash.
    pub fn traces(&self) -> Traces {
        Traces { uid: self.uid, gid: self.gid, scratch: self.scratch.clone(), memory: self.memory }
    }

    pub(crate) fn encode(&self, w: &mut Writer) {
        put_attempt(w, &self.attempt);
        w.u32(self.uid).u32(self.gid);
        w.list(&self.groups, |w, g| {
            w.u32(*g);
        });
        w.byte_list(&self.argv);
        w.option(&self.argv0, |w, a| {
            w.bytes(a);
        });
        w.byte_list(&self.env);
        w.option(&self.login_env, |w, l| {
            w.bytes(&l.shell).byte_list(&l.base);
        });
        w.bytes(&self.cwd);
        w.option(&self.fallback_cwd, |w, c| {
            w.bytes(c);
        });
        for s in [&self.stdin, &self.stdout, &self.stderr] {
            match s {
                Stream::Null => w.u8(0),
                Stream::Read(path) => w.u8(1).bytes(path),
                Stream::Write { path, append } => w.u8(2).bytes(path).bool(*append),
                Stream::SameAsStdout => w.u8(3),
            };
        }
        w.u32(self.umask);
        w.option(&self.cpus, |w, cpus| {
            w.list(cpus, |w, c| {
                w.u32(*c);
            });
        });
        w.i32(self.nice);
        w.option(&self.view, |w, v| {
            w.bytes(v);
        });
        w.option(&self.scratch, |w, s| {
            w.bytes(s);
        });
        w.list(&self.limits, |w, l| {
            w.u32(l.resource).u64(l.soft).u64(l.hard);
        });
        w.u32(self.gather);
        put_appended(w, self.memory);
    }

    pub(crate) fn decode(r: &mut Reader) -> Result<Self, DecodeError> {
        let order = LaunchOrder {
            attempt: get_attempt(r)?,
            uid: r.u32("uid")?,
            gid: r.u32("gid")?,
            groups: r.list("groups", |r| r.u32("group"))?,
            argv: r.byte_list("argv")?,
            argv0: r.option("argv0", |r| r.bytes("argv0"))?,
            env: r.byte_list("environment")?,
            login_env: r.option("login environment", |r| {
                Ok(LoginEnv { shell: r.bytes("login shell")?, base: r.byte_list("login base")? })
            })?,
            cwd: r.bytes("working directory")?,
            fallback_cwd: r.option("fallback directory", |r| r.bytes("fallback directory"))?,
            stdin: stream(r, "stdin")?,
            stdout: stream(r, "stdout")?,
            stderr: stream(r, "stderr")?,
            umask: r.u32("umask")?,
            cpus: r.option("cpus", |r| r.list("cpus", |r| r.u32("cpu")))?,
            nice: r.i32("nice")?,
            view: r.option("view", |r| r.bytes("view"))?,
            scratch: r.option("scratch", |r| r.bytes("scratch"))?,
            limits: r.list("limits", |r| {
                Ok(Limit { resource: r.u32("resource")?, soft: r.u64("limit")?, hard: r.u64("limit")? })
            })?,
            gather: r.u32("period of looking")?,
            memory: get_appended(r, "memory")?,
        };
        Ok(order)
    }

    /// Refuses what no launcher could carry out: NUL bytes, an overlong scratch path.
    pub fn validate(&self) -> Result<(), &'static str> {
        let strings =
            self.argv.iter().chain(&self.env).chain(&self.argv0).chain([&self.cwd]).chain(&self.fallback_cwd);
        let streams = [&self.stdin, &self.stdout, &self.stderr].into_iter().filter_map(|s| match s {
            Stream::Read(path) | Stream::Write { path, .. } => Some(path),
            _ => None,
        });
        let login = self.login_env.iter().flat_map(|l| l.base.iter().chain([&l.shell]));
        if strings.chain(streams).chain(login).chain(&self.scratch).any(|s| s.contains(&0)) {
            return Err("the order has a NUL byte in a path, an argument or the environment");
        }
        if self.scratch.as_ref().is_some_and(|s| s.len() > MAX_SCRATCH || !s.starts_with(b"/")) {
            return Err("the scratch path is not absolute or longer than 1024 bytes");
        }
        if matches!(self.stdin, Stream::SameAsStdout) || matches!(self.stdout, Stream::SameAsStdout) {
            return Err("only standard error can be the same as standard output");
        }
        Ok(())
    }
}

/// What is kept of an order in the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// User of the job.
    pub uid: u32,
    /// Group of the job.
    pub gid: u32,
    /// Scratch folder to remove at the end.
    pub scratch: Option<Vec<u8>>,
    /// Memory that its processes may have, bytes.
    pub memory: Option<u64>,
}

/// A last field that older programs do not know: absent, it takes no byte, so that they read all that has none.
pub(crate) fn put_appended(w: &mut Writer, field: Option<u64>) {
    if let Some(n) = field {
        w.u64(n);
    }
}

pub(crate) fn get_appended(r: &mut Reader, what: &'static str) -> Result<Option<u64>, DecodeError> {
    if r.is_at_end() { Ok(None) } else { r.u64(what).map(Some) }
}

pub(crate) fn put_attempt(w: &mut Writer, a: &Attempt) {
    w.u32(a.job).u32(a.restart);
}

pub(crate) fn get_attempt(r: &mut Reader) -> Result<Attempt, DecodeError> {
    Ok(Attempt { job: r.u32("job")?, restart: r.u32("restart")? })
}

fn stream(r: &mut Reader, what: &'static str) -> Result<Stream, DecodeError> {
    Ok(match r.u8(what)? {
        0 => Stream::Null,
        1 => Stream::Read(r.bytes(what)?),
        2 => Stream::Write { path: r.bytes(what)?, append: r.bool(what)? },
        3 => Stream::SameAsStdout,
        _ => return Err(DecodeError::Invalid(what)),
    })
}
