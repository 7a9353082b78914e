//! The time that a report is about: whole hours, as the accounting of Slurm sums them up.

use bivouac_types::Timestamp;
use jiff::tz::TimeZone;

const HOUR: i64 = 3600;

/// From a full hour to another one, in seconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Its beginning.
    pub start: i64,
    /// Its end; it is shown as the second before.
    pub end: i64,
}

impl Period {
    /// What was asked for, or yesterday; rounded to hours, not beyond now, and at least an hour long.
    pub fn new(start: Option<Timestamp>, end: Option<Timestamp>, now: Timestamp, zone: &TimeZone) -> Period {
        let midnight = |days: i64| {
            let day = now.zoned(zone).date().saturating_add(jiff::Span::new().days(days));
            day.to_zoned(zone.clone()).map_or(now, |t| Timestamp::of(&t))
        };
        let start = rounded(start.unwrap_or_else(|| midnight(-1)).as_secs());
        let end = rounded(end.unwrap_or_else(|| midnight(0)).min(now).as_secs());
        Period { start, end: if end > start { end } else { start + HOUR } }
    }

    /// Just as long as that, without rounding: for reports that are to tell the latest as well.
    pub fn exactly(start: Timestamp, end: Timestamp) -> Period {
        Period { start: start.as_secs(), end: end.as_secs() }
    }

    /// Its length in seconds.
    pub fn secs(&self) -> i64 {
        self.end - self.start
    }

    /// How many seconds of a time fall into it.
    pub fn overlap(&self, from: i64, to: i64) -> u64 {
        u64::try_from(to.min(self.end) - from.max(self.start)).unwrap_or(0)
    }

    /// The hours, or parts of such, that it consists of.
    pub(super) fn hours(&self) -> usize {
        usize::try_from((self.secs() + HOUR - 1) / HOUR).unwrap_or(0)
    }

    /// The `n`th of them.
    pub(super) fn hour(&self, n: usize) -> Period {
        let start = self.start + n as i64 * HOUR;
        Period { start, end: (start + HOUR).min(self.end) }
    }

    /// The hours that a time touches.
    pub(super) fn touched(&self, from: i64, to: i64) -> std::ops::Range<usize> {
        let at = |t: i64| usize::try_from((t.clamp(self.start, self.end) - self.start) / HOUR).unwrap_or(0);
        if to <= from { 0..0 } else { at(from)..(at(to - 1) + 1).min(self.hours()) }
    }

    /// `Cluster Utilization 2026-11-27T00:00:00 - 2026-11-27T23:59:59`, with `(86400 secs)` where that is `counted`.
    pub(super) fn title(&self, what: &str, zone: &TimeZone, counted: bool) -> String {
        let show = |t: i64| Timestamp::from_secs(t).zoned(zone).strftime("%Y-%m-%dT%H:%M:%S").to_string();
        let length = if counted { format!(" ({} secs)", self.secs()) } else { String::new() };
        format!("{what} {} - {}{length}", show(self.start), show(self.end - 1))
    }
}

/// The nearest hour; seconds are rounded to minutes first.
fn rounded(t: i64) -> i64 {
    let minutes = (t + 30).div_euclid(60);
    (minutes + 30).div_euclid(60) * HOUR
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Zoned;

    /// Observed on Slurm 22.05.8.
    #[test]
    fn periods_are_whole_hours_up_to_now() {
        let at = |text: &str| Timestamp::of(&format!("{text}[UTC]").parse::<Zoned>().unwrap());
        let show = |start: &str, end: &str| {
            let time = |t: &str| Some(t).filter(|t| !t.is_empty()).map(at);
            let p = Period::new(time(start), time(end), at("2026-11-28T20:10:07"), &TimeZone::UTC);
            p.title("", &TimeZone::UTC, false)[1..].replace("2026-11-", "")
        };
        for (start, end, expected) in [
            ("", "", "27T00:00:00 - 27T23:59:59"),
            ("2026-11-27T03:20", "2026-11-27T05:40", "27T03:00:00 - 27T05:59:59"),
            ("2026-11-27T05:29:59", "2026-11-27T05:30", "27T06:00:00 - 27T06:59:59"),
            ("2026-11-28T19:40:07", "2026-11-28T20:10:07", "28T20:00:00 - 28T20:59:59"),
            ("2026-11-27", "2026-11-29", "27T00:00:00 - 28T19:59:59"),
            ("2026-11-29", "2026-11-28T20:10:07", "29T00:00:00 - 29T00:59:59"),
            ("2026-11-28T03:00", "", "28T03:00:00 - 28T03:59:59"),
            ("", "2026-11-26T03:00", "27T00:00:00 - 27T00:59:59"),
        ] {
            let text =
                |t: &str| if t.contains('T') || t.is_empty() { t.to_owned() } else { format!("{t}T00:00") };
            assert_eq!(show(&text(start), &text(end)), expected, "{start} {end}");
        }
    }

    #[test]
    fn hours_of_a_period() {
        let p = Period { start: 7200, end: 7200 + 5400 };
        assert_eq!((p.hours(), p.hour(0).secs(), p.hour(1).secs()), (2, 3600, 1800));
        assert_eq!((p.touched(0, 7201), p.touched(0, 7200), p.touched(10_799, 10_801)), (0..1, 0..1, 0..2));
        assert_eq!((p.overlap(0, 8000), p.overlap(8000, 7000), p.overlap(0, 100)), (800, 0, 0));
        assert_eq!(p.touched(20_000, 30_000).len(), 1);
    }
}
