//! Points in time, durations and Slurm's spellings of them.

use jiff::civil::Date;
use jiff::tz::TimeZone;
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

/// What scontrol makes of a step's time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepLimit {
    /// This.
    To(TimeLimit),
    /// So many minutes more, or fewer.
    By(i64),
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

impl TimeLimit {
    /// Parses `minutes`, `minutes:seconds`, `hours:minutes:seconds`, `days-hours`, `days-hours:minutes`,
    /// `days-hours:minutes:seconds`, and UNLIMITED, INFINITE or -1. Seconds round up to a minute; zero is no limit.
    /// None: not a time limit, or more minutes than fit.
    pub fn parse(text: &str) -> Option<TimeLimit> {
        if text.eq_ignore_ascii_case("unlimited") || text.eq_ignore_ascii_case("infinite") || text == "-1" {
            return Some(TimeLimit::Unlimited);
        }
        let minutes = parse_seconds(text)?.div_ceil(60);
        match u32::try_from(minutes).ok()? {
            0 => Some(TimeLimit::Unlimited),
            m => Some(TimeLimit::Minutes(m)),
        }
    }

    /// As squeue's %l shows it: `30:00`, `1:00:00`, `2-00:00:00`, `UNLIMITED`.
    pub fn squeue(self) -> String {
        self.duration().map_or_else(|| "UNLIMITED".to_owned(), Duration::squeue)
    }
}

/// The six spellings of a length of time as seconds.
fn parse_seconds(text: &str) -> Option<u64> {
    let number = |t: &str| {
        if t.is_empty() || !t.bytes().all(|b| b.is_ascii_digit()) { None } else { t.parse::<u64>().ok() }
    };
    let (days, clock) = match text.split_once('-') {
        // Slurm takes `1-` for a day.
        Some((days, clock)) => (Some(number(days)?), if clock.is_empty() { "0" } else { clock }),
        None => (None, text),
    };
    let parts: Vec<u64> = clock.split(':').map(number).collect::<Option<_>>()?;
    let (h, m, s) = match (days.is_some(), &parts[..]) {
        (true, [h]) => (*h, 0, 0),
        (true, [h, m]) => (*h, *m, 0),
        (false, [m]) => (0, *m, 0),
        (false, [m, s]) => (0, *m, *s),
        (_, [h, m, s]) => (*h, *m, *s),
        _ => return None,
    };
    let days = days.unwrap_or(0).checked_mul(86400)?;
    let (h, m) = (h.checked_mul(3600)?, m.checked_mul(60)?);
    days.checked_add(h)?.checked_add(m)?.checked_add(s)
}

impl Duration {
    /// As squeue's %M shows it: `1:05`, `1:02:03`, `1-02:03:04`; fractions of a second are dropped.
    pub fn squeue(self) -> String {
        let secs = self.as_secs();
        let (d, h, m, s) = (secs / 86400, secs / 3600 % 24, secs / 60 % 60, secs % 60);
        match (d, h) {
            (0, 0) => format!("{m}:{s:02}"),
            (0, h) => format!("{h}:{m:02}:{s:02}"),
            (d, h) => format!("{d}-{h:02}:{m:02}:{s:02}"),
        }
    }
}

/// How points in time are printed (SLURM_TIME_FORMAT).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TimeFormat {
    /// `standard`: 2026-11-22T15:00:00.
    #[default]
    Standard,
    /// `relative`: 15:00:00 today, `Ystday 15:00`, `Tomorr 15:00`, `Tue 15:00` in the coming week, `25 Apr 15:00`
    /// this year, `6 Jun 2012` else.
    Relative,
    /// A format of strftime(3).
    Strftime(String),
}

impl TimeFormat {
    /// From the value of SLURM_TIME_FORMAT, if that is set.
    pub fn from_value(value: Option<&str>) -> TimeFormat {
        match value {
            None | Some("" | "standard") => TimeFormat::Standard,
            Some("relative") => TimeFormat::Relative,
            // What formats nothing is no format: [`TimeFormat::is_none`].
            Some(format) if TimeFormat::is_none(format) => TimeFormat::Standard,
            Some(format) => TimeFormat::Strftime(format.to_owned()),
        }
    }

    /// Whether the value of SLURM_TIME_FORMAT is no format at all.
    pub fn is_none(value: &str) -> bool {
        !matches!(value, "" | "standard" | "relative") && !value.contains('%')
    }
}

impl Timestamp {
    /// Of a point in time of the calendar library; fractions of a millisecond are dropped.
    pub fn of(zoned: &jiff::Zoned) -> Timestamp {
        Timestamp(zoned.timestamp().as_millisecond())
    }

