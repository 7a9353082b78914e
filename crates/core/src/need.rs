//! What a job needs of one node: CPUs, memory and generic resources for so many tasks and GPUs there.

use crate::alloc::{GresAlloc, NodeFree};
use crate::cores;
use crate::demand::{Demand, MemDemand};
use crate::tables::NodeTable;
use bivouac_types::job::ResourceRequest;
use bivouac_types::tres::GresRequest;

/// --gpus and its like, beyond what each node has by --gres or --gpus-per-node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GpuDemand {
    /// --gpus: of all nodes together, at least one on each.
    pub total: Option<GresRequest>,
    /// --gpus-per-task.
    pub per_task: Vec<GresRequest>,
    /// --gpus-per-socket: for each socket of which the job has CPUs.
    pub per_socket: Vec<GresRequest>,
    /// --ntasks-per-gpu, where nothing else says how many GPUs there are.
    pub tasks_per_gpu: Option<u32>,
    /// --cpus-per-gpu; 0: not said.
    pub cpus_per_gpu: u32,
}

/// Limits that a node's shape sets to a job's tasks and CPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShapeDemand {
    /// --ntasks-per-socket.
    pub tasks_per_socket: Option<u32>,
    /// --ntasks-per-core.
    pub tasks_per_core: Option<u32>,
    /// --threads-per-core: no more threads of a core are used.
    pub threads_per_core: Option<u32>,
}

/// What so many tasks need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// CPUs.
    pub cpus: u32,
    /// Memory, MiB.
    pub mem_mb: u64,
    /// Generic resources.
    pub gres: Vec<GresRequest>,
}

impl GpuDemand {
    /// Of a request. What is asked for per node is added to `gres`.
    pub(crate) fn new(ask: &ResourceRequest, gres: &mut Vec<GresRequest>) -> GpuDemand {
        let gpus = &ask.gpus;
        gres.extend(gpus.per_node.iter().filter(|g| g.count > 0).cloned());
        let on_nodes = gres.iter().any(|g| g.name == "gpu");
        let per_task = gpus.per_task.clone();
        let tasks_per_gpu = ask.ntasks_per_gpu.filter(|_| per_task.is_empty() && !on_nodes);
        // A number of GPUs for each task, or of tasks for each GPU, makes the total.
        let total =
            gpus.per_job.first().filter(|_| per_task.is_empty() && tasks_per_gpu.is_none() && !on_nodes);
        GpuDemand {
            total: total.cloned(),
            // Tasks or nodes that have their own number are not given more for their sockets.
            per_socket: match per_task.is_empty() && !on_nodes {
                true => gpus.per_socket.clone(),
                false => Vec::new(),
            },
            per_task,
            tasks_per_gpu,
            cpus_per_gpu: gpus.cpus_per_gpu.unwrap_or(0),
        }
    }

    /// GPUs that a job of so many tasks has beyond those of each node.
    pub fn of_tasks(&self, tasks: u32) -> u64 {
        let per_task: u64 = self.per_task.iter().map(|g| u64::from(g.count)).sum();
        let by_tasks = self.tasks_per_gpu.map_or(0, |each| u64::from(tasks.div_ceil(each.max(1))));
        per_task * u64::from(tasks) + by_tasks + self.total.as_ref().map_or(0, |g| g.count.into())
    }
}

impl ShapeDemand {
    fn tasks(&self, node: &NodeTable) -> u32 {
        let by = |each: Option<u32>, units: u32| each.map_or(u32::MAX, |n| n.saturating_mul(units));
        by(self.tasks_per_socket, node.sockets).min(by(self.tasks_per_core, node.cores()))
    }

    fn cpus(&self, node: &NodeTable) -> u32 {
        match self.threads_per_core {
            Some(used) if used < node.threads_per_core => node.cores().saturating_mul(used),
            _ => u32::MAX,
        }
    }
}

impl Demand {
    /// Whether tasks alone say what is needed, CPU by CPU.
    fn is_plain(&self) -> bool {
        self.gpus == GpuDemand::default() && self.min_node_cpus == 0 && !self.overcommit
    }

