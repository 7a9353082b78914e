//! Builds the programs, as users get them or as tests need them.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::workspace;

/// Builds all programs with optimizations and returns the folder they lie in.
///
/// # Errors
/// cargo cannot be run or fails; it has then said why.
pub fn build() -> Result<PathBuf, String> {
    cargo_build(&["--release", "--locked"]).map(|()| target().join("release"))
}

/// Builds the programs without optimizations, which is quick, and returns the folder they lie in.
///
/// # Errors
/// cargo cannot be run or fails; it has then said why.
pub fn build_for_tests() -> Result<PathBuf, String> {
    cargo_build(&["--quiet"]).map(|()| target().join("debug"))
}

fn cargo_build(arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new("cargo");
    // The whole workspace, as the README has it: for a part of it cargo would choose other features and build anew.
    command.args(["build", "--workspace"]).args(arguments).current_dir(workspace()).stdin(Stdio::null());
    // What `cargo run` tells xtask about itself would make build scripts run anew, and half of conda with them.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|n| n.starts_with("CARGO_PKG_") || n.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cargo build: {status}")),
        Err(error) => Err(format!("cargo build: {error}")),
    }
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    named.map_or_else(|| workspace().join("target"), |named| workspace().join(named))
}
