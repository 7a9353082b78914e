//! `scontrol`.

mod assoc_mgr;
mod daemon;
mod errors;
mod facility;
mod jobs;
mod processes;
mod resize;
mod show;
mod site;
mod update;
mod write;

use crate::report::{self, Trouble};
use crate::{clusters, interactive, invocation};
use bivouac_options::{Given, Program};
use bivouac_proto::message::{Ask, Response};
use bivouac_render::scontrol::{self, Form};
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command.
pub fn run(args: &[OsString]) -> ExitCode {
    let args = with_signs(args);
    invocation::run(Program::Scontrol, &args, scontrol)
}

/// What follows `setdebug` and `setdebugflags` are no options, although a sign may stand before them.
fn with_signs(args: &[OsString]) -> Vec<OsString> {
    let is_word = |a: &OsString| {
        let word = a.to_string_lossy().to_ascii_lowercase();
        word.len() > 3 && "setdebugflags".starts_with(&word)
    };
    let mut args = args.to_vec();
    if let Some(at) = args.iter().position(is_word) {
        args.insert(at, "--".into());
    }
    args
}

/// How scontrol was called.
#[derive(Clone, Copy)]
struct Session {
    form: Form,
    /// -a: hidden partitions too.
    all: bool,
    /// -F: nodes that are yet to come too.
    future: bool,
    /// -Q: errors of the controller are not printed.
    quiet: bool,
    /// -u: jobs are updated as this user.
    user: Option<u32>,
}

impl Session {
    /// Says an error, unless --quiet, and ends with exit code 1.
    fn fail(self, what: impl std::fmt::Display) -> ExitCode {
        if !self.quiet {
            eprintln!("{what}");
        }
        ExitCode::FAILURE
    }

    /// Says, on standard output as scontrol of 22.05 does, that something is not there.
    fn missing(self, what: impl std::fmt::Display) -> ExitCode {
        if !self.quiet {
            println!("{what} not found");
        }
        ExitCode::FAILURE
    }
}

fn scontrol(given: &Given) -> Result<(), ExitCode> {
    // More words about the same records; there is nothing more to say here than with --details.
    let details = given.has("details") || given.count("verbose") > 0;
    let form = Form { oneliner: given.has("oneliner"), details };
    let mut session = Session {
        form,
        quiet: given.has("quiet"),
        all: given.last_of(&["all", "hide"]).is_some_and(|choice| choice.opt.long == "all"),
        future: given.has("future"),
        user: None,
    };
    if let Some(user) = given.value("uid") {
        let Some(uid) = report::uid_of(user) else {
            eprintln!("scontrol: error: --uid=\"{user}\" invalid");
            // As Slurm's, which does nothing then.
            return Ok(());
        };
        session.user = Some(uid);
    }
    clusters::named(given)?;
    invocation::finish(given)?;
    let words: Vec<String> = given.operands.iter().map(|w| w.to_string_lossy().into_owned()).collect();
    if words.is_empty() {
        return interactive::run(Program::Scontrol, |words| carry_out(words, &mut session));
    }
    carry_out(&words, &mut session).map(drop)
}

/// Carries out one command. Whether more may follow.
fn carry_out(words: &[String], session: &mut Session) -> Result<bool, ExitCode> {
    let Some((typed, rest)) = words.split_first() else { return Ok(true) };
    let command = typed.to_ascii_lowercase();
    // How a session goes on; outside of one this has no effect, and is no error.
    let is = |name: &str, least: usize| command.len() >= least && name.starts_with(&command);
    if is("exit", 2) || is("quit", 4) {
        return Ok(false);
    } else if is("oneliner", 1) {
        session.form.oneliner = true;
    } else if is("details", 1) || is("verbose", 4) {
        session.form.details = true;
    } else if is("quiet", 4) {
        session.quiet = true;
    } else if is("all", 2) {
        session.all = true;
    } else if is("hide", 2) {
        session.all = false;
    } else {
        return command_of(&command, typed, rest, *session).map(|()| true);
    }
    Ok(true)
}

