//! What `scontrol update` says of jobs: `KEY=VALUE` words to changes.
//!
//! Keys may be shortened as far as scontrol 22.05.8 takes it, in any case; refusals are in its words. What only the
//! controller can judge is left to it.

use crate::value::{mail_type_words, scaled};
use bivouac_types::job::{NodeRange, SwitchRequest};
use bivouac_types::{
    Dependency, GresRequest, HostList, JobChange, LicenseRequest, MemRequest, Reject, TimeLimit, Timestamp,
    when,
};
use jiff::Zoned;

/// What is changed of which jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobUpdate {
    /// JobId: a list of ids.
    pub ids: Option<String>,
    /// Without an id: all jobs of this name.
    pub name: Option<String>,
    /// UserID: only this user's jobs of the name.
    pub user: Option<String>,
    /// The changes, in the order given.
    pub changes: Vec<Asked>,
    /// Lines for standard error about values that are passed over, as Slurm does with an EndTime or NumNodes that it cannot
    /// read.
    pub passed_over: Lines,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// As it stands.
    Change(JobChange),
    /// `TimeLimit+=` and `TimeLimit-=`: minutes, from the limit in force.
    TimeLimitBy(i64),
    /// What no job can have here: it is said for each.
    Refused(Reject),
}

/// Lines for standard error.
pub type Lines = Vec<String>;

/// Every key with the number of letters that must be given at least.
const KEYS: [(&str, usize, Key); 60] = [
    ("Account", 1, Key::Account),
    ("AdminComment", 3, Key::AdminComment),
    ("ArrayTaskThrottle", 6, Key::ArrayTaskThrottle),
    ("BurstBuffer", 1, Key::Unsupported),
    ("ClusterFeatures", 8, Key::Federation),
    ("Clusters", 8, Key::Federation),
    ("Comment", 3, Key::Comment),
    ("Contiguous", 3, Key::Contiguous),
    ("CoreSpec", 4, Key::Specialized),
    ("CPUsPerTask", 9, Key::CpusPerTask),
    ("Deadline", 3, Key::Deadline),
    ("DelayBoot", 5, Key::DelayBoot),
    ("Dependency", 1, Key::Dependency),
    ("EligibleTime", 2, Key::Begin),
    ("EndTime", 2, Key::EndTime),
    ("ExcNodeList", 3, Key::Exclude),
    ("Features", 1, Key::Features),
    ("Gres", 2, Key::Gres),
    ("Job", 3, Key::JobId),
    ("JobId", 3, Key::JobId),
    ("JobName", 4, Key::Name),
    ("Licenses", 1, Key::Licenses),
    ("MailType", 5, Key::MailType),
    ("MailUser", 5, Key::MailUser),
    ("MinCPUsNode", 4, Key::MinCpusNode),
    ("MinMemoryCPU", 10, Key::MinMemoryCpu),
    ("MinMemoryNode", 10, Key::MinMemoryNode),
    ("MinTmpDiskNode", 5, Key::MinTmpDisk),
    ("Name", 2, Key::Name),
    ("Nice", 2, Key::Nice),
    ("NodeList", 8, Key::NodeList),
    ("NumCPUs", 6, Key::Cpus),
    ("NumNodes", 8, Key::Nodes),
    ("NumTasks", 8, Key::Tasks),
    ("OverSubscribe", 2, Key::OverSubscribe),
    ("Partition", 2, Key::Partition),
    ("Prefer", 3, Key::Prefer),
    ("Priority", 2, Key::Priority),
    ("QOS", 2, Key::Qos),
    ("Reboot", 3, Key::Reboot),
    ("ReqCores", 4, Key::Cores),
    ("ReqNodeList", 8, Key::NodeList),
    ("ReqNodes", 8, Key::Nodes),
    ("ReqProcs", 8, Key::Tasks),
    ("ReqSockets", 4, Key::Sockets),
    ("ReqThreads", 4, Key::Threads),
    ("Requeue", 4, Key::Requeue),
    ("ReservationName", 3, Key::Reservation),
    ("ResetAccrueTime", 5, Key::ResetAccrueTime),
    ("Shared", 2, Key::OverSubscribe),
    ("SiteFactor", 5, Key::SiteFactor),
    ("StartTime", 2, Key::Begin),
    ("StdOut", 6, Key::StdOut),
    ("Switches", 5, Key::Switches),
    ("TasksPerNode", 2, Key::TasksPerNode),
    ("ThreadSpec", 4, Key::Specialized),
    ("TimeLimit", 5, Key::TimeLimit),
    ("TimeMin", 5, Key::TimeMin),
    ("UserID", 4, Key::User),
    ("WCKey", 1, Key::Wckey),
];

