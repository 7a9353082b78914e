//! Priority: the order of pending jobs, and the number that squeue shows.
//!
//! With priority/basic, which personal clusters and site profiles have, it follows from the QoS, the partition and
//! --nice, and never changes. With priority/multifactor it is a weighted sum that grows with the time that a job has
//! waited: it is computed from the wall time of the question, and nothing of it is stored.

use crate::demand::Demand;
use crate::job::{Job, Submission};
use crate::world::World;
use bivouac_types::config::ClusterConfig;
use bivouac_types::priority::{Factors, tres_weights};
use bivouac_types::{Now, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Priority of a job of no QoS, no partition factor and no --nice with priority/basic.
pub(crate) const BASE: i64 = 4_294_901_760;

/// What factors are measured by.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    /// PriorityWeightTRES.
    tres: Vec<(String, f64)>,
    /// What each partition has of these.
    totals: Vec<BTreeMap<String, f64>>,
    /// The highest PriorityJobFactor, QoS priority and association priority.
    partition: f64,
    qos: f64,
    assoc: f64,
    nodes: f64,
    cpus: f64,
}

impl Scale {
    pub(crate) fn new(config: &ClusterConfig) -> Scale {
        let rules = &config.parameters.priority;
        let tres = rules.tres.as_deref().map_or(Vec::new(), tres_weights);
        let plain = |word: &str| rules.flags.iter().any(|f| f == word || f == "NO_NORMAL_ALL");
        let highest = |flag: &str, values: &mut dyn Iterator<Item = u32>| match values.max() {
            Some(most) if most > 0 && !plain(flag) => f64::from(most),
            _ => 1.0,
        };
        let mut totals: Vec<BTreeMap<String, f64>> =
            config.partitions.iter().map(|p| total(config, &p.nodes)).collect();
        if plain("NO_NORMAL_TRES") {
            totals.iter_mut().flat_map(BTreeMap::values_mut).for_each(|v| *v = 1.0);
        }
        Scale {
            tres,
            totals,
            partition: highest(
                "NO_NORMAL_PART",
                &mut config.partitions.iter().map(|p| p.priority_job_factor),
            ),
            qos: highest("NO_NORMAL_QOS", &mut config.qos.iter().map(|q| q.priority)),
            assoc: highest("NO_NORMAL_ASSOC", &mut config.parameters.associations.iter().map(|a| a.priority)),
            nodes: config.nodes.len() as f64,
            cpus: config.nodes.iter().map(|n| f64::from(n.cpus())).sum(),
        }
    }
}

/// What nodes have together, by the names of trackable resources.
fn total(config: &ClusterConfig, nodes: &[String]) -> BTreeMap<String, f64> {
    let mut sum = BTreeMap::<String, f64>::new();
    let nodes: BTreeSet<&str> = nodes.iter().map(String::as_str).collect();
    for node in config.nodes.iter().filter(|n| nodes.contains(n.name.as_str())) {
        let mut add = |name: String, n: f64| *sum.entry(name).or_default() += n;
        add("cpu".into(), f64::from(node.cpus()));
        add("mem".into(), node.memory_mb as f64);
        add("node".into(), 1.0);
        for gres in &node.gres {
            add(format!("gres/{}", gres.name), f64::from(gres.count));
            if let Some(kind) = &gres.kind {
                add(format!("gres/{}:{kind}", gres.name), f64::from(gres.count));
            }
        }
    }
    sum
}

