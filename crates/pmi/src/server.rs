//! The server of one step: who is answered what, and when.

use std::collections::BTreeMap;

use crate::command::{Command, Malformed, shown};
use crate::mapping::process_mapping;
use crate::stream::{Fault, Stream, Wire};
use crate::two::{Neighbours, Waiting};
use crate::values::Values;
use crate::{frame, line};

/// What the server must know of its step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name: `12.0`. Tasks see it as the name of their key-value space.
    pub job: String,
    /// The names of its nodes.
    pub nodes: Vec<String>,
    /// The node of each rank, by its place in `nodes`.
    pub ranks: Vec<u32>,
}

impl Step {
    /// How many tasks it has.
    pub fn size(&self) -> usize {
        self.ranks.len()
    }

    /// What a task finds in its environment, `PMI_FD` left out.
    pub fn variables(&self, rank: u32) -> [(&'static str, String); 3] {
        [
            ("PMI_JOBID", self.job.clone()),
            ("PMI_RANK", rank.to_string()),
            ("PMI_SIZE", self.size().to_string()),
        ]
    }
}

/// What the outside has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// These bytes go to the rank.
    Send {
        /// Which.
        rank: u32,
        /// What.
        bytes: Vec<u8>,
    },
    /// What a rank sent cannot be read any further: its connection is to be closed.
    Close {
        /// Which.
        rank: u32,
    },
    /// Something went wrong that the user should see.
    Say {
        /// The rank that it is about.
        rank: u32,
        /// The message.
        text: String,
    },
    /// A rank asks for the end of the whole step.
    Abort {
        /// Which.
        rank: u32,
        /// The exit code that it names.
        exit_code: Option<i32>,
        /// Why.
        message: String,
    },
}

/// What stands between a step's tasks.
#[derive(Debug)]
pub struct Server {
    pub(crate) step: Step,
    pub(crate) mapping: String,
    pub(crate) values: Values,
    clients: Vec<Client>,
    /// Who has reached the fence, with the answer that waits until all have.
    fence: BTreeMap<u32, Vec<u8>>,
    /// Who has joined the ring.
    pub(crate) ring: BTreeMap<u32, Neighbours>,
    /// Who waits for an attribute of its node.
    pub(crate) waiting: Vec<Waiting>,
    reactions: Vec<Reaction>,
}

/// A rank, as the server sees it.
#[derive(Debug)]
enum Client {
    /// It may speak.
    Open(Stream),
    /// Nothing of it is read any more.
    Closed,
}

impl Server {
    /// Of a step whose tasks have said nothing yet.
    pub fn new(step: Step) -> Server {
        Server {
            mapping: process_mapping(&step.ranks),
            values: Values::new(step.nodes.len()),
            clients: step.ranks.iter().map(|_| Client::Open(Stream::new())).collect(),
            fence: BTreeMap::new(),
            ring: BTreeMap::new(),
            waiting: Vec::new(),
            reactions: Vec::new(),
            step,
        }
    }

    /// A rank has sent bytes: they may be a part of a command, or many commands.
    pub fn receive(&mut self, rank: u32, bytes: &[u8]) -> Vec<Reaction> {
        if let Some(Client::Open(stream)) = self.clients.get_mut(rank as usize) {
            stream.push(bytes);
        }
        while let Some(Client::Open(stream)) = self.clients.get_mut(rank as usize) {
            let wire = stream.wire;
            match stream.next() {
                Ok(None) => break,
                Ok(Some(command)) => match wire {
                    Wire::Greeting => self.greet(rank, &command),
                    Wire::One => self.one(rank, &command),
                    Wire::Two => self.two(rank, &command),
                },
                Err(Fault::Command(what)) => self.misunderstood(rank, wire, &what),
                Err(Fault::Lost(what)) => {
                    self.say(rank, format!("{what}; its connection is closed"));
                    self.reactions.push(Reaction::Close { rank });
                    self.closed(rank);
                }
            }
        }
        std::mem::take(&mut self.reactions)
    }

    /// A rank's connection has ended. What it has put stays, and a fence that it has reached counts it.
    pub fn closed(&mut self, rank: u32) {
        if let Some(client) = self.clients.get_mut(rank as usize) {
            *client = Client::Closed;
        }
        self.waiting.retain(|waiting| waiting.rank != rank);
    }

    /// The first line, which is PMI-1's in either protocol.
    fn greet(&mut self, rank: u32, command: &Command) {
        if command.name != b"init" {
            return self.misunderstood(rank, Wire::Greeting, &Malformed::NotInit(command.shown()));
        }
        let asked = command.get("pmi_version").unwrap_or_default().to_vec();
        let (wire, code, subversion) = match asked.as_slice() {
            b"1" => (Wire::One, "0", "1"),
            b"2" => (Wire::Two, "0", "0"),
            _ => (Wire::Greeting, "-1", "0"),
        };
        if wire == Wire::Greeting {
            self.say(rank, format!("unsupported PMI version: {}", shown(&asked)));
        }
        if let Some(Client::Open(stream)) = self.clients.get_mut(rank as usize) {
            stream.wire = wire;
        }
        let answer = Command::new("response_to_init").with("rc", code).with("pmi_version", asked);
        let answer = answer.with("pmi_subversion", subversion);
        self.send(rank, line::write(&answer));
    }

    /// Something that is no command: said, and answered so that the task does not wait.
    fn misunderstood(&mut self, rank: u32, wire: Wire, what: &Malformed) {
        let text = what.to_string();
        self.say(rank, text.clone());
        let bytes = match wire {
            Wire::Greeting => {
                let answer = Command::new("response_to_init").with("rc", "1");
                line::write(&answer.with("pmi_version", "2").with("pmi_subversion", "0"))
            }
            Wire::One => line::write(&Command::new("error").with("rc", "-1").with("msg", text)),
            Wire::Two => frame::write(&Command::new("error-response").with("rc", "3").with("errmsg", text)),
        };
        self.send(rank, bytes);
    }

    /// A rank has reached the fence; `answer` goes out when all have, and what they put can then be seen.
    pub(crate) fn reach_fence(&mut self, rank: u32, answer: Vec<u8>) {
        self.fence.insert(rank, answer);
        if self.fence.len() == self.step.size() {
            self.values.share();
            for (rank, answer) in std::mem::take(&mut self.fence) {
                self.send(rank, answer);
            }
        }
    }

    pub(crate) fn send(&mut self, rank: u32, bytes: Vec<u8>) {
        if matches!(self.clients.get(rank as usize), Some(Client::Open(_))) {
            self.reactions.push(Reaction::Send { rank, bytes });
        }
    }

    pub(crate) fn say(&mut self, rank: u32, text: String) {
        self.reactions.push(Reaction::Say { rank, text });
    }

    pub(crate) fn abort(&mut self, rank: u32, exit_code: Option<i32>, message: Option<&[u8]>) {
        let message = shown(message.unwrap_or_default());
        self.reactions.push(Reaction::Abort { rank, exit_code, message });
    }
}
