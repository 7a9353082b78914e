//! The command of an ephemeral cluster: its environment, its signals, its end.

use bivouac_proto::place::Place;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};

/// What may end us while the cluster is there: held, and passed on to the command.
const HELD: [i32; 7] =
    [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGUSR1, libc::SIGUSR2, libc::SIGCHLD];

/// From here on signals wait for [`run`]: what ends the command ends us, after the cluster. Gives the mask as it was.
pub fn hold_signals() -> libc::sigset_t {
    // SAFETY: a valid set, and a place for another; one thread.
    unsafe {
        let mut before = std::mem::zeroed();
        libc::sigprocmask(libc::SIG_BLOCK, &held(), &mut before);
        before
    }
}

fn held() -> libc::sigset_t {
    set_of(&HELD)
}

fn set_of(signals: &[i32]) -> libc::sigset_t {
    // SAFETY: the set is initialised before it is used.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in signals {
            libc::sigaddset(&mut set, *signal);
        }
        set
    }
}

/// What asks us to end before there is a command that it could be passed on to.
const ENDING: [i32; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// Waits until there is something to read, or its end; the signal that asked us to end before that, if one did.
pub fn signal_before(input: &impl AsRawFd) -> Option<i32> {
    let ending = set_of(&ENDING);
    // SAFETY: valid sets and descriptors, and a place for the signal's particulars; the descriptor is closed once.
    unsafe {
        let signals = libc::signalfd(-1, &ending, libc::SFD_CLOEXEC);
        let watch = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut both = [watch(input.as_raw_fd()), watch(signals)];
        while libc::poll(both.as_mut_ptr(), 2, -1) < 0
            && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
        {}
        libc::close(signals);
        (both[1].revents != 0 && both[0].revents == 0).then(|| {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            libc::sigwaitinfo(&ending, &mut info)
        })
    }
}

/// Runs the command on the cluster, with this signal mask; its exit code as a shell has it: 128 + signal, 126 and 127 if
/// it could not be run.
pub fn run(place: &Place, words: &[OsString], mask: libc::sigset_t) -> u8 {
    match spawn(place, words, mask).and_then(attend) {
        Ok(status) => status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)) as u8,
        Err(e) => {
            eprintln!("bivouac: {}: {e}", words[0].display());
            if e.kind() == io::ErrorKind::NotFound { 127 } else { 126 }
        }
    }
}

fn spawn(place: &Place, words: &[OsString], mask: libc::sigset_t) -> io::Result<Child> {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    // Started within a job, of whatever cluster, the command is not one of its job's processes to ours.
    if std::env::var_os("SLURM_JOB_ID").is_some() {
        let of_job =
            |name: &OsStr| name.to_str().is_some_and(|n| n.starts_with("SLURM_") || n.starts_with("SLURMD_"));
        std::env::vars_os().filter(|(name, _)| of_job(name)).for_each(|(name, _)| {
            command.env_remove(name);
        });
    }
    let root = place.state_dir.parent().unwrap_or(&place.state_dir);
    let mut path = place.link_folder().into_os_string();
    if let Some(given) = std::env::var_os("PATH").filter(|p| !p.is_empty()) {
        path.push(":");
        path.push(given);
    }
    command.env("BIVOUAC_STATE_DIR", root).env("BIVOUAC_CLUSTER", &place.cluster).env("PATH", path);
    let ours = std::process::id();
    // SAFETY: system calls alone between fork and exec.
    unsafe {
        command.pre_exec(move || {
            libc::sigprocmask(libc::SIG_SETMASK, &mask, std::ptr::null_mut());
            // Whoever is killed with -9 cannot pass it on.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM, 0, 0, 0);
            if libc::getppid() as u32 == ours { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
        });
    }
    command.spawn()
}

/// Passes signals on until the command has ended.
fn attend(mut child: Child) -> io::Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        // SAFETY: valid pointers; a zeroed siginfo is a valid one to fill in.
        let (signal, by_kernel) = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let signal = libc::sigwaitinfo(&held(), &mut info);
            (signal, info.si_code > 0)
        };
        // ^C and the terminal's end have reached the command already: it is in our process group.
        if signal > 0 && signal != libc::SIGCHLD && !by_kernel {
            // SAFETY: no pointers; not collected yet, so the number is still the command's.
            unsafe { libc::kill(child.id() as i32, signal) };
        }
    }
}
