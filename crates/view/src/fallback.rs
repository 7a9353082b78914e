//! Literal site paths on a machine that allows no namespaces: symbolic links made once by root.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A literal path of the site and the folder that it shall lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathLink {
    /// For example `/projects/alice`.
    pub link: PathBuf,
    /// For example `/home/alice/.local/state/bivouac/camp/files/projects/alice`.
    pub target: PathBuf,
}

/// Why the literal paths were not made. Nothing was changed, except after [`SetupError::Failed`].
#[derive(Debug)]
pub enum SetupError {
    /// Something that is not our link stands at the path.
    Occupied {
        /// The literal path.
        link: PathBuf,
        /// What stands there, in words.
        by: String,
    },
    /// The folder that the link shall lead to does not exist.
    NoTarget(PathBuf),
    /// The system refused.
    Failed {
        /// What was being made.
        path: PathBuf,
        /// Its answer.
        cause: io::Error,
    },
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetupError::Occupied { link, by } => write!(
                f,
                "{} is already there ({by}) and stays as it is; move it away, then run this again",
                link.display()
            ),
            SetupError::NoTarget(target) => {
                write!(
                    f,
                    "{} does not exist yet; run `bivouac login -- true` once, then this again",
                    target.display()
                )
            }
            SetupError::Failed { path, cause } if cause.kind() == io::ErrorKind::PermissionDenied => {
                write!(f, "cannot make {}: {cause}; this needs root once (use sudo)", path.display())
            }
            SetupError::Failed { path, cause } => write!(f, "cannot make {}: {cause}", path.display()),
        }
    }
}

impl std::error::Error for SetupError {}

/// Makes every link that is missing and returns those that were made; links that already lead to the right
/// folder are left alone, so running it twice is harmless. All paths are looked at before the first is
/// made. Needs the right to write in the folders above (usually root).
///
/// # Errors
/// [`SetupError`] names the path and what to do.
pub fn setup_paths(links: &[PathLink]) -> Result<Vec<PathLink>, SetupError> {
    let mut missing = Vec::new();
    for wanted in links {
        if !wanted.target.is_dir() {
            return Err(SetupError::NoTarget(wanted.target.clone()));
        }
        if !is_there(wanted)? {
            missing.push(wanted.clone());
        }
    }
    for wanted in &missing {
        let failed = |cause| SetupError::Failed { path: wanted.link.clone(), cause };
        fs::create_dir_all(wanted.link.parent().unwrap_or(Path::new("/"))).map_err(failed)?;
        symlink(&wanted.target, &wanted.link).map_err(failed)?;
    }
    Ok(missing)
}

fn is_there(wanted: &PathLink) -> Result<bool, SetupError> {
    let occupied = |by: String| Err(SetupError::Occupied { link: wanted.link.clone(), by });
    match fs::symlink_metadata(&wanted.link) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(SetupError::Failed { path: wanted.link.clone(), cause }),
        Ok(found) if found.is_symlink() => match fs::read_link(&wanted.link) {
            Ok(to) if to == wanted.target => Ok(true),
            Ok(to) => occupied(format!("a link to {}", to.display())),
            Err(cause) => Err(SetupError::Failed { path: wanted.link.clone(), cause }),
        },
        Ok(found) if found.is_dir() => occupied("a folder".into()),
        Ok(_) => occupied("a file".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene() -> (tempfile::TempDir, PathLink) {
        let dir = tempfile::tempdir().expect("temporary folder");
        let link =
            PathLink { link: dir.path().join("scratch/alpine/alice"), target: dir.path().join("files") };
        fs::create_dir(&link.target).expect("target");
        (dir, link)
    }

    #[test]
    fn makes_the_link_with_its_parents_and_then_leaves_it_alone() {
        let (_dir, wanted) = scene();
        assert_eq!(setup_paths(std::slice::from_ref(&wanted)).expect("first"), std::slice::from_ref(&wanted));
        assert_eq!(fs::read_link(&wanted.link).expect("link"), wanted.target);
        assert_eq!(setup_paths(&[wanted]).expect("second"), []);
    }

    #[test]
    fn refuses_what_somebody_else_put_there_before_it_makes_anything() {
        let (dir, taken) = scene();
        fs::create_dir_all(&taken.link).expect("in the way");
        let free = PathLink { link: dir.path().join("projects/alice"), target: taken.target.clone() };
        let text = setup_paths(&[free.clone(), taken.clone()]).expect_err("occupied").to_string();
        assert!(text.contains("scratch/alpine/alice is already there (a folder)"), "{text}");
        assert!(!free.link.exists());
    }

    #[test]
    fn refuses_a_link_to_elsewhere_and_a_missing_target() {
        let (dir, wanted) = scene();
        fs::create_dir_all(wanted.link.parent().expect("parent")).expect("parent");
        symlink("/elsewhere", &wanted.link).expect("foreign link");
        let text = setup_paths(&[wanted]).expect_err("occupied").to_string();
        assert!(text.contains("a link to /elsewhere"), "{text}");
        let none = PathLink { link: dir.path().join("x"), target: dir.path().join("nowhere") };
        assert!(matches!(setup_paths(&[none]), Err(SetupError::NoTarget(_))));
    }
}
