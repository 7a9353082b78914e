//! `sinfo`.

use crate::report::{self, Trouble};
use crate::{clusters, invocation, invocation::Formats, terminal};
use bivouac_options::value::list;
use bivouac_options::{Given, Program};
use bivouac_render::sinfo::{self, BadState, Filter, Nodes, Sorting};
use bivouac_render::table::Parsed;
use bivouac_render::{Layout, Settings};
use bivouac_types::HostList;
use bivouac_types::info::{NodeInfo, PartitionInfo};
use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

/// Runs the command.
pub fn run(args: &[OsString]) -> ExitCode {
    invocation::run(Program::Sinfo, args, sinfo)
}

fn fail(what: impl std::fmt::Display) -> ExitCode {
    invocation::fail(Program::Sinfo, what)
}

/// What was asked for, apart from the format.
struct Request {
    filter: Filter,
    sorting: Sorting,
    heading: bool,
    /// The line with the time above the heading.
    stamp: bool,
    /// The line that names the cluster, where one was asked for.
    cluster: Option<String>,
    by_node: bool,
    exact: bool,
    /// -R: only nodes with a reason; there are none here.
    reasons: bool,
    /// One of the formats whose columns grow.
    fitted: bool,
}

fn sinfo(given: &Given) -> Result<(), ExitCode> {
    if let Some(operand) = given.operands.first() {
        return Err(fail(format_args!("Unrecognized option: {}", operand.display())));
    }
    let cluster = clusters::named(given)?;
    let every = match given.value("iterate") {
        None => None,
        Some(text) => Some(
            report::interval(text)
                .ok_or_else(|| fail(format_args!("Error: invalid entry for --iterate={text}")))?,
        ),
    };
    let (mut layout, fitted) = layout(given)?;
    let request = request(given, cluster, every.is_some(), fitted)?;
    let verbose = given.count("verbose");
    invocation::finish(given)?;
    let lookup = |e: Trouble| {
        eprintln!("slurm_load_partitions: {e}");
        ExitCode::FAILURE
    };
    let mut client = report::connect().map_err(lookup)?;
    report::repeat(every, || {
        let partitions = report::partitions(&mut client).map_err(lookup)?;
        let nodes = report::nodes(&mut client).map_err(lookup)?;
        let settings = report::settings();
        if verbose > 0 {
            terminal::hint(format_args!("cluster {} sent {} nodes", settings.cluster, nodes.len()));
        }
        print(&partitions, &nodes, &request, &mut layout, &settings).map_err(|_| ExitCode::FAILURE)
    })
}

fn request(
    given: &Given,
    cluster: Option<String>,
    repeated: bool,
    fitted: bool,
) -> Result<Request, ExitCode> {
    let heading = !given.has("noheader");
    let by_node = given.has("Node");
    let sort = given.value("sort").unwrap_or(sinfo::default_sort(by_node));
    let states = given.value("states").map(sinfo::parse_states).transpose().map_err(|e| {
        eprintln!("sinfo: error: {e}\nsinfo: error: {}", BadState::valid());
        ExitCode::FAILURE
    })?;
    let nodes = match given.value("nodes") {
        None => None,
        Some(text) => Some(
            HostList::parse(text).map_err(|e| fail(format_args!("Invalid node list {text}: {e}")))?.names,
        ),
    };
    Ok(Request {
        filter: Filter { partitions: given.value("partition").map(|p| list(Some(p))), nodes, states },
        sorting: sinfo::sorting(sort)
            .map_err(|letter| fail(format_args!("Invalid sort specification: {letter}")))?,
        heading,
        stamp: heading && (given.has("long") || repeated),
        cluster: cluster.filter(|_| heading),
        by_node,
        exact: given.has("exact"),
        reasons: given.has("list-reasons"),
        fitted,
    })
}

/// The format, and whether it is one of those whose columns grow.
fn layout(given: &Given) -> Result<(Layout<Nodes>, bool), ExitCode> {
    let Formats { letters, names } = invocation::formats(given)?;
    let long = given.has("long");
    let default = match (given.has("list-reasons"), given.has("summarize"), given.has("Node"), long) {
        (true, _, _, true) => sinfo::LONG_REASON_FORMAT,
        (true, _, _, false) => sinfo::REASON_FORMAT,
        (_, true, _, _) => sinfo::SUMMARY_FORMAT,
        (_, _, true, true) => sinfo::LONG_NODE_FORMAT,
        (_, _, true, false) => sinfo::NODE_FORMAT,
        (_, _, false, true) => sinfo::LONG_FORMAT,
        (_, _, false, false) => sinfo::DEFAULT_FORMAT,
    };
    let Parsed { layout, invalid } = match (letters, names) {
        (Some(letters), _) => Layout::letters(letters),
        (None, Some(names)) => Layout::names(names),
        (None, None) => return Ok((Layout::letters(default).layout, true)),
    };
    for what in invalid {
        match letters {
            Some(_) => eprintln!("Invalid node format specification: {what}"),
            None => eprintln!("sinfo: error: Invalid job format specification: {what}"),
        }
    }
    Ok((layout, false))
}

fn print(
    partitions: &[PartitionInfo],
    nodes: &[NodeInfo],
    request: &Request,
    layout: &mut Layout<Nodes>,
    settings: &Settings,
) -> io::Result<()> {
    let mut groups = match (request.reasons, request.by_node) {
        (true, _) => Vec::new(),
        (false, true) => sinfo::pairs(partitions, nodes, &request.filter),
        (false, false) => sinfo::group(partitions, nodes, &request.filter, layout, request.exact, settings),
    };
    sinfo::sort(&mut groups, &request.sorting, partitions, settings);
    if request.fitted && !request.reasons {
        sinfo::fit(layout, &groups, request.by_node, settings);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    if request.stamp {
        writeln!(out, "{}", settings.stamp())?;
    }
    if let Some(name) = &request.cluster {
        writeln!(out, "CLUSTER: {name}")?;
    }
    if request.heading {
        layout.heading(&mut out)?;
    }
    layout.lines(groups, settings, &mut out)?;
    out.flush()
}
