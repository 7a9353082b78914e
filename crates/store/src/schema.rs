//! The tables and their version.

use crate::StoreError;
use rusqlite::Connection;
use std::path::Path;

/// Raised with every change of a table or of the form of a body. Older versions are migrated here, step by step.
pub(crate) const VERSION: i64 = 3;

const TABLES: &str = "
    CREATE TABLE event(seq INTEGER PRIMARY KEY, crc INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE TABLE snapshot(seq INTEGER PRIMARY KEY, crc INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE TABLE payload(id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE note(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
";

/// One row for each run of a job: a requeued job has several. Looking for rows touches the indexes alone, because a
/// body is some kilobytes. The payload is that which is kept for as long as the record.
const ACCOUNTING: &str = "
    CREATE TABLE job(row INTEGER PRIMARY KEY, id INTEGER NOT NULL, restarts INTEGER NOT NULL, array_job INTEGER NOT NULL,
                     uid INTEGER NOT NULL, submit INTEGER NOT NULL, ended INTEGER NOT NULL, payload TEXT,
                     crc INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE UNIQUE INDEX job_run ON job(id, restarts);
    CREATE INDEX job_array ON job(array_job);
    CREATE INDEX job_payload ON job(payload) WHERE payload IS NOT NULL;
    CREATE INDEX job_window ON job(ended, submit, uid, id, restarts);
";

/// What each node was worth since when: one row for each change.
const SPELLS: &str = "CREATE TABLE spell(row INTEGER PRIMARY KEY, crc INTEGER NOT NULL, body BLOB NOT NULL);";

/// Version 1 kept the last run of a job only. How often it had been restarted stands in the body; of a damaged one
/// nobody knows.
const FROM_1: &str = "
    INSERT INTO job(id, restarts, array_job, uid, submit, ended, crc, body)
        SELECT id, CASE WHEN json_valid(CAST(body AS TEXT))
                        THEN coalesce(json_extract(CAST(body AS TEXT), '$.restarts'), 0) ELSE 0 END,
               array_job, uid, submit, ended, crc, body FROM job_1;
    DROP TABLE job_1;
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
    db.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;").map_err(wrap)?;
    let steps = match found {
        0 => format!("{TABLES} {ACCOUNTING} {SPELLS}"),
        1 => format!(
            "DROP INDEX job_array; DROP INDEX job_ended; ALTER TABLE job RENAME TO job_1; {ACCOUNTING} {FROM_1} {SPELLS}"
        ),
        2 => SPELLS.to_owned(),
        _ => return Ok(()),
    };
    db.execute_batch(&format!("BEGIN IMMEDIATE; {steps} PRAGMA user_version={VERSION}; COMMIT;"))
        .map_err(wrap)
}
