//! Points in time, durations and Slurm's spellings of them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, Sub};

/// A point in wall time: milliseconds since 1970-01-01T00:00:00 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A length of time in milliseconds, never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Duration(pub u64);

/// The two clocks that the outside hands to the core with every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Now {
    /// Wall time: what users are shown.
    pub wall: Timestamp,
    /// The clock that time limits count, in milliseconds; it never goes backwards while the cluster lives.
    /// Its zero has no meaning.
    pub run: Duration,
}

/// A time limit, kept in minutes as Slurm keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TimeLimit {
    /// So many minutes.
    Minutes(u32),
    /// UNLIMITED.
    Unlimited,
}

impl Duration {
    /// No time.
    pub const ZERO: Duration = Duration(0);
    /// So many seconds.
    pub const fn from_secs(s: u64) -> Duration {
        Duration(s * 1000)
    }
    /// Whole seconds, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }
}

impl Timestamp {
    /// So many seconds since the epoch.
    pub const fn from_secs(s: i64) -> Timestamp {
        Timestamp(s * 1000)
    }
    /// Whole seconds since the epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }
    /// The time that passed since `earlier`; nothing if the clock was set back.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration(self.0.saturating_sub(earlier.0).max(0) as u64)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;
    fn add(self, d: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add_unsigned(d.0))
    }
}

impl Add for Duration {
    type Output = Duration;
    fn add(self, d: Duration) -> Duration {
        Duration(self.0.saturating_add(d.0))
    }
}

impl Sub for Duration {
    type Output = Duration;
    fn sub(self, d: Duration) -> Duration {
        Duration(self.0.saturating_sub(d.0))
    }
}

impl TimeLimit {
    /// The limit as a duration; none for UNLIMITED.
    pub fn duration(self) -> Option<Duration> {
        match self {
            TimeLimit::Minutes(m) => Some(Duration::from_secs(u64::from(m) * 60)),
            TimeLimit::Unlimited => None,
        }
    }
}

impl fmt::Display for TimeLimit {
    /// `[days-]hours:minutes:00` as squeue prints limits, or `UNLIMITED`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.duration() {
            None => f.write_str("UNLIMITED"),
            Some(d) => fmt_dhms(f, d.as_secs()),
        }
    }
}

/// `D-HH:MM:SS`, or `HH:MM:SS` below a day: the form of sacct and of scontrol.
fn fmt_dhms(f: &mut fmt::Formatter<'_>, secs: u64) -> fmt::Result {
    let (d, h, m, s) = (secs / 86400, secs / 3600 % 24, secs / 60 % 60, secs % 60);
    if d > 0 { write!(f, "{d}-{h:02}:{m:02}:{s:02}") } else { write!(f, "{h:02}:{m:02}:{s:02}") }
}

impl fmt::Display for Duration {
    /// `D-HH:MM:SS`, or `HH:MM:SS` below a day; fractions of a second are dropped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_dhms(f, self.as_secs())
    }
}
