//! slurmstepd, the daemon of a step: among the job's processes it does what srun asks for, with srun's own command line,
//! environment, folder and standard streams. The keeper starts it; it ends with its step.
//!
//! srun tells it of signals; when srun is gone, its tasks are hung up. A reader starts at [`run`], then at [`watch`].

pub mod bcast;
pub mod commands;
pub mod forward;
mod gpu_bind;
mod hosts;
pub mod launch;
mod ledger;
mod multi;
mod plan;
mod pmi;
pub mod programs;
mod streams;
mod terminal;
pub mod watch;
pub mod wire;

use crate::invocation::os_text;
use crate::srun::{advice, environment, fail, gres, number, step, tell};
use bivouac_keeper::order::Limit;
use bivouac_options::srun::{Request, request};
use bivouac_options::{Given, Invocation, Program};
use bivouac_proto::message::StepLayout;
use bivouac_proto::place::Account;
use bivouac_proto::step::{CLIENT_VARIABLE, FromStep, SOCKET_VARIABLE, StepOrder, ToStep};
use bivouac_types::{Blob, ExitStatus, JobId, Mpi, StepKind};
use commands::Commands;
use hosts::Hosts;
use pmi::{Pmi, TaskEnd};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use streams::{Names, Wiring};
use terminal::Terminal;
use watch::{Epilog, Interrupt, Outcome, Rules, Started, Watch};
use wire::Wire;

/// How long srun may take to call.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long srun may take to send the rest of a frame that it has begun.
const SILENCE: Duration = Duration::from_secs(10);

/// The variables by which the keeper and the job's commands know their own: a task has the daemon's, not srun's.
const MARKS: [&str; 4] = ["BIVOUAC_ATTEMPT", "BIVOUAC_KEEPER", "BIVOUAC_CLUSTER", "BIVOUAC_STATE_DIR"];

/// Runs the daemon.
pub fn run(_args: &[OsString]) -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            tell(format_args!("slurmstepd: error: {what}"));
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), String> {
    let name = std::env::var(SOCKET_VARIABLE).map_err(|_| "only the keeper starts the daemon of a step")?;
    let listener = wire::listen(&name).map_err(|e| format!("the step's socket: {e}"))?;
    let (mut client, order, streams) = first_call(&listener)?;
    become_client(&order, streams).map_err(|e| format!("srun's surroundings: {e}"))?;
    let outcome = step_of(&order, &mut client, listener);
    // A step that could not be run is over as well.
    let failed = Outcome { exit: ExitStatus { code: 1, signal: 0 }, usage: Default::default() };
    let outcome = outcome.unwrap_or(failed);
    step::end(&order.layout, &outcome);
    let ended = FromStep::Ended { code: outcome.exit.shell_code(), exit: outcome.exit };
    // An srun that is gone hears of nothing.
    let _ = client.send(&ended, &[]);
    Ok(())
}

/// srun, until it calls; none where its number says nothing here.
fn client() -> Option<OwnedFd> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    let pid = std::env::var(CLIENT_VARIABLE).ok()?.parse().ok().and_then(Pid::from_raw)?;
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(client) => Some(client),
        // The end of a pipe that nobody writes to looks as a process does that has ended.
        Err(rustix::io::Errno::SRCH) => forward::pipe().ok().map(|(ended, _)| ended.into()),
        Err(_) => None,
    }
}

/// Waits for srun, and for what it wants.
fn first_call(listener: &UnixListener) -> Result<(Wire, Box<StepOrder>, Vec<OwnedFd>), String> {
    use rustix::event::{PollFd, PollFlags};
    let until = Instant::now() + PATIENCE;
    let client = client();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let mut polled = vec![PollFd::new(listener, PollFlags::IN)];
        polled.extend(client.iter().map(|client| PollFd::new(client, PollFlags::IN)));
        let timeout = rustix::event::Timespec::try_from(left).map_err(|e| e.to_string())?;
        match rustix::event::poll(&mut polled, Some(&timeout)) {
            Ok(0) => return Err("srun did not call".into()),
            Ok(_) if polled[0].revents().is_empty() => return Err("srun is gone".into()),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(e) => return Err(e.to_string()),
        }
        let Ok(wire) = listener.accept().and_then(|(stream, _)| Wire::accepted(stream)) else { continue };
        let mut wire = wire;
        if wire.give_up_after(SILENCE).is_err() {
            continue;
        }
        if let Ok((ToStep::Run(order), streams)) = wire.receive::<ToStep>()
            && streams.len() == 3
        {
            return Ok((wire, order, streams));
        }
    }
}

