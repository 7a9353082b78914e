//! When and where a job will find room, judged by the time limits of what runs.

use bivouac_core::alloc::{NodeAlloc, NodeFree};
use bivouac_core::demand::Demand;
use bivouac_core::place::{allot, place};
use bivouac_core::{Cluster, IndexSet, NodePick};

/// Resources that come back at a time of the limit clock.
pub struct Release<'a> {
    /// When.
    pub at: u64,
    /// What.
    pub alloc: &'a [NodeAlloc],
}

/// Room for a job that cannot start yet.
pub struct Reservation {
    /// When it is there, by the limit clock.
    pub at: u64,
    /// Where.
    pub picks: Vec<NodePick>,
    /// What is free at that time besides the job.
    spare: Vec<NodeFree>,
}

/// Everything that holds resources, the first to end first. What should have ended by now ends now.
pub fn releases<'a>(cluster: &'a Cluster, clock: u64) -> impl Iterator<Item = Release<'a>> {
    cluster.index().releases.iter().filter_map(move |(at, id)| {
        // Nobody knows when a suspended job goes on.
        let run = cluster.job(*id)?.run().filter(|run| run.suspension.since.is_none())?;
        Some(Release { at: (*at).max(clock), alloc: &run.alloc })
    })
}

impl Reservation {
    /// The earliest room for the demand, from what is free now and what comes back. None if it never fits.
    pub fn find<'a>(
        cluster: &Cluster,
        demand: &Demand,
        free: &[NodeFree],
        releases: impl Iterator<Item = Release<'a>>,
    ) -> Option<Reservation> {
        let tables = &cluster.world().tables;
        let mut spare = free.to_vec();
        let mut releases = releases.peekable();
        // Whether anything came back since room was last sought: several may end at the same time.
        let mut useful = false;
        while let Some(release) = releases.next() {
            for part in release.alloc {
                let Some(n) = tables.node(&part.node) else { continue };
                spare[n].give_back(part, &tables.nodes[n]);
                useful |= demand.nodes.contains(&n);
            }
            if !useful || releases.peek().is_some_and(|next| next.at == release.at) {
                continue;
            }
            useful = false;
            if let Some(picks) = place(demand, &spare, tables) {
                let mut reservation = Reservation { at: release.at, picks: Vec::new(), spare };
                reservation.take(cluster, demand, &picks);
                return Some(Reservation { picks, ..reservation });
            }
        }
        None
    }

    /// Takes room besides the reserved job.
    pub fn take(&mut self, cluster: &Cluster, demand: &Demand, picks: &[NodePick]) {
        let tables = &cluster.world().tables;
        let alloc = allot(demand, picks, &self.spare, tables).unwrap_or_default();
        for (pick, share) in picks.iter().zip(&alloc) {
            self.spare[pick.node].take(share, &tables.nodes[pick.node]);
        }
    }

    /// What of a node may be given to a job that will still run when the reservation comes due: no more of
    /// anything than is spare then.
    pub fn narrow(&self, n: usize, free: &NodeFree) -> NodeFree {
        let spare = &self.spare[n];
        let fewer = |have: &IndexSet, limit: &IndexSet| {
            let n = have.len().min(limit.len());
            have.clone().take_lowest(n, 0, IndexSet::LIMIT).unwrap_or_default()
        };
        NodeFree {
            cpus: fewer(&free.cpus, &spare.cpus),
            mem_mb: free.mem_mb.min(spare.mem_mb),
            gres: free.gres.iter().zip(&spare.gres).map(|(have, limit)| fewer(have, limit)).collect(),
            jobs: free.jobs.max(spare.jobs),
            holders: free.holders.iter().chain(&spare.holders).copied().collect(),
            usable: free.usable,
        }
    }
}
