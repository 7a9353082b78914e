//! From the command line to a serving controller, each step with an error that says what to do.

use crate::clock::{self, Clock};
use crate::configuration::{self, Chosen};
use crate::controller::{Controller, Sited};
use crate::keeper_link::KeeperProgram;
use crate::mailbox::Mail;
use crate::{history, keeper_link, lock, watch};
use bivouac_keeper::sys;
use bivouac_proto::place::{Place, valid_cluster_name};
use bivouac_site::{Access, Site, User};
use bivouac_store::{Store, StoreError};
use bivouac_types::Now;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};

/// The folder of jobs' own scratch folders in the state folder.
const SCRATCH: &str = "scratch";
/// The log begins anew above this size.
const LOG_LIMIT: u64 = 4 << 20;

struct Arguments {
    place: Place,
    site: Option<String>,
}

/// Runs the controller until it is told to stop.
///
/// # Errors
/// A sentence for whoever started it.
pub fn serve(args: &[OsString]) -> Result<(), String> {
    let Arguments { place, site } = parse(args)?;
    // SAFETY: umask has no preconditions. Whoever starts us: what is in the state folder is its owner's alone.
    unsafe { libc::umask(0o077) };
    place.create().map_err(|e| e.to_string())?;
    let _lock = lock::take(&place.state_dir, || place.connect().is_ok())?;
    let found = Store::open(&place.state_dir).map_err(|e| e.to_string())?;
    let exe_dir = own_folder()?;
    let Chosen { site, kept, wanted, mut problem } =
        configuration::choose(&found.store, &place.cluster, site)?;
    let mut store = found.store;
    let sited = lay_out(site, &place, &exe_dir)?;
    let mut replayed =
        history::replay(kept.clone(), found.snapshot.as_ref(), &found.events).map_err(|e| {
            format!("{}: {e}; nothing was changed", place.state_dir.join(bivouac_store::FILE).display())
        })?;
    if let Err(v) = replayed.cluster.check() {
        return Err(format!("{}: the stored state contradicts itself: {}", place.state_dir.display(), v.0));
    }
    if kept != wanted {
        match configuration::move_to(&replayed.cluster, &wanted) {
            Ok(cluster) => {
                replayed.cluster = cluster;
                history::compact(&mut store, &replayed).map_err(|e| e.to_string())?;
            }
            Err(e) => problem = Some(e),
        }
    }
    configuration::keep(&store, &sited.site, &replayed.cluster.world().base)?;
    let clock = resume_clock(&store, replayed.at).map_err(|e| e.to_string())?;
    let listener = place.listen().map_err(|e| format!("{}: {e}", place.socket().display()))?;

    block_signals();
    let (owner, mail) = channel();
    wait_for_signals(owner.clone());
    // Each client takes a descriptor; the keeper, and through it the jobs, keep the limit that we were given.
    let given = sys::raise_open_files().map_err(|e| format!("RLIMIT_NOFILE: {e}"))?;
    keep_keeper(&place.state_dir, &exe_dir, args, given, owner.clone());
    let controller = Controller::new(place.clone(), sited, replayed, store, clock, problem, owner.clone());
    into_background(&place.state_dir)?;
    watch::serve(place, listener, owner);
    say!("{}: controller {} serves", clock::wall().as_secs(), std::process::id());
    controller.run(&mail);
    say!("{}: controller {} ends", clock::wall().as_secs(), std::process::id());
    Ok(())
}

fn parse(args: &[OsString]) -> Result<Arguments, String> {
    let usage = "usage: bivouacd --cluster NAME --state-dir DIR [--site PROFILE] (started by `bivouac up`)";
    let (mut cluster, mut state_dir, mut site) = (None, None, None);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let value = args.next().ok_or(usage)?;
        let text = || value.to_str().map(str::to_owned).ok_or(usage);
        match arg.to_str() {
            Some("--cluster") => cluster = Some(text()?),
            Some("--state-dir") => state_dir = Some(PathBuf::from(value)),
            Some("--site") => site = Some(text()?),
            _ => return Err(usage.into()),
        }
    }
    let (Some(cluster), Some(state_dir)) = (cluster, state_dir) else { return Err(usage.into()) };
    if !valid_cluster_name(&cluster) || !state_dir.is_absolute() {
        return Err(usage.into());
    }
    Ok(Arguments { place: Place { cluster, state_dir, inside: false }, site })
}

