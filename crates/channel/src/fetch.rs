//! Gets the pinned wheels: from the folder of earlier downloads, else through pip.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{At, Error};
use crate::interpreter::Interpreter;
use crate::recipe::{Pin, pins};
use crate::requirement::normalized;

/// The wheels for an interpreter, in the order of the pins. `folder` keeps them for later builds; wheels may be put into it
/// by hand.
///
/// # Errors
/// [`Error::NoPip`], [`Error::Download`], or the folder cannot be written.
pub fn wheels(interpreter: &Interpreter, folder: &Path) -> Result<Vec<PathBuf>, Error> {
    std::fs::create_dir_all(folder).at("cannot make the folder", folder)?;
    let minor = interpreter.version.minor;
    let missing: Vec<Pin> = pins(minor).filter(|pin| find(folder, *pin, minor).is_none()).collect();
    if !missing.is_empty() {
        download(interpreter, &missing, folder)?;
    }
    pins(minor)
        .map(|pin| {
            find(folder, pin, minor).ok_or_else(|| Error::Download {
                missing: vec![format!("{}=={}", pin.name, pin.version)],
                said: "(it ended well, but brought no such wheel)".to_owned(),
                wheels: folder.to_owned(),
            })
        })
        .collect()
}

fn find(folder: &Path, pin: Pin, minor: u8) -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| serves(name, pin, minor)))
        .map(|entry| entry.path())
        .collect();
    found.sort_unstable();
    found.into_iter().next()
}

/// Whether a wheel's file name (`name-version-python-abi-platform.whl`) is that of the pin, for this Python and machine.
fn serves(file: &str, pin: Pin, minor: u8) -> bool {
    let parts: Vec<&str> = file.strip_suffix(".whl").unwrap_or_default().split('-').collect();
    let [name, version, python, _, platform] = parts[..] else { return false };
    let python = python.split('.').any(|tag| tag == "py3" || tag == format!("cp3{minor}"));
    let platform = platform == "any" || platform.ends_with(std::env::consts::ARCH);
    normalized(name) == pin.name && version == pin.version && python && platform
}

fn download(interpreter: &Interpreter, missing: &[Pin], folder: &Path) -> Result<(), Error> {
    let pip = python_with_pip(interpreter)?;
    let missing: Vec<String> = missing.iter().map(|pin| format!("{}=={}", pin.name, pin.version)).collect();
    eprintln!("channel: downloading {} for Python {}", missing.join(" "), interpreter.version.major_minor());
    // Into a folder of its own first, so that a download cut short is never taken for a wheel.
    let fresh = tempfile::Builder::new().prefix(".download-").tempdir_in(folder);
    let fresh = fresh.at("cannot make a folder in", folder)?;
    let output = Command::new(pip)
        .args(["-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input", "--quiet"])
        .args(["--disable-pip-version-check", "--retries", "2"])
        .args(["--python-version", &interpreter.version.major_minor(), "--dest"])
        .arg(fresh.path())
        .args(&missing)
        .stdin(Stdio::null())
        .output()
        .at("cannot run", &interpreter.executable)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = said.lines().collect();
        let said = lines[lines.len().saturating_sub(8)..].join("\n");
        return Err(Error::Download { missing, said, wheels: folder.to_owned() });
    }
    for entry in std::fs::read_dir(fresh.path()).at("cannot read the folder", fresh.path())?.flatten() {
        let target = folder.join(entry.file_name());
        std::fs::rename(entry.path(), &target).at("cannot write", &target)?;
    }
    Ok(())
}

/// A Python whose pip can be asked: the interpreter itself, else one on PATH.
fn python_with_pip(interpreter: &Interpreter) -> Result<PathBuf, Error> {
    let candidates = [interpreter.executable.clone(), "python3".into(), "/usr/bin/python3".into()];
    let has_pip = |python: &PathBuf| {
        let mut ask = Command::new(python);
        ask.args(["-m", "pip", "--version"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        ask.status().is_ok_and(|status| status.success())
    };
    match candidates.iter().find(|python| has_pip(python)) {
        Some(python) => Ok(python.clone()),
        None => Err(Error::NoPip { asked: candidates.into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wheel_is_known_by_its_file_name() {
        let pandas = pins(10).find(|pin| pin.name == "pandas").unwrap();
        let arch = std::env::consts::ARCH;
        let own =
            format!("pandas-{}-cp310-cp310-manylinux_2_24_{arch}.manylinux_2_28_{arch}.whl", pandas.version);
        assert!(serves(&own, pandas, 10));
        assert!(!serves(&own, pandas, 11));
        assert!(!serves(&own.replace(arch, "riscv64"), pandas, 10));
        assert!(!serves(&own.replace(pandas.version, "1.0"), pandas, 10));
        assert!(!serves("pandas.whl", pandas, 10));
        let dateutil = pins(10).find(|pin| pin.name == "python-dateutil").unwrap();
        assert!(serves(&format!("python_dateutil-{}-py2.py3-none-any.whl", dateutil.version), dateutil, 10));
    }
}
