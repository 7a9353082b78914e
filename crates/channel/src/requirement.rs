//! Turns a wheel's `Requires-Dist` and `Requires-Python` into conda match specs.

use crate::marker::{self, Target};
use crate::recipe::conda_name;

/// A requirement of a wheel, such as `numpy>=1.22.4; python_version < "3.11"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    name: String,
    versions: String,
    marker: Option<String>,
}

impl Requirement {
    /// Reads a `Requires-Dist` value.
    ///
    /// # Errors
    /// What is wrong with it. Requirements by URL and with extras of their own are refused: conda has no word for them.
    pub fn parse(text: &str) -> Result<Requirement, String> {
        let (what, marker) = match text.split_once(';') {
            Some((what, marker)) => (what.trim(), Some(marker.trim().to_owned())),
            None => (text.trim(), None),
        };
        let end = what
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
            .unwrap_or(what.len());
        let (name, versions) = what.split_at(end);
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(format!("{text:?} starts with no name"));
        }
        Ok(Requirement { name: normalized(name), versions: version_spec(versions)?, marker })
    }

    /// The conda match spec, or None where the marker rules the requirement out.
    ///
    /// # Errors
    /// What is wrong with the marker.
    pub fn match_spec(&self, target: Target) -> Result<Option<String>, String> {
        if let Some(marker) = &self.marker
            && !marker::holds(marker, target).map_err(|why| format!("{marker:?}: {why}"))?
        {
            return Ok(None);
        }
        Ok(Some(format!("{} {}", conda_name(&self.name), self.versions).trim_end().to_owned()))
    }
}

/// A version constraint in conda's spelling: `>=2.8.2, !=3.0.*` becomes `>=2.8.2,!=3.0.*`.
///
/// # Errors
/// What is not understood.
pub fn version_spec(text: &str) -> Result<String, String> {
    let text = text.trim();
    let text = text.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(text);
    let mut parts = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let digits = part.trim_start_matches(['<', '>', '=', '!', '~']);
        let (operator, version) = (&part[..part.len() - digits.len()], digits.trim());
        let plain = version.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '*' | '+' | '_'));
        if version.is_empty() || !plain || !["<", "<=", ">", ">=", "==", "!=", "~="].contains(&operator) {
            return Err(format!("{text:?} is no list of version constraints"));
        }
        parts.push(match (operator, version.ends_with(".*")) {
            ("==", true) => version.to_owned(),
            _ => format!("{operator}{version}"),
        });
    }
    Ok(parts.join(","))
}

/// A distribution's normalized name: lower case, runs of `-`, `_` and `.` as one `-`.
pub fn normalized(name: &str) -> String {
    name.to_ascii_lowercase()
        .split(['-', '_', '.'])
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::interpreter::Version;

    const TARGET: Target = Target { python: Version { minor: 10, patch: 13 } };

    fn spec(text: &str) -> Option<String> {
        Requirement::parse(text).unwrap().match_spec(TARGET).unwrap()
    }

    #[test]
    fn requirements_of_real_wheels() {
        for (text, expected) in [
            (r#"numpy>=1.22.4; python_version < "3.11""#, Some("numpy >=1.22.4")),
            (r#"numpy>=1.23.2; python_version == "3.11""#, None),
            ("python_dateutil (>=2.8.2)", Some("python-dateutil >=2.8.2")),
            ("tzdata>=2022.7", Some("python-tzdata >=2022.7")),
            ("six", Some("six")),
            ("six (>=1.5, !=1.7.*, ==1.*)", Some("six >=1.5,!=1.7.*,1.*")),
            (r#"pytest!=8.1.*,>=6; extra == "test""#, None),
        ] {
            assert_eq!(spec(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_conda_has_no_word_for_is_refused() {
        for text in ["", ">=1", "pip @ https://example.org/pip.whl", "jaraco[all]>=1", "six >= ", "six 1.2"] {
            assert!(Requirement::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in r"\PC{0,40}") {
            if let Ok(requirement) = Requirement::parse(&text) {
                let _ = requirement.match_spec(TARGET);
            }
        }
    }
}
