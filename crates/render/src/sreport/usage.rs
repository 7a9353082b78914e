//! Sums: what jobs had, what they waited for, and what nodes were worth.
//!
//! Where nodes' time is divided up (allocated, down, planned, idle), that is done hour by hour, as Slurm does: what
//! jobs wait for counts as planned up to what was free in that hour, and beyond it as overcommitted.

use super::amounts::TresName;
use super::period::Period;
use crate::job;
use crate::tres::{Tres, billing};
use bivouac_types::Timestamp;
use bivouac_types::config::ClusterConfig;
use bivouac_types::info::{JobInfo, NodeSpell, Service};
use std::collections::BTreeMap;

/// What reports are made of.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// Jobs that ran or waited in the period.
    pub jobs: &'a [JobInfo],
    /// What nodes were worth, oldest first.
    pub spells: &'a [NodeSpell],
    /// The configuration in force.
    pub config: &'a ClusterConfig,
    /// The time of the report.
    pub now: Timestamp,
}

/// How the time of a resource was used, in seconds times amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Division {
    /// By jobs.
    pub allocated: u64,
    /// Nodes were down or drained.
    pub down: u64,
    /// Nodes were still to come.
    pub planned_down: u64,
    /// Jobs waited for it.
    pub planned: u64,
    /// Nobody wanted it.
    pub idle: u64,
    /// Jobs waited for more than there was.
    pub over: u64,
    /// All of it.
    pub total: u64,
}

impl Division {
    fn add(&mut self, other: Division) {
        self.allocated += other.allocated;
        self.down += other.down;
        self.planned_down += other.planned_down;
        self.planned += other.planned;
        self.idle += other.idle;
        self.over += other.over;
        self.total += other.total;
    }

    /// Of what jobs had, wanted and could not have: no more than there was.
    fn of(raw: Raw) -> Division {
        let total = raw.total;
        let allocated = raw.allocated.min(total);
        let down = raw.down.min(total - allocated);
        let planned_down = raw.planned_down.min(total - allocated - down);
        let left = total - allocated - down - planned_down;
        let planned = raw.wanted.min(left);
        Division {
            allocated,
            down,
            planned_down,
            planned,
            idle: left - planned,
            over: raw.wanted - planned,
            total,
        }
    }
}

/// What is known of an hour.
#[derive(Clone, Copy, Debug, Default)]
struct Raw {
    allocated: u64,
    wanted: u64,
    down: u64,
    planned_down: u64,
    total: u64,
}

/// The use of resources in a period.
pub struct Usage<'a> {
    sources: Sources<'a>,
    /// The period, as far as it has passed.
    period: Period,
}

/// Whose usage it is.
pub(super) type Owner<'a> = (&'a str, &'a str);

impl<'a> Usage<'a> {
    /// Of a period.
    pub fn new(sources: Sources<'a>, period: &Period) -> Usage<'a> {
        let end = period.end.min(sources.now.as_secs()).max(period.start);
        Usage { sources, period: Period { end, ..*period } }
    }

    /// Its sources.
    pub(super) fn sources(&self) -> &Sources<'a> {
        &self.sources
    }

    /// When a job had its resources, in seconds.
    fn ran(&self, job: &JobInfo) -> Option<(i64, i64)> {
        let start = job.start.filter(|_| !job.nodes.is_empty())?.as_secs();
        let end = job.end.filter(|_| job.state.is_ended()).unwrap_or(self.sources.now).as_secs();
        Some((start, end))
    }

    /// For how long a job had its resources within the period. Time in which it was suspended is taken off evenly.
    pub(super) fn seconds(&self, job: &JobInfo) -> u64 {
        let Some((start, end)) = self.ran(job) else { return 0 };
        let seconds = self.period.overlap(start, end);
        match job.accounting.suspended.as_secs() {
            0 => seconds,
            suspended => {
                let whole = u64::try_from(end - start).unwrap_or(0).max(1);
                (seconds as f64 * whole.saturating_sub(suspended) as f64 / whole as f64) as u64
            }
        }
    }

    /// The jobs that ran in the period, and for how long.
    pub(super) fn jobs(&self) -> impl Iterator<Item = (&'a JobInfo, u64)> {
        self.sources
            .jobs
            .iter()
            .filter_map(|job| Some((job, self.seconds(job))).filter(|(_, secs)| *secs > 0))
    }

