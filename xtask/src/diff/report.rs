//! What the harness prints: for each case that disagrees a diff, and a summary.

use std::collections::BTreeMap;

use super::cases::Case;
use super::compare::{Compared, Difference, Ran};

/// So many lines of one side of a difference are shown.
const LONGEST: usize = 25;

/// A case's differences as text: Slurm's lines with `-`, ours with `+`.
pub fn diff(case: &Case, compared: &Compared) -> String {
    let mut text = format!("--- {}   ({})\n", case.name, case.place);
    let mut command = None;
    for difference in compared.undeclared() {
        if command != Some(&difference.command) {
            text.push_str(&format!("$ {}\n", difference.command));
            command = Some(&difference.command);
        }
        text.push_str(&one(difference));
    }
    for (id, command) in &compared.vanished {
        text.push_str(&format!("$ {command}\n  the declared deviation {id} does not show any more\n"));
    }
    text
}

fn one(difference: &Difference) -> String {
    let mut text = String::new();
    for (sign, lines) in [('-', &difference.slurm), ('+', &difference.ours)] {
        let lines: Vec<&str> = lines.iter().flat_map(|text| text.split('\n')).collect();
        for line in lines.iter().take(LONGEST) {
            text.push_str(&format!("  {:<4} {sign} {line}\n", difference.part));
        }
        if lines.len() > LONGEST {
            text.push_str(&format!(
                "  {:<4} {sign} ... ({} more lines)\n",
                difference.part,
                lines.len() - LONGEST
            ));
        }
    }
    text
}

/// What a system said, for `--show`.
pub fn shown(name: &str, ran: &Ran) -> String {
    let mut text = String::new();
    for record in &ran.records {
        text.push_str(&format!("[{name}] $ {}   (rc {})\n", record.argv.join(" "), record.rc));
        for (sign, said) in [("", &record.out), ("! ", &record.err)] {
            for line in said.lines() {
                text.push_str(&format!("    {sign}{}\n", line.replace('\0', " ")));
            }
        }
    }
    if let Some(broken) = &ran.broken {
        text.push_str(&format!("[{name}] {broken}\n"));
    }
    text
}

/// How often each deviation showed.
pub fn deviations(all: &[Compared]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for id in all.iter().flat_map(|c| &c.differences).filter_map(|d| d.deviation.as_ref()) {
        *counts.entry(id.clone()).or_default() += 1;
    }
    counts
}
