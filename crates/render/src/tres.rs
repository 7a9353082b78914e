//! Trackable resources of jobs, steps and nodes: `cpu=3,mem=2G,node=2,billing=3,gres/gpu=2`.

use crate::settings::{Settings, push};
use bivouac_types::config::GresConfig;
use bivouac_types::info::{GresShare, JobInfo, NodeInfo, StepInfo};
use bivouac_types::{GresRequest, StepKind};
use std::collections::BTreeMap;

/// Amounts of resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tres<'a> {
    /// CPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub mem_mb: u64,
    /// Nodes; 0: not shown.
    pub nodes: u32,
    /// Billing units; none: not shown.
    pub billing: Option<u32>,
    /// Generic resources by name, all types together.
    pub gres: BTreeMap<&'a str, u64>,
}

/// Generic resources that a job asks for on so many nodes, --gpus and its like among them.
fn asked_gres(job: &JobInfo, nodes: u32) -> BTreeMap<&str, u64> {
    let ask = &job.spec.resources;
    let mut all = requests(&ask.gres, nodes);
    let sum = |list: &[GresRequest]| list.iter().map(|g| u64::from(g.count)).sum::<u64>();
    let by_tasks = match ask.ntasks_per_gpu {
        Some(each)
            if ask.gpus.per_job.is_empty()
                && ask.gpus.per_node.is_empty()
                && !ask.gres.iter().any(|g| g.name == "gpu") =>
        {
            u64::from(job.num_tasks.div_ceil(each.max(1)))
        }
        _ => 0,
    };
    let per_task =
        if ask.gpus.per_job.is_empty() { sum(&ask.gpus.per_task) * u64::from(job.num_tasks) } else { 0 };
    let gpus = sum(&ask.gpus.per_job) + sum(&ask.gpus.per_node) * u64::from(nodes) + per_task + by_tasks;
    if gpus > 0 {
        *all.entry("gpu").or_default() += gpus;
    }
    all
}

