//! The plan of a view: plain data, made by the controller or the client, carried out by the process that
//! becomes the job or the login shell.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Everything needed to enter a view. Steps are carried out in their order; all paths are absolute and
/// free of `.` and `..` ([`ViewPlan::decode`] refuses others).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ViewPlan {
    /// The host name inside the view; `None` keeps the host's.
    pub host_name: Option<String>,
    /// What the new root is made of.
    pub steps: Vec<Step>,
}

/// One step. "The host" is the file system that the calling process sees before
/// [`ViewPlan::apply`], "the view" the one that it sees afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Makes a folder on the host, with its parents, before anything is mounted: the folder behind a site
    /// path. Permission bits as in `mode` (not changed if the folder exists).
    Backing {
        /// The folder on the host.
        path: PathBuf,
        /// Permission bits, for example `0o700`.
        mode: u32,
    },
    /// Brings a host folder into the view entry by entry, so that single entries can be left out or added.
    /// A folder that the host lacks appears empty.
    Host {
        /// The folder, at the same path on both sides.
        path: PathBuf,
        /// Names of entries that are left out.
        except: Vec<String>,
    },
    /// An empty folder in the view (parents included); an existing one stays as it is.
    Folder {
        /// The folder in the view.
        path: PathBuf,
    },
    /// A symbolic link in the view.
    Link {
        /// The link.
        path: PathBuf,
        /// What it points to.
        target: PathBuf,
    },
    /// A small file in the view.
    File {
        /// The file in the view.
        path: PathBuf,
        /// Its contents.
        contents: Vec<u8>,
    },
    /// A host folder or file appears in the view, with everything mounted below it. The mount point is
    /// made where it is missing.
    Bind {
        /// On the host; symbolic links are followed.
        source: PathBuf,
        /// In the view.
        target: PathBuf,
        /// A missing source, or a target that cannot be made, skips the step instead of failing.
        optional: bool,
    },
    /// The host's file of this path, with text added at its end, appears at the same path. Skipped when
    /// the host has no such file.
    Extend {
        /// The file, at the same path on both sides.
        path: PathBuf,
        /// What is added.
        text: Vec<u8>,
    },
    /// Other contents appear in place of the host's file of this path. Skipped when the host has no such
    /// file.
    Replace {
        /// The file, at the same path on both sides.
        path: PathBuf,
        /// What the view shows.
        contents: Vec<u8>,
    },
    /// The host's folder of this path with the entries of another host folder laid over it, read-only.
    /// Made by an overlay mount; where the kernel refuses that and `or_links` is set, by links to the
    /// host's entries. Skipped when the host has no such folder.
    Union {
        /// The folder, at the same path on both sides.
        path: PathBuf,
        /// The host folder whose entries come first.
        over: PathBuf,
        /// Whether links may stand in for the overlay; otherwise a refused overlay skips the step.
        or_links: bool,
    },
}

/// Why a view could not be entered. The process is then in an undefined place and must exit.
#[derive(Debug)]
pub struct ViewError {
    /// What was being done, with the paths: "bind /x on /y".
    pub doing: String,
    /// The system's answer.
    pub cause: io::Error,
}

impl ViewError {
    pub(crate) fn new(doing: impl Into<String>, cause: io::Error) -> Self {
        ViewError { doing: doing.into(), cause }
    }

    /// The error number of the system call, 0 if there was none.
    pub fn errno(&self) -> i32 {
        self.cause.raw_os_error().unwrap_or(0)
    }
}

impl fmt::Display for ViewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot enter the site's view: {}: {}", self.doing, self.cause)
    }
}

impl std::error::Error for ViewError {}

impl ViewPlan {
    /// Whether some step puts something at this very path of the view.
    pub fn provides(&self, path: &Path) -> bool {
        self.steps.iter().any(|step| match step {
            Step::Backing { .. } => false,
            Step::Host { path: p, .. }
            | Step::Folder { path: p }
            | Step::Link { path: p, .. }
            | Step::File { path: p, .. }
            | Step::Bind { target: p, .. }
            | Step::Extend { path: p, .. }
            | Step::Replace { path: p, .. }
            | Step::Union { path: p, .. } => p == path,
        })
    }
}
