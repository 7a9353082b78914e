//! Making an environment from a request: solve, compare with what is there, and only then change anything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rattler_conda_types::RepoDataRecord;
use sha2::{Digest, Sha256};

use crate::channel::{self, Tier};
use crate::config::Config;
use crate::environments::{self, is_environment};
use crate::error::{CondaError, Result};
use crate::meta::{self, HistoryEntry, Made};
use crate::packages::Packages;
use crate::progress::Output;
use crate::replace::{self, Build};
use crate::solve::{self, Spec};
use crate::vars::Vars;
use crate::{lock, pip, pyc, tree};

/// What an environment shall be.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Where.
    pub prefix: PathBuf,
    /// Channel names, best first.
    pub channels: Vec<String>,
    /// Package specs as written.
    pub specs: Vec<String>,
    /// Lines of the `pip:` section, if there is one.
    pub pip: Option<Vec<String>>,
    /// The folder in which relative paths among the pip lines are meant.
    pub folder: PathBuf,
    /// Variables the environment sets when activated.
    pub variables: BTreeMap<String, String>,
    /// The command line, for the history.
    pub command: Vec<String>,
}

/// A request with its solution; nothing on disk has changed yet.
pub struct Plan<'a> {
    /// The request.
    pub request: Request,
    /// The packages, sorted by name.
    pub records: Vec<RepoDataRecord>,
    specs: Vec<Spec>,
    tiers: Vec<Tier>,
    packages: Packages<'a>,
    config: &'a Config,
    output: Output,
    fingerprint: String,
}

/// Reads channels and solves.
///
/// # Errors
/// See [`Packages::records`] and [`solve::solve`]; nothing was changed.
pub fn plan<'a>(
    config: &'a Config,
    vars: &Vars,
    output: Output,
    cwd: &Path,
    mut request: Request,
) -> Result<Plan<'a>> {
    if request.prefix == config.root {
        return Err(CondaError::value(
            "The target prefix is the base prefix. Choose a name with -n or a place with -p.",
        ));
    }
    for (key, file) in &config.unsupported {
        eprintln!("WARNING: {}: the key '{key}' is not supported and has no effect", file.display());
    }
    let mut tiers = channel::resolve(config, &request.channels, cwd)?;
    let mut specs = solve::parse_specs(config, &request.specs, &mut tiers, cwd)?;
    if request.pip.is_some() && !specs.iter().any(|spec| solve::name_of(&spec.spec) == "pip") {
        eprintln!(
            "Warning: the file has a pip: section but does not list pip among its dependencies. pip is added for \
             this time; please list it."
        );
        specs.extend(solve::parse_specs(config, &["pip".to_owned()], &mut tiers, cwd)?);
        request.specs.push("pip".to_owned());
    }
    let packages = Packages::open(config)?;
    let records = if specs.is_empty() {
        Vec::new()
    } else {
        let wanted: Vec<_> = specs.iter().map(|spec| spec.spec.clone()).collect();
        let repodata = output
            .step("Collecting package metadata (repodata.json)", || packages.records(&tiers, &wanted))?;
        output.step("Solving environment", || {
            let system = solve::virtual_packages(packages.subdir())?;
            solve::solve(config, &tiers, packages.subdir(), &specs, &repodata, system)
        })?
    };
    let fingerprint = fingerprint(config, vars, &request, &records);
    Ok(Plan { request, records, specs, tiers, packages, config, output, fingerprint })
}

/// Digest of everything that decides what the environment will hold.
fn fingerprint(config: &Config, vars: &Vars, request: &Request, records: &[RepoDataRecord]) -> String {
    let mut lines = vec![
        "bivouac environment 1".to_owned(),
        request.prefix.display().to_string(),
        format!("copies {}", config.always_copy),
    ];
    lines.extend(records.iter().map(|record| {
        let package = &record.package_record;
        match (package.sha256, package.md5) {
            (Some(sha256), _) => format!("package {}", lock::hex(&sha256)),
            (None, Some(md5)) => format!("package {} {}", record.identifier, lock::hex(&md5)),
            (None, None) => format!("package {} {:?} {:?}", record.url, package.size, package.timestamp),
        }
    }));
    lines.extend(request.variables.iter().map(|(name, value)| format!("variable {name}={value:?}")));
    if let Some(pip) = &request.pip {
        lines.extend(pip.iter().map(|line| format!("pip {line}")));
        lines.extend(pip::settings(vars));
    }
    lock::hex(&Sha256::digest(lines.join("\n").as_bytes()))
}

