//! What a site brings, written below `STATE/site`: link folders, start-up files of shells, the module tree.
//!
//! ```text
//! site/bin/ condabin/          links to the executables, for shells outside any view
//! site/view/bin/ condabin/     the same links as a view needs them
//! site/view/profile.d/         what a view adds to /etc/profile.d
//! site/init/bash.sh sh.sh zsh.sh
//! site/modulefiles/ python/ conda/
//! ```
//!
//! Every file is replaced as a whole and only if it changes, so that shells that are reading it see the old or
//! the new one, and a second installation changes nothing.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::error::{SiteError, on_file};
use crate::functions::Functions;
use crate::init::{self, Places, Shell};
use crate::site::{Cluster, Site};

/// Names under which the one small binary answers: `bivouac link` and the link folders make them.
pub const COMMANDS: &[&str] = &[
    "sbatch",
    "srun",
    "squeue",
    "scancel",
    "sinfo",
    "scontrol",
    "sacct",
    "sprio",
    "sshare",
    "sdiag",
    "strigger",
    "sattach",
    "sbcast",
    "salloc",
    "sreport",
    "seff",
    "seff-array",
    "jobstats",
    "suuser",
    "suacct",
    "bivouac",
];

/// A command that there is not (yet). It has its name all the same: none of the host's shall answer in its place, and
/// perhaps reach a real cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbsentCommand {
    /// Its name.
    pub name: &'static str,
    /// What to do instead.
    pub instead: &'static str,
}

/// Slurm's commands that are not there: `bivouac link` and the link folders make their names.
pub const ABSENT_COMMANDS: &[AbsentCommand] = &[
    absent(
        "sacctmgr",
        "accounts and QOS are those of the site's profile, or of sacctmgr.dump beside the slurm.conf",
    ),
    absent(
        "sstat",
        "`sacct -j JOB` tells what a step has used when it has ended, `scontrol listpids JOB` its processes",
    ),
    absent("scrontab", "let cron of this machine call sbatch"),
    absent("sgather", "all nodes are this machine: the files of sbcast lie in one folder"),
    absent("sh5util", "profiles of jobs are not kept"),
    absent("sview", "use squeue, sinfo and `scontrol show`"),
];

/// A site's own ones: they have their names in its view.
pub const ABSENT_SITE_COMMANDS: &[AbsentCommand] = &[
    absent("sinteractive", "submit a script with sbatch"),
    absent("acompile", "compile on the login node, or submit a script with sbatch"),
];

const fn absent(name: &'static str, instead: &'static str) -> AbsentCommand {
    AbsentCommand { name, instead }
}

/// Names that the module program answers to, to tell that it must be called as a function.
const MODULE_COMMANDS: &[&str] = &["module", "ml"];
const CONDA_COMMANDS: &[&str] = &["conda", "mamba"];

/// Outside a site with modules only ours come first on PATH.
const PYTHONS: &[&str] = &["/usr/bin", "/usr/local/bin"];

/// A site whose files are in place: gives the views and environments of logins and jobs.
#[derive(Debug, Clone)]
pub struct Installed {
    pub(crate) site: Site,
    pub(crate) cluster: Cluster,
    pub(crate) exported: Vec<(String, String)>,
}

impl Site {
    /// Writes the site's files below `cluster.state_dir`. For the controller, at every start: it brings an
    /// older installation up to date and is harmless otherwise.
    ///
    /// # Errors
    /// [`SiteError`] names the file that cannot be written or the program that is missing.
    pub fn install(&self, cluster: &Cluster) -> Result<Installed, SiteError> {
        let functions = match self.modules {
            Some(_) => Functions::ask(&cluster.exe_dir)?,
            None => Functions::default(),
        };
        let site = cluster.state_dir.join("site");
        self.links(&site, &cluster.exe_dir)?;
        let host = Places::on_host(&cluster.state_dir, &cluster.exe_dir);
        for (shell, file, text) in [
            (Shell::Bash, "bash.sh", &functions.bash),
            (Shell::Sh, "sh.sh", &functions.sh),
            (Shell::Zsh, "zsh.sh", &functions.zsh),
        ] {
            let text = init::text(shell, &host, self.view.as_ref(), self.modules.as_ref(), text);
            put_file(&site.join("init").join(file), text.as_bytes())?;
        }
        let exported: Vec<String> = functions.exported.iter().map(|(n, v)| format!("{n}={v}\0")).collect();
        put_file(&site.join("init/exported"), exported.concat().as_bytes())?;
        self.profile_d(&site.join("view/profile.d"))?;
        self.module_tree(&site)?;
        Ok(Installed { site: self.clone(), cluster: cluster.clone(), exported: functions.exported })
    }

    /// The site as [`Site::install`] left it, for programs other than the controller.
    ///
    /// # Errors
    /// [`SiteError::File`] if nothing was installed there.
    pub fn installed(&self, cluster: &Cluster) -> Result<Installed, SiteError> {
        let file = cluster.state_dir.join("site/init/exported");
        let text = fs::read_to_string(&file).map_err(on_file("read", &file))?;
        let exported = text.split('\0').filter_map(|e| e.split_once('='));
        let exported = exported.map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        Ok(Installed { site: self.clone(), cluster: cluster.clone(), exported })
    }

