//! Programs of slurm.conf that run around jobs: Prolog, Epilog, PrologSlurmctld, EpilogSlurmctld and MailProg.
//!
//! Each runs beside the controller, on a thread of its own, as the cluster's owner; the controller never waits for
//! one. A launch order goes to the keeper only after the prologs of its attempt have succeeded, so that the keeper's
//! promise (a script runs at most once) is not touched: before that, the attempt is one that was never asked for. If
//! the controller dies while a prolog runs, the prolog dies with it and is run again, as in Slurm.

use crate::clock;
use crate::controller::{Controller, Turn};
use crate::mailbox::Mail;
use bivouac_core::{Caller, Command};
use bivouac_types::hostlist::compress;
use bivouac_types::info::JobInfo;
use bivouac_types::node::{NodeChange, NodeOrder};
use bivouac_types::{Attempt, Gid, Now, Uid};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command as Process, Stdio};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// What runs at most that many at a time; further ones wait for their turn on the threads that there are.
const AT_ONCE: usize = 64;

/// One program to run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub program: String,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    /// The node it is for; none for one that belongs to the controller.
    pub node: Option<String>,
}

/// How the programs of an attempt went.
#[derive(Debug)]
pub enum Ran {
    /// The prologs: what failed first, if anything did.
    Prolog(Attempt, Option<Failed>),
    /// An epilog failed.
    Epilog(Failed),
}

/// A program that did not succeed.
#[derive(Debug)]
pub struct Failed {
    program: String,
    /// The node it was for.
    node: Option<String>,
    how: String,
}

/// What is known of attempts' programs. Nothing of it is stored: what is not known is done again.
pub(crate) struct Programs {
    owner: Sender<Mail>,
    running: BTreeSet<Attempt>,
    /// Prologs that succeeded.
    done: BTreeSet<Attempt>,
    /// Jobs as they were launched: what their epilogs need.
    begun: BTreeMap<Attempt, JobInfo>,
}

impl Programs {
    pub fn new(owner: Sender<Mail>) -> Programs {
        Programs { owner, running: BTreeSet::new(), done: BTreeSet::new(), begun: BTreeMap::new() }
    }
}

impl Controller {
    /// Whether the attempt may be launched: its prologs are over. Else they are started, if they do not run already.
    pub(crate) fn prologs_are_over(&mut self, attempt: Attempt) -> bool {
        let p = &self.config.parameters.programs;
        if p.prolog.is_empty()
            && p.prolog_slurmctld.is_empty()
            && p.epilog.is_empty()
            && p.epilog_slurmctld.is_empty()
        {
            return true;
        }
        if self.programs.done.contains(&attempt) {
            return true;
        }
        let now = self.clock.now();
        let alive = |j: &&bivouac_core::Job| j.attempt() == attempt && j.run().is_some();
        if self.programs.running.contains(&attempt) || self.cluster.job(attempt.job).filter(alive).is_none() {
            return false;
        }
        let Some(row) = self.row(attempt.job, now) else { return false };
        let mut runs =
            self.runs(&self.config.parameters.programs.prolog_slurmctld, &row, "prolog_slurmctld", None);
        // The batch script's node, as Slurm without PrologFlags=Alloc.
        let all = self.config.parameters.given.get("PrologFlags").is_some_and(|f| f.contains("Alloc"));
        for node in row.nodes.iter().take(if all { row.nodes.len() } else { 1 }) {
            runs.extend(self.runs(
                &self.config.parameters.programs.prolog,
                &row,
                "prolog_slurmd",
                Some(&node.node),
            ));
        }
        self.programs.begun.insert(attempt, row);
        if runs.is_empty() {
            self.programs.done.insert(attempt);
            return true;
        }
        self.programs.running.insert(attempt);
        let timeout = self.config.parameters.programs.timeout;
        let owner = self.programs.owner.clone();
        std::thread::spawn(move || {
            let failed = runs.iter().find_map(|run| execute(run, timeout.map(std_time)).err());
            let _ = owner.send(Mail::Ran(Ran::Prolog(attempt, failed)));
        });
        false
    }

    /// An attempt is over and forgotten by the keeper: the epilogs follow.
    pub(crate) fn epilogs(&mut self, attempt: Attempt) {
        self.programs.done.remove(&attempt);
        self.programs.running.remove(&attempt);
        let begun = self.programs.begun.remove(&attempt);
        let p = &self.config.parameters.programs;
        if p.epilog.is_empty() && p.epilog_slurmctld.is_empty() {
            return;
        }
        // An ended job's row knows its nodes; a requeued one's is what it was when it began.
        let ended =
            self.row(attempt.job, self.clock.now()).filter(|r| r.state.is_ended() && !r.nodes.is_empty());
        let Some(row) = ended.or(begun) else { return };
        let mut runs = Vec::new();
        for node in &row.nodes {
            runs.extend(self.runs(
                &self.config.parameters.programs.epilog,
                &row,
                "epilog_slurmd",
                Some(&node.node),
            ));
        }
        runs.extend(self.runs(
            &self.config.parameters.programs.epilog_slurmctld,
            &row,
            "epilog_slurmctld",
            None,
        ));
        let timeout = self.config.parameters.programs.timeout;
        let owner = self.programs.owner.clone();
        std::thread::spawn(move || {
            for run in &runs {
                if let Err(failed) = execute(run, timeout.map(std_time)) {
                    let _ = owner.send(Mail::Ran(Ran::Epilog(failed)));
                }
            }
        });
    }

