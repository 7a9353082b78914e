//! The keeper's program. `reaper` is for the controller to start; `keeper` is started by the reaper only.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::ExitCode;

use bivouac_keeper::daemon::{self, Inherited, Outcome};
use bivouac_keeper::reaper::{Reaper, UNUSABLE};
use bivouac_keeper::{place, slots::Slots, sys};

const USAGE: &str = "\
Usage: bivouac-keeper reaper --state-dir DIR
Starts the keeper of the cluster whose state is in DIR and returns when it listens on DIR/keeper.sock.
Options: --help, --version
Exit codes: 0 started, 1 not started (a keeper already runs, or DIR is unusable), 2 wrong usage
";

#[derive(Default)]
struct Arguments {
    role: String,
    dir: PathBuf,
    lock: Option<i32>,
    reaper: Option<i32>,
    ready: Option<i32>,
}

fn parse(mut words: std::env::ArgsOs) -> Result<Arguments, String> {
    words.next();
    let mut arguments = Arguments::default();
    let text =
        |w: std::ffi::OsString| w.into_string().map_err(|w| format!("invalid argument {}", w.display()));
    arguments.role = words.next().map(text).transpose()?.unwrap_or_default();
    while let Some(name) = words.next() {
        let name = text(name)?;
        let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
        if name == "--state-dir" {
            arguments.dir = value.into();
            continue;
        }
        let number = text(value)?.parse().map_err(|_| format!("{name} needs a descriptor number"))?;
        match name.as_str() {
            "--lock-fd" => arguments.lock = Some(number),
            "--reaper-fd" => arguments.reaper = Some(number),
            "--ready-fd" => arguments.ready = Some(number),
            _ => return Err(format!("unknown option {name}")),
        }
    }
    match arguments.role.as_str() {
        "--help" | "--version" => Ok(arguments),
        "reaper" | "keeper" if arguments.dir.as_os_str().is_empty() => Err("--state-dir is missing".into()),
        "reaper" | "keeper" => Ok(arguments),
        "" => Err("a role is missing".into()),
        other => Err(format!("unknown role {other}")),
    }
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(e) => {
            eprint!("bivouac-keeper: {e}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let result = match arguments.role.as_str() {
        "--help" => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        "--version" => {
            println!("bivouac-keeper {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        "keeper" => keeper(arguments),
        _ if arguments.lock.is_some() => reaper_again(arguments),
        _ => reaper(arguments.dir),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(e) => {
            eprintln!("bivouac-keeper: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Takes over a descriptor that an earlier role left open, closed on exec from now on.
fn inherit(number: Option<i32>, name: &str) -> io::Result<File> {
    let fd = number
        .ok_or_else(|| io::Error::other(format!("{name} is missing: this role is started by the reaper")))?;
    // SAFETY: the number came from the process that left it open for us; fcntl refuses what is not open.
    unsafe {
        sys::check(libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC))?;
        Ok(File::from_raw_fd(fd))
    }
}

fn keeper(arguments: Arguments) -> io::Result<u8> {
    let inherited = Inherited {
        dir: arguments.dir,
        lock: inherit(arguments.lock, "--lock-fd")?,
        reaper: inherit(arguments.reaper, "--reaper-fd")?,
        ready: arguments.ready.map(|fd| inherit(Some(fd), "--ready-fd")).transpose()?,
    };
    let first = inherited.ready.is_some();
    match daemon::run(inherited) {
        Ok(Outcome::Done) => Ok(0),
        Ok(Outcome::BecomeReaper(inherited)) => Err(daemon::become_reaper(&inherited)),
        // Not to be tried again: the start failed, or the record file cannot be used.
        Err(e) if first || e.kind() == io::ErrorKind::InvalidData => {
            eprintln!("bivouac-keeper: {e}");
            Ok(UNUSABLE as u8)
        }
        Err(e) => Err(e),
    }
}

fn reaper_again(arguments: Arguments) -> io::Result<u8> {
    let lock = inherit(arguments.lock, "--lock-fd")?;
    place::sign(&lock)?;
    let code = Reaper { dir: arguments.dir, lock, ready: None }.run()?;
    Ok(code as u8)
}

/// Checks what can be checked while the caller still listens, then goes to the background and lets the caller wait
/// until the keeper is up.
fn reaper(dir: PathBuf) -> io::Result<u8> {
    let dir = std::fs::canonicalize(&dir)
        .map_err(|e| io::Error::new(e.kind(), format!("state folder {}: {e}", dir.display())))?;
    place::open(&dir)?;
    let lock = place::lock(&dir)?;
    drop(Slots::open(&dir)?);
    let log = OpenOptions::new().append(true).create(true).mode(0o600).open(dir.join(place::LOG))?;
    let (mut wait, ready) = io::pipe()?;
    // SAFETY: the program has one thread.
    if unsafe { sys::fork(None) }? != 0 {
        drop((ready, lock));
        wait.read_to_end(&mut Vec::new())?;
        place::connect(&dir).map_err(|e| {
            let log = dir.join(place::LOG);
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let last = said.lines().last().map_or_else(|| e.to_string(), str::to_owned);
            io::Error::new(e.kind(), format!("the keeper did not come up (see {}): {last}", log.display()))
        })?;
        return Ok(0);
    }
    drop(wait);
    // SAFETY: valid descriptors; 0, 1 and 2 are replaced, and nothing else is kept but the lock and the pipe.
    unsafe {
        libc::setsid();
        let null = sys::check(libc::open(c"/dev/null".as_ptr(), libc::O_RDWR))?;
        for (from, to) in [(null, 0), (null, 1), (log.as_raw_fd(), 2)] {
            sys::check(libc::dup2(from, to))?;
        }
        libc::umask(0o022);
    }
    std::env::set_current_dir("/")?;
    let (lock, ready): (File, File) = (lock, OwnedFd::from(ready).into());
    drop(log);
    close_others(&[lock.as_raw_fd(), ready.as_raw_fd()]);
    place::sign(&lock)?;
    let code = Reaper { dir, lock, ready: Some(ready) }.run()?;
    Ok(code as u8)
}

/// Descriptors that the caller happened to leave open must not live as long as the cluster.
fn close_others(keep: &[i32]) {
    let mut first = 3;
    let mut keep = keep.to_vec();
    keep.sort_unstable();
    for fd in keep {
        if fd > first {
            sys::close_range(first, fd - 1);
        }
        first = first.max(fd + 1);
    }
    sys::close_range(first, i32::MAX);
}
