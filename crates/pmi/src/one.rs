//! Answers the commands of PMI-1.

use crate::command::{Command, Malformed};
use crate::line;
use crate::server::Server;

/// The longest name of a key-value space, key and value that clients are told.
const MAXES: [(&str, &str); 3] = [("kvsname_max", "256"), ("keylen_max", "64"), ("vallen_max", "1024")];

impl Server {
    /// Deals with a command.
    pub(crate) fn one(&mut self, rank: u32, command: &Command) {
        match self.answer_one(rank, command) {
            Ok(None) => {}
            Ok(Some(answer)) => self.send(rank, line::write(&answer)),
            Err(what) => {
                self.say(rank, format!("PMI1 request '{}': {what}", command.shown()));
                let name = [command.name.as_slice(), b"_result"].concat();
                let answer = Command::new(name).with("rc", "-1").with("info", "fail");
                self.send(rank, line::write(&answer.with("msg", what.to_string())));
            }
        }
    }

    /// The answer; none: it comes later, or never.
    fn answer_one(&mut self, rank: u32, command: &Command) -> Result<Option<Command>, Malformed> {
        let ok = |name: &str| Command::new(name).with("rc", "0");
        let answer = match command.name.as_slice() {
            b"get_maxes" => MAXES.iter().fold(ok("maxes"), |answer, (key, most)| answer.with(key, most)),
            // Tasks of one step are one application; Slurm numbers none.
            b"get_appnum" => ok("appnum").with("appnum", "-1"),
            b"get_my_kvsname" => ok("my_kvsname").with("kvsname", &self.step.job),
            b"get_universe_size" => ok("universe_size").with("size", self.step.size().to_string()),
            b"put" => {
                self.values.put(command.need("key")?, command.need("value")?);
                ok("put_result")
            }
            b"get" => match self.value(command.need("key")?) {
                Some(value) => ok("get_result").with("value", value),
                None => Command::new("get_result").with("rc", "1"),
            },
            b"barrier_in" => {
                self.reach_fence(rank, line::write(&ok("barrier_out")));
                return Ok(None);
            }
            b"publish_name" => {
                let (service, port) = (command.need("service")?, command.need("port")?);
                self.values.names.insert(service.to_vec(), port.to_vec());
                ok("publish_result").with("info", "ok")
            }
            b"lookup_name" => match self.values.names.get(command.need("service")?) {
                Some(port) => ok("lookup_result").with("info", "ok").with("port", port),
                None => Command::new("lookup_result").with("rc", "1").with("info", "fail"),
            },
            b"unpublish_name" => {
                self.values.names.remove(command.need("service")?);
                ok("unpublish_result").with("info", "ok")
            }
            b"finalize" => ok("finalize_ack"),
            b"abort" => {
                self.abort(rank, command.number("exitcode"), command.get("error_msg"));
                return Ok(None);
            }
            // An MPI_Comm_spawn_multiple comes in several, and has one answer.
            b"spawn" if command.number::<u32>("spawnssofar") < command.number("totspawns") => {
                return Ok(None);
            }
            b"spawn" => return Err(Malformed::NoSpawn),
            _ => return Err(Malformed::Unknown),
        };
        Ok(Some(answer))
    }

    /// What is known under a key of the key-value space.
    fn value(&self, key: &[u8]) -> Option<&[u8]> {
        match key {
            b"PMI_process_mapping" => Some(self.mapping.as_bytes()),
            key => self.values.get(key),
        }
    }
}
