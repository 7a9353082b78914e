//! Where a cluster lives: its state folder and its socket.
//!
//! Both follow from the passwd entry and the cluster's name, because cron, su and batch shells lack every other
//! variable. Within a site view the folder is at a fixed place; a command called from a cluster's own link folder, and one
//! below a cluster's keeper, mean that cluster. Socket paths may be longer than the 108 bytes of a
//! socket address: they are reached through `/proc/self/fd`.

pub use bivouac_types::config::valid_cluster_name;
use std::ffi::{CStr, OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// The name of a cluster that nobody named.
pub const DEFAULT_CLUSTER: &str = "bivouac";
/// Within a view: the cluster's state folder.
pub const VIEW_STATE: &str = "/.bivouac/run";
/// The controller's socket in the state folder.
pub const SOCKET: &str = "ctl.sock";
/// In the state folder: the cluster's own link folder, Slurm's commands by their names.
pub const LINKS: &str = "site/bin";
/// The keeper's socket in the state folder.
const KEEPER_SOCKET: &str = "keeper.sock";
/// The controller's lock in the state folder: a sign that a folder is one.
const LOCK: &str = "controller.lock";
/// How many processes may lie between a command and its job's keeper.
const DEEPEST: u32 = 256;

/// A cluster's place on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The cluster's name.
    pub cluster: String,
    /// Its state folder.
    pub state_dir: PathBuf,
    /// Whether we are inside a view or a job of that cluster: it is then never started from here.
    pub inside: bool,
}

/// A user as the passwd database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Number.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Login name.
    pub name: String,
    /// The user's name in full, and what else the passwd database says of them.
    pub gecos: String,
    /// Home folder.
    pub home: PathBuf,
    /// Login shell.
    pub shell: PathBuf,
}

impl Account {
    /// The account of that number.
    ///
    /// # Errors
    /// `NotFound` if the passwd database has none.
    pub fn of_uid(uid: u32) -> io::Result<Account> {
        let mut buffer = vec![0u8; 16 << 10];
        loop {
            // SAFETY: a zeroed passwd is a valid value to be filled in.
            let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
            let mut found = std::ptr::null_mut();
            // SAFETY: all pointers are valid for the call and the buffer's length is passed.
            let rc = unsafe {
                libc::getpwuid_r(uid, &mut entry, buffer.as_mut_ptr().cast(), buffer.len(), &mut found)
            };
            if rc == libc::ERANGE && buffer.len() < 1 << 20 {
                buffer.resize(buffer.len() * 2, 0);
                continue;
            }
            if rc != 0 {
                return Err(io::Error::from_raw_os_error(rc));
            }
            if found.is_null() {
                return Err(io::Error::new(io::ErrorKind::NotFound, format!("no user has the number {uid}")));
            }
            // SAFETY: getpwuid_r filled the entry with pointers to strings in the buffer.
            let text = |p: *const libc::c_char| unsafe { CStr::from_ptr(p) }.to_bytes().to_vec();
            return Ok(Account {
                uid: entry.pw_uid,
                gid: entry.pw_gid,
                name: String::from_utf8_lossy(&text(entry.pw_name)).into_owned(),
                gecos: String::from_utf8_lossy(&text(entry.pw_gecos)).into_owned(),
                home: OsString::from_vec(text(entry.pw_dir)).into(),
                shell: match text(entry.pw_shell) {
                    s if s.is_empty() => "/bin/sh".into(),
                    s => OsString::from_vec(s).into(),
                },
            });
        }
    }

    /// The account of the calling process.
    ///
    /// # Errors
    /// As [`Account::of_uid`].
    pub fn own() -> io::Result<Account> {
        // SAFETY: geteuid has no preconditions.
        Account::of_uid(unsafe { libc::geteuid() })
    }
}

