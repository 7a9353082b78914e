//! A copy of the process environment that can be changed, compared and put back.

use std::collections::BTreeMap;
use std::rc::Rc;

/// Environment variables by name. Values are bytes, because a path need not be UTF-8. Variables whose *name* is not
/// UTF-8 are left out: no modulefile can speak of them, and what is left out is never changed.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    initial: Rc<BTreeMap<String, Vec<u8>>>,
    current: BTreeMap<String, Vec<u8>>,
}

impl Environment {
    /// The environment that `variables` describe, without changes.
    pub fn new(variables: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let current: BTreeMap<_, _> = variables.into_iter().collect();
        Self { initial: Rc::new(current.clone()), current }
    }

    /// The environment of this process.
    pub fn of_process() -> Self {
        use std::os::unix::ffi::OsStringExt;
        Self::new(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_vec()))),
        )
    }

    /// The value of `name`, as bytes.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.current.get(name).map(Vec::as_slice)
    }

    /// The value of `name` as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// Sets `name`.
    pub fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.current.insert(name.to_owned(), value.into());
    }

    /// Removes `name`.
    pub fn unset(&mut self, name: &str) {
        self.current.remove(name);
    }

    /// Sets `name`, or removes it when there is no value.
    pub fn put(&mut self, name: &str, value: Option<Vec<u8>>) {
        match value {
            Some(value) => self.set(name, value),
            None => self.unset(name),
        }
    }

    /// What differs from the start, in order of name: the new value, or `None` where the variable went away.
    pub fn changes(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        let changed = self
            .current
            .iter()
            .filter(|(name, value)| self.initial.get(*name) != Some(*value))
            .map(|(name, value)| (name.as_str(), Some(value.as_slice())));
        let gone = self
            .initial
            .keys()
            .filter(|name| !self.current.contains_key(*name))
            .map(|name| (name.as_str(), None));
        changed.chain(gone)
    }

    /// All variables as they are now.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.current.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }
}
