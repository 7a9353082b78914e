//! `strigger`.

use crate::invocation;
use crate::report::{self, Trouble};
use bivouac_options::{Given, Program};
use bivouac_proto::client::Client;
use bivouac_proto::message::{Ask, Response};
use bivouac_render::strigger::{HEADING, is_of, lines, looks_at};
use bivouac_types::trigger::{TriggerEvent, TriggerOn, TriggerSelect, TriggerSpec};
use bivouac_types::{HostList, JobId};
use std::ffi::OsString;
use std::process::ExitCode;

/// The events and their options.
const EVENTS: [(&str, TriggerEvent); 9] = [
    ("fini", TriggerEvent::Fini),
    ("time", TriggerEvent::Time),
    ("down", TriggerEvent::Down),
    ("up", TriggerEvent::Up),
    ("drained", TriggerEvent::Drained),
    ("fail", TriggerEvent::Fail),
    ("idle", TriggerEvent::Idle),
    ("reconfig", TriggerEvent::Reconfig),
    ("primary_slurmctld_resumed_operation", TriggerEvent::ControllerResumed),
];
/// --offset is below this, before and after.
const LONGEST: i32 = 32_000;

/// Runs the command.
pub fn run(args: &[OsString]) -> ExitCode {
    invocation::run(Program::Strigger, args, strigger)
}

fn fail(what: impl std::fmt::Display) -> ExitCode {
    invocation::fail(Program::Strigger, what)
}

/// What is asked of the controller.
enum Order {
    Set(TriggerSpec),
    Get { select: TriggerSelect, nodes: Option<Vec<String>>, events: Vec<TriggerEvent> },
    Clear(TriggerSelect),
}

fn strigger(given: &Given) -> Result<(), ExitCode> {
    let order = order(given)?;
    let (quiet, heading, verbose) = (given.has("quiet"), !given.has("noheader"), given.has("verbose"));
    crate::clusters::named(given)?;
    invocation::finish(given)?;
    let mut client = report::connect().map_err(fail)?;
    match order {
        Order::Set(spec) => done(&mut client, Ask::TriggerSet(spec)).map_err(|e| {
            eprintln!("slurm_set_trigger: {e}");
            ExitCode::FAILURE
        }),
        Order::Clear(select) => match done(&mut client, Ask::TriggerClear(select)) {
            Err(e) if !quiet => {
                eprintln!("slurm_clear_trigger: {e}");
                Err(ExitCode::FAILURE)
            }
            _ => Ok(()),
        },
        Order::Get { select, nodes, events } => {
            let all = match client.call(Ask::Triggers).map_err(Trouble::from).map_err(fail)? {
                Response::Triggers(all) => all,
                other => return Err(fail(Trouble::from(other))),
            };
            if verbose {
                eprintln!("strigger: Read {} trigger records", all.len());
            }
            let shown: Vec<_> = all
                .iter()
                .filter(|t| select.covers(t) && is_of(t, &events))
                .filter(|t| nodes.as_ref().is_none_or(|nodes| looks_at(t, nodes)))
                .collect();
            let heading = if heading && !shown.is_empty() { HEADING } else { "" };
            match invocation::print(&format!("{heading}{}", lines(shown))) {
                code if code == ExitCode::SUCCESS => Ok(()),
                code => Err(code),
            }
        }
    }
}

fn done(client: &mut Client, ask: Ask) -> Result<(), Trouble> {
    match client.call(ask)? {
        Response::Done => Ok(()),
        other => Err(other.into()),
    }
}

