//! Users: random commands, good and bad, at random moments.

use crate::controller::{Answer, Mail};
use crate::sim::{Sim, Task};
use bivouac_core::{
    Caller, CancelScope, Command, Hold, JobChange, JobTarget, PayloadId, RequestKey, StepAsk,
};
use bivouac_types::array::ArraySpec;
use bivouac_types::config::PartitionState;
use bivouac_types::depend::{DependencyTarget, DependencyTerm};
use bivouac_types::info::Usage;
use bivouac_types::job::{NodeRange, SignalRequest};
use bivouac_types::node::{Misfortune, NodeChange, NodeOrder};
use bivouac_types::partition::PartitionChange;
use bivouac_types::tres::GresRequest;
use bivouac_types::{
    Dependency, Duration, ExitStatus, Gid, HostList, JobId, JobSpec, MemRequest, Reject, TaskSet, TimeLimit,
    Uid,
};

/// The superuser.
pub fn root() -> Caller {
    Caller {
        uid: Uid::ROOT,
        gid: Gid(0),
        user: "root".into(),
        group: "root".into(),
        groups: Vec::new(),
        operator: true,
    }
}

fn user(n: u32) -> Caller {
    Caller {
        uid: Uid(n),
        gid: Gid(100),
        user: format!("u{n}"),
        group: "users".into(),
        groups: Vec::new(),
        operator: false,
    }
}

impl Sim {
    /// The next command of somebody.
    pub(crate) fn user_acts(&mut self) {
        if self.commands_left == 0 || self.quiet {
            return;
        }
        self.commands_left -= 1;
        let gap = self.rng.below(2 * self.shape.command_gap) + 1;
        self.after(gap, Task::User);
        let caller = if self.rng.chance(15) { root() } else { user(self.rng.range(1000, 1002) as u32) };
        let command = match self.rng.below(100) {
            0..=54 => self.a_submission(caller),
            55..=69 => Command::Cancel {
                caller,
                target: self.a_target(),
                signal: if self.rng.chance(20) {
                    Some(*self.rng.pick(&[9, 10, 15, 18, 19, 99]))
                } else {
                    None
                },
                scope: *self.rng.pick(&[
                    CancelScope::Job,
                    CancelScope::Job,
                    CancelScope::Batch,
                    CancelScope::Step(0),
                ]),
            },
            70..=77 => Command::Hold { caller, target: self.a_target(), user_hold: self.rng.chance(50) },
            78..=85 => Command::Release { caller, target: self.a_target() },
            86..=88 => Command::Requeue {
                caller,
                target: self.a_target(),
                hold: *self.rng.pick(&[None, None, None, Some(Hold::Requeued), Some(Hold::SpecialExit)]),
                incomplete: self.rng.chance(30),
            },
            89..=90 => Command::Suspend { caller: root(), target: self.a_target() },
            91 => match self.rng.chance(80) {
                true => Command::Resume { caller: root(), target: self.a_target() },
                false => Command::Top { caller: root(), jobs: vec![self.a_job(), self.a_job()] },
            },
            92..=93 => self.a_step(caller),
            94..=95 => self.an_operation(),
            _ => self.an_update(caller),
        };
        self.requests += 1;
        self.ask(self.requests, command);
    }

    fn ask(&mut self, request: u64, command: Command) {
        if let Command::Submit { caller, spec, key, .. } = &command {
            self.checker.asked(request, caller, spec, *key);
            self.open_requests.insert(request, command.clone());
        }
        let delay = self.rng.below(5);
        self.after(delay, Task::Request { request, command: Box::new(command) });
        if self.rng.chance(self.shape.double) {
            // The client did not hear the answer, and asks again under the same key.
            if let Some(again) = self.open_requests.get(&request).cloned() {
                let delay = self.rng.range(1, 2000);
                self.after(delay, Task::Request { request, command: Box::new(again) });
            }
        }
    }

    pub(crate) fn request_arrives(&mut self, request: u64, command: Command) {
        self.controller_receives(Mail::Request(request, Box::new(command)));
    }

    /// A user hears the answer.
    pub(crate) fn user_answered(&mut self, request: u64, answer: Answer) {
        self.trace(|| format!("answer to request {request}: {answer:?}"));
        self.checker.answered(request, &answer);
        match answer {
            // The controller was away, or could not store it: ask again, under the same key.
            Err(Reject::Other(_) | Reject::Storage(_)) if self.rng.chance(60) && !self.quiet => {
                if let Some(again) = self.open_requests.get(&request).cloned() {
                    let delay = self.rng.range(100, 3000);
                    self.after(delay, Task::Request { request, command: Box::new(again) });
                }
            }
            _ => drop(self.open_requests.remove(&request)),
        }
    }

    /// Most often one that is not over.
    fn a_job(&mut self) -> JobId {
        let live = self.checker.live();
        if !live.is_empty() && self.rng.chance(60) {
            return *self.rng.pick(&live);
        }
        JobId(self.rng.range(1, u64::from(self.checker.last_id()) + 2) as u32)
    }

    fn some_tasks(&mut self) -> TaskSet {
        let first = self.rng.below(8) as u32;
        TaskSet::from_ranges([(first, first + self.rng.below(5) as u32)])
    }