/// Takes over what srun has.
fn become_client(order: &StepOrder, streams: Vec<OwnedFd>) -> io::Result<()> {
    let marks: Vec<(&str, OsString)> =
        MARKS.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))).collect();
    // SAFETY: the daemon has one thread.
    unsafe {
        std::env::vars_os().for_each(|(name, _)| std::env::remove_var(name));
        for entry in &order.env {
            let Some(at) = entry.0.iter().position(|b| *b == b'=').filter(|at| *at > 0) else { continue };
            std::env::set_var(OsStr::from_bytes(&entry.0[..at]), OsStr::from_bytes(&entry.0[at + 1..]));
        }
        marks.iter().for_each(|(name, value)| std::env::set_var(name, value));
    }
    for (number, stream) in (0..).zip(&streams) {
        // SAFETY: both are descriptors; the standard ones are replaced.
        if unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(stream), number) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    for &(resource, soft, hard) in &order.limits {
        // As far as it may: what the job's own limits are lower than stays so.
        set_limit(Limit { resource, soft, hard });
    }
    // SAFETY: cannot fail.
    unsafe { libc::umask(order.umask as libc::mode_t & 0o777) };
    // Where srun is, the daemon may not come: the tasks then start from the root, as far as nothing else was said.
    let _ = std::env::set_current_dir(OsStr::from_bytes(&order.cwd.0));
    Ok(())
}

fn set_limit(limit: Limit) {
    let Some(own) = Limit::own(limit.resource) else { return };
    let hard = limit.hard.min(own.hard);
    let wanted = libc::rlimit { rlim_cur: limit.soft.min(hard), rlim_max: hard };
    // SAFETY: the pointer is that of a valid structure.
    unsafe { libc::setrlimit(limit.resource as _, &wanted) };
}

/// What runs as one step.
struct Step<'a> {
    order: &'a StepOrder,
    request: &'a Request,
    layout: &'a StepLayout,
    commands: Commands,
    /// What of srun's environment goes along.
    environment: Vec<Blob>,
    /// Variables that follow from srun's options.
    asked: Vec<(&'static str, String)>,
}

/// Reads srun's command line, which srun has found to be good, and runs the step.
fn step_of(order: &StepOrder, client: &mut Wire, listener: UnixListener) -> Result<Outcome, ExitCode> {
    let args: Vec<OsString> = order.args.iter().map(|a| OsStr::from_bytes(&a.0).to_owned()).collect();
    // Read as srun has read it: outside a job no variable said that there was one.
    let variable = |name: &str| match order.outside && bivouac_options::JOB_VARIABLES.contains(&name) {
        true => None,
        false => std::env::var_os(name),
    };
    let given = match bivouac_options::read(Program::Srun, &args, variable) {
        Ok(Invocation::Run(given)) => given,
        _ => return Err(fail("the step's command line could not be read again")),
    };
    let given: Given = given;
    if order.outside {
        crate::srun::asked_outside(&given)?;
    }
    let request = request(&given, number("SLURM_DIST_PLANESIZE"))
        .map_err(|e| crate::invocation::fail_value(Program::Srun, &e))?;
    let Some(name) = given.operands.first() else { return Err(ExitCode::FAILURE) };
    let bind = environment::binding(&request)?;
    let layout = &order.layout;
    let exported = request.export.apply(std::env::vars_os());
    // Names are looked for where the tasks would look.
    let path = programs::path_of(&exported);
    let chdir = request.chdir.as_ref().map(|d| std::path::absolute(d).unwrap_or_else(|_| d.into()));
    let commands = Commands::read(&request, &given, path, chdir)?;
    let gres = gres::variables(layout.step.job, request.gres.as_deref())?;
    let source = request.bcast.as_ref().map(|_| bcast::source(name)).transpose()?;
    let copied = source.zip(request.bcast.as_deref()).map(|(source, to)| bcast::copy(&source, to, layout));
    let step = Step {
        order,
        request: &request,
        layout,
        commands: commands.ready(copied.transpose()?, layout)?,
        environment: exported,
        asked: environment::asked_for(&request, &bind, layout).into_iter().chain(gres).collect(),
    };
    run_step(&step, client, listener)
}

