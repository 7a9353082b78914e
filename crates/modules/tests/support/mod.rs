//! A folder of modulefiles and real shells that use it.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Temporary modulefiles, removed at the end.
pub struct Camp {
    folder: tempfile::TempDir,
}

/// What a shell script printed and how it ended.
pub struct Ran {
    pub out: String,
    pub err: String,
    pub status: i32,
}

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_bivouac-module");

impl Camp {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let camp = Self { folder: tempfile::tempdir().unwrap() };
        files.iter().for_each(|(name, text)| camp.write(name, text));
        camp
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file below the module folder (`m/`).
    pub fn write(&self, name: &str, text: &str) {
        let file = self.modules().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.modules().join(name)).unwrap();
    }

    pub fn modules(&self) -> PathBuf {
        self.path().join("m")
    }

    /// The file with the functions of `shell`.
    pub fn init(&self, shell: &str) -> PathBuf {
        let file = self.path().join(format!("init.{shell}"));
        let output = Command::new(PROGRAM).args(["init", shell]).output().unwrap();
        assert!(output.status.success());
        std::fs::write(&file, output.stdout).unwrap();
        file
    }

    /// A shell with a small environment, the module folder and the path of the program; functions not read yet.
    pub fn command(&self, shell: &str) -> Command {
        let mut command = Command::new(if shell == "sh" && has("dash") { "dash" } else { shell });
        command.env_clear().stdin(Stdio::null()).current_dir(self.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.path());
        command.env("LMOD_CMD", PROGRAM).env("MODULEPATH", self.modules());
        if shell == "zsh" {
            command.arg("-f");
        }
        command
    }

    /// Runs `script` in `shell` with the functions read.
    pub fn run_in(&self, shell: &str, script: &str) -> Ran {
        let script = format!(". {}\n{script}", self.init(shell).display());
        Ran::of(self.command(shell).args(["-c", &script]).output().unwrap())
    }

    /// Runs `script` in bash with the functions read.
    pub fn run(&self, script: &str) -> Ran {
        self.run_in("bash", script)
    }
}

impl Ran {
    pub fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Self {
            out: text(&output.stdout),
            err: text(&output.stderr),
            status: output.status.code().unwrap_or(-1),
        }
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.status, 0, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }
}

pub fn has(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

/// The shells to test: `sh` is dash where it is installed.
pub fn shells() -> Vec<&'static str> {
    ["bash", "sh", "zsh"].into_iter().filter(|shell| has(shell)).collect()
}
