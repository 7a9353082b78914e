//! What a job needs in one of its partitions, in numbers: `-n -N -c --ntasks-per-node --mem ...` resolved
//! against the partition's defaults and nodes.

use crate::alloc::Holder;
use crate::constraint::Constraint;
use crate::need::{GpuDemand, ShapeDemand};
use crate::place::place;
use crate::tables::Tables;
use bivouac_types::config::{ClusterConfig, PartitionConfig};
use bivouac_types::job::{NodeRange, OnlyFor, ResourceRequest};
use bivouac_types::tres::GresRequest;
use bivouac_types::{HostList, JobSpec, MemRequest, PendingReason, Reject, Uid};

/// A job's needs in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The partition.
    pub partition: usize,
    /// Nodes it may use, in the order in which they are tried.
    pub nodes: Vec<usize>,
    /// Nodes that must be among its nodes (-w).
    pub required: Vec<usize>,
    /// Tasks, at least 1; where the CPUs do not follow from the tasks, what takes the place of tasks: units of CPUs.
    pub tasks: u32,
    /// CPUs of a task, at least 1.
    pub cpus_per_task: u32,
    /// The number of its tasks where that is not `tasks`.
    pub true_tasks: Option<u32>,
    /// Nodes, at least.
    pub min_nodes: u32,
    /// Nodes, at most.
    pub max_nodes: u32,
    /// Tasks on a node, at most.
    pub tasks_per_node: u32,
    /// Whole nodes, all CPUs of them.
    pub exclusive: bool,
    /// Memory.
    pub mem: MemDemand,
    /// Generic resources on each node.
    pub gres: Vec<GresRequest>,
    /// GPUs beyond those.
    pub gpus: GpuDemand,
    /// Limits by the nodes' shape.
    pub shape: ShapeDemand,
    /// CPUs of each node, at least (--mincpus).
    pub min_node_cpus: u32,
    /// A node's tasks have the CPUs of one (--overcommit).
    pub overcommit: bool,
    /// Tasks on each node where their number follows from that of the nodes; 0: the number is given.
    pub tasks_each: u32,
    /// More nodes are taken than are needed, up to the most that were asked for.
    pub widen: bool,
    /// The CPUs of a node are those of one socket after the other.
    pub fill_sockets: bool,
    /// Nodes that follow one another.
    pub contiguous: bool,
    /// The partition's MaxCPUsPerNode, applied to each job.
    pub max_cpus_per_node: u32,
    /// The partition's MaxMemPerNode.
    pub max_mem_per_node_mb: u64,
    /// Why it can never start in this partition, though it is accepted.
    pub never: Option<PendingReason>,
    /// Of these nodes at least so many (feature counts of --constraint, and --batch).
    pub counts: Vec<(u32, Vec<usize>)>,
    /// All nodes are of the same one of these sets (`[a|b]` of --constraint); empty: there is no such choice.
    pub choices: Vec<Vec<usize>>,
    /// Whose job it is; none: it is not known yet, and nobody is in its way.
    pub holder: Option<Holder>,
}

/// Memory on each node, MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemDemand {
    /// So much.
    PerNode(u64),
    /// So much for each allotted CPU.
    PerCpu(u64),
    /// So much for each GPU.
    PerGpu(u64),
    /// All of it.
    WholeNode,
}

impl Demand {
    /// What the job needs in the partition.
    ///
    /// # Errors
    /// Slurm's refusal if no node of the partition can hold any part of it, or the nodes that it may use cannot hold
    /// all of it. A job that is merely too large for the partition (more nodes or CPUs than it has or allows) is
    /// accepted, as Slurm does with `EnforcePartLimits=NO`, and waits with [`Demand::never`].
    pub fn new(
        ask: &ResourceRequest,
        partition: usize,
        config: &ClusterConfig,
        tables: &Tables,
    ) -> Result<Demand, Reject> {
        let (demand, refusal) = Demand::judged(ask, partition, config, tables)?;
        refusal.map_or(Ok(demand), Err)
    }

    /// The same of a job that was accepted, or is changed: what its nodes cannot hold makes it wait.
    ///
    /// # Errors
    /// It names what there is not.
    pub fn of_accepted(
        ask: &ResourceRequest,
        partition: usize,
        config: &ClusterConfig,
        tables: &Tables,
    ) -> Result<Demand, Reject> {
        let (mut demand, refusal) = Demand::judged(ask, partition, config, tables)?;
        if refusal.is_some() {
            demand.never = Some(PendingReason::BadConstraints);
        }
        Ok(demand)
    }

