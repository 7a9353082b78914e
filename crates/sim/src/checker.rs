//! The invariants, checked after every durable event by a model of its own: it folds the event history into
//! plain maps and sets, knows what really happened to every script, and shares no code with the core.

mod grants;
mod model;
mod waiting;

use crate::controller::Answer;
use crate::sim::Seen;
use bivouac_core::{Caller, Change, EndCause, Event, JobChange, RequestKey, Submission};
use bivouac_types::config::{ClusterConfig, LimitClock};
use bivouac_types::info::JobInfo;
use bivouac_types::{Attempt, ExitStatus, JobId, JobSpec, Now, Outcome, TimeLimit, Timestamp, Uid};
use model::{Model, Record, Stand, Sub};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use waiting::is_permanent;

/// What became of one launch of a script, in truth.
#[derive(Clone, Copy, Debug, Default)]
struct Script {
    wait_status: Option<i32>,
    vanished: bool,
}

/// The checks and what they know.
pub struct Checker {
    pub(crate) violation: Option<String>,
    /// What the run saw.
    pub seen: Seen,
    config: Arc<ClusterConfig>,
    model: Model,
    scripts: BTreeMap<(u32, u32), Script>,
    /// Durable events so far.
    count: usize,
    asked: BTreeMap<u64, (RequestKey, Uid)>,
    keys: BTreeMap<RequestKey, JobId>,
    promised: BTreeMap<RequestKey, JobId>,
    /// Exit codes can have been lost: reaper dead, reboot, damage.
    catastrophes: u32,
    stepped: bool,
}

impl Checker {
    /// For a new cluster.
    pub fn new(config: Arc<ClusterConfig>) -> Checker {
        Checker {
            violation: None,
            seen: Seen::default(),
            model: Model { partitions: config.partitions.clone(), ..Model::default() },
            scripts: BTreeMap::new(),
            count: 0,
            asked: BTreeMap::new(),
            keys: BTreeMap::new(),
            promised: BTreeMap::new(),
            catastrophes: 0,
            stepped: false,
            config,
        }
    }

    fn fail(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    fn ensure(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.fail(what());
        }
    }

    /// The largest job id so far.
    pub fn last_id(&self) -> u32 {
        self.model.records.last_key_value().map_or(0, |r| r.0.0)
    }

    /// Jobs that are not over.
    pub fn live(&self) -> Vec<JobId> {
        self.model.records.iter().filter(|(_, r)| r.stand != Stand::Over).map(|(id, _)| *id).collect()
    }

    /// A user asked for a job.
    pub fn asked(&mut self, request: u64, caller: &Caller, _spec: &JobSpec, key: RequestKey) {
        self.asked.insert(request, (key, caller.uid));
    }

    /// A user heard an answer.
    pub fn answered(&mut self, request: u64, answer: &Answer) {
        let (Ok(Some(job)), Some((key, uid))) = (answer, self.asked.get(&request).copied()) else { return };
        let durable = self.keys.get(&key) == Some(job);
        self.ensure(durable, || format!("job {job} was promised to user {uid} and is not stored"));
        let first = *self.promised.entry(key).or_insert(*job);
        self.ensure(first == *job, || format!("one request was answered with job {first} and with {job}"));
    }

    /// What is stored is what became durable.
    pub fn compare(&mut self, all: &[Event]) {
        let count = self.count;
        self.ensure(all.len() == count, || {
            format!("{} events are stored, {count} became durable", all.len())
        });
    }

    /// The wall clock stepped: times of day are not compared any more.
    pub fn clock_stepped(&mut self) {
        self.stepped = true;
    }

    /// A record of the keeper's journal was damaged.
    pub fn journal_damaged(&mut self) {
        self.catastrophes += 1;
    }

    /// Some exit codes can have been lost.
    pub fn catastrophe(&mut self) {
        self.catastrophes += 1;
    }

    /// A launch is sent to the keeper.
    pub fn launched(&mut self, attempt: Attempt) {
        let granted = self.model.granted.contains(&attempt);
        self.ensure(granted, || format!("{attempt} is launched and its grant is not durable"));
    }

