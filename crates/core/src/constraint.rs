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
    /// `a*2`: it holds for all nodes, and for at least so many.
    Counted(Box<Constraint>, u32),
    /// `[a*1&b*2]`: each holds for at least so many nodes, and every node is one of these.
    Together(Vec<(Constraint, u32)>),
    /// `[a|b]`: the same one holds for all nodes.
    Matching(Vec<Constraint>),
}

/// Deeper nesting of parentheses is refused.
const DEPTH: usize = 32;

impl Constraint {
    /// Parses an expression; none if it is not one. Counts and brackets stand at the top only, joined to the rest by `&`, and
    /// there is one pair of brackets with `|` at most.
    pub fn parse(text: &str) -> Option<Constraint> {
        let mut parser = Parser { rest: text };
        let whole = parser.any(0)?;
        (parser.rest.is_empty() && whole.is_well_formed()).then_some(whole)
    }

    /// Whether a node with these features fits.
    pub fn holds(&self, features: &BTreeSet<String>) -> bool {
        match self {
            Constraint::Feature(f) => features.contains(f),
            Constraint::All(parts) => parts.iter().all(|p| p.holds(features)),
            Constraint::Any(parts) | Constraint::Matching(parts) => parts.iter().any(|p| p.holds(features)),
            Constraint::Counted(part, _) => part.holds(features),
            Constraint::Together(parts) => parts.iter().any(|(p, _)| p.holds(features)),
        }
    }

