//! Site profiles: what a cluster looks like, as data.
//!
//! **Owns** the format of profiles (TOML) and the embedded ones, how a user's own are found and laid over
//! them, the module tree and the shell start-up files that a site brings, and from these the controller's
//! [`ClusterConfig`], the view and the environment of a login and of a job.
//!
//! **Must never know** how the controller, the keeper, the module command or conda work inside. It starts
//! no process but, once per [`Site::install`], `bivouac-module init SHELL` and a bash that prints functions.
//!
//! **Start reading** at [`Site`]; then `format.rs` (the file's shape), `cluster.rs`, `session.rs` (what a
//! login or a job gets) and `init.rs` (what a shell reads). Users read docs/sites.md.
//!
//! ```no_run
//! # use bivouac_site::{Access, Cluster, JobPlace, Site, User};
//! # use std::path::Path;
//! # fn main() -> Result<(), bivouac_site::SiteError> {
//! let site = Site::load("alpine@2023-07", Path::new("/home/alice"))?;
//! let config = site.cluster_config("camp")?; // for the controller
//! let cluster = Cluster { name: "camp".into(), state_dir: "/var/camp".into(), exe_dir: "/usr/bin".into() };
//! let installed = site.install(&cluster)?; // at every start of the controller
//! let user = User { name: "alice".into(), home: "/home/alice".into() };
//! let job = JobPlace { job: "7".into(), node: "c3cpu-a2-u1-1".into(), kept: None };
//! let session = installed.job(&user, Access::Namespaces, &job)?;
//! let mut environment = vec![b"PATH=/usr/bin:/bin".to_vec()];
//! session.environment.apply(&mut environment);
//! # let _ = (config, session.plan); Ok(()) }
//! ```

mod cluster;
mod embedded;
mod environment;
mod error;
mod format;
mod functions;
mod init;
mod install;
mod machine;
mod near;
mod session;
mod site;
mod slurm_conf;
mod sources;
mod values;
mod view;

pub use bivouac_types::config::ClusterConfig;
pub use environment::SiteEnvironment;
pub use error::{ProfileError, SiteError};
pub use install::{ABSENT_COMMANDS, ABSENT_SITE_COMMANDS, AbsentCommand, COMMANDS, Installed};
pub use machine::Machine;
pub use session::{Access, JobPlace, Session, User, kept_for_jobs};
pub use site::{Cluster, Site, embedded_names, find_profile_naming};
pub use sources::OWN_PROFILES;
