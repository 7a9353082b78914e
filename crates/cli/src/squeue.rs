//! `squeue`.

use crate::report::{self, Trouble};
use crate::{clusters, invocation, invocation::Formats, terminal};
use bivouac_options::value::list;
use bivouac_options::{Given, Program, Source};
use bivouac_proto::client::Client;
use bivouac_proto::message::{Ask, JobQuery};
use bivouac_render::json::Form;
use bivouac_render::squeue::{self, BadId, BadState, Filter, Jobs, Records, Shown, Steps};
use bivouac_render::table::Parsed;
use bivouac_render::{Layout, Settings, Table, Units};
use bivouac_types::info::JobInfo;
use bivouac_types::{HostList, JobId, JobState, Reject};
use std::collections::BTreeMap;
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
    /// -M: the name to show above everything.
    cluster: Option<String>,
    expand: bool,
    unique: bool,
    /// -P.
    by_partition: bool,
    /// Neither -a, nor partitions or jobs by name.
    visible: bool,
    units: Units,
    verbose: usize,
}

/// Lines of jobs or of steps, or all jobs in a form for programs. Slurm reads the order when the heading is out.
enum Report {
    Jobs(Layout<Jobs>, String),
    Steps(Layout<Steps>, String),
    Tree(Form),
}

fn squeue(given: &Given) -> Result<(), ExitCode> {
    let request = request(given)?;
    let report = report_of(given)?;
    let nodes = given.value("nodelist");
    invocation::finish(given)?;
    let mut client = report::connect().map_err(lookup)?;
    let filter = match nodes {
        Some(list) => Filter { nodes: Some(known_nodes(list, &mut client)?), ..request.filter.clone() },
        None => request.filter.clone(),
    };
    if let Report::Tree(form) = report {
        return print_tree(&mut client, form);
    }
    report::repeat(request.every, || {
        // Where it is repeated, trouble may pass.
        match show(&mut client, &filter, &request, &report) {
            Err(_) if request.every.is_some() => Ok(()),
            outcome => outcome,
        }
    })
}

fn lookup(e: Trouble) -> ExitCode {
    eprintln!("slurm_load_jobs error: {e}");
    ExitCode::FAILURE
}

/// One report.
fn show(client: &mut Client, filter: &Filter, request: &Request, report: &Report) -> Result<(), ExitCode> {
    let jobs = fetch(client, filter, request.visible).map_err(lookup)?;
    let mut settings = report::settings();
    settings.units = request.units;
    if request.verbose > 0 {
        terminal::hint(format_args!("cluster {} sent {} jobs", settings.cluster, jobs.len()));
    }
    let tiers = match request.by_partition {
        true => Some(report::partitions(client).map_err(lookup)?),
        false => None,
    };
    let tiers: Option<BTreeMap<String, u32>> =
        tiers.map(|all| all.into_iter().map(|p| (p.config.name, p.config.priority_tier)).collect());
    let shown = Shown { expand: request.expand, unique: request.unique, tiers: tiers.as_ref() };
    print(jobs, filter, shown, request, report, &settings)
}

/// --json and --yaml: everything, whatever else was asked for.
fn print_tree(client: &mut Client, form: Form) -> Result<(), ExitCode> {
    let jobs = report::jobs(client, Ask::Jobs(JobQuery::default())).map_err(lookup)?;
    let nodes = report::nodes(client).map_err(lookup)?;
    let shapes = nodes.iter().map(|n| (n.config.name.as_str(), &n.config)).collect();
    let text = squeue::document(&jobs, &shapes, &report::settings()).print(form);
    io::stdout().write_all(text.as_bytes()).map_err(|_| ExitCode::FAILURE)
}

fn request(given: &Given) -> Result<Request, ExitCode> {
    let every = match given.value("iterate") {
        None => None,
        Some(text) => Some(report::interval(text).ok_or_else(|| fail(format_args!("--iterate={text}\n")))?),
    };
    let stamp = given.has("long") || every.is_some();
    let heading = !given.has("noheader");
    let filter = filter(given)?;
    let all = given.last_of(&["all", "hide"]).is_some_and(|choice| choice.opt.long == "all");
    Ok(Request {
        visible: !(all || filter.partitions.is_some() || filter.jobs.is_some()),
        filter,
        every,
        heading,
        stamp: stamp && heading,
        cluster: clusters::named(given)?.filter(|_| heading),
        expand: given.has("array"),
        unique: given.has("array-unique"),
        by_partition: given.has("priority"),
        units: if given.has("noconvert") { Units::Original } else { Units::Natural },
        verbose: given.count("verbose"),
    })
}

