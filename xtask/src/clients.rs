//! `cargo xtask clients`: programs that users run, unmodified, with bivouac's commands first on PATH.
//!
//! The checks are tests/clients/check_NAME.sh; they run with whatever Slurm commands are first on PATH. Here each round is
//! one `bivouac ephemeral`, on a node like this machine and on the four nodes of tests/clients/four-nodes. A client
//! that cannot be had counts as one that does not work. What is installed for them stays in .cache/clients.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::{Outcome, release, workspace};

const USAGE: &str =
    "usage: cargo xtask clients [--repeat N] [--on local|four-nodes] [--programs DIR] [NAME...]
HQ names an hq binary: HyperQueue is in no package registry.";
/// The clients that are run without being named.
const CLIENTS: [&str; 9] =
    ["snakemake", "submitit", "hq", "reframe", "parsl", "dask_jobqueue", "pytest", "openmpi", "mpich"];
/// CPUs of the node `local` in the checks: the clients ask for up to three at a time.
const LEAST_CPUS: usize = 4;
/// What real Slurm's commands would need and do not find: one that is reached fails, and names this.
const NO_CONF: &str = "/nonexistent/real-slurm-was-reached.conf";

struct Options {
    repeat: usize,
    /// Checks at a time: mostly they wait.
    jobs: usize,
    on: Vec<&'static str>,
    programs: Option<PathBuf>,
    names: Vec<String>,
}

/// Runs the command.
pub fn run(arguments: &[String]) -> Outcome {
    let options = parse(arguments)?;
    let programs = match &options.programs {
        Some(dir) => std::path::absolute(dir).map_err(|e| format!("{}: {e}", dir.display()))?,
        None => release::build_for_tests()?,
    };
    let missed = all(&options, &programs)?;
    let of = options.on.len() * options.repeat * options.names.len();
    println!("{} of {of} client runs pass", of - missed.len());
    if missed.is_empty() { Ok(()) } else { Err(missed.join("; ")) }
}

/// One round on the four nodes, as a part of all tests: the clients that cannot be had, or a failure.
///
/// # Errors
/// Which clients failed, and how.
pub fn round() -> Result<Vec<String>, String> {
    let options = parse(&["--on".to_owned(), "four-nodes".to_owned()])?;
    let (absent, failed): (Vec<String>, Vec<String>) =
        all(&options, &release::build_for_tests()?)?.into_iter().partition(|miss| miss.contains(": SKIP"));
    if failed.is_empty() { Ok(absent) } else { Err(failed.join("; ")) }
}

/// Runs what is asked for; what did not pass, with its last line.
fn all(options: &Options, programs: &Path) -> Result<Vec<String>, String> {
    let cache = workspace().join(".cache/clients");
    std::fs::create_dir_all(&cache).map_err(|e| format!("{}: {e}", cache.display()))?;
    let local = local(&cache)?;
    let mut missed = Vec::new();
    for on in &options.on {
        for round in 1..=options.repeat {
            println!("==> {on}, round {round} of {}", options.repeat);
            let cluster = Check { on, local: &local, programs, cache: &cache };
            let (queue, lines) = (Mutex::new(options.names.iter()), Mutex::new(Vec::new()));
            let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            std::thread::scope(|scope| {
                for _ in 0..options.jobs {
                    scope.spawn(|| {
                        while let Some(name) = next() {
                            let said = cluster.run(name).unwrap_or_else(|e| Err(format!("FAIL: {e}")));
                            lines.lock().unwrap_or_else(PoisonError::into_inner).push((name, said));
                        }
                    });
                }
            });
            let lines = lines.into_inner().unwrap_or_else(PoisonError::into_inner);
            let bad = lines
                .into_iter()
                .filter_map(|(name, said)| said.err().map(|e| format!("{name} on {on}: {e}")));
            missed.extend(bad);
        }
    }
    Ok(missed)
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options =
        Options { repeat: 1, jobs: 3, on: vec!["local", "four-nodes"], programs: None, names: Vec::new() };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value\n{USAGE}"));
        match word.as_str() {
            "--repeat" | "--jobs" => {
                let n = value()?;
                let n = n.parse().ok().filter(|n| *n > 0).ok_or(format!("{word} {n}: no number\n{USAGE}"))?;
                *(if word == "--jobs" { &mut options.jobs } else { &mut options.repeat }) = n;
            }
            "--on" => {
                let name = value()?;
                options.on.retain(|on| on == name);
                if options.on.is_empty() {
                    return Err(format!("--on {name}: there are local and four-nodes\n{USAGE}"));
                }
            }
            "--programs" => options.programs = Some(value()?.into()),
            name if CLIENTS.contains(&name) => options.names.push(name.to_owned()),
            other => {
                return Err(format!("there is no client {other}; there are {}\n{USAGE}", CLIENTS.join(", ")));
            }
        }
    }
    if options.names.is_empty() {
        options.names = CLIENTS.map(str::to_owned).to_vec();
    }
    Ok(options)
}

