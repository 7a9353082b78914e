//! What activating and deactivating an environment changes, as a list; no shell syntax here.
//!
//! The variables and their meaning are conda's: `CONDA_SHLVL` counts the environments stacked in this shell,
//! `CONDA_PREFIX_n` remembers the one below, `CONDA_STACKED_n` says that it stays on `PATH`, and
//! `__CONDA_SHLVL_n_NAME` keeps a value that an environment's own variable hides.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::environments::name_of;
use crate::meta;
use crate::vars::Vars;

/// One change to the shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Set and export.
    Export(String, OsString),
    /// Set without exporting (the prompt).
    Set(String, OsString),
    /// Forget.
    Unset(String),
    /// Run a script in the shell itself.
    Source(PathBuf),
}

/// What of an environment matters to a shell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// Where it lies.
    pub prefix: PathBuf,
    /// `base`, its name, or its path.
    pub display: String,
    /// Scripts to run on activation.
    pub activate: Vec<PathBuf>,
    /// Scripts to run on deactivation.
    pub deactivate: Vec<PathBuf>,
    /// Variables it sets.
    pub variables: BTreeMap<String, String>,
}

impl Environment {
    /// Reads it from the disk.
    pub fn read(config: &Config, prefix: &Path) -> Self {
        Self {
            display: name_of(config, prefix).unwrap_or_else(|| prefix.display().to_string()),
            activate: meta::scripts(prefix, "activate"),
            deactivate: meta::scripts(prefix, "deactivate"),
            variables: meta::env_vars(prefix),
            prefix: prefix.to_owned(),
        }
    }
}

/// The shell as it is, and how environments are read.
pub struct Shell<'a> {
    /// Its exported variables, and `PS1`.
    pub vars: &'a Vars,
    /// Configuration.
    pub config: &'a Config,
    /// Reads an environment; [`Environment::read`] but in tests.
    pub read: &'a dyn Fn(&Path) -> Environment,
}

