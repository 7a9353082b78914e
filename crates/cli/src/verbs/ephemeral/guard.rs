//! The guard of an ephemeral cluster: a process that outlives whoever asked for the cluster, and takes it away.

use super::command;
use crate::cluster::{Unreachable, connect_to};
use bivouac_keeper::scratch;
use bivouac_proto::client::Client;
use bivouac_proto::message::{Ask, CancelRequest, JobQuery, JobTarget, Response, SignalScope};
use bivouac_proto::place::Place;
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Jobs that do not end at SIGTERM are killed after this.
const GRACE: Duration = Duration::from_secs(1);
/// Daemons that do not end are killed after this.
const PATIENCE: Duration = Duration::from_secs(10);
/// A controller that says nothing for so long, when it is asked to end, is taken for dead.
const SILENCE: Duration = Duration::from_secs(5);

const CONTROLLER_LOCK: &str = "controller.lock";
const REAPER_LOCK: &str = "reaper.lock";

/// The guard, as the process that wants the cluster sees it.
pub struct Guard {
    pid: i32,
    place: Place,
    /// Closed, by us or by our death, it is the guard's sign to clean up.
    lifeline: PipeWriter,
    /// What went wrong, and by its end that the guard is gone.
    said: PipeReader,
}

impl Guard {
    /// Starts the guard, which makes a folder and a cluster in it; comes back when the cluster serves.
    ///
    /// # Errors
    /// A sentence for the user.
    pub fn start(name: &str, site: Option<&str>) -> Result<Guard, NotStarted> {
        let pipes = || -> io::Result<_> { Ok((io::pipe()?, io::pipe()?)) };
        let ((cut, lifeline), (said, say)) = pipes().map_err(|e| failed(format!("a pipe: {e}")))?;
        // SAFETY: this program has one thread here, so that the child may do anything.
        match unsafe { libc::fork() } {
            -1 => Err(failed(format!("a process could not be made: {}", io::Error::last_os_error()))),
            0 => {
                drop((lifeline, said));
                detach(&[cut.as_raw_fd(), say.as_raw_fd()]);
                let code = watch(name, site, cut, say);
                // SAFETY: ends the child without the parent's exit handlers.
                unsafe { libc::_exit(code) }
            }
            pid => {
                drop((cut, say));
                Guard::answered(pid, name, lifeline, said)
            }
        }
    }

    /// Waits for the guard's answer: a folder's name, or a NUL byte and what went wrong.
    fn answered(
        pid: i32,
        name: &str,
        lifeline: PipeWriter,
        mut said: PipeReader,
    ) -> Result<Guard, NotStarted> {
        let mut answer = Vec::new();
        let mut byte = [0];
        loop {
            if let Some(signal) = command::signal_before(&said) {
                // The guard takes away what it has made so far.
                drop(lifeline);
                let mut what = String::new();
                let _ = said.read_to_string(&mut what);
                return match collect(pid) {
                    Some(0) => Err(NotStarted::Interrupted(signal)),
                    // What it says of its end stands behind what it said of its beginning.
                    _ => Err(failed(what.rsplit('\0').next().unwrap_or_default().to_owned())),
                };
            }
            if !said.read(&mut byte).is_ok_and(|n| n == 1) || byte == [b'\0'] {
                break;
            }
            answer.push(byte[0]);
        }
        if answer.is_empty() {
            let mut what = String::new();
            let _ = said.read_to_string(&mut what);
            collect(pid);
            return Err(failed(if what.is_empty() { "the cluster's guard was killed".into() } else { what }));
        }
        let root = PathBuf::from(OsString::from_vec(answer));
        Ok(Guard { pid, place: place_in(&root, name), lifeline, said })
    }

    /// Where the cluster is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Ends the cluster and comes back when nothing of it is left.
    ///
    /// # Errors
    /// A sentence that names what is left.
    pub fn end(self) -> Result<(), String> {
        let Guard { pid, place, lifeline, mut said } = self;
        drop(lifeline);
        let mut what = String::new();
        let _ = said.read_to_string(&mut what);
        match collect(pid) {
            Some(0) => Ok(()),
            Some(_) => Err(what),
            // The guard was killed: what it would have done is left to us.
            None => clean_up(&place),
        }
    }
}

