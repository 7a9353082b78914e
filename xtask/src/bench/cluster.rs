//! A cluster for measuring: release programs, a state folder of its own, a node of eight slots.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Slots of the measuring node, and width of the peers.
pub const SLOTS: u32 = 8;

const PROFILE: &str = r#"description = "eight slots for measuring"

[cluster]
overcommit = true
owner_is_operator = true
max_array_size = 100001
min_job_age = 10

[[nodes]]
names = "bench"
cores_per_socket = 8
memory = 65536

[[partitions]]
name = "bench"
nodes = "bench"
default = true
max_time = "UNLIMITED"
def_mem_per_cpu = 16
"#;

/// A running cluster; it is stopped when this is dropped.
pub struct Bench {
    dir: tempfile::TempDir,
    programs: PathBuf,
}

impl Bench {
    /// Starts it.
    pub fn start(programs: &Path) -> Result<Bench, String> {
        let dir = tempfile::Builder::new().prefix("bivouac-bench.").tempdir().map_err(|e| e.to_string())?;
        let bench = Bench { dir, programs: programs.to_owned() };
        // `o` takes the output files of many short jobs.
        for folder in [bench.work().join("o"), bench.dir.path().join("state")] {
            std::fs::create_dir_all(folder).map_err(|e| e.to_string())?;
        }
        let profile = bench.dir.path().join("bench.toml");
        std::fs::write(&profile, PROFILE).map_err(|e| e.to_string())?;
        bench.ok("bivouac", &["link", &bench.dir.path().join("bin").to_string_lossy()])?;
        bench.ok("bivouac", &["up", "--site", &profile.to_string_lossy()])?;
        Ok(bench)
    }

    /// A command of the cluster's, in its work folder.
    pub fn command(&self, name: &str) -> Command {
        let link = self.dir.path().join("bin").join(name);
        let program = if link.exists() { link } else { self.programs.join(name) };
        let mut command = Command::new(program);
        command
            .env("BIVOUAC_STATE_DIR", self.dir.path().join("state"))
            .env("BIVOUAC_CLUSTER", "bench")
            .current_dir(self.work());
        command
    }

    /// The folder in which jobs run.
    pub fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// Runs a command that must succeed and gives its output.
    pub fn ok(&self, name: &str, args: &[&str]) -> Result<String, String> {
        let output: Output = self.command(name).args(args).output().map_err(|e| format!("{name}: {e}"))?;
        if !output.status.success() {
            return Err(format!("{name} {args:?}: {}", String::from_utf8_lossy(&output.stderr)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Process ids of the daemons by name, from `bivouac status --json`.
    pub fn daemons(&self) -> Result<Vec<(String, u32)>, String> {
        let text = self.ok("bivouac", &["status", "--json"])?;
        let status: serde_json::Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
        let pid = |key: &str| status[key].as_u64().map(|p| p as u32);
        Ok(["controller", "keeper", "reaper"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), pid(&format!("{name}_pid"))?)))
            .collect())
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Err(e) = self.ok("bivouac", &["down", "--cancel"]) {
            eprintln!("bench: {e}");
        }
    }
}
