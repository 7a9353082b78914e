//! A small process that outlives srun: if srun is killed outright, it ends what the tasks left running and tells the
//! controller that the step is over, so that its CPUs are free again.

use super::forward;
use super::step;
use super::watch::Outcome;
use bivouac_proto::message::StepLayout;
use bivouac_types::ExitStatus;
use std::fs::File;
use std::io::{self, Read, Write};

/// srun's hold on its guard: as long as it lives, so does srun.
pub struct Guard {
    pipe: File,
    pid: i32,
}

/// What is written when srun ends as it should; no process has this number.
const DONE: i32 = 0;

impl Guard {
    /// Starts the guard of a step. To be called before any task is started.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn start(layout: &StepLayout) -> io::Result<Guard> {
        let (read, write) = forward::pipe()?;
        // SAFETY: srun has one thread, so that the child may do whatever the parent may.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                drop(write);
                watch_over(read, layout);
                // SAFETY: the child leaves without running what the parent registered.
                unsafe { libc::_exit(0) }
            }
            pid => Ok(Guard { pipe: write, pid }),
        }
    }

    /// Names a task that leads a process group.
    pub fn add(&mut self, pid: i32) {
        // A guard that is gone guards nothing more; the step goes on.
        let _ = self.pipe.write_all(&pid.to_ne_bytes());
    }

    /// The step has ended and the controller knows.
    pub fn dismiss(mut self) {
        let _ = self.pipe.write_all(&DONE.to_ne_bytes());
        // SAFETY: the guard is our child and nobody else reaps it.
        unsafe { libc::waitpid(self.pid, std::ptr::null_mut(), 0) };
    }
}

/// The guard's life.
fn watch_over(mut pipe: File, layout: &StepLayout) {
    // Out of the job's way: its streams would be held open, and a terminal's signals are srun's.
    // SAFETY: both calls act on the guard alone.
    unsafe {
        libc::setpgid(0, 0);
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        for fd in 0..3 {
            libc::dup2(null, fd);
        }
    }
    let mut groups = Vec::new();
    let mut word = [0u8; 4];
    while pipe.read_exact(&mut word).is_ok() {
        match i32::from_ne_bytes(word) {
            DONE => return,
            pid => groups.push(pid),
        }
    }
    for group in groups {
        // SAFETY: the leader died with srun this moment; its group's number is not in other hands yet.
        unsafe { libc::kill(-group, libc::SIGKILL) };
    }
    step::end(
        layout,
        Outcome { exit: ExitStatus { code: 0, signal: libc::SIGKILL as u8 }, usage: Default::default() },
    );
}
