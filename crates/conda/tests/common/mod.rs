//! A home folder, a channel of tiny packages, and the real program run in them.
#![allow(dead_code, missing_docs, reason = "each test binary uses its part")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rattler_conda_types::compression_level::CompressionLevel;
use rattler_package_streaming::write::write_conda_package;
use sha2::{Digest, Sha256};

pub const CONDA: &str = env!("CARGO_BIN_EXE_bivouac-conda");

/// A package to be put into a channel.
#[derive(Clone)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub depends: Vec<String>,
    pub noarch_python: bool,
    pub files: BTreeMap<String, String>,
}

pub fn package(name: &str, version: &str) -> Package {
    Package {
        name: name.into(),
        version: version.into(),
        depends: Vec::new(),
        noarch_python: false,
        files: BTreeMap::from([(format!("share/{name}"), format!("{name} {version}\n"))]),
    }
}

impl Package {
    pub fn depends(mut self, spec: &str) -> Self {
        self.depends.push(spec.into());
        self
    }

    pub fn file(mut self, path: &str, content: &str) -> Self {
        self.files.insert(path.into(), content.into());
        self
    }

    pub fn noarch_python(mut self) -> Self {
        self.noarch_python = true;
        self
    }

    fn subdir(&self) -> &'static str {
        if self.noarch_python { "noarch" } else { subdir() }
    }
}

pub fn subdir() -> &'static str {
    rattler_conda_types::Subdir::current().expect("a platform conda knows").as_str()
}

/// Writes packages and index into `dir`.
pub fn channel(dir: &Path, packages: &[Package]) {
    let mut index: BTreeMap<&str, serde_json::Map<String, serde_json::Value>> =
        BTreeMap::from([("noarch", Default::default()), (subdir(), Default::default())]);
    for package in packages {
        let work = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        for (name, content) in &package.files {
            let path = work.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            if content.starts_with("#!") {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            }
            let mut entry = serde_json::json!({
                "_path": name, "path_type": "hardlink",
                "sha256": hex(&Sha256::digest(content)), "size_in_bytes": content.len(),
            });
            if content.contains("/placeholder/prefix") {
                entry["prefix_placeholder"] = "/placeholder/prefix".into();
                entry["file_mode"] = "text".into();
            }
            paths.push(entry);
        }
        let mut record = serde_json::json!({
            "name": package.name, "version": package.version, "build": "0", "build_number": 0,
            "depends": package.depends, "subdir": package.subdir(),
        });
        if package.noarch_python {
            record["noarch"] = "python".into();
        }
        fs::create_dir_all(work.path().join("info")).unwrap();
        fs::write(work.path().join("info/index.json"), record.to_string()).unwrap();
        let paths = serde_json::json!({ "paths": paths, "paths_version": 1 });
        fs::write(work.path().join("info/paths.json"), paths.to_string()).unwrap();
        if package.noarch_python {
            let link = r#"{"noarch": {"type": "python"}, "package_metadata_version": 1}"#;
            fs::write(work.path().join("info/link.json"), link).unwrap();
        }
        let mut all: Vec<PathBuf> = package.files.keys().map(|name| work.path().join(name)).collect();
        all.extend(["info/index.json", "info/paths.json"].map(|name| work.path().join(name)));
        if package.noarch_python {
            all.push(work.path().join("info/link.json"));
        }
        let stem = format!("{}-{}-0", package.name, package.version);
        let target = dir.join(package.subdir()).join(format!("{stem}.conda"));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        let file = fs::File::create(&target).unwrap();
        write_conda_package(file, work.path(), &all, CompressionLevel::Lowest, None, &stem, None, None)
            .unwrap();
        let bytes = fs::read(&target).unwrap();
        record["sha256"] = hex(&Sha256::digest(&bytes)).into();
        record["size"] = bytes.len().into();
        index.get_mut(package.subdir()).unwrap().insert(format!("{stem}.conda"), record);
    }
    for (subdir, records) in index {
        let repodata = serde_json::json!({
            "info": { "subdir": subdir }, "packages": {}, "packages.conda": records, "repodata_version": 1,
        });
        fs::create_dir_all(dir.join(subdir)).unwrap();
        fs::write(dir.join(subdir).join("repodata.json"), repodata.to_string()).unwrap();
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A `python` that understands as much as an environment's python must here: it runs `-m pip install -r FILE` by noting
/// the lines, and fails at a line `no-such-package`.
pub const PYTHON: &str = r#"#!/bin/sh
# /placeholder/prefix
case "$*" in
*"-m pip install"*)
    for word; do case "$word" in *requirements.txt) list="$word" ;; esac; done
    if grep -q no-such-package "$list"; then echo "ERROR: no such package" >&2; exit 1; fi
    cat "$list" >>/placeholder/prefix/pip-installed
    pwd >/placeholder/prefix/pip-folder ;;
*"-m compileall"*) cat >/dev/null ;;
*) echo "fake python $*" ;;
esac
"#;

/// One home folder with a channel as `defaults`.
pub struct Home {
    dir: tempfile::TempDir,
    pub vars: BTreeMap<String, String>,
}

impl Home {
    pub fn new(packages: &[Package]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Self { vars: BTreeMap::new(), dir };
        channel(&home.path("channel"), packages);
        fs::create_dir_all(home.path("work")).unwrap();
        let mut home = home;
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let (own, root) = (text(home.path("")), text(home.path("conda")));
        for (name, value) in [
            ("HOME", own.trim_end_matches('/').to_owned()),
            ("PATH", "/usr/local/bin:/usr/bin:/bin".into()),
            ("CONDA_ROOT", root),
            ("CONDA_EXE", CONDA.to_owned()),
            ("CONDA_OVERRIDE_CUDA", String::new()),
            ("BIVOUAC_DEFAULT_CHANNELS", format!("file://{}", text(home.path("channel")))),
        ] {
            home.vars.insert(name.into(), value);
        }
        home
    }

    /// The usual packages: two pythons, a dependent library, a contradiction.
    pub fn usual() -> Self {
        let python = |version| package("python", version).file("bin/python", PYTHON);
        Self::new(&[
            python("3.10.1"),
            python("3.11.2"),
            package("pip", "23.0").depends("python"),
            package("numpy", "1.24").depends("python >=3.10"),
            package("pandas", "2.0").depends("numpy").depends("python"),
            package("old", "1.0").depends("python <3.11"),
            package("new", "1.0").depends("python >=3.11"),
        ])
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    pub fn prefix(&self, name: &str) -> PathBuf {
        self.path("conda/envs").join(name)
    }

    pub fn write(&self, relative: &str, text: &str) -> PathBuf {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub fn read(&self, relative: &str) -> String {
        fs::read_to_string(self.path(relative)).unwrap_or_default()
    }

    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(&self.vars)
            .current_dir(self.path("work"))
            .stdin(std::process::Stdio::null());
        command
    }

    pub fn conda(&self, line: &str) -> Output {
        self.command(CONDA).args(line.split_whitespace()).output().unwrap()
    }

    /// Runs a command line that must succeed, and returns its standard output.
    pub fn ok(&self, line: &str) -> String {
        let output = self.conda(line);
        assert!(output.status.success(), "conda {line}\n{}{}", out(&output), err(&output));
        out(&output)
    }

    /// Runs a command line that must fail with status 1, and returns its standard error.
    pub fn fails(&self, line: &str) -> String {
        let output = self.conda(line);
        assert_eq!(output.status.code(), Some(1), "conda {line}\n{}{}", out(&output), err(&output));
        err(&output)
    }
}

pub fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
