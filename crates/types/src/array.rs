//! Job arrays: the expression of --array and sets of task indices.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A set of array task indices as sorted, disjoint, non-adjacent ranges: a million consecutive tasks take one
/// entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Ranges")]
pub struct TaskSet {
    /// Inclusive ranges `(first, last)`, ascending, with a gap of at least one index between two.
    ranges: Vec<(u32, u32)>,
}

/// A set as it came in from outside, in any order: the invariant is made by [`TaskSet::from_ranges`].
#[derive(Deserialize)]
struct Ranges {
    ranges: Vec<(u32, u32)>,
}

impl From<Ranges> for TaskSet {
    fn from(r: Ranges) -> TaskSet {
        TaskSet::from_ranges(r.ranges)
    }
}

/// --array: the tasks and, after `%`, how many may run at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArraySpec {
    /// The indices.
    pub tasks: TaskSet,
    /// The throttle; none: no limit.
    pub max_running: Option<u32>,
}

/// Why an array expression is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArrayError {
    /// It is no list of numbers and ranges.
    Syntax,
    /// An index is above the largest one allowed (MaxArraySize - 1).
    TooLarge,
}

impl fmt::Display for ArrayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ArrayError::Syntax => "not a list of indices such as 1-10:2,15",
            ArrayError::TooLarge => "an index is above the cluster's MaxArraySize",
        })
    }
}

impl std::error::Error for ArrayError {}

impl TaskSet {
    /// The set of all indices in these inclusive ranges, given in any order and overlapping as they like; a range
    /// whose end lies before its start is empty.
    pub fn from_ranges(ranges: impl IntoIterator<Item = (u32, u32)>) -> TaskSet {
        let mut sorted: Vec<(u32, u32)> = ranges.into_iter().filter(|(a, b)| a <= b).collect();
        sorted.sort_unstable();
        let mut out: Vec<(u32, u32)> = Vec::with_capacity(sorted.len());
        for (a, b) in sorted {
            match out.last_mut() {
                Some(last) if a <= last.1.saturating_add(1) => last.1 = last.1.max(b),
                _ => out.push((a, b)),
            }
        }
        TaskSet { ranges: out }
    }

    /// The set of one index.
    pub fn single(index: u32) -> TaskSet {
        TaskSet { ranges: vec![(index, index)] }
    }