/// Why there is no cluster.
pub enum NotStarted {
    /// A sentence for the user.
    Failed(String),
    /// A signal asked us to end; nothing is left.
    Interrupted(i32),
}

fn failed(what: String) -> NotStarted {
    NotStarted::Failed(what)
}

/// A child's exit code; none if a signal ended it.
fn collect(pid: i32) -> Option<i32> {
    let mut status = 0;
    // SAFETY: a valid pointer; the child is ours.
    while unsafe { libc::waitpid(pid, &mut status, 0) } < 0 {
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return None;
        }
    }
    libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status))
}

fn place_in(root: &Path, name: &str) -> Place {
    Place { cluster: name.to_owned(), state_dir: root.join(name), inside: false }
}

/// Into a session of its own, without anything of the caller's that somebody might wait for.
fn detach(keep: &[i32; 2]) {
    // SAFETY: system calls with valid arguments; what is closed is used by nobody in this process.
    unsafe {
        libc::setsid();
        // Whoever wanted the cluster may be gone when it is there.
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        (0..3).for_each(|fd| _ = libc::dup2(null, fd));
        let (low, high) = (keep[0].min(keep[1]), keep[0].max(keep[1]));
        for (first, last) in [(3, low - 1), (low + 1, high - 1), (high + 1, i32::MAX)] {
            if first <= last {
                libc::syscall(libc::SYS_close_range, first as libc::c_uint, last as libc::c_uint, 0);
            }
        }
        libc::prctl(libc::PR_SET_NAME, c"bivouac-guard".as_ptr());
    }
    let _ = std::env::set_current_dir("/");
}

/// The guard's life; its exit code.
fn watch(name: &str, site: Option<&str>, mut cut: PipeReader, mut say: PipeWriter) -> i32 {
    let root = match make_folder() {
        Ok(root) => root,
        Err(e) => return tell(&mut say, &format!("\0{e}")),
    };
    let place = place_in(&root, name);
    if let Err(e) = connect_to(&place, site) {
        let what = match e {
            Unreachable::Start(what) => what,
            other => other.to_string(),
        };
        let left = clean_up(&place).err().map(|e| format!("; {e}")).unwrap_or_default();
        return tell(&mut say, &format!("\0{what}{left}"));
    }
    let ready = say.write_all(root.as_os_str().as_bytes()).and_then(|()| say.write_all(b"\0"));
    if ready.is_ok() {
        // Nothing is ever written there.
        let _ = cut.read(&mut [0]);
    }
    match clean_up(&place) {
        Ok(()) => 0,
        Err(what) => tell(&mut say, &what),
    }
}

fn tell(say: &mut PipeWriter, what: &str) -> i32 {
    let _ = say.write_all(what.as_bytes());
    1
}

/// A folder of our own in TMPDIR, or /tmp.
fn make_folder() -> Result<PathBuf, String> {
    let above = std::env::var_os("TMPDIR").filter(|d| !d.is_empty()).unwrap_or_else(|| "/tmp".into());
    let failed = |e: io::Error| format!("a folder in {} (TMPDIR): {e}", above.display());
    let template = std::path::absolute(Path::new(&above).join("bivouac-ephemeral.XXXXXX")).map_err(failed)?;
    // Its folder of commands stands first on PATH, where a colon would end it; messages carry the path as text.
    if template.to_str().is_none_or(|path| path.contains(':')) {
        let what = "a path with a colon, or that is not UTF-8, cannot hold a cluster";
        return Err(format!("a folder in {} (TMPDIR): {what}", above.display()));
    }
    let mut bytes = CString::new(template.into_os_string().into_vec())
        .map_err(|e| format!("TMPDIR: {e}"))?
        .into_bytes_with_nul();
    // SAFETY: a writable string that ends with NUL.
    if unsafe { libc::mkdtemp(bytes.as_mut_ptr().cast()) }.is_null() {
        return Err(failed(io::Error::last_os_error()));
    }
    bytes.pop();
    Ok(OsStr::from_bytes(&bytes).into())
}

