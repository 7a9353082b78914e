//! `cargo xtask link [DIR]`: builds the programs and makes a folder of their names, to be put first on PATH.

use std::path::PathBuf;
use std::process::Command;

use crate::{Outcome, release};

/// Runs the command. Without DIR the folder is `bin` in cargo's target folder.
pub fn run(arguments: &[String]) -> Outcome {
    let folder = match arguments {
        [] => release::target().join("bin"),
        [folder] if !folder.starts_with('-') => PathBuf::from(folder),
        _ => return Err("usage: cargo xtask link [DIR]".to_owned()),
    };
    // `bivouac link` says itself where the names are.
    let program = release::build()?.join("bivouac");
    let status = Command::new(&program).arg("link").arg(&folder).status();
    let status = status.map_err(|error| format!("{}: {error}", program.display()))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{} link {}: {status}", program.display(), folder.display()))
    }
}