    /// In a time zone; a time that no calendar has is moved to the nearest that one has.
    pub fn zoned(self, zone: &TimeZone) -> jiff::Zoned {
        let at = jiff::Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        });
        at.to_zoned(zone.clone())
    }

    /// Prints it in a time zone. `now` is what `relative` relates to.
    pub fn format(self, zone: &TimeZone, format: &TimeFormat, now: Timestamp) -> String {
        let at = self.zoned(zone);
        match format {
            TimeFormat::Standard => at.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
            TimeFormat::Relative => at.strftime(relative(at.date(), now.zoned(zone).date())).to_string(),
            // An unknown directive would be an error of ours to report; the man page promises strftime's text.
            TimeFormat::Strftime(f) => {
                let broken = jiff::fmt::strtime::format(f, &at);
                broken.unwrap_or_else(|_| f.clone())
            }
        }
    }
}

/// The strftime format in which `day` is shown on the day `today`.
fn relative(day: Date, today: Date) -> &'static str {
    let days = day.since(today).map_or(i32::MAX, |span| span.get_days());
    match days {
        0 => "%H:%M:%S",
        -1 => "Ystday %H:%M",
        1 => "Tomorr %H:%M",
        2..=6 => "%a %H:%M",
        _ if day.year() == today.year() => "%-d %b %H:%M",
        _ => "%-d %b %Y",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_six_forms_of_a_time_limit() {
        for (text, minutes) in [
            ("30", 30),
            ("1:30", 2),
            ("1:00", 1),
            ("1:2:3", 63),
            ("1-2", 26 * 60),
            ("1-2:3", 26 * 60 + 3),
            ("1-2:3:4", 26 * 60 + 4),
            ("1-", 24 * 60),
            ("90:00:00", 90 * 60),
        ] {
            assert_eq!(TimeLimit::parse(text), Some(TimeLimit::Minutes(minutes)), "{text}");
        }
        for text in ["0", "UNLIMITED", "infinite", "-1", "0:00"] {
            assert_eq!(TimeLimit::parse(text), Some(TimeLimit::Unlimited), "{text}");
        }
        for text in
            ["", "1:", "1x", "1:2:3:4", ":30", "1.5", " 5", "1-2-3", "bad", "99999999999", "-2", "1-2:3:4:5"]
        {
            assert_eq!(TimeLimit::parse(text), None, "{text}");
        }
    }

    #[test]
    fn lengths_of_time_as_squeue_and_sacct_show_them() {
        for (secs, squeue, sacct) in [
            (0, "0:00", "00:00:00"),
            (65, "1:05", "00:01:05"),
            (3723, "1:02:03", "01:02:03"),
            (93784, "1-02:03:04", "1-02:03:04"),
        ] {
            let d = Duration::from_secs(secs);
            assert_eq!((d.squeue().as_str(), d.to_string().as_str()), (squeue, sacct));
        }
        assert_eq!(TimeLimit::Minutes(60).squeue(), "1:00:00");
        assert_eq!(TimeLimit::Unlimited.squeue(), "UNLIMITED");
    }

    #[test]
    fn points_in_time_in_every_format() {
        let zone = TimeZone::fixed(jiff::tz::offset(-7));
        let noon: jiff::Zoned = "2026-11-22T12:00:00-07:00[-07:00]".parse().unwrap();
        let now = Timestamp::of(&noon);
        let show = |days: i64, f: &str| {
            Timestamp(now.0 + days * 86_400_000 + 1500).format(&zone, &TimeFormat::from_value(Some(f)), now)
        };
        assert_eq!(show(0, "standard"), "2026-11-22T12:00:01");
        assert_eq!(show(0, "%s"), (now.as_secs() + 1).to_string());
        assert_eq!(show(0, "%a %T"), "Sun 12:00:01");
        assert_eq!(show(0, "relative"), "12:00:01");
        assert_eq!(show(-1, "relative"), "Ystday 12:00");
        assert_eq!(show(1, "relative"), "Tomorr 12:00");
        assert_eq!(show(2, "relative"), "Tue 12:00");
        assert_eq!(show(-30, "relative"), "23 Oct 12:00");
        assert_eq!(show(60, "relative"), "21 Jan 2027");
        assert_eq!(show(0, "%"), "%", "a format that is none is shown as it is");
        assert!(!Timestamp(i64::MAX).format(&zone, &TimeFormat::Standard, now).is_empty());
    }

    proptest! {
        #[test]
        fn what_a_limit_prints_is_read_again(minutes in 1u32..10_000_000) {
            let limit = TimeLimit::Minutes(minutes);
            prop_assert_eq!(TimeLimit::parse(&limit.to_string()), Some(limit));
        }

        #[test]
        fn garbage_never_panics(text in "[0-9:-]{0,24}", any in "\\PC{0,12}", at: i64) {
            let _ = (TimeLimit::parse(&text), TimeLimit::parse(&any));
            let _ = Timestamp(at).format(&TimeZone::UTC, &TimeFormat::from_value(Some(&any)), Timestamp(0));
        }
    }
}
