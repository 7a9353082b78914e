//! sacct: jobs of the accounting and their steps.

mod fields;
mod filter;

pub use fields::Entries;
pub use filter::{BadId, BadState, Filter, Selection, parse_jobs, parse_states};

use crate::table::{Column, Layout, Table};
use bivouac_types::StepKind;
use bivouac_types::info::{JobInfo, StepInfo};
use std::collections::BTreeMap;

/// The fields without -o.
pub const DEFAULT_FIELDS: &str = "jobid,jobname,partition,account,alloccpus,state,exitcode";
/// The fields of -b.
pub const BRIEF_FIELDS: &str = "jobid,state,exitcode";
/// The fields of -l.
pub const LONG_FIELDS: &str = "jobid,jobidraw,jobname,partition,maxvmsize,maxvmsizenode,maxvmsizetask,avevmsize,maxrss,\
    maxrssnode,maxrsstask,averss,maxpages,maxpagesnode,maxpagestask,avepages,mincpu,mincpunode,mincputask,avecpu,ntasks,\
    alloccpus,elapsed,state,exitcode,avecpufreq,reqcpufreqmin,reqcpufreqmax,reqcpufreqgov,reqmem,consumedenergy,\
    maxdiskread,maxdiskreadnode,maxdiskreadtask,avediskread,maxdiskwrite,maxdiskwritenode,maxdiskwritetask,avediskwrite,\
    reqtres,alloctres,tresusageinave,tresusageinmax,tresusageinmaxnode,tresusageinmaxtask,tresusageinmin,\
    tresusageinminnode,tresusageinmintask,tresusageintot,tresusageoutmax,tresusageoutmaxnode,tresusageoutmaxtask,\
    tresusageoutave,tresusageouttot";

/// One line of sacct: a job, or one of its steps.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    /// The job.
    pub job: &'a JobInfo,
    /// The step; none: the job itself.
    pub step: Option<&'a StepInfo>,
    /// Whether the job's own line sums up its steps (without -X).
    pub with_steps: bool,
}

/// How lines are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style<'d> {
    /// Columns of a width.
    Columns,
    /// -p: values, each followed by the delimiter.
    Parsable(&'d str),
    /// -P: values separated by the delimiter.
    Parsable2(&'d str),
}

/// A name in -o that is no field; `Display` is sacct's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadField(pub String);

impl std::fmt::Display for BadField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Invalid field requested: \"{}\"", self.0)
    }
}

impl std::error::Error for BadField {}

/// Parses -o: names separated by commas, each may be shortened and followed by `%WIDTH` (negative: to the left).
///
/// # Errors
/// The first name that is no field.
pub fn layout(format: &str, style: Style<'_>) -> Result<Layout<Entries>, BadField> {
    let mut fields = Vec::new();
    for part in format.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let (name, width) = match part.split_once('%') {
            Some((name, width)) => (name, Some(width.parse::<i32>().unwrap_or(0))),
            None => (part, None),
        };
        if !name.is_empty() && starts_with("all", name) {
            fields.extend(Entries::columns().iter().map(|c| (c, default_width(c))));
            continue;
        }
        let column = Entries::columns().iter().find(|c| starts_with(c.name, name));
        let column = column.filter(|_| !name.is_empty()).ok_or_else(|| BadField(name.to_owned()))?;
        fields.push((column, width.unwrap_or_else(|| default_width(column))));
    }
    let (separator, trailing, wide) = match style {
        Style::Columns => (" ", true, true),
        Style::Parsable(delimiter) => (delimiter, true, false),
        Style::Parsable2(delimiter) => (delimiter, false, false),
    };
    Ok(Layout::fields(fields.into_iter().map(|(c, w)| (c, wide.then_some(w))), separator, trailing))
}

fn default_width(column: &Column<Entries>) -> i32 {
    let width = column.width as i32;
    if column.left { -width } else { width }
}

/// Whether `part` is the beginning of `name`, in any case.
fn starts_with(name: &str, part: &str) -> bool {
    name.get(..part.len()).is_some_and(|n| n.eq_ignore_ascii_case(part))
}

/// The text of --helpformat: all names, four in a line.
pub fn help_format() -> String {
    let mut text = String::new();
    for line in Entries::columns().chunks(4) {
        let names: Vec<String> = line.iter().map(|c| format!("{:<19}", c.name)).collect();
        text.push_str(&names.join(" "));
        text.push('\n');
    }
    text
}

/// The lines: jobs in the order of their ids, each followed by its steps unless `allocations` (-X).
pub fn entries<'a>(jobs: &'a [JobInfo], filter: &Filter, allocations: bool) -> Vec<Entry<'a>> {
    // The pending rest of an array, and the task that at last keeps its number, follow the other tasks.
    let mut newest: BTreeMap<u32, u32> = BTreeMap::new();
    for job in jobs {
        if let Some(array) = &job.array {
            let id = newest.entry(array.job.0).or_default();
            *id = (*id).max(job.id.0);
        }
    }
    let key = |job: &JobInfo| match &job.array {
        Some(array) if job.id == array.job => (newest.get(&array.job.0).copied().unwrap_or(job.id.0), 1),
        _ => (job.id.0, 0),
    };
    let mut chosen: Vec<&JobInfo> = jobs.iter().filter(|job| filter.job(job)).collect();
    chosen.sort_by_key(|job| key(job));
    let mut entries = Vec::with_capacity(chosen.len());
    for job in chosen {
        let selection = filter.selection(job);
        if selection == Selection::Job {
            entries.push(Entry { job, step: None, with_steps: !allocations });
        }
        if allocations {
            continue;
        }
        let mut steps: Vec<&StepInfo> = job.steps.iter().filter(|s| selection.step(s.step)).collect();
        steps.sort_by_key(|s| match s.step {
            StepKind::Batch => (0, 0),
            StepKind::Extern => (1, 0),
            StepKind::Number(n) => (2, n),
        });
        entries.extend(steps.into_iter().map(|step| Entry { job, step: Some(step), with_steps: true }));
    }
    entries
}

#[cfg(test)]
mod tests;
