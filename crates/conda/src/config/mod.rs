//! Conda's configuration: `.condarc` files, then `CONDA_*` variables, then what the command line says.

pub mod condarc;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_yaml::Value;

use crate::error::{CondaError, Result};
use crate::vars::Vars;

/// Conda's version whose command line and texts are followed: that of `anaconda/2022.10`.
pub const CONDA_VERSION: &str = "22.9.0";

/// How channels are preferred over one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelPriority {
    /// Packages of a lower channel are not looked at when a higher one has any of that name.
    Strict,
    /// Higher channels are preferred. Conda's default.
    Flexible,
    /// All channels are equal.
    Disabled,
}

/// Everything that files and variables settle.
#[derive(Debug, Clone)]
pub struct Config {
    /// The base prefix.
    pub root: PathBuf,
    /// What `CONDA_EXE` shall be.
    pub exe: PathBuf,
    /// Where `environments.txt` lies: `~/.conda`.
    pub user_dir: Option<PathBuf>,
    /// Channel names or URLs, best first.
    pub channels: Vec<String>,
    /// Members of `defaults`, best first.
    pub default_channels: Vec<String>,
    /// Base URL of channels that are given by name.
    pub channel_alias: String,
    /// Channel name to base URL.
    pub custom_channels: BTreeMap<String, String>,
    /// Name to members.
    pub custom_multichannels: BTreeMap<String, Vec<String>>,
    /// Package caches, best first.
    pub pkgs_dirs: Vec<PathBuf>,
    /// Folders that hold named environments, best first.
    pub envs_dirs: Vec<PathBuf>,
    /// See [`ChannelPriority`].
    pub channel_priority: ChannelPriority,
    /// Never ask.
    pub always_yes: bool,
    /// Whether activation changes the prompt.
    pub changeps1: bool,
    /// Use nothing but local files.
    pub offline: bool,
    /// Copy files into environments instead of hard-linking them.
    pub always_copy: bool,
    /// Whether the shell hook activates `base`.
    pub auto_activate_base: bool,
    /// Pattern of the prompt, with `{default_env}`, `{name}`, `{prefix}`.
    pub env_prompt: String,
    /// Whether an environment with python gets pip, where a channel has it.
    pub add_pip_as_python_dependency: bool,
    /// Specs added to every `conda create`.
    pub create_default_packages: Vec<String>,
    /// Platform to solve for, for example `linux-64`; `None` for this machine's.
    pub subdir: Option<String>,
    /// The `.condarc` files that were read.
    pub files: Vec<PathBuf>,
    /// Keys that have no effect here, each with its file.
    pub unsupported: Vec<(String, PathBuf)>,
}

const ANACONDA: &str = "https://repo.anaconda.com";

/// Keys that change nothing about the result; accepted in silence. They steer conda's own presentation and updates.
const HARMLESS: &[&str] = &[
    "anaconda_upload",
    "allow_conda_downgrades",
    "auto_stack",
    "auto_update_conda",
    "binstar_upload",
    "debug",
    "default_threads",
    "error_upload_url",
    "experimental",
    "json",
    "notify_outdated_conda",
    "number_channel_notices",
    "plugins",
    "quiet",
    "remote_connect_timeout_secs",
    "report_errors",
    "repodata_threads",
    "show_channel_urls",
    "solver",
    "use_lockfiles",
    "verbosity",
];

impl Config {
    /// Reads files and variables. `exe` is this program as it was called.
    ///
    /// # Errors
    /// A broken `.condarc`, or a value of the wrong kind.
    pub fn load(vars: &Vars, exe: &Path, cwd: &Path) -> Result<Self> {
        let exe = vars.path("CONDA_EXE").unwrap_or_else(|| exe.to_owned());
        let root = root_prefix(vars, &exe);
        let merged = condarc::read(&condarc::places(vars, &root))?;
        Self::from_merged(vars, exe, root, cwd, merged)
    }

