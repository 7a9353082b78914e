//! Watches the tasks of a step until all have ended: output, input, signals, time.

mod say;

use super::SILENCE;
use super::forward::{self, Lines};
use super::ledger::Ledger;
use super::plan::{self, Task};
use super::pmi::Pmi;
use super::programs;
use super::streams::Forwarded;
use super::wire::Wire;
use crate::srun::tell;
use bivouac_proto::message::END_STEP;
use bivouac_proto::message::StepLayout;
use bivouac_proto::step::{FromStep, ToStep};
use bivouac_types::ExitStatus;
use bivouac_types::info::Usage;
use bivouac_types::usage::{Measured, TaskUsage};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

/// How long messages of ended tasks are held back, so that those of one kind share a line.
const REPORT_DELAY: Duration = Duration::from_millis(50);
/// How long output is still read when every process of the step has been killed.
const DRAIN: Duration = Duration::from_secs(2);
/// How soon a second interrupt has to follow to be passed on.
const ABORT_WITHIN: Duration = Duration::from_secs(1);
/// The most bytes of standard input that are held for a slow task.
const INPUT_AHEAD: usize = 64 << 10;

/// How the watching is to be done.
pub struct Rules {
    /// --wait.
    pub wait: Option<Duration>,
    /// --kill-on-bad-exit.
    pub kill_on_bad_exit: bool,
    /// How often, in seconds, it is looked at what the tasks use; 0: only when they end.
    pub gather: u64,
    /// --time: when the step is to be over.
    pub until: Option<Instant>,
    /// --disable-status, --quit-on-interrupt.
    pub on_interrupt: Interrupt,
}

/// What srun does when it is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// It says how the tasks stand; a second interrupt within a second is passed on.
    Report,
    /// --disable-status: it is passed on.
    Pass,
    /// --quit-on-interrupt: the step is ended.
    Quit,
}

/// A task that was started, or could not be.
pub struct Started {
    /// Which.
    pub task: Task,
    /// Its process; none: it could not be executed.
    pub pid: Option<i32>,
    /// How it ended.
    pub status: Option<ExitStatus>,
    /// What runs after it.
    pub epilog: Option<Epilog>,
}

impl Started {
    /// A task that could not be executed.
    pub fn failed(task: Task, code: u8) -> Started {
        Started { task, pid: None, status: Some(ExitStatus { code, signal: 0 }), epilog: None }
    }
}

/// --task-epilog, with what it finds.
pub struct Epilog {
    /// The program.
    pub program: String,
    /// The task's environment.
    pub env: Vec<Vec<u8>>,
    /// The task's folder.
    pub folder: std::path::PathBuf,
}

/// How the step went.
pub struct Outcome {
    /// The highest status of a task.
    pub exit: ExitStatus,
    /// What the tasks used.
    pub usage: Usage,
}

/// Blocks the signals that are watched and gives the descriptor that tells of them. To be called before any task is
/// started.
///
/// # Errors
/// What the kernel says.
pub fn signals() -> io::Result<File> {
    // SAFETY: the set is initialised by sigemptyset; the descriptor is new and owned by nobody else.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in WATCHED {
            libc::sigaddset(&mut set, signal);
        }
        libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        // A task that reads no more, or a reader of srun's output that is gone, does not end the others.
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        let fd = libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(File::from_raw_fd(fd)) }
    }
}

const WATCHED: [i32; 9] = [
    libc::SIGCHLD,
    libc::SIGINT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGCONT,
    END_STEP,
];

/// A step that runs.
pub struct Watch<'a> {
    layout: &'a StepLayout,
    /// srun; none: it is gone.
    client: Option<&'a mut Wire>,
    /// Where sattach calls.
    listener: UnixListener,
    /// Those who are attached; they learn of the step's end by the end of their connections.
    attached: Vec<Wire>,
    rules: Rules,
    started: Vec<Started>,
    /// What they use.
    ledger: Ledger,
    outputs: Vec<Forwarded>,
    inputs: Vec<(File, VecDeque<u8>)>,
    input_open: bool,
    signals: File,
    /// What serves the tasks' PMI_FD.
    pmi: Option<Pmi>,
    first_end: Option<Instant>,
    kill_at: Option<Instant>,
    ending: bool,
    /// Ended tasks that nothing was said of yet, by node and text.
    unsaid: BTreeMap<(usize, String), Vec<u32>>,
    say_at: Option<Instant>,
    /// One of them was killed, which Slurm calls a step that was ended by force.
    forced: bool,
    /// That is said although the step is being ended.
    force_told: bool,
    /// When the user asked how the tasks stand, by an interrupt.
    asked_at: Option<Instant>,
    /// The tasks were interrupted.
    interrupted: bool,
}

