//! Points in time as users write them: `--begin=now+1hour`, `16:00`, `tomorrow`, `2027-01-20T12:34:00`.
//!
//! A time is built of at most one date and one time of day, in either order, with any of space, `T` and `-`
//! between them.

use crate::time::Timestamp;
use jiff::civil::{Date, Time};
use jiff::{Span, ToSpan, Zoned};

/// Parses a point in time relative to `now`, in `now`'s time zone. A time of day that has passed means the next
/// day, a date without a year that has passed the next year. None: not such a text.
pub fn parse(text: &str, now: &Zoned) -> Option<Timestamp> {
    let text = text.trim();
    if let Some(rest) = strip_word(text, "now") {
        return from_now(rest, now);
    }
    if let Some(epoch) = text.strip_prefix("uts") {
        return Some(Timestamp::from_secs(epoch.parse::<u32>().ok()?.into()));
    }
    let (day, clock) = parts(text, now.date())?;
    let on = |date: Date, clock: Time| date.to_datetime(clock).to_zoned(now.time_zone().clone()).ok();
    let at = match (day, clock) {
        (None, None) => return None,
        (None, Some(clock)) => match on(now.date(), clock)? {
            today if today > *now => today,
            _ => on(now.date().tomorrow().ok()?, clock)?,
        },
        (Some(Day::Full(date)), clock) => on(date, clock.unwrap_or(Time::midnight()))?,
        (Some(Day::Yearless(month, day)), clock) => {
            let clock = clock.unwrap_or(Time::midnight());
            match on(civil(now.year(), month, day)?, clock)? {
                this_year if this_year >= *now => this_year,
                _ => on(civil(now.year() + 1, month, day)?, clock)?,
            }
        }
    };
    Some(Timestamp::of(&at))
}

/// A calendar day as written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Day {
    /// With its year.
    Full(Date),
    /// Month and day.
    Yearless(i8, i8),
}

/// A date; days past the end of a short month run into the next one, as Slurm has it.
fn civil(year: i16, month: i8, day: i8) -> Option<Date> {
    if !(1..=31).contains(&day) {
        return None;
    }
    Date::new(year, month, 1).ok()?.checked_add((day - 1).days()).ok()
}

/// What follows `now`: nothing, or `+count[unit]` or `-count[unit]`, spaces allowed.
fn from_now(rest: &str, now: &Zoned) -> Option<Timestamp> {
    let rest = rest.trim();
    if rest.is_empty() {
        return Some(Timestamp::of(now));
    }
    let (sign, rest) = match rest.strip_prefix('-') {
        Some(rest) => (-1, rest.trim_start()),
        None => (1, rest.strip_prefix('+')?.trim_start()),
    };
    let (count, unit) = rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count());
    let count: i64 = count.parse().ok()?;
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "second" | "seconds" => 1,
        "minute" | "minutes" => 60,
        "hour" | "hours" => 3600,
        "day" | "days" => 86_400,
        "week" | "weeks" => 604_800,
        _ => return None,
    };
    let span = Span::new().try_seconds(sign * count.checked_mul(unit)?).ok()?;
    Some(Timestamp::of(&now.checked_add(span).ok()?))
}

/// The date and the time of day in a text; two of either are an error.
fn parts(text: &str, today: Date) -> Option<(Option<Day>, Option<Time>)> {
    let (mut day, mut clock) = (None, None);
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', 'T', '-']);
        if rest.is_empty() {
            return Some((day, clock));
        }
        if let Some((time, tail)) = read_clock(rest) {
            rest = tail;
            if clock.replace(time?).is_some() {
                return None;
            }
        } else {
            let (date, tail) = read_day(rest, today)?;
            rest = tail;
            if day.replace(date).is_some() {
                return None;
            }
        }
    }
}

