//! What survives: the event log, its snapshot, what jobs run (payloads) and the accounting, in one SQLite database
//! in WAL mode with `synchronous=FULL`.
//!
//! Owns the file, its versions and its checksums. Must never know what an event means: bodies are opaque
//! bytes. One [`Store::commit`] is one transaction and one flush: when it returns, all of the batch is durable;
//! when it fails, none of it is. SQLite does not checksum its pages, so every body carries a checksum and a
//! flipped byte is found when it is read. A reader starts at [`Store::open`].

mod accounting;
mod error;
mod place;
mod schema;

pub use accounting::{Accounting, RunKey, RunRow, Wanted};
pub use error::StoreError;

use bivouac_types::info::{JobInfo, NodeSpell};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The database's file name in the state folder.
pub const FILE: &str = "cluster.db";

/// The open database; there is one owner.
pub struct Store {
    db: Connection,
    file: PathBuf,
}

/// A database as found: what is needed to rebuild the state.
pub struct Opened {
    /// The database.
    pub store: Store,
    /// The newest snapshot: the number of the last event it contains, and its body.
    pub snapshot: Option<(u64, Vec<u8>)>,
    /// The events after it, oldest first.
    pub events: Vec<(u64, Vec<u8>)>,
}

/// What the state is rebuilt from: see [`Opened`].
pub struct Found {
    /// The newest snapshot.
    pub snapshot: Option<(u64, Vec<u8>)>,
    /// The events after it.
    pub events: Vec<(u64, Vec<u8>)>,
}

/// What becomes durable together.
#[derive(Default)]
pub struct Batch {
    /// Events with their numbers, ascending.
    pub events: Vec<(u64, Vec<u8>)>,
    /// Payloads by [`payload_id`]; one that is there already is left alone.
    pub payloads: Vec<(String, Vec<u8>)>,
    /// Accounting records of runs of jobs that ended; a later record of the same run replaces the earlier.
    pub ended: Vec<JobInfo>,
    /// What nodes are worth from now on, where that has changed.
    pub spells: Vec<NodeSpell>,
}

impl Batch {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.payloads.is_empty() && self.ended.is_empty() && self.spells.is_empty()
    }
}