    /// What so many tasks and so many of the job's total of GPUs need, with CPUs of so many sockets. None: more than can be
    /// counted.
    pub fn need(&self, tasks: u32, gpus: u32, sockets: u32, node: &NodeTable) -> Option<Need> {
        let mut gres = self.gres.clone();
        for g in &self.gpus.per_socket {
            // No more than the node has at all, but those of one socket.
            let has = node.gres.iter().filter(|t| *t.name == *g.name).map(|t| t.to - t.from).sum::<u32>();
            let most = (has / g.count.max(1)).max(1);
            gres.push(GresRequest { count: g.count.checked_mul(sockets.min(most))?, ..g.clone() });
        }
        for g in &self.gpus.per_task {
            gres.push(GresRequest { count: g.count.checked_mul(tasks)?, ..g.clone() });
        }
        if let Some(each) = self.gpus.tasks_per_gpu {
            gres.push(GresRequest {
                name: "gpu".into(),
                kind: None,
                count: tasks.div_ceil(each.max(1)),
                bare: false,
            });
        }
        if let Some(g) = self.gpus.total.as_ref().filter(|_| gpus > 0) {
            gres.push(GresRequest { count: gpus, ..g.clone() });
        }
        let gpus = gres.iter().filter(|g| g.name == "gpu").map(|g| g.count).fold(0, u32::saturating_add);
        let tasks_at_once = if self.overcommit { 1 } else { tasks };
        let for_tasks = tasks_at_once.checked_mul(self.cpus_per_task)?;
        let for_gpus = self.gpus.cpus_per_gpu.checked_mul(gpus)?;
        let cpus = for_tasks.max(for_gpus).max(self.min_node_cpus);
        let mem_mb = match self.mem {
            MemDemand::WholeNode => node.memory_mb,
            MemDemand::PerNode(mb) => mb,
            MemDemand::PerCpu(mb) => {
                mb.saturating_mul(u64::from(if self.exclusive { node.cpus } else { cpus }))
            }
            MemDemand::PerGpu(mb) => mb.saturating_mul(u64::from(gpus)),
        };
        Some(Need { cpus, mem_mb, gres })
    }
}

impl NodeFree {
    /// How many tasks of the job fit, at most; 0 also if the job cannot be on the node at all.
    pub fn tasks_that_fit(&self, demand: &Demand, node: &NodeTable) -> u32 {
        if !self.usable
            || demand.exclusive && self.jobs > 0
            || demand.holder.is_some_and(|holder| !self.admits(holder))
        {
            return 0;
        }
        let most = demand.tasks_per_node.min(demand.shape.tasks(node));
        if demand.is_plain() {
            return most.min(self.plain_tasks(demand, node));
        }
        let gpus = u32::from(demand.gpus.total.is_some());
        let fits = |tasks: u32| self.holds(demand, tasks, gpus, node).is_some();
        // What fits only with fewer tasks is sought by halving: more tasks never need less.
        let (mut least, mut above) = (0, most.min(demand.tasks.max(demand.tasks_each)).saturating_add(1));
        while above - least > 1 {
            let middle = least + (above - least) / 2;
            if fits(middle) { least = middle } else { above = middle }
        }
        least
    }

    /// The same for a job that needs nothing but CPUs, memory and the same generic resources on each node.
    fn plain_tasks(&self, demand: &Demand, node: &NodeTable) -> u32 {
        if !demand.gres.is_empty() && self.pick_gres(&demand.gres, node).is_none() {
            return 0;
        }
        let by_cpu = self.usable_cpus(demand, node) / demand.cpus_per_task;
        let mem = self.mem_mb.min(demand.max_mem_per_node_mb);
        match demand.mem {
            MemDemand::PerCpu(mb) if !demand.exclusive => {
                let task_mb = mb.saturating_mul(u64::from(demand.cpus_per_task));
                let by_mem = mem.checked_div(task_mb).map_or(u32::MAX, |n| n.min(u64::from(u32::MAX)) as u32);
                by_cpu.min(by_mem)
            }
            _ => match demand.need(1, 0, 1, node) {
                Some(need) if self.has_memory(demand, &need, node) => by_cpu,
                _ => 0,
            },
        }
    }

    fn usable_cpus(&self, demand: &Demand, node: &NodeTable) -> u32 {
        self.cpus.len().min(demand.max_cpus_per_node).min(demand.shape.cpus(node))
    }

    fn has_memory(&self, demand: &Demand, need: &Need, node: &NodeTable) -> bool {
        match demand.mem {
            MemDemand::WholeNode => self.mem_mb >= node.memory_mb,
            _ => need.mem_mb <= self.mem_mb.min(demand.max_mem_per_node_mb),
        }
    }

    /// What so many tasks and GPUs would get, if they fit.
    pub(crate) fn holds(
        &self,
        demand: &Demand,
        tasks: u32,
        gpus: u32,
        node: &NodeTable,
    ) -> Option<(Need, Vec<GresAlloc>)> {
        let mut sockets = 1;
        let need = loop {
            let need = demand.need(tasks, gpus, sockets, node)?;
            if need.cpus > self.usable_cpus(demand, node) || !self.has_memory(demand, &need, node) {
                return None;
            }
            if demand.gpus.per_socket.is_empty() {
                break need;
            }
            // More GPUs may need more CPUs, which may be on more sockets.
            let on = cores::sockets(&self.choose_cpus(demand, need.cpus, node)?, node);
            if on <= sockets {
                break need;
            }
            sockets = on;
        };
        let gres = self.pick_gres(&need.gres, node)?;
        Some((need, gres))
    }

    /// How many of the job's total of GPUs fit beside so many tasks, at most.
    pub(crate) fn gpus_that_fit(&self, demand: &Demand, tasks: u32, node: &NodeTable) -> u32 {
        let Some(total) = &demand.gpus.total else { return 0 };
        let here: u32 = self
            .gres
            .iter()
            .zip(&node.gres)
            .filter(|(_, t)| *t.name == *total.name)
            .map(|(f, _)| f.len())
            .sum();
        (1..=here.min(total.count)).rev().find(|g| self.holds(demand, tasks, *g, node).is_some()).unwrap_or(0)
    }
}
