//! From a site's folders to a plan: pure, no look at the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use crate::layout::{
    BIN, CONDABIN, HOST_HOME, LIBEXEC, MARKER, ROOT, RUN, STATE_BIN, STATE_CONDABIN, STATE_PROFILE_D,
};
use crate::marker::Marker;
use crate::plan::{Step, ViewPlan};

/// A folder that the site has and the host's tree does not show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteFolder {
    /// Where it appears, for example `/projects/alice`. The folder above it (`/projects`) shows site
    /// folders only: nobody else's, and nothing of the host.
    pub path: PathBuf,
    /// The host folder behind it; made when missing, readable by its owner only.
    pub backing: PathBuf,
}

/// What a view is made from. All paths are absolute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ViewInputs {
    /// The cluster's name, for the marker.
    pub cluster: String,
    /// The user's login name.
    pub user: String,
    /// The cluster's state folder, with [`STATE_BIN`] and [`STATE_PROFILE_D`] in it.
    pub state_dir: PathBuf,
    /// The folder with bivouac's executables.
    pub exe_dir: PathBuf,
    /// The host name to show; `None` keeps the host's.
    pub host_name: Option<String>,
    /// The site's folders of this user: home, projects, scratch, a job's own scratch.
    pub folders: Vec<SiteFolder>,
    /// The user's home at the site; one of `folders`.
    pub home: PathBuf,
    /// The user's home on the host (from the passwd entry).
    pub host_home: PathBuf,
    /// Host folders and files that stay. What lies in the host home appears at the same place in the
    /// site home; what the site replaces appears at its own path; the rest is there anyway.
    pub keep: Vec<PathBuf>,
    /// The host folder in which the user called: kept at its path where the site replaces what is above.
    pub work_dir: Option<PathBuf>,
    /// Host names that resolve to this machine in the view, by lines added to `/etc/hosts`.
    pub local_names: Vec<String>,
    /// Start-up files of shells and the line that each gets at its end, if the host has the file.
    pub start_files: Vec<(PathBuf, String)>,
}

impl ViewInputs {
    /// The plan of this view. The same inputs give the same plan.
    pub fn plan(&self) -> ViewPlan {
        let mut steps: Vec<Step> = Vec::new();
        let backing = |f: &SiteFolder| Step::Backing { path: f.backing.clone(), mode: 0o700 };
        steps.extend(self.folders.iter().map(backing));
        self.skeleton(&mut steps);
        self.own_folder(&mut steps);
        for folder in &self.folders {
            steps.push(bind(&folder.backing, &folder.path, false));
        }
        for kept in &self.keep {
            steps.extend(self.kept_target(kept).map(|target| bind(kept, &target, true)));
        }
        steps.extend(self.kept_work_dir().map(|dir| bind(dir, dir, true)));
        self.shells(&mut steps);
        self.names(&mut steps);
        ViewPlan { host_name: self.host_name.clone(), steps }
    }

    /// Where a host path is found in the view; `None` if the view hides it.
    pub fn to_view(&self, host: &Path) -> Option<PathBuf> {
        if let Some(path) = rebase(host, self.folders.iter().map(|f| (&*f.backing, &*f.path))) {
            return Some(path);
        }
        let kept = self.keep.iter().filter_map(|k| Some((&**k, self.kept_target(k)?)));
        let kept: Vec<_> = kept.chain(self.kept_work_dir().map(|d| (d, d.to_owned()))).collect();
        if let Some(path) = rebase(host, kept.iter().map(|(from, to)| (*from, &**to))) {
            return Some(path);
        }
        if !self.is_replaced(host) {
            return Some(host.to_owned());
        }
        let own = [(&*self.state_dir, Path::new(RUN)), (&*self.host_home, Path::new(HOST_HOME))];
        rebase(host, own.into_iter())
    }

    /// Which host path lies behind a path of the view; `None` if nothing of the host does.
    pub fn to_host(&self, view: &Path) -> Option<PathBuf> {
        let kept = self.keep.iter().filter_map(|k| Some((self.kept_target(k)?, &**k)));
        let kept: Vec<_> = kept.chain(self.kept_work_dir().map(|d| (d.to_owned(), d))).collect();
        let kept = kept.iter().map(|(from, to)| (&**from, *to));
        let own = [
            (Path::new(RUN), &*self.state_dir),
            (Path::new(LIBEXEC), &*self.exe_dir),
            (Path::new(HOST_HOME), &*self.host_home),
        ];
        let folders = self.folders.iter().map(|f| (&*f.path, &*f.backing));
        let mapped = rebase(view, kept.chain(folders).chain(own));
        mapped.or_else(|| (!self.is_replaced(view) && !view.starts_with(ROOT)).then(|| view.to_owned()))
    }

    /// The folder to start in when the caller was in `work_dir`: that folder as the view shows it, or the
    /// site home where the view hides it (the host home itself, for one).
    pub fn start_dir(&self) -> PathBuf {
        let shown = self.work_dir.as_deref().and_then(|dir| self.to_view(dir));
        shown.filter(|dir| !dir.starts_with(ROOT)).unwrap_or_else(|| self.home.clone())
    }

