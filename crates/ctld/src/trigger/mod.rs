//! Triggers (strigger): kept in the database beside the log, looked at when a turn is stored and when one is due.
//!
//! A trigger that fires is taken out of the database before its program starts: it runs at most once, whatever
//! happens to the controller.

mod fire;
mod run;

use crate::clock;
use crate::controller::Controller;
use crate::names::groups_of;
use bivouac_core::Caller;
use bivouac_proto::message::Response;
use bivouac_types::trigger::{Trigger, TriggerEvent, TriggerOn, TriggerSelect, TriggerSpec};
use bivouac_types::{JobId, Now, Reject, Timestamp};
use fire::{Armed, Facts, JobFacts, NodeFacts, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Under which name they are kept.
const NOTE: &str = "triggers";
/// So many may be set at once.
const MOST: usize = 1000;

/// All triggers.
#[derive(Debug, Default)]
pub struct Triggers {
    kept: Kept,
    /// How nodes stood at the last look; none: nothing looks at them.
    before: Option<BTreeMap<String, NodeFacts>>,
    /// When to look again.
    due: Option<Timestamp>,
    /// The controller has just started.
    resumed: bool,
    /// The configuration was read anew since the last look.
    pub(crate) reconfigured: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    last_id: u32,
    list: Vec<Armed>,
}

impl Triggers {
    /// Those of a database.
    pub fn load(store: &bivouac_store::Store) -> Triggers {
        let kept = match store.note(NOTE) {
            Ok(Some(text)) => serde_json::from_str(&text).map_err(|e| e.to_string()),
            Ok(None) => Ok(Kept::default()),
            Err(e) => Err(e.to_string()),
        };
        let kept = kept.unwrap_or_else(|e| {
            say!("{}: the triggers cannot be read and are forgotten: {e}", clock::wall().as_secs());
            Kept::default()
        });
        Triggers { kept, resumed: true, ..Triggers::default() }
    }

    /// When to look at them, if nothing happens before.
    pub fn due(&self) -> Option<Timestamp> {
        self.due
    }

    fn looks_at_nodes(&self) -> bool {
        let of_nodes =
            |armed: &Armed| matches!(armed.trigger.spec.on, TriggerOn::Nodes(_) | TriggerOn::NodesOf(_));
        self.kept.list.iter().any(of_nodes)
    }

    fn jobs(&self) -> impl Iterator<Item = JobId> + '_ {
        self.kept.list.iter().filter_map(|armed| match armed.trigger.spec.on {
            TriggerOn::Job(job) | TriggerOn::NodesOf(job) => Some(job),
            _ => None,
        })
    }
}

impl Controller {
    /// Looks at all triggers and runs the programs of those that fire.
    pub(crate) fn look_at_triggers(&mut self, now: Now) {
        let (resumed, reconfigured) =
            (std::mem::take(&mut self.triggers.resumed), std::mem::take(&mut self.triggers.reconfigured));
        self.triggers.due = None;
        if self.triggers.kept.list.is_empty() {
            self.triggers.before = None;
            return;
        }
        let jobs: BTreeMap<JobId, JobFacts> =
            self.triggers.jobs().filter_map(|id| Some((id, self.job_facts(id, now)?))).collect();
        let nodes = if self.triggers.looks_at_nodes() { Some(self.node_facts()) } else { None };
        let before = std::mem::replace(&mut self.triggers.before, nodes.clone());
        let nodes = nodes.unwrap_or_default();
        let before = before.unwrap_or_else(|| nodes.clone());
        let facts =
            Facts { now: now.wall, jobs: &jobs, nodes: &nodes, before: &before, reconfigured, resumed };
        let was = self.triggers.kept.list.clone();
        let mut fired: Vec<(Trigger, String)> = Vec::new();
        let due = &mut self.triggers.due;
        self.triggers.kept.list.retain_mut(|armed| match armed.look(&facts) {
            Verdict::Wait(at) => {
                *due = (*due).into_iter().chain(at).min();
                true
            }
            Verdict::Drop => false,
            Verdict::Fire(argument) => {
                fired.push((armed.trigger.clone(), argument));
                armed.due = None;
                // What a job does once does not come again.
                armed.trigger.spec.permanent && !matches!(armed.trigger.spec.on, TriggerOn::Job(_))
            }
        });
        if was != self.triggers.kept.list
            && let Err(e) = self.keep_triggers()
        {
            // Tried again at the next look: better late than twice.
            say!("{}: {e}", clock::wall().as_secs());
            self.triggers.kept.list = was;
            self.triggers.before = Some(before);
            self.triggers.due = Some(now.wall + bivouac_types::Duration::from_secs(1));
            return;
        }
        for (trigger, argument) in fired {
            self.run_program(trigger, argument);
        }
    }

    fn run_program(&mut self, trigger: Trigger, argument: String) {
        let Some(account) = self.names.account(trigger.uid.0).cloned() else {
            return say!(
                "{}: trigger {}: its user {} is gone",
                clock::wall().as_secs(),
                trigger.id,
                trigger.user
            );
        };
        let groups = groups_of(&account);
        let order = run::Order { program: trigger.spec.program, argument, account, groups };
        run::start(order, &self.place, &self.place.link_folder());
    }

