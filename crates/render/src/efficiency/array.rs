//! seff-array: the efficiency of an array's tasks, averages and histograms.

use super::{Efficiency, Grade, Palette};
use crate::settings::Settings;
use bivouac_types::JobState;
use bivouac_types::info::{ArrayTasks, JobInfo};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The line between parts.
const RULE: &str = "--------------------------------------------------------";
/// The line below the title of a histogram.
const SHORT_RULE: &str = "---------------------";
/// Length of the longest bar.
const BAR: usize = 40;

/// The report on an array's records; none if there is none.
pub fn array(jobs: &[JobInfo], palette: Palette, settings: &Settings) -> Option<String> {
    let first = jobs.first()?;
    let mut out = String::new();
    let nodes = first.num_nodes.max(1);
    let memory = format!("{:.2}", first.mem_mb as f64 / 1024.0);
    let memory = memory.trim_end_matches('0').trim_end_matches('.');
    let _ = writeln!(
        out,
        "{RULE}\nJob Information\nID: {}\nName: {}\nCluster: {}\nUser/Group: {}/{}\n\
         Requested CPUs: {} cores on {nodes} node(s)\nRequested Memory: {memory}G\nRequested Time: {}\n{RULE}",
        first.array.as_ref().map_or(first.id, |a| a.job),
        first.spec.name,
        settings.cluster,
        first.user,
        first.group,
        first.num_cpus,
        first.time_limit,
    );
    let mut states = BTreeMap::<&str, u64>::new();
    for job in jobs {
        *states.entry(crate::sacct::state_word(job)).or_default() += count(job);
    }
    out += "Job Status\n";
    for (state, n) in states {
        let _ = writeln!(out, "{state}: {n}");
    }
    let _ = writeln!(out, "{RULE}");
    let counts =
        |job: &&JobInfo| job.state.is_ended() && job.state != JobState::Cancelled && !job.nodes.is_empty();
    let finished: Vec<Efficiency> = jobs.iter().filter(counts).map(Efficiency::of).collect();
    if finished.is_empty() {
        out += "No task has finished yet.\n";
        return Some(out);
    }
    let average = |of: fn(&Efficiency) -> f64| finished.iter().map(of).sum::<f64>() / finished.len() as f64;
    let cpu = average(Efficiency::cpu_percent);
    let _ = writeln!(
        out,
        "{RULE}\nFinished Job Statistics\n(excludes pending, running, and cancelled jobs)\n\
         Average CPU Efficiency {}\nAverage Memory Usage {:.2}G\nAverage Run-time {:.2}s\n{SHORT_RULE}",
        palette.paint(Grade::of_cpu(cpu), &format!("{cpu:.2}%")),
        average(|of| of.mem_kb as f64) / f64::from(1 << 20),
        average(|of| of.time.0 as f64) / 1000.0,
    );
    for (title, of) in [
        ("CPU", Efficiency::cpu_percent as fn(&Efficiency) -> f64),
        ("Memory", Efficiency::mem_percent),
        ("Time", Efficiency::time_percent),
    ] {
        let values: Vec<f64> = finished.iter().map(of).collect();
        let _ = writeln!(out, "\n{title} Efficiency (%)\n{SHORT_RULE}");
        histogram(&mut out, &values);
    }
    Some(out)
}

/// For how many tasks a record stands.
fn count(job: &JobInfo) -> u64 {
    match job.array.as_ref().map(|a| &a.tasks) {
        Some(ArrayTasks::Pending(tasks)) => tasks.len(),
        _ => 1,
    }
}

/// Ten lines, each for ten per cent; what is above a hundred stands in the last.
fn histogram(out: &mut String, values: &[f64]) {
    let mut bins = [0usize; 10];
    for value in values {
        bins[((value / 10.0) as usize).min(9)] += 1;
    }
    let most = bins.iter().copied().max().unwrap_or(0);
    let width = most.to_string().len();
    for (n, count) in bins.iter().enumerate() {
        let (from, to) = (exponential(n as u32 * 10), exponential(n as u32 * 10 + 10));
        let line = format!("{from} - {to}  [{count:width$}]  {}", bar(*count, most));
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

/// `+1.00e+01`.
fn exponential(n: u32) -> String {
    match n {
        0 => "+0.00e+00".to_owned(),
        100.. => format!("+{:.2}e+02", f64::from(n) / 100.0),
        _ => format!("+{:.2}e+01", f64::from(n) / 10.0),
    }
}

/// Blocks, the last one in eighths.
fn bar(count: usize, most: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (count * BAR * 8 + most / 2).checked_div(most).unwrap_or(0);
    // What is there is seen.
    let eighths = if count > 0 { eighths.max(1) } else { 0 };
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}
