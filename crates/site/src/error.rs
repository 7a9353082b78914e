//! Errors of profiles: which file, which line and column, what is wrong, what to do.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::near;

/// Why a site cannot be used.
#[derive(Debug)]
pub enum SiteError {
    /// No profile has that name.
    Unknown {
        /// The name asked for.
        name: String,
        /// The places that were searched for a file.
        searched: PathBuf,
        /// All names that would have been found, the nearest first.
        known: Vec<String>,
    },
    /// A profile's text is wrong.
    Profile(ProfileError),
    /// A file cannot be read or written.
    File {
        /// What was done: "read", "write", "run".
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        cause: io::Error,
    },
    /// The machine, or a program that belongs to bivouac, did not do what a site needs.
    Machine(String),
    /// A slurm.conf, or a file beside it, is wrong: each sentence begins with file and line.
    SlurmConf(Vec<String>),
}

/// A place in a profile and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileError {
    /// The profile's file, or `embedded profile NAME`.
    pub file: String,
    /// Line and column, from 1; none where the fault is an absence.
    pub place: Option<(usize, usize)>,
    /// What is wrong and what to do.
    pub problem: String,
}

impl ProfileError {
    pub(crate) fn new(
        file: &str,
        text: &str,
        span: Option<Range<usize>>,
        problem: impl Into<String>,
    ) -> Self {
        let place = span.map(|s| line_and_column(text, s.start));
        ProfileError { file: file.to_owned(), place, problem: problem.into() }
    }

    /// From the TOML reader's error, with near names added to an unknown key.
    pub(crate) fn from_toml(file: &str, text: &str, error: &toml::de::Error) -> Self {
        ProfileError::new(file, text, error.span(), with_near_names(error.message()))
    }
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some((line, column)) => write!(f, "{}:{line}:{column}: {}", self.file, self.problem),
            None => write!(f, "{}: {}", self.file, self.problem),
        }
    }
}

impl fmt::Display for SiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SiteError::Unknown { name, searched, known } => write!(
                f,
                "no site is called `{name}`; known: {} (own profiles are read from {})",
                known.join(", "),
                searched.display()
            ),
            SiteError::Profile(error) => error.fmt(f),
            SiteError::File { doing, path, cause } => write!(f, "cannot {doing} {}: {cause}", path.display()),
            SiteError::Machine(text) => f.write_str(text),
            SiteError::SlurmConf(problems) => f.write_str(&problems.join("\n")),
        }
    }
}

impl std::error::Error for SiteError {}

impl From<ProfileError> for SiteError {
    fn from(error: ProfileError) -> Self {
        SiteError::Profile(error)
    }
}

/// Shapes an I/O error into ours.
pub(crate) fn on_file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SiteError {
    let path = path.to_owned();
    move |cause| SiteError::File { doing, path, cause }
}

fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at.min(text.len())).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |n| n + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// serde says ``unknown field `x`, expected one of `a`, `b` ``: the nearest of the expected come first.
fn with_near_names(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let Some((unknown, known)) = quoted.split_first() else { return message.trim().to_owned() };
    if !message.starts_with("unknown field") {
        return message.trim().to_owned();
    }
    match near::nearest(unknown, known.iter().copied()) {
        Some(near) => format!("unknown key `{unknown}`; did you mean `{near}`?"),
        None => format!("unknown key `{unknown}`; known here: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_from_one() {
        assert_eq!(line_and_column("", 0), (1, 1));
        assert_eq!(line_and_column("a = 1\nbé = x", 9), (2, 3));
        assert_eq!(line_and_column("a", 99), (1, 2));
    }
}
