//! Package records and archives: reading channels, filling the package cache, linking into a prefix. All the use of the
//! network is here.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rattler::install::{Installer, LinkOptions};
use rattler::package_cache::{PackageCache, PackageCacheLayer};
use rattler_conda_types::{MatchSpec, RepoDataRecord, Subdir};
use rattler_networking::retry_policies::{RetryDecision, RetryPolicy};
use rattler_networking::{LazyClient, OfflineMiddleware};
use rattler_repodata_gateway::fetch::CacheAction;
use rattler_repodata_gateway::{ChannelConfig, Gateway, MultiSource, RepoData, Source, SourceConfig};

use crate::channel::{Tier, printable};
use crate::config::{Config, writable};
use crate::error::{CondaError, Result, with_causes};
use crate::lock::{self, Lock};
use crate::progress::{Downloads, PackageReport};

/// How long a host may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);
/// How long a host that answered may be silent.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(20);
/// A download that breaks off is begun again so many times,
const RETRIES: u32 = 3;
/// but not when this long has passed already: a host that keeps silent is not waited for again and again.
const RETRY_WINDOW: Duration = Duration::from_secs(12);
/// Downloads at one time.
const PARALLEL_DOWNLOADS: usize = 8;

/// Access to channels and caches for one command.
pub struct Packages<'a> {
    config: &'a Config,
    subdir: Subdir,
    runtime: tokio::runtime::Runtime,
    client: LazyClient,
    cache: PackageCache,
    cache_dir: PathBuf,
}