    fn links(&self, site: &Path, exe_dir: &Path) -> Result<(), SiteError> {
        for (folder, libexec) in
            [(site.to_owned(), exe_dir), (site.join("view"), bivouac_view::LIBEXEC.as_ref())]
        {
            let mut bin: Vec<(&str, &str)> = COMMANDS.iter().map(|name| (*name, "bivouac")).collect();
            let mut condabin = Vec::new();
            let of_site = ABSENT_SITE_COMMANDS.iter().filter(|_| self.view.is_some());
            bin.extend(ABSENT_COMMANDS.iter().chain(of_site).map(|absent| (absent.name, "bivouac")));
            if self.modules.is_some() {
                bin.extend(MODULE_COMMANDS.iter().map(|name| (*name, "bivouac-module")));
                condabin.extend(CONDA_COMMANDS.iter().map(|name| (*name, "bivouac-conda")));
                for verb in ["activate", "deactivate"] {
                    put_file(&folder.join("condabin").join(verb), source_script(verb).as_bytes())?;
                }
            }
            for (inside, names) in [("bin", bin), ("condabin", condabin)] {
                make_folder(&folder.join(inside))?;
                for (name, program) in names {
                    put_link(&folder.join(inside).join(name), &libexec.join(program))?;
                }
            }
        }
        Ok(())
    }

    fn profile_d(&self, folder: &Path) -> Result<(), SiteError> {
        let init = Path::new(bivouac_view::RUN).join("site/init");
        let read = |file: &str| format!(". {}/{file}", init.display());
        let text = format!(
            "if [ -n \"${{BASH_VERSION-}}\" ]; then {}\nelif [ -n \"${{ZSH_VERSION-}}\" ]; then {}\nelse {}\nfi\n",
            read("bash.sh"),
            read("zsh.sh"),
            read("sh.sh")
        );
        make_folder(folder)?;
        put_file(&folder.join("zz-bivouac.sh"), text.as_bytes())?;
        if self.modules.is_some() {
            // Published job scripts read one of these to get the module command.
            for name in ["lmod.sh", "modules.sh"] {
                put_file(&folder.join(name), text.as_bytes())?;
            }
        }
        Ok(())
    }

    fn module_tree(&self, site: &Path) -> Result<(), SiteError> {
        let Some(tree) = self.tree else { return Ok(()) };
        let folder = site.join("modulefiles");
        for (file, text) in tree.files {
            put_file(&folder.join(file), text.as_bytes())?;
        }
        remove_others(&folder, &folder, &|file| tree.files.iter().any(|(f, _)| Path::new(f) == file))?;
        stand_ins(site, PYTHONS.iter().map(Path::new))
    }
}

/// Links by which this machine's Python stands in for the site's: as `python`, for the module of that name, and
/// as conda's base environment.
fn stand_ins<'a>(site: &Path, folders: impl Iterator<Item = &'a Path>) -> Result<(), SiteError> {
    let (python, base) = (site.join("python"), site.join("conda"));
    make_folder(&python)?;
    make_folder(&base.join("conda-meta"))?;
    make_folder(&base.join("bin"))?;
    let history = base.join("conda-meta/history");
    if !history.exists() {
        put_file(&history, b"")?;
    }
    let folders: Vec<&Path> = folders.collect();
    let find = |name: &str| folders.iter().map(|f| f.join(name)).find(|p| p.is_file());
    let exact = find("python3.10");
    let Some(best) = exact.clone().or_else(|| find("python3")) else { return Ok(()) };
    for name in ["python", "python3"] {
        put_link(&python.join(name), &best)?;
        put_link(&base.join("bin").join(name), &best)?;
    }
    match exact {
        Some(exact) => put_link(&python.join("python3.10"), &exact),
        None => remove(&python.join("python3.10")),
    }
}

/// `source activate NAME`, as people wrote it before `conda activate`.
fn source_script(verb: &str) -> String {
    format!(
        "# To be sourced: source {verb}\n\
         if __conda_text=\"$(\"$CONDA_EXE\" shell.posix function)\" && eval \"$__conda_text\"; then\n    \
         unset __conda_text\n    conda {verb} \"$@\"\nfi\n"
    )
}

pub(crate) fn make_folder(path: &Path) -> Result<(), SiteError> {
    fs::create_dir_all(path).map_err(on_file("make", path))
}

/// Writes a file beside its place and moves it there, unless the same is there already.
pub(crate) fn put_file(path: &Path, contents: &[u8]) -> Result<(), SiteError> {
    if fs::read(path).is_ok_and(|old| old == contents) {
        return Ok(());
    }
    make_folder(path.parent().unwrap_or(path))?;
    let fresh = beside(path);
    fs::write(&fresh, contents).and_then(|()| fs::rename(&fresh, path)).map_err(on_file("write", path))
}

fn put_link(path: &Path, target: &Path) -> Result<(), SiteError> {
    if fs::read_link(path).is_ok_and(|old| old == target) {
        return Ok(());
    }
    let fresh = beside(path);
    remove(&fresh)?;
    symlink(target, &fresh).and_then(|()| fs::rename(&fresh, path)).map_err(on_file("make", path))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".new-");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!("-{}", std::process::id()));
    path.with_file_name(name)
}

fn remove(path: &Path) -> Result<(), SiteError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(on_file("remove", path)(e)),
        _ => Ok(()),
    }
}

/// Removes modulefiles that an earlier version brought and this one does not; `wanted` gets relative paths.
fn remove_others(root: &Path, folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<(), SiteError> {
    let entries = fs::read_dir(folder).and_then(|e| e.collect::<io::Result<Vec<_>>>());
    for entry in entries.map_err(on_file("read", folder))? {
        let path = entry.path();
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            remove_others(root, &path, wanted)?;
        } else if path.extension().is_some_and(|e| e == "lua") && !path.strip_prefix(root).is_ok_and(wanted) {
            remove(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "install_tests.rs"]
mod tests;
