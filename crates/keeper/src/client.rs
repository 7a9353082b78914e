//! The controller's end of the connection: blocking, one thread may read while another writes.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::codec::DecodeError;
use crate::place;
use crate::protocol::{self, FromKeeper, ToKeeper, VERSION, Welcome};

/// What can go wrong between controller and keeper.
#[derive(Debug)]
pub enum ClientError {
    /// The connection could not be made or broke. The keeper, or its successor, listens again within moments: connect
    /// anew (see [`Client::connect`]); nothing that it held is lost.
    Io(io::Error),
    /// What came is no message of this protocol's version.
    Decode(DecodeError),
    /// The keeper does not accept this controller.
    Refused(String),
    /// The keeper's program could not start; the text is its own.
    NotStarted(String),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Io(e) => write!(f, "connection to the keeper: {e}"),
            ClientError::Decode(e) => write!(f, "message of the keeper: {e}"),
            ClientError::Refused(reason) => write!(f, "the keeper refuses: {reason}"),
            ClientError::NotStarted(text) => write!(f, "the keeper could not be started: {text}"),
        }
    }
}

impl std::error::Error for ClientError {}

impl From<io::Error> for ClientError {
    fn from(e: io::Error) -> Self {
        ClientError::Io(e)
    }
}

impl From<DecodeError> for ClientError {
    fn from(e: DecodeError) -> Self {
        ClientError::Decode(e)
    }
}

/// Starts reaper and keeper for a state folder (mode 0700, the caller's own) and returns when the keeper listens.
/// `program` is the path of `bivouac-keeper`. Call it while single-threaded or with small memory: it forks.
pub fn start(program: &OsStr, dir: &Path) -> Result<(), ClientError> {
    let mut command = Command::new(program);
    command.arg("reaper").arg("--state-dir").arg(dir).stdin(Stdio::null()).stdout(Stdio::null());
    let output = command.stderr(Stdio::piped()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(ClientError::NotStarted(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

/// A connection that the keeper has accepted.
pub struct Client {
    /// The half that writes.
    pub sender: Sender,
    /// The half that reads.
    pub receiver: Receiver,
}

/// Connects, and starts reaper and keeper if there are none; tries again for as long as `patience`, since a keeper
/// that is being restarted, or that is just ending, settles within moments. A refusal is answered at once.
pub fn connect_or_start(
    program: &OsStr,
    dir: &Path,
    respawn: &[Vec<u8>],
    patience: Duration,
) -> Result<(Client, Welcome), ClientError> {
    let deadline = Instant::now() + patience;
    loop {
        let error = match Client::connect(dir, respawn.to_vec()) {
            Err(ClientError::Io(_)) => match start(program, dir) {
                Ok(()) => continue,
                Err(error) => error,
            },
            answer => return answer,
        };
        if Instant::now() >= deadline {
            return Err(error);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Writes to the keeper.
pub struct Sender {
    stream: UnixStream,
    buffer: Vec<u8>,
}

/// Reads from the keeper.
pub struct Receiver {
    stream: UnixStream,
    buffer: Vec<u8>,
    used: usize,
}

impl Client {
    /// Connects to the keeper of a state folder and says Hello. `respawn` is the command that restarts the controller if this
    /// connection ends without Goodbye. After the death of keeper or reaper a successor listens within well under a
    /// second: on an I/O error try again for a few seconds, then [`start`] one.
    pub fn connect(dir: &Path, respawn: Vec<Vec<u8>>) -> Result<(Client, Welcome), ClientError> {
        let stream = place::connect(dir)?;
        let mut sender = Sender { stream: stream.try_clone()?, buffer: Vec::new() };
        let mut receiver = Receiver { stream, buffer: Vec::new(), used: 0 };
        let controller_pid = std::process::id() as i32;
        receiver.stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        sender.send(&ToKeeper::Hello { version: VERSION, controller_pid, respawn })?;
        let answer = receiver.receive()?;
        receiver.stream.set_read_timeout(None)?;
        match answer {
            FromKeeper::Welcome(welcome) => Ok((Client { sender, receiver }, *welcome)),
            FromKeeper::Refused { reason } => Err(ClientError::Refused(reason)),
            _ => Err(ClientError::Refused("it did not answer Hello with Welcome".into())),
        }
    }
}

impl Sender {
    /// Sends one message.
    pub fn send(&mut self, message: &ToKeeper) -> Result<(), ClientError> {
        self.send_all(std::slice::from_ref(message))
    }

    /// Sends several messages with one write; the keeper then handles them in one turn. None is sent if one is too long.
    pub fn send_all(&mut self, messages: &[ToKeeper]) -> Result<(), ClientError> {
        self.buffer.clear();
        for message in messages {
            protocol::write_frame(&mut self.buffer, message)?;
        }
        self.stream.write_all(&self.buffer)?;
        self.buffer.shrink_to(1 << 20);
        Ok(())
    }

    /// Ends the connection; the reading half sees its end.
    pub fn close(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl Receiver {
    /// Waits for the next message.
    pub fn receive(&mut self) -> Result<FromKeeper, ClientError> {
        loop {
            if let Some((message, length)) = protocol::read_frame(&self.buffer[self.used..])? {
                self.used += length;
                return Ok(message);
            }
            self.buffer.drain(..self.used);
            self.used = 0;
            let mut chunk = [0; 32 << 10];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(n) => self.buffer.extend_from_slice(&chunk[..n]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Whether a complete message is at hand, so that [`Receiver::receive`] returns at once.
    pub fn has_message(&self) -> bool {
        !matches!(protocol::read_frame::<FromKeeper>(&self.buffer[self.used..]), Ok(None))
    }

    /// Bounds how long [`Receiver::receive`] waits; it then fails with an I/O error, and may be called again.
    pub fn set_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(limit)
    }
}
