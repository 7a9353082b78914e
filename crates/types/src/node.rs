//! Nodes: what operators and failures make of them, and the state that follows from that and from the jobs on them.

use crate::config::{GresConfig, InitialState, NodeConfig};
use crate::ids::Uid;
use crate::reject::Reject;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// Whether a node is there at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// In service.
    #[default]
    Up,
    /// Out of service: nothing runs on it.
    Down,
    /// Defined, not there yet: it is not shown and takes no jobs.
    Future,
}

/// A flag of a node's state, in the order in which Slurm prints them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NodeFlag {
    /// A job is ending on it.
    Completing,
    /// It takes no new jobs.
    Drain,
    /// It is expected to fail and takes no new jobs.
    Fail,
    /// It does not answer.
    NotResponding,
    /// The planner keeps it for a job.
    Planned,
}

impl NodeFlag {
    /// The word in `State=IDLE+DRAIN`.
    pub fn name(self) -> &'static str {
        match self {
            NodeFlag::Completing => "COMPLETING",
            NodeFlag::Drain => "DRAIN",
            NodeFlag::Fail => "FAIL",
            NodeFlag::NotResponding => "NOT_RESPONDING",
            NodeFlag::Planned => "PLANNED",
        }
    }
}

/// Why a node is not in service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeReason {
    /// Why.
    pub text: String,
    /// Who said so; none: the configuration.
    pub by: Option<NodeAuthor>,
}

/// Who changed a node, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeAuthor {
    /// Who.
    pub uid: Uid,
    /// Their name.
    pub user: String,
    /// When.
    pub at: Timestamp,
}

/// What operators and failures made of a node; what is none is as configured. Jobs do not change it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeStand {
    /// Whether it is there.
    pub standing: Standing,
    /// Drain, Fail and NotResponding; the others follow from jobs and plans.
    pub flags: BTreeSet<NodeFlag>,
    /// Why it is not in service.
    pub reason: Option<NodeReason>,
    /// Comment.
    pub comment: Option<String>,
    /// Extra.
    pub extra: Option<String>,
    /// Weight.
    pub weight: Option<u32>,
    /// AvailableFeatures.
    pub features: Option<Vec<String>>,
    /// ActiveFeatures: some of the available ones.
    pub active_features: Option<Vec<String>>,
    /// Gres.
    pub gres: Option<Vec<GresConfig>>,
    /// NodeAddr.
    pub address: Option<String>,
    /// NodeHostname.
    pub hostname: Option<String>,
    /// CpuBind, as it is shown; it binds nothing, as with TaskPlugin=task/none.
    pub cpu_bind: Option<String>,
}

/// What `scontrol update NodeName=... State=` orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeOrder {
    /// DOWN: out of service; its jobs end.
    Down,
    /// DRAIN: no new jobs.
    Drain,
    /// FAIL: no new jobs, it will fail.
    Fail,
    /// FUTURE.
    Future,
    /// IDLE: back to service, where no job is on it.
    Idle,
    /// RESUME: back to service.
    Resume,
    /// UNDRAIN: takes new jobs again, if it is up.
    Undrain,
    /// NoResp: it does not answer.
    NoResponse,
    /// The node fails by itself: as DOWN, and it does not answer. No command of Slurm's says this.
    Lost,
    /// A word that names a state of nodes which cannot be ordered here (ALLOCATED, MIXED, UNKNOWN, POWER_DOWN ...).
    Impossible,
}

/// One change of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeChange {
    /// State.
    State(NodeOrder),
    /// Reason.
    Reason(String),
    /// Comment; empty: none.
    Comment(String),
    /// Extra; empty: none.
    Extra(String),
    /// Weight.
    Weight(u32),
    /// AvailableFeatures; they are all active then.
    Features(Vec<String>),
    /// ActiveFeatures.
    ActiveFeatures(Vec<String>),
    /// Gres.
    Gres(Vec<GresConfig>),
    /// NodeAddr.
    Address(String),
    /// NodeHostname.
    Hostname(String),
    /// CpuBind as it is shown; none: taken away.
    CpuBind(Option<String>),
}

