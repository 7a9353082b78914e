//! `conda env create` and `conda create`.

use std::path::{Path, PathBuf};

use crate::args::{Opt, Parsed, Stop, help, parse, switch, valued};
use crate::build::{self, Plan, Request};
use crate::commands::{
    CHANNELS, CONFIRMATION, Context, PACKAGES, PRESENTATION, TARGET, confirm, output, print_json,
};
use crate::config::Config;
use crate::envfile;
use crate::environments::{self, is_environment};
use crate::error::{CondaError, Result};
use crate::progress::say;
use crate::replace;
use crate::vars::absolute;

const ENV_CREATE: &[Opt] = &[
    valued("file", Some('f'), "FILE", "Environment definition (default: environment.yml)."),
    switch("no-default-packages", None, "Ignore create_default_packages in the .condarc file."),
    switch("force", None, "Replace an environment of the same name (always done)."),
    switch("verbose", Some('v'), "Show what will be installed."),
];
const ENV_CREATE_TABLE: &[&[Opt]] = &[TARGET, ENV_CREATE, CONFIRMATION, PACKAGES, PRESENTATION];

const CREATE: &[Opt] = &[
    valued("file", None, "FILE", "Read package specs from the file, one a line."),
    switch("no-default-packages", None, "Ignore create_default_packages in the .condarc file."),
];
const CREATE_TABLE: &[&[Opt]] = &[TARGET, CREATE, CHANNELS, CONFIRMATION, PACKAGES, PRESENTATION];

/// `conda env create`.
///
/// # Errors
/// In conda's words; the environment that was there stays.
pub fn env_create(context: &Context, args: &[String]) -> Result<()> {
    let parsed = parse(args, ENV_CREATE_TABLE, Stop::Never)?;
    if parsed.has("help") {
        let usage = "env create [-f FILE] [-n ENVIRONMENT | -p PATH] [options]";
        print!(
            "{}",
            help(usage, "Create an environment based on an environment definition file.", ENV_CREATE_TABLE)
        );
        return Ok(());
    }
    if let Some(word) = parsed.words.first() {
        return Err(CondaError::usage(format!(
            "unrecognized arguments: {word} (a file is given with -f FILE)"
        )));
    }
    let config = context.configured(&parsed);
    let given = context.given_target(&parsed)?;
    let path = file_path(context, parsed.value("file").unwrap_or("environment.yml"))?;
    let file = envfile::read(&path)?;
    for key in &file.unknown {
        eprintln!(
            "EnvironmentSectionNotValid: the section '{key}' of '{}' is unknown and has no effect.",
            path.display()
        );
    }
    let prefix = match given {
        Some(prefix) => prefix,
        None => match (&file.name, &file.prefix) {
            (Some(name), _) => environments::prefix_of_name(&config, name)?,
            (None, Some(prefix)) => absolute(&context.cwd.join(context.vars.expand(prefix))),
            (None, None) => {
                return Err(CondaError::new(
                    "CondaEnvException",
                    format!(
                        "The environment has no name: '{}' has no 'name:'. Give one with -n NAME, or a place with \
                         -p PATH.",
                        path.display()
                    ),
                ));
            }
        },
    };
    // The file's channels come before those of .condarc, unless it says nodefaults, as in conda.
    let mut channels = file.channels.clone();
    let only = channels.iter().any(|channel| channel == "nodefaults");
    channels.retain(|channel| channel != "nodefaults");
    if channels.is_empty() || !only {
        channels.extend(config.channels.iter().cloned());
    }
    let mut specs = file.specs;
    if !parsed.has("no-default-packages") {
        specs.extend(default_packages(&config, &specs));
    }
    let request = Request {
        prefix,
        channels,
        specs,
        pip: file.pip,
        folder: path.parent().map_or_else(|| context.cwd.clone(), Path::to_owned),
        variables: file.variables,
        command: context.command_line(),
    };
    let plan = build::plan(&config, &context.vars, output(&parsed), &context.cwd, request)?;
    if parsed.has("dry-run") || parsed.has("verbose") {
        print_plan(&plan);
    }
    finish(&config, plan, &parsed)
}

/// The absolute path of the environment file, which must exist.
fn file_path(context: &Context, name: &str) -> Result<PathBuf> {
    if name.contains("://") {
        return Err(CondaError::value(format!(
            "'{name}': environment files from the network are not supported yet"
        )));
    }
    let path = absolute(&context.cwd.join(context.vars.expand(name)));
    if path.exists() {
        return Ok(path);
    }
    let mut message = format!("'{}' file not found", path.display());
    // A job starts in the folder sbatch was called in, which need not be that of the script.
    let script_dir =
        context.vars.path("BIVOUAC_SUBMIT_SCRIPT_DIR").filter(|_| context.vars.os("SLURM_JOB_ID").is_some());
    if let Some(dir) = script_dir.filter(|dir| Path::new(name).is_relative() && dir.join(name).exists()) {
        message.push_str(&format!(
            "\nThe file lies beside the submitted script, in {dir}. A job starts in the folder in which sbatch was \
             called: submit inside that folder, or use `sbatch --chdir={dir}`.",
            dir = dir.display()
        ));
    }
    Err(CondaError::new("EnvironmentFileNotFound", message))
}

