//! Output of tasks on its way to srun's own streams: whole lines, so that tasks do not cut into each other's.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};

/// The longest line that is held back; a longer one goes out in pieces.
const LONGEST: usize = 64 << 10;

/// Lines of one task's stream.
pub struct Lines {
    label: String,
    whole: bool,
    held: Vec<u8>,
}

impl Lines {
    /// `label` stands before each line; `whole`: lines are held back until they are complete.
    pub fn new(label: String, whole: bool) -> Lines {
        Lines { label, whole, held: Vec::new() }
    }

    /// Takes bytes in and writes out the lines that are complete.
    pub fn push(&mut self, bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
        if !self.whole && self.label.is_empty() {
            return out.write_all(bytes);
        }
        self.held.extend_from_slice(bytes);
        let complete = match self.held.iter().rposition(|&b| b == b'\n') {
            Some(at) => at + 1,
            None if self.held.len() >= LONGEST => self.held.len(),
            None => return Ok(()),
        };
        let mut text = Vec::with_capacity(complete + 64);
        for line in self.held[..complete].split_inclusive(|&b| b == b'\n') {
            text.extend_from_slice(self.label.as_bytes());
            text.extend_from_slice(line);
        }
        self.held.drain(..complete);
        out.write_all(&text)
    }

    /// Writes out what is left when the task's stream ends; a labelled line is completed.
    pub fn end(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let mut text = self.label.clone().into_bytes();
        text.append(&mut self.held);
        if !self.label.is_empty() {
            text.push(b'\n');
        }
        out.write_all(&text)
    }
}

/// The label of a task: its rank, as wide as the largest one.
pub fn label(rank: u32, tasks: u32) -> String {
    let width = tasks.saturating_sub(1).to_string().len();
    format!("{rank:>width$}: ")
}

/// A pipe: the end to read from, which does not block, and the end to write to.
pub fn pipe() -> io::Result<(File, File)> {
    let mut ends: [RawFd; 2] = [0; 2];
    // SAFETY: the pointer is to two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: both descriptors are new and owned by nobody else.
    Ok(unsafe { (File::from_raw_fd(ends[0]), File::from_raw_fd(ends[1])) })
}

/// Makes reads and writes return at once.
pub fn nonblocking(file: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open.
    unsafe {
        let flags = libc::fcntl(file.as_raw_fd(), libc::F_GETFL);
        if flags < 0 || libc::fcntl(file.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(label: &str, whole: bool, parts: &[&str]) -> Vec<String> {
        let mut lines = Lines::new(label.into(), whole);
        let mut steps = Vec::new();
        for part in parts {
            let mut out = Vec::new();
            lines.push(part.as_bytes(), &mut out).unwrap();
            steps.push(String::from_utf8(out).unwrap());
        }
        let mut out = Vec::new();
        lines.end(&mut out).unwrap();
        steps.push(String::from_utf8(out).unwrap());
        steps
    }

    #[test]
    fn lines_go_out_when_they_are_whole() {
        assert_eq!(through("", true, &["a", "b\nc\nd", ""]), ["", "ab\nc\n", "", "d"]);
        assert_eq!(through("0: ", true, &["a\nb", "\n\nc"]), ["0: a\n", "0: b\n0: \n", "0: c\n"]);
        assert_eq!(through("", false, &["a", "b\nc"]), ["a", "b\nc", ""]);
    }

    #[test]
    fn an_endless_line_does_not_fill_the_memory() {
        let mut lines = Lines::new(String::new(), true);
        let mut out = Vec::new();
        for _ in 0..100 {
            lines.push(&[b'x'; 4096], &mut out).unwrap();
        }
        assert!(lines.held.len() < LONGEST && out.len() + lines.held.len() == 409_600);
    }

    #[test]
    fn labels_are_as_wide_as_the_largest() {
        assert_eq!((label(3, 8).as_str(), label(3, 11).as_str()), ("3: ", " 3: "));
    }
}
