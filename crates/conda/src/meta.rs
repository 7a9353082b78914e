//! What lies in an environment's `conda-meta` besides the package records: `history`, `state`, and our own record of
//! how the environment came about (`bivouac-made`).

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::CONDA_VERSION;
use crate::error::{CondaError, Result};

/// File name below `conda-meta` of [`Made`]. Not `*.json`: every such file there is taken for a package record.
pub const MADE: &str = "bivouac-made";
/// Present below `conda-meta` while the environment is being built.
pub const INCOMPLETE: &str = "bivouac-incomplete";

/// How an environment came about; written when it is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Version of this record.
    pub version: u32,
    /// Digest of what the environment was asked to hold.
    pub fingerprint: String,
    /// Digest of the files as they were when it was complete.
    pub tree: String,
    /// Seconds since 1970.
    pub created: i64,
    /// Until when (seconds since 1970) it may stand for a new one made from the same request; `None` for ever.
    pub until: Option<i64>,
}

impl Made {
    /// The version this program writes and accepts.
    pub const VERSION: u32 = 1;

    /// Reads the record, `None` if there is none that this version understands.
    pub fn read(prefix: &Path) -> Option<Self> {
        let text = std::fs::read(prefix.join("conda-meta").join(MADE)).ok()?;
        serde_json::from_slice(&text).ok().filter(|made: &Self| made.version == Self::VERSION)
    }

    /// Writes the record.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, prefix: &Path) -> Result<()> {
        let path = prefix.join("conda-meta").join(MADE);
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        std::fs::write(&path, text).map_err(|error| CondaError::io("write", &path, &error))
    }
}

/// One entry of `conda-meta/history`.
#[derive(Debug, Clone, Default)]
pub struct HistoryEntry {
    /// The command line, without the program's folder.
    pub command: Vec<String>,
    /// `channel/subdir::name-version-build` of what came.
    pub linked: Vec<String>,
    /// The same of what went.
    pub unlinked: Vec<String>,
    /// The specs asked for.
    pub specs: Vec<String>,
}

/// The entry's text in the form conda reads back: date, command, version, differences, specs.
pub fn history_text(entry: &HistoryEntry, date: &str) -> String {
    let mut text =
        format!("==> {date} <==\n# cmd: {}\n# conda version: {CONDA_VERSION}\n", entry.command.join(" "));
    let mut unlinked = entry.unlinked.clone();
    let mut linked = entry.linked.clone();
    unlinked.sort();
    linked.sort();
    for name in unlinked {
        text.push_str(&format!("-{name}\n"));
    }
    for name in linked {
        text.push_str(&format!("+{name}\n"));
    }
    if !entry.specs.is_empty() {
        let specs: Vec<String> = entry.specs.iter().map(|spec| python_string(spec)).collect();
        text.push_str(&format!("# update specs: [{}]\n", specs.join(", ")));
    }
    text
}

/// Appends to `conda-meta/history`.
///
/// # Errors
/// The file cannot be written.
pub fn append_history(prefix: &Path, entry: &HistoryEntry) -> Result<()> {
    let path = prefix.join("conda-meta/history");
    let date = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(history_text(entry, &date).as_bytes()))
        .map_err(|error| CondaError::io("write", &path, &error))
}

/// A Python string literal, as conda reads the specs back.
fn python_string(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        if c == '\\' || c == quote {
            out.push('\\');
        }
        out.push(c);
    }
    out.push(quote);
    out
}

/// Writes `conda-meta/state` with the environment variables of an environment file.
///
/// # Errors
/// The file cannot be written.
pub fn write_state(prefix: &Path, variables: &BTreeMap<String, String>) -> Result<()> {
    let path = prefix.join("conda-meta/state");
    let state = serde_json::json!({ "env_vars": variables });
    std::fs::write(&path, state.to_string()).map_err(|error| CondaError::io("write", &path, &error))
}

/// The variables an environment sets when activated: packages' own (`etc/conda/env_vars.d/*.json`), then those of
/// `conda-meta/state`. Files that cannot be read as such are left out. Names that no shell could set are left out too:
/// they would become code.
pub fn env_vars(prefix: &Path) -> BTreeMap<String, String> {
    /// Conda's mark for a variable that was unset in `state`.
    const UNSET: &str = "***unset***";
    let mut all = BTreeMap::new();
    for file in files_in(&prefix.join("etc/conda/env_vars.d"), "json") {
        let text = std::fs::read(file).unwrap_or_default();
        all.extend(serde_json::from_slice::<BTreeMap<String, String>>(&text).unwrap_or_default());
    }
    #[derive(Default, Deserialize)]
    struct State {
        #[serde(default)]
        env_vars: BTreeMap<String, String>,
    }
    let text = std::fs::read(prefix.join("conda-meta/state")).unwrap_or_default();
    all.extend(serde_json::from_slice::<State>(&text).unwrap_or_default().env_vars);
    all.retain(|name, value| is_variable_name(name) && value != UNSET);
    all
}

/// Whether a shell can set a variable of this name.
pub fn is_variable_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The `.sh` scripts in `etc/conda/<kind>.d`, sorted by name.
pub fn scripts(prefix: &Path, kind: &str) -> Vec<PathBuf> {
    files_in(&prefix.join(format!("etc/conda/{kind}.d")), "sh")
}

fn files_in(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let files: BTreeSet<PathBuf> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    files.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_has_condas_form() {
        let entry = HistoryEntry {
            command: vec!["conda".into(), "create".into(), "-n".into(), "x".into()],
            linked: vec!["c/noarch::b-1-0".into(), "c/linux-64::a-1-0".into()],
            unlinked: vec![],
            specs: vec!["python=3.10".into(), "b[build='x']".into()],
        };
        assert_eq!(
            history_text(&entry, "2023-07-14 10:00:00"),
            "==> 2023-07-14 10:00:00 <==\n# cmd: conda create -n x\n# conda version: 22.9.0\n\
             +c/linux-64::a-1-0\n+c/noarch::b-1-0\n# update specs: ['python=3.10', \"b[build='x']\"]\n"
        );
    }

    #[test]
    fn variables_come_from_packages_and_from_the_state_file_and_never_become_code() {
        let prefix = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(prefix.path().join("conda-meta")).unwrap();
        std::fs::create_dir_all(prefix.path().join("etc/conda/env_vars.d")).unwrap();
        std::fs::write(prefix.path().join("etc/conda/env_vars.d/p.json"), r#"{"A": "package", "B": "b"}"#)
            .unwrap();
        let state = r#"{"env_vars": {"A": "mine", "C": "***unset***", "D;rm -rf": "x", "1x": "y"}}"#;
        std::fs::write(prefix.path().join("conda-meta/state"), state).unwrap();
        let expected = [("A", "mine"), ("B", "b")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(env_vars(prefix.path()), BTreeMap::from(expected));
        std::fs::write(prefix.path().join("conda-meta/state"), "no json").unwrap();
        assert_eq!(env_vars(prefix.path())["A"], "package");
    }
}
