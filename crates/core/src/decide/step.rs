//! Steps: srun inside a job.

use super::Changes;
use crate::cluster::Cluster;
use crate::command::{Caller, StepAsk};
use crate::event::Change;
use crate::job::{Job, Phase, Run, StepNode};
use bivouac_types::info::Usage;
use bivouac_types::{ExitStatus, JobId, Reject, StepLimit, TimeLimit};

impl Cluster {
    pub(super) fn start_step(&self, caller: &Caller, id: JobId, ask: StepAsk) -> Result<Changes, Reject> {
        let (job, run) = self.running(caller, id)?;
        if job.steps.iter().any(|s| s.end.is_none() && !s.socket.is_empty() && s.socket == ask.socket) {
            // Its srun had no answer.
            return Ok(Vec::new());
        }
        let listed = ask.nodelist.len() as u32;
        let left = run.alloc.iter().filter(|n| !ask.excludes(&n.node)).count() as u32;
        let all = if listed > 0 { listed } else { left.min(ask.ntasks) };
        let mut nodes = ask.nodes.unwrap_or(all).max(listed);
        if ask.ntasks == 0 || ask.cpus_per_task == 0 || nodes == 0 || ask.ntasks_per_node == Some(0) {
            return Err(Reject::InvalidValue("ntasks, cpus-per-task, ntasks-per-node or nodes is 0".into()));
        }
        if ask.nodelist.iter().any(|name| !run.alloc.iter().any(|n| *n.node == **name)) {
            return Err(Reject::NodeConfigUnavailable);
        }
        if nodes > left || nodes > ask.ntasks {
            return Err(Reject::InvalidNodeCount);
        }
        if ask.distribution.pack == Some(true) && ask.nodes.is_none() {
            // As few as hold it.
            let holds = |n: &u32| layout(run, &[], &ask, *n).is_some();
            nodes = (listed.max(1)..=nodes).find(holds).unwrap_or(nodes);
        }
        layout(run, &[], &ask, nodes).ok_or(Reject::StepTooLarge)?;
        let used: Vec<u32> =
            if ask.overlap { Vec::new() } else { run.alloc.iter().map(|n| in_steps(job, &n.node)).collect() };
        let layout = layout(run, &used, &ask, nodes).ok_or(Reject::StepBusy)?;
        let step = job.steps.last().map_or(0, |s| s.number + 1);
        let StepAsk { name, cpus_per_task, overlap, submit_line, srun, socket, .. } = ask;
        Ok(vec![Change::StepStarted {
            job: id,
            step,
            name,
            layout,
            cpus_per_task,
            overlap,
            submit_line,
            srun,
            socket,
        }])
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

    /// Sets the time limit of a step, or of all of the job's that run.
    pub(super) fn update_step(
        &self,
        caller: &Caller,
        id: JobId,
        step: Option<u32>,
        limit: StepLimit,
    ) -> Result<Changes, Reject> {
        let job = self.job(id).ok_or(Reject::InvalidJobId)?;
        if !self.submission(job).is_some_and(|s| caller.may_command(s)) {
            return Err(Reject::AccessDenied);
        }
        let meant = job.steps.iter().filter(|s| s.end.is_none() && step.is_none_or(|n| s.number == n));
        let changes: Changes = meant
            .map(|step| {
                let minutes = match limit {
                    StepLimit::To(TimeLimit::Minutes(minutes)) => Some(minutes),
                    StepLimit::To(TimeLimit::Unlimited) => None,
                    StepLimit::By(more) => step.limit.map(|now| {
                        u32::try_from(i64::from(now).saturating_add(more).max(0)).unwrap_or(u32::MAX)
                    }),
                };
                Change::StepLimited { job: id, step: step.number, minutes }
            })
            .collect();
        // The batch step has the job's limit, and no other.
        if changes.is_empty() && (step.is_some() || job.run().is_none()) {
            return Err(Reject::InvalidJobId);
        }
        Ok(changes)
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

impl StepAsk {
    fn excludes(&self, node: &str) -> bool {
        self.exclude.iter().any(|name| name == node)
    }
}

/// CPUs of the node that the job's steps use.
fn in_steps(job: &Job, node: &str) -> u32 {
    let open = job.steps.iter().filter(|s| s.end.is_none() && !s.overlap);
    open.flat_map(|s| &s.layout).filter(|n| *n.node == *node).map(|n| n.cpus).sum()
}

/// Tasks of a step on the job's nodes, in their order: the listed nodes and as many others as are wanted, one task on
/// each, the rest as --distribution says and as they fit. A step that is not exact has its nodes to itself, with all the job's CPUs on them.
fn layout(run: &Run, used: &[u32], ask: &StepAsk, nodes: u32) -> Option<Vec<StepNode>> {
    let most = ask.ntasks_per_node.unwrap_or(u32::MAX);
    let free = |i: usize| match used.get(i).copied().unwrap_or(0) {
        used if ask.exact || used == 0 => run.alloc[i].cpus.len().saturating_sub(used),
        _ => 0,
    };
    // With --overcommit there is always room.
    let least = u32::from(ask.overcommit);
    let mut room: Vec<u32> =
        (0..run.alloc.len()).map(|i| (free(i) / ask.cpus_per_task).min(most).max(least)).collect();
    let listed = |i: &usize| ask.nodelist.iter().any(|name| *run.alloc[*i].node == **name);
    let (mut chosen, others): (Vec<usize>, Vec<usize>) =
        (0..run.alloc.len()).filter(|&i| room[i] > 0 && !ask.excludes(&run.alloc[i].node)).partition(listed);
    if chosen.len() < ask.nodelist.len() {
        return None;
    }
    chosen.extend(others.into_iter().take((nodes as usize).saturating_sub(chosen.len())));
    if chosen.len() < nodes as usize {
        return None;
    }
    chosen.sort_unstable();
    if ask.overcommit {
        overfill(&mut room, &chosen, ask.ntasks);
    }
    let here: Vec<u32> = chosen.iter().map(|&i| room[i]).collect();
    let on_node = |(i, tasks): (usize, u32)| {
        let all = run.alloc[i].cpus.len();
        let cpus = if ask.exact { (tasks * ask.cpus_per_task).min(all) } else { all };
        StepNode { node: run.alloc[i].node.clone(), tasks, cpus }
    };
    let counts = ask.distribution.counts(&here, ask.ntasks)?;
    Some(chosen.into_iter().zip(counts).map(on_node).collect())
}

/// --overcommit: what does not fit goes to the nodes in turn, as observed on 22.05.8.
fn overfill(room: &mut [u32], nodes: &[usize], tasks: u32) {
    let fit: u32 = nodes.iter().map(|&i| room[i]).fold(0, u32::saturating_add);
    let (more, count) = (tasks.saturating_sub(fit), nodes.len().max(1) as u32);
    for (turn, &i) in (0..).zip(nodes) {
        room[i] = room[i].saturating_add(more / count + u32::from(turn < more % count));
    }
}
