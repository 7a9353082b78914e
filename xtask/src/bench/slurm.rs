//! Real Slurm as a peer, where one runs: SLURM_BIN names the folder of its commands, SLURM_CONF its configuration.

use super::cluster::Bench;
use super::throughput::left_out;
use super::{Row, median, timed};
use std::process::Command;
use std::time::Duration;

/// Few, because Slurm starts some tens a second.
const JOBS: u32 = 200;
const ROUNDS: usize = 5;

/// A command of the real Slurm, if there is one.
pub fn command(bench: &Bench, name: &str) -> Option<Command> {
    let folder = std::env::var_os("SLURM_BIN")?;
    let mut command = Command::new(std::path::Path::new(&folder).join(name));
    command.current_dir(bench.work());
    Some(command)
}

/// The same short jobs, as one array, beside ours (a rate).
pub(super) fn short_jobs(bench: &Bench, ours: f64) -> Result<Row, String> {
    let what = format!("{JOBS} short jobs (array), against Slurm with the CPUs it is configured for");
    let tasks = format!("0-{}", JOBS - 1);
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let Some(mut sbatch) = command(bench, "sbatch") else {
            return Ok(left_out(what, ours, "no running Slurm is named by SLURM_BIN and SLURM_CONF"));
        };
        sbatch.args(["--wait", "-Q", "--mem=1", "-o", "/dev/null", "-a", &tasks, "--wrap", "bash -c :"]);
        times.push(timed(|| succeed(&mut sbatch))?.0);
    }
    let theirs = f64::from(JOBS) / median(times).as_secs_f64();
    Ok(Row {
        what,
        ours: format!("{ours:.0}/s, durable"),
        peer: format!("Slurm: {theirs:.1}/s"),
        ratio: Some(ours / theirs),
    })
}

/// One held submission, timed; none without a Slurm.
pub(super) fn submission(bench: &Bench) -> Result<Option<Duration>, String> {
    let Some(mut sbatch) = command(bench, "sbatch") else { return Ok(None) };
    sbatch.args(["-Q", "-J", "bivouac-bench", "--hold", "--mem=1", "-o", "/dev/null", "--wrap=true"]);
    Ok(Some(timed(|| succeed(&mut sbatch))?.0))
}

/// Cancels what [`submission`] left behind.
pub(super) fn forget_submissions(bench: &Bench) -> Result<(), String> {
    match command(bench, "scancel") {
        Some(mut scancel) => succeed(scancel.args(["--me", "-n", "bivouac-bench"])),
        None => Ok(()),
    }
}

fn succeed(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("Slurm's sbatch: {e}"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