impl World {
    /// The parts of the priority that the job has in a partition, with priority/multifactor.
    pub fn factors(&self, job: &Job, submission: &Submission, demand: &Demand, now: Now) -> Factors {
        let (rules, scale) = (&self.config.parameters.priority, &self.scale);
        let association = self.association(submission);
        let partition = &self.config.partitions[demand.partition];
        let qos = self.qos_of(submission).map_or(0.0, |q| f64::from(self.qos(q).priority));
        let (nodes, cpus) = (f64::from(demand.min_nodes.max(1)), f64::from(demand.min_cpus()));
        let size = ((nodes / scale.nodes + cpus / scale.cpus) / 2.0).min(1.0);
        // A factor without a weight is not worked out.
        let of = |weight: u32, factor: f64| if weight > 0 { factor } else { 0.0 };
        Factors {
            age: of(rules.age, age(job, submission, rules.max_age.0 as f64, now.wall)),
            assoc: of(rules.assoc, association.map_or(0.0, |a| f64::from(a.priority)) / scale.assoc),
            // Nobody has used anything yet, as far as this factor knows: it is the highest one.
            fairshare: of(rules.fairshare, 1.0),
            job_size: of(rules.job_size, if rules.favor_small { 1.0 - size } else { size }),
            partition: of(rules.partition, f64::from(partition.priority_job_factor) / scale.partition),
            qos: of(rules.qos, qos / scale.qos),
            tres: self.tres_factors(demand),
            nice: job.nice,
            site: submission.spec.site_factor,
        }
    }

    fn tres_factors(&self, demand: &Demand) -> Vec<(String, f64)> {
        let (scale, nodes) = (&self.scale, f64::from(demand.min_nodes.max(1)));
        let amount = |name: &str| match name {
            "cpu" => f64::from(demand.min_cpus()),
            "mem" => demand.min_mem_mb(&self.tables) as f64,
            "node" => nodes,
            other => {
                let Some(gres) = other.strip_prefix("gres/") else { return 0.0 };
                let (name, kind) = gres.split_once(':').map_or((gres, None), |(n, k)| (n, Some(k)));
                let meant = demand
                    .gres
                    .iter()
                    .filter(|g| g.name == name && kind.is_none_or(|k| g.kind.as_deref() == Some(k)));
                meant.map(|g| f64::from(g.count)).sum::<f64>() * nodes
            }
        };
        let factor = |name: &String| {
            let total = scale.totals[demand.partition].get(name).copied().filter(|t| *t > 0.0)?;
            Some((name.clone(), amount(name) / total)).filter(|f| f.1 > 0.0)
        };
        scale.tres.iter().filter_map(|(name, _)| factor(name)).collect()
    }

    /// The job's priority in a partition, whether it is held or not.
    pub fn priority(&self, job: &Job, submission: &Submission, demand: &Demand, now: Now) -> u32 {
        let rules = &self.config.parameters.priority;
        if !rules.multifactor || submission.spec.priority.is_some() {
            return basic(self.rank(job, submission, demand.partition));
        }
        self.factors(job, submission, demand, now).priority(rules, &self.scale.tres) as u32
    }

    /// The priority that squeue shows: that of its first partition, 0 when held.
    pub fn shown_priority(
        &self,
        job: &Job,
        submission: &Submission,
        first: Option<&Demand>,
        now: Now,
    ) -> u32 {
        match first {
            _ if job.hold.is_some() && job.pending().is_some() => 0,
            Some(demand) => self.priority(job, submission, demand, now),
            None => 1,
        }
    }
}

/// The number of a rank with priority/basic.
fn basic(rank: i64) -> u32 {
    (BASE + rank).clamp(1, i64::from(u32::MAX - 1)) as u32
}

/// How long the job has been eligible, of the age that counts most.
fn age(job: &Job, submission: &Submission, most_ms: f64, now: Timestamp) -> f64 {
    let since = match job.pending() {
        Some(pending) => pending.eligible,
        None => job.last_run().map(|run| run.eligible),
    };
    let until = job.last_run().map_or(now, |run| run.start.wall);
    let since = since.max(submission.spec.accrues_from.filter(|_| since.is_some()));
    let waited = since.map_or(0.0, |since| until.since(since).0 as f64);
    if most_ms > 0.0 { (waited / most_ms).min(1.0) } else { 0.0 }
}
