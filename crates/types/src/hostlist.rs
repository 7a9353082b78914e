//! Hostlists: `n[1-4,7],login1`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// The most names that one expression may stand for.
pub const MAX_HOSTS: usize = 65_536;

/// An expanded hostlist, in the order given, without doubles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HostList {
    /// The names.
    pub names: Vec<String>,
}

/// Why a hostlist is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostListError {
    /// A bracket is not closed, or not opened.
    Bracket,
    /// What stands between brackets is no list of numbers and ranges: the part.
    Range(String),
    /// It stands for more than [`MAX_HOSTS`] names.
    TooMany,
}

impl fmt::Display for HostListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostListError::Bracket => f.write_str("unbalanced bracket"),
            HostListError::Range(part) => write!(f, "invalid range `{part}`"),
            HostListError::TooMany => write!(f, "more than {MAX_HOSTS} names"),
        }
    }
}

impl std::error::Error for HostListError {}

impl HostList {
    /// The names in this order, without doubles.
    pub fn new(names: impl IntoIterator<Item = String>) -> HostList {
        let mut seen = BTreeSet::new();
        HostList { names: names.into_iter().filter(|n| seen.insert(n.clone())).collect() }
    }

    /// Expands `n[1-4,7],r[1-2]n[01-03]`. Names are separated by commas or white space; an empty expression
    /// stands for no name.
    ///
    /// # Errors
    /// [`HostListError`].
    pub fn parse(text: &str) -> Result<HostList, HostListError> {
        let mut names = Vec::new();
        for part in split(text)? {
            expand(part, &mut names)?;
        }
        Ok(HostList::new(names))
    }

    /// The names sorted as Slurm sorts nodes: numbers within names by their value.
    pub fn sorted(mut self) -> HostList {
        self.names.sort_by(|a, b| natural(a, b));
        self
    }
}

impl<S: Into<String>> FromIterator<S> for HostList {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> HostList {
        HostList::new(names.into_iter().map(Into::into))
    }
}

impl fmt::Display for HostList {
    /// The compressed form, see [`compress`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&compress(self.names.iter().map(String::as_str)))
    }
}

/// Cuts a text at the separators that stand outside brackets: ids with sets of tasks, names with ranges. What the brackets
/// hold, and whether there are as many of either, is not looked at.
pub fn outside_brackets(text: &str, separates: impl Fn(char) -> bool) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    text.split(move |c| {
        depth += i32::from(c == '[') - i32::from(c == ']');
        separates(c) && depth <= 0
    })
}

/// Cuts an expression at the commas and spaces outside brackets.
fn split(text: &str) -> Result<Vec<&str>, HostListError> {
    let (mut parts, mut start, mut within) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        match c {
            '[' if within => return Err(HostListError::Bracket),
            '[' => within = true,
            ']' if !within => return Err(HostListError::Bracket),
            ']' => within = false,
            c if !within && (c == ',' || c.is_ascii_whitespace()) => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if within {
        return Err(HostListError::Bracket);
    }
    parts.push(&text[start..]);
    parts.retain(|p| !p.is_empty());
    Ok(parts)
}

/// Expands one part with any number of brackets; `out` grows up to [`MAX_HOSTS`].
fn expand(part: &str, out: &mut Vec<String>) -> Result<(), HostListError> {
    let mut prefixes = vec![String::new()];
    let mut rest = part;
    while let Some((before, after)) = rest.split_once('[') {
        let (inside, tail) = after.split_once(']').ok_or(HostListError::Bracket)?;
        let numbers = numbers(inside)?;
        if prefixes.len().saturating_mul(numbers.len()) > MAX_HOSTS {
            return Err(HostListError::TooMany);
        }
        prefixes =
            prefixes.iter().flat_map(|p| numbers.iter().map(move |n| format!("{p}{before}{n}"))).collect();
        rest = tail;
    }
    if out.len() + prefixes.len() > MAX_HOSTS {
        return Err(HostListError::TooMany);
    }
    out.extend(prefixes.into_iter().map(|p| p + rest));
    Ok(())
}

/// `01-03,7` as the texts of its numbers, padded as the first of each range is.
fn numbers(inside: &str) -> Result<Vec<String>, HostListError> {
    let mut out = Vec::new();
    for range in inside.split(',') {
        let bad = || HostListError::Range(range.to_owned());
        let digits = |t: &str| (!t.is_empty() && t.bytes().all(|b| b.is_ascii_digit())).then_some(());
        let (a, b) = range.split_once('-').unwrap_or((range, range));
        digits(a).and(digits(b)).ok_or_else(bad)?;
        let (first, last): (u64, u64) = (a.parse().map_err(|_| bad())?, b.parse().map_err(|_| bad())?);
        // The width is written into every name, so it is bounded like their number.
        if last < first || a.len() > 20 {
            return Err(bad());
        }
        if last - first >= MAX_HOSTS as u64 || out.len() + (last - first) as usize >= MAX_HOSTS {
            return Err(HostListError::TooMany);
        }
        out.extend((first..=last).map(|n| format!("{n:0width$}", width = a.len())));
    }
    Ok(out)
}

/// Writes names with common prefixes together, in the order given: `n1,n2,n5` is `n[1-2,5]`. Only the number at
/// the end of a name is put into brackets, and zeros that pad it are kept.
pub fn compress<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::new();
    let mut group = Group::default();
    for name in names {
        let (prefix, number) = cut_number(name);
        if let Some(n) = number
            && !group.ranges.is_empty()
            && group.prefix == prefix
        {
            group.add(n, name.len() - prefix.len());
            continue;
        }
        group.write(&mut out);
        group = Group { prefix, ranges: Vec::new() };
        match number {
            Some(n) => group.add(n, name.len() - prefix.len()),
            None => {
                push_name(&mut out, name);
                group = Group::default();
            }
        }
    }
    group.write(&mut out);
    out
}

