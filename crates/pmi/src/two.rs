//! Answers the commands of PMI-2.

use crate::command::{Command, Malformed};
use crate::frame;
use crate::server::Server;

/// A rank that waits for an attribute of its node.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub rank: u32,
    key: Vec<u8>,
    /// The answer as far as it is known.
    answer: Command,
}

/// What a rank tells its neighbours in the ring.
#[derive(Debug)]
pub(crate) struct Neighbours {
    /// For the one before it.
    left: Vec<u8>,
    /// For the one after it.
    right: Vec<u8>,
    /// The answer as far as it is known.
    answer: Command,
}

/// PMI2_ERR_INVALID_ARGS, PMI2_ERR_OTHER.
const INVALID: &str = "3";
const OTHER: &str = "14";

impl Server {
    /// Deals with a command.
    pub(crate) fn two(&mut self, rank: u32, command: &Command) {
        match self.answer_two(rank, command) {
            Ok(None) => {}
            Ok(Some(answer)) => self.send(rank, frame::write(&answer)),
            Err(what) => {
                self.say(rank, format!("PMI2 request '{}': {what}", command.shown()));
                let code = if matches!(what, Malformed::Missing(_)) { INVALID } else { OTHER };
                let answer = begin(command).with("rc", code).with("errmsg", what.to_string());
                self.send(rank, frame::write(&answer));
            }
        }
    }

    /// The answer; none: it comes later, or never.
    fn answer_two(&mut self, rank: u32, command: &Command) -> Result<Option<Command>, Malformed> {
        let ok = begin(command).with("rc", "0");
        let answer = match command.name.as_slice() {
            b"fullinit" => {
                let ok = ok.with("pmi-version", "2").with("pmi-subversion", "0");
                let ok = ok.with("rank", rank.to_string()).with("size", self.step.size().to_string());
                ok.with("appnum", "-1").with("debugged", "FALSE").with("pmiverbose", "FALSE")
            }
            b"job-getid" => ok.with("jobid", &self.step.job),
            b"kvs-put" => {
                self.values.put(command.need("key")?, command.need("value")?);
                ok
            }
            b"kvs-get" => found(ok, self.values.get(command.need("key")?)),
            b"kvs-fence" => {
                self.reach_fence(rank, frame::write(&ok));
                return Ok(None);
            }
            b"info-getjobattr" => {
                let value = self.attribute(rank, command.need("key")?);
                found(ok, value.as_deref().map(str::as_bytes))
            }
            b"info-putnodeattr" => {
                let (key, value) = (command.need("key")?, command.need("value")?);
                let node = self.node(rank);
                self.values.set_of_node(node, key, value);
                self.send(rank, frame::write(&ok));
                self.wake(node, key);
                return Ok(None);
            }
            b"info-getnodeattr" => {
                let key = command.need("key")?;
                let value = self.values.of_node(self.node(rank), key);
                if value.is_none() && command.get("wait") == Some(b"TRUE") {
                    self.waiting.push(Waiting { rank, key: key.to_vec(), answer: ok });
                    return Ok(None);
                }
                found(ok, value)
            }
            b"ring" => {
                let left = command.need("ring-left")?.to_vec();
                let right = command.need("ring-right")?.to_vec();
                self.join_ring(rank, Neighbours { left, right, answer: ok });
                return Ok(None);
            }
            b"name-publish" => {
                let (name, port) = (command.need("name")?, command.need("port")?);
                self.values.names.insert(name.to_vec(), port.to_vec());
                ok
            }
            // Slurm's library looks for `value`, MPICH's own for `port`.
            b"name-lookup" => match self.values.names.get(command.need("name")?) {
                Some(port) => ok.with("value", port).with("port", port).with("found", "TRUE"),
                None => begin(command).with("rc", "1").with("found", "FALSE"),
            },
            b"name-unpublish" => {
                self.values.names.remove(command.need("name")?);
                ok
            }
            b"finalize" => ok,
            b"abort" => {
                self.abort(rank, None, command.get("msg"));
                return Ok(None);
            }
            b"spawn" => return Err(Malformed::NoSpawn),
            _ => return Err(Malformed::Unknown),
        };
        Ok(Some(answer))
    }

    fn node(&self, rank: u32) -> u32 {
        self.step.ranks.get(rank as usize).copied().unwrap_or_default()
    }

    /// What is known of the step itself.
    fn attribute(&self, rank: u32, key: &[u8]) -> Option<String> {
        match key {
            b"PMI_process_mapping" => Some(self.mapping.clone()),
            b"universeSize" => Some(self.step.size().to_string()),
            b"hasNameServ" => Some("TRUE".to_owned()),
            // Slurm's: where the task's node can be reached. All nodes are this machine.
            b"PMI_netinfo_of_task" => {
                let node = self.step.nodes.get(self.node(rank) as usize)?;
                Some(format!("({node},(lo,IP_V4,127.0.0.1))"))
            }
            _ => None,
        }
    }

    /// Answers the ranks of a node that waited for an attribute.
    fn wake(&mut self, node: u32, key: &[u8]) {
        let (ready, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|w: &Waiting| w.key == key && self.node(w.rank) == node);
        self.waiting = waiting;
        for Waiting { rank, answer, .. } in ready {
            let answer = found(answer, self.values.of_node(node, key));
            self.send(rank, frame::write(&answer));
        }
    }

    /// When all have joined the ring, each learns of its neighbours.
    fn join_ring(&mut self, rank: u32, words: Neighbours) {
        self.ring.insert(rank, words);
        if self.ring.len() < self.step.size() {
            return;
        }
        let ring: Vec<(u32, Neighbours)> = std::mem::take(&mut self.ring).into_iter().collect();
        for (at, (rank, own)) in ring.iter().enumerate() {
            let (_, before) = &ring[(at + ring.len() - 1) % ring.len()];
            let (_, after) = &ring[(at + 1) % ring.len()];
            let answer = own.answer.clone().with("ring-count", at.to_string());
            let answer = answer.with("ring-left", &before.right).with("ring-right", &after.left);
            self.send(*rank, frame::write(&answer));
        }
    }
}

/// An answer's first words: the thread that asked is named again.
fn begin(command: &Command) -> Command {
    let answer = Command::new([command.name.as_slice(), b"-response"].concat());
    match command.get("thrid") {
        Some(thread) => answer.with("thrid", thread),
        None => answer,
    }
}

fn found(answer: Command, value: Option<&[u8]>) -> Command {
    match value {
        Some(value) => answer.with("found", "TRUE").with("value", value),
        None => answer.with("found", "FALSE"),
    }
}
