//! What the options and operands of scancel ask for: which jobs, and what happens to them.

use crate::getopt::Given;
use crate::value::ValueError;
use bivouac_types::hostlist::outside_brackets;
use bivouac_types::info::{ArrayTasks, JobInfo};
use bivouac_types::{HostList, JobId, JobState, TaskSet};
use std::ffi::OsString;
use std::fmt;

/// The largest array index that any cluster may allow.
const MAX_ARRAY_INDEX: u32 = 4_000_000;

/// One operand: `12`, `12_3`, `12_[4-9]`, `12.0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// As written.
    pub text: String,
    /// The job or array.
    pub job: JobId,
    /// Only these tasks; none of them in `12_`, which is taken and means no job.
    pub tasks: Option<TaskSet>,
    /// Only this step.
    pub step: Option<u32>,
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Which processes of a job a signal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All steps but the batch shell.
    Steps,
    /// --batch.
    Batch,
    /// --full.
    All,
}

/// What scancel is asked to do.
#[derive(Clone, Debug)]
pub struct Request {
    /// The jobs named; none: all that the filters leave.
    pub selections: Vec<Selection>,
    /// Which of them.
    pub filters: Filters,
    /// The signal; none: the job is ended.
    pub signal: Option<i32>,
    /// Whom the signal is for.
    pub scope: Scope,
    /// --interactive.
    pub interactive: bool,
    /// How often --verbose was given.
    pub verbose: usize,
    /// --quiet.
    pub quiet: bool,
    /// --sibling: no job is one of a federation.
    pub sibling: bool,
}

/// Conditions that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    /// --user or --me: the name as given.
    pub user: Option<User>,
    /// --account.
    pub account: Option<String>,
    /// --jobname.
    pub name: Option<String>,
    /// --partition.
    pub partition: Option<String>,
    /// --qos.
    pub qos: Option<String>,
    /// --state.
    pub state: Option<JobState>,
    /// --nodelist.
    pub nodes: Option<HostList>,
    /// --reservation.
    pub reservation: Option<String>,
    /// --wckey.
    pub wckey: Option<String>,
}

/// Whose jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    /// The caller's (--me).
    Caller,
    /// Of this name or number.
    Named(String),
}

/// Reads options and operands.
///
/// # Errors
/// [`ValueError`], in Slurm's words.
pub fn request(given: &Given) -> Result<Request, ValueError> {
    let filters = Filters {
        user: given.last_of(&["user", "me"]).map(|c| match &c.value {
            Some(name) => User::Named(name.clone()),
            None => User::Caller,
        }),
        account: text(given, "account"),
        name: text(given, "jobname"),
        partition: text(given, "partition"),
        qos: text(given, "qos"),
        state: given.value("state").map(state).transpose()?,
        nodes: given.value("nodelist").map(nodes).transpose()?,
        reservation: text(given, "reservation"),
        wckey: text(given, "wckey"),
    };
    let scope = match (given.has("full"), given.has("batch")) {
        (true, _) => Scope::All,
        (false, true) => Scope::Batch,
        (false, false) => Scope::Steps,
    };
    let signal = match given.value("signal") {
        Some(text) => {
            Some(crate::signal::any(text).ok_or_else(|| bare(format!("Unknown job signal: {text}")))?)
        }
        // The batch shell alone cannot be ended otherwise than by a signal.
        None if scope == Scope::Batch => Some(libc::SIGKILL),
        None => None,
    };
    let request = Request {
        selections: selections(&given.operands)?,
        filters,
        signal,
        scope,
        interactive: given.has("interactive"),
        verbose: given.count("verbose"),
        quiet: given.has("quiet"),
        sibling: given.has("sibling"),
    };
    given.finish()?;
    if request.selections.is_empty() && request.filters == Filters::default() {
        return Err(ValueError::plain("No job identification provided"));
    }
    if request.quiet && request.verbose > 0 {
        return Ok(Request { verbose: 0, ..request });
    }
    Ok(request)
}

fn text(given: &Given, long: &'static str) -> Option<String> {
    given.value(long).map(str::to_owned)
}

