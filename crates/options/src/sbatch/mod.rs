//! What the options of sbatch ask for: a [`JobSpec`] and what the command itself is to do.

mod gpus;
mod noted;
mod resources;

use crate::export::ExportList;
use crate::getopt::Given;
use crate::value::{self, ValueError};
use bivouac_types::distribution::Method;
use bivouac_types::job::{Export, SignalRequest, SwitchRequest};
use bivouac_types::{
    ArraySpec, Dependency, Distribution, Duration, JobSpec, LicenseRequest, TimeLimit, Timestamp, when,
};
use jiff::Zoned;
use std::io;

/// The largest array index that any cluster may allow (MaxArraySize is at most 4000001).
const MAX_ARRAY_INDEX: u32 = 4_000_000;

/// What sbatch is asked to do.
#[derive(Clone, Debug)]
pub struct Request {
    /// The job. What only the caller's surroundings tell (folder, command, hosts, the default name) is still empty.
    pub spec: JobSpec,
    /// What of the environment goes along.
    pub export: ExportList,
    /// --export as given (SLURM_EXPORT_ENV).
    pub export_text: Option<String>,
    /// --export-file: the file, or the number of an open one.
    pub export_file: Option<String>,
    /// --propagate: names of limits as given; none: the cluster's default.
    pub propagate: Option<String>,
    /// Variables for the job that repeat options, beyond those that the controller sets.
    pub variables: Vec<(&'static str, String)>,
    /// What is said on standard error though the job is submitted.
    pub warnings: Vec<String>,
    /// --wrap.
    pub wrap: Option<String>,
    /// --chdir as given.
    pub chdir: Option<String>,
    /// --uid as given.
    pub uid: Option<String>,
    /// --gid as given.
    pub gid: Option<String>,
    /// --clusters as given.
    pub clusters: Option<String>,
    /// --parsable.
    pub parsable: bool,
    /// --quiet.
    pub quiet: bool,
    /// --wait.
    pub wait: bool,
    /// --test-only.
    pub test_only: bool,
    /// How often --verbose was given.
    pub verbose: usize,
}

/// What an empty name is refused with, as by the controller.
const EMPTY: [(&str, &str); 3] = [
    ("account", "Batch job submission failed: Invalid account or account/partition combination specified"),
    (
        "partition",
        "invalid partition specified: (null)\nBatch job submission failed: Invalid partition name specified",
    ),
    ("qos", "Batch job submission failed: Invalid qos specification"),
];

/// Reads a file that an option names (--nodefile, --nodelist=./file).
pub type ReadFile<'a> = &'a dyn Fn(&str) -> io::Result<String>;

/// Reads all values. `now` is what times are relative to.
///
/// # Errors
/// [`ValueError`] for the first value that is wrong, or an option that is given here and not handled.
pub fn request(given: &Given, now: &Zoned, read: ReadFile<'_>) -> Result<Request, ValueError> {
    let export = ExportList::parse(given.value("export").unwrap_or_default());
    // Both bring the login environment along, under the whole of the caller's.
    let login = value::get_user_env(given)? || export.kind == Export::All && !export.items.is_empty();
    for (long, refusal) in EMPTY {
        if given.value(long) == Some("") {
            return Err(ValueError::plain(refusal));
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
        std_in: text(given, "input"),
        std_out: text(given, "output"),
        std_err: text(given, "error"),
        open_mode: parsed(given, "open-mode", value::open_mode)?,
        time_limit: parsed(given, "time", TimeLimit::parse)?,
        time_min: parsed(given, "time-min", TimeLimit::parse)?,
        begin: parsed(given, "begin", |t| when::parse(t, now))?,
        deadline: deadline(given, now)?,
        dependency: dependency(given)?,
        array: array(given)?,
        resources: resources::read(given, read, &mut warnings)?,
        hold: given.has("hold"),
        requeue: given.last_of(&["requeue", "no-requeue"]).map(|c| c.opt.long == "requeue"),
        nice: value::nice(given)?,
        priority: priority(given)?,
        kill_on_invalid_dep: parsed(given, "kill-on-invalid-dep", value::yes_no)?,
        no_kill: no_kill(given)?,
        licenses: licenses(given)?,
        reservation: text(given, "reservation"),
        wckey: text(given, "wckey"),
        mail_types: value::mail_types(given)?,
        mail_user: text(given, "mail-user"),
        export: match &export.kind {
            Export::All if login => Export::Names,
            kind => kind.clone(),
        },
        signal: parsed(given, "signal", signal)?,
        switches: switches(given)?,
        delay_boot: parsed(given, "delay-boot", delay)?,
        network: text(given, "network"),
        batch_features: given.value("batch").map(str::to_owned),
        reboot: given.has("reboot"),
        noted,
        ..JobSpec::default()
    };
    let distribution = value::distribution(given, None)?;
    if distribution.as_ref().is_some_and(|d| d.method == Method::Arbitrary)
        && spec.resources.nodelist.is_none()
    {
        return Err(ValueError::plain(
            "With Arbitrary distribution you need to specify a nodelist or hostfile with the -w option",
        ));
    }
    spec.resources.fill_sockets = distribution.as_ref().is_some_and(Distribution::fills_sockets);
    given.last_of(&["ignore-pbs"]);
    let request = Request {
        spec,
        export,
        export_text: text(given, "export"),
        export_file: text(given, "export-file"),
        propagate: given.get("propagate").map(|c| c.value.clone().unwrap_or_else(|| "ALL".to_owned())),
        variables: variables(given, distribution.as_ref()),
        warnings,
        wrap: given.value("wrap").map(str::to_owned),
        chdir: text(given, "chdir"),
        uid: given.value("uid").map(str::to_owned),
        gid: given.value("gid").map(str::to_owned),
        clusters: text(given, "clusters"),
        parsable: given.has("parsable"),
        quiet: given.has("quiet"),
        wait: given.has("wait"),
        test_only: given.has("test-only"),
        verbose: given.count("verbose"),
    };
    given.finish()?;
    Ok(request)
}

/// The options that srun in the job reads from variables.
fn variables(given: &Given, distribution: Option<&Distribution>) -> Vec<(&'static str, String)> {
    let open_mode = given.value("open-mode").map(|m| m[..1].to_owned());
    let all = [
        ("SLURM_DISTRIBUTION", distribution.map(ToString::to_string)),
        ("SLURM_DIST_PLANESIZE", distribution.and_then(Distribution::plane_size).map(|n| n.to_string())),
        ("SLURM_HINT", text(given, "hint")),
        ("SLURM_OPEN_MODE", open_mode),
    ];
    let mut all: Vec<_> = all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    all.extend(noted::variables(given));
    all
}

/// The value of an option, if it is not empty.
fn text(given: &Given, long: &'static str) -> Option<String> {
    given.value(long).filter(|v| !v.is_empty()).map(str::to_owned)
}

fn parsed<T>(
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

fn array(given: &Given) -> Result<Option<ArraySpec>, ValueError> {
    let Some(text) = given.value("array").filter(|a| !a.is_empty()) else { return Ok(None) };
    let parsed = ArraySpec::parse(text, MAX_ARRAY_INDEX);
    parsed.map(Some).map_err(|_| ValueError::submission("Invalid job array specification"))
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

/// --signal=[{R|B}:]signal[@seconds]; without seconds 60.
fn signal(text: &str) -> Option<SignalRequest> {
    let (flags, rest) = match text.split_once(':') {
        Some((flags, rest)) => (flags, rest),
        None => ("", text),
    };
    if !flags.chars().all(|c| matches!(c.to_ascii_uppercase(), 'B' | 'R')) {
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
mod tests;