    /// What it needs, and why the nodes cannot hold it.
    fn judged(
        ask: &ResourceRequest,
        partition: usize,
        config: &ClusterConfig,
        tables: &Tables,
    ) -> Result<(Demand, Option<Reject>), Reject> {
        let p = &config.partitions[partition];
        let with_defaults = with_job_defaults(ask, p);
        let ask = with_defaults.as_ref().unwrap_or(ask);
        let wanted = names(&ask.nodelist, tables)?;
        let unwanted = names(&ask.exclude, tables)?;
        if let Some(n) = wanted.iter().find(|n| unwanted.contains(n)) {
            return Err(Reject::InvalidNodeName(tables.nodes[*n].name.to_string()));
        }
        let constraint = ask.constraint.as_deref().map(|c| features(c, tables)).transpose()?;
        let preference = match ask.prefer.as_deref().map(|p| features(p, tables)) {
            Some(Err(Reject::InvalidFeature(_))) => return Err(Reject::InvalidPrefer),
            Some(Ok(p)) if !p.counts().is_empty() || !p.choices().is_empty() => {
                return Err(Reject::InvalidPrefer);
            }
            Some(read) => Some(read?),
            None => None,
        };
        let mut gres: Vec<GresRequest> = ask.gres.iter().filter(|g| g.count > 0).cloned().collect();
        let gpus = GpuDemand::new(ask, &mut gres);
        for g in gres.iter().chain(&gpus.total).chain(&gpus.per_task).chain(&gpus.per_socket) {
            if !tables.nodes.iter().any(|n| n.gres.iter().any(|t| *t.name == *g.name)) {
                return Err(Reject::InvalidGres(g.name.clone()));
            }
        }

        let range = ask.nodes.unwrap_or(NodeRange { min: p.min_nodes.max(1), max: None });
        if range.min == 0 || range.max.is_some_and(|max| max < range.min) {
            return Err(Reject::InvalidNodeCount);
        }
        let nonzero = |n: Option<u32>, what: &str| match n {
            Some(0) => Err(Reject::InvalidValue(what.into())),
            n => Ok(n),
        };
        let cpus_per_task = nonzero(ask.cpus_per_task, "cpus-per-task")?.unwrap_or(1);
        let per_node = nonzero(ask.ntasks_per_node, "ntasks-per-node")?;
        let have = |c: &Constraint, of: &[usize]| -> Vec<usize> {
            of.iter().copied().filter(|n| c.holds(&tables.nodes[*n].features)).collect()
        };
        let counted = constraint.as_ref().map_or(Vec::new(), Constraint::counts);
        let all: Vec<usize> = (0..tables.nodes.len()).collect();
        let of_counts = apart(&counted.iter().map(|(c, n)| (*n, have(c, &all))).collect::<Vec<_>>());
        let (tasks, min_nodes) = match nonzero(ask.ntasks, "ntasks")? {
            Some(tasks) => {
                let for_tasks = per_node.map_or(1, |n| tasks.div_ceil(n));
                (tasks, range.min.max(for_tasks).max(wanted.len() as u32).max(of_counts).min(tasks))
            }
            None => {
                let nodes = range.min.max(wanted.len() as u32).max(of_counts);
                let tasks = nodes.checked_mul(per_node.unwrap_or(1));
                (tasks.ok_or_else(|| Reject::InvalidValue("ntasks-per-node".into()))?, nodes)
            }
        };
        if tasks.checked_mul(cpus_per_task).is_none() {
            return Err(Reject::TooManyCpus);
        }
        let (min_nodes, true_tasks, tasks, cpus_per_task) = match ask.cpus {
            None => (min_nodes, None, tasks, cpus_per_task),
            // As many CPUs as are whole tasks of that size, one on each node at least.
            Some(cpus) => {
                let min_nodes = range.min.max(wanted.len() as u32);
                let unit = cpus_per_task.min(cpus).max(1);
                (min_nodes, Some(tasks), (cpus / unit).max(min_nodes), unit)
            }
        };
        let table = &tables.partitions[partition];
        let fits_name = |n: &usize| {
            !unwanted.contains(n) && constraint.as_ref().is_none_or(|c| c.holds(&tables.nodes[*n].features))
        };
        let mut nodes = large_enough(ask, &table.nodes, tables)?;
        nodes.retain(fits_name);
        let counts = counted.iter().map(|(c, count)| (*count, have(c, &nodes))).collect();
        let choices = constraint.iter().flat_map(Constraint::choices).map(|c| have(c, &nodes)).collect();
        nodes.sort_by_key(|n| preference.as_ref().is_some_and(|p| !p.holds(&tables.nodes[*n].features)));
        let max_nodes = range.max.unwrap_or(u32::MAX).min(p.max_nodes.unwrap_or(u32::MAX));
        let ranged = range.max.is_some_and(|max| max > range.min);
        let by_nodes = ask.ntasks.is_none() && (ranged || gpus.total.is_some());
        let mut demand = Demand {
            partition,
            nodes,
            required: wanted.into_iter().take(tasks as usize).collect(),
            tasks,
            cpus_per_task,
            true_tasks,
            min_nodes,
            max_nodes,
            tasks_per_node: per_node.unwrap_or(u32::MAX),
            exclusive: ask.exclusive || p.over_subscribe.as_deref() == Some("EXCLUSIVE"),
            mem: memory(ask.mem, p),
            gres,
            gpus,
            shape: ShapeDemand {
                tasks_per_socket: ask.ntasks_per_socket,
                tasks_per_core: ask.ntasks_per_core,
                threads_per_core: ask.threads_per_core,
            },
            // Once CPUs are counted for the whole job, this is but shown.
            min_node_cpus: ask.min_cpus.filter(|_| ask.cpus.is_none()).unwrap_or(0),
            overcommit: ask.overcommit,
            tasks_each: if by_nodes { per_node.unwrap_or(1) } else { 0 },
            widen: ask.spread_job || ranged && !ask.use_min_nodes,
            fill_sockets: ask.fill_sockets,
            contiguous: ask.contiguous,
            max_cpus_per_node: p.max_cpus_per_node.unwrap_or(u32::MAX),
            max_mem_per_node_mb: p.max_mem_per_node_mb.unwrap_or(u64::MAX),
            never: None,
            counts,
            choices,
            holder: None,
        };
        demand.buy_memory_with_cpus(p);
        // Asked for by node, it waits; asked for by CPU, the job gets nodes enough.
        let too_much = matches!(demand.mem, MemDemand::PerNode(mb) if mb > demand.max_mem_per_node_mb);
        if too_much {
            demand.max_mem_per_node_mb = u64::MAX;
        }
        let checked = demand
            .check_nodes(per_node.map_or(1, |n| n.min(tasks)), tables)
            .and_then(|()| demand.too_large(p, range.max, tables));
        let refusal = match checked {
            Ok(never) => {
                demand.never = never.or(too_much.then_some(PendingReason::MaxMemPerLimit));
                None
            }
            Err(refusal) => Some(refusal),
        };
        Ok((demand, refusal))
    }

