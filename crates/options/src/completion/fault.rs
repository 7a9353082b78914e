//! `bivouac fault`.

use super::{Expected, Values, beginning};
use crate::table::PROGRAMS;

const WORDS: [(&str, &str); 3] = [
    ("add", "let something go wrong"),
    ("clear", "forget what is to go wrong"),
    ("list", "show what is to come"),
];

/// What can go wrong, what it is about, and the options that belong to it.
const KINDS: [(&str, &str, About, &[&str]); 7] = [
    ("lag", "sacct tells what was true so long ago", About::Nothing, &["--after"]),
    ("node-down", "nodes do not answer any more", About::Nodes, &["--back", "--after"]),
    ("oom", "a job is killed for memory", About::Job, &["--after"]),
    ("preempt", "a job is preempted", About::Job, &["--requeue", "--after"]),
    ("refuse", "a command is refused", About::Command, &["--text", "--code", "--times", "--after"]),
    ("restart", "the controller dies and is brought back", About::Nothing, &["--after"]),
    ("slow", "a command's answers come later", About::Command, &["--times", "--after"]),
];

#[derive(Clone, Copy)]
enum About {
    Nothing,
    Nodes,
    Job,
    Command,
}

/// A word behind `fault`; `before` are those that stand between.
pub(super) fn word(before: &[&str], current: &str) -> Expected {
    let words = |words: &mut dyn Iterator<Item = (&str, &'static str)>| {
        Expected::Words(beginning(words.map(|(word, help)| (word.to_owned(), help)), current))
    };
    let live = |values| Expected::Values(values, String::new(), current.to_owned());
    match before {
        [] => words(&mut WORDS.into_iter()),
        ["add"] => words(&mut KINDS.iter().map(|(kind, help, ..)| (*kind, *help))),
        ["clear", ..] => live(Values::Faults),
        ["add", kind, rest @ ..] => {
            let Some((_, _, about, options)) = KINDS.iter().find(|known| known.0 == *kind) else {
                return Expected::Nothing;
            };
            let last = rest.last().copied().unwrap_or_default();
            if current.starts_with('-') {
                let left = options.iter().filter(|option| !rest.contains(option));
                return words(&mut left.map(|option| (*option, "")));
            }
            // The value of an option, or the second operand.
            if last.starts_with("--") && last != "--requeue" || !rest.is_empty() && !last.starts_with('-') {
                return Expected::Nothing;
            }
            match about {
                About::Nothing => Expected::Nothing,
                About::Nodes => live(Values::Nodes),
                About::Job => live(Values::Jobs),
                About::Command => words(&mut PROGRAMS.iter().map(|p| (p.name(), p.purpose()))),
            }
        }
        _ => Expected::Nothing,
    }
}
