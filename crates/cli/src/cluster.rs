//! The way to the controller: finds the cluster's place, starts the controller if none runs, connects.

use bivouac_proto::client::Client;
use bivouac_proto::frame::FrameError;
use bivouac_proto::message::{Ask, Response};
use bivouac_proto::place::Place;
use bivouac_site::Site;
use bivouac_types::Duration;
use bivouac_types::fault::Greeting;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Why the controller could not be asked. `Display` is the line for the user.
#[derive(Debug)]
pub enum Unreachable {
    /// The place itself is wrong (name, owner, passwd).
    Place(io::Error),
    /// No controller runs, and from within a job or a view none is started.
    NotRunning(Place),
    /// The controller did not come up; with the end of what it said.
    Start(String),
    /// The connection failed.
    Frame(FrameError),
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreachable::Place(e) => write!(f, "{e}"),
            Unreachable::NotRunning(p) => write!(
                f,
                "Unable to contact slurm controller (connect failure): cluster {0} is not running; start it outside \
                 this job or login view with `bivouac --cluster {0} up`",
                p.cluster
            ),
            Unreachable::Start(what) => {
                write!(f, "Unable to contact slurm controller (connect failure): {what}")
            }
            Unreachable::Frame(FrameError::Closed | FrameError::Io(_)) => f.write_str(
                "Unable to contact slurm controller (connect failure): it ended while it was asked, and whether it has done \
                 that is not known: look, and ask again (`bivouac status` tells whether it is back)",
            ),
            Unreachable::Frame(e) => write!(f, "{e}"),
        }
    }
}

impl From<FrameError> for Unreachable {
    fn from(e: FrameError) -> Unreachable {
        Unreachable::Frame(e)
    }
}

/// Connects to the user's cluster; starts its controller with the profile it had, or `local`, if none runs.
///
/// # Errors
/// See [`Unreachable`]; the caller prints it after its own name and exits 1.
pub fn connect() -> Result<Client, Unreachable> {
    let place = Place::find(None).map_err(Unreachable::Place)?;
    connect_to(&place, None)
}

/// Connects to a given cluster, starting it with `site` (none: the one it had, else `local`) if need be. The
/// connection is tried out: a controller that was just killed may still seem to be there.
///
/// # Errors
/// See [`Unreachable`].
pub fn connect_to(place: &Place, site: Option<&str>) -> Result<Client, Unreachable> {
    let mut tries = 0;
    loop {
        tries += 1;
        let outcome = match Client::connect(place) {
            Ok(mut client) => match client.call(greeting()) {
                Ok(answer) => {
                    if let Response::Greeted(greeting) = answer {
                        meet(&greeting);
                    }
                    client.admin = ADMIN.load(Ordering::Relaxed);
                    let place = place.clone();
                    client.reconnect = Some(Box::new(move || connect_to(&place, None).ok()));
                    return Ok(client);
                }
                Err(e @ (FrameError::Closed | FrameError::Io(_))) => Unreachable::Frame(e),
                Err(e) => return Err(Unreachable::Frame(e)),
            },
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                if place.inside {
                    return Err(Unreachable::NotRunning(place.clone()));
                }
                start(place, site)?;
                Unreachable::Start(
                    "it ended again at once; bivouacd.log in its state folder may say why".into(),
                )
            }
            Err(e) => return Err(Unreachable::Place(e)),
        };
        if tries == TRIES {
            return Err(outcome);
        }
    }
}

/// The command of Slurm's that this process is, until it has greeted the controller.
static PROGRAM: Mutex<Option<&'static str>> = Mutex::new(None);
/// What sacct is to be behind, milliseconds.
static LAG: AtomicU64 = AtomicU64::new(0);

/// This process is a command of Slurm's: the controller may have a scripted fault for it (`bivouac fault`).
pub fn begin(program: &'static str) {
    *PROGRAM.lock().unwrap_or_else(PoisonError::into_inner) = Some(program);
}

/// Once for each command, however often it connects.
fn greeting() -> Ask {
    match PROGRAM.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(program) => Ask::Greet { program: program.to_owned() },
        None => Ask::Ping,
    }
}

/// The command meets what was scripted for it.
fn meet(greeting: &Greeting) {
    std::thread::sleep(std::time::Duration::from_millis(greeting.wait.0));
    LAG.store(greeting.lag.0, Ordering::Relaxed);
    if let Some((text, code)) = &greeting.refusal {
        eprintln!("{text}");
        std::process::exit((*code).into());
    }
}

/// How far the accounting is to be behind.
pub fn lag() -> Duration {
    Duration(LAG.load(Ordering::Relaxed))
}

static ADMIN: AtomicBool = AtomicBool::new(false);

/// From here on the owner of a personal cluster acts as its operator (`bivouac --admin ...`).
pub fn act_as_operator() {
    ADMIN.store(true, Ordering::Relaxed);
}

/// How often a controller that goes away under our hands is sought again.
const TRIES: u32 = 10;

