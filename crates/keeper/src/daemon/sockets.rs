//! Everything the keeper waits for: the listening socket, connections, ended children, the reaper's pipe.
//!
//! One controller at a time. A connection becomes the controller's by its Hello; a second one gets in only if the first
//! one's process or connection is dead. Connections of other users, and garbage, are closed and harm nobody.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use super::refusal;
use crate::place;
use crate::protocol::{FromKeeper, ToKeeper};
use crate::server::Connection;
use crate::sys;

/// Time for a connection to say Hello.
const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// Connections that have not said Hello, at most; a further one displaces the oldest.
const MAX_PENDING: usize = 16;

const LISTENER: u64 = 0;
const CHILDREN: u64 = 1;
const REAPER: u64 = 2;
const FIRST_CONNECTION: u64 = 3;

/// What a wait found.
#[derive(Default)]
pub struct Happened {
    /// The reaper wrote.
    pub reaper_collected: bool,
    /// The reaper's end of the pipe is closed.
    pub reaper_gone: bool,
    /// There are zombies.
    pub child_ended: bool,
}

struct Pending {
    connection: Connection,
    deadline: Instant,
}

/// The keeper's descriptors.
pub struct Sockets {
    folder: File,
    epoll: OwnedFd,
    listener: UnixListener,
    signals: File,
    reaper: File,
    pending: BTreeMap<u64, Pending>,
    controller: Option<(u64, Connection)>,
    watching_output: bool,
    next: u64,
}

impl Sockets {
    /// Listens in the folder, and waits for children and the reaper.
    pub fn open(folder: File, reaper: &File) -> io::Result<Sockets> {
        let listener = place::listen(&folder)?;
        let set = sys::set_signal_mask(&[libc::SIGCHLD]);
        // SAFETY: valid set; both descriptors are fresh and ours.
        let (signals, epoll) = unsafe {
            let signals = sys::check(libc::signalfd(-1, &set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC))?;
            let epoll = sys::check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?;
            (File::from_raw_fd(signals), OwnedFd::from_raw_fd(epoll))
        };
        let reaper = reaper.try_clone()?;
        // SAFETY: a valid descriptor.
        unsafe { libc::fcntl(reaper.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        let sockets = Sockets {
            folder,
            epoll,
            listener,
            signals,
            reaper,
            pending: BTreeMap::new(),
            controller: None,
            watching_output: false,
            next: FIRST_CONNECTION,
        };
        sockets.watch(libc::EPOLL_CTL_ADD, sockets.listener.as_raw_fd(), LISTENER, false)?;
        sockets.watch(libc::EPOLL_CTL_ADD, sockets.signals.as_raw_fd(), CHILDREN, false)?;
        sockets.watch(libc::EPOLL_CTL_ADD, sockets.reaper.as_raw_fd(), REAPER, false)?;
        Ok(sockets)
    }

    fn watch(&self, operation: i32, fd: RawFd, token: u64, output: bool) -> io::Result<()> {
        let events = libc::EPOLLIN | if output { libc::EPOLLOUT } else { 0 };
        let mut event = libc::epoll_event { events: events as u32, u64: token };
        // SAFETY: valid descriptors and pointer.
        sys::check(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, fd, &mut event) }).map(drop)
    }

