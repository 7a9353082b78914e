//! Connections to the keeper's socket: buffered, never blocking, never trusted beyond the frame in hand.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

use crate::codec::DecodeError;
use crate::protocol::{self, FromKeeper, Message};

/// A controller that lets this many bytes pile up is cut off; it connects again and is told everything anew.
const MAX_BACKLOG: usize = 64 << 20;
/// Read buffer; larger frames make it grow for as long as they need it.
const CHUNK: usize = 32 << 10;

/// One connection.
pub struct Connection {
    stream: UnixStream,
    /// Process at the other end.
    pub pid: i32,
    input: Vec<u8>,
    output: Vec<u8>,
    /// The other end sends no more.
    pub ended: bool,
}

impl Connection {
    /// Takes an accepted stream.
    pub fn new(stream: UnixStream, pid: i32) -> io::Result<Connection> {
        stream.set_nonblocking(true)?;
        Ok(Connection { stream, pid, input: Vec::new(), output: Vec::new(), ended: false })
    }

    /// Its descriptor, for epoll.
    pub fn fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// Whether there is something left to send.
    pub fn wants_to_write(&self) -> bool {
        !self.output.is_empty()
    }

    /// Reads what is there, up to a bound, so that one eager peer cannot keep the loop busy.
    pub fn read(&mut self) {
        let mut total = 0;
        while total < 1 << 20 {
            let before = self.input.len();
            self.input.resize(before + CHUNK, 0);
            let n = self.stream.read(&mut self.input[before..]);
            self.input.truncate(before + *n.as_ref().unwrap_or(&0));
            match n {
                Ok(0) => {
                    self.ended = true;
                    return;
                }
                Ok(n) if n < CHUNK => return,
                Ok(n) => total += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    self.ended |= e.kind() != io::ErrorKind::WouldBlock;
                    return;
                }
            }
        }
    }

    /// All complete messages read so far. An error: garbage; the connection is to be closed.
    pub fn messages<M: Message>(&mut self) -> Result<Vec<M>, DecodeError> {
        let mut messages = Vec::new();
        let mut used = 0;
        while let Some((message, length)) = protocol::read_frame(&self.input[used..])? {
            messages.push(message);
            used += length;
        }
        self.input.drain(..used);
        if self.input.is_empty() {
            self.input.shrink_to(CHUNK);
        }
        Ok(messages)
    }

    /// The first complete message, if any.
    pub fn message<M: Message>(&mut self) -> Result<Option<M>, DecodeError> {
        let first = protocol::read_frame(&self.input)?;
        Ok(first.map(|(message, length)| {
            self.input.drain(..length);
            message
        }))
    }

    /// Queues a message; [`Connection::flush`] sends it.
    pub fn send(&mut self, message: &FromKeeper) {
        if protocol::write_frame(&mut self.output, message).is_err() || self.output.len() > MAX_BACKLOG {
            self.ended = true;
        }
    }

    /// Sends as much as the other end takes.
    pub fn flush(&mut self) {
        let mut sent = 0;
        while sent < self.output.len() {
            match self.stream.write(&self.output[sent..]) {
                Ok(n) => sent += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.ended = true;
                    sent = self.output.len();
                }
            }
        }
        self.output.drain(..sent);
        if self.output.is_empty() {
            self.output.shrink_to(CHUNK);
        }
    }

    /// Sends what is left before the keeper ends, waiting for at most a second.
    pub fn finish(&mut self) {
        let _ = self.stream.set_nonblocking(false);
        let _ = self.stream.set_write_timeout(Some(std::time::Duration::from_secs(1)));
        let _ = self.stream.write_all(&self.output);
    }

    /// Whether the other end has hung up, found out without reading.
    pub fn is_dead(&self) -> bool {
        let mut byte = 0u8;
        let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
        // SAFETY: one byte may be written into `byte`.
        let n = unsafe { libc::recv(self.fd(), (&raw mut byte).cast(), 1, flags) };
        self.ended || n == 0 || (n < 0 && io::Error::last_os_error().kind() != io::ErrorKind::WouldBlock)
    }
}
