//! What the options of srun ask for, within a job.

use crate::export::ExportList;
use crate::getopt::Given;
use crate::value::{self, ValueError};
use bivouac_types::HostList;
use bivouac_types::job::OpenMode;

/// What srun is asked to do.
#[derive(Clone, Debug)]
pub struct Request {
    /// --ntasks.
    pub ntasks: Option<u32>,
    /// --nodes: the most nodes.
    pub nodes: Option<u32>,
    /// --cpus-per-task.
    pub cpus_per_task: Option<u32>,
    /// --ntasks-per-node.
    pub ntasks_per_node: Option<u32>,
    /// --nodelist.
    pub nodelist: Option<HostList>,
    /// --overlap.
    pub overlap: bool,
    /// Only the CPUs that its tasks need, not all of the job's on its nodes: --exact, and --exclusive and
    /// --cpus-per-task, which imply it.
    pub exact: bool,
    /// --job-name.
    pub name: Option<String>,
    /// --output.
    pub output: Stream,
    /// --error; none: as standard output if that goes to a file, else to srun's own.
    pub error: Option<Stream>,
    /// --input.
    pub input: Stream,
    /// --open-mode.
    pub open_mode: Option<OpenMode>,
    /// --label.
    pub label: bool,
    /// --unbuffered.
    pub unbuffered: bool,
    /// --chdir.
    pub chdir: Option<String>,
    /// --export.
    pub export: ExportList,
    /// --wait: seconds after the first task's end; none: no limit.
    pub wait: Option<u32>,
    /// --kill-on-bad-exit.
    pub kill_on_bad_exit: Option<bool>,
    /// --quiet.
    pub quiet: bool,
    /// How often --verbose was given.
    pub verbose: usize,
    /// --mpi=list: the kinds are to be shown, nothing is run.
    pub list_mpi: bool,
}

/// Where a standard stream goes, or comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stream {
    /// All tasks' to srun's own, or srun's own to all tasks.
    All,
    /// Nowhere.
    None,
    /// One task's to or from srun's own.
    Task(u32),
    /// A file, or one for each expansion of the pattern.
    File(String),
}

impl Stream {
    fn parse(text: Option<&str>) -> Stream {
        match text {
            None | Some("" | "all") => Stream::All,
            Some("none") => Stream::None,
            Some(text) => text.parse().map_or_else(|_| Stream::File(text.to_owned()), Stream::Task),
        }
    }
}

/// Reads all values.
///
/// # Errors
/// [`ValueError`] for the first value that is wrong, or an option that is given here and not handled.
pub fn request(given: &Given) -> Result<Request, ValueError> {
    let text = |long| given.value(long).filter(|v| !v.is_empty()).map(str::to_owned);
    value::distribution(given)?;
    let list_mpi = mpi(given)?;
    let per_node = value::count(given, "ntasks-per-node")?;
    let range = value::node_range(given)?;
    if range.is_some_and(|r| r.min == 0) {
        return Err(ValueError::plain("Unable to create step for job: Node count specification invalid"));
    }
    let mut ntasks = value::count(given, "ntasks")?;
    // Tasks per node and nodes make the number of tasks, unless that is given in the same breath.
    let said = |long| given.get(long).map(|c| c.source);
    if let (Some(per_node), Some(range)) = (per_node, range)
        && said("ntasks") < said("ntasks-per-node")
    {
        ntasks = Some(per_node.saturating_mul(range.max.unwrap_or(range.min)));
    }
    let request = Request {
        ntasks,
        nodes: range.map(|r| r.max.unwrap_or(r.min)),
        cpus_per_task: value::count(given, "cpus-per-task")?,
        ntasks_per_node: per_node,
        nodelist: match text("nodelist") {
            None => None,
            Some(t) if t.contains('/') => {
                return Err(ValueError::plain(
                    "--nodelist with a file is not available here: name the nodes",
                ));
            }
            Some(t) => Some(
                HostList::parse(&t).map_err(|e| ValueError::plain(format!("Invalid node list {t}: {e}")))?,
            ),
        },
        overlap: given.has("overlap"),
        // All are read, so that none of them counts as not handled.
        exact: given.last_of(&["exact", "exclusive"]).is_some() | given.has("cpus-per-task"),
        name: text("job-name"),
        output: Stream::parse(given.value("output")),
        error: given.value("error").map(|t| Stream::parse(Some(t))),
        input: Stream::parse(given.value("input")),
        open_mode: match given.value("open-mode") {
            None => None,
            Some(t) => Some(value::open_mode(t).ok_or_else(|| ValueError::invalid("open-mode"))?),
        },
        label: given.has("label"),
        unbuffered: given.has("unbuffered"),
        chdir: text("chdir"),
        export: ExportList::parse(given.value("export").unwrap_or_default()),
        wait: natural(given, "wait")?,
        kill_on_bad_exit: match given.has("kill-on-bad-exit") {
            true => Some(natural(given, "kill-on-bad-exit")? != Some(0)),
            false => None,
        },
        quiet: given.has("quiet"),
        verbose: given.count("verbose"),
        list_mpi,
    };
    given.finish()?;
    Ok(request)
}

/// A number that may be 0.
fn natural(given: &Given, long: &'static str) -> Result<Option<u32>, ValueError> {
    let Some(text) = given.value(long) else { return Ok(None) };
    let number = text.parse::<i32>().ok().and_then(|n| u32::try_from(n).ok());
    number
        .map(Some)
        .ok_or_else(|| ValueError::plain(format!("Invalid numeric value \"{text}\" for --{long}.")))
}

/// --mpi: whether it asks for the list of kinds, of which there is one.
fn mpi(given: &Given) -> Result<bool, ValueError> {
    match given.value("mpi") {
        None | Some("none" | "") => Ok(false),
        Some("list") => Ok(true),
        Some(kind) => Err(ValueError::plain(format!(
            "cannot find mpi plugin for mpi/{kind}: it comes in a later release; use --mpi=none with mpirun"
        ))),
    }
}

#[cfg(test)]
#[path = "srun_tests.rs"]
mod tests;
