//! What docs/coming-from-slurm.md claims, a test shows: the ones it names exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn texts(folder: &str, ending: &str) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap().flatten().map(|e| e.path());
    let wanted = entries.filter(|path| path.extension().is_some_and(|e| e == ending));
    wanted.map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), read(&path))).collect()
}

/// `FILE::NAME` of the end-to-end tests, `case NAME` of the differential ones.
fn there() -> BTreeSet<String> {
    let mut there = BTreeSet::new();
    for (file, text) in texts("crates/e2e/tests", "rs") {
        let after = text.split("#[test]").skip(1).filter_map(|t| t.split_once("fn ")?.1.split_once('('));
        there.extend(after.map(|(name, _)| format!("{file}::{name}")));
    }
    for (_, text) in texts("tests/diff", "cases") {
        let headers = text.lines().filter_map(|l| l.strip_prefix("== ")?.split_whitespace().next());
        there.extend(headers.map(|name| format!("case {name}")));
    }
    there
}

fn named(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).filter(|w| w.contains("::") || w.starts_with("case ")).collect()
}

#[test]
fn every_claim_names_tests_and_they_exist() {
    let (document, there) = (read(&root().join("docs/coming-from-slurm.md")), there());
    let mut claims = 0;
    let mut wrong = Vec::new();
    for line in document.lines().filter(|l| l.starts_with("| ") && !l.ends_with("shown by |")) {
        claims += 1;
        let last = line.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        if named(last).is_empty() {
            wrong.push(format!("no test is named: {line}"));
        }
    }
    let names = document.lines().filter(|l| !l.contains("`FILE::NAME`")).flat_map(named);
    wrong.extend(
        names.filter(|n| *n != "case NAME" && !there.contains(*n)).map(|n| format!("there is no {n}")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(claims > 15, "the tables were not found: {claims} lines");
}