fn order(given: &Given) -> Result<Order, ExitCode> {
    let (set, get, clear) = (given.has("set"), given.has("get"), given.has("clear"));
    if u8::from(set) + u8::from(get) + u8::from(clear) != 1 {
        return Err(fail("You must use exactly one of the following options: --set, --get or --clear"));
    }
    if let Some(operand) = given.operands.first() {
        let operand = operand.display();
        return Err(fail(format_args!(
            "Unrecognized argument: {operand} (the nodes of -n follow it at once: -nNAME or --node=NAME)"
        )));
    }
    let events: Vec<TriggerEvent> =
        EVENTS.into_iter().filter(|(option, _)| given.has(option)).map(|(_, event)| event).collect();
    let job = job(given)?;
    let nodes = nodes(given)?;
    // What only --set needs is read all the same, so that a mistake is said.
    let (offset, permanent) = (offset(given)?, permanent(given)?);
    let program = given.value("program").map(str::to_owned);
    let select = TriggerSelect { id: number(given, "id")?, job, uid: user(given)? };
    if set {
        let event = one_event(&events)?;
        let program = checked_program(program)?;
        let on = subject(event, job, nodes)?;
        return Ok(Order::Set(TriggerSpec { on, event, offset, permanent, program }));
    }
    if get {
        return Ok(Order::Get { select, nodes, events });
    }
    if select == TriggerSelect::default() {
        return Err(fail("You must specify a --id, --jobid, or --user to clear"));
    }
    Ok(Order::Clear(select))
}

fn one_event(events: &[TriggerEvent]) -> Result<TriggerEvent, ExitCode> {
    match events {
        [event] => Ok(*event),
        [] => {
            let names = EVENTS.map(|(option, _)| format!("--{option}")).join(", ");
            Err(fail(format_args!("You must specify a trigger ({names})")))
        }
        _ => Err(fail("You must specify one trigger only; set one after the other")),
    }
}

/// What the event can happen to.
fn subject(
    event: TriggerEvent,
    job: Option<JobId>,
    nodes: Option<Vec<String>>,
) -> Result<TriggerOn, ExitCode> {
    match (event, job) {
        (TriggerEvent::Fini | TriggerEvent::Time, None) => Err(fail("You must specify a --jobid value")),
        (_, Some(_)) if nodes.is_some() => Err(fail("--jobid and --node can not be used together")),
        (TriggerEvent::Fini | TriggerEvent::Time, Some(job)) => Ok(TriggerOn::Job(job)),
        (TriggerEvent::ControllerResumed, _) => Ok(TriggerOn::Controller),
        (_, Some(job)) => Ok(TriggerOn::NodesOf(job)),
        (_, None) => Ok(TriggerOn::Nodes(nodes.filter(|names| !names.is_empty()))),
    }
}

fn checked_program(program: Option<String>) -> Result<String, ExitCode> {
    let Some(program) = program else { return Err(fail("You must specify a --program value")) };
    if !program.starts_with('/') {
        return Err(fail("The --program value must start with \"/\""));
    }
    let path = program.split_ascii_whitespace().next().unwrap_or_default();
    if !std::path::Path::new(path).is_file() {
        return Err(fail("Invalid --program value, file not found"));
    }
    Ok(program)
}

fn job(given: &Given) -> Result<Option<JobId>, ExitCode> {
    let Some(text) = given.value("jobid") else { return Ok(None) };
    let id = text.parse().ok().filter(|id| *id > 0 && !text.starts_with('+'));
    id.map(|id| Some(JobId(id))).ok_or_else(|| fail(format_args!("Invalid jobid {text}")))
}

fn number(given: &Given, option: &'static str) -> Result<Option<u32>, ExitCode> {
    let Some(text) = given.value(option) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| fail(format_args!("Invalid {option} {text}")))
}

/// -n: the nodes; an empty list is all of them.
fn nodes(given: &Given) -> Result<Option<Vec<String>>, ExitCode> {
    match (given.has("node"), given.value("node")) {
        (false, _) => Ok(None),
        (true, None) => Ok(Some(Vec::new())),
        (true, Some(text)) => HostList::parse(text)
            .map(|list| Some(list.names))
            .map_err(|e| fail(format_args!("Invalid node list {text}: {e}"))),
    }
}

