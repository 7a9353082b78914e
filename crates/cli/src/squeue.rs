//! `squeue`.

use crate::report::{self, Trouble};
use crate::{invocation, invocation::Formats, terminal};
use bivouac_options::value::list;
use bivouac_options::{Given, Program};
use bivouac_proto::client::Client;
use bivouac_proto::message::{Ask, JobQuery};
use bivouac_render::squeue::{self, BadId, BadState, Filter, Jobs, Steps};
use bivouac_render::table::{Parsed, sort_keys};
use bivouac_render::{Layout, Settings, Table, Units};
use bivouac_types::info::JobInfo;
use bivouac_types::{HostList, JobId, JobState, Reject};
use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::time::Duration;

/// Runs the command.
pub fn run(args: &[OsString]) -> ExitCode {
    invocation::run(Program::Squeue, args, squeue)
}

fn fail(what: impl std::fmt::Display) -> ExitCode {
    invocation::fail(Program::Squeue, what)
}

/// What was asked for, apart from the format.
struct Request {
    filter: Filter,
    every: Option<Duration>,
    heading: bool,
    /// The line with the time above the heading.
    stamp: bool,
    expand: bool,
    units: Units,
    verbose: usize,
}

/// Lines of jobs or of steps.
enum Report {
    Jobs(Layout<Jobs>, Vec<bivouac_render::table::SortKey<Jobs>>),
    Steps(Layout<Steps>, Vec<bivouac_render::table::SortKey<Steps>>),
}

fn squeue(given: &Given) -> Result<(), ExitCode> {
    if let Some(operand) = given.operands.get(usize::from(bare(given).is_some())) {
        eprintln!("squeue: error: Unrecognized option: {}", operand.display());
        eprint!("{}", bivouac_options::help::usage(Program::Squeue));
        return Err(ExitCode::FAILURE);
    }
    let request = request(given)?;
    let report = report_of(given)?;
    let nodes = given.value("nodelist");
    invocation::finish(given)?;
    let lookup = |e: Trouble| {
        eprintln!("slurm_load_jobs error: {e}");
        ExitCode::FAILURE
    };
    let mut client = report::connect().map_err(lookup)?;
    let filter = match nodes {
        Some(list) => Filter { nodes: Some(known_nodes(list, &mut client)?), ..request.filter.clone() },
        None => request.filter.clone(),
    };
    report::repeat(request.every, || {
        let jobs = fetch(&mut client, &filter).map_err(lookup)?;
        let mut settings = report::settings();
        settings.units = request.units;
        if request.verbose > 0 {
            terminal::hint(format_args!("cluster {} sent {} jobs", settings.cluster, jobs.len()));
        }
        print(&jobs, &filter, &request, &report, &settings).map_err(|_| ExitCode::FAILURE)
    })
}

fn request(given: &Given) -> Result<Request, ExitCode> {
    let every = match given.value("iterate") {
        None => None,
        Some(text) => Some(report::interval(text).ok_or_else(|| fail(format_args!("--iterate={text}\n")))?),
    };
    let stamp = given.has("long") || every.is_some();
    let heading = !given.has("noheader");
    Ok(Request {
        filter: filter(given)?,
        every,
        heading,
        stamp: stamp && heading,
        expand: given.has("array"),
        units: if given.has("noconvert") { Units::Original } else { Units::Natural },
        verbose: given.count("verbose"),
    })
}

/// `-j` and `-s` take their list in the same word (`-j12`), or else from the operand (`-j 12`).
fn bare(given: &Given) -> Option<&'static str> {
    ["jobs", "steps"].into_iter().find(|option| given.last_of(&[*option]).is_some_and(|c| c.value.is_none()))
}

fn operand_of<'a>(given: &'a Given, option: &'static str) -> Option<&'a str> {
    if bare(given) == Some(option) { given.operands.first()?.to_str() } else { None }
}

fn filter(given: &Given) -> Result<Filter, ExitCode> {
    let names = |option: &'static str| given.value(option).map(|text| list(Some(text)));
    let bad_id = |e: BadId| fail(e);
    let mut filter = Filter {
        partitions: names("partition"),
        names: names("name"),
        accounts: names("account"),
        qos: names("qos"),
        states: Some(if given.has("start") { vec![JobState::Pending] } else { Filter::active() }),
        ..Filter::default()
    };
    if let Some(text) = given.value("states") {
        filter.states = squeue::parse_states(text).map_err(|BadState(word)| {
            eprintln!("squeue: error: Invalid job state specified: {word}");
            eprintln!("squeue: error: Valid job states include: {}\n", BadState::VALID);
            ExitCode::FAILURE
        })?;
    }
    if let Some(text) = given.value("jobs").or_else(|| operand_of(given, "jobs")) {
        filter.jobs = Some(squeue::parse_jobs(text).map_err(bad_id)?);
    }
    if let Some(text) = given.value("steps").or_else(|| operand_of(given, "steps")) {
        filter.steps = Some(squeue::parse_steps(text).map_err(bad_id)?);
    }
    if let Some(choice) = given.last_of(&["user", "me"]) {
        filter.users = Some(match &choice.value {
            None => vec![report::own_uid()],
            Some(users) => list(Some(users)).iter().filter_map(|user| known_user(user)).collect(),
        });
    }
    Ok(filter)
}

