//! `.condarc` files: where they are looked for and how they are merged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_yaml::Value;

use crate::error::{CondaError, Result};
use crate::vars::Vars;

/// The merged content of all files.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Merged {
    /// Key to value; lists hold the entries of later files first.
    pub values: BTreeMap<String, Value>,
    /// The files that were read, earliest first.
    pub files: Vec<PathBuf>,
    /// The last file that set the key.
    pub origin: BTreeMap<String, PathBuf>,
}

/// The places of conda's documentation ("Using the .condarc conda configuration file"), in its order: what comes later
/// wins.
pub fn places(vars: &Vars, root: &Path) -> Vec<PathBuf> {
    let mut places = Vec::new();
    let mut folder = |folder: PathBuf| {
        places.extend([".condarc", "condarc", "condarc.d"].map(|name| folder.join(name)));
    };
    folder(PathBuf::from("/etc/conda"));
    folder(PathBuf::from("/var/lib/conda"));
    folder(root.to_owned());
    if let Some(config) = vars.path("XDG_CONFIG_HOME") {
        folder(config.join("conda"));
    }
    if let Some(home) = vars.home() {
        folder(home.join(".config/conda"));
        folder(home.join(".conda"));
        places.push(home.join(".condarc"));
    }
    if let Some(prefix) = vars.path("CONDA_PREFIX") {
        places.extend([".condarc", "condarc", "condarc.d"].map(|name| prefix.join(name)));
    }
    places.extend(vars.path("CONDARC"));
    let mut seen = std::collections::BTreeSet::new();
    places.reverse();
    places.retain(|place| seen.insert(place.clone()));
    places.reverse();
    places
}

/// Reads and merges the files at `places`; a folder stands for the `.yml` and `.yaml` files in it.
///
/// # Errors
/// A file that cannot be read or holds no YAML mapping.
pub fn read(places: &[PathBuf]) -> Result<Merged> {
    let mut merged = Merged::default();
    for place in places {
        let mut files = vec![place.clone()];
        if place.is_dir() {
            files = std::fs::read_dir(place)
                .map_err(|error| CondaError::io("read", place, &error))?
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| path.extension().is_some_and(|e| e == "yml" || e == "yaml"))
                .collect();
            files.sort();
        }
        for file in files {
            match std::fs::read_to_string(&file) {
                Ok(text) => merge(&mut merged, &file, &text)?,
                Err(error)
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                    ) => {}
                Err(error) => return Err(CondaError::io("read", &file, &error)),
            }
        }
    }
    Ok(merged)
}

/// Merges one file's text over what was read before it.
///
/// # Errors
/// Text that is no YAML mapping; the message names file and place.
pub fn merge(merged: &mut Merged, file: &Path, text: &str) -> Result<()> {
    let bad =
        |what: String| CondaError::new("LoadError", format!("Load Error: in {}: {what}", file.display()));
    let mapping = match serde_yaml::from_str::<Value>(text) {
        Ok(Value::Mapping(mapping)) => mapping,
        Ok(Value::Null) => return Ok(()),
        Ok(_) => return Err(bad("expected lines of the form 'key: value'".into())),
        Err(error) => return Err(bad(format!("Invalid YAML: {error}"))),
    };
    merged.files.push(file.to_owned());
    for (key, value) in mapping {
        let Value::String(key) = key else {
            return Err(bad("a key is not a text".into()));
        };
        // Old spellings that conda still takes.
        let key = match key.as_str() {
            "auto_activate" => "auto_activate_base".to_owned(),
            "copy" => "always_copy".to_owned(),
            "envs_path" => "envs_dirs".to_owned(),
            "pkgs_path" => "pkgs_dirs".to_owned(),
            "yes" => "always_yes".to_owned(),
            _ => key,
        };
        merged.origin.insert(key.clone(), file.to_owned());
        let value = match (merged.values.remove(&key), value) {
            (Some(Value::Sequence(earlier)), Value::Sequence(mut later)) => {
                later.extend(earlier);
                let mut unique: Vec<Value> = Vec::new();
                for entry in later {
                    if !unique.contains(&entry) {
                        unique.push(entry);
                    }
                }
                Value::Sequence(unique)
            }
            (Some(Value::Mapping(mut earlier)), Value::Mapping(later)) => {
                earlier.extend(later);
                Value::Mapping(earlier)
            }
            (Some(earlier), Value::Null) => earlier,
            (_, later) => later,
        };
        merged.values.insert(key, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn merged(texts: &[&str]) -> Merged {
        let mut all = Merged::default();
        for (number, text) in texts.iter().enumerate() {
            merge(&mut all, Path::new(&format!("/{number}")), text).unwrap();
        }
        all
    }

    #[test]
    fn later_scalars_win_and_later_lists_come_first() {
        let all = merged(&[
            "channels: [a, b]\nchannel_priority: strict\ncustom_channels: {x: 'https://one', y: 'https://y'}",
            "channels:\n  - c\n  - a\nchannel_priority: flexible\ncustom_channels: {x: 'https://two'}",
            "channels:\n",
        ]);
        assert_eq!(all.values["channels"], serde_yaml::from_str::<Value>("[c, a, b]").unwrap());
        assert_eq!(all.values["channel_priority"], Value::from("flexible"));
        let custom: Value = serde_yaml::from_str("{x: 'https://two', y: 'https://y'}").unwrap();
        assert_eq!(all.values["custom_channels"], custom);
        assert_eq!(all.origin["channel_priority"], Path::new("/1"));
    }

    #[test]
    fn home_comes_after_the_installation_and_condarc_variable_comes_last() {
        let vars = Vars::from([("HOME", "/home/ann"), ("CONDARC", "/tmp/rc"), ("CONDA_PREFIX", "/envs/e")]);
        let places = places(&vars, Path::new("/opt/conda"));
        let at = |path: &str| places.iter().position(|place| place == Path::new(path)).unwrap();
        assert!(at("/etc/conda/.condarc") < at("/opt/conda/.condarc"));
        assert!(at("/opt/conda/condarc.d") < at("/home/ann/.condarc"));
        assert!(at("/home/ann/.conda/.condarc") < at("/home/ann/.condarc"));
        assert!(at("/home/ann/.condarc") < at("/envs/e/.condarc"));
        assert_eq!(at("/tmp/rc"), places.len() - 1);
    }

    #[test]
    fn a_broken_file_is_named() {
        let error = merge(&mut Merged::default(), Path::new("/h/.condarc"), "channels: [a").unwrap_err();
        assert_eq!(error.name, "LoadError");
        assert!(error.message.contains("/h/.condarc"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_text_panics(text in "\\PC{0,60}") {
            let _ = merge(&mut Merged::default(), Path::new("/x"), &text);
        }
    }
}
