//! `sbatch`.

mod refusal;
mod script;
mod submit;

use crate::{invocation, terminal};
use bivouac_options::getopt::{self, Line};
use bivouac_options::sbatch::{Request, request};
use bivouac_options::{Choice, Given, Program, directive};
use bivouac_proto::message::{Payload, Submission};
use bivouac_types::Blob;
use script::Script;
use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs the command.
pub fn run(args: &[OsString]) -> ExitCode {
    match sbatch(args) {
        Ok(code) | Err(code) => code,
    }
}

/// Prints an error and gives exit code 1.
fn fail(what: impl std::fmt::Display) -> ExitCode {
    eprintln!("sbatch: error: {what}");
    ExitCode::FAILURE
}

fn sbatch(args: &[OsString]) -> Result<ExitCode, ExitCode> {
    let usage = |e| invocation::fail_usage(Program::Sbatch, &e);
    let (line, operands) = match getopt::command_line(Program::Sbatch, args).map_err(usage)? {
        Line::Print(text) => return Ok(invocation::print(&text)),
        Line::Options(line, operands) => (line, operands),
    };
    let variables = getopt::variables(Program::Sbatch, |name| std::env::var_os(name)).map_err(usage)?;
    // A script that is not there is the lesser mistake.
    let ahead = variables.iter().chain(&line).cloned().collect();
    asked(&Given::new(Program::Sbatch, ahead, operands.clone()))?;
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
    let mut choices = directives(&script)?;
    choices.extend(variables);
    choices.extend(line);
    let given = Given::new(Program::Sbatch, choices, operands);
    let request = asked(&given)?;
    invocation::hint_listed(&given);
    if request.verbose > 0 {
        show(&given);
    }
    let submission = submission(&request, script, &given.operands, cwd)?;
    submit::submit(&request, submission)
}

/// What options ask for.
fn asked(given: &Given) -> Result<Request, ExitCode> {
    request(given, &jiff::Zoned::now()).map_err(|e| {
        eprintln!("sbatch: {e}");
        invocation::error_exit(e.code)
    })
}

/// The last value of an option on the command line itself.
fn last<'a>(line: &'a [Choice], long: &str) -> Option<&'a str> {
    line.iter().rfind(|c| c.opt.long == long)?.value.as_deref()
}

/// The options of the script's #SBATCH lines; lines without effect are named on a terminal.
fn directives(script: &Script) -> Result<Vec<Choice>, ExitCode> {
    match directive::read(&script.bytes) {
        Ok(found) => {
            found.ignored.iter().for_each(|i| terminal::hint(format_args!("{}: {i}", script.shown)));
            Ok(found.choices)
        }
        Err(e) => {
            let (text, code) = e.message(&script.shown);
            eprint!("{text}");
            terminal::hint(format_args!("that is line {} of {}", e.line, script.shown));
            Err(invocation::error_exit(code))
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
    let mut spec = request.spec.clone();
    if spec.name.is_empty() {
        spec.name = script.job_name;
    }
    spec.work_dir = text(request.chdir.as_ref().map_or_else(|| cwd.clone(), |d| cwd.join(d)))?;
    spec.submit_dir = text(cwd)?;
    spec.submit_line = crate::invocation::submit_line();
    spec.submit_host = host_name();
    spec.kept_dir = match bivouac_view::Marker::read() {
        Some(marker) => marker.kept.map(text).transpose()?,
        None => Some(spec.work_dir.clone()),
    };
    let folder = script.path.as_ref().and_then(|p| p.parent()).map(|p| p.as_os_str().as_bytes().to_vec());
    spec.command = script.path.map(text).transpose()?;
    if let Some(command) = &mut spec.command {
        operands.iter().skip(1).for_each(|a| *command = format!("{command} {}", a.to_string_lossy()));
    }

    // The folder is this submission's: one from a job that submits is not passed on.
    let caller = std::env::vars_os().filter(|(name, _)| name != SCRIPT_DIR);
    let mut env = request.export.apply(caller);
    if let Some(folder) = folder {
        env.push(Blob([SCRIPT_DIR.as_bytes(), b"=", &folder].concat()));
    }
    env.push(format!("SLURM_UMASK={:04o}", umask()).into());
    if let Some(export) = &request.export_text {
        env.push(format!("SLURM_EXPORT_ENV={export}").into());
    }
    let args = operands.get(1..).unwrap_or_default().iter().map(|a| Blob(a.as_bytes().to_vec())).collect();
    Ok(Submission { key: key()?, spec, payload: Payload { script: script.bytes.into(), args, env } })
}

/// Tells the job where its script was submitted from, for messages about files that lie beside it.
const SCRIPT_DIR: &str = "BIVOUAC_SUBMIT_SCRIPT_DIR";

/// A random name for this submission: asked twice, the controller answers with the same job.
fn key() -> Result<String, ExitCode> {
    let mut bytes = [0u8; 16];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut bytes));
    read.map_err(|e| fail(format_args!("/dev/urandom: {e}")))?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// This machine's name up to the first dot.
fn host_name() -> String {
    let mut buffer = [0u8; 256];
    // SAFETY: the pointer and the length are the buffer's, less one byte so that it stays terminated.
    if unsafe { libc::gethostname(buffer.as_mut_ptr().cast(), buffer.len() - 1) } != 0 {
        return "localhost".to_owned();
    }
    let end = buffer.iter().position(|&b| b == 0 || b == b'.').unwrap_or(buffer.len());
    String::from_utf8_lossy(&buffer[..end]).into_owned()
}

fn umask() -> u32 {
    // SAFETY: no other thread runs that could see the mask in between.
    unsafe {
        let mask = libc::umask(0);
        libc::umask(mask);
        mask
    }
}
