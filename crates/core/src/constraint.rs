//! --constraint: which features a job's nodes must have.

use std::collections::BTreeSet;

/// A parsed expression over features: `&` binds closer than `|`, parentheses group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// The node has the feature.
    Feature(String),
    /// All hold.
    All(Vec<Constraint>),
    /// One holds.
    Any(Vec<Constraint>),
}

/// Deeper nesting of parentheses is refused.
const DEPTH: usize = 32;

impl Constraint {
    /// Parses an expression.
    ///
    /// # Errors
    /// What is wrong, as a sentence for the user. Node counts (`gpu*2`) and the matching brackets (`[a|b]`) are
    /// not supported and refused here.
    pub fn parse(text: &str) -> Result<Constraint, String> {
        let mut parser = Parser { text, rest: text };
        let whole = parser.any(0)?;
        if parser.rest.is_empty() { Ok(whole) } else { Err(parser.unexpected()) }
    }

    /// Whether a node with these features fits.
    pub fn holds(&self, features: &BTreeSet<String>) -> bool {
        match self {
            Constraint::Feature(f) => features.contains(f),
            Constraint::All(parts) => parts.iter().all(|p| p.holds(features)),
            Constraint::Any(parts) => parts.iter().any(|p| p.holds(features)),
        }
    }

    /// Every feature it names.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Constraint::Feature(f) => vec![f],
            Constraint::All(parts) | Constraint::Any(parts) => parts.iter().flat_map(|p| p.names()).collect(),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
}

impl Parser<'_> {
    fn unexpected(&self) -> String {
        match self.rest.chars().next() {
            Some('*') => format!("constraint `{}`: node counts (feature*count) are not supported", self.text),
            Some('[') => format!("constraint `{}`: matching brackets are not supported", self.text),
            Some(c) => format!("constraint `{}`: unexpected `{c}`", self.text),
            None => format!("constraint `{}` is not complete", self.text),
        }
    }

    fn eat(&mut self, c: char) -> bool {
        let rest = self.rest.strip_prefix(c);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn any(&mut self, depth: usize) -> Result<Constraint, String> {
        let mut parts = vec![self.all(depth)?];
        while self.eat('|') {
            parts.push(self.all(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Constraint::Any(parts) })
    }

    fn all(&mut self, depth: usize) -> Result<Constraint, String> {
        let mut parts = vec![self.atom(depth)?];
        while self.eat('&') {
            parts.push(self.atom(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Constraint::All(parts) })
    }

    fn atom(&mut self, depth: usize) -> Result<Constraint, String> {
        if self.eat('(') {
            if depth == DEPTH {
                return Err(format!("constraint `{}`: too many parentheses", self.text));
            }
            let inner = self.any(depth + 1)?;
            return if self.eat(')') { Ok(inner) } else { Err(self.unexpected()) };
        }
        let end = self
            .rest
            .find(|c: char| !(c.is_alphanumeric() || "_-.:=/+".contains(c)))
            .unwrap_or(self.rest.len());
        if end == 0 {
            return Err(self.unexpected());
        }
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(Constraint::Feature(name.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holds(text: &str, features: &str) -> bool {
        let features = features.split(',').map(str::to_string).collect();
        Constraint::parse(text).unwrap().holds(&features)
    }

    #[test]
    fn and_binds_closer_than_or() {
        assert!(holds("a", "a,b"));
        assert!(!holds("a&c", "a,b"));
        assert!(holds("a&c|b", "b"));
        assert!(!holds("a&(c|b)", "b"));
        assert!(holds("a&(c|b)", "b,a"));
    }

    #[test]
    fn what_is_not_supported_is_refused_with_its_name() {
        assert!(Constraint::parse("gpu*2").unwrap_err().contains("node counts"));
        assert!(Constraint::parse("[a|b]").unwrap_err().contains("brackets"));
        for bad in ["", "a&", "(a", "a)", "|", "a b", &"(".repeat(1000)] {
            assert!(Constraint::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "[ab&|()*\\[\\] ]{0,16}") {
            if let Ok(c) = Constraint::parse(&text) {
                prop_assert!(!c.names().is_empty());
            }
        }
    }
}
