//! Sets of small numbers: CPU and generic-resource indices of a node.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A set of indices below [`IndexSet::LIMIT`], one bit each. Printed and serialized as ranges, `0-3,7`.
#[derive(Clone, Debug, Default)]
pub struct IndexSet {
    words: Vec<u64>,
}

impl PartialEq for IndexSet {
    /// Trailing empty words do not matter.
    fn eq(&self, other: &IndexSet) -> bool {
        let longest = self.words.len().max(other.words.len());
        (0..longest).all(|w| self.word(w) == other.word(w))
    }
}

impl Eq for IndexSet {}

impl IndexSet {
    /// Indices are below this, so that a corrupt text cannot ask for unbounded memory.
    pub const LIMIT: u32 = 1 << 20;

    /// `0..n`.
    pub fn below(n: u32) -> IndexSet {
        let mut words = vec![u64::MAX; (n / 64) as usize];
        if !n.is_multiple_of(64) {
            words.push((1 << (n % 64)) - 1);
        }
        IndexSet { words }
    }

    fn word(&self, w: usize) -> u64 {
        self.words.get(w).copied().unwrap_or(0)
    }

    /// How many indices it has.
    pub fn len(&self) -> u32 {
        self.words.iter().map(|w| w.count_ones()).sum()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|w| *w == 0)
    }

    /// Whether it has this one.
    pub fn contains(&self, i: u32) -> bool {
        self.word((i / 64) as usize) & (1 << (i % 64)) != 0
    }

    /// Adds one; indices at or above [`IndexSet::LIMIT`] are not added.
    pub fn insert(&mut self, i: u32) {
        if i >= IndexSet::LIMIT {
            return;
        }
        let w = (i / 64) as usize;
        if self.words.len() <= w {
            self.words.resize(w + 1, 0);
        }
        self.words[w] |= 1 << (i % 64);
    }

    /// Its members, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(w, &word)| {
            std::iter::successors((word != 0).then_some(word), |rest| {
                let rest = rest & (rest - 1);
                (rest != 0).then_some(rest)
            })
            .map(move |rest| w as u32 * 64 + rest.trailing_zeros())
        })
    }

    /// Whether all of `other` is in it.
    pub fn is_superset(&self, other: &IndexSet) -> bool {
        other.words.iter().enumerate().all(|(w, word)| word & !self.word(w) == 0)
    }

    /// Whether it shares a member with `other`.
    pub fn intersects(&self, other: &IndexSet) -> bool {
        self.words.iter().zip(&other.words).any(|(a, b)| a & b != 0)
    }

    /// Adds all of `other`.
    pub fn add(&mut self, other: &IndexSet) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            *word |= more;
        }
    }

    /// Removes all of `other`.
    pub fn subtract(&mut self, other: &IndexSet) {
        for (word, less) in self.words.iter_mut().zip(&other.words) {
            *word &= !less;
        }
    }

    /// How many members lie in `from..to`.
    pub fn count_within(&self, from: u32, to: u32) -> u32 {
        self.iter().skip_while(|i| *i < from).take_while(|i| *i < to).count() as u32
    }

    /// Removes and returns the `n` lowest members within `from..to`; none if there are fewer.
    pub fn take_lowest(&mut self, n: u32, from: u32, to: u32) -> Option<IndexSet> {
        let mut taken = IndexSet::default();
        let mut count = 0;
        for i in self.iter().skip_while(|i| *i < from).take_while(|i| *i < to) {
            if count == n {
                break;
            }
            taken.insert(i);
            count += 1;
        }
        if count < n {
            return None;
        }
        self.subtract(&taken);
        Some(taken)
    }
}

impl FromIterator<u32> for IndexSet {
    fn from_iter<I: IntoIterator<Item = u32>>(indices: I) -> IndexSet {
        let mut set = IndexSet::default();
        indices.into_iter().for_each(|i| set.insert(i));
        set
    }
}

impl fmt::Display for IndexSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut members = self.iter().peekable();
        let mut comma = "";
        while let Some(first) = members.next() {
            let mut last = first;
            while let Some(next) = members.next_if_eq(&(last + 1)) {
                last = next;
            }
            if first == last {
                write!(f, "{comma}{first}")?
            } else {
                write!(f, "{comma}{first}-{last}")?
            }
            comma = ",";
        }
        Ok(())
    }
}

impl std::str::FromStr for IndexSet {
    type Err = String;
    fn from_str(text: &str) -> Result<IndexSet, String> {
        let mut set = IndexSet::default();
        let number = |s: &str| {
            let n: u32 = s.parse().map_err(|_| format!("`{s}` is not an index"))?;
            if n < IndexSet::LIMIT { Ok(n) } else { Err(format!("index {n} is too large")) }
        };
        for range in text.split(',').filter(|r| !r.is_empty()) {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            (number(first)?..=number(last)?).for_each(|i| set.insert(i));
        }
        Ok(set)
    }
}

impl Serialize for IndexSet {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IndexSet {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<IndexSet, D::Error> {
        String::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn behaves_as_a_set(a: BTreeSet<u8>, b: BTreeSet<u8>, n in 0u32..20, from in 0u32..200) {
            let set = |s: &BTreeSet<u8>| s.iter().map(|i| u32::from(*i)).collect::<IndexSet>();
            let (x, y) = (set(&a), set(&b));
            prop_assert_eq!(x.len() as usize, a.len());
            prop_assert!(x.iter().eq(a.iter().map(|i| u32::from(*i))));
            prop_assert_eq!(x.is_superset(&y), a.is_superset(&b));
            prop_assert_eq!(x.intersects(&y), !a.is_disjoint(&b));
            let mut sum = x.clone();
            sum.add(&y);
            prop_assert_eq!(&sum, &set(&a.union(&b).copied().collect()));
            let mut rest = x.clone();
            rest.subtract(&y);
            prop_assert_eq!(&rest, &set(&a.difference(&b).copied().collect()));
            prop_assert_eq!(x.to_string().parse::<IndexSet>().unwrap(), x.clone());
            let mut left = x.clone();
            let within: Vec<u32> = x.iter().filter(|i| (from..from + 50).contains(i)).collect();
            prop_assert_eq!(x.count_within(from, from + 50) as usize, within.len());
            match left.take_lowest(n, from, from + 50) {
                Some(taken) => {
                    prop_assert!(taken.iter().eq(within.into_iter().take(n as usize)));
                    prop_assert!(!left.intersects(&taken));
                    left.add(&taken);
                    prop_assert_eq!(left, x);
                }
                None => {
                    prop_assert!(within.len() < n as usize);
                    prop_assert_eq!(left, x);
                }
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9,-]{0,12}") {
            if let Ok(set) = text.parse::<IndexSet>() {
                prop_assert_eq!(set.to_string().parse::<IndexSet>().unwrap(), set);
            }
        }
    }

    #[test]
    fn below_is_a_prefix() {
        for n in [0, 1, 63, 64, 65, 128] {
            assert_eq!(IndexSet::below(n), (0..n).collect::<IndexSet>());
        }
        assert_eq!(IndexSet::below(5).to_string(), "0-4");
    }
}