    /// Waits for at most `timeout`, takes in connections and bytes.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Happened> {
        let ms = timeout.map_or(-1, |t| t.as_micros().div_ceil(1000).min(3_600_000) as i32);
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 32];
        // SAFETY: the array is as long as said.
        let n = unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), events.as_mut_ptr(), 32, ms) };
        let n = match sys::check(n) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => 0,
            other => other?,
        };
        let mut happened = Happened::default();
        for event in &events[..n as usize] {
            match event.u64 {
                LISTENER => self.accept(),
                CHILDREN => {
                    drain(&mut self.signals);
                    happened.child_ended = true;
                }
                REAPER if drain(&mut self.reaper) => happened.reaper_gone = true,
                REAPER => happened.reaper_collected = true,
                token => match &mut self.controller {
                    Some((t, connection)) if *t == token => connection.read(),
                    _ => {
                        if let Some(p) = self.pending.get_mut(&token) {
                            p.connection.read();
                        }
                    }
                },
            }
        }
        Ok(happened)
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            // SAFETY: no arguments.
            let me = unsafe { libc::geteuid() };
            let Ok((pid, uid)) = place::peer(&stream) else { continue };
            let Ok(connection) = Connection::new(stream, pid) else { continue };
            if uid != me && uid != 0 {
                self.turn_away(connection, format!("user {uid} is not the owner of this keeper"));
                continue;
            }
            if self.pending.len() >= MAX_PENDING {
                self.pending.pop_first();
            }
            let token = self.next;
            self.next += 1;
            if self.watch(libc::EPOLL_CTL_ADD, connection.fd(), token, false).is_ok() {
                self.pending.insert(token, Pending { connection, deadline: Instant::now() + HELLO_WITHIN });
            }
        }
    }

    fn turn_away(&self, mut connection: Connection, reason: String) {
        connection.send(&FromKeeper::Refused { reason });
        connection.flush();
    }

    /// Messages of the controller, and the Hello of a connection that becomes the controller's.
    pub fn messages(&mut self) -> Vec<ToKeeper> {
        let mut messages = Vec::new();
        self.read_controller(&mut messages);
        let tokens: Vec<u64> = self.pending.keys().copied().collect();
        for token in tokens {
            let Some(p) = self.pending.get_mut(&token) else { continue };
            let first = p.connection.message::<ToKeeper>();
            let over = p.connection.ended || p.deadline <= Instant::now();
            match first {
                Ok(None) if !over => {}
                Ok(None) => drop(self.pending.remove(&token)),
                Err(e) => {
                    if let Some(p) = self.pending.remove(&token) {
                        self.turn_away(p.connection, e.to_string());
                    }
                }
                Ok(Some(message)) => {
                    if let Some(p) = self.pending.remove(&token) {
                        self.admit(token, p.connection, message, &mut messages);
                    }
                }
            }
        }
        messages
    }

    fn read_controller(&mut self, messages: &mut Vec<ToKeeper>) {
        let Some((_, connection)) = &mut self.controller else { return };
        match connection.messages() {
            Ok(mut new) => messages.append(&mut new),
            Err(e) => {
                eprintln!("bivouac-keeper: the controller's connection is closed: {e}");
                connection.send(&FromKeeper::Refused { reason: e.to_string() });
                connection.flush();
                connection.ended = true;
            }
        }
        if connection.ended {
            self.controller = None;
        }
    }

    fn admit(&mut self, token: u64, connection: Connection, hello: ToKeeper, messages: &mut Vec<ToKeeper>) {
        let occupant = self.controller.as_ref().filter(|(_, c)| !c.is_dead() && sys::kill(c.pid, 0));
        let reason = match occupant {
            Some((_, c)) => Some(format!("controller pid {} is connected", c.pid)),
            None => refusal(&hello),
        };
        if let Some(reason) = reason {
            return self.turn_away(connection, reason);
        }
        self.controller = Some((token, connection));
        self.watching_output = false;
        messages.push(hello);
        self.read_controller(messages);
    }

    /// Whether a controller is connected.
    pub fn has_controller(&self) -> bool {
        self.controller.is_some()
    }

    /// Queues a message to the controller; dropped without one.
    pub fn send(&mut self, message: &FromKeeper) {
        if let Some((_, connection)) = &mut self.controller {
            connection.send(message);
        }
    }

    /// Sends what is queued, and waits for room only while something is left.
    pub fn flush(&mut self) {
        let Some((token, connection)) = &mut self.controller else { return };
        connection.flush();
        let (token, fd, output) = (*token, connection.fd(), connection.wants_to_write());
        if output != self.watching_output && self.watch(libc::EPOLL_CTL_MOD, fd, token, output).is_ok() {
            self.watching_output = output;
        }
    }

    /// When the next connection runs out of time to say Hello.
    pub fn deadline(&self) -> Option<Instant> {
        self.pending.values().map(|p| p.deadline).min()
    }

    /// Sends the rest and removes the socket.
    pub fn close(&mut self) {
        place::unlisten(&self.folder);
        if let Some((_, connection)) = &mut self.controller {
            connection.finish();
        }
    }
}

/// Empties a non-blocking descriptor; true at end of file.
fn drain(file: &mut File) -> bool {
    let mut bytes = [0; 1024];
    loop {
        match file.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}