/// Names that differ in their last number only.
#[derive(Default)]
struct Group<'a> {
    prefix: &'a str,
    /// First and last number and the width in digits.
    ranges: Vec<(u64, u64, usize)>,
}

impl Group<'_> {
    fn add(&mut self, n: u64, width: usize) {
        if let Some((_, last, w)) = self.ranges.last_mut() {
            // 9 is followed by 10, and 09 by 10, but 1 is not followed by 02.
            let shown = format!("{n:0w$}", w = *w).len();
            if last.checked_add(1) == Some(n) && shown == width {
                *last = n;
                return;
            }
        }
        self.ranges.push((n, n, width));
    }

    fn write(&self, out: &mut String) {
        match self.ranges[..] {
            [] => {}
            [(a, b, w)] if a == b => push_name(out, &format!("{}{a:0w$}", self.prefix)),
            _ => {
                let list: Vec<String> = self
                    .ranges
                    .iter()
                    .map(|&(a, b, w)| if a == b { format!("{a:0w$}") } else { format!("{a:0w$}-{b:0w$}") })
                    .collect();
                push_name(out, &format!("{}[{}]", self.prefix, list.join(",")));
            }
        }
    }
}

fn push_name(out: &mut String, name: &str) {
    if !out.is_empty() {
        out.push(',');
    }
    out.push_str(name);
}

/// A name before its last number, and that number (at most 18 digits, so that it fits).
fn cut_number(name: &str) -> (&str, Option<u64>) {
    let digits = name.bytes().rev().take_while(u8::is_ascii_digit).count().min(18);
    let prefix = &name[..name.len() - digits];
    (prefix, name[prefix.len()..].parse().ok())
}

/// Compares names so that `n9` comes before `n10`.
fn natural(a: &str, b: &str) -> std::cmp::Ordering {
    let ((pa, na), (pb, nb)) = (cut_number(a), cut_number(b));
    (pa, na, a.len(), a).cmp(&(pb, nb, b.len(), b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn expands_as_scontrol_show_hostnames_does() {
        for (given, names) in [
            ("n[1-3,7]", "n1 n2 n3 n7"),
            ("n[08-11]", "n08 n09 n10 n11"),
            ("r[1-2]n[1-3]", "r1n1 r1n2 r1n3 r2n1 r2n2 r2n3"),
            ("n[1-2]-ib[0-1]", "n1-ib0 n1-ib1 n2-ib0 n2-ib1"),
            ("n1,,n2 n3", "n1 n2 n3"),
            ("n[1-2],n1", "n1 n2"),
            ("[10-11]", "10 11"),
            ("", ""),
        ] {
            assert_eq!(HostList::parse(given).unwrap().names.join(" "), names, "{given}");
        }
    }

    #[test]
    fn compresses_as_scontrol_show_hostlist_does() {
        for (names, shown) in [
            ("n1,m1,n2", "n1,m1,n2"),
            ("n09,n10,n11", "n[09-11]"),
            ("n9,n10", "n[9-10]"),
            ("n08,n9,n10", "n[08,9-10]"),
            ("n1,n3,n5", "n[1,3,5]"),
            ("c3cpu-a2-u1-1,c3cpu-a2-u1-2", "c3cpu-a2-u1-[1-2]"),
            ("a,b,c", "a,b,c"),
            ("n3,n1,n2", "n[3,1-2]"),
            ("n1,n01,n2,n02", "n[1,01,2,02]"),
            ("node,node1", "node,node1"),
            ("n1x,n2x", "n1x,n2x"),
            ("10,11", "[10-11]"),
        ] {
            assert_eq!(compress(names.split(',')), shown);
        }
        assert_eq!(HostList::parse("n10,n9,m3,n01").unwrap().sorted().to_string(), "m3,n[01,9-10]");
    }

    #[test]
    fn what_is_no_hostlist_is_refused() {
        for bad in ["n[", "n]", "n[1-", "n[[1]]", "n[1]]"] {
            assert_eq!(HostList::parse(bad), Err(HostListError::Bracket), "{bad}");
        }
        for bad in ["n[]", "n[3-1]", "n[a-b]", "n[1,,2]", "n[ 1]", "n[99999999999999999999999]"] {
            assert!(matches!(HostList::parse(bad), Err(HostListError::Range(_))), "{bad}");
        }
        for bad in
            ["n[1-99999999]", "a[1-1000]b[1-1000]", "n[1-65537]", "n[1-65536],m", "a[1-40000],b[1-40000]"]
        {
            assert_eq!(HostList::parse(bad), Err(HostListError::TooMany), "{bad}");
        }
        assert_eq!(HostList::parse("n[1-65536]").unwrap().names.len(), MAX_HOSTS);
    }

    proptest! {
        #[test]
        fn what_is_compressed_expands_again(names in prop::collection::vec("[a-c]{0,2}-?[0-9]{1,4}x?", 0..30)) {
            let list = HostList::new(names);
            prop_assert_eq!(HostList::parse(&list.to_string()).unwrap(), list);
        }

        #[test]
        fn garbage_never_panics(text in "[n0-9,\\[\\]é -]{0,30}") {
            let _ = HostList::parse(&text);
            let _ = compress(text.split(','));
        }
    }
}
