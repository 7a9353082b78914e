//! Reads: answered after the turn is stored, from the state as it is stored.

use crate::accounting;
use crate::controller::Controller;
use crate::mailbox::{Peer, Reply};
use bivouac_core::{Caller, Job, JobView, Phase, Repeated};
use bivouac_proto::message::{Ask, JobQuery, Payload, Response, Status};
use bivouac_types::info::{ArrayTasks, JobInfo};
use bivouac_types::pattern::{PatternContext, expand};
use bivouac_types::{ExitStatus, JobId, Now, Reject, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Rows of one part of an answer: a frame stays far below its limit.
const PART: usize = 1000;

impl Controller {
    pub(crate) fn read(&mut self, peer: Peer, admin: bool, ask: Ask, reply: &Reply) {
        let now = self.clock.now();
        let answer = match ask {
            Ask::Ping => Response::Pong { host: host_name() },
            Ask::Status => Response::Status(Box::new(self.status())),
            Ask::TestOnly(spec) => {
                let caller = self.caller(peer, admin);
                match bivouac_sched::test_only(&self.cluster, &spec, &caller, now) {
                    Ok(f) => Response::WouldStart {
                        job: JobId(self.cluster.state().next_id),
                        start: f.start,
                        cpus: f.cpus,
                        nodes: f.nodes,
                        partition: f.partition,
                    },
                    Err(e) => Response::Rejected(e),
                }
            }
            Ask::Jobs(query) => {
                let caller = self.caller(peer, admin);
                return match self.views(&query, &caller) {
                    Some(views) => send_rows(views.into_iter().map(move |v| filled(&v, now)), reply),
                    None => reply.send(Response::Rejected(Reject::InvalidJobId)),
                };
            }
            Ask::Accounting(query) => {
                let live = JobQuery { ids: query.ids.clone(), uid: query.uid, visible: false };
                let caller = self.caller(peer, admin);
                let live = self.views(&live, &caller).unwrap_or_default();
                let rows = live.into_iter().map(move |view| filled(&view, now));
                return reply.send_parts(accounting::parts(self.place.state_dir.clone(), query, rows));
            }
            Ask::Spells => {
                let state_dir = self.place.state_dir.clone();
                return reply.send_parts(std::iter::once_with(move || accounting::spells(&state_dir)));
            }
            Ask::Faults => Response::Faults(self.faults.faults().to_vec()),
            Ask::Nodes => Response::Nodes(self.cluster.node_infos(&self.plan, self.up_since)),
            Ask::Licenses => Response::Licenses(self.cluster.license_infos()),
            Ask::Partitions => {
                let caller = self.caller(peer, admin);
                Response::Partitions(self.cluster.partition_infos(&caller))
            }
            Ask::Priorities => {
                let factors = self.cluster.factors(now).into_iter();
                return send_parts(factors, reply, |rows, more| Response::Priorities { rows, more });
            }
            Ask::Diagnostics => Response::Diagnostics(Box::new(self.statistics.diagnostics(
                &self.cluster,
                &mut self.names,
                now.wall,
            ))),
            Ask::ResetDiagnostics if self.caller(peer, admin).operator => {
                self.statistics.reset();
                Response::Done
            }
            Ask::ResetDiagnostics => Response::Rejected(Reject::AccessDenied),
            Ask::Config => {
                let mut config = (**self.cluster.config()).clone();
                if let Some(factor) = self.dampening {
                    let given = &mut config.parameters.given;
                    given.insert("FairShareDampeningFactor".to_owned(), factor.to_string());
                }
                Response::Config(Box::new(config))
            }
            Ask::Reconfigure => {
                let caller = self.caller(peer, admin);
                self.reconfigure(&caller)
            }
            Ask::Script(job) => match self.payload_of(peer, job) {
                Ok(payload) if payload.script.0.is_empty() => Response::Rejected(Reject::NoScript),
                Ok(payload) => Response::Script(payload.script),
                Err(answer) => answer,
            },
            Ask::Triggers => Response::Triggers(self.triggers()),
            Ask::Payload(job) => match self.payload_of(peer, job) {
                Ok(payload) => Response::Payload(Box::new(payload)),
                Err(answer) => answer,
            },
            _ => Response::Failed("this controller does not know that request".into()),
        };
        reply.send(answer);
    }

    /// A job's row with its file names filled in.
    pub(crate) fn row(&self, id: JobId, now: Now) -> Option<JobInfo> {
        Some(filled(&self.cluster.view(id, &self.plan)?, now))
    }

    /// The accounting record of a run that is over, of a job that is about to wait again.
    pub(crate) fn requeued_record(
        &self,
        id: JobId,
        ran: Repeated,
        end: Timestamp,
        now: Now,
    ) -> Option<JobInfo> {
        let mut record = self.cluster.view(id, &self.plan)?.requeued(ran, end, now);
        fill_files(&mut record);
        Some(record)
    }

    /// What the rows are made of; none if jobs were named and none of them is known.
    fn views(&self, query: &JobQuery, caller: &Caller) -> Option<Vec<JobView>> {
        let wanted: Option<BTreeSet<JobId>> = query.ids.as_ref().map(|ids| ids.iter().copied().collect());
        let uid = query.uid;
        let of_interest = |job: &&Job| {
            wanted.as_ref().is_none_or(|w| w.contains(&job.id) || w.contains(&job.origin))
                && uid.is_none_or(|u| self.cluster.submission(job).is_some_and(|s| s.owner.uid.0 == u))
        };
        let visible = |job: &&Job| !query.visible || self.cluster.is_visible(job, caller);
        let views: Vec<JobView> = self
            .cluster
            .jobs()
            .filter(of_interest)
            .filter(visible)
            .filter_map(|j| self.cluster.view(j.id, &self.plan))
            .collect();
        (wanted.is_none() || !views.is_empty()).then_some(views)
    }

    /// What a job runs; of one that is forgotten, if AccountingStoreFlags says that it is kept.
    fn payload_of(&mut self, peer: Peer, id: JobId) -> Result<Payload, Response> {
        let caller = self.caller(peer, true);
        let known = self.cluster.job(id).and_then(|j| self.cluster.submission(j));
        let (owner, payload) = match known.map(|s| (s.owner.uid.0, s.payload.0.clone())) {
            Some(known) => known,
            None => match self.store.kept_payload(id.0) {
                Ok(Some(kept)) => kept,
                Ok(None) => return Err(Response::Rejected(Reject::InvalidJobId)),
                Err(e) => return Err(Response::Failed(e.to_string())),
            },
        };
        if owner != caller.uid.0 && !caller.operator {
            return Err(Response::Rejected(Reject::AccessDenied));
        }
        self.payload(&payload).map_err(Response::Failed)
    }

    /// What waits for a job's end is told, once all of its tasks have ended: the highest exit status.
    pub(crate) fn final_exit(&self, id: JobId) -> Option<Response> {
        let mut worst = ExitStatus::default();
        for job in self.family(id) {
            match &job.phase {
                Phase::Ended(e) => {
                    let status = e.outcome.status();
                    // A job that was cancelled or timed out has not succeeded, whatever its script's status.
                    let status =
                        match status.success() && e.outcome.state() != bivouac_types::JobState::Completed {
                            true => ExitStatus { code: 1, signal: 0 },
                            false => status,
                        };
                    if status.shell_code() > worst.shell_code() {
                        worst = status;
                    }
                }
                _ => return None,
            }
        }
        Some(Response::Ended { exit: worst })
    }

    /// A job, or an array's every record.
    pub(crate) fn family(&self, id: JobId) -> impl Iterator<Item = &Job> {
        let single = self.cluster.job(id).filter(|j| j.origin != id);
        single.into_iter().chain(self.cluster.jobs_of(id))
    }

    fn status(&self) -> Status {
        let mut nodes: BTreeMap<String, u32> = BTreeMap::new();
        for node in self.cluster.node_infos(&self.plan, self.up_since) {
            *nodes.entry(node.state().to_string().to_ascii_lowercase()).or_default() += 1;
        }
        let mut jobs: BTreeMap<String, u64> = BTreeMap::new();
        for job in self.cluster.jobs() {
            *jobs.entry(job.state().name().to_owned()).or_default() += job.count();
        }
        Status {
            cluster: self.place.cluster.clone(),
            site: self.config.site.clone(),
            state_dir: self.place.state_dir.clone(),
            socket: self.place.socket(),
            controller_pid: std::process::id(),
            keeper_pid: self.keeper.as_ref().map(|k| k.keeper_pid),
            reaper_pid: self.keeper.as_ref().map(|k| k.reaper_pid),
            nodes,
            jobs,
            containment: self.keeper.as_ref().map(|k| k.containment.to_owned()),
            memory: self.keeper.as_ref().map(|k| k.memory.to_owned()),
            storage_problem: self.storage_problem.clone(),
            faults: self.faults.faults().to_vec(),
            config_problem: self.config_problem.clone(),
            up_since: self.up_since,
            next_job_id: self.cluster.state().next_id,
        }
    }
}

fn send_rows(rows: impl Iterator<Item = JobInfo> + Send + 'static, reply: &Reply) {
    send_parts(rows, reply, |rows, more| Response::Jobs { rows, more });
}

/// Sends items in parts; whether more of them follow is part of each.
fn send_parts<T: Send + 'static>(
    items: impl Iterator<Item = T> + Send + 'static,
    reply: &Reply,
    part: fn(Vec<T>, bool) -> Response,
) {
    let mut rest = Some(items.peekable());
    reply.send_parts(std::iter::from_fn(move || {
        let left = rest.as_mut()?;
        let items: Vec<T> = left.by_ref().take(PART).collect();
        let more = left.peek().is_some();
        if !more {
            rest = None;
        }
        Some(part(items, more))
    }));
}

