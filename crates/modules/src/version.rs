//! Order of version texts: `10.2` after `9.1`, `1.0rc1` before `1.0`, `1.0` before `1.0.1`.
//!
//! A text is cut into runs of digits and runs of letters. Digits compare as numbers. The words of a release in the
//! making (`alpha`, `beta`, `rc`, `dev`, ...) come before the release itself, other words after it.

use std::cmp::Ordering;

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// A word that announces the release: it sorts before the end of the text.
    Before(String),
    End,
    Word(String),
    /// Digits without leading zeros, compared by length first: numbers of any size.
    Number(usize, String),
}

fn parts(version: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = version;
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let same_kind = |c: char| if digits { c.is_ascii_digit() } else { c.is_alphabetic() };
        let length = rest.find(|c: char| !same_kind(c)).unwrap_or(rest.len()).max(first.len_utf8());
        let (run, tail) = rest.split_at(length);
        rest = tail;
        if digits {
            let number = run.trim_start_matches('0');
            parts.push(Part::Number(number.len(), number.to_owned()));
        } else if first.is_alphabetic() {
            let word = run.to_lowercase();
            parts.push(match word.as_str() {
                "dev" | "a" | "alpha" | "b" | "beta" | "c" | "rc" | "pre" | "preview" => {
                    Part::Before(rank(&word))
                }
                _ => Part::Word(word),
            });
        }
    }
    parts.push(Part::End);
    parts
}

fn rank(word: &str) -> String {
    match word {
        "dev" => "0",
        "a" | "alpha" => "1",
        "b" | "beta" => "2",
        _ => "3",
    }
    .to_owned()
}

/// Compares two versions; texts that mean the same version are ordered by their bytes, so that the order is total.
pub fn compare(a: &str, b: &str) -> Ordering {
    parts(a).cmp(&parts(b)).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn orders_as_people_expect() {
        let ordered = [
            "1.0.dev1", "1.0alpha", "1.0b2", "1.0-rc1", "1.0", "1.0-foss", "1.0.1", "1.2", "1.10", "2.0",
            "9.1", "10.0", "2020.11", "2022.10",
        ];
        for pair in ordered.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{} < {}", pair[0], pair[1]);
        }
    }

    proptest! {
        #[test]
        fn is_antisymmetric_and_takes_anything(a in "\\PC{0,12}", b in "[0-9a.rc-]{0,8}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
        }

        #[test]
        fn is_transitive(mut v in proptest::collection::vec("[0-2arb.-]{0,5}", 3)) {
            v.sort_by(|a, b| compare(a, b));
            prop_assert_ne!(compare(&v[0], &v[2]), Ordering::Greater);
        }
    }
}
