//! `salloc`: a command, or a shell, with the resources of a job.

mod command;
mod login;
mod terminal;

use crate::allocation::{ABORTING, Allocation, Event, Wanted};
use crate::identity::Identity;
use crate::signals::Signals;
use crate::{clusters, invocation, submission};
use bivouac_options::salloc::{Bell, Request, request};
use bivouac_options::{Given, Program};
use bivouac_proto::message::{AllocationNews, Grant, Payload};
use bivouac_proto::place::Account;
use bivouac_types::ExitStatus;
use bivouac_types::job::JobKind;
use command::{Order, Running};
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;
use terminal::Terminal;

/// After a longer wait the bell is rung.
const LONG_WAIT: Duration = Duration::from_secs(10);

/// Runs the command.
pub fn run(args: &[OsString]) -> ExitCode {
    let done = invocation::read(Program::Salloc, args).and_then(|given| salloc(&given));
    done.unwrap_or_else(|code| code)
}

fn fail(what: impl std::fmt::Display) -> ExitCode {
    submission::fail(Program::Salloc, what)
}

fn salloc(given: &Given) -> Result<ExitCode, ExitCode> {
    if given.operands.first().is_some_and(|o| o == ":") {
        return Err(fail("heterogeneous jobs (:) are not available here: ask for several jobs"));
    }
    let request = request(given, &jiff::Zoned::now(), &submission::read_file)
        .map_err(|e| invocation::fail_value(Program::Salloc, &e))?;
    submission::announce(given, &request.job);
    clusters::named(given)?;
    let cwd = submission::folder(Program::Salloc)?;
    let mut spec = submission::surrounded(Program::Salloc, &request.job, cwd)?;
    spec.kind = JobKind::Allocation { kept: request.no_shell };
    if let Some(folder) = &request.job.chdir {
        std::env::set_current_dir(folder).map_err(|e| {
            let why = invocation::os_text(e.raw_os_error().unwrap_or(libc::EACCES));
            fail(format_args!("chdir({folder}): {why}"))
        })?;
    }
    let nothing = Payload { script: Vec::new().into(), args: Vec::new(), env: Vec::new() };
    let submission = submission::of(Program::Salloc, &request.job, spec, nothing)?;
    let identity = Identity { uid: submission.uid, gid: submission.gid };
    let watched = [&ABORTING[..], &[libc::SIGCHLD]].concat();
    let mut signals =
        Signals::block(&watched).map_err(|e| fail(format_args!("signals cannot be watched: {e}")))?;
    let (immediate, quiet) = (request.immediate, request.job.quiet);
    let wanted = Wanted { program: Program::Salloc, submission, immediate, quiet };
    let (mut allocation, grant) = Allocation::obtain(wanted, &mut signals)?;
    ring(request.bell, allocation.waited);
    if request.no_shell {
        return Ok(ExitCode::SUCCESS);
    }
    allocation.attend();
    match start(&request, &given.operands, grant, identity) {
        Ok(running) => Ok(attend(allocation, running, &request, &mut signals)),
        Err(code) => {
            relinquish(&mut allocation, ExitStatus { code: 1, signal: 0 });
            Err(code)
        }
    }
}

fn ring(bell: Bell, waited: Duration) {
    let rings = match bell {
        Bell::Always => true,
        Bell::Never => false,
        Bell::AfterWait => waited > LONG_WAIT,
    };
    let mut out = std::io::stdout();
    if rings && out.is_terminal() {
        let _ = out.write_all(b"\x07").and_then(|()| out.flush());
    }
}

/// Starts the command, or the user's shell.
fn start(
    request: &Request,
    operands: &[OsString],
    grant: Grant,
    identity: Identity,
) -> Result<Running, ExitCode> {
    let account = Account::of_uid(identity.uid.unwrap_or_else(crate::report::own_uid))
        .map_err(|e| fail(format_args!("passwd: {e}")))?;
    let shell = [account.shell.clone().into_os_string()];
    let words = if operands.is_empty() { &shell } else { operands };
    let mut environment: Vec<(OsString, OsString)> = match request.get_user_env {
        true => login::environment(&account, identity),
        false => std::env::vars_os().collect(),
    };
    let own = request.job.variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    for (name, value) in grant.variables.into_iter().chain(own) {
        environment.retain(|(other, _)| *other != *name);
        environment.push((name.into(), value.into()));
    }
    let folder = submission::folder(Program::Salloc)?;
    let path = environment.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.clone());
    let found = command::find(&words[0], &folder, &path.unwrap_or_default());
    let missing =
        || fail(format_args!("_fork_command: Unable to find command \"{}\"", words[0].to_string_lossy()));
    let program = found.ok_or_else(missing)?;
    let shown = program.display().to_string();
    Running::start(Order { program, words, environment, identity }, Terminal::find())
        .map_err(|e| fail(format_args!("{shown}: {e}")))
}

/// Until the command has ended, or the user is gone.
fn attend(
    mut allocation: Allocation,
    mut running: Running,
    request: &Request,
    signals: &mut Signals,
) -> ExitCode {
    let mut revoked = false;
    loop {
        match allocation.event(signals, None) {
            Event::Signal(libc::SIGCHLD) => {
                if let Some(status) = running.ended() {
                    drop(running);
                    if !revoked {
                        relinquish(&mut allocation, status);
                    }
                    return ExitCode::from(command::exit_code(status));
                }
            }
            Event::Signal(libc::SIGHUP) => {
                if !revoked {
                    relinquish(&mut allocation, ExitStatus::default());
                }
                running.signal(libc::SIGHUP);
                return ExitCode::FAILURE;
            }
            Event::Signal(_) if !revoked => allocation.cancel(),
            Event::News(AllocationNews::Revoked { state }) => {
                revoked = true;
                allocation.forget();
                allocation.tell_revoked(state);
                if let Some(signal) = request.kill_command {
                    running.signal(signal);
                }
            }
            // The command goes on without a controller; whoever starts that finds the job again, or not.
            Event::Lost => {
                revoked = true;
                allocation.forget();
            }
            Event::Signal(_) | Event::News(_) | Event::Late => {}
        }
    }
}

fn relinquish(allocation: &mut Allocation, exit: ExitStatus) {
    allocation.say(format_args!("Relinquishing job allocation {}", allocation.job));
    allocation.complete(exit);
}
