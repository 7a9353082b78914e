//! The tables and their version.

use crate::StoreError;
use rusqlite::Connection;
use std::path::Path;

/// Raised with every change of a table or of the form of a body. Older versions are migrated here, step by step.
pub(crate) const VERSION: i64 = 1;

const TABLES: &str = "
    CREATE TABLE event(seq INTEGER PRIMARY KEY, crc INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE TABLE snapshot(seq INTEGER PRIMARY KEY, crc INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE TABLE payload(id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE job(id INTEGER PRIMARY KEY, array_job INTEGER NOT NULL, uid INTEGER NOT NULL, submit INTEGER NOT NULL,
                     ended INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE INDEX job_array ON job(array_job);
    CREATE INDEX job_ended ON job(ended);
    CREATE TABLE note(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
";

pub(crate) fn prepare(db: &Connection, file: &Path) -> Result<(), StoreError> {
    let wrap = |source| StoreError::sqlite(file, source);
    // Read before anything is written: a foreign or newer file must stay as it is.
    let found: i64 = db.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(wrap)?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_master", [], |r| r.get(0)).map_err(wrap)?;
    if found > VERSION {
        return Err(StoreError::Newer { file: file.to_owned(), found, known: VERSION });
    }
    if found == 0 && tables > 0 {
        return Err(StoreError::damaged(file, "it holds tables of something else".into()));
    }
    db.execute_batch("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
        .map_err(wrap)?;
    if found == 0 {
        db.execute_batch(&format!("BEGIN; {TABLES} PRAGMA user_version={VERSION}; COMMIT;")).map_err(wrap)?;
    }
    Ok(())
}
