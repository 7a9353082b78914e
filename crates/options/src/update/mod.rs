//! What scontrol's create and update say of nodes and partitions: `KEY=VALUE` words to changes.
//!
//! The texts of refusals are those of scontrol 22.05.8; what only the controller can judge is left to it.

pub mod node;
pub mod partition;

/// A word of the command line: the key and, behind `=`, the value.
pub type Pair<'a> = (&'a str, Option<&'a str>);

/// Why words were not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Lines for standard error.
    pub lines: Vec<String>,
    /// scontrol goes on after these to say that the update was an error.
    pub goes_on: bool,
}

impl Refusal {
    fn ends(lines: &[String]) -> Refusal {
        Refusal { lines: lines.to_vec(), goes_on: false }
    }

    fn goes_on(lines: &[String]) -> Refusal {
        Refusal { lines: lines.iter().map(|l| format!("scontrol: error: {l}")).collect(), goes_on: true }
    }
}

/// Splits words at their first `=`.
pub fn pairs(words: &[String]) -> Vec<Pair<'_>> {
    let split = |word: &'_ str| word.split_once('=').map(|(key, value)| (key.len(), value.len()));
    words
        .iter()
        .map(|word| match split(word) {
            Some((key, value)) => (&word[..key], Some(&word[word.len() - value..])),
            None => (word.as_str(), None),
        })
        .collect()
}

/// Whether a key is this name, or a beginning of it of so many letters at least, in any case.
pub fn is_key(key: &str, name: &str, least: usize) -> bool {
    key.len() >= least && name.get(..key.len()).is_some_and(|start| start.eq_ignore_ascii_case(key))
}

/// The entry whose name the key is, or begins.
fn find<'t, T>(table: &'t [(&'static str, usize, T)], key: &str) -> Option<&'t T> {
    table.iter().find(|(name, least, _)| is_key(key, name, *least)).map(|(.., entry)| entry)
}

/// Names of a list; quotes around it are the shell's.
fn list(text: &str) -> Vec<String> {
    text.split(',').filter(|n| !n.is_empty()).map(str::to_owned).collect()
}

/// CpuBind as it is shown; `Some(None)` takes it away.
fn cpu_bind(text: &str) -> Option<Option<String>> {
    const MODES: [(&str, &str); 5] = [
        ("none", "none"),
        ("socket", "sockets"),
        ("ldom", "ldoms"),
        ("core", "cores"),
        ("thread", "threads"),
    ];
    if text.eq_ignore_ascii_case("off") {
        return Some(None);
    }
    let mode = MODES
        .iter()
        .find(|(word, shown)| text.eq_ignore_ascii_case(word) || text.eq_ignore_ascii_case(shown));
    mode.map(|(_, shown)| Some((*shown).to_owned()))
}

#[cfg(test)]
mod tests;
