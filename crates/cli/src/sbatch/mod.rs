//! `sbatch`.

mod environment;
mod limits;
mod script;
mod submit;

use crate::{invocation, submission, terminal};
use bivouac_options::getopt::{self, Line};
use bivouac_options::sbatch::{Request, request};
use bivouac_options::{Choice, Given, Program, directive};
use bivouac_proto::message::{Payload, Submission};
use bivouac_types::Blob;
use script::Script;
use std::ffi::OsString;
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
    submission::fail(Program::Sbatch, what)
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
    let cwd = submission::folder(Program::Sbatch)?;
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
    submission::announce(&given, &request.job);
    let submission = submission(&request, script, &given.operands, cwd)?;
    submit::submit(&request, submission)
}

/// What options ask for.
fn asked(given: &Given) -> Result<Request, ExitCode> {
    request(given, &jiff::Zoned::now(), &submission::read_file)
        .map_err(|e| invocation::fail_value(Program::Sbatch, &e))
}

/// The last value of an option on the command line itself.
fn last<'a>(line: &'a [Choice], long: &str) -> Option<&'a str> {
    line.iter().rfind(|c| c.opt.long == long)?.value.as_deref()
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

/// Adds what the caller's surroundings tell.
fn submission(
    request: &Request,
    script: Script,
    operands: &[OsString],
    cwd: PathBuf,
) -> Result<Submission, ExitCode> {
    let work_dir = request.job.chdir.as_ref().map_or_else(|| cwd.clone(), |d| cwd.join(d));
    let mut spec = submission::surrounded(Program::Sbatch, &request.job, work_dir)?;
    if spec.name.is_empty() {
        spec.name = script.job_name;
    }
    let folder = script.path.as_ref().and_then(|p| p.parent()).map(|p| p.as_os_str().as_bytes().to_vec());
    spec.command = script.path.map(|path| submission::recorded(Program::Sbatch, path)).transpose()?;
    if let Some(command) = &mut spec.command {
        operands.iter().skip(1).for_each(|a| *command = format!("{command} {}", a.to_string_lossy()));
    }
    let env = environment::of(request, folder)?;
    let args = operands.get(1..).unwrap_or_default().iter().map(|a| Blob(a.as_bytes().to_vec())).collect();
    let payload = Payload { script: script.bytes.into(), args, env };
    submission::of(Program::Sbatch, &request.job, spec, payload)
}
