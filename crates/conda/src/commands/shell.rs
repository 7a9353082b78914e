//! `conda shell.bash activate` and the like: shell code on standard output, messages on standard error.

use std::io::Write;
use std::path::Path;

use crate::activate::{Environment, Shell};
use crate::args::{Opt, Stop, parse, switch};
use crate::commands::Context;
use crate::environments::{is_environment, prefix_of_word};
use crate::error::{CondaError, Result};
use crate::replace;
use crate::shell::{self, Syntax};

const ACTIVATE: &[Opt] = &[
    switch("stack", None, "Leave the environment below on PATH."),
    switch("no-stack", None, "Replace the environment below on PATH (the default)."),
];

/// Runs `shell.SYNTAX VERB ARGS`.
///
/// # Errors
/// An unknown shell or verb, or no such environment.
pub fn run(context: &Context, syntax: &str, args: &[String]) -> Result<()> {
    let syntax = Syntax::from_word(syntax).ok_or_else(|| {
        CondaError::new(
            "CondaError",
            format!("shell '{syntax}' is not supported; there are shell.posix, shell.bash, shell.zsh"),
        )
    })?;
    let (verb, rest) = match args.split_first() {
        Some((verb, rest)) => (verb.as_str(), rest),
        None => ("", args),
    };
    let exe = &context.config.exe;
    let text = match verb {
        "activate" | "deactivate" | "reactivate" if rest.iter().any(|arg| arg == "-h" || arg == "--help") => {
            eprintln!(
                "usage: conda activate [--stack] [NAME_OR_PATH]\n       conda deactivate\n\n\
                 Activate an environment (base without a name), or leave the active one."
            );
            Vec::new()
        }
        "activate" => activate(context, rest)?,
        "deactivate" | "reactivate" => {
            if let Some(word) = rest.first() {
                return Err(CondaError::new(
                    "ArgumentError",
                    format!("{verb} does not accept arguments: {word}"),
                ));
            }
            with_shell(context, |shell| {
                let changes = if verb == "deactivate" { shell.deactivate() } else { shell.reactivate() };
                shell::render(&changes)
            })
        }
        "hook" => hook(context, syntax),
        "function" => shell::function(syntax).into_bytes(),
        "activate-script" => shell::sourced_script("activate", exe),
        "deactivate-script" => shell::sourced_script("deactivate", exe),
        other => {
            return Err(CondaError::new(
                "CondaError",
                format!(
                    "'{other}' is none of activate, deactivate, reactivate, hook, function, activate-script, \
                     deactivate-script"
                ),
            ));
        }
    };
    std::io::stdout()
        .write_all(&text)
        .map_err(|error| CondaError::io("write", Path::new("standard output"), &error))
}

fn with_shell<T>(context: &Context, act: impl FnOnce(&Shell<'_>) -> T) -> T {
    let read = |prefix: &Path| Environment::read(&context.config, prefix);
    act(&Shell { vars: &context.vars, config: &context.config, read: &read })
}

fn activate(context: &Context, args: &[String]) -> Result<Vec<u8>> {
    let parsed = parse(args, &[ACTIVATE], Stop::Never)?;
    let word = match parsed.words.as_slice() {
        [] => "base",
        [word] => word,
        more => {
            return Err(CondaError::new(
                "ArgumentError",
                format!("activate does not accept more than one argument:\n{}", more.join(" ")),
            ));
        }
    };
    let prefix = prefix_of_word(&context.config, word, &context.cwd)?;
    if prefix != context.config.root {
        // Another task of the job may be replacing it just now.
        replace::settle(&context.config, &prefix);
        if !is_environment(&prefix) {
            return Err(if word.contains('/') {
                CondaError::no_environment_at(&prefix)
            } else {
                CondaError::no_environment_named(word)
            });
        }
    }
    let stack = parsed.has("stack") && !parsed.has("no-stack");
    Ok(with_shell(context, |shell| shell::render(&shell.activate(&prefix, stack))))
}

/// Everything a shell needs: the variables, the function, and base activated where nothing is active.
fn hook(context: &Context, syntax: Syntax) -> Vec<u8> {
    use crate::activate::Change;
    let mut text = shell::render(&[Change::Export("CONDA_EXE".into(), context.config.exe.clone().into())]);
    text.extend_from_slice(b": \"${CONDA_SHLVL:=0}\"\nexport CONDA_SHLVL\n");
    text.extend_from_slice(shell::function(syntax).as_bytes());
    if context.config.auto_activate_base {
        text.extend_from_slice(b"if [ \"$CONDA_SHLVL\" = 0 ]; then conda activate base; fi\n");
    }
    text
}

/// What the executable answers when it is asked to change the shell that called it, which it cannot.
pub fn without_function(context: &Context, verb: &str) -> CondaError {
    CondaError::new(
        "CondaError",
        format!(
            "'conda {verb}' needs the shell function conda, which is not defined here.\nAdd this line before it:\n\n    \
             eval \"$('{}' shell.posix hook)\"\n\nwhere there are modules: module load anaconda",
            context.config.exe.display()
        ),
    )
}
