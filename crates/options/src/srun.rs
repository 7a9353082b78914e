//! What the options of srun ask for: a step, and outside a job the job for it.

use crate::export::ExportList;
use crate::getopt::Given;
use crate::gpu_bind::GpuBind;
use crate::job::{self, Asked, Surroundings};
use crate::value::{self, ValueError};
use bivouac_types::distribution::Method;
use bivouac_types::job::OpenMode;
use bivouac_types::{Distribution, HostList, Mpi, TimeLimit};

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
    /// --distribution.
    pub distribution: Option<Distribution>,
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
    /// --mpi.
    pub mpi: Option<Mpi>,
    /// --relative: the first of the job's nodes to use, counted from 0.
    pub relative: Option<u32>,
    /// --overcommit: more tasks than the job has CPUs.
    pub overcommit: bool,
    /// --exclude: nodes of the job not to use.
    pub exclude: Option<HostList>,
    /// --multi-prog: the command is a file that says what each task runs.
    pub multi_prog: bool,
    /// --prolog and --epilog: programs that srun runs before and after the step.
    pub programs: Around,
    /// --task-prolog and --task-epilog: programs that run before and after each task.
    pub task_programs: Around,
    /// --bcast: the program is copied first, to this path if one was given.
    pub bcast: Option<String>,
    /// --cpu-bind was given.
    pub cpu_bind_text: Option<String>,
    /// --threads-per-core.
    pub threads_per_core: Option<u32>,
    /// --time: the limit of the step in minutes; none: that of the job.
    pub time_limit: Option<u32>,
    /// --acctg-freq, in seconds.
    pub acctg_freq: Option<u32>,
    /// --gpu-bind.
    pub gpu_bind: Option<GpuBind>,
    /// --gres: what is asked for on each node.
    pub gres: Option<String>,
    /// --disable-status: an interrupt goes to the tasks, and nothing is said of them.
    pub disable_status: bool,
    /// --quit-on-interrupt: an interrupt ends the step.
    pub quit_on_interrupt: bool,
    /// --jobid: the job to run in.
    pub job: Option<u32>,
    /// --pty: task 0 has a terminal.
    pub pty: bool,
}

/// Programs to run before and after something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// Before.
    pub prolog: Option<String>,
    /// After.
    pub epilog: Option<String>,
}

impl Around {
    fn read(given: &Given, prolog: &'static str, epilog: &'static str) -> Around {
        let text = |long| given.value(long).filter(|v| !v.is_empty()).map(str::to_owned);
        Around { prolog: text(prolog), epilog: text(epilog) }
    }

