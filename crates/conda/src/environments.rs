//! Which environments there are: names, prefixes, and `~/.conda/environments.txt`.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::error::{CondaError, Result};
use crate::vars::absolute;

/// Whether a conda environment lies at `prefix`.
pub fn is_environment(prefix: &Path) -> bool {
    prefix.join("conda-meta").is_dir()
}

/// Checks a name for a new environment.
///
/// # Errors
/// Characters that conda refuses, and a leading dot (those folders are this program's own).
pub fn check_name(name: &str) -> Result<()> {
    if let Some(bad) = name.chars().find(|c| matches!(c, '/' | ' ' | ':' | '#' | '\0' | '\n')) {
        return Err(CondaError::value(format!(
            "Invalid environment name: {name:?}\n  Characters not allowed: '/', ' ', ':', '#' (here: {bad:?}). \
             For a place use -p PATH."
        )));
    }
    if name.is_empty() || name.starts_with('.') {
        return Err(CondaError::value(format!(
            "Invalid environment name: {name:?}\n  A name is not empty and does not begin with a dot."
        )));
    }
    Ok(())
}

/// The prefix of the environment `name`: where it lies, else where it would be created.
pub fn prefix_of_name(config: &Config, name: &str) -> Result<PathBuf> {
    if name == "base" || name == "root" {
        return Ok(config.root.clone());
    }
    check_name(name)?;
    let found = config.envs_dirs.iter().map(|dir| dir.join(name)).find(|prefix| is_environment(prefix));
    if let Some(prefix) = found {
        return Ok(prefix);
    }
    let dir = config.envs_dirs.iter().find(|dir| crate::config::writable(dir)).ok_or_else(|| {
        CondaError::new(
            "NoWritableEnvsDirError",
            format!(
                "No writeable envs directories configured.{}",
                config.envs_dirs.iter().map(|dir| format!("\n  - {}", dir.display())).collect::<String>()
            ),
        )
    })?;
    Ok(dir.join(name))
}

/// The prefix that `-n NAME` or `-p PATH` mean, `None` when neither is given.
///
/// # Errors
/// Both given, or a bad name.
pub fn prefix_of(
    config: &Config,
    name: Option<&str>,
    prefix: Option<&str>,
    cwd: &Path,
) -> Result<Option<PathBuf>> {
    match (name, prefix) {
        (Some(_), Some(_)) => {
            Err(CondaError::usage("argument -p/--prefix: not allowed with argument -n/--name"))
        }
        (Some(name), None) => prefix_of_name(config, name).map(Some),
        (None, Some(path)) => Ok(Some(absolute(&cwd.join(path)))),
        (None, None) => Ok(None),
    }
}

/// The prefix that the word after `conda activate` means: a path if it holds a `/`, else a name.
///
/// # Errors
/// No environment there.
pub fn prefix_of_word(config: &Config, word: &str, cwd: &Path) -> Result<PathBuf> {
    if word.contains('/') || word == "." || word == ".." {
        return Ok(absolute(&cwd.join(word)));
    }
    prefix_of_name(config, word).map_err(|_| CondaError::no_environment_named(word))
}

/// The name that `conda env list` and the prompt show: `base`, the folder's name below an envs folder, else `None`.
pub fn name_of(config: &Config, prefix: &Path) -> Option<String> {
    if prefix == config.root {
        return Some("base".to_owned());
    }
    let parent = prefix.parent()?;
    let named = config.envs_dirs.iter().any(|dir| dir == parent);
    named.then(|| prefix.file_name().map(|name| name.to_string_lossy().into_owned())).flatten()
}

/// All known environments: base first, then those in the envs folders and in `environments.txt`, sorted by path.
pub fn all(config: &Config) -> Vec<PathBuf> {
    let mut prefixes = BTreeSet::new();
    for dir in &config.envs_dirs {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let prefix = entry.path();
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if !hidden && is_environment(&prefix) {
                prefixes.insert(prefix);
            }
        }
    }
    prefixes.extend(registered(config).into_iter().filter(|prefix| is_environment(prefix)));
    prefixes.remove(&config.root);
    std::iter::once(config.root.clone()).chain(prefixes).collect()
}

