//! What the options of sbatch ask for: a [`JobSpec`] and what the command itself is to do.

use crate::export::ExportList;
use crate::getopt::{Choice, Given, Source};
use crate::value::{self, ValueError};
use bivouac_types::job::{Export, NodeRange, OpenMode, ResourceRequest};
use bivouac_types::{
    ArraySpec, Dependency, GresRequest, HostList, JobSpec, MemRequest, TimeLimit, memory, when,
};
use jiff::Zoned;

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
    /// --wrap.
    pub wrap: Option<String>,
    /// --chdir as given.
    pub chdir: Option<String>,
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

/// Reads all values. `now` is what times are relative to.
///
/// # Errors
/// [`ValueError`] for the first value that is wrong, or an option that is given here and not handled.
pub fn request(given: &Given, now: &Zoned) -> Result<Request, ValueError> {
    let mut export = ExportList::parse(given.value("export").unwrap_or_default());
    if value::get_user_env(given)? && export.kind == Export::All {
        // The whole environment, on top of that of the login: so a list with every name does.
        export.items.clear();
        export.kind = Export::Names;
    }
    let spec = JobSpec {
        name: text(given, "job-name").unwrap_or_default(),
        account: text(given, "account"),
        partitions: value::list(given.value("partition")),
        qos: text(given, "qos"),
        comment: text(given, "comment"),
        std_in: text(given, "input"),
        std_out: text(given, "output"),
        std_err: text(given, "error"),
        open_mode: open_mode(given)?,
        time_limit: parsed(given, "time", TimeLimit::parse)?,
        begin: parsed(given, "begin", |t| when::parse(t, now))?,
        dependency: dependency(given)?,
        array: array(given)?,
        resources: resources(given)?,
        hold: given.has("hold"),
        requeue: given.last_of(&["requeue", "no-requeue"]).map(|c| c.opt.long == "requeue"),
        nice: value::nice(given)?,
        mail_types: value::mail_types(given)?,
        mail_user: text(given, "mail-user"),
        export: export.kind.clone(),
        ..JobSpec::default()
    };
    value::distribution(given)?;
    let request = Request {
        spec,
        export,
        export_text: text(given, "export"),
        wrap: given.value("wrap").map(str::to_owned),
        chdir: text(given, "chdir"),
        clusters: text(given, "clusters"),
        parsable: given.has("parsable"),
        quiet: given.has("quiet"),
        wait: given.has("wait"),
        test_only: given.has("test-only"),
        verbose: given.count("verbose"),
    };
    given.last_of(&["help", "usage", "version"]);
    given.finish()?;
    Ok(request)
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

fn open_mode(given: &Given) -> Result<Option<OpenMode>, ValueError> {
    parsed(given, "open-mode", value::open_mode)
}

fn dependency(given: &Given) -> Result<Option<Dependency>, ValueError> {
    let Some(text) = given.value("dependency").filter(|d| !d.is_empty()) else { return Ok(None) };
    Dependency::parse(text).map(Some).map_err(|e| ValueError::submission(e.to_string()))
}

fn array(given: &Given) -> Result<Option<ArraySpec>, ValueError> {
    let Some(text) = given.value("array") else { return Ok(None) };
    let parsed = ArraySpec::parse(text, MAX_ARRAY_INDEX);
    parsed.map(Some).map_err(|_| ValueError::submission("Invalid job array specification"))
}

fn resources(given: &Given) -> Result<ResourceRequest, ValueError> {
    let (nodes, nodelist) = (nodes(given)?, hosts(given, "nodelist")?);
    if let (Some(max), Some(list)) = (nodes.and_then(|n| n.max), &nodelist)
        && list.names.len() > max as usize
    {
        return Err(ValueError::plain(format!("invalid number of nodes (-N {}-{max})", list.names.len())));
    }
    Ok(ResourceRequest {
        nodes,
        ntasks: value::count(given, "ntasks")?,
        cpus_per_task: value::count(given, "cpus-per-task")?,
        ntasks_per_node: value::count(given, "ntasks-per-node")?,
        mem: mem(given)?,
        gres: match given.value("gres") {
            None => Vec::new(),
            Some(text) => GresRequest::parse_list(text)
                .ok_or_else(|| ValueError::plain("Invalid generic resource (gres) specification"))?,
        },
        constraint: text(given, "constraint"),
        nodelist,
        exclude: hosts(given, "exclude")?,
        exclusive: exclusive(given)?,
        ..ResourceRequest::default()
    })
}

fn nodes(given: &Given) -> Result<Option<NodeRange>, ValueError> {
    match value::node_range(given)? {
        Some(NodeRange { min: 0, .. }) => Err(ValueError::submission("Node count specification invalid")),
        range => Ok(range),
    }
}

/// --mem and --mem-per-cpu exclude each other, but what is written in the script or on the command line replaces a
/// variable of the other one.
fn mem(given: &Given) -> Result<Option<MemRequest>, ValueError> {
    let (node, cpu) = (given.get("mem"), given.get("mem-per-cpu"));
    let by_variable = |c: &Choice| matches!(c.source, Source::Variable(_));
    let chosen = match (node, cpu) {
        (Some(n), Some(c)) => match (by_variable(n), by_variable(c)) {
            (false, true) => n,
            (true, false) => c,
            (true, true) => {
                return Err(ValueError::fatal(
                    "SLURM_MEM_PER_CPU, SLURM_MEM_PER_GPU, and SLURM_MEM_PER_NODE are mutually exclusive.",
                ));
            }
            (false, false) => {
                return Err(ValueError::fatal(
                    "--mem, --mem-per-cpu, and --mem-per-gpu are mutually exclusive.",
                ));
            }
        },
        (Some(c), None) | (None, Some(c)) => c,
        (None, None) => return Ok(None),
    };
    let mb = chosen
        .value
        .as_deref()
        .and_then(memory::parse_mb)
        .ok_or_else(|| ValueError::invalid(chosen.opt.long))?;
    Ok(Some(if chosen.opt.long == "mem" || mb == 0 {
        MemRequest::PerNode(mb)
    } else {
        MemRequest::PerCpu(mb)
    }))
}

fn hosts(given: &Given, long: &'static str) -> Result<Option<HostList>, ValueError> {
    let Some(text) = given.value(long).filter(|v| !v.is_empty()) else { return Ok(None) };
    if text.contains('/') {
        return Err(ValueError::plain(format!("--{long} with a file is not available here: name the nodes")));
    }
    HostList::parse(text).map(Some).map_err(|_| ValueError::submission("Invalid node name specified"))
}

fn exclusive(given: &Given) -> Result<bool, ValueError> {
    let Some(choice) = given.get("exclusive") else { return Ok(false) };
    match choice.value.as_deref() {
        None | Some("exclusive") => Ok(true),
        Some("user" | "mcs") => Err(ValueError::plain(
            "--exclusive=user and =mcs are not available here: use --exclusive for whole nodes",
        )),
        Some(_) => Err(ValueError::invalid("exclusive")),
    }
}

#[cfg(test)]
#[path = "sbatch_tests.rs"]
mod tests;
