//! Why jobs wait: dependencies by the model's own judgement, and whether the reason shown is true.

use super::Checker;
use super::model::{Record, Stand, Sub, Target, Term};
use bivouac_core::{Cluster, Hold, Job, Plan};
use bivouac_types::depend::{DependencyTarget, DependencyTerm};
use bivouac_types::{JobId, JobSpec, JobState, Now, PendingReason};

/// Whether a term holds, can still come to hold, or never will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Yes,
    NotYet,
    Never,
}

impl Checker {
    /// The terms of a dependency at submission. A job that is forgotten satisfies its term; with `?` the whole.
    pub(super) fn terms(&self, spec: &JobSpec, _at: Now) -> Option<Vec<Term>> {
        let dependency = spec.dependency.as_ref()?;
        let target = |t: DependencyTarget| self.model.target(t.job, t.task);
        let mut terms = Vec::new();
        for term in &dependency.terms {
            let own = match *term {
                DependencyTerm::After { job, delay } => target(job).map(|t| Term::Begun(t, delay.0)),
                DependencyTerm::AfterAny(job) | DependencyTerm::AfterBurstBuffer(job) => {
                    target(job).map(Term::Ended)
                }
                // Users of the simulation make no job that waits task by task.
                DependencyTerm::AfterOk(job) | DependencyTerm::AfterCorr(job) => target(job).map(Term::Ok),
                DependencyTerm::AfterNotOk(job) => target(job).map(Term::NotOk),
                DependencyTerm::Singleton => Some(Term::Singleton),
            };
            match own {
                Some(own) => terms.push(own),
                None if dependency.any => return None,
                None => {}
            }
        }
        Some(terms)
    }

    pub(super) fn dependency_holds(&self, sub: &Sub, record: &Record, at: Now) -> bool {
        self.dependency(sub, record, at) == Holds::Yes
    }

    fn dependency(&self, sub: &Sub, record: &Record, at: Now) -> Holds {
        let Some(terms) = sub.waits.as_ref().filter(|t| !t.is_empty()) else { return Holds::Yes };
        let any = sub.spec.dependency.as_ref().is_some_and(|d| d.any);
        let settled = |n: usize| sub.settled.get(&n).map(|ok| if *ok { Holds::Yes } else { Holds::Never });
        let held = |(n, t): (usize, &Term)| settled(n).unwrap_or_else(|| self.term(t, sub, record, at));
        let all: Vec<Holds> = terms.iter().enumerate().map(held).collect();
        let (good, bad) = if any { (Holds::Yes, Holds::Never) } else { (Holds::Never, Holds::Yes) };
        if all.contains(&good) {
            good
        } else if all.iter().all(|h| *h == bad) {
            bad
        } else {
            Holds::NotYet
        }
    }

    fn term(&self, term: &Term, sub: &Sub, record: &Record, at: Now) -> Holds {
        let decided = |ended: Option<bool>, good: bool| match ended {
            None => Holds::NotYet,
            Some(ok) if ok == good => Holds::Yes,
            Some(_) => Holds::Never,
        };
        match term {
            Term::Begun(target, delay) => match self.begun(target) {
                Some(begun) if begun + *delay as i64 <= at.wall.0 => Holds::Yes,
                _ => Holds::NotYet,
            },
            Term::Ended(target) => self.ended_well(target).map_or(Holds::NotYet, |_| Holds::Yes),
            Term::Ok(target) => decided(self.ended_well(target), true),
            Term::NotOk(target) => decided(self.ended_well(target), false),
            Term::Singleton => {
                let earlier = |r: &Record| {
                    r.origin < record.origin
                        && r.name == record.name
                        && r.stand != Stand::Over
                        && self.model.subs.get(&r.origin).is_some_and(|s| s.uid == sub.uid)
                };
                // A renamed job is judged by its name at that time, which this does not know.
                let blocked = !self.model.renamed && self.model.records.values().any(earlier);
                if blocked { Holds::NotYet } else { Holds::Yes }
            }
        }
    }