    /// Seconds times amount by account and user, for each resource.
    pub(super) fn by_owner(&self, names: &[TresName]) -> BTreeMap<Owner<'a>, Vec<u64>> {
        let mut sums = BTreeMap::<Owner<'a>, Vec<u64>>::new();
        for (job, secs) in self.jobs() {
            let of = sums.entry(owner(job)).or_insert_with(|| vec![0; names.len()]);
            let tres = Tres::of_job(job);
            for (sum, name) in of.iter_mut().zip(names) {
                *sum += secs * amount(&tres, name);
            }
        }
        sums
    }

    /// How much of a resource there is at the end of the period.
    pub(super) fn count(&self, name: &TresName) -> u64 {
        self.nodes()
            .iter()
            .filter(|(_, end, spell)| *end >= self.period.end && here(spell))
            .map(|(.., s)| self.worth(s, name))
            .sum()
    }

    /// All that there was of a resource.
    pub(super) fn total(&self, name: &TresName) -> u64 {
        let nodes = self.nodes();
        let here = nodes.iter().filter(|(.., spell)| here(spell));
        here.map(|(start, end, spell)| self.period.overlap(*start, *end) * self.worth(spell, name)).sum()
    }

    /// How the time of a resource was used.
    pub(super) fn division(&self, name: &TresName) -> Division {
        let mut hours = vec![Raw::default(); self.period.hours()];
        let mut enter = |from: i64, to: i64, amount: u64, add: fn(&mut Raw, u64)| {
            for n in self.period.touched(from, to) {
                add(&mut hours[n], amount * self.period.hour(n).overlap(from, to));
            }
        };
        for (start, end, spell) in self.nodes().iter().filter(|(.., spell)| here(spell)) {
            let worth = self.worth(spell, name);
            enter(*start, *end, worth, |raw, n| raw.total += n);
            match spell.service {
                Service::Down => enter(*start, *end, worth, |raw, n| raw.down += n),
                Service::Future => enter(*start, *end, worth, |raw, n| raw.planned_down += n),
                Service::Up | Service::Gone => {}
            }
        }
        for job in self.sources.jobs {
            if let Some((start, end)) = self.ran(job) {
                let amount = amount(&Tres::of_job(job), name);
                enter(start, end, amount, |raw, n| raw.allocated += n);
            }
            // Slurm counts what is waited for in CPUs alone.
            if *name == TresName::Cpu
                && let Some((from, to)) = self.waited(job)
            {
                enter(from, to, u64::from(Tres::asked(job).cpus), |raw, n| raw.wanted += n);
            }
        }
        let mut sum = Division::default();
        hours.into_iter().for_each(|raw| sum.add(Division::of(raw)));
        sum
    }

    /// When a job waited for its turn.
    fn waited(&self, job: &JobInfo) -> Option<(i64, i64)> {
        let from = job::eligible(job)?.as_secs();
        let begun = job.start.filter(|_| !job.nodes.is_empty());
        let over = job.end.filter(|_| job.state.is_ended());
        Some((from, begun.or(over).unwrap_or(self.sources.now).as_secs()))
    }

    /// What nodes were worth from when to when.
    fn nodes(&self) -> Vec<(i64, i64, &'a NodeSpell)> {
        let mut last = BTreeMap::<&str, usize>::new();
        let mut all: Vec<(i64, i64, &NodeSpell)> = Vec::new();
        for spell in self.sources.spells {
            let since = spell.since.as_secs();
            if let Some(before) = last.insert(&spell.node, all.len()) {
                all[before].1 = since.max(all[before].0);
            }
            all.push((since, i64::MAX, spell));
        }
        all
    }

    /// How much of a resource a node has. It bills what the dearest of its partitions would for all of it.
    fn worth(&self, spell: &NodeSpell, name: &TresName) -> u64 {
        match name {
            TresName::Cpu => spell.cpus.into(),
            TresName::Mem => spell.mem_mb,
            TresName::Node => 1,
            TresName::Gres(name) => spell.gres.get(name).copied().unwrap_or(0),
            TresName::Billing => {
                let gres = spell.gres.iter().map(|(name, n)| (name.as_str(), *n)).collect();
                let all = Tres { cpus: spell.cpus, mem_mb: spell.mem_mb, nodes: 1, billing: None, gres };
                let partitions = self.sources.config.partitions.iter();
                let weights =
                    partitions.filter(|p| p.nodes.contains(&spell.node)).map(|p| p.billing.as_deref());
                let weights = weights.filter(Option::is_some);
                weights.map(|w| billing(w, &all)).max().unwrap_or(spell.cpus).into()
            }
            TresName::Energy | TresName::Disk | TresName::Vmem | TresName::Pages => 0,
        }
    }
}

fn here(spell: &NodeSpell) -> bool {
    spell.service != Service::Gone
}

/// Whose a job is: jobs without an account are the root account's.
pub(super) fn owner(job: &JobInfo) -> Owner<'_> {
    (job.account.as_deref().unwrap_or("root"), &job.user)
}

/// How much of a resource a job has.
pub(super) fn amount(tres: &Tres<'_>, name: &TresName) -> u64 {
    match name {
        TresName::Cpu => tres.cpus.into(),
        TresName::Mem => tres.mem_mb,
        TresName::Node => tres.nodes.into(),
        TresName::Billing => tres.billing.unwrap_or(0).into(),
        TresName::Gres(name) => tres.gres.get(name.as_str()).copied().unwrap_or(0),
        TresName::Energy | TresName::Disk | TresName::Vmem | TresName::Pages => 0,
    }
}