/// A time of day at the beginning of a text, and what follows it. The inner `None`: it looks like one but no
/// clock shows it.
fn read_clock(text: &str) -> Option<(Option<Time>, &str)> {
    for (word, hour) in [("midnight", 0), ("noon", 12), ("fika", 15), ("teatime", 16)] {
        if let Some(tail) = strip_word(text, word) {
            return Some((Time::new(hour, 0, 0, 0).ok(), tail));
        }
    }
    let (hour, tail) = number(text, 1..=2)?;
    let tail = tail.strip_prefix(':')?;
    let Some((minute, mut tail)) = number(tail, 2..=2) else { return Some((None, tail)) };
    let mut second = 0;
    if let Some(after) = tail.strip_prefix(':') {
        let Some((s, t)) = number(after, 2..=2) else { return Some((None, tail)) };
        (second, tail) = (s, t);
    }
    let half = tail.trim_start();
    let (hour, tail) = if let Some(t) = strip_word(half, "am") {
        (if hour == 12 { Some(0) } else { Some(hour).filter(|&h| h < 12) }, t)
    } else if let Some(t) = strip_word(half, "pm") {
        (if hour == 12 { Some(12) } else { Some(hour + 12).filter(|&h| h < 24) }, t)
    } else {
        (Some(hour), tail)
    };
    Some((hour.and_then(|h| Time::new(h, minute, second, 0).ok()), tail))
}