impl Plan<'_> {
    /// Makes the environment so. When an equal one is there already, or was removed a short while ago and nobody touched
    /// it, that one is taken.
    ///
    /// # Errors
    /// Whatever could not be done; an environment that was there before is there again.
    pub fn execute(self) -> Result<()> {
        let prefix = self.request.prefix.clone();
        let _lock = lock::take(self.config, &prefix)?;
        replace::recover(&prefix);
        let reusable = self.request.pip.as_deref().is_none_or(pip::by_name_only);
        let reused = reusable
            && if is_environment(&prefix) {
                replace::stands_for(&prefix, &self.fingerprint)
            } else {
                !prefix.exists() && replace::restore(self.config, &prefix, &self.fingerprint)
            };
        if reused {
            for name in ["Preparing transaction", "Verifying transaction", "Executing transaction"] {
                self.output.line(&format!("{name}: done"));
            }
            if self.request.pip.is_some() {
                self.output.line("Installing pip dependencies: done");
            }
        } else {
            self.build(&prefix)?;
        }
        environments::register(self.config, &prefix);
        Ok(())
    }

    fn build(&self, prefix: &Path) -> Result<()> {
        let output = self.output;
        let cache_lock = self.packages.lock_cache()?;
        let downloads = Arc::new(output.downloads());
        let fetched = self.packages.fetch(&self.records, &downloads);
        if downloads.count() > 0 {
            let end = if fetched.is_ok() { "done" } else { "failed" };
            output.line(&format!("Downloading and Extracting Packages: {end}"));
        }
        fetched?;
        let build = output.step("Preparing transaction", || Build::begin(self.config, prefix))?;
        output.line("Verifying transaction: done");
        output.step("Executing transaction", || {
            let specs = self.specs.iter().map(|spec| spec.spec.clone()).collect();
            self.packages.link(prefix, self.records.clone(), specs)?;
            pyc::provide(prefix, &self.packages.pyc_dir());
            self.write_notes(prefix)
        })?;
        drop(cache_lock);
        let until = match &self.request.pip {
            Some(lines) if !lines.is_empty() => {
                if let Err(error) = pip::install(prefix, lines, &self.request.folder, output) {
                    return self.without_pip(prefix, build, error);
                }
                Some(replace::now() + pip::GOOD_FOR)
            }
            _ => None,
        };
        let tree = tree::digest(prefix).map_err(|error| CondaError::io("read", prefix, &error))?;
        let fingerprint = self.fingerprint.clone();
        Made { version: Made::VERSION, fingerprint, tree, created: replace::now(), until }.write(prefix)?;
        build.commit()
    }

    /// Pip failed: an older environment is restored; without one, the conda packages stay, as conda leaves them.
    fn without_pip(&self, prefix: &Path, build: Build<'_>, mut error: CondaError) -> Result<()> {
        if build.replaces() {
            drop(build);
            error.message.push_str("\nThe environment is again as it was before.");
        } else {
            build.commit()?;
            environments::register(self.config, prefix);
            error.message.push_str(&format!(
                "\nThe conda packages are installed in {}; those of the pip: section are not.",
                prefix.display()
            ));
        }
        Err(error)
    }

    fn write_notes(&self, prefix: &Path) -> Result<()> {
        meta::append_history(
            prefix,
            &HistoryEntry {
                command: self.request.command.clone(),
                linked: self.records.iter().map(|record| self.described(record)).collect(),
                unlinked: Vec::new(),
                specs: self.request.specs.clone(),
            },
        )?;
        if !self.request.variables.is_empty() {
            meta::write_state(prefix, &self.request.variables)?;
        }
        Ok(())
    }

    /// `channel/subdir::name-version-build`.
    pub fn described(&self, record: &RepoDataRecord) -> String {
        let package = &record.package_record;
        format!(
            "{}/{}::{}-{}-{}",
            channel::label(self.config, &self.tiers, record.channel.as_deref().unwrap_or_default()),
            package.subdir,
            package.name.as_normalized(),
            package.version,
            package.build
        )
    }
}
