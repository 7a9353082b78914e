//! What a session remembers of its loaded modules, and how that travels in the environment.
//!
//! LOADEDMODULES and _LMFILES_ say which modules are loaded; other programs read them too. What they cannot hold
//! (who asked for a module, references, values to bring back) is in [`VARIABLE`], as `1:` and JSON. Where that is
//! absent, damaged, of another version or disagrees with the lists, the lists win.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::encoding;
use crate::environment::Environment;
use crate::pathlist::{Counts, End};
use crate::tree::split_name;

/// The one state variable of our own.
pub const VARIABLE: &str = "__BIVOUAC_MODULES";
const VERSION_PREFIX: &str = "1:";

/// Linux takes at most 128 KiB for one variable; past that no program starts any more. Above this size the records
/// for undoing are left out: they serve only when a modulefile has vanished.
const SIZE_WITH_UNDO: usize = 48 << 10;
const SIZE_LIMIT: usize = 96 << 10;

/// One effect of a module, as much as undoing needs when its file has vanished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Undo {
    /// A variable that was set.
    #[serde(rename = "e")]
    Variable(String),
    /// A variable with an earlier value to bring back.
    #[serde(rename = "v")]
    Pushed(String),
    /// Elements put in front of a list: variable, elements, delimiter.
    #[serde(rename = "p")]
    Front(String, Encoded, Encoded),
    /// Elements put behind a list.
    #[serde(rename = "q")]
    Back(String, Encoded, Encoded),
    /// An alias.
    #[serde(rename = "a")]
    Alias(String),
    /// A shell function.
    #[serde(rename = "f")]
    Function(String),
    /// Modules that it loaded.
    #[serde(rename = "l")]
    Modules(Vec<String>),
}

impl Undo {
    /// The record of elements put at `end`.
    pub fn path(end: End, name: &str, value: &[u8], delimiter: &[u8]) -> Self {
        let (name, value, delimiter) =
            (name.to_owned(), Encoded(value.to_owned()), Encoded(delimiter.to_owned()));
        match end {
            End::Front => Undo::Front(name, value, delimiter),
            End::Back => Undo::Back(name, value, delimiter),
        }
    }
}

/// Bytes spelled by the encoding of this crate in the state variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encoded(#[serde(with = "encoding")] pub Vec<u8>);

/// A loaded module.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Loaded {
    /// `NAME/VERSION` or `NAME`.
    #[serde(rename = "n")]
    pub full_name: String,
    /// Its modulefile; kept in _LMFILES_.
    #[serde(skip)]
    pub file: PathBuf,
    /// The name as it was asked for, where it differs.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// Loaded only because others depend on it: goes with the last of them.
    #[serde(rename = "d", default, skip_serializing_if = "std::ops::Not::not")]
    pub only_dependency: bool,
    /// Stays when modules are purged.
    #[serde(rename = "s", default, skip_serializing_if = "std::ops::Not::not")]
    pub sticky: bool,
    /// Left out by listings of what is available.
    #[serde(rename = "h", default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// Families of which it is the member.
    #[serde(rename = "f", default, skip_serializing_if = "Vec::is_empty")]
    pub families: Vec<String>,
    /// What it depends on, as its file names it.
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub depends: Vec<String>,
    /// How to undo it without its file.
    #[serde(rename = "x", default, skip_serializing_if = "Vec::is_empty")]
    pub undo: Vec<Undo>,
}

impl Loaded {
    /// The name without version.
    pub fn name(&self) -> &str {
        split_name(&self.full_name).0
    }

    /// Whether `asked` means this module: its name, its full name, or the beginning of its version up to a dot.
    pub fn answers_to(&self, asked: &str) -> bool {
        let asked = asked.trim_end_matches('/');
        if asked == self.full_name || asked == self.name() {
            return true;
        }
        self.full_name
            .strip_prefix(asked)
            .is_some_and(|tail| asked.len() > self.name().len() + 1 && tail.starts_with(['.', '-', '_']))
    }
}