impl<'a> Packages<'a> {
    /// Opens the caches; contacts nobody.
    ///
    /// # Errors
    /// No package cache can be written, or `subdir` names no platform.
    pub fn open(config: &'a Config) -> Result<Self> {
        let subdir = match &config.subdir {
            Some(name) => name.parse::<Subdir>().map_err(|_| {
                CondaError::value(format!("subdir: '{name}' is no platform, for example linux-64"))
            })?,
            None => Subdir::current().ok_or_else(|| {
                CondaError::value("this machine's platform is unknown to conda; set CONDA_SUBDIR")
            })?,
        };
        // Rattler writes into the first layer and reads all of them, so the writable ones come first.
        let (mine, others): (Vec<_>, Vec<_>) = config.pkgs_dirs.iter().partition(|dir| writable(dir));
        let Some(first) = mine.first() else {
            return Err(CondaError::new(
                "NoWritablePkgsDirError",
                format!(
                    "No writeable pkgs directories configured.{}",
                    config.pkgs_dirs.iter().map(|dir| format!("\n  - {}", dir.display())).collect::<String>()
                ),
            ));
        };
        let cache_dir = cache_dir(first);
        let create = |dir: &Path| {
            std::fs::create_dir_all(dir)
                .map_err(|error| CondaError::io("create the package cache", dir, &error))
        };
        create(&cache_dir.join("pkgs"))?;
        create(&cache_dir.join("repodata"))?;
        let layers = mine.iter().chain(&others).map(|dir| cache_dir_layer(dir));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 8)))
            .enable_all()
            .build()
            .map_err(|error| CondaError::new("CondaError", format!("cannot start threads: {error}")))?;
        let offline = config.offline;
        Ok(Self {
            config,
            subdir,
            runtime,
            client: LazyClient::new(move || client(offline)),
            cache: PackageCache::from_layers(layers, false),
            cache_dir,
        })
    }

    /// The platform packages are for.
    pub fn subdir(&self) -> Subdir {
        self.subdir
    }

    /// Where compiled Python files are kept.
    pub fn pyc_dir(&self) -> PathBuf {
        self.cache_dir.join("pyc")
    }

    /// Records of all packages that `specs` and their dependencies may need. Where a channel has pip, python depends on
    /// it, unless `add_pip_as_python_dependency` is off (conda's documentation of that key).
    ///
    /// # Errors
    /// A channel that cannot be reached or is none; the message has its URL.
    pub fn records(&self, tiers: &[Tier], specs: &[MatchSpec]) -> Result<Vec<RepoData>> {
        let mut sources = Vec::new();
        for tier in tiers {
            let members: Vec<Source> = tier.channels().into_iter().map(Source::Channel).collect();
            if tier.group {
                let group = MultiSource::new(tier.name.as_str(), members)
                    .map_err(|error| CondaError::new("ChannelError", error.to_string()))?;
                sources.push(Source::Multi(group));
            } else {
                sources.extend(members);
            }
        }
        for url in tiers.iter().flat_map(|tier| &tier.urls) {
            if let Ok(path) = url.to_file_path()
                && url.scheme() == "file"
                && !path.join("noarch/repodata.json").is_file()
                && !path.join(self.subdir.as_str()).join("repodata.json").is_file()
            {
                return Err(CondaError::new(
                    "UnavailableInvalidChannel",
                    format!(
                        "The channel is not accessible or is invalid.\n  channel url: {}\n  There is no {}",
                        printable(url),
                        path.join("noarch/repodata.json").display()
                    ),
                ));
            }
        }
        let default = SourceConfig {
            cache_action: if self.config.offline {
                CacheAction::ForceCacheOnly
            } else {
                CacheAction::CacheOrFetch
            },
            ..SourceConfig::default()
        };
        let gateway = Gateway::builder()
            .with_cache_dir(self.cache_dir.join("repodata"))
            .with_package_cache(self.cache.clone())
            .with_client(self.client.clone())
            .with_channel_config(ChannelConfig { default, ..ChannelConfig::default() })
            .finish();
        let query = |python_needs_pip: bool| {
            let mut query =
                gateway.query(sources.clone(), [self.subdir, Subdir::NoArch], specs.to_vec()).recursive(true);
            if python_needs_pip {
                query = query.with_record_patch(needing_pip);
            }
            match self.runtime.block_on(query.execute()) {
                Ok(output) => Ok(output.repodata),
                Err(error) => Err(unreachable(tiers, &with_causes(&error), self.config.offline)),
            }
        };
        if self.config.add_pip_as_python_dependency {
            let records = query(true)?;
            if records.iter().flat_map(RepoData::iter).any(|record| named(record, "pip")) {
                return Ok(records);
            }
            // No channel has pip: python must not need what cannot be had. The gateway has read the channels already.
        }
        query(false)
    }

    /// Keeps other processes from filling the package cache while it is held: rattler itself guards the cache only while
    /// it links. Take it before [`Packages::fetch`] and hold it until [`Packages::link`] is done.
    ///
    /// # Errors
    /// The lock cannot be made.
    pub fn lock_cache(&self) -> Result<Lock> {
        let lock = lock::take_file(&self.cache_dir.join("lock"), &self.cache_dir)?;
        // Folders with a leading dot are archives being unpacked; nobody unpacks now, so a killed process left them.
        for entry in std::fs::read_dir(self.cache_dir.join("pkgs")).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with('.') && entry.path().is_dir() {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
        Ok(lock)
    }

    /// Sees to it that the archives of `records` are in the cache, unpacked.
    ///
    /// # Errors
    /// The first package that cannot be had, with its URL.
    pub fn fetch(&self, records: &[RepoDataRecord], downloads: &Arc<Downloads>) -> Result<()> {
        let permits = Arc::new(tokio::sync::Semaphore::new(PARALLEL_DOWNLOADS));
        let result = self.runtime.block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for record in records.iter().cloned() {
                let (cache, client, permits) = (self.cache.clone(), self.client.clone(), permits.clone());
                let report = PackageReport { all: downloads.clone(), seen: 0.into() };
                tasks.spawn(async move {
                    let package = &record.package_record;
                    let (policy, report) = (Retries, Some(Arc::new(report) as _));
                    let url = record.url.clone();
                    let done = match url.to_file_path() {
                        Ok(path) if url.scheme() == "file" => {
                            cache.get_or_fetch_from_path(&path, Some(package), report).await
                        }
                        _ => {
                            let permits = Some(permits);
                            cache
                                .get_or_fetch_from_url_with_retry(
                                    package, url, client, policy, report, permits,
                                )
                                .await
                        }
                    };
                    done.map(drop).map_err(|error| {
                        CondaError::new(
                            "CondaHTTPError",
                            format!(
                                "cannot get the package {}\n  {}\nNothing was changed. Try again later.",
                                printable(&record.url),
                                with_causes(&error)
                            ),
                        )
                    })
                });
            }
            while let Some(done) = tasks.join_next().await {
                done.map_err(|error| {
                    CondaError::new("CondaError", format!("a download broke off: {error}"))
                })??;
            }
            Ok(())
        });
        downloads.clear();
        result
    }

    /// Links packages into a new prefix.
    ///
    /// # Errors
    /// What could not be linked, and why.
    pub fn link(&self, prefix: &Path, records: Vec<RepoDataRecord>, specs: Vec<MatchSpec>) -> Result<()> {
        let copies_only = self.config.always_copy;
        let installer = Installer::new()
            .with_target_platform(self.subdir)
            .with_package_cache(self.cache.clone())
            .with_download_client(self.client.clone())
            .with_installed_packages(Vec::new())
            .with_requested_specs(specs)
            .with_execute_link_scripts(true)
            .with_link_options(LinkOptions {
                allow_hard_links: copies_only.then_some(false),
                ..LinkOptions::default()
            });
        let done = self.runtime.block_on(installer.install(prefix, records)).map_err(|error| {
            CondaError::new(
                "CondaVerificationError",
                format!("{}: {}", prefix.display(), with_causes(&error)),
            )
        })?;
        match done.post_link_script_result {
            Some(Ok(scripts)) if !scripts.failed_packages.is_empty() => Err(CondaError::new(
                "LinkError",
                format!(
                    "post-link script failed for package {}\n  prefix: {}",
                    scripts
                        .failed_packages
                        .iter()
                        .map(|name| name.as_normalized())
                        .collect::<Vec<_>>()
                        .join(", "),
                    prefix.display()
                ),
            )),
            Some(Err(error)) => Err(CondaError::new("LinkError", with_causes(&error))),
            _ => Ok(()),
        }
    }
}

