//! `conda run`: a command inside an environment, without activating it in the calling shell.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::activate::{Environment, Shell};
use crate::args::{Opt, Stop, help, parse, switch, valued};
use crate::commands::{Context, TARGET};
use crate::environments::is_environment;
use crate::error::{CondaError, Result};
use crate::{replace, shell};

const RUN: &[Opt] = &[
    valued("cwd", None, "DIR", "Working directory for the command."),
    switch("no-capture-output", None, "Pass output through as it comes (always done)."),
    switch("live-stream", None, "The same as --no-capture-output."),
    switch("verbose", Some('v'), "Show the command before it runs."),
];
const TABLE: &[&[Opt]] = &[TARGET, RUN];

/// Runs the command; does not return when it could be started, the command's own status becomes ours.
///
/// # Errors
/// No command, no environment, or the command cannot be started.
pub fn run(context: &Context, args: &[String]) -> Result<()> {
    let parsed = parse(args, TABLE, Stop::FirstWord)?;
    if parsed.has("help") {
        let usage = "run [-n ENVIRONMENT | -p PATH] [options] COMMAND [ARGS...]";
        print!("{}", help(usage, "Run an executable in a conda environment.", TABLE));
        return Ok(());
    }
    if parsed.words.is_empty() {
        return Err(CondaError::usage("the following arguments are required: executable_call"));
    }
    let prefix = context.target(&parsed)?;
    if prefix != context.config.root {
        replace::settle(&context.config, &prefix);
        if !is_environment(&prefix) {
            return Err(CondaError::no_environment_at(&prefix));
        }
    }
    if parsed.has("verbose") {
        eprintln!("{}: {}", prefix.display(), parsed.words.join(" "));
    }
    let read = |prefix: &Path| Environment::read(&context.config, prefix);
    let shell = Shell { vars: &context.vars, config: &context.config, read: &read };
    let mut script = shell::render(&shell.activate(&prefix, false));
    script.extend_from_slice(b"exec \"$@\"\n");
    let interpreter = if Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" };
    let mut command = Command::new(interpreter);
    command.arg("-c").arg(OsString::from_vec(script)).arg("conda").args(&parsed.words);
    if let Some(dir) = parsed.value("cwd") {
        command.current_dir(context.cwd.join(dir));
    }
    let error = command.exec();
    Err(CondaError::io("run", Path::new(interpreter), &error))
}
