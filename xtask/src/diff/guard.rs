//! The guard: a process of its own that stops everything below a folder once xtask has ended, however it ended.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const SCRIPT: &str = include_str!("guard.sh");

/// Stops everything when it is dropped.
pub struct Guard(Child);

impl Guard {
    /// Starts it, before anything is started that it shall stop.
    ///
    /// # Errors
    /// It could not be started.
    pub fn start(folder: &Path, keep: bool) -> Result<Guard, String> {
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-c", SCRIPT, "guard"]).arg(folder).arg(if keep {
            "keep"
        } else {
            "remove"
        });
        // A group of its own: ^C is for xtask, and its end is what the guard waits for.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
        command.spawn().map(Guard).map_err(|e| format!("bash: {e}"))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