    /// The same for a job of this user, with a node for its batch script.
    pub fn of(mut self, user: Uid, spec: &JobSpec, config: &ClusterConfig, tables: &Tables) -> Demand {
        let exclusive = config.partitions[self.partition].exclusive_user;
        let alone = spec.resources.only_for == Some(OnlyFor::User) || exclusive;
        self.holder = Some(Holder { user, alone });
        if let Some(wanted) = spec.batch_features.as_deref().and_then(Constraint::parse) {
            let fits = |n: &usize| wanted.holds(&tables.nodes[*n].features);
            self.counts.push((1, self.nodes.iter().copied().filter(fits).collect()));
        }
        self
    }

    /// MaxMemPerCPU: whoever wants more memory for a CPU gets more CPUs, as in Slurm.
    fn buy_memory_with_cpus(&mut self, p: &PartitionConfig) {
        let Some(max) = p.max_mem_per_cpu_mb.filter(|m| *m > 0) else { return };
        let times = |mb: u64, cpus: u64| u32::try_from(mb.div_ceil(max).max(cpus)).unwrap_or(u32::MAX);
        match self.mem {
            MemDemand::PerCpu(mb) if mb > max => {
                let factor = times(mb, 1);
                if let Some(cpus) = self.cpus_per_task.checked_mul(factor)
                    && cpus.checked_mul(self.tasks).is_some()
                {
                    self.cpus_per_task = cpus;
                    self.mem = MemDemand::PerCpu(mb.div_ceil(u64::from(factor)));
                }
            }
            MemDemand::PerNode(mb) => {
                let on_node = self.tasks.div_ceil(self.min_nodes.max(1)).max(1);
                let cpus = times(mb, 1).div_ceil(on_node).max(self.cpus_per_task);
                if cpus.checked_mul(self.tasks).is_some() {
                    self.cpus_per_task = cpus;
                }
            }
            _ => {}
        }
    }

