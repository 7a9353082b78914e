//! When a trigger fires: pure, from what is known of jobs and nodes.

use bivouac_types::info::NodeInfo;
use bivouac_types::node::{NodeFlag, Standing};
use bivouac_types::trigger::{Trigger, TriggerEvent, TriggerOn};
use bivouac_types::{Duration, JobId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A trigger and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Armed {
    pub trigger: Trigger,
    /// Its event has happened: when the program is to run, and its last argument.
    #[serde(default)]
    pub due: Option<(Timestamp, String)>,
    /// Idle nodes that a permanent trigger has reported, until they are in use again.
    #[serde(default)]
    pub told: BTreeSet<String>,
}

/// What counts of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFacts {
    /// When its last task ended; none while one has not.
    pub ended: Option<Timestamp>,
    /// When its time limit ends it; none: it does not run, or has no limit.
    pub limit: Option<Timestamp>,
    /// Its nodes.
    pub nodes: Vec<String>,
}

/// What counts of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFacts {
    pub down: bool,
    pub drained: bool,
    pub fail: bool,
    /// Since when it is idle; none: it is not.
    pub idle: Option<Timestamp>,
}

impl NodeFacts {
    pub fn of(node: &NodeInfo) -> NodeFacts {
        let unused = node.alloc_cpus == 0 && !node.completing;
        let up = node.stand.standing == Standing::Up;
        let flag = |flag: NodeFlag| node.stand.flags.contains(&flag);
        let free = up && unused && !flag(NodeFlag::Drain) && !flag(NodeFlag::Fail);
        NodeFacts {
            down: node.stand.standing == Standing::Down,
            drained: flag(NodeFlag::Drain) && unused,
            fail: flag(NodeFlag::Fail),
            idle: free.then(|| node.last_busy.unwrap_or(node.up_since)),
        }
    }
}

/// What is known now, and of the nodes what was known at the last look.
pub struct Facts<'a> {
    pub now: Timestamp,
    /// The jobs that triggers look at; one that is missing is forgotten, and over.
    pub jobs: &'a BTreeMap<JobId, JobFacts>,
    pub nodes: &'a BTreeMap<String, NodeFacts>,
    pub before: &'a BTreeMap<String, NodeFacts>,
    /// The configuration was read anew.
    pub reconfigured: bool,
    /// The controller has just started.
    pub resumed: bool,
}

/// What is to be done about a trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet; look again then, if something else does not happen before.
    Wait(Option<Timestamp>),
    /// The program runs now, with this last argument.
    Fire(String),
    /// What it looks at will not happen any more.
    Drop,
}

fn shifted(at: Timestamp, seconds: i32) -> Timestamp {
    let span = Duration::from_secs(u64::from(seconds.unsigned_abs()));
    if seconds < 0 { Timestamp(at.0.saturating_sub_unsigned(span.0)) } else { at + span }
}

impl Armed {
    /// Looks at the world.
    pub fn look(&mut self, facts: &Facts<'_>) -> Verdict {
        let spec = &self.trigger.spec;
        if self.due.is_none() {
            match (&spec.on, spec.event) {
                (TriggerOn::Job(job), TriggerEvent::Time) => match facts.jobs.get(job) {
                    Some(JobFacts { ended: None, limit, .. }) => {
                        // The limit may still be changed: it is looked at anew each time.
                        let Some(limit) = limit else { return Verdict::Wait(None) };
                        let due = shifted(*limit, spec.offset);
                        if facts.now < due {
                            return Verdict::Wait(Some(due));
                        }
                        return Verdict::Fire(job.to_string());
                    }
                    _ => return Verdict::Drop,
                },
                (TriggerOn::Job(job), _) => {
                    let ended = facts.jobs.get(job).map_or(Some(facts.now), |job| job.ended);
                    self.due = ended.map(|at| (at, job.to_string()));
                }
                (TriggerOn::Controller, _) => {
                    let resumed = facts.resumed.then(|| (facts.now, spec.event.name().to_owned()));
                    self.due = resumed;
                }
                (_, TriggerEvent::Idle) => return self.idle(facts),
                (_, TriggerEvent::Reconfig) => {
                    let changed = facts.reconfigured || self.changed(facts, |was, is| was != is).is_some();
                    self.due = changed.then(|| (facts.now, spec.event.name().to_owned()));
                }
                (on, event) => {
                    let happened = match event {
                        TriggerEvent::Up => self.changed(facts, |was, is| was.down && !is.down),
                        TriggerEvent::Drained => self.changed(facts, |was, is| !was.drained && is.drained),
                        TriggerEvent::Fail => self.changed(facts, |was, is| !was.fail && is.fail),
                        _ => self.changed(facts, |was, is| !was.down && is.down),
                    };
                    let over = matches!(on, TriggerOn::NodesOf(job) if facts.jobs.get(job).is_none_or(|j| j.ended.is_some()));
                    if happened.is_none() && over {
                        return Verdict::Drop;
                    }
                    self.due = happened.map(|nodes| (facts.now, nodes));
                }
            }
        }
        let Some((at, argument)) = &self.due else { return Verdict::Wait(None) };
        // Nothing that has happened is early enough for a negative offset.
        let due = shifted(*at, self.trigger.spec.offset.max(0));
        if facts.now < due { Verdict::Wait(Some(due)) } else { Verdict::Fire(argument.clone()) }
    }