/// Those that follow [`KEYS`], whose names do not begin like one another's.
const MORE_KEYS: [(&str, usize, Key); 4] = [
    ("wait-for-switch", 5, Key::SwitchWait),
    ("WorkDir", 2, Key::WorkDir),
    ("TresPerNode", 5, Key::Tres),
    ("TresPerJob", 5, Key::Tres),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Account,
    AdminComment,
    ArrayTaskThrottle,
    Begin,
    Comment,
    Contiguous,
    Cores,
    Cpus,
    CpusPerTask,
    Deadline,
    DelayBoot,
    Dependency,
    EndTime,
    Exclude,
    Features,
    Federation,
    Gres,
    JobId,
    Licenses,
    MailType,
    MailUser,
    MinCpusNode,
    MinMemoryCpu,
    MinMemoryNode,
    MinTmpDisk,
    Name,
    Nice,
    NodeList,
    Nodes,
    OverSubscribe,
    Partition,
    Prefer,
    Priority,
    Qos,
    Reboot,
    Requeue,
    ResetAccrueTime,
    Reservation,
    SiteFactor,
    Sockets,
    Specialized,
    StdOut,
    SwitchWait,
    Switches,
    Tasks,
    TasksPerNode,
    Threads,
    TimeLimit,
    TimeMin,
    Tres,
    Unsupported,
    User,
    WorkDir,
    Wckey,
}

/// The names of the keys by which something can be changed here.
pub fn key_names() -> impl Iterator<Item = &'static str> {
    let changes = |key: Key| !matches!(key, Key::Federation | Key::Unsupported);
    KEYS.iter().chain(&MORE_KEYS).filter(move |(.., key)| changes(*key)).map(|(name, ..)| *name)
}

