//! `srun`, inside a job: the tasks of a step are srun's own children.

mod advice;
mod bcast;
mod choice;
mod commands;
mod environment;
mod forward;
mod gpu_bind;
mod gres;
mod guard;
mod hosts;
mod launch;
mod multi;
mod plan;
mod pmi;
mod programs;
mod step;
mod streams;
mod watch;

use crate::invocation::{self, os_text};
use bivouac_options::srun::{Request, request};
use bivouac_options::{Given, Program};
use bivouac_proto::message::StepLayout;
use bivouac_proto::place::Account;
use bivouac_types::{ExitStatus, JobId, Mpi, StepKind};
use commands::Commands;
use guard::Guard;
use hosts::Hosts;
use pmi::{Pmi, TaskEnd};
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use streams::{Names, Wiring};
use watch::{Epilog, Outcome, Rules, Started, Watch};

/// Runs the command.
pub fn run(args: &[OsString]) -> ExitCode {
    let done = invocation::read(Program::Srun, args).and_then(|given| srun(&given));
    done.unwrap_or_else(|code| code)
}

fn fail(what: impl std::fmt::Display) -> ExitCode {
    tell(format_args!("srun: error: {what}"));
    ExitCode::FAILURE
}

/// Prints a line to standard error; who reads that may be gone, and the step goes on.
fn tell(line: std::fmt::Arguments<'_>) {
    use std::io::Write;
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

fn srun(given: &Given) -> Result<ExitCode, ExitCode> {
    let request = request(given, number("SLURM_DIST_PLANESIZE")).map_err(|e| {
        let code = invocation::fail_value(Program::Srun, &e);
        advice::refused(given.value("mpi"));
        code
    })?;
    if request.list_mpi {
        let kinds = Mpi::ALL.map(|kind| format!("\t{kind}\n")).concat();
        return Ok(invocation::print(&format!("MPI plugin types are...\n{kinds}")));
    }
    let bind = environment::binding(&request)?;
    let Some(name) = given.operands.first() else {
        eprintln!("srun: fatal: No command given to execute.");
        return Err(ExitCode::FAILURE);
    };
    let job = number("SLURM_JOB_ID").or_else(|| number("SLURM_JOBID")).map(JobId);
    let Some(job) = job else {
        return Err(fail("srun outside a job comes in a later release; use sbatch --wrap"));
    };
    let exported = request.export.apply(std::env::vars_os());
    // Names are looked for where the tasks would look.
    let path = programs::path_of(&exported);
    let chdir = request.chdir.as_ref().map(|d| std::path::absolute(d).unwrap_or_else(|_| d.into()));
    let commands = Commands::read(&request, given, path, chdir)?;
    let gres = gres::variables(job, request.gres.as_deref())?;
    let ask = step::Sizes::of(job, &request)?;
    commands.check(ask.ntasks)?;
    let source = request.bcast.as_ref().map(|_| bcast::source(name)).transpose()?;
    let layout = step::start(job, &request, name, ask)?;
    let mut guard =
        Guard::start(&layout).map_err(|e| fail(format_args!("a process could not be started: {e}")))?;
    let copied = source.zip(request.bcast.as_deref()).map(|(source, to)| bcast::copy(&source, to, &layout));
    let outcome = copied.transpose().and_then(|copy| {
        let step = Step {
            request: &request,
            layout: &layout,
            commands: commands.ready(copy, &layout)?,
            environment: exported,
            asked: environment::asked_for(&request, &bind, &layout).into_iter().chain(gres).collect(),
        };
        around(&step, &given.operands, &mut guard)
    });
    // A step that could not be run is over as well.
    let told = outcome.as_ref().map_or_else(|_| failed(), |o| Outcome { exit: o.exit, usage: o.usage });
    step::end(&layout, told);
    guard.dismiss();
    outcome.map(|o| ExitCode::from(o.exit.shell_code()))
}

fn failed() -> Outcome {
    Outcome { exit: ExitStatus { code: 1, signal: 0 }, usage: Default::default() }
}

/// Words that only a shell knows are a common mistake.
pub(super) fn shell_word(name: &OsStr) -> Result<(), ExitCode> {
    let word = name.to_str().unwrap_or_default();
    match word {
        "module" | "ml" | "conda" => Err(fail(format_args!(
            "{word} is a function of the shell, not a program: call it in the script before srun (tasks have the \
             script's environment), or run srun bash -lc '{word} ...'"
        ))),
        "cd" | "export" | "source" | "." | "ulimit" | "umask" | "alias" | "set" | "eval" => {
            Err(fail(format_args!("{word} is a command of the shell, not a program: run srun bash -c '...'")))
        }
        _ => Ok(()),
    }
}

fn number(variable: &str) -> Option<u32> {
    std::env::var(variable).ok()?.parse().ok()
}

/// What runs as one step.
struct Step<'a> {
    request: &'a Request,
    layout: &'a StepLayout,
    commands: Commands,
    /// What of srun's environment goes along.
    environment: Vec<bivouac_types::Blob>,
    /// Variables that follow from srun's options.
    asked: Vec<(&'static str, String)>,
}

/// Runs the step between its prolog and its epilog.
fn around(step: &Step<'_>, command: &[OsString], guard: &mut Guard) -> Result<Outcome, ExitCode> {
    let id = step.layout.step;
    let own = environment::of_programs(id);
    if let Some(prolog) = &step.request.programs.prolog
        && let Some(status) = programs::of_step(prolog, "prolog_srun", command, &own)
        && !status.success()
    {
        tell(format_args!("srun: error: srun prolog failed rc = {}. Aborting step.", programs::code(status)));
        tell(format_args!(
            "srun: launch/slurm: launch_p_step_launch: StepId={id} aborted before step completely launched."
        ));
        return Err(ExitCode::FAILURE);
    }
    let outcome = run_step(step, guard);
    if let Some(epilog) = &step.request.programs.epilog {
        programs::of_step(epilog, "epilog_srun", command, &own);
    }
    outcome
}

/// Starts the tasks and watches them.
fn run_step(step: &Step<'_>, guard: &mut Guard) -> Result<Outcome, ExitCode> {
    let Step { request, layout, commands, environment, asked } = step;
    let signals = watch::signals().map_err(|e| fail(format_args!("signals cannot be watched: {e}")))?;
    let way = plan::distribution(request, layout);
    let tasks = plan::tasks(layout, &way);
    let cwd = std::env::current_dir().unwrap_or_default();
    let task_dir = commands.chdir.clone().unwrap_or(cwd);
    let mpi = request.mpi.unwrap_or(layout.mpi);
    advice::program(&commands.of(0).path, mpi, tasks.len());
    let mut pmi = (mpi == Mpi::Pmi2).then(|| Pmi::new(layout, &tasks));
    let mut wiring =
        Wiring::new(request, names(layout), layout, tasks.len() as u32, task_dir.clone()).map_err(fail)?;
    // A task in a group of its own could not read from the terminal.
    let groups = !std::io::stdin().is_terminal();
    if request.verbose > 0 {
        tell(format_args!("srun: verbose             : {}", request.verbose));
        announce(layout);
    }
    let hosts = Hosts::make(&layout.nodes.iter().map(|n| n.name.as_str()).collect::<Vec<_>>());
    let mut started: Vec<Started> = Vec::with_capacity(tasks.len());
    for task in tasks {
        let mut own = plan::variables(layout, &way, &task, request.cpus_per_task);
        own.extend(asked.iter().cloned());
        // Kept until the task has been started.
        let connected = match pmi.as_mut().map(|pmi| pmi.connect(task.rank)).transpose() {
            Ok(connected) => connected,
            Err(problem) => {
                give_up(&started);
                return Err(fail(format_args!("a task cannot be connected: {problem}")));
            }
        };
        own.extend(connected.iter().flat_map(TaskEnd::variables));
        let mut env = with_variables(environment, own);
        gpu_bind::bind(request.gpu_bind.as_ref(), &task, layout, &mut env);
        let node = &layout.nodes[task.node].name;
        let mut streams = match wiring.streams(&task) {
            Ok(streams) => streams,
            Err(problem) => {
                give_up(&started);
                return Err(fail(problem));
            }
        };
        if let Some(prolog) = &request.task_programs.prolog {
            match programs::before_task(prolog, env, Some(&task_dir)) {
                programs::Before::Run(changed, printed) => {
                    env = changed;
                    streams.first = printed;
                }
                programs::Before::Fail(code) => {
                    started.push(Started::failed(task, code));
                    continue;
                }
            }
        }
        let program = commands.of(task.rank);
        let host = hosts.of(node);
        started.push(match launch::spawn(&program, &env, host, streams, groups) {
            Ok(child) => {
                let pid = child.id() as i32;
                if groups {
                    guard.add(pid);
                }
                let epilog = request.task_programs.epilog.clone();
                let epilog = epilog.map(|program| Epilog { program, env, folder: task_dir.clone() });
                Started { task, pid: Some(pid), status: None, epilog }
            }
            Err(e) => {
                let code = e.raw_os_error().unwrap_or(1);
                // A path is shown from the root, a name as it was given.
                let name = &program.argv[0];
                let shown = if name.as_bytes().contains(&b'/') { task_dir.join(name) } else { name.into() };
                tell(format_args!("slurmstepd: error: execve(): {}: {}", shown.display(), os_text(code)));
                Started::failed(task, code as u8)
            }
        });
    }
    let (outputs, inputs) = (std::mem::take(&mut wiring.forwarded), std::mem::take(&mut wiring.inputs));
    let rules = Rules {
        // 0 waits for ever.
        wait: Some(request.wait.map_or(layout.wait, u64::from)).filter(|s| *s > 0).map(Duration::from_secs),
        kill_on_bad_exit: request.kill_on_bad_exit.unwrap_or(layout.kill_on_bad_exit),
        until: request
            .time_limit
            .map(|minutes| Instant::now() + Duration::from_secs(u64::from(minutes) * 60)),
        groups,
    };
    Ok(Watch::new(layout, rules, started, outputs, inputs, signals, pmi).run())
}

/// Ends the tasks that were started before a later one could not be.
fn give_up(started: &[Started]) {
    for pid in started.iter().filter_map(|t| t.pid) {
        // SAFETY: the child is not reaped before, so the number is its own.
        unsafe {
            libc::kill(pid, libc::SIGKILL);
            libc::waitpid(pid, std::ptr::null_mut(), 0);
        }
    }
}

/// -v: which tasks start where.
fn announce(layout: &StepLayout) {
    let mut first = 0;
    for node in &layout.nodes {
        let ranks: Vec<u32> = (first..first + node.tasks).collect();
        first += node.tasks;
        let shown = plan::ranks(&ranks);
        let shown = if ranks.len() > 1 { format!("[{shown}]") } else { shown };
        tell(format_args!(
            "srun: launching StepId={} on host {}, {} tasks: {shown}",
            layout.step, node.name, node.tasks
        ));
    }
}

/// The caller's environment with a task's own variables in place of its values.
fn with_variables(environment: &[bivouac_types::Blob], own: Vec<(&str, String)>) -> Vec<Vec<u8>> {
    let name = |entry: &[u8]| entry.split(|&b| b == b'=').next().unwrap_or_default().to_vec();
    let kept = environment.iter().filter(|e| {
        let name = name(&e.0);
        let outer = pmi::VARIABLES.iter().any(|v| v.as_bytes() == name);
        name != b"SLURM_TASK_PID" && !outer && !own.iter().any(|(n, _)| n.as_bytes() == name)
    });
    let own = own.iter().map(|(name, value)| format!("{name}={value}").into_bytes());
    kept.map(|e| e.0.clone()).chain(own).collect()
}

fn names(layout: &StepLayout) -> Names {
    Names {
        job: layout.step.job,
        array_job: number("SLURM_ARRAY_JOB_ID").map(JobId),
        array_task: number("SLURM_ARRAY_TASK_ID"),
        user: Account::own().map(|a| a.name).unwrap_or_default(),
        name: std::env::var("SLURM_JOB_NAME").unwrap_or_default(),
        step: match layout.step.step {
            StepKind::Number(n) => n,
            _ => 0,
        },
    }
}
