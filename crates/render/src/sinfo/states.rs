//! How sinfo shows and selects states of nodes, as observed on Slurm 22.05.8.

use bivouac_types::info::NodeInfo;
use bivouac_types::node::{NodeBase, NodeFlag, NodeState};

/// A state's word in the long form, in the compact form, and the sign behind it.
struct Words {
    long: &'static str,
    compact: &'static str,
    sign: &'static str,
}

fn words(state: &NodeState) -> Words {
    let has = |flag| state.has(flag);
    let busy = matches!(state.base, NodeBase::Allocated | NodeBase::Mixed);
    let sign = match state.base {
        _ if has(NodeFlag::NotResponding) => "*",
        NodeBase::Mixed | NodeBase::Allocated if has(NodeFlag::Planned) => "-",
        _ => "",
    };
    let (long, compact) = match state.base {
        _ if has(NodeFlag::Drain) && (busy || has(NodeFlag::Completing)) => ("draining", "drng"),
        _ if has(NodeFlag::Drain) => ("drained", "drain"),
        _ if has(NodeFlag::Fail) && (has(NodeFlag::Completing) || state.base == NodeBase::Allocated) => {
            ("failing", "failg")
        }
        _ if has(NodeFlag::Fail) => ("fail", "fail"),
        NodeBase::Down => ("down", "down"),
        NodeBase::Future => ("future", "futr"),
        _ if has(NodeFlag::Completing) => ("completing", "comp"),
        NodeBase::Idle if has(NodeFlag::Planned) => ("planned", "plnd"),
        NodeBase::Idle => ("idle", "idle"),
        NodeBase::Mixed => ("mixed", "mix"),
        NodeBase::Allocated => ("allocated", "alloc"),
    };
    Words { long, compact, sign }
}

/// `mixed`, `drained`, `down*`.
pub fn long(state: &NodeState) -> String {
    let Words { long, sign, .. } = words(state);
    format!("{long}{sign}")
}

/// `mix`, `drain`, `down*`.
pub fn compact(state: &NodeState) -> String {
    let Words { compact, sign, .. } = words(state);
    format!("{compact}{sign}")
}

/// A draining node is never called mixed where all flags are shown.
fn settled(state: &NodeState) -> NodeBase {
    match state.base {
        NodeBase::Mixed if state.has(NodeFlag::Drain) => NodeBase::Allocated,
        base => base,
    }
}

/// `allocated+drain`: every flag.
pub fn complete(state: &NodeState) -> String {
    NodeState { base: settled(state), flags: state.flags.clone() }.to_string().to_ascii_lowercase()
}

/// `allocated` and the names of the flags.
pub fn parts(state: &NodeState) -> (String, Vec<&'static str>) {
    let flags = state.flags.iter().map(|f| f.name()).collect();
    (settled(state).name().to_ascii_lowercase(), flags)
}

/// The rank by which sinfo sorts states: any flag counts more than what the node is.
pub fn rank(state: &NodeState) -> u32 {
    let base = match state.base {
        NodeBase::Down => 1,
        NodeBase::Idle => 2,
        NodeBase::Allocated => 3,
        NodeBase::Mixed => 5,
        NodeBase::Future => 6,
    };
    let flag = |flag: &NodeFlag| match flag {
        NodeFlag::Drain => 1 << 8,
        NodeFlag::Completing => 1 << 9,
        NodeFlag::NotResponding => 1 << 10,
        NodeFlag::Fail => 1 << 12,
        NodeFlag::Planned => 1 << 20,
    };
    state.flags.iter().map(flag).sum::<u32>() + base
}

/// What a node counts as in `allocated/idle/other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// In use, or a job is ending on it.
    Allocated,
    /// Without jobs.
    Idle,
    /// Not in service.
    Other,
}

/// What a node counts as.
pub fn share(state: &NodeState) -> Share {
    match state.base {
        NodeBase::Allocated | NodeBase::Mixed => Share::Allocated,
        _ if state.has(NodeFlag::Completing) => Share::Allocated,
        NodeBase::Down | NodeBase::Future => Share::Other,
        NodeBase::Idle if state.has(NodeFlag::Drain) => Share::Other,
        NodeBase::Idle => Share::Idle,
    }
}

/// Its CPUs that jobs have, that are free, and that cannot be used.
pub fn cpus(node: &NodeInfo, state: &NodeState) -> (u32, u32, u32) {
    let (used, all) = (node.alloc_cpus, node.config.cpus());
    let rest = all.saturating_sub(used);
    match state.base {
        NodeBase::Down | NodeBase::Future => (used, 0, rest),
        _ if state.has(NodeFlag::Drain) => (used, 0, rest),
        _ => (used, rest, 0),
    }
}

