//! What scontrol does to the daemons. There is one controller, no backup, and nodes are not rebooted: the answers are
//! those of a Slurm of that kind.

use super::Session;
use crate::report::{self, Trouble};
use bivouac_options::Status;
use bivouac_options::table::COMMANDS;
use bivouac_proto::message::{Ask, Response, Setting};
use bivouac_types::Reject;
use std::process::ExitCode;

/// Levels of setdebug by name; their numbers are 0 to 9.
const LEVELS: [&str; 10] =
    ["quiet", "fatal", "error", "info", "verbose", "debug", "debug2", "debug3", "debug4", "debug5"];

/// DebugFlags, as slurm.conf(5) lists them.
const DEBUG_FLAGS: [&str; 41] = [
    "Accrue",
    "Agent",
    "Backfill",
    "BackfillMap",
    "BurstBuffer",
    "Cgroup",
    "CPU_Bind",
    "CpuFrequency",
    "Data",
    "DBD_Agent",
    "Dependency",
    "Elasticsearch",
    "Energy",
    "ExtSensors",
    "Federation",
    "FrontEnd",
    "Gres",
    "Hetjob",
    "Gang",
    "JobAccountGather",
    "JobContainer",
    "License",
    "Network",
    "NetworkRaw",
    "NodeFeatures",
    "NO_CONF_HASH",
    "Power",
    "Priority",
    "Profile",
    "Protocol",
    "Reservation",
    "Route",
    "Script",
    "SelectType",
    "Steps",
    "Switch",
    "TimeCray",
    "TLS",
    "TraceJobs",
    "Triggers",
    "WorkQueue",
];

/// The commands that are about daemons; for any other word the answer is that it is none.
pub fn command(command: &str, typed: &str, rest: &[String], session: Session) -> Result<(), ExitCode> {
    let is = |name: &str, least: usize| command.len() >= least && name.starts_with(command);
    let argument = || match rest {
        [] => Err(session.fail(format_args!("too few arguments for keyword:{typed}"))),
        [one] => Ok(one.as_str()),
        _ => Err(session.fail(format_args!("too many arguments for keyword:{typed}"))),
    };
    if is("setdebugflags", 9) {
        set_flags(argument()?, session)
    } else if is("setdebug", 2) {
        set_level(argument()?, session)
    } else if is("schedloglevel", 3) {
        let level = argument()?;
        match level.to_ascii_lowercase().as_str() {
            // There is no file of the scheduler's own to write to.
            "0" | "1" | "disable" | "enable" => {
                Err(session.fail("slurm_set_schedlog_level error: Requested operation is presently disabled"))
            }
            _ => Err(session.fail(format_args!("invalid schedlog level: {level}"))),
        }
    } else if is("shutdown", 8) {
        shutdown(rest, session)
    } else if is("takeover", 8) {
        let what = "slurm_takeover error: Unable to contact slurm controller (connect failure)";
        Err(session.fail(what))
    } else if is("reboot", 3) {
        reboot(rest, session)
    } else if is("cancel_reboot", 3) {
        Err(session.fail(match rest {
            [] => "missing argument for keyword:cancel_reboot",
            _ => "slurm_update error: Invalid node state specified",
        }))
    } else if is("cluster", 2) && rest.is_empty() {
        Ok(())
    } else if is("fsdampeningfactor", 3) {
        set_dampening(argument()?, session)
    } else if is("token", 3) {
        Err(session.fail(match rest.iter().find(|w| !w.contains('=')) {
            Some(word) => format!("Invalid option: `{word}`"),
            None => "Error fetching token".to_owned(),
        }))
    } else if matches!(command, "bbstat" | "dwstat") {
        // They stand in the manual's list; scontrol knows them behind `show` only.
        Err(session.fail(format_args!("invalid keyword: {typed}")))
    } else if let Some(Status::Refused(instead)) =
        COMMANDS.iter().find(|w| w.name == command).map(|w| w.status)
    {
        eprintln!("scontrol: error: {command} is not available here: {instead}");
        Err(ExitCode::FAILURE)
    } else {
        eprintln!("invalid keyword: {typed}");
        Err(ExitCode::FAILURE)
    }
}

