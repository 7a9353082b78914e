//! Steps: from srun's wish to the order for the step's daemon.

use crate::controller::{Controller, Turn};
use crate::keeper_mail::theirs;
use crate::mailbox::Peer;
use bivouac_core::{Caller, Command, Job, StepAsk, job::Step};
use bivouac_keeper::confine::DAEMON_VARIABLE;
use bivouac_keeper::order::LaunchOrder;
use bivouac_keeper::protocol::ToKeeper;
use bivouac_proto::message::{Response, StepLayout, StepNode, StepRequest};
use bivouac_proto::step::{CLIENT_VARIABLE, SOCKET_VARIABLE, is_socket_name};
use bivouac_types::info::Usage;
use bivouac_types::{Attempt, ExitStatus, JobId, Now, Reject, StepId, StepKind};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// JobAcctGatherFrequency where nothing is said, as Slurm's, in seconds.
const GATHER_PERIOD: u32 = 30;

impl Controller {
    pub(crate) fn step_start(
        &mut self,
        turn: &mut Turn,
        caller: Caller,
        peer: Peer,
        asked: StepRequest,
        now: Now,
    ) -> Response {
        let Some((tasks, cpus)) = self.step_defaults(asked.job) else {
            return Response::Rejected(Reject::InvalidJobId);
        };
        if !is_socket_name(&asked.socket) {
            return Response::Failed("srun is of another version than the cluster".into());
        }
        let ask = StepAsk {
            name: asked.name,
            ntasks: asked.ntasks.unwrap_or(tasks),
            cpus_per_task: asked.cpus_per_task.unwrap_or(cpus),
            nodes: asked.nodes,
            overlap: asked.overlap,
            exact: asked.exact,
            nodelist: asked.nodelist,
            ntasks_per_node: asked.ntasks_per_node,
            overcommit: asked.overcommit,
            exclude: asked.exclude,
            distribution: asked.distribution,
            submit_line: asked.submit_line,
            srun: peer.pid,
            socket: asked.socket.clone(),
        };
        match self.command(turn, Command::StepStart { caller, job: asked.job, ask }, now) {
            Ok(()) => self.step_started(asked.job, &asked.socket),
            Err(e) => Response::Rejected(e),
        }
    }

    /// -n and -c of a step that says neither: those of the job.
    fn step_defaults(&self, job: JobId) -> Option<(u32, u32)> {
        let job = self.cluster.job(job)?;
        let request = &self.cluster.submission(job)?.spec.resources;
        let tasks = job.run().map_or(1, |r| r.alloc.iter().map(|n| n.tasks).sum());
        Some((tasks, request.cpus_per_task.unwrap_or(1)))
    }

    fn step_started(&self, id: JobId, socket: &str) -> Response {
        let step = self.cluster.job(id).and_then(|j| j.steps.iter().rfind(|s| s.socket == socket));
        let Some(step) = step else { return Response::Failed("the step was not made".into()) };
        let nodes =
            step.layout.iter().map(|n| StepNode { name: n.node.to_string(), tasks: n.tasks, cpus: n.cpus });
        Response::StepStarted(StepLayout {
            step: StepId { job: id, step: StepKind::Number(step.number) },
            cpus_per_task: step.cpus_per_task,
            nodes: nodes.collect(),
            socket: step.socket.clone(),
            kill_wait: self.config.kill_wait.as_secs(),
            gather: self.gather_period(id),
            wait: self.config.parameters.wait_time.as_secs(),
            kill_on_bad_exit: self.config.parameters.kill_on_bad_exit,
            mpi: self.config.parameters.mpi_default,
        })
    }

    /// How often it is looked at what a job's processes use, in seconds: --acctg-freq, or else JobAcctGatherFrequency.
    pub(crate) fn gather_period(&self, id: JobId) -> u64 {
        let job = self.cluster.job(id).and_then(|job| self.cluster.submission(job));
        let own = job.and_then(|submission| submission.spec.acctg_freq);
        own.unwrap_or(self.config.parameters.gather_period.unwrap_or(GATHER_PERIOD)).into()
    }