fn default_packages(config: &Config, specs: &[String]) -> Vec<String> {
    let name = |spec: &str| spec.split(['=', '<', '>', '!', ' ', '[', '~']).next().unwrap_or(spec).to_owned();
    let named: Vec<String> = specs.iter().map(|spec| name(spec)).collect();
    config.create_default_packages.iter().filter(|spec| !named.contains(&name(spec))).cloned().collect()
}

/// `conda create`.
///
/// # Errors
/// In conda's words; the environment that was there stays.
pub fn create(context: &Context, args: &[String]) -> Result<()> {
    let parsed = parse(args, CREATE_TABLE, Stop::Never)?;
    if parsed.has("help") {
        let usage = "create [-n ENVIRONMENT | -p PATH] [options] [package_spec ...]";
        print!(
            "{}",
            help(usage, "Create a new conda environment from a list of specified packages.", CREATE_TABLE)
        );
        return Ok(());
    }
    let config = context.configured(&parsed);
    let Some(prefix) = context.given_target(&parsed)? else {
        return Err(CondaError::usage("one of the arguments -n/--name -p/--prefix is required"));
    };
    let mut specs: Vec<String> = parsed.words.iter().map(|word| word.trim().to_owned()).collect();
    for file in parsed.values("file") {
        specs.extend(envfile::read(&absolute(&context.cwd.join(file)))?.specs);
    }
    if !parsed.has("no-default-packages") {
        specs.extend(default_packages(&config, &specs));
    }
    let mut channels: Vec<String> = parsed.values("channel").map(str::to_owned).collect();
    if !parsed.has("override-channels") {
        channels.extend(config.channels.iter().cloned());
    } else if channels.is_empty() {
        return Err(CondaError::usage(
            "At least one -c / --channel flag must be supplied when using --override-channels.",
        ));
    }
    replace::settle(&config, &prefix);
    if is_environment(&prefix) && !parsed.has("dry-run") {
        eprintln!("WARNING: A conda environment already exists at '{}'", prefix.display());
        confirm(&config, "Remove existing environment", false)?;
    }
    let request = Request {
        prefix,
        channels,
        specs,
        folder: context.cwd.clone(),
        command: context.command_line(),
        ..Request::default()
    };
    let plan = build::plan(&config, &context.vars, output(&parsed), &context.cwd, request)?;
    if !output(&parsed).quiet {
        print_plan(&plan);
    }
    if !parsed.has("dry-run") {
        confirm(&config, "Proceed", true)?;
    }
    finish(&config, plan, &parsed)
}

fn print_plan(plan: &Plan<'_>) {
    say(&format!("\n## Package Plan ##\n\n  environment location: {}\n", plan.request.prefix.display()));
    if !plan.request.specs.is_empty() {
        say("  added / updated specs:");
        for spec in &plan.request.specs {
            say(&format!("    - {spec}"));
        }
        say("\n\nThe following NEW packages will be INSTALLED:\n");
        for record in &plan.records {
            say(&format!("  {:<18} {}", record.package_record.name.as_normalized(), plan.described(record)));
        }
        say("\n");
    }
}

fn finish(config: &Config, plan: Plan<'_>, parsed: &Parsed) -> Result<()> {
    let prefix = plan.request.prefix.clone();
    let links: Vec<serde_json::Value> = plan
        .records
        .iter()
        .map(|record| {
            let package = &record.package_record;
            serde_json::json!({
                "name": package.name.as_normalized(),
                "version": package.version.to_string(),
                "build_string": package.build.to_string(),
                "channel": record.channel,
                "platform": package.subdir,
            })
        })
        .collect();
    let dry_run = parsed.has("dry-run");
    if !dry_run {
        plan.execute()?;
    }
    if parsed.has("json") {
        let actions = serde_json::json!({ "LINK": links, "PREFIX": prefix });
        print_json(
            &serde_json::json!({ "actions": actions, "prefix": prefix, "success": true, "dry_run": dry_run }),
        );
    } else if dry_run {
        say("DryRunExit: Dry run. Exiting.");
    } else if !parsed.has("quiet") {
        let name = environments::name_of(config, &prefix).unwrap_or_else(|| prefix.display().to_string());
        say(&format!(
            "#\n# To activate this environment, use\n#\n#     $ conda activate {name}\n#\n\
             # To deactivate an active environment, use\n#\n#     $ conda deactivate\n"
        ));
    }
    Ok(())
}
