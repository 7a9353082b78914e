//! The connection to the keeper: found or started, kept, found again.

use crate::mailbox::Mail;
use bivouac_keeper::memory::MemoryMode;
use bivouac_keeper::protocol::{self, FromKeeper, KillMode, ToKeeper, Welcome};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long between two tries to reach a keeper.
const RETRY: Duration = Duration::from_millis(50);
/// How long a keeper may take to welcome us, or to read what we say.
const DEAF: Duration = Duration::from_secs(10);

/// A connection that the owner of the state writes to. Another thread reads it.
pub struct Link {
    stream: UnixStream,
    ties: Arc<Mutex<Ties>>,
    /// Process id of the keeper.
    pub keeper_pid: u32,
    /// Process id of the reaper.
    pub reaper_pid: u32,
    /// How sure a kill is, in words.
    pub containment: &'static str,
    /// How memory limits are kept, in words.
    pub memory: &'static str,
}

impl Link {
    /// Sends one message. A keeper that is gone will be asked again when it is back.
    pub fn send(&mut self, message: &ToKeeper) {
        let mut bytes = Vec::new();
        match protocol::write_frame(&mut bytes, message) {
            Ok(()) => {
                // Half a message spoils the connection: another one is sought, and everything is asked for again.
                if self.stream.write_all(&bytes).is_err() {
                    self.renew();
                }
            }
            Err(e) => say!("a message to the keeper was not sent: {e}"),
        }
    }

    /// Ends the connection, so that the keeper is met anew and says all that it holds.
    pub fn renew(&self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }

    /// Takes leave, so that the controller is not started again. A keeper without jobs then ends. From then on no keeper
    /// is sought or started; one that was reached in the meantime is the one that is taken leave of.
    pub fn part(&mut self, cancel: bool) {
        let ties = self.ties.clone();
        let mut ties = ties.lock().unwrap_or_else(PoisonError::into_inner);
        ties.parted = true;
        if let Some(latest) = ties.latest.take() {
            self.stream = latest;
        }
        if cancel {
            self.send(&ToKeeper::Shutdown { cancel });
        }
        self.send(&ToKeeper::Goodbye);
    }
}

/// What binds this controller to keepers: held while one is sought, so that none is met after the leave was taken.
#[derive(Default)]
struct Ties {
    parted: bool,
    /// The connection made last.
    latest: Option<UnixStream>,
}

/// Keeps a connection until leave is taken: reads it, and when it ends looks for the next keeper.
pub fn keep(state_dir: &Path, keeper: &KeeperProgram, respawn: &[Vec<u8>], owner: &Sender<Mail>) {
    let ties = Arc::new(Mutex::new(Ties::default()));
    let mut said = String::new();
    loop {
        match seek(state_dir, keeper, respawn, &ties) {
            Sought::Parted => return,
            Sought::Started => {}
            Sought::Met(reading, link, welcome) => {
                said.clear();
                let mut reading = *reading;
                if owner.send(Mail::KeeperUp { welcome, link }).is_err() {
                    return;
                }
                let why = read_all(&mut reading, owner);
                say!("the connection to the keeper ended: {why}");
                if owner.send(Mail::KeeperDown).is_err() {
                    return;
                }
            }
            Sought::Trouble(what) => {
                if what != said {
                    said.clone_from(&what);
                    if owner.send(Mail::KeeperTrouble(what)).is_err() {
                        return;
                    }
                }
            }
        }
        std::thread::sleep(RETRY);
    }
}

enum Sought {
    /// The controller ends.
    Parted,
    /// One is coming up.
    Started,
    Met(Box<Reading>, Link, Box<Welcome>),
    Trouble(String),
}

fn seek(state_dir: &Path, keeper: &KeeperProgram, respawn: &[Vec<u8>], ties: &Arc<Mutex<Ties>>) -> Sought {
    let mut held = ties.lock().unwrap_or_else(PoisonError::into_inner);
    if held.parted {
        return Sought::Parted;
    }
    match connect(state_dir, respawn, ties) {
        Ok((reading, link, welcome)) => {
            held.latest = link.stream.try_clone().ok();
            Sought::Met(Box::new(reading), link, welcome)
        }
        // Starting a reaper is harmless if one is there: it refuses.
        Err(trouble) => match start(keeper, state_dir) {
            Ok(()) => Sought::Started,
            Err(e) => {
                Sought::Trouble(format!("{trouble}; {} could not be started: {e}", keeper.path.display()))
            }
        },
    }
}

