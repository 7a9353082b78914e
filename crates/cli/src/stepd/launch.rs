//! Starts one task.

use super::hosts;
use bivouac_proto::message::StepLayout;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What a task runs.
pub struct Program {
    /// The file.
    pub path: PathBuf,
    /// Its arguments, the name as given first.
    pub argv: Vec<OsString>,
    /// Its folder; none: srun's.
    pub chdir: Option<PathBuf>,
}

/// The folder, or /tmp in place of one that cannot be entered: said for each node and each task, as Slurm does.
pub fn folder(dir: PathBuf, layout: &StepLayout) -> PathBuf {
    let Err(e) = can_enter(&dir) else { return dir };
    let e = crate::invocation::os_text(e.raw_os_error().unwrap_or(libc::ENOTDIR));
    for _ in 0..layout.nodes.iter().map(|n| n.tasks + 1).sum() {
        crate::srun::tell(format_args!(
            "slurmstepd: error: couldn't chdir to `{}': {e}: going to /tmp instead",
            dir.display()
        ));
    }
    "/tmp".into()
}

fn can_enter(dir: &Path) -> io::Result<()> {
    let text = CString::new(dir.as_os_str().as_bytes()).map_err(has_nul)?;
    let is_dir = std::fs::metadata(dir)?.is_dir();
    // SAFETY: the text is terminated.
    match unsafe { libc::access(text.as_ptr(), libc::X_OK) } {
        0 if is_dir => Ok(()),
        0 => Err(io::Error::from_raw_os_error(libc::ENOTDIR)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The three standard streams of a task.
pub struct Streams {
    /// Standard input.
    pub input: Stdio,
    /// Standard output.
    pub output: Stdio,
    /// Standard error.
    pub error: Stdio,
    /// What is written to standard output before the task runs.
    pub first: Vec<u8>,
}

/// The variable that only the new process itself can know, with room for its number.
const TASK_PID: &[u8] = b"SLURM_TASK_PID=";

/// What a task leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leads {
    /// A process group.
    Group,
    /// A session, whose terminal its standard input is.
    Session,
}

/// Starts the task; it dies when the step's daemon dies. It finds the name of `host` as its host's.
///
/// # Errors
/// What fork or execve say.
pub fn spawn(
    program: &Program,
    env: &[Vec<u8>],
    host: hosts::Entry,
    streams: Streams,
    leads: Leads,
) -> io::Result<Child> {
    let argv: Vec<CString> =
        program.argv.iter().map(|a| CString::new(a.as_bytes())).collect::<Result<_, _>>().map_err(has_nul)?;
    let path = CString::new(program.path.as_os_str().as_bytes()).map_err(has_nul)?;
    let mut env: Vec<Vec<u8>> = env.iter().map(|e| [e.as_slice(), b"\0"].concat()).collect();
    env.push([TASK_PID, &[0; 12]].concat());
    // Addresses of heap memory, which stay when its owners move into the closure.
    let argv_pointers: Vec<usize> = argv.iter().map(|a| a.as_ptr() as usize).chain([0]).collect();
    let env_pointers: Vec<usize> = env.iter().map(|e| e.as_ptr() as usize).chain([0]).collect();
    let first = streams.first;
    // SAFETY: getpid has no preconditions.
    let parent = unsafe { libc::getpid() };

    let mut command = Command::new(&program.path);
    command.stdin(streams.input).stdout(streams.output).stderr(streams.error);
    if leads == Leads::Group {
        command.process_group(0);
    }
    if let Some(dir) = &program.chdir {
        command.current_dir(dir);
    }
    // SAFETY: between fork and exec only async-signal-safe functions run, on memory prepared before.
    unsafe {
        command.pre_exec(move || {
            let _alive = &argv;
            if leads == Leads::Session {
                libc::setsid();
                libc::ioctl(libc::STDIN_FILENO, libc::TIOCSCTTY, 0);
            }
            // Before the wish to die with the daemon, which a change of credentials would end.
            host.enter()?;
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if libc::getppid() != parent {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
            libc::signal(libc::SIGPIPE, libc::SIG_DFL);
            let mut left = first.as_slice();
            while !left.is_empty() {
                match libc::write(libc::STDOUT_FILENO, left.as_ptr().cast(), left.len()) {
                    // Who would read it may be gone; the task runs all the same.
                    ..=0 => break,
                    n => left = &left[n as usize..],
                }
            }
            if let Some(last) = env.last_mut() {
                write_number(&mut last[TASK_PID.len()..], libc::getpid());
            }
            libc::execve(path.as_ptr(), argv_pointers.as_ptr().cast(), env_pointers.as_ptr().cast());
            Err(io::Error::last_os_error())
        });
    }
    command.spawn()
}

fn has_nul(_: std::ffi::NulError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "an argument holds a NUL byte")
}

/// Writes a number and a terminating NUL.
fn write_number(into: &mut [u8], number: i32) {
    let mut digits = [0u8; 10];
    let mut rest = number.unsigned_abs();
    let mut count = 0;
    loop {
        digits[count] = b'0' + (rest % 10) as u8;
        count += 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    for (at, digit) in digits[..count].iter().rev().enumerate() {
        into[at] = *digit;
    }
    into[count] = 0;
}

/// The file that a command name means: itself if there is a slash in it, else the first executable on PATH; itself
/// if there is none, so that execve says what is wrong.
pub fn resolve(name: &OsStr, path: Option<&OsStr>) -> PathBuf {
    if name.as_bytes().contains(&b'/') {
        return name.into();
    }
    let found =
        path.into_iter().flat_map(std::env::split_paths).map(|d| d.join(name)).find(|p| executable(p));
    found.unwrap_or_else(|| OsString::from_vec(name.as_bytes().to_vec()).into())
}

/// Whether a file can be executed.
pub fn executable(path: &Path) -> bool {
    let Ok(text) = CString::new(path.as_os_str().as_bytes()) else { return false };
    // SAFETY: the text is terminated.
    path.is_file() && unsafe { libc::access(text.as_ptr(), libc::X_OK) } == 0
}

#[cfg(test)]
mod tests {
    use super::hosts::Hosts;
    use super::*;

    fn streams(output: Stdio) -> Streams {
        Streams { input: Stdio::null(), output, error: Stdio::inherit(), first: Vec::new() }
    }

    fn sh(script: &str) -> Program {
        let argv = ["sh", "-c", script].map(OsString::from).to_vec();
        Program { path: "/bin/sh".into(), argv, chdir: None }
    }

    #[test]
    fn a_task_has_its_environment_and_its_own_number_in_it() {
        let env = [b"A=x y".to_vec(), b"B=\xff".to_vec()];
        let child = spawn(
            &sh("echo $A $SLURM_TASK_PID $$ ${PATH+set}"),
            &env,
            Hosts::default().of(""),
            streams(Stdio::piped()),
            Leads::Group,
        )
        .unwrap();
        let pid = child.id();
        let out = child.wait_with_output().unwrap().stdout;
        let said = String::from_utf8(out).unwrap();
        assert!(said.starts_with(&format!("x y {pid} {pid}")), "{said}");
    }

    #[test]
    fn what_cannot_be_executed_says_why() {
        let program = Program { path: "/no/such/program".into(), argv: vec!["x".into()], chdir: None };
        let e =
            spawn(&program, &[], Hosts::default().of(""), streams(Stdio::null()), Leads::Group).unwrap_err();
        assert_eq!(e.raw_os_error(), Some(libc::ENOENT));
    }

    #[test]
    fn a_task_of_another_node_has_its_host_name_where_the_kernel_lets() {
        let hosts = Hosts::make(&["c3cpu-a2-u1-1", "c3cpu-a2-u1-2"]);
        let task = |node| {
            let program = sh("uname -n; id -u; readlink /proc/self/ns/user");
            let child = spawn(&program, &[], hosts.of(node), streams(Stdio::piped()), Leads::Group).unwrap();
            let out = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
            out.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let (first, second) = (task("c3cpu-a2-u1-1"), task("c3cpu-a2-u1-2"));
        // SAFETY: geteuid has no preconditions.
        assert_eq!(first[1], unsafe { libc::geteuid() }.to_string());
        assert_eq!(first[1..], second[1..], "they are the same user in the same user namespace");
        assert_ne!(hosts::host_name(), b"c3cpu-a2-u1-2", "our own name is untouched");
        if hosts.are_known() {
            assert_eq!((first[0].as_str(), second[0].as_str()), ("c3cpu-a2-u1-1", "c3cpu-a2-u1-2"));
        }
    }

    #[test]
    fn commands_are_found_on_path() {
        assert_eq!(resolve("sh".as_ref(), Some("/no/such:/bin".as_ref())), Path::new("/bin/sh"));
        assert_eq!(resolve("./sh".as_ref(), Some("/bin".as_ref())), Path::new("./sh"));
        assert_eq!(resolve("no-such-program".as_ref(), Some("/bin".as_ref())), Path::new("no-such-program"));
    }

    #[test]
    fn numbers_are_written_without_allocation() {
        for number in [0, 7, 4_194_303, i32::MAX] {
            let mut buffer = [b'x'; 12];
            write_number(&mut buffer, number);
            let end = buffer.iter().position(|&b| b == 0).unwrap();
            assert_eq!(buffer[..end], *number.to_string().as_bytes());
        }
    }
}