fn filter(given: &Given) -> Result<Filter, ExitCode> {
    let names = |option: &'static str| given.value(option).map(|text| list(Some(text)));
    let bad_id = |e: BadId| fail(e);
    let mut filter = Filter {
        partitions: names("partition"),
        names: names("name"),
        accounts: names("account"),
        qos: names("qos"),
        licenses: names("licenses"),
        reservations: names("reservation"),
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
    let [jobs, steps] = report::optional_lists(given, ["jobs", "steps"])?;
    filter.jobs = jobs.map(squeue::parse_jobs).transpose().map_err(bad_id)?;
    filter.steps = steps.map(squeue::parse_steps).transpose().map_err(bad_id)?;
    if let Some(choice) = given.last_of(&["user", "me"]) {
        filter.users = Some(match &choice.value {
            None => vec![report::own_uid()],
            Some(users) => {
                list(Some(users)).iter().filter_map(|u| report::known_uid(Program::Squeue, u)).collect()
            }
        });
    }
    Ok(filter)
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
    let (steps, start) = (given.has("steps"), given.has("start"));
    if let Some(tree) = given.last_of(&["json", "yaml"]) {
        return Ok(Report::Tree(if tree.opt.long == "json" { Form::Json } else { Form::Yaml }));
    }
    if steps {
        // The variable's format is one of jobs.
        let typed = given.get("format").is_some_and(|c| c.source == Source::CommandLine);
        let letters = letters.filter(|_| typed).unwrap_or(squeue::STEPS_FORMAT);
        let layout = layout::<Steps>(letters, names, true);
        return Ok(Report::Steps(layout, sort.unwrap_or(squeue::STEPS_SORT).to_owned()));
    }
    let (format, order) = match (start, long) {
        (true, _) => (squeue::START_FORMAT, squeue::START_SORT),
        (false, true) => (squeue::LONG_FORMAT, squeue::DEFAULT_SORT),
        (false, false) => (squeue::DEFAULT_FORMAT, squeue::DEFAULT_SORT),
    };
    let layout = layout::<Jobs>(letters.unwrap_or(format), names, false);
    Ok(Report::Jobs(layout, sort.unwrap_or(order).to_owned()))
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

/// The jobs that may be shown. One id that is unknown is an error, several are not.
fn fetch(client: &mut Client, filter: &Filter, visible: bool) -> Result<Vec<JobInfo>, Trouble> {
    let of_jobs = filter.jobs.iter().flatten().map(|r| r.job);
    let of_steps = filter.steps.iter().flatten().map(|s| s.job.job);
    let mut ids: Vec<JobId> = of_jobs.chain(of_steps).collect();
    // A job that is named twice is not alone: so programs ask for one that may be gone.
    let alone = ids.len() == 1 && filter.steps.is_none();
    ids.sort_unstable();
    ids.dedup();
    let query = JobQuery {
        ids: (filter.jobs.is_some() || filter.steps.is_some()).then_some(ids),
        uid: filter.users.as_ref().filter(|u| u.len() == 1).and_then(|u| u.first().copied()),
        visible,
    };
    let narrowed = query.uid.is_some();
    match report::jobs(client, Ask::Jobs(query)) {
        Err(Trouble::Rejected(Reject::InvalidJobId)) if !alone || narrowed => Ok(Vec::new()),
        answer => answer,
    }
}

fn print(
    jobs: Vec<JobInfo>,
    filter: &Filter,
    shown: Shown<'_>,
    request: &Request,
    report: &Report,
    settings: &Settings,
) -> Result<(), ExitCode> {
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let written = |outcome: io::Result<()>| outcome.map_err(|_| ExitCode::FAILURE);
    if let Some(cluster) = &request.cluster {
        written(writeln!(out, "CLUSTER: {cluster}"))?;
    }
    if request.stamp {
        written(writeln!(out, "{}", settings.stamp()))?;
    }
    match report {
        Report::Jobs(layout, order) => {
            if request.heading {
                written(layout.heading(&mut out))?;
            }
            let keys = match squeue::job_order(order) {
                Ok(keys) => keys,
                Err(letter) => {
                    written(out.flush())?;
                    return Err(fail(format_args!("Invalid sort specification: {letter}")));
                }
            };
            let records = Records::new(jobs, filter, shown);
            let mut rows = records.rows(filter, shown);
            squeue::sort(&mut rows, &keys, settings);
            written(layout.lines(rows, settings, &mut out))?;
        }
        Report::Steps(layout, order) => {
            if request.heading {
                written(layout.heading(&mut out))?;
            }
            let mut rows = squeue::step_rows(&jobs, filter);
            squeue::sort_steps(&mut rows, &squeue::step_order(order), settings);
            written(layout.lines(rows, settings, &mut out))?;
        }
        Report::Tree(_) => {}
    }
    written(out.flush())
}