    /// Parses `1-10:2,15` (brackets around it are allowed); no index may be above `max`.
    ///
    /// # Errors
    /// [`ArrayError`]; an empty expression is a syntax error.
    pub fn parse(text: &str, max: u32) -> Result<TaskSet, ArrayError> {
        let text = match text.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or(ArrayError::Syntax)?,
            None => text,
        };
        let mut ranges = Vec::new();
        for part in text.split(',') {
            let (range, step) = match part.split_once(':') {
                Some((range, step)) => (range, number(step)?),
                None => (part, 1),
            };
            let (first, last) = match range.split_once('-') {
                Some((a, b)) => (number(a)?, number(b)?),
                None if part.contains(':') => return Err(ArrayError::Syntax),
                None => (number(range)?, number(range)?),
            };
            if last < first || step == 0 {
                return Err(ArrayError::Syntax);
            }
            if last > max {
                return Err(ArrayError::TooLarge);
            }
            if step == 1 {
                ranges.push((first, last));
            } else {
                ranges.extend((first..=last).step_by(step as usize).map(|i| (i, i)));
            }
        }
        Ok(TaskSet::from_ranges(ranges))
    }

    /// The indices in ascending order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = u32> + '_ {
        self.ranges.iter().flat_map(|&(a, b)| a..=b)
    }

    /// The inclusive ranges, ascending, disjoint and not adjacent.
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// How many indices.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|&(a, b)| u64::from(b - a) + 1).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The smallest index.
    pub fn first(&self) -> Option<u32> {
        self.ranges.first().map(|r| r.0)
    }

    /// The largest index.
    pub fn last(&self) -> Option<u32> {
        self.ranges.last().map(|r| r.1)
    }

    /// Whether the index is in the set.
    pub fn contains(&self, index: u32) -> bool {
        self.find(index).is_ok()
    }

    /// The position of the range that holds the index, or where one would have to be put in.
    fn find(&self, index: u32) -> Result<usize, usize> {
        self.ranges.binary_search_by(|&(a, b)| {
            if b < index {
                std::cmp::Ordering::Less
            } else if a > index {
                std::cmp::Ordering::Greater
            } else {
                std::cmp::Ordering::Equal
            }
        })
    }

    /// Puts the index in; false if it was there.
    pub fn insert(&mut self, index: u32) -> bool {
        let Err(at) = self.find(index) else { return false };
        let joins_left = at > 0 && self.ranges[at - 1].1.checked_add(1) == Some(index);
        let joins_right = at < self.ranges.len() && index.checked_add(1) == Some(self.ranges[at].0);
        match (joins_left, joins_right) {
            (true, true) => {
                self.ranges[at - 1].1 = self.ranges[at].1;
                self.ranges.remove(at);
            }
            (true, false) => self.ranges[at - 1].1 = index,
            (false, true) => self.ranges[at].0 = index,
            (false, false) => self.ranges.insert(at, (index, index)),
        }
        true
    }

    /// Takes the index out; false if it was not there.
    pub fn remove(&mut self, index: u32) -> bool {
        let Ok(at) = self.find(index) else { return false };
        let (a, b) = self.ranges[at];
        match (a == index, b == index) {
            (true, true) => {
                self.ranges.remove(at);
            }
            (true, false) => self.ranges[at].0 = index + 1,
            (false, true) => self.ranges[at].1 = index - 1,
            (false, false) => {
                self.ranges[at].1 = index - 1;
                self.ranges.insert(at + 1, (index + 1, b));
            }
        }
        true
    }

    /// All indices of both sets.
    pub fn union(&self, other: &TaskSet) -> TaskSet {
        TaskSet::from_ranges(self.ranges.iter().chain(&other.ranges).copied())
    }

    /// The indices that are in both sets.
    pub fn intersection(&self, other: &TaskSet) -> TaskSet {
        let (mut i, mut j) = (0, 0);
        let mut out = Vec::new();
        while let (Some(&(a, b)), Some(&(c, d))) = (self.ranges.get(i), other.ranges.get(j)) {
            let (first, last) = (a.max(c), b.min(d));
            if first <= last {
                out.push((first, last));
            }
            if b < d { i += 1 } else { j += 1 }
        }
        TaskSet::from_ranges(out)
    }

    /// The indices that are not in `other`.
    pub fn difference(&self, other: &TaskSet) -> TaskSet {
        let mut out = Vec::new();
        let mut cuts = other.ranges.iter().peekable();
        for &(a, b) in &self.ranges {
            let mut from = Some(a);
            while let Some(&&(c, d)) = cuts.peek() {
                let Some(start) = from else { break };
                if d < start {
                    cuts.next();
                    continue;
                }
                if c > b {
                    break;
                }
                if c > start {
                    out.push((start, c - 1));
                }
                from = d.checked_add(1).filter(|&next| next <= b);
                if d <= b {
                    cuts.next();
                }
            }
            if let Some(start) = from {
                out.push((start, b));
            }
        }
        TaskSet::from_ranges(out)
    }

    /// The step of a set of indices that are evenly apart by more than one, if Slurm would name it: of at least six
    /// indices over a span of more than ten.
    fn even_step(&self) -> Option<u32> {
        let span = self.ranges.last()?.1 - self.ranges.first()?.0;
        if self.ranges.len() < 6 || span <= 10 || self.ranges.iter().any(|&(a, b)| a != b) {
            return None;
        }
        let step = self.ranges[1].0 - self.ranges[0].0;
        self.ranges.windows(2).all(|w| w[1].0 - w[0].0 == step).then_some(step)
    }
}

impl FromIterator<u32> for TaskSet {
    fn from_iter<I: IntoIterator<Item = u32>>(indices: I) -> TaskSet {
        TaskSet::from_ranges(indices.into_iter().map(|i| (i, i)))
    }
}

impl fmt::Display for TaskSet {
    /// `1-3,5`; many indices evenly apart as `0-20:2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(step), Some(first), Some(last)) = (self.even_step(), self.first(), self.last()) {
            return write!(f, "{first}-{last}:{step}");
        }
        for (n, &(a, b)) in self.ranges.iter().enumerate() {
            if n > 0 {
                f.write_str(",")?;
            }
            if a == b { write!(f, "{a}")? } else { write!(f, "{a}-{b}")? }
        }
        Ok(())
    }
}

impl ArraySpec {
    /// Parses `1-10:2,15%4`; no index may be above `max`. A throttle of 0 is no throttle.
    ///
    /// # Errors
    /// [`ArrayError`].
    pub fn parse(text: &str, max: u32) -> Result<ArraySpec, ArrayError> {
        let (tasks, throttle) = match text.split_once('%') {
            Some((tasks, throttle)) => (tasks, Some(number(throttle)?)),
            None => (text, None),
        };
        Ok(ArraySpec { tasks: TaskSet::parse(tasks, max)?, max_running: throttle.filter(|&t| t > 0) })
    }
}