    /// Something ended: the terms that this decides stay decided.
    pub(super) fn settle(&mut self) {
        let decide = |sub: &Sub| -> Vec<(usize, bool)> {
            let terms = sub.waits.iter().flatten().enumerate().filter(|(n, _)| !sub.settled.contains_key(n));
            let decided = terms.filter_map(|(n, term)| {
                let ok = match term {
                    Term::Ended(target) => self.ended_well(target).map(|_| true),
                    Term::Ok(target) => self.ended_well(target),
                    Term::NotOk(target) => self.ended_well(target).map(|ok| !ok),
                    Term::Begun(..) | Term::Singleton => None,
                };
                Some((n, ok?))
            });
            decided.collect()
        };
        let subs: Vec<_> = self.model.subs.iter().map(|(id, sub)| (*id, decide(sub))).collect();
        let amended =
            self.model.records.iter().filter_map(|(id, r)| Some((*id, decide(r.amended.as_deref()?))));
        let amended: Vec<_> = amended.collect();
        for (id, decided) in subs {
            if let Some(sub) = self.model.subs.get_mut(&id) {
                sub.settled.extend(decided);
            }
        }
        for (id, decided) in amended {
            if let Some(sub) = self.model.records.get_mut(&id).and_then(|r| r.amended.as_mut()) {
                sub.settled.extend(decided);
            }
        }
    }

    fn begun(&self, target: &Target) -> Option<i64> {
        let sub = self.model.subs.get(&target.origin)?;
        match target.task {
            None if sub.begun.len() == sub.size() => sub.begun.values().map(|t| t.0).max(),
            None => None,
            task => sub.begun.get(&task).map(|t| t.0),
        }
    }

    fn ended_well(&self, target: &Target) -> Option<bool> {
        let sub = self.model.subs.get(&target.origin)?;
        match target.task {
            None if sub.ended.len() == sub.size() => Some(sub.ended.values().all(|ok| *ok)),
            None => None,
            task => sub.ended.get(&task).copied(),
        }
    }

    /// What users are shown agrees with the model: states, and the reason why each job waits.
    pub fn shown(&mut self, cluster: &Cluster, plan: &Plan, now: Now) {
        for job in cluster.jobs() {
            let Some(record) = self.model.records.get(&job.id) else {
                return self.fail(format!("job {} is shown and is not stored", job.id));
            };
            let fits = match &record.stand {
                Stand::Waiting => matches!(job.state(), JobState::Pending | JobState::SpecialExit),
                Stand::Running(g) if g.ending => job.state() == JobState::Completing,
                Stand::Running(g) if g.suspended.is_some() => job.state() == JobState::Suspended,
                Stand::Running(_) => matches!(job.state(), JobState::Running | JobState::Stopped),
                Stand::Over => job.state().is_ended(),
            };
            let survives = matches!(&record.stand, Stand::Running(g) if !g.ending);
            if survives && self.is_on_lost_node(job.id) {
                return self.fail(format!("job {} goes on on a node that is lost", job.id));
            }
            if !fits {
                return self.fail(format!(
                    "job {} is shown as {}, and is {:?}",
                    job.id,
                    job.state(),
                    record.stand
                ));
            }
            if record.stand == Stand::Waiting
                && let Some(problem) = self.wrong_reason(job.id, record, cluster.reason(job, plan), now)
            {
                return self.fail(problem);
            }
        }
    }

