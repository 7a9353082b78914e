//! sacct: jobs of the accounting and their steps.

mod cells;
mod fields;
mod filter;
mod ids;
mod json;
mod rows;
mod words;

pub(crate) use cells::{exit_status, state_word};
pub use fields::Entries;
pub use filter::{Filter, StartedBy, Window};
pub(crate) use filter::{over, shown_start};
pub use ids::{BadId, Pick, parse_jobs};
pub use json::document;
pub use rows::{Entry, entries, jobs_shown};
pub use words::{BadReason, BadState, parse_reasons, parse_states};

use crate::table::{Column, Layout, Table};

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
    // Slurm's list ends with an empty entry.
    for part in format.split(',').map(str::trim).take_while(|p| !p.is_empty()) {
        let (name, width) = match part.split_once('%') {
            Some((name, width)) => (name, Some(width.parse::<i32>().unwrap_or(0))),
            None => (part, None),
        };
        // No name at all is the beginning of all names, and means ALL as well.
        if starts_with("all", name) {
            fields.extend(Entries::columns().iter().map(|c| (c, width.unwrap_or_else(|| default_width(c)))));
            continue;
        }
        let column = Entries::columns().iter().find(|c| starts_with(c.name, name));
        let column = column.ok_or_else(|| BadField(name.to_owned()))?;
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

#[cfg(test)]
mod filter_tests;
#[cfg(test)]
mod json_tests;
#[cfg(test)]
mod measured_tests;
#[cfg(test)]
mod tests;