/// The name under which a payload is stored: the SHA-256 of its bytes, in hexadecimal.
pub fn payload_id(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

impl Store {
    /// Opens or makes the database of a state folder and reads what is needed to rebuild the state.
    ///
    /// # Errors
    /// The folder is on a network file system; the file is no database, is damaged, or was written by a newer version.
    /// An existing file is then left as it is.
    pub fn open(state_dir: &Path) -> Result<Opened, StoreError> {
        place::check(state_dir)?;
        let file = state_dir.join(FILE);
        let wrap = |source| StoreError::sqlite(&file, source);
        let db = Connection::open(&file).map_err(wrap)?;
        schema::prepare(&db, &file)?;
        let store = Store { db, file };
        let Found { snapshot, events } = store.reload()?;
        Ok(Opened { store, snapshot, events })
    }

    /// Reads again what the state is rebuilt from, after a commit that failed.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn reload(&self) -> Result<Found, StoreError> {
        let snapshot = self.read_snapshot()?;
        let events = self.read_events(snapshot.as_ref().map_or(0, |s| s.0))?;
        Ok(Found { snapshot, events })
    }

    fn read_snapshot(&self) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        let row = self
            .db
            .query_row("SELECT seq, crc, body FROM snapshot ORDER BY seq DESC LIMIT 1", [], |r| {
                Ok((r.get::<_, i64>(0)?, r.get::<_, u32>(1)?, r.get::<_, Vec<u8>>(2)?))
            })
            .optional()
            .map_err(|e| self.failed(e))?;
        match row {
            None => Ok(None),
            Some((seq, crc, body)) => {
                self.verify(&format!("snapshot {seq}"), crc, &body)?;
                Ok(Some((seq as u64, body)))
            }
        }
    }

    fn read_events(&self, after: u64) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        let mut query = self
            .db
            .prepare("SELECT seq, crc, body FROM event WHERE seq > ?1 ORDER BY seq")
            .map_err(|e| self.failed(e))?;
        let rows = query
            .query_map([after as i64], |r| {
                Ok((r.get::<_, i64>(0)?, r.get::<_, u32>(1)?, r.get::<_, Vec<u8>>(2)?))
            })
            .map_err(|e| self.failed(e))?;
        let mut events = Vec::new();
        let mut expected = after;
        for row in rows {
            let (seq, crc, body) = row.map_err(|e| self.failed(e))?;
            expected += 1;
            if seq as u64 != expected {
                return Err(StoreError::damaged(&self.file, format!("event {expected} is missing")));
            }
            self.verify(&format!("event {seq}"), crc, &body)?;
            events.push((seq as u64, body));
        }
        Ok(events)
    }

    /// Makes a batch durable, all or nothing.
    ///
    /// # Errors
    /// Nothing of the batch was stored; [`StoreError::is_full`] says whether room on the disk would help.
    pub fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.try_commit(batch).map_err(|e| self.failed(e))
    }

    fn try_commit(&mut self, batch: &Batch) -> Result<(), rusqlite::Error> {
        let tx = self.db.transaction()?;
        {
            let mut add = tx.prepare_cached("INSERT INTO event(seq, crc, body) VALUES (?1, ?2, ?3)")?;
            for (seq, body) in &batch.events {
                add.execute(params![*seq as i64, crc32fast::hash(body), body])?;
            }
            let mut add = tx.prepare_cached("INSERT OR IGNORE INTO payload(id, body) VALUES (?1, ?2)")?;
            for (id, body) in &batch.payloads {
                add.execute(params![id, body])?;
            }
            let mut add = tx.prepare_cached(
                "INSERT OR REPLACE INTO job(id, restarts, array_job, uid, submit, ended, payload, crc, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?;
            for job in &batch.ended {
                let body =
                    serde_json::to_vec(job).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
                let array = job.array.as_ref().map_or(job.id, |a| a.job);
                let end = job.end.map_or(0, |t| t.0);
                add.execute(params![
                    job.id.0,
                    job.restarts,
                    array.0,
                    job.uid.0,
                    job.submit.0,
                    end,
                    job.accounting.payload,
                    crc32fast::hash(&body),
                    body
                ])?;
            }
            let mut add = tx.prepare_cached("INSERT INTO spell(crc, body) VALUES (?1, ?2)")?;
            for spell in &batch.spells {
                let body = serde_json::to_vec(spell)
                    .map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
                add.execute(params![crc32fast::hash(&body), body])?;
            }
        }
        tx.commit()
    }

    /// Replaces the log up to event `seq` by a snapshot of the state after it, and drops the payloads that are not in
    /// `needed` and that no accounting record keeps.
    ///
    /// # Errors
    /// The log is then as it was.
    pub fn compact(&mut self, seq: u64, state: &[u8], needed: &[&str]) -> Result<(), StoreError> {
        self.try_compact(seq, state, needed).map_err(|e| self.failed(e))
    }

    fn try_compact(&mut self, seq: u64, state: &[u8], needed: &[&str]) -> Result<(), rusqlite::Error> {
        let tx = self.db.transaction()?;
        tx.execute("DELETE FROM snapshot", [])?;
        tx.execute(
            "INSERT INTO snapshot(seq, crc, body) VALUES (?1, ?2, ?3)",
            params![seq as i64, crc32fast::hash(state), state],
        )?;
        tx.execute("DELETE FROM event WHERE seq <= ?1", [seq as i64])?;
        tx.execute("CREATE TEMP TABLE IF NOT EXISTS needed(id TEXT PRIMARY KEY)", [])?;
        tx.execute("DELETE FROM needed", [])?;
        {
            let mut add = tx.prepare_cached("INSERT OR IGNORE INTO needed(id) VALUES (?1)")?;
            for id in needed {
                add.execute([id])?;
            }
        }
        tx.execute(
            "DELETE FROM payload WHERE id NOT IN (SELECT id FROM needed)
             AND id NOT IN (SELECT payload FROM job WHERE payload IS NOT NULL)",
            [],
        )?;
        tx.commit()
    }

    /// A payload's bytes.
    ///
    /// # Errors
    /// It is missing or its bytes are not those that its name says.
    pub fn payload(&self, id: &str) -> Result<Vec<u8>, StoreError> {
        let body: Option<Vec<u8>> = self
            .db
            .prepare_cached("SELECT body FROM payload WHERE id = ?1")
            .and_then(|mut q| q.query_row([id], |r| r.get(0)).optional())
            .map_err(|e| self.failed(e))?;
        match body {
            Some(body) if payload_id(&body) == id => Ok(body),
            Some(_) => {
                Err(StoreError::damaged(&self.file, format!("payload {id} does not match its checksum")))
            }
            None => Err(StoreError::damaged(&self.file, format!("payload {id} is missing"))),
        }
    }

    /// The owner and the payload of a job that is forgotten, if its record keeps it.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn kept_payload(&self, job: u32) -> Result<Option<(u32, String)>, StoreError> {
        self.db
            .prepare_cached(
                "SELECT uid, payload FROM job WHERE id = ?1 AND payload IS NOT NULL ORDER BY restarts DESC LIMIT 1",
            )
            .and_then(|mut q| q.query_row([job], |r| Ok((r.get(0)?, r.get(1)?))).optional())
            .map_err(|e| self.failed(e))
    }

    /// A value kept beside the log, for example the profile's name.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn note(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.db
            .query_row("SELECT value FROM note WHERE key = ?1", [key], |r| r.get(0))
            .optional()
            .map_err(|e| self.failed(e))
    }

    /// Keeps a value beside the log.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn set_note(&self, key: &str, value: &str) -> Result<(), StoreError> {
        self.db
            .execute("INSERT OR REPLACE INTO note(key, value) VALUES (?1, ?2)", [key, value])
            .map(|_| ())
            .map_err(|e| self.failed(e))
    }

    fn verify(&self, what: &str, crc: u32, body: &[u8]) -> Result<(), StoreError> {
        if crc32fast::hash(body) == crc {
            return Ok(());
        }
        Err(StoreError::damaged(&self.file, format!("{what} does not match its checksum")))
    }

    fn failed(&self, source: rusqlite::Error) -> StoreError {
        StoreError::sqlite(&self.file, source)
    }
}