/// A date at the beginning of a text, and what follows it.
fn read_day(text: &str, today: Date) -> Option<(Day, &str)> {
    if let Some(tail) = text.strip_prefix("today") {
        return Some((Day::Full(today), tail));
    }
    if let Some(tail) = text.strip_prefix("tomorrow") {
        return Some((Day::Full(today.tomorrow().ok()?), tail));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let after = text[digits..].chars().next();
    let two = |at: usize| text[at..at + 2].parse::<i8>().ok();
    match (digits, after) {
        (4, Some('-')) => {
            let year: i16 = text[..4].parse().ok()?;
            let (month, tail) = number(&text[5..], 2..=2)?;
            let (day, tail) = number(tail.strip_prefix('-')?, 2..=2)?;
            Some((Day::Full(civil(year, month, day)?), tail))
        }
        (1..=2, Some(mark @ ('/' | '.'))) => {
            let (month, tail) = number(text, 1..=2)?;
            let (day, tail) = number(tail.strip_prefix(mark)?, 1..=2)?;
            match tail.strip_prefix(mark) {
                None => yearless(month, day, tail),
                Some(year) => {
                    let (year, tail) = number(year, 2..=2)?;
                    Some((Day::Full(civil(2000 + i16::from(year), month, day)?), tail))
                }
            }
        }
        (4, _) => yearless(two(0)?, two(2)?, &text[4..]),
        (6, _) => Some((Day::Full(civil(2000 + i16::from(two(4)?), two(0)?, two(2)?)?), &text[6..])),
        _ => None,
    }
}

/// A month and day, checked against a leap year.
fn yearless(month: i8, day: i8, tail: &str) -> Option<(Day, &str)> {
    civil(2000, month, day)?;
    Some((Day::Yearless(month, day), tail))
}

/// A number of so many digits, not followed by a further digit.
fn number(text: &str, width: std::ops::RangeInclusive<usize>) -> Option<(i8, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if !width.contains(&digits) {
        return None;
    }
    Some((text[..digits].parse().ok()?, &text[digits..]))
}

/// What follows a word, in any case, at the beginning of a text.
fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let head = text.get(..word.len())?;
    head.eq_ignore_ascii_case(word).then(|| &text[word.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now() -> Zoned {
        "2026-11-22T15:41:17[UTC]".parse().unwrap()
    }

    fn shown(text: &str) -> String {
        parse(text, &now()).map_or_else(
            || "-".to_owned(),
            |t| t.zoned(&jiff::tz::TimeZone::UTC).strftime("%FT%T").to_string(),
        )
    }

    #[test]
    fn the_spellings_that_slurm_takes() {
        for (text, at) in [
            ("now", "2026-11-22T15:41:17"),
            ("NOW", "2026-11-22T15:41:17"),
            ("now+1hour", "2026-11-22T16:41:17"),
            ("now+60", "2026-11-22T15:42:17"),
            ("now + 2 days", "2026-11-24T15:41:17"),
            ("now+1week", "2026-11-29T15:41:17"),
            ("now-1hour", "2026-11-22T14:41:17"),
            ("16:00", "2026-11-22T16:00:00"),
            ("9:05", "2026-11-23T09:05:00"),
            ("16:00:30", "2026-11-22T16:00:30"),
            ("4:30PM", "2026-11-22T16:30:00"),
            ("9:05 pm", "2026-11-22T21:05:00"),
            ("12:30AM", "2026-11-23T00:30:00"),
            ("12:30PM", "2026-11-23T12:30:00"),
            ("noon", "2026-11-23T12:00:00"),
            ("midnight", "2026-11-23T00:00:00"),
            ("teatime", "2026-11-22T16:00:00"),
            ("fika", "2026-11-23T15:00:00"),
            ("today", "2026-11-22T00:00:00"),
            ("tomorrow", "2026-11-23T00:00:00"),
            ("today 10:00", "2026-11-22T10:00:00"),
            ("tomorrowT10:00", "2026-11-23T10:00:00"),
            ("Noon tomorrow", "2026-11-23T12:00:00"),
            ("010227", "2027-01-02T00:00:00"),
            ("0102", "2027-01-02T00:00:00"),
            ("01/02/27", "2027-01-02T00:00:00"),
            ("1/2", "2027-01-02T00:00:00"),
            ("01.02.27", "2027-01-02T00:00:00"),
            ("11/22", "2027-11-22T00:00:00"),
            ("11/22-16:00", "2026-11-22T16:00:00"),
            ("2027-01-02", "2027-01-02T00:00:00"),
            ("2027-01-02T10:00", "2027-01-02T10:00:00"),
            ("2027-01-02T10:00:30", "2027-01-02T10:00:30"),
            ("2027-01-02 10:00", "2027-01-02T10:00:00"),
            ("01/02/27-10:00", "2027-01-02T10:00:00"),
            ("10:00 01/02/27", "2027-01-02T10:00:00"),
            ("2027-02-30", "2027-03-02T00:00:00"),
            ("2020-01-01", "2020-01-01T00:00:00"),
            ("uts1800000000", "2027-01-15T08:00:00"),
        ] {
            assert_eq!(shown(text), at, "{text}");
        }
    }

    #[test]
    fn what_slurm_refuses() {
        for text in [
            "",
            "now+",
            "now+1m",
            "now+5min",
            "now+-1",
            "4pm",
            "16:00PM",
            "25:00",
            "10:60",
            "9:5",
            "24:00",
            "23:59:60",
            "2027-13-02",
            "2027-1-2",
            "01/02/2027",
            "1800000000",
            "10",
            "1-2",
            "Today",
            "elevenses",
            "10:00 11:00",
            "2027-01-02T10:00Z",
            "2027-01-02T10:00:30.5",
            "22.05",
            "today tomorrow",
            "nowhere",
            "02/32",
        ] {
            assert_eq!(shown(text), "-", "{text}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(text in "[0-9/:. T-]{0,20}", words in "(now|noon|[+0-9]|pm|today|é| ){0,6}") {
            let _ = (parse(&text, &now()), parse(&words, &now()));
        }

        #[test]
        fn what_is_printed_is_read_again(secs in 0i64..4_000_000_000) {
            let at = Timestamp::from_secs(secs);
            let text = at.format(now().time_zone(), &crate::time::TimeFormat::Standard, at);
            prop_assert_eq!(parse(&text, &now()), Some(at));
        }
    }
}