    /// The keeper is told that an end is stored.
    pub fn acknowledged_to_keeper(&mut self, attempt: Attempt) {
        let record = self.model.records.get(&attempt.job);
        let running = record.is_some_and(|r| r.restarts == attempt.restart && r.grant().is_some());
        self.ensure(!running, || format!("the end of {attempt} is acknowledged and not stored"));
    }

    /// A script begins.
    pub fn script_started(&mut self, job: u32, restart: u32) {
        let record = self.model.records.get(&JobId(job));
        let fits = record.is_some_and(|r| r.restarts == restart && r.grant().is_some());
        self.ensure(fits, || format!("the script of {job}.{restart} runs, and its job is not running"));
        let again = self.scripts.insert((job, restart), Script::default()).is_some();
        self.ensure(!again, || format!("the script of {job}.{restart} runs a second time"));
    }

    /// A script ended.
    pub fn script_exited(&mut self, job: u32, restart: u32, wait_status: i32) {
        if let Some(script) = self.scripts.get_mut(&(job, restart)) {
            script.wait_status = Some(wait_status);
        }
    }

    /// A script ended, and nobody saw how.
    pub fn script_vanished(&mut self, job: u32, restart: u32) {
        self.catastrophes += 1;
        if let Some(script) = self.scripts.get_mut(&(job, restart)) {
            script.vanished = true;
        }
    }

    fn limit_clock(&self, now: Now) -> u64 {
        match self.config.limit_clock {
            LimitClock::Monotonic => now.run.0,
            LimitClock::Wall => now.wall.0 as u64,
        }
    }

    /// An event became durable.
    pub fn event(&mut self, event: &Event) {
        self.count += 1;
        let at = event.at;
        match &event.change {
            Change::Submitted(submission) => {
                self.seen.submitted += 1;
                let (id, key) = (submission.id, submission.key);
                let fresh = self.keys.insert(key, id).is_none() && !self.model.records.contains_key(&id);
                self.ensure(fresh, || format!("job {id} or its key is used a second time"));
                let waits = self.terms(&submission.spec, at);
                let sub = Sub::new(submission, waits);
                let tasks = sub.tasks.clone();
                let record = Record::new(id, tasks, &submission.spec);
                self.model.records.insert(id, record);
                self.model.subs.insert(id, sub);
                self.settle();
            }
            Change::Split { from, tasks, job } => {
                let part: BTreeSet<u32> = tasks.iter().collect();
                self.take_tasks(*from, &part, *job);
            }
            Change::Dropped { from, tasks } => self.dropped(*from, &tasks.iter().collect(), at),
            Change::Started { job, from, task, partition, time_limit, alloc, .. } => {
                self.seen.started += 1;
                if let (Some(from), Some(task)) = (from, task) {
                    self.take_tasks(*from, &BTreeSet::from([*task]), *job);
                }
                self.check_start(*job, *task, partition, *time_limit, alloc, at);
                self.model.start(*job, *time_limit, alloc, at);
                self.check_capacity();
                self.check_limits(*job);
            }
            Change::Launched { attempt, .. } => self.expect_running(*attempt, "is confirmed"),
            Change::Ending { attempt, cause } => self.ending(*attempt, *cause, at),
            Change::KillDue { attempt } => self.expect_running(*attempt, "is killed"),
            Change::Signalled { attempt, .. } => self.expect_running(*attempt, "is signalled"),
            Change::Warned { attempt } => self.warned(*attempt, at),
            Change::Suspended { attempt } => self.suspended(*attempt, true, at),
            Change::Resumed { attempt } => self.suspended(*attempt, false, at),
            Change::Ended { job, outcome, .. } => self.ended(*job, *outcome, at),
            Change::Requeued { job, begin, .. } => self.requeued(*job, *begin),
            Change::Held { job, hold } => self.edit(*job, |r| r.hold = Some(*hold)),
            Change::Released { job } => self.edit(*job, |r| r.hold = None),
            Change::Resized { attempt, nodes } => self.resized(*attempt, nodes),
            Change::Updated { job, change: JobChange::EndTime(end) } => self.end_set(*job, *end, at),
            Change::Updated { job, change } => {
                if let JobChange::Name(_) = change {
                    self.model.renamed = true;
                }
                self.edit(*job, |r| match change {
                    JobChange::TimeLimit(limit) => r.set_limit(*limit),
                    JobChange::Name(name) => r.name.clone_from(name),
                    _ => {}
                });
            }
            Change::Amended { job, submission, waits } => self.amended(*job, submission, waits.is_some(), at),
            Change::Eligible { .. } => {}
            Change::StepStarted { job, step, layout, overlap, .. } => {
                let parts = layout.iter().map(|n| (n.node.to_string(), n.cpus)).collect();
                self.edit(*job, |r| drop(r.steps.insert(*step, Some(parts).filter(|_| !overlap))));
                self.check_steps(*job);
            }
            Change::StepEnded { job, step, .. } => {
                let open = self.model.records.get(job).is_some_and(|r| r.steps.contains_key(step));
                self.ensure(open, || format!("step {job}.{step} ends and is not open"));
                self.edit(*job, |r| drop(r.steps.remove(step)));
            }
            Change::StepLimited { .. } => {}
            Change::NodesSet { nodes } => self.nodes_set(nodes),
            Change::PartitionSet(record) => {
                record.apply(&mut self.model.partitions, &self.config.partition_defaults())
            }
            Change::Purged { jobs } => {
                for job in jobs {
                    let over =
                        self.model.records.get(job).is_some_and(|r| r.stand == Stand::Over && !r.forgotten);
                    self.ensure(over, || format!("job {job} is forgotten and is not over"));
                    self.edit(*job, |r| r.forgotten = true);
                }
            }
        }
    }

