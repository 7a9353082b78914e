//! A site that is a folder with a slurm.conf: users and jobs live as on `local`, the cluster is what the files say.

use std::fs;
use std::io;
use std::path::Path;

use bivouac_slurmconf::Outcome;
use bivouac_types::config::ClusterConfig;

use crate::embedded;
use crate::error::SiteError;
use crate::site::Site;
use crate::sources;

/// A configuration file above this size is none.
const MAX_FILE: u64 = 16 << 20;

impl Site {
    /// Whether a site's name is the path of a folder with Slurm's configuration files.
    pub fn is_slurm_conf(name: &str) -> bool {
        name.contains('/') && Path::new(name).is_dir()
    }

    /// Whether a site's name is that of a cluster on a slurm.conf: the file's absolute path.
    pub fn has_slurm_conf(name: &str) -> bool {
        name.starts_with('/') && name.ends_with(&format!("/{}", bivouac_slurmconf::SLURM_CONF))
    }

    /// Reads the slurm.conf in a folder, and the files beside it. The site's name is the file's absolute path.
    ///
    /// # Errors
    /// [`SiteError::SlurmConf`] with everything that is wrong; the folder's path that cannot be followed.
    pub fn from_slurm_conf(dir: &Path) -> Result<Site, SiteError> {
        let dir = fs::canonicalize(dir).map_err(crate::error::on_file("read", dir))?;
        let Some(name) = dir.to_str() else {
            return Err(SiteError::Machine(format!("the path of {} is not UTF-8", dir.display())));
        };
        let Outcome { config, problems, listed } = bivouac_slurmconf::read(name, None, &mut open);
        match config {
            Some(config) => {
                let mut site = Site::of_config(config)?;
                site.listed = listed.iter().map(ToString::to_string).collect();
                Ok(site)
            }
            None => Err(SiteError::SlurmConf(problems.iter().map(ToString::to_string).collect())),
        }
    }

    /// The site of a configuration that was read before.
    ///
    /// # Errors
    /// None that a complete program has.
    pub fn of_config(config: ClusterConfig) -> Result<Site, SiteError> {
        let Some(local) = embedded::by_name("local") else {
            return Err(SiteError::Machine("the profile `local` is missing".into()));
        };
        let mut site = Site::from(sources::parse_embedded(local)?)?;
        site.name = config.site.clone();
        site.conf = Some(Box::new(config));
        Ok(site)
    }

    /// The configuration of the slurm.conf, with the name that the file has for the cluster.
    pub fn slurm_conf(&self) -> Option<&ClusterConfig> {
        self.conf.as_deref()
    }

    /// What was given in slurm.conf and changes nothing here: file, line, key and reason.
    pub fn listed(&self) -> &[String] {
        &self.listed
    }
}

/// The text of a file; none if there is none.
fn open(path: &str) -> Result<Option<String>, String> {
    match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e.to_string()),
        Ok(m) if !m.is_file() => return Err("it is no file".into()),
        Ok(m) if m.len() > MAX_FILE => return Err(format!("it is larger than {} MiB", MAX_FILE >> 20)),
        Ok(_) => {}
    }
    let bytes = fs::read(path).map_err(|e| e.to_string())?;
    String::from_utf8(bytes).map(Some).map_err(|_| "it is not UTF-8 text".into())
}