    fn from_merged(
        vars: &Vars,
        exe: PathBuf,
        root: PathBuf,
        cwd: &Path,
        mut merged: condarc::Merged,
    ) -> Result<Self> {
        apply_variables(vars, &mut merged);
        let mut keys = Keys { merged, vars };
        let user_dir = vars.home().map(|home| home.join(".conda"));
        let places = |own: Vec<String>, name: &str| -> Vec<PathBuf> {
            let mut dirs: Vec<PathBuf> = own.iter().map(|dir| vars.expand_path(dir, cwd)).collect();
            let mut standard = vec![root.join(name)];
            standard.extend(user_dir.as_ref().map(|dir| dir.join(name)));
            if !writable(&root) {
                standard.reverse();
            }
            // An own pkgs_dirs replaces the standard ones; an own envs_dirs comes before them, as in conda.
            if dirs.is_empty() || name == "envs" {
                dirs.extend(standard);
            }
            let mut seen = std::collections::BTreeSet::new();
            dirs.retain(|dir| seen.insert(dir.clone()));
            dirs
        };
        let envs_dirs = places(keys.list("envs_dirs")?, "envs");
        let pkgs_dirs = places(keys.list("pkgs_dirs")?, "pkgs");
        let default_channels = match keys.list("default_channels")? {
            own if !own.is_empty() => own,
            _ => match vars.text("BIVOUAC_DEFAULT_CHANNELS") {
                Some(site) => split(&site, ','),
                None => vec![format!("{ANACONDA}/pkgs/main"), format!("{ANACONDA}/pkgs/r")],
            },
        };
        let mut channels = keys.list("channels")?;
        channels.retain(|channel| channel != "nodefaults");
        if channels.is_empty() {
            channels.push("defaults".to_owned());
        }
        let channel_priority = match keys.text("channel_priority")?.as_deref() {
            None | Some("flexible" | "true") => ChannelPriority::Flexible,
            Some("strict") => ChannelPriority::Strict,
            Some("disabled" | "false") => ChannelPriority::Disabled,
            Some(other) => {
                return Err(
                    keys.bad("channel_priority", &format!("'{other}' is none of strict, flexible, disabled"))
                );
            }
        };
        let config = Self {
            channels,
            default_channels,
            channel_alias: keys
                .text("channel_alias")?
                .unwrap_or_else(|| "https://conda.anaconda.org".to_owned()),
            custom_channels: keys.texts("custom_channels")?,
            custom_multichannels: keys.lists("custom_multichannels")?,
            pkgs_dirs,
            envs_dirs,
            channel_priority,
            always_yes: keys.flag("always_yes", false)?,
            changeps1: keys.flag("changeps1", true)?,
            offline: keys.flag("offline", false)?,
            always_copy: keys.flag("always_copy", false)?,
            auto_activate_base: keys.flag("auto_activate_base", true)?,
            env_prompt: keys.text("env_prompt")?.unwrap_or_else(|| "({default_env}) ".to_owned()),
            add_pip_as_python_dependency: keys.flag("add_pip_as_python_dependency", true)?,
            create_default_packages: keys.list("create_default_packages")?,
            subdir: keys.text("subdir")?,
            files: keys.merged.files.clone(),
            unsupported: Vec::new(),
            root,
            exe,
            user_dir,
        };
        let unsupported = keys
            .merged
            .values
            .keys()
            .filter(|key| !HARMLESS.contains(&key.as_str()))
            .filter_map(|key| Some((key.clone(), keys.merged.origin.get(key)?.clone())))
            .collect();
        Ok(Self { unsupported, ..config })
    }
}

/// The base prefix: `CONDA_ROOT`, else the folder above the one `exe` lies in when that is called `bin` or `condabin`
/// below a folder of its own, else `~/.local/share/bivouac/conda`.
fn root_prefix(vars: &Vars, exe: &Path) -> PathBuf {
    if let Some(root) = vars.path("CONDA_ROOT") {
        return root;
    }
    let named_conda = exe.file_name().is_some_and(|name| name == "conda" || name == "mamba");
    let folder = exe.parent().filter(|dir| dir.ends_with("bin") || dir.ends_with("condabin"));
    match folder.and_then(Path::parent) {
        Some(root) if named_conda && vars.os("CONDA_EXE").is_some() => root.to_owned(),
        _ => vars
            .path("XDG_DATA_HOME")
            .or_else(|| vars.home().map(|home| home.join(".local/share")))
            .unwrap_or_else(|| PathBuf::from("/var/lib"))
            .join("bivouac/conda"),
    }
}

