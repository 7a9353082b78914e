//! sinfo -t: states of nodes.

use bivouac_types::info::NodeInfo;

/// Words of -t in the order in which an abbreviation is looked up, and the state they mean here; a state that no
/// node of this cluster can have matches nothing.
const WORDS: [(&str, &[&str]); 31] = [
    ("unknown", &[]),
    ("down", &[]),
    ("idle", &["idle"]),
    ("allocated", &["allocated", "mixed"]),
    ("mixed", &["mixed"]),
    ("future", &[]),
    ("futr", &[]),
    ("drain", &[]),
    ("drained", &[]),
    ("draining", &[]),
    ("drng", &[]),
    ("no_respond", &[]),
    ("reserved", &[]),
    ("resv", &[]),
    ("perfctrs", &[]),
    ("npc", &[]),
    ("cloud", &[]),
    ("completing", &["completing"]),
    ("powering_down", &[]),
    ("powered_down", &[]),
    ("power_down", &[]),
    ("powering_up", &[]),
    ("power_up", &[]),
    ("fail", &[]),
    ("failing", &[]),
    ("maint", &[]),
    ("reboot", &[]),
    ("reboot_issued", &[]),
    ("reboot_requested", &[]),
    ("planned", &[]),
    ("inval", &[]),
];

/// A word of -t that is no state; `Display` is sinfo's two lines without their prefix.
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
        let words: Vec<&str> = WORDS.iter().map(|(w, _)| *w).collect();
        format!("valid states: {}", words.join(","))
    }
}

/// Which states of nodes are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFilter {
    states: Vec<&'static [&'static str]>,
    /// Joined by `&`: the node must have all of them.
    all: bool,
}

/// Parses `idle,mix` or `idle&comp`; words may be abbreviated and stand in any case.
///
/// # Errors
/// The first word that is no state.
pub fn parse_states(text: &str) -> Result<StateFilter, BadState> {
    let all = text.contains('&');
    let states = text
        .split([',', '&'])
        .filter(|w| !w.is_empty())
        .map(|word| {
            let lower = word.to_ascii_lowercase();
            let found = WORDS.iter().find(|(w, _)| w.starts_with(&lower));
            found.map(|(_, states)| *states).ok_or_else(|| BadState(word.to_owned()))
        })
        .collect::<Result<_, _>>()?;
    Ok(StateFilter { states, all })
}

impl StateFilter {
    /// Whether a node is shown.
    pub fn shows(&self, node: &NodeInfo) -> bool {
        let has = |states: &&[&str]| states.contains(&node.state());
        if self.all { self.states.iter().all(has) } else { self.states.iter().any(has) }
    }
}

/// A state in compact form.
pub fn compact(state: &str) -> &str {
    match state {
        "allocated" => "alloc",
        "mixed" => "mix",
        "completing" => "comp",
        other => other,
    }
}

/// The rank by which sinfo sorts states.
pub fn rank(state: &str) -> u8 {
    match state {
        "idle" => 2,
        "allocated" => 3,
        "mixed" => 5,
        "completing" => 9,
        _ => 0,
    }
}
