//! A line that describes something of its own (`NodeName=`, `PartitionName=`, ...): its values by key, after the
//! `DEFAULT` lines above it.

use crate::Build;
use crate::keys::{self, Key, Kind, Standing};
use crate::lines::{Line, Place};
use crate::values;
use std::collections::BTreeMap;

/// Other names of keys. Where both are given, the first name's value counts, as in Slurm.
const ALIASES: [(&str, &str); 3] = [("Features", "Feature"), ("Procs", "CPUs"), ("Shared", "OverSubscribe")];

/// The values of a line by the table's spelling of the key.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub place: Place,
    pub values: BTreeMap<&'static str, String>,
}

impl Entry {
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// A value that is read by `read`; one that is not is a problem.
    pub fn read<T>(
        &self,
        build: &mut Build,
        key: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(key)?;
        let found = read(value);
        if found.is_none() {
            build.problem(&self.place, format!("{key} value \"{value}\" is not valid"));
        }
        found
    }

    /// A whole number.
    pub fn count<T: std::str::FromStr>(&self, build: &mut Build, key: &'static str) -> Option<T> {
        let value = self.get(key)?;
        let found = value.parse().ok();
        if found.is_none() {
            build.problem(&self.place, format!("{key} value \"{value}\" is not a valid number"));
        }
        found
    }

    /// YES or NO, which it is where nothing is said.
    pub fn yes(&self, build: &mut Build, key: &'static str) -> bool {
        self.read(build, key, values::boolean).unwrap_or(false)
    }
}

impl Build {
    /// The pairs of a line of which `keys` are the possible ones. A refused key with its default's value is none.
    pub(crate) fn entry(&mut self, line: &Line, keys: &'static [Key]) -> Entry {
        let mut found = BTreeMap::new();
        for pair in &line.pairs {
            let Some(key) = keys::find(keys, &pair.key) else {
                self.problem(&line.place, format!("Parsing error at unrecognized key: {}", pair.key));
                continue;
            };
            match key.standing {
                Standing::Refused(advice) if !is_default(key, &pair.value) => {
                    let text = format!("{}={} is not available here: {advice}", key.name, pair.value);
                    self.problem(&line.place, text);
                }
                Standing::Listed(why) => {
                    let text = format!("{}={} changes nothing here: {why}", key.name, pair.value);
                    self.listed.push(crate::Diagnostic { place: line.place.clone(), text });
                    found.insert(key.name, pair.value.clone());
                }
                _ => {
                    // Of a key that is given twice in a line the last counts, as in Slurm.
                    found.insert(key.name, pair.value.clone());
                }
            }
        }
        for (alias, name) in ALIASES {
            if let Some(value) = found.remove(alias) {
                found.entry(name).or_insert(value);
            }
        }
        Entry { place: line.place.clone(), values: found }
    }
}

fn is_default(key: &Key, value: &str) -> bool {
    if matches!(key.kind, Kind::YesNo) {
        return values::boolean(value) == values::boolean(key.default);
    }
    value.eq_ignore_ascii_case(key.default)
}

/// `DEFAULT` lines add to each other; a line's own values stand above them.
#[derive(Debug, Default)]
pub(crate) struct Defaults(BTreeMap<&'static str, String>);

impl Defaults {
    /// Takes up a `DEFAULT` line.
    pub fn add(&mut self, entry: Entry, name: &str) {
        self.0.extend(entry.values.into_iter().filter(|(key, _)| *key != name));
    }

    /// The line with what it leaves open filled in.
    pub fn under(&self, mut entry: Entry) -> Entry {
        for (key, value) in &self.0 {
            entry.values.entry(key).or_insert_with(|| value.clone());
        }
        entry
    }
}