/// `CONDA_*` variables count as the last configuration file. Lists are split at commas, lists of folders at colons.
fn apply_variables(vars: &Vars, merged: &mut condarc::Merged) {
    const SCALARS: &[&str] = &[
        "channel_alias",
        "channel_priority",
        "always_yes",
        "changeps1",
        "offline",
        "always_copy",
        "auto_activate_base",
        "add_pip_as_python_dependency",
        "env_prompt",
        "subdir",
    ];
    for key in SCALARS {
        if let Some(value) = vars.text(&format!("CONDA_{}", key.to_uppercase())) {
            merged.values.insert((*key).to_owned(), Value::String(value));
        }
    }
    let lists = [
        ("CONDA_CHANNELS", "channels", ','),
        ("CONDA_DEFAULT_CHANNELS", "default_channels", ','),
        ("CONDA_CREATE_DEFAULT_PACKAGES", "create_default_packages", ','),
        ("CONDA_ENVS_PATH", "envs_dirs", ':'),
        ("CONDA_ENVS_DIRS", "envs_dirs", ':'),
        ("CONDA_PKGS_DIRS", "pkgs_dirs", ':'),
    ];
    for (variable, key, at) in lists {
        if let Some(text) = vars.text(variable) {
            let mut list: Vec<Value> = split(&text, at).into_iter().map(Value::String).collect();
            if let Some(Value::Sequence(earlier)) = merged.values.remove(key) {
                list.extend(earlier);
            }
            merged.values.insert(key.to_owned(), Value::Sequence(list));
        }
    }
}

fn split(text: &str, at: char) -> Vec<String> {
    text.split(at).map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Whether this process may write into `dir`, or could create it.
pub fn writable(dir: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    for place in dir.ancestors() {
        let Ok(name) = std::ffi::CString::new(place.as_os_str().as_bytes()) else { return false };
        // SAFETY: `name` is a NUL-terminated string that lives through the call.
        if unsafe { libc::access(name.as_ptr(), libc::W_OK | libc::X_OK) } == 0 {
            return place.is_dir();
        }
        if place.exists() {
            return false;
        }
    }
    false
}

/// Takes keys out of the merged files; what is left over is unsupported.
struct Keys<'a> {
    merged: condarc::Merged,
    vars: &'a Vars,
}