    fn job_facts(&self, id: JobId, now: Now) -> Option<JobFacts> {
        let mut facts = JobFacts::default();
        let mut known = false;
        let mut last = None;
        for job in self.family(id) {
            let row = self.cluster.job_info(job, &self.plan, now)?;
            known = true;
            facts.nodes.extend(row.nodes.iter().map(|share| share.node.clone()));
            match (row.state.is_ended(), row.end) {
                (true, end) => facts.ended = facts.ended.max(end),
                (false, end) => {
                    last = Some(());
                    facts.limit = facts.limit.into_iter().chain(end.filter(|_| !row.nodes.is_empty())).min();
                }
            }
        }
        if last.is_some() {
            facts.ended = None;
        }
        known.then_some(facts)
    }

    fn node_facts(&self) -> BTreeMap<String, NodeFacts> {
        let nodes = self.cluster.node_infos(&self.plan, self.up_since);
        nodes.iter().map(|node| (node.config.name.clone(), NodeFacts::of(node))).collect()
    }

    fn keep_triggers(&mut self) -> Result<(), String> {
        let text = serde_json::to_string(&self.triggers.kept).map_err(|e| e.to_string())?;
        self.store.set_note(NOTE, &text).map_err(|e| e.to_string())
    }

    /// strigger --set.
    pub(crate) fn set_trigger(&mut self, caller: &Caller, spec: TriggerSpec) -> Response {
        if let Err(e) = self.check_trigger(caller, &spec) {
            return Response::Rejected(e);
        }
        let id = self.triggers.kept.last_id.wrapping_add(1);
        let trigger = Trigger { id, uid: caller.uid, user: caller.user.clone(), spec };
        self.triggers.kept.last_id = id;
        self.triggers.kept.list.push(Armed { trigger, due: None, told: Default::default() });
        if let Err(e) = self.keep_triggers() {
            self.triggers.kept.list.pop();
            return Response::Rejected(Reject::Storage(e));
        }
        // From now on its nodes are looked at.
        if self.triggers.before.is_none() && self.triggers.looks_at_nodes() {
            self.triggers.before = Some(self.node_facts());
        }
        Response::Done
    }

    fn check_trigger(&self, caller: &Caller, spec: &TriggerSpec) -> Result<(), Reject> {
        match &spec.on {
            TriggerOn::Job(job) | TriggerOn::NodesOf(job) => {
                let owned = self.family(*job).next().and_then(|job| self.cluster.submission(job));
                let owner = owned.ok_or(Reject::InvalidJobId)?.owner.uid;
                if owner != caller.uid && !caller.operator {
                    return Err(Reject::AccessDenied);
                }
                if matches!(spec.on, TriggerOn::Job(_)) && self.family(*job).all(|job| job.is_ended()) {
                    return Err(Reject::InvalidJobId);
                }
            }
            TriggerOn::Nodes(names) => {
                if !caller.operator {
                    return Err(Reject::AccessDenied);
                }
                let known = |name: &String| self.config.nodes.iter().any(|node| node.name == *name);
                if let Some(unknown) = names.iter().flatten().find(|name| !known(name)) {
                    return Err(Reject::InvalidNodeName(unknown.clone()));
                }
            }
            TriggerOn::Controller if !caller.operator => return Err(Reject::AccessDenied),
            TriggerOn::Controller => {}
        }
        let job_event = matches!(spec.event, TriggerEvent::Fini | TriggerEvent::Time);
        if job_event != matches!(spec.on, TriggerOn::Job(_)) || !spec.program.starts_with('/') {
            return Err(Reject::Other("the trigger does not fit what it looks at".into()));
        }
        if self.triggers.kept.list.len() >= MOST {
            return Err(Reject::Other(format!("there are {MOST} triggers already; clear some")));
        }
        Ok(())
    }

    /// strigger --get.
    pub(crate) fn triggers(&self) -> Vec<Trigger> {
        self.triggers.kept.list.iter().map(|armed| armed.trigger.clone()).collect()
    }

    /// strigger --clear: those of others only by an operator.
    pub(crate) fn clear_triggers(&mut self, caller: &Caller, select: &TriggerSelect) -> Response {
        let meant = |armed: &&Armed| select.covers(&armed.trigger);
        let list = &self.triggers.kept.list;
        if list.iter().filter(meant).any(|armed| armed.trigger.uid != caller.uid && !caller.operator) {
            return Response::Rejected(Reject::AccessDenied);
        }
        if !list.iter().any(|armed| meant(&armed)) {
            return Response::Rejected(Reject::Other("No such process".into()));
        }
        let was = list.clone();
        self.triggers.kept.list.retain(|armed| !select.covers(&armed.trigger));
        match self.keep_triggers() {
            Ok(()) => Response::Done,
            Err(e) => {
                self.triggers.kept.list = was;
                Response::Rejected(Reject::Storage(e))
            }
        }
    }
}
