//! What the tasks of a step have told each other.

use std::collections::BTreeMap;

/// Keys with their values.
type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// The step's key-value space, its nodes' attributes and its published names.
#[derive(Debug)]
pub struct Values {
    shared: Map,
    put: Vec<(Vec<u8>, Vec<u8>)>,
    nodes: Vec<Map>,
    /// Services with their ports.
    pub names: Map,
}

impl Values {
    /// Of a step with so many nodes, none of which has said anything.
    pub fn new(nodes: usize) -> Values {
        Values { shared: Map::new(), put: Vec::new(), nodes: vec![Map::new(); nodes], names: Map::new() }
    }

    /// Puts a value, to be seen after the next fence.
    pub fn put(&mut self, key: &[u8], value: &[u8]) {
        self.put.push((key.to_vec(), value.to_vec()));
    }

    /// All have reached the fence: what was put can be seen, the latest of a key.
    pub fn share(&mut self) {
        self.shared.extend(self.put.drain(..));
    }

    /// A value that was put before the last fence.
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.shared.get(key).map(Vec::as_slice)
    }

    /// An attribute of a node, seen at once by its ranks alone.
    pub fn set_of_node(&mut self, node: u32, key: &[u8], value: &[u8]) {
        if let Some(map) = self.nodes.get_mut(node as usize) {
            map.insert(key.to_vec(), value.to_vec());
        }
    }

    /// The value of a node's attribute.
    pub fn of_node(&self, node: u32, key: &[u8]) -> Option<&[u8]> {
        self.nodes.get(node as usize)?.get(key).map(Vec::as_slice)
    }
}
