//! What nodes are worth since when, for reports on how the cluster was used: kept beside the accounting, and written
//! when it changes.

use bivouac_core::Cluster;
use bivouac_store::Accounting;
use bivouac_types::Timestamp;
use bivouac_types::info::NodeSpell;
use std::collections::BTreeMap;
use std::path::Path;

/// What was written last of each node.
#[derive(Default)]
pub struct Spells {
    last: BTreeMap<String, NodeSpell>,
    /// Whether nodes may stand otherwise than was written.
    stale: bool,
}

impl Spells {
    /// Reads what was written last. What cannot be read is written once more, which changes nothing.
    pub fn load(state_dir: &Path) -> Spells {
        let all = Accounting::open(state_dir).and_then(|a| a.spells()).unwrap_or_default();
        Spells { last: all.into_iter().map(|s| (s.node.clone(), s)).collect(), stale: true }
    }

    /// Nodes may stand otherwise.
    pub fn doubt(&mut self) {
        self.stale = true;
    }

    /// What is to be written now.
    pub fn changed(&self, cluster: &Cluster, now: Timestamp) -> Vec<NodeSpell> {
        if !self.stale {
            return Vec::new();
        }
        let world = cluster.world();
        let nodes = world.config.nodes.iter().zip(&world.stands);
        let here: BTreeMap<&str, NodeSpell> =
            nodes.map(|(config, stand)| (&*config.name, NodeSpell::of(config, stand, now))).collect();
        let gone = self.last.values().filter(|s| !here.contains_key(&*s.node)).map(|s| s.gone(now));
        let all = here.values().cloned().chain(gone);
        all.filter(|s| !self.last.get(&s.node).is_some_and(|last| last.same(s))).collect()
    }

    /// It is written.
    pub fn written(&mut self, spells: Vec<NodeSpell>) {
        self.last.extend(spells.into_iter().map(|s| (s.node.clone(), s)));
        self.stale = false;
    }
}
