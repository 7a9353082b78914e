//! Values of a profile in Slurm's spelling. Each is read from TOML with an error that says what is allowed,
//! so that the reader can add the place.

use std::fmt;

use bivouac_types::config::GresConfig;
use bivouac_types::memory::parse_mb;
use bivouac_types::{HostList, TimeLimit};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// Memory in MiB: `3840`, `"240G"`, `"1T"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Megabytes(pub u64);

/// DefMemPerCPU: an amount, or `"share"` for a node's memory divided by its CPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemoryPerCpu {
    Megabytes(u64),
    Share,
}

/// A time limit: minutes as a number, or `"24:00:00"`, `"7-00:00:00"`, `"UNLIMITED"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit(pub TimeLimit);

/// A hostlist: `"c3cpu-a2-u[1,3]-[1-4]"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hosts(pub Vec<String>);

/// `"gpu:a100:3"`, `"gpu:2"` or `"gpu"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gres(pub GresConfig);

/// Reads a TOML string or whole number and hands its text on.
struct Text<T>(fn(&str) -> Result<T, String>, &'static str);

impl<T> Visitor<'_> for Text<T> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        self.0(text).map_err(E::custom)
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        self.0(&number.to_string()).map_err(E::custom)
    }
}

macro_rules! from_text {
    ($type:ty, $expecting:literal, $read:expr) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                input.deserialize_any(Text($read, $expecting))
            }
        }
    };
}

from_text!(Megabytes, "an amount of memory such as \"240G\"", |text| megabytes(text).map(Megabytes));
from_text!(MemoryPerCpu, "an amount of memory such as \"3840M\", or \"share\"", |text| match text {
    "share" => Ok(MemoryPerCpu::Share),
    _ => megabytes(text).map(MemoryPerCpu::Megabytes),
});
from_text!(Limit, "a time limit such as \"24:00:00\"", |text| limit(text).map(Limit));
from_text!(Hosts, "a hostlist such as \"n[1-4]\"", |text| hosts(text).map(Hosts));
from_text!(Gres, "a generic resource such as \"gpu:a100:3\"", |text| gres(text).map(Gres));

fn megabytes(text: &str) -> Result<u64, String> {
    match parse_mb(text) {
        Some(mb) if mb > 0 => Ok(mb),
        _ => Err(format!("`{text}` is no amount of memory; write for example \"240G\" or a number of MiB")),
    }
}

fn limit(text: &str) -> Result<TimeLimit, String> {
    TimeLimit::parse(text).ok_or_else(|| {
        format!("`{text}` is no time limit; write \"minutes\", \"HH:MM:SS\", \"D-HH:MM:SS\" or \"UNLIMITED\"")
    })
}

fn hosts(text: &str) -> Result<Vec<String>, String> {
    let list = HostList::parse(text).map_err(|e| format!("`{text}` is no hostlist: {e}"))?;
    match list.names.iter().find(|n| !is_host_name(n)) {
        _ if list.names.is_empty() => Err("the hostlist is empty".into()),
        Some(bad) => Err(format!("`{bad}` cannot be a host name: letters, digits, `-` and `.`, at most 63")),
        None => Ok(list.names),
    }
}

/// Whether sethostname and the resolver take it.
pub(crate) fn is_host_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && !name.starts_with(['-', '.'])
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
}

fn gres(text: &str) -> Result<GresConfig, String> {
    let wrong = || format!("`{text}` is no generic resource; write for example \"gpu:a100:3\" or \"gpu:2\"");
    let is_name = |t: &&str| {
        !t.is_empty() && t.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
    };
    let parts: Vec<&str> = text.split(':').collect();
    let count = |t: &str| t.parse::<u32>().ok().filter(|n| *n > 0 && *n <= 65_536).ok_or_else(wrong);
    let (name, kind, count) = match parts[..] {
        [name] => (name, None, 1),
        [name, last] if last.starts_with(|c: char| c.is_ascii_digit()) => (name, None, count(last)?),
        [name, kind] => (name, Some(kind), 1),
        [name, kind, last] => (name, Some(kind), count(last)?),
        _ => return Err(wrong()),
    };
    if !is_name(&name) || !kind.iter().all(is_name) {
        return Err(wrong());
    }
    Ok(GresConfig { name: name.into(), kind: kind.map(str::to_owned), count })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn gres_in_its_three_forms() {
        let read = |t: &str| gres(t).map(|g| (g.name, g.kind, g.count));
        assert_eq!(read("gpu:a100:3"), Ok(("gpu".into(), Some("a100".into()), 3)));
        assert_eq!(read("gpu:2"), Ok(("gpu".into(), None, 2)));
        assert_eq!(read("gpu"), Ok(("gpu".into(), None, 1)));
        for bad in ["", ":", "gpu:", "gpu::3", "gpu:a100:0", "gpu:a100:x", "gpu:a100:3:4", "g u"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn memory_and_limits_refuse_nothing_and_nonsense() {
        assert_eq!(megabytes("240G"), Ok(245_760));
        assert!(megabytes("0").is_err() && megabytes("lots").is_err());
        assert_eq!(limit("7-00:00:00"), Ok(TimeLimit::Minutes(10_080)));
        assert_eq!(limit("UNLIMITED"), Ok(TimeLimit::Unlimited));
        assert!(limit("soon").is_err());
    }

    #[test]
    fn hosts_must_be_host_names() {
        assert_eq!(hosts("c3-u[1-2]").map(|h| h.len()), Ok(2));
        assert!(hosts("").is_err() && hosts("a/b").is_err() && hosts("n[1").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn foreign_text_never_panics(text in ".{0,20}") {
            let _ = (megabytes(&text), limit(&text), hosts(&text), gres(&text));
        }
    }
}
