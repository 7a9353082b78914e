//! `sinfo`.

use crate::report::{self, Trouble};
use crate::{clusters, invocation, terminal};
use bivouac_options::value::list;
use bivouac_options::{Given, Program, Source};
use bivouac_render::json::Form;
use bivouac_render::sinfo::{self, BadState, Filter, Nodes, Sorting, StateFilter};
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
    /// -a, or partitions by name: hidden ones too.
    hidden: bool,
    /// -T: reservations, of which there are none.
    reservations: bool,
    /// One of the formats whose columns grow.
    fitted: bool,
}

fn sinfo(given: &Given) -> Result<(), ExitCode> {
    for operand in &given.operands {
        // Slurm does not look at it.
        terminal::hint(format_args!("{} is no option and does not count", operand.display()));
    }
    let cluster = clusters::named(given)?;
    let every = match given.value("iterate") {
        None => None,
        Some(text) => Some(
            report::interval(text)
                .ok_or_else(|| fail(format_args!("Error: invalid entry for --iterate={text}")))?,
        ),
    };
    let tree = given.last_of(&["json", "yaml"]).map(|choice| match choice.opt.long {
        "json" => Form::Json,
        _ => Form::Yaml,
    });
    let (mut layout, fitted) = layout(given)?;
    let request = request(given, cluster, every.is_some(), fitted)?;
    let verbose = given.count("verbose");
    invocation::finish(given)?;
    let lookup = |e: Trouble| {
        eprintln!("slurm_load_partitions: {e}");
        ExitCode::FAILURE
    };
    let mut client = report::connect().map_err(lookup)?;
    if let Some(form) = tree {
        let nodes = report::nodes(&mut client).map_err(lookup)?;
        let text = sinfo::document(&nodes, &report::node_settings()).print(form);
        return io::stdout().write_all(text.as_bytes()).map_err(|_| ExitCode::FAILURE);
    }
    report::repeat(every, || {
        let settings = report::node_settings();
        if request.reservations {
            return print_reservations(&request, &settings).map_err(|_| ExitCode::FAILURE);
        }
        let mut partitions = report::partitions(&mut client).map_err(lookup)?;
        partitions.retain(|p| request.hidden || !p.hidden);
        let nodes = report::nodes(&mut client).map_err(lookup)?;
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
    let reasons = given.has("list-reasons");
    let sort = given.value("sort").unwrap_or(sinfo::default_sort(by_node));
    let states = given.value("states").map(sinfo::parse_states).transpose().map_err(|e| {
        eprintln!("sinfo: error: {e}\nsinfo: error: {}", BadState::valid());
        ExitCode::FAILURE
    })?;
    // What is no list of nodes is the name of none.
    let nodes =
        given.value("nodes").map(|text| HostList::parse(text).map(|list| list.names).unwrap_or_default());
    let responding = given.last_of(&["dead", "responding"]).map(|choice| choice.opt.long == "responding");
    let filter = Filter {
        partitions: given.value("partition").map(|p| list(Some(p))),
        nodes,
        states: states.or(reasons.then(StateFilter::out_of_service)),
        responding,
        reasons,
    };
    Ok(Request {
        filter,
        sorting: sinfo::sorting(sort),
        heading,
        stamp: heading && (given.has("long") || repeated),
        cluster: cluster.filter(|_| heading),
        by_node,
        exact: given.has("exact"),
        hidden: given.has("partition")
            || given.last_of(&["all", "hide"]).is_some_and(|choice| choice.opt.long == "all"),
        reservations: given.has("reservation"),
        fitted,
    })
}

/// The format, and whether it is one of those whose columns grow.
fn layout(given: &Given) -> Result<(Layout<Nodes>, bool), ExitCode> {
    let typed = |option| given.get(option).filter(|c| c.source == Source::CommandLine);
    let (long, by_node) = (given.has("long"), given.has("Node"));
    let (summary, reasons) = (given.has("summarize"), given.has("list-reasons"));
    if typed("format").is_some() && long {
        let what = "Options -o(--format) and -l(--long) are mutually exclusive. Please remove one and retry.";
        return Err(invocation::fatal(Program::Sinfo, what));
    }
    let variable = given.value("format").filter(|_| !summary && !by_node && !reasons);
    let letters = typed("format").and_then(|c| c.value.as_deref()).or(variable);
    // Of -o and -O the latter decides how the text is read.
    let Parsed { layout, invalid } = match (given.value("Format"), letters) {
        (Some(names), _) => Layout::names(names),
        (None, Some(letters)) => Layout::letters(letters),
        (None, None) => {
            let format = match (summary, by_node, reasons, long) {
                (true, ..) => sinfo::SUMMARY_FORMAT,
                (_, true, _, true) => sinfo::LONG_NODE_FORMAT,
                (_, true, _, false) => sinfo::NODE_FORMAT,
                (_, _, true, true) => sinfo::LONG_REASON_FORMAT,
                (_, _, true, false) => sinfo::REASON_FORMAT,
                (_, _, false, true) => sinfo::LONG_FORMAT,
                (_, _, false, false) => sinfo::DEFAULT_FORMAT,
            };
            return Ok((Layout::letters(format).layout, true));
        }
    };
    for what in invalid {
        match given.value("Format") {
            // The character that ends Slurm's text, which it prints.
            None if what.is_empty() => eprintln!("Invalid node format specification: \0"),
            None => eprintln!("Invalid node format specification: {what}"),
            Some(_) => eprintln!("sinfo: error: Invalid job format specification: {what}"),
        }
    }
    Ok((layout, false))
}

fn print_reservations(request: &Request, settings: &Settings) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if request.stamp {
        writeln!(out, "{}", settings.stamp())?;
    }
    writeln!(out, "No reservations in the system")
}

fn print(
    partitions: &[PartitionInfo],
    nodes: &[NodeInfo],
    request: &Request,
    layout: &mut Layout<Nodes>,
    settings: &Settings,
) -> io::Result<()> {
    let mut groups = match request.by_node {
        true => sinfo::pairs(partitions, nodes, &request.filter),
        false => sinfo::group(partitions, nodes, &request.filter, layout, request.exact, settings),
    };
    sinfo::sort(&mut groups, &request.sorting, partitions, settings);
    if request.fitted {
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
