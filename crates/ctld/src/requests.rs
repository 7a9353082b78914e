//! From a client's request to the core's command.

use crate::controller::{Controller, Turn};
use crate::mailbox::{Peer, Reply};
use bivouac_core::{Caller, CancelScope, Command, Effect, Hold, JobTarget, PayloadId, RequestKey};
use bivouac_proto::message::{Ask, Request, RequeueHold, Response, Setting, SignalScope, Submission};
use bivouac_types::parameters::Association;
use bivouac_types::{Gid, JobId, Now, Reject, StepKind, Uid};

/// Longest script that is taken, bytes (Slurm's max_script_size).
const MAX_SCRIPT: usize = 4 << 20;

impl Controller {
    /// Deals with one request: changes are decided and answered at the turn's end, reads are answered from what is
    /// then stored.
    pub(crate) fn request(&mut self, turn: &mut Turn, peer: Peer, request: Request, reply: Reply, now: Now) {
        let Request { admin, body } = request;
        let caller = self.caller(peer, admin);
        if changes(&body)
            && let Some(problem) = &self.storage_problem
        {
            let what = format!("the cluster's state cannot be stored: {problem}");
            return turn.answer(reply, Response::Rejected(Reject::Storage(what)));
        }
        let answer = match body {
            Ask::Submit(submission) => self.submit(turn, caller, *submission, now),
            Ask::Cancel(c) => {
                let scope = match c.scope {
                    SignalScope::Steps => CancelScope::Job,
                    SignalScope::Batch => CancelScope::Batch,
                    SignalScope::All => CancelScope::Full,
                    SignalScope::Step(number) => CancelScope::Step(number),
                };
                let target = target(c.target);
                let lacking = self.cluster.lacks_tasks(&target);
                match self.done(turn, Command::Cancel { caller, target, signal: c.signal, scope }, now) {
                    // The others are cancelled; it is said that these are not there.
                    Response::Done if lacking => Response::Rejected(Reject::InvalidJobId),
                    answer => answer,
                }
            }
            Ask::Hold { target: t, user } => {
                self.done(turn, Command::Hold { caller, target: target(t), user_hold: user }, now)
            }
            Ask::Release(t) => self.done(turn, Command::Release { caller, target: target(t) }, now),
            Ask::Requeue { target: t, hold, incomplete } => {
                let hold = match hold {
                    RequeueHold::No => None,
                    RequeueHold::Held => Some(Hold::Requeued),
                    RequeueHold::SpecialExit => Some(Hold::SpecialExit),
                };
                self.done(turn, Command::Requeue { caller, target: target(t), hold, incomplete }, now)
            }
            Ask::Suspend(t) => self.done(turn, Command::Suspend { caller, target: target(t) }, now),
            Ask::Resume(t) => self.done(turn, Command::Resume { caller, target: target(t) }, now),
            Ask::Top(jobs) => self.done(turn, Command::Top { caller, jobs }, now),
            Ask::Notify { job, message } => self.notify(turn, &caller, job, message),
            Ask::Update { target: t, changes, user } => match self.caller_for(caller, user, t.job) {
                Some(caller) => self.done(turn, Command::Update { caller, target: target(t), changes }, now),
                None => Response::Rejected(Reject::InvalidUser),
            },
            Ask::UpdateStep { job, step, limit } => {
                self.done(turn, Command::UpdateStep { caller, job, step, limit }, now)
            }
            Ask::Set(setting) => self.set(&caller, setting),
            Ask::UpdateNodes { nodes, changes } => {
                let nodes = self.nodes_named(nodes);
                self.done(turn, Command::UpdateNodes { caller, nodes, changes }, now)
            }
            Ask::UpdatePartition { name, changes } => {
                self.done(turn, Command::UpdatePartition { caller, name, changes }, now)
            }
            Ask::CreatePartition { name, changes } => {
                self.done(turn, Command::CreatePartition { caller, name, changes }, now)
            }
            Ask::DeletePartition(name) => self.done(turn, Command::DeletePartition { caller, name }, now),
            Ask::Misfortune { target: t, what } => {
                self.done(turn, Command::Misfortune { caller, target: target(t), what }, now)
            }
            Ask::Attend { job, until } => return self.attend(turn, &caller, job, until, reply),
            Ask::Complete { job, exit } => self.done(turn, Command::Complete { caller, job, exit }, now),
            Ask::StepStart(s) => self.step_start(turn, caller, peer, s, now),
            Ask::StepSocket(step) => self.step_socket(&caller, step),
            Ask::StepEnd { step, exit, usage } => match step.step {
                StepKind::Number(number) => self.done(
                    turn,
                    Command::StepEnd { caller, job: step.job, step: number, exit, usage },
                    now,
                ),
                _ => Response::Rejected(Reject::Other("only srun's steps are ended by a client".into())),
            },
            Ask::Greet { program } => self.greet(&program, now),
            Ask::AddFault { fault, times, after } => self.add_fault(&caller, fault, times, after, now),
            Ask::ClearFaults(id) => self.clear_faults(&caller, id),
            Ask::Measure(job) => return self.measure(turn, &caller, job, reply),
            Ask::WaitEnd(job) => {
                if self.family(job).next().is_none() {
                    return turn.answer(reply, Response::Rejected(Reject::InvalidJobId));
                }
                return self.wait_for(job, reply);
            }
            Ask::TriggerSet(spec) => self.set_trigger(&caller, spec),
            Ask::TriggerClear(select) => self.clear_triggers(&caller, &select),
            Ask::Shutdown { cancel } => return self.shutdown(turn, &caller, cancel, reply, now),
            read => return turn.read_later(peer, admin, read, reply),
        };
        turn.answer(reply, answer);
    }

