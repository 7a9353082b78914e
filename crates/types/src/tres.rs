//! Generic resources and trackable resources (TRES).

use serde::{Deserialize, Serialize};
use std::fmt;

/// One entry of --gres: `name[:type][:count]`, a count per node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GresRequest {
    /// Name, for example `gpu`.
    pub name: String,
    /// Type, for example `a100`.
    pub kind: Option<String>,
    /// How many on each node.
    pub count: u32,
    /// The count was left out, which means 1.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bare: bool,
}

impl fmt::Display for GresRequest {
    /// `gpu:a100:2`, `gpu:1`; without a count where it was written so.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.kind.iter().try_for_each(|kind| write!(f, ":{kind}"))?;
        if self.bare { Ok(()) } else { write!(f, ":{}", self.count) }
    }
}

impl GresRequest {
    /// Parses `gpu:a100:2,gpu:1`; a count may end in k, m or g (times 1024 each). `none` and the empty text are an
    /// empty list. None: not such a list.
    pub fn parse_list(text: &str) -> Option<Vec<GresRequest>> {
        if text.is_empty() || text.eq_ignore_ascii_case("none") {
            return Some(Vec::new());
        }
        text.split(',').map(GresRequest::parse).collect()
    }

    fn parse(text: &str) -> Option<GresRequest> {
        // Slurm's own variables carry the prefix, as in gres:gpu:2 or gres/gpu:2.
        let text = text.strip_prefix("gres:").or_else(|| text.strip_prefix("gres/")).unwrap_or(text);
        let mut parts = text.split(':');
        let name = parts.next().filter(|n| is_name(n))?.to_owned();
        let (kind, written) = match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => (None, None),
            (Some(last), None, _) => match count(last) {
                Some(n) => (None, Some(n)),
                // A number that does not fit, or a negative one, is no type.
                None if last.starts_with(|c: char| c == '-' || c.is_ascii_digit()) && !is_name(last) => {
                    return None;
                }
                None => (Some(last), None),
            },
            (Some(kind), Some(last), None) => (Some(kind), Some(count(last)?)),
            _ => return None,
        };
        let kind = match kind {
            Some(k) if is_name(k) => Some(k.to_owned()),
            Some(_) => return None,
            None => None,
        };
        Some(GresRequest { name, kind, count: written.unwrap_or(1), bare: written.is_none() })
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        && !text.starts_with(['-', '.'])
}

fn count(text: &str) -> Option<u32> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, suffix) = text.split_at(digits);
    let shift = match suffix {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        _ => return None,
    };
    number.parse::<u32>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_with_types_and_counts() {
        for (given, shown) in [
            ("gpu", "gpu"),
            ("gpu:2", "gpu:2"),
            ("gpu:a100", "gpu:a100"),
            ("gpu:a100:2,gpu:1", "gpu:a100:2,gpu:1"),
            ("tmp:4k", "tmp:4096"),
            ("gres:gpu:2", "gpu:2"),
            ("gpu:a100_3g.20gb:1", "gpu:a100_3g.20gb:1"),
            ("none", ""),
            ("", ""),
        ] {
            let list: Vec<String> =
                GresRequest::parse_list(given).unwrap().iter().map(ToString::to_string).collect();
            assert_eq!(list.join(","), shown, "{given}");
        }
        for bad in [
            ":1",
            "gpu:-1",
            "gpu:a:b:c",
            "gpu:a:",
            "gpu,,x",
            "gpu:",
            "gpu:99999999999:1:",
            "gpu=2",
            "gpu:a:4t",
        ] {
            assert_eq!(GresRequest::parse_list(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics_and_what_is_taken_prints_back(text in "[a-c0-9:,k=-]{0,16}") {
            if let Some(list) = GresRequest::parse_list(&text) {
                let shown: Vec<String> = list.iter().map(ToString::to_string).collect();
                prop_assert_eq!(GresRequest::parse_list(&shown.join(",")), Some(list));
            }
        }
    }
}