    /// Every feature it names.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Constraint::Feature(f) => vec![f],
            Constraint::All(parts) | Constraint::Any(parts) | Constraint::Matching(parts) => {
                parts.iter().flat_map(|p| p.names()).collect()
            }
            Constraint::Counted(part, _) => part.names(),
            Constraint::Together(parts) => parts.iter().flat_map(|(p, _)| p.names()).collect(),
        }
    }

    /// What must hold for at least so many nodes.
    pub fn counts(&self) -> Vec<(&Constraint, u32)> {
        match self {
            Constraint::All(parts) => parts.iter().flat_map(|p| p.counts()).collect(),
            Constraint::Counted(part, count) => vec![(part, *count)],
            Constraint::Together(parts) => parts.iter().map(|(p, count)| (p, *count)).collect(),
            _ => Vec::new(),
        }
    }

    /// Of these the same one must hold for all nodes; empty: there is no such choice.
    pub fn choices(&self) -> &[Constraint] {
        match self {
            Constraint::All(parts) => {
                parts.iter().map(Constraint::choices).find(|c| !c.is_empty()).unwrap_or_default()
            }
            Constraint::Matching(parts) => parts,
            _ => &[],
        }
    }

    fn is_plain(&self) -> bool {
        match self {
            Constraint::Feature(_) => true,
            Constraint::All(parts) | Constraint::Any(parts) => parts.iter().all(Constraint::is_plain),
            _ => false,
        }
    }

    fn is_well_formed(&self) -> bool {
        let is_top = |part: &Constraint| match part {
            Constraint::Counted(part, _) => part.is_plain(),
            Constraint::Together(parts) => parts.iter().all(|(p, _)| p.is_plain()),
            Constraint::Matching(parts) => parts.iter().all(Constraint::is_plain),
            other => other.is_plain(),
        };
        match self {
            Constraint::All(parts) => {
                let choices = parts.iter().filter(|p| matches!(p, Constraint::Matching(_))).count();
                parts.iter().all(is_top) && choices <= 1
            }
            whole => is_top(whole),
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn eat(&mut self, c: char) -> bool {
        let rest = self.rest.strip_prefix(c);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn any(&mut self, depth: usize) -> Option<Constraint> {
        let mut parts = vec![self.all(depth)?];
        while self.eat('|') {
            parts.push(self.all(depth)?);
        }
        Some(if parts.len() == 1 { parts.remove(0) } else { Constraint::Any(parts) })
    }

    fn all(&mut self, depth: usize) -> Option<Constraint> {
        let mut parts = vec![self.term(depth)?];
        while self.eat('&') {
            parts.push(self.term(depth)?);
        }
        Some(if parts.len() == 1 { parts.remove(0) } else { Constraint::All(parts) })
    }

    /// A term with or without a count, or brackets.
    fn term(&mut self, depth: usize) -> Option<Constraint> {
        if self.eat('[') {
            return self.brackets(depth);
        }
        let part = self.atom(depth)?;
        Some(match self.count()? {
            Some(count) => Constraint::Counted(Box::new(part), count),
            None => part,
        })
    }

    /// `*2` of a term; the outer `None` for what is no count.
    #[expect(clippy::option_option, reason = "no count is not a wrong count")]
    fn count(&mut self) -> Option<Option<u32>> {
        if !self.eat('*') {
            return Some(None);
        }
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        number.parse().ok().filter(|n| *n > 0).map(Some)
    }

    /// What follows `[`: terms with counts joined by `&`, or terms without joined by `|`.
    fn brackets(&mut self, depth: usize) -> Option<Constraint> {
        let (mut counted, mut choices) = (Vec::new(), Vec::new());
        loop {
            let part = self.atom(depth)?;
            match self.count()? {
                Some(count) => counted.push((part, count)),
                None => choices.push(part),
            }
            if self.eat(']') {
                break;
            }
            if !self.eat(if counted.is_empty() { '|' } else { '&' }) {
                return None;
            }
        }
        match (counted.is_empty(), choices.is_empty()) {
            (true, false) => Some(Constraint::Matching(choices)),
            (false, true) => Some(Constraint::Together(counted)),
            _ => None,
        }
    }

    fn atom(&mut self, depth: usize) -> Option<Constraint> {
        if self.eat('(') {
            if depth == DEPTH {
                return None;
            }
            let inner = self.any(depth + 1)?;
            return self.eat(')').then_some(inner);
        }
        let is_name = |c: char| c.is_alphanumeric() || "_-.:=/+".contains(c);
        let end = self.rest.find(|c: char| !is_name(c)).unwrap_or(self.rest.len());
        if end == 0 {
            return None;
        }
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(Constraint::Feature(name.to_string()))
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
    fn counts_and_choices() {
        let read = |text: &str| {
            let c = Constraint::parse(text)?;
            let counts =
                c.counts().iter().map(|(c, n)| format!("{}*{n}", c.names().join("+"))).collect::<Vec<_>>();
            let choices = c.choices().iter().map(|c| c.names().join("+")).collect::<Vec<_>>();
            Some((counts.join(" "), choices.join(" ")))
        };
        for (text, counts, choices) in [
            ("a&b", "", ""),
            ("a*2", "a*2", ""),
            ("[a*1&b*2]", "a*1 b*2", ""),
            ("[(a&b)*1&c*2]&d", "a+b*1 c*2", ""),
            ("[a|b]", "", "a b"),
            ("d&[a|(b&c)]", "", "a b+c"),
        ] {
            assert_eq!(read(text), Some((counts.to_owned(), choices.to_owned())), "{text}");
        }
        assert!(holds("[a*1&b*1]", "b") && holds("[a|b]", "b") && !holds("[a|b]&c", "b"));
    }

    /// As Slurm 22.05.8: `Invalid feature specification`.
    #[test]
    fn what_is_no_constraint() {
        let deep = "(".repeat(1000);
        for bad in [
            "",
            "a&",
            "(a",
            "a)",
            "|",
            "a b",
            "[a",
            "[a*1|b*1]",
            "[a*2&b]",
            "[a&b]",
            "[a*0&b*1]",
            "[a*x]",
            "a*0",
            "a*2|b",
            "[a|b]&[c|d]",
            &deep,
        ] {
            assert_eq!(Constraint::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "[ab&|()*\\[\\] 12]{0,16}") {
            if let Some(c) = Constraint::parse(&text) {
                prop_assert!(!c.names().is_empty());
            }
        }
    }
}