    /// The signal before the end comes once, and not before its time.
    fn warned(&mut self, attempt: Attempt, at: Now) {
        self.expect_running(attempt, "is sent its signal");
        let clock = self.limit_clock(at);
        let Some(record) = self.model.records.get(&attempt.job) else { return };
        let (Some(grant), Some(sub)) = (record.grant(), self.model.sub(record)) else { return };
        let seconds = sub.spec.signal.map(|s| u64::from(s.seconds));
        let early = seconds.is_none_or(|s| clock + s * 1000 < self.due(grant));
        let again = grant.warned;
        self.ensure(!early && !again, || {
            format!("{attempt} is sent its signal, early {early}, again {again}")
        });
        self.edit_grant(attempt.job, |g| g.warned = true);
    }

    fn suspended(&mut self, attempt: Attempt, begins: bool, at: Now) {
        self.expect_running(attempt, "is suspended or resumed");
        let was = self.model.records.get(&attempt.job).and_then(|r| r.grant()?.suspended);
        self.ensure(was.is_none() == begins, || format!("{attempt} is suspended or resumed twice"));
        let passed = was.map_or(0, |since| self.limit_clock(at).saturating_sub(self.limit_clock(since)));
        self.seen.suspended += u64::from(begins);
        self.edit_grant(attempt.job, |g| {
            g.suspended = begins.then_some(at);
            g.paused += passed;
        });
        self.check_capacity();
    }

    /// A job gives nodes back: it had them, and keeps its first one.
    fn resized(&mut self, attempt: Attempt, nodes: &[std::sync::Arc<str>]) {
        self.expect_running(attempt, "is resized");
        let grant = self.model.records.get(&attempt.job).and_then(Record::grant);
        let had = |grant: &model::Grant| {
            nodes.iter().all(|n| grant.alloc.iter().any(|part| part.node == *n))
                && nodes.first() == grant.alloc.first().map(|part| &part.node)
        };
        let right = grant.is_some_and(had);
        self.ensure(right, || format!("{attempt} is resized to nodes that it does not have"));
        self.edit_grant(attempt.job, |g| g.alloc.retain(|part| nodes.contains(&part.node)));
        let cpus = self.model.records.get(&attempt.job).and_then(Record::grant);
        let cpus = cpus.map_or(0, |g| g.alloc.iter().map(|part| part.cpus.len()).sum());
        if let Some(last) = self.model.last_grant.get_mut(&attempt.job) {
            last.0 = cpus;
        }
    }

