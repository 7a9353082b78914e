//! `cargo xtask test`: everything that must hold before a change lands, in one command. CI runs exactly this.
//!
//! The phases run one after another and all of them run, so that one look shows everything that is wrong. The order
//! puts cheap ones first. What cannot be checked on this machine (no network, a tool that is missing) is said, never
//! passed over in silence; with CI=true it is a failure wherever CI is meant to have it.

mod leftovers;
mod licences;
mod setup;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Outcome, workspace};

/// How a phase ended; a failed one is the error of its `Result`.
enum Verdict {
    Passed,
    /// What could not be checked, and why.
    Partly(String),
}

struct Report {
    name: &'static str,
    took: Duration,
    result: Result<Verdict, String>,
}

/// Runs the command.
pub fn run(arguments: &[String]) -> Outcome {
    crate::takes_no_arguments("test", arguments)?;
    let root = workspace();
    let mut reports = Vec::new();
    let mut phase = |name: &'static str, run: &mut dyn FnMut() -> Result<Verdict, String>| {
        println!("\n==> {name}");
        let start = Instant::now();
        let result = run();
        let took = start.elapsed();
        match &result {
            Ok(Verdict::Passed) => println!("<== {name}: passed in {:.1} s", took.as_secs_f64()),
            Ok(Verdict::Partly(what)) => println!("<== {name}: {what} ({:.1} s)", took.as_secs_f64()),
            Err(error) => println!("<== {name}: FAILED in {:.1} s: {error}", took.as_secs_f64()),
        }
        reports.push(Report { name, took, result });
    };

    let mut no_channel = None;
    phase("setup", &mut || setup::install());
    phase("format", &mut || match cargo(&root, &["fmt", "--all", "--", "--check", "-l"]) {
        Ok(()) => Ok(Verdict::Passed),
        Err(_) => Err("the files above are not formatted; run cargo fmt --all".to_owned()),
    });
    phase("clippy", &mut || {
        let lint = ["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings"];
        cargo(&root, &lint).map(|()| Verdict::Passed)
    });
    phase("licences", &mut || licences::check(&root));
    phase("channel", &mut || channel(&root, &mut no_channel));
    phase("build", &mut || build(&root));
    phase("doc tests", &mut || {
        cargo(&root, &["test", "--workspace", "--doc", "--locked", "--quiet"]).map(|()| Verdict::Passed)
    });
    phase("tests", &mut || tests(&root, no_channel.as_deref()));
    phase("slurm", &mut || slurm());
    phase("clients", &mut || clients());

    summary(&reports)
}

