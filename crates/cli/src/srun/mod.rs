//! `srun`, inside a job: the tasks of a step are srun's own children.

mod forward;
mod guard;
mod launch;
mod plan;
mod step;
mod streams;
mod watch;

use crate::invocation;
use bivouac_options::srun::{Request, request};
use bivouac_options::{Given, Program};
use bivouac_proto::message::StepLayout;
use bivouac_proto::place::Account;
use bivouac_types::{ExitStatus, JobId, StepKind};
use guard::Guard;
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use std::time::Duration;
use streams::{Names, Wiring};
use watch::{Outcome, Rules, Started, Watch};

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
    let request = request(given).map_err(|e| invocation::fail_value(Program::Srun, &e))?;
    if request.list_mpi {
        return Ok(invocation::print("MPI plugin types are...\n\tnone\n"));
    }
    let Some(name) = given.operands.first() else {
        eprintln!("srun: fatal: No command given to execute.");
        return Err(ExitCode::FAILURE);
    };
    let job = number("SLURM_JOB_ID").or_else(|| number("SLURM_JOBID")).map(JobId);
    let Some(job) = job else {
        return Err(fail("srun outside a job comes in a later release; use sbatch --wrap"));
    };
    let path = std::env::var_os("PATH");
    let file = launch::resolve(name, path.as_deref());
    if file.as_os_str() == name.as_os_str() {
        shell_word(name)?;
    }
    let chdir = request.chdir.as_ref().map(|d| std::path::absolute(d).unwrap_or_else(|_| d.into()));
    if let (Some(asked), Some(have)) = (request.nodes, number("SLURM_JOB_NUM_NODES"))
        && asked > have
    {
        return Err(fail(format_args!("Only allocated {have} nodes asked for {asked}")));
    }
    let program = launch::Program { path: file, argv: given.operands.clone(), chdir };
    let layout = step::start(job, &request, name)?;
    let mut guard =
        Guard::start(&layout).map_err(|e| fail(format_args!("a process could not be started: {e}")))?;
    let program = program.in_a_folder(&layout);
    let outcome = run_step(&request, &layout, &program, &mut guard);
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
fn shell_word(name: &OsStr) -> Result<(), ExitCode> {
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

/// Starts the tasks and watches them.
fn run_step(
    request: &Request,
    layout: &StepLayout,
    program: &launch::Program,
    guard: &mut Guard,
) -> Result<Outcome, ExitCode> {
    let signals = watch::signals().map_err(|e| fail(format_args!("signals cannot be watched: {e}")))?;
    let tasks = plan::tasks(layout);
    let cwd = std::env::current_dir().unwrap_or_default();
    let task_dir = program.chdir.clone().unwrap_or(cwd);
    let mut wiring =
        Wiring::new(request, names(layout), layout, tasks.len() as u32, task_dir.clone()).map_err(fail)?;
    // A path is shown from the root, a name as it was given.
    let name = &program.argv[0];
    let shown = if name.as_bytes().contains(&b'/') { task_dir.join(name) } else { name.into() };
    let environment = request.export.apply(std::env::vars_os());
    // A task in a group of its own could not read from the terminal.
    let groups = !std::io::stdin().is_terminal();
    if request.verbose > 0 {
        tell(format_args!("srun: verbose             : {}", request.verbose));
        announce(layout);
    }
    let here = launch::host_name();
    let rename = layout.nodes.iter().any(|n| n.name.as_bytes() != here) && launch::can_rename_host();
    let mut started: Vec<Started> = Vec::with_capacity(tasks.len());
    for task in tasks {
        let env = with_variables(&environment, plan::variables(layout, &task, request.cpus_per_task));
        let node = &layout.nodes[task.node].name;
        let streams = match wiring.streams(&task) {
            Ok(streams) => streams,
            Err(problem) => {
                give_up(&started);
                return Err(fail(problem));
            }
        };
        let host = Some(node.as_str()).filter(|n| rename && n.as_bytes() != here);
        started.push(match launch::spawn(program, &env, host, streams, groups) {
            Ok(child) => {
                let pid = child.id() as i32;
                if groups {
                    guard.add(pid);
                }
                Started { task, pid: Some(pid), status: None }
            }
            Err(e) => {
                let code = e.raw_os_error().unwrap_or(1);
                tell(format_args!("slurmstepd: error: execve(): {}: {}", shown.display(), os_text(code)));
                Started { task, pid: None, status: Some(ExitStatus { code: code as u8, signal: 0 }) }
            }
        });
    }
    let (outputs, inputs) = (std::mem::take(&mut wiring.forwarded), std::mem::take(&mut wiring.inputs));
    let rules = Rules {
        // 0 waits for ever.
        wait: Some(request.wait.map_or(layout.wait, u64::from)).filter(|s| *s > 0).map(Duration::from_secs),
        kill_on_bad_exit: request.kill_on_bad_exit.unwrap_or(layout.kill_on_bad_exit),
        groups,
    };
    Ok(Watch::new(layout, rules, started, outputs, inputs, signals).run())
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

fn os_text(code: i32) -> String {
    // SAFETY: strerror returns a terminated text that stays until the next call in this, the only, thread.
    unsafe { std::ffi::CStr::from_ptr(libc::strerror(code)) }.to_string_lossy().into_owned()
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
        name != b"SLURM_TASK_PID" && !own.iter().any(|(n, _)| n.as_bytes() == name)
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
