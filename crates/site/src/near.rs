//! Which known name a mistyped one is nearest to.

/// The known name with the fewest changed characters, if those are few for its length.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, best) = known.into_iter().map(|k| (distance(name, k), k)).min_by_key(|(d, _)| *d)?;
    (distance <= 1 + best.chars().count() / 4).then_some(best)
}

/// Edit distance: insertions, deletions and replacements.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_a_stranger_finds_none() {
        assert_eq!(nearest("max_tme", ["nodes", "max_time"]), Some("max_time"));
        assert_eq!(nearest("aplin@2023-07", ["local", "alpine@2023-07"]), Some("alpine@2023-07"));
        assert_eq!(nearest("zebra", ["nodes", "max_time"]), None);
        assert_eq!(nearest("x", []), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