    /// Runs a program and forgets it.
    pub(crate) fn run_aside(&self, run: Run) {
        std::thread::spawn(move || {
            if let Err(failed) = execute(&run, Some(Duration::from_secs(60))) {
                say!("{}: {} {}", clock::wall().as_secs(), failed.program, failed.how);
            }
        });
    }

    /// A program of a job has ended.
    pub(crate) fn ran(&mut self, turn: &mut Turn, ran: Ran, now: Now) {
        match ran {
            Ran::Prolog(attempt, None) => {
                if self.programs.running.remove(&attempt) {
                    self.programs.done.insert(attempt);
                    self.try_later(attempt);
                }
            }
            Ran::Prolog(attempt, Some(failed)) => {
                self.programs.running.remove(&attempt);
                self.programs.begun.remove(&attempt);
                say!("{}: job {}: {} {}", now.wall.as_secs(), attempt.job, failed.program, failed.how);
                // Only a node's prolog says that something is wrong with the node. The job is held in any case: on one
                // machine it would fail again at once, and for ever.
                if let Some(node) = failed.node {
                    self.drain(turn, node, "Prolog error", now);
                }
                let _ = self.command(turn, Command::PrologFailed { attempt }, now);
            }
            Ran::Epilog(failed) => {
                say!("{}: {} {}", now.wall.as_secs(), failed.program, failed.how);
                if let Some(node) = failed.node {
                    self.drain(turn, node, "Epilog error", now);
                }
            }
        }
    }

    fn drain(&mut self, turn: &mut Turn, node: String, why: &str, now: Now) {
        let caller = Caller {
            uid: Uid::ROOT,
            gid: Gid(0),
            user: "root".into(),
            group: "root".into(),
            groups: Vec::new(),
            operator: true,
        };
        let changes = vec![NodeChange::State(NodeOrder::Drain), NodeChange::Reason(why.to_owned())];
        let command = Command::UpdateNodes { caller, nodes: vec![node.clone()], changes };
        if let Err(e) = self.command(turn, command, now) {
            say!("{}: node {node} is not drained: {e}", now.wall.as_secs());
        }
    }

    fn runs(&self, programs: &[String], row: &JobInfo, context: &str, node: Option<&str>) -> Vec<Run> {
        let run = |program: &String| Run {
            program: program.clone(),
            arguments: Vec::new(),
            environment: self.environment_of(row, context, node),
            node: node.map(str::to_owned),
        };
        programs.iter().map(run).collect()
    }

    /// The variables that slurm.conf(5) of 22.05 documents for prologs and epilogs, and those that it has besides.
    pub(crate) fn environment_of(
        &self,
        row: &JobInfo,
        context: &str,
        node: Option<&str>,
    ) -> Vec<(String, String)> {
        let mut env: Vec<(String, String)> = Vec::new();
        let mut set = |name: &str, value: String| env.push((name.to_owned(), value));
        let nodes = compress(row.nodes.iter().map(|n| n.node.as_str()));
        set("SLURM_CLUSTER_NAME", self.config.cluster.clone());
        set("SLURM_JOB_ID", row.id.to_string());
        set("SLURM_JOBID", row.id.to_string());
        set("SLURM_JOB_UID", row.uid.to_string());
        set("SLURM_JOB_USER", row.user.clone());
        set("SLURM_JOB_GID", row.gid.to_string());
        set("SLURM_JOB_PARTITION", row.partition.clone());
        set("SLURM_JOB_NUM_NODES", row.nodes.len().to_string());
        set("SLURM_JOB_RESTART_COUNT", row.restarts.to_string());
        set("SLURM_JOB_WORK_DIR", row.spec.work_dir.clone());
        set("SLURM_JOB_STDIN", row.std_in.clone());
        set("SLURM_JOB_STDOUT", row.std_out.clone());
        let cpus = bivouac_types::info::repeated(row.nodes.iter().map(|n| n.cpus.len() as u32));
        set("SLURM_JOB_CPUS_PER_NODE", cpus);
        let optional = [
            ("SLURM_JOB_ACCOUNT", &row.account),
            ("SLURM_JOB_COMMENT", &row.spec.comment),
            ("SLURM_JOB_CONSTRAINTS", &row.spec.resources.constraint),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                set(name, value.clone());
            }
        }
        match node {
            Some(node) => {
                set("SLURMD_NODENAME", node.to_owned());
                set("SLURM_NODELIST", nodes);
                set("SLURM_UID", row.uid.to_string());
                if let Some(dir) = &self.config.parameters.conf_dir {
                    set("SLURM_CONF", format!("{}/slurm.conf", dir.trim_end_matches('/')));
                }
                let here = row.nodes.iter().find(|n| n.node == node);
                let gpus: Vec<String> = here
                    .into_iter()
                    .flat_map(|n| &n.gres)
                    .filter(|g| g.name == "gpu")
                    .flat_map(|g| g.indices.iter().map(u32::to_string))
                    .collect();
                if !gpus.is_empty() {
                    set("SLURM_JOB_GPUS", gpus.join(","));
                }
            }
            None => {
                set("SLURM_JOB_NAME", row.spec.name.clone());
                set("SLURM_JOB_NODELIST", nodes);
                set("SLURM_JOB_GROUP", row.group.clone());
                if let (Some(array), Some(spec)) = (&row.array, &row.spec.array)
                    && let bivouac_types::info::ArrayTasks::One(task) = array.tasks
                {
                    let (first, last) = (spec.tasks.first(), spec.tasks.last());
                    let step = spec.tasks.iter().nth(1).zip(first).map_or(1, |(b, a)| b - a);
                    set("SLURM_ARRAY_JOB_ID", array.job.to_string());
                    set("SLURM_ARRAY_TASK_ID", task.to_string());
                    set("SLURM_ARRAY_TASK_COUNT", spec.tasks.len().to_string());
                    set("SLURM_ARRAY_TASK_MIN", first.unwrap_or(task).to_string());
                    set("SLURM_ARRAY_TASK_MAX", last.unwrap_or(task).to_string());
                    set("SLURM_ARRAY_TASK_STEP", step.to_string());
                }
            }
        }
        if row.state.is_ended() {
            let derived = row.steps.iter().map(|s| s.exit.code).max().unwrap_or(0);
            let wait = i32::from(row.exit.code) << 8 | i32::from(row.exit.signal);
            set("SLURM_JOB_DERIVED_EC", derived.to_string());
            set("SLURM_JOB_EXIT_CODE", wait.to_string());
            set("SLURM_JOB_EXIT_CODE2", format!("{}:{}", row.exit.code, row.exit.signal));
        }
        if !context.is_empty() {
            set("SLURM_SCRIPT_CONTEXT", context.to_owned());
        }
        env
    }
}

