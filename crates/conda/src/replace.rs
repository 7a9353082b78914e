//! Putting an environment at its prefix so that at every moment, whatever process is killed, either the old or the new
//! one can be found.
//!
//! Prefixes are written into installed files, so an environment is built where it will lie. The steps, all under the
//! prefix's lock: a folder that holds only the mark `conda-meta/bivouac-incomplete` is made as `.NAME.new-PID`; the old
//! environment is renamed to `.NAME.old-PID`; the folder is renamed to the prefix and filled; removing the mark makes
//! it count. [`recover`] undoes whatever a killed process left.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::config::Config;
use crate::environments::is_environment;
use crate::error::{CondaError, Result};
use crate::lock;
use crate::meta::{INCOMPLETE, Made};
use crate::tree;

/// Removed environments are kept this long for a new one made from the same request, in seconds.
const TRASH_AGE: i64 = 14 * 24 * 3600;

/// An environment being built. Dropped without [`Build::commit`], the prefix is again as it was.
#[derive(Debug)]
pub struct Build<'a> {
    config: &'a Config,
    prefix: PathBuf,
    aside: Option<PathBuf>,
    open: bool,
}

impl<'a> Build<'a> {
    /// Puts an empty, marked environment at the prefix and the old one aside. The caller holds the prefix's lock and has
    /// called [`recover`].
    ///
    /// # Errors
    /// Something that is no environment lies there, or the folders cannot be made.
    pub fn begin(config: &'a Config, prefix: &Path) -> Result<Self> {
        if prefix.exists() && !is_environment(prefix) && !is_empty_dir(prefix) {
            return Err(CondaError::new(
                "DirectoryNotACondaEnvironmentError",
                format!(
                    "The target directory exists, but it is not a conda environment.\n  target directory: {}\n\
                     Nothing was changed. Choose another place or remove it yourself.",
                    prefix.display()
                ),
            ));
        }
        let fresh = beside(prefix, "new");
        let aside = beside(prefix, "old");
        let make = || -> io::Result<bool> {
            std::fs::create_dir_all(fresh.join("conda-meta"))?;
            std::fs::write(fresh.join("conda-meta").join(INCOMPLETE), std::process::id().to_string())?;
            let had_old = prefix.exists();
            if had_old {
                std::fs::rename(prefix, &aside)?;
            }
            std::fs::rename(&fresh, prefix).inspect_err(|_| {
                if had_old {
                    let _ = std::fs::rename(&aside, prefix);
                }
            })?;
            Ok(had_old)
        };
        let had_old = make().map_err(|error| {
            let _ = std::fs::remove_dir_all(&fresh);
            CondaError::io("create the environment", prefix, &error)
        })?;
        Ok(Self { config, prefix: prefix.to_owned(), aside: had_old.then_some(aside), open: true })
    }

    /// Whether an older environment stands aside.
    pub fn replaces(&self) -> bool {
        self.aside.is_some()
    }

    /// Makes the new environment count and lets go of the old one.
    ///
    /// # Errors
    /// The mark cannot be removed; the old environment is then restored.
    pub fn commit(mut self) -> Result<()> {
        let mark = self.prefix.join("conda-meta").join(INCOMPLETE);
        std::fs::remove_file(&mark).map_err(|error| CondaError::io("remove", &mark, &error))?;
        self.open = false;
        if let Some(aside) = self.aside.take() {
            discard(self.config, &aside, &self.prefix);
        }
        Ok(())
    }
}

impl Drop for Build<'_> {
    fn drop(&mut self) {
        if self.open {
            // What fails here, recovery of the next run does again.
            let _ = remove_tree(&self.prefix, &self.prefix);
            if let Some(aside) = &self.aside {
                let _ = std::fs::rename(aside, &self.prefix);
            }
        }
    }
}

