//! What can go wrong with the database, each with what to do next.

use std::fmt;
use std::path::{Path, PathBuf};

/// Why the database could not be opened, read or written.
#[derive(Debug)]
pub enum StoreError {
    /// A body or the file itself is damaged, or is no database.
    Damaged {
        /// The database.
        file: PathBuf,
        /// What is damaged.
        what: String,
    },
    /// Written by a later version of bivouac.
    Newer {
        /// The database.
        file: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest version understood here.
        known: i64,
    },
    /// The state folder is on a network file system, where SQLite's WAL mode is not safe.
    Network {
        /// The state folder.
        dir: PathBuf,
        /// The kind of file system.
        kind: &'static str,
    },
    /// No room on the disk.
    Full {
        /// The database.
        file: PathBuf,
    },
    /// Anything else that SQLite reports.
    Failed {
        /// The database.
        file: PathBuf,
        /// Its report.
        source: rusqlite::Error,
    },
}

impl StoreError {
    pub(crate) fn damaged(file: &Path, what: String) -> StoreError {
        StoreError::Damaged { file: file.to_owned(), what }
    }

    pub(crate) fn sqlite(file: &Path, source: rusqlite::Error) -> StoreError {
        use rusqlite::ErrorCode::{DatabaseCorrupt, DiskFull, NotADatabase, SystemIoFailure};
        let file = file.to_owned();
        match source.sqlite_error_code() {
            Some(DiskFull) => StoreError::Full { file },
            // SQLite says so of its shared-memory file.
            Some(SystemIoFailure) if crate::place::is_full(&file) => StoreError::Full { file },
            Some(DatabaseCorrupt | NotADatabase) => StoreError::Damaged { file, what: source.to_string() },
            _ => StoreError::Failed { file, source },
        }
    }

    /// Whether room on the disk would help.
    pub fn is_full(&self) -> bool {
        matches!(self, StoreError::Full { .. })
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Damaged { file, what } => write!(
                f,
                "{}: the cluster's database is damaged: {what}; nothing was changed; restore the file from a backup, or \
                 move its folder away to begin a new cluster",
                file.display()
            ),
            StoreError::Newer { file, found, known } => write!(
                f,
                "{}: the cluster's database has format {found}, this version understands up to {known}; nothing was \
                 changed; use the bivouac that wrote it, or a later one",
                file.display()
            ),
            StoreError::Network { dir, kind } => write!(
                f,
                "{}: the state folder is on a network file system ({kind}), where the database is not safe; set \
                 BIVOUAC_STATE_DIR to a folder on a local disk",
                dir.display()
            ),
            StoreError::Full { file } => {
                write!(f, "{}: no space left on the disk of the cluster's database", file.display())
            }
            StoreError::Failed { file, source } => write!(f, "{}: {source}", file.display()),
        }
    }
}

impl std::error::Error for StoreError {}
