//! The `[view]` section: checked when the profile is read, filled in for a user.

use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use bivouac_view::{PathLink, SiteFolder, ViewInputs};
use toml::Spanned;

use crate::error::{ProfileError, SiteError};
use crate::format::View;
use crate::session::User;
use crate::site::Cluster;
use crate::sources::Sources;
use crate::values::is_host_name;

const USER: &str = "$USER";
const JOB: &str = "$SLURM_JOB_ID";

/// Start-up files that the shells of common distributions read, whichever of them the host has, and our file for each.
const START_FILES: &[(&str, &str)] = &[
    ("/etc/bash.bashrc", "bash.sh"),
    ("/etc/bashrc", "bash.sh"),
    ("/etc/zsh/zshenv", "zsh.sh"),
    ("/etc/zsh/zprofile", "zsh.sh"),
    ("/etc/zsh/zshrc", "zsh.sh"),
    ("/etc/zshenv", "zsh.sh"),
    ("/etc/zprofile", "zsh.sh"),
    ("/etc/zshrc", "zsh.sh"),
];

/// A checked `[view]` section: every path is absolute and plain once `$USER` is filled in.
#[derive(Debug, Clone)]
pub(crate) struct ViewSpec {
    pub login_host: String,
    pub prompt: Option<String>,
    home: String,
    folders: Vec<(String, String)>,
    job_scratch: Option<String>,
    keep: Vec<String>,
}

impl ViewSpec {
    pub fn new(view: &View, sources: &Sources) -> Result<ViewSpec, ProfileError> {
        let Some(home) = &view.home else {
            return Err(sources.whole("[view] has no `home`; write for example home = \"/home/$USER\""));
        };
        let Some(login_host) = &view.login_host else {
            return Err(
                sources.whole("[view] has no `login_host`; write for example login_host = \"login1\"")
            );
        };
        if !is_host_name(login_host.as_ref()) {
            let problem = format!("`{}` cannot be a host name", login_host.as_ref());
            return Err(sources.error(login_host.span(), problem));
        }
        let path = |p: &Spanned<String>, variables: &[&str]| {
            check_path(p.as_ref(), variables).map_err(|problem| sources.error(p.span(), problem))?;
            Ok::<String, ProfileError>(p.as_ref().clone())
        };
        let mut folders = Vec::new();
        for (name, folder) in &view.folders {
            if !is_variable(name) {
                return Err(sources.error(folder.span(), format!("`{name}` cannot be a variable's name")));
            }
            folders.push((name.clone(), path(folder, &[USER])?));
        }
        let mut keep = Vec::new();
        for kept in view.keep.iter().flatten() {
            check_kept(kept.as_ref()).map_err(|problem| sources.error(kept.span(), problem))?;
            keep.push(kept.as_ref().clone());
        }
        let spec = ViewSpec {
            login_host: login_host.as_ref().clone(),
            prompt: view.prompt.clone(),
            home: path(home, &[USER])?,
            folders,
            job_scratch: view.job_scratch.as_ref().map(|p| path(p, &[USER, JOB])).transpose()?,
            keep,
        };
        spec.check_apart(|name| span_of(view, name)).map_err(|(at, text)| sources.error(at, text))?;
        Ok(spec)
    }

    /// One folder inside another would hide it, or be hidden.
    fn check_apart(&self, span: impl Fn(&str) -> Range<usize>) -> Result<(), (Range<usize>, String)> {
        let mut seen: Vec<&str> = vec![&self.home];
        for (name, path) in &self.folders {
            if let Some(other) =
                seen.iter().find(|o| Path::new(o).starts_with(path) || Path::new(path).starts_with(o))
            {
                return Err((
                    span(name),
                    format!("{path} and {other} lie inside one another; keep them apart"),
                ));
            }
            seen.push(path);
        }
        Ok(())
    }

    /// What a view for this user is made from. `job` is the job's id for its own scratch folder.
    pub fn inputs(&self, cluster: &Cluster, user: &User, job: Option<&str>) -> Result<ViewInputs, SiteError> {
        check_name("user name", &user.name)?;
        if let Some(job) = job {
            check_name("job id", job)?;
        }
        let home = self.home(user);
        let mut folders = vec![self.folder(cluster, home.clone())];
        folders.extend(self.folders.iter().map(|(_, p)| self.folder(cluster, fill(p, user, None))));
        if let Some((path, backing)) = self.scratch(cluster, user, job) {
            folders.push(SiteFolder { path, backing });
        }
        Ok(ViewInputs {
            cluster: cluster.name.clone(),
            user: user.name.clone(),
            state_dir: cluster.state_dir.clone(),
            exe_dir: cluster.exe_dir.clone(),
            home,
            host_home: user.home.clone(),
            keep: self.keep.iter().map(|k| self.kept(k, user)).collect(),
            folders,
            start_files: START_FILES
                .iter()
                .map(|(file, ours)| {
                    (PathBuf::from(file), format!(". {}/site/init/{ours}", bivouac_view::RUN))
                })
                .collect(),
            ..ViewInputs::default()
        })
    }

