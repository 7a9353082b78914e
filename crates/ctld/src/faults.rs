//! Faults on purpose: what the owner scripted happens when it is due, or when a command or a job comes that it is for.
//!
//! The script is kept in the database, apart from the events: it outlives the restart that may be part of it.

use crate::clock;
use crate::controller::{Controller, Turn};
use crate::requests::owns;
use bivouac_core::{Caller, Command, Launch, Phase};
use bivouac_proto::message::Response;
use bivouac_store::Store;
use bivouac_types::fault::{Fault, Script};
use bivouac_types::node::{Misfortune, NodeChange, NodeOrder};
use bivouac_types::{Duration, Gid, JobId, Now, Reject, Timestamp, Uid};

/// The note that the script is kept in.
const NOTE: &str = "faults";
/// Before the controller dies, so that whoever scripted it is answered.
const BREATH: Duration = Duration(200);

/// The script as it was kept.
pub fn kept(store: &Store) -> Script {
    let text = store.note(NOTE).ok().flatten().unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

impl Controller {
    /// A command begins.
    pub(crate) fn greet(&mut self, program: &str, now: Now) -> Response {
        if self.faults.faults().is_empty() {
            return Response::Greeted(Default::default());
        }
        let before = self.faults.clone();
        let greeting = self.faults.greet(program, now.wall);
        if self.faults != before {
            self.keep_faults();
        }
        Response::Greeted(greeting)
    }

    pub(crate) fn add_fault(
        &mut self,
        caller: &Caller,
        fault: Fault,
        times: Option<u32>,
        after: Duration,
        now: Now,
    ) -> Response {
        if !owns(caller) {
            return Response::Rejected(Reject::AccessDenied);
        }
        if let Fault::NodesLost { nodes, .. } = &fault
            && let Some(name) = nodes.iter().find(|n| !self.config.nodes.iter().any(|node| node.name == **n))
        {
            return Response::Failed(format!("there is no node {name}"));
        }
        let after = if fault == Fault::Restart { after.max(BREATH) } else { after };
        let due = (after > Duration(0)).then(|| Timestamp(now.wall.0 + after.0 as i64));
        let id = self.faults.add(fault, times, due, now.wall);
        if !self.keep_faults() {
            self.faults.clear(Some(id));
            return Response::Rejected(Reject::Storage("the fault could not be stored".into()));
        }
        Response::Faults(self.faults.faults().iter().filter(|f| f.id == id).cloned().collect())
    }

    pub(crate) fn clear_faults(&mut self, caller: &Caller, id: Option<u32>) -> Response {
        if !owns(caller) {
            return Response::Rejected(Reject::AccessDenied);
        }
        match (self.faults.clear(id), id) {
            (false, Some(id)) => Response::Failed(format!("there is no fault {id}")),
            _ => {
                self.keep_faults();
                Response::Done
            }
        }
    }

    /// How long until the script has something to do by itself.
    pub(crate) fn next_fault(&self) -> Option<std::time::Duration> {
        let now = self.clock.now().wall;
        let due = self.faults.next_due();
        let of_jobs = self.job_faults().map(|(_, _, at)| at);
        let next = of_jobs.chain(due.filter(|at| *at > now)).min()?;
        Some(std::time::Duration::from_millis((next.0 - now.0).max(1) as u64))
    }

    /// What is due happens.
    pub(crate) fn befall(&mut self, turn: &mut Turn, now: Now) {
        if self.faults.faults().is_empty() {
            return;
        }
        let before = self.faults.clone();
        let due = self.faults.take_due(now.wall);
        let befallen: Vec<_> = self.job_faults().filter(|(_, _, at)| *at <= now.wall).collect();
        befallen.iter().for_each(|(id, ..)| _ = self.faults.clear(Some(*id)));
        if self.faults == before {
            return;
        }
        self.keep_faults();
        let mut restart = false;
        for fault in due {
            // The log says which faults were wanted.
            say!("{}: as scripted: {fault}", clock::wall().as_secs());
            match fault {
                Fault::NodesLost { nodes, .. } => {
                    let reason = NodeChange::Reason("Not responding".into());
                    self.update_nodes(turn, nodes, vec![NodeChange::State(NodeOrder::Lost), reason], now);
                }
                Fault::NodesBack(nodes) => {
                    self.update_nodes(turn, nodes, vec![NodeChange::State(NodeOrder::Resume)], now);
                }
                _ => restart = true,
            }
        }
        for (id, job, _) in befallen {
            let fault = before.faults().iter().find(|f| f.id == id).map(|f| &f.fault);
            if let Some(Fault::Job { what, .. }) = fault {
                self.misfortune(turn, job, *what, now);
            }
        }
        self.dying |= restart;
    }

    /// Faults of jobs that are running: the fault's number, the job, and when.
    fn job_faults(&self) -> impl Iterator<Item = (u32, JobId, Timestamp)> {
        self.faults.faults().iter().filter_map(|scripted| {
            let Fault::Job { job: wanted, after, .. } = &scripted.fault else { return None };
            let running = self.cluster.jobs().filter_map(|job| match &job.phase {
                Phase::Running(run) if run.launch != Launch::Granted => {
                    Some((run.start.wall, job.id, job.origin))
                }
                _ => None,
            });
            let (start, id, _) = running
                .filter(|(start, id, origin)| match wanted {
                    Some(wanted) => id.0 == *wanted || origin.0 == *wanted,
                    None => *start >= scripted.added,
                })
                .min()?;
            Some((scripted.id, id, Timestamp(start.0 + after.0 as i64)))
        })
    }

    fn update_nodes(&mut self, turn: &mut Turn, nodes: Vec<String>, changes: Vec<NodeChange>, now: Now) {
        let command = Command::UpdateNodes { caller: self.itself(), nodes, changes };
        if let Err(e) = self.command(turn, command, now) {
            say!("{}: a scripted fault was not possible: {e}", clock::wall().as_secs());
        }
    }

    fn misfortune(&mut self, turn: &mut Turn, job: JobId, what: Misfortune, now: Now) {
        say!("{}: as scripted: {what:?} to job {job}", clock::wall().as_secs());
        let command = Command::Misfortune { caller: self.itself(), target: job.into(), what };
        if let Err(e) = self.command(turn, command, now) {
            say!("{}: a scripted fault was not possible: {e}", clock::wall().as_secs());
        }
    }

    fn itself(&mut self) -> Caller {
        // SAFETY: no preconditions.
        let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
        let (user, group) = (self.names.user(uid), self.names.group(gid));
        Caller { uid: Uid(uid), gid: Gid(gid), user, group, groups: Vec::new(), operator: true }
    }

    /// Whether the script could be kept.
    fn keep_faults(&mut self) -> bool {
        let text = serde_json::to_string(&self.faults).unwrap_or_default();
        let kept = self.store.set_note(NOTE, &text);
        if let Err(e) = &kept {
            say!("{}: {e}", clock::wall().as_secs());
        }
        kept.is_ok()
    }
}
