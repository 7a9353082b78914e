//! The `pip:` section of an environment file: run by the environment's own pip.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::error::{CondaError, Result};
use crate::progress::Output;
use crate::vars::Vars;

/// A built environment with pip packages stands for a new one this long, in seconds: until then, as with any cache of a
/// registry, a newer release may go unseen.
pub const GOOD_FOR: i64 = 24 * 3600;

/// Whether every line asks for a package by name, so that the lines alone say what is meant. Files, folders, URLs and
/// other requirement files can change without the lines changing.
pub fn by_name_only(lines: &[String]) -> bool {
    lines.iter().all(|line| {
        let line = line.split(" #").next().unwrap_or_default().trim();
        let requirement = line.split(';').next().unwrap_or_default();
        !line.starts_with('-')
            && !requirement.contains('/')
            && !requirement.contains(" @")
            && !line.starts_with('.')
    })
}

/// The variables that steer pip, as part of the request.
pub fn settings(vars: &Vars) -> Vec<String> {
    vars.starting_with("PIP_").map(|(name, value)| format!("{name}={}", value.to_string_lossy())).collect()
}

/// Runs `pip install` for the lines, in `folder` (that of the environment file), so that relative paths mean what they
/// say there.
///
/// # Errors
/// `CondaEnvException: Pip failed`, with the end of pip's own output already shown.
pub fn install(prefix: &Path, lines: &[String], folder: &Path, output: Output) -> Result<()> {
    let python = prefix.join("bin/python");
    if !python.exists() {
        return Err(CondaError::new(
            "CondaEnvException",
            "Pip failed: the environment has no python. Add python and pip to the dependencies.",
        ));
    }
    // Conda writes the file beside environment.yml, since pip takes paths in it relative to its place.
    let name = format!("condaenv.{}.requirements.txt", std::process::id());
    let mut place = folder.join(&name);
    if !crate::config::writable(folder) {
        place = std::env::temp_dir().join(&name);
    }
    let mut file = std::fs::File::create(&place).map_err(|error| CondaError::io("write", &place, &error))?;
    let written = file.write_all(format!("{}\n", lines.join("\n")).as_bytes());
    drop(file);
    let result = written.map_err(|error| CondaError::io("write", &place, &error)).and_then(|()| {
        output.line("Installing pip dependencies: ...working...");
        let mut command = Command::new(&python);
        command
            .args(["-m", "pip", "install", "-U", "-r"])
            .arg(&place)
            .arg("--exists-action=b")
            .current_dir(folder)
            // Packages of the user's home must not stand in for those of the environment.
            .env("PYTHONNOUSERSITE", "1")
            .env("PIP_NO_INPUT", "1");
        if output.quiet {
            command.stdout(std::process::Stdio::null());
        }
        command.status().map_err(|error| CondaError::io("run", &python, &error))
    });
    let _ = std::fs::remove_file(&place);
    let status = result?;
    output.line(if status.success() {
        "Installing pip dependencies: done"
    } else {
        "Installing pip dependencies: failed"
    });
    if status.success() {
        return Ok(());
    }
    Err(CondaError::new("CondaEnvException", format!("Pip failed ({status}); its messages are above.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_that_say_all_by_themselves_count_as_names() {
        let lines = |text: &[&str]| text.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        assert!(by_name_only(&lines(&[
            "requests==2.0",
            "numpy>=1 ; python_version > '3'",
            "x[extra] # why"
        ])));
        for bad in ["-r requirements.txt", "-e .", "./here", ".", "git+https://h/x", "x @ file:///y", "a/b"] {
            assert!(!by_name_only(&lines(&[bad])), "{bad}");
        }
    }
}
