//! The user's login environment, as the login shell makes it.

use std::ffi::CString;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::order::LoginEnv;
use crate::sys;

/// How long the login shell may take.
pub const LIMIT: Duration = Duration::from_secs(20);

/// What start-up files print before it is none of the environment.
const MARK: &[u8] = b"BIVOUAC-LOGIN-ENVIRONMENT\n";
const COMMAND: &std::ffi::CStr = c"echo BIVOUAC-LOGIN-ENVIRONMENT; env -0; exit";

/// Runs the login shell and returns the environment it ends up with, `NAME=value` each. An error: it could not be
/// run, failed, or took longer than `limit`; it is killed then. Called in the job's child, as the job's user, in its view.
pub fn capture(login: &LoginEnv, limit: Duration) -> io::Result<Vec<Vec<u8>>> {
    let mut ends = [0; 2];
    // SAFETY: two descriptors are written into the array, and are ours from then on.
    let (mut output, input) = unsafe {
        sys::check(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC))?;
        (std::fs::File::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1]))
    };
    // SAFETY: the job's child has one thread.
    let pid = unsafe { sys::fork(None) }?;
    if pid == 0 {
        shell(login, &input);
    }
    drop(input);
    let answer = listen(pid, &mut output, limit);
    if answer.is_err() {
        sys::kill(-pid, libc::SIGKILL);
        sys::kill(pid, libc::SIGKILL);
    }
    let mut status = 0;
    // SAFETY: valid pointer; our own child, ended or just killed.
    unsafe { libc::waitpid(pid, &mut status, 0) };
    let bytes = answer?;
    parse(&bytes).filter(|_| status == 0).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// Becomes the login shell: its name starts with a dash, which every shell takes as the sign.
fn shell(login: &LoginEnv, output: &OwnedFd) -> ! {
    let run = || -> io::Result<()> {
        let path = sys::c_string(&login.shell)?;
        let base = login.shell.rsplit(|b| *b == b'/').next().unwrap_or(b"sh");
        let name = sys::c_string(&[b"-", base].concat())?;
        let env: Vec<CString> = login.base.iter().map(|v| sys::c_string(v)).collect::<io::Result<_>>()?;
        let mut env: Vec<_> = env.iter().map(|v| v.as_ptr()).collect();
        env.push(std::ptr::null());
        let argv = [name.as_ptr(), c"-c".as_ptr(), COMMAND.as_ptr(), std::ptr::null()];
        // SAFETY: all strings outlive the calls; arrays end with null.
        unsafe {
            libc::setpgid(0, 0);
            let null = sys::check(libc::open(c"/dev/null".as_ptr(), libc::O_RDWR))?;
            sys::check(libc::dup2(null, 0))?;
            sys::check(libc::dup2(null, 2))?;
            sys::check(libc::dup2(output.as_raw_fd(), 1))?;
            libc::close(null);
            libc::execve(path.as_ptr(), argv.as_ptr(), env.as_ptr());
        }
        Err(io::Error::last_os_error())
    };
    let _ = run();
    sys::exit_now(127)
}

/// Reads until the shell has ended; not until end of file, which a daemon of a start-up file could delay for ever.
fn listen(pid: i32, output: &mut std::fs::File, limit: Duration) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + limit;
    let ended = sys::pidfd_open(pid)?;
    // SAFETY: a valid descriptor.
    unsafe { libc::fcntl(output.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    let mut bytes = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        let watch = |fd: i32| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut fds = [watch(output.as_raw_fd()), watch(ended.as_raw_fd())];
        // SAFETY: two valid entries.
        unsafe { libc::poll(fds.as_mut_ptr(), 2, left.as_millis().clamp(1, 60_000) as i32) };
        let at_end = match output.read_to_end(&mut bytes) {
            Ok(_) => true,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => false,
            Err(e) => return Err(e),
        };
        if at_end || fds[1].revents != 0 {
            // What was written before the end is in the pipe by now; once more for what came after the read.
            let _ = output.read_to_end(&mut bytes);
            return Ok(bytes);
        }
    }
}

/// Variables of where the shell ran. Its level and `_` are as if the job's script were a command of it.
const SHELL_OWN: [&[u8]; 2] = [b"PWD", b"OLDPWD"];

/// The NUL-terminated variables after the mark; `None` if there is no mark or the last one is cut off.
fn parse(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let start = bytes.windows(MARK.len()).position(|w| w == MARK)? + MARK.len();
    let list = bytes[start..].strip_suffix(b"\0")?;
    let variables = list.split(|b| *b == 0).filter(|v| v.contains(&b'='));
    Some(variables.filter(|v| !SHELL_OWN.contains(&name(v))).map(<[u8]>::to_vec).collect())
}

fn name(variable: &[u8]) -> &[u8] {
    variable.split(|b| *b == b'=').next().unwrap_or_default()
}

/// `over` laid on top of `base`; later entries of one name win.
pub fn lay_over(base: &[Vec<u8>], over: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut seen = std::collections::BTreeSet::new();
    let mut kept: Vec<_> = base.iter().chain(over).rev().filter(|v| seen.insert(name(v))).cloned().collect();
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(v: &[&str]) -> Vec<Vec<u8>> {
        v.iter().map(|s| s.as_bytes().to_vec()).collect()
    }

    #[test]
    fn the_noise_of_start_up_files_is_left_out() {
        let bytes = b"Welcome!\nBIVOUAC-LOGIN-ENVIRONMENT\nA=1\nx\0PWD=/\0SHLVL=1\0BASH_FUNC_m%%=() {\n}\0";
        assert_eq!(parse(bytes), Some(list(&["A=1\nx", "SHLVL=1", "BASH_FUNC_m%%=() {\n}"])));
        assert_eq!(parse(b"A=1\0"), None);
        assert_eq!(parse(b"BIVOUAC-LOGIN-ENVIRONMENT\nA=1\0B="), None);
    }

    #[test]
    fn the_order_wins_over_the_login() {
        let both = lay_over(&list(&["A=1", "B=2"]), &list(&["B=3", "C=4", "C=5"]));
        assert_eq!(both, list(&["A=1", "B=3", "C=5"]));
    }

    #[test]
    fn a_shell_that_hangs_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sh");
        std::fs::write(&path, "#!/bin/sh\nsleep 1000\n").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let login = LoginEnv { shell: path.as_os_str().as_encoded_bytes().to_vec(), base: vec![] };
        let e = capture(&login, Duration::from_millis(200)).unwrap_err();
        assert_eq!(e.kind(), io::ErrorKind::TimedOut);
    }
}