    /// The nodes it looks at.
    fn nodes<'f>(&self, facts: &'f Facts<'_>) -> impl Iterator<Item = (&'f String, &'f NodeFacts)> {
        let names = match &self.trigger.spec.on {
            TriggerOn::Nodes(names) => names.clone(),
            TriggerOn::NodesOf(job) => Some(facts.jobs.get(job).map_or(Vec::new(), |job| job.nodes.clone())),
            TriggerOn::Job(_) | TriggerOn::Controller => Some(Vec::new()),
        };
        facts.nodes.iter().filter(move |(name, _)| names.as_ref().is_none_or(|n| n.contains(name)))
    }

    /// The nodes of which that became true, as a hostlist; none: of none.
    fn changed(&self, facts: &Facts<'_>, is: impl Fn(&NodeFacts, &NodeFacts) -> bool) -> Option<String> {
        let state = |node: &NodeFacts| NodeFacts { idle: None, ..node.clone() };
        let nodes = self.nodes(facts).filter(|(name, now)| {
            facts.before.get(*name).is_some_and(|before| is(&state(before), &state(now)))
        });
        hostlist(nodes.map(|(name, _)| name.as_str()))
    }

    fn idle(&mut self, facts: &Facts<'_>) -> Verdict {
        let offset = self.trigger.spec.offset.max(0);
        let idle: BTreeMap<String, Timestamp> = self
            .nodes(facts)
            .filter_map(|(name, node)| Some((name.clone(), shifted(node.idle?, offset))))
            .collect();
        self.told.retain(|name| idle.contains_key(name));
        let open = || idle.iter().filter(|(name, _)| !self.told.contains(*name));
        let ripe: Vec<String> =
            open().filter(|(_, at)| **at <= facts.now).map(|(name, _)| name.clone()).collect();
        match hostlist(ripe.iter().map(String::as_str)) {
            Some(nodes) => {
                self.told.extend(ripe);
                Verdict::Fire(nodes)
            }
            None => Verdict::Wait(open().map(|(_, at)| *at).min()),
        }
    }
}

