//! scontrol update NodeName=...

use super::{Pair, Refusal, cpu_bind, find, is_key, list};
use bivouac_types::config::GresConfig;
use bivouac_types::node::{NodeChange, NodeOrder};
use bivouac_types::{GresRequest, HostList};

/// Nodes and what to change of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeUpdate {
    /// Names; `ALL` alone stands for all.
    pub nodes: Vec<String>,
    /// Changes, in the given order.
    pub changes: Vec<NodeChange>,
}

/// Whether the key names nodes.
pub fn names_nodes(key: &str) -> bool {
    is_key(key, "NodeName", 3)
}

enum Key {
    Address,
    Hostname,
    Names,
    Active,
    Available,
    CpuBind,
    Comment,
    Extra,
    Gres,
    Weight,
    Reason,
    State,
}

/// Keys and the least number of letters by which each is known; the first that fits counts.
const KEYS: [(&str, usize, Key); 13] = [
    ("NodeAddr", 5, Key::Address),
    ("NodeHostName", 5, Key::Hostname),
    ("NodeName", 3, Key::Names),
    ("ActiveFeatures", 3, Key::Active),
    ("AvailableFeatures", 3, Key::Available),
    ("Features", 1, Key::Available),
    ("CpuBind", 3, Key::CpuBind),
    ("Comment", 2, Key::Comment),
    ("Extra", 1, Key::Extra),
    ("Gres", 1, Key::Gres),
    ("Weight", 1, Key::Weight),
    ("Reason", 1, Key::Reason),
    ("State", 1, Key::State),
];

/// The names of the keys.
pub fn key_names() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|(name, ..)| *name)
}

/// Words of State; what scontrol knows and no node here can be brought into is left to the controller to refuse.
const STATES: [(&str, usize, NodeOrder); 16] = [
    ("NORESP", 3, NodeOrder::NoResponse),
    ("CANCEL_REBOOT", 3, NodeOrder::Impossible),
    ("DRAIN", 3, NodeOrder::Drain),
    ("DOWN", 3, NodeOrder::Down),
    ("FAIL", 3, NodeOrder::Fail),
    ("FUTURE", 3, NodeOrder::Future),
    ("IDLE", 3, NodeOrder::Idle),
    ("RESUME", 3, NodeOrder::Resume),
    ("UNDRAIN", 3, NodeOrder::Undrain),
    ("POWER_DOWN_ASAP", 12, NodeOrder::Impossible),
    ("POWER_DOWN_FORCE", 12, NodeOrder::Impossible),
    ("POWER_DOWN", 7, NodeOrder::Impossible),
    ("POWER_UP", 7, NodeOrder::Impossible),
    ("ALLOCATED", 3, NodeOrder::Impossible),
    ("MIXED", 3, NodeOrder::Impossible),
    ("UNKNOWN", 3, NodeOrder::Impossible),
];

/// Reads the words behind `update`.
///
/// # Errors
/// The first word that is not understood, or an order without its reason.
pub fn read(pairs: &[Pair<'_>]) -> Result<NodeUpdate, Refusal> {
    let mut update = NodeUpdate::default();
    let mut refused = None;
    for &(key, value) in pairs {
        let text = value.unwrap_or_default();
        let known = find(&KEYS, key).filter(|_| value.is_some());
        let word = || value.map_or_else(|| key.to_owned(), |v| format!("{key}={v}"));
        let Some(known) = known else {
            let line = format!("Update of this parameter is not supported: {}", word());
            return Err(Refusal::ends(&[line, "Request aborted".to_owned()]));
        };
        let change = match known {
            Key::Names => {
                update.nodes = match HostList::parse(text) {
                    Ok(list) if !text.eq_ignore_ascii_case("all") => list.names,
                    // The controller says that there is no such node.
                    Err(_) => vec![text.to_owned()],
                    Ok(_) => vec!["ALL".to_owned()],
                };
                continue;
            }
            Key::Address => NodeChange::Address(text.to_owned()),
            Key::Hostname => NodeChange::Hostname(text.to_owned()),
            Key::Active => NodeChange::ActiveFeatures(list(text)),
            Key::Available => NodeChange::Features(list(text)),
            Key::Comment => NodeChange::Comment(text.to_owned()),
            Key::Extra => NodeChange::Extra(text.to_owned()),
            Key::Reason => NodeChange::Reason(text.to_owned()),
            Key::CpuBind => match cpu_bind(text) {
                Some(mode) => NodeChange::CpuBind(mode),
                None => return Err(Refusal::goes_on(&[format!("Invalid input {}", word())])),
            },
            Key::Gres => match gres(text) {
                Some(gres) => NodeChange::Gres(gres),
                None => {
                    let line = "slurm_update error: Invalid generic resource (gres) specification";
                    return Err(Refusal::ends(&[line.to_owned()]));
                }
            },
            Key::Weight => match text.parse() {
                Ok(weight) => NodeChange::Weight(weight),
                Err(_) => {
                    refused = Some(format!("scontrol: error: Weight value ({text}) is not a valid number"));
                    continue;
                }
            },
            Key::State => match find(&STATES, text) {
                Some(order) => NodeChange::State(*order),
                None => return Err(no_state(&word())),
            },
        };
        update.changes.push(change);
    }
    if update.changes.is_empty() {
        let lines: Vec<String> = refused.into_iter().chain(["No changes specified".to_owned()]).collect();
        return Err(Refusal::ends(&lines));
    }
    if let Some(line) = refused {
        return Err(Refusal::ends(&[line]));
    }
    needs_reason(&update)?;
    Ok(update)
}

fn no_state(word: &str) -> Refusal {
    Refusal::ends(&[
        format!("Invalid input: {word}"),
        "Request aborted".to_owned(),
        "Valid states are: NoResp DRAIN FAIL FUTURE RESUME POWER_DOWN POWER_UP UNDRAIN".to_owned(),
        "Not all states are valid given a node's prior state".to_owned(),
    ])
}

/// What takes a node out of service says why.
fn needs_reason(update: &NodeUpdate) -> Result<(), Refusal> {
    let takes_out =
        |c: &NodeChange| matches!(c, NodeChange::State(NodeOrder::Down | NodeOrder::Drain | NodeOrder::Fail));
    let says_why = |c: &NodeChange| matches!(c, NodeChange::Reason(text) if !text.is_empty());
    if update.changes.iter().any(takes_out) && !update.changes.iter().any(says_why) {
        let line = "You must specify a reason when DOWNING or DRAINING a node. Request denied";
        return Err(Refusal::ends(&[line.to_owned()]));
    }
    Ok(())
}

fn gres(text: &str) -> Option<Vec<GresConfig>> {
    let list = GresRequest::parse_list(text)?;
    Some(list.into_iter().map(|g| GresConfig { name: g.name, kind: g.kind, count: g.count }).collect())
}
