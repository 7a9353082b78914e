//! What a grant must not break: capacity, the request, limits.

use super::Checker;
use super::model::{Record, Stand, Sub};
use bivouac_core::NodeAlloc;
use bivouac_types::config::{NodeConfig, PartitionConfig, TresLimit};
use bivouac_types::node::{NodeStand, Standing};
use bivouac_types::{JobId, MemRequest, Now, TimeLimit};
use std::collections::{BTreeMap, BTreeSet};

impl Checker {
    /// The start agrees with what was asked for.
    pub(super) fn check_start(
        &mut self,
        job: JobId,
        task: Option<u32>,
        partition: &str,
        limit: TimeLimit,
        alloc: &[NodeAlloc],
        at: Now,
    ) {
        let Some(record) = self.model.records.get(&job).cloned() else {
            return self.fail(format!("job {job} starts and never was"));
        };
        let Some(sub) = self.model.sub(&record).cloned() else { return };
        let what = |text: &str| format!("job {job} starts {text}");
        self.ensure(record.stand == Stand::Waiting, || what("and does not wait"));
        self.ensure(record.hold.is_none(), || what("while held"));
        let early = !self.stepped && record.not_before.is_some_and(|begin| begin > at.wall);
        self.ensure(!early, || what("again too early"));
        // A task that was left alone is named by its record.
        let one = match &record.tasks {
            Some(tasks) => tasks.len() == 1 && task.is_none_or(|task| tasks.contains(&task)),
            None => task.is_none(),
        };
        self.ensure(one, || what(&format!("as task {task:?} of {:?}", record.tasks)));
        self.ensure(sub.partitions.iter().any(|p| p == partition), || what("in a partition it did not name"));
        if record.restarts == 0 && !self.stepped {
            self.ensure(sub.spec.begin.is_none_or(|b| b <= at.wall), || what("before its begin time"));
            let ready = self.dependency_holds(&sub, &record, at);
            self.ensure(ready, || what("before its dependency is satisfied"));
        }
        let partitions = self.model.partitions.clone();
        match partitions.iter().find(|p| p.name == partition) {
            None => self.fail(what("in a partition that is not there")),
            Some(p) => {
                self.ensure(p.state.starts_jobs(), || what("in a partition that is down"));
                self.ensure(limit <= p.max_time, || what("with more time than the partition allows"));
                self.check_nodes(job, &sub, p, alloc);
            }
        }
        let closed = alloc.iter().any(|a| self.model.closed.contains(&*a.node));
        self.ensure(!closed, || what("on a node that is out of service"));
        let partition = partitions.iter().find(|p| p.name == partition);
        let whole = record.limit.or(partition.map(|p| p.default_time.unwrap_or(p.max_time)));
        let Some(whole) = whole.filter(|whole| *whole != limit) else { return };
        // Less than asked for, for who said so, and for a reason.
        let least = sub.spec.time_min.is_some_and(|least| least <= limit) && limit < whole;
        self.ensure(least, || what("with another time limit"));
        let other_waits = self.model.records.iter().any(|(id, r)| *id != job && r.stand == Stand::Waiting);
        let beyond = partition.is_some_and(|p| whole > p.max_time);
        self.ensure(other_waits || beyond || sub.spec.deadline.is_some(), || {
            what("with less time than it asked for, and nobody waits")
        });
        self.seen.shortened += 1;
    }

