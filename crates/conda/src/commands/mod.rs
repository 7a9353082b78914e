//! The commands, one file each. Every command reads its own options and does its own printing.

pub mod create;
pub mod envs;
pub mod info;
pub mod list;
pub mod run;
pub mod shell;

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use crate::args::{Opt, Parsed, switch, valued};
use crate::config::{ChannelPriority, Config};
use crate::environments;
use crate::error::{CondaError, Result};
use crate::progress::{Output, say};
use crate::vars::Vars;

/// What every command gets.
pub struct Context {
    /// The process's environment.
    pub vars: Vars,
    /// Configuration from files and variables.
    pub config: Config,
    /// The folder the command was called in.
    pub cwd: PathBuf,
    /// The command line after the program's name.
    pub args: Vec<String>,
}

/// `-n` and `-p`.
pub const TARGET: &[Opt] = &[
    valued("name", Some('n'), "ENVIRONMENT", "Name of environment."),
    valued("prefix", Some('p'), "PATH", "Full path to environment location (i.e. prefix)."),
];

/// Options of presentation.
pub const PRESENTATION: &[Opt] = &[
    switch("json", None, "Report all output as json."),
    switch("quiet", Some('q'), "Do not display progress."),
];

/// Options of commands that ask.
pub const CONFIRMATION: &[Opt] = &[
    switch("yes", Some('y'), "Do not ask for confirmation."),
    switch("dry-run", Some('d'), "Only display what would have been done."),
];

/// Options that change how channels are used.
pub const CHANNELS: &[Opt] = &[
    valued("channel", Some('c'), "CHANNEL", "Additional channel to search; the first given is the best."),
    switch("override-channels", Some('O'), "Do not search the channels of .condarc."),
    switch("strict-channel-priority", None, "Consider no package of a lower channel if a higher one has it."),
    switch("no-channel-priority", None, "Treat all channels as equal."),
];

/// Options that change how packages are had.
pub const PACKAGES: &[Opt] = &[
    switch("offline", None, "Use local files only."),
    switch("copy", None, "Copy files instead of hard-linking them."),
];

impl Context {
    /// The prefix of `-n`/`-p`, else that of the active environment, else base.
    pub fn target(&self, parsed: &Parsed) -> Result<PathBuf> {
        let given = self.given_target(parsed)?;
        Ok(given.or_else(|| self.active_prefix()).unwrap_or_else(|| self.config.root.clone()))
    }

    /// The prefix of `-n`/`-p`.
    pub fn given_target(&self, parsed: &Parsed) -> Result<Option<PathBuf>> {
        environments::prefix_of(&self.config, parsed.value("name"), parsed.value("prefix"), &self.cwd)
    }

    /// The active environment of the calling shell.
    pub fn active_prefix(&self) -> Option<PathBuf> {
        let level: u32 = self.vars.text("CONDA_SHLVL")?.trim().parse().ok()?;
        self.vars.path("CONDA_PREFIX").filter(|_| level > 0)
    }

    /// The command line as the history keeps it.
    pub fn command_line(&self) -> Vec<String> {
        std::iter::once("conda".to_owned()).chain(self.args.iter().cloned()).collect()
    }

    /// The configuration with the options of [`CHANNELS`] and [`PACKAGES`] applied.
    pub fn configured(&self, parsed: &Parsed) -> Config {
        let mut config = self.config.clone();
        if parsed.has("strict-channel-priority") {
            config.channel_priority = ChannelPriority::Strict;
        }
        if parsed.has("no-channel-priority") {
            config.channel_priority = ChannelPriority::Disabled;
        }
        config.offline |= parsed.has("offline");
        config.always_copy |= parsed.has("copy");
        config.always_yes |= parsed.has("yes") || parsed.has("json");
        config
    }
}

/// How much to print.
pub fn output(parsed: &Parsed) -> Output {
    Output { quiet: parsed.has("quiet") || parsed.has("json") }
}

/// Asks on the terminal. Without one, and without `--yes`, nothing is done.
///
/// # Errors
/// `CondaSystemExit` when the answer is no or cannot be had.
pub fn confirm(config: &Config, question: &str, default: bool) -> Result<()> {
    if config.always_yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(CondaError::new(
            "CondaSystemExit",
            format!("'{question}' cannot be answered here. Add --yes. Nothing was changed."),
        ));
    }
    loop {
        print!("{question} ({})? ", if default { "[y]/n" } else { "y/[n]" });
        let _ = std::io::stdout().flush();
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer).unwrap_or(0);
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => return Ok(()),
            "" if read > 0 && default => return Ok(()),
            "" | "n" | "no" => return Err(CondaError::new("CondaSystemExit", "Exiting.")),
            other => say(&format!("Invalid choice: {other}")),
        }
    }
}

/// Prints a JSON value.
pub fn print_json(value: &serde_json::Value) {
    say(&serde_json::to_string_pretty(value).unwrap_or_default());
}