/// Where the keeper makes a job's own folder: users pass through it, and see only their own.
fn make_scratch(state_dir: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o711).create(state_dir.join(SCRATCH))
}

fn lay_out(site: Site, place: &Place, exe_dir: &Path) -> Result<Sited, String> {
    let cluster = bivouac_site::Cluster {
        name: place.cluster.clone(),
        state_dir: place.state_dir.clone(),
        exe_dir: exe_dir.to_owned(),
    };
    let installed = site.install(&cluster).map_err(|e| e.to_string())?;
    let account = configuration::own_account()?;
    installed.prepare(&User { name: account.name, home: account.home }).map_err(|e| e.to_string())?;
    make_scratch(&place.state_dir)
        .map_err(|e| format!("{}: {e}", place.state_dir.join(SCRATCH).display()))?;
    let (access, _) = Access::probe();
    Ok(Sited { site, installed, access })
}

fn resume_clock(store: &Store, last: Now) -> Result<Clock, StoreError> {
    let kept = store.note("clock")?.and_then(|text| text.parse().ok());
    let clock = Clock::resume(kept.as_ref(), last);
    store.set_note("clock", &clock.base().to_string())?;
    Ok(clock)
}

fn own_folder() -> Result<PathBuf, String> {
    let exe = std::env::current_exe().map_err(|e| format!("/proc/self/exe: {e}"))?;
    exe.parent().map(Path::to_owned).ok_or_else(|| format!("{} is in no folder", exe.display()))
}

fn keep_keeper(
    state_dir: &Path,
    exe_dir: &Path,
    args: &[OsString],
    open_files: libc::rlimit,
    owner: Sender<Mail>,
) {
    let (state_dir, keeper) = (state_dir.to_owned(), exe_dir.join("bivouac-keeper"));
    let respawn = keeper_link::respawn_command(args);
    std::thread::spawn(move || {
        keeper_link::keep(&state_dir, &KeeperProgram { path: keeper, open_files }, &respawn, &owner)
    });
}

fn stop_signals() -> libc::sigset_t {
    // SAFETY: the set is initialised by sigemptyset before it is used.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGTERM);
        libc::sigaddset(&mut set, libc::SIGINT);
        libc::sigaddset(&mut set, libc::SIGHUP);
        set
    }
}

/// Before any thread exists, so that every thread inherits it.
fn block_signals() {
    // SAFETY: both are called with valid arguments; no thread exists yet.
    unsafe {
        // A reader that is gone, or a limit on files' sizes that our starter had, is an error to handle.
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        libc::pthread_sigmask(libc::SIG_BLOCK, &stop_signals(), std::ptr::null_mut());
    }
}

fn wait_for_signals(owner: Sender<Mail>) {
    std::thread::spawn(move || {
        loop {
            let mut signal = 0;
            // SAFETY: the set and the pointer are valid for the call.
            let rc = unsafe { libc::sigwait(&stop_signals(), &mut signal) };
            if rc == 0 && signal != libc::SIGHUP && owner.send(Mail::Stop).is_err() {
                return;
            }
        }
    });
}

/// The starter waits for the end of our standard output: from here on we serve, and what we say goes to the log.
fn into_background(state_dir: &Path) -> Result<(), String> {
    let path = state_dir.join("bivouacd.log");
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    if std::fs::metadata(&path).is_ok_and(|m| m.len() > LOG_LIMIT) {
        std::fs::rename(&path, state_dir.join("bivouacd.log.old")).map_err(failed)?;
    }
    let log = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(&path)
        .map_err(failed)?;
    for fd in [1, 2] {
        // SAFETY: both descriptors are open.
        if unsafe { libc::dup2(log.as_raw_fd(), fd) } < 0 {
            return Err(failed(std::io::Error::last_os_error()));
        }
    }
    Ok(())
}