    fn check_nodes(&mut self, job: JobId, sub: &Sub, p: &PartitionConfig, alloc: &[NodeAlloc]) {
        let ask = &sub.spec.resources;
        let what = |text: &str| format!("job {job} was given {text}");
        let names: BTreeSet<&str> = alloc.iter().map(|a| &*a.node).collect();
        self.ensure(names.len() == alloc.len(), || what("a node twice"));
        let cpus_per_task = ask.cpus_per_task.unwrap_or(1);
        let tasks: u32 = alloc.iter().map(|a| a.tasks).sum();
        if let Some(n) = ask.ntasks {
            // Where tasks and CPUs are counted apart, each node has one at least.
            let n = if ask.cpus.is_some() { n.max(alloc.len() as u32) } else { n };
            self.ensure(tasks == n, || what(&format!("{tasks} tasks, not {n}")));
        }
        if let Some(range) = ask.nodes {
            let n = names.len() as u32;
            let least = if ask.cpus.is_some() { range.min } else { range.min.min(tasks) };
            let enough = n >= least && n <= range.max.unwrap_or(u32::MAX);
            self.ensure(enough, || what(&format!("{n} nodes")));
        }
        self.ensure(names.len() as u32 <= p.max_nodes.unwrap_or(u32::MAX), || {
            what("more nodes than allowed")
        });
        let listed = ask
            .nodelist
            .as_ref()
            .map_or(0, |l| l.names.iter().filter(|n| names.contains(n.as_str())).count());
        let wanted = ask.nodelist.as_ref().map_or(0, |l| l.names.len()).min(tasks as usize);
        self.ensure(listed >= wanted, || what("other nodes than it listed"));
        // How many CPUs it has where they do not follow from its tasks: in units of a task's.
        let unit = ask.cpus.map(|all| cpus_per_task.min(all).max(1));
        if let (Some(all), Some(unit), false) = (ask.cpus, unit, ask.exclusive) {
            let cpus: u32 = alloc.iter().map(|a| a.cpus.len()).sum();
            let right = cpus >= all / unit * unit && cpus <= all.max(unit * names.len() as u32);
            self.ensure(right, || what(&format!("{cpus} CPUs in all, not {all}")));
        }
        for part in alloc {
            let Some(node) = self.config.nodes.iter().find(|n| *n.name == *part.node).cloned() else {
                return self.fail(what("a node that is not there"));
            };
            self.ensure(p.nodes.contains(&node.name), || what("a node of another partition"));
            let excluded = ask.exclude.as_ref().is_some_and(|l| l.names.contains(&node.name));
            self.ensure(!excluded, || what("a node that it excluded"));
            let most = ask.ntasks_per_node.filter(|_| unit.is_none()).unwrap_or(u32::MAX);
            self.ensure(part.tasks > 0 && part.tasks <= most, || what("too many tasks on a node"));
            let cpus = part.cpus.iter().count() as u32;
            let right = match unit {
                _ if ask.exclusive => node.cpus(),
                Some(unit) => cpus / unit * unit,
                None => part.tasks * cpus_per_task,
            };
            self.ensure(cpus == right, || what(&format!("{cpus} CPUs on {}, not {right}", node.name)));
            let mem = memory(ask.mem, p, &node, cpus);
            self.ensure(part.mem_mb == mem, || {
                what(&format!("{} MiB on {}, not {mem}", part.mem_mb, node.name))
            });
            for g in &ask.gres {
                let fits = |have: &&bivouac_core::alloc::GresAlloc| {
                    *have.name == *g.name && (g.kind.is_none() || have.kind.as_deref() == g.kind.as_deref())
                };
                let have: usize = part.gres.iter().filter(fits).map(|h| h.indices.iter().count()).sum();
                self.ensure(have >= g.count as usize, || what(&format!("{have} {} of {}", g.name, g.count)));
            }
            if let Some(c) = ask.constraint.as_deref() {
                let has = |f: &str| node.features.iter().any(|have| have == f);
                let holds = c.split('|').any(|all| all.split('&').all(has));
                self.ensure(holds, || what("a node without its features"));
            }
        }
    }

    /// Nodes stand otherwise: what is out of service takes no jobs.
    pub(super) fn nodes_set(&mut self, nodes: &BTreeMap<String, NodeStand>) {
        for (name, stand) in nodes {
            let known = self.config.nodes.iter().any(|n| n.name == *name);
            self.ensure(known, || format!("node {name} is changed and is not there"));
            let mut put = |set: fn(&mut super::model::Model) -> &mut BTreeSet<String>, is: bool| {
                let set = set(&mut self.model);
                if is { set.insert(name.clone()) } else { set.remove(name) }
            };
            put(|m| &mut m.closed, stand.standing != Standing::Up || !stand.flags.is_empty());
            put(|m| &mut m.lost, stand.standing != Standing::Up);
        }
    }

    /// Whether a job that holds resources has some of a node that is lost.
    pub(super) fn is_on_lost_node(&self, job: JobId) -> bool {
        let grant = self.model.records.get(&job).and_then(Record::grant);
        grant.is_some_and(|g| g.alloc.iter().any(|a| self.model.lost.contains(&*a.node)))
    }

    /// Nothing is given twice, nothing that is not there: recomputed from all running jobs.
    pub(super) fn check_capacity(&mut self) {
        let mut problem = None;
        for node in &self.config.nodes {
            let mut cpus = BTreeSet::new();
            let mut gres = BTreeSet::new();
            let (mut mem, mut jobs, mut whole) = (0, 0, false);
            for (id, record, grant) in self.model.running() {
                for part in grant.alloc.iter().filter(|a| *a.node == *node.name) {
                    mem += part.mem_mb;
                    let runs = grant.suspended.is_none();
                    jobs += u32::from(runs);
                    whole |= runs && self.model.sub(record).is_some_and(|s| s.spec.resources.exclusive);
                    for cpu in part.cpus.iter().filter(|_| grant.suspended.is_none()) {
                        if cpu >= node.cpus() || !cpus.insert(cpu) {
                            problem =
                                Some(format!("CPU {cpu} of {} is given to {id} and to another", node.name));
                        }
                    }
                    for g in &part.gres {
                        for i in g.indices.iter() {
                            if !gres_exists(node, &g.name, g.kind.as_deref(), i)
                                || !gres.insert((g.name.clone(), i))
                            {
                                problem = Some(format!(
                                    "{} {i} of {} is given to {id} and to another",
                                    g.name, node.name
                                ));
                            }
                        }
                    }
                }
            }
            if mem > node.memory_mb {
                problem = Some(format!("{mem} MiB of {} are given, it has {}", node.name, node.memory_mb));
            }
            if whole && jobs > 1 {
                problem = Some(format!("{jobs} jobs are on {}, one of them alone", node.name));
            }
        }
        if let Some(problem) = problem {
            self.fail(problem);
        }
    }