impl<'a> Watch<'a> {
    /// `inputs` are pipes to all tasks' standard inputs, fed from srun's own.
    pub fn new(
        layout: &'a StepLayout,
        rules: Rules,
        started: Vec<Started>,
        (outputs, inputs): (Vec<Forwarded>, Vec<File>),
        signals: File,
        pmi: Option<Pmi>,
        (client, listener): (&'a mut Wire, UnixListener),
    ) -> Watch<'a> {
        let inputs: Vec<_> = inputs.into_iter().map(|f| (f, VecDeque::new())).collect();
        let input_open = !inputs.is_empty();
        let mut watch = Watch {
            layout,
            client: Some(client),
            listener,
            attached: Vec::new(),
            ledger: Ledger::new(rules.gather),
            rules,
            started: Vec::new(),
            outputs,
            inputs,
            input_open,
            signals,
            pmi,
            first_end: None,
            kill_at: None,
            ending: false,
            unsaid: BTreeMap::new(),
            say_at: None,
            forced: false,
            force_told: false,
            asked_at: None,
            interrupted: false,
        };
        for mut task in started {
            let status = task.status.take();
            watch.ledger.add(task.pid);
            watch.started.push(task);
            if let Some(status) = status {
                watch.ended(watch.started.len() - 1, status, false);
            }
        }
        watch
    }

    /// Until all tasks have ended and their output is passed on.
    pub fn run(mut self) -> Outcome {
        while self.started.iter().any(|t| t.status.is_none()) {
            self.turn(None);
        }
        // What the tasks left behind ends with the step; the unreaped leaders keep the groups' numbers ours.
        self.ledger.end_left_behind();
        self.signal_tasks(libc::SIGKILL);
        let until = Instant::now() + DRAIN;
        while !self.outputs.is_empty() && Instant::now() < until {
            self.turn(Some(until));
        }
        self.outputs.iter_mut().for_each(Forwarded::end);
        self.say();
        let usage = self.reap();
        let exit =
            self.started.iter().filter_map(|t| t.status).max_by_key(|s| s.shell_code()).unwrap_or_default();
        Outcome { exit, usage }
    }