impl Place {
    /// The cluster meant: `--cluster`, then BIVOUAC_CLUSTER, then that of the view we are in, then that in whose link
    /// folder the command was called, then that of the job we are in, then the personal one. BIVOUAC_STATE_DIR replaces
    /// the folder that holds the clusters (`~/.local/state/bivouac`).
    ///
    /// # Errors
    /// `InvalidInput` for a name that cannot be a cluster's; what the passwd look-up says.
    pub fn find(cluster: Option<&str>) -> io::Result<Place> {
        let named = cluster
            .map(str::to_owned)
            .or_else(|| std::env::var("BIVOUAC_CLUSTER").ok().filter(|c| !c.is_empty()));
        if let Ok(text) = std::fs::read_to_string("/.bivouac/cluster") {
            let here = text.lines().next().unwrap_or_default().trim().to_owned();
            if named.as_ref().is_none_or(|n| *n == here) {
                return Ok(Place { cluster: here, state_dir: VIEW_STATE.into(), inside: true });
            }
        }
        let above = std::env::var_os("BIVOUAC_STATE_DIR").filter(|d| !d.is_empty());
        if named.is_none()
            && above.is_none()
            && let Some(found) = called_as().and_then(|path| Place::of_link(&path)).or_else(Place::of_job)
        {
            return Ok(found);
        }
        let cluster = named.unwrap_or_else(|| DEFAULT_CLUSTER.to_owned());
        if !valid_cluster_name(&cluster) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("`{cluster}` cannot be a cluster's name: use letters, digits, `.`, `_` and `-`"),
            ));
        }
        let root = match above {
            Some(dir) => std::path::absolute(PathBuf::from(dir))?,
            None => Account::own()?.home.join(".local/state/bivouac"),
        };
        Ok(Place { state_dir: root.join(&cluster), cluster, inside: in_job() })
    }

    /// The cluster in whose link folder this path is: an absolute path alone leads a command without any variable to it.
    fn of_link(path: &Path) -> Option<Place> {
        let folder = path.parent().filter(|f| f.ends_with(LINKS))?;
        let state_dir = folder.parent()?.parent()?.canonicalize().ok()?;
        state_dir.join(LOCK).exists().then(|| Place::at(state_dir, in_job()))?
    }

    /// The cluster whose keeper is above this process: jobs' processes are the keeper's, or of its reaper, whatever
    /// became of their environment.
    fn of_job() -> Option<Place> {
        // SAFETY: no preconditions.
        let mut pid = unsafe { libc::getppid() };
        for _ in 0..DEEPEST {
            if pid <= 1 {
                return None;
            }
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            if let Some(state_dir) = keepers_folder(&line) {
                return Place::at(state_dir, true);
            }
            pid = parent(&std::fs::read(format!("/proc/{pid}/stat")).ok()?)?;
        }
        None
    }

    fn at(state_dir: PathBuf, inside: bool) -> Option<Place> {
        let cluster = state_dir.file_name()?.to_str().filter(|n| valid_cluster_name(n))?.to_owned();
        Some(Place { cluster, state_dir, inside })
    }

    /// The cluster's own link folder, Slurm's commands by their names; there once the controller has served.
    pub fn link_folder(&self) -> PathBuf {
        self.state_dir.join(LINKS)
    }

    /// Makes the state folder, mode 0700, and checks that it is ours.
    ///
    /// # Errors
    /// `PermissionDenied` if it belongs to somebody else, be it to root that it does not: a controller of root's in it
    /// would follow its owner's links, and lock its owner out by its own files.
    pub fn create(&self) -> io::Result<()> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.state_dir);
        made.map_err(|e| named(&self.state_dir, e))?;
        self.check_owner(false)
    }

    fn check_owner(&self, root_too: bool) -> io::Result<()> {
        let owner = std::fs::metadata(&self.state_dir)?.uid();
        // SAFETY: geteuid has no preconditions.
        let me = unsafe { libc::geteuid() };
        if owner == me || me == 0 && root_too || self.state_dir == Path::new(VIEW_STATE) {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "the state folder {} belongs to user {owner}, not to {me}: only they can start a cluster there",
                self.state_dir.display()
            ),
        ))
    }

    /// The controller's socket.
    pub fn socket(&self) -> PathBuf {
        self.state_dir.join(SOCKET)
    }

    /// Connects to the controller.
    ///
    /// # Errors
    /// `NotFound` or `ConnectionRefused` when no controller runs.
    pub fn connect(&self) -> io::Result<UnixStream> {
        let named = |path: &Path, e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
        let dir = File::open(&self.state_dir).map_err(|e| named(&self.state_dir, e))?;
        self.check_owner(true)?;
        UnixStream::connect(via_fd(&dir, SOCKET)).map_err(|e| named(&self.socket(), e))
    }

    /// Whether a keeper runs, and with it jobs that outlived their controller: it ends when it has none.
    pub fn has_keeper(&self) -> bool {
        File::open(&self.state_dir).is_ok_and(|dir| UnixStream::connect(via_fd(&dir, KEEPER_SOCKET)).is_ok())
    }

    /// Takes the controller's address; a socket file left by a dead controller is replaced. The caller must hold
    /// the controller's lock.
    ///
    /// # Errors
    /// What the file system says.
    pub fn listen(&self) -> io::Result<UnixListener> {
        let dir = File::open(&self.state_dir)?;
        match std::fs::remove_file(self.socket()) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        UnixListener::bind(via_fd(&dir, SOCKET))
    }
}

