//! What a login and a job get: the plan of their view, if there is one, and their environment.

use std::path::{Path, PathBuf};

use bivouac_view::{Marker, NoNamespaces, PathLink, ViewInputs, ViewPlan};

use crate::environment::SiteEnvironment;
use crate::error::SiteError;
use crate::init::Places;
use crate::install::{Installed, put_file};
use crate::view::ViewSpec;

/// How a site's paths are brought about on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// In a view, by namespaces: the literal paths appear.
    Namespaces,
    /// Without: the same folders under one root, and variables that point to them.
    Fallback,
}

impl Access {
    /// What this machine allows, with the reason if it is the fallback.
    pub fn probe() -> (Access, Option<NoNamespaces>) {
        match bivouac_view::probe() {
            Ok(()) => (Access::Namespaces, None),
            Err(no) => (Access::Fallback, Some(no)),
        }
    }
}

/// A user by the passwd entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Home folder on the host.
    pub home: PathBuf,
}

/// Where a job runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPlace {
    /// The job's id as it names its scratch folder: `7`, or `7_3` for an array task.
    pub job: String,
    /// The node's name.
    pub node: String,
    /// A host folder to keep at its path although the site replaces what is above: for a job submitted in a
    /// view, what that view keeps ([`Marker::kept`]); for one submitted outside, the folder it was submitted
    /// from.
    pub kept: Option<PathBuf>,
}

/// What a login or a job starts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The view to enter; `None` where the site has none, or the machine allows none.
    pub plan: Option<ViewPlan>,
    /// Changes to its environment.
    pub environment: SiteEnvironment,
    /// Where a login starts: the caller's folder as the session sees it, or the home.
    pub start_dir: PathBuf,
    /// The job's own scratch folder on the host, to be made before its start (mode 0700) and removed at its end.
    pub scratch: Option<PathBuf>,
    /// What the plan was made from: translates paths between the host and the view.
    pub inputs: Option<ViewInputs>,
}

impl Installed {
    /// A login of `user` who called in `cwd` (a path of the host).
    ///
    /// # Errors
    /// [`SiteError`] if the user's name cannot be a folder's, or the home cannot be made.
    pub fn login(&self, user: &User, access: Access, cwd: &Path) -> Result<Session, SiteError> {
        let Some(view) = &self.site.view else {
            return Ok(self.plain(cwd.to_owned()));
        };
        self.session(view, user, access, Some(cwd), None)
    }

    /// A job of `user`.
    ///
    /// # Errors
    /// As [`Installed::login`].
    pub fn job(&self, user: &User, access: Access, job: &JobPlace) -> Result<Session, SiteError> {
        let Some(view) = &self.site.view else {
            return Ok(self.plain(user.home.clone()));
        };
        self.session(view, user, access, job.kept.as_deref(), Some(job))
    }

    /// Makes the folders behind the site's paths for this user: the home, with the start-up files that a new home
    /// has on a real site, and the others. What is there already is left alone. Logins and jobs need no call of
    /// it; `bivouac setup --paths` needs the folders to be there. To be called as the user.
    ///
    /// # Errors
    /// [`SiteError`] names the folder that cannot be made.
    pub fn prepare(&self, user: &User) -> Result<(), SiteError> {
        let Some(view) = &self.site.view else { return Ok(()) };
        for (_, folder) in view.variables(&self.cluster, user) {
            private_folder(&folder)?;
        }
        home(&view.home_backing(&self.cluster, user))
    }

    /// The links by which `bivouac setup --paths` makes the literal paths where there are no namespaces
    /// ([`bivouac_view::setup_paths`]); none for a site without a view.
    pub fn path_links(&self, user: &User) -> Vec<PathLink> {
        self.site.view.as_ref().map(|v| v.links(&self.cluster, user)).unwrap_or_default()
    }

    /// A site without a view: the host as it is, and the commands on PATH.
    fn plain(&self, start_dir: PathBuf) -> Session {
        let places = Places::on_host(&self.cluster.state_dir, &self.cluster.exe_dir);
        let environment = self.environment(&places, None);
        Session { plan: None, environment, start_dir, scratch: None, inputs: None }
    }