fn offset(given: &Given) -> Result<i32, ExitCode> {
    let Some(text) = given.value("offset") else { return Ok(0) };
    let Ok(seconds) = text.parse::<i32>() else { return Err(fail(format_args!("Invalid offset {text}"))) };
    if !(-LONGEST..=LONGEST).contains(&seconds) {
        return Err(fail(format_args!("The --offset parameter must be between +/-{LONGEST}")));
    }
    Ok(seconds)
}

fn permanent(given: &Given) -> Result<bool, ExitCode> {
    match given.value("flags") {
        None => Ok(false),
        Some(flag) if flag.eq_ignore_ascii_case("perm") => Ok(true),
        Some(flags) => Err(fail(format_args!("Invalid flags {flags}"))),
    }
}

fn user(given: &Given) -> Result<Option<u32>, ExitCode> {
    let Some(user) = given.value("user") else { return Ok(None) };
    report::uid_of(user).map(Some).ok_or_else(|| fail(format_args!("Invalid user {user}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bivouac_options::{Invocation, read};

    fn order_of(args: &[&str]) -> Result<Order, ExitCode> {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        match read(Program::Strigger, &args, |_| None) {
            Ok(Invocation::Run(given)) => order(&given),
            _ => panic!("{args:?}"),
        }
    }

    fn spec(args: &[&str]) -> Option<TriggerSpec> {
        let args: Vec<&str> = ["--set", "-p", "/bin/sh -c x"].iter().chain(args).copied().collect();
        match order_of(&args) {
            Ok(Order::Set(spec)) => Some(spec),
            _ => None,
        }
    }

    #[test]
    fn what_a_trigger_looks_at() {
        let on = |args: &[&str]| spec(args).map(|s| (s.on, s.event));
        let job = JobId(7);
        assert_eq!(on(&["-j7", "--fini"]), Some((TriggerOn::Job(job), TriggerEvent::Fini)));
        assert_eq!(on(&["-j7", "--down"]), Some((TriggerOn::NodesOf(job), TriggerEvent::Down)));
        assert_eq!(on(&["-n", "-u"]), Some((TriggerOn::Nodes(None), TriggerEvent::Up)));
        let two = TriggerOn::Nodes(Some(vec!["n1".into(), "n2".into()]));
        assert_eq!(on(&["-nn[1-2]", "-I"]), Some((two, TriggerEvent::Idle)));
        assert_eq!(on(&["-A"]), Some((TriggerOn::Controller, TriggerEvent::ControllerResumed)));
        for bad in
            [&["--fini"][..], &[], &["-d", "-u"], &["-j7", "-n", "-d"], &["-n", "n1", "-d"], &["-jx", "-f"]]
        {
            assert!(spec(bad).is_none(), "{bad:?}");
        }
        let timed = spec(&["-j7", "-t", "-o", "-600", "--flags=perm"]).unwrap();
        assert_eq!((timed.offset, timed.permanent, timed.program.as_str()), (-600, true, "/bin/sh -c x"));
        assert!(spec(&["-j7", "-t", "-o", "40000"]).is_none() && spec(&["-j7", "-t", "--flags=x"]).is_none());
    }

    #[test]
    fn one_thing_at_a_time() {
        assert!(order_of(&[]).is_err() && order_of(&["--set", "--get"]).is_err());
        assert!(order_of(&["--clear"]).is_err());
        assert!(matches!(order_of(&["--clear", "-i3"]), Ok(Order::Clear(TriggerSelect { id: Some(3), .. }))));
        assert!(order_of(&["--set", "-j1", "-f"]).is_err(), "no program");
        assert!(order_of(&["--set", "-j1", "-f", "-p", "sh"]).is_err());
        assert!(order_of(&["--set", "-j1", "-f", "-p", "/nonexistent"]).is_err());
        assert!(matches!(order_of(&["--get", "-d"]), Ok(Order::Get { nodes: None, .. })));
    }
}