/// The loaded modules in the order of loading, and what was counted and put aside for them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Loaded modules.
    #[serde(rename = "m")]
    pub modules: Vec<Loaded>,
    /// References of list elements, by variable.
    #[serde(rename = "c", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<String, Counts>,
    /// Values of `pushenv`, by variable, oldest first: the first is the value before all modules.
    #[serde(rename = "p", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stacks: BTreeMap<String, Vec<Option<Encoded>>>,
    /// Names of modules that will be loaded when MODULEPATH has them again.
    #[serde(rename = "i", default, skip_serializing_if = "Vec::is_empty")]
    pub inactive: Vec<String>,
}

impl State {
    /// The state of the session that `environment` describes, and the positions of modules of which nothing but name
    /// and file is known: their files must be looked into.
    pub fn read(environment: &Environment) -> (Self, Vec<usize>) {
        let stored = environment.get(VARIABLE).and_then(Self::parse).unwrap_or_default();
        let names = colon_list(environment.get("LOADEDMODULES"));
        let files = colon_list(environment.get("_LMFILES_"));
        let mut state = Self { modules: Vec::new(), ..stored.clone() };
        let mut unknown = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let Ok(full_name) = String::from_utf8(name.clone()) else { continue };
            if state.modules.iter().any(|module| module.full_name == full_name) {
                continue;
            }
            let file =
                files.get(index).map(|file| PathBuf::from(OsStr::from_bytes(file))).unwrap_or_default();
            match stored.modules.iter().find(|module| module.full_name == full_name) {
                Some(known) => state.modules.push(Loaded { file, ..known.clone() }),
                None => {
                    unknown.push(state.modules.len());
                    state.modules.push(Loaded { full_name, file, ..Loaded::default() });
                }
            }
        }
        (state, unknown)
    }

    fn parse(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?.strip_prefix(VERSION_PREFIX)?;
        serde_json::from_str(text).ok()
    }

    /// Writes the state into `environment`; variables with nothing to say go away.
    pub fn write(&self, environment: &mut Environment) {
        let names: Vec<&[u8]> = self.modules.iter().map(|module| module.full_name.as_bytes()).collect();
        let files: Vec<Vec<u8>> =
            self.modules.iter().map(|m| m.file.clone().into_os_string().into_vec()).collect();
        let some = |list: Vec<u8>| (!self.modules.is_empty()).then_some(list);
        environment.put("LOADEDMODULES", some(names.join(&b':')));
        environment.put("_LMFILES_", some(files.join(&b':')));
        environment.put(VARIABLE, self.text().map(String::into_bytes));
    }

    fn text(&self) -> Option<String> {
        // References and pushed values belong to loaded modules.
        if self.modules.is_empty() && self.inactive.is_empty() {
            return None;
        }
        let spell =
            |state: &Self| serde_json::to_string(state).map(|json| format!("{VERSION_PREFIX}{json}")).ok();
        let text = spell(self)?;
        if text.len() <= SIZE_WITH_UNDO {
            return Some(text);
        }
        let mut smaller = self.clone();
        smaller.modules.iter_mut().for_each(|module| module.undo.clear());
        spell(&smaller).filter(|text| text.len() <= SIZE_LIMIT)
    }

    /// The loaded module that `asked` means.
    pub fn find(&self, asked: &str) -> Option<&Loaded> {
        self.modules.iter().find(|module| module.answers_to(asked))
    }

    /// The loaded modules that depend on `module`.
    pub fn dependents<'a>(&'a self, module: &'a Loaded) -> impl Iterator<Item = &'a Loaded> {
        let on_it = |other: &&Loaded| other.depends.iter().any(|name| module.answers_to(name));
        self.modules.iter().filter(on_it)
    }

    /// What loaded modules depend on but is not loaded: its name and who requires it.
    pub fn missing_dependencies(&self) -> Vec<(&str, &str)> {
        let wants = self
            .modules
            .iter()
            .flat_map(|m| m.depends.iter().map(|name| (name.as_str(), m.full_name.as_str())));
        wants.filter(|(name, _)| self.find(name).is_none()).collect()
    }
}

