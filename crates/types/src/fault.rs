//! Scripted faults: what a cluster is made to do wrong, for those who test what their tools do then.

use crate::hostlist::HostList;
use crate::info::JobInfo;
use crate::node::Misfortune;
use crate::reason::PendingReason;
use crate::state::{ExitStatus, JobState};
use crate::time::{Duration, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// A command fails before it has done anything.
    Refuse {
        /// Which, `sbatch`.
        program: String,
        /// What it says on standard error.
        text: String,
        /// What it exits with.
        code: u8,
    },
    /// A command's answer comes late.
    Slow {
        /// Which.
        program: String,
        /// By so much.
        by: Duration,
    },
    /// sacct tells what was true so long ago, as while the accounting daemon catches up.
    Lag(Duration),
    /// Nodes do not answer any more.
    NodesLost {
        /// Which.
        nodes: Vec<String>,
        /// They are back so long after.
        back: Option<Duration>,
    },
    /// Nodes that were lost are back.
    NodesBack(Vec<String>),
    /// The controller dies, and is brought back.
    Restart,
    /// Something befalls a job.
    Job {
        /// Which; none: the first that starts from now on.
        job: Option<u32>,
        /// What.
        what: Misfortune,
        /// When it has run for so long.
        after: Duration,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = |nodes: &[String]| nodes.iter().cloned().collect::<HostList>();
        match self {
            Fault::Refuse { program, text, code } => write!(f, "refuse {program}: exit {code}, {text}"),
            Fault::Slow { program, by } => write!(f, "slow {program}: {}", seconds(*by)),
            Fault::Lag(by) => write!(f, "lag: sacct is {} behind", seconds(*by)),
            Fault::NodesLost { nodes: lost, back: None } => write!(f, "node-down {}", nodes(lost)),
            Fault::NodesLost { nodes: lost, back: Some(back) } => {
                write!(f, "node-down {}, back {} later", nodes(lost), seconds(*back))
            }
            Fault::NodesBack(back) => write!(f, "node-up {}", nodes(back)),
            Fault::Restart => write!(f, "restart of the controller"),
            Fault::Job { job, what, after } => {
                let what = match what {
                    Misfortune::Preempted => "preempt",
                    Misfortune::PreemptedAndRequeued => "preempt and requeue",
                    Misfortune::OutOfMemory => "oom",
                };
                match job {
                    Some(job) => write!(f, "{what} job {job}")?,
                    None => write!(f, "{what} the next job")?,
                }
                if *after == Duration(0) {
                    Ok(())
                } else {
                    write!(f, ", {} after its start", seconds(*after))
                }
            }
        }
    }
}

fn seconds(d: Duration) -> String {
    match d.0 % 1000 {
        0 => format!("{} s", d.0 / 1000),
        _ => format!("{} s", d.0 as f64 / 1000.0),
    }
}

/// A fault in the script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scripted {
    /// Its number, by which it is cleared.
    pub id: u32,
    /// What.
    pub fault: Fault,
    /// How often it is still to happen; none: until it is cleared.
    pub times: Option<u32>,
    /// When it was added.
    pub added: Timestamp,
    /// When it is due; none: when there is an occasion.
    pub due: Option<Timestamp>,
}

impl fmt::Display for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.fault)?;
        match (&self.fault, self.times) {
            (Fault::Refuse { .. } | Fault::Slow { .. }, Some(1)) => write!(f, " (once)"),
            (Fault::Refuse { .. } | Fault::Slow { .. }, Some(n)) => write!(f, " ({n} times)"),
            _ => Ok(()),
        }
    }
}

/// What the script has in store for a command that begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// It is to wait.
    pub wait: Duration,
    /// It is to say this and exit with that.
    pub refusal: Option<(String, u8)>,
    /// If it is sacct: to tell what was true so long ago.
    pub lag: Duration,
}

/// All faults that are to come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    last: u32,
    faults: Vec<Scripted>,
}

impl Script {
    /// What is in it, oldest first.
    pub fn faults(&self) -> &[Scripted] {
        &self.faults
    }

    /// Adds a fault and gives its number. `times` counts for what happens to commands.
    pub fn add(&mut self, fault: Fault, times: Option<u32>, due: Option<Timestamp>, now: Timestamp) -> u32 {
        self.last += 1;
        self.faults.push(Scripted { id: self.last, fault, times, added: now, due });
        self.last
    }

    /// Clears a fault, or all; whether there was one.
    pub fn clear(&mut self, id: Option<u32>) -> bool {
        let before = self.faults.len();
        self.faults.retain(|f| id.is_some_and(|id| id != f.id));
        id.is_none() || self.faults.len() < before
    }

    /// What a command that begins now meets. Of several refusals the oldest comes first, one each time; delays and lags
    /// add up.
    pub fn greet(&mut self, program: &str, now: Timestamp) -> Greeting {
        let mut greeting = Greeting::default();
        for scripted in self.faults.iter_mut().filter(|f| f.due.is_none_or(|due| due <= now)) {
            match &scripted.fault {
                Fault::Slow { program: p, by } if p == program => greeting.wait.0 += by.0,
                Fault::Refuse { program: p, text, code } if p == program && greeting.refusal.is_none() => {
                    greeting.refusal = Some((text.clone(), *code));
                }
                Fault::Lag(by) => {
                    greeting.lag.0 += by.0;
                    continue;
                }
                _ => continue,
            }
            scripted.times = scripted.times.map(|n| n.saturating_sub(1));
        }
        self.faults.retain(|f| f.times != Some(0));
        greeting
    }

