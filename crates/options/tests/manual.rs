//! The table against Slurm's manual pages: no option, variable or word of theirs is missing. Their names are kept in
//! `manual.txt`, so that the test means something where the pages are not installed; where they are, the list itself is
//! compared with them.

// The pages are files, and unpacked by gzip.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use bivouac_options::table::{COMMANDS, ENTITIES, REPORTS};
use bivouac_options::{PROGRAMS, Program};
use std::path::Path;
use std::process::Command;

const LIST: &str = include_str!("manual.txt");

/// Options that the program of 22.05.8 does not have, whatever its page says.
const NOT_THERE: [(&str, &str); 1] = [("sacct", "-R")];

#[test]
fn every_name_of_the_manual_pages_is_in_the_table() {
    let mut missing = Vec::new();
    for line in LIST.lines() {
        let [program, kind, name] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let program = PROGRAMS.into_iter().find(|p| p.name() == program).expect("a command of the table");
        if !(is_there(program, kind, name) || NOT_THERE.contains(&(program.name(), name))) {
            missing.push(line);
        }
    }
    assert_eq!(missing, Vec::<&str>::new());
}

fn is_there(program: Program, kind: &str, name: &str) -> bool {
    match (kind, name.strip_prefix("--"), name.strip_prefix('-')) {
        ("option", Some(long), _) => program.option(long).is_some(),
        ("option", None, Some(letter)) => {
            program.options().iter().any(|o| o.short.is_some_and(|c| letter == c.to_string()))
        }
        ("variable", ..) => {
            program.options().iter().any(|o| o.variables().any(|v| v == name))
                || program.variables().iter().any(|v| v.name == name)
        }
        ("word", ..) if program == Program::Sreport => REPORTS.iter().any(|w| w.name == name),
        ("word", ..) => COMMANDS.iter().chain(ENTITIES).any(|w| w.name == name),
        _ => false,
    }
}

#[test]
fn the_list_is_that_of_the_installed_pages() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manual.txt");
    let Some(fresh) = installed() else {
        // Not installed here: the list stands for the pages.
        assert!(LIST.lines().count() > 400, "manual.txt is not whole");
        return;
    };
    if std::env::var_os("BIVOUAC_BLESS").is_some_and(|v| v == "1") {
        std::fs::write(&path, &fresh).expect("manual.txt can be written");
        return;
    }
    assert!(
        fresh == LIST,
        "manual.txt is stale; make it anew with: BIVOUAC_BLESS=1 cargo test -p bivouac-options"
    );
}

/// The names of all pages; none where one of them is missing or of another version.
fn installed() -> Option<String> {
    // Sites' own programs have no pages.
    let of_slurm = PROGRAMS.into_iter().filter(|p| !p.is_added());
    let pages: Option<Vec<_>> = of_slurm.map(|p| Some((p, page(p)?))).collect();
    let pages = pages.filter(|p| p.iter().any(|(_, text)| text.contains("December 2022")))?;
    let lines: Vec<String> = pages.iter().flat_map(|(program, text)| names(*program, text)).collect();
    Some(lines.join("\n") + "\n")
}

fn page(program: Program) -> Option<String> {
    let path = format!("/usr/share/man/man1/{program}.1.gz");
    let out = Command::new("gzip").args(["-dc", &path]).output().ok().filter(|o| o.status.success())?;
    String::from_utf8(out.stdout).ok()
}

/// The items of the sections about options, variables and words: lines in bold after `.TP`.
fn names(program: Program, text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let (mut section, mut after_tp) = (String::new(), false);
    for line in text.lines() {
        if let Some(title) = line.strip_prefix(".SH ") {
            section = title.trim_matches('"').to_owned();
        }
        if line.starts_with("\\fB") && after_tp {
            let plain = unescaped(line);
            let variables = section.ends_with("ENVIRONMENT VARIABLES") && !section.starts_with("OUTPUT");
            if plain.starts_with('-') && (section == "OPTIONS" || section == "ARGUMENTS") {
                out.extend(options(&plain).into_iter().map(|n| format!("{program} option {n}")));
            } else if variables && program != Program::Srun {
                let names = plain.split([' ', '=']).filter(|w| w.contains('_') && !w.contains('-'));
                let is_name =
                    |w: &&str| w.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit());
                out.extend(names.filter(is_name).map(|n| format!("{program} variable {n}")));
            } else if matches!(section.as_str(), "COMMANDS" | "INTERACTIVE COMMANDS") {
                let word = plain.split(' ').next().unwrap_or_default();
                let is_word = word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
                // A slip of the page.
                let word = if word == "bbbstat" { "bbstat" } else { word };
                out.extend(is_word.then(|| format!("{program} word {word}")));
            }
        }
        if !line.trim().is_empty() && !line.starts_with(".na") {
            after_tp = line.starts_with(".TP");
        }
    }
    out.dedup();
    out
}

/// `-A`, `--account` of `-A, --account=<account>`.
fn options(line: &str) -> Vec<String> {
    let mut out = Vec::new();
    for word in line.split([' ', ',', '=', '[', '<']) {
        match word.strip_prefix('-') {
            Some(rest) if !rest.is_empty() => out.push(word.to_owned()),
            // The option's own name is over where anything else begins.
            _ if word.is_empty() => {}
            _ => break,
        }
    }
    out
}

fn unescaped(line: &str) -> String {
    let mut out = String::new();
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('f') => drop(chars.next()),
                Some('-') => out.push('-'),
                Some(other) => out.push(other),
                None => {}
            },
            c => out.push(c),
        }
    }
    out
}
