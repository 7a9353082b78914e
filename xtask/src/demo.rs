//! `cargo xtask demo`: the published Alpine example, from git clone to the CSV file, in the login view of
//! `alpine@2023-07`. Everything is real: processes, solver, environment, file.
//!
//! `--programs DIR` and `--channel DIR` take programs and an offline channel that are there already (the tests do),
//! `--state DIR` puts the cluster elsewhere than into the workspace's cache.

use crate::Outcome;
use std::ffi::OsStr;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const CLUSTER: &str = "demo";
const SITE: &str = "alpine@2023-07";
/// Where the channels called `defaults` are.
const PUBLIC_CHANNEL: &str = "repo.anaconda.com:443";
/// What is typed in the login view; each command is shown before it runs.
const SESSION: &str = include_str!("demo.sh");

/// Runs the command.
pub fn run(arguments: &[String]) -> Outcome {
    let (mut programs, mut state, mut channel) = (None, None, None);
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let slot = match word.as_str() {
            "--programs" => &mut programs,
            "--state" => &mut state,
            "--channel" => &mut channel,
            other => {
                return Err(format!(
                    "{other} is not understood; there are --programs, --state and --channel DIR"
                ));
            }
        };
        *slot = Some(PathBuf::from(words.next().ok_or_else(|| format!("{word} needs a folder"))?));
    }
    let workspace = crate::workspace();
    let programs = match programs {
        Some(dir) => dir,
        None => {
            say("building (release)");
            crate::release::build()?
        }
    };
    let state = state.unwrap_or_else(|| workspace.join(".cache/demo"));
    std::fs::create_dir_all(&state).map_err(|e| format!("{}: {e}", state.display()))?;
    let demo = Demo { workspace, programs, state };
    demo.play(channel.as_deref())
}

struct Demo {
    workspace: PathBuf,
    programs: PathBuf,
    state: PathBuf,
}

impl Demo {
    fn play(&self, channel: Option<&Path>) -> Outcome {
        let start = Instant::now();
        let channel = self.channel(channel)?;
        let upstream = self.upstream()?;
        let python = channel.as_ref().map_or("3.10", |c| c.python.as_str());
        say(&format!("the cluster {CLUSTER}, site {SITE}"));
        self.bivouac(["up", "--site", SITE])?;
        let outcome = self.session(&upstream, channel.as_ref(), python);
        self.bivouac(["down", "--cancel"])?;
        outcome?;
        say(&format!("done in {:.1} s", start.elapsed().as_secs_f64()));
        Ok(())
    }

    /// The offline channel, where the public one cannot be reached.
    fn channel(&self, given: Option<&Path>) -> Result<Option<Offline>, String> {
        if given.is_none() && reachable(PUBLIC_CHANNEL) {
            say("Anaconda's channel `defaults` can be reached and is used; its terms of service apply");
            return Ok(None);
        }
        let info = match given {
            Some(dir) => bivouac_channel::finished(dir)
                .ok_or_else(|| format!("{} holds no finished offline channel", dir.display()))?,
            None => {
                say(
                    "the public channels cannot be reached from here: an offline channel stands in for `defaults`",
                );
                bivouac_channel::ensure(&self.workspace).map_err(|e| e.to_string())?
            }
        };
        println!("    {info}");
        let python = match info.has_python("3.10") {
            true => "3.10".to_owned(),
            false => info.pythons.first().cloned().ok_or("the offline channel has no Python")?,
        };
        if python != "3.10" {
            say(&format!("no Python 3.10 on this machine: the example is changed to ask for {python}"));
        }
        Ok(Some(Offline { url: info.url.to_string(), python }))
    }

    /// The example as a git repository to clone from.
    fn upstream(&self) -> Result<PathBuf, String> {
        let repository = self.state.join("upstream/alpine-python");
        let fresh = self.state.join("upstream/.new");
        let _ = std::fs::remove_dir_all(&fresh);
        let _ = std::fs::remove_dir_all(&repository);
        std::fs::create_dir_all(fresh.parent().unwrap_or(&fresh)).map_err(|e| e.to_string())?;
        let example = self.workspace.join("examples/alpine-python");
        run_quietly(Command::new("cp").arg("-r").arg(&example).arg(&fresh))?;
        let git = |args: &[&str]| {
            run_quietly(
                Command::new("git").arg("-C").arg(&fresh).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null"),
            )
        };
        git(&["init", "-q", "-b", "main"])?;
        git(&["add", "."])?;
        git(&[
            "-c",
            "user.name=bivouac",
            "-c",
            "user.email=demo@localhost",
            "commit",
            "-q",
            "-m",
            "the example",
        ])?;
        std::fs::rename(&fresh, &repository).map_err(|e| e.to_string())?;
        Ok(repository)
    }

    fn session(&self, upstream: &Path, channel: Option<&Offline>, python: &str) -> Outcome {
        let status = self
            .command()
            .args(["login", "--", "bash", "-c", SESSION, "demo"])
            .arg(upstream)
            .arg(channel.map_or("", |c| c.url.as_str()))
            .arg(python)
            .status()
            .map_err(|e| format!("bivouac login: {e}"))?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the session in the login view ended with {status}"))
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.programs.join("bivouac"));
        command
            .env("BIVOUAC_STATE_DIR", &self.state)
            .env("BIVOUAC_CLUSTER", CLUSTER)
            .env_remove("SLURM_JOB_ID")
            .current_dir(&self.workspace)
            .stdin(Stdio::null());
        command
    }

    fn bivouac(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Outcome {
        let status = self.command().args(args).status().map_err(|e| format!("bivouac: {e}"))?;
        if status.success() { Ok(()) } else { Err(format!("bivouac ended with {status}")) }
    }
}

struct Offline {
    url: String,
    python: String,
}

fn reachable(address: &str) -> bool {
    let Ok(mut found) = address.to_socket_addrs() else { return false };
    found.any(|a| TcpStream::connect_timeout(&a, Duration::from_secs(3)).is_ok())
}

fn run_quietly(command: &mut Command) -> Outcome {
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

fn say(what: &str) {
    println!("==> {what}");
}
