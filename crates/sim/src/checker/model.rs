//! Jobs as the event history tells them.

use bivouac_core::{Hold, NodeAlloc, Submission};
use bivouac_types::config::PartitionConfig;
use bivouac_types::{Attempt, JobId, JobSpec, Now, TimeLimit, Timestamp, Uid};
use std::collections::{BTreeMap, BTreeSet};

/// A submission.
#[derive(Clone, Debug)]
pub struct Sub {
    pub uid: Uid,
    pub spec: JobSpec,
    pub partitions: Vec<String>,
    pub qos: Option<String>,
    pub tasks: Option<BTreeSet<u32>>,
    /// Whether each ended task ended well; `None` stands for a job that is no array.
    pub ended: BTreeMap<Option<u32>, bool>,
    pub begun: BTreeMap<Option<u32>, Timestamp>,
    /// The terms of its dependency; none of one that needs nothing (any more).
    pub waits: Option<Vec<Term>>,
    /// How its terms were settled: a job that is queued again does not undo that.
    pub settled: BTreeMap<usize, bool>,
}

/// A term of a dependency: the submission and tasks it names.
#[derive(Clone, Copy, Debug)]
pub enum Term {
    Begun(Target, u64),
    Ended(Target),
    Ok(Target),
    NotOk(Target),
    Singleton,
}

/// A submission and one task of it, or all.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub origin: JobId,
    pub task: Option<u32>,
}

impl Sub {
    pub fn new(submission: &Submission, waits: Option<Vec<Term>>) -> Sub {
        Sub {
            uid: submission.owner.uid,
            spec: submission.spec.clone(),
            partitions: submission.partitions.clone(),
            qos: submission.qos.clone(),
            tasks: submission.spec.array.as_ref().map(|a| a.tasks.iter().collect()),
            ended: BTreeMap::new(),
            begun: BTreeMap::new(),
            waits,
            settled: BTreeMap::new(),
        }
    }

    /// How many tasks it has.
    pub fn size(&self) -> usize {
        self.tasks.as_ref().map_or(1, BTreeSet::len)
    }
}

/// A record of a number of its own.
#[derive(Clone, Debug)]
pub struct Record {
    pub origin: JobId,
    pub tasks: Option<BTreeSet<u32>>,
    pub name: String,
    pub limit: Option<TimeLimit>,
    pub hold: Option<Hold>,
    pub restarts: u32,
    pub stand: Stand,
    pub forgotten: bool,
    /// It was queued again, and does not start before then.
    pub not_before: Option<Timestamp>,
    /// What it asks for, where that was changed.
    pub amended: Option<Box<Sub>>,
    /// Its open steps: CPUs by node, or nothing for one that shares them.
    pub steps: BTreeMap<u32, Option<Vec<(String, u32)>>>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Stand {
    Waiting,
    Running(Grant),
    Over,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    pub at: Now,
    pub limit: TimeLimit,
    /// It ends so much earlier than after its limit.
    pub cut: u64,
    pub alloc: Vec<NodeAlloc>,
    pub ending: bool,
    /// It is ended because a node of it is lost.
    pub node_failed: bool,
    /// Suspended since, and how long before.
    pub suspended: Option<Now>,
    pub paused: u64,
    pub warned: bool,
}

impl Record {
    pub fn new(origin: JobId, tasks: Option<BTreeSet<u32>>, spec: &JobSpec) -> Record {
        Record {
            origin,
            tasks,
            name: spec.name.clone(),
            limit: spec.time_limit,
            hold: spec.hold.then_some(Hold::User),
            restarts: 0,
            stand: Stand::Waiting,
            forgotten: false,
            not_before: None,
            amended: None,
            steps: BTreeMap::new(),
        }
    }

    pub fn grant(&self) -> Option<&Grant> {
        match &self.stand {
            Stand::Running(grant) => Some(grant),
            _ => None,
        }
    }

    pub fn set_limit(&mut self, limit: TimeLimit) {
        self.limit = Some(limit);
        if let Stand::Running(grant) = &mut self.stand {
            grant.limit = limit;
            grant.cut = 0;
        }
    }
}

/// All of it.
#[derive(Default)]
pub struct Model {
    pub subs: BTreeMap<JobId, Sub>,
    pub records: BTreeMap<JobId, Record>,
    /// Every launch that was ever granted.
    pub granted: BTreeSet<Attempt>,
    /// CPUs and start of each job's last run.
    pub last_grant: BTreeMap<JobId, (u32, Now)>,
    pub renamed: bool,
    /// The partitions as they are now.
    pub partitions: Vec<PartitionConfig>,
    /// Nodes that take no new jobs.
    pub closed: BTreeSet<String>,
    /// Nodes on which nothing runs.
    pub lost: BTreeSet<String>,
}

impl Model {
    pub fn start(&mut self, job: JobId, limit: TimeLimit, alloc: &[NodeAlloc], at: Now) {
        let Some(record) = self.records.get_mut(&job) else { return };
        record.limit = Some(limit);
        record.stand = Stand::Running(Grant {
            at,
            limit,
            cut: 0,
            alloc: alloc.to_vec(),
            ending: false,
            node_failed: false,
            suspended: None,
            paused: 0,
            warned: false,
        });
        let cpus = alloc.iter().map(|a| a.cpus.iter().count() as u32).sum();
        self.last_grant.insert(job, (cpus, at));
        self.granted.insert(Attempt { job, restart: record.restarts });
        let tasks = record.tasks.clone();
        if let Some(sub) = self.subs.get_mut(&record.origin) {
            for task in tasks.map_or(vec![None], |t| t.into_iter().map(Some).collect::<Vec<_>>()) {
                sub.begun.entry(task).or_insert(at.wall);
            }
        }
    }

    /// What a record asks for.
    pub fn sub<'a>(&'a self, record: &'a Record) -> Option<&'a Sub> {
        record.amended.as_deref().or_else(|| self.subs.get(&record.origin))
    }

    /// Records that hold resources.
    pub fn running(&self) -> impl Iterator<Item = (&JobId, &Record, &Grant)> {
        self.records.iter().filter_map(|(id, r)| r.grant().map(|g| (id, r, g)))
    }

    /// The submission and task that a number means; none if it was forgotten.
    pub fn target(&self, job: JobId, task: Option<u32>) -> Option<Target> {
        let kept = |r: &Record| !r.forgotten;
        if self.subs.contains_key(&job) {
            let has = |r: &Record| {
                task.is_none() || r.tasks.as_ref().is_some_and(|t| task.is_some_and(|x| t.contains(&x)))
            };
            let known = self.records.values().any(|r| r.origin == job && kept(r) && has(r));
            return known.then_some(Target { origin: job, task });
        }
        let record = self.records.get(&job).filter(|r| kept(r))?;
        let task = record.tasks.as_ref().filter(|t| t.len() == 1).and_then(|t| t.first().copied());
        Some(Target { origin: record.origin, task })
    }
}