fn summary(reports: &[Report]) -> Outcome {
    println!("\n{:<10} {:>8}", "phase", "seconds");
    for report in reports {
        let said = match &report.result {
            Ok(Verdict::Passed) => "passed",
            Ok(Verdict::Partly(what)) => what,
            Err(error) => &format!("FAILED: {}", error.lines().next().unwrap_or_default()),
        };
        println!("{:<10} {:>8.1}  {said}", report.name, report.took.as_secs_f64());
    }
    let total: Duration = reports.iter().map(|report| report.took).sum();
    let failed: Vec<&str> = reports.iter().filter(|report| report.result.is_err()).map(|r| r.name).collect();
    println!("{:<10} {:>8.1}", "all", total.as_secs_f64());
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

/// Real client programs. They come from the package index and have time limits of their own; how steady that is on a CI
/// machine is not known yet, so there a failure is told and does not decide.
fn clients() -> Result<Verdict, String> {
    match crate::clients::round() {
        Ok(absent) if absent.is_empty() => Ok(Verdict::Passed),
        Ok(absent) => Ok(Verdict::Partly(format!("passed but {}", absent.join("; ")))),
        Err(why) if in_ci() => Ok(Verdict::Partly(format!("did not pass: {why}"))),
        Err(why) => Err(why),
    }
}

/// Real Slurm beside bivouac. As long as some cases are known to differ, and so how steady the others are is not known
/// either, the comparison is told and does not decide; with an empty tests/diff/open.list it does.
fn slurm() -> Result<Verdict, String> {
    let open = crate::diff::open_cases()?.len();
    match crate::diff::part_of_test() {
        Ok(None) if open == 0 => Ok(Verdict::Passed),
        Ok(None) => Ok(Verdict::Partly(format!("{open} cases are open"))),
        Ok(Some(why)) if in_ci() && open == 0 => Err(why),
        Ok(Some(why)) => Ok(Verdict::Partly(format!("SKIPPED: not compared with real Slurm: {why}"))),
        Err(why) if open == 0 => Err(why),
        Err(why) => Ok(Verdict::Partly(format!("{open} cases are open, and {why}"))),
    }
}

/// The offline channel, which tests of conda and of whole jobs use. Without a network (and no cached one) a developer's
/// tests go on without it; CI's do not.
fn channel(root: &Path, without: &mut Option<String>) -> Result<Verdict, String> {
    match bivouac_channel::ensure(root) {
        Ok(info) => {
            println!("{info}");
            let needs = "tests that need Python 3.10 ran with this one";
            Ok(match info.has_python("3.10") {
                true => Verdict::Passed,
                false => Verdict::Partly(format!("passed with Python {}; {needs}", info.pythons.join(", "))),
            })
        }
        Err(error) if in_ci() => Err(error.to_string()),
        Err(error) => {
            println!("{error}");
            *without = Some(error.to_string().lines().next().unwrap_or_default().to_owned());
            Ok(Verdict::Partly(
                "SKIPPED: no offline channel, so the tests that need one check nothing".into(),
            ))
        }
    }
}

fn build(root: &Path) -> Result<Verdict, String> {
    // The binaries as well: integration tests start real daemons.
    cargo(root, &["build", "--workspace", "--locked", "--quiet"])?;
    if has_nextest() {
        cargo(root, &["nextest", "run", "--workspace", "--locked", "--no-run", "--cargo-quiet"])?;
    } else {
        cargo(root, &["test", "--workspace", "--locked", "--no-run", "--quiet"])?;
    }
    Ok(Verdict::Passed)
}

fn tests(root: &Path, no_channel: Option<&str>) -> Result<Verdict, String> {
    let watch = leftovers::Watch::start()?;
    let arguments: &[&str] = match has_nextest() {
        true => &["nextest", "run", "--workspace", "--locked", "--cargo-quiet"],
        false => &["test", "--workspace", "--locked", "--quiet", "--tests", "--no-fail-fast"],
    };
    let mut command = cargo_command(root, arguments);
    command.env("TMPDIR", watch.temporary());
    if let Some(reason) = no_channel {
        command.env(bivouac_channel::WITHOUT_CHANNEL, reason);
    }
    let ran = finish(command, arguments);
    let left = watch.finish();
    ran.and(left)?;
    Ok(match has_nextest() {
        true => Verdict::Passed,
        false => Verdict::Partly("passed under cargo test, since cargo-nextest is missing".into()),
    })
}

fn has_nextest() -> bool {
    crate::machine::quiet("cargo", &["nextest", "--version"])
}

fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value != "false" && !value.is_empty())
}

fn cargo(root: &Path, arguments: &[&str]) -> Outcome {
    finish(cargo_command(root, arguments), arguments)
}

fn cargo_command(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir(root).stdin(Stdio::null());
    if in_ci() {
        // Nothing is built twice there, so the bookkeeping for it would only cost.
        command.env("CARGO_INCREMENTAL", "0");
    }
    command
}

fn finish(mut command: Command, arguments: &[&str]) -> Outcome {
    let line = format!("cargo {}", arguments.join(" "));
    println!("$ {line}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{line}: {status}")),
        Err(error) => Err(format!("{line}: {error}")),
    }
}
