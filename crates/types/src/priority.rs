//! The parts of a job's priority with priority/multifactor, as sprio shows them.

use crate::parameters::PriorityParameters;
use crate::{JobId, Uid};
use serde::{Deserialize, Serialize};

/// A job's factors in one of its partitions, each between 0 and 1 unless PriorityFlags leave it as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Factors {
    /// How long it has been eligible, of PriorityMaxAge.
    pub age: f64,
    /// The association's priority, of the highest one.
    pub assoc: f64,
    /// The fair-share factor.
    pub fairshare: f64,
    /// Nodes and CPUs, of the cluster's.
    pub job_size: f64,
    /// The partition's PriorityJobFactor, of the highest one.
    pub partition: f64,
    /// The QoS's priority, of the highest one.
    pub qos: f64,
    /// What it asks for of each weighted resource, of the partition's; in the order of the weights, those above 0.
    pub tres: Vec<(String, f64)>,
    /// --nice: taken away.
    pub nice: i32,
    /// SiteFactor: added.
    pub site: i32,
}

/// The factors of a pending job, for sprio.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobFactors {
    /// The job, or the array with its tasks that have not started.
    pub job: JobId,
    /// Its user.
    pub uid: Uid,
    /// The user's name.
    pub user: String,
    /// The partition.
    pub partition: String,
    /// The factors there.
    pub factors: Factors,
}

/// The weights of PriorityWeightTRES (`cpu=1000,gres/gpu=3000`); what is no such entry is passed over.
pub fn tres_weights(text: &str) -> Vec<(String, f64)> {
    let entry = |entry: &str| {
        let (name, weight) = entry.split_once('=')?;
        Some((name.trim().to_ascii_lowercase(), weight.trim().parse::<f64>().ok().filter(|w| w.is_finite())?))
    };
    text.split(',').filter_map(entry).collect()
}

impl Factors {
    /// The priority: the weighted sum, at least 1 and below 2^32 - 1. `tres` are the weights of [`tres_weights`].
    pub fn priority(&self, weights: &PriorityParameters, tres: &[(String, f64)]) -> f64 {
        let of = |factor: f64, weight: u32| factor * f64::from(weight);
        let sum = of(self.age, weights.age)
            + of(self.assoc, weights.assoc)
            + of(self.fairshare, weights.fairshare)
            + of(self.job_size, weights.job_size)
            + of(self.partition, weights.partition)
            + of(self.qos, weights.qos)
            + self.weighted_tres(tres).map(|(_, value)| value).sum::<f64>()
            + f64::from(self.site)
            - f64::from(self.nice);
        sum.clamp(1.0, f64::from(u32::MAX - 1))
    }

    /// The resources' parts of the priority.
    pub fn weighted_tres<'a>(&'a self, tres: &'a [(String, f64)]) -> impl Iterator<Item = (&'a str, f64)> {
        let weight = |name: &str| tres.iter().find(|w| w.0 == name).map_or(0.0, |w| w.1);
        self.tres.iter().map(move |(name, factor)| (name.as_str(), factor * weight(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn weights_of_resources() {
        let weights = tres_weights("CPU=100,mem=0.5, GRES/gpu=10,bad,x=,=,node=inf");
        let shown: Vec<String> = weights.iter().map(|(n, w)| format!("{n} {w}")).collect();
        assert_eq!(shown, ["cpu 100", "mem 0.5", "gres/gpu 10"]);
    }

    #[test]
    fn the_sum_is_that_of_a_real_sprio() {
        // Job 35 of the reference run: one CPU and one of two GPUs in a partition of 8 CPUs and 4000 MB.
        let factors = Factors {
            fairshare: 1.0,
            job_size: 0.140_625,
            partition: 1.0,
            tres: vec![("cpu".into(), 0.125), ("mem".into(), 0.025), ("gres/gpu".into(), 0.5)],
            ..Factors::default()
        };
        let weights = PriorityParameters {
            fairshare: 10_000,
            job_size: 1000,
            partition: 2000,
            ..PriorityParameters::default()
        };
        let tres = tres_weights("cpu=100,mem=50,gres/gpu=10");
        assert_eq!(factors.priority(&weights, &tres) as u32, 12_159);
        let nicer = Factors { nice: 100_000, ..factors };
        assert_eq!(nicer.priority(&weights, &tres), 1.0);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(text in "[a-zA-Z/=:,.0-9 -]{0,40}") {
            let _ = tres_weights(&text);
        }
    }
}
