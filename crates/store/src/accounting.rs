//! The accounting as readers see it: apart from the owner of the database, each with a connection of his own, so that a
//! long report holds up nobody.

use crate::{FILE, StoreError};
use bivouac_types::info::NodeSpell;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a reader waits while the owner folds the write-ahead log in and holds the database.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which accounting records are wanted: all conditions that are given must hold.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Jobs, or arrays.
    pub ids: Option<Vec<u32>>,
    /// The owner.
    pub uid: Option<u32>,
    /// Ended at or after this time (ms).
    pub since: Option<i64>,
    /// Submitted at or before this time (ms).
    pub until: Option<i64>,
}

/// Whose a record is: one run of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunKey {
    /// The job.
    pub job: u32,
    /// How often it had been restarted before this run.
    pub restarts: u32,
}

/// A record that was found: whose it is, and its row in the table.
#[derive(Clone, Copy, Debug)]
pub struct RunRow {
    /// Which run of which job.
    pub key: RunKey,
    row: i64,
}

/// A reader of a database that is open elsewhere, or of one that nobody has open.
pub struct Accounting {
    db: Connection,
    file: PathBuf,
}

impl Accounting {
    /// Opens the database of a state folder for reading.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(state_dir: &Path) -> Result<Accounting, StoreError> {
        let file = state_dir.join(FILE);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || {
            let db = Connection::open_with_flags(&file, flags)?;
            db.busy_timeout(PATIENCE)?;
            Ok(db)
        };
        match open() {
            Ok(db) => Ok(Accounting { db, file }),
            Err(e) => Err(StoreError::sqlite(&file, e)),
        }
    }

    /// The records that are wanted, by job number and run. Only indexes are read.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn find(&self, wanted: &Wanted) -> Result<Vec<RunRow>, StoreError> {
        self.try_find(wanted).map_err(|e| StoreError::sqlite(&self.file, e))
    }

    fn try_find(&self, wanted: &Wanted) -> Result<Vec<RunRow>, rusqlite::Error> {
        let mut sql = String::from("SELECT id, restarts, row FROM job WHERE 1");
        let mut values: Vec<Value> = Vec::new();
        if let Some(ids) = &wanted.ids {
            // As one value: a statement has room for a limited number of them.
            let list = Value::from(serde_json::json!(ids).to_string());
            sql += " AND (id IN (SELECT value FROM json_each(?)) OR array_job IN (SELECT value FROM json_each(?)))";
            values.extend([list.clone(), list]);
        }
        for (condition, value) in [
            (" AND uid = ?", wanted.uid.map(i64::from)),
            (" AND ended >= ?", wanted.since),
            (" AND submit <= ?", wanted.until),
        ] {
            if let Some(v) = value {
                sql += condition;
                values.push(v.into());
            }
        }
        // The signs keep SQLite from walking through all jobs for the sake of their order.
        sql += " ORDER BY +id, +restarts";
        let mut query = self.db.prepare(&sql)?;
        let rows = query.query_map(rusqlite::params_from_iter(values), |r| {
            Ok(RunRow { key: RunKey { job: r.get(0)?, restarts: r.get(1)? }, row: r.get(2)? })
        })?;
        rows.collect()
    }

    /// The JSON of a record; none if its bytes are damaged, or it has been replaced since it was found.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn record(&self, found: RunRow) -> Result<Option<String>, StoreError> {
        let read = || {
            self.db
                .prepare_cached("SELECT crc, body FROM job WHERE row = ?1")?
                .query_row([found.row], |r| Ok((r.get::<_, u32>(0)?, r.get::<_, Vec<u8>>(1)?)))
                .optional()
        };
        let row = read().map_err(|e| StoreError::sqlite(&self.file, e))?;
        Ok(row
            .filter(|(crc, body)| crc32fast::hash(body) == *crc)
            .and_then(|(_, body)| String::from_utf8(body).ok()))
    }

    /// What nodes were worth, oldest first. Damaged rows are left out.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn spells(&self) -> Result<Vec<NodeSpell>, StoreError> {
        let read = || -> Result<Vec<(u32, Vec<u8>)>, rusqlite::Error> {
            let mut query = self.db.prepare("SELECT crc, body FROM spell ORDER BY row")?;
            let rows = query.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?;
            rows.collect()
        };
        let rows = read().map_err(|e| StoreError::sqlite(&self.file, e))?;
        let whole = rows.iter().filter(|(crc, body)| crc32fast::hash(body) == *crc);
        Ok(whole.filter_map(|(_, body)| serde_json::from_slice(body).ok()).collect())
    }
}