    fn session(
        &self,
        view: &ViewSpec,
        user: &User,
        access: Access,
        dir: Option<&Path>,
        job: Option<&JobPlace>,
    ) -> Result<Session, SiteError> {
        let id = job.map(|j| j.job.as_str());
        let mut inputs = view.inputs(&self.cluster, user, id)?;
        inputs.work_dir = dir.map(Path::to_owned);
        inputs.host_name = Some(job.map_or(view.login_host.clone(), |j| j.node.clone()));
        inputs.local_names = std::iter::once(view.login_host.clone()).chain(self.site.node_names()).collect();
        self.prepare(user)?;
        let scratch = view.scratch(&self.cluster, user, id);
        let host = Places::on_host(&self.cluster.state_dir, &self.cluster.exe_dir);
        let mut session = match access {
            Access::Namespaces => {
                let mut environment = self.environment(&Places::in_view(), Some("view"));
                set(&mut environment, "HOME", &inputs.home);
                scratch.iter().for_each(|(path, _)| set(&mut environment, "SLURM_SCRATCH", path));
                let start_dir = inputs.start_dir();
                let plan = Some(inputs.plan());
                Session { plan, environment, start_dir, scratch: None, inputs: Some(inputs) }
            }
            Access::Fallback => {
                let mut environment = self.environment(&host, Some("folders"));
                let home = view.home_backing(&self.cluster, user);
                set(&mut environment, "HOME", &home);
                set(&mut environment, "BIVOUAC_ROOT", &self.cluster.state_dir.join("files"));
                for (name, folder) in view.variables(&self.cluster, user) {
                    set(&mut environment, &name, &folder);
                }
                scratch.iter().for_each(|(_, backing)| set(&mut environment, "SLURM_SCRATCH", backing));
                let git = user.home.join(".gitconfig");
                if git.is_file() {
                    environment.default.push(("GIT_CONFIG_GLOBAL".into(), git.display().to_string()));
                }
                Session { plan: None, environment, start_dir: home, scratch: None, inputs: None }
            }
        };
        session.scratch = scratch.map(|(_, backing)| backing);
        for (name, value) in [("USER", &user.name), ("LOGNAME", &user.name)] {
            session.environment.set.push((name.into(), value.clone()));
        }
        if job.is_none() {
            session.environment.set.push(("HOSTNAME".into(), view.login_host.clone()));
        }
        Ok(session)
    }

    fn environment(&self, places: &Places, mark: Option<&str>) -> SiteEnvironment {
        let mark = mark.map(|way| format!("{}:{}:{way}", self.site.name, self.cluster.name));
        let mut environment = SiteEnvironment { mark, ..SiteEnvironment::default() };
        for (name, file) in [("BASH_ENV", "init/bash.sh"), ("ENV", "init/sh.sh")] {
            let file = places.site.join(file).display().to_string();
            environment.set.push((name.into(), unexpanded(&file)));
        }
        places.variables().iter().for_each(|(name, path)| set(&mut environment, name, path));
        if let Some(modules) = &self.site.modules {
            environment.set.extend(modules.fixed(places));
            environment.set.extend(self.exported.iter().cloned());
            environment.default.extend(modules.initial(places));
            environment.default.push(("MODULEPATH".into(), modules.module_path(places)));
        }
        let own = self.site.profile.environment.iter();
        environment.set.extend(own.map(|(name, value)| (name.clone(), value.as_ref().clone())));
        environment.path_first.push(places.bin.display().to_string());
        environment
    }
}

/// Makes the site home with the start-up files that a new home has on a real site. What the user made of it
/// since is left alone.
fn home(backing: &Path) -> Result<(), SiteError> {
    if backing.exists() {
        return Ok(());
    }
    private_folder(backing)?;
    let read = |file: &str| {
        let site = format!("${{BIVOUAC_SITE_DIR:-{}/site}}", bivouac_view::RUN);
        format!("# The site's commands, modules and prompt.\n. \"{site}/init/{file}\"\n")
    };
    put_file(&backing.join(".bashrc"), read("bash.sh").as_bytes())?;
    put_file(&backing.join(".bash_profile"), b"if [ -f ~/.bashrc ]; then . ~/.bashrc; fi\n")?;
    put_file(&backing.join(".zshenv"), read("zsh.sh").as_bytes())
}

fn private_folder(path: &Path) -> Result<(), SiteError> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(crate::error::on_file("make", path))
}

/// Shells expand the values of BASH_ENV and ENV as text between double quotes.
fn unexpanded(path: &str) -> String {
    let special = |c: char| matches!(c, '\\' | '$' | '`' | '"');
    path.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

fn set(environment: &mut SiteEnvironment, name: &str, value: &Path) {
    environment.set.push((name.to_owned(), value.display().to_string()));
}

/// The folder that a job submitted from this process's view needs kept ([`JobPlace::kept`]): what the view
/// keeps, or, outside any view, the current folder.
pub fn kept_for_jobs() -> Option<PathBuf> {
    match Marker::read() {
        Some(marker) => marker.kept,
        None => std::env::current_dir().ok(),
    }
}
