//! What the options ask for that sbatch, salloc and srun outside a job have in common: one reading of each of them.

mod gpus;
mod noted;
mod resources;

use crate::getopt::Given;
use crate::table::Program;
use crate::value::{self, ValueError};
use bivouac_types::distribution::Method;
use bivouac_types::job::{SignalRequest, SwitchRequest};
use bivouac_types::usage::task_period;
use bivouac_types::{
    Dependency, Distribution, Duration, JobSpec, LicenseRequest, TimeLimit, Timestamp, when,
};
use jiff::Zoned;
use std::io;

/// A job as it is asked for, and what concerns the command that asks.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The job. What only the caller's surroundings tell (folder, command, hosts, the default name) is still empty.
    pub spec: JobSpec,
    /// Variables for the job that repeat options, beyond those that the controller sets.
    pub variables: Vec<(&'static str, String)>,
    /// What is said on standard error though the job is submitted.
    pub warnings: Vec<String>,
    /// --chdir as given.
    pub chdir: Option<String>,
    /// --uid as given.
    pub uid: Option<String>,
    /// --gid as given.
    pub gid: Option<String>,
    /// --clusters as given.
    pub clusters: Option<String>,
    /// --quiet.
    pub quiet: bool,
    /// How often --verbose was given.
    pub verbose: usize,
}

/// What values mean depends on.
pub struct Surroundings<'a> {
    /// What times are relative to.
    pub now: &'a Zoned,
    /// Reads a file that an option names.
    pub read: ReadFile<'a>,
    /// SLURM_DIST_PLANESIZE, for srun.
    pub plane_size: Option<u32>,
}

/// Reads a file that an option names (--nodefile, --nodelist=./file).
pub type ReadFile<'a> = &'a dyn Fn(&str) -> io::Result<String>;

/// What an empty name is refused with, as by the controller.
const EMPTY: [(&str, &str); 3] = [
    ("account", "Invalid account or account/partition combination specified"),
    ("partition", "invalid partition specified: (null)\nInvalid partition name specified"),
    ("qos", "Invalid qos specification"),
];

/// Reads the values. Whether all options were asked for is left to the caller ([`Given::finish`]).
///
/// # Errors
/// [`ValueError`] for the first value that is wrong.
pub fn read(given: &Given, around: &Surroundings<'_>) -> Result<Asked, ValueError> {
    for (long, refusal) in EMPTY {
        if given.value(long) == Some("") {
            return Err(ValueError::submission(refusal));
        }
    }
    if given.has("quiet") && given.has("verbose") {
        return Err(ValueError::plain("don't specify both --verbose (-v) and --quiet (-Q)"));
    }
    let mut warnings = Vec::new();
    let noted = noted::read(given, &mut warnings)?;
    let mut spec = JobSpec {
        name: text(given, "job-name").unwrap_or_default(),
        account: text(given, "account"),
        partitions: value::list(given.value("partition")),
        qos: text(given, "qos"),
        comment: text(given, "comment"),
        time_limit: parsed(given, "time", TimeLimit::parse)?,
        time_min: parsed(given, "time-min", TimeLimit::parse)?,
        begin: parsed(given, "begin", |t| when::parse(t, around.now))?,
        deadline: deadline(given, around.now)?,
        dependency: dependency(given)?,
        resources: resources::read(given, around.read, &mut warnings)?,
        hold: given.has("hold"),
        nice: value::nice(given)?,
        priority: priority(given)?,
        no_kill: no_kill(given)?,
        licenses: licenses(given)?,
        reservation: text(given, "reservation"),
        wckey: text(given, "wckey"),
        mail_types: value::mail_types(given)?,
        mail_user: text(given, "mail-user"),
        signal: parsed(given, "signal", |t| signal(t, given.program == Program::Sbatch))?,
        switches: switches(given)?,
        delay_boot: parsed(given, "delay-boot", delay)?,
        network: text(given, "network"),
        reboot: given.has("reboot"),
        acctg_freq: given.value("acctg-freq").and_then(task_period),
        noted,
        ..JobSpec::default()
    };
    let distribution = value::distribution(given, around.plane_size)?;
    if distribution.as_ref().is_some_and(|d| d.method == Method::Arbitrary)
        && spec.resources.nodelist.is_none()
    {
        return Err(ValueError::plain(
            "With Arbitrary distribution you need to specify a nodelist or hostfile with the -w option",
        ));
    }
    spec.resources.fill_sockets = distribution.as_ref().is_some_and(Distribution::fills_sockets);
    Ok(Asked {
        spec,
        variables: variables(given, distribution.as_ref()),
        warnings,
        chdir: text(given, "chdir"),
        uid: given.value("uid").map(str::to_owned),
        gid: given.value("gid").map(str::to_owned),
        clusters: text(given, "clusters"),
        quiet: given.has("quiet"),
        verbose: given.count("verbose"),
    })
}

