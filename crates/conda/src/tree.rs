//! A digest of an environment's files, to tell whether anybody touched them.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::lock::hex;
use crate::meta::{INCOMPLETE, MADE};

/// Digest over names, sizes, times of change, modes and link targets of everything below `prefix`, but for what running
/// Python or this program itself writes: `__pycache__` folders and the notes in `conda-meta`. Contents are not read.
///
/// # Errors
/// A folder cannot be read.
pub fn digest(prefix: &Path) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    walk(prefix, prefix, &mut hasher)?;
    Ok(hex(&hasher.finalize()))
}

fn walk(root: &Path, dir: &Path, hasher: &mut Sha256) -> std::io::Result<()> {
    let mut entries = std::fs::read_dir(dir)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name();
        let data = entry.metadata()?;
        if data.is_dir() {
            if name != "__pycache__" {
                walk(root, &path, hasher)?;
            }
            continue;
        }
        let own = dir == root.join("conda-meta") && (name == "history" || name == MADE || name == INCOMPLETE);
        if own {
            continue;
        }
        let relative = path.strip_prefix(root).unwrap_or(&path);
        hasher.update(relative.as_os_str().as_encoded_bytes());
        hasher.update([0]);
        if data.is_symlink() {
            hasher.update(std::fs::read_link(&path)?.as_os_str().as_encoded_bytes());
            hasher.update([1]);
        } else {
            for number in [data.size().cast_signed(), data.mtime(), data.mtime_nsec(), i64::from(data.mode())]
            {
                hasher.update(number.to_le_bytes());
            }
        }
    }
    Ok(())
}
