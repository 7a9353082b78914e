//! Where the tasks' standard streams lead.

use super::forward::{self, Lines};
use super::launch::Streams;
use super::plan::Task;
use bivouac_options::srun::{Request, Stream};
use bivouac_proto::message::StepLayout;
use bivouac_types::JobId;
use bivouac_types::job::OpenMode;
use bivouac_types::pattern::{self, PatternContext};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// What file name patterns refer to, besides the task.
pub struct Names {
    /// %j.
    pub job: JobId,
    /// %A.
    pub array_job: Option<JobId>,
    /// %a.
    pub array_task: Option<u32>,
    /// %u.
    pub user: String,
    /// %x.
    pub name: String,
    /// %s.
    pub step: u32,
}

/// An output stream that the daemon reads.
pub struct Forwarded {
    /// The end to read from.
    pub from: File,
    /// Of which task it is.
    pub rank: u32,
    /// Whether it is standard error.
    pub error: bool,
    /// Where its lines go: to srun, and to those who are attached.
    pub to: Vec<(Lines, File)>,
}

impl Forwarded {
    /// Passes bytes on. Who reads them may go away; they are then lost to him, as in a pipe.
    pub fn push(&mut self, bytes: &[u8]) {
        for (lines, file) in &mut self.to {
            let _ = lines.push(bytes, file);
        }
    }

    /// The stream has ended.
    pub fn end(&mut self) {
        for (lines, file) in &mut self.to {
            let _ = lines.end(file);
        }
    }
}

/// Makes the streams of one task after the other.
pub struct Wiring<'a> {
    request: &'a Request,
    names: Names,
    layout: &'a StepLayout,
    tasks: u32,
    /// The folder that file names of single tasks are relative to.
    task_dir: PathBuf,
    /// Output files, opened once each.
    files: BTreeMap<PathBuf, File>,
    /// Streams that srun reads.
    pub forwarded: Vec<Forwarded>,
    /// Ends of pipes to the standard inputs of all tasks.
    pub inputs: Vec<File>,
}

/// A file that could not be opened: the message.
pub type Problem = String;