    /// A run gets an end of its own, not later than its limit.
    fn end_set(&mut self, job: JobId, end: bivouac_types::Timestamp, at: Now) {
        let due = self.limit_clock(at) + end.since(at.wall).0;
        let grant = self.model.records.get(&job).and_then(Record::grant);
        let limit = grant.map(|g| self.due(&model::Grant { suspended: None, ..g.clone() }));
        self.ensure(limit.is_some(), || format!("job {job} gets an end and does not run"));
        self.edit_grant(job, |g| g.cut = limit.map_or(0, |limit| limit.saturating_sub(due)));
    }

    fn edit_grant(&mut self, job: JobId, change: impl FnOnce(&mut model::Grant)) {
        self.edit(job, |r| {
            if let Stand::Running(grant) = &mut r.stand {
                change(grant);
            }
        });
    }

    /// When a run reaches its limit; never while it is suspended.
    fn due(&self, grant: &model::Grant) -> u64 {
        match grant.limit {
            _ if grant.suspended.is_some() => u64::MAX,
            TimeLimit::Minutes(m) => {
                (self.limit_clock(grant.at) + grant.paused + u64::from(m) * 60_000).saturating_sub(grant.cut)
            }
            TimeLimit::Unlimited => u64::MAX,
        }
    }

    /// A job asks for something else. Only a pending one gets other resources.
    fn amended(&mut self, job: JobId, submission: &Submission, depends_anew: bool, at: Now) {
        let Some(record) = self.model.records.get(&job) else {
            return self.fail(format!("job {job} is amended and never was"));
        };
        let Some(before) = self.model.sub(record) else { return };
        let same = before.spec.resources == submission.spec.resources
            && before.partitions == submission.partitions
            && before.qos == submission.qos;
        let waits = record.stand == Stand::Waiting;
        let terms = match depends_anew {
            true => self.terms(&submission.spec, at),
            false => before.waits.clone(),
        };
        let mut sub = Sub::new(submission, terms);
        if !depends_anew {
            sub.settled.clone_from(&before.settled);
        }
        let sub = Box::new(sub);
        self.seen.amended += 1;
        self.ensure(waits || same, || format!("job {job} is given other resources while it runs"));
        self.edit(job, |r| {
            // Another begin time takes the place of the delay.
            r.not_before = r.not_before.filter(|begin| sub.spec.begin == Some(*begin));
            r.amended = Some(sub);
        });
        self.settle();
    }

    fn edit(&mut self, job: JobId, change: impl FnOnce(&mut Record)) {
        match self.model.records.get_mut(&job) {
            Some(record) => change(record),
            None => self.fail(format!("an event names job {job}, which never was")),
        }
    }

    /// Steps are on their job's nodes and use no more CPUs than it has there.
    fn check_steps(&mut self, job: JobId) {
        let Some(record) = self.model.records.get(&job) else { return };
        let Some(grant) = record.grant().filter(|g| !g.ending) else {
            return self.fail(format!("job {job} has a step and is not running"));
        };
        let mut left: BTreeMap<&str, i64> =
            grant.alloc.iter().map(|a| (&*a.node, a.cpus.iter().count() as i64)).collect();
        let parts = record.steps.values().flatten().flatten();
        let fits = parts.into_iter().all(|(node, cpus)| match left.get_mut(node.as_str()) {
            Some(free) => {
                *free -= i64::from(*cpus);
                *free >= 0
            }
            None => false,
        });
        self.ensure(fits, || format!("the steps of job {job} use more than it has"));
    }

    /// The accounting record of a job that has just ended.
    pub fn accounted(&mut self, info: &JobInfo, at: Now) {
        let Some((cpus, begun)) = self.model.last_grant.get(&info.id).copied() else {
            let nothing = info.elapsed.0 == 0 && info.nodes.is_empty() && info.start.is_none();
            return self.ensure(nothing, || format!("job {} never ran and is accounted as if", info.id));
        };
        let held = at.run.0 - begun.run.0;
        let right = info.num_cpus == cpus && info.elapsed.0 <= held && info.start == Some(begun.wall);
        self.ensure(right, || {
            format!(
                "job {} held {cpus} CPUs for {held} ms, its record says {} for {}",
                info.id, info.num_cpus, info.elapsed
            )
        });
        let steps = info.steps.iter().all(|s| s.end.is_some());
        self.ensure(steps, || format!("job {} is over and a step of it is not", info.id));
    }