/// A message that stands on its line without `error:`.
fn bare(text: String) -> ValueError {
    ValueError { level: "", text, code: 1 }
}

fn state(word: &str) -> Result<JobState, ValueError> {
    JobState::parse(word).ok_or_else(|| {
        bare(format!(
            "Invalid job state specified: {word}\nValid job states are PENDING, RUNNING, and SUSPENDED"
        ))
    })
}

fn nodes(text: &str) -> Result<HostList, ValueError> {
    HostList::parse(text).map_err(|e| ValueError::plain(format!("Invalid node name specified: {text}: {e}")))
}

fn selections(operands: &[OsString]) -> Result<Vec<Selection>, ValueError> {
    let mut all = Vec::new();
    for operand in operands {
        let invalid =
            |first: &str| ValueError::plain(format!("{first}Invalid job id {}", operand.to_string_lossy()));
        let text = operand.to_str().ok_or_else(|| invalid(""))?;
        for part in outside_brackets(text, |c| c == ',') {
            all.push(selection(part).ok_or_else(|| invalid(&bad_range(part)))?);
        }
    }
    Ok(all)
}

/// Slurm's line about the first range between brackets that is none.
fn bad_range(text: &str) -> String {
    let within = text.split_once("_[").and_then(|(_, rest)| rest.strip_suffix(']')).unwrap_or("0");
    let is_none = |part: &&str| TaskSet::parse(part, MAX_ARRAY_INDEX).is_err();
    let bad = within.split(',').find(is_none);
    bad.map_or(String::new(), |range| format!("_parse_single_range: Invalid range: `{range}'\n"))
}

fn selection(text: &str) -> Option<Selection> {
    let (rest, step) = match text.split_once('.') {
        // `12.` is its first step.
        Some((rest, "")) => (rest, Some(0)),
        Some((rest, step)) => (rest, Some(number(step)?)),
        None => (text, None),
    };
    let (job, tasks) = match rest.split_once('_') {
        Some((job, "")) => (job, Some(TaskSet::default())),
        Some((job, tasks)) => (job, Some(TaskSet::parse(tasks, MAX_ARRAY_INDEX).ok()?)),
        None => (rest, None),
    };
    let job = number(job.trim_start()).filter(|&n| n > 0).map(JobId)?;
    let shown = if text.ends_with('.') { format!("{text}0") } else { text.to_owned() };
    Some(Selection { text: shown, job, tasks, step })
}

fn number(text: &str) -> Option<u32> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

impl Selection {
    /// The tasks of a row that are meant: none if the row is not meant at all, an empty option if it is no array's.
    fn of(&self, job: &JobInfo) -> Option<Option<TaskSet>> {
        let Some(array) = &job.array else {
            return (job.id == self.job && self.tasks.is_none()).then_some(None);
        };
        let row = match &array.tasks {
            ArrayTasks::One(index) => TaskSet::single(*index),
            ArrayTasks::Pending(tasks) => tasks.clone(),
        };
        let meant = match &self.tasks {
            _ if array.job != self.job && job.id == self.job && self.tasks.is_none() => row,
            _ if array.job != self.job => return None,
            None => row,
            Some(tasks) => row.intersection(tasks),
        };
        (!meant.is_empty()).then_some(Some(meant))
    }
}

impl Selection {
    fn is_alive(&self, rows: &[JobInfo]) -> bool {
        rows.iter().any(|row| !row.state.is_ended() && self.of(row).is_some())
    }
}

/// What is to be cancelled of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The job or array.
    pub job: JobId,
    /// Only these tasks.
    pub tasks: Option<TaskSet>,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tasks {
            None => write!(f, "{}", self.job),
            Some(t) if t.len() == 1 => write!(f, "{}_{t}", self.job),
            Some(t) => write!(f, "{}_[{t}]", self.job),
        }
    }
}

impl Request {
    /// Whether Slurm would ask for the jobs first, and say which of those named it has not found.
    pub fn looks_first(&self) -> bool {
        self.needs_rows() || self.signal.is_some() || self.scope == Scope::Batch
    }