fn named(record: &RepoDataRecord, name: &str) -> bool {
    record.package_record.name.as_normalized() == name
}

/// A python that depends on pip; `None` for what stays as it is.
fn needing_pip(record: &RepoDataRecord) -> Option<RepoDataRecord> {
    if !named(record, "python") || record.package_record.depends.iter().any(|spec| spec == "pip") {
        return None;
    }
    let mut record = record.clone();
    record.package_record.depends.push("pip".to_owned());
    Some(record)
}

/// When a download is begun again: after one, two, four seconds.
#[derive(Debug, Clone, Copy)]
struct Retries;

impl RetryPolicy for Retries {
    fn should_retry(&self, begun: SystemTime, tried: u32) -> RetryDecision {
        let now = SystemTime::now();
        let passed = now.duration_since(begun).unwrap_or_default();
        if tried > RETRIES || passed > RETRY_WINDOW {
            return RetryDecision::DoNotRetry;
        }
        RetryDecision::Retry { execute_after: now + Duration::from_secs(1 << tried.saturating_sub(1)) }
    }
}

/// This program's part of a `pkgs_dirs` entry. Genuine conda lays its cache out differently, so they do not share.
pub fn cache_dir(pkgs_dir: &Path) -> PathBuf {
    pkgs_dir.join("bivouac")
}

fn cache_dir_layer(pkgs_dir: &Path) -> PackageCacheLayer {
    PackageCacheLayer::new(cache_dir(pkgs_dir).join("pkgs"))
}

fn client(offline: bool) -> reqwest_middleware::ClientWithMiddleware {
    // A second call finds the provider set, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let plain = reqwest::Client::builder()
        .user_agent(concat!("bivouac-conda/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(SILENCE_TIMEOUT)
        .build()
        .unwrap_or_default();
    let mut builder = reqwest_middleware::ClientBuilder::new(plain);
    if offline {
        builder = builder.with(OfflineMiddleware);
    }
    builder.build()
}

fn unreachable(tiers: &[Tier], cause: &str, offline: bool) -> CondaError {
    let urls: Vec<String> = tiers.iter().flat_map(|tier| &tier.urls).map(printable).collect();
    let named: Vec<&String> = urls.iter().filter(|url| cause.contains(url.as_str())).collect();
    let shown: Vec<&String> = if named.is_empty() { urls.iter().collect() } else { named };
    let shown: String = shown.iter().map(|url| format!("\n  channel url: {url}")).collect();
    let missing = cause.contains("404") || cause.contains("could not find subdir");
    let name = if missing { "UnavailableInvalidChannel" } else { "CondaHTTPError" };
    let next = if offline {
        "conda is set to work offline, and what it needs is not in its cache."
    } else if missing {
        "Check the channel's name; see `conda info` for the channels in use."
    } else {
        "Check the network and the channel's address; with no network, use a channel on the disk (file://)."
    };
    // Those who never chose `defaults` do not know that it can stand for something else.
    let is_shown = |url| shown.contains(&printable(url));
    let of_defaults = tiers.iter().any(|tier| tier.name == "defaults" && tier.urls.iter().any(is_shown));
    let defaults = if of_defaults {
        "\nWhat `defaults` means can be changed: `default_channels` in ~/.condarc may name a mirror, or a channel on the \
         disk (file:///...)."
    } else {
        ""
    };
    CondaError::new(
        name,
        format!("The channel cannot be read.{shown}\n  {cause}\n{next} Nothing was changed.{defaults}"),
    )
}
