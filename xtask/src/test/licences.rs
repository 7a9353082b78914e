//! Checks the licences and the sources of all dependencies against deny.toml: with cargo-deny where it is installed, and
//! always with a check of our own, so that it never silently vanishes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::{Verdict, cargo};
use crate::machine::quiet;

#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
}

/// Runs the check.
///
/// # Errors
/// Every dependency whose licence is not allowed, or what cargo-deny says.
pub fn check(root: &Path) -> Result<Verdict, String> {
    let count = own_check(root)?;
    println!("the licences and sources of {count} crates are allowed by deny.toml");
    if !quiet("cargo", &["deny", "--version"]) {
        let note =
            "licences and sources passed; cargo-deny is missing, so bans and advisories were not checked";
        return Ok(Verdict::Partly(note.into()));
    }
    cargo(root, &["deny", "--locked", "check", "licenses", "bans", "sources"])?;
    if cargo(root, &["deny", "fetch", "db"]).is_err() {
        let note = "passed; the advisory database cannot be reached, so advisories were not checked";
        return Ok(Verdict::Partly(note.into()));
    }
    cargo(root, &["deny", "--locked", "check", "--disable-fetch", "advisories"])?;
    Ok(Verdict::Passed)
}

fn own_check(root: &Path) -> Result<usize, String> {
    let deny = root.join("deny.toml");
    let text = std::fs::read_to_string(&deny).map_err(|error| format!("{}: {error}", deny.display()))?;
    let deny: Deny = toml::from_str(&text).map_err(|error| format!("{}: {error}", deny.display()))?;
    let output = Command::new("cargo")
        .args(["metadata", "--locked", "--format-version", "1"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", output.status));
    }
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    let used: BTreeSet<&str> = metadata.resolve.nodes.iter().map(|node| node.id.as_str()).collect();
    let packages: Vec<&Package> =
        metadata.packages.iter().filter(|package| used.contains(package.id.as_str())).collect();
    let faults: Vec<String> = packages.iter().filter_map(|package| fault(package, &deny.licenses)).collect();
    match faults.is_empty() {
        true => Ok(packages.len()),
        false => Err(format!("{} (allowed ones stand in deny.toml)", faults.join("; "))),
    }
}

fn fault(package: &Package, licenses: &Licenses) -> Option<String> {
    let of = format!("{} {}", package.name, package.version);
    let registry = package.source.as_deref().is_none_or(|source| source.starts_with("registry+"));
    if !registry {
        return Some(format!("{of} comes from {}", package.source.as_deref().unwrap_or_default()));
    }
    let Some(license) = &package.license else { return Some(format!("{of} states no licence")) };
    let mut allowed = licenses.allow.clone();
    let exceptions: BTreeMap<&str, &BTreeSet<String>> =
        licenses.exceptions.iter().map(|exception| (exception.name.as_str(), &exception.allow)).collect();
    allowed.extend(exceptions.get(package.name.as_str()).into_iter().flat_map(|own| own.iter().cloned()));
    match permits(license, &allowed) {
        Ok(true) => None,
        Ok(false) => Some(format!("{of} is under {license}")),
        Err(why) => Some(format!("{of}: licence {license:?}: {why}")),
    }
}

/// Whether a licence expression (SPDX, or the older `A/B`) can be met with allowed licences alone.
fn permits(expression: &str, allowed: &BTreeSet<String>) -> Result<bool, String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = &words[..];
    let value = any(&mut rest, allowed)?;
    match rest.first() {
        None => Ok(value),
        Some(word) => Err(format!("{word} is left over")),
    }
}

fn any(words: &mut &[&str], allowed: &BTreeSet<String>) -> Result<bool, String> {
    let mut value = all(words, allowed)?;
    while take(words, "OR") {
        value |= all(words, allowed)?;
    }
    Ok(value)
}

fn all(words: &mut &[&str], allowed: &BTreeSet<String>) -> Result<bool, String> {
    let mut value = one(words, allowed)?;
    while take(words, "AND") {
        value &= one(words, allowed)?;
    }
    Ok(value)
}

fn one(words: &mut &[&str], allowed: &BTreeSet<String>) -> Result<bool, String> {
    if take(words, "(") {
        let value = any(words, allowed)?;
        return if take(words, ")") { Ok(value) } else { Err("a bracket is not closed".to_owned()) };
    }
    let name = next(words)?;
    if ["AND", "OR", "WITH", ")"].contains(&name) {
        return Err(format!("a licence is expected, not {name}"));
    }
    match take(words, "WITH") {
        true => Ok(allowed.contains(&format!("{name} WITH {}", next(words)?))),
        false => Ok(allowed.contains(name)),
    }
}

fn take(words: &mut &[&str], word: &str) -> bool {
    let found = words.first() == Some(&word);
    if found {
        *words = &words[1..];
    }
    found
}

fn next<'a>(words: &mut &[&'a str]) -> Result<&'a str, String> {
    let (first, rest) = words.split_first().ok_or("it ends too early")?;
    *words = rest;
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permitted(expression: &str) -> Result<bool, String> {
        permits(
            expression,
            &["MIT", "BSD-3-Clause", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into(),
        )
    }

    #[test]
    fn expressions_are_met_by_allowed_licences_alone() {
        for (expression, expected) in [
            ("MIT", true),
            ("GPL-3.0-only", false),
            ("GPL-2.0-only OR MIT", true),
            ("Unlicense/MIT", true),
            ("BSD-3-Clause AND MIT", true),
            ("BSD-3-Clause AND GPL-2.0-only", false),
            ("(MIT OR GPL-2.0-only) AND BSD-3-Clause", true),
            ("MIT AND GPL-2.0-only OR BSD-3-Clause", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("Apache-2.0", false),
        ] {
            assert_eq!(permitted(expression), Ok(expected), "{expression}");
        }
        for broken in ["", "MIT OR", "(MIT", "MIT MIT", "AND MIT", "MIT WITH"] {
            assert!(permitted(broken).is_err(), "{broken}");
        }
    }
}
