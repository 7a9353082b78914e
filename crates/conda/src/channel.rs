//! From channel names to URLs: `defaults`, custom channels and multichannels, paths, the alias.

use std::path::Path;

use rattler_conda_types::{Channel, ChannelUrl};
use url::Url;

use crate::config::Config;
use crate::error::{CondaError, Result};

/// One place in the order of preference: a channel, or several that count as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// The name the user gave.
    pub name: String,
    /// Base URLs, each ending in `/`; more than one for a multichannel.
    pub urls: Vec<Url>,
    /// Whether the name stands for a group, as `defaults` does.
    pub group: bool,
}

impl Tier {
    /// Rattler's form of the members.
    pub fn channels(&self) -> Vec<Channel> {
        self.urls
            .iter()
            .map(|url| Channel {
                name: Some(self.name.clone()),
                base_url: ChannelUrl::from(url.clone()),
                platforms: None,
            })
            .collect()
    }
}

/// Resolves names in order, leaving out repetitions.
///
/// # Errors
/// A name that can be no channel.
pub fn resolve(config: &Config, names: &[String], cwd: &Path) -> Result<Vec<Tier>> {
    let mut tiers: Vec<Tier> = Vec::new();
    for name in names {
        let tier = resolve_one(config, name, cwd)?;
        if !tiers.iter().any(|other| other.urls == tier.urls) {
            tiers.push(tier);
        }
    }
    Ok(tiers)
}

/// Resolves one channel name.
///
/// # Errors
/// A name that can be no channel.
pub fn resolve_one(config: &Config, name: &str, cwd: &Path) -> Result<Tier> {
    let members = match config.custom_multichannels.get(name) {
        Some(members) => Some(members),
        None if name == "defaults" => Some(&config.default_channels),
        None => None,
    };
    let Some(members) = members else {
        return Ok(Tier { name: name.to_owned(), urls: vec![base_url(config, name, cwd)?], group: false });
    };
    let mut urls = Vec::new();
    for member in members {
        let url = base_url(config, member, cwd)?;
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    if urls.is_empty() {
        return Err(bad(name, "it is a multichannel without members"));
    }
    Ok(Tier { name: name.to_owned(), urls, group: true })
}

fn bad(name: &str, why: &str) -> CondaError {
    CondaError::new("ChannelError", format!("'{name}' is no channel: {why}"))
}

fn base_url(config: &Config, name: &str, cwd: &Path) -> Result<Url> {
    let name = name.trim().trim_end_matches('/');
    // A channel given with its subdir means the channel.
    let name = ["/linux-64", "/linux-aarch64", "/noarch"]
        .iter()
        .find_map(|subdir| name.strip_suffix(subdir))
        .unwrap_or(name);
    if name.is_empty() {
        return Err(bad(name, "the name is empty"));
    }
    if name.starts_with('/')
        || name.starts_with("./")
        || name.starts_with("../")
        || name == "."
        || name == ".."
    {
        let path = crate::vars::absolute(&cwd.join(name));
        return Url::from_directory_path(&path).map_err(|()| bad(name, "the path is not absolute"));
    }
    let text = if name.contains("://") {
        name.to_owned()
    } else if let Some(base) = config.custom_channels.get(name) {
        format!("{}/{name}", base.trim_end_matches('/'))
    } else if let Some(rest) = name.strip_prefix("pkgs/") {
        format!("https://repo.anaconda.com/pkgs/{rest}")
    } else if name.contains([':', '\\', ' ', '[', ']']) {
        return Err(bad(name, "a name has no spaces, colons, brackets or backslashes"));
    } else {
        format!("{}/{name}", config.channel_alias.trim_end_matches('/'))
    };
    let url = Url::parse(&format!("{text}/")).map_err(|error| bad(name, &error.to_string()))?;
    if !matches!(url.scheme(), "file" | "http" | "https") {
        return Err(bad(name, "its URL is none of file, http, https"));
    }
    Ok(url)
}

/// The URL without user name, password and token, and without the closing `/`: what may be printed.
pub fn printable(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only for URLs that cannot carry credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let text = url.to_string();
    let text = text.trim_end_matches('/');
    match text.split_once("/t/") {
        Some((host, rest)) => format!("{host}/{}", rest.split_once('/').map_or("", |(_, path)| path)),
        None => text.to_owned(),
    }
}

/// How a record's channel URL is shown: the name it was asked for by, `pkgs/main` for Anaconda's, the group's name for
/// other members of a group, else the URL.
pub fn label(config: &Config, tiers: &[Tier], url: &str) -> String {
    let url = url.trim_end_matches('/');
    let same = |other: &Url| other.as_str().trim_end_matches('/') == url;
    if let Some(tier) = tiers.iter().find(|tier| !tier.group && tier.urls.iter().any(same)) {
        return tier.name.clone();
    }
    for base in [config.channel_alias.as_str(), "https://repo.anaconda.com", "https://conda.anaconda.org"] {
        if let Some(name) =
            url.strip_prefix(base.trim_end_matches('/')).and_then(|rest| rest.strip_prefix('/'))
        {
            return name.to_owned();
        }
    }
    if let Some(tier) = tiers.iter().find(|tier| tier.urls.iter().any(same)) {
        return tier.name.clone();
    }
    Url::parse(url).map_or_else(|_| url.to_owned(), |url| printable(&url))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vars::Vars;

    fn config() -> Config {
        let vars = Vars::from([("HOME", "/nonexistent/home"), ("CONDA_ROOT", "/nonexistent/conda")]);
        let mut config = Config::load(&vars, Path::new("/x/conda"), Path::new("/")).unwrap();
        config.channel_alias = "https://alias.example".into();
        config.default_channels = vec!["https://one.example/main".into(), "/srv/channel".into()];
        config.custom_channels.insert("lab".into(), "https://lab.example/base/".into());
        config
            .custom_multichannels
            .insert("both".into(), vec!["lab".into(), "conda-forge".into(), "lab".into()]);
        config
    }

    fn urls(name: &str) -> Vec<String> {
        resolve_one(&config(), name, Path::new("/cwd")).unwrap().urls.iter().map(Url::to_string).collect()
    }

    #[test]
    fn every_way_to_name_a_channel_is_resolved() {
        assert_eq!(urls("conda-forge"), ["https://alias.example/conda-forge/"]);
        assert_eq!(urls("conda-forge/label/dev"), ["https://alias.example/conda-forge/label/dev/"]);
        assert_eq!(urls("lab"), ["https://lab.example/base/lab/"]);
        assert_eq!(urls("defaults"), ["https://one.example/main/", "file:///srv/channel/"]);
        assert_eq!(urls("both"), ["https://lab.example/base/lab/", "https://alias.example/conda-forge/"]);
        assert_eq!(urls("pkgs/main"), ["https://repo.anaconda.com/pkgs/main/"]);
        assert_eq!(urls("https://h.example/c/linux-64"), ["https://h.example/c/"]);
        assert_eq!(urls("./mine"), ["file:///cwd/mine/"]);
    }

    #[test]
    fn what_can_be_no_channel_is_refused() {
        for name in ["", "a b", "x[linux-64]", "ftp://h/c", "c:\\x"] {
            assert_eq!(
                resolve_one(&config(), name, Path::new("/")).unwrap_err().name,
                "ChannelError",
                "{name}"
            );
        }
    }

    #[test]
    fn credentials_are_not_printed() {
        let url = Url::parse("https://me:secret@h.example/t/tk-123/chan/").unwrap();
        assert_eq!(printable(&url), "https://h.example/chan");
    }
}
