//! `NodeName=`, `DownNodes=` and `NodeSet=` lines.

use crate::Build;
use crate::entry::Entry;
use crate::gres;
use crate::values;
use bivouac_types::HostList;
use bivouac_types::config::{InitialState, NodeConfig};
use std::collections::{BTreeMap, BTreeSet};

/// A node's CPUs are numbered in sets of so many at most.
const MAX_CPUS: u32 = 65_536;

impl Build {
    /// The nodes of a `NodeName=` line. Nodes of State=FUTURE are not there.
    pub(crate) fn nodes(&mut self, entry: &Entry) -> Vec<NodeConfig> {
        let names = match values::hosts(entry.get("NodeName").unwrap_or_default()) {
            Ok(names) => names,
            Err(e) => {
                self.problem(&entry.place, e);
                return Vec::new();
            }
        };
        if names.iter().any(|n| n.eq_ignore_ascii_case("all")) {
            self.problem(&entry.place, "NodeName=ALL is reserved: name the nodes");
            return Vec::new();
        }
        let mut shape = NodeConfig::default();
        self.shape(entry, &mut shape);
        shape.memory_mb = entry.count(self, "RealMemory").unwrap_or(1);
        shape.tmp_disk_mb = entry.count(self, "TmpDisk").unwrap_or(0);
        shape.weight = entry.count(self, "Weight").unwrap_or(1);
        shape.features = entry.get("Feature").map(values::words).unwrap_or_default();
        shape.reason = entry.get("Reason").map(str::to_owned);
        if let Some(text) = entry.get("Gres") {
            match gres::of_node(text) {
                Ok(gres) => shape.gres = gres,
                Err(e) => self.problem(&entry.place, e),
            }
        }
        if let Some(text) = entry.get("State") {
            match state(text) {
                Some(state) => shape.state = state,
                None => self.problem(
                    &entry.place,
                    format!("State={text} is not available: use UNKNOWN, DOWN, DRAIN, FAIL or FUTURE"),
                ),
            }
        }
        if shape.memory_mb == 0 {
            self.problem(&entry.place, "RealMemory must be at least 1");
        }
        let addresses = self.names_beside(entry, "NodeAddr", names.len());
        let hosts = self.names_beside(entry, "NodeHostname", names.len());
        let ports = self.ports(entry, names.len());
        let node = |(n, name)| NodeConfig {
            name,
            address: addresses.get(n).cloned(),
            hostname: hosts.get(n).cloned(),
            port: ports.get(n).copied(),
            ..shape.clone()
        };
        names.into_iter().enumerate().map(node).collect()
    }

    /// CPUs and what they consist of, as Slurm fills in what is not said.
    fn shape(&mut self, entry: &Entry, node: &mut NodeConfig) {
        let count = |build: &mut Build, key| -> Option<u32> {
            let n = entry.count(build, key)?;
            if n == 0 || n > MAX_CPUS {
                build.problem(&entry.place, format!("{key}={n} must be between 1 and {MAX_CPUS}"));
                return None;
            }
            Some(n)
        };
        let cpus = count(self, "CPUs");
        let boards = count(self, "Boards").unwrap_or(1);
        let per_board = count(self, "SocketsPerBoard");
        let sockets = count(self, "Sockets").or(per_board.map(|s| s.saturating_mul(boards)));
        let cores = count(self, "CoresPerSocket").unwrap_or(1);
        let threads = count(self, "ThreadsPerCore").unwrap_or(1);
        let sockets = sockets.unwrap_or_else(|| match cpus {
            Some(cpus) => (cpus / cores.saturating_mul(threads).max(1)).max(1),
            None => boards,
        });
        (node.boards, node.sockets, node.cores_per_socket, node.threads_per_core) =
            (boards, sockets, cores, threads);
        let all_cores = u64::from(sockets) * u64::from(cores);
        let all = all_cores * u64::from(threads);
        if all > u64::from(MAX_CPUS) {
            self.problem(&entry.place, format!("{all} CPUs of a node are more than {MAX_CPUS}"));
            *node = NodeConfig::default();
            return;
        }
        match cpus.map(u64::from) {
            None => {}
            Some(n) if n == all => {}
            Some(n) if n == all_cores => node.cpu_count = Some(n as u32),
            Some(n) => self.problem(
                &entry.place,
                format!(
                    "CPUs={n} is neither Sockets({sockets})*CoresPerSocket({cores})={all_cores} nor \
                     Sockets*CoresPerSocket*ThreadsPerCore({threads})={all}"
                ),
            ),
        }
    }

