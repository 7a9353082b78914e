//! What scontrol does to the daemons. There is one controller, no backup, and nodes are not rebooted: the answers are
//! those of a Slurm of that kind.

use super::Session;
use crate::report::{self, Trouble};
use bivouac_options::Status;
use bivouac_options::table::COMMANDS;
use bivouac_proto::message::{Ask, Response};
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
        set_flags(rest, typed, session)
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
    } else if is("fsdampeningfactor", 3) && rest.is_empty() {
        argument().map(drop)
    } else if is("token", 5) {
        Err(session.fail("Error fetching token"))
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
    crate::terminal::hint("the log of the controller has one level: bivouac status names its file");
    Ok(())
}

fn set_flags(flags: &[String], typed: &str, session: Session) -> Result<(), ExitCode> {
    if flags.is_empty() {
        return Err(session.fail(format_args!("too few arguments for keyword:{typed}")));
    }
    for flag in flags {
        let name = flag.strip_prefix(['+', '-']).unwrap_or(flag);
        if !DEBUG_FLAGS.iter().any(|f| f.eq_ignore_ascii_case(name)) {
            let lines = format!("invalid debug flag: {flag}\nUsage: setdebugflags [+|-]NAME");
            return Err(session.fail(lines));
        }
    }
    crate::terminal::hint("the log of the controller has one level: bivouac status names its file");
    Ok(())
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
