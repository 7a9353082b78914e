//! Commands of genuine conda that this one does not have, each refused with what to do instead.

use crate::config::{Config, writable};
use crate::error::CondaError;
use crate::packages;

/// Commands that genuine conda has and that are refused by name here.
pub const NOT_YET: &[&str] = &[
    "build",
    "clean",
    "compare",
    "config",
    "content-trust",
    "convert",
    "debug",
    "develop",
    "doctor",
    "export",
    "index",
    "inspect",
    "install",
    "metapackage",
    "notices",
    "package",
    "rename",
    "render",
    "repo",
    "search",
    "skeleton",
    "uninstall",
    "update",
    "upgrade",
    "verify",
];

/// The refusal of `conda COMMAND`, with what leads to the same end here.
pub fn refused(config: &Config, command: &str) -> CondaError {
    let instead = match command {
        "config" => "Write settings into ~/.condarc (`key: value`); `conda info` shows which files are read and \
                     what follows from them."
            .to_owned(),
        "search" => "`conda list -n NAME` shows what an environment holds; `conda create --dry-run -n NAME SPEC` shows \
                     which packages the channels would give for a spec, and changes nothing."
            .to_owned(),
        "clean" => clean(config),
        "env export" | "export" => {
            "`conda list --export -n NAME --no-pip >packages.txt` writes which packages an environment holds, and \
             `conda create -n NEW --file packages.txt` makes it again. Or write environment.yml by hand, for `conda env \
             create`: the specs you asked for, and what pip installed under pip:."
                .to_owned()
        }
        "env config" => "Write the variables into environment.yml, below `variables:`, and run `conda env create`: \
                         activating the environment sets them."
            .to_owned(),
        "install" | "update" | "upgrade" | "uninstall" | "remove PACKAGE" | "env update" => {
            "Write what the environment shall hold into environment.yml and run `conda env create`: it replaces the \
             environment, and what did not change is quick."
                .to_owned()
        }
        "rename" => "Change `name:` in environment.yml and run `conda env create`, then `conda env remove -n OLD`."
            .to_owned(),
        _ => "`conda -h` lists the commands there are.".to_owned(),
    };
    CondaError::new("CondaError", format!("'conda {command}' is not supported by bivouac yet. {instead}"))
}

/// How space is freed: the folders, as they are configured.
fn clean(config: &Config) -> String {
    let mine = |dirs: &[std::path::PathBuf]| dirs.iter().find(|dir| writable(dir)).cloned();
    let mut lines = "To free space, remove by hand, while no conda command runs:".to_owned();
    if let Some(dir) = mine(&config.pkgs_dirs) {
        lines.push_str(&format!(
            "\n  the package cache: rm -r '{}' (environments keep working; packages are downloaded again)",
            packages::cache_dir(&dir).display()
        ));
    }
    if let Some(dir) = mine(&config.envs_dirs) {
        lines.push_str(&format!("\n  removed environments: rm -r '{}'", dir.join(".trash").display()));
    }
    lines + "\n  an environment: conda env remove -n NAME"
}