/// The name and meaning of a key that may be shortened.
fn key_of(word: &str) -> Option<(&'static str, Key)> {
    let begins = |(name, least, _): &&(&str, usize, Key)| {
        word.len() >= *least && name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    let exact = |(name, _, _): &&(&str, usize, Key)| name.eq_ignore_ascii_case(word);
    let all = || KEYS.iter().chain(&MORE_KEYS);
    all().find(exact).or_else(|| all().find(begins)).map(|(name, _, key)| (*name, *key))
}

/// Reads the words after `update`; none if they are about no job: a node, a partition, a reservation. `is_user` tells
/// whether there is a user of that name or number.
///
/// # Errors
/// The lines for standard error.
pub fn read(
    words: &[String],
    now: &Zoned,
    is_user: impl Fn(&str) -> bool,
) -> Result<Option<JobUpdate>, Lines> {
    let mut update = JobUpdate::default();
    let mut problems: Lines = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (word.as_str(), None),
        };
        // `TimeLimit 10` is `TimeLimit=10`; these stand alone.
        let alone = matches!(key_of(key), Some((_, Key::Nice | Key::ResetAccrueTime)) | None);
        let value = value.or_else(|| if alone { None } else { words.next().map(String::as_str) });
        // `TimeLimit+=10` is `TimeLimit=+10`.
        let (stem, sign) = match key.strip_suffix(['+', '-']) {
            Some(stem) => (stem, &key[stem.len()..]),
            None => (key, ""),
        };
        let Some((name, key)) = key_of(stem) else {
            problems.push(match value {
                Some(_) => format!("Update of this parameter is not supported: {word}"),
                None => format!("Invalid input: {word}"),
            });
            problems.push("Request aborted".to_owned());
            break;
        };
        match (key, value) {
            (Key::JobId, Some(ids)) => update.ids = Some(ids.to_owned()),
            (Key::User, Some(user)) if is_user(user) => update.user = Some(user.to_owned()),
            (Key::User, Some(user)) => {
                problems.push(format!("Invalid UserID: {user}"));
                problems.push("Request aborted".to_owned());
                break;
            }
            (Key::ResetAccrueTime, _) => update.changes.push(Asked::Change(JobChange::ResetAccrueTime)),
            (Key::TimeLimit, Some(text)) => update.changes.push(time_limit(&format!("{sign}{text}"))?),
            (Key::Nice, value) => update.changes.push(nice(value)?),
            (Key::Deadline | Key::Begin | Key::EndTime, Some(text)) => match when::parse(text, now) {
                Some(at) => update.changes.push(Asked::Change(at_time(key, at))),
                None if key == Key::EndTime => {
                    update.passed_over.push(format!("Invalid time specification (pos=0): {text}"));
                }
                None => problems.push(format!("Invalid time specification (pos=0): {text}")),
            },
            (Key::Nodes, Some(text)) => match nodes(text) {
                Ok(range) => update.changes.push(Asked::Change(JobChange::Nodes(range))),
                Err(lines) => update.passed_over.extend(lines),
            },
            (_, Some(text)) => update.changes.push(change(name, key, text)?),
            (_, None) => {
                problems.push(format!("Invalid input: {word}"));
                problems.push("Request aborted".to_owned());
                break;
            }
        }
    }
    if update.ids.is_none() {
        // Without an id a name says which jobs are meant.
        let name = update.changes.iter().position(|c| matches!(c, Asked::Change(JobChange::Name(_))));
        if let Some(Asked::Change(JobChange::Name(name))) = name.map(|at| update.changes.remove(at)) {
            update.name = Some(name);
        }
    }
    if update.ids.is_none() && update.name.is_none() {
        return Ok(None);
    }
    let aborted = problems.iter().any(|p| p == "Request aborted");
    if update.changes.is_empty() && update.passed_over.is_empty() && !aborted {
        problems.push("No changes specified".to_owned());
    }
    if problems.is_empty() { Ok(Some(update)) } else { Err(problems) }
}

fn at_time(key: Key, at: Timestamp) -> JobChange {
    match key {
        Key::Deadline => JobChange::Deadline(Some(at)),
        Key::EndTime => JobChange::EndTime(at),
        _ => JobChange::Begin(at),
    }
}

fn time_limit(text: &str) -> Result<Asked, Lines> {
    let minutes = |text: &str| match TimeLimit::parse(text)? {
        TimeLimit::Minutes(minutes) => Some(i64::from(minutes)),
        TimeLimit::Unlimited => None,
    };
    let asked = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(more), _) => minutes(more).map(Asked::TimeLimitBy),
        (None, Some(less)) => minutes(less).map(|m| Asked::TimeLimitBy(-m)),
        (None, None) => TimeLimit::parse(text).map(|limit| Asked::Change(JobChange::TimeLimit(limit))),
    };
    asked.ok_or_else(|| vec!["scontrol: error: Invalid TimeLimit value".to_owned()])
}

/// Nice without a value is 100, as in Slurm.
fn nice(value: Option<&str>) -> Result<Asked, Lines> {
    let nice = value.map_or(Ok(100), str::parse);
    let line = || {
        vec![format!("scontrol: error: Invalid nice value, must be a number: {}", value.unwrap_or_default())]
    };
    nice.map(|n| Asked::Change(JobChange::Nice(n))).map_err(|_| line())
}

fn invalid(name: &str, text: &str) -> Lines {
    vec![format!("scontrol: error: Invalid {name} value: {text}")]
}