fn connect(
    state_dir: &Path,
    respawn: &[Vec<u8>],
    ties: &Arc<Mutex<Ties>>,
) -> Result<(Reading, Link, Box<Welcome>), String> {
    let dir = std::fs::File::open(state_dir).map_err(|e| e.to_string())?;
    let path = format!("/proc/self/fd/{}/keeper.sock", std::os::fd::AsRawFd::as_raw_fd(&dir));
    let stream = UnixStream::connect(path).map_err(|e| format!("keeper.sock: {e}"))?;
    // A keeper that was stopped must not stop us with it.
    stream
        .set_read_timeout(Some(DEAF))
        .and_then(|()| stream.set_write_timeout(Some(DEAF)))
        .map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    let hello = ToKeeper::Hello {
        version: protocol::VERSION,
        controller_pid: std::process::id() as i32,
        respawn: respawn.to_vec(),
    };
    protocol::write_frame(&mut bytes, &hello).map_err(|e| e.to_string())?;
    (&stream).write_all(&bytes).map_err(|e| e.to_string())?;
    let writing = stream.try_clone().map_err(|e| e.to_string())?;
    let mut reading = Reading { stream, bytes: Vec::new(), used: 0 };
    match reading.next()? {
        FromKeeper::Welcome(welcome) => {
            reading.stream.set_read_timeout(None).map_err(|e| e.to_string())?;
            let link = Link {
                stream: writing,
                ties: ties.clone(),
                keeper_pid: welcome.keeper_pid as u32,
                reaper_pid: welcome.reaper_pid as u32,
                containment: match welcome.kill_mode {
                    KillMode::CgroupV2 => "cgroup v2: kills are sure",
                    KillMode::Freezer => "cgroup v1 freezer: kills are sure",
                    KillMode::Search => {
                        "process search: a process that leaves session and environment escapes a kill"
                    }
                },
                memory: match welcome.memory_mode {
                    MemoryMode::Enforced => "enforced by control groups",
                    MemoryMode::Watched => "watched: what a job has too much is seen after a moment",
                },
            };
            Ok((reading, link, welcome))
        }
        FromKeeper::Refused { reason } => Err(reason),
        other => Err(format!("the keeper began with {other:?}")),
    }
}

fn read_all(reading: &mut Reading, owner: &Sender<Mail>) -> String {
    loop {
        match reading.next() {
            Ok(message) => {
                if owner.send(Mail::Keeper(message)).is_err() {
                    return "the controller ends".to_owned();
                }
            }
            Err(why) => return why,
        }
    }
}

/// What is started where no keeper is.
pub struct KeeperProgram {
    /// The executable.
    pub path: PathBuf,
    /// The limit of open files that it, and the jobs, are to have.
    pub open_files: libc::rlimit,
}

fn start(keeper: &KeeperProgram, state_dir: &Path) -> std::io::Result<()> {
    let limit = keeper.open_files;
    let mut command = Command::new(&keeper.path);
    // SAFETY: setrlimit is async-signal-safe.
    unsafe { command.pre_exec(move || bivouac_keeper::sys::set_open_files(&limit)) };
    let mut child = command
        .arg("reaper")
        .arg("--state-dir")
        .arg(state_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    // It puts itself into the background at once; what is waited for here is only its first process.
    child.wait()?;
    Ok(())
}

struct Reading {
    stream: UnixStream,
    bytes: Vec<u8>,
    used: usize,
}

impl Reading {
    fn next(&mut self) -> Result<FromKeeper, String> {
        loop {
            match protocol::read_frame(&self.bytes[self.used..]).map_err(|e| e.to_string())? {
                Some((message, taken)) => {
                    self.used += taken;
                    return Ok(message);
                }
                None => {
                    self.bytes.drain(..self.used);
                    self.used = 0;
                    let mut more = [0; 16 << 10];
                    match self.stream.read(&mut more) {
                        Ok(0) => return Err("it was closed".to_owned()),
                        Ok(n) => self.bytes.extend_from_slice(&more[..n]),
                        Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                        Err(e) => return Err(e.to_string()),
                    }
                }
            }
        }
    }
}

/// How the keeper brings the controller back: this program with these arguments.
pub fn respawn_command(args: &[std::ffi::OsString]) -> Vec<Vec<u8>> {
    let exe = std::env::current_exe().unwrap_or_default();
    std::iter::once(exe.as_os_str())
        .chain(args.iter().map(|a| a.as_os_str()))
        .map(|a| a.as_bytes().to_vec())
        .collect()
}
