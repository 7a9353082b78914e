//! The options that choose jobs, as a filter.

use super::{fail, fatal, window};
use crate::report;
use bivouac_options::Given;
use bivouac_options::value::list;
use bivouac_render::sacct::{self, Filter, StartedBy};
use bivouac_render::{Settings, Units};
use bivouac_types::{HostList, TimeLimit};
use std::process::ExitCode;

/// What was asked for, apart from the format.
pub struct Request {
    pub filter: Filter,
    /// -X.
    pub allocations: bool,
    /// -v.
    pub verbose: bool,
    /// -M names other clusters only: of them nothing is known.
    pub elsewhere: bool,
}

impl Request {
    pub fn read(given: &Given, settings: &Settings) -> Result<Request, ExitCode> {
        let clusters = given.value("clusters").map(|text| list(Some(text)));
        let here = |name: &String| name == "all" || name.eq_ignore_ascii_case(&settings.cluster);
        Ok(Request {
            filter: filter(given, settings)?,
            allocations: given.has("allocations"),
            verbose: given.has("verbose"),
            elsewhere: clusters.is_some_and(|names| !names.iter().any(here)),
        })
    }
}

fn filter(given: &Given, settings: &Settings) -> Result<Filter, ExitCode> {
    let names = |option: &'static str| listed(given, option).map(|text| list(Some(&text)));
    let jobs = listed(given, "jobs").as_deref().map(sacct::parse_jobs).transpose().map_err(fatal)?;
    let jobs = jobs.filter(|picks| !picks.is_empty());
    let states = listed(given, "state").as_deref().map(sacct::parse_states).transpose().map_err(fatal)?;
    // States that never occur here are states all the same; no state at all is no condition.
    let states = states.filter(|_| !names("state").unwrap_or_default().is_empty());
    let besides = window::Besides { jobs: jobs.is_some(), states: states.is_some() };
    let nodes = match listed(given, "nodelist") {
        None => None,
        Some(text) => Some(
            HostList::parse(&text).map_err(|e| fail(format_args!("Invalid node list {text}: {e}")))?.names,
        ),
    };
    Ok(Filter {
        window: window::read(given, settings, besides)?,
        users: users(given, jobs.is_some())?,
        groups: groups(given)?,
        jobs,
        states,
        accounts: names("accounts"),
        partitions: names("partition"),
        qos: names("qos"),
        names: names("name"),
        wckeys: names("wckeys"),
        associations: names("associations"),
        nodes,
        constraints: names("constraints").unwrap_or_default(),
        reasons: listed(given, "reason").as_deref().map(sacct::parse_reasons).transpose().map_err(fatal)?,
        started_by: started_by(given)?,
        num_nodes: range(given, "nnodes", "node")?,
        num_cpus: range(given, "ncpus", "cpu")?,
        limits: limits(given)?,
        duplicates: given.has("duplicates"),
        truncate: given.has("truncate"),
    })
}

/// The entries of a list that may be given several times: they add up.
fn listed(given: &Given, option: &'static str) -> Option<String> {
    let parts: Vec<&str> = given.all(option).filter_map(|c| c.value.as_deref()).collect();
    (!parts.is_empty()).then(|| parts.join(","))
}

/// Whose jobs: an ordinary user's own, unless jobs are named or everybody's are asked for.
fn users(given: &Given, jobs_named: bool) -> Result<Option<Vec<u32>>, ExitCode> {
    let all = given.has("allusers");
    if let Some(users) = listed(given, "user") {
        let uid =
            |user: &String| report::uid_of(user).ok_or_else(|| fail(format_args!("Invalid user id: {user}")));
        let users = list(Some(&users));
        // Slurm ends without a word when nobody is named.
        if users.is_empty() {
            return Err(ExitCode::FAILURE);
        }
        return users.iter().map(uid).collect::<Result<Vec<u32>, _>>().map(Some);
    }
    let own = report::own_uid();
    Ok(if all || jobs_named || own == 0 { None } else { Some(vec![own]) })
}

fn groups(given: &Given) -> Result<Option<Vec<u32>>, ExitCode> {
    let Some(groups) = listed(given, "group") else { return Ok(None) };
    let gid =
        |group: &String| report::gid_of(group).ok_or_else(|| fail(format_args!("Invalid group id: {group}")));
    list(Some(&groups)).iter().map(gid).collect::<Result<Vec<u32>, _>>().map(Some)
}

fn started_by(given: &Given) -> Result<Option<Vec<StartedBy>>, ExitCode> {
    let Some(flags) = given.value("flags") else { return Ok(None) };
    let one = |word: &String| {
        let unknown = || fail(format_args!("str_2_job_flags: Invalid job flag {word}"));
        StartedBy::parse(word).ok_or_else(unknown)
    };
    list(Some(flags)).iter().map(one).collect::<Result<Vec<_>, _>>().map(Some)
}

