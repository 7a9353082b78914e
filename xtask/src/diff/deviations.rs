//! What is known to differ: the rows of docs/deviations.md, and the rules of `tests/diff/deviations.rules` that say where
//! a row shows in every case. A case that shows a row once says so itself (`deviates ID COMMAND`).
//!
//! A rule is one line:
//! ```text
//! ID key KEY...        the value of such a key of `scontrol show` may differ (a * stands for anything)
//! ID env VARIABLE...   such a variable of a job's environment may differ or be missing
//! ID s/REGEX/TEXT/     Slurm's output is rewritten before it is compared; @HOST@ is this machine's name
//! ID ours s/REGEX/TEXT/   bivouac's is
//! @measured KEY...     keys and variables with a number, or a moment, that is measured
//! ```

use std::cell::RefCell;
use std::collections::BTreeSet;

use regex::Regex;

/// The rules, and which of them were of use.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    measured: Vec<Regex>,
    used: RefCell<BTreeSet<usize>>,
}

#[derive(Debug)]
struct Rule {
    id: String,
    text: String,
    what: What,
}

#[derive(Debug)]
enum What {
    Keys { part: &'static str, names: Vec<Regex> },
    Rewrite { side: Side, from: Regex, to: String },
}

/// Whose output a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Slurm's.
    Slurm,
    /// bivouac's.
    Ours,
}

impl Rules {
    /// Reads the rules; `host` is this machine's name.
    ///
    /// # Errors
    /// The line that is none, and why.
    pub fn parse(text: &str, host: &str) -> Result<Rules, String> {
        let mut rules = Rules::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let error = |what: &str| format!("deviations.rules:{}: {what}", number + 1);
            let (id, rule) = line
                .split_once(char::is_whitespace)
                .ok_or_else(|| error("a rule has an id and what it says"))?;
            let rule = rule.trim();
            let (word, names) = rule.split_once(char::is_whitespace).unwrap_or((rule, ""));
            let names = || names.split_whitespace().map(pattern).collect::<Result<Vec<_>, _>>();
            let what = match word {
                _ if id == "@measured" => {
                    let all: Result<Vec<_>, _> = rule.split_whitespace().map(pattern).collect();
                    rules.measured.extend(all.map_err(|e| error(&e))?);
                    continue;
                }
                "key" => What::Keys { part: "out", names: names().map_err(|e| error(&e))? },
                "env" => What::Keys { part: "env", names: names().map_err(|e| error(&e))? },
                _ => {
                    let (side, rewrite) = match rule.strip_prefix("ours ") {
                        Some(rewrite) => (Side::Ours, rewrite),
                        None => (Side::Slurm, rule),
                    };
                    let (from, to) =
                        parts(rewrite).ok_or_else(|| error("a rule says `key`, `env` or s/REGEX/TEXT/"))?;
                    let from = Regex::new(&format!("(?m){from}")).map_err(|e| error(&e.to_string()))?;
                    What::Rewrite { side, from, to: to.replace("@HOST@", host) }
                }
            };
            rules.rules.push(Rule { id: id.to_owned(), text: line.to_owned(), what });
        }
        Ok(rules)
    }

    /// The deviation that allows a key to differ.
    pub fn of_key(&self, part: &str, key: Option<&str>) -> Option<String> {
        let key = key?;
        let fits = |rule: &Rule| match &rule.what {
            What::Keys { part: own, names } => *own == part && names.iter().any(|name| name.is_match(key)),
            What::Rewrite { .. } => false,
        };
        let number = self.rules.iter().position(fits)?;
        self.used.borrow_mut().insert(number);
        Some(self.rules[number].id.clone())
    }

    /// A text as it would be without the deviations.
    pub fn rewrite(&self, of: Side, text: &str) -> String {
        let mut text = text.to_owned();
        for (number, rule) in self.rules.iter().enumerate() {
            if let What::Rewrite { side, from, to } = &rule.what
                && *side == of
                && from.is_match(&text)
            {
                self.used.borrow_mut().insert(number);
                text = from.replace_all(&text, to.as_str()).into_owned();
            }
        }
        text
    }

    /// Whether a key's number is measured.
    pub fn is_measured(&self, key: &str) -> bool {
        self.measured.iter().any(|name| name.is_match(key))
    }

    /// Rules that nothing has needed.
    pub fn unused(&self) -> Vec<&str> {
        let used = self.used.borrow();
        let rules = self.rules.iter().enumerate().filter(|(number, _)| !used.contains(number));
        rules.map(|(_, rule)| rule.text.as_str()).collect()
    }

    /// The ids that the rules name.
    #[cfg(test)]
    pub fn ids(&self) -> BTreeSet<String> {
        self.rules.iter().map(|rule| rule.id.clone()).collect()
    }
}

/// REGEX and TEXT of `s/REGEX/TEXT/`; any character may stand for the `/`.
fn parts(rewrite: &str) -> Option<(&str, &str)> {
    let rewrite = rewrite.strip_prefix('s')?;
    let between = rewrite.chars().next().filter(|c| !c.is_alphanumeric())?;
    rewrite.strip_prefix(between)?.strip_suffix(between)?.split_once(between)
}

/// A name in which `*` stands for anything.
fn pattern(name: &str) -> Result<Regex, String> {
    let escaped = regex::escape(name).replace("\\*", ".*");
    Regex::new(&format!("^(?:{escaped})$")).map_err(|e| e.to_string())
}

/// The ids of docs/deviations.md: the first column of its tables, where one cell may hold several.
#[cfg(test)]
pub fn documented(text: &str) -> BTreeSet<String> {
    let cells = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let ids = cells.filter(|cell| *cell != "id").flat_map(|cell| cell.split(", "));
    ids.map(|id| id.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_nothing_needs_is_told() {
        let rules = Rules::parse("# text\na key X\nb s/x(.)/y$1/\n", "h").unwrap();
        assert_eq!(rules.unused(), ["a key X", "b s/x(.)/y$1/"]);
        assert_eq!(rules.rewrite(Side::Slurm, "axbx"), "aybx", "{rules:?}");
        assert_eq!(rules.unused(), ["a key X"]);
        assert_eq!(rules.of_key("out", Some("X")).as_deref(), Some("a"));
        assert_eq!(rules.of_key("out", Some("XY")), None);
        assert!(rules.unused().is_empty());
    }

    #[test]
    fn rules_and_cases_name_documented_deviations() {
        let root = crate::workspace();
        let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
        let documented = documented(&read("docs/deviations.md"));
        let mut named = Rules::parse(&read("tests/diff/deviations.rules"), "h").unwrap().ids();
        for case in crate::diff::cases::load(&root.join("tests/diff")).unwrap() {
            let words: Vec<&str> = case.script.split_whitespace().collect();
            named.extend(words.windows(2).filter(|w| w[0] == "deviates").map(|w| w[1].to_owned()));
        }
        let unknown: Vec<_> = named.difference(&documented).collect();
        assert!(unknown.is_empty(), "these are not rows of docs/deviations.md: {unknown:?}");
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in ["x", "x keys A", "x s/a/b", "x s/(/b/"] {
            assert!(Rules::parse(text, "h").is_err(), "{text}");
        }
    }

    #[test]
    fn ids_stand_in_the_first_column() {
        let text = "# T\n\n| id | Slurm |\n|---|---|\n| a-b | x |\n| c, d | y |\n";
        assert_eq!(documented(text).into_iter().collect::<Vec<_>>(), ["a-b", "c", "d"]);
    }
}