    /// Where the daemon of a running step listens.
    pub(crate) fn step_socket(&self, caller: &Caller, id: StepId) -> Response {
        let Some(job) = self.cluster.job(id.job) else { return Response::Rejected(Reject::InvalidJobId) };
        if !self.cluster.submission(job).is_some_and(|s| caller.may_command(s)) {
            return Response::Rejected(Reject::AccessDenied);
        }
        let is_meant = |step: &&Step| id.step == StepKind::Number(step.number) && step.end.is_none();
        match job.steps.iter().find(is_meant) {
            Some(step) => Response::StepSocket(step.socket.clone()),
            None => Response::Rejected(Reject::NoSuchStep),
        }
    }

    /// Orders the daemon of a step. What cannot be ordered is not there when srun calls it, and srun says so.
    pub(crate) fn start_step(&mut self, attempt: Attempt, step: u32) {
        match self.step_order(attempt, step) {
            Ok(order) => {
                if let Some(link) = &mut self.keeper {
                    link.send(&ToKeeper::Step { step, order: Box::new(order) });
                }
            }
            Err(what) => say!("step {}.{step} cannot be started: {what}", attempt.job),
        }
    }

    fn step_order(&mut self, attempt: Attempt, step: u32) -> Result<LaunchOrder, String> {
        let now = self.clock.now();
        let job = self.cluster.job(attempt.job).filter(|j| j.attempt() == attempt);
        let made = job.and_then(|j| j.steps.iter().find(|s| s.number == step));
        let made = made.map(|s| (s.socket.clone(), s.srun));
        let (Some((socket, srun)), Some(row)) = (made, self.row(attempt.job, now)) else {
            return Err("it is over".into());
        };
        let account =
            self.names.account(row.uid.0).cloned().ok_or("its user is not in the passwd database")?;
        let session = self.job_session(&account, &row).map_err(|e| e.to_string())?;
        let variable = |name: &str, value: &[u8]| [name.as_bytes(), b"=", value].concat();
        let mut env = vec![
            variable(DAEMON_VARIABLE, step.to_string().as_bytes()),
            variable(SOCKET_VARIABLE, socket.as_bytes()),
        ];
        env.extend(srun.map(|pid| variable(CLIENT_VARIABLE, pid.to_string().as_bytes())));
        if session.plan.is_none() {
            env.extend(self.way_here());
        }
        let program = match &session.plan {
            Some(_) => Path::new(bivouac_view::LIBEXEC).join("bivouac"),
            None => std::env::current_exe().map_err(|e| e.to_string())?.with_file_name("bivouac"),
        };
        Ok(LaunchOrder {
            attempt: theirs(attempt),
            uid: row.uid.0,
            gid: row.gid.0,
            groups: crate::names::groups_of(&account),
            argv: vec![program.as_os_str().as_bytes().to_vec()],
            argv0: Some(b"slurmstepd".to_vec()),
            env,
            cwd: b"/".to_vec(),
            umask: 0o022,
            cpus: self.pinned_cpus(&row),
            view: self.view_of(&session, &row),
            ..LaunchOrder::default()
        })
    }

    /// A step's daemon is gone. Mostly it has told how its step ended before; else it was killed.
    pub(crate) fn step_daemon_ended(&mut self, turn: &mut Turn, attempt: Attempt, step: u32, now: Now) {
        let open =
            |j: &&Job| j.attempt() == attempt && j.steps.iter().any(|s| s.number == step && s.end.is_none());
        let Some(job) = self.cluster.job(attempt.job).filter(open) else { return };
        let Some(owner) = self.cluster.submission(job).map(|s| s.owner.clone()) else { return };
        let caller = Caller::owner(owner);
        let exit = ExitStatus { code: 0, signal: libc::SIGKILL as u8 };
        let end = Command::StepEnd { caller, job: attempt.job, step, exit, usage: Usage::default() };
        let _ = self.command(turn, end, now);
    }
}