/// Starts the tasks and watches them.
fn run_step(step: &Step<'_>, client: &mut Wire, listener: UnixListener) -> Result<Outcome, ExitCode> {
    let Step { order, request, layout, commands, environment, asked } = step;
    ledger::become_collector();
    let signals = watch::signals().map_err(|e| fail(format_args!("signals cannot be watched: {e}")))?;
    let way = plan::distribution(request, layout);
    let tasks = plan::tasks(layout, &way);
    let cwd = std::env::current_dir().unwrap_or_default();
    let task_dir = commands.chdir.clone().unwrap_or(cwd);
    let mut terminal = match request.pty {
        true => Some(Terminal::open(order.window).map_err(|e| fail(format_args!("openpty: {e}")))?),
        false => None,
    };
    let mpi = request.mpi.unwrap_or(layout.mpi);
    advice::program(&commands.of(0).path, mpi, tasks.len());
    let mut pmi = (mpi == Mpi::Pmi2).then(|| Pmi::new(layout, &tasks));
    let mut wiring =
        Wiring::new(request, names(layout), layout, tasks.len() as u32, task_dir.clone()).map_err(fail)?;
    if request.verbose > 0 {
        tell(format_args!("srun: verbose             : {}", request.verbose));
        announce(layout);
    }
    let hosts = Hosts::make(&layout.nodes.iter().map(|n| n.name.as_str()).collect::<Vec<_>>());
    let mut started: Vec<Started> = Vec::with_capacity(tasks.len());
    for task in tasks {
        let mut own = plan::variables(layout, &way, &task, request.cpus_per_task);
        own.extend(asked.iter().cloned());
        own.extend(hosts.variable(layout.nodes.len(), environment));
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
        let streams = match &terminal {
            Some(terminal) => terminal.streams(task.rank).map_err(|e| format!("the terminal: {e}")),
            None => wiring.streams(&task),
        };
        let mut streams = match streams {
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
        let leads = match terminal.is_some() && task.rank == 0 {
            true => launch::Leads::Session,
            false => launch::Leads::Group,
        };
        started.push(match launch::spawn(&program, &env, host, streams, leads) {
            Ok(child) => {
                let pid = child.id() as i32;
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
    // From here on the terminal's two ends are task 0's and srun's: whoever is left alone with it is hung up.
    let beside = terminal.as_ref().map(|terminal| terminal.master.as_fd());
    let running = FromStep::Running { pty: beside.is_some() };
    let _ = client.send(&running, beside.as_slice());
    drop(terminal.take());
    let (outputs, inputs) = (std::mem::take(&mut wiring.forwarded), std::mem::take(&mut wiring.inputs));
    let rules = Rules {
        // 0 waits for ever.
        wait: Some(request.wait.map_or(layout.wait, u64::from)).filter(|s| *s > 0).map(Duration::from_secs),
        gather: request.acctg_freq.map_or(layout.gather, u64::from),
        kill_on_bad_exit: request.kill_on_bad_exit.unwrap_or(layout.kill_on_bad_exit),
        until: request
            .time_limit
            .map(|minutes| Instant::now() + Duration::from_secs(u64::from(minutes) * 60)),
        on_interrupt: match (request.quit_on_interrupt, request.disable_status) {
            (true, _) => Interrupt::Quit,
            (false, true) => Interrupt::Pass,
            (false, false) => Interrupt::Report,
        },
    };
    Ok(Watch::new(layout, rules, started, (outputs, inputs), signals, pmi, (client, listener)).run())
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
fn with_variables(environment: &[Blob], own: Vec<(&str, String)>) -> Vec<Vec<u8>> {
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