/// Whether this is a job's process, as its environment says.
fn in_job() -> bool {
    std::env::var_os("SLURM_JOB_ID").is_some()
}

/// The path by which this program was executed, links not resolved.
fn called_as() -> Option<PathBuf> {
    // SAFETY: AT_EXECFN is the address of a string that lives as long as the process.
    let path = unsafe {
        let address = libc::getauxval(libc::AT_EXECFN) as *const libc::c_char;
        (!address.is_null()).then(|| CStr::from_ptr(address))?
    };
    std::path::absolute(OsStr::from_bytes(path.to_bytes())).ok()
}

/// The state folder that a keeper's, or a reaper's, command line names.
fn keepers_folder(line: &[u8]) -> Option<PathBuf> {
    let mut words = line.split(|b| *b == 0);
    let program = words.next()?;
    if program.rsplit(|b| *b == b'/').next()? != b"bivouac-keeper" {
        return None;
    }
    words.find(|w| *w == b"--state-dir")?;
    words.next().map(|dir| OsStr::from_bytes(dir).into())
}

/// The parent's number in `/proc/PID/stat`, after the name, which may hold anything.
fn parent(stat: &[u8]) -> Option<i32> {
    let end = stat.iter().rposition(|b| *b == b')')?;
    std::str::from_utf8(&stat[end + 1..]).ok()?.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn named(path: &Path, e: io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{}: {e}", path.display()))
}

/// A path that reaches `name` in an open folder in few bytes.
fn via_fd(dir: &File, name: &str) -> PathBuf {
    format!("/proc/self/fd/{}/{name}", dir.as_raw_fd()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_in_a_very_long_folder_is_reached() {
        let tmp = tempfile::tempdir().unwrap();
        let place = Place { cluster: "c".into(), state_dir: tmp.path().join("x".repeat(200)), inside: false };
        place.create().unwrap();
        let listener = place.listen().unwrap();
        place.connect().unwrap();
        drop(listener);
        assert_eq!(place.connect().unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        place.listen().unwrap();
    }

    #[test]
    fn a_link_leads_to_its_cluster_and_to_nothing_elsewhere() {
        let tmp = tempfile::tempdir().unwrap();
        let state = tmp.path().canonicalize().unwrap().join("camp");
        let links = state.join(LINKS);
        std::fs::create_dir_all(&links).unwrap();
        assert_eq!(Place::of_link(&links.join("sbatch")), None, "no controller was ever there");
        std::fs::write(state.join(LOCK), "").unwrap();
        let found = Place::of_link(&links.join("sbatch")).unwrap();
        assert_eq!((found.cluster.as_str(), &found.state_dir), ("camp", &state));
        for other in [tmp.path().join("bin/sbatch"), "/usr/bin/sbatch".into(), "sbatch".into()] {
            assert_eq!(Place::of_link(&other), None, "{other:?}");
        }
    }

    #[test]
    fn a_keeper_is_known_by_its_command_line() {
        let line = b"/opt/b/bivouac-keeper\0reaper\0--state-dir\0/s t/c\0";
        assert_eq!(keepers_folder(line), Some("/s t/c".into()));
        assert_eq!(
            keepers_folder(b"bivouac-keeper\0keeper\0--state-dir\0/c\0--lock-fd\x003\0"),
            Some("/c".into())
        );
        for other in
            [&b"bash\0--state-dir\0/c\0"[..], b"bivouac-keeper\0--help\0", b"", b"x-bivouac-keeper\0a"]
        {
            assert_eq!(keepers_folder(other), None);
        }
        assert_eq!(parent(b"7 (a) b) 3) S 42 7 7"), Some(42));
        assert_eq!(parent(b"7 (x"), None);
    }

    #[test]
    fn names_that_would_leave_the_folder_are_refused() {
        for bad in ["", ".", "..", "a/b", "-x", "a b", &"x".repeat(65)] {
            assert!(!valid_cluster_name(bad), "{bad}");
        }
        assert!(valid_cluster_name("alpine-2023.07"));
    }
}
