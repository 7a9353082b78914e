//! Writes `.conda` packages: a stored zip of `metadata.json`, `pkg-*.tar.zst` (the files) and `info-*.tar.zst` (what
//! conda's package format names index.json, paths.json, files, about.json and link.json).

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;

use crate::error::{At, Error};
use crate::recipe::hex;

/// Stands for the environment's folder in the text files of a package; the installer puts the real one in its place.
pub const PLACEHOLDER: &str = "/opt/bivouac-channel-placeholder-for-the-prefix-of-an-environment";

/// Written into every archive and record, so that the same content gives the same bytes: 2024-01-01 00:00 UTC, in seconds.
const TIMESTAMP: u64 = 1_704_067_200;

/// Fast, and within a tenth of the size that slow levels reach on shared libraries.
const ZSTD_LEVEL: i32 = 3;

/// Whether a package is for one platform or for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Binaries of this machine's platform.
    Platform,
    /// Any platform, files as they are.
    Generic,
    /// Any platform and any Python: files under `site-packages/` go to that of the environment.
    Python,
}

impl Kind {
    /// The channel's folder for packages of this kind.
    pub fn subdir(self) -> &'static str {
        match self {
            Kind::Platform => platform_subdir(),
            Kind::Generic | Kind::Python => "noarch",
        }
    }
}

/// Conda's name of this machine's platform.
pub fn platform_subdir() -> &'static str {
    if cfg!(target_arch = "aarch64") { "linux-aarch64" } else { "linux-64" }
}

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A regular file.
    File {
        /// Its bytes.
        bytes: Vec<u8>,
        /// Whether it can be executed.
        executable: bool,
    },
    /// A symbolic link and what it points to.
    Link(String),
}

/// A path of a package, relative to the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The path, with `/` between its parts.
    pub path: String,
    /// What lies there.
    pub content: Content,
}

impl Entry {
    /// A plain file.
    pub fn file(path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Entry {
        Entry { path: path.into(), content: Content::File { bytes: bytes.into(), executable: false } }
    }

    /// An executable file.
    pub fn executable(path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Entry {
        Entry { path: path.into(), content: Content::File { bytes: bytes.into(), executable: true } }
    }

    /// A symbolic link.
    pub fn link(path: impl Into<String>, target: impl Into<String>) -> Entry {
        Entry { path: path.into(), content: Content::Link(target.into()) }
    }
}

/// A package before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name in conda's world.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The build string, which tells packages of one version apart.
    pub build: String,
    /// For whom it is.
    pub kind: Kind,
    /// What it needs, as conda match specs.
    pub depends: Vec<String>,
    /// What must not be there in other versions, as conda match specs.
    pub constrains: Vec<String>,
    /// The licence as its authors state it.
    pub license: String,
    /// One line on what it is.
    pub summary: String,
    /// For a CPython: where its packages lie.
    pub python_site_packages_path: Option<String>,
    /// For [`Kind::Python`]: console scripts, as `name = module:function`.
    pub entry_points: Vec<String>,
    /// The files.
    pub entries: Vec<Entry>,
}

/// A package's line in `repodata.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The file's name, the key of the line.
    #[serde(skip)]
    pub file: String,
    /// The package's index.json.
    #[serde(flatten)]
    pub index: serde_json::Map<String, serde_json::Value>,
    /// MD5 of the file.
    pub md5: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
}

impl Package {
    /// `name-version-build`.
    pub fn stem(&self) -> String {
        format!("{}-{}-{}", self.name, self.version, self.build)
    }

