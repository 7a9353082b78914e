//! Unpacks packages into a prefix, as far as the check of a fresh channel needs it: no solver, no record, no links.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{At, Error};
use crate::interpreter::Version;
use crate::package::Content;
use crate::wheel::console_script;

#[derive(Deserialize)]
struct Paths {
    paths: Vec<PathRecord>,
}

#[derive(Deserialize)]
struct PathRecord {
    #[serde(rename = "_path")]
    path: String,
    prefix_placeholder: Option<String>,
}

#[derive(Deserialize)]
struct Link {
    noarch: Noarch,
}

#[derive(Deserialize)]
struct Noarch {
    entry_points: Vec<String>,
}

/// Unpacks a `.conda` file into `prefix`, for an environment with this Python.
///
/// # Errors
/// The package cannot be read or the prefix not be written.
pub fn install(package: &Path, prefix: &Path, python: Version) -> Result<(), Error> {
    let file = File::open(package).at("cannot open", package)?;
    let fail = |why: String| Error::malformed(package.display().to_string(), why);
    let mut zip = zip::ZipArchive::new(file).map_err(|error| fail(error.to_string()))?;
    let info = tempfile::tempdir().at("cannot make a temporary folder for", package)?;
    let stem = package.file_stem().unwrap_or_default().to_string_lossy();
    let mut unpack = |part: &str, target: &Path| -> Result<(), Error> {
        let name = format!("{part}-{stem}.tar.zst");
        let member = zip.by_name(&name).map_err(|error| fail(format!("{name}: {error}")))?;
        unpack_tar(member, target, python).at("cannot unpack", package)
    };
    unpack("info", info.path())?;
    unpack("pkg", prefix)?;
    let paths: Paths = read_json(&info.path().join("info/paths.json"))?;
    for record in paths.paths {
        let path = prefix.join(installed_path(&record.path, python));
        path.symlink_metadata().at("the package lists but does not bring", &path)?;
        if let Some(placeholder) = record.prefix_placeholder {
            let text = std::fs::read_to_string(&path).at("cannot read", &path)?;
            let text = text.replace(&placeholder, &prefix.to_string_lossy());
            std::fs::write(&path, text).at("cannot write", &path)?;
        }
    }
    let link = info.path().join("info/link.json");
    if link.exists() {
        for entry_point in read_json::<Link>(&link)?.noarch.entry_points {
            write_script(&entry_point, prefix, python)?;
        }
    }
    Ok(())
}

fn write_script(entry_point: &str, prefix: &Path, python: Version) -> Result<(), Error> {
    let script = console_script(entry_point, &python.major_minor(), &prefix.to_string_lossy());
    let script =
        script.ok_or_else(|| Error::malformed("link.json", format!("{entry_point:?} is no entry point")))?;
    let path = prefix.join(&script.path);
    if let Content::File { bytes, .. } = script.content {
        std::fs::create_dir_all(prefix.join("bin"))
            .and_then(|()| std::fs::write(&path, bytes))
            .and_then(|()| std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)))
            .at("cannot write", &path)?;
    }
    Ok(())
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let bytes = std::fs::read(path).at("cannot read", path)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Error::malformed(path.display().to_string(), error.to_string()))
}

/// Where a package's path lies in an environment: `site-packages/` is that of the environment's Python.
fn installed_path(path: &str, python: Version) -> PathBuf {
    match path.strip_prefix("site-packages/") {
        Some(rest) => format!("lib/python{}/site-packages/{rest}", python.major_minor()).into(),
        None => path.into(),
    }
}

fn unpack_tar(member: impl Read, target: &Path, python: Version) -> io::Result<()> {
    let mut archive = tar::Archive::new(zstd::Decoder::new(member)?);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        let path = target.join(installed_path(&path, python));
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        match entry.link_name()? {
            Some(link) => symlink(link, &path)?,
            None => drop(entry.unpack(&path)?),
        }
    }
    Ok(())
}