impl Keys<'_> {
    fn bad(&self, key: &str, what: &str) -> CondaError {
        let place = match self.merged.origin.get(key) {
            Some(file) => format!("in {}", file.display()),
            None => format!("in the environment variable CONDA_{}", key.to_uppercase()),
        };
        CondaError::new("CustomValidationError", format!("Parameter {key} {place}: {what}"))
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        self.merged.values.remove(key).filter(|value| !value.is_null())
    }

    fn scalar(&self, key: &str, value: Value) -> Result<String> {
        match value {
            Value::String(text) => Ok(self.vars.expand(&text)),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(flag) => Ok(flag.to_string()),
            _ => Err(self.bad(key, "expected a text")),
        }
    }

    fn text(&mut self, key: &str) -> Result<Option<String>> {
        self.take(key).map(|value| self.scalar(key, value)).transpose()
    }

    fn flag(&mut self, key: &str, default: bool) -> Result<bool> {
        match self.text(key)? {
            None => Ok(default),
            Some(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "y" | "1" => Ok(true),
                "false" | "no" | "off" | "n" | "0" => Ok(false),
                other => Err(self.bad(key, &format!("'{other}' is neither true nor false"))),
            },
        }
    }

    fn entries(&self, key: &str, value: Value) -> Result<Vec<String>> {
        match value {
            Value::Sequence(entries) => entries.into_iter().map(|entry| self.scalar(key, entry)).collect(),
            Value::String(one) => Ok(vec![self.vars.expand(&one)]),
            Value::Null => Ok(Vec::new()),
            _ => Err(self.bad(key, "expected a list")),
        }
    }

    fn list(&mut self, key: &str) -> Result<Vec<String>> {
        match self.take(key) {
            Some(value) => self.entries(key, value),
            None => Ok(Vec::new()),
        }
    }

    fn mapping<T>(
        &mut self,
        key: &str,
        read: impl Fn(&Self, Value) -> Result<T>,
    ) -> Result<BTreeMap<String, T>> {
        match self.take(key) {
            None => Ok(BTreeMap::new()),
            Some(Value::Mapping(mapping)) => mapping
                .into_iter()
                .map(|(name, value)| Ok((self.scalar(key, name)?, read(self, value)?)))
                .collect(),
            Some(_) => Err(self.bad(key, "expected lines of the form 'name: value'")),
        }
    }

    fn texts(&mut self, key: &str) -> Result<BTreeMap<String, String>> {
        self.mapping(key, |keys, value| keys.scalar(key, value))
    }

    fn lists(&mut self, key: &str) -> Result<BTreeMap<String, Vec<String>>> {
        self.mapping(key, |keys, value| keys.entries(key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(vars: &Vars, text: &str) -> Result<Config> {
        let mut merged = condarc::Merged::default();
        condarc::merge(&mut merged, Path::new("/rc"), text)?;
        Config::from_merged(
            vars,
            "/opt/conda/bin/conda".into(),
            "/opt/conda".into(),
            Path::new("/work"),
            merged,
        )
    }

    #[test]
    fn the_alpine_condarc_is_understood() {
        let vars = Vars::from([("USER", "ann"), ("HOME", "/home/ann")]);
        let config = config(
            &vars,
            "pkgs_dirs:\n  - /projects/$USER/.conda_pkgs\nenvs_dirs:\n  - /projects/$USER/software/anaconda/envs\n",
        )
        .unwrap();
        assert_eq!(config.pkgs_dirs, [PathBuf::from("/projects/ann/.conda_pkgs")]);
        assert_eq!(config.envs_dirs[0], Path::new("/projects/ann/software/anaconda/envs"));
        assert!(config.envs_dirs.contains(&PathBuf::from("/opt/conda/envs")));
        assert_eq!(config.channels, ["defaults"]);
        assert!(config.unsupported.is_empty());
    }

    #[test]
    fn variables_win_over_files() {
        let vars = Vars::from([
            ("CONDA_CHANNEL_PRIORITY", "strict"),
            ("CONDA_CHANNELS", "conda-forge,bioconda"),
            ("CONDA_ENVS_DIRS", "/x:/y"),
            ("CONDA_ALWAYS_YES", "1"),
            ("BIVOUAC_DEFAULT_CHANNELS", "file:///a, file:///b"),
        ]);
        let config = config(&vars, "channels: [defaults]\nchannel_priority: disabled").unwrap();
        assert_eq!(config.channel_priority, ChannelPriority::Strict);
        assert_eq!(config.channels, ["conda-forge", "bioconda", "defaults"]);
        assert_eq!(config.envs_dirs[..2], [PathBuf::from("/x"), PathBuf::from("/y")]);
        assert!(config.always_yes);
        assert_eq!(config.default_channels, ["file:///a", "file:///b"]);
    }

    #[test]
    fn own_default_channels_win_over_the_sites() {
        let vars = Vars::from([("BIVOUAC_DEFAULT_CHANNELS", "file:///a")]);
        let config = config(&vars, "default_channels: ['https://mirror/main']").unwrap();
        assert_eq!(config.default_channels, ["https://mirror/main"]);
    }

    #[test]
    fn wrong_kinds_are_refused_and_unknown_keys_are_told() {
        let vars = Vars::default();
        assert!(config(&vars, "offline: perhaps").unwrap_err().message.contains("/rc"));
        assert!(config(&vars, "channels: {a: b}").is_err());
        assert!(config(&vars, "channel_priority: mild").is_err());
        let config = config(&vars, "pinned_packages: [numpy=1.0]\nreport_errors: false").unwrap();
        assert_eq!(config.unsupported, [("pinned_packages".to_owned(), PathBuf::from("/rc"))]);
    }

    #[test]
    fn base_is_named_by_variable_or_by_the_place_of_conda() {
        let exe = Path::new("/opt/anaconda/bin/conda");
        assert_eq!(
            root_prefix(&Vars::from([("CONDA_ROOT", "/r"), ("CONDA_EXE", "x")]), exe),
            Path::new("/r")
        );
        let vars = Vars::from([("CONDA_EXE", "/opt/anaconda/bin/conda"), ("HOME", "/h")]);
        assert_eq!(root_prefix(&vars, exe), Path::new("/opt/anaconda"));
        let vars = Vars::from([("HOME", "/h")]);
        assert_eq!(root_prefix(&vars, exe), Path::new("/h/.local/share/bivouac/conda"));
    }
}
