//! What the cluster runs on: the profile or the slurm.conf it was made with, and how a changed slurm.conf takes the
//! place of the one before.
//!
//! A cluster of a slurm.conf keeps the last configuration that held, beside the state that was made under it. If the
//! files cannot be used any more (an error in them, or running jobs on nodes that they do not have), it goes on
//! with that one and says so: no job is lost by a typing error.

use crate::clock;
use crate::controller::Controller;
use bivouac_core::{Caller, Cluster, KeptChanges, State};
use bivouac_proto::message::Response;
use bivouac_proto::place::Account;
use bivouac_site::Site;
use bivouac_store::Store;
use bivouac_types::Reject;
use bivouac_types::config::ClusterConfig;
use std::sync::Arc;

/// The profile of a cluster that nobody chose one for.
const DEFAULT_SITE: &str = "local";
/// The note with the profile's name, or the folder of the slurm.conf.
const SITE: &str = "site";
/// The note with the last configuration of a slurm.conf that held.
const KEPT: &str = "configuration";

/// What a starting controller works with.
pub struct Chosen {
    /// The profile.
    pub site: Site,
    /// The configuration under which the stored state was made: what is stored is read under it.
    pub kept: Arc<ClusterConfig>,
    /// The configuration that is wanted now.
    pub wanted: Arc<ClusterConfig>,
    /// Why the files are not what the cluster runs on.
    pub problem: Option<String>,
}

/// The profile a cluster was made with is its profile for good: jobs refer to its nodes.
///
/// # Errors
/// A sentence: another site was asked for, or this one cannot be used.
pub fn choose(store: &Store, cluster: &str, asked: Option<String>) -> Result<Chosen, String> {
    let kept_name = store.note(SITE).map_err(|e| e.to_string())?;
    let name = match (&kept_name, &asked) {
        (Some(kept), Some(asked)) if kept != asked => {
            let new = load(asked)?;
            if new.name() != kept {
                let option = if Site::is_slurm_conf(asked) { "--slurm-conf" } else { "--site" };
                return Err(format!(
                    "this cluster was made with {kept}; for {asked} choose another name: \
                     `bivouac --cluster NAME up {option} {asked}`"
                ));
            }
            kept.clone()
        }
        (Some(kept), _) => kept.clone(),
        (None, Some(asked)) => asked.clone(),
        (None, None) => DEFAULT_SITE.to_owned(),
    };
    let kept: Option<ClusterConfig> =
        store.note(KEPT).map_err(|e| e.to_string())?.and_then(|text| serde_json::from_str(&text).ok());
    let (site, problem) = match (load(&name), &kept) {
        (Ok(site), _) => (site, None),
        // `bivouac up` has read the files itself, and said what is wrong with them; the keeper, which starts a
        // controller anew, names them again.
        (Err(e), Some(kept)) => (Site::of_config(kept.clone()).map_err(|e| e.to_string())?, Some(e)),
        (Err(e), _) => return Err(e),
    };
    let wanted = Arc::new(site.cluster_config(cluster).map_err(|e| e.to_string())?);
    let kept = kept.filter(|_| site.slurm_conf().is_some()).map_or_else(|| wanted.clone(), Arc::new);
    if kept_name.is_none() {
        // A path stays a path: its name alone would not lead back to it.
        let name = if name.contains('/') { &name } else { site.name() };
        store.set_note(SITE, name).map_err(|e| e.to_string())?;
    }
    Ok(Chosen { site, kept, wanted, problem })
}

fn load(name: &str) -> Result<Site, String> {
    Site::load(name, &own_account()?.home).map_err(|e| e.to_string())
}

/// The account that the controller runs under.
///
/// # Errors
/// What the passwd database says.
pub fn own_account() -> Result<Account, String> {
    Account::own().map_err(|e| format!("the passwd database: {e}"))
}

/// The same cluster under another configuration.
///
/// # Errors
/// Which running job stands in the way.
pub fn move_to(cluster: &Cluster, wanted: &Arc<ClusterConfig>) -> Result<Cluster, String> {
    under(cluster.state().clone(), wanted)
}

fn under(state: State, wanted: &Arc<ClusterConfig>) -> Result<Cluster, String> {
    let moved = Cluster::restore(wanted.clone(), state).map_err(|e| e.to_string())?;
    moved.check().map_err(|e| e.to_string())?;
    Ok(moved)
}

/// Notes the configuration of a slurm.conf that holds from now on. The log must be compacted before: what is in it
/// is read under this one.
///
/// # Errors
/// What the store says.
pub fn keep(store: &Store, site: &Site, config: &ClusterConfig) -> Result<(), String> {
    if site.slurm_conf().is_none() {
        return Ok(());
    }
    let text = serde_json::to_string(config).map_err(|e| e.to_string())?;
    store.set_note(KEPT, &text).map_err(|e| e.to_string())
}

impl Controller {
    /// scontrol reconfigure: the profile or the slurm.conf is read again, and with it ends what scontrol changed of
    /// partitions and of nodes' shape. Running jobs stay as they are.
    pub(crate) fn reconfigure(&mut self, caller: &Caller) -> Response {
        if !caller.is_operator() {
            return Response::Rejected(Reject::InvalidUser);
        }
        let read = || -> Result<_, String> {
            let name = self.store.note(SITE).map_err(|e| e.to_string())?;
            let site = load(name.as_deref().unwrap_or(DEFAULT_SITE))?;
            let config = Arc::new(site.cluster_config(&self.place.cluster).map_err(|e| e.to_string())?);
            let state = self.cluster.state().as_configured(KeptChanges::of(&config));
            let cluster = under(state, &config)?;
            Ok((site, config, cluster))
        };
        match read() {
            Ok((site, config, cluster)) => {
                // What the log holds belongs to the configuration before.
                if !self.compact_now() {
                    let what = "the log cannot be compacted; bivouacd.log in the state folder says why";
                    return Response::Rejected(Reject::Storage(what.into()));
                }
                if let Err(e) = keep(&self.store, &site, &config) {
                    return Response::Rejected(Reject::Storage(e));
                }
                say!("{}: reconfigured", clock::wall().as_secs());
                self.take(site, config, cluster);
                self.triggers.reconfigured = true;
                // What scontrol had changed is gone from the state without an event of its own.
                if !self.compact_now() {
                    let what = "the log cannot be compacted; bivouacd.log in the state folder says why";
                    return Response::Rejected(Reject::Storage(what.into()));
                }
                Response::Done
            }
            Err(e) => Response::Failed(e),
        }
    }
}