fn registry(config: &Config) -> Option<PathBuf> {
    config.user_dir.as_ref().map(|dir| dir.join("environments.txt"))
}

fn registered(config: &Config) -> Vec<PathBuf> {
    let text = registry(config).and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(PathBuf::from)
        .collect()
}

/// Appends the prefix to `environments.txt` unless it is there. Failure is told, not fatal: the file is a convenience.
pub fn register(config: &Config, prefix: &Path) {
    let Some(file) = registry(config) else { return };
    if registered(config).iter().any(|known| known == prefix) {
        return;
    }
    let append = || -> std::io::Result<()> {
        if let Some(dir) = file.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let mut out = std::fs::OpenOptions::new().create(true).append(true).open(&file)?;
        out.write_all(format!("{}\n", prefix.display()).as_bytes())
    };
    if let Err(error) = append() {
        eprintln!("WARNING: unable to register the environment in {}: {error}", file.display());
    }
}

/// Drops the prefix from `environments.txt`, and what is gone with it.
pub fn unregister(config: &Config, prefix: &Path) {
    let Some(file) = registry(config).filter(|file| file.exists()) else { return };
    let kept: String = registered(config)
        .into_iter()
        .filter(|known| known != prefix && is_environment(known))
        .map(|known| format!("{}\n", known.display()))
        .collect();
    let aside = file.with_extension(format!("txt.{}", std::process::id()));
    let replace = || -> std::io::Result<()> {
        std::fs::write(&aside, kept)?;
        std::fs::rename(&aside, &file)
    };
    if let Err(error) = replace() {
        let _ = std::fs::remove_file(&aside);
        eprintln!("WARNING: unable to update {}: {error}", file.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vars::Vars;

    fn config(home: &Path) -> Config {
        let home_text = home.to_str().unwrap();
        let root = format!("{home_text}/conda");
        let vars = Vars::from([("HOME", home_text), ("CONDA_ROOT", root.as_str())]);
        Config::load(&vars, Path::new("/x/conda"), home).unwrap()
    }

    #[test]
    fn names_words_and_paths_find_their_prefix() {
        let home = tempfile::tempdir().unwrap();
        let config = config(home.path());
        let env = config.root.join("envs/e");
        std::fs::create_dir_all(env.join("conda-meta")).unwrap();
        assert_eq!(prefix_of_name(&config, "e").unwrap(), env);
        assert_eq!(prefix_of_name(&config, "base").unwrap(), config.root);
        assert_eq!(
            prefix_of(&config, None, Some("./x/../y"), Path::new("/c")).unwrap().unwrap(),
            Path::new("/c/y")
        );
        assert_eq!(prefix_of(&config, Some("e"), Some("y"), Path::new("/c")).unwrap_err().exit, 2);
        assert_eq!(name_of(&config, &env).as_deref(), Some("e"));
        assert_eq!(name_of(&config, Path::new("/elsewhere/e")), None);
        for bad in ["a/b", "a b", "", ".trash", "x:y", "a#"] {
            assert_eq!(check_name(bad).unwrap_err().name, "CondaValueError", "{bad:?}");
        }
    }

    #[test]
    fn the_registry_holds_each_prefix_once_and_forgets_removed_ones() {
        let home = tempfile::tempdir().unwrap();
        let config = config(home.path());
        let (a, b) = (home.path().join("a"), home.path().join("b"));
        for prefix in [&a, &b] {
            std::fs::create_dir_all(prefix.join("conda-meta")).unwrap();
            register(&config, prefix);
            register(&config, prefix);
        }
        assert_eq!(registered(&config), [a.clone(), b.clone()]);
        assert_eq!(all(&config), [config.root.clone(), a.clone(), b.clone()]);
        unregister(&config, &a);
        assert_eq!(registered(&config), [b]);
    }
}
