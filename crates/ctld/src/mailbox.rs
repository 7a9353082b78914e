//! What reaches the owner of the state: everything goes through one queue, so there is no lock order to know.

use bivouac_keeper::protocol::{FromKeeper, Welcome};
use bivouac_proto::message::{Request, Response};
use bivouac_types::JobId;
use std::sync::mpsc::Sender;

/// Who asks, as the kernel says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// User number.
    pub uid: u32,
    /// Group number.
    pub gid: u32,
    /// Process id; none if it is not of this process's namespace.
    pub pid: Option<u32>,
}

/// What goes back to a client's thread.
pub enum Answer {
    /// One answer.
    One(Response),
    /// An answer in parts. That thread makes them, each when the one before is written: the owner of the state has
    /// only gathered what they are made of.
    Parts(Box<dyn Iterator<Item = Response> + Send>),
}

/// Where an answer goes. A client that has gone away is no error.
pub struct Reply(pub Sender<Answer>);

impl Reply {
    /// Sends one answer.
    pub fn send(&self, response: Response) {
        let _ = self.0.send(Answer::One(response));
    }

    /// Sends an answer in parts, to be made by the client's thread.
    pub fn send_parts(&self, parts: impl Iterator<Item = Response> + Send + 'static) {
        let _ = self.0.send(Answer::Parts(Box::new(parts)));
    }
}

/// One thing to deal with.
pub enum Mail {
    /// A client asks.
    Request {
        /// Who.
        peer: Peer,
        /// What.
        request: Box<Request>,
        /// Where the answer goes.
        reply: Reply,
    },
    /// The connection ended on which the client of an allocation attended it.
    Unattended(JobId),
    /// A keeper was reached.
    KeeperUp {
        /// What it holds.
        welcome: Box<Welcome>,
        /// The connection to write to.
        link: crate::keeper_link::Link,
    },
    /// The keeper says something.
    Keeper(FromKeeper),
    /// The connection to the keeper ended; another is being sought.
    KeeperDown,
    /// No keeper can be had, and why; another try follows.
    KeeperTrouble(String),
    /// A program of slurm.conf has run.
    Ran(crate::programs::Ran),
    /// SIGTERM or SIGINT.
    Stop,
    /// The state folder or the database was removed or replaced.
    Gone(std::path::PathBuf),
}
