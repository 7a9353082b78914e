//! Why an operation on modules stopped.

use std::fmt;
use std::path::PathBuf;

use crate::tree::Module;

/// An operation that was given up; what it had changed is put back by whoever catches it.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What happened and what to do, for the user.
    pub text: String,
    /// The modules that were being evaluated, innermost first: full name and file.
    pub trail: Vec<(String, PathBuf)>,
    /// Which kind it is.
    pub kind: FailureKind,
    /// The names that are unknown, for [`FailureKind::Unknown`]. Names like them are looked for only when the
    /// failure reaches the user: that reads the whole tree.
    pub unknown: Vec<String>,
}

/// What follows from a [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The command failed.
    Error,
    /// The module is not in the search path (`try_load` passes over this).
    Unknown,
    /// `LmodBreak`: this file is left out, the command goes on.
    Break,
}

impl Failure {
    /// An error with its text.
    pub fn error(text: impl Into<String>) -> Self {
        Self { text: text.into(), trail: Vec::new(), kind: FailureKind::Error, unknown: Vec::new() }
    }

    /// A failure of another kind.
    pub fn of_kind(kind: FailureKind, text: impl Into<String>) -> Self {
        Self { kind, ..Self::error(text) }
    }

    /// The failure of names that are not in the tree.
    pub fn unknown(names: &[String]) -> Self {
        let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        let text = format!("The following module(s) are unknown: {}", quoted.join(" "));
        Self { kind: FailureKind::Unknown, unknown: names.to_vec(), ..Self::error(text) }
    }

    /// The refusal of a Tcl modulefile.
    pub fn tcl(module: &Module) -> Self {
        Self::error(format!(
            "\"{}\" is a Tcl modulefile; these come in a later release. Lua modulefiles (NAME/VERSION.lua) work.\n     {}",
            module.full_name,
            module.file.display()
        ))
    }

    /// Whether the very name asked for is unknown, rather than one that its modulefile needs.
    pub fn is_unknown_name(&self) -> bool {
        self.kind == FailureKind::Unknown && self.trail.is_empty()
    }

    /// The same failure, met while `full_name` was being evaluated from `file`.
    #[must_use]
    pub fn within(mut self, full_name: String, file: PathBuf) -> Self {
        self.trail.push((full_name, file));
        self
    }
}

impl fmt::Display for Failure {
    /// The message in the frame that Lmod gives its errors.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Lmod has detected the following error: {}", self.text.trim_end())?;
        if !self.trail.is_empty() {
            let width =
                self.trail.iter().map(|(name, _)| name.len()).fold("Module fullname".len(), usize::max);
            writeln!(f, "\nWhile processing the following module(s):")?;
            writeln!(f, "    {:width$}  Module Filename", "Module fullname")?;
            writeln!(f, "    {:-<width$}  ---------------", "")?;
            for (name, file) in &self.trail {
                writeln!(f, "    {name:width$}  {}", file.display())?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
