//! A loaded profile.

use std::path::{Path, PathBuf};

use bivouac_types::config::ClusterConfig;

use crate::cluster;
use crate::embedded::{self, Tree};
use crate::error::SiteError;
use crate::format::Profile;
use crate::init::ModuleSpec;
use crate::machine::Machine;
use crate::near;
use crate::sources::{self, Found, Sources};
use crate::view::{ViewSpec, is_variable};

/// A site: a profile that was read and checked.
#[derive(Debug, Clone)]
pub struct Site {
    pub(crate) name: String,
    pub(crate) profile: Profile,
    pub(crate) view: Option<ViewSpec>,
    pub(crate) modules: Option<ModuleSpec>,
    pub(crate) tree: Option<&'static Tree>,
    sources: Sources,
    /// Of a folder with a slurm.conf: what it says.
    pub(crate) conf: Option<Box<ClusterConfig>>,
    pub(crate) listed: Vec<String>,
}

/// A running cluster's name and places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// Its state folder, by the path that it has outside any view.
    pub state_dir: PathBuf,
    /// The folder with bivouac's executables, outside any view.
    pub exe_dir: PathBuf,
}

impl Site {
    /// Loads the profile called `name`: a folder with a slurm.conf, a path (it contains `/` or ends in `.toml`), else
    /// `~/.config/bivouac/sites/NAME.toml`, else an embedded one (`local`, `alpine@2023-07`, or `alpine` for
    /// the newest of that family). `home` is the user's home folder by the passwd entry.
    ///
    /// # Errors
    /// [`SiteError`]: no such profile (with the known names), a file that cannot be read, or the place in the
    /// profile that is wrong.
    pub fn load(name: &str, home: &Path) -> Result<Site, SiteError> {
        if Site::is_slurm_conf(name) {
            return Site::from_slurm_conf(Path::new(name));
        }
        Site::from(sources::find(name, home)?)
    }

    /// Reads a profile from its text; `file` names it in errors.
    ///
    /// # Errors
    /// As [`Site::load`].
    pub fn parse(name: &str, file: &str, text: &str) -> Result<Site, SiteError> {
        Site::from(sources::parse_own(name, file, text)?)
    }

    pub(crate) fn from(found: Found) -> Result<Site, SiteError> {
        let Found { name, profile, sources } = found;
        let view = profile.view.as_ref().map(|v| ViewSpec::new(v, &sources)).transpose()?;
        for (name, value) in &profile.environment {
            if !is_variable(name) || value.as_ref().contains('\0') {
                let problem = format!("`{name}` cannot be a variable's name, or its value holds a NUL");
                return Err(sources.error(value.span(), problem).into());
            }
        }
        let tree_name = profile.modules.as_ref().and_then(|m| m.tree.as_ref());
        let tree = match tree_name {
            None => None,
            Some(tree) => Some(embedded::tree(tree.as_ref()).ok_or_else(|| {
                let known: Vec<&str> = embedded::TREES.iter().map(|t| t.name).collect();
                let near = near::nearest(tree.as_ref(), known.iter().copied());
                let hint = near.map_or(known.join(", "), |n| format!("did you mean {n}?"));
                sources.error(tree.span(), format!("no embedded module tree `{}`: {hint}", tree.as_ref()))
            })?),
        };
        let modules = profile.modules.as_ref().map(|m| ModuleSpec::new(m, tree, &sources)).transpose()?;
        Ok(Site { name, profile, view, modules, tree, sources, conf: None, listed: Vec::new() })
    }

    /// The name under which it was found, for example `alpine@2023-07`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One line about it.
    pub fn description(&self) -> &str {
        match self.conf {
            Some(_) => "a cluster as slurm.conf describes it",
            None => self.profile.description.as_deref().unwrap_or_default(),
        }
    }

    /// Whether users and jobs of this site live in a view ([`bivouac_view`]); `local` has none.
    pub fn has_view(&self) -> bool {
        self.view.is_some()
    }

    /// What the controller of cluster `cluster` works with. Looks at the machine if the profile has a node of
    /// the machine's own shape.
    ///
    /// # Errors
    /// [`SiteError`] naming the place in the profile that does not hold together.
    pub fn cluster_config(&self, cluster: &str) -> Result<ClusterConfig, SiteError> {
        self.cluster_config_on(cluster, Machine::detect)
    }

    /// As [`Site::cluster_config`], on a machine that is described instead of looked at.
    ///
    /// # Errors
    /// As [`Site::cluster_config`].
    pub fn cluster_config_on(
        &self,
        cluster: &str,
        machine: impl FnOnce() -> Result<Machine, SiteError>,
    ) -> Result<ClusterConfig, SiteError> {
        if let Some(conf) = &self.conf {
            return Ok(ClusterConfig { cluster: cluster.to_owned(), ..(**conf).clone() });
        }
        cluster::build(&self.profile, &self.sources, cluster, &self.name, machine)
    }

    /// Names of the nodes that are listed by name, for the view's `/etc/hosts`.
    pub(crate) fn node_names(&self) -> Vec<String> {
        if let Some(conf) = &self.conf {
            return conf.nodes.iter().map(|n| n.name.clone()).collect();
        }
        let groups = self.profile.nodes.iter().filter_map(|g| g.names.as_ref());
        groups.flat_map(|names| names.as_ref().0.iter().cloned()).collect()
    }
}

/// The embedded profile that knows all of the given names, if there is one: what a refused job asked for. With
/// neither name there is none.
pub fn find_profile_naming(partition: Option<&str>, qos: Option<&str>) -> Option<String> {
    if partition.is_none() && qos.is_none() {
        return None;
    }
    let has_partition = |f: &Found, name: &str| f.profile.partitions.iter().any(|p| p.name.as_ref() == name);
    let has_qos = |f: &Found, name: &str| f.profile.qos.iter().any(|q| q.name.as_ref() == name);
    sources::all_embedded()
        .find(|f| partition.is_none_or(|p| has_partition(f, p)) && qos.is_none_or(|q| has_qos(f, q)))
        .map(|f| f.name)
}

/// Names of the embedded profiles, without aliases.
pub fn embedded_names() -> impl Iterator<Item = &'static str> {
    embedded::EMBEDDED.iter().map(|e| e.name)
}

#[cfg(test)]
#[path = "site_tests.rs"]
mod tests;
