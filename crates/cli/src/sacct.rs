//! `sacct`.

use crate::report::{self, Trouble};
use crate::{invocation, terminal};
use bivouac_options::value::list;
use bivouac_options::{Given, Program};
use bivouac_proto::client::Accounted;
use bivouac_proto::message::AccountingQuery;
use bivouac_render::sacct::{self, BadState, Entries, Filter, Style};
use bivouac_render::{Layout, Settings, Units};
use bivouac_types::info::JobInfo;
use bivouac_types::{HostList, Timestamp, when};
use jiff::{Span, Zoned};
use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

/// Runs the command.
pub fn run(args: &[OsString]) -> ExitCode {
    invocation::run(Program::Sacct, args, sacct)
}

fn fail(what: impl std::fmt::Display) -> ExitCode {
    invocation::fail(Program::Sacct, what)
}

fn fatal(what: impl std::fmt::Display) -> ExitCode {
    invocation::fatal(Program::Sacct, what)
}

fn sacct(given: &Given) -> Result<(), ExitCode> {
    if let Some(operand) = given.operands.first() {
        eprintln!("sacct: error: Unknown arguments:\nsacct: error:  {}", operand.display());
        return Err(ExitCode::FAILURE);
    }
    if given.has("helpformat") {
        return match invocation::print(&sacct::help_format()) {
            code if code == ExitCode::SUCCESS => Ok(()),
            code => Err(code),
        };
    }
    let mut settings = report::settings();
    settings.units = units(given)?;
    let delimiter = given.value("delimiter").unwrap_or("|").to_owned();
    let layout = layout(given, &delimiter)?;
    let (columns, heading) = (style(given, &delimiter) == Style::Columns, !given.has("noheader"));
    let filter = filter(given, &settings)?;
    let allocations = given.has("allocations");
    let verbose = given.count("verbose");
    invocation::finish(given)?;
    if verbose > 0 {
        let show = |at: Timestamp| at.format(&settings.zone, &settings.time_format, settings.now);
        terminal::hint(format_args!("jobs from {} to {}", show(filter.since), show(filter.until)));
    }
    let jobs = fetch(&filter).map_err(fail)?;
    let rows = sacct::entries(&jobs, &filter, allocations);
    let print = || -> io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        if heading {
            layout.heading(&mut out)?;
        }
        if heading && columns {
            layout.rule(&mut out)?;
        }
        layout.lines(rows, &settings, &mut out)?;
        out.flush()
    };
    print().map_err(|_| ExitCode::FAILURE)
}

fn units(given: &Given) -> Result<Units, ExitCode> {
    let whole = if given.has("noconvert") { Units::Original } else { Units::Natural };
    match given.value("units") {
        None => Ok(whole),
        Some(unit) => {
            match unit.chars().next().map(|c| c.to_ascii_uppercase()).filter(|c| "KMGTP".contains(*c)) {
                Some(letter) if unit.len() == 1 => Ok(Units::Fixed(letter)),
                _ => {
                    fail(format_args!("Invalid unit type '{unit}'. Possible options are 'KMGTP'"));
                    Err(fatal("Invalid unit type"))
                }
            }
        }
    }
}

fn style<'d>(given: &Given, delimiter: &'d str) -> Style<'d> {
    match given.last_of(&["parsable", "parsable2"]).map(|c| c.opt.long) {
        Some("parsable") => Style::Parsable(delimiter),
        Some(_) => Style::Parsable2(delimiter),
        None => Style::Columns,
    }
}

fn layout(given: &Given, delimiter: &str) -> Result<Layout<Entries>, ExitCode> {
    let named = given.last_of(&["format", "brief", "long"]);
    let fields = match named.map(|c| (c.opt.long, c.value.as_deref())) {
        Some(("brief", _)) => sacct::BRIEF_FIELDS,
        Some(("long", _)) => sacct::LONG_FIELDS,
        Some((_, Some(fields))) => fields,
        _ => sacct::DEFAULT_FIELDS,
    };
    sacct::layout(fields, style(given, delimiter)).map_err(fail)
}

fn filter(given: &Given, settings: &Settings) -> Result<Filter, ExitCode> {
    let names = |option: &'static str| given.value(option).map(|text| list(Some(text)));
    let jobs = given.value("jobs").map(sacct::parse_jobs).transpose().map_err(fatal)?;
    let states = given.value("state").map(sacct::parse_states).transpose().map_err(|e: BadState| fatal(e))?;
    let (since, until) = window(given, settings, jobs.is_some(), states.is_some())?;
    let nodes = match given.value("nodelist") {
        None => None,
        Some(text) => Some(
            HostList::parse(text).map_err(|e| fail(format_args!("Invalid node list {text}: {e}")))?.names,
        ),
    };
    Ok(Filter {
        users: users(given, jobs.is_some())?,
        jobs,
        states,
        accounts: names("accounts"),
        partitions: names("partition"),
        qos: names("qos"),
        names: names("name"),
        nodes,
        since,
        until,
    })
}

/// Whose jobs: an ordinary user's own, unless jobs are named or everybody's are asked for.
fn users(given: &Given, jobs_named: bool) -> Result<Option<Vec<u32>>, ExitCode> {
    let all = given.has("allusers");
    if let Some(users) = given.value("user") {
        let uid =
            |user: &String| report::uid_of(user).ok_or_else(|| fail(format_args!("Invalid user id: {user}")));
        return list(Some(users)).iter().map(uid).collect::<Result<Vec<u32>, _>>().map(Some);
    }
    let own = report::own_uid();
    Ok(if all || jobs_named || own == 0 { None } else { Some(vec![own]) })
}