    /// Takes out what happens by itself and is due: nodes and the controller.
    pub fn take_due(&mut self, now: Timestamp) -> Vec<Fault> {
        let of_time = |f: &Fault| matches!(f, Fault::NodesLost { .. } | Fault::NodesBack(_) | Fault::Restart);
        let is_due = |f: &Scripted| of_time(&f.fault) && f.due.is_none_or(|due| due <= now);
        let due: Vec<Fault> = self.faults.iter().filter(|f| is_due(f)).map(|f| f.fault.clone()).collect();
        self.faults.retain(|f| !is_due(f));
        for fault in &due {
            if let Fault::NodesLost { nodes, back: Some(back) } = fault {
                let back = Timestamp(now.0 + back.0 as i64);
                self.add(Fault::NodesBack(nodes.clone()), Some(1), Some(back), now);
            }
        }
        due
    }

    /// When something of the script is due next.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.faults.iter().filter_map(|f| f.due).min()
    }
}

impl JobInfo {
    /// The job as the accounting had it at an earlier time; none: it was not submitted yet.
    pub fn as_of(mut self, at: Timestamp) -> Option<JobInfo> {
        if self.submit > at {
            return None;
        }
        let over = self.state.is_ended() || self.state == JobState::Completing;
        if self.start.is_none_or(|start| start > at) && !(over && self.end.is_some_and(|end| end <= at)) {
            self.state = JobState::Pending;
            self.reason = PendingReason::None;
            (self.start, self.end) = (None, None);
            self.nodes.clear();
            self.steps.clear();
        } else if over && self.end.is_some_and(|end| end > at) {
            self.state = JobState::Running;
            self.end = None;
            self.steps.retain(|step| step.start <= at);
            for step in self.steps.iter_mut().filter(|step| step.end.is_some_and(|end| end > at)) {
                step.state = JobState::Running;
                step.end = None;
                step.exit = ExitStatus::default();
            }
        } else {
            return Some(self);
        }
        self.elapsed = self.start.map_or(Duration(0), |start| at.since(start));
        self.exit = ExitStatus::default();
        self.cancelled_by = None;
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn refuse(text: &str) -> Fault {
        Fault::Refuse { program: "sbatch".into(), text: text.into(), code: 1 }
    }

    #[test]
    fn a_refusal_happens_as_often_as_it_was_said_and_to_that_command_alone() {
        let mut script = Script::default();
        script.add(refuse("first"), Some(2), None, NOW);
        script.add(refuse("second"), Some(1), None, NOW);
        assert_eq!(script.greet("squeue", NOW), Greeting::default());
        let said: Vec<_> = (0..4).map(|_| script.greet("sbatch", NOW).refusal.map(|r| r.0)).collect();
        assert_eq!(said, [Some("first".into()), Some("first".into()), Some("second".into()), None]);
        assert!(script.faults().is_empty());
    }

    #[test]
    fn delays_add_up_and_last_until_cleared() {
        let mut script = Script::default();
        let slow = |by| Fault::Slow { program: "squeue".into(), by: Duration(by) };
        let first = script.add(slow(300), None, None, NOW);
        script.add(slow(200), Some(1), None, NOW);
        script.add(slow(70), None, Some(Timestamp(NOW.0 + 1)), NOW);
        assert_eq!(script.greet("squeue", NOW).wait, Duration(500));
        assert_eq!(script.greet("squeue", NOW).wait, Duration(300));
        assert!(script.clear(Some(first)) && !script.clear(Some(first)));
        assert_eq!(script.greet("squeue", Timestamp(NOW.0 + 1)).wait, Duration(70));
        assert!(script.clear(None) && script.faults().is_empty());
    }

    #[test]
    fn nodes_that_were_lost_come_back() {
        let mut script = Script::default();
        let nodes = vec!["n1".to_owned()];
        let lost = Fault::NodesLost { nodes: nodes.clone(), back: Some(Duration(50)) };
        script.add(lost.clone(), Some(1), Some(Timestamp(NOW.0 + 10)), NOW);
        assert_eq!((script.take_due(NOW), script.next_due()), (vec![], Some(Timestamp(NOW.0 + 10))));
        let then = Timestamp(NOW.0 + 10);
        assert_eq!(script.take_due(then), [lost]);
        assert_eq!(script.next_due(), Some(Timestamp(NOW.0 + 60)));
        assert_eq!(script.take_due(Timestamp(NOW.0 + 60)), [Fault::NodesBack(nodes)]);
        assert!(script.faults().is_empty());
    }

    #[test]
    fn faults_read_as_they_are_typed() {
        let job = Fault::Job { job: Some(7), what: Misfortune::OutOfMemory, after: Duration(1500) };
        let scripted = |fault| Scripted { id: 3, fault, times: Some(1), added: NOW, due: None };
        assert_eq!(scripted(job).to_string(), "3 oom job 7, 1.5 s after its start");
        assert_eq!(scripted(refuse("No")).to_string(), "3 refuse sbatch: exit 1, No (once)");
        let nodes = vec!["n1".into(), "n2".into()];
        assert_eq!(scripted(Fault::NodesLost { nodes, back: None }).to_string(), "3 node-down n[1-2]");
    }
}