fn hostlist<'n>(names: impl Iterator<Item = &'n str>) -> Option<String> {
    let names: Vec<&str> = names.collect();
    (!names.is_empty()).then(|| bivouac_types::hostlist::compress(names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bivouac_types::Uid;
    use bivouac_types::trigger::TriggerSpec;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn armed(on: TriggerOn, event: TriggerEvent, offset: i32) -> Armed {
        let spec = TriggerSpec { on, event, offset, permanent: false, program: "/bin/true".into() };
        let trigger = Trigger { id: 1, uid: Uid(0), user: "root".into(), spec };
        Armed { trigger, due: None, told: BTreeSet::new() }
    }

    /// The world at some second: job 7 on n1 and n2 with its limit at 100, and nodes by name.
    struct World {
        jobs: BTreeMap<JobId, JobFacts>,
        nodes: BTreeMap<String, NodeFacts>,
        before: BTreeMap<String, NodeFacts>,
    }

    impl World {
        fn new() -> World {
            let job = JobFacts {
                limit: Some(at(100)),
                nodes: vec!["n1".into(), "n2".into()],
                ..JobFacts::default()
            };
            let node = |name: &str| (name.to_owned(), NodeFacts::default());
            let nodes: BTreeMap<_, _> = ["n1", "n2", "n3"].map(node).into();
            World { jobs: [(JobId(7), job)].into(), before: nodes.clone(), nodes }
        }

        fn look(&self, armed: &mut Armed, now: i64) -> Verdict {
            armed.look(&Facts {
                now: at(now),
                jobs: &self.jobs,
                nodes: &self.nodes,
                before: &self.before,
                reconfigured: false,
                resumed: false,
            })
        }

        fn node(&mut self, name: &str) -> &mut NodeFacts {
            self.nodes.get_mut(name).unwrap()
        }
    }

    fn fire(argument: &str) -> Verdict {
        Verdict::Fire(argument.to_owned())
    }

    #[test]
    fn the_end_of_a_job() {
        let mut w = World::new();
        let mut t = armed(TriggerOn::Job(JobId(7)), TriggerEvent::Fini, 30);
        assert_eq!(w.look(&mut t, 10), Verdict::Wait(None));
        w.jobs.get_mut(&JobId(7)).unwrap().ended = Some(at(20));
        assert_eq!(w.look(&mut t, 20), Verdict::Wait(Some(at(50))));
        w.jobs.clear();
        assert_eq!(w.look(&mut t, 50), fire("7"), "it was forgotten in between");
        let mut t = armed(TriggerOn::Job(JobId(7)), TriggerEvent::Fini, -30);
        assert_eq!(w.look(&mut t, 50), fire("7"));
    }

    #[test]
    fn the_time_limit_of_a_job() {
        let mut w = World::new();
        let mut t = armed(TriggerOn::Job(JobId(7)), TriggerEvent::Time, -60);
        assert_eq!(w.look(&mut t, 10), Verdict::Wait(Some(at(40))));
        w.jobs.get_mut(&JobId(7)).unwrap().limit = Some(at(200));
        assert_eq!(w.look(&mut t, 40), Verdict::Wait(Some(at(140))), "the limit was raised");
        assert_eq!(w.look(&mut t, 141), fire("7"));
        w.jobs.get_mut(&JobId(7)).unwrap().limit = None;
        assert_eq!(w.look(&mut t, 141), Verdict::Wait(None));
        w.jobs.get_mut(&JobId(7)).unwrap().ended = Some(at(142));
        assert_eq!(w.look(&mut t, 142), Verdict::Drop, "it ended before");
    }

    #[test]
    fn what_happens_to_nodes() {
        let mut w = World::new();
        let mut any = armed(TriggerOn::Nodes(None), TriggerEvent::Down, 0);
        let mut third = armed(TriggerOn::Nodes(Some(vec!["n3".into()])), TriggerEvent::Down, 0);
        let mut of_job = armed(TriggerOn::NodesOf(JobId(7)), TriggerEvent::Down, 0);
        let mut up = armed(TriggerOn::Nodes(None), TriggerEvent::Up, 0);
        let mut reconfig = armed(TriggerOn::Nodes(None), TriggerEvent::Reconfig, 0);
        for t in [&mut any, &mut third, &mut of_job, &mut up, &mut reconfig] {
            assert_eq!(w.look(t, 1), Verdict::Wait(None));
        }
        (w.node("n1").down, w.node("n2").down) = (true, true);
        assert_eq!(w.look(&mut any, 2), fire("n[1-2]"));
        assert_eq!(w.look(&mut third, 2), Verdict::Wait(None));
        assert_eq!(w.look(&mut of_job, 2), fire("n[1-2]"));
        assert_eq!(w.look(&mut up, 2), Verdict::Wait(None));
        assert_eq!(w.look(&mut reconfig, 2), fire("reconfig"));
        w.before = w.nodes.clone();
        w.node("n1").down = false;
        assert_eq!(w.look(&mut up, 3), fire("n1"));
        w.node("n3").drained = true;
        let mut drained = armed(TriggerOn::Nodes(None), TriggerEvent::Drained, 10);
        assert_eq!(w.look(&mut drained, 3), Verdict::Wait(Some(at(13))));
        w.before = w.nodes.clone();
        assert_eq!(w.look(&mut drained, 13), fire("n3"));
        w.jobs.get_mut(&JobId(7)).unwrap().ended = Some(at(14));
        let mut of_job = armed(TriggerOn::NodesOf(JobId(7)), TriggerEvent::Down, 0);
        assert_eq!(w.look(&mut of_job, 14), Verdict::Drop);
    }

    #[test]
    fn idle_nodes_are_told_once() {
        let mut w = World::new();
        let mut t = armed(TriggerOn::Nodes(None), TriggerEvent::Idle, 60);
        assert_eq!(w.look(&mut t, 1), Verdict::Wait(None));
        (w.node("n1").idle, w.node("n3").idle) = (Some(at(10)), Some(at(30)));
        assert_eq!(w.look(&mut t, 20), Verdict::Wait(Some(at(70))));
        assert_eq!(w.look(&mut t, 71), fire("n1"));
        assert_eq!(w.look(&mut t, 72), Verdict::Wait(Some(at(90))));
        w.node("n1").idle = None;
        assert_eq!(w.look(&mut t, 91), fire("n3"));
        w.node("n1").idle = Some(at(91));
        assert_eq!(w.look(&mut t, 151), fire("n1"), "it was in use in between");
    }

    #[test]
    fn the_controller_comes_back() {
        let w = World::new();
        let mut t = armed(TriggerOn::Controller, TriggerEvent::ControllerResumed, 0);
        assert_eq!(w.look(&mut t, 1), Verdict::Wait(None));
        let empty = BTreeMap::new();
        let jobs = BTreeMap::new();
        let facts = Facts {
            now: at(2),
            jobs: &jobs,
            nodes: &empty,
            before: &empty,
            reconfigured: false,
            resumed: true,
        };
        assert_eq!(t.look(&facts), fire("primary_slurmctld_resumed_operation"));
    }
}
