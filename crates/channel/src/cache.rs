//! Keeps finished channels, one folder per content key, and makes them appear whole or not at all.
//!
//! ```text
//! ROOT/channel/KEY/            a finished channel; channel.json lists its files and is written last
//! ROOT/channel/wheels/         downloads
//! ROOT/channel/building/       the build in progress, if any; remains of a killed one are removed by the next
//! ROOT/channel/lock            held while building
//! ```

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::ChannelInfo;
use crate::error::{At, Error};

/// What a build made; stored as `channel.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Built {
    /// See [`ChannelInfo::pythons`].
    pub pythons: Vec<String>,
    /// See [`ChannelInfo::from_pyenv`].
    pub from_pyenv: bool,
    /// The packages.
    pub parts: Vec<Part>,
}

/// A package file of a channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Part {
    /// Its path in the channel.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: String,
}

const MANIFEST: &str = "channel.json";

/// The cache folder: `BIVOUAC_CACHE`, else `.cache` in the workspace.
///
/// # Errors
/// The current folder is gone, so that a relative name means nothing.
pub fn root(workspace: &Path) -> Result<PathBuf, Error> {
    let named = std::env::var_os("BIVOUAC_CACHE").filter(|value| !value.is_empty());
    let root = named.map_or_else(|| workspace.join(".cache"), PathBuf::from);
    std::path::absolute(&root).at("cannot resolve", &root)
}

/// The finished channel under `key`, made by `build` when there is none. `build` gets the folder to fill and the folder of
/// the wheels. One build runs at a time; who waited for it takes its result.
///
/// # Errors
/// What `build` says, or the cache cannot be written.
pub fn get_or_build(
    root: &Path,
    key: &str,
    build: impl FnOnce(&Path, &Path) -> Result<Built, Error>,
) -> Result<ChannelInfo, Error> {
    let base = root.join("channel");
    let dir = base.join(key);
    if let Some(info) = whole(&dir) {
        return Ok(info);
    }
    std::fs::create_dir_all(&base).at("cannot make the folder", &base)?;
    let lock_path = base.join("lock");
    let lock = File::create(&lock_path).at("cannot open", &lock_path)?;
    if lock.try_lock().is_err() {
        eprintln!("channel: waiting for another process that builds one ({})", lock_path.display());
        lock.lock().at("cannot lock", &lock_path)?;
    }
    if let Some(info) = whole(&dir) {
        return Ok(info);
    }
    let building = base.join("building");
    remove(&building)?;
    remove(&dir)?;
    std::fs::create_dir_all(&building).at("cannot make the folder", &building)?;
    let finished = build(&building, &base.join("wheels")).and_then(|built| {
        write_manifest(&building, &built)?;
        std::fs::rename(&building, &dir).at("cannot move the finished channel to", &dir)?;
        Ok(info(&dir, built))
    });
    if finished.is_err() {
        remove(&building)?;
    }
    finished
}

fn remove(dir: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result.at("cannot remove", dir),
    }
}

/// Flushes the packages before the list that vouches for them: a power cut leaves either no list or a true one.
fn write_manifest(dir: &Path, built: &Built) -> Result<(), Error> {
    for part in &built.parts {
        let path = dir.join(&part.path);
        File::open(&path).and_then(|file| file.sync_all()).at("cannot flush", &path)?;
    }
    let path = dir.join(MANIFEST);
    let text =
        serde_json::to_vec_pretty(built).map_err(|error| Error::malformed(MANIFEST, error.to_string()))?;
    let mut file = File::create(&path).at("cannot write", &path)?;
    file.write_all(&text).and_then(|()| file.sync_all()).at("cannot write", &path)
}

/// The channel in `dir`, if it is there with every file in its full size.
pub fn whole(dir: &Path) -> Option<ChannelInfo> {
    let built: Built = serde_json::from_slice(&std::fs::read(dir.join(MANIFEST)).ok()?).ok()?;
    let complete = built
        .parts
        .iter()
        .all(|part| std::fs::metadata(dir.join(&part.path)).is_ok_and(|file| file.len() == part.size));
    complete.then(|| info(dir, built))
}

fn info(dir: &Path, built: Built) -> ChannelInfo {
    ChannelInfo {
        dir: dir.to_owned(),
        url: file_url(dir),
        pythons: built.pythons,
        from_pyenv: built.from_pyenv,
    }
}

/// An absolute path as a `file://` URL.
fn file_url(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut url = "file://".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                url.push(char::from(*byte))
            }
            other => url.push_str(&format!("%{other:02X}")),
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn one_package(dir: &Path) -> Result<Built, Error> {
        std::fs::create_dir_all(dir.join("noarch")).unwrap();
        std::fs::write(dir.join("noarch/a.conda"), "content").unwrap();
        let part = Part { path: "noarch/a.conda".into(), size: 7, sha256: String::new() };
        Ok(Built { pythons: vec!["3.10.13".into()], from_pyenv: true, parts: vec![part] })
    }

    fn never(_: &Path, _: &Path) -> Result<Built, Error> {
        panic!("built again");
    }

    #[test]
    fn a_finished_channel_is_reused_and_a_damaged_one_is_not() {
        let root = tempfile::tempdir().unwrap();
        let first = get_or_build(root.path(), "key", |dir, _| one_package(dir)).unwrap();
        assert_eq!(get_or_build(root.path(), "key", never).unwrap(), first);
        std::fs::write(first.dir.join("noarch/a.conda"), "cut").unwrap();
        get_or_build(root.path(), "key", |dir, _| one_package(dir)).unwrap();
        assert_eq!(std::fs::read_to_string(first.dir.join("noarch/a.conda")).unwrap(), "content");
    }

    #[test]
    fn a_failed_or_killed_build_leaves_no_channel() {
        let root = tempfile::tempdir().unwrap();
        let failed = get_or_build(root.path(), "key", |dir, _| {
            one_package(dir)?;
            Err(Error::malformed("a.conda", "broken"))
        });
        assert!(failed.is_err());
        assert!(!root.path().join("channel/key").exists());
        assert!(!root.path().join("channel/building").exists());
        // Killed: its folder remains, as full as it was.
        one_package(&root.path().join("channel/building")).unwrap();
        std::fs::write(root.path().join("channel/building/noarch/stale.conda"), "").unwrap();
        let info = get_or_build(root.path(), "key", |dir, _| one_package(dir)).unwrap();
        assert!(!info.dir.join("noarch/stale.conda").exists());
    }

    #[test]
    fn parallel_callers_build_once() {
        let root = tempfile::tempdir().unwrap();
        let (builds, start) = (AtomicUsize::new(0), Barrier::new(4));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    get_or_build(root.path(), "key", |dir, _| {
                        builds.fetch_add(1, Ordering::SeqCst);
                        one_package(dir)
                    })
                    .unwrap();
                });
            }
        });
        assert_eq!(builds.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn urls_escape_what_urls_must() {
        assert_eq!(file_url(Path::new("/home/a b/é#1")), "file:///home/a%20b/%C3%A9%231");
    }
}
