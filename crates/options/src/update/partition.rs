//! scontrol create and update PartitionName=...

use super::{Pair, Refusal, cpu_bind, find, is_key, list};
use bivouac_types::config::PartitionState;
use bivouac_types::partition::PartitionChange as Change;
use bivouac_types::{HostList, TimeLimit};

/// A partition and what to change of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionUpdate {
    /// Its name.
    pub name: String,
    /// Changes, in the given order.
    pub changes: Vec<Change>,
}

/// Whether the key names a partition.
pub fn names_partition(key: &str) -> bool {
    is_key(key, "PartitionName", 3)
}

/// Reads a value. None: it is none, and the lines say so, made from the key's spelling.
type Reader = fn(&str) -> Option<Vec<Change>>;

/// How a wrong value is told.
#[derive(Clone, Copy)]
enum Told {
    /// `Invalid input KEY=VALUE`
    Input,
    /// `Invalid input: KEY=VALUE`, and what is accepted.
    Choice(&'static str),
    /// `Invalid NAME value: VALUE`
    Number,
    /// `Invalid numeric value "VALUE" for NAME.`, and scontrol ends.
    Count,
    /// `"VALUE" is not a valid node count`, and scontrol ends.
    Nodes,
    /// The controller's words for it.
    Specification,
    /// What cannot be had here, and why not.
    Unavailable(&'static str),
}

const ONE_MACHINE: Told = Told::Unavailable("the nodes are one machine, and the load of one is that of all");
const NO_SHARING: &str = "jobs do not share CPUs; FORCE:1 and NO are the same here";

const YES_OR_NO: Told = Told::Choice("YES and NO");

/// Keys, the least number of letters by which each is known, and their readers; the first that fits counts.
const KEYS: [(&str, usize, (Told, Reader)); 37] = [
    ("MaxTime", 4, (Told::Input, |v| Some(vec![Change::MaxTime(TimeLimit::parse(v)?)]))),
    ("DefaultTime", 8, (Told::Input, |v| Some(vec![Change::DefaultTime(Some(TimeLimit::parse(v)?))]))),
    ("MaxCPUsPerNode", 4, (Told::Number, |v| Some(vec![Change::MaxCpusPerNode(most(v)?)]))),
    ("MaxMemPerCPU", 10, (Told::Number, |v| Some(vec![Change::MaxMemPerCpu(memory(v)?)]))),
    ("MaxMemPerNode", 10, (Told::Number, |v| Some(vec![Change::MaxMemPerNode(memory(v)?)]))),
    ("MaxNodes", 4, (Told::Count, |v| Some(vec![Change::MaxNodes(most(v)?)]))),
    ("MinNodes", 2, (Told::Nodes, |v| Some(vec![Change::MinNodes(v.split('-').next()?.parse().ok()?)]))),
    ("Default", 7, (YES_OR_NO, |v| Some(vec![Change::Default(yes(v)?)]))),
    ("DefMemPerCPU", 10, (Told::Number, |v| Some(vec![Change::DefMemPerCpu(memory(v)?)]))),
    ("DefMemPerNode", 10, (Told::Number, |v| Some(vec![Change::DefMemPerNode(memory(v)?)]))),
    ("DisableRootJobs", 3, (YES_OR_NO, |v| Some(vec![Change::DisableRootJobs(yes(v)?)]))),
    ("DenyAccounts", 5, (Told::Input, |v| Some(vec![Change::DenyAccounts(list(v))]))),
    ("DenyQos", 5, (Told::Input, |v| Some(vec![Change::DenyQos(list(v))]))),
    ("ExclusiveUser", 1, (YES_OR_NO, |v| Some(vec![Change::ExclusiveUser(yes(v)?)]))),
    ("Hidden", 1, (YES_OR_NO, |v| Some(vec![Change::Hidden(yes(v)?)]))),
    ("JobDefaults", 1, (Told::Specification, |v| Some(vec![Change::JobDefaults(job_defaults(v)?)]))),
    ("LLN", 1, (YES_OR_NO, |v| Some(vec![Change::LeastLoaded(yes(v)?)]))),
    ("RootOnly", 3, (YES_OR_NO, |v| Some(vec![Change::RootOnly(yes(v)?)]))),
    ("ReqResv", 3, (YES_OR_NO, |v| Some(vec![Change::RequireReservation(yes(v)?)]))),
    ("OverTimeLimit", 5, (Told::Number, |v| Some(vec![Change::OverTimeLimit(Some(minutes(v)?))]))),
    ("OverSubscribe", 5, (SHARED, |v| Some(vec![Change::OverSubscribe(over_subscribe(v)?)]))),
    ("Shared", 2, (SHARED, |v| Some(vec![Change::OverSubscribe(over_subscribe(v)?)]))),
    ("GraceTime", 5, (Told::Number, |v| Some(vec![Change::GraceTime(v.parse().ok()?)]))),
    ("PreemptMode", 3, (Told::Choice(""), |v| Some(vec![Change::PreemptMode(preempt_mode(v)?)]))),
    ("PriorityTier", 9, (Told::Number, |v| Some(vec![Change::PriorityTier(priority(v)?)]))),
    ("PriorityJobFactor", 9, (Told::Number, |v| Some(vec![Change::PriorityJobFactor(priority(v)?)]))),
    (
        "Priority",
        3,
        (Told::Number, |v| {
            let both = priority(v)?;
            Some(vec![Change::PriorityTier(both), Change::PriorityJobFactor(both)])
        }),
    ),
    ("State", 2, (Told::Choice("UP, DOWN, DRAIN and INACTIVE"), |v| Some(vec![Change::State(state(v)?)]))),
    ("Nodes", 1, (Told::Input, |v| Some(vec![Change::Nodes(nodes(v))]))),
    ("AllowGroups", 6, (Told::Input, |v| Some(vec![Change::AllowGroups(names(v))]))),
    ("AllowAccounts", 6, (Told::Input, |v| Some(vec![Change::AllowAccounts(names(v))]))),
    ("AllowQos", 6, (Told::Input, |v| Some(vec![Change::AllowQos(names(v))]))),
    ("AllocNodes", 6, (Told::Input, |v| Some(vec![Change::AllocNodes(nodes_or_all(v))]))),
    ("Alternate", 3, (Told::Input, |v| Some(vec![Change::Alternate(unless(v, "none"))]))),
    ("QOS", 1, (Told::Input, |v| Some(vec![Change::Qos(unless(v, ""))]))),
    ("TRESBillingWeights", 1, (Told::Specification, |v| Some(vec![Change::Billing(billing(v)?)]))),
    ("CpuBind", 3, (Told::Input, |v| Some(vec![Change::CpuBind(cpu_bind(v)?)]))),
];

const SHARED: Told = Told::Choice("NO, EXCLUSIVE, YES:#, and FORCE:#");

/// The names of the keys.
pub fn key_names() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|(name, ..)| *name)
}

