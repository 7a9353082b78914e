//! Creating the child of an attempt, and the child's way from its birth to the script.

use std::ffi::{CString, OsStr};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::confine::{Confine, Marks};
use crate::login;
use crate::memory;
use crate::order::{LaunchOrder, Limit, Stream};
use crate::report::{FailedStep, LaunchFailure, Process};
use crate::scratch;
use crate::slot::Slot;
use crate::sys;

/// Where the child finds its attempt.
#[derive(Clone, Copy)]
pub struct Place {
    /// Its slot.
    pub slot: Slot,
    /// The slot's number, for its control group.
    pub number: usize,
}

/// What is the same for all children.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// How the attempt's processes are held together.
    pub confine: &'a dyn Confine,
    /// How they are marked.
    pub marks: &'a Marks,
    /// What the child enters to have its memory limited, where that is a group of its own.
    pub memory: Option<&'a memory::V1>,
    /// Nobody else limits the child's memory: where the machine's runs out, it is the first to go.
    pub expendable: bool,
    /// The socket to which the child hands its standard error.
    pub stderr_to: Option<BorrowedFd<'a>>,
    /// The limit of open files that the keeper was started with.
    pub open_files: &'a libc::rlimit,
}

/// Creates the child; the parent gets its process id. The child never returns.
///
/// # Safety
/// The calling process has one thread.
pub unsafe fn launch(order: &LaunchOrder, place: Place, setting: Setting) -> io::Result<i32> {
    let generation = place.slot.state().0;
    // SAFETY: by contract.
    let pid = unsafe { sys::fork(setting.confine.birthplace(place.number)) }?;
    if pid == 0 {
        // An unwinding child would run the keeper's loop a second time.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            child(order, place, generation, setting)
        }));
        sys::exit_now(70);
    }
    Ok(pid)
}

/// Creates the daemon of a step in the group of a slot; the parent gets its process id. The child never returns. Nothing is
/// claimed: a daemon that is not there is one that its step's client does not find.
///
/// # Safety
/// The calling process has one thread.
pub unsafe fn launch_step(
    step: u32,
    order: &LaunchOrder,
    number: usize,
    setting: Setting,
) -> io::Result<i32> {
    let keeper = std::process::id() as i32;
    // SAFETY: by contract.
    let pid = unsafe { sys::fork(setting.confine.birthplace(number)) }?;
    if pid == 0 {
        let _ =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match begin(order, number, setting) {
                // Not yet to be seen as a daemon it would be missed by the next keeper, which forks another.
                // SAFETY: no arguments.
                Ok(_) if unsafe { libc::getppid() } != keeper => {}
                Ok(program) => program.run(),
                Err(failure) => {
                    eprintln!("bivouac-keeper: step {step} of attempt {}: {}", order.attempt, failure.what);
                }
            }));
        sys::exit_now(70);
    }
    Ok(pid)
}

fn child(order: &LaunchOrder, place: Place, generation: u64, setting: Setting) {
    let pid = std::process::id() as i32;
    let start_ticks = bivouac_gather::process(pid).map_or(0, |s| s.start_ticks);
    if !place.slot.claim(generation, Process { pid, start_ticks }) {
        return;
    }
    match begin(order, place.number, setting) {
        Err(failure) => place.slot.set_failed(&failure),
        Ok(program) => {
            place.slot.set_started();
            program.run();
        }
    }
}

/// Of 1000: what is to go first when the machine has no memory left.
const EXPENDABLE: &str = "900";

/// From a fresh child to the program that it is to become.
fn begin(order: &LaunchOrder, number: usize, setting: Setting) -> Result<Program, LaunchFailure> {
    sys::reset_signals(sys::IGNORED);
    sys::set_signal_mask(&[]);
    // SAFETY: no pointers. A fresh child leads no group, so that this cannot fail.
    unsafe { libc::setsid() };
    let entered =
        setting.confine.enter(number).and_then(|()| setting.memory.map_or(Ok(()), |m| m.enter(number)));
    // Not even for a moment longer than needed: the lock on the state folder is among them.
    match setting.stderr_to.map(|socket| socket.as_raw_fd()) {
        None => sys::close_range(3, RawFd::MAX),
        Some(kept) => {
            if kept > 3 {
                sys::close_range(3, kept - 1);
            }
            sys::close_range(kept + 1, RawFd::MAX);
        }
    }
    if setting.expendable {
        // Without this it is as likely to go as others.
        let _ = std::fs::write("/proc/self/oom_score_adj", EXPENDABLE);
    }
    entered.map_err(|e| fail(FailedStep::Cgroup, "Could not enter the control group of the job", &e))?;
    set_up(order, setting)
}

