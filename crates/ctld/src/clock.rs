//! The two clocks of a cluster: wall time, and the run clock that time limits count.
//!
//! The run clock is CLOCK_MONOTONIC (a sleeping laptop does not eat a job's time) plus a base that is kept
//! with the database, so that it never goes backwards over a reboot, which starts CLOCK_MONOTONIC anew.

use bivouac_types::{Duration, Now, Timestamp};

/// The clock of a running controller.
pub struct Clock {
    base_ms: u64,
}

/// What has to be kept so that the run clock goes on in the next controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// The kernel's boot id.
    pub boot: String,
    /// Milliseconds added to CLOCK_MONOTONIC.
    pub base_ms: u64,
}

impl Clock {
    /// A clock that continues `kept`, and is not behind `last`, the last time that was stored.
    pub fn resume(kept: Option<&Base>, last: Now) -> Clock {
        match kept {
            Some(base) if base.boot == boot_id() => Clock { base_ms: base.base_ms },
            _ => Clock { base_ms: last.run.0.saturating_sub(monotonic_ms()) + 1 },
        }
    }

    /// What to keep.
    pub fn base(&self) -> Base {
        Base { boot: boot_id(), base_ms: self.base_ms }
    }

    /// Both clocks, now.
    pub fn now(&self) -> Now {
        Now { wall: wall(), run: Duration(monotonic_ms() + self.base_ms) }
    }
}

impl std::fmt::Display for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.boot, self.base_ms)
    }
}

impl std::str::FromStr for Base {
    type Err = std::num::ParseIntError;
    fn from_str(s: &str) -> Result<Base, Self::Err> {
        let (boot, base) = s.split_once(' ').unwrap_or((s, "0"));
        Ok(Base { boot: boot.to_owned(), base_ms: base.parse()? })
    }
}

/// Wall time.
pub fn wall() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp(since.map_or(0, |d| d.as_millis() as i64))
}

fn monotonic_ms() -> u64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid for the call.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut t) };
    t.tv_sec as u64 * 1000 + t.tv_nsec as u64 / 1_000_000
}

/// The kernel's identity of this boot; empty where /proc does not tell.
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_clock_goes_on_within_a_boot_and_never_backwards_over_one() {
        let first = Clock::resume(None, Now::default());
        let then = first.now();
        let same_boot = Clock::resume(Some(&first.base().to_string().parse().unwrap()), then);
        assert!(same_boot.now().run >= then.run && same_boot.now().run.0 < then.run.0 + 10_000);
        let far = Now { wall: then.wall, run: Duration(then.run.0 + 1_000_000_000) };
        let rebooted = Clock::resume(Some(&Base { boot: "another".into(), base_ms: 0 }), far);
        assert!(rebooted.now().run > far.run);
    }
}
