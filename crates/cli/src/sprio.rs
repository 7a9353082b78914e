//! `sprio`.

use crate::report::{self, Trouble};
use crate::{clusters, invocation, terminal};
use bivouac_options::value::list;
use bivouac_options::{Given, Program};
use bivouac_proto::client::Client;
use bivouac_render::sprio::{self, Filter, Priorities, Row, Shape, Weights};
use bivouac_render::table::{Parsed, sort_keys};
use bivouac_render::{Layout, Settings};
use bivouac_types::parameters::PriorityParameters;
use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

/// Runs the command.
pub fn run(args: &[OsString]) -> ExitCode {
    invocation::run(Program::Sprio, args, sprio)
}

fn fail(what: impl std::fmt::Display) -> ExitCode {
    invocation::fail(Program::Sprio, what)
}

/// What was asked for, apart from the format.
struct Request<'a> {
    filter: Filter,
    sort: &'a str,
    heading: bool,
    weights: bool,
    verbose: usize,
}

fn sprio(given: &Given) -> Result<(), ExitCode> {
    let [jobs] = report::optional_lists(given, ["jobs"])?;
    let users = given.value("user").map(|users| {
        let known = |user: &String| report::known_uid(Program::Sprio, user);
        list(Some(users)).iter().filter_map(known).collect()
    });
    let request = Request {
        filter: Filter {
            jobs: jobs
                .map(sprio::parse_jobs)
                .transpose()
                .map_err(|id| fail(format_args!("Invalid job id: {id}")))?,
            users,
            partitions: given.value("partition").map(|p| list(Some(p))),
        },
        sort: given.value("sort").unwrap_or("i"),
        heading: !given.has("noheader"),
        weights: given.has("weights"),
        verbose: given.count("verbose"),
    };
    let letters = invocation::letters(given)?;
    let shape = Shape {
        long: given.has("long"),
        normalized: given.has("norm"),
        users: request.filter.users.is_some(),
        siblings: given.has("sibling"),
    };
    clusters::named(given)?;
    invocation::finish(given)?;
    let mut client = report::connect().map_err(fail)?;
    let rules = report::config(&mut client).map_err(fail)?.parameters.priority;
    if !rules.multifactor {
        eprintln!(
            "You are not running a supported priority plugin\n(priority/basic).\nOnly 'priority/multifactor' is \
             supported."
        );
        return Err(ExitCode::FAILURE);
    }
    let default;
    let format = match letters {
        Some(letters) => letters,
        None => {
            default = sprio::default_format(shape, &rules);
            &default
        }
    };
    let Parsed { layout, invalid } = sprio::layout(format);
    for what in invalid {
        eprintln!("sprio: error: Invalid job format specification: {what}");
    }
    print(&mut client, &request, &rules, &layout)
}

fn print(
    client: &mut Client,
    request: &Request<'_>,
    rules: &PriorityParameters,
    layout: &Layout<Priorities>,
) -> Result<(), ExitCode> {
    let settings = report::settings();
    let written = |outcome: io::Result<()>| outcome.map_err(|_| ExitCode::FAILURE);
    let mut out = BufWriter::new(io::stdout().lock());
    let weights = Weights::new(rules);
    if request.weights {
        let row = Row { job: None, weights: &weights };
        return written(
            heading(layout, request, &mut out).and_then(|()| layout.lines([row], &settings, &mut out)),
        );
    }
    let all = client.priorities().map_err(Trouble::from).and_then(|all| all.map_err(Trouble::from));
    let mut jobs = all.map_err(|e| {
        eprintln!("Couldn't get priority factors from controller: {e}");
        ExitCode::FAILURE
    })?;
    if request.verbose > 0 {
        terminal::hint(format_args!("cluster {} sent {} priorities", settings.cluster, jobs.len()));
    }
    let filter = &request.filter;
    jobs.retain(|job| filter.job(job));
    if jobs.is_empty() && filter.jobs.as_ref().is_some_and(|j| !j.is_empty()) {
        return written(writeln!(out, "Unable to find jobs matching user/id(s) specified"));
    }
    jobs.retain(|job| filter.partition(job));
    written(heading(layout, request, &mut out))?;
    // Slurm reads the order when the heading is out.
    let keys = sort_keys(request.sort).map_err(|letter| {
        let _ = out.flush();
        fail(format_args!("Invalid sort specification: {letter}"))
    })?;
    let mut rows: Vec<Row<'_>> = jobs.iter().map(|job| Row { job: Some(job), weights: &weights }).collect();
    sprio::sort(&mut rows, &keys, &settings);
    written(lines(layout, rows, &settings, &mut out))
}

fn heading(layout: &Layout<Priorities>, request: &Request<'_>, out: &mut impl Write) -> io::Result<()> {
    if request.heading { layout.heading(out) } else { Ok(()) }
}

fn lines(
    layout: &Layout<Priorities>,
    rows: Vec<Row<'_>>,
    settings: &Settings,
    out: &mut impl Write,
) -> io::Result<()> {
    layout.lines(rows, settings, out)?;
    out.flush()
}
