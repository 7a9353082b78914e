//! The process's environment as a value, so that everything that depends on it can be tested.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Environment variables. An empty value counts as set, as in a shell.
#[derive(Debug, Clone, Default)]
pub struct Vars(BTreeMap<String, OsString>);

impl Vars {
    /// Those of this process. Names that are no UTF-8 are left out: no shell can name them.
    pub fn from_process() -> Self {
        Self(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect(),
        )
    }

    /// The raw value.
    pub fn os(&self, name: &str) -> Option<&OsStr> {
        self.0.get(name).map(OsString::as_os_str)
    }

    /// The value as text, if set and not empty.
    pub fn text(&self, name: &str) -> Option<String> {
        self.os(name).filter(|value| !value.is_empty()).map(|value| value.to_string_lossy().into_owned())
    }

    /// The value as a path, if set and not empty.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// The home folder.
    pub fn home(&self) -> Option<PathBuf> {
        self.path("HOME").or_else(std::env::home_dir)
    }

    /// All names that begin with `prefix`, with their values, sorted by name.
    pub fn starting_with<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a OsStr)> {
        self.0
            .iter()
            .filter(move |(name, _)| name.starts_with(prefix))
            .map(|(n, v)| (n.as_str(), v.as_os_str()))
    }

    /// Replaces a leading `~` and every `$NAME` and `${NAME}`; unknown names stay as they are, as conda leaves them.
    pub fn expand(&self, text: &str) -> String {
        let text = match (text.strip_prefix('~'), self.home()) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
                format!("{}{rest}", home.to_string_lossy())
            }
            _ => text.to_owned(),
        };
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            let (name, whole) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
                Some((name, _)) => (name, name.len() + 3),
                None => {
                    let end =
                        after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
                    (&after[..end], end + 1)
                }
            };
            match self.os(name).filter(|_| !name.is_empty()) {
                Some(value) => out.push_str(&value.to_string_lossy()),
                None => out.push_str(&rest[at..at + whole]),
            }
            rest = &rest[at + whole..];
        }
        out.push_str(rest);
        out
    }

    /// [`Vars::expand`] for a path; relative ones are taken from `base`.
    pub fn expand_path(&self, text: &str, base: &Path) -> PathBuf {
        absolute(&base.join(self.expand(text)))
    }
}

/// `path` without `.` and `..` parts, made by looking at the text alone, as Python's `abspath` does.
pub fn absolute(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

impl FromIterator<(String, OsString)> for Vars {
    fn from_iter<T: IntoIterator<Item = (String, OsString)>>(pairs: T) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Vars {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn variables_and_home_are_expanded_and_unknown_names_stay() {
        let vars = Vars::from([("USER", "ann"), ("HOME", "/home/ann")]);
        assert_eq!(vars.expand("/projects/$USER/.conda_pkgs"), "/projects/ann/.conda_pkgs");
        assert_eq!(vars.expand("~/envs/${USER}x"), "/home/ann/envs/annx");
        assert_eq!(vars.expand("~other/$NOPE/${NOPE}/$/${"), "~other/$NOPE/${NOPE}/$/${");
        assert_eq!(vars.expand_path("../x/./y", Path::new("/a/b")), Path::new("/a/x/y"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn expansion_never_panics_and_keeps_text_without_dollars(text in "\\PC{0,40}") {
            let vars = Vars::from([("A", "b")]);
            let out = vars.expand(&text);
            if !text.contains('$') && !text.starts_with('~') {
                prop_assert_eq!(out, text);
            }
        }
    }
}