/// On what checks run, and with what.
struct Check<'a> {
    on: &'a str,
    local: &'a str,
    programs: &'a Path,
    cache: &'a Path,
}

impl Check<'_> {
    /// Runs one check on a cluster of its own. Its last line; the error's is printed after all that it said.
    fn run(&self, name: &str) -> Result<Result<String, String>, String> {
        let Check { on, local, programs, cache } = *self;
        let checks = workspace().join("tests/clients");
        let begun = Instant::now();
        let mut command = Command::new(programs.join("bivouac"));
        command.arg("ephemeral");
        match on {
            "local" => command.arg("--site").arg(local),
            _ => command.arg("--slurm-conf").arg(checks.join(on)),
        };
        command
            .args(["--", "bash", "-c", RUN, "check"])
            .arg(checks.join(format!("check_{name}.sh")))
            .env("CLIENTS_HOME", cache)
            .env("SLURM_CONF", NO_CONF)
            .env_remove("CHECK_PARTITION")
            .stdin(Stdio::null());
        let output = command.output().map_err(|e| format!("{}: {e}", programs.join("bivouac").display()))?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let last = text.lines().rfind(|l| l.starts_with(&format!("{name}: "))).unwrap_or_default();
        let reached = text.contains(NO_CONF);
        let line = match last.strip_prefix(&format!("{name}: ")) {
            Some(line) if !reached => line.to_owned(),
            _ if reached => "FAIL: a command of real Slurm's was called".to_owned(),
            _ => format!("FAIL: ended with {}", output.status),
        };
        let passed = output.status.success() && !reached;
        let mut said = format!("{name}: {line} [{:.0} s]\n", begun.elapsed().as_secs_f64());
        if !passed {
            text.lines().for_each(|l| said.push_str(&format!("    {l}\n")));
        }
        // At once, so that checks that run at the same time do not mix.
        print!("{said}");
        Ok(if passed { Ok(line) } else { Err(line) })
    }
}

/// What is run for a check: it is killed after a while, and leaves its folder only if it failed.
const RUN: &str = "case $(command -v sbatch) in \"$BIVOUAC_STATE_DIR\"/*) ;; *) echo 'sbatch is not first on PATH'; exit 1;; esac
export TMPDIR=$BIVOUAC_STATE_DIR
timeout -k 5 ${LIMIT:-400} bash \"$1\" 2>&1; rc=$?; [ $rc = 124 ] && echo \"${1##*check_}: FAIL: over ${LIMIT:-400} s\"
exit $rc";

/// A profile of this machine's node; where it has few CPUs, with more.
fn local(cache: &Path) -> Result<String, String> {
    let cpus = std::thread::available_parallelism().map_or(1, |n| n.get());
    if cpus >= LEAST_CPUS {
        return Ok("local".to_owned());
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").map_err(|e| format!("hostname: {e}"))?;
    let text = format!(
        "extends = \"local\"\n[cluster]\novercommit = true\n[[nodes]]\nnames = \"{}\"\n\
         cores_per_socket = {LEAST_CPUS}\nmemory = 4000\n",
        host.trim()
    );
    let file = cache.join("local.toml");
    std::fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))?;
    println!("this machine has {cpus} CPUs: its node is given {LEAST_CPUS}");
    Ok(file.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_is_run() {
        let mut there: Vec<String> = std::fs::read_dir(workspace().join("tests/clients"))
            .unwrap()
            .filter_map(|e| {
                e.unwrap()
                    .file_name()
                    .to_str()?
                    .strip_prefix("check_")?
                    .strip_suffix(".sh")
                    .map(str::to_owned)
            })
            .collect();
        there.sort();
        let mut known = CLIENTS;
        known.sort_unstable();
        assert_eq!(there, known);
    }

    #[test]
    fn a_wrong_word_is_named() {
        let error =
            |words: &[&str]| parse(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()).err().unwrap();
        assert!(error(&["snakemak"]).contains("no client snakemak"));
        assert!(error(&["--on", "moon"]).contains("--on moon"));
        assert!(error(&["--repeat", "x"]).contains("no number"));
    }
}
