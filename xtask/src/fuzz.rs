//! `cargo xtask fuzz`: the parsers of foreign bytes under libFuzzer (crates/fuzz says what must hold).

use std::process::Command;

use crate::machine::quiet;
use crate::{Outcome, release, workspace};

const USAGE: &str = "usage: cargo xtask fuzz [--seconds N] [TARGET...]";
const MEMORY_MB: u32 = 2048;

/// Runs the command: each target that is named, or all, for so many seconds.
pub fn run(arguments: &[String]) -> Outcome {
    let (seconds, names) = parse(arguments)?;
    if !quiet("cargo", &["fuzz", "--version"]) {
        println!("$ cargo install --locked cargo-fuzz");
        succeed(Command::new("cargo").args(["install", "--locked", "cargo-fuzz"]))?;
    }
    let folder = workspace().join("crates/fuzz/libfuzzer");
    let mut failed = Vec::new();
    for target in names {
        let corpus = folder.join("corpus").join(&target);
        std::fs::create_dir_all(&corpus).map_err(|e| format!("{}: {e}", corpus.display()))?;
        println!("==> {target}, {seconds} s");
        // A sanitizer would need a nightly compiler, and there is hardly any unsafe code in the parsers.
        let mut fuzz = Command::new("cargo");
        fuzz.args(["fuzz", "run", "--sanitizer", "none", "--fuzz-dir", ".", &target])
            .args([format!("corpus/{target}"), format!("../seeds/{target}"), "--".to_owned()])
            .args([format!("-max_total_time={seconds}"), format!("-rss_limit_mb={MEMORY_MB}")])
            .args(["-timeout=10", "-print_final_stats=1"])
            .current_dir(&folder)
            .env("CARGO_TARGET_DIR", release::target().join("fuzz"));
        if let Err(why) = succeed(&mut fuzz) {
            failed.push(format!("{target}: {why}; the input is in crates/fuzz/libfuzzer/artifacts"));
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}

fn parse(arguments: &[String]) -> Result<(u32, Vec<String>), String> {
    let all = targets()?;
    let (mut seconds, mut names) = (60, Vec::new());
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seconds" => {
                let count = words.next().ok_or(format!("--seconds needs a number\n{USAGE}"))?;
                seconds = count.parse().map_err(|_| format!("--seconds {count}: no number\n{USAGE}"))?;
            }
            name if all.iter().any(|target| target == name) => names.push(name.to_owned()),
            other => {
                return Err(format!("there is no target {other}; there are {}\n{USAGE}", all.join(", ")));
            }
        }
    }
    Ok((seconds, if names.is_empty() { all } else { names }))
}

/// The targets: a program each. A test of crates/fuzz sees to it that they are those that it has.
fn targets() -> Result<Vec<String>, String> {
    let folder = workspace().join("crates/fuzz/libfuzzer/targets");
    let files = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut names: Vec<String> =
        files.filter_map(|file| Some(file.ok()?.path().file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}

fn succeed(command: &mut Command) -> Outcome {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(format!("cargo: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_word_is_named() {
        let error = |words: &[&str]| {
            parse(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()).err().unwrap_or_default()
        };
        assert!(error(&["word"]).contains("no target word"));
        assert!(error(&["--seconds", "x"]).contains("no number"));
    }
}