/// Starts `bivouacd` and waits until it listens, or says why not. The daemon closes its standard output when it
/// serves; before that it writes there what went wrong.
///
/// Where systemd runs a manager for the user, the daemon gets a scope of its own: without one an ordinary user has no
/// cgroup to contain jobs in, and the end of the login may take the cluster along. Where that fails, it starts plainly.
fn start(place: &Place, site: Option<&str>) -> Result<(), Unreachable> {
    // A folder named in vain is a slip, or that of an ephemeral cluster that is over.
    let named = std::env::var_os("BIVOUAC_STATE_DIR").filter(|d| !d.is_empty());
    if let (Some(named), Some(root)) = (named, place.state_dir.parent())
        && !root.exists()
    {
        let gone = format!("BIVOUAC_STATE_DIR={} does not exist: make the folder first", named.display());
        return Err(Unreachable::Start(gone));
    }
    place.create().map_err(Unreachable::Place)?;
    let daemon = sibling("bivouacd").map_err(Unreachable::Place)?;
    let mut words = vec![daemon.into_os_string()];
    words.extend([
        "--cluster".into(),
        place.cluster.clone().into(),
        "--state-dir".into(),
        place.state_dir.clone().into(),
    ]);
    words.extend(site.iter().flat_map(|s| ["--site".into(), OsString::from(s)]));
    if let Some(runtime_dir) = user_manager() {
        let scope =
            ["--user", "--scope", "--quiet", "--collect", "-p", "Delegate=yes", "--"].map(OsString::from);
        let said = launch(Path::new(SYSTEMD_RUN), scope.iter().chain(&words), Some(&runtime_dir));
        if said.is_ok_and(|said| said.is_empty()) && Client::connect(place).is_ok() {
            return Ok(());
        }
    }
    let said = launch(Path::new(&words[0]), &words[1..], None)
        .map_err(|e| Unreachable::Start(format!("{} could not be started: {e}", words[0].display())))?;
    // Two commands at once start one cluster: the loser says so and the winner serves both.
    if said.is_empty() || Client::connect(place).is_ok() {
        return Ok(());
    }
    Err(Unreachable::Start(said))
}

const SYSTEMD_RUN: &str = "/usr/bin/systemd-run";

/// The runtime folder of the user's systemd manager, if one runs. Root's cluster needs no delegation.
pub fn user_manager() -> Option<PathBuf> {
    // SAFETY: geteuid has no preconditions.
    let uid = unsafe { libc::geteuid() };
    let dir = PathBuf::from(format!("/run/user/{uid}"));
    let there = uid != 0
        && Path::new(SYSTEMD_RUN).exists()
        && UnixStream::connect(dir.join("systemd/private")).is_ok();
    there.then_some(dir)
}

/// Runs a program in the background, in a session and with an environment that do not depend on the shell that happened
/// to start it, and gives what it writes before it closes its standard output.
fn launch(
    program: &Path,
    words: impl IntoIterator<Item = impl AsRef<OsStr>>,
    runtime_dir: Option<&Path>,
) -> io::Result<String> {
    let mut command = Command::new(program);
    command
        .args(words)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    for keep in ["LANG", "TZ", "BIVOUAC_NO_NAMESPACES", "BIVOUAC_KILL_MODE"] {
        if let Some(v) = std::env::var_os(keep) {
            command.env(keep, v);
        }
    }
    if let Some(dir) = runtime_dir {
        command.env("XDG_RUNTIME_DIR", dir);
    }
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    // SAFETY: setsid, umask and the calls for the mask are async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            libc::setsid();
            libc::umask(0o077);
            let mut none = std::mem::zeroed();
            libc::sigemptyset(&mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
            Ok(())
        })
    };
    let mut child = command.spawn()?;
    let mut said = String::new();
    if let Some(mut out) = child.stdout.take() {
        out.read_to_string(&mut said)?;
    }
    Ok(said.trim().to_owned())
}

/// The path of another executable of bivouac's, beside this one; with an empty name the folder.
///
/// # Errors
/// What `/proc/self/exe` says.
pub fn sibling(name: &str) -> io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let dir = own.parent().unwrap_or(std::path::Path::new("/"));
    Ok(if name.is_empty() { dir.to_owned() } else { dir.join(name) })
}

/// One request with one answer; a refusal and a failure are answers too.
///
/// # Errors
/// See [`Unreachable`].
pub fn ask(body: Ask) -> Result<Response, Unreachable> {
    Ok(connect()?.call(body)?)
}
/// The site that a running cluster has. On a slurm.conf it is what the controller has read: the file may have changed.
///
/// # Errors
/// A sentence.
pub fn site_of(client: &mut Client, name: &str, home: &Path) -> Result<Site, String> {
    if !Site::has_slurm_conf(name) {
        return Site::load(name, home).map_err(|e| e.to_string());
    }
    match client.call(Ask::Config).map_err(|e| e.to_string())? {
        Response::Config(config) => Site::of_config(*config).map_err(|e| e.to_string()),
        other => Err(format!("unexpected answer {other:?}")),
    }
}
