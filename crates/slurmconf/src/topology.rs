//! topology.conf.

use crate::Build;
use crate::keys::TOPOLOGY;
use crate::lines::Line;
use crate::values;
use bivouac_types::config::NodeConfig;
use bivouac_types::parameters::SwitchConfig;

impl Build {
    /// The switches; each node and switch that is named must exist.
    pub(crate) fn switches(&mut self, lines: &[Line], nodes: &[NodeConfig]) -> Vec<SwitchConfig> {
        let mut switches: Vec<SwitchConfig> = Vec::new();
        let mut named = Vec::new();
        for line in lines {
            let entry = self.entry(line, TOPOLOGY);
            let Some(name) = entry.get("SwitchName") else {
                self.problem(&entry.place, "the line has no SwitchName");
                continue;
            };
            let list = |build: &mut Build, key| match entry.get(key).map(values::hosts).transpose() {
                Ok(names) => names.unwrap_or_default(),
                Err(e) => {
                    build.problem(&entry.place, e);
                    Vec::new()
                }
            };
            let switch = SwitchConfig {
                name: name.to_owned(),
                nodes: match entry.get("Nodes") {
                    Some(all) if all.eq_ignore_ascii_case("all") => {
                        nodes.iter().map(|n| n.name.clone()).collect()
                    }
                    _ => list(self, "Nodes"),
                },
                switches: list(self, "Switches"),
            };
            for node in switch.nodes.iter().filter(|n| !nodes.iter().any(|m| m.name == **n)) {
                self.problem(&entry.place, format!("node {node} does not exist"));
            }
            if switch.nodes.is_empty() == switch.switches.is_empty() {
                self.problem(&entry.place, format!("switch {name} needs either Nodes or Switches"));
            }
            if switches.iter().any(|s| s.name == name) {
                self.problem(&entry.place, format!("switch {name} is named twice"));
            }
            named.push((entry.place.clone(), switch.switches.clone()));
            switches.push(switch);
        }
        for (place, names) in named {
            for name in names.iter().filter(|n| !switches.iter().any(|s| s.name == **n)) {
                self.problem(&place, format!("switch {name} does not exist"));
            }
        }
        switches
    }
}
