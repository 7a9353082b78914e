//! Steps: srun inside a job.

use super::Changes;
use crate::cluster::Cluster;
use crate::command::Caller;
use crate::event::Change;
use crate::job::{Job, Phase, Run, StepNode};
use bivouac_types::info::Usage;
use bivouac_types::{ExitStatus, JobId, Reject};

/// What srun asks for.
pub(super) struct StepAsk {
    pub name: String,
    pub ntasks: u32,
    pub cpus_per_task: u32,
    pub nodes: Option<u32>,
    pub overlap: bool,
}

impl Cluster {
    pub(super) fn start_step(&self, caller: &Caller, id: JobId, ask: StepAsk) -> Result<Changes, Reject> {
        let (job, run) = self.running(caller, id)?;
        let nodes = ask.nodes.unwrap_or((run.alloc.len() as u32).min(ask.ntasks));
        if ask.ntasks == 0 || ask.cpus_per_task == 0 || nodes == 0 {
            return Err(Reject::InvalidValue("ntasks, cpus-per-task or nodes is 0".into()));
        }
        if nodes > run.alloc.len() as u32 || nodes > ask.ntasks {
            return Err(Reject::InvalidNodeCount);
        }
        layout(run, &[], &ask, nodes).ok_or(Reject::StepTooLarge)?;
        let used: Vec<u32> =
            if ask.overlap { Vec::new() } else { run.alloc.iter().map(|n| in_steps(job, &n.node)).collect() };
        let layout = layout(run, &used, &ask, nodes).ok_or(Reject::StepBusy)?;
        let step = job.steps.last().map_or(0, |s| s.number + 1);
        let StepAsk { name, cpus_per_task, overlap, .. } = ask;
        Ok(vec![Change::StepStarted { job: id, step, name, layout, cpus_per_task, overlap }])
    }

    pub(super) fn end_step(
        &self,
        caller: &Caller,
        id: JobId,
        step: u32,
        exit: ExitStatus,
        usage: Usage,
    ) -> Result<Changes, Reject> {
        let job = self.job(id).ok_or(Reject::InvalidJobId)?;
        if !self.submission(job).is_some_and(|s| caller.may_command(s)) {
            return Err(Reject::AccessDenied);
        }
        let open = job.steps.iter().any(|s| s.number == step && s.end.is_none());
        Ok(if open { vec![Change::StepEnded { job: id, step, exit, usage }] } else { Vec::new() })
    }

    fn running(&self, caller: &Caller, id: JobId) -> Result<(&Job, &Run), Reject> {
        let job = self.job(id).ok_or(Reject::InvalidJobId)?;
        if !self.submission(job).is_some_and(|s| caller.may_command(s)) {
            return Err(Reject::AccessDenied);
        }
        match &job.phase {
            Phase::Running(run) => Ok((job, run)),
            Phase::Pending(_) => Err(Reject::JobPending),
            _ => Err(Reject::JobFinished),
        }
    }
}

/// CPUs of the node that the job's steps use.
fn in_steps(job: &Job, node: &str) -> u32 {
    let open = job.steps.iter().filter(|s| s.end.is_none() && !s.overlap);
    let on_node = open.flat_map(|s| s.layout.iter().map(move |n| (n, s.cpus_per_task)));
    on_node.filter(|(n, _)| *n.node == *node).map(|(n, cpus)| n.tasks.saturating_mul(cpus)).sum()
}

/// Tasks of a step on the job's nodes, in order: one on each, the rest as they fit.
fn layout(run: &Run, used: &[u32], ask: &StepAsk, nodes: u32) -> Option<Vec<StepNode>> {
    let room = run.alloc.iter().enumerate().map(|(i, n)| {
        let free = n.cpus.len().saturating_sub(used.get(i).copied().unwrap_or(0));
        (&n.node, free / ask.cpus_per_task)
    });
    let chosen: Vec<_> = room.filter(|r| r.1 > 0).take(nodes as usize).collect();
    if chosen.len() < nodes as usize {
        return None;
    }
    let mut left = ask.ntasks - nodes;
    let mut layout = Vec::new();
    for (node, room) in chosen {
        let more = left.min(room - 1);
        left -= more;
        layout.push(StepNode { node: node.clone(), tasks: 1 + more });
    }
    (left == 0).then_some(layout)
}
