//! `sbatch`.

mod environment;
mod limits;
mod refusal;
mod script;
mod submit;

use crate::{identity, invocation, terminal};
use bivouac_options::getopt::{self, Line};
use bivouac_options::sbatch::{Request, request};
use bivouac_options::{Choice, Given, Program, directive};
use bivouac_proto::message::{Payload, Submission};
use bivouac_types::Blob;
use script::Script;
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs the command.
pub fn run(args: &[OsString]) -> ExitCode {
    match sbatch(args) {
        Ok(code) | Err(code) => code,
    }
}

/// Prints an error and gives the exit code of errors.
fn fail(what: impl std::fmt::Display) -> ExitCode {
    eprintln!("sbatch: error: {what}");
    invocation::error_exit()
}

fn sbatch(args: &[OsString]) -> Result<ExitCode, ExitCode> {
    let usage = |e| invocation::fail_usage(Program::Sbatch, &e);
    let (line, operands) = match getopt::command_line(Program::Sbatch, args).map_err(usage)? {
        Line::Print(text) => return Ok(invocation::print(&text)),
        Line::Options(line, operands) => (line, operands),
    };
    if operands.first().is_some_and(|o| o == ":") {
        return Err(fail("heterogeneous jobs (:) are not available here: submit several jobs"));
    }
    let variables = getopt::variables(Program::Sbatch, |name| std::env::var_os(name)).map_err(usage)?;
    // A script that is not there is the lesser mistake.
    let ahead = variables.iter().chain(&line).cloned().collect();
    let ahead = Given::new(Program::Sbatch, ahead, operands.clone());
    asked(&ahead)?;
    let cwd = std::env::current_dir().map_err(|e| fail(format_args!("getcwd failed: {e}")))?;
    // Only the command line's --chdir moves the search for the script.
    let base = cwd.join(last(&line, "chdir").unwrap_or_default());
    let script = match last(&line, "wrap") {
        Some(_) if !operands.is_empty() => {
            return Err(fail("Script arguments not permitted with --wrap option"));
        }
        Some(command) => script::wrap(command),
        None => script::read(operands.first().map(OsString::as_os_str), &base)?,
    };
    let mut choices = directives(&script, ahead.has("ignore-pbs"))?;
    choices.extend(variables);
    choices.extend(line);
    let given = Given::new(Program::Sbatch, choices, operands);
    let request = asked(&given)?;
    invocation::hint_listed(&given);
    request.job.warnings.iter().for_each(|w| eprintln!("sbatch: error: {w}"));
    if request.job.verbose > 0 {
        show(&given);
    }
    let submission = submission(&request, script, &given.operands, cwd)?;
    submit::submit(&request, submission)
}

/// What options ask for.
fn asked(given: &Given) -> Result<Request, ExitCode> {
    let read = |name: &str| std::fs::read_to_string(name).map_err(without_code);
    request(given, &jiff::Zoned::now(), &read).map_err(|e| invocation::fail_value(Program::Sbatch, &e))
}

/// The last value of an option on the command line itself.
fn last<'a>(line: &'a [Choice], long: &str) -> Option<&'a str> {
    line.iter().rfind(|c| c.opt.long == long)?.value.as_deref()
}

/// The error in the system's words alone, as C programs print it.
fn without_code(e: io::Error) -> io::Error {
    let text = e.to_string();
    let words = text.split(" (os error").next().unwrap_or_default();
    io::Error::new(e.kind(), words.to_owned())
}

/// The options of the script's directives; lines without effect are named on a terminal.
fn directives(script: &Script, ignore_pbs: bool) -> Result<Vec<Choice>, ExitCode> {
    match directive::read(&script.bytes, ignore_pbs) {
        Ok(found) => {
            found.ignored.iter().for_each(|i| terminal::hint(format_args!("{}: {i}", script.shown)));
            Ok(found.choices.into_iter().chain(found.foreign).collect())
        }
        Err(e) => {
            let (text, code) = e.message(&script.shown);
            eprint!("{text}");
            terminal::hint(format_args!("that is line {} of {}", e.line, script.shown));
            Err(ExitCode::from(code))
        }
    }
}

/// -v: what was asked for, as sbatch lists it.
fn show(given: &Given) {
    let rule = format!("{0} {0}", "-".repeat(20));
    eprintln!("sbatch: defined options\nsbatch: {rule}");
    let mut rows: Vec<(&str, String)> = Vec::new();
    for c in given.choices() {
        let value = match c.opt.long {
            "verbose" => given.count("verbose").to_string(),
            _ => c.value.clone().unwrap_or_else(|| "set".to_owned()),
        };
        rows.retain(|(name, _)| *name != c.opt.long);
        rows.push((c.opt.long, value));
    }
    rows.sort();
    rows.iter().for_each(|(name, value)| eprintln!("sbatch: {name:<20}: {value}"));
    eprintln!("sbatch: {rule}\nsbatch: end of defined options");
}

/// Adds what the caller's surroundings tell.
fn submission(
    request: &Request,
    script: Script,
    operands: &[OsString],
    cwd: PathBuf,
) -> Result<Submission, ExitCode> {
    let text = |path: PathBuf| {
        path.into_os_string().into_string().map_err(|p| {
            fail(format_args!(
                "the path {} is not valid UTF-8 and cannot be recorded",
                PathBuf::from(p).display()
            ))
        })
    };
    let mut spec = request.job.spec.clone();
    if spec.name.is_empty() {
        spec.name = script.job_name;
    }
    spec.work_dir = text(request.job.chdir.as_ref().map_or_else(|| cwd.clone(), |d| cwd.join(d)))?;
    spec.submit_dir = text(cwd)?;
    spec.submit_line = crate::invocation::submit_line();
    spec.submit_host = host_name();
    // SAFETY: no preconditions.
    spec.submit_sid = unsafe { libc::getsid(0) }.unsigned_abs();
    spec.kept_dir = match bivouac_view::Marker::read() {
        Some(marker) => marker.kept.map(text).transpose()?,
        None => Some(spec.work_dir.clone()),
    };
    let folder = script.path.as_ref().and_then(|p| p.parent()).map(|p| p.as_os_str().as_bytes().to_vec());
    spec.command = script.path.map(text).transpose()?;
    if let Some(command) = &mut spec.command {
        operands.iter().skip(1).for_each(|a| *command = format!("{command} {}", a.to_string_lossy()));
    }

    let env = environment::of(request, folder)?;
    let args = operands.get(1..).unwrap_or_default().iter().map(|a| Blob(a.as_bytes().to_vec())).collect();
    let (uid, gid) = identity::numbers(Program::Sbatch, &request.job)?;
    let payload = Payload { script: script.bytes.into(), args, env };
    Ok(Submission { key: key()?, spec, payload, uid, gid })
}

/// A random name for this submission: asked twice, the controller answers with the same job.
fn key() -> Result<String, ExitCode> {
    let mut bytes = [0u8; 16];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut bytes));
    read.map_err(|e| fail(format_args!("/dev/urandom: {e}")))?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// This machine's name up to the first dot.
fn host_name() -> String {
    let name = bivouac_view::host_name();
    let short = name.split('.').next().unwrap_or_default();
    if short.is_empty() { "localhost".to_owned() } else { short.to_owned() }
}
