//! The offline conda channel: CPython, numpy, pandas and what they need, packaged from what this machine has.
//!
//! Owns: turning a pyenv (or the system's) Python and a pinned list of wheels into `.conda` packages, their
//! `repodata.json`, and the cache in which finished channels lie. It must never know the daemons, the site profiles
//! or the `conda` command: it writes files that any conda client reads, and nothing else.
//!
//! It is a tool of the workshop, used by `cargo xtask channel`, the tests and the demo where public channels cannot
//! be reached; nothing that users install depends on it.
//!
//! Start reading at [`ensure`]; then [`assemble`] (the order of a build), [`recipe`] (what goes in),
//! [`package`] (how a `.conda` file is written).

pub mod assemble;
pub mod cache;
pub mod cpython;
pub mod elf;
pub mod error;
pub mod fetch;
pub mod interpreter;
pub mod marker;
pub mod package;
pub mod prefix;
pub mod recipe;
pub mod repodata;
pub mod requirement;
pub mod wheel;

use std::fmt;
use std::path::{Path, PathBuf};

pub use error::Error;
use interpreter::Interpreter;

/// A finished channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelInfo {
    /// The folder that holds the channel's platform folders (`linux-64`, `noarch`).
    pub dir: PathBuf,
    /// The same as a `file://` URL, as `channels:` of an environment.yml and .condarc take it.
    pub url: String,
    /// The versions of CPython in it, oldest first, such as `3.10.13`.
    pub pythons: Vec<String>,
    /// Whether they came from a pyenv tree; otherwise it is the system's Python under its own version.
    pub from_pyenv: bool,
}

impl ChannelInfo {
    /// Whether the channel can serve `python=MINOR`, such as `3.10`.
    pub fn has_python(&self, minor: &str) -> bool {
        self.pythons.iter().any(|version| {
            version.strip_prefix(minor).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }
}

impl fmt::Display for ChannelInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = if self.from_pyenv { "from pyenv" } else { "the system's own" };
        write!(f, "{} (CPython {}, {origin})", self.url, self.pythons.join(" and "))
    }
}

/// The channel of this recipe and this machine's Python: reused when it was built before, else built (about half a
/// minute; the wheels are downloaded once). Builds are reported on standard error.
///
/// `workspace` is the root of the checkout; the cache is its `.cache` folder, or the folder that `BIVOUAC_CACHE`
/// names. Parallel calls wait for one another; a build that fails or is killed leaves nothing that could pass for a
/// channel.
///
/// # Errors
/// No Python of a version the recipe serves, no pip, no package index in reach, no room; each says what to do.
pub fn ensure(workspace: &Path) -> Result<ChannelInfo, Error> {
    ensure_in(&cache::root(workspace)?, &interpreter::find()?)
}

/// [`ensure`] with a given cache folder and given interpreters.
///
/// # Errors
/// As [`ensure`].
pub fn ensure_in(cache_root: &Path, interpreters: &[Interpreter]) -> Result<ChannelInfo, Error> {
    let key = recipe::key(interpreters);
    cache::get_or_build(cache_root, &key, |dir, wheels| assemble::build(dir, wheels, interpreters))
}

/// The finished channel in a folder, as [`ensure`] made it; None if it is not whole.
pub fn finished(dir: &Path) -> Option<ChannelInfo> {
    cache::whole(dir)
}

/// The channel for a test, or None when the person who runs the tests said that there is none to be had.
///
/// `cargo xtask test` sets [`WITHOUT_CHANNEL`] when neither a cached channel nor a package index is in reach (never in
/// CI); a test that gets None prints that it checks nothing and returns.
///
/// # Panics
/// When the channel cannot be made and nobody said so before: a missing channel must not look like a passed test.
#[allow(clippy::panic)]
pub fn for_tests(workspace: &Path) -> Option<ChannelInfo> {
    if let Some(reason) = std::env::var_os(WITHOUT_CHANNEL) {
        eprintln!("SKIPPED: no offline channel ({})", reason.to_string_lossy());
        return None;
    }
    match ensure(workspace) {
        Ok(info) => Some(info),
        Err(error) => panic!("the offline channel cannot be made: {error}"),
    }
}

/// The variable that lets tests pass without a channel; its value is the reason.
pub const WITHOUT_CHANNEL: &str = "BIVOUAC_TEST_WITHOUT_CHANNEL";