    /// Waits for something to happen, at most until the next deadline, and deals with it.
    fn turn(&mut self, until: Option<Instant>) {
        let waiting = self.started.iter().any(|t| t.status.is_none());
        let wait_over =
            self.first_end.zip(self.rules.wait).map(|(t, w)| t + w).filter(|_| waiting && !self.ending);
        let limit = self.rules.until.filter(|_| waiting && !self.ending);
        let deadline = [until, self.kill_at, self.say_at, wait_over, limit, self.ledger.due()]
            .into_iter()
            .flatten()
            .min();
        let mut polled: Vec<libc::pollfd> = Vec::new();
        let mut poll = |fd: RawFd, events| polled.push(libc::pollfd { fd, events, revents: 0 });
        poll(self.signals.as_raw_fd(), libc::POLLIN);
        poll(self.client.as_ref().map_or(-1, |c| c.as_fd().as_raw_fd()), libc::POLLIN);
        poll(self.listener.as_raw_fd(), libc::POLLIN);
        // Input is read when every task has room for it.
        let room = self.input_open && self.inputs.iter().all(|(_, b)| b.len() < INPUT_AHEAD);
        poll(if room { libc::STDIN_FILENO } else { -1 }, libc::POLLIN);
        self.inputs
            .iter()
            .for_each(|(f, b)| poll(if b.is_empty() { -1 } else { f.as_raw_fd() }, libc::POLLOUT));
        self.outputs.iter().for_each(|o| poll(o.from.as_raw_fd(), libc::POLLIN));
        let tasks_ends = polled.len();
        polled.extend(self.pmi.iter().flat_map(Pmi::polled));
        let timeout = deadline.map_or(-1, |d| {
            let left = d.saturating_duration_since(Instant::now());
            i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX)
        });
        // SAFETY: the pointer and the length are the vector's.
        if unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, timeout) } < 0 {
            return;
        }
        let ready: Vec<bool> = polled.iter().map(|p| p.revents != 0).collect();
        let inputs = self.inputs.len();
        self.read_outputs(&ready[4 + inputs..]);
        if self.pmi.as_mut().is_some_and(|pmi| pmi.turn(&polled[tasks_ends..])) {
            self.end_step();
        }
        self.write_inputs();
        if ready[2] {
            self.attach();
        }
        if ready[3] {
            self.read_input();
        }
        if ready[1] {
            self.hear_client();
        }
        if ready[0] {
            self.read_signals();
        }
        let now = Instant::now();
        self.ledger.turn(now);
        if self.say_at.is_some_and(|t| t <= now) {
            self.say();
        }
        if self.kill_at.is_some_and(|t| t <= now) {
            self.kill();
        }
        if wait_over.is_some_and(|t| t <= now) && !self.ending {
            tell(format_args!(
                "srun: First task exited {}s ago",
                self.rules.wait.unwrap_or_default().as_secs()
            ));
            self.say();
            self.say_states();
            self.say_terminating();
            self.say_aborted();
            self.say_cancelled("");
            self.ending = true;
            self.signal_tasks(libc::SIGKILL);
        }
        if limit.is_some_and(|t| t <= now) && !self.ending {
            self.say_cancelled(" DUE TO TIME LIMIT");
            self.terminate();
            self.force_told = true;
        }
    }

    fn read_outputs(&mut self, ready: &[bool]) {
        let mut buffer = [0u8; 16 << 10];
        let mut at = 0;
        self.outputs.retain_mut(|output| {
            at += 1;
            if !ready[at - 1] {
                return true;
            }
            match output.from.read(&mut buffer) {
                Ok(0) => {
                    output.end();
                    false
                }
                Ok(n) => {
                    output.push(&buffer[..n]);
                    true
                }
                Err(e) => e.kind() == io::ErrorKind::WouldBlock || e.kind() == io::ErrorKind::Interrupted,
            }
        });
    }

    fn read_input(&mut self) {
        let mut buffer = [0u8; 16 << 10];
        match io::stdin().lock().read(&mut buffer) {
            Ok(0) | Err(_) => self.input_open = false,
            Ok(n) => self.inputs.iter_mut().for_each(|(_, held)| held.extend(&buffer[..n])),
        }
        self.write_inputs();
    }

    /// Passes input on as far as the pipes take it; a task that reads no more is left out.
    fn write_inputs(&mut self) {
        let open = self.input_open;
        self.inputs.retain_mut(|(file, held)| {
            while !held.is_empty() {
                match file.write(held.as_slices().0) {
                    Ok(n) => drop(held.drain(..n)),
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => return true,
                    Err(_) => return false,
                }
            }
            open
        });
        self.input_open &= !self.inputs.is_empty();
    }

    fn read_signals(&mut self) {
        // SAFETY: a zeroed record is a valid value to be read into.
        let mut info: libc::signalfd_siginfo = unsafe { std::mem::zeroed() };
        let size = size_of::<libc::signalfd_siginfo>();
        loop {
            // SAFETY: the pointer and the size are the record's.
            let got = unsafe { libc::read(self.signals.as_raw_fd(), (&raw mut info).cast(), size) };
            if got != size as isize {
                break;
            }
            // What the keeper sends to all of the job's processes the tasks have got themselves.
            if info.ssi_signo as i32 == END_STEP {
                self.end_step();
            }
        }
        self.look_for_ends();
        self.ledger.collect();
    }

    /// srun says something, or is gone: its tasks are hung up, and not left to themselves for long.
    fn hear_client(&mut self) {
        let Some(client) = &mut self.client else { return };
        match client.receive::<ToStep>() {
            Ok((ToStep::Signal(signal), _)) => self.client_signal(signal),
            Ok((ToStep::Terminate(why), _)) if !self.ending => {
                self.say_aborted();
                self.say_cancelled(&why);
                self.terminate();
                self.force_told = true;
            }
            Ok(_) => {}
            Err(_) => {
                self.client = None;
                self.signal_tasks(libc::SIGHUP);
                self.terminate();
            }
        }
    }

    /// Somebody wants to see the tasks' output as well (sattach), or what they use (sstat). Who wants anything else is not
    /// heard.
    fn attach(&mut self) {
        let Ok((stream, _)) = self.listener.accept() else { return };
        let Ok(mut wire) = Wire::accepted(stream) else { return };
        if wire.give_up_after(SILENCE).is_err() {
            return;
        }
        let (wanted, streams) = match wire.receive::<ToStep>() {
            Ok((ToStep::Attach(wanted), streams)) => (wanted, streams),
            Ok((ToStep::Measure, _)) => {
                self.ledger.look();
                let tasks = self.measured(|ledger, at| ledger.so_far(at));
                let _ = wire.send(&FromStep::Measured { tasks, pids: self.ledger.pids() }, &[]);
                return;
            }
            _ => return,
        };
        let Ok([out, err]) = <[OwnedFd; 2]>::try_from(streams) else { return };
        let tasks = self.layout.nodes.iter().map(|n| n.tasks).sum();
        for output in &mut self.outputs {
            let (only, to) = if output.error { (wanted.error, &err) } else { (wanted.output, &out) };
            if only.is_some_and(|rank| rank != output.rank) {
                continue;
            }
            let label = if wanted.label { forward::label(output.rank, tasks) } else { String::new() };
            if let Ok(to) = to.try_clone() {
                output.to.push((Lines::new(label, true), File::from(to)));
            }
        }
        let on = |node: usize| {
            self.started
                .iter()
                .filter(move |t| t.task.node == node)
                .map(|t| t.task.rank)
                .collect::<Vec<u32>>()
        };
        let nodes = self.layout.nodes.iter().enumerate().map(|(n, node)| (node.name.clone(), on(n)));
        if wire.send(&FromStep::Layout(nodes.collect()), &[]).is_ok() {
            self.attached.push(wire);
        }
    }

    /// A signal that srun got.
    fn client_signal(&mut self, signal: i32) {
        match signal {
            libc::SIGCONT => {
                tell(format_args!("srun: got SIGCONT"));
                self.signal_tasks(libc::SIGCONT);
            }
            libc::SIGUSR1 | libc::SIGUSR2 => self.signal_tasks(signal),
            libc::SIGINT if self.rules.on_interrupt != Interrupt::Quit => self.interrupt(),
            _ if self.ending => self.kill(),
            signal => {
                if signal == libc::SIGTERM {
                    tell(format_args!("srun: forcing job termination"));
                }
                self.say_aborted();
                self.terminate();
                self.say_cancelled("");
            }
        }
    }

    /// ^C: how the tasks stand; a second one goes to them.
    fn interrupt(&mut self) {
        let now = Instant::now();
        let again = self.asked_at.replace(now).is_some_and(|at| now - at <= ABORT_WITHIN);
        if self.rules.on_interrupt == Interrupt::Report && !again {
            tell(format_args!("srun: interrupt (one more within 1 sec to abort)"));
            return self.say_states();
        }
        tell(format_args!("srun: sending Ctrl-C to StepId={}", self.layout.step));
        if self.rules.on_interrupt == Interrupt::Report {
            tell(format_args!("srun: forcing job termination"));
        }
        self.ending = true;
        self.interrupted = true;
        self.kill_at = Some(now + Duration::from_secs(self.layout.kill_wait));
        self.signal_tasks(libc::SIGINT);
    }

    /// SIGTERM to all tasks, and SIGKILL later.
    fn terminate(&mut self) {
        self.ending = true;
        self.kill_at = Some(Instant::now() + Duration::from_secs(self.layout.kill_wait));
        self.signal_tasks(libc::SIGCONT);
        self.signal_tasks(libc::SIGTERM);
    }

    /// scancel JOB.STEP: no time is given to the tasks.
    fn end_step(&mut self) {
        if !std::mem::replace(&mut self.ending, true) {
            self.say_cancelled("");
            self.say_aborted();
        }
        self.kill_at = None;
        self.signal_tasks(libc::SIGKILL);
    }

    fn kill(&mut self) {
        self.kill_at = None;
        tell(format_args!("srun: Force Terminated StepId={}", self.layout.step));
        self.signal_tasks(libc::SIGKILL);
    }

    /// To the processes of all tasks, the ended ones included: others may be left in their groups.
    fn signal_tasks(&self, signal: i32) {
        for pid in self.started.iter().filter_map(|t| t.pid) {
            // SAFETY: the task is not reaped yet, so the number is still its own.
            unsafe { libc::kill(-pid, signal) };
        }
    }

    /// Notes which tasks have ended, without reaping them.
    fn look_for_ends(&mut self) {
        for at in 0..self.started.len() {
            let (Some(pid), None) = (self.started[at].pid, self.started[at].status) else { continue };
            // SAFETY: a zeroed record is a valid value to be filled in.
            let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
            let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
            // SAFETY: the pointer is the record's.
            let rc = unsafe { libc::waitid(libc::P_PID, pid as libc::id_t, &mut info, flags) };
            // SAFETY: waitid filled the record of a child that ended.
            let (found, code, value) = unsafe { (info.si_pid(), info.si_code, info.si_status()) };
            if rc != 0 || found != pid {
                continue;
            }
            let status = match code {
                libc::CLD_EXITED => ExitStatus { code: value as u8, signal: 0 },
                _ => ExitStatus { code: 0, signal: value as u8 },
            };
            self.ended(at, status, code == libc::CLD_DUMPED);
        }
    }

    fn ended(&mut self, at: usize, status: ExitStatus, dumped: bool) {
        let task = &mut self.started[at];
        task.status = Some(status);
        if let Some(epilog) = task.epilog.take() {
            programs::after_task(&epilog.program, &epilog.env, Some(&epilog.folder));
        }
        self.first_end.get_or_insert_with(Instant::now);
        let told = FromStep::TaskEnded { rank: task.task.rank, exit: status };
        self.attached.retain_mut(|wire| wire.send(&told, &[]).is_ok());
        // What the user himself has interrupted is not told him.
        if status.success() || self.interrupted && i32::from(status.signal) == libc::SIGINT {
            return;
        }
        let text = match status.signal {
            0 => format!("Exited with exit code {}", status.code),
            signal if dumped => format!("{} (core dumped)", signal_text(signal)),
            signal => signal_text(signal),
        };
        self.forced |= matches!(i32::from(status.signal), libc::SIGKILL | libc::SIGTERM);
        self.unsaid.entry((task.task.node, text)).or_default().push(task.task.rank);
        self.say_at.get_or_insert_with(|| Instant::now() + REPORT_DELAY);
        if self.rules.kill_on_bad_exit && !self.ending {
            self.say();
            self.say_terminating();
            self.say_cancelled("");
            self.terminate();
            // What the tasks end of is told once they have.
            self.force_told = true;
        }
    }

    /// Reaps all tasks and adds up what they used.
    fn reap(&mut self) -> Usage {
        let tasks: Vec<Measured> = self.measured(|ledger, at| ledger.end(at));
        Usage::of_tasks(&tasks)
    }

    fn measured(&mut self, of: impl Fn(&mut Ledger, usize) -> TaskUsage) -> Vec<Measured> {
        let (ledger, started) = (&mut self.ledger, self.started.iter().enumerate());
        let measure = |(at, started): (usize, &Started)| {
            let Task { rank, node, .. } = started.task;
            Measured { task: rank, node: node as u32, usage: of(ledger, at) }
        };
        let mut tasks: Vec<Measured> = started.map(measure).collect();
        tasks.sort_by_key(|m| m.task);
        tasks
    }
}

/// `Killed`, `Segmentation fault`.
fn signal_text(signal: u8) -> String {
    // SAFETY: strsignal returns a terminated text that stays until the next call in this, the only, thread.
    unsafe {
        let text = libc::strsignal(i32::from(signal));
        if text.is_null() {
            format!("Signal {signal}")
        } else {
            std::ffi::CStr::from_ptr(text).to_string_lossy().into_owned()
        }
    }
}
