//! `scontrol`.

mod change;
mod facility;
mod show;
mod site;

use crate::report::{self, Trouble};
use crate::{clusters, invocation};
use bivouac_options::{Given, Program};
use bivouac_proto::message::{Ask, Response};
use bivouac_render::scontrol::{self, Form};
use std::ffi::OsString;
use std::process::ExitCode;

/// Commands of Slurm's scontrol that are not available here, and what to use instead.
const REFUSED: [(&str, &str); 24] = [
    ("abort", "use `bivouac down`"),
    ("all", "no partition is hidden"),
    ("cancel_reboot", "nodes are not rebooted"),
    ("cluster", "set BIVOUAC_CLUSTER to speak to another cluster"),
    ("completing", "use `squeue -t CG`"),
    ("details", "use `scontrol --details show ...`"),
    ("errnumstr", "it comes in a later release"),
    ("exit", "there is no interactive mode; give the command as arguments"),
    ("fsdampeningfactor", "there is no fair-share"),
    ("hide", "no partition is hidden"),
    ("holdu", "use hold"),
    ("listpids", "use `scontrol show job` and ps"),
    ("notify", "it comes in a later release"),
    ("oneliner", "use `scontrol --oneliner show ...`"),
    ("pidinfo", "it comes in a later release"),
    ("quiet", "use --quiet"),
    ("quit", "there is no interactive mode; give the command as arguments"),
    ("reboot", "nodes are not rebooted"),
    ("requeuehold", "use requeue, then hold"),
    ("shutdown", "use `bivouac down`"),
    ("takeover", "there is one controller"),
    ("uhold", "use hold"),
    ("verbose", "use --verbose"),
    ("wait_job", "nodes are always ready"),
];

/// Further ones of which there is nothing to say but that they come later.
const LATER: [&str; 8] =
    ["resume", "suspend", "top", "setdebug", "setdebugflags", "schedloglevel", "token", "!!"];

/// Runs the command.
pub fn run(args: &[OsString]) -> ExitCode {
    invocation::run(Program::Scontrol, args, scontrol)
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
    let form = Form { oneliner: given.has("oneliner"), details: given.has("details") };
    let session = Session {
        form,
        quiet: given.has("quiet"),
        all: given.has("all") && !given.has("hide"),
        future: given.has("future"),
    };
    // More words about the same records; there is nothing more to say here than with --details.
    let session = match given.count("verbose") {
        0 => session,
        _ => Session { form: Form { details: true, ..session.form }, ..session },
    };
    clusters::named(given)?;
    invocation::finish(given)?;
    let words: Vec<String> = given.operands.iter().map(|w| w.to_string_lossy().into_owned()).collect();
    let Some((command, rest)) = words.split_first() else {
        eprintln!("scontrol: error: no command was given, and there is no interactive mode here");
        return Err(ExitCode::FAILURE);
    };
    command_of(&command.to_ascii_lowercase(), command, rest, session)
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
    if is("show", 3) {
        at_least(1)?;
        at_most(2)?;
        show::show(&rest[0], rest.get(1).map(String::as_str), session)
    } else if is("ping", 3) {
        at_most(0)?;
        ping(session)
    } else if is("reconfigure", 3) {
        at_most(0)?;
        reconfigure(session)
    } else if is("version", 4) {
        at_most(0)?;
        println!("{}", bivouac_options::getopt::VERSION);
        Ok(())
    } else if is("help", 2) {
        print!("{}", bivouac_options::help::help(Program::Scontrol));
        print!("{}", show::HELP);
        Ok(())
    } else if is("hold", 4) {
        at_least(1)?;
        change::each(rest, change::Verb::Hold, session)
    } else if is("release", 3) {
        at_least(1)?;
        change::each(rest, change::Verb::Release, session)
    } else if is("requeue", 3) {
        at_least(1)?;
        change::each(rest, change::Verb::Requeue, session)
    } else if is("update", 1) {
        if rest.is_empty() {
            return Err(session.fail("too few arguments for update keyword"));
        }
        match site::entity(rest) {
            Some(entity) => site::update(entity, rest, session),
            None => change::update(rest, session),
        }
    } else if is("create", 1) || is("delete", 1) {
        if rest.is_empty() {
            return Err(session.fail(format_args!("too few arguments for {typed} keyword")));
        }
        if is("create", 1) { site::create(rest, session) } else { site::delete(rest, session) }
    } else if is("write", 5) {
        at_least(2)?;
        at_most(3)?;
        show::write(&rest[0], &rest[1], rest.get(2).map(String::as_str), session)
    } else if let Some((_, instead)) = REFUSED.iter().find(|(name, _)| *name == command) {
        eprintln!("scontrol: error: {command} is not available here: {instead}");
        Err(ExitCode::FAILURE)
    } else if LATER.contains(&command) {
        eprintln!("scontrol: error: {command} is not available here: it comes in a later release");
        Err(ExitCode::FAILURE)
    } else {
        eprintln!("invalid keyword: {typed}");
        Err(ExitCode::FAILURE)
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