/// The controller's log has one level, in which all is said that it has to say.
fn set_level(level: &str, session: Session) -> Result<(), ExitCode> {
    let named = LEVELS.iter().any(|l| l.eq_ignore_ascii_case(level));
    let numbered = level.parse().is_ok_and(|n: usize| n < LEVELS.len());
    if !named && !numbered {
        return Err(session.fail(format_args!("invalid debug level: {level}")));
    }
    set_debug("slurm_set_debug_level", session)
}

fn set_flags(flag: &str, session: Session) -> Result<(), ExitCode> {
    let name = flag.strip_prefix(['+', '-']);
    let known = |name: &str| DEBUG_FLAGS.iter().any(|f| f.eq_ignore_ascii_case(name));
    match name {
        Some(name) if known(name) => set_debug("slurm_set_debug_flags", session),
        Some(name) => {
            let lines = format!("scontrol: error: Invalid DebugFlag: {name}\ninvalid debug flag: {flag}");
            Err(session.fail(lines))
        }
        None => {
            let lines = format!("invalid debug flag: {flag}\nUsage: setdebugflags [+|-]NAME");
            Err(session.fail(lines))
        }
    }
}

/// The controller is asked, because only an operator may.
fn set_debug(what: &str, session: Session) -> Result<(), ExitCode> {
    match set(Setting::Debug) {
        Ok(()) => {
            let hint = "the log of the controller has one level: bivouac status names its file";
            crate::terminal::hint(hint);
            Ok(())
        }
        Err(Trouble::Rejected(Reject::AccessDenied)) => {
            Err(session.fail(format_args!("{what} error: Permission denied")))
        }
        Err(e) => Err(session.fail(format_args!("{what} error: {e}"))),
    }
}

fn set(setting: Setting) -> Result<(), Trouble> {
    match report::connect()?.call(Ask::Set(setting))? {
        Response::Done => Ok(()),
        other => Err(other.into()),
    }
}

/// A wrong number is said, and the exit code stays 0, as with Slurm's.
fn set_dampening(factor: &str, session: Session) -> Result<(), ExitCode> {
    let number = factor.parse::<u32>().ok().filter(|n| *n > 0);
    let Some(number) = number else {
        session.fail(format_args!("invalid dampening factor: {factor}"));
        return Ok(());
    };
    // Slurm keeps 16 bits of it.
    let setting = Setting::DampeningFactor((number & 0xffff) as u16);
    set(setting).map_err(|e| session.fail(format_args!("slurm_set_fs_dampeningfactor error: {e}")))
}

/// The controller ends and the jobs go on, as with Slurm's. The next command starts it again.
fn shutdown(rest: &[String], session: Session) -> Result<(), ExitCode> {
    if let [what, ..] = rest
        && !["controller", "slurmctld"].iter().any(|name| name.eq_ignore_ascii_case(what))
    {
        return Err(session.fail(format_args!("invalid shutdown argument:{what}")));
    }
    let fail = |e: Trouble| session.fail(format_args!("slurm_shutdown error: {e}"));
    let mut client = report::connect().map_err(fail)?;
    match client.call(Ask::Shutdown { cancel: false }).map_err(|e| fail(e.into()))? {
        Response::Done => Ok(()),
        Response::Rejected(Reject::AccessDenied) => Err(fail(Trouble::Rejected(Reject::InvalidUser))),
        other => Err(fail(other.into())),
    }
}

/// As where slurm.conf names no RebootProgram.
fn reboot(rest: &[String], session: Session) -> Result<(), ExitCode> {
    let options = ["asap", "nextstate", "reason"];
    let is_option = |w: &&String| {
        options.contains(&w.split('=').next().unwrap_or_default().to_ascii_lowercase().as_str())
    };
    match rest.iter().find(|w| !is_option(w)) {
        None => Err(session.fail("Missing node list. Specify ALL|<NodeList>")),
        Some(_) => Err(session.fail(
            "scontrol: error: RebootProgram isn't defined\nscontrol_reboot_nodes error: Unspecified error",
        )),
    }
}
