//! What one call of sbatch costs, and how soon the script runs.

use super::cluster::Bench;
use super::{Row, median, slurm, timed};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const ROUNDS: usize = 101;

pub(super) fn run(programs: &Path) -> Result<Vec<Row>, String> {
    let bench = Bench::start(programs)?;
    let (mut sbatch, mut version, mut flush, mut start) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut theirs = Vec::new();
    for _ in 0..ROUNDS {
        sbatch.push(timed(|| bench.ok("sbatch", &["-Q", "--hold", "--wrap", ":"]))?.0);
        version.push(timed(|| bench.ok("sbatch", &["--version"]))?.0);
        flush.push(timed(|| one_flush(&bench))?.0);
        start.push(to_first_instruction(&bench)?);
        theirs.extend(slurm::submission(&bench)?);
    }
    slurm::forget_submissions(&bench)?;
    let ms = |d: Duration| format!("{:.2} ms", d.as_secs_f64() * 1e3);
    let (sbatch, version, flush, start) = (median(sbatch), median(version), median(flush), median(start));
    let mut rows = vec![
        Row {
            what: "sbatch, answered when durable".into(),
            ours: ms(sbatch),
            peer: format!("one flush of this disk: {}; sbatch --version: {}", ms(flush), ms(version)),
            ratio: None,
        },
        Row {
            what: "submit to first instruction, idle cluster".into(),
            ours: ms(start),
            peer: "-".into(),
            ratio: None,
        },
    ];
    if !theirs.is_empty() {
        let theirs = median(theirs);
        rows.push(Row {
            what: "sbatch, against Slurm's".into(),
            ours: ms(sbatch),
            peer: ms(theirs),
            ratio: Some(sbatch.as_secs_f64() / theirs.as_secs_f64()),
        });
    }
    Ok(rows)
}

fn one_flush(bench: &Bench) -> Result<(), String> {
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(bench.work().join("flush"))
        .map_err(|e| e.to_string())?;
    file.write_all(&[7; 4096]).and_then(|()| file.sync_data()).map_err(|e| e.to_string())
}

fn to_first_instruction(bench: &Bench) -> Result<Duration, String> {
    let out = bench.work().join("began");
    let before = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|e| e.to_string())?;
    // EPOCHREALTIME costs the script no process.
    bench.ok("sbatch", &["--wait", "-Q", "-o", "began", "--wrap", "exec bash -c 'echo $EPOCHREALTIME'"])?;
    let text = std::fs::read_to_string(&out).map_err(|e| format!("{}: {e}", out.display()))?;
    let began: f64 =
        text.trim().replace(',', ".").parse().map_err(|_| format!("no time in the output: {text}"))?;
    Ok(Duration::from_secs_f64((began - before.as_secs_f64()).max(0.0)))
}