/// Which nodes a word of -t means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    All,
    /// A state or flag that no node of this cluster can have.
    Nothing,
    Base(NodeBase),
    Flag(NodeFlag),
    /// All CPUs in use, or some.
    Busy,
    Drained,
    Draining,
}

/// Words of -t in the order in which an abbreviation is looked up, and whether sinfo lists them with its error.
const WORDS: [(&str, Wanted, bool); 30] = [
    ("unknown", Wanted::Nothing, true),
    ("down", Wanted::Base(NodeBase::Down), true),
    ("idle", Wanted::Base(NodeBase::Idle), true),
    ("allocated", Wanted::Busy, true),
    // The place of a state that has no word.
    ("?", Wanted::Nothing, true),
    ("mixed", Wanted::Base(NodeBase::Mixed), true),
    ("future", Wanted::Base(NodeBase::Future), true),
    ("futr", Wanted::Base(NodeBase::Future), false),
    ("drain", Wanted::Flag(NodeFlag::Drain), true),
    ("drained", Wanted::Drained, true),
    ("draining", Wanted::Draining, true),
    ("drng", Wanted::Draining, false),
    ("no_respond", Wanted::Flag(NodeFlag::NotResponding), true),
    ("reserved", Wanted::Nothing, true),
    ("resv", Wanted::Nothing, false),
    ("perfctrs", Wanted::Nothing, true),
    ("npc", Wanted::Nothing, false),
    ("cloud", Wanted::Nothing, true),
    ("completing", Wanted::Flag(NodeFlag::Completing), true),
    ("powering_down", Wanted::Nothing, true),
    ("powered_down", Wanted::Nothing, true),
    ("power_down", Wanted::Nothing, true),
    ("powering_up", Wanted::Nothing, true),
    ("fail", Wanted::Flag(NodeFlag::Fail), true),
    ("maint", Wanted::Nothing, true),
    ("reboot", Wanted::Nothing, true),
    ("reboot^", Wanted::Nothing, true),
    ("planned", Wanted::Flag(NodeFlag::Planned), false),
    ("plnd", Wanted::Flag(NodeFlag::Planned), false),
    ("all", Wanted::All, false),
];

/// A word of -t that is no state; `Display` is the first of sinfo's two lines, without its prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadState(pub String);

impl std::fmt::Display for BadState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bad state string: \"{}\"", self.0)
    }
}

impl BadState {
    /// The second line.
    pub fn valid() -> String {
        let words: Vec<&str> = WORDS.iter().filter(|(.., listed)| *listed).map(|(w, ..)| *w).collect();
        // The real list ends as it begins.
        format!("valid states: {},unknown", words.join(","))
    }
}

/// Which states of nodes are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFilter {
    wanted: Vec<Wanted>,
    /// Joined by `&`: the node must have all of them.
    all: bool,
}

/// Parses `idle,mix` or `idle&comp`; words may be abbreviated and stand in any case.
///
/// # Errors
/// The first word that is no state.
pub fn parse_states(text: &str) -> Result<StateFilter, BadState> {
    let all = text.contains('&');
    let wanted = text
        .split([',', '&'])
        .filter(|w| !w.is_empty())
        .map(|word| {
            let lower = word.to_ascii_lowercase();
            let exact = WORDS.iter().find(|(w, ..)| *w == lower);
            let found = exact.or_else(|| WORDS.iter().find(|(w, ..)| w.starts_with(&lower)));
            found.map(|(_, wanted, _)| *wanted).ok_or_else(|| BadState(word.to_owned()))
        })
        .collect::<Result<_, _>>()?;
    Ok(StateFilter { wanted, all })
}

impl StateFilter {
    /// Nodes that are down, drained or failing: what -R lists.
    pub fn out_of_service() -> StateFilter {
        let flags = [NodeFlag::Drain, NodeFlag::Fail].map(Wanted::Flag);
        let wanted = [Wanted::Base(NodeBase::Down)].into_iter().chain(flags).collect();
        StateFilter { wanted, all: false }
    }

    /// Whether a node is shown.
    pub fn shows(&self, state: &NodeState) -> bool {
        let busy = matches!(state.base, NodeBase::Allocated | NodeBase::Mixed);
        let has = |wanted: &Wanted| match *wanted {
            Wanted::All => true,
            Wanted::Nothing => false,
            // A draining node counts as allocated, whatever of it is in use.
            Wanted::Base(NodeBase::Mixed) => state.base == NodeBase::Mixed && !state.has(NodeFlag::Drain),
            Wanted::Base(base) => state.base == base,
            Wanted::Flag(flag) => state.has(flag),
            Wanted::Busy => busy,
            Wanted::Drained => state.has(NodeFlag::Drain) && !busy,
            Wanted::Draining => state.has(NodeFlag::Drain) && busy,
        };
        if self.all { self.wanted.iter().all(has) } else { self.wanted.iter().any(has) }
    }
}
