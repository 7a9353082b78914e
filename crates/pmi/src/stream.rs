//! From the bytes of one rank to its commands.

use crate::command::{Command, Malformed};
use crate::{frame, line};

/// The most bytes of one command: what the head of a frame can say.
const LONGEST: usize = 1_000_000;

/// What a rank is known to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// It has not said: the first line tells.
    Greeting,
    /// PMI-1.
    One,
    /// PMI-2.
    Two,
}

/// What came and is not yet a whole command.
#[derive(Debug)]
pub struct Stream {
    /// How the next bytes are to be read.
    pub wire: Wire,
    held: Vec<u8>,
}

/// Bytes that are no command.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// One command is wrong; the next may be right.
    Command(Malformed),
    /// Where the next command begins cannot be known.
    Lost(Malformed),
}

impl Stream {
    /// Of a rank that has said nothing.
    pub fn new() -> Stream {
        Stream { wire: Wire::Greeting, held: Vec::new() }
    }

    /// Takes bytes in.
    pub fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next whole command.
    ///
    /// # Errors
    /// There is something else.
    pub fn next(&mut self) -> Result<Option<Command>, Fault> {
        match self.wire {
            Wire::Greeting | Wire::One if self.held.starts_with(b"mcmd=") => self.lines(),
            Wire::Greeting | Wire::One => {
                let Some(line) = self.line()? else { return Ok(None) };
                line::read(&line).map(Some).map_err(Fault::Command)
            }
            Wire::Two => self.frame(),
        }
    }

    /// The bytes up to the first line feed, which is taken off.
    fn line(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        match self.held.iter().position(|&b| b == b'\n') {
            Some(at) => {
                Ok(self.held.drain(..=at).collect::<Vec<u8>>().split_last().map(|(_, line)| line.to_vec()))
            }
            None if self.held.len() > LONGEST => Err(Fault::Lost(Malformed::TooLong)),
            None => Ok(None),
        }
    }

    /// A command of several lines: `mcmd=NAME`, `key=value`..., `endcmd`.
    fn lines(&mut self) -> Result<Option<Command>, Fault> {
        const END: &[u8] = b"\nendcmd\n";
        let Some(at) = self.held.windows(END.len()).position(|w| w == END) else {
            return if self.held.len() > LONGEST { Err(Fault::Lost(Malformed::TooLong)) } else { Ok(None) };
        };
        let text: Vec<u8> = self.held.drain(..at + END.len()).collect();
        let mut lines = text[..at].split(|&b| b == b'\n');
        let first = lines.next().unwrap_or_default();
        let mut command = Command::new(&first[b"mcmd=".len()..]);
        for line in lines {
            let at = line.iter().position(|&b| b == b'=').unwrap_or(line.len());
            command = command.with(&line[..at], line.get(at + 1..).unwrap_or_default());
        }
        Ok(Some(command))
    }

    fn frame(&mut self) -> Result<Option<Command>, Fault> {
        let Some((head, rest)) = self.held.split_first_chunk::<{ frame::HEAD }>() else { return Ok(None) };
        let length = frame::length(head).map_err(Fault::Lost)?;
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let command = frame::read(body);
        self.held.drain(..frame::HEAD + length);
        command.map(Some).map_err(Fault::Command)
    }
}