    /// Without those that are called `none`.
    fn but_none(self) -> Around {
        let said = |text: Option<String>| text.filter(|t| !t.eq_ignore_ascii_case("none"));
        Around { prolog: said(self.prolog), epilog: said(self.epilog) }
    }
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

/// What srun outside a job asks for before its step.
#[derive(Clone, Debug)]
pub struct Allocation {
    /// The job.
    pub job: Asked,
    /// --immediate: for how many seconds the start is waited for, 1 if it has to be at once; none: for ever.
    pub immediate: Option<u32>,
    /// --test-only: nothing is submitted.
    pub test_only: bool,
}

/// Reads the values that ask for a job, which srun outside a job submits; the step in it is [`request`]'s, which has to
/// be read after this.
///
/// # Errors
/// [`ValueError`] for the first value that is wrong.
pub fn allocation(given: &Given, around: &Surroundings<'_>) -> Result<Allocation, ValueError> {
    let mut job = job::read(given, around)?;
    if job.spec.name.is_empty() {
        let command = given.operands.first().map(|c| c.to_string_lossy()).unwrap_or_default();
        job.spec.name = command.rsplit('/').next().unwrap_or_default().to_owned();
    }
    Ok(Allocation { job, immediate: value::immediate(given)?, test_only: given.has("test-only") })
}

/// Reads all values. `plane_size` is SLURM_DIST_PLANESIZE.
///
/// # Errors
/// [`ValueError`] for the first value that is wrong, or an option that is given here and not handled.
pub fn request(given: &Given, plane_size: Option<u32>) -> Result<Request, ValueError> {
    let text = |long| given.value(long).filter(|v| !v.is_empty()).map(str::to_owned);
    let distribution = value::distribution(given, plane_size)?;
    if distribution.as_ref().is_some_and(|d| d.method == Method::Arbitrary) {
        return Err(ValueError::plain(match given.has("nodelist") {
            // Without the list of nodes there is no number of tasks.
            false => "invalid number of tasks (-n 0)",
            true => {
                "--distribution=arbitrary is not available here: use --distribution=cyclic, block or plane=size"
            }
        }));
    }
    let list_mpi = given.value("mpi") == Some("list");
    let mpi = if list_mpi { None } else { mpi(given)? };
    let per_node = value::count(given, "ntasks-per-node")?;
    let range = value::node_range(given)?;
    if range.is_some_and(|r| r.min == 0) {
        return Err(ValueError::plain("Unable to create step for job: Node count specification invalid"));
    }
    let mut ntasks = value::count(given, "ntasks")?;
    // Tasks per node and nodes make the number of tasks, unless that is known already.
    if let (Some(per_node), Some(range), None) = (per_node, range, ntasks) {
        ntasks = Some(per_node.saturating_mul(range.max.unwrap_or(range.min)));
    }
    let request = Request {
        ntasks,
        nodes: range.map(|r| r.max.unwrap_or(r.min)),
        cpus_per_task: value::count(given, "cpus-per-task")?,
        ntasks_per_node: per_node,
        distribution,
        nodelist: hosts(given, "nodelist")?,
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
        mpi,
        relative: natural(given, "relative")?,
        overcommit: given.has("overcommit"),
        exclude: hosts(given, "exclude")?,
        multi_prog: given.has("multi-prog"),
        programs: Around::read(given, "prolog", "epilog").but_none(),
        task_programs: Around::read(given, "task-prolog", "task-epilog"),
        bcast: given.has("bcast").then(|| given.value("bcast").unwrap_or_default().to_owned()),
        cpu_bind_text: given.value("cpu-bind").map(str::to_owned),
        threads_per_core: value::count(given, "threads-per-core")?,
        acctg_freq: given.value("acctg-freq").and_then(bivouac_types::usage::task_period),
        time_limit: match given.value("time").map(TimeLimit::parse) {
            None => None,
            Some(None) => return Err(ValueError::invalid("time")),
            // No time at all is no limit of its own.
            Some(Some(limit)) => {
                limit.duration().map(|d| (d.as_secs() / 60) as u32).filter(|minutes| *minutes > 0)
            }
        },
        gpu_bind: given.value("gpu-bind").map(GpuBind::parse).transpose()?,
        gres: text("gres"),
        disable_status: given.has("disable-status"),
        quit_on_interrupt: given.has("quit-on-interrupt"),
        job: match given.value("jobid").map(str::parse) {
            None => None,
            Some(Ok(job)) => Some(job),
            Some(Err(_)) => return Err(ValueError::invalid("jobid")),
        },
        pty: given.has("pty"),
    };
    given.finish()?;
    Ok(request)
}

/// A list of nodes.
fn hosts(given: &Given, long: &'static str) -> Result<Option<HostList>, ValueError> {
    let Some(text) = given.value(long).filter(|v| !v.is_empty()) else { return Ok(None) };
    if text.contains('/') {
        if !given.in_job {
            // The job was made of these nodes, and the step has all of them.
            return Ok(None);
        }
        return Err(ValueError::plain(format!("--{long} with a file is not available here: name the nodes")));
    }
    let list = HostList::parse(text);
    list.map(Some).map_err(|e| ValueError::plain(format!("Invalid node list {text}: {e}")))
}

/// A number that may be 0.
fn natural(given: &Given, long: &'static str) -> Result<Option<u32>, ValueError> {
    let Some(text) = given.value(long) else { return Ok(None) };
    let number = text.parse::<i32>().ok().and_then(|n| u32::try_from(n).ok());
    number
        .map(Some)
        .ok_or_else(|| ValueError::plain(format!("Invalid numeric value \"{text}\" for --{long}.")))
}

/// --mpi: the kind, which must be one that is here.
fn mpi(given: &Given) -> Result<Option<Mpi>, ValueError> {
    let Some(kind) = given.value("mpi") else { return Ok(None) };
    Mpi::parse(kind).map(Some).ok_or_else(|| {
        ValueError::plain(format!(
            "Couldn't find the specified plugin name for mpi/{kind} looking at all files\n\
             cannot find mpi plugin for mpi/{kind}\n\
             MPI: Cannot create context for mpi/{kind}\n\
             MPI: Unable to load any plugin\n\
             Invalid MPI type '{kind}', --mpi=list for acceptable types"
        ))
    })
}

#[cfg(test)]
#[path = "srun_tests.rs"]
mod tests;
