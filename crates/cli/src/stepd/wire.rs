//! The socket between srun and its step's daemon: frames, each with descriptors beside it if need be.

use bivouac_proto::frame::{self, FrameError};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::time::{Duration, Instant};

/// The most descriptors that go with one frame: standard input, output and error.
const MOST: usize = 3;

/// One end.
pub struct Wire(UnixStream);

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Wire {
    /// Calls the daemon of that name, which may still be coming up. Its user has to be this process's, or root.
    ///
    /// # Errors
    /// It does not answer in time; somebody else does.
    pub fn call(name: &str, patience: Duration) -> io::Result<Wire> {
        let address = SocketAddr::from_abstract_name(name)?;
        let until = Instant::now() + patience;
        let mut pause = Duration::from_micros(200);
        let stream = loop {
            match UnixStream::connect_addr(&address) {
                Ok(stream) => break stream,
                Err(e) if e.kind() != io::ErrorKind::ConnectionRefused || Instant::now() > until => {
                    return Err(e);
                }
                // A socket that is not there yet tells nobody when it is.
                Err(_) => std::thread::sleep(pause),
            }
            pause = (pause * 2).min(Duration::from_millis(20));
        };
        Wire(stream).checked()
    }

    /// Takes an accepted connection, if its user is this process's, or root.
    ///
    /// # Errors
    /// It is somebody else's.
    pub fn accepted(stream: UnixStream) -> io::Result<Wire> {
        Wire(stream).checked()
    }

    fn checked(self) -> io::Result<Wire> {
        let peer = rustix::net::sockopt::socket_peercred(&self.0)?;
        let own = rustix::process::geteuid();
        if own.is_root() || peer.uid.is_root() || peer.uid == own {
            return Ok(self);
        }
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the other end of the step's socket is not the job's user",
        ))
    }

    /// From here on a peer that keeps silent within a frame for so long is an error.
    ///
    /// # Errors
    /// What the socket says.
    pub fn give_up_after(&self, silence: Duration) -> io::Result<()> {
        self.0.set_read_timeout(Some(silence))
    }

    /// Sends a frame with descriptors beside it.
    ///
    /// # Errors
    /// What the socket says.
    pub fn send(&mut self, message: &impl Serialize, beside: &[BorrowedFd<'_>]) -> Result<(), FrameError> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !beside.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(beside));
        }
        // A byte before each frame, to which descriptors are tied.
        let flags = SendFlags::NOSIGNAL;
        rustix::net::sendmsg(&self.0, &[IoSlice::new(&[beside.len() as u8])], &mut control, flags)
            .map_err(io::Error::from)?;
        frame::write(&mut self.0, message)
    }

    /// Receives a frame and what is beside it.
    ///
    /// # Errors
    /// `Closed` at the end; else what the frame says.
    pub fn receive<T: DeserializeOwned>(&mut self) -> Result<(T, Vec<OwnedFd>), FrameError> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut count = [0u8];
        let got = rustix::net::recvmsg(
            &self.0,
            &mut [IoSliceMut::new(&mut count)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        );
        if got.map_err(io::Error::from)?.bytes == 0 {
            return Err(FrameError::Closed);
        }
        let rights = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(rights) => Some(rights),
            _ => None,
        });
        let beside: Vec<OwnedFd> = rights.flatten().collect();
        let message = frame::read(&mut self.0)?;
        if beside.len() != usize::from(count[0]) {
            return Err(FrameError::NotAFrame);
        }
        Ok((message, beside))
    }
}

/// Listens under a name.
///
/// # Errors
/// The name is taken.
pub fn listen(name: &str) -> io::Result<UnixListener> {
    UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bivouac_proto::step::ToStep;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;

    #[test]
    fn descriptors_travel_beside_their_frames() {
        let (here, there) = UnixStream::pair().unwrap();
        let (mut here, mut there) = (Wire(here), Wire(there));
        let (mut read, write) = io::pipe().unwrap();
        here.send(&ToStep::Signal(2), &[]).unwrap();
        here.send(&ToStep::Signal(15), &[write.as_fd()]).unwrap();
        drop(write);
        let (first, beside) = there.receive::<ToStep>().unwrap();
        assert_eq!((first, beside.len()), (ToStep::Signal(2), 0));
        let (second, mut beside) = there.receive::<ToStep>().unwrap();
        assert_eq!((second, beside.len()), (ToStep::Signal(15), 1));
        std::fs::File::from(beside.remove(0)).write_all(b"through").unwrap();
        let mut text = String::new();
        read.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
        drop(here);
        assert!(matches!(there.receive::<ToStep>(), Err(FrameError::Closed)));
    }
}