fn std_time(d: bivouac_types::Duration) -> Duration {
    Duration::from_millis(d.0)
}

/// Waits for its turn, runs the program and waits for its end; after `timeout` its process group is killed.
fn execute(run: &Run, timeout: Option<Duration>) -> Result<(), Failed> {
    static TURNS: std::sync::Mutex<usize> = std::sync::Mutex::new(0);
    static FREE: std::sync::Condvar = std::sync::Condvar::new();
    let locked = |e: std::sync::PoisonError<_>| e.into_inner();
    let mut turns = TURNS.lock().unwrap_or_else(locked);
    while *turns >= AT_ONCE {
        turns = FREE.wait(turns).unwrap_or_else(|e| e.into_inner());
    }
    *turns += 1;
    drop(turns);
    let how = in_turn(run, timeout);
    *TURNS.lock().unwrap_or_else(|e| e.into_inner()) -= 1;
    FREE.notify_one();
    how.map_err(|how| Failed { program: run.program.clone(), node: run.node.clone(), how })
}

fn in_turn(run: &Run, timeout: Option<Duration>) -> Result<(), String> {
    let mut process = Process::new(&run.program);
    process.args(&run.arguments).env_clear();
    process.envs(
        run.environment.iter().map(|(n, v)| (n.as_str(), v.as_str())).filter(|(_, v)| !v.contains('\0')),
    );
    process.current_dir("/").process_group(0);
    process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: prctl and umask are async-signal-safe. The thread that starts it waits for it.
    unsafe {
        process.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            libc::umask(0o022);
            Ok(())
        })
    };
    let mut child = process.spawn().map_err(|e| format!("cannot be executed: {e}"))?;
    let pid = child.id() as i32;
    let ended = match timeout {
        None => Ok(true),
        Some(timeout) => ends_within(pid, timeout),
    };
    if !matches!(ended, Ok(true)) {
        // SAFETY: the child is not reaped yet, so the group's number is its own.
        unsafe { libc::kill(-pid, libc::SIGKILL) };
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    match ended {
        Ok(true) if status.success() => Ok(()),
        Ok(true) => Err(format!("failed: {status}")),
        Ok(false) => Err("was killed: it ran longer than PrologEpilogTimeout".to_owned()),
        Err(e) => Err(format!("cannot be waited for: {e}")),
    }
}

/// Whether a child that is not reaped ends within that time.
fn ends_within(pid: i32, timeout: Duration) -> io::Result<bool> {
    // SAFETY: pidfd_open takes a number and flags, and gives a descriptor that is ours.
    let fd = unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(fd as i32)
    };
    let until = Instant::now() + timeout;
    loop {
        let left = until.saturating_duration_since(Instant::now()).as_millis().min(i32::MAX as u128) as i32;
        let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid entry.
        match unsafe { libc::poll(&mut poll, 1, left) } {
            0 => return Ok(false),
            n if n > 0 => return Ok(true),
            _ => match io::Error::last_os_error() {
                e if e.kind() == io::ErrorKind::Interrupted => {}
                e => return Err(e),
            },
        }
    }
}