/// What can be made to befall a running job, for those who test what their tools do then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Misfortune {
    /// It is preempted and ends PREEMPTED.
    Preempted,
    /// It is preempted and runs again, if it may be requeued; else it ends PREEMPTED.
    PreemptedAndRequeued,
    /// It is killed for using too much memory and ends OUT_OF_MEMORY.
    OutOfMemory,
}

impl NodeStand {
    /// What the configuration says a node begins as.
    pub fn initial(config: &NodeConfig) -> NodeStand {
        let mut stand = NodeStand::default();
        match config.state {
            InitialState::Up => {}
            InitialState::Down => stand.standing = Standing::Down,
            InitialState::Future => stand.standing = Standing::Future,
            InitialState::Drain => drop(stand.flags.insert(NodeFlag::Drain)),
            InitialState::Fail => drop(stand.flags.insert(NodeFlag::Fail)),
        }
        stand.reason = config.reason.clone().map(|text| NodeReason { text, by: None });
        stand
    }

    /// Whether it is up and not to be drained: then it needs no reason.
    pub fn in_service(&self) -> bool {
        let drains = self.flags.contains(&NodeFlag::Drain) || self.flags.contains(&NodeFlag::Fail);
        self.standing == Standing::Up && !drains
    }

    /// Whether new jobs may start on it.
    pub fn is_available(&self) -> bool {
        self.standing == Standing::Up && self.flags.is_empty()
    }

    /// The node's configuration with what was changed.
    pub fn configured(&self, config: &NodeConfig) -> NodeConfig {
        let mut node = config.clone();
        if let Some(weight) = self.weight {
            node.weight = weight;
        }
        if let Some(features) = &self.features {
            node.features.clone_from(features);
        }
        if let Some(gres) = &self.gres {
            node.gres.clone_from(gres);
        }
        if let Some(address) = &self.address {
            node.address = Some(address.clone());
        }
        if let Some(hostname) = &self.hostname {
            node.hostname = Some(hostname.clone());
        }
        node
    }

    /// The features it has now, of a node of that (changed) configuration.
    pub fn active_features<'a>(&'a self, config: &'a NodeConfig) -> &'a [String] {
        self.active_features.as_deref().unwrap_or(&config.features)
    }

    /// Follows an order, on a node that has jobs or not. The transitions are those observed on Slurm 22.05.8.
    ///
    /// # Errors
    /// [`Reject::InvalidNodeState`] if it makes no sense in the present state.
    pub fn order(&mut self, order: NodeOrder, busy: bool) -> Result<(), Reject> {
        match order {
            NodeOrder::Down => self.standing = Standing::Down,
            NodeOrder::Lost => {
                self.standing = Standing::Down;
                self.flags.insert(NodeFlag::NotResponding);
            }
            NodeOrder::Drain => {
                self.flags.remove(&NodeFlag::Fail);
                self.flags.insert(NodeFlag::Drain);
            }
            NodeOrder::Fail => {
                self.flags.remove(&NodeFlag::Drain);
                self.flags.insert(NodeFlag::Fail);
            }
            NodeOrder::Undrain => {
                self.flags.remove(&NodeFlag::Drain);
                if self.standing == Standing::Up {
                    self.flags.remove(&NodeFlag::Fail);
                }
            }
            NodeOrder::NoResponse => drop(self.flags.insert(NodeFlag::NotResponding)),
            NodeOrder::Future if !busy => {
                self.standing = Standing::Future;
                self.flags.clear();
            }
            NodeOrder::Resume if !self.is_available() => self.restore(),
            NodeOrder::Idle if self.standing != Standing::Future && !busy => self.restore(),
            _ => return Err(Reject::InvalidNodeState),
        }
        if self.standing == Standing::Future || self.in_service() {
            self.reason = None;
        }
        Ok(())
    }

    fn restore(&mut self) {
        self.standing = Standing::Up;
        self.flags.clear();
    }
}

/// What a node is apart from flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NodeBase {
    /// Out of service.
    Down,
    /// No job has anything of it.
    Idle,
    /// Jobs have all of its CPUs.
    Allocated,
    /// Jobs have some of its CPUs.
    Mixed,
    /// Not there yet.
    Future,
}

