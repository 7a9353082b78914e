//! Hints: sentences of ours, which Slurm would not print, go to a terminal's standard error only.

use std::io::IsTerminal;

/// Whether hints are wanted: standard error is a terminal, or BIVOUAC_HINTS=1 (0: never).
pub fn wants_hints() -> bool {
    match std::env::var("BIVOUAC_HINTS").as_deref() {
        Ok("1") => true,
        Ok("0") => false,
        _ => std::io::stderr().is_terminal(),
    }
}

/// Prints a hint, one line beginning `bivouac: `, if hints are wanted.
pub fn hint(text: impl std::fmt::Display) {
    if wants_hints() {
        eprintln!("bivouac: {text}");
    }
}