impl<'a> Wiring<'a> {
    /// For a step of so many tasks.
    ///
    /// # Errors
    /// A stream is bound to a task that there is not.
    pub fn new(
        request: &'a Request,
        names: Names,
        layout: &'a StepLayout,
        tasks: u32,
        task_dir: PathBuf,
    ) -> Result<Wiring<'a>, Problem> {
        let streams = [Some(&request.input), Some(&request.output), request.error.as_ref()];
        if let Some(Stream::Task(n)) =
            streams.into_iter().flatten().find(|s| matches!(s, Stream::Task(n) if *n >= tasks))
        {
            return Err(format!("there is no task {n}: the step has {tasks}, counted from 0"));
        }
        let (files, forwarded, inputs) = Default::default();
        Ok(Wiring { request, names, layout, tasks, task_dir, files, forwarded, inputs })
    }

    /// The streams of a task.
    ///
    /// # Errors
    /// A file that cannot be opened.
    pub fn streams(&mut self, task: &Task) -> Result<Streams, Problem> {
        let output = self.request.output.clone();
        // Without --error, a file takes both.
        let error = match (&self.request.error, &output) {
            (Some(error), _) => error.clone(),
            (None, Stream::File(_)) => output.clone(),
            (None, _) => Stream::All,
        };
        Ok(Streams {
            input: self.input(task)?,
            output: self.output(task, &output, false)?,
            error: self.output(task, &error, true)?,
            first: Vec::new(),
        })
    }

    fn input(&mut self, task: &Task) -> Result<Stdio, Problem> {
        match &self.request.input {
            Stream::None => Ok(Stdio::null()),
            Stream::Task(rank) => Ok(if *rank == task.rank { Stdio::inherit() } else { Stdio::null() }),
            Stream::All if self.tasks == 1 || is_null(io::stdin().as_fd()) => Ok(Stdio::inherit()),
            Stream::All => {
                let (read, write) = forward::pipe().map_err(|e| format!("a pipe: {e}"))?;
                forward::nonblocking(&write).map_err(|e| format!("a pipe: {e}"))?;
                self.inputs.push(write);
                Ok(read.into())
            }
            Stream::File(pattern) => {
                let path = self.path(pattern, task);
                File::open(&path).map(Stdio::from).map_err(|e| format!("{}: {e}", path.display()))
            }
        }
    }

    fn output(&mut self, task: &Task, stream: &Stream, error: bool) -> Result<Stdio, Problem> {
        let own = || {
            let own = if error {
                io::stderr().as_fd().try_clone_to_owned()
            } else {
                io::stdout().as_fd().try_clone_to_owned()
            };
            own.map(File::from).map_err(|e| format!("a standard stream: {e}"))
        };
        match stream {
            Stream::None => Ok(Stdio::null()),
            Stream::Task(rank) if *rank != task.rank => Ok(Stdio::null()),
            Stream::All | Stream::Task(_) => self.forward(task, error, own()?),
            Stream::File(pattern) => {
                let file = self.file(pattern, task)?;
                if self.request.label { self.forward(task, error, file) } else { Ok(file.into()) }
            }
        }
    }

    fn forward(&mut self, task: &Task, error: bool, to: File) -> Result<Stdio, Problem> {
        let (from, write) = forward::pipe().map_err(|e| format!("a pipe: {e}"))?;
        forward::nonblocking(&from).map_err(|e| format!("a pipe: {e}"))?;
        let label = if self.request.label { forward::label(task.rank, self.tasks) } else { String::new() };
        let lines = Lines::new(label, !self.request.unbuffered);
        self.forwarded.push(Forwarded { from, rank: task.rank, error, to: vec![(lines, to)] });
        Ok(write.into())
    }

    /// The file of a pattern for a task; tasks whose names are the same share it.
    fn file(&mut self, pattern: &str, task: &Task) -> Result<File, Problem> {
        let path = self.path(pattern, task);
        let problem = |e: io::Error| format!("Could not open stdout file {}: {e}", path.display());
        if let Some(file) = self.files.get(&path) {
            return file.try_clone().map_err(problem);
        }
        // Always at the end of the file: several tasks, and srun itself, write to it.
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        let file = options.open(&path).map_err(problem)?;
        if self.request.open_mode != Some(OpenMode::Append) && file.metadata().is_ok_and(|m| m.is_file()) {
            file.set_len(0).map_err(problem)?;
        }
        let copy = file.try_clone().map_err(problem)?;
        self.files.insert(path, file);
        Ok(copy)
    }

    fn path(&self, pattern: &str, task: &Task) -> PathBuf {
        let name = |task: &Task, node: &str| {
            pattern::expand(
                pattern,
                &PatternContext {
                    job: self.names.job,
                    array_job: self.names.array_job,
                    array_task: self.names.array_task,
                    user: &self.names.user,
                    name: &self.names.name,
                    node,
                    node_id: task.node as u32,
                    task_id: task.rank,
                    step: Some(self.names.step),
                },
            )
        };
        let own = name(task, &self.layout.nodes[task.node].name);
        // Files of single tasks or nodes are opened where the task runs, others where srun does.
        let elsewhere = Task { rank: task.rank + 1, node: task.node + 1, local: 0 };
        if own == name(&elsewhere, "") { Path::new(&own).into() } else { self.task_dir.join(own) }
    }
}

/// Whether a descriptor is /dev/null.
fn is_null(fd: std::os::fd::BorrowedFd<'_>) -> bool {
    use std::os::unix::fs::MetadataExt;
    let own = fd.try_clone_to_owned().map(File::from).and_then(|f| f.metadata());
    match (own, std::fs::metadata("/dev/null")) {
        (Ok(a), Ok(b)) => a.rdev() == b.rdev() && a.rdev() != 0,
        _ => false,
    }
}
