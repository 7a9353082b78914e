//! `environment.yml` and plain lists of specs.

use std::collections::BTreeMap;
use std::path::Path;

use serde_yaml::{Mapping, Value};

use crate::error::{CondaError, Result};

/// What an environment file asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvFile {
    /// `name:`
    pub name: Option<String>,
    /// `prefix:`; conda ignores it unless neither name nor `-p` is given.
    pub prefix: Option<String>,
    /// `channels:`, best first.
    pub channels: Vec<String>,
    /// Package specs as written.
    pub specs: Vec<String>,
    /// Lines of the `pip:` section, `None` without one.
    pub pip: Option<Vec<String>>,
    /// `variables:`
    pub variables: BTreeMap<String, String>,
    /// Top-level keys that mean nothing.
    pub unknown: Vec<String>,
}

/// Reads an environment file; relative paths are shown as they are found below `cwd`.
///
/// # Errors
/// `EnvironmentFileNotFound`, `EnvironmentFileExtensionNotValid`, or what is wrong in the file.
pub fn read(path: &Path) -> Result<EnvFile> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(CondaError::new(
                "EnvironmentFileNotFound",
                format!("'{}' file not found", path.display()),
            ));
        }
        Err(error) => return Err(CondaError::io("read", path, &error)),
    };
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("yml" | "yaml") => parse(&text).map_err(|what| invalid(path, &what)),
        Some("txt") => {
            let specs = spec_list(&text).map_err(|what| invalid(path, &what))?;
            Ok(EnvFile { specs, ..EnvFile::default() })
        }
        _ => Err(CondaError::new(
            "EnvironmentFileExtensionNotValid",
            format!("'{}' file extension must be one of '.txt', '.yaml' or '.yml'", path.display()),
        )),
    }
}

fn invalid(path: &Path, what: &str) -> CondaError {
    CondaError::new("EnvironmentFileInvalid", format!("'{}': {what}", path.display()))
}

/// Parses the YAML form. Errors say what is wrong, without the file's name.
pub fn parse(text: &str) -> std::result::Result<EnvFile, String> {
    let mapping =
        match serde_yaml::from_str::<Value>(text).map_err(|error| format!("invalid YAML: {error}"))? {
            Value::Mapping(mapping) => mapping,
            Value::Null => return Err("the file is empty".into()),
            _ => return Err("expected keys such as 'name:' and 'dependencies:'".into()),
        };
    let mut file = EnvFile::default();
    for (key, value) in mapping {
        match key.as_str() {
            Some("name") => file.name = scalar("name", value)?,
            Some("prefix") => file.prefix = scalar("prefix", value)?,
            Some("channels") => file.channels = list("channels", value)?,
            Some("variables") => file.variables = variables(value)?,
            Some("dependencies") => dependencies(&mut file, value)?,
            Some(other) => file.unknown.push(other.to_owned()),
            None => return Err("a key is not a text".into()),
        }
    }
    Ok(file)
}

/// Specs, one a line, `#` begins a comment.
pub fn spec_list(text: &str) -> std::result::Result<Vec<String>, String> {
    let lines = text.lines().map(|line| line.split(" #").next().unwrap_or_default().trim());
    let specs: Vec<String> =
        lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect();
    if specs.iter().any(|spec| spec == "@EXPLICIT") {
        return Err("lists of explicit package URLs (@EXPLICIT) are not supported yet".into());
    }
    Ok(specs)
}

fn scalar(key: &str, value: Value) -> std::result::Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(flag) => Ok(Some(flag.to_string())),
        _ => Err(format!("'{key}:' holds no text")),
    }
}

fn list(key: &str, value: Value) -> std::result::Result<Vec<String>, String> {
    match value {
        Value::Sequence(entries) => {
            entries.into_iter().filter_map(|entry| scalar(key, entry).transpose()).collect()
        }
        other => Ok(scalar(key, other)?.into_iter().collect()),
    }
}

fn variables(value: Value) -> std::result::Result<BTreeMap<String, String>, String> {
    let mapping = match value {
        Value::Null => Mapping::new(),
        Value::Mapping(mapping) => mapping,
        _ => return Err("'variables:' holds no lines of the form NAME: value".into()),
    };
    let mut variables = BTreeMap::new();
    for (name, value) in mapping {
        let name = scalar("variables", name)?.unwrap_or_default();
        if !crate::meta::is_variable_name(&name) {
            return Err(format!("'variables:': {name:?} is no name of an environment variable"));
        }
        variables.insert(name, scalar("variables", value)?.unwrap_or_default());
    }
    Ok(variables)
}

fn dependencies(file: &mut EnvFile, value: Value) -> std::result::Result<(), String> {
    let entries = match value {
        Value::Null => return Ok(()),
        Value::Sequence(entries) => entries,
        _ => return Err("'dependencies:' is not a list".into()),
    };
    for entry in entries {
        match entry {
            Value::Mapping(sections) => {
                for (name, lines) in sections {
                    match name.as_str() {
                        Some("pip") => file.pip.get_or_insert_default().extend(list("pip", lines)?),
                        Some(other) => {
                            return Err(format!(
                                "'dependencies:' has a section '{other}:'; only 'pip:' is known (a spec is written \
                                 without a colon)"
                            ));
                        }
                        None => return Err("a section under 'dependencies:' has no name".into()),
                    }
                }
            }
            other => file.specs.extend(scalar("dependencies", other)?),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_published_form_is_read() {
        let file = parse(
            "name: demo\nchannels:\n  - defaults\ndependencies:\n  - python=3.10\n  - numpy\n  - pip\n  - pip:\n\
             \x20     - requests==2.0\nvariables:\n  A: 1\n  B: $(id)\nprefix: /x\nauthors: me\n",
        )
        .unwrap();
        assert_eq!(file.name.as_deref(), Some("demo"));
        assert_eq!(file.channels, ["defaults"]);
        assert_eq!(file.specs, ["python=3.10", "numpy", "pip"]);
        assert_eq!(file.pip.as_deref(), Some(&["requests==2.0".to_owned()][..]));
        assert_eq!(file.variables["A"], "1");
        assert_eq!(file.variables["B"], "$(id)");
        assert_eq!(file.unknown, ["authors"]);
    }

    #[test]
    fn loose_forms_are_taken_and_broken_ones_told() {
        let file = parse("channels: conda-forge\ndependencies:\n  - pip:\n").unwrap();
        assert_eq!(file.channels, ["conda-forge"]);
        assert_eq!(file.pip, Some(vec![]));
        assert_eq!(parse("name: x").unwrap().specs, Vec::<String>::new());
        for bad in
            ["", "- a", "dependencies: a", "dependencies: [{npm: [x]}]", "variables: {'a b': 1}", "a: [b"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn spec_lists_lose_their_comments() {
        assert_eq!(spec_list("# head\npython=3.10 # why\n\nnumpy\n").unwrap(), ["python=3.10", "numpy"]);
        assert!(spec_list("@EXPLICIT\nhttps://x").is_err());
    }

    #[test]
    fn missing_files_and_wrong_endings_have_condas_names() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("environment.yml");
        let error = read(&missing).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("EnvironmentFileNotFound: '{}' file not found", missing.display())
        );
        std::fs::write(dir.path().join("e.json"), "{}").unwrap();
        assert_eq!(read(&dir.path().join("e.json")).unwrap_err().name, "EnvironmentFileExtensionNotValid");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn no_text_panics(text in "(name|dependencies|channels|variables|pip| |-|:|\n|\\[|\\{|a|1){0,30}") {
            let _ = parse(&text);
            let _ = spec_list(&text);
        }
    }
}
