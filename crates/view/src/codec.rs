//! Bytes of a [`ViewPlan`]: a magic word with the version, then fields in order. Numbers are
//! little-endian `u32`; texts are their length and their bytes. Small on purpose: the keeper stores it
//! beside the launch record and must read it without a serialisation library.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use crate::plan::{Step, ViewPlan};

const MAGIC: &[u8; 4] = b"BVP1";

/// Why bytes are no [`ViewPlan`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes do not start with this version's magic word.
    Magic,
    /// The bytes end too early, or bytes follow the end.
    Length,
    /// A step or flag of an unknown kind, with its number.
    Kind(u8),
    /// A text is not UTF-8.
    Text,
    /// A path is not absolute, or holds `..` or a NUL byte.
    Path(PathBuf),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Magic => write!(f, "not a view plan of this version (BVP1)"),
            DecodeError::Length => write!(f, "view plan is cut short or too long"),
            DecodeError::Kind(n) => write!(f, "view plan holds an unknown kind {n}"),
            DecodeError::Text => write!(f, "view plan holds a text that is not UTF-8"),
            DecodeError::Path(p) => write!(f, "view plan holds a path that is not absolute and plain: {p:?}"),
        }
    }
}

impl std::error::Error for DecodeError {}

impl ViewPlan {
    /// The plan as bytes; [`ViewPlan::decode`] is the inverse for plans with plain absolute paths.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer(MAGIC.to_vec());
        match &self.host_name {
            None => out.0.push(0),
            Some(name) => {
                out.0.push(1);
                out.bytes(name.as_bytes());
            }
        }
        out.number(self.steps.len());
        self.steps.iter().for_each(|step| out.step(step));
        out.0
    }

    /// Reads what [`ViewPlan::encode`] wrote. Any other bytes give an error, never a panic, and never
    /// reserve more memory than the input's own size.
    pub fn decode(bytes: &[u8]) -> Result<ViewPlan, DecodeError> {
        let mut input = Reader(bytes.strip_prefix(MAGIC).ok_or(DecodeError::Magic)?);
        let host_name = if input.flag()? { Some(input.text()?) } else { None };
        let count = input.number()?;
        let mut steps = Vec::new();
        for _ in 0..count {
            steps.push(input.step()?);
        }
        if input.0.is_empty() { Ok(ViewPlan { host_name, steps }) } else { Err(DecodeError::Length) }
    }
}

pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    fn number(&mut self, n: usize) {
        // A plan is some kilobytes; a length beyond u32 cannot be built in practice, and saturating makes
        // the reader refuse it.
        self.0.extend(u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.0.extend(bytes);
    }

    pub(crate) fn path(&mut self, path: &Path) {
        self.bytes(path.as_os_str().as_bytes());
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Backing { path, mode } => {
                self.0.push(1);
                self.path(path);
                self.0.extend(mode.to_le_bytes());
            }
            Step::Host { path, except } => {
                self.0.push(2);
                self.path(path);
                self.number(except.len());
                except.iter().for_each(|name| self.bytes(name.as_bytes()));
            }
            Step::Folder { path } => {
                self.0.push(3);
                self.path(path);
            }
            Step::Link { path, target } => {
                self.0.push(4);
                self.path(path);
                self.path(target);
            }
            Step::File { path, contents } => {
                self.0.push(5);
                self.path(path);
                self.bytes(contents);
            }
            Step::Bind { source, target, optional } => {
                self.0.push(6);
                self.path(source);
                self.path(target);
                self.0.push(u8::from(*optional));
            }
            Step::Extend { path, text } => {
                self.0.push(7);
                self.path(path);
                self.bytes(text);
            }
            Step::Replace { path, contents } => {
                self.0.push(9);
                self.path(path);
                self.bytes(contents);
            }
            Step::Union { path, over, or_links } => {
                self.0.push(8);
                self.path(path);
                self.path(over);
                self.0.push(u8::from(*or_links));
            }
        }
    }
}

pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self.0.split_at_checked(n).ok_or(DecodeError::Length)?;
        self.0 = tail;
        Ok(head)
    }

    fn word(&mut self) -> Result<u32, DecodeError> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn number(&mut self) -> Result<usize, DecodeError> {
        usize::try_from(self.word()?).map_err(|_| DecodeError::Length)
    }

    fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let n = self.number()?;
        self.take(n)
    }

    pub(crate) fn text(&mut self) -> Result<String, DecodeError> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| DecodeError::Text)
    }

    fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.take(1)?[0] {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(DecodeError::Kind(other)),
        }
    }

    fn any_path(&mut self) -> Result<PathBuf, DecodeError> {
        Ok(PathBuf::from(OsString::from_vec(self.bytes()?.to_vec())))
    }

    pub(crate) fn path(&mut self) -> Result<PathBuf, DecodeError> {
        let path = self.any_path()?;
        if is_plain(&path) { Ok(path) } else { Err(DecodeError::Path(path)) }
    }

    fn step(&mut self) -> Result<Step, DecodeError> {
        Ok(match self.take(1)?[0] {
            1 => Step::Backing { path: self.path()?, mode: self.word()? },
            2 => {
                let path = self.path()?;
                let count = self.number()?;
                let mut except = Vec::new();
                for _ in 0..count {
                    except.push(self.text()?);
                }
                Step::Host { path, except }
            }
            3 => Step::Folder { path: self.path()? },
            4 => Step::Link { path: self.path()?, target: self.any_path()? },
            5 => Step::File { path: self.path()?, contents: self.bytes()?.to_vec() },
            6 => Step::Bind { source: self.path()?, target: self.path()?, optional: self.flag()? },
            7 => Step::Extend { path: self.path()?, text: self.bytes()?.to_vec() },
            8 => Step::Union { path: self.path()?, over: self.path()?, or_links: self.flag()? },
            9 => Step::Replace { path: self.path()?, contents: self.bytes()?.to_vec() },
            other => return Err(DecodeError::Kind(other)),
        })
    }
}

/// Absolute, without `..` and NUL: a path that means the same on both sides of the pivot.
pub(crate) fn is_plain(path: &Path) -> bool {
    path.is_absolute()
        && path.components().all(|c| matches!(c, Component::RootDir | Component::Normal(_)))
        && !path.as_os_str().as_bytes().contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path() -> impl Strategy<Value = PathBuf> {
        "(/[a-zA-Z0-9 @_-]{1,8}){1,4}".prop_map(PathBuf::from)
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (path(), any::<u32>()).prop_map(|(path, mode)| Step::Backing { path, mode }),
            (path(), prop::collection::vec(".{0,5}", 0..3))
                .prop_map(|(path, except)| Step::Host { path, except }),
            path().prop_map(|path| Step::Folder { path }),
            (path(), ".{1,9}").prop_map(|(path, t)| Step::Link { path, target: t.into() }),
            (path(), any::<Vec<u8>>()).prop_map(|(path, contents)| Step::File { path, contents }),
            (path(), path(), any::<bool>()).prop_map(|(source, target, optional)| Step::Bind {
                source,
                target,
                optional
            }),
            (path(), any::<Vec<u8>>()).prop_map(|(path, text)| Step::Extend { path, text }),
            (path(), any::<Vec<u8>>()).prop_map(|(path, contents)| Step::Replace { path, contents }),
            (path(), path(), any::<bool>()).prop_map(|(path, over, or_links)| Step::Union {
                path,
                over,
                or_links
            }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn decode_inverts_encode(
            host_name in prop::option::of("[a-z0-9-]{1,12}"),
            steps in prop::collection::vec(step(), 0..6),
        ) {
            let plan = ViewPlan { host_name, steps };
            prop_assert_eq!(ViewPlan::decode(&plan.encode()), Ok(plan));
        }

        #[test]
        fn a_cut_plan_is_refused(steps in prop::collection::vec(step(), 1..4), cut in any::<prop::sample::Index>()) {
            let bytes = ViewPlan { host_name: None, steps }.encode();
            prop_assert!(ViewPlan::decode(&bytes[..cut.index(bytes.len())]).is_err());
        }

        #[test]
        fn garbage_never_panics(bytes in any::<Vec<u8>>()) {
            let _ = ViewPlan::decode(&bytes);
            let _ = ViewPlan::decode(&[MAGIC.as_slice(), &bytes].concat());
        }
    }

    #[test]
    fn paths_that_leave_their_folder_are_refused() {
        for bad in ["relative", "/a/../b", ""] {
            let plan = ViewPlan { host_name: None, steps: vec![Step::Folder { path: bad.into() }] };
            assert_eq!(ViewPlan::decode(&plan.encode()), Err(DecodeError::Path(bad.into())));
        }
    }

    #[test]
    fn a_claimed_length_beyond_the_input_is_refused() {
        let mut bytes = MAGIC.to_vec();
        bytes.push(0);
        bytes.extend(u32::MAX.to_le_bytes());
        assert_eq!(ViewPlan::decode(&bytes), Err(DecodeError::Length));
    }
}
