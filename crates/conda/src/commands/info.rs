//! `conda info`: what is configured and active.

use crate::args::{Opt, Stop, help, parse, switch};
use crate::channel;
use crate::commands::{Context, PRESENTATION, envs, print_json};
use crate::config::{CONDA_VERSION, writable};
use crate::environments::name_of;
use crate::error::Result;
use crate::{replace, solve};

const INFO: &[Opt] = &[
    switch("all", Some('a'), "Show all information (always done)."),
    switch("envs", Some('e'), "List all known conda environments."),
    switch("base", None, "Display base environment path."),
];
const TABLE: &[&[Opt]] = &[INFO, PRESENTATION];

/// `conda info`.
///
/// # Errors
/// A wrong command line or a channel name that can be none.
pub fn run(context: &Context, args: &[String]) -> Result<()> {
    let parsed = parse(args, TABLE, Stop::Never)?;
    let config = &context.config;
    if parsed.has("help") {
        print!(
            "{}",
            help(
                "info [--envs] [--base] [--json]",
                "Display information about current conda install.",
                TABLE
            )
        );
        return Ok(());
    }
    if parsed.has("base") && !parsed.has("json") {
        println!("{}", config.root.display());
        return Ok(());
    }
    if parsed.has("envs") && !parsed.has("json") {
        replace::settle_all(config);
        envs::print(context);
        return Ok(());
    }
    let subdir = rattler_conda_types::Subdir::current();
    let subdir_name =
        config.subdir.clone().unwrap_or_else(|| subdir.map_or("unknown", |s| s.as_str()).to_owned());
    let channels: Vec<String> = channel::resolve(config, &config.channels, &context.cwd)?
        .iter()
        .flat_map(|tier| &tier.urls)
        .flat_map(|url| {
            let url = channel::printable(url);
            [format!("{url}/{subdir_name}"), format!("{url}/noarch")]
        })
        .collect();
    let virtual_packages: Vec<String> = match subdir {
        Some(subdir) => solve::virtual_packages(subdir)?
            .iter()
            .map(|package| {
                format!("{}={}={}", package.name.as_normalized(), package.version, package.build_string)
            })
            .collect(),
        None => Vec::new(),
    };
    let active = context.active_prefix();
    let texts = |paths: &[std::path::PathBuf]| {
        paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>()
    };
    if parsed.has("json") {
        print_json(&serde_json::json!({
            "active_prefix": active,
            "active_prefix_name": active.as_ref().and_then(|prefix| name_of(config, prefix)),
            "bivouac_version": env!("CARGO_PKG_VERSION"),
            "channels": channels,
            "conda_prefix": config.root,
            "conda_shlvl": context.vars.text("CONDA_SHLVL").and_then(|text| text.parse::<i64>().ok()),
            "conda_version": CONDA_VERSION,
            "config_files": texts(&config.files),
            "default_prefix": active.as_ref().unwrap_or(&config.root),
            "envs": crate::environments::all(config),
            "envs_dirs": texts(&config.envs_dirs),
            "offline": config.offline,
            "pkgs_dirs": texts(&config.pkgs_dirs),
            "platform": subdir_name,
            "rc_path": context.vars.home().map(|home| home.join(".condarc")),
            "root_prefix": config.root,
            "root_writable": writable(&config.root),
            "virtual_pkgs": virtual_packages,
        }));
        return Ok(());
    }
    let row = |key: &str, values: &[String]| {
        println!("{key:>23} : {}", values.join(&format!("\n{:26}", "")));
    };
    println!();
    let name =
        active.as_ref().map(|prefix| name_of(config, prefix).unwrap_or_else(|| prefix.display().to_string()));
    row("active environment", &[name.unwrap_or_else(|| "None".into())]);
    if let Some(active) = &active {
        row("active env location", &[active.display().to_string()]);
    }
    if let Some(level) = context.vars.text("CONDA_SHLVL") {
        row("shell level", &[level]);
    }
    if let Some(home) = context.vars.home() {
        row("user config file", &[home.join(".condarc").display().to_string()]);
    }
    row("populated config files", &texts(&config.files));
    row("conda version", &[format!("{CONDA_VERSION} (bivouac {})", env!("CARGO_PKG_VERSION"))]);
    row("virtual packages", &virtual_packages);
    let access = if writable(&config.root) { "writable" } else { "read only" };
    row("base environment", &[format!("{}  ({access})", config.root.display())]);
    row("channel URLs", &channels);
    row("package cache", &texts(&config.pkgs_dirs));
    row("envs directories", &texts(&config.envs_dirs));
    row("platform", &[subdir_name]);
    row("offline mode", &[if config.offline { "True" } else { "False" }.to_owned()]);
    println!();
    Ok(())
}