impl NodeBase {
    /// The word in `State=IDLE+DRAIN`.
    pub fn name(self) -> &'static str {
        match self {
            NodeBase::Down => "DOWN",
            NodeBase::Idle => "IDLE",
            NodeBase::Allocated => "ALLOCATED",
            NodeBase::Mixed => "MIXED",
            NodeBase::Future => "FUTURE",
        }
    }
}

/// A node's state as scontrol shows it; `Display` is `MIXED+COMPLETING+DRAIN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeState {
    /// What it is.
    pub base: NodeBase,
    /// Its flags.
    pub flags: BTreeSet<NodeFlag>,
}

impl NodeState {
    /// Whether it has a flag.
    pub fn has(&self, flag: NodeFlag) -> bool {
        self.flags.contains(&flag)
    }
}

impl fmt::Display for NodeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.base.name())?;
        self.flags.iter().try_for_each(|flag| write!(f, "+{}", flag.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The state after orders on a node without jobs, or the refusal.
    fn after(orders: &[NodeOrder]) -> String {
        let mut stand = NodeStand::default();
        for order in orders {
            if let Err(e) = stand.order(*order, false) {
                return e.to_string();
            }
        }
        let base = match stand.standing {
            Standing::Up => NodeBase::Idle,
            Standing::Down => NodeBase::Down,
            Standing::Future => NodeBase::Future,
        };
        NodeState { base, flags: stand.flags }.to_string()
    }

    #[test]
    fn transitions_are_those_observed() {
        use NodeOrder as O;
        const INVALID: &str = "Invalid node state specified";
        for (orders, state) in [
            (&[O::Down][..], "DOWN"),
            (&[O::Drain], "IDLE+DRAIN"),
            (&[O::Fail], "IDLE+FAIL"),
            (&[O::Future], "FUTURE"),
            (&[O::Idle], "IDLE"),
            (&[O::Resume], INVALID),
            (&[O::Undrain], "IDLE"),
            (&[O::NoResponse], "IDLE+NOT_RESPONDING"),
            (&[O::NoResponse, O::Resume], "IDLE"),
            (&[O::Impossible], INVALID),
            (&[O::Down, O::Drain], "DOWN+DRAIN"),
            (&[O::Down, O::Fail], "DOWN+FAIL"),
            (&[O::Down, O::Undrain], "DOWN"),
            (&[O::Down, O::Idle], "IDLE"),
            (&[O::Down, O::Future], "FUTURE"),
            (&[O::Drain, O::Fail], "IDLE+FAIL"),
            (&[O::Drain, O::Down], "DOWN+DRAIN"),
            (&[O::Drain, O::Down, O::Undrain], "DOWN"),
            (&[O::Drain, O::Resume], "IDLE"),
            (&[O::Drain, O::Undrain], "IDLE"),
            (&[O::Fail, O::Drain], "IDLE+DRAIN"),
            (&[O::Fail, O::Down], "DOWN+FAIL"),
            (&[O::Fail, O::Down, O::Undrain], "DOWN+FAIL"),
            (&[O::Fail, O::Undrain], "IDLE"),
            (&[O::Future, O::Idle], INVALID),
            (&[O::Future, O::Resume], "IDLE"),
            (&[O::Future, O::Down], "DOWN"),
            (&[O::Future, O::Drain], "FUTURE+DRAIN"),
            (&[O::Lost], "DOWN+NOT_RESPONDING"),
            (&[O::Lost, O::Resume], "IDLE"),
        ] {
            assert_eq!(after(orders), state, "{orders:?}");
        }
        let mut busy = NodeStand::default();
        assert_eq!(busy.order(O::Idle, true), Err(Reject::InvalidNodeState));
        assert_eq!(busy.order(O::Future, true), Err(Reject::InvalidNodeState));
    }

    #[test]
    fn a_reason_is_kept_while_the_node_is_not_in_service() {
        let reason = NodeReason { text: "x".into(), by: None };
        let mut stand = NodeStand { reason: Some(reason), ..NodeStand::default() };
        stand.flags.insert(NodeFlag::Drain);
        stand.order(NodeOrder::Down, false).unwrap();
        stand.order(NodeOrder::Undrain, false).unwrap();
        assert!(stand.reason.is_some());
        stand.order(NodeOrder::Resume, false).unwrap();
        assert!(stand.reason.is_none() && stand.is_available());
    }
}