/// Whether the key, in any case, is switched on and off.
pub fn is_yes_or_no(key: &str) -> bool {
    KEYS.iter().any(|(name, _, (told, _))| {
        name.eq_ignore_ascii_case(key) && matches!(told, Told::Choice("YES and NO"))
    })
}

/// Reads the words behind `create` or `update`.
///
/// # Errors
/// The first word that is not understood.
pub fn read(pairs: &[Pair<'_>]) -> Result<PartitionUpdate, Refusal> {
    let mut update = PartitionUpdate::default();
    for &(key, value) in pairs {
        let text = value.unwrap_or_default();
        if names_partition(key) {
            text.clone_into(&mut update.name);
            continue;
        }
        let word = value.map_or_else(|| key.to_owned(), |v| format!("{key}={v}"));
        let known = KEYS.iter().find(|(name, least, _)| is_key(key, name, *least));
        let Some((name, _, (told, reader))) = known.filter(|_| value.is_some()) else {
            let first = format!("scontrol: error: Update of this parameter is not supported: {word}\n");
            let lines = vec![first, "scontrol: error: Request aborted".to_owned()];
            return Err(Refusal { lines, goes_on: true });
        };
        let changes = reader(text).ok_or_else(|| refusal(*told, name, &word, text))?;
        if let Some(why) = changes.iter().find_map(unavailable) {
            return Err(refusal(why, name, &word, text));
        }
        update.changes.extend(changes);
    }
    Ok(update)
}

/// What slurm.conf is refused for, too.
fn unavailable(change: &Change) -> Option<Told> {
    match change {
        Change::LeastLoaded(true) => Some(ONE_MACHINE),
        Change::OverSubscribe(Some(text)) if text.starts_with("FORCE:") && text != "FORCE:1" => {
            Some(Told::Unavailable(NO_SHARING))
        }
        _ => None,
    }
}

fn refusal(told: Told, name: &str, word: &str, text: &str) -> Refusal {
    let accepted = |values: &str| format!("Acceptable {name} values are {values}");
    match told {
        Told::Input => Refusal::goes_on(&[format!("Invalid input {word}")]),
        Told::Choice("") => Refusal::goes_on(&[format!("Invalid input: {word}")]),
        Told::Choice(values) => Refusal::goes_on(&[format!("Invalid input: {word}"), accepted(values)]),
        Told::Number => Refusal::goes_on(&[format!("Invalid {name} value: {text}")]),
        Told::Count => {
            Refusal::ends(&[format!("scontrol: error: Invalid numeric value \"{text}\" for {name}.")])
        }
        Told::Nodes => Refusal::ends(&[format!("scontrol: error: \"{text}\" is not a valid node count")]),
        Told::Unavailable(why) => {
            Refusal::ends(&[format!("scontrol: error: {word} is not available here: {why}")])
        }
        Told::Specification => Refusal::ends(&[format!("slurm_update error: Invalid {name} specification")]),
    }
}

fn is_word(text: &str, word: &str) -> bool {
    !text.is_empty() && is_key(text, word, 1)
}

fn yes(text: &str) -> Option<bool> {
    match (is_word(text, "yes"), is_word(text, "no")) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

fn state(text: &str) -> Option<PartitionState> {
    use PartitionState as S;
    let table =
        [("up", 1, S::Up), ("down", 2, S::Down), ("drain", 2, S::Drain), ("inactive", 1, S::Inactive)];
    find(&table, text).copied()
}

/// A number, or none for no limit.
fn most(text: &str) -> Option<Option<u32>> {
    match is_unlimited(text) {
        true => Some(None),
        false => text.parse().ok().map(Some),
    }
}

fn is_unlimited(text: &str) -> bool {
    text.eq_ignore_ascii_case("unlimited") || text.eq_ignore_ascii_case("infinite")
}

/// MiB; 0 and UNLIMITED take the value away.
fn memory(text: &str) -> Option<Option<u64>> {
    match is_unlimited(text) {
        true => Some(None),
        false => text.parse().ok().map(|mb| Some(mb).filter(|mb| *mb > 0)),
    }
}

fn minutes(text: &str) -> Option<TimeLimit> {
    match is_unlimited(text) {
        true => Some(TimeLimit::Unlimited),
        false => text.parse().ok().filter(|m| *m <= 65533).map(TimeLimit::Minutes),
    }
}

fn priority(text: &str) -> Option<u32> {
    text.parse().ok().filter(|n| *n <= 65533)
}

/// Names; ALL is no restriction.
fn names(text: &str) -> Vec<String> {
    if text.eq_ignore_ascii_case("all") { Vec::new() } else { list(text) }
}

/// Nodes; a list that cannot be read is one name, which the controller refuses.
fn nodes(text: &str) -> Vec<String> {
    match HostList::parse(text) {
        _ if text.is_empty() => Vec::new(),
        Ok(list) => list.names,
        Err(_) => vec![text.to_owned()],
    }
}

fn nodes_or_all(text: &str) -> Vec<String> {
    if text.eq_ignore_ascii_case("all") { Vec::new() } else { nodes(text) }
}

fn unless(text: &str, none: &str) -> Option<String> {
    (!text.is_empty() && !text.eq_ignore_ascii_case(none)).then(|| text.to_owned())
}

/// `YES:4`, where 4 is what a partition that says no number has.
fn over_subscribe(text: &str) -> Option<Option<String>> {
    let (word, count) = text.split_once(':').map_or((text, None), |(word, count)| (word, Some(count)));
    let count = match count {
        Some(count) => count.parse().ok().filter(|n| *n > 0)?,
        None => 4u32,
    };
    match word.to_ascii_lowercase().as_str() {
        "no" => Some(None),
        "exclusive" => Some(Some("EXCLUSIVE".to_owned())),
        "yes" => Some(Some(format!("YES:{count}"))),
        "force" => Some(Some(format!("FORCE:{count}"))),
        _ => None,
    }
}

fn preempt_mode(text: &str) -> Option<Option<String>> {
    let upper = text.to_ascii_uppercase();
    match upper.as_str() {
        "OFF" => Some(None),
        "CANCEL" | "REQUEUE" | "SUSPEND" | "GANG" => Some(Some(upper)),
        _ => None,
    }
}

fn job_defaults(text: &str) -> Option<Vec<(String, u64)>> {
    let entry = |entry: &str| {
        let (key, value) = entry.split_once('=')?;
        let key = ["DefCpuPerGPU", "DefMemPerGPU"].into_iter().find(|k| k.eq_ignore_ascii_case(key))?;
        Some((key.to_owned(), value.parse().ok()?))
    };
    text.split(',').filter(|e| !e.is_empty()).map(entry).collect()
}

/// `CPU=1.0,Mem=0.25G`: names with weights.
fn billing(text: &str) -> Option<Option<String>> {
    let weight = |entry: &str| {
        let (name, value) = entry.split_once('=')?;
        let known = ["cpu", "mem", "node", "energy", "billing", "license", "gres", "bb", "fs"];
        let base = name.split('/').next()?.to_ascii_lowercase();
        let number = value.trim_end_matches(|c: char| "KMGTPkmgtp".contains(c));
        (known.contains(&base.as_str()) && number.parse::<f64>().is_ok_and(|n| n >= 0.0)).then_some(())
    };
    text.split(',').filter(|e| !e.is_empty()).map(weight).collect::<Option<Vec<()>>>()?;
    Some(unless(text, ""))
}