    /// Refuses the job if no node could ever hold `need` tasks of it.
    fn check_nodes(&self, need: u32, tables: &Tables) -> Result<(), Reject> {
        if !self.required.iter().all(|n| self.nodes.contains(n)) || self.nodes.is_empty() {
            return Err(Reject::NodeConfigUnavailable);
        }
        let idle = |n: usize| tables.nodes[n].idle();
        let some = |demand: &Demand| {
            let fits = |&n: &usize| idle(n).tasks_that_fit(demand, &tables.nodes[n]) >= need;
            self.nodes.iter().any(fits)
        };
        if some(self) {
            return Ok(());
        }
        // Which need is it? Leave the others out, one after the other.
        let no_gres = Demand { gres: Vec::new(), gpus: GpuDemand::default(), ..self.clone() };
        let cpus_only = Demand { mem: MemDemand::PerNode(0), ..no_gres.clone() };
        Err(if !some(&cpus_only) {
            Reject::CpusPerNode
        } else if !some(&no_gres) {
            Reject::MemorySpecification
        } else {
            Reject::NodeConfigUnavailable
        })
    }

    fn too_large(
        &self,
        p: &PartitionConfig,
        asked_max: Option<u32>,
        tables: &Tables,
    ) -> Result<Option<PendingReason>, Reject> {
        let nodes = &tables.partitions[self.partition].nodes;
        let in_partition = nodes.len() as u32;
        let too_few = |(count, set): &(u32, Vec<usize>)| *count as usize > set.len();
        if self.counts.iter().any(too_few) || apart(&self.counts) > asked_max.unwrap_or(u32::MAX) {
            return Err(Reject::NodeConfigUnavailable);
        }
        if self.min_nodes > self.max_nodes
            || self.min_nodes > in_partition
            || asked_max.is_some_and(|max| max < p.min_nodes)
        {
            return Ok(Some(PendingReason::PartitionNodeLimit));
        }
        if place(self, &tables.idle(), tables).is_some() {
            return Ok(None);
        }
        let cpus: u64 = nodes.iter().map(|&n| u64::from(tables.nodes[n].cpus)).sum();
        if u64::from(self.min_cpus()) > cpus {
            return Ok(Some(PendingReason::PartitionConfig));
        }
        Err(Reject::NodeConfigUnavailable)
    }

    /// The CPUs it will have at least: those of its tasks.
    pub fn min_cpus(&self) -> u32 {
        let at_once = if self.overcommit { self.min_nodes } else { self.tasks };
        at_once.saturating_mul(self.cpus_per_task)
    }

    /// The GPUs it will have at least.
    pub fn gpu_count(&self) -> u64 {
        let on_node: u64 = self.gres.iter().filter(|g| g.name == "gpu").map(|g| u64::from(g.count)).sum();
        let on_socket: u64 = self.gpus.per_socket.iter().map(|g| u64::from(g.count)).sum();
        (on_node + on_socket) * u64::from(self.min_nodes) + self.gpus.of_tasks(self.tasks)
    }

    /// The nodes it will have at least: as many as asked for, or as its CPUs take of the largest nodes.
    pub fn node_estimate(&self, tables: &Tables) -> u32 {
        let largest = self.nodes.iter().map(|&n| tables.nodes[n].cpus).max().unwrap_or(1).max(1);
        let gpus_of = |n: &usize| {
            let gpus = tables.nodes[*n].gres.iter().filter(|g| &*g.name == "gpu");
            gpus.map(|g| u64::from(g.to - g.from)).sum::<u64>()
        };
        let most_gpus = self.nodes.iter().map(gpus_of).max().unwrap_or(1).max(1);
        let for_gpus = self.gpus.of_tasks(self.tasks).div_ceil(most_gpus).min(u64::from(u32::MAX)) as u32;
        self.min_nodes.max(self.min_cpus().div_ceil(largest)).max(for_gpus)
    }

    /// The memory that is shown while it waits, MiB.
    pub fn shown_mem_mb(&self, ask: &ResourceRequest, tables: &Tables) -> u64 {
        match (self.mem, ask.cpus_before) {
            (MemDemand::PerCpu(mb), Some(cpus)) => mb.saturating_mul(cpus.into()),
            _ => self.min_mem_mb(tables),
        }
    }