fn number(name: &str, text: &str) -> Result<u32, Lines> {
    text.parse().map_err(|_| invalid(name, text))
}

/// `yes` and `no`, or a beginning of them.
fn yes(name: &str, text: &str) -> Result<bool, Lines> {
    match text.to_ascii_lowercase().as_str() {
        "" => Err(invalid(name, text)),
        t if "yes".starts_with(t) => Ok(true),
        t if "no".starts_with(t) => Ok(false),
        _ => Err(invalid(name, text)),
    }
}

fn cleared(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|t| !t.is_empty())
}

fn names(text: &str) -> Vec<String> {
    text.split(',').filter(|n| !n.is_empty()).map(str::to_owned).collect()
}

/// A change whose value may be a refusal for every job.
fn or_refused<T>(value: Option<T>, reject: Reject, change: impl FnOnce(T) -> JobChange) -> Asked {
    value.map_or(Asked::Refused(reject), |v| Asked::Change(change(v)))
}

fn hosts(text: &str, change: impl FnOnce(Option<HostList>) -> JobChange) -> Asked {
    match text {
        "" => Asked::Change(change(None)),
        _ => or_refused(HostList::parse(text).ok(), Reject::InvalidNodeName(text.to_owned()), |h| {
            change(Some(h))
        }),
    }
}

