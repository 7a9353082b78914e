//! Resident memory of the daemons.

use super::Row;
use super::cluster::Bench;
use std::path::Path;

const DISTINCT: u32 = 1000;

pub(super) fn run(programs: &Path) -> Result<Vec<Row>, String> {
    let bench = Bench::start(programs)?;
    bench.ok("sbatch", &["--wait", "-Q", "--wrap", ":"])?;
    let row = |what: String, ours: String| Row { what, ours, peer: "-".into(), ratio: None };
    let idle = resident(&bench)?;
    let mut rows = vec![row(
        "memory, idle".into(),
        idle.iter().map(|(n, kb)| format!("{n} {}", mb(*kb))).collect::<Vec<_>>().join(", "),
    )];
    let before = controller(&bench)?;
    for _ in 0..DISTINCT {
        bench.ok("sbatch", &["-Q", "--hold", "--wrap", ":"])?;
    }
    let after = controller(&bench)?;
    rows.push(row(
        format!("memory of a pending job ({DISTINCT} distinct)"),
        format!("{:.1} KiB", (after.saturating_sub(before)) as f64 / f64::from(DISTINCT)),
    ));
    let before = after;
    bench.ok("sbatch", &["-Q", "--hold", "-a", "0-99999", "--wrap", ":"])?;
    rows.push(row("memory of a 100,000-task array".into(), mb(controller(&bench)?.saturating_sub(before))));
    Ok(rows)
}

/// What is less than the least that is shown is not nothing.
fn mb(kb: u64) -> String {
    let mb = kb as f64 / 1024.0;
    if mb < 0.1 { "less than 0.1 MiB".to_owned() } else { format!("{mb:.1} MiB") }
}

fn controller(bench: &Bench) -> Result<u64, String> {
    resident(bench)?
        .into_iter()
        .find(|(n, _)| n == "controller")
        .map(|(_, kb)| kb)
        .ok_or_else(|| "no controller".into())
}

fn resident(bench: &Bench) -> Result<Vec<(String, u64)>, String> {
    bench
        .daemons()?
        .into_iter()
        .map(|(name, pid)| {
            let path = format!("/proc/{pid}/status");
            let text = std::fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
            let line = text.lines().find_map(|l| l.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
            let kb = line.trim().trim_end_matches("kB").trim().parse().map_err(|_| "no number in VmRSS")?;
            Ok((name, kb))
        })
        .collect()
}