impl<'a> Tres<'a> {
    /// What a node has.
    pub fn of_node(node: &'a NodeInfo) -> Tres<'a> {
        let (config, cpus) = (&node.config, node.config.cpus());
        let gres = configured(&config.gres);
        Tres { cpus, mem_mb: config.memory_mb, billing: Some(cpus), gres, ..Tres::default() }
    }

    /// What jobs have of a node.
    pub fn used_of_node(node: &'a NodeInfo) -> Tres<'a> {
        let gres = shares(&node.alloc_gres);
        Tres { cpus: node.alloc_cpus, mem_mb: node.alloc_mem_mb, gres, ..Tres::default() }
    }

    /// What a job has been given; while it is pending what it asks for.
    pub fn of_job(job: &'a JobInfo) -> Tres<'a> {
        if job.nodes.is_empty() {
            return Tres::requested(job);
        }
        Tres { gres: shares(job.nodes.iter().flat_map(|n| &n.gres)), ..Tres::requested(job) }.billed(job)
    }

    /// What a job asks for.
    pub fn requested(job: &'a JobInfo) -> Tres<'a> {
        let pending = job.nodes.is_empty() && job.accounting.req_nodes > 0;
        let nodes = if pending { job.accounting.req_nodes } else { job.num_nodes };
        let gres = asked_gres(job, nodes);
        Tres { cpus: job.num_cpus, mem_mb: job.mem_mb, nodes, billing: None, gres }.billed(job)
    }

    /// What a job asked for when it was submitted, as the accounting keeps it; records of earlier versions know only what
    /// it has been given.
    pub fn asked(job: &'a JobInfo) -> Tres<'a> {
        let asked = &job.accounting;
        if asked.req_cpus == 0 {
            return Tres::requested(job);
        }
        Tres {
            cpus: asked.req_cpus,
            mem_mb: asked.req_mem_mb,
            nodes: asked.req_nodes,
            billing: None,
            gres: asked_gres(job, asked.req_nodes),
        }
        .billed(job)
    }

    /// With what the job's partition bills for it.
    fn billed(mut self, job: &JobInfo) -> Tres<'a> {
        self.billing = Some(billing(job.accounting.billing.as_deref(), &self));
        self
    }

    /// What a step has: the batch step has the job's part on the first node, other steps the job's on their nodes.
    pub fn of_step(job: &'a JobInfo, step: &'a StepInfo) -> Tres<'a> {
        let batch = step.step == StepKind::Batch;
        let on: Vec<_> = job
            .nodes
            .iter()
            .enumerate()
            .filter(|(n, share)| if batch { *n == 0 } else { step.nodes.contains(&share.node) })
            .map(|(_, share)| share)
            .collect();
        Tres {
            cpus: step_cpus(job, step),
            mem_mb: on.iter().map(|n| n.mem_mb).sum(),
            nodes: on.len().max(1) as u32,
            billing: (step.step == StepKind::Extern).then_some(step.num_cpus),
            gres: shares(on.iter().flat_map(|n| &n.gres)),
        }
    }

    /// In the order of squeue and scontrol: `cpu=,mem=,node=,billing=,gres/`.
    pub fn write(&self, out: &mut String, settings: &Settings) {
        let mut list = List { out, any: false };
        list.number("cpu", u64::from(self.cpus));
        list.memory(self.mem_mb, settings);
        list.number("node", u64::from(self.nodes));
        list.number("billing", u64::from(self.billing.unwrap_or(0)));
        list.gres(&self.gres);
    }

    /// In the order of sacct: `billing=,cpu=,gres/,mem=,node=`.
    pub fn write_sorted(&self, out: &mut String, settings: &Settings) {
        let mut list = List { out, any: false };
        list.number("billing", u64::from(self.billing.unwrap_or(0)));
        list.number("cpu", u64::from(self.cpus));
        list.gres(&self.gres);
        list.memory(self.mem_mb, settings);
        list.number("node", u64::from(self.nodes));
    }
}

/// Billing units of resources, by TRESBillingWeights (`CPU=1.0,Mem=0.25G,GRES/gpu=2`); without weights one for each CPU.
pub fn billing(weights: Option<&str>, of: &Tres<'_>) -> u32 {
    let Some(weights) = weights else { return of.cpus };
    let units = |entry: &str| {
        let (name, weight) = entry.split_once('=')?;
        let unit = weight.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let weight: f64 = weight[..weight.len() - unit.len()].parse().ok()?;
        let name = name.to_ascii_lowercase();
        let amount = match name.as_str() {
            "cpu" => f64::from(of.cpus),
            // A weight of memory is for each MiB, or for each of the unit that it names.
            "mem" => {
                of.mem_mb as f64 / 1024f64.powi("MGTP".find(&unit.to_ascii_uppercase()).unwrap_or(0) as i32)
            }
            "node" => f64::from(of.nodes),
            _ => of.gres.get(name.strip_prefix("gres/")?).copied().unwrap_or(0) as f64,
        };
        Some(weight * amount)
    };
    weights.split(',').filter_map(units).sum::<f64>() as u32
}

/// CPUs of a step; the batch step has those of the job on its node.
pub fn step_cpus(job: &JobInfo, step: &StepInfo) -> u32 {
    match step.step {
        StepKind::Batch => {
            job.nodes.first().map_or(step.num_cpus, |n| n.cpus.len() as u32).max(step.num_cpus)
        }
        _ => step.num_cpus,
    }
}

/// Sums of generic resources that were given.
pub fn shares<'a>(list: impl IntoIterator<Item = &'a GresShare>) -> BTreeMap<&'a str, u64> {
    let mut sums = BTreeMap::new();
    for share in list {
        *sums.entry(share.name.as_str()).or_default() += share.indices.len() as u64;
    }
    sums
}

/// Sums of generic resources that nodes have.
pub fn configured<'a>(list: impl IntoIterator<Item = &'a GresConfig>) -> BTreeMap<&'a str, u64> {
    let mut sums = BTreeMap::new();
    for gres in list {
        *sums.entry(gres.name.as_str()).or_default() += u64::from(gres.count);
    }
    sums
}

fn requests(list: &[GresRequest], nodes: u32) -> BTreeMap<&str, u64> {
    let mut sums = BTreeMap::new();
    for gres in list {
        *sums.entry(gres.name.as_str()).or_default() += u64::from(gres.count) * u64::from(nodes);
    }
    sums
}

/// A list being written; amounts of zero are left out.
struct List<'o> {
    out: &'o mut String,
    any: bool,
}

impl List<'_> {
    fn comma(&mut self) {
        if std::mem::replace(&mut self.any, true) {
            self.out.push(',');
        }
    }

    fn number(&mut self, name: &str, n: u64) {
        if n > 0 {
            self.comma();
            push(self.out, format_args!("{name}={n}"));
        }
    }

    fn memory(&mut self, mb: u64, settings: &Settings) {
        if mb > 0 {
            self.comma();
            self.out.push_str("mem=");
            settings.memory(self.out, mb);
        }
    }

    fn gres(&mut self, gres: &BTreeMap<&str, u64>) {
        for (name, &n) in gres {
            if n > 0 {
                self.comma();
                push(self.out, format_args!("gres/{name}={n}"));
            }
        }
    }
}
