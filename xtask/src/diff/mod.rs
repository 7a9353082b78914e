//! `cargo xtask diff`: the same cases on real Slurm and on bivouac, compared.
//!
//! Each worker has a pair of clusters of its own, started on the same configuration (`tests/diff/reference`); cases are
//! handed to the workers, and a case's two runs go side by side. What differs and is not declared in
//! docs/deviations.md fails, and so does what is declared and does not differ any more. docs/differential-tests.md
//! says how to write a case.

mod bivouac;
mod cases;
mod compare;
mod deviations;
mod guard;
mod harness;
mod install;
mod normalize;
mod options;
mod reference;
mod report;
mod system;

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use crate::{Outcome, release, workspace};
use cases::Case;
use deviations::Rules;
use harness::Harness;
use options::Options;

/// Runs the command.
pub fn run(arguments: &[String]) -> Outcome {
    let options = Options::parse(arguments)?;
    if options.list {
        wanted(&options)?.iter().for_each(|case| println!("{}", case.name));
        return Ok(());
    }
    install::install()?;
    if !options.no_build && !options.slurm_only {
        release::build_for_tests()?;
    }
    compare(options)
}

/// The part of `cargo xtask test`: a third of the cases, another one each day, with the programs that are built.
/// Says why nothing was compared where the reference cannot be had.
///
/// # Errors
/// The systems differ.
pub fn part_of_test() -> Result<Option<String>, String> {
    if let Err(why) = install::install() {
        return Ok(Some(why));
    }
    let days = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs() / 86_400);
    let third = (days % 3) as usize + 1;
    println!("part {third} of 3 of the cases: it changes each day; `cargo xtask diff` runs all");
    compare(Options { third: Some(third), ..Options::default() }).map(|()| None)
}

fn compare(options: Options) -> Outcome {
    let cases = wanted(&options)?;
    let folder = workspace().join("tests/diff");
    let rules = std::fs::read_to_string(folder.join("deviations.rules"))
        .map_err(|e| format!("deviations.rules: {e}"))?;
    let rules = Rules::parse(&rules, &reference::host())?;
    let complete = options.is_complete();
    let verdicts = Harness { folder, options, cases, stop: AtomicBool::new(false) }.run(&rules)?;
    verdicts.finish(&rules, &open_cases()?, complete)
}

/// The cases of `tests/diff/open.list`: they differ, and nobody has mended or declared that yet.
///
/// # Errors
/// The list cannot be read.
pub fn open_cases() -> Result<BTreeSet<String>, String> {
    let path = workspace().join("tests/diff/open.list");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect())
}

/// The cases that the options choose.
fn wanted(options: &Options) -> Result<Vec<Case>, String> {
    let cases = cases::load(&workspace().join("tests/diff"))?.into_iter().enumerate();
    let cases: Vec<Case> =
        cases.filter(|(number, case)| options.wants(*number, &case.name)).map(|(_, case)| case).collect();
    match cases.is_empty() {
        true => Err("no case has such a name; `cargo xtask diff --list` lists them".to_owned()),
        false => Ok(cases),
    }
}
