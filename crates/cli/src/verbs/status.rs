//! `bivouac status`: what runs where. It starts nothing.

use super::{Words, fail, place};
use bivouac_proto::client::Client;
use bivouac_proto::message::{Ask, Response, Status};
use bivouac_types::{Duration, Timestamp};
use std::io;
use std::process::ExitCode;
use std::time::Instant;

pub(super) fn run(mut words: Words) -> ExitCode {
    let json = words.flag("--json");
    if let Err(code) = words.end() {
        return code;
    }
    match status(json) {
        Ok(code) | Err(code) => code,
    }
}

fn status(json: bool) -> Result<ExitCode, ExitCode> {
    let place = place()?;
    let mut client = Client::connect(&place).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => fail(format!(
            "cluster {} is not running{} (state folder {})",
            place.cluster,
            if place.has_keeper() { ", but jobs of it are: `bivouac up` shows them again" } else { "" },
            place.state_dir.display()
        )),
        _ => fail(e),
    })?;
    match settled(&mut client)? {
        Response::Status(status) if json => {
            println!("{}", serde_json::to_string_pretty(&status).map_err(fail)?);
            Ok(ExitCode::SUCCESS)
        }
        Response::Status(status) => {
            print(&status);
            Ok(ExitCode::SUCCESS)
        }
        Response::Failed(e) => Err(fail(e)),
        other => Err(fail(format!("unexpected answer {other:?}"))),
    }
}

/// How long a fresh controller may be without the keeper that it starts.
const START: Duration = Duration::from_secs(3);

/// The status; that of a cluster which is just starting once it has its keeper.
fn settled(client: &mut Client) -> Result<Response, ExitCode> {
    let asked = Instant::now();
    loop {
        let answer = client.call(Ask::Status).map_err(fail)?;
        let Response::Status(status) = &answer else { return Ok(answer) };
        if !is_starting(status) || asked.elapsed().as_secs() >= START.as_secs() {
            return Ok(answer);
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

fn is_starting(status: &Status) -> bool {
    let age = Timestamp::of(&jiff::Zoned::now()).since(status.up_since);
    status.keeper_pid.is_none() && age < START
}

fn print(s: &Status) {
    let missing = if is_starting(s) { "starting" } else { "not there" };
    let pid = |p: Option<u32>| p.map_or_else(|| missing.to_owned(), |p| format!("process {p}"));

    println!("cluster     {}", s.cluster);
    println!("site        {}", s.site);
    println!("state       {}", s.state_dir.display());
    println!("controller  process {}", s.controller_pid);
    println!("keeper      {}", pid(s.keeper_pid));
    println!("reaper      {}", pid(s.reaper_pid));
    println!("nodes       {}", counts(s.nodes.iter()));
    println!("jobs        {}", counts(s.jobs.iter()));
    if let Some(how) = &s.containment {
        println!("containment {how}");
    }
    if let Some(how) = &s.memory {
        println!("memory      {how}");
    }
    for line in s.config_problem.iter().flat_map(|p| p.lines()) {
        println!("PROBLEM     the configuration in use is an older one: {line}");
    }
    for fault in &s.faults {
        println!("fault       {fault}");
    }
    if let Some(problem) = &s.storage_problem {
        println!("PROBLEM     nothing can be stored: {problem}");
    }
}

fn counts<'a, N: std::fmt::Display + 'a>(map: impl Iterator<Item = (&'a String, &'a N)>) -> String {
    let parts: Vec<String> = map.map(|(state, n)| format!("{n} {}", state.to_lowercase())).collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}