/// The options that srun in the job reads from variables.
fn variables(given: &Given, distribution: Option<&Distribution>) -> Vec<(&'static str, String)> {
    let all = [
        ("SLURM_DISTRIBUTION", distribution.map(ToString::to_string)),
        ("SLURM_DIST_PLANESIZE", distribution.and_then(Distribution::plane_size).map(|n| n.to_string())),
        ("SLURM_HINT", text(given, "hint")),
    ];
    let mut all: Vec<_> = all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    all.extend(noted::variables(given));
    all
}

/// The value of an option, if it is not empty.
pub(crate) fn text(given: &Given, long: &'static str) -> Option<String> {
    given.value(long).filter(|v| !v.is_empty()).map(str::to_owned)
}

pub(crate) fn parsed<T>(
    given: &Given,
    long: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, ValueError> {
    let Some(choice) = given.get(long) else { return Ok(None) };
    let text = choice.value.as_deref().unwrap_or_default();
    parse(text).map(Some).ok_or_else(|| ValueError::invalid(long))
}

fn deadline(given: &Given, now: &Zoned) -> Result<Option<Timestamp>, ValueError> {
    let deadline = parsed(given, "deadline", |t| when::parse(t, now))?;
    let begin = parsed(given, "begin", |t| when::parse(t, now))?;
    match (deadline, begin) {
        (Some(deadline), Some(begin)) if deadline < begin => {
            Err(ValueError::plain("Incompatible begin and deadline time specification"))
        }
        _ => Ok(deadline),
    }
}

fn dependency(given: &Given) -> Result<Option<Dependency>, ValueError> {
    let Some(text) = given.value("dependency").filter(|d| !d.is_empty()) else { return Ok(None) };
    Dependency::parse(text).map(Some).map_err(|e| ValueError::submission(e.to_string()))
}

/// A number, or TOP for the highest there is.
fn priority(given: &Given) -> Result<Option<u32>, ValueError> {
    const TOP: u32 = u32::MAX - 1;
    let fail = |text: &str| ValueError { level: "error", text: text.to_owned(), code: 255 };
    match given.value("priority") {
        None => Ok(None),
        Some(text) if text.eq_ignore_ascii_case("TOP") => Ok(Some(TOP)),
        Some(text) => match text.parse::<i64>() {
            Ok(n) if n < 0 => Err(fail("Priority must be >= 0")),
            Ok(n) if n >= i64::from(TOP) => Err(fail(&format!("Priority must be < {TOP}"))),
            Ok(n) => Ok(u32::try_from(n).ok()),
            Err(_) => Err(ValueError::invalid("priority")),
        },
    }
}

fn no_kill(given: &Given) -> Result<bool, ValueError> {
    match given.get("no-kill").map(|c| c.value.as_deref()) {
        None => Ok(false),
        Some(None | Some("set")) => Ok(true),
        Some(Some(text)) if text.eq_ignore_ascii_case("off") || text.eq_ignore_ascii_case("no") => Ok(false),
        Some(Some(_)) => Err(ValueError::invalid("no-kill")),
    }
}

fn licenses(given: &Given) -> Result<Vec<LicenseRequest>, ValueError> {
    let text = given.value("licenses").unwrap_or_default();
    LicenseRequest::parse_list(text).ok_or_else(|| ValueError::submission("Invalid license specification"))
}

/// --signal=[{R|B}:]signal[@seconds], `B` where there is a batch script; without seconds 60.
fn signal(text: &str, batch: bool) -> Option<SignalRequest> {
    let (flags, rest) = match text.split_once(':') {
        Some((flags, rest)) => (flags, rest),
        None => ("", text),
    };
    if !flags.chars().all(|c| matches!((c.to_ascii_uppercase(), batch), ('B', true) | ('R', _))) {
        return None;
    }
    let (signal, seconds) = match rest.split_once('@') {
        Some((signal, seconds)) => (signal, seconds.parse::<u16>().ok()?),
        None => (rest, 60),
    };
    let flag = |c: char| flags.to_ascii_uppercase().contains(c);
    Some(SignalRequest {
        signal: crate::signal::parse(signal)?,
        seconds: seconds.into(),
        batch_only: flag('B'),
        reservation: flag('R'),
    })
}

/// count[@time], the time in minutes and Slurm's other forms.
fn switches(given: &Given) -> Result<Option<SwitchRequest>, ValueError> {
    let Some(text) = given.value("switches") else { return Ok(None) };
    let (count, wait) = match text.split_once('@') {
        Some((count, wait)) => (count, Some(wait)),
        None => (text, None),
    };
    let count = count
        .parse()
        .map_err(|_| ValueError::plain(format!("Invalid numeric value \"{count}\" for --switches.")))?;
    let wait = match wait {
        None => None,
        Some(wait) => Some(delay(wait).ok_or_else(|| ValueError::invalid("switches"))?),
    };
    Ok(Some(SwitchRequest { count, wait }))
}

/// A time of minutes and Slurm's other forms that is not UNLIMITED.
fn delay(text: &str) -> Option<Duration> {
    TimeLimit::parse(text)?.duration()
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
