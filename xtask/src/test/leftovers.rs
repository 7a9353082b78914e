//! Checks that the tests leave no process and no temporary file behind.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What was there before the tests, and the folder their temporary files go to.
pub struct Watch {
    target: PathBuf,
    before: BTreeSet<u32>,
    temporary: PathBuf,
}

/// Daemons that were told to end get this long to do so.
const GRACE: Duration = Duration::from_secs(5);

impl Watch {
    /// Looks at the processes there are and makes the folder.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn start() -> Result<Watch, String> {
        let target = crate::release::target();
        let target =
            std::fs::canonicalize(&target).map_err(|error| format!("{}: {error}", target.display()))?;
        // Short, for socket paths have 108 bytes; open to all, for some tests run as another user.
        let temporary = std::env::temp_dir().join(format!("bvt{}", std::process::id()));
        std::fs::create_dir(&temporary)
            .and_then(|()| std::fs::set_permissions(&temporary, PermissionsExt::from_mode(0o1777)))
            .map_err(|error| format!("{}: {error}", temporary.display()))?;
        let before = processes(&target).into_iter().map(|(pid, _)| pid).collect();
        Ok(Watch { target, before, temporary })
    }

    /// The folder for the tests' temporary files.
    pub fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Looks for what is left, and removes the files.
    ///
    /// # Errors
    /// What is left.
    pub fn finish(self) -> Result<(), String> {
        let deadline = Instant::now() + GRACE;
        let mut left = self.processes_left();
        while !left.is_empty() && Instant::now() < deadline {
            // There is no event for the end of a process that is not one's own child.
            std::thread::sleep(Duration::from_millis(50));
            left = self.processes_left();
        }
        let mut faults: Vec<String> = Vec::new();
        if !left.is_empty() {
            faults.push(format!("processes: {}", left.join(", ")));
        }
        let files: Vec<String> = std::fs::read_dir(&self.temporary)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        if !files.is_empty() {
            faults.push(format!("temporary files: {}", files.join(", ")));
        }
        if let Err(error) = std::fs::remove_dir_all(&self.temporary) {
            faults.push(format!("{} cannot be removed: {error}", self.temporary.display()));
        }
        match faults.is_empty() {
            true => Ok(()),
            false => Err(format!("the tests left behind {}", faults.join("; "))),
        }
    }

    fn processes_left(&self) -> Vec<String> {
        processes(&self.target)
            .into_iter()
            .filter(|(pid, _)| !self.before.contains(pid))
            .map(|(pid, program)| format!("{pid} ({program})"))
            .collect()
    }
}

/// The processes whose program lies in the target folder.
fn processes(target: &Path) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(program) = std::fs::read_link(entry.path().join("exe")) else { continue };
        if let Ok(inside) = program.strip_prefix(target) {
            found.push((pid, inside.display().to_string()));
        }
    }
    found
}