    /// The limits of the job's array and QoS hold with it.
    pub(super) fn check_limits(&mut self, job: JobId) {
        let Some(record) = self.model.records.get(&job) else { return };
        let Some(sub) = self.model.sub(record) else { return };
        let running = self.model.running();
        let tasks = running.filter(|(_, r, _)| r.origin == record.origin && r.tasks.is_some()).count();
        if let Some(max) = sub.spec.array.as_ref().and_then(|a| a.max_running)
            && tasks > max as usize
        {
            return self.fail(format!("{tasks} tasks of array {} run, {max} may", record.origin));
        }
        let config = self.config.clone();
        let Some(qos) = sub.qos.as_deref().and_then(|q| config.qos(q)) else { return };
        let uid = sub.uid;
        let group = self.used(&qos.name, None);
        let user = self.used(&qos.name, Some(uid));
        let alone = self.used_by([record]);
        let over = |n: Option<u32>, have: u64| n.is_some_and(|n| have > u64::from(n));
        let broken = (over(qos.grp_jobs, group.jobs) || exceeds(&qos.grp, &group))
            || (over(qos.max_jobs_per_user, user.jobs) || exceeds(&qos.max_per_user, &user))
            || exceeds(&qos.max_per_job, &alone);
        self.ensure(!broken, || {
            format!("job {job} breaks a limit of QoS {}: {group:?} {user:?} {alone:?}", qos.name)
        });
    }

    /// What runs in a QoS, of one user or of all.
    pub(super) fn used(&self, qos: &str, uid: Option<bivouac_types::Uid>) -> Used {
        let of = |record: &Record| {
            let sub = self.model.sub(record);
            sub.is_some_and(|s| s.qos.as_deref() == Some(qos) && uid.is_none_or(|u| u == s.uid))
        };
        self.used_by(self.model.running().map(|(_, r, _)| r).filter(|r| of(r)))
    }

    fn used_by<'a>(&self, records: impl IntoIterator<Item = &'a Record>) -> Used {
        let mut used = Used::default();
        for grant in records.into_iter().filter_map(Record::grant) {
            used.jobs += 1;
            used.nodes += grant.alloc.len() as u64;
            for part in &grant.alloc {
                used.cpus += part.cpus.iter().filter(|_| grant.suspended.is_none()).count() as u64;
                used.mem += part.mem_mb;
                for g in &part.gres {
                    *used.gres.entry(g.name.to_string()).or_default() += g.indices.iter().count() as u64;
                }
            }
        }
        used
    }
}

/// Resources in use.
#[derive(Debug, Default)]
pub(super) struct Used {
    pub jobs: u64,
    pub cpus: u64,
    pub mem: u64,
    pub nodes: u64,
    pub gres: BTreeMap<String, u64>,
}

fn exceeds(limit: &TresLimit, used: &Used) -> bool {
    let over = |limit: Option<u64>, have: u64| limit.is_some_and(|l| have > l);
    over(limit.cpus, used.cpus)
        || over(limit.mem_mb, used.mem)
        || over(limit.nodes, used.nodes)
        || limit.gres.iter().any(|(name, l)| used.gres.get(name).copied().unwrap_or(0) > *l)
}

fn memory(ask: Option<MemRequest>, p: &PartitionConfig, node: &NodeConfig, cpus: u32) -> u64 {
    match ask {
        Some(MemRequest::PerNode(0)) => node.memory_mb,
        Some(MemRequest::PerNode(mb)) => mb,
        Some(MemRequest::PerCpu(mb)) => mb * u64::from(cpus),
        // No simulated user asks so.
        Some(MemRequest::PerGpu(_)) => unreachable!("memory per GPU"),
        None => p.def_mem_per_cpu_mb.map_or(node.memory_mb, |mb| mb * u64::from(cpus)),
    }
}

fn gres_exists(node: &NodeConfig, name: &str, kind: Option<&str>, index: u32) -> bool {
    let mut first = 0;
    for g in node.gres.iter().filter(|g| g.name == name) {
        if g.kind.as_deref() == kind && (first..first + g.count).contains(&index) {
            return true;
        }
        first += g.count;
    }
    false
}