    fn a_target(&mut self) -> JobTarget {
        let tasks = if self.rng.chance(25) { Some(self.some_tasks()) } else { None };
        JobTarget { job: self.a_job(), tasks }
    }

    fn a_dependency(&mut self) -> Dependency {
        let mut terms = Vec::new();
        for _ in 0..self.rng.range(1, 2) {
            let task = if self.rng.chance(15) { Some(self.rng.below(8) as u32) } else { None };
            let job = DependencyTarget { job: self.a_job(), task };
            terms.push(match self.rng.below(6) {
                0 => DependencyTerm::After { job, delay: Duration::from_secs(self.rng.below(90)) },
                1 => DependencyTerm::AfterAny(job),
                2 => DependencyTerm::AfterNotOk(job),
                3 => DependencyTerm::Singleton,
                _ => DependencyTerm::AfterOk(job),
            });
        }
        Dependency { terms, any: self.rng.chance(25) }
    }

    fn an_update(&mut self, caller: Caller) -> Command {
        let mut changes = Vec::new();
        for _ in 0..self.rng.range(1, 3) {
            changes.push(self.a_change());
        }
        Command::Update { caller, target: self.a_target(), changes }
    }

    fn a_change(&mut self) -> JobChange {
        let node = |rng: &mut crate::rng::Rng| HostList { names: vec![format!("n{}", rng.range(1, 4))] };
        match self.rng.below(23) {
            0..=2 => JobChange::TimeLimit(TimeLimit::Minutes(self.rng.below(4) as u32)),
            3 | 4 => JobChange::Name(format!("job{}", self.rng.below(3))),
            5 | 6 => JobChange::Nice(self.rng.below(200) as i32 - 50),
            7 => JobChange::ArrayTaskThrottle(self.rng.below(4) as u32),
            8 => JobChange::Tasks(self.rng.below(6) as u32),
            9 => JobChange::CpusPerTask(self.rng.below(4) as u32),
            10 => JobChange::Cpus(self.rng.below(7) as u32),
            11 => JobChange::Memory(MemRequest::PerNode(self.rng.below(4000))),
            12 => JobChange::Nodes(NodeRange { min: self.rng.below(4) as u32, max: None }),
            13 => JobChange::Partitions(vec![self.rng.pick(&["main", "side", "nope"]).to_string()]),
            14 => JobChange::Qos(self.rng.chance(70).then(|| self.rng.pick(&["long", "normal"]).to_string())),
            15 => JobChange::NodeList(self.rng.chance(50).then(|| node(&mut self.rng))),
            16 => JobChange::Exclude(self.rng.chance(50).then(|| node(&mut self.rng))),
            17 => JobChange::Features(self.rng.chance(50).then(|| "fast".to_string())),
            18 => JobChange::Begin(self.now().wall + Duration(self.rng.below(40_000))),
            19 => JobChange::Dependency(self.rng.chance(60).then(|| self.a_dependency())),
            20 => JobChange::Priority(self.rng.below(3) as u32 * 1000),
            21 => JobChange::TimeMin(
                self.rng.chance(70).then(|| TimeLimit::Minutes(self.rng.range(1, 4) as u32)),
            ),
            _ => JobChange::EndTime(self.now().wall + Duration(self.rng.below(200_000))),
        }
    }

    /// What an operator does to nodes and partitions, and misfortunes.
    fn an_operation(&mut self) -> Command {
        let caller = if self.rng.chance(90) { root() } else { user(1000) };
        match self.rng.below(10) {
            0..=6 => {
                let nodes = vec![format!("n{}", self.rng.range(1, 4))];
                let order = *self.rng.pick(&[
                    NodeOrder::Down,
                    NodeOrder::Drain,
                    NodeOrder::Fail,
                    NodeOrder::Lost,
                    NodeOrder::Future,
                    NodeOrder::NoResponse,
                    NodeOrder::Resume,
                    NodeOrder::Resume,
                    NodeOrder::Resume,
                    NodeOrder::Undrain,
                    NodeOrder::Idle,
                ]);
                let reason = NodeChange::Reason("because".into());
                let weight = NodeChange::Weight(self.rng.below(3) as u32);
                let changes = vec![NodeChange::State(order), reason, weight];
                Command::UpdateNodes { caller, nodes, changes }
            }
            7 => {
                let state = *self.rng.pick(&[
                    PartitionState::Up,
                    PartitionState::Up,
                    PartitionState::Down,
                    PartitionState::Drain,
                    PartitionState::Inactive,
                ]);
                let name = self.rng.pick(&["main", "side", "extra"]).to_string();
                let time = PartitionChange::MaxTime(TimeLimit::Minutes(self.rng.range(1, 60) as u32));
                Command::UpdatePartition { caller, name, changes: vec![PartitionChange::State(state), time] }
            }
            8 if self.rng.chance(50) => {
                let nodes = PartitionChange::Nodes(vec![format!("n{}", self.rng.range(1, 3))]);
                Command::CreatePartition { caller, name: "extra".into(), changes: vec![nodes] }
            }
            8 => Command::DeletePartition { caller, name: "extra".into() },
            _ => {
                let what = *self.rng.pick(&[
                    Misfortune::Preempted,
                    Misfortune::PreemptedAndRequeued,
                    Misfortune::OutOfMemory,
                ]);
                Command::Misfortune { caller, target: self.a_target(), what }
            }
        }
    }

