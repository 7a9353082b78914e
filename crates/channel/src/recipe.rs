//! What the channel holds, and the key under which a finished one is kept.

use sha2::{Digest, Sha256};

use crate::interpreter::Interpreter;

/// Goes up whenever the same pins and the same Python would give different packages.
const VERSION: u32 = 2;

/// The Python minors that are wanted side by side, where a pyenv tree has them.
pub const WANTED_MINORS: [u8; 2] = [10, 11];

/// The minors that the pins below have wheels for; the system's Python must be one of them.
pub const SERVED_MINORS: std::ops::RangeInclusive<u8> = 10..=14;

/// One wheel of the channel: an exact version, so that the same recipe gives the same channel on any day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// The distribution's normalized name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Minors of Python 3 it is for.
    minors: (u8, u8),
}

const fn pin(name: &'static str, version: &'static str, minors: (u8, u8)) -> Pin {
    Pin { name, version, minors }
}

const PINS: [Pin; 10] = [
    pin("numpy", "2.2.6", (10, 10)), // the last release for 3.10
    pin("numpy", "2.4.6", (11, 14)),
    pin("pandas", "2.3.3", (10, 14)),
    pin("python-dateutil", "2.9.0.post0", (10, 14)),
    pin("pytz", "2025.2", (10, 14)),
    pin("tzdata", "2025.2", (10, 14)),
    pin("six", "1.17.0", (10, 14)),
    pin("pip", "25.3", (10, 14)),
    pin("setuptools", "80.9.0", (10, 14)),
    pin("wheel", "0.45.1", (10, 14)),
];

/// The wheels for Python 3.`minor`.
pub fn pins(minor: u8) -> impl Iterator<Item = Pin> {
    PINS.into_iter().filter(move |pin| (pin.minors.0..=pin.minors.1).contains(&minor))
}

/// The name a distribution has in conda's channels, where it differs: there `tzdata` is the zone files themselves.
pub fn conda_name(distribution: &str) -> &str {
    match distribution {
        "tzdata" => "python-tzdata",
        name => name,
    }
}

/// The content key of the channel that these interpreters give: 16 hexadecimal digits.
pub fn key(interpreters: &[Interpreter]) -> String {
    let mut hash = Sha256::new();
    let mut feed = |text: &str| {
        hash.update(text.as_bytes());
        hash.update([0]);
    };
    feed(&VERSION.to_string());
    feed(std::env::consts::ARCH);
    for interpreter in interpreters {
        feed(&interpreter.fingerprint());
        for pin in pins(interpreter.version.minor) {
            feed(pin.name);
            feed(pin.version);
        }
    }
    hex(&hash.finalize())[..16].to_owned()
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_served_minor_has_exactly_one_pin_per_name() {
        for minor in SERVED_MINORS {
            let mut names: Vec<_> = pins(minor).map(|pin| pin.name).collect();
            assert_eq!(names.len(), 9, "3.{minor}");
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), 9, "3.{minor}");
        }
    }
}