fn colon_list(value: Option<&[u8]>) -> Vec<Vec<u8>> {
    let value = value.unwrap_or_default();
    value.split(|byte| *byte == b':').filter(|item| !item.is_empty()).map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())))
    }

    fn sample() -> State {
        State {
            modules: vec![
                Loaded {
                    full_name: "gcc/9.1".into(),
                    file: "/m/gcc/9.1.lua".into(),
                    sticky: true,
                    ..Loaded::default()
                },
                Loaded {
                    full_name: "dep/1".into(),
                    file: "/m/dep/1.lua".into(),
                    depends: vec!["gcc".into()],
                    undo: vec![
                        Undo::path(End::Front, "PATH", b"/x\n'\xff", b":"),
                        Undo::Variable("A".into()),
                    ],
                    ..Loaded::default()
                },
            ],
            counts: [("PATH".to_owned(), [("/x".to_owned(), 2)].into())].into(),
            stacks: [("V".to_owned(), vec![None, Some(Encoded(b"a b".to_vec()))])].into(),
            inactive: vec!["mpi".into()],
        }
    }

    #[test]
    fn written_state_is_read_back() {
        let mut environment = environment(&[]);
        sample().write(&mut environment);
        assert_eq!(environment.text("LOADEDMODULES").unwrap(), "gcc/9.1:dep/1");
        assert_eq!(State::read(&environment), (sample(), vec![]));
        State::default().write(&mut environment);
        assert_eq!(environment.changes().count(), 0);
    }

    #[test]
    fn lists_win_over_a_state_that_is_absent_stale_or_garbage() {
        for value in ["", "1:{}", "2:{\"m\":[]}", "1:{\"m\":[{\"n\":\"old/1\"}]}", "\u{1}garbage"] {
            let environment =
                environment(&[("LOADEDMODULES", "a/1:b"), ("_LMFILES_", "/m/a/1.lua"), (VARIABLE, value)]);
            let (state, unknown) = State::read(&environment);
            let names: Vec<&str> = state.modules.iter().map(|m| m.full_name.as_str()).collect();
            assert_eq!((names, unknown), (vec!["a/1", "b"], vec![0, 1]), "{value}");
        }
    }

    #[test]
    fn a_large_state_stays_below_what_one_variable_may_hold() {
        let undo = vec![Undo::Variable("V".repeat(1000)); 2];
        let module = |i| Loaded { full_name: format!("m{i}/1"), undo: undo.clone(), ..Loaded::default() };
        let state = State { modules: (0..200).map(module).collect(), ..State::default() };
        let mut environment = environment(&[]);
        state.write(&mut environment);
        assert!(environment.get(VARIABLE).unwrap().len() < SIZE_LIMIT);
        assert_eq!(State::read(&environment).1, Vec::<usize>::new());
    }

    #[test]
    fn a_module_answers_to_its_name_and_the_beginning_of_its_version() {
        let module = Loaded { full_name: "gcc/9.1.0".into(), ..Loaded::default() };
        for asked in ["gcc", "gcc/", "gcc/9", "gcc/9.1", "gcc/9.1.0"] {
            assert!(module.answers_to(asked), "{asked}");
        }
        for asked in ["gc", "gcc/9.1.", "gcc/1", "gcc/9.10"] {
            assert!(!module.answers_to(asked), "{asked}");
        }
    }

    proptest! {
        #[test]
        fn read_takes_any_bytes(state in proptest::collection::vec(any::<u8>(), 0..60), names in ".{0,20}", tail in ".{0,40}") {
            let environment = Environment::new([
                (VARIABLE.to_owned(), state),
                ("LOADEDMODULES".to_owned(), names.into_bytes()),
                ("_LMFILES_".to_owned(), tail.clone().into_bytes()),
            ]);
            let _ = State::read(&environment);
            let _ = State::parse(format!("1:{{\"m\":{tail}").as_bytes());
        }
    }
}