fn command_of(command: &str, typed: &str, rest: &[String], session: Session) -> Result<(), ExitCode> {
    // A word may be shortened where Slurm lets it be.
    let is = |name: &str, least: usize| command.len() >= least && name.starts_with(command);
    let at_most = |n: usize| match rest.len() > n {
        true => Err(session.fail(format_args!("too many arguments for keyword:{typed}"))),
        false => Ok(()),
    };
    let at_least = |n: usize| match rest.len() < n {
        true => Err(session.fail(format_args!("too few arguments for keyword:{typed}"))),
        false => Ok(()),
    };
    let one = || at_least(1).and_then(|()| at_most(1)).map(|()| rest[0].as_str());
    let on_jobs = |verb| at_least(1).and_then(|()| jobs::each(rest, verb, session));
    if is("show", 3) {
        at_least(1)?;
        let entity = rest[0].to_ascii_lowercase();
        if entity.len() > 1 && "assoc_mgr".starts_with(&entity) {
            return assoc_mgr::show(&rest[1..], session);
        }
        at_most(2)?;
        show::show(&rest[0], rest.get(1).map(String::as_str), session)
    } else if is("ping", 3) {
        at_most(0)?;
        ping(session)
    } else if is("reconfigure", 3) {
        at_most(0)?;
        reconfigure(session)
    } else if is("version", 4) {
        println!("{}", bivouac_options::getopt::VERSION);
        match rest.is_empty() {
            true => Ok(()),
            false => Err(session.fail(format_args!("too many arguments for {typed} keyword"))),
        }
    } else if is("help", 2) {
        print!("{}", bivouac_options::help::help(Program::Scontrol));
        print!("{}", show::HELP);
        at_most(0)
    } else if is("hold", 4) {
        on_jobs(jobs::Verb::Hold)
    } else if is("holdu", 5) || is("uhold", 5) {
        on_jobs(jobs::Verb::UserHold)
    } else if is("release", 3) {
        on_jobs(jobs::Verb::Release)
    } else if is("requeuehold", 8) {
        on_jobs(jobs::Verb::RequeueHold)
    } else if is("requeue", 3) {
        on_jobs(jobs::Verb::Requeue)
    } else if is("suspend", 2) {
        on_jobs(jobs::Verb::Suspend)
    } else if is("resume", 3) {
        on_jobs(jobs::Verb::Resume)
    } else if is("top", 3) {
        jobs::top(one()?, session)
    } else if is("notify", 1) {
        at_least(2)?;
        jobs::notify(&rest[0], &rest[1..], session)
    } else if is("wait_job", 2) {
        jobs::wait_job(one()?, session)
    } else if is("update", 1) {
        if rest.is_empty() {
            return Err(session.fail("too few arguments for update keyword"));
        }
        match site::entity(rest) {
            Some(entity) => site::update(entity, rest, session),
            None => update(rest, session),
        }
    } else if is("create", 1) || is("delete", 1) {
        if rest.is_empty() {
            return Err(session.fail(format_args!("too few arguments for {typed} keyword")));
        }
        if is("create", 1) { site::create(rest, session) } else { site::delete(rest, session) }
    } else if is("write", 5) {
        at_least(1)?;
        at_most(3)?;
        write::write(rest, session)
    } else if is("listpids", 1) {
        at_most(2)?;
        processes::list(rest.first().map(String::as_str), rest.get(1).map(String::as_str), session)
    } else if is("getent", 6) {
        processes::getent(rest.first().map(String::as_str), session)
    } else if is("pidinfo", 3) {
        match rest {
            [pid] => processes::info(pid, session),
            [] => Err(session.fail("missing argument for keyword:pidinfo")),
            _ => at_most(1),
        }
    } else if is("completing", 3) {
        at_most(0)?;
        show::completing(session)
    } else if is("errnumstr", 2) {
        errnumstr(rest, session)
    } else {
        daemon::command(command, typed, rest, session)
    }
}

/// `update` of a step, a job, or of what else the words name.
fn update(words: &[String], session: Session) -> Result<(), ExitCode> {
    if update::is_step(words) {
        return update::step(words, session);
    }
    if update::job(words, session)? {
        return Ok(());
    }
    let key = words[0].split('=').next().unwrap_or_default();
    if ["reservation", "reservationname", "slurmctlddebug"].contains(&key.to_ascii_lowercase().as_str()) {
        return Err(session.fail(format_args!("Update of {key} is not available here")));
    }
    Err(session.fail(
        "No valid entity in update command\nInput line must include \"NodeName\", \"PartitionName\", \
         \"Reservation\", \"JobId\", or \"SlurmctldDebug\"",
    ))
}

/// `errnumstr NUMBER`.
fn errnumstr(rest: &[String], session: Session) -> Result<(), ExitCode> {
    match rest {
        [number] => match number.parse() {
            Ok(number) => {
                println!("{}", errors::text(number));
                Ok(())
            }
            Err(_) => Err(session.fail("numeric arguments required for keyword:errnumstr")),
        },
        _ => Err(session.fail("one arguments required for keyword:errnumstr")),
    }
}

/// The controller reads its site's files again.
fn reconfigure(session: Session) -> Result<(), ExitCode> {
    let answer = report::connect().and_then(|mut c| Ok(c.call(Ask::Reconfigure)?));
    let problem = match answer {
        Ok(Response::Done) => return Ok(()),
        Ok(Response::Rejected(reject)) => reject.to_string(),
        Ok(Response::Failed(problem)) => problem,
        Ok(other) => Trouble::from(other).to_string(),
        Err(e) => e.to_string(),
    };
    let lines: Vec<String> = problem.lines().map(|l| format!("slurm_reconfigure error: {l}")).collect();
    Err(session.fail(lines.join("\n")))
}

/// The controller's host, if it answers.
fn host() -> Result<String, Trouble> {
    match report::connect()?.call(Ask::Ping)? {
        Response::Pong { host } => Ok(host),
        other => Err(other.into()),
    }
}

fn ping(session: Session) -> Result<(), ExitCode> {
    match host() {
        Ok(host) => {
            println!("{}", scontrol::ping(&host, true));
            Ok(())
        }
        Err(e) => {
            let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            println!("{}", scontrol::ping(host.trim(), false));
            Err(session.fail(format_args!("scontrol: error: {e}")))
        }
    }
}