/// An unknown user is said and has no jobs.
fn known_user(user: &str) -> Option<u32> {
    let uid = report::uid_of(user);
    if uid.is_none() {
        eprintln!("squeue: error: Invalid user: {user}\n");
    }
    uid
}

/// The nodes of -w, which must exist.
fn known_nodes(list: &str, client: &mut Client) -> Result<Vec<String>, ExitCode> {
    let known = report::nodes(client).map_err(fail)?;
    let mut asked = HostList::parse(list).map_err(|_| fail(format_args!("Invalid node name {list}")))?.names;
    // All nodes are on this machine; the one named like it is meant.
    if let Some(local) = asked.iter_mut().find(|n| *n == "localhost") {
        *local = hostname();
    }
    match asked.iter().find(|n| !known.iter().any(|k| k.config.name == **n)) {
        Some(unknown) => Err(fail(format_args!("Invalid node name {unknown}"))),
        None => Ok(asked),
    }
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// The format and the order.
fn report_of(given: &Given) -> Result<Report, ExitCode> {
    let Formats { letters, names } = invocation::formats(given)?;
    let long = given.has("long");
    let sort = given.value("sort");
    if given.has("steps") {
        let layout = layout::<Steps>(letters.unwrap_or(squeue::STEPS_FORMAT), names, true);
        return Ok(Report::Steps(layout, keys::<Steps>(sort.unwrap_or(squeue::STEPS_SORT))?));
    }
    let (format, order) = match (given.has("start"), long) {
        (true, _) => (squeue::START_FORMAT, squeue::START_SORT),
        (false, true) => (squeue::LONG_FORMAT, squeue::DEFAULT_SORT),
        (false, false) => (squeue::DEFAULT_FORMAT, squeue::DEFAULT_SORT),
    };
    let layout = layout::<Jobs>(letters.unwrap_or(format), names, false);
    Ok(Report::Jobs(layout, keys::<Jobs>(sort.unwrap_or(order))?))
}

/// A layout; what it does not understand is said, and Slurm goes on with the rest.
fn layout<T: Table>(letters: &str, names: Option<&str>, steps: bool) -> Layout<T> {
    let Parsed { layout, invalid } = match names {
        Some(names) => Layout::names(names),
        None => Layout::letters(letters),
    };
    for what in invalid {
        eprintln!("squeue: error: {}", squeue::invalid_format(&what, steps));
    }
    layout
}

fn keys<T: Table>(sort: &str) -> Result<Vec<bivouac_render::table::SortKey<T>>, ExitCode> {
    sort_keys(sort).map_err(|letter| fail(format_args!("Invalid sort specification: {letter}")))
}

/// The jobs that may be shown. One id that is unknown is an error, several are not.
fn fetch(client: &mut Client, filter: &Filter) -> Result<Vec<JobInfo>, Trouble> {
    let of_jobs = filter.jobs.iter().flatten().map(|r| r.job);
    let of_steps = filter.steps.iter().flatten().map(|s| s.job.job);
    let mut ids: Vec<JobId> = of_jobs.chain(of_steps).collect();
    ids.sort_unstable();
    ids.dedup();
    let alone = ids.len() == 1 && filter.steps.is_none();
    let query = JobQuery {
        ids: (filter.jobs.is_some() || filter.steps.is_some()).then_some(ids),
        uid: filter.users.as_ref().filter(|u| u.len() == 1).and_then(|u| u.first().copied()),
    };
    let narrowed = query.uid.is_some();
    match report::jobs(client, Ask::Jobs(query)) {
        Err(Trouble::Rejected(Reject::InvalidJobId)) if !alone || narrowed => Ok(Vec::new()),
        answer => answer,
    }
}

fn print(
    jobs: &[JobInfo],
    filter: &Filter,
    request: &Request,
    report: &Report,
    settings: &Settings,
) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    if request.stamp {
        writeln!(out, "{}", settings.stamp())?;
    }
    match report {
        Report::Jobs(layout, keys) => {
            let mut rows = squeue::job_rows(jobs, filter, request.expand);
            squeue::sort(&mut rows, keys, settings);
            if request.heading {
                layout.heading(&mut out)?;
            }
            layout.lines(rows, settings, &mut out)?;
        }
        Report::Steps(layout, keys) => {
            let mut rows = squeue::step_rows(jobs, filter);
            squeue::sort_steps(&mut rows, keys, settings);
            if request.heading {
                layout.heading(&mut out)?;
            }
            layout.lines(rows, settings, &mut out)?;
        }
    }
    out.flush()
}