/// What the child becomes.
enum Program {
    /// Everything ready for execve.
    Exec { path: CString, argv: Vec<CString>, env: Vec<CString> },
    /// Nothing: it holds the attempt open until it is killed.
    Hold,
}

impl Program {
    /// Becomes the program. If that fails, the job ends as under Slurm: a line on its standard error, and the error
    /// number as exit code.
    fn run(self) {
        let Program::Exec { path, argv, env } = self else { hold() };
        let pointers = |list: &[CString]| -> Vec<*const libc::c_char> {
            list.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect()
        };
        // SAFETY: strings and arrays outlive the call; the arrays end with null.
        unsafe { libc::execve(path.as_ptr(), pointers(&argv).as_ptr(), pointers(&env).as_ptr()) };
        let errno = io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL);
        let what = match missing_interpreter(&path, errno) {
            Some(interpreter) => format!("bad interpreter({interpreter})"),
            None => path.to_string_lossy().into_owned(),
        };
        tell(&format!("execve(): {what}: {}", sys::error_text(errno)));
        sys::exit_now(errno);
    }
}

/// Lasts until it is killed. The steps are told to end in time; their place stays until they have.
fn hold() -> ! {
    let all: Vec<i32> = (1..=64).collect();
    sys::set_signal_mask(&all);
    loop {
        // SAFETY: no arguments.
        unsafe { libc::pause() };
    }
}

/// The interpreter that the script's first line names, if it is what the kernel did not find.
fn missing_interpreter(script: &CString, errno: i32) -> Option<String> {
    use std::io::Read;
    let mut head = Vec::new();
    let file =
        std::fs::File::open(OsStr::from_bytes(script.as_bytes())).ok().filter(|_| errno == libc::ENOENT)?;
    file.take(256).read_to_end(&mut head).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?.trim_ascii();
    let interpreter = line.split(u8::is_ascii_whitespace).next().filter(|i| !i.is_empty())?;
    Some(lossy(interpreter))
}

/// A line on the job's standard error, with the prefix that users of Slurm know.
fn tell(text: &str) {
    let line = format!("slurmstepd: error: {text}\n");
    // SAFETY: descriptor 2 is the job's; it is not closed here.
    let mut stderr = std::mem::ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(2) });
    let _ = stderr.write_all(line.as_bytes());
}

fn fail(step: FailedStep, what: &str, e: &io::Error) -> LaunchFailure {
    let errno = e.raw_os_error().unwrap_or(0);
    let reason = if errno == 0 { e.to_string() } else { sys::error_text(errno) };
    LaunchFailure { step, errno, what: format!("{what}: {reason}") }
}

fn lossy(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

fn set_up(order: &LaunchOrder, setting: Setting) -> Result<Program, LaunchFailure> {
    // Back to what it was; an order's own limit comes after. It can only fail if somebody else lowered ours.
    let _ = sys::set_open_files(setting.open_files);
    for limit in &order.limits {
        set_limit(limit).map_err(|e| fail(FailedStep::Credentials, "Could not set a resource limit", &e))?;
    }
    set_cpus(order).map_err(|e| fail(FailedStep::Credentials, "Could not bind the job to its CPUs", &e))?;
    if order.nice != 0 {
        // SAFETY: no pointers. A refusal (less nice than allowed) leaves the job as nice as the keeper.
        unsafe { libc::nice(order.nice) };
    }
    // SAFETY: cannot fail.
    unsafe { libc::umask(order.umask as libc::mode_t & 0o777) };
    if let Some(path) = &order.scratch {
        scratch::make(Path::new(OsStr::from_bytes(path)), order.uid, order.gid).map_err(|e| {
            fail(FailedStep::Scratch, &format!("Could not create scratch folder {}", lossy(path)), &e)
        })?;
    }
    if let Some(view) = &order.view {
        apply_view(view)?;
    }
    let script = script_of_another(order);
    become_user(order)?;

    let mut complaints = Vec::new();
    let env = environment(order, setting.marks, &mut complaints);
    change_folder(order, &mut complaints)?;
    open_streams(order)?;
    if let Some(socket) = setting.stderr_to {
        // Without it, a line about the job's memory is lost.
        let _ = sys::send_descriptor(socket, 2);
        // SAFETY: the socket is this child's copy, and nobody uses it after this.
        unsafe { libc::close(socket.as_raw_fd()) };
    }
    if order.argv.is_empty() {
        return Ok(Program::Hold);
    }
    complaints.iter().for_each(|c| tell(c));
    let refuse = |e| fail(FailedStep::Refused, "The order cannot be carried out", &e);
    let mut path = program_path(order).map_err(refuse)?;
    // SAFETY: a valid string.
    let reaches = unsafe { libc::access(path.as_ptr(), libc::X_OK) } == 0;
    if let Some(file) = script.filter(|_| !reaches) {
        path = file;
    }
    program(order, path, &env).map_err(refuse)
}

/// The script of another user's job (sbatch --uid), opened while root can: its owner may not come as far as its folder. The
/// file stays open, and the interpreter opens it by this name.
fn script_of_another(order: &LaunchOrder) -> Option<CString> {
    // SAFETY: no arguments.
    if order.uid == unsafe { libc::geteuid() } {
        return None;
    }
    let path = CString::new(order.argv.first()?.clone()).ok()?;
    // SAFETY: a valid string. The descriptor is to be inherited.
    let file = sys::check(unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_NOFOLLOW) }).ok()?;
    CString::new(format!("/proc/self/fd/{file}")).ok()
}

