//! Errors in conda's form: `NAME: message`, with conda's exit codes.

use std::fmt;
use std::path::Path;

/// An error as the user of `conda` sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CondaError {
    /// Conda's name of the error class, for example `EnvironmentLocationNotFound`.
    pub name: &'static str,
    /// What went wrong, where, and what to do next.
    pub message: String,
    /// Exit status of the command: 1, or 2 for a command line that cannot be understood.
    pub exit: u8,
}

/// Result of everything in this crate that can fail towards the user.
pub type Result<T> = std::result::Result<T, CondaError>;

impl CondaError {
    /// An error of the class `name`, exit status 1.
    pub fn new(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, message: message.into(), exit: 1 }
    }

    /// A command line that cannot be understood: exit status 2, as Python's argparse gives it.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { name: "conda", message: format!("error: {}", message.into()), exit: 2 }
    }

    /// A bad value: a name, a spec, a channel.
    pub fn value(message: impl Into<String>) -> Self {
        Self::new("CondaValueError", message)
    }

    /// An operating system error while doing `what` to `path`.
    pub fn io(what: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::new("CondaOSError", format!("cannot {what} {}: {error}", path.display()))
    }

    /// No environment at `prefix`.
    pub fn no_environment_at(prefix: &Path) -> Self {
        Self::new("EnvironmentLocationNotFound", format!("Not a conda environment: {}", prefix.display()))
    }

    /// No environment of this name.
    pub fn no_environment_named(name: &str) -> Self {
        Self::new(
            "EnvironmentNameNotFound",
            format!(
                "Could not find conda environment: {name}\n\
                 You can list all discoverable environments with `conda info --envs`.\n"
            ),
        )
    }
}

impl fmt::Display for CondaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.message)
    }
}

impl std::error::Error for CondaError {}

/// The message of `error` followed by those of its causes, without repetitions.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let message = inner.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = inner.source();
    }
    text
}
