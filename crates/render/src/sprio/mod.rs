//! sprio: the parts of pending jobs' priorities.

mod columns;

pub use columns::Priorities;

use crate::settings::Settings;
use crate::table::{self, Layout, Parsed, SortKey, column_of};
use bivouac_types::JobId;
use bivouac_types::parameters::PriorityParameters;
use bivouac_types::priority::{JobFactors, tres_weights};

/// What weighs the factors.
pub struct Weights<'a> {
    /// The configured weights.
    pub rules: &'a PriorityParameters,
    tres: Vec<(String, f64)>,
}

impl<'a> Weights<'a> {
    /// Those of the configuration.
    pub fn new(rules: &'a PriorityParameters) -> Weights<'a> {
        Weights { rules, tres: rules.tres.as_deref().map_or(Vec::new(), tres_weights) }
    }
}

/// One line: a job in one of its partitions, or the weights themselves (-w).
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// The job; none: the weights.
    pub job: Option<&'a JobFactors>,
    /// What weighs it.
    pub weights: &'a Weights<'a>,
}

/// Which of the default formats.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    /// -l.
    pub long: bool,
    /// -n.
    pub normalized: bool,
    /// -u was given: users are shown.
    pub users: bool,
    /// --sibling: clusters are shown.
    pub siblings: bool,
}

/// The default format: without -l only the factors that have a weight.
pub fn default_format(shape: Shape, rules: &PriorityParameters) -> String {
    let Shape { long, normalized, users, siblings } = shape;
    let mut format = String::from("%.15i %9r");
    let mut field = |shown: bool, spec: &str| {
        if shown {
            format.push(' ');
            format.push_str(spec);
        }
    };
    field(siblings, "%.8c");
    field(long || users, "%.8u");
    field(true, if normalized { "%10y" } else { "%.10Y" });
    field(!normalized, "%.10S");
    let factors = [
        (rules.age, "%10a", "%.10A"),
        (rules.assoc, "%10b", "%.10B"),
        (rules.fairshare, "%10f", "%.10F"),
        (rules.job_size, "%10j", "%.10J"),
        (rules.partition, "%10p", "%.10P"),
        (rules.qos, "%10q", "%.10Q"),
    ];
    for (weight, factor, weighted) in factors {
        field(long || weight > 0, if normalized { factor } else { weighted });
    }
    field(long && !normalized, "%.11N");
    field(long || rules.tres.is_some(), if normalized { "%20t" } else { "%.20T" });
    format
}

/// Parses a format. What is no field is told, and left out with the text behind it.
pub fn layout(format: &str) -> Parsed<Priorities> {
    let mut invalid = Vec::new();
    let mut kept = String::new();
    for field in format.split('%').filter(|f| !f.is_empty()) {
        let spec = field.strip_prefix('.').unwrap_or(field);
        match spec.trim_start_matches(|c: char| c.is_ascii_digit()).chars().next() {
            Some(letter) if column_of::<Priorities>(letter).is_none() => invalid.push(letter.to_string()),
            None => invalid.push(String::new()),
            Some(_) => {
                kept.push('%');
                kept.push_str(field);
            }
        }
    }
    Parsed { layout: Layout::letters(&kept).layout, invalid }
}

/// Sorts lines by keys; equals stay in the order of their ids, and a job's partitions in theirs.
pub fn sort<'a>(rows: &mut [Row<'a>], keys: &[SortKey<Priorities>], settings: &Settings) {
    let id = |row: &Row<'_>| row.job.map(|j| j.job);
    rows.sort_by(|a, b| table::compare::<Priorities>(a, b, keys, settings).then_with(|| id(a).cmp(&id(b))));
}

/// The ids of -j.
///
/// # Errors
/// The first word that is none.
pub fn parse_jobs(text: &str) -> Result<Vec<JobId>, String> {
    let id = |word: &str| word.parse().ok().filter(|&n| n > 0).map(JobId).ok_or_else(|| word.to_owned());
    text.split(',').filter(|w| !w.is_empty()).map(id).collect()
}

/// Which factors are shown.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// -j.
    pub jobs: Option<Vec<JobId>>,
    /// -u.
    pub users: Option<Vec<u32>>,
    /// -p.
    pub partitions: Option<Vec<String>>,
}

impl Filter {
    /// Whether the job is one of those named and of those users.
    pub fn job(&self, job: &JobFactors) -> bool {
        self.jobs.as_ref().is_none_or(|j| j.contains(&job.job))
            && self.users.as_ref().is_none_or(|u| u.contains(&job.uid.0))
    }

    /// Whether it is shown in that partition.
    pub fn partition(&self, job: &JobFactors) -> bool {
        self.partitions.as_ref().is_none_or(|p| p.contains(&job.partition))
    }
}

#[cfg(test)]
mod tests;
