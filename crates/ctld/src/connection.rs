//! Clients' connections: one thread each, which knows who the client is and hands his requests to the owner of the
//! state, in order.

use crate::mailbox::{Answer, Mail, Peer, Reply};
use bivouac_proto::frame::{self, FrameError};
use bivouac_proto::message::{Ask, Milestone, Request, Response};
use bivouac_types::JobId;
use std::io::BufReader;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Connections served at once; a further one is told to come again.
const MOST: usize = 4096;
/// A connection's thread needs little.
const STACK: usize = 256 << 10;
/// How long a client may leave an answer unread: its rows take memory.
const SLOWEST: Duration = Duration::from_secs(60);
/// A client whose answer is not there yet is looked after this often.
const LOOK_AFTER: Duration = Duration::from_secs(5);
/// The client of an allocation, which is given back when he is gone, this often.
const LOOK_AFTER_ATTENDANTS: Duration = Duration::from_millis(500);
/// Before the next try to accept a client, when one failed.
const BREATH: Duration = Duration::from_millis(50);

/// Connections that are served now.
static OPEN: AtomicUsize = AtomicUsize::new(0);

/// How many clients are served now.
pub fn clients() -> u32 {
    OPEN.load(Ordering::Relaxed) as u32
}

/// Accepts clients until the process ends.
pub fn serve(listener: &UnixListener, owner: &Sender<Mail>) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else {
            // For want of descriptors or memory: others give theirs back soon.
            std::thread::sleep(BREATH);
            continue;
        };
        if OPEN.load(Ordering::Relaxed) >= MOST {
            let _ =
                frame::write(&mut stream, &Response::Failed("the controller serves too many clients".into()));
            continue;
        }
        let owner = owner.clone();
        OPEN.fetch_add(1, Ordering::Relaxed);
        let spawned = std::thread::Builder::new().stack_size(STACK).spawn(move || {
            if let Some(peer) = peer(&stream) {
                talk(stream, peer, &owner);
            }
            OPEN.fetch_sub(1, Ordering::Relaxed);
        });
        if spawned.is_err() {
            OPEN.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Who is at the other end, as the kernel says.
fn peer(stream: &UnixStream) -> Option<Peer> {
    let mut cred = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the pointers are valid for the call and the length is that of the structure.
    let rc = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut cred).cast(),
            &mut length,
        )
    };
    (rc == 0).then_some(Peer {
        uid: cred.uid,
        gid: cred.gid,
        pid: u32::try_from(cred.pid).ok().filter(|pid| *pid > 0),
    })
}

/// Serves a client until he is gone; if he was an allocation's, the owner of the state is told.
fn talk(stream: UnixStream, peer: Peer, owner: &Sender<Mail>) {
    let mut client_of = None;
    serve_client(&stream, peer, owner, &mut client_of);
    client_of.into_iter().for_each(|job| drop(owner.send(Mail::Unattended(job))));
}

fn serve_client(stream: &UnixStream, peer: Peer, owner: &Sender<Mail>, client_of: &mut Option<JobId>) {
    if stream.set_write_timeout(Some(SLOWEST)).is_err() {
        return;
    }
    let mut out = stream;
    let mut from = BufReader::new(stream);
    loop {
        let request: Request = match frame::read(&mut from) {
            Ok(request) => request,
            Err(FrameError::Closed) => return,
            Err(e) => {
                // The stream's position is not known any more: say why and end, other clients are not touched.
                let _ = frame::write(&mut out, &Response::Failed(e.to_string()));
                return;
            }
        };
        let attended = match request.body {
            // Who only asks how it stands is not its client.
            Ask::Attend { job, until } if until != Milestone::Asked => Some(job),
            _ => None,
        };
        *client_of = attended.or(*client_of);
        let allocates = matches!(&request.body, Ask::Submit(s) if !s.spec.kind.is_batch());
        let patience = if attended.is_some() { LOOK_AFTER_ATTENDANTS } else { LOOK_AFTER };
        let (to, answers) = channel();
        if owner.send(Mail::Request { peer, request: Box::new(request), reply: Reply(to) }).is_err() {
            return;
        }
        let answer = loop {
            match answers.recv_timeout(patience) {
                Ok(answer) => break answer,
                Err(RecvTimeoutError::Timeout) if hung_up(stream) => return,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        };
        if let Answer::One(Response::Submitted(job)) = &answer
            && allocates
        {
            *client_of = Some(*job);
        }
        let written = match answer {
            Answer::One(response) => write(stream, &response),
            Answer::Parts(mut parts) => parts.all(|part| write(stream, &part)),
        };
        if !written {
            return;
        }
    }
}

/// Whether the answer is on its way and the connection goes on.
fn write(mut out: &UnixStream, answer: &Response) -> bool {
    let outcome = frame::write(&mut out, answer);
    if let Err(FrameError::TooLong(_)) = outcome {
        let what = "the answer is too long; ask for fewer jobs".to_owned();
        let _ = frame::write(&mut out, &Response::Failed(what));
    }
    outcome.is_ok()
}

/// Whether the other end is gone: it may have waited for a job's end (sbatch --wait) and been ended before.
fn hung_up(stream: &UnixStream) -> bool {
    let mut poll = libc::pollfd { fd: stream.as_raw_fd(), events: 0, revents: 0 };
    // SAFETY: one valid entry.
    unsafe { libc::poll(&mut poll, 1, 0) > 0 && poll.revents & (libc::POLLHUP | libc::POLLERR) != 0 }
}