fn set_limit(limit: &Limit) -> io::Result<()> {
    let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: valid pointers; the kernel checks the number.
    sys::check(unsafe { libc::getrlimit(limit.resource as _, &mut now) })?;
    // SAFETY: no arguments.
    let hard = if unsafe { libc::geteuid() } == 0 { limit.hard } else { limit.hard.min(now.rlim_max) };
    let wanted = libc::rlimit { rlim_cur: limit.soft.min(hard), rlim_max: hard };
    // SAFETY: valid pointer.
    let done = sys::check(unsafe { libc::setrlimit(limit.resource as _, &wanted) });
    if done.is_err() && wanted.rlim_max > now.rlim_max {
        // Root without the capability to raise limits, as in a container.
        let wanted = libc::rlimit { rlim_cur: limit.soft.min(now.rlim_max), rlim_max: now.rlim_max };
        // SAFETY: valid pointer.
        return sys::check(unsafe { libc::setrlimit(limit.resource as _, &wanted) }).map(drop);
    }
    done.map(drop)
}

fn set_cpus(order: &LaunchOrder) -> io::Result<()> {
    let Some(cpus) = &order.cpus else { return Ok(()) };
    // SAFETY: zeroed is the empty set; the pointer is valid; CPU_SET bounds are checked before.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        for cpu in cpus.iter().filter(|c| (**c as usize) < libc::CPU_SETSIZE as usize) {
            libc::CPU_SET(*cpu as usize, &mut set);
        }
        sys::check(libc::sched_setaffinity(0, size_of_val(&set), &set)).map(drop)
    }
}

fn apply_view(bytes: &[u8]) -> Result<(), LaunchFailure> {
    let failure = |errno, what: String| LaunchFailure { step: FailedStep::View, errno, what };
    let entry = bivouac_view::Entry::decode(bytes)
        .map_err(|e| failure(0, format!("Could not read the plan of the site view: {e}")))?;
    entry.apply().map_err(|e| failure(e.errno(), format!("Could not set up the site view: {e}")))
}

fn become_user(order: &LaunchOrder) -> Result<(), LaunchFailure> {
    let (uid, gid) = (order.uid, order.gid);
    // SAFETY: no arguments.
    let own = unsafe { (libc::geteuid(), libc::getegid()) };
    if own.0 != 0 {
        let what =
            format!("The keeper of user {} and group {} cannot run a job as {uid} and {gid}", own.0, own.1);
        let refusal = fail(FailedStep::Credentials, &what, &io::Error::from_raw_os_error(libc::EPERM));
        return if own == (uid, gid) { Ok(()) } else { Err(refusal) };
    }
    let set = || -> io::Result<()> {
        // SAFETY: raw calls, since libc's are for threads; the group list is valid for its length.
        unsafe {
            sys::check(libc::syscall(libc::SYS_setgroups, order.groups.len(), order.groups.as_ptr()))?;
            sys::check(libc::syscall(libc::SYS_setresgid, gid, gid, gid))?;
            sys::check(libc::syscall(libc::SYS_setresuid, uid, uid, uid))?;
        }
        Ok(())
    };
    set().map_err(|e| {
        fail(FailedStep::Credentials, &format!("Could not become user {uid} and group {gid}"), &e)
    })
}