    /// A hostlist of as many names as there are nodes; one name stands for all.
    fn names_beside(&mut self, entry: &Entry, key: &'static str, count: usize) -> Vec<String> {
        let Some(text) = entry.get(key) else { return Vec::new() };
        match HostList::parse(text).map(|l| l.names) {
            Ok(names) if names.len() == count => names,
            Ok(names) if names.len() == 1 => vec![names[0].clone(); count],
            Ok(names) => {
                let text = format!("{key} names {} hosts, NodeName {count} nodes", names.len());
                self.problem(&entry.place, text);
                Vec::new()
            }
            Err(e) => {
                self.problem(&entry.place, format!("{key} value \"{text}\" is not valid: {e}"));
                Vec::new()
            }
        }
    }

    fn ports(&mut self, entry: &Entry, count: usize) -> Vec<u16> {
        let Some(text) = entry.get("Port") else { return Vec::new() };
        let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
        let mut ports: Vec<u16> = Vec::new();
        for part in inner.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            match (first.parse::<u16>(), last.parse::<u16>()) {
                (Ok(first), Ok(last)) if first <= last => ports.extend(first..=last),
                _ => {
                    self.problem(&entry.place, format!("Port value \"{text}\" is not valid"));
                    return Vec::new();
                }
            }
        }
        if ports.len() == 1 {
            return vec![ports[0]; count];
        }
        if ports.len() < count {
            self.problem(&entry.place, format!("Port names {} ports, NodeName {count} nodes", ports.len()));
        }
        ports
    }

    /// `DownNodes=`: the state and its reason for some nodes.
    pub(crate) fn down_nodes(&mut self, entry: &Entry, nodes: &mut [NodeConfig]) {
        let names = match values::hosts(entry.get("DownNodes").unwrap_or_default()) {
            Ok(names) => names,
            Err(e) => return self.problem(&entry.place, e),
        };
        let text = entry.get("State").unwrap_or("DOWN");
        let Some(state) = state(text) else {
            return self.problem(&entry.place, format!("State={text} is not available: use DOWN or DRAIN"));
        };
        for name in names {
            match nodes.iter_mut().find(|n| n.name == name) {
                Some(node) => {
                    node.state = state;
                    node.reason = entry.get("Reason").map(str::to_owned).or(node.reason.take());
                }
                None => self.problem(&entry.place, format!("node {name} does not exist")),
            }
        }
    }

    /// `NodeSet=`: a name for nodes, by feature and by name.
    pub(crate) fn node_set(
        &mut self,
        entry: &Entry,
        nodes: &[NodeConfig],
        sets: &mut BTreeMap<String, Vec<String>>,
    ) {
        let Some(name) = entry.get("NodeSet") else { return };
        let mut members = Vec::new();
        if let Some(feature) = entry.get("Feature") {
            let having = nodes.iter().filter(|n| n.features.iter().any(|f| f == feature));
            members.extend(having.map(|n| n.name.clone()));
        }
        if let Some(text) = entry.get("Nodes") {
            match values::hosts(text) {
                Ok(names) => {
                    let known: BTreeSet<&str> = nodes.iter().map(|n| n.name.as_str()).collect();
                    let mut seen: BTreeSet<String> = members.iter().cloned().collect();
                    for name in names {
                        if !known.contains(name.as_str()) {
                            self.problem(&entry.place, format!("node {name} does not exist"));
                        } else if seen.insert(name.clone()) {
                            members.push(name);
                        }
                    }
                }
                Err(e) => self.problem(&entry.place, e),
            }
        }
        sets.insert(name.to_owned(), members);
    }
}

fn state(text: &str) -> Option<InitialState> {
    Some(match text.to_ascii_uppercase().as_str() {
        "UNKNOWN" | "IDLE" => InitialState::Up,
        "DOWN" => InitialState::Down,
        "DRAIN" => InitialState::Drain,
        "FAIL" | "FAILING" => InitialState::Fail,
        "FUTURE" => InitialState::Future,
        _ => return None,
    })
}