fn is_empty_dir(path: &Path) -> bool {
    std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

fn beside(prefix: &Path, kind: &str) -> PathBuf {
    let name = prefix.file_name().unwrap_or_default().to_string_lossy();
    prefix.with_file_name(format!(".{name}.{kind}-{}", std::process::id()))
}

/// The folders of kind `old`, `new` or `gone` that belong to `prefix`.
fn leftovers(prefix: &Path, kind: &str) -> Vec<PathBuf> {
    let name = prefix.file_name().unwrap_or_default().to_string_lossy();
    let start = format!(".{name}.{kind}-");
    let parent = prefix.parent().unwrap_or(Path::new("/"));
    let mut found: Vec<PathBuf> = std::fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .to_str()
                .and_then(|name| name.strip_prefix(&start))
                .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

/// Whether a killed or running process left something to settle at the prefix.
pub fn unsettled(prefix: &Path) -> bool {
    prefix.join("conda-meta").join(INCOMPLETE).exists()
        || (!is_environment(prefix) && !leftovers(prefix, "old").is_empty())
}

/// Undoes what a killed process left at the prefix. The caller holds the prefix's lock.
pub fn recover(prefix: &Path) {
    for kind in ["new", "gone"] {
        for path in leftovers(prefix, kind) {
            let _ = std::fs::remove_dir_all(path);
        }
    }
    if prefix.join("conda-meta").join(INCOMPLETE).exists() {
        let _ = remove_tree(prefix, prefix);
    }
    for old in leftovers(prefix, "old").into_iter().rev() {
        if is_environment(prefix) || std::fs::rename(&old, prefix).is_err() {
            let _ = std::fs::remove_dir_all(&old);
        }
    }
}

/// Waits for a process that works on the prefix, and recovers what a killed one left; does nothing, and takes no lock,
/// when all is settled.
pub fn settle(config: &Config, prefix: &Path) {
    if unsettled(prefix)
        && let Ok(_lock) = lock::take(config, prefix)
    {
        recover(prefix);
    }
}

/// Recovers every prefix in the envs folders that nobody works on.
pub fn settle_all(config: &Config) {
    for dir in &config.envs_dirs {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let owner = match name.strip_prefix('.').and_then(|rest| rest.rsplit_once('.')) {
                Some((owner, kind)) if kind.starts_with("old-") => owner.to_owned(),
                _ => name,
            };
            let prefix = dir.join(owner);
            if unsettled(&prefix)
                && let Some(_lock) = lock::try_take(config, &prefix)
            {
                recover(&prefix);
            }
        }
    }
}

/// Removes a folder that belongs to `prefix` so that its name is free at once: rename first, then delete. Killed in
/// between, [`recover`] does the rest.
fn remove_tree(path: &Path, prefix: &Path) -> io::Result<()> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    if path.is_symlink() {
        return std::fs::remove_file(path);
    }
    let mut gone = beside(prefix, "gone").into_os_string();
    gone.push(format!("{:03}", COUNT.fetch_add(1, Ordering::Relaxed)));
    std::fs::rename(path, &gone)?;
    std::fs::remove_dir_all(&gone)
}

fn trash_of(config: &Config, prefix: &Path) -> Option<PathBuf> {
    let parent = prefix.parent()?;
    config
        .envs_dirs
        .iter()
        .any(|dir| dir == parent)
        .then(|| parent.join(".trash").join(prefix.file_name().unwrap_or_default()))
}

/// Seconds since 1970.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Whether the environment at `place` may stand for one asked for by a request of this fingerprint: made from the same
/// request, not too old, and untouched since.
pub fn stands_for(place: &Path, fingerprint: &str) -> bool {
    Made::read(place).is_some_and(|made| {
        made.fingerprint == fingerprint
            && made.until.is_none_or(|until| until > now())
            && untouched(place, &made)
    })
}

fn untouched(place: &Path, made: &Made) -> bool {
    tree::digest(place).is_ok_and(|tree| tree == made.tree)
}

/// Lets go of the environment at `place`, which belongs to `prefix`: kept aside for a new one made from the same request
/// if nobody touched it, else deleted.
pub fn discard(config: &Config, place: &Path, prefix: &Path) {
    empty_old_trash(config, prefix);
    let keep =
        trash_of(config, prefix).filter(|_| Made::read(place).is_some_and(|made| untouched(place, &made)));
    if let Some(trash) = keep {
        let _ = std::fs::remove_dir_all(&trash);
        let moved = std::fs::create_dir_all(trash.parent().unwrap_or(&trash))
            .and_then(|()| std::fs::rename(place, &trash));
        if moved.is_ok() {
            return;
        }
    }
    if let Err(error) = remove_tree(place, prefix) {
        eprintln!("WARNING: {} could not be removed completely: {error}", place.display());
    }
}

/// Brings back a discarded environment that [`stands_for`] the request. The caller holds the lock; nothing lies at the
/// prefix.
pub fn restore(config: &Config, prefix: &Path, fingerprint: &str) -> bool {
    trash_of(config, prefix).is_some_and(|trash| {
        trash.is_dir() && stands_for(&trash, fingerprint) && std::fs::rename(&trash, prefix).is_ok()
    })
}

