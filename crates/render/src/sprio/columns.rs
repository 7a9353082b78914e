//! The columns of sprio: small letters are factors between 0 and 1, capital ones their part of the priority.

use super::Row;
use crate::settings::{Settings, push};
use crate::table::{Column, Table};
use bivouac_types::parameters::PriorityParameters;
use bivouac_types::priority::Factors;
use std::cmp::Ordering;

/// The table of priorities.
pub struct Priorities;

impl Table for Priorities {
    type Row<'a> = Row<'a>;
    fn columns() -> &'static [Column<Priorities>] {
        COLUMNS
    }
}

type C = Column<Priorities>;
/// A factor and its weight.
type Part = fn(&Factors, &PriorityParameters) -> (f64, u32);

const AGE: Part = |f, w| (f.age, w.age);
const ASSOC: Part = |f, w| (f.assoc, w.assoc);
const FAIRSHARE: Part = |f, w| (f.fairshare, w.fairshare);
const SIZE: Part = |f, w| (f.job_size, w.job_size);
const PARTITION: Part = |f, w| (f.partition, w.partition);
const QOS: Part = |f, w| (f.qos, w.qos);

/// The factor, or in the line of weights its weight.
fn factor(row: &Row<'_>, out: &mut String, part: Part) {
    match row.job {
        Some(job) => push(out, format_args!("{:.7}", part(&job.factors, row.weights.rules).0)),
        None => weight(row, out, part),
    }
}

/// The factor times its weight, or the weight.
fn weighted(row: &Row<'_>, out: &mut String, part: Part) {
    match row.job {
        Some(job) => {
            let (factor, weight) = part(&job.factors, row.weights.rules);
            push(out, format_args!("{:.0}", factor * f64::from(weight)));
        }
        None => weight(row, out, part),
    }
}

fn weight(row: &Row<'_>, out: &mut String, part: Part) {
    push(out, format_args!("{}", part(&Factors::default(), row.weights.rules).1));
}

/// By the factor.
fn by(a: &Row<'_>, b: &Row<'_>, part: Part) -> Ordering {
    let of = |row: &Row<'_>| row.job.map_or(0.0, |j| part(&j.factors, row.weights.rules).0);
    of(a).total_cmp(&of(b))
}

fn priority(row: &Row<'_>) -> f64 {
    row.job.map_or(0.0, |j| j.factors.priority(row.weights.rules, &row.weights.tres))
}

fn by_priority(a: &Row<'_>, b: &Row<'_>, _: &Settings) -> Ordering {
    priority(a).total_cmp(&priority(b))
}

fn list<'t>(out: &mut String, entries: impl Iterator<Item = (&'t str, f64)>, decimals: usize) {
    for (n, (name, value)) in entries.enumerate() {
        push(out, format_args!("{}{name}={value:.decimals$}", if n > 0 { "," } else { "" }));
    }
}

fn tres(row: &Row<'_>, _: &Settings, out: &mut String) {
    match row.job {
        Some(job) => list(out, job.factors.weighted_tres(&row.weights.tres), 0),
        None => out.push_str(row.weights.rules.tres.as_deref().unwrap_or("(null)")),
    }
}

fn tres_factors(row: &Row<'_>, _: &Settings, out: &mut String) {
    if let Some(job) = row.job {
        list(out, job.factors.tres.iter().map(|(name, value)| (name.as_str(), *value)), 2);
    }
}

static COLUMNS: &[Column<Priorities>] = &[
    C::new('a', "", "AGE", |r, _, o| factor(r, o, AGE)).by(|a, b, _| by(a, b, AGE)),
    C::new('A', "", "AGE", |r, _, o| weighted(r, o, AGE)).by(|a, b, _| by(a, b, AGE)),
    C::new('b', "", "ASSOC", |r, _, o| factor(r, o, ASSOC)),
    C::new('B', "", "ASSOC", |r, _, o| weighted(r, o, ASSOC)),
    C::new('c', "", "CLUSTER", |_, _, o| o.push_str("(null)")).text(),
    C::new('f', "", "FAIRSHARE", |r, _, o| factor(r, o, FAIRSHARE)).by(|a, b, _| by(a, b, FAIRSHARE)),
    C::new('F', "", "FAIRSHARE", |r, _, o| weighted(r, o, FAIRSHARE)).by(|a, b, _| by(a, b, FAIRSHARE)),
    C::new('i', "", "JOBID", |r, _, o| match r.job {
        Some(job) => push(o, format_args!("{}", job.job)),
        None => o.push_str("Weights"),
    })
    .by(|a, b, _| a.job.map(|j| j.job).cmp(&b.job.map(|j| j.job))),
    C::new('j', "", "JOBSIZE", |r, _, o| factor(r, o, SIZE)).by(|a, b, _| by(a, b, SIZE)),
    C::new('J', "", "JOBSIZE", |r, _, o| weighted(r, o, SIZE)).by(|a, b, _| by(a, b, SIZE)),
    C::new('N', "", "NICE", |r, _, o| {
        if let Some(job) = r.job {
            push(o, format_args!("{}", job.factors.nice));
        }
    })
    .by(|a, b, _| a.job.map(|j| j.factors.nice).cmp(&b.job.map(|j| j.factors.nice))),
    C::new('p', "", "PARTITION", |r, _, o| factor(r, o, PARTITION)).by(|a, b, _| by(a, b, PARTITION)),
    C::new('P', "", "PARTITION", |r, _, o| weighted(r, o, PARTITION)).by(|a, b, _| by(a, b, PARTITION)),
    C::new('q', "", "QOS", |r, _, o| factor(r, o, QOS)).by(|a, b, _| by(a, b, QOS)),
    C::new('Q', "", "QOS", |r, _, o| weighted(r, o, QOS)).by(|a, b, _| by(a, b, QOS)),
    C::new('r', "", "PARTITION", |r, _, o| o.push_str(r.job.map_or("", |j| &j.partition))).text(),
    C::new('S', "", "SITE", |r, _, o| push(o, format_args!("{}", r.job.map_or(1, |j| j.factors.site)))),
    C::new('t', "", "TRES", tres_factors).text(),
    C::new('T', "", "TRES", tres).text(),
    C::new('u', "", "USER", |r, _, o| o.push_str(r.job.map_or("", |j| &j.user))).text(),
    C::new('y', "", "PRIORITY", |r, _, o| {
        if r.job.is_some() {
            push(o, format_args!("{:.14}", priority(r) / f64::from(u32::MAX)));
        }
    })
    .by(by_priority),
    C::new('Y', "", "PRIORITY", |r, _, o| {
        if r.job.is_some() {
            push(o, format_args!("{}", priority(r) as u32));
        }
    })
    .by(by_priority),
];