fn change(name: &str, key: Key, text: &str) -> Result<Asked, Lines> {
    use JobChange as C;
    let count = || number(name, text);
    Ok(Asked::Change(match key {
        Key::Account => C::Account(cleared(text)),
        Key::AdminComment => C::AdminComment(cleared(text)),
        Key::ArrayTaskThrottle => C::ArrayTaskThrottle(count()?),
        Key::Comment => C::Comment(Some(text.to_owned())),
        Key::Contiguous => C::Contiguous(yes(name, text)?),
        Key::Cores => C::Cores(count()?),
        Key::Cpus => {
            let min = text.split('-').next().unwrap_or(text);
            let bad = || {
                let first = format!("scontrol: error: Invalid numeric value \"{text}\" for NumCPUs.");
                [vec![first], invalid(name, text)].concat()
            };
            C::Cpus(scaled(min).ok_or_else(bad)?)
        }
        Key::CpusPerTask => C::CpusPerTask(count()?),
        Key::DelayBoot => {
            let limit = TimeLimit::parse(text).and_then(TimeLimit::duration);
            C::DelayBoot(limit.ok_or_else(|| invalid(name, text))?)
        }
        Key::Dependency if text.is_empty() => C::Dependency(None),
        Key::Dependency => {
            let dependency = Dependency::parse(text).ok();
            return Ok(or_refused(dependency, Reject::DependencyProblem, |d| C::Dependency(Some(d))));
        }
        Key::Exclude => return Ok(hosts(text, C::Exclude)),
        Key::Features => C::Features(cleared(text)),
        Key::Federation => return Ok(Asked::Refused(Reject::Other("Unspecified error".into()))),
        Key::Gres if text.is_empty() => C::Gres(Vec::new()),
        Key::Gres => {
            return Ok(or_refused(GresRequest::parse_list(text), Reject::InvalidGres(text.into()), C::Gres));
        }
        Key::Licenses => {
            return Ok(or_refused(LicenseRequest::parse_list(text), Reject::InvalidLicenses, C::Licenses));
        }
        Key::MailType => match mail_type_words(text) {
            Some(types) => C::MailType(types),
            None => return Err(vec![format!("Invalid MailType: {text}")]),
        },
        Key::MailUser => C::MailUser(cleared(text)),
        Key::MinCpusNode => C::MinCpusNode(count()?),
        Key::MinMemoryCpu => C::Memory(MemRequest::PerCpu(count()?.into())),
        Key::MinMemoryNode => C::Memory(MemRequest::PerNode(count()?.into())),
        Key::MinTmpDisk => C::TmpDisk(count()?.into()),
        Key::Name => C::Name(text.to_owned()),
        Key::NodeList => return Ok(hosts(text, C::NodeList)),
        Key::OverSubscribe => C::OverSubscribe(yes(name, text)?),
        Key::Partition => C::Partitions(names(text)),
        Key::Prefer => C::Prefer(cleared(text)),
        Key::Priority => C::Priority(count()?),
        Key::Qos => C::Qos(cleared(text)),
        Key::Reboot => C::Reboot(match text {
            "0" | "1" => text == "1",
            _ => yes("reboot", text)?,
        }),
        Key::SiteFactor => C::SiteFactor(text.parse().map_err(|_| invalid(name, text))?),
        Key::Requeue => match text {
            "0" => C::Requeue(false),
            "1" => C::Requeue(true),
            _ => return Err(invalid(name, text)),
        },
        Key::Reservation => C::Reservation(cleared(text)),
        Key::Sockets => C::Sockets(count()?),
        // Slurm's answer, even to root, where AllowSpecResourcesUsage is not set.
        Key::Specialized => {
            count()?;
            return Ok(Asked::Refused(Reject::AccessDenied));
        }
        Key::StdOut => C::StdOut(text.to_owned()),
        Key::SwitchWait => C::SwitchWait(bivouac_types::Duration::from_secs(count()?.into())),
        Key::Switches => C::Switches(switches(name, text)?),
        Key::Tasks => C::Tasks(count()?),
        Key::TasksPerNode => C::TasksPerNode(count()?),
        Key::Threads => C::Threads(count()?),
        Key::TimeMin => {
            let bad = || vec!["scontrol: error: Invalid TimeMin value".to_owned()];
            let limit = TimeLimit::parse(text).ok_or_else(bad)?;
            // Zero takes it away.
            let zero = limit == TimeLimit::Unlimited && text.starts_with(|c: char| c.is_ascii_digit());
            C::TimeMin((!zero).then_some(limit))
        }
        Key::Tres => {
            let text = "Invalid Trackable RESource (TRES) specification";
            return Ok(Asked::Refused(Reject::Other(text.into())));
        }
        Key::Unsupported => return Ok(Asked::Refused(Reject::NotSupported)),
        Key::Wckey => C::WcKey(cleared(text)),
        Key::WorkDir if text.starts_with('/') => C::WorkDir(text.to_owned()),
        Key::WorkDir => return Err(invalid(name, text)),
        // Read before.
        Key::Begin
        | Key::Deadline
        | Key::EndTime
        | Key::JobId
        | Key::Nice
        | Key::Nodes
        | Key::ResetAccrueTime
        | Key::TimeLimit
        | Key::User => return Err(invalid(name, text)),
    }))
}

/// `2`, `1-4`; one number is the least, and the job may have more.
fn nodes(text: &str) -> Result<NodeRange, Lines> {
    let bad = || vec![format!("scontrol: error: Invalid numeric value \"{text}\" for requested node count.")];
    let (min, max) = match text.split_once('-') {
        Some((min, max)) => (min, Some(scaled(max).ok_or_else(bad)?)),
        None => (text, None),
    };
    let min = scaled(min).ok_or_else(bad)?;
    Ok(NodeRange { min, max })
}

/// `2`, `2@10`; without a time they are not waited for; 0 takes the limit away.
fn switches(name: &str, text: &str) -> Result<Option<SwitchRequest>, Lines> {
    let (count, wait) = match text.split_once('@') {
        Some((count, wait)) => {
            let wait = TimeLimit::parse(wait).and_then(TimeLimit::duration);
            (count, Some(wait.ok_or_else(|| invalid(name, text))?))
        }
        None => (text, Some(bivouac_types::Duration::ZERO)),
    };
    let count = number(name, count).map_err(|_| invalid(name, text))?;
    Ok((count > 0).then_some(SwitchRequest { count, wait }))
}

#[cfg(test)]
#[path = "job_update_tests.rs"]
mod tests;
