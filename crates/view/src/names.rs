//! Names without a view: this machine under the name of a node. Everything else stays the host's.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::apply::{doing, enter_namespaces};
use crate::codec::{DecodeError, Reader, Writer};
use crate::plan::{ViewError, ViewPlan};
use crate::sys;

const MAGIC: &[u8; 4] = b"BVN1";
const HOSTS: &str = "/etc/hosts";

/// The name that a process finds this machine under, and the names of the other nodes, which are this machine as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeNames {
    /// The node's.
    pub host_name: String,
    /// A file of the host that is seen as `/etc/hosts` ([`hosts_file`] makes its text).
    pub hosts: PathBuf,
}

impl NodeNames {
    /// The names as bytes, for [`Entry::decode`].
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer(MAGIC.to_vec());
        out.bytes(self.host_name.as_bytes());
        out.path(&self.hosts);
        out.0
    }

    fn decode(bytes: &[u8]) -> Result<NodeNames, DecodeError> {
        let mut input = Reader(bytes);
        let names = NodeNames { host_name: input.text()?, hosts: input.path()? };
        if input.0.is_empty() { Ok(names) } else { Err(DecodeError::Length) }
    }

    /// Gives the calling process, which must be single-threaded, the names: in mount and UTS namespaces of its own, and
    /// for anybody but root a user namespace.
    ///
    /// # Errors
    /// As [`ViewPlan::apply`].
    pub fn apply(&self) -> Result<(), ViewError> {
        enter_namespaces()?;
        let slave = libc::MS_REC | libc::MS_SLAVE;
        doing(|| "make the mounts private".into(), sys::mount(None, Path::new("/"), None, slave, None))?;
        // A machine without the file finds no names in it either.
        if Path::new(HOSTS).exists() {
            let bound = sys::mount(Some(&self.hosts), Path::new(HOSTS), None, libc::MS_BIND, None);
            doing(|| format!("bind {} on {HOSTS}", self.hosts.display()), bound)?;
        }
        doing(|| format!("set the host name {}", self.host_name), sys::set_host_name(&self.host_name))
    }
}

/// What a process enters before it becomes the job or the shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A view of its own.
    View(ViewPlan),
    /// The host, under another name.
    Names(NodeNames),
}

impl Entry {
    /// Reads what [`ViewPlan::encode`] or [`NodeNames::encode`] wrote.
    ///
    /// # Errors
    /// The bytes are of neither.
    pub fn decode(bytes: &[u8]) -> Result<Entry, DecodeError> {
        match bytes.strip_prefix(MAGIC) {
            Some(names) => NodeNames::decode(names).map(Entry::Names),
            None => ViewPlan::decode(bytes).map(Entry::View),
        }
    }

    /// Moves the calling process there.
    ///
    /// # Errors
    /// As [`ViewPlan::apply`].
    pub fn apply(&self) -> Result<(), ViewError> {
        match self {
            Entry::View(plan) => plan.apply(),
            Entry::Names(names) => names.apply(),
        }
    }
}

/// The host's `/etc/hosts` in which these names are this machine's: where the host knows one of them, a machine of that
/// name must not be met in place of the node.
pub fn hosts_file(host: &str, names: &[&str]) -> String {
    let ours: BTreeSet<&str> = names.iter().copied().collect();
    let mut text = String::new();
    for line in host.lines() {
        let (entry, _) = line.split_once('#').unwrap_or((line, ""));
        let mut words = entry.split_ascii_whitespace();
        let address = words.next();
        if !words.clone().any(|name| ours.contains(name)) {
            text.push_str(line);
            text.push('\n');
            continue;
        }
        let left: Vec<&str> = address.into_iter().chain(words.filter(|name| !ours.contains(name))).collect();
        if left.len() > 1 {
            text.push_str(&left.join(" "));
            text.push('\n');
        }
    }
    names.iter().for_each(|name| text.push_str(&format!("127.0.0.1\t{name}\n")));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn an_entry_is_read_back(host_name in "[a-z0-9-]{1,12}", file in "(/[a-z ]{1,8}){1,3}") {
            let names = NodeNames { host_name, hosts: file.into() };
            let bytes = names.encode();
            prop_assert_eq!(Entry::decode(&bytes), Ok(Entry::Names(names)));
            prop_assert!(Entry::decode(&bytes[..bytes.len() - 1]).is_err());
        }

        #[test]
        fn garbage_never_panics(bytes in any::<Vec<u8>>(), hosts in ".{0,60}") {
            let _ = Entry::decode(&[MAGIC.as_slice(), &bytes].concat());
            hosts_file(&hosts, &["n1"]);
        }
    }

    #[test]
    fn a_view_is_an_entry() {
        let plan = ViewPlan { host_name: Some("n1".into()), steps: Vec::new() };
        assert_eq!(Entry::decode(&plan.encode()), Ok(Entry::View(plan)));
        let names = NodeNames { host_name: "n1".into(), hosts: "../x".into() };
        assert_eq!(Entry::decode(&names.encode()), Err(DecodeError::Path("../x".into())));
    }

    #[test]
    fn nodes_are_this_machine_whatever_the_host_says() {
        let host = "127.0.0.1 localhost # n1\n\n10.0.0.1\tn1 gate\n10.0.0.2 n2\n# n1\n10.0.0.3 n10";
        assert_eq!(
            hosts_file(host, &["n1", "n2"]),
            "127.0.0.1 localhost # n1\n\n10.0.0.1 gate\n# n1\n10.0.0.3 n10\n127.0.0.1\tn1\n127.0.0.1\tn2\n"
        );
    }
}