fn environment(order: &LaunchOrder, marks: &Marks, complaints: &mut Vec<String>) -> Vec<Vec<u8>> {
    let base = match &order.login_env {
        None => Vec::new(),
        Some(wanted) => login::capture(wanted, login::LIMIT).unwrap_or_else(|_| {
            complaints.push(
                "Unable to get user's local environment, running only with passed environment".to_owned(),
            );
            wanted.base.clone()
        }),
    };
    let [attempt, keeper] = marks.variables(order.attempt);
    let own = [attempt, keeper, format!("SLURM_TASK_PID={}", std::process::id()).into_bytes()];
    if base.is_empty() {
        return login::lay_over(&order.env, &own);
    }
    login::lay_over(&login::lay_over(&base, &order.env), &own)
}

fn change_folder(order: &LaunchOrder, complaints: &mut Vec<String>) -> Result<(), LaunchFailure> {
    let enter = |path: &[u8]| std::env::set_current_dir(OsStr::from_bytes(path));
    let Err(first) = enter(&order.cwd) else { return Ok(()) };
    let refusal = fail(FailedStep::Chdir, &format!("couldn't chdir to `{}'", lossy(&order.cwd)), &first);
    let Some(fallback) = &order.fallback_cwd else { return Err(refusal) };
    complaints.push(format!("{}: going to {} instead", refusal.what, lossy(fallback)));
    enter(fallback).map_err(|e| {
        let what = format!("{}; couldn't chdir to {} either", refusal.what, lossy(fallback));
        fail(FailedStep::Chdir, &what, &e)
    })
}

fn open_streams(order: &LaunchOrder) -> Result<(), LaunchFailure> {
    for (number, name, stream) in
        [(0, "stdin", &order.stdin), (1, "stdout", &order.stdout), (2, "stderr", &order.stderr)]
    {
        let (path, flags): (&[u8], _) = match stream {
            Stream::Null if number == 0 => (b"/dev/null", libc::O_RDONLY),
            Stream::Null => (b"/dev/null", libc::O_WRONLY),
            Stream::Read(path) => (path, libc::O_RDONLY),
            Stream::Write { path, append } => {
                // Appending also after truncation, as Slurm: the keeper's notes and what the script itself writes to
                // the same file do not overwrite each other.
                let begin = if *append { 0 } else { libc::O_TRUNC };
                (path, libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | begin)
            }
            Stream::SameAsStdout => {
                // SAFETY: both are small numbers; 1 was opened before.
                unsafe { libc::dup2(1, number) };
                continue;
            }
        };
        let open = || open_as(number, path, flags);
        let opened = if flags & libc::O_CREAT != 0 { patiently(open) } else { open() };
        opened.map_err(|e| {
            fail(FailedStep::Stdio, &format!("Could not open {name} file {}", lossy(path)), &e)
        })?;
    }
    Ok(())
}

/// How long an output file's folder may be missing. Programs name it by the job's number (`-o log/%j/out`) and make it
/// when sbatch has told them the number; elsewhere a job has never started by then, here it may well have.
const FOLDER_PATIENCE: Duration = Duration::from_secs(2);

fn patiently(open: impl Fn() -> io::Result<()>) -> io::Result<()> {
    let until = Instant::now() + FOLDER_PATIENCE;
    loop {
        match open() {
            Err(e) if e.kind() == io::ErrorKind::NotFound && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(5));
            }
            opened => return opened,
        }
    }
}

fn open_as(number: RawFd, path: &[u8], flags: i32) -> io::Result<()> {
    let path = sys::c_string(path)?;
    // SAFETY: a valid string; the fresh descriptor is moved to its number.
    unsafe {
        let fd = sys::check(libc::open(path.as_ptr(), flags | libc::O_NOCTTY, 0o666))?;
        if fd != number {
            let fresh = OwnedFd::from_raw_fd(fd);
            sys::check(libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&fresh), number))?;
        }
    }
    Ok(())
}

fn program_path(order: &LaunchOrder) -> io::Result<CString> {
    sys::c_string(order.argv.first().ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?)
}

fn program(order: &LaunchOrder, path: CString, env: &[Vec<u8>]) -> io::Result<Program> {
    let strings = |list: &[Vec<u8>]| list.iter().map(|s| sys::c_string(s)).collect::<io::Result<Vec<_>>>();
    let mut argv = strings(&order.argv)?;
    if let Some(name) = &order.argv0 {
        argv[0] = sys::c_string(name)?;
    }
    Ok(Program::Exec { path, argv, env: strings(env)? })
}
