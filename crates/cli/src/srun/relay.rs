//! What srun does while its step runs: it hands its surroundings to the step's daemon, passes on signals, and sits between
//! its terminal and task 0's.

use super::{fail, tell};
use crate::allocation::Allocation;
use crate::cluster;
use crate::stepd::forward;
use crate::stepd::wire::Wire;
use bivouac_keeper::order::{LIMITS, Limit};
use bivouac_options::srun::{Request, Stream};
use bivouac_proto::frame::FrameError;
use bivouac_proto::message::{AllocationNews, Ask, Response, StepLayout};
use bivouac_proto::step::{FromStep, StepOrder, ToStep};
use bivouac_types::{Blob, JobState};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::termios::{self, OptionalActions, Termios};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long the daemon of a step may take to come up.
const PATIENCE: Duration = Duration::from_secs(20);
/// After this time it is asked whether there still is one.
const ASK_AFTER: Duration = Duration::from_millis(500);
/// How long what task 0 wrote to its terminal last is waited for.
const DRAIN: Duration = Duration::from_secs(2);
/// In the background srun leaves the terminal's input alone, and looks this often whether it still is.
const LOOK: Duration = Duration::from_millis(500);

/// The signals that are passed on, and SIGWINCH.
const WATCHED: [i32; 8] = [
    libc::SIGINT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGCONT,
    libc::SIGWINCH,
];

/// srun's end of a running step.
pub struct Relay<'a> {
    wire: Wire,
    /// The job, if it is srun's own: its end is heard of.
    own: Option<&'a mut Allocation>,
    signals: File,
    /// What is typed goes here: to the tasks' input, or to task 0's terminal.
    input: Option<File>,
    /// Task 0's terminal.
    pty: Option<File>,
    /// How our own terminal was.
    before: Restore,
}

/// A terminal's attributes, put back when they go out of use.
#[derive(Default)]
struct Restore(Option<Termios>);

impl Drop for Restore {
    fn drop(&mut self) {
        if let Some(before) = self.0.take() {
            let _ = termios::tcsetattr(io::stdin(), OptionalActions::Drain, &before);
        }
    }
}