/// The window of time, with the defaults of sacct(1), DEFAULT TIME WINDOW.
fn window(
    given: &Given,
    settings: &Settings,
    jobs: bool,
    states: bool,
) -> Result<(Timestamp, Timestamp), ExitCode> {
    let now = settings.now.zoned(&settings.zone);
    let time = |option: &'static str| match given.value(option) {
        None => Ok(None),
        Some(text) => past(text, &now).map(Some).ok_or_else(|| {
            eprintln!("Invalid time specification (pos=0): {text}");
            ExitCode::FAILURE
        }),
    };
    let (start, end) = (time("starttime")?, time("endtime")?);
    let midnight = now.start_of_day().map_or(settings.now, |day| Timestamp::of(&day));
    let since = start.unwrap_or(match (jobs, states) {
        (true, _) => Timestamp(0),
        (false, true) => settings.now,
        (false, false) => midnight,
    });
    let until = end.unwrap_or(match (states, start) {
        (true, Some(start)) => start,
        _ => settings.now,
    });
    if since > until {
        let show = |at: Timestamp| at.format(&settings.zone, &settings.time_format, settings.now);
        return Err(fail(format_args!(
            "Start time ({}) requested is after end time ({}).",
            show(since),
            show(until)
        )));
    }
    Ok((since, until))
}

/// A time that was, where the text leaves the day or the year open: `08:00` is today's or yesterday's.
fn past(text: &str, now: &Zoned) -> Option<Timestamp> {
    let at = when::parse(text, now)?;
    let lower = text.trim().to_ascii_lowercase();
    if at <= Timestamp::of(now) || lower.starts_with("now") || lower.contains("tomorrow") {
        return Some(at);
    }
    let earlier = [Span::new().days(1), Span::new().years(1)].into_iter().filter_map(|span| {
        let then = now.checked_sub(span).ok()?;
        when::parse(text, &then)
    });
    Some(earlier.filter(|t| *t <= Timestamp::of(now)).max().unwrap_or(at))
}

fn fetch(filter: &Filter) -> Result<Vec<JobInfo>, Trouble> {
    let query = AccountingQuery {
        ids: filter.jobs.as_ref().map(|list| list.iter().map(|(r, _)| r.job).collect()),
        uid: filter.users.as_ref().filter(|u| u.len() == 1).and_then(|u| u.first().copied()),
        since: Some(filter.since),
        until: Some(filter.until),
    };
    let Accounted { jobs, damaged } = report::connect()?.accounting(query)??;
    for job in damaged {
        eprintln!("sacct: error: job {job}: its accounting record is damaged and is left out");
    }
    Ok(jobs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bivouac_options::{Invocation, read};

    fn given(args: &str) -> Given {
        let args: Vec<OsString> = args.split_whitespace().map(OsString::from).collect();
        match read(Program::Sacct, &args, |_| None).unwrap() {
            Invocation::Run(given) => given,
            Invocation::Print(text) => panic!("{text}"),
        }
    }

    fn settings() -> Settings {
        let now: Zoned = "2026-11-22T15:40:00[UTC]".parse().unwrap();
        Settings::new(Timestamp::of(&now))
    }

    #[test]
    fn the_default_window_of_the_man_page() {
        let show = |args: &str, jobs: bool, states: bool| {
            let s = settings();
            let text = |at: Timestamp| at.format(&s.zone, &s.time_format, s.now);
            window(&given(args), &s, jobs, states).map(|(a, b)| format!("{} {}", text(a), text(b))).unwrap()
        };
        let (midnight, now, epoch) = ("2026-11-22T00:00:00", "2026-11-22T15:40:00", "1970-01-01T00:00:00");
        assert_eq!(show("", false, false), format!("{midnight} {now}"));
        assert_eq!(show("", true, false), format!("{epoch} {now}"));
        assert_eq!(show("", false, true), format!("{now} {now}"));
        assert_eq!(show("-S 08:00", false, false), format!("2026-11-22T08:00:00 {now}"));
        assert_eq!(show("-S 2026-11-01", false, true), "2026-11-01T00:00:00 2026-11-01T00:00:00");
        assert_eq!(show("-S now-1days -E now", false, true), format!("2026-11-21T15:40:00 {now}"));
        assert!(window(&given("-S tomorrow"), &settings(), false, false).is_err());
        assert!(window(&given("-S foo"), &settings(), false, false).is_err());
    }

    #[test]
    fn times_lie_in_the_past_where_they_may() {
        let now: Zoned = "2026-11-22T15:40:00[UTC]".parse().unwrap();
        let show =
            |text: &str| past(text, &now).map(|at| at.zoned(now.time_zone()).strftime("%F %R").to_string());
        for (text, expected) in [
            ("08:00", "2026-11-22 08:00"),
            ("16:00", "2026-11-21 16:00"),
            ("12/24", "2025-12-24 00:00"),
            ("2027-01-01", "2027-01-01 00:00"),
            ("now+1hours", "2026-11-22 16:40"),
            ("tomorrow", "2026-11-23 00:00"),
        ] {
            assert_eq!(show(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(show("foo"), None);
    }

    #[test]
    fn units_and_styles() {
        assert_eq!(units(&given("--units=g")), Ok(Units::Fixed('G')));
        assert_eq!(units(&given("--noconvert")), Ok(Units::Original));
        assert!(units(&given("--units=X")).is_err() && units(&given("--units=GB")).is_err());
        assert_eq!(style(&given("-P -p"), ","), Style::Parsable(","));
        assert_eq!(style(&given("-p -P"), ","), Style::Parsable2(","));
    }
}
