//! `scontrol update`, `create` and `delete`: keys of what is named, and the values of those that have known ones.

use super::{Expected, MAIL_TYPES, Values, beginning};
use crate::job_update;
use crate::update::{node, partition};

/// What is changed, as far as the words tell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entity {
    Job,
    Step,
    Node,
    Partition,
}

/// The keys by which entities are named; which of them are offered first, where nothing is named yet.
const NAMING: [(&str, Entity); 5] = [
    ("JobId", Entity::Job),
    ("JobName", Entity::Job),
    ("NodeName", Entity::Node),
    ("PartitionName", Entity::Partition),
    ("StepId", Entity::Step),
];

const YES_OR_NO: [&str; 2] = ["YES", "NO"];
const CPU_BINDS: [&str; 6] = ["none", "sockets", "ldoms", "cores", "threads", "off"];
const PARTITION_STATES: [&str; 4] = ["UP", "DOWN", "DRAIN", "INACTIVE"];
const NODE_STATES: [&str; 8] = ["DOWN", "DRAIN", "FAIL", "FUTURE", "IDLE", "NORESP", "RESUME", "UNDRAIN"];

/// A word behind `update`, `create` or `delete`; `before` are those that stand between.
pub(super) fn word(command: &str, before: &[&str], current: &str) -> Expected {
    let entity = before.iter().find_map(|word| entity(word.split('=').next().unwrap_or_default()));
    if let Some((key, value)) = current.split_once('=') {
        return value_of(key, value, entity.or_else(|| self::entity(key)));
    }
    let names: Vec<&str> = match (command, entity) {
        ("update", None) => NAMING.iter().map(|(name, _)| *name).collect(),
        (_, None) => vec!["PartitionName"],
        ("delete", Some(_)) => Vec::new(),
        (_, Some(Entity::Job)) => job_update::key_names().collect(),
        (_, Some(Entity::Step)) => vec!["TimeLimit"],
        (_, Some(Entity::Node)) => node::key_names().collect(),
        (_, Some(Entity::Partition)) => partition::key_names().collect(),
    };
    let given = |name: &&str| before.iter().any(|w| w.split('=').next().is_some_and(|w| same(w, name)));
    let keys = names.into_iter().filter(|name| !given(name)).filter_map(|name| as_typed(name, current));
    Expected::Words(beginning(keys.map(|key| (format!("{key}="), "")), current))
}

fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

fn entity(key: &str) -> Option<Entity> {
    NAMING.iter().find(|(name, _)| same(name, key)).map(|(_, entity)| *entity)
}

/// A key that begins like what was typed, in the case in which it was typed.
fn as_typed(name: &str, typed: &str) -> Option<String> {
    let (start, rest) = name.split_at_checked(typed.len())?;
    same(start, typed).then(|| {
        let lower = !typed.is_empty() && !typed.contains(|c: char| c.is_ascii_uppercase());
        if lower { name.to_ascii_lowercase() } else { format!("{typed}{rest}") }
    })
}

fn value_of(key: &str, value: &str, entity: Option<Entity>) -> Expected {
    let (list, last) = match value.rfind(',') {
        Some(at) => value.split_at(at + 1),
        None => ("", value),
    };
    let before = format!("{key}={list}");
    let live = |values| Expected::Values(values, before.clone(), last.to_owned());
    let words = |words: &[&str]| {
        let known = words.iter().filter_map(|word| as_typed(word, last));
        let all = known.map(|word| (format!("{before}{word}"), ""));
        Expected::Words(beginning(all, &format!("{before}{last}")))
    };
    match (key.to_ascii_lowercase().as_str(), entity) {
        ("jobid" | "job" | "stepid", _) => live(Values::Jobs),
        ("nodename" | "nodelist" | "reqnodelist" | "excnodelist" | "nodes" | "allocnodes", _) => {
            live(Values::Nodes)
        }
        ("partitionname" | "partition" | "alternate", _) => live(Values::Partitions),
        ("account" | "allowaccounts" | "denyaccounts", _) => live(Values::Accounts),
        ("qos" | "allowqos" | "denyqos", _) => live(Values::Qos),
        ("features" | "activefeatures" | "availablefeatures" | "prefer", _) => live(Values::Features),
        ("licenses", _) => live(Values::Licenses),
        ("userid", _) => live(Values::Users),
        ("mailtype", _) => words(&MAIL_TYPES),
        ("cpubind", _) => words(&CPU_BINDS),
        ("state", Some(Entity::Node)) => words(&NODE_STATES),
        ("state", Some(Entity::Partition)) => words(&PARTITION_STATES),
        ("contiguous" | "requeue", Some(Entity::Job)) => words(&YES_OR_NO),
        (key, Some(Entity::Partition)) if partition::is_yes_or_no(key) => words(&YES_OR_NO),
        _ => Expected::Nothing,
    }
}
