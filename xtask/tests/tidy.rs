//! The shape of the source: what is pure stays pure, files stay small, documents name files that exist.

use std::path::{Path, PathBuf};

/// The crates of the pure ring: no clock, no files, no threads, no order that changes from run to run.
const PURE: [&str; 5] = ["types", "core", "sched", "options", "render"];

/// What the pure ring must not name, and what it uses instead.
const IMPURE: [(&str, &str); 11] = [
    ("SystemTime", "a Timestamp handed in"),
    ("Instant", "a Timestamp handed in"),
    ("HashMap", "BTreeMap: its order is the same in every run"),
    ("HashSet", "BTreeSet: its order is the same in every run"),
    ("std::fs", "values handed in"),
    ("std::net", "values handed in"),
    ("std::process", "effects, carried out by the daemon"),
    ("std::thread", "nothing: the core is one thread's"),
    ("std::env", "values handed in"),
    ("println!", "a returned text"),
    ("eprintln!", "a returned text"),
];

/// No file of Rust is longer, but for those below.
const LONGEST: usize = 600;

/// Files that are longer, with the length they must not exceed. The list only shrinks.
const STILL_LONGER: [(&str, usize); 0] = [];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The files below the given folders of the checkout, with their paths from its root.
fn files(folders: &[&str]) -> Vec<(String, PathBuf)> {
    let root = root();
    let mut waiting: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    let mut files = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).unwrap().flatten().map(|entry| entry.path());
            let hidden =
                |path: &Path| path.file_name().is_some_and(|name| name == "target" || name == ".git");
            waiting.extend(entries.filter(|path| !hidden(path)));
        } else if path.exists() {
            files.push((path.strip_prefix(&root).unwrap().display().to_string(), path));
        }
    }
    files.sort();
    files
}

fn rust_files(folders: &[&str]) -> Vec<(String, String)> {
    files(folders)
        .into_iter()
        .filter(|(name, _)| name.ends_with(".rs"))
        .map(|(name, path)| (name, std::fs::read_to_string(path).unwrap()))
        .collect()
}

/// The product's part of a source file: without comments, and without the test module at its end.
fn code(text: &str) -> String {
    let product = text.split("#[cfg(test)]").next().unwrap_or_default();
    product.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Whether `name` stands in `code` as a name of its own, not as part of a longer one.
fn names(code: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        !before.ends_with(part) && (name.ends_with('!') || !after.starts_with(part))
    })
}

/// `use std::{fs, io}` names `std::fs` as well: the members of such groups, written out.
fn groups(code: &str) -> String {
    let mut members = String::new();
    for (at, _) in code.match_indices("std::{") {
        let inside = code[at + 6..].split('}').next().unwrap_or_default();
        members.extend(inside.split(',').map(|member| format!("std::{} ", member.trim())));
    }
    members
}

#[test]
fn the_pure_ring_has_no_clock_no_files_and_no_random_order() {
    let folders: Vec<String> = PURE.iter().map(|name| format!("crates/{name}/src")).collect();
    let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
    let sources = rust_files(&folders);
    assert!(sources.len() > PURE.len(), "the crates have moved: {folders:?}");
    let mut faults = Vec::new();
    for (file, text) in sources {
        if file.ends_with("tests.rs") || file.contains("/tests/") {
            continue;
        }
        let code = code(&text);
        let all = format!("{code}\n{}", groups(&code));
        for (name, instead) in IMPURE {
            if names(&all, name) {
                faults.push(format!("{file} names {name}; use {instead}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let source = "use std::{fs, io};\nlet a: Instant = x; // HashMap\n#[cfg(test)] mod tests { HashSet }";
    let code = code(source);
    let all = format!("{code}\n{}", groups(&code));
    assert!(names(&all, "std::fs") && names(&all, "Instant"));
    assert!(!names(&all, "HashMap") && !names(&all, "HashSet") && !names(&all, "std::net"));
    assert!(!names("InstantNoodles", "Instant"));
}

#[test]
fn files_stay_small_enough_to_hold_in_the_head() {
    let mut faults = Vec::new();
    for (file, text) in rust_files(&["crates", "xtask"]) {
        let lines = text.lines().count();
        match STILL_LONGER.iter().find(|(name, _)| *name == file) {
            None if lines > LONGEST => {
                faults.push(format!("{file} has {lines} lines, more than {LONGEST}: split it"))
            }
            Some((_, known)) if lines > *known => {
                faults.push(format!("{file} grew from {known} lines to {lines}: split it"));
            }
            Some((_, known)) if lines + 20 < *known => {
                faults.push(format!("{file} shrank to {lines} lines: say so in STILL_LONGER"));
            }
            _ => {}
        }
    }
    for (name, _) in STILL_LONGER {
        let lines = std::fs::read_to_string(root().join(name)).map(|text| text.lines().count()).unwrap_or(0);
        if lines <= LONGEST {
            faults.push(format!("{name} has {lines} lines: take it from STILL_LONGER"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The table rows of ARCHITECTURE.md's section on the life of a job.
fn life_of_a_job() -> Vec<String> {
    let text =
        std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is at the root");
    let section = text
        .lines()
        .skip_while(|line| !(line.starts_with('#') && line.to_lowercase().contains("life of a job")));
    section
        .skip(1)
        .take_while(|line| !line.starts_with('#'))
        .filter(|line| line.trim_start().starts_with('|'))
        .map(str::to_owned)
        .collect()
}

/// Texts in backquotes that look like paths: they have a `/` and no blank.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    line.split('`')
        .skip(1)
        .step_by(2)
        .filter(|text| text.contains('/') && !text.contains([' ', '<', '$', '*', ':']))
}

#[test]
fn every_file_in_the_life_of_a_job_exists() {
    let rows = life_of_a_job();
    let root = root();
    let named: Vec<&str> =
        rows.iter().flat_map(|row| paths(row)).filter(|path| !path.starts_with('/')).collect();
    assert!(named.len() >= 5, "ARCHITECTURE.md's table of the life of a job names {} files", named.len());
    let missing: Vec<&&str> = named.iter().filter(|path| !root.join(path).exists()).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names files that do not exist: {missing:?}");
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    // Put together here, so that this file does not name them itself.
    let foreign = [
        ["/work", "/main"].concat(),
        ["/work", "/shared"].concat(),
        ["/work", "/target"].concat(),
        ["slurm", "-ref"].concat(),
        ["pypi", ".org"].concat(),
        ["crates", ".io/"].concat(),
        ["registry.npm", "js"].concat(),
        ["deb.debian", ".org"].concat(),
    ];
    let mut faults = Vec::new();
    let places = [
        "crates",
        "xtask",
        "docs",
        "examples",
        "Cargo.toml",
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "deny.toml",
        ".ci",
        ".config",
        ".cargo",
    ];
    for (name, path) in files(&places) {
        // What is no text (a picture, say) names no path either.
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        for (number, line) in text.lines().enumerate() {
            if let Some(found) = foreign.iter().find(|word| line.contains(word.as_str())) {
                faults.push(format!("{name}:{}: {found}", number + 1));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