    fn take_tasks(&mut self, from: JobId, part: &BTreeSet<u32>, job: JobId) {
        let fresh = !self.model.records.contains_key(&job);
        self.ensure(fresh, || format!("number {job} is given out twice"));
        let Some(record) = self.model.records.get_mut(&from) else {
            return self.fail(format!("tasks leave job {from}, which never was"));
        };
        let has = record.tasks.as_ref().is_some_and(|t| part.is_subset(t) && part.len() < t.len());
        let mut new = record.clone();
        new.tasks = Some(part.clone());
        if let Some(tasks) = &mut record.tasks {
            tasks.retain(|t| !part.contains(t));
        }
        self.model.records.insert(job, new);
        self.ensure(has, || format!("job {from} does not have the tasks that leave it as {job}"));
    }

    /// Waiting tasks are cancelled, and their record keeps the others.
    fn dropped(&mut self, from: JobId, part: &BTreeSet<u32>, at: Now) {
        let Some(record) = self.model.records.get_mut(&from) else {
            return self.fail(format!("tasks of job {from} are dropped, which never was"));
        };
        let waits = record.stand == Stand::Waiting;
        let has = record.tasks.as_ref().is_some_and(|t| part.is_subset(t) && part.len() < t.len());
        if let Some(tasks) = &mut record.tasks {
            tasks.retain(|t| !part.contains(t));
        }
        let origin = record.origin;
        self.ensure(has && waits, || format!("job {from} does not have the waiting tasks that are dropped"));
        for task in part {
            let Some(sub) = self.model.subs.get_mut(&origin) else { continue };
            let again = sub.ended.insert(Some(*task), false).is_some();
            sub.begun.insert(Some(*task), at.wall);
            self.ensure(!again, || format!("task {task} of job {origin} ends twice"));
        }
        self.settle();
    }

    fn expect_running(&mut self, attempt: Attempt, what: &str) {
        let record = self.model.records.get(&attempt.job);
        let fits = record.is_some_and(|r| r.restarts == attempt.restart && r.grant().is_some());
        self.ensure(fits, || format!("{attempt} {what} and is not running"));
    }

    fn ending(&mut self, attempt: Attempt, cause: EndCause, at: Now) {
        self.expect_running(attempt, "is ended");
        let clock = self.limit_clock(at);
        let Some(record) = self.model.records.get(&attempt.job) else { return };
        let (early, again) = match (record.grant(), cause) {
            (Some(grant), EndCause::TimeLimit) => {
                let due = self.due(grant);
                (clock < due, grant.ending)
            }
            _ => (false, false),
        };
        if cause == EndCause::NodeFail {
            let on_lost = self.is_on_lost_node(attempt.job);
            self.ensure(on_lost, || format!("{attempt} is ended for a failed node and is on none"));
        }
        self.ensure(!early, || format!("{attempt} is ended by its time limit before that"));
        self.ensure(!again, || format!("{attempt} is ended by its time limit a second time"));
        self.edit(attempt.job, |r| {
            if let Stand::Running(grant) = &mut r.stand {
                grant.ending = true;
                grant.node_failed |= cause == EndCause::NodeFail;
            }
        });
    }