/// `min[-max]`, each with `k` for 1024; 0 is no condition.
fn range(given: &Given, option: &'static str, what: &str) -> Result<Option<(u32, u32)>, ExitCode> {
    let Some(text) = given.value(option) else { return Ok(None) };
    let number = |text: &str| {
        let (digits, factor) = match text.strip_suffix(['k', 'K']) {
            Some(digits) => (digits, 1024),
            None => (text, 1),
        };
        digits.parse::<u32>().ok().filter(|_| !digits.starts_with('+'))?.checked_mul(factor)
    };
    let range = match text.split_once('-') {
        None => number(text).map(|n| (n, n)),
        Some((least, most)) => number(least).zip(number(most)),
    };
    match range {
        Some((0, 0)) => Ok(None),
        Some(range) => Ok(Some(range)),
        None => Err(fail(format_args!("Invalid numeric value \"{text}\" for requested {what} range."))),
    }
}

/// -k and -K in minutes; -K alone means nothing.
fn limits(given: &Given) -> Result<Option<(u32, u32)>, ExitCode> {
    let minutes = |option: &'static str| match given.value(option).map(|text| (text, TimeLimit::parse(text)))
    {
        None => Ok(None),
        Some((_, Some(TimeLimit::Minutes(minutes)))) => Ok(Some(minutes)),
        Some((text, Some(TimeLimit::Unlimited))) if !text.starts_with('0') => Ok(Some(u32::MAX)),
        Some(_) => Err(fatal("Invalid time limit specification")),
    };
    let (least, most) = (minutes("timelimit-min")?, minutes("timelimit-max")?);
    Ok(least.map(|least| (least, most.unwrap_or(least))))
}

/// -q names QoS that exist.
pub fn known_qos(filter: &Filter, known: &[String]) -> Result<(), ExitCode> {
    let asked = filter.qos.iter().flatten();
    let mut unknown = asked.filter(|q| !known.iter().any(|k| k.eq_ignore_ascii_case(q)));
    let Some(name) = unknown.next() else { return Ok(()) };
    let known = known.join(",");
    fail(format_args!("You gave a bad qos '{name}'. Valid QOS's are {known}"));
    Err(fatal("problem processing qos list"))
}

/// -c and -f: jobs are in the accounting, and in no log besides.
pub fn no_completion_log(given: &Given) -> Result<(), ExitCode> {
    let completion = given.has("completion");
    match given.value("file") {
        Some(file) if !std::path::Path::new(file).is_file() => eprintln!("{file} is not a valid file"),
        Some(_) => eprintln!("Slurm job completion is disabled"),
        None if completion => eprintln!("Slurm job completion is disabled"),
        None => return Ok(()),
    }
    Err(ExitCode::FAILURE)
}

pub fn units(given: &Given) -> Result<Units, ExitCode> {
    let whole = if given.has("noconvert") { Units::Original } else { Units::Natural };
    let Some(unit) = given.value("units") else { return Ok(whole) };
    // What follows the letter (GB) does not matter to Slurm.
    match unit.chars().next().map(|c| c.to_ascii_uppercase()).filter(|c| "KMGTP".contains(*c)) {
        Some(letter) => Ok(Units::Fixed(letter)),
        None => {
            fail(format_args!("Invalid unit type '{unit}'. Possible options are 'KMGTP'"));
            Err(fatal("Invalid unit type"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::given;
    use super::*;

    #[test]
    fn units_by_their_letter() {
        assert_eq!(units(&given("--units=g")), Ok(Units::Fixed('G')));
        assert_eq!(units(&given("--units=GB")), Ok(Units::Fixed('G')));
        assert_eq!(units(&given("--noconvert --units=K")), Ok(Units::Fixed('K')));
        assert_eq!(units(&given("--noconvert")), Ok(Units::Original));
        assert!(units(&given("--units=X")).is_err());
    }

    #[test]
    fn ranges_of_numbers() {
        let read = |text: &str| range(&given(&format!("-i {text}")), "nnodes", "node");
        for (text, expected) in [
            ("2", Some((2, 2))),
            ("2-4", Some((2, 4))),
            ("1k", Some((1024, 1024))),
            ("0", None),
            ("4-2", Some((4, 2))),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
        for bad in ["a", "1-", "1-x", "+1", "1-2-3", "99999999999", "9999999k"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert_eq!(range(&given(""), "nnodes", "node"), Ok(None));
    }

    #[test]
    fn time_limits() {
        let read = |args: &str| limits(&given(args));
        assert_eq!(read("-k 5"), Ok(Some((5, 5))));
        assert_eq!(read("-k 5 -K 1:00:00"), Ok(Some((5, 60))));
        assert_eq!(read("-k UNLIMITED"), Ok(Some((u32::MAX, u32::MAX))));
        assert_eq!(read("-K 60"), Ok(None));
        assert!(read("-k 0").is_err() && read("-k foo").is_err() && read("-k 5 -K foo").is_err());
    }

    #[test]
    fn who_started_a_job() {
        let read = |flags: &str| started_by(&given(&format!("-F {flags}")));
        assert_eq!(read("schedmain,SchedBackfill"), Ok(Some(vec![StartedBy::Main, StartedBy::Backfill])));
        assert!(read("SchedMain,foo").is_err());
    }

    #[test]
    fn unknown_qos_are_refused() {
        let known = ["normal".to_owned(), "short".to_owned()];
        let filter = |qos: &str| Filter { qos: Some(list(Some(qos))), ..Filter::default() };
        assert_eq!(known_qos(&filter("NORMAL,short"), &known), Ok(()));
        assert!(known_qos(&filter("normal,long"), &known).is_err());
        assert_eq!(known_qos(&Filter::default(), &known), Ok(()));
    }
}
