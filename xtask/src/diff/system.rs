//! A system under comparison: a cluster with its commands, on which cases are run.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use super::cases::Case;
use super::compare::{Ran, Record};

const PRELUDE: &str = include_str!("prelude.sh");
const CLEAN: &str = include_str!("clean.sh");

/// A cluster, as one account uses it.
pub struct System {
    /// `Slurm` or `bivouac`.
    pub name: &'static str,
    /// The folder that holds everything of it.
    pub folder: PathBuf,
    /// The folder of the slurm.conf that it was started on.
    pub configuration: PathBuf,
    /// Variables that lead the commands to the cluster.
    pub variables: Vec<(String, String)>,
}

/// An account: its name, user id, group id and home folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
}

impl Account {
    /// The account of that name; none is the caller's own.
    ///
    /// # Errors
    /// There is no such account.
    pub fn of(name: Option<&str>) -> Result<Account, String> {
        let id = |flag: &str| {
            let output = Command::new("id").arg(flag).args(name).output().map_err(|e| format!("id: {e}"))?;
            let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            if output.status.success() {
                Ok(text)
            } else {
                Err(format!("there is no account {}", name.unwrap_or("of one's own")))
            }
        };
        let number = |flag: &str| id(flag)?.parse().map_err(|_| format!("id {flag}: no number"));
        Ok(Account { name: id("-un")?, uid: number("-u")?, gid: number("-g")? })
    }
}

impl System {
    /// A command of this system, run by an account, with nothing of the caller's environment.
    pub fn command(&self, program: &str, account: &Account) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", self.folder.join("bin").display()),
            )
            .env("HOME", self.folder.join("home"))
            .env("USER", &account.name)
            .env("LOGNAME", &account.name)
            .env("SHELL", "/bin/bash")
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        if account.uid != own_uid() {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }

    /// Runs a case in a new folder and then empties the queue.
    ///
    /// # Errors
    /// The system itself is broken: no case can be run any more.
    pub fn run(&self, case: &Case, number: usize, account: &Account) -> Result<Ran, String> {
        let io = |path: &Path, e: std::io::Error| format!("{}: {e}", path.display());
        let folder = self.folder.join("work").join(format!("{number:04}"));
        let record = self.folder.join("said").join(format!("{number:04}"));
        for folder in [&folder, &record] {
            std::fs::create_dir_all(folder).map_err(|e| io(folder, e))?;
            std::os::unix::fs::chown(folder, Some(account.uid), Some(account.gid))
                .map_err(|e| io(folder, e))?;
        }
        let begun = Instant::now();
        let started =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64);
        let mut command = self.command("bash", account);
        command
            .args([
                "--noprofile",
                "--norc",
                "-c",
                &format!("RECORD='{}'\n{PRELUDE}\n{}", record.display(), case.script),
                "case",
            ])
            .current_dir(&folder);
        let broken = finish(command, Duration::from_secs(case.within)).err();
        let mut ran = Ran {
            started,
            folders: vec![
                (record.display().to_string(), "<said>"),
                (folder.display().to_string(), "<case>"),
                (self.folder.display().to_string(), "<cluster>"),
                (self.configuration.display().to_string(), "<cluster>"),
            ],
            records: records(&record)?,
            took: 0.0,
            broken,
        };
        let mut clean = self.command("bash", &Account::of(None)?);
        clean.args(["-c", CLEAN]).current_dir(&self.folder);
        finish(clean, Duration::from_secs(60))
            .map_err(|e| format!("{}: after {}: {e}", self.name, case.name))?;
        ran.took = begun.elapsed().as_secs_f64();
        Ok(ran)
    }
}

fn own_uid() -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").map_or(0, |own| own.uid())
}

/// Runs a command to its end; its output matters only where it fails.
fn finish(mut command: Command, limit: Duration) -> Result<(), String> {
    let (mut said, writer) = std::io::pipe().map_err(|e| e.to_string())?;
    command.stdout(writer.try_clone().map_err(|e| e.to_string())?).stderr(writer).process_group(0);
    let mut child = command.spawn().map_err(|e| format!("bash: {e}"))?;
    drop(command);
    // Whatever it left in the background must not keep the reader waiting, so nobody waits for the reader.
    let text = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = std::sync::Arc::clone(&text);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = said.read(&mut buffer) {
            if let Ok(mut sink) = sink.lock() {
                sink.extend_from_slice(&buffer[..count]);
            }
        }
    });
    let until = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
            let said =
                text.lock().map(|text| String::from_utf8_lossy(&text).trim().to_owned()).unwrap_or_default();
            // A case's last command may fail; what bash itself says is a mistake in the script.
            return if said.is_empty() || (status.success() && !said.contains("case: ")) {
                Ok(())
            } else {
                Err(said)
            };
        }
        if Instant::now() > until {
            let group = format!("-{}", child.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
            let _ = child.wait();
            return Err(format!("it took longer than {} s", limit.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What the commands of a case left in its record folder.
fn records(folder: &Path) -> Result<Vec<Record>, String> {
    let mut records = Vec::new();
    loop {
        let file = |kind: &str| std::fs::read(folder.join(format!("{:03}.{kind}", records.len())));
        let text =
            |kind: &str| file(kind).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default();
        let Ok(argv) = file("argv") else { return Ok(records) };
        let argv = String::from_utf8_lossy(&argv);
        let deviates = text("deviates").trim().to_owned();
        records.push(Record {
            argv: argv.split_terminator('\0').map(str::to_owned).collect(),
            // Without an exit code it had not ended when the case was stopped.
            rc: text("rc").trim().parse().unwrap_or(-1),
            out: text("out"),
            err: text("err"),
            deviates: Some(deviates).filter(|id| !id.is_empty()),
        });
    }
}
