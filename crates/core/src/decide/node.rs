//! scontrol update of nodes, what it means for their jobs, and scripted misfortunes.

use super::Changes;
use crate::cluster::Cluster;
use crate::command::{Caller, JobTarget};
use crate::event::Change;
use crate::job::{EndCause, Job, Phase};
use crate::state::State;
use bivouac_types::config::GresConfig;
use bivouac_types::node::{Misfortune, NodeAuthor, NodeChange, NodeReason, NodeStand, Standing};
use bivouac_types::{Now, Reject};
use std::collections::{BTreeMap, BTreeSet};

impl Cluster {
    /// All changes of all nodes, or none. Jobs on a node that goes out of service end.
    pub(super) fn update_nodes(
        &self,
        caller: &Caller,
        nodes: &[String],
        changes: &[NodeChange],
        now: Now,
    ) -> Result<Changes, Reject> {
        if !caller.is_operator() {
            return Err(Reject::InvalidUser);
        }
        let author = NodeAuthor { uid: caller.uid, user: caller.user.clone(), at: now.wall };
        let mut stands = BTreeMap::new();
        let mut lost = BTreeSet::new();
        for name in nodes {
            let n = self.world.tables.node(name).ok_or_else(|| Reject::InvalidNodeName(name.clone()))?;
            let stand = self.changed(n, changes, &author)?;
            if stand.standing != Standing::Up && self.world.stands[n].standing == Standing::Up {
                lost.insert(name.as_str());
            }
            stands.insert(name.clone(), stand);
        }
        self.would_hold(|state| state.nodes.extend(stands.clone()))?;
        let mut changes = vec![Change::NodesSet { nodes: stands }];
        for job in self.index.releases.iter().filter_map(|r| self.job(r.1)) {
            if job.run().is_some_and(|run| run.alloc.iter().any(|part| lost.contains(&*part.node))) {
                kill(job, EndCause::NodeFail, &mut changes);
            }
        }
        Ok(changes)
    }

    /// How a node stands after the changes.
    fn changed(&self, n: usize, changes: &[NodeChange], author: &NodeAuthor) -> Result<NodeStand, Reject> {
        let (config, busy) = (&self.world.config.nodes[n], self.index.free[n].jobs > 0);
        let mut stand = self.world.stands[n].clone();
        let some = |text: &String| Some(text.clone()).filter(|t| !t.is_empty());
        let mut reason = None;
        for change in changes {
            match change {
                NodeChange::State(order) => stand.order(*order, busy)?,
                NodeChange::Reason(text) => reason = Some(text),
                NodeChange::Comment(text) => stand.comment = some(text),
                NodeChange::Extra(text) => stand.extra = some(text),
                NodeChange::Weight(weight) => stand.weight = Some(*weight),
                NodeChange::Features(features) => {
                    // What is active must stay available.
                    let active = stand.active_features(config);
                    if !self.has_all(features, active) {
                        return Err(Reject::InactiveFeatures);
                    }
                    stand.active_features = Some(active.to_vec());
                    stand.features = Some(features.clone());
                }
                NodeChange::ActiveFeatures(features) => {
                    let available = stand.features.as_ref().unwrap_or(&config.features);
                    if !self.has_all(available, features) {
                        return Err(Reject::InactiveFeatures);
                    }
                    stand.active_features = Some(features.clone());
                }
                NodeChange::Gres(gres) => stand.gres = Some(self.resources(n, gres)?),
                NodeChange::CpuBind(mode) => stand.cpu_bind.clone_from(mode),
                NodeChange::Address(address) => stand.address = some(address),
                NodeChange::Hostname(hostname) => stand.hostname = some(hostname),
            }
        }
        // A reason is kept only by a node that is not in service.
        if let Some(text) = reason
            && !stand.in_service()
        {
            let by = Some(author.clone());
            stand.reason = some(text).map(|text| NodeReason { text, by });
        }
        Ok(stand)
    }

    /// Resources of a node after a change: each as configured, or none of it. More than there is cannot be made.
    fn resources(&self, n: usize, wanted: &[GresConfig]) -> Result<Vec<GresConfig>, Reject> {
        let name = &self.world.config.nodes[n].name;
        let base = self.world.base.nodes.iter().find(|node| node.name == *name);
        let has = base.map_or(&[][..], |node| &node.gres);
        for gres in wanted {
            let fits = |have: &GresConfig| {
                have.name == gres.name
                    && have.kind == gres.kind
                    && (gres.count == have.count || gres.count == 0)
            };
            if !has.iter().any(fits) {
                return Err(Reject::InvalidGres(gres.name.clone()));
            }
        }
        Ok(wanted.to_vec())
    }

    fn has_all(&self, all: &[String], some: &[String]) -> bool {
        some.iter().all(|f| all.contains(f))
    }

    /// Refuses a change of nodes or partitions after which jobs would have resources that are not there.
    pub(super) fn would_hold(&self, change: impl FnOnce(&mut State)) -> Result<(), Reject> {
        let mut state = self.state.clone();
        change(&mut state);
        let changed = Cluster::assemble(self.world.base.clone(), state);
        changed.check_allocations().map_err(|e| Reject::Other(e.to_string()))
    }

    /// Ends running jobs as a misfortune would. Jobs that do not run are left alone, if one of the target does.
    pub(super) fn befall(
        &self,
        caller: &Caller,
        target: &JobTarget,
        what: Misfortune,
    ) -> Result<Changes, Reject> {
        if !caller.is_operator() {
            return Err(Reject::AccessDenied);
        }
        let mut changes = Vec::new();
        for s in self.select(target)? {
            let Phase::Running(_) = s.job.phase else { continue };
            let again = s.submission.requeue(&self.world.config);
            let ending = |cause| Change::Ending { attempt: s.job.attempt(), cause };
            match what {
                Misfortune::OutOfMemory => kill(s.job, EndCause::OutOfMemory, &mut changes),
                Misfortune::PreemptedAndRequeued if again => {
                    changes.push(ending(EndCause::PreemptedAndRequeued));
                }
                Misfortune::Preempted | Misfortune::PreemptedAndRequeued => {
                    changes.push(ending(EndCause::Preempted));
                }
            }
        }
        if changes.is_empty() { Err(Reject::NotInThisState) } else { Ok(changes) }
    }
}

/// Ends a job at once, without KillWait. One that is being ended already keeps its cause.
fn kill(job: &Job, cause: EndCause, changes: &mut Changes) {
    let attempt = job.attempt();
    match &job.phase {
        Phase::Running(_) => changes.push(Change::Ending { attempt, cause }),
        Phase::Ending(_, ending) if !ending.killed => {}
        _ => return,
    }
    changes.push(Change::KillDue { attempt });
}
