//! `--mpi=pmi2`: each task has one end of a socket pair as its `PMI_FD`; the other ends are served here, from the loop that
//! watches the step.

use super::plan::Task;
use crate::srun::tell;
use bivouac_pmi::{Reaction, Server, Step};
use bivouac_proto::message::StepLayout;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// The variables of a task of such a step. A task of another kind must not find those of a step around it: the descriptor
/// would be that step's.
pub const VARIABLES: [&str; 5] = ["PMI_FD", "PMI_JOBID", "PMI_RANK", "PMI_SIZE", "SLURM_MPI_TYPE"];

/// What stands between the tasks of one step.
pub struct Pmi {
    step: Step,
    server: Server,
    ends: Vec<End>,
}

/// Our end of a task's connection.
struct End {
    rank: u32,
    socket: UnixStream,
    /// What the task has not taken yet; while there is any, nothing more is read of it.
    unsent: VecDeque<u8>,
}

/// A task's end. To be dropped when the task has been started, lest the next one inherits it.
pub struct TaskEnd {
    descriptor: OwnedFd,
    variables: Vec<(&'static str, String)>,
}

impl TaskEnd {
    /// What the task finds in its environment.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let mut set = self.variables.clone();
        set.push(("PMI_FD", self.descriptor.as_raw_fd().to_string()));
        set.push(("SLURM_MPI_TYPE", "pmi2".to_owned()));
        set
    }
}

impl Pmi {
    /// For the tasks of a step, by their rank.
    pub fn new(layout: &StepLayout, tasks: &[Task]) -> Pmi {
        let step = Step {
            job: layout.step.to_string(),
            nodes: layout.nodes.iter().map(|n| n.name.clone()).collect(),
            ranks: tasks.iter().map(|t| t.node as u32).collect(),
        };
        Pmi { server: Server::new(step.clone()), step, ends: Vec::new() }
    }

    /// Connects a task that is about to be started; it inherits the descriptor.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn connect(&mut self, rank: u32) -> io::Result<TaskEnd> {
        let (socket, theirs) = UnixStream::pair()?;
        socket.set_nonblocking(true)?;
        // SAFETY: dup gives a new descriptor that nobody else owns; unlike the pair's it outlives execve.
        let descriptor = unsafe {
            match libc::dup(theirs.as_raw_fd()) {
                -1 => return Err(io::Error::last_os_error()),
                fd => OwnedFd::from_raw_fd(fd),
            }
        };
        self.ends.push(End { rank, socket, unsent: VecDeque::new() });
        Ok(TaskEnd { descriptor, variables: self.step.variables(rank).into() })
    }

    /// What to wait for.
    pub fn polled(&self) -> impl Iterator<Item = libc::pollfd> {
        self.ends.iter().map(|end| {
            let events = if end.unsent.is_empty() { libc::POLLIN } else { libc::POLLOUT };
            libc::pollfd { fd: end.socket.as_raw_fd(), events, revents: 0 }
        })
    }

    /// Deals with what has come; `polled` is what [`Pmi::polled`] gave, with its answers. Whether a task asks for the end
    /// of the step.
    pub fn turn(&mut self, polled: &[libc::pollfd]) -> bool {
        let ready: Vec<bool> = polled.iter().map(|p| p.revents != 0).collect();
        let mut reactions = Vec::new();
        let mut buffer = [0u8; 16 << 10];
        let mut at = 0;
        self.ends.retain_mut(|end| {
            at += 1;
            if !ready.get(at - 1).is_some_and(|&r| r) {
                return true;
            }
            if !end.unsent.is_empty() {
                return end.send() || gone(&mut self.server, end.rank);
            }
            match end.socket.read(&mut buffer) {
                Ok(n) if n > 0 => reactions.append(&mut self.server.receive(end.rank, &buffer[..n])),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock || e.kind() == io::ErrorKind::Interrupted => {
                }
                Ok(_) | Err(_) => return gone(&mut self.server, end.rank),
            }
            true
        });
        let mut abort = false;
        for reaction in reactions {
            abort |= self.react(reaction);
        }
        abort
    }

    /// Whether the step is to end.
    fn react(&mut self, reaction: Reaction) -> bool {
        match reaction {
            Reaction::Send { rank, bytes } => {
                if let Some(at) = self.ends.iter().position(|end| end.rank == rank) {
                    self.ends[at].unsent.extend(bytes);
                    if !self.ends[at].send() {
                        self.ends.remove(at);
                        self.server.closed(rank);
                    }
                }
            }
            Reaction::Close { rank } => self.ends.retain(|end| end.rank != rank),
            Reaction::Say { rank, text } => tell(format_args!(
                "slurmstepd: error: mpi/pmi2: task {rank} of StepId={}: {text}",
                self.step.job
            )),
            Reaction::Abort { .. } => return true,
        }
        false
    }
}

impl End {
    /// Sends as much as the task takes. Whether it is still there.
    fn send(&mut self) -> bool {
        while !self.unsent.is_empty() {
            match self.socket.write(self.unsent.as_slices().0) {
                Ok(n) => drop(self.unsent.drain(..n)),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return e.kind() == io::ErrorKind::WouldBlock,
            }
        }
        true
    }
}

/// The task has closed its end: its place among the ends is given up.
fn gone(server: &mut Server, rank: u32) -> bool {
    server.closed(rank);
    false
}