/// Cancels all jobs, ends the daemons and removes the folder.
fn clean_up(place: &Place) -> Result<(), String> {
    let stopped = stop(place);
    let root = place.state_dir.parent().unwrap_or(&place.state_dir);
    // At once gone under its name: a command that outlived its cluster must not start it again.
    let mut aside = root.as_os_str().to_owned();
    aside.push(".removing");
    let aside = PathBuf::from(aside);
    let failed = |e: io::Error| format!("{} could not be removed: {e}", root.display());
    std::fs::rename(root, &aside).map_err(failed)?;
    let until = Instant::now() + PATIENCE;
    loop {
        // SAFETY: no preconditions.
        let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
        match scratch::remove(&aside, uid, gid) {
            Ok(()) => return stopped,
            // A process on its way out may still write there.
            Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
            Err(e) => return Err(failed(e)),
        }
    }
}

/// Ends controller, keeper and reaper with all jobs, and waits until they are gone.
fn stop(place: &Place) -> Result<(), String> {
    let client = match Client::connect(place) {
        Ok(client) => Some(client),
        // Jobs outlived their controller: only a controller ends them in order.
        Err(_) if place.has_keeper() => connect_to(place, None).ok(),
        Err(_) => None,
    };
    let mut pids = client.map_or(Some(Vec::new()), |client| ask_to_end(place, client));
    // A controller that does not answer, as one that is stopped, makes room for another.
    if pids.is_none() && await_end(place, CONTROLLER_LOCK, &[], Instant::now()).is_ok() && place.has_keeper()
    {
        pids = connect_to(place, None).ok().and_then(|client| ask_to_end(place, client));
    }
    let pids = pids.unwrap_or_default();
    let until = Instant::now() + PATIENCE;
    await_end(place, CONTROLLER_LOCK, &pids, until).and(await_end(place, REAPER_LOCK, &pids, until))
}

/// Asks the controller to end with everything; the daemons' process ids, or none if it does not answer.
fn ask_to_end(place: &Place, mut client: Client) -> Option<Vec<u32>> {
    client.give_up_after(SILENCE).ok()?;
    let Ok(Response::Status(status)) = client.call(Ask::Status) else { return None };
    let stubborn = place.clone();
    std::thread::spawn(move || {
        std::thread::sleep(GRACE);
        let _ = kill_jobs(&stubborn);
    });
    let _ = client.call(Ask::Shutdown { cancel: true });
    Some([Some(status.controller_pid), status.reaper_pid, status.keeper_pid].into_iter().flatten().collect())
}

/// Waits for a daemon's end, which sets its lock free. From `until` on it is killed, and these processes with it.
fn await_end(place: &Place, lock: &str, pids: &[u32], until: Instant) -> Result<(), String> {
    let path = place.state_dir.join(lock);
    let Ok(file) = File::open(&path) else { return Ok(()) };
    // SAFETY: an open descriptor.
    while unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
        if Instant::now() >= until {
            // The holder has written his number into the file.
            let holder = std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse::<u32>().ok());
            if Instant::now() > until + PATIENCE {
                let who = holder.map_or_else(|| "a process".into(), |pid| format!("process {pid}"));
                return Err(format!("{who} of the cluster does not end"));
            }
            // SAFETY: no pointers.
            pids.iter()
                .copied()
                .chain(holder)
                .for_each(|pid| _ = unsafe { libc::kill(pid as i32, libc::SIGKILL) });
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// SIGKILL to every process of every job that is still there.
fn kill_jobs(place: &Place) -> Option<()> {
    let mut client = Client::connect(place).ok()?;
    for job in client.jobs(Ask::Jobs(JobQuery::default())).ok()?.ok()? {
        let target = JobTarget { job: job.id, tasks: None };
        let kill = CancelRequest { target, signal: Some(libc::SIGKILL), scope: SignalScope::All };
        client.call(Ask::Cancel(kill)).ok()?;
    }
    Some(())
}