impl fmt::Display for ArraySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tasks.fmt(f)?;
        self.max_running.map_or(Ok(()), |n| write!(f, "%{n}"))
    }
}

/// Decimal digits only; a number that does not fit is too large, not garbage.
fn number(text: &str) -> Result<u32, ArrayError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ArrayError::Syntax);
    }
    text.parse().map_err(|_| ArrayError::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set(text: &str) -> TaskSet {
        TaskSet::parse(text, u32::MAX).unwrap()
    }

    #[test]
    fn expressions_are_printed_as_squeue_prints_them() {
        for (given, shown) in [
            ("1-3", "1-3"),
            ("1,2,3,5", "1-3,5"),
            ("0-10:2", "0,2,4,6,8,10"),
            ("0-12:2", "0-12:2"),
            ("0-28:7", "0,7,14,21,28"),
            ("[4-6]", "4-6"),
            ("0-15:4,1", "0-1,4,8,12"),
            ("7", "7"),
            ("5,1", "1,5"),
        ] {
            assert_eq!(set(given).to_string(), shown, "{given}");
        }
        let spec = ArraySpec::parse("1-10:2,15%4", 1000).unwrap();
        assert_eq!((spec.tasks.len(), spec.max_running), (6, Some(4)));
        assert_eq!(spec.to_string(), "1,3,5,7,9,15%4");
    }

    #[test]
    fn what_is_no_array_is_refused() {
        for bad in [
            "", ",", "a", "1-", "-1", "3-1", "1:2", "1-4:0", "1-3%", "%2", "1,,2", "[1-2", "1 2", "1-2-3",
            "+1",
        ] {
            assert_eq!(ArraySpec::parse(bad, 1000), Err(ArrayError::Syntax), "{bad}");
        }
        assert_eq!(TaskSet::parse("1-1001", 1000), Err(ArrayError::TooLarge));
        assert_eq!(TaskSet::parse("99999999999", 1000), Err(ArrayError::TooLarge));
    }

    #[test]
    fn a_set_from_outside_is_made_whole() {
        let s: TaskSet = serde_json::from_str(r#"{"ranges":[[5,6],[9,2],[1,5]]}"#).unwrap();
        assert_eq!(s.ranges(), [(1, 6)]);
        assert_eq!(serde_json::to_string(&s).unwrap(), r#"{"ranges":[[1,6]]}"#);
    }

    #[test]
    fn the_ends_of_the_number_range_hold() {
        let mut s = TaskSet::from_ranges([(u32::MAX - 1, u32::MAX), (0, 0)]);
        assert!(s.remove(u32::MAX) && s.insert(u32::MAX) && s.contains(u32::MAX));
        assert_eq!(s.difference(&TaskSet::single(u32::MAX)).ranges(), [(0, 0), (u32::MAX - 1, u32::MAX - 1)]);
    }

    fn model(s: &TaskSet) -> BTreeSet<u32> {
        s.iter().collect()
    }

    proptest! {
        #[test]
        fn sets_do_what_sets_do(a in prop::collection::vec(0u32..60, 0..40), b in prop::collection::vec(0u32..60, 0..40)) {
            let (sa, sb): (TaskSet, TaskSet) = (a.iter().copied().collect(), b.iter().copied().collect());
            let (ma, mb): (BTreeSet<u32>, BTreeSet<u32>) = (a.iter().copied().collect(), b.iter().copied().collect());
            prop_assert_eq!(model(&sa), ma.clone());
            prop_assert_eq!(sa.len(), ma.len() as u64);
            prop_assert_eq!(model(&sa.union(&sb)), &ma | &mb);
            prop_assert_eq!(model(&sa.intersection(&sb)), &ma & &mb);
            prop_assert_eq!(model(&sa.difference(&sb)), &ma - &mb);
            let (mut s, mut m) = (sa.clone(), ma);
            for i in b {
                if i % 2 == 0 { prop_assert_eq!(s.insert(i), m.insert(i)) } else { prop_assert_eq!(s.remove(i), m.remove(&i)) }
            }
            prop_assert_eq!(model(&s), m);
            prop_assert!(s.ranges().windows(2).all(|w| w[0].1 + 1 < w[1].0));
            if !sa.is_empty() {
                prop_assert_eq!(TaskSet::parse(&sa.to_string(), 60).unwrap(), sa);
            }
        }

        #[test]
        fn garbage_never_panics(text in "[0-9,:%\\[\\]a -]{0,24}") {
            let _ = ArraySpec::parse(&text, 1000);
        }
    }
}