    fn a_step(&mut self, caller: Caller) -> Command {
        let job = self.a_job();
        if self.rng.chance(40) {
            let (step, exit, usage) = (self.rng.below(3) as u32, ExitStatus::default(), Usage::default());
            return Command::StepEnd { caller, job, step, exit, usage };
        }
        let ask = StepAsk {
            name: "step".into(),
            ntasks: self.rng.below(4) as u32,
            cpus_per_task: self.rng.range(1, 2) as u32,
            nodes: if self.rng.chance(30) { Some(self.rng.below(3) as u32) } else { None },
            overlap: self.rng.chance(20),
            exact: self.rng.chance(70),
            nodelist: if self.rng.chance(20) { vec!["n1".into()] } else { Vec::new() },
            ntasks_per_node: if self.rng.chance(20) { Some(2) } else { None },
            ..StepAsk::default()
        };
        Command::StepStart { caller, job, ask }
    }

    fn a_submission(&mut self, caller: Caller) -> Command {
        let mut spec = JobSpec { name: format!("job{}", self.rng.below(3)), ..JobSpec::default() };
        let r = &mut spec.resources;
        let rng = &mut self.rng;
        if rng.chance(60) {
            r.ntasks = Some(rng.range(0, 6) as u32);
        }
        if rng.chance(20) {
            r.cpus_per_task = Some(rng.range(1, 4) as u32);
        }
        if rng.chance(20) {
            let min = rng.range(1, 3) as u32;
            r.nodes = Some(NodeRange { min, max: rng.chance(50).then_some(min) });
        }
        if rng.chance(10) {
            r.ntasks_per_node = Some(rng.range(1, 4) as u32);
        }
        if rng.chance(30) {
            let mb = rng.below(4000);
            r.mem = Some(if rng.chance(50) { MemRequest::PerNode(mb) } else { MemRequest::PerCpu(mb / 4) });
        }
        if rng.chance(15) {
            let kind = if rng.chance(40) { Some("a100".to_string()) } else { None };
            r.gres =
                vec![GresRequest { name: "gpu".into(), kind, count: rng.range(1, 2) as u32, bare: false }];
        }
        r.exclusive = rng.chance(10);
        if rng.chance(10) {
            r.constraint = Some(rng.pick(&["fast", "slow&ib", "fast|ib", "none"]).to_string());
        }
        if rng.chance(8) {
            r.nodelist = Some(HostList { names: vec![format!("n{}", rng.range(1, 4))] });
        }
        if rng.chance(8) {
            r.exclude = Some(HostList { names: vec![format!("n{}", rng.range(1, 4))] });
        }
        spec.partitions = match rng.below(10) {
            0..=5 => Vec::new(),
            6 => vec!["side".into()],
            7 | 8 => vec!["side".into(), "main".into()],
            _ => vec![rng.pick(&["main", "extra", "nope"]).to_string()],
        };
        if rng.chance(25) {
            spec.qos = Some(rng.pick(&["long", "normal", "nope"]).to_string());
        }
        if rng.chance(60) {
            spec.time_limit = Some(TimeLimit::Minutes(rng.range(1, 5) as u32));
        }
        if rng.chance(15) {
            spec.time_min = Some(TimeLimit::Minutes(rng.range(1, 4) as u32));
        }
        if rng.chance(10) {
            let in_ms = rng.below(60_000);
            spec.begin = Some(self.now().wall + Duration(in_ms));
        }
        let rng = &mut self.rng;
        if rng.chance(20) {
            let max_running = if rng.chance(40) { Some(rng.range(1, 3) as u32) } else { None };
            let first = rng.below(3) as u32;
            let last = first + rng.below(12) as u32;
            spec.array = Some(ArraySpec { tasks: TaskSet::from_ranges([(first, last)]), max_running });
        }
        if rng.chance(8) {
            let in_ms = rng.range(30_000, 600_000);
            spec.deadline = Some(self.now().wall + Duration(in_ms));
        }
        let rng = &mut self.rng;
        if rng.chance(15) {
            let (signal, seconds) = (10, rng.below(200) as u32);
            spec.signal =
                Some(SignalRequest { signal, seconds, batch_only: rng.chance(50), reservation: false });
        }
        spec.hold = rng.chance(8);
        if rng.chance(40) {
            spec.requeue = Some(rng.chance(50));
        }
        spec.nice = if rng.chance(10) { rng.below(200) as i32 - 20 } else { 0 };
        if self.rng.chance(25) {
            spec.dependency = Some(self.a_dependency());
            spec.kill_on_invalid_dep = self.rng.chance(30).then_some(true);
        }
        let key = RequestKey(u128::from(self.rng.next()));
        Command::Submit { caller, spec, payload: PayloadId(format!("p{:x}", key.0)), key }
    }
}
