//! `cargo xtask bench [NAME...]`: ratios against peers measured in the same run, alternating, medians.
//!
//! Benchmarks are not tests: nothing fails because a machine is slow. A peer that is not installed is named and left
//! out. `--write` puts the table into docs/performance.md.

mod cluster;
mod latency;
mod memory;
mod slurm;
mod throughput;

use crate::Outcome;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// One line of the table.
pub struct Row {
    /// What was measured.
    pub what: String,
    /// bivouac's figure, with its unit.
    pub ours: String,
    /// The peer and its figure.
    pub peer: String,
    /// Ours over the peer's, where both are.
    pub ratio: Option<f64>,
}

/// Measures, with the release programs of that folder.
type Benchmark = fn(&Path) -> Result<Vec<Row>, String>;

const BENCHMARKS: [(&str, Benchmark); 3] =
    [("throughput", throughput::run), ("latency", latency::run), ("memory", memory::run)];

/// Runs the named benchmarks, or all.
pub fn run(arguments: &[String]) -> Outcome {
    let write = arguments.iter().any(|a| a == "--write");
    let names: Vec<&String> = arguments.iter().filter(|a| *a != "--write").collect();
    if let Some(unknown) = names.iter().find(|n| !BENCHMARKS.iter().any(|(b, _)| b == *n)) {
        let known: Vec<&str> = BENCHMARKS.iter().map(|(n, _)| *n).collect();
        return Err(format!("there is no benchmark {unknown}; there are {}", known.join(", ")));
    }
    if write && !names.is_empty() {
        return Err("--write replaces the whole table: name no benchmark".to_owned());
    }
    let workspace = crate::workspace();
    let programs = crate::release::build()?;
    let mut table = String::from("| what | bivouac | peer | ratio |\n|---|---|---|---|\n");
    for (name, bench) in BENCHMARKS {
        if !names.is_empty() && !names.iter().any(|n| *n == name) {
            continue;
        }
        eprintln!("bench {name} ...");
        for row in bench(&programs)? {
            let ratio = row.ratio.map_or_else(|| "-".to_owned(), |r| format!("{r:.2}"));
            let _ = writeln!(table, "| {} | {} | {} | {ratio} |", row.what, row.ours, row.peer);
        }
    }
    println!("{table}");
    if write {
        let path = workspace.join("docs/performance.md");
        let said = |e: std::io::Error| format!("{}: {e}", path.display());
        let old = std::fs::read_to_string(&path).map_err(said)?;
        std::fs::write(&path, document(&table, &old)?).map_err(said)?;
    }
    Ok(())
}

/// The page with a new table; what people wrote below it, from `## Rows` on, stays.
///
/// # Errors
/// The page has no `## Rows`.
fn document(table: &str, old: &str) -> Result<String, String> {
    let rows = old.find("## Rows").ok_or(
        "docs/performance.md has no line \"## Rows\"; what was written below the table is kept from there on",
    )?;
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let date =
        std::process::Command::new("date").arg("+%Y-%m-%d").output().map(|o| o.stdout).unwrap_or_default();
    Ok(format!(
        "# Performance\n\nMeasured by `cargo xtask bench --write` on {}, {cores} cores, release build. Every figure stands beside a peer \
         measured in the same run, alternating, medians; a ratio is bivouac's figure over the peer's. Where bivouac loses, the table says \
         so.\n\n{table}\nWhat the rows mean: [below](#rows).\n\n{}",
        String::from_utf8_lossy(&date).trim(),
        &old[rows..]
    ))
}

/// The middle of some measurements.
pub fn median(mut values: Vec<Duration>) -> Duration {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// How long something takes.
pub fn timed<T>(what: impl FnOnce() -> Result<T, String>) -> Result<(Duration, T), String> {
    let start = Instant::now();
    let value = what()?;
    Ok((start.elapsed(), value))
}

#[cfg(test)]
mod tests {
    use super::document;

    #[test]
    fn a_new_table_keeps_what_was_written_below_it() {
        let old = "# Performance\n\n| old |\n\n## Rows\n\n- a\n\n## Where it stands\n\nby hand\n";
        let new = document("| new |\n", old).unwrap();
        assert!(new.contains("| new |") && !new.contains("| old |"));
        assert!(new.ends_with("## Rows\n\n- a\n\n## Where it stands\n\nby hand\n"));
        assert!(document("| new |\n", "# Performance\n").is_err());
    }
}
