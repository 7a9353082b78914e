//! Licences that a job holds while it runs: `matlab:2,ansys@server:4`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One entry of --licenses: `name[@server][:count]`, for the whole job.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LicenseRequest {
    /// Name, with `@server` if it is counted elsewhere.
    pub name: String,
    /// How many, at least 1.
    pub count: u32,
    /// The count was written, be it 1.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub counted: bool,
}

impl fmt::Display for LicenseRequest {
    /// `matlab:2`; a single one as it was written, `matlab` or `matlab:1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.count, self.counted) {
            (1, false) => f.write_str(&self.name),
            (count, _) => write!(f, "{}:{count}", self.name),
        }
    }
}

impl LicenseRequest {
    /// Parses `matlab:2,ansys`. Entries are separated by commas or semicolons; the same name given again counts on top. None: not such
    /// a list.
    pub fn parse_list(text: &str) -> Option<Vec<LicenseRequest>> {
        let mut list: Vec<LicenseRequest> = Vec::new();
        for entry in text.split([',', ';']).filter(|e| !e.is_empty()) {
            let (name, count, counted) = match entry.split_once([':', '*']) {
                Some((name, count)) => {
                    (name, count.parse::<i32>().ok().filter(|c| *c > 0)?.unsigned_abs(), true)
                }
                None => (entry, 1, false),
            };
            if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
                return None;
            }
            match list.iter_mut().find(|l| l.name == name) {
                Some(same) => same.count = same.count.checked_add(count)?,
                None => list.push(LicenseRequest { name: name.to_owned(), count, counted }),
            }
        }
        Some(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> Option<String> {
        let list = LicenseRequest::parse_list(text)?;
        Some(list.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
    }

    #[test]
    fn lists_with_counts() {
        for (given, is) in [
            ("foo:4,bar", Some("foo:4,bar")),
            ("foo:1,bar", Some("foo:1,bar")),
            ("nastran@slurmdb:12", Some("nastran@slurmdb:12")),
            ("foo;foo:2", Some("foo:3")),
            ("", Some("")),
            ("foo:0", None),
            ("foo:-1", None),
            ("foo:x", None),
            ("foo:99999999999", None),
            (":2", None),
            ("a b", None),
        ] {
            assert_eq!(shown(given).as_deref(), is, "{given}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_again(text in "[ab@:;,0-9é -]{0,16}") {
            if let Some(once) = shown(&text) {
                prop_assert_eq!(shown(&once), Some(once));
            }
        }
    }
}