/// A job's row with its file names filled in.
fn filled(view: &JobView, now: Now) -> JobInfo {
    let mut row = view.row(now);
    fill_files(&mut row);
    row
}

/// This machine's name.
pub(crate) fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// Expands the patterns of a job's files, relative to its working directory.
fn fill_files(row: &mut JobInfo) {
    let (array_job, array_task) = match &row.array {
        Some(a) => match a.tasks {
            ArrayTasks::One(task) => (Some(a.job), Some(task)),
            ArrayTasks::Pending(_) => (Some(a.job), None),
        },
        None => (None, None),
    };
    let context = PatternContext {
        job: row.id,
        array_job,
        array_task,
        user: &row.user,
        name: &row.spec.name,
        node: row.batch_host().unwrap_or_default(),
        node_id: 0,
        task_id: 0,
        step: None,
    };
    let file = |pattern: &str| {
        // sbatch(1): the name `none` throws the output away.
        if pattern == "none" {
            return "/dev/null".to_owned();
        }
        let name = expand(pattern, &context);
        if name.starts_with('/') {
            name
        } else {
            format!("{}/{name}", row.spec.work_dir.trim_end_matches('/'))
        }
    };
    let default = if row.array.is_some() { "slurm-%A_%a.out" } else { "slurm-%j.out" };
    let out = file(row.spec.std_out.as_deref().unwrap_or(default));
    let err = row.spec.std_err.as_deref().map_or_else(|| out.clone(), file);
    let input = row.spec.std_in.as_deref().map_or_else(|| "/dev/null".to_owned(), file);
    (row.std_out, row.std_err, row.std_in) = (out, err, input);
}
