//! `conda env list` and `conda env remove`.

use crate::args::{Opt, Stop, help, parse, switch};
use crate::commands::{CONFIRMATION, Context, PRESENTATION, TARGET, confirm, output, print_json};
use crate::environments::{self, is_environment, name_of};
use crate::error::{CondaError, Result};
use crate::refusal::refused;
use crate::{lock, replace};
use std::io::IsTerminal;

const LIST_TABLE: &[&[Opt]] = &[PRESENTATION];
const REMOVE_TABLE: &[&[Opt]] = &[TARGET, CONFIRMATION, PRESENTATION];
const REMOVE_ALL: &[Opt] = &[switch("all", None, "Remove all packages, i.e. the entire environment.")];
const PACKAGE_REMOVE_TABLE: &[&[Opt]] = &[TARGET, REMOVE_ALL, CONFIRMATION, PRESENTATION];

/// `conda env list`.
///
/// # Errors
/// A wrong command line.
pub fn list(context: &Context, args: &[String]) -> Result<()> {
    let parsed = parse(args, LIST_TABLE, Stop::Never)?;
    if parsed.has("help") {
        print!("{}", help("env list [--json]", "List the conda environments.", LIST_TABLE));
        return Ok(());
    }
    replace::settle_all(&context.config);
    if parsed.has("json") {
        print_json(&serde_json::json!({ "envs": environments::all(&context.config) }));
    } else {
        print(context);
    }
    Ok(())
}

/// The table of `conda env list` and `conda info --envs`; `*` marks the active one.
pub fn print(context: &Context) {
    let active = context.active_prefix();
    println!("# conda environments:\n#");
    for prefix in environments::all(&context.config) {
        let mark = if active.as_deref() == Some(prefix.as_path()) { '*' } else { ' ' };
        let name = name_of(&context.config, &prefix).unwrap_or_default();
        println!("{name:<20}  {mark}  {}", prefix.display());
    }
    println!();
}

/// `conda env remove`.
///
/// # Errors
/// `EnvironmentLocationNotFound` for what is no environment, and refusals to remove base or the active one.
pub fn remove(context: &Context, args: &[String]) -> Result<()> {
    let parsed = parse(args, REMOVE_TABLE, Stop::Never)?;
    if parsed.has("help") {
        let usage = "env remove [-n ENVIRONMENT | -p PATH] [options]";
        print!("{}", help(usage, "Remove an environment.", REMOVE_TABLE));
        return Ok(());
    }
    remove_environment(context, &parsed)
}

/// `conda remove --all`; removing single packages is not supported yet.
///
/// # Errors
/// As [`remove`].
pub fn remove_packages(context: &Context, args: &[String]) -> Result<()> {
    let parsed = parse(args, PACKAGE_REMOVE_TABLE, Stop::Never)?;
    if parsed.has("help") {
        let usage = "remove --all [-n ENVIRONMENT | -p PATH] [options]";
        print!("{}", help(usage, "Remove a whole environment.", PACKAGE_REMOVE_TABLE));
        return Ok(());
    }
    if !parsed.has("all") {
        return Err(refused(&context.config, "remove PACKAGE"));
    }
    remove_environment(context, &parsed)
}

fn remove_environment(context: &Context, parsed: &crate::args::Parsed) -> Result<()> {
    if let Some(word) = parsed.words.first() {
        return Err(CondaError::usage(format!("unrecognized arguments: {word} (use -n {word})")));
    }
    let Some(prefix) = context.given_target(parsed)? else {
        return Err(CondaError::usage("one of the arguments -n/--name -p/--prefix is required"));
    };
    if prefix == context.config.root {
        return Err(CondaError::new(
            "CondaEnvironmentError",
            "cannot remove root environment, add -n NAME or -p PREFIX option",
        ));
    }
    if context.active_prefix().as_ref() == Some(&prefix) {
        return Err(CondaError::new(
            "CondaEnvironmentError",
            "cannot remove current environment. deactivate and run conda env remove again",
        ));
    }
    replace::settle(&context.config, &prefix);
    if !is_environment(&prefix) {
        return Err(CondaError::no_environment_at(&prefix));
    }
    output(parsed).line(&format!("\nRemove all packages in environment {}:\n", prefix.display()));
    if parsed.has("dry-run") {
        output(parsed).line("DryRunExit: Dry run. Exiting.");
        return Ok(());
    }
    // Scripts call this without -y and conda 22.9 does not ask; a person is asked.
    let config = context.configured(parsed);
    if std::io::stdin().is_terminal() {
        confirm(&config, "Everything in that folder will be deleted. Proceed", false)?;
    }
    let _lock = lock::take(&config, &prefix)?;
    replace::recover(&prefix);
    if is_environment(&prefix) {
        replace::discard(&config, &prefix, &prefix);
    }
    environments::unregister(&config, &prefix);
    if prefix.exists() {
        return Err(CondaError::new(
            "CondaOSError",
            format!("{} could not be removed; see the message above", prefix.display()),
        ));
    }
    if parsed.has("json") {
        print_json(&serde_json::json!({ "success": true, "prefix": prefix }));
    }
    Ok(())
}