impl Shell<'_> {
    fn level(&self) -> u32 {
        self.vars.text("CONDA_SHLVL").and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    /// Changes that make `prefix` the active environment; with `stack` the one below stays on `PATH`.
    pub fn activate(&self, prefix: &Path, stack: bool) -> Vec<Change> {
        let level = self.level();
        let old = self.vars.path("CONDA_PREFIX").filter(|_| level > 0);
        if old.as_deref() == Some(prefix) {
            return self.reactivate();
        }
        // Activating the one below is stepping back to it.
        if level > 1 && self.vars.path(&format!("CONDA_PREFIX_{}", level - 1)).as_deref() == Some(prefix) {
            return self.deactivate();
        }
        let new = (self.read)(prefix);
        let mut changes = Vec::new();
        if let Some(old) = old.as_deref().filter(|_| !stack) {
            changes.extend((self.read)(old).deactivate.into_iter().rev().map(Change::Source));
        }
        let path = match old.as_deref().filter(|_| !stack) {
            Some(old) => self.path_replacing(old, Some(prefix)),
            None => self.path_with(prefix, level == 0),
        };
        changes.push(export("PATH", path));
        if let Some(old) = &old {
            changes.push(export(&format!("CONDA_PREFIX_{level}"), old));
            if stack {
                changes.push(export(&format!("CONDA_STACKED_{}", level + 1), "true"));
            }
        }
        for (name, value) in &new.variables {
            if let Some(hidden) = self.vars.os(name) {
                changes.push(export(&format!("__CONDA_SHLVL_{level}_{name}"), hidden));
            }
            changes.push(export(name, value));
        }
        changes.extend(self.identity(&new, level + 1));
        changes.extend(new.activate.into_iter().map(Change::Source));
        changes
    }

    /// Changes that undo the last activation; none if nothing is active.
    pub fn deactivate(&self) -> Vec<Change> {
        let level = self.level();
        let Some(prefix) = self.vars.path("CONDA_PREFIX").filter(|_| level > 0) else {
            return Vec::new();
        };
        let old = (self.read)(&prefix);
        let below = self.vars.path(&format!("CONDA_PREFIX_{}", level - 1)).filter(|_| level > 1);
        let stacked_name = format!("CONDA_STACKED_{level}");
        let stacked = self.vars.os(&stacked_name).is_some();
        let mut changes: Vec<Change> = old.deactivate.iter().rev().cloned().map(Change::Source).collect();
        changes.push(export("PATH", self.path_replacing(&prefix, below.as_deref().filter(|_| !stacked))));
        for name in old.variables.keys() {
            let saved = format!("__CONDA_SHLVL_{}_{name}", level - 1);
            match self.vars.os(&saved) {
                Some(value) => {
                    changes.push(Change::Unset(saved));
                    changes.push(export(name, value));
                }
                None => changes.push(Change::Unset(name.clone())),
            }
        }
        let Some(below) = below else {
            changes.extend(
                ["CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_PROMPT_MODIFIER"]
                    .map(|name| Change::Unset(name.to_owned())),
            );
            changes.push(export("CONDA_SHLVL", "0"));
            changes.extend(self.prompt(""));
            return changes;
        };
        changes.push(Change::Unset(format!("CONDA_PREFIX_{}", level - 1)));
        if stacked {
            changes.push(Change::Unset(stacked_name));
        }
        let below = (self.read)(&below);
        changes.extend(below.variables.iter().map(|(name, value)| export(name, value)));
        changes.extend(self.identity(&below, level - 1));
        if !stacked {
            changes.extend(below.activate.into_iter().map(Change::Source));
        }
        changes
    }

    /// Changes that bring the active environment up to date after packages changed; none if nothing is active.
    pub fn reactivate(&self) -> Vec<Change> {
        let level = self.level();
        let Some(prefix) = self.vars.path("CONDA_PREFIX").filter(|_| level > 0) else {
            return Vec::new();
        };
        let now = (self.read)(&prefix);
        let mut changes: Vec<Change> = now.deactivate.iter().rev().cloned().map(Change::Source).collect();
        changes.push(export("PATH", self.path_replacing(&prefix, Some(&prefix))));
        changes.extend(now.variables.iter().map(|(name, value)| export(name, value)));
        changes.extend(self.identity(&now, level));
        changes.extend(now.activate.into_iter().map(Change::Source));
        changes
    }

    /// The variables that name the active environment.
    fn identity(&self, environment: &Environment, level: u32) -> Vec<Change> {
        let modifier = if self.config.changeps1 {
            let name =
                environment.prefix.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            self.config
                .env_prompt
                .replace("{default_env}", &environment.display)
                .replace("{name}", &name)
                .replace("{prefix}", &environment.prefix.to_string_lossy())
        } else {
            String::new()
        };
        let mut changes = vec![
            export("CONDA_PREFIX", &environment.prefix),
            export("CONDA_SHLVL", level.to_string()),
            export("CONDA_DEFAULT_ENV", &environment.display),
            export("CONDA_PROMPT_MODIFIER", &modifier),
            export("CONDA_EXE", &self.config.exe),
        ];
        changes.extend(self.prompt(&modifier));
        changes
    }

    /// The prompt with the old modifier taken out and `modifier` put in front; nothing where there is no prompt, as in
    /// a job.
    fn prompt(&self, modifier: &str) -> Option<Change> {
        let prompt = self.vars.text("PS1").filter(|_| self.config.changeps1)?;
        let bare = match self.vars.text("CONDA_PROMPT_MODIFIER") {
            Some(old) => prompt.replacen(&old, "", 1),
            None => prompt,
        };
        Some(Change::Set("PS1".to_owned(), format!("{modifier}{bare}").into()))
    }

    fn path_entries(&self) -> Vec<PathBuf> {
        let path = self.vars.os("PATH").unwrap_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"));
        std::env::split_paths(path).collect()
    }

    fn path_with(&self, prefix: &Path, first: bool) -> OsString {
        let mut entries = self.path_entries();
        let condabin = self.config.root.join("condabin");
        if first && condabin.is_dir() && !entries.contains(&condabin) {
            entries.insert(0, condabin);
        }
        entries.insert(0, prefix.join("bin"));
        join(entries)
    }

    /// `PATH` with the folder of `old` replaced by that of `new`, or taken out. When `old` is not there, `new` comes
    /// first.
    fn path_replacing(&self, old: &Path, new: Option<&Path>) -> OsString {
        let mut entries = self.path_entries();
        let at = entries.iter().position(|entry| *entry == old.join("bin"));
        if let Some(at) = at {
            entries.remove(at);
        }
        if let Some(new) = new {
            entries.insert(at.unwrap_or(0), new.join("bin"));
        }
        join(entries)
    }
}

fn export(name: &str, value: impl AsRef<OsStr>) -> Change {
    Change::Export(name.to_owned(), value.as_ref().to_owned())
}