    /// The host folder that this view keeps bound at its path though the site replaces what is above it.
    pub fn kept_work_dir(&self) -> Option<&Path> {
        let dir = self.work_dir.as_deref()?;
        let hides_a_site_folder = self.folders.iter().any(|f| f.path.starts_with(dir));
        let is_behind_one = self.folders.iter().any(|f| dir.starts_with(&f.backing));
        let is_kept = self.keep.iter().any(|k| dir.starts_with(k) && self.kept_target(k).is_some());
        (self.is_replaced(dir) && !hides_a_site_folder && !is_behind_one && !is_kept).then_some(dir)
    }

    fn parents(&self) -> BTreeSet<&Path> {
        self.folders.iter().filter_map(|f| f.path.parent()).filter(|p| *p != Path::new("/")).collect()
    }

    fn is_replaced(&self, path: &Path) -> bool {
        self.parents().iter().any(|p| path.starts_with(p))
            || self.folders.iter().any(|f| path.starts_with(&f.path))
    }

    fn kept_target(&self, kept: &Path) -> Option<PathBuf> {
        match kept.strip_prefix(&self.host_home) {
            // The whole host home would hide the site's.
            Ok(inside) if inside.as_os_str().is_empty() => None,
            Ok(inside) => Some(self.home.join(inside)),
            Err(_) if self.folders.iter().any(|f| f.path.starts_with(kept)) => None,
            Err(_) => self.is_replaced(kept).then(|| kept.to_owned()),
        }
    }

    /// The new root: everything of the host but what the site replaces.
    fn skeleton(&self, steps: &mut Vec<Step>) {
        let mut left_out: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
        left_out.entry("/".into()).or_default().insert(ROOT.trim_start_matches('/').into());
        let parents = self.parents();
        for path in parents.iter().copied().chain(self.folders.iter().map(|f| &*f.path)) {
            let mut above = PathBuf::from("/");
            for part in path.components() {
                let Component::Normal(name) = part else { continue };
                left_out.entry(above.clone()).or_default().insert(name.to_string_lossy().into_owned());
                above.push(name);
                if parents.contains(above.as_path()) {
                    break;
                }
            }
        }
        for (path, except) in left_out {
            if !parents.iter().any(|p| path.starts_with(p)) && !self.folders.iter().any(|f| f.path == path) {
                steps.push(Step::Host { path, except: except.into_iter().collect() });
            }
        }
        steps.extend(parents.into_iter().map(|p| Step::Folder { path: p.to_owned() }));
    }

    fn own_folder(&self, steps: &mut Vec<Step>) {
        let link = |path: &str, to: &str| Step::Link { path: path.into(), target: Path::new(RUN).join(to) };
        let marker = Marker {
            cluster: self.cluster.clone(),
            user: self.user.clone(),
            kept: self.kept_work_dir().map(Path::to_owned),
        };
        steps.extend([
            Step::Folder { path: ROOT.into() },
            bind(&self.state_dir, Path::new(RUN), false),
            bind(&self.exe_dir, Path::new(LIBEXEC), false),
            bind(&self.host_home, Path::new(HOST_HOME), true),
            link(BIN, STATE_BIN),
            link(CONDABIN, STATE_CONDABIN),
            Step::File { path: MARKER.into(), contents: marker.text().into_bytes() },
        ]);
    }

    /// Login shells reset PATH: what they read and where they look afterwards leads to the commands.
    fn shells(&self, steps: &mut Vec<Step>) {
        let union = |path: &str, over: &str, or_links: bool| Step::Union {
            path: path.into(),
            over: self.state_dir.join(over),
            or_links,
        };
        steps.push(union("/etc/profile.d", STATE_PROFILE_D, true));
        // Links would show a program of the host another place than its own, which some programs look at:
        // an overlay or nothing.
        steps.push(union("/usr/local/bin", STATE_BIN, false));
        for (file, line) in &self.start_files {
            steps.push(Step::Extend { path: file.clone(), text: format!("\n{line}\n").into_bytes() });
        }
    }

    fn names(&self, steps: &mut Vec<Step>) {
        if let Some(name) = &self.host_name {
            let contents = format!("{name}\n").into_bytes();
            steps.push(Step::Replace { path: "/etc/hostname".into(), contents });
        }
        if !self.local_names.is_empty() {
            let lines: String = self.local_names.iter().map(|n| format!("127.0.0.1\t{n}\n")).collect();
            steps.push(Step::Extend { path: "/etc/hosts".into(), text: format!("\n{lines}").into_bytes() });
        }
    }
}

fn bind(source: &Path, target: &Path, optional: bool) -> Step {
    Step::Bind { source: source.to_owned(), target: target.to_owned(), optional }
}

/// `path` moved by the pair whose first member is the longest folder above it.
fn rebase<'a>(path: &Path, pairs: impl Iterator<Item = (&'a Path, &'a Path)>) -> Option<PathBuf> {
    let deepest =
        pairs.filter(|(from, _)| path.starts_with(from)).max_by_key(|(f, _)| f.components().count());
    let (from, to) = deepest?;
    let rest = path.strip_prefix(from).ok()?;
    Some(if rest.as_os_str().is_empty() { to.to_owned() } else { to.join(rest) })
}

#[cfg(test)]
#[path = "inputs_tests.rs"]
mod tests;