    /// Writes `CHANNEL/SUBDIR/name-version-build.conda` and returns its record.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, channel: &Path) -> Result<Record, Error> {
        let folder = channel.join(self.kind.subdir());
        std::fs::create_dir_all(&folder).at("cannot make the folder", &folder)?;
        let file = format!("{}.conda", self.stem());
        let path = folder.join(&file);
        let bytes = self.archive().at("cannot pack", &path)?;
        File::create(&path).and_then(|mut file| file.write_all(&bytes)).at("cannot write", &path)?;
        Ok(Record {
            file,
            index: self.index(),
            md5: hex(&md5::Md5::digest(&bytes)),
            sha256: hex(&Sha256::digest(&bytes)),
            size: bytes.len() as u64,
        })
    }

    fn archive(&self) -> io::Result<Vec<u8>> {
        let stem = self.stem();
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        let mut archive = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        let members = [
            ("metadata.json".to_owned(), json!({ "conda_pkg_format_version": 2 }).to_string().into_bytes()),
            (format!("pkg-{stem}.tar.zst"), tar_zst(&self.entries)?),
            (format!("info-{stem}.tar.zst"), tar_zst(&self.info())?),
        ];
        for (name, bytes) in members {
            archive.start_file(name, stored)?;
            archive.write_all(&bytes)?;
        }
        Ok(archive.finish()?.into_inner())
    }

    fn index(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut index = serde_json::Map::new();
        let mut set = |key: &str, value: serde_json::Value| index.insert(key.to_owned(), value);
        set("name", json!(self.name));
        set("version", json!(self.version));
        set("build", json!(self.build));
        set("build_number", json!(0));
        set("depends", json!(self.depends));
        set("constrains", json!(self.constrains));
        set("license", json!(self.license));
        set("subdir", json!(self.kind.subdir()));
        set("timestamp", json!(TIMESTAMP * 1000));
        match self.kind {
            Kind::Platform => {
                set("platform", json!("linux"));
                set("arch", json!(std::env::consts::ARCH));
            }
            Kind::Generic => drop(set("noarch", json!("generic"))),
            Kind::Python => drop(set("noarch", json!("python"))),
        }
        if let Some(path) = &self.python_site_packages_path {
            set("python_site_packages_path", json!(path));
        }
        index
    }

    fn info(&self) -> Vec<Entry> {
        let pretty = |value: &serde_json::Value| format!("{value:#}\n");
        let files: String = self.entries.iter().map(|entry| format!("{}\n", entry.path)).collect();
        let paths: Vec<_> = self.entries.iter().map(path_record).collect();
        let mut info = vec![
            Entry::file("info/index.json", pretty(&self.index().into())),
            Entry::file("info/paths.json", pretty(&json!({ "paths": paths, "paths_version": 1 }))),
            Entry::file("info/files", files),
            Entry::file(
                "info/about.json",
                pretty(&json!({ "summary": self.summary, "license": self.license })),
            ),
        ];
        if self.kind == Kind::Python {
            let noarch = json!({ "type": "python", "entry_points": self.entry_points });
            let link = json!({ "noarch": noarch, "package_metadata_version": 1 });
            info.push(Entry::file("info/link.json", pretty(&link)));
        }
        info
    }
}

fn path_record(entry: &Entry) -> serde_json::Value {
    match &entry.content {
        Content::Link(_) => json!({ "_path": entry.path, "path_type": "softlink" }),
        Content::File { bytes, .. } => {
            let mut record = json!({
                "_path": entry.path,
                "path_type": "hardlink",
                "sha256": hex(&Sha256::digest(bytes)),
                "size_in_bytes": bytes.len(),
            });
            if contains(bytes, PLACEHOLDER.as_bytes()) {
                record["prefix_placeholder"] = json!(PLACEHOLDER);
                record["file_mode"] = json!("text");
            }
            record
        }
    }
}

/// Whether `needle` occurs in `bytes`.
pub fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else { return true };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = &rest[at..];
        if rest.starts_with(needle) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

fn tar_zst(entries: &[Entry]) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(zstd::Encoder::new(Vec::new(), ZSTD_LEVEL)?);
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mtime(TIMESTAMP);
        header.set_uid(0);
        header.set_gid(0);
        match &entry.content {
            Content::File { bytes, executable } => {
                header.set_mode(if *executable { 0o755 } else { 0o644 });
                header.set_size(bytes.len() as u64);
                tar.append_data(&mut header, &entry.path, &bytes[..])?;
            }
            Content::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_mode(0o777);
                header.set_size(0);
                tar.append_link(&mut header, &entry.path, target)?;
            }
        }
    }
    tar.into_inner()?.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Package {
        Package {
            name: "greeting".into(),
            version: "1.0".into(),
            build: "0".into(),
            kind: Kind::Platform,
            depends: vec!["python >=3.10".into()],
            constrains: Vec::new(),
            license: "MIT".into(),
            summary: "says hello".into(),
            python_site_packages_path: None,
            entry_points: Vec::new(),
            entries: vec![
                Entry::executable("bin/hello", format!("#!{PLACEHOLDER}/bin/python\n")),
                Entry::link("bin/hi", "hello"),
                Entry::file(format!("share/{}/long", "d/".repeat(80)), "x"),
            ],
        }
    }

    #[test]
    fn the_same_content_gives_the_same_bytes() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_eq!(sample().write(one.path()).unwrap(), sample().write(two.path()).unwrap());
    }

    #[test]
    fn members_are_stored_and_in_conda_s_order() {
        let archive = sample().archive().unwrap();
        let mut zip = zip::ZipArchive::new(io::Cursor::new(archive)).unwrap();
        let names: Vec<String> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
        assert_eq!(names, ["metadata.json", "pkg-greeting-1.0-0.tar.zst", "info-greeting-1.0-0.tar.zst"]);
        for i in 0..3 {
            assert_eq!(zip.by_index(i).unwrap().compression(), zip::CompressionMethod::Stored);
        }
    }

    #[test]
    fn only_files_that_name_the_prefix_are_marked_for_rewriting() {
        let paths: Vec<_> = sample().entries.iter().map(path_record).collect();
        assert_eq!(paths[0]["file_mode"], "text");
        assert_eq!(paths[1]["path_type"], "softlink");
        assert!(paths[2].get("prefix_placeholder").is_none());
    }
}