impl<'a> Relay<'a> {
    /// Calls the daemon of a step that was granted, and gives it what it needs.
    ///
    /// # Errors
    /// The exit code; the error is printed.
    pub fn start(
        layout: &StepLayout,
        request: &Request,
        args: &[OsString],
        own: Option<&'a mut Allocation>,
    ) -> Result<Relay<'a>, ExitCode> {
        let signals = watched().map_err(|e| fail(format_args!("signals cannot be watched: {e}")))?;
        let unreachable = |e: &dyn std::fmt::Display| {
            fail(format_args!(
                "StepId={}: its daemon cannot be reached: {e}; keeper.log may say why",
                layout.step
            ))
        };
        let mut wire = call(layout).map_err(|e| unreachable(&e))?;
        let order = order(layout, args, own.is_some());
        let no_input = File::open("/dev/null").map_err(|e| fail(format_args!("/dev/null: {e}")))?;
        let mut input = None;
        let typed = io::stdin().is_terminal() && matches!(request.input, Stream::All | Stream::Task(_));
        let stdin = match (request.pty, typed) {
            (true, _) => OwnedFd::from(no_input),
            (false, false) => duplicate(io::stdin())?,
            (false, true) => {
                let (read, write) = forward::pipe().map_err(|e| fail(format_args!("a pipe: {e}")))?;
                input = Some(write);
                read.into()
            }
        };
        let (stdout, stderr) = (duplicate(io::stdout())?, duplicate(io::stderr())?);
        wire.send(&ToStep::Run(Box::new(order)), &[stdin.as_fd(), stdout.as_fd(), stderr.as_fd()])
            .map_err(|e| unreachable(&e))?;
        Ok(Relay { wire, own, signals, input, pty: None, before: Restore::default() })
    }

    /// Until the step is over; gives srun's exit code.
    pub fn run(mut self, layout: &StepLayout) -> u8 {
        loop {
            let [signalled, told, typed, shown, heard] = self.wait();
            if heard {
                self.hear_of_job();
            }
            if shown && !self.show() {
                self.pty = None;
            }
            if signalled {
                self.pass_signals();
            }
            if typed {
                self.pass_input();
            }
            if told {
                match self.wire.receive::<FromStep>() {
                    Ok((FromStep::Running { .. }, beside)) => {
                        beside.into_iter().next().into_iter().for_each(|end| self.attach(end.into()));
                    }
                    Ok((FromStep::Ended { code, .. }, _)) => {
                        self.drain();
                        return code;
                    }
                    // Not for srun.
                    Ok(_) => {}
                    Err(e) => {
                        drop(self.before);
                        let why =
                            if matches!(e, FrameError::Closed) { "it is gone".into() } else { e.to_string() };
                        tell(format_args!("srun: error: StepId={}: slurmstepd: {why}", layout.step));
                        return 1;
                    }
                }
            }
        }
    }

    /// Waits until there is something of: a signal, word from the daemon, something typed, something to show.
    fn wait(&mut self) -> [bool; 5] {
        let stdin = io::stdin();
        let has_job = self.own.is_some();
        let line = self.own.as_mut().and_then(|own| own.line());
        let typed = self.input.is_some() && is_foreground();
        let nothing = PollFlags::empty();
        let mut polled = [
            PollFd::new(&self.signals, PollFlags::IN),
            PollFd::new(&self.wire, PollFlags::IN),
            PollFd::new(&stdin, if typed { PollFlags::IN } else { nothing }),
            PollFd::new(&self.signals, nothing),
            PollFd::new(&self.signals, nothing),
        ];
        if let Some(pty) = &self.pty {
            polled[3] = PollFd::new(pty, PollFlags::IN);
        }
        if let Some(line) = line {
            polled[4] = PollFd::from_borrowed_fd(line, PollFlags::IN);
        }
        // A controller that is gone is looked for now and then.
        let lost = has_job && line.is_none();
        let timeout = (lost || self.input.is_some() && !typed).then(|| timespec(LOOK));
        if rustix::event::poll(&mut polled, timeout.as_ref()).is_err() {
            return [false; 5];
        }
        let ready = |i: usize| !polled[i].revents().is_empty();
        [ready(0), ready(1), typed && ready(2), self.pty.is_some() && ready(3), line.is_some() && ready(4)]
    }

    /// The job is being ended by others: its tasks are told why.
    fn hear_of_job(&mut self) {
        let Some(own) = &mut self.own else { return };
        if let Some(AllocationNews::Revoked { state }) = own.hear() {
            own.forget();
            let why = match state {
                JobState::Timeout => " DUE TO TIME LIMIT",
                JobState::NodeFail => " DUE TO NODE FAILURE, SEE SLURMCTLD LOG FOR DETAILS",
                JobState::Preempted => " DUE TO PREEMPTION",
                _ => "",
            };
            let _ = self.wire.send(&ToStep::Terminate(why.to_owned()), &[]);
        }
    }

    /// Task 0's terminal is there: ours is passed through to it, as it is.
    fn attach(&mut self, pty: File) {
        self.input = pty.try_clone().ok();
        if io::stdin().is_terminal()
            && let Ok(before) = termios::tcgetattr(io::stdin())
        {
            let mut raw = before.clone();
            raw.make_raw();
            if termios::tcsetattr(io::stdin(), OptionalActions::Drain, &raw).is_ok() {
                self.before = Restore(Some(before));
            }
        }
        self.pty = Some(pty);
    }

    /// Shows what task 0 wrote; whether there will be more.
    fn show(&mut self) -> bool {
        let mut buffer = [0u8; 16 << 10];
        match self.pty.as_mut().map(|pty| pty.read(&mut buffer)) {
            Some(Ok(n)) if n > 0 => {
                let mut out = io::stdout().lock();
                let _ = out.write_all(&buffer[..n]).and_then(|()| out.flush());
                true
            }
            Some(Err(e)) => e.kind() == io::ErrorKind::Interrupted,
            _ => false,
        }
    }

    /// What task 0 wrote last may still be on its way.
    fn drain(&mut self) {
        let until = Instant::now() + DRAIN;
        while let Some(pty) = &self.pty {
            let left = until.saturating_duration_since(Instant::now());
            let mut polled = [PollFd::new(pty, PollFlags::IN)];
            match rustix::event::poll(&mut polled, Some(&timespec(left))) {
                Ok(n) if n > 0 && self.show() => {}
                _ => self.pty = None,
            }
        }
    }

    fn pass_input(&mut self) {
        let mut buffer = [0u8; 4096];
        let Some(input) = &mut self.input else { return };
        match io::stdin().lock().read(&mut buffer) {
            Ok(n) if n > 0 => {
                if input.write_all(&buffer[..n]).is_err() {
                    self.input = None;
                }
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            _ => {
                // A terminal has no end of file but the one that is typed.
                if self.pty.is_some() {
                    let _ = input.write_all(&[4]);
                }
                self.input = None;
            }
        }
    }

    fn pass_signals(&mut self) {
        let mut info = [0u8; size_of::<libc::signalfd_siginfo>()];
        while self.signals.read(&mut info).is_ok_and(|n| n == info.len()) {
            let signal = i32::from_ne_bytes([info[0], info[1], info[2], info[3]]);
            match signal {
                libc::SIGWINCH => {
                    if let Some(pty) = &self.pty
                        && let Ok(size) = termios::tcgetwinsize(io::stdin())
                    {
                        let _ = termios::tcsetwinsize(pty, size);
                    }
                }
                // Back from the shell: the terminal may be as the shell had it.
                libc::SIGCONT if self.pty.is_some() => {
                    if let Some(pty) = self.pty.take() {
                        drop(std::mem::take(&mut self.before));
                        self.attach(pty);
                    }
                }
                signal => drop(self.wire.send(&ToStep::Signal(signal), &[])),
            }
        }
    }
}

