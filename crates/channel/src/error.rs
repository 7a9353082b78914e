//! What can go wrong while a channel is made, said so that the reader knows what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why there is no channel.
#[derive(Debug)]
pub enum Error {
    /// A file or folder could not be read or written.
    Io {
        /// What was being done, such as `cannot write`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No Python that the recipe has wheels for.
    NoPython {
        /// Every place that was looked at.
        looked: Vec<String>,
    },
    /// None of the Pythons at hand has pip.
    NoPip {
        /// The Pythons that were asked.
        asked: Vec<PathBuf>,
    },
    /// pip could not get the wheels.
    Download {
        /// The wheels that are missing, as `name==version`.
        missing: Vec<String>,
        /// The end of pip's own output.
        said: String,
        /// The folder in which wheels put by hand are found.
        wheels: PathBuf,
    },
    /// A file is not what its name says.
    Malformed {
        /// The file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// The finished channel did not do what it is for.
    Check {
        /// What was tried.
        what: String,
        /// What came of it.
        said: String,
    },
}

impl Error {
    /// An [`Error::Malformed`].
    pub fn malformed(file: impl Into<String>, why: impl Into<String>) -> Error {
        Error::Malformed { file: file.into(), why: why.into() }
    }
}

/// Names the file in an I/O error: `File::open(p).at("cannot open", p)?`.
pub trait At<T> {
    /// Turns the I/O error into [`Error::Io`].
    ///
    /// # Errors
    /// The I/O error, with what was done and where.
    fn at(self, doing: &'static str, path: &Path) -> Result<T, Error>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Io { doing, path: path.to_owned(), source })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { doing, path, source } => write!(f, "{doing} {}: {source}", path.display()),
            Error::NoPython { looked } => write!(
                f,
                "no Python 3.10 to 3.14 to make packages of (looked at {}). Install Python with pip \
                 (Debian: apt-get install python3 python3-pip), or 3.10 and 3.11 with pyenv.",
                looked.join(", ")
            ),
            Error::NoPip { asked } => {
                let asked: Vec<_> = asked.iter().map(|path| path.display().to_string()).collect();
                write!(
                    f,
                    "none of these Pythons has pip: {}. Install it (Debian: apt-get install python3-pip).",
                    asked.join(", ")
                )
            }
            Error::Download { missing, said, wheels } => write!(
                f,
                "pip could not download {}. It said:\n{}\nGive this machine a package index (PIP_INDEX_URL, \
                 PIP_PROXY or PIP_FIND_LINKS), or put these wheels into {} and try again.",
                missing.join(", "),
                indent(said),
                wheels.display()
            ),
            Error::Malformed { file, why } => {
                write!(f, "{file}: {why}. If it is a download, remove it and try again.")
            }
            Error::Check { what, said } => write!(
                f,
                "the channel was built but does not work, so it was thrown away: {what} gave\n{}",
                indent(said)
            ),
        }
    }
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