    /// Memory it will have at least, MiB.
    pub fn min_mem_mb(&self, tables: &Tables) -> u64 {
        match self.mem {
            MemDemand::PerCpu(mb) => mb.saturating_mul(u64::from(self.min_cpus())),
            MemDemand::PerNode(mb) => mb.saturating_mul(u64::from(self.min_nodes)),
            MemDemand::PerGpu(mb) => mb.saturating_mul(self.gpu_count()),
            MemDemand::WholeNode => {
                let least = self.nodes.iter().map(|&n| tables.nodes[n].memory_mb).min().unwrap_or(0);
                least.saturating_mul(u64::from(self.min_nodes))
            }
        }
    }
}

/// The request with the partition's DefCpuPerGPU and DefMemPerGPU, if it asks for GPUs and says neither; none: as it is.
fn with_job_defaults(ask: &ResourceRequest, p: &PartitionConfig) -> Option<ResourceRequest> {
    if p.job_defaults.is_empty() || !ask.asks_gpus() {
        return None;
    }
    let default = |name: &str| p.job_defaults.iter().find(|(key, _)| key == name).map(|(_, value)| *value);
    let mut ask = ask.clone();
    if ask.cpus_per_task.is_none() && ask.gpus.cpus_per_gpu.is_none() {
        ask.gpus.cpus_per_gpu = default("DefCpuPerGPU").map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    }
    ask.mem = ask.mem.or(default("DefMemPerGPU").map(MemRequest::PerGpu));
    Some(ask)
}

/// How many nodes it takes to have so many of each set, at least: sets without a common node add up.
fn apart(counts: &[(u32, Vec<usize>)]) -> u32 {
    let mut sum: u32 = 0;
    let mut taken: Vec<usize> = Vec::new();
    let mut most = 0;
    for (count, nodes) in counts {
        most = most.max(*count);
        if nodes.iter().any(|n| taken.contains(n)) {
            continue;
        }
        taken.extend(nodes);
        sum = sum.saturating_add(*count);
    }
    sum.max(most)
}

/// Nodes with the temporary disk, sockets, cores and threads that are asked for at least.
fn large_enough(ask: &ResourceRequest, of: &[usize], tables: &Tables) -> Result<Vec<usize>, Reject> {
    let at_least = |wanted: Option<u32>, has: u32| wanted.is_none_or(|w| has >= w);
    let shaped = |n: &usize| {
        let node = &tables.nodes[*n];
        at_least(ask.sockets_per_node, node.sockets)
            && at_least(ask.cores_per_socket, node.cores_per_socket)
            && at_least(ask.threads_per_core, node.threads_per_core)
    };
    let mut nodes: Vec<usize> = of.iter().copied().filter(shaped).collect();
    if nodes.is_empty() && !of.is_empty() {
        return Err(Reject::NodeShape);
    }
    let enough_tmp = |n: &usize| ask.tmp_mb.is_none_or(|mb| tables.nodes[*n].tmp_disk_mb >= mb);
    if !nodes.is_empty() && !nodes.iter().any(enough_tmp) {
        return Err(Reject::TmpDisk);
    }
    nodes.retain(enough_tmp);
    Ok(nodes)
}

fn memory(ask: Option<MemRequest>, p: &PartitionConfig) -> MemDemand {
    match (ask, p.def_mem_per_cpu_mb) {
        (Some(MemRequest::PerNode(0)), _) => MemDemand::WholeNode,
        (Some(MemRequest::PerNode(mb)), _) => MemDemand::PerNode(mb),
        (Some(MemRequest::PerCpu(mb)), _) => MemDemand::PerCpu(mb),
        (Some(MemRequest::PerGpu(mb)), _) => MemDemand::PerGpu(mb),
        (None, Some(mb)) => MemDemand::PerCpu(mb),
        (None, None) => p.def_mem_per_node_mb.map_or(MemDemand::WholeNode, MemDemand::PerNode),
    }
}

fn names(list: &Option<HostList>, tables: &Tables) -> Result<Vec<usize>, Reject> {
    let Some(list) = list else { return Ok(Vec::new()) };
    let mut nodes = Vec::new();
    for name in &list.names {
        let node = tables.node(name).ok_or_else(|| Reject::InvalidNodeName(name.clone()))?;
        if !nodes.contains(&node) {
            nodes.push(node);
        }
    }
    Ok(nodes)
}

fn features(text: &str, tables: &Tables) -> Result<Constraint, Reject> {
    let constraint = Constraint::parse(text).ok_or_else(|| Reject::InvalidFeature(text.to_owned()))?;
    for name in constraint.names() {
        if !tables.nodes.iter().any(|n| n.features.contains(name)) {
            return Err(Reject::InvalidFeature(name.to_string()));
        }
    }
    Ok(constraint)
}