    /// The user's home as the site names it.
    pub fn home(&self, user: &User) -> PathBuf {
        fill(&self.home, user, None)
    }

    /// Variable names and the host folders behind them.
    pub fn variables(&self, cluster: &Cluster, user: &User) -> Vec<(String, PathBuf)> {
        let backing = |p: &str| self.folder(cluster, fill(p, user, None)).backing;
        self.folders.iter().map(|(name, p)| (name.clone(), backing(p))).collect()
    }

    /// The host folder behind the home.
    pub fn home_backing(&self, cluster: &Cluster, user: &User) -> PathBuf {
        self.folder(cluster, self.home(user)).backing
    }

    /// A job's own scratch: its path in the view and the host folder behind it.
    pub fn scratch(&self, cluster: &Cluster, user: &User, job: Option<&str>) -> Option<(PathBuf, PathBuf)> {
        let (path, job) = self.job_scratch.as_deref().zip(job)?;
        Some((fill(path, user, Some(job)), cluster.state_dir.join("scratch").join(job)))
    }

    /// The literal paths that links can stand for where there are no namespaces: all but the home, which is
    /// the host's business.
    pub fn links(&self, cluster: &Cluster, user: &User) -> Vec<PathLink> {
        let link = |p: &String| {
            let SiteFolder { path, backing } = self.folder(cluster, fill(p, user, None));
            PathLink { link: path, target: backing }
        };
        self.folders.iter().map(|(_, p)| link(p)).collect()
    }

    fn folder(&self, cluster: &Cluster, path: PathBuf) -> SiteFolder {
        let backing = cluster.state_dir.join("files").join(path.strip_prefix("/").unwrap_or(&path));
        SiteFolder { path, backing }
    }

    fn kept(&self, kept: &str, user: &User) -> PathBuf {
        match kept.strip_prefix("~/") {
            Some(inside) => user.home.join(inside),
            None => kept.replace(USER, &user.name).into(),
        }
    }
}

fn span_of(view: &View, folder: &str) -> Range<usize> {
    view.folders.get(folder).map_or(0..0, Spanned::span)
}

fn fill(path: &str, user: &User, job: Option<&str>) -> PathBuf {
    // The job id first: a user's name may hold any text.
    path.replace(JOB, job.unwrap_or_default()).replace(USER, &user.name).into()
}

/// Whether a shell takes it for a variable's name.
pub(crate) fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn check_path(path: &str, variables: &[&str]) -> Result<(), String> {
    let filled = variables.iter().fold(path.to_owned(), |p, v| p.replace(v, "x"));
    if filled.contains('$') {
        return Err(format!("`{path}`: only {} may stand in this path", variables.join(" and ")));
    }
    let plain =
        Path::new(&filled).components().all(|c| matches!(c, Component::RootDir | Component::Normal(_)));
    if !filled.starts_with('/') || filled.len() < 2 || !plain || filled.contains(['\0', '\n']) {
        return Err(format!("`{path}` is no absolute path without `..`"));
    }
    for taken in ["/usr", "/etc", "/proc", "/sys", "/dev", "/bin", "/lib", bivouac_view::ROOT] {
        if Path::new(&filled).starts_with(taken) {
            return Err(format!("`{path}` lies in {taken}, which a site cannot replace"));
        }
    }
    Ok(())
}

fn check_kept(kept: &str) -> Result<(), String> {
    let inside = kept.strip_prefix('~').unwrap_or(kept);
    let below = format!("/kept{inside}");
    if inside.starts_with('/') && inside.len() > 1 && check_path(&below, &[USER]).is_ok() {
        return Ok(());
    }
    Err(format!("`{kept}` must be a path that begins with `/` or `~/`, without `..`"))
}

/// A name that becomes one part of a path. Everything else is allowed: sites have users like `ab@example.org`.
fn check_name(what: &str, name: &str) -> Result<(), SiteError> {
    let plain = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0', '\n']);
    if plain {
        return Ok(());
    }
    Err(SiteError::Machine(format!("the {what} {name:?} cannot be the name of a folder")))
}