    /// `ALL` alone stands for every node.
    fn nodes_named(&self, nodes: Vec<String>) -> Vec<String> {
        match &nodes[..] {
            [all] if all == "ALL" => self.cluster.config().nodes.iter().map(|n| n.name.clone()).collect(),
            _ => nodes,
        }
    }

    /// Who asks: operators are root, the owner of a `local` cluster, the owner who says --admin, and whom a slurm.conf
    /// makes one.
    pub(crate) fn caller(&mut self, peer: Peer, admin: bool) -> Caller {
        // SAFETY: geteuid has no preconditions.
        let owner = peer.uid == unsafe { libc::geteuid() };
        let user = self.names.user(peer.uid);
        let by_right = peer.uid == 0 && !owner || self.is_operator_of_slurm_conf(peer.uid, &user);
        Caller {
            uid: Uid(peer.uid),
            gid: Gid(peer.gid),
            group: self.names.group(peer.gid),
            groups: self.further_groups(peer.uid),
            operator: by_right || owner && (admin || self.config.owner_is_operator),
            user,
        }
    }

    /// Whom Slurm would let do everything on a cluster of that slurm.conf: root, SlurmUser, and who has an AdminLevel.
    fn is_operator_of_slurm_conf(&self, uid: u32, user: &str) -> bool {
        let parameters = &self.config.parameters;
        let is_user = |name: &String| name == user || name.parse() == Ok(uid);
        let is_admin = |a: &Association| {
            let level = a.admin_level.as_deref().unwrap_or("None");
            a.user.as_deref() == Some(user) && !level.eq_ignore_ascii_case("None")
        };
        parameters.conf_dir.is_some()
            && (uid == 0
                || parameters.given.get("SlurmUser").is_some_and(is_user)
                || parameters.associations.iter().any(is_admin))
    }

    /// Whose job it becomes with --uid and --gid, which root alone may give. What he may do, the job may ask for.
    fn submits_as(&mut self, caller: Caller, uid: Option<u32>, gid: Option<u32>) -> Option<Caller> {
        if (uid, gid) == (None, None) {
            return Some(caller);
        }
        if caller.uid != Uid::ROOT {
            return None;
        }
        let (uid, gid) = (uid.unwrap_or(caller.uid.0), gid.unwrap_or(caller.gid.0));
        Some(Caller {
            uid: Uid(uid),
            gid: Gid(gid),
            user: self.names.user(uid),
            group: self.names.group(gid),
            groups: self.further_groups(uid),
            operator: caller.operator,
        })
    }

    /// Who updates a job with `scontrol -u`: root may, as the job's owner and as himself.
    fn caller_for(&mut self, caller: Caller, user: Option<u32>, job: JobId) -> Option<Caller> {
        match user {
            None => Some(caller),
            Some(_) if caller.uid != Uid::ROOT => None,
            Some(0) => Some(caller),
            Some(uid) => {
                let job = self.family(job).next()?;
                let owner = &self.cluster.submission(job)?.owner;
                (owner.uid == Uid(uid)).then(|| Caller::owner(owner.clone()))
            }
        }
    }

    /// Settings that scontrol changes while the controller runs.
    fn set(&mut self, caller: &Caller, setting: Setting) -> Response {
        if !caller.is_operator() {
            return Response::Rejected(Reject::AccessDenied);
        }
        match setting {
            Setting::Debug => {}
            Setting::DampeningFactor(factor) => self.dampening = Some(factor),
        }
        Response::Done
    }

    /// The names of a user's groups, where a partition asks for them.
    fn further_groups(&mut self, uid: u32) -> Vec<String> {
        if self.cluster.config().partitions.iter().all(|p| p.allow_groups.is_empty()) {
            return Vec::new();
        }
        let Some(account) = self.names.account(uid).cloned() else { return Vec::new() };
        crate::names::groups_of(&account).into_iter().map(|gid| self.names.group(gid)).collect()
    }

