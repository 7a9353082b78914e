//! The names under which jobs find their nodes where a site has no view of its own: `hostname` says the node's name, and
//! the names of all nodes lead to this machine.

use crate::clock;
use crate::controller::Controller;
use bivouac_site::Access;
use bivouac_view::{NodeNames, hosts_file};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::SystemTime;

/// The host's file.
const HOSTS: &str = "/etc/hosts";

/// What is known of the file that stands in for the host's.
pub struct NodeHosts {
    here: String,
    /// The age of the host's file of which it was made; none: it is to be made.
    made_of: Option<Option<SystemTime>>,
}

impl NodeHosts {
    /// Of this machine.
    pub fn new() -> NodeHosts {
        NodeHosts { here: bivouac_view::host_name(), made_of: None }
    }

    /// The nodes are others now.
    pub fn forget(&mut self) {
        self.made_of = None;
    }
}

impl Controller {
    /// The names for a job whose batch script runs on this node; none where they are the machine's own, or cannot be
    /// given to a process.
    pub(crate) fn node_names(&mut self, node: &str) -> Option<NodeNames> {
        let here = &self.hosts.here;
        if self.access != Access::Namespaces || node == here || here.split('.').next() == Some(node) {
            return None;
        }
        let path = self.place.state_dir.join("hosts");
        let age = fs::metadata(HOSTS).and_then(|file| file.modified()).ok();
        if self.hosts.made_of != Some(age) {
            let nodes: Vec<&str> = self.config.nodes.iter().map(|node| node.name.as_str()).collect();
            let host = fs::read(HOSTS).unwrap_or_default();
            let text = hosts_file(&String::from_utf8_lossy(&host), &nodes);
            if let Err(e) = write(&path, &text) {
                say!("{}: {}: {e}: jobs see the machine's own name", clock::wall().as_secs(), path.display());
                return None;
            }
            self.hosts.made_of = Some(age);
        }
        Some(NodeNames { host_name: node.to_owned(), hosts: path })
    }
}

/// In one step: a job that starts meanwhile sees one file or the other.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let fresh = path.with_extension("new");
    match fs::remove_file(&fresh) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    fs::write(&fresh, text)?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o644))?;
    fs::rename(&fresh, path)
}