    /// Whether the controller must be asked for jobs first.
    pub fn needs_rows(&self) -> bool {
        self.interactive || self.filters != Filters::default()
    }

    /// Those named of which there is a row that has not ended.
    pub fn known<'a>(&'a self, rows: &'a [JobInfo]) -> impl Iterator<Item = &'a Selection> {
        self.selections.iter().filter(|s| s.is_alive(rows))
    }

    /// Those named of which there is none.
    pub fn unknown<'a>(&'a self, rows: &'a [JobInfo]) -> impl Iterator<Item = &'a Selection> {
        self.selections.iter().filter(|s| !s.is_alive(rows))
    }

    /// What is to be cancelled of a row, if it is meant and no filter leaves it out.
    pub fn target(&self, job: &JobInfo, caller: u32) -> Option<Target> {
        if job.state.is_ended() || !self.filters.admit(job, caller) {
            return None;
        }
        let tasks = if self.selections.is_empty() {
            Selection {
                text: String::new(),
                job: job.array.as_ref().map_or(job.id, |a| a.job),
                tasks: None,
                step: None,
            }
            .of(job)?
        } else {
            let mut meant = self.selections.iter().filter_map(|s| s.of(job));
            let first = meant.next()?;
            meant.fold(first, |all, more| Some(all?.union(&more?)))
        };
        Some(Target { job: job.array.as_ref().map_or(job.id, |a| a.job), tasks })
    }
}

impl Filters {
    /// The conditions in scancel's words, each with a space after it: `job_name=x state=PENDING `.
    pub fn describe(&self, caller: u32) -> String {
        let user = self.user.as_ref().map(|u| match u {
            User::Caller => caller.to_string(),
            User::Named(name) => name.clone(),
        });
        let all = [
            ("account", self.account.clone()),
            ("job_name", self.name.clone()),
            ("nodelist", self.nodes.as_ref().map(ToString::to_string)),
            ("partition", self.partition.clone()),
            ("qos", self.qos.clone()),
            ("reservation", self.reservation.clone()),
            ("state", self.state.map(|s| s.name().to_owned())),
            ("user_name", user),
            ("wckey", self.wckey.clone()),
        ];
        all.into_iter().filter_map(|(name, value)| Some(format!("{name}={} ", value?))).collect()
    }

    fn admit(&self, job: &JobInfo, caller: u32) -> bool {
        let user = match &self.user {
            None => true,
            Some(User::Caller) => job.uid.0 == caller,
            Some(User::Named(name)) => job.user == *name || name.parse() == Ok(job.uid.0),
        };
        let is =
            |wanted: &Option<String>, has: Option<&str>| wanted.as_deref().is_none_or(|w| has == Some(w));
        user && is(&self.account, job.account.as_deref())
            && is(&self.name, Some(&job.spec.name))
            && is(&self.qos, job.qos.as_deref())
            && is(&self.reservation, job.spec.reservation.as_deref())
            && is(&self.wckey, job.spec.wckey.as_deref())
            && self.partition.as_ref().is_none_or(|p| job.partition.split(',').any(|q| q == p))
            && self.state.is_none_or(|s| job.state == s)
            && self.nodes.as_ref().is_none_or(|n| job.nodes.iter().any(|share| n.names.contains(&share.node)))
    }
}

/// What the value of a flag's variable says: `t` and `true`, `f` and `false`, in any case.
pub fn truth(value: &str) -> Option<bool> {
    let is = |words: [&str; 2]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
    if is(["t", "true"]) { Some(true) } else { is(["f", "false"]).then_some(false) }
}

/// Variables of flags whose value says neither yes nor no, in the order in which scancel complains of them, and goes on.
pub fn unrecognized(variable: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let names = ["SCANCEL_BATCH", "SCANCEL_FULL", "SCANCEL_INTERACTIVE", "SCANCEL_VERBOSE"];
    let strange = names.into_iter().filter_map(|name| {
        let value = variable(name).filter(|value| truth(value).is_none())?;
        Some(format!("Unrecognized {name} value: {value}"))
    });
    strange.collect()
}

#[cfg(test)]
#[path = "scancel_tests.rs"]
mod tests;