/// Joins at colons without judging: an entry that holds a colon would have been two entries before.
fn join(entries: Vec<PathBuf>) -> OsString {
    entries.iter().map(|entry| entry.as_os_str()).collect::<Vec<_>>().join(OsStr::new(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(prefix: &Path) -> Environment {
        let name = prefix.file_name().unwrap().to_str().unwrap().to_owned();
        Environment {
            prefix: prefix.to_owned(),
            activate: vec![prefix.join("on.sh")],
            deactivate: vec![prefix.join("off.sh")],
            variables: BTreeMap::from([("COMMON".to_owned(), format!("of {name}"))]),
            display: name,
        }
    }

    fn config() -> Config {
        let vars =
            Vars::from([("HOME", "/nonexistent/h"), ("CONDA_ROOT", "/nonexistent/r"), ("CONDA_EXE", "/c")]);
        Config::load(&vars, Path::new("/x"), Path::new("/")).unwrap()
    }

    /// Applies changes to a set of variables as a shell would, and returns the scripts that ran.
    fn apply(vars: &mut BTreeMap<String, OsString>, changes: Vec<Change>) -> Vec<String> {
        let mut ran = Vec::new();
        for change in changes {
            match change {
                Change::Export(name, value) | Change::Set(name, value) => drop(vars.insert(name, value)),
                Change::Unset(name) => drop(vars.remove(&name)),
                Change::Source(path) => ran.push(path.display().to_string()),
            }
        }
        ran
    }

    fn step(state: &mut BTreeMap<String, OsString>, what: impl Fn(&Shell<'_>) -> Vec<Change>) -> Vec<String> {
        let config = config();
        let pairs: Vec<(String, OsString)> = state.clone().into_iter().collect();
        let vars = pairs.into_iter().collect::<Vars>();
        let shell = Shell { vars: &vars, config: &config, read: &read };
        let changes = what(&shell);
        apply(state, changes)
    }

    fn start() -> BTreeMap<String, OsString> {
        [("PATH", "/usr/bin:/bin"), ("PS1", "$ "), ("COMMON", "mine"), ("CONDA_SHLVL", "0")]
            .map(|(name, value)| (name.to_owned(), value.into()))
            .into()
    }

    #[test]
    fn deactivating_as_often_as_activating_restores_everything() {
        for stack in [false, true] {
            let mut state = start();
            state.insert("CONDA_EXE".into(), "/c".into());
            let before = state.clone();
            assert_eq!(step(&mut state, |s| s.activate(Path::new("/e/one"), false)), ["/e/one/on.sh"]);
            assert_eq!(state["PATH"], "/e/one/bin:/usr/bin:/bin");
            assert_eq!(state["PS1"], "(one) $ ");
            assert_eq!(state["COMMON"], "of one");
            let one = state.clone();
            step(&mut state, |s| s.activate(Path::new("/e/two"), stack));
            let path = if stack { "/e/two/bin:/e/one/bin:/usr/bin:/bin" } else { "/e/two/bin:/usr/bin:/bin" };
            assert_eq!(state["PATH"], path);
            assert_eq!(state["PS1"], "(two) $ ");
            assert_eq!(state["CONDA_PREFIX_1"], "/e/one");
            assert_eq!(state["CONDA_SHLVL"], "2");
            step(&mut state, |s| s.deactivate());
            assert_eq!(state, one);
            assert_eq!(step(&mut state, |s| s.deactivate()), ["/e/one/off.sh"]);
            assert_eq!(state, before);
            assert!(step(&mut state, |s| s.deactivate()).is_empty());
            assert_eq!(state, before);
        }
    }

    #[test]
    fn activating_the_active_one_or_the_one_below_grows_no_stack() {
        let mut state = start();
        step(&mut state, |s| s.activate(Path::new("/e/one"), false));
        let one = state.clone();
        assert_eq!(
            step(&mut state, |s| s.activate(Path::new("/e/one"), false)),
            ["/e/one/off.sh", "/e/one/on.sh"]
        );
        assert_eq!(state, one);
        step(&mut state, |s| s.activate(Path::new("/e/two"), false));
        step(&mut state, |s| s.activate(Path::new("/e/one"), false));
        assert_eq!(state["CONDA_SHLVL"], "1");
    }

    #[test]
    fn without_a_prompt_none_is_made() {
        let mut state = start();
        state.remove("PS1");
        step(&mut state, |s| s.activate(Path::new("/e/one"), false));
        assert!(!state.contains_key("PS1"));
        assert_eq!(state["CONDA_PROMPT_MODIFIER"], "(one) ");
    }

    #[test]
    fn what_modules_put_in_front_of_path_stays_there() {
        let mut state = start();
        step(&mut state, |s| s.activate(Path::new("/e/one"), false));
        state.insert("PATH".into(), "/module/bin:/e/one/bin:/usr/bin".into());
        step(&mut state, |s| s.activate(Path::new("/e/two"), false));
        assert_eq!(state["PATH"], "/module/bin:/e/two/bin:/usr/bin");
    }
}
