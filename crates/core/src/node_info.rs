//! What is shown of nodes, licences and partitions: rows for sinfo and scontrol.

use crate::access::is_hidden;
use crate::cluster::Cluster;
use crate::command::Caller;
use crate::index_set::IndexSet;
use crate::job::{Phase, Run};
use crate::plan::Plan;
use bivouac_types::Timestamp;
use bivouac_types::info::{GresShare, LicenseInfo, NodeInfo, PartitionInfo};
use std::collections::BTreeMap;

impl Cluster {
    /// Every node, in the configuration's order. `plan` is the latest, `up_since` when the controller started.
    pub fn node_infos(&self, plan: &Plan, up_since: Timestamp) -> Vec<NodeInfo> {
        let mut on_node = vec![OnNode::default(); self.world.tables.nodes.len()];
        for job in self.index.releases.iter().filter_map(|r| self.job(r.1)) {
            let held = job.run().map(Run::held).unwrap_or_default();
            for part in held.iter() {
                let Some(n) = self.world.tables.node(&part.node) else { continue };
                if part.holder.is_some_and(|holder| holder.alone) {
                    let owner = self.submission(job).map(|s| &s.owner);
                    on_node[n].owner = owner.map(|owner| format!("{}({})", owner.user, owner.uid));
                }
                if matches!(job.phase, Phase::Ending(..)) {
                    on_node[n].completing = true;
                    continue;
                }
                on_node[n].cpus += part.cpus.len();
                on_node[n].mem_mb += part.mem_mb;
                for g in &part.gres {
                    let key = (g.name.to_string(), g.kind.as_deref().map(str::to_string));
                    on_node[n].gres.entry(key).or_default().add(&g.indices);
                }
            }
        }
        for name in plan.expected.values().flat_map(|(_, nodes)| nodes) {
            if let Some(n) = self.world.tables.node(name) {
                on_node[n].planned = true;
            }
        }
        let mut partitions = vec![Vec::new(); on_node.len()];
        for partition in &self.world.tables.partitions {
            partition.nodes.iter().for_each(|n| partitions[*n].push(partition.name.to_string()));
        }
        let info = |(n, (on_node, partitions))| self.node_info(n, on_node, partitions, up_since);
        on_node.into_iter().zip(partitions).enumerate().map(info).collect()
    }

    fn node_info(&self, n: usize, on_node: OnNode, partitions: Vec<String>, up_since: Timestamp) -> NodeInfo {
        let config = &self.world.config.nodes[n];
        let share = |((name, kind), indices): (_, IndexSet)| GresShare {
            name,
            kind,
            indices: indices.iter().collect(),
        };
        NodeInfo {
            config: config.clone(),
            stand: self.world.stands[n].clone(),
            partitions,
            alloc_cpus: on_node.cpus,
            alloc_mem_mb: on_node.mem_mb,
            alloc_gres: on_node.gres.into_iter().map(share).collect(),
            owner: on_node.owner,
            completing: on_node.completing,
            planned: on_node.planned,
            last_busy: self.state.last_busy.get(&config.name).copied(),
            up_since,
        }
    }

    /// Every licence, by name.
    pub fn license_infos(&self) -> Vec<LicenseInfo> {
        let used = |name: &str| self.index.licenses.get(name).copied().unwrap_or(0);
        let licenses = self.world.config.parameters.licenses.iter();
        let mut infos: Vec<LicenseInfo> = licenses
            .map(|l| LicenseInfo { name: l.name.clone(), total: l.count, used: used(&l.name) })
            .collect();
        infos.sort_by(|a, b| a.name.cmp(&b.name));
        infos
    }

    /// Every partition, in the configuration's order.
    pub fn partition_infos(&self, caller: &Caller) -> Vec<PartitionInfo> {
        let tables = self.world.tables.partitions.iter();
        let info =
            |(config, table): (&bivouac_types::config::PartitionConfig, &crate::tables::PartitionTable)| {
                let hidden = is_hidden(config, caller);
                PartitionInfo { config: config.clone(), total_cpus: table.cpus, hidden }
            };
        self.world.config.partitions.iter().zip(tables).map(info).collect()
    }
}

/// What jobs have on a node.
#[derive(Clone, Default)]
struct OnNode {
    /// Of jobs that are not being ended, as Slurm counts.
    cpus: u32,
    mem_mb: u64,
    owner: Option<String>,
    completing: bool,
    planned: bool,
    gres: BTreeMap<(String, Option<String>), IndexSet>,
}