/// Calls the daemon. It may never come up, having been killed before: the controller knows.
fn call(layout: &StepLayout) -> io::Result<Wire> {
    let until = Instant::now() + PATIENCE;
    loop {
        match Wire::call(&layout.socket, ASK_AFTER) {
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused && Instant::now() < until => {}
            other => return other,
        }
        if let Ok(Response::Rejected(_)) = cluster::ask(Ask::StepSocket(layout.step)) {
            return Err(io::Error::new(io::ErrorKind::ConnectionRefused, "it is gone"));
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: duration.as_secs() as i64, tv_nsec: i64::from(duration.subsec_nanos()) }
}

/// Whether what is typed at the terminal is for srun.
fn is_foreground() -> bool {
    !io::stdin().is_terminal()
        || termios::tcgetpgrp(io::stdin()).is_ok_and(|group| group == rustix::process::getpgrp())
}

fn duplicate(stream: impl AsFd) -> Result<OwnedFd, ExitCode> {
    stream.as_fd().try_clone_to_owned().map_err(|e| fail(format_args!("a standard stream: {e}")))
}

/// Blocks the signals and gives the descriptor that tells of them.
fn watched() -> io::Result<File> {
    // SAFETY: the set is initialised by sigemptyset; the descriptor is new and owned by nobody else.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in WATCHED {
            libc::sigaddset(&mut set, signal);
        }
        libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        // A task that reads no more does not end srun.
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        let fd = libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(File::from_raw_fd(fd)) }
    }
}

/// Everything that srun has.
fn order(layout: &StepLayout, args: &[OsString], outside: bool) -> StepOrder {
    let entry =
        |(name, value): (OsString, OsString)| Blob([name.as_bytes(), b"=", value.as_bytes()].concat());
    let size = [io::stdin().as_raw_fd(), io::stdout().as_raw_fd(), io::stderr().as_raw_fd()]
        .into_iter()
        // SAFETY: the standard descriptors are open for the whole of the process's life.
        .find_map(|fd| termios::tcgetwinsize(unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) }).ok());
    StepOrder {
        args: args.iter().map(|a| Blob(a.clone().into_vec())).collect(),
        env: std::env::vars_os().map(entry).collect(),
        cwd: Blob(std::env::current_dir().unwrap_or_default().into_os_string().into_vec()),
        umask: super::environment::umask(),
        limits: LIMITS
            .iter()
            .filter_map(|(_, resource)| Limit::own(*resource))
            .map(|limit| (limit.resource, limit.soft, limit.hard))
            .collect(),
        layout: layout.clone(),
        outside,
        window: size.map(|size| (size.ws_row, size.ws_col)),
    }
}
