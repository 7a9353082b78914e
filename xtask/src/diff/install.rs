//! Installs the reference, Debian's packages of Slurm 22.05, where that is allowed, and makes the account of the cases.

use std::path::Path;
use std::process::Command;

use crate::machine;

const PACKAGES: [&str; 4] = ["slurm-wlm", "slurmdbd", "mariadb-server", "munge"];
/// One program of each package and of those that they need.
const PROGRAMS: [&str; 6] = [
    "/usr/sbin/slurmctld",
    "/usr/sbin/slurmd",
    "/usr/sbin/slurmdbd",
    "/usr/sbin/mariadbd",
    "/usr/sbin/munged",
    "/usr/bin/sbatch",
];
/// The version that the cases are about.
const VERSION: &str = "22.05";
/// While this file forbids it, packages start no services.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Makes sure that the reference can be started here.
///
/// # Errors
/// It cannot: why, and what to do.
pub fn install() -> Result<(), String> {
    if !machine::is_root() {
        return Err("Slurm's daemons are started as root; run this as root".to_owned());
    }
    if !machine::ordinary_user() {
        return Err(format!("cases run as {} too, and that account cannot be made", machine::ORDINARY_USER));
    }
    let missing = || PROGRAMS.into_iter().filter(|program| !Path::new(program).exists()).collect::<Vec<_>>();
    if !missing().is_empty() {
        with_services_forbidden(|| machine::install_packages(&PACKAGES))?;
    }
    if let Some(program) = missing().first() {
        return Err(format!("{program} is missing; as root: apt-get install {}", PACKAGES.join(" ")));
    }
    let query = ["-W", "-f", "${Version}", "slurm-client"];
    let version = Command::new("dpkg-query").args(query).output().map_err(|e| format!("dpkg-query: {e}"))?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    match version.starts_with(VERSION) {
        true => Ok(()),
        false => Err(format!("the cases are about Slurm {VERSION}; this machine has {version}")),
    }
}

/// Lets something be installed without its services being started, and undoes that.
fn with_services_forbidden(install: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    let policy = Path::new(POLICY);
    let theirs = policy.exists();
    if !theirs {
        std::fs::write(policy, "#!/bin/sh\nexit 101\n").map_err(|e| format!("{POLICY}: {e}"))?;
        std::fs::set_permissions(policy, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .map_err(|e| format!("{POLICY}: {e}"))?;
    }
    let installed = install();
    if !theirs {
        std::fs::remove_file(policy).map_err(|e| format!("{POLICY}: {e}"))?;
    }
    installed
}
