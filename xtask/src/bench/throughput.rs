//! Short jobs to the end, against xargs of equal width, and against the schedulers that are installed.

use super::cluster::{Bench, SLOTS};
use super::{Row, median, slurm, timed};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const JOBS: u32 = 5000;
const SINGLE: u32 = 300;
const ROUNDS: usize = 5;

pub(super) fn run(programs: &Path) -> Result<Vec<Row>, String> {
    let bench = Bench::start(programs)?;
    let hq = Hq::start(&bench)?;
    let (mut ours, mut xargs, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(timed(|| array(&bench))?.0);
        xargs.push(timed(|| with_xargs(&bench))?.0);
        if let Some(hq) = &hq {
            theirs.push(timed(|| hq.array())?.0);
        }
    }
    let rate = |times: Vec<Duration>, jobs: u32| f64::from(jobs) / median(times).as_secs_f64();
    let (ours, xargs) = (rate(ours, JOBS), rate(xargs, JOBS));
    let what = |peer: &str| format!("{JOBS} short jobs (array), {SLOTS} at a time, against {peer}");
    let mut rows = vec![Row {
        what: what("xargs"),
        ours: format!("{ours:.0}/s, durable"),
        peer: format!("xargs -P{SLOTS}: {xargs:.0}/s"),
        ratio: Some(ours / xargs),
    }];
    rows.push(match theirs.is_empty() {
        true => left_out(what("HyperQueue"), ours, "no `hq` is named by the variable HQ"),
        false => {
            let theirs = rate(theirs, JOBS);
            Row {
                what: what("HyperQueue"),
                ours: format!("{ours:.0}/s, durable"),
                peer: format!("hq, no journal: {theirs:.0}/s"),
                ratio: Some(ours / theirs),
            }
        }
    });
    rows.push(slurm::short_jobs(&bench, ours)?);
    let single = timed(|| separate(&bench))?.0;
    rows.push(Row {
        what: format!("{SINGLE} separate sbatch calls, one after another, until all have ended"),
        ours: format!("{:.0}/s", f64::from(SINGLE) / single.as_secs_f64()),
        peer: "-".into(),
        ratio: None,
    });
    Ok(rows)
}

pub(super) fn left_out(what: String, ours: f64, why: &str) -> Row {
    eprintln!("bench: left out: {what}: {why}");
    Row { what, ours: format!("{ours:.0}/s, durable"), peer: format!("left out: {why}"), ratio: None }
}

fn array(bench: &Bench) -> Result<(), String> {
    let tasks = format!("0-{}", JOBS - 1);
    bench.ok("sbatch", &["--wait", "-Q", "-o", "o/%a", "-a", &tasks, "--wrap", "bash -c :"]).map(|_| ())
}

fn separate(bench: &Bench) -> Result<(), String> {
    for _ in 1..SINGLE {
        bench.ok("sbatch", &["-Q", "-o", "/dev/null", "--wrap", "bash -c :"])?;
    }
    bench
        .ok("sbatch", &["--wait", "-Q", "-o", "/dev/null", "-d", "singleton", "--wrap", "bash -c :"])
        .map(|_| ())
}

fn with_xargs(bench: &Bench) -> Result<(), String> {
    // The same work: a shell that runs the wrapped command, its output in a file of its own.
    let line = format!("seq 0 {} | xargs -P{SLOTS} -I{{}} sh -c 'bash -c : > o/{{}} 2>&1'", JOBS - 1);
    let status =
        Command::new("bash").args(["-c", &line]).current_dir(bench.work()).stdin(Stdio::null()).status();
    match status {
        Ok(s) if s.success() => Ok(()),
        other => Err(format!("xargs: {other:?}")),
    }
}

/// HyperQueue's server and one worker, stopped when this is dropped.
struct Hq<'a> {
    program: String,
    bench: &'a Bench,
    running: Vec<Child>,
}

impl<'a> Hq<'a> {
    fn start(bench: &'a Bench) -> Result<Option<Hq<'a>>, String> {
        let Ok(program) = std::env::var("HQ") else { return Ok(None) };
        let mut hq = Hq { program, bench, running: Vec::new() };
        hq.background(&["server", "start", "--host", "127.0.0.1"])?;
        let mut tries = 0..100;
        while hq
            .command(&["server", "info"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| !s.success())
        {
            tries.next().ok_or("the hq server did not start within 10 s")?;
            std::thread::sleep(Duration::from_millis(100));
        }
        hq.background(&["worker", "start", "--cpus", &SLOTS.to_string()])?;
        Ok(Some(hq))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).current_dir(self.bench.work()).env("HQ_SERVER_DIR", self.bench.work().join("hq"));
        command
    }

    fn background(&mut self, args: &[&str]) -> Result<(), String> {
        let child =
            self.command(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.running.push(child.map_err(|e| format!("{}: {e}", self.program))?);
        Ok(())
    }

    fn array(&self) -> Result<(), String> {
        let tasks = format!("0-{}", JOBS - 1);
        let args = [
            "submit",
            "--array",
            &tasks,
            "--wait",
            "--stdout",
            "o/%{TASK_ID}",
            "--stderr",
            "none",
            "--",
            "bash",
            "-c",
            ":",
        ];
        let output = self.command(&args).output().map_err(|e| e.to_string())?;
        if output.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

impl Drop for Hq<'_> {
    fn drop(&mut self) {
        let _ = self.command(&["server", "stop"]).stdout(Stdio::null()).status();
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