    fn ended(&mut self, job: JobId, outcome: Outcome, at: Now) {
        let Some(record) = self.model.records.get(&job).cloned() else {
            return self.fail(format!("job {job} ends and never was"));
        };
        self.ensure(record.stand != Stand::Over, || format!("job {job} ends twice"));
        let script = self.scripts.get(&(job.0, record.restarts)).copied();
        let truth = script.and_then(|s| s.wait_status).map(ExitStatus::from_wait_status);
        let ran = record.grant().is_some();
        match outcome {
            Outcome::Exited(status) => {
                let same = truth == Some(status);
                self.ensure(same, || format!("job {job} ended with {status}, its script with {truth:?}"));
            }
            Outcome::Cancelled { status: Some(status), .. } => {
                let same = truth == Some(status);
                self.ensure(same, || {
                    format!("cancelled job {job} ended with {status}, its script with {truth:?}")
                });
            }
            Outcome::Timeout(_) => {
                self.seen.timeouts += 1;
                self.ensure(ran, || format!("job {job} timed out and did not run"));
            }
            Outcome::Deadline(_) => {
                self.seen.deadlines += 1;
                let sub = self.model.sub(&record);
                let asked = sub.is_some_and(|s| s.spec.deadline.is_some());
                self.ensure(asked, || format!("job {job} is ended by a deadline and has none"));
            }
            Outcome::LaunchFailed => {
                self.ensure(script.is_none(), || format!("job {job} was not launched, and its script ran"));
            }
            Outcome::Preempted(_) | Outcome::OutOfMemory => {
                self.ensure(ran, || format!("job {job} met with a misfortune and did not run"));
            }
            Outcome::NodeFail => {
                self.seen.node_fails += 1;
                let possible = self.catastrophes > 0 || record.grant().is_some_and(|g| g.node_failed);
                self.ensure(possible, || format!("the end of job {job} was lost though nothing broke"));
            }
            Outcome::Cancelled { status: None, .. } => {}
            Outcome::DependencyNeverSatisfied => {
                let asked = self.model.sub(&record).is_some_and(|s| s.spec.kill_on_invalid_dep == Some(true));
                self.ensure(asked && !ran, || format!("job {job} is ended by its dependency, asked {asked}"));
            }
        }
        let tasks = record.tasks.clone().map_or(vec![None], |t| t.into_iter().map(Some).collect());
        let good = matches!(outcome, Outcome::Exited(s) if s.success());
        for task in tasks {
            let Some(sub) = self.model.subs.get_mut(&record.origin) else { continue };
            let again = sub.ended.insert(task, good).is_some();
            if !ran && record.restarts == 0 {
                sub.begun.insert(task, at.wall);
            }
            self.ensure(!again, || format!("task {task:?} of job {} ends twice", record.origin));
        }
        self.edit(job, |r| {
            r.stand = Stand::Over;
            r.steps.clear();
        });
        self.settle();
    }

    fn requeued(&mut self, job: JobId, begin: Option<Timestamp>) {
        self.seen.requeued += 1;
        self.model.last_grant.remove(&job);
        let record = self.model.records.get(&job).cloned();
        let runs = record.as_ref().is_some_and(|r| r.grant().is_some());
        let over = record.as_ref().is_some_and(|r| r.stand == Stand::Over && !r.forgotten);
        self.ensure(runs || over, || format!("job {job} is queued again and did not run"));
        if let Some(record) = record.filter(|_| over)
            && let Some(sub) = self.model.subs.get_mut(&record.origin)
        {
            let tasks: Vec<_> = record.tasks.map_or(vec![None], |t| t.into_iter().map(Some).collect());
            sub.ended.retain(|task, _| !tasks.contains(task));
        }
        self.edit(job, |r| {
            r.restarts += 1;
            r.stand = Stand::Waiting;
            r.not_before = begin;
            r.steps.clear();
        });
    }

    /// When everything has settled: every task of every promised job ended once, or waits.
    pub fn at_the_end(&mut self) -> Option<String> {
        for (key, job) in &self.promised {
            if self.keys.get(key) != Some(job) {
                return Some(format!("job {job} was promised and is gone"));
            }
        }
        for (id, sub) in &self.model.subs {
            let waiting: BTreeSet<Option<u32>> = self
                .model
                .records
                .values()
                .filter(|r| r.origin == *id && r.stand == Stand::Waiting)
                .flat_map(|r| r.tasks.clone().map_or(vec![None], |t| t.into_iter().map(Some).collect()))
                .collect();
            let all = sub.tasks.clone().map_or(vec![None], |t| t.into_iter().map(Some).collect());
            for task in all {
                let (ended, waits) = (sub.ended.contains_key(&task), waiting.contains(&task));
                if ended == waits {
                    return Some(format!("task {task:?} of job {id}: ended {ended}, waiting {waits}"));
                }
            }
        }
        None
    }
}