    pub(crate) fn done(&mut self, turn: &mut Turn, command: Command, now: Now) -> Response {
        match self.command(turn, command, now) {
            Ok(()) => Response::Done,
            Err(e) => Response::Rejected(e),
        }
    }

    fn submit(&mut self, turn: &mut Turn, caller: Caller, submission: Submission, now: Now) -> Response {
        // SAFETY: geteuid has no preconditions.
        let owner = unsafe { libc::geteuid() };
        if owner != 0 && caller.uid.0 != owner {
            let whose = self.names.user(owner);
            return Response::Rejected(Reject::Other(format!(
                "this cluster belongs to {whose} and runs {whose}'s jobs only"
            )));
        }
        if submission.payload.script.0.len() > MAX_SCRIPT {
            return Response::Rejected(Reject::Other("Job script size exceeds limits".into()));
        }
        let Some(caller) = self.submits_as(caller, submission.uid, submission.gid) else {
            return Response::Rejected(Reject::AccessDenied);
        };
        let Ok(key) = u128::from_str_radix(&submission.key, 16).map(RequestKey) else {
            return Response::Failed("the submission's key is not 32 hexadecimal digits".into());
        };
        // The user is part of the content: two users never share a script file.
        let bytes = serde_json::to_vec(&(caller.uid, &submission.payload)).unwrap_or_default();
        let payload = PayloadId(bivouac_store::payload_id(&bytes));
        let command = Command::Submit { caller, spec: submission.spec, payload: payload.clone(), key };
        match self.command(turn, command, now) {
            Ok(()) => match self.cluster.job_of_key(key) {
                Some(job) => {
                    turn.store_payload(payload.0, bytes);
                    self.expect_client(job);
                    Response::Submitted(job)
                }
                None => Response::Failed("the submission left no job".into()),
            },
            Err(e) => Response::Rejected(e),
        }
    }

    /// A line in the job's standard error. It is not stored: what was not written when the controller ends is lost.
    fn notify(&mut self, turn: &mut Turn, caller: &Caller, id: JobId, text: String) -> Response {
        let Some(job) = self.cluster.job(id) else { return Response::Rejected(Reject::InvalidJobId) };
        if !self.cluster.submission(job).is_some_and(|s| caller.may_command(s)) {
            return Response::Rejected(Reject::AccessDenied);
        }
        let attempt = job.attempt();
        match (job.run(), job.pending()) {
            (Some(_), _) => turn.effect(Effect::Note { attempt, text }),
            (None, Some(_)) => return Response::Rejected(Reject::JobPending),
            (None, None) => return Response::Rejected(Reject::JobEnded),
        }
        Response::Done
    }

    fn shutdown(&mut self, turn: &mut Turn, caller: &Caller, cancel: bool, reply: Reply, now: Now) {
        if !owns(caller) {
            return turn.answer(reply, Response::Rejected(Reject::AccessDenied));
        }
        if cancel {
            let all: Vec<JobId> = self.cluster.jobs().filter(|j| !j.is_ended()).map(|j| j.id).collect();
            for job in all {
                let caller = Caller { operator: true, ..caller.clone() };
                let cancel =
                    Command::Cancel { caller, target: job.into(), signal: None, scope: CancelScope::Job };
                // One that ended in this very turn needs no cancelling.
                let _ = self.command(turn, cancel, now);
            }
        }
        self.stop(Some(reply), cancel);
    }
}

fn target(asked: bivouac_proto::message::JobTarget) -> JobTarget {
    JobTarget { job: asked.job, tasks: asked.tasks }
}

/// Whether somebody may do to the cluster as a whole what he likes: its owner, and operators.
pub(crate) fn owns(caller: &Caller) -> bool {
    // SAFETY: geteuid has no preconditions.
    caller.operator || caller.uid.0 == unsafe { libc::geteuid() }
}

/// Whether a request changes the state.
fn changes(ask: &Ask) -> bool {
    matches!(
        ask,
        Ask::Submit(_)
            | Ask::Cancel(_)
            | Ask::Hold { .. }
            | Ask::Release(_)
            | Ask::Requeue { .. }
            | Ask::Suspend(_)
            | Ask::Resume(_)
            | Ask::Top(_)
            | Ask::Update { .. }
            | Ask::UpdateStep { .. }
            | Ask::UpdateNodes { .. }
            | Ask::UpdatePartition { .. }
            | Ask::CreatePartition { .. }
            | Ask::DeletePartition(_)
            | Ask::Misfortune { .. }
            | Ask::Complete { .. }
            | Ask::StepStart(_)
            | Ask::StepEnd { .. }
            | Ask::TriggerSet(_)
            | Ask::TriggerClear(_)
    )
}