    fn wrong_reason(&self, job: JobId, record: &Record, reason: PendingReason, now: Now) -> Option<String> {
        use PendingReason as R;
        let sub = self.model.sub(record)?;
        let wrong = |why: &str| Some(format!("job {job} waits because of {reason}, but {why}"));
        if let Some(hold) = record.hold {
            let word = match hold {
                Hold::User => R::JobHeldUser,
                Hold::Admin => R::JobHeldAdmin,
                Hold::Requeued | Hold::SpecialExit => R::JobRequeuedHeld,
                Hold::LaunchFailed => R::LaunchFailedHeld,
            };
            return if reason == word { None } else { wrong("it is held") };
        }
        if matches!(reason, R::JobHeldUser | R::JobHeldAdmin | R::JobRequeuedHeld | R::None) {
            return wrong("it is not held");
        }
        let first = record.restarts == 0;
        if first && !self.stepped && !self.model.renamed {
            let dependency = self.dependency(sub, record, now);
            let begin = sub.spec.begin.is_none_or(|b| b <= now.wall);
            let named = matches!(reason, R::Dependency | R::DependencyNeverSatisfied | R::BeginTime);
            match (dependency, named) {
                (Holds::Never, _) if reason != R::DependencyNeverSatisfied => {
                    return wrong("its dependency can never hold");
                }
                (Holds::NotYet, false) => return wrong("its dependency does not hold yet"),
                (Holds::Yes | Holds::NotYet, _) if reason == R::DependencyNeverSatisfied => {
                    return wrong("its dependency can hold");
                }
                (Holds::Yes, false) if !begin => return wrong("it may not begin yet"),
                _ => {}
            }
        }
        let qos = sub.qos.as_deref().and_then(|q| self.config.qos(q));
        let full = match (reason, qos) {
            (R::JobArrayTaskLimit, _) => {
                let of_array = |r: &Record| r.origin == record.origin && r.tasks.is_some();
                let running = self.model.running().filter(|(_, r, _)| of_array(r)).count();
                sub.spec.array.as_ref().and_then(|a| a.max_running).is_some_and(|max| running >= max as usize)
            }
            (R::QOSMaxJobsPerUserLimit, Some(q)) => q
                .max_jobs_per_user
                .is_some_and(|max| self.used(&q.name, Some(sub.uid)).jobs >= u64::from(max)),
            (R::QOSGrpJobsLimit, Some(q)) => {
                q.grp_jobs.is_some_and(|max| self.used(&q.name, None).jobs >= u64::from(max))
            }
            (R::QOSMaxCpuPerUserLimit, Some(q)) => q.max_per_user.cpus.is_some(),
            (R::QOSGrpCpuLimit, Some(q)) => q.grp.cpus.is_some(),
            _ => true,
        };
        if full { None } else { wrong("that limit is not reached") }
    }
}

/// Whether a pending job waits for what only a user or an administrator can change.
pub fn is_permanent(cluster: &Cluster, plan: &Plan, job: &Job) -> bool {
    permanent(cluster, plan, job, 0)
}

fn permanent(cluster: &Cluster, plan: &Plan, job: &Job, depth: u32) -> bool {
    use PendingReason as R;
    match cluster.reason(job, plan) {
        R::JobHeldUser | R::JobHeldAdmin | R::JobRequeuedHeld | R::DependencyNeverSatisfied => true,
        R::AccountNotAllowed | R::QOSNotAllowed => true,
        R::NodesNotInService | R::PartitionDown | R::PartitionInactive => true,
        R::PartitionTimeLimit | R::PartitionNodeLimit | R::PartitionConfig | R::ReqNodeNotAvail => true,
        R::None | R::Resources | R::Priority | R::BeginTime | R::JobArrayTaskLimit | R::Licenses => false,
        R::QOSGrpJobsLimit | R::QOSMaxJobsPerUserLimit => false,
        // A limit on sizes that holds a job back while nothing runs is below the job's own size.
        R::Dependency => {
            let targets = job.pending().into_iter().flat_map(|p| p.unmet()).map(|w| w.on);
            depth < 50
                && targets.into_iter().any(|on| match on.target() {
                    Some(target) => cluster
                        .jobs_of(target.job)
                        .any(|o| o.pending().is_some() && permanent(cluster, plan, o, depth + 1)),
                    None => cluster.jobs().any(|o| {
                        o.origin < job.origin
                            && o.name == job.name
                            && o.pending().is_some()
                            && permanent(cluster, plan, o, depth + 1)
                    }),
                })
        }
        _ => cluster.jobs().all(|j| j.run().is_none()),
    }
}
