//! sacct's answer: made in the client's own thread with a connection of its own to the database, so that a report on a
//! hundred thousand jobs holds up nobody.

use bivouac_proto::message::{AccountingQuery, Record, Response};
use bivouac_store::{Accounting, RunKey, RunRow, StoreError, Wanted};
use bivouac_types::JobId;
use bivouac_types::info::JobInfo;
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Bytes of records in a part of the answer: far below the limit of a frame.
const PART: usize = 1 << 20;

/// The parts of the answer. `live` are the jobs that the owner of the state knows; it gathered them before the database
/// is read, so that no job is missed, and what ended in between counts as its record says.
pub fn parts<L>(state_dir: PathBuf, query: AccountingQuery, live: L) -> impl Iterator<Item = Response>
where
    L: Iterator<Item = JobInfo>,
{
    let mut answer = Answer { query, live, recorded: None, seen: BTreeSet::new() };
    let mut over = false;
    std::iter::from_fn(move || {
        if over {
            return None;
        }
        let part = answer.part(&state_dir).unwrap_or_else(|e| Response::Failed(e.to_string()));
        over = !matches!(part, Response::Records { more: true, .. });
        Some(part)
    })
}

/// sreport's: what nodes were worth.
pub fn spells(state_dir: &Path) -> Response {
    let read = Accounting::open(state_dir).and_then(|accounting| accounting.spells());
    read.map_or_else(|e| Response::Failed(e.to_string()), Response::Spells)
}

struct Answer<L> {
    query: AccountingQuery,
    live: L,
    /// The database and the records in it that are yet to come; none before the first part.
    recorded: Option<(Accounting, std::vec::IntoIter<RunRow>)>,
    seen: BTreeSet<RunKey>,
}

impl<L: Iterator<Item = JobInfo>> Answer<L> {
    fn part(&mut self, state_dir: &Path) -> Result<Response, StoreError> {
        let (accounting, found) = match &mut self.recorded {
            Some(recorded) => recorded,
            none => {
                let accounting = Accounting::open(state_dir)?;
                let found = accounting.find(&wanted(&self.query))?;
                self.seen.extend(found.iter().map(|run| run.key));
                none.insert((accounting, found.into_iter()))
            }
        };
        let mut part = Part::default();
        while !part.full() {
            let Some(run) = found.next() else { break };
            part.add(run.key, accounting.record(run)?);
        }
        while !part.full() {
            let Some(job) = self.live.next() else { return Ok(part.response(false)) };
            let key = RunKey { job: job.id.0, restarts: job.restarts };
            if !self.seen.contains(&key) && in_window(&job, &self.query) {
                // Plain data with string keys: writing it to memory cannot fail.
                part.add(key, serde_json::to_string(&job).ok());
            }
        }
        Ok(part.response(true))
    }
}

fn wanted(query: &AccountingQuery) -> Wanted {
    Wanted {
        ids: query.ids.as_ref().map(|ids| ids.iter().map(|i| i.0).collect()),
        uid: query.uid,
        since: query.since.map(|t| t.0),
        until: query.until.map(|t| t.0),
    }
}

fn in_window(job: &JobInfo, query: &AccountingQuery) -> bool {
    let over = |since| job.state.is_ended() && job.end.is_some_and(|end| end < since);
    query.until.is_none_or(|until| job.submit <= until) && !query.since.is_some_and(over)
}

/// A part of the answer in the making.
#[derive(Default)]
struct Part {
    records: Vec<Record>,
    damaged: Vec<JobId>,
    size: usize,
}

impl Part {
    /// A record; none: it is damaged.
    fn add(&mut self, key: RunKey, body: Option<String>) {
        match body.and_then(|body| RawValue::from_string(body).ok()) {
            Some(body) => {
                self.size += body.get().len();
                self.records.push(Record { job: JobId(key.job), body });
            }
            None => self.damaged.push(JobId(key.job)),
        }
    }

    fn full(&self) -> bool {
        self.size >= PART
    }

    fn response(self, more: bool) -> Response {
        Response::Records { records: self.records, damaged: self.damaged, more }
    }
}
