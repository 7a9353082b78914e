//! Finds the CPython to make packages of: a pyenv tree's 3.10 and 3.11, else the system's own.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::UNIX_EPOCH;

use crate::error::Error;
use crate::recipe::{SERVED_MINORS, WANTED_MINORS};

/// A CPython version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The 10 of 3.10.13.
    pub minor: u8,
    /// The 13 of 3.10.13.
    pub patch: u8,
}

impl Version {
    /// Reads `3.MINOR.PATCH`; anything else (pre-releases, Python 2, other implementations) is None.
    pub fn parse(text: &str) -> Option<Version> {
        let mut parts = text.strip_prefix("3.")?.split('.');
        let version = Version { minor: parts.next()?.parse().ok()?, patch: parts.next()?.parse().ok()? };
        parts.next().is_none().then_some(version)
    }

    /// `3.10` of 3.10.13.
    pub fn major_minor(self) -> String {
        format!("3.{}", self.minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "3.{}.{}", self.minor, self.patch)
    }
}

/// Where an interpreter came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A version of a pyenv tree: everything lies under one prefix that is its own.
    Pyenv,
    /// The system's Python, spread over the system's folders.
    System,
}

/// A CPython on this machine.
#[derive(Debug, Clone)]
pub struct Interpreter {
    /// Its version.
    pub version: Version,
    /// Where it came from.
    pub origin: Origin,
    /// The binary, links resolved.
    pub executable: PathBuf,
    /// `sys.prefix`.
    pub prefix: PathBuf,
    /// The folder of the standard library.
    pub stdlib: PathBuf,
}

impl Interpreter {
    /// Tells two builds of one version apart without running them: version, origin, and the binary's size and (for
    /// the system's, which updates in place) time.
    pub fn fingerprint(&self) -> String {
        let binary = std::fs::metadata(&self.executable).ok();
        let size = binary.as_ref().map_or(0, std::fs::Metadata::len);
        let modified = binary
            .filter(|_| self.origin == Origin::System)
            .and_then(|meta| meta.modified().ok()?.duration_since(UNIX_EPOCH).ok())
            .map_or(0, |age| age.as_secs());
        format!("{} {:?} {size} {modified}", self.version, self.origin)
    }
}

/// The interpreters for the channel, oldest first: of the wanted minors, the newest patch in the first pyenv tree that
/// has any; else the system's one.
///
/// # Errors
/// [`Error::NoPython`], naming every place looked at.
pub fn find() -> Result<Vec<Interpreter>, Error> {
    let mut looked = Vec::new();
    for root in pyenv_roots() {
        let versions = root.join("versions");
        let found = in_pyenv(&versions);
        if !found.is_empty() {
            return Ok(found);
        }
        looked.push(versions.display().to_string());
    }
    match system() {
        Ok(interpreter) => Ok(vec![interpreter]),
        Err(tried) => {
            looked.extend(tried);
            Err(Error::NoPython { looked })
        }
    }
}

fn pyenv_roots() -> Vec<PathBuf> {
    let mut roots: Vec<PathBuf> = Vec::new();
    roots.extend(std::env::var_os("PYENV_ROOT").map(PathBuf::from));
    roots.extend(std::env::home_dir().map(|home| home.join(".pyenv")));
    roots.push("/root/.pyenv".into());
    roots.push("/opt/pyenv".into());
    let mut distinct = Vec::new();
    for root in roots {
        if !distinct.contains(&root) {
            distinct.push(root);
        }
    }
    distinct
}

fn in_pyenv(versions: &Path) -> Vec<Interpreter> {
    let Ok(entries) = std::fs::read_dir(versions) else { return Vec::new() };
    let mut newest: BTreeMap<u8, Interpreter> = BTreeMap::new();
    for entry in entries.flatten() {
        let Some(version) = entry.file_name().to_str().and_then(Version::parse) else { continue };
        if !WANTED_MINORS.contains(&version.minor) {
            continue;
        }
        let prefix = entry.path();
        let executable = prefix.join("bin").join(format!("python{}", version.major_minor()));
        let stdlib = prefix.join("lib").join(format!("python{}", version.major_minor()));
        if !executable.is_file() || !stdlib.join("os.py").is_file() {
            continue;
        }
        let better = newest.get(&version.minor).is_none_or(|known| known.version < version);
        if better {
            let interpreter = Interpreter { version, origin: Origin::Pyenv, executable, prefix, stdlib };
            newest.insert(version.minor, interpreter);
        }
    }
    newest.into_values().collect()
}

/// Prints, a line each: version, prefix, binary, standard library.
const DESCRIBE: &str = "import sys, sysconfig
print('.'.join(map(str, sys.version_info[:3])))
print(sys.base_prefix)
print(getattr(sys, '_base_executable', sys.executable))
print(sysconfig.get_path('stdlib', vars={'installed_base': sys.base_prefix}))";

/// The system's Python: the distribution's own first, since `python3` on PATH may be a virtual environment.
///
/// # Errors
/// What was tried and why it does not serve.
pub fn system() -> Result<Interpreter, Vec<String>> {
    let mut tried = Vec::new();
    for candidate in ["/usr/bin/python3", "/usr/local/bin/python3", "python3"] {
        match describe(candidate) {
            Ok(interpreter) if SERVED_MINORS.contains(&interpreter.version.minor) => return Ok(interpreter),
            Ok(interpreter) => tried.push(format!("{candidate} ({})", interpreter.version)),
            Err(why) => tried.push(format!("{candidate} ({why})")),
        }
    }
    Err(tried)
}

fn describe(candidate: &str) -> Result<Interpreter, String> {
    let output = Command::new(candidate)
        .args(["-I", "-c", DESCRIBE])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let [version, prefix, executable, stdlib] = lines[..] else {
        return Err("it does not run".to_owned());
    };
    let version = Version::parse(version).ok_or_else(|| format!("its version is {version}"))?;
    let executable = std::fs::canonicalize(executable).map_err(|error| format!("{executable}: {error}"))?;
    let stdlib = PathBuf::from(stdlib);
    if !stdlib.join("os.py").is_file() {
        return Err(format!("no standard library in {}", stdlib.display()));
    }
    Ok(Interpreter { version, origin: Origin::System, executable, prefix: prefix.into(), stdlib })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_versions_of_python_3_are_read() {
        assert_eq!(Version::parse("3.10.13"), Some(Version { minor: 10, patch: 13 }));
        for other in ["2.7.18", "3.10", "3.13.0rc1", "pypy3.10-7.3.12", "3.10.13.1", "miniconda3-latest", ""]
        {
            assert_eq!(Version::parse(other), None, "{other}");
        }
    }

    #[test]
    fn the_newest_patch_of_each_wanted_minor_is_taken() {
        let root = tempfile::tempdir().unwrap();
        for version in ["3.9.18", "3.10.2", "3.10.13", "3.11.7", "3.12.1", "3.11.9-broken"] {
            let prefix = root.path().join(version);
            let minor = version.rsplit_once('.').unwrap().0;
            std::fs::create_dir_all(prefix.join("bin")).unwrap();
            std::fs::create_dir_all(prefix.join(format!("lib/python{minor}"))).unwrap();
            std::fs::write(prefix.join(format!("bin/python{minor}")), "").unwrap();
            std::fs::write(prefix.join(format!("lib/python{minor}/os.py")), "").unwrap();
        }
        let found: Vec<String> = in_pyenv(root.path()).iter().map(|i| i.version.to_string()).collect();
        assert_eq!(found, ["3.10.13", "3.11.7"]);
    }
}