fn empty_old_trash(config: &Config, prefix: &Path) {
    use std::os::unix::fs::MetadataExt;
    let Some(dir) = trash_of(config, prefix).and_then(|trash| Some(trash.parent()?.to_owned())) else {
        return;
    };
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        // Renaming into the trash is the last change of the folder's own status.
        if entry.metadata().is_ok_and(|data| data.ctime() < now() - TRASH_AGE) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vars::Vars;

    struct Case {
        _home: tempfile::TempDir,
        config: Config,
        prefix: PathBuf,
    }

    fn case() -> Case {
        let home = tempfile::tempdir().unwrap();
        let text = home.path().to_str().unwrap();
        let vars = Vars::from([("HOME", text), ("CONDA_ROOT", text)]);
        let config = Config::load(&vars, Path::new("/x"), home.path()).unwrap();
        let prefix = home.path().join("envs/e");
        Case { _home: home, config, prefix }
    }

    fn environment(at: &Path, content: &str, fingerprint: &str) {
        std::fs::create_dir_all(at.join("conda-meta")).unwrap();
        std::fs::create_dir_all(at.join("lib/__pycache__")).unwrap();
        std::fs::write(at.join("file"), content).unwrap();
        let made = Made {
            version: Made::VERSION,
            fingerprint: fingerprint.into(),
            tree: tree::digest(at).unwrap(),
            created: now(),
            until: None,
        };
        made.write(at).unwrap();
    }

    fn content(prefix: &Path) -> String {
        std::fs::read_to_string(prefix.join("file")).unwrap()
    }

    #[test]
    fn a_build_that_fails_leaves_the_old_environment() {
        let case = case();
        environment(&case.prefix, "old", "f");
        let build = Build::begin(&case.config, &case.prefix).unwrap();
        assert!(build.replaces() && unsettled(&case.prefix));
        std::fs::write(case.prefix.join("half"), "").unwrap();
        drop(build);
        assert_eq!(content(&case.prefix), "old");
        assert!(!unsettled(&case.prefix) && !case.prefix.join("half").exists());
    }

    #[test]
    fn a_killed_build_is_undone_by_the_next_run_wherever_it_stopped() {
        // After the mark was made, after the old one was put aside, and while files were linked.
        for stopped_at in 0..3 {
            let case = case();
            environment(&case.prefix, "old", "f");
            let (fresh, aside) = (beside(&case.prefix, "new"), beside(&case.prefix, "old"));
            std::fs::create_dir_all(fresh.join("conda-meta")).unwrap();
            std::fs::write(fresh.join("conda-meta").join(INCOMPLETE), "").unwrap();
            if stopped_at >= 1 {
                std::fs::rename(&case.prefix, &aside).unwrap();
            }
            if stopped_at >= 2 {
                std::fs::rename(&fresh, &case.prefix).unwrap();
            }
            settle_all(&case.config);
            settle(&case.config, &case.prefix);
            recover(&case.prefix);
            assert_eq!(content(&case.prefix), "old", "stopped at {stopped_at}");
            let rest = std::fs::read_dir(case.prefix.parent().unwrap()).unwrap().flatten();
            let names: Vec<String> = rest.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
            assert!(names.iter().all(|name| name == "e" || name == ".locks"), "{names:?}");
        }
    }

    #[test]
    fn killed_after_completion_the_new_environment_stays() {
        let case = case();
        environment(&case.prefix, "new", "f");
        environment(&beside(&case.prefix, "old"), "old", "g");
        recover(&case.prefix);
        assert_eq!(content(&case.prefix), "new");
        assert!(leftovers(&case.prefix, "old").is_empty());
    }

    #[test]
    fn an_untouched_environment_comes_back_from_the_trash_for_the_same_request_only() {
        let case = case();
        environment(&case.prefix, "kept", "f");
        std::fs::write(case.prefix.join("lib/__pycache__/m.pyc"), "written by python").unwrap();
        discard(&case.config, &case.prefix, &case.prefix);
        assert!(!case.prefix.exists());
        assert!(!restore(&case.config, &case.prefix, "another"));
        assert!(restore(&case.config, &case.prefix, "f"));
        assert_eq!(content(&case.prefix), "kept");
        std::fs::write(case.prefix.join("mine.py"), "").unwrap();
        discard(&case.config, &case.prefix, &case.prefix);
        assert!(!case.prefix.exists());
        assert!(!restore(&case.config, &case.prefix, "f"), "a touched environment must not come back");
    }

    #[test]
    fn folders_that_are_no_environment_are_left_alone() {
        let case = case();
        std::fs::create_dir_all(&case.prefix).unwrap();
        std::fs::write(case.prefix.join("thesis.tex"), "x").unwrap();
        let error = Build::begin(&case.config, &case.prefix).unwrap_err();
        assert_eq!(error.name, "DirectoryNotACondaEnvironmentError");
        assert!(case.prefix.join("thesis.tex").exists());
    }
}
