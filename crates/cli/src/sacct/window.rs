//! The window of time: -S, -E and their defaults.

use super::fail;
use bivouac_options::Given;
use bivouac_render::Settings;
use bivouac_render::sacct::{Filter, Window};
use bivouac_types::{Duration, Timestamp, when};
use jiff::{Span, Zoned};
use std::process::ExitCode;

/// What is asked for besides -S and -E, on which their defaults depend.
#[derive(Clone, Copy)]
pub struct Besides {
    /// -j.
    pub jobs: bool,
    /// -s.
    pub states: bool,
}

/// The window with the defaults of sacct(1), DEFAULT TIME WINDOW. A default end lies a second later, so that what
/// happens now is within.
pub fn read(given: &Given, settings: &Settings, besides: Besides) -> Result<Window, ExitCode> {
    let now = settings.now.zoned(&settings.zone);
    let time = |option: &'static str| match given.value(option) {
        None => Ok(None),
        Some(text) => past(text, &now, settings.now)
            .map(|at| Some(Timestamp::from_secs(at.as_secs())))
            .ok_or_else(|| {
                eprintln!("Invalid time specification (pos=0): {text}");
                ExitCode::FAILURE
            }),
    };
    let (start, end) = (time("starttime")?, time("endtime")?);
    let this_second = Timestamp::from_secs(settings.now.as_secs());
    let midnight = now.start_of_day().map_or(this_second, |day| Timestamp::of(&day));
    let since = start.unwrap_or(match besides {
        Besides { jobs: true, .. } => Timestamp(0),
        Besides { states: true, .. } => this_second,
        _ => midnight,
    });
    let last = match (besides.states, start) {
        (true, Some(start)) => start,
        _ => this_second,
    };
    let until = end.unwrap_or(last + Duration::from_secs(1));
    if since > end.unwrap_or(last) {
        let show = |at: Timestamp| at.format(&settings.zone, &settings.time_format, settings.now);
        return Err(fail(format_args!(
            "Start time ({}) requested is after end time ({}).",
            show(since),
            show(end.unwrap_or(last))
        )));
    }
    Ok(Window { since, until })
}

/// What -v says.
pub fn described(filter: &Filter, settings: &Settings) -> String {
    let show = |at: Timestamp| match at.as_secs() {
        0 => "Epoch 0".to_owned(),
        _ => at.zoned(&settings.zone).strftime("%a %b %d %H:%M:%S %Y").to_string(),
    };
    let states = match &filter.states {
        None => "Eligible".to_owned(),
        Some(states) => states.iter().map(|s| s.name()).collect::<Vec<_>>().join(","),
    };
    let Window { since, until } = filter.window;
    format!("Jobs {states} in the time window from {} to {}", show(since), show(until))
}

/// A time not after `latest`, where the text leaves the day or the year open: `08:00` is today's or yesterday's.
pub fn past(text: &str, now: &Zoned, latest: Timestamp) -> Option<Timestamp> {
    let at = when::parse(text, now)?;
    let lower = text.trim().to_ascii_lowercase();
    if at <= latest || lower.starts_with("now") || lower.contains("tomorrow") {
        return Some(at);
    }
    let earlier = [Span::new().days(1), Span::new().years(1)].into_iter().filter_map(|span| {
        let then = now.checked_sub(span).ok()?;
        when::parse(text, &then)
    });
    Some(earlier.filter(|t| *t <= latest).max().unwrap_or(at))
}

#[cfg(test)]
mod tests {
    use super::super::tests::given;
    use super::*;
    use bivouac_types::JobState;

    fn settings() -> Settings {
        let now: Zoned = "2026-11-22T15:40:00[UTC]".parse().unwrap();
        Settings::new(Timestamp::of(&now))
    }

    #[test]
    fn the_default_window_of_the_man_page() {
        let show = |args: &str, jobs: bool, states: bool| {
            let s = settings();
            let text = |at: Timestamp| at.format(&s.zone, &s.time_format, s.now);
            read(&given(args), &s, Besides { jobs, states })
                .map(|w| format!("{} {}", text(w.since), text(w.until)))
                .unwrap()
        };
        let (midnight, soon, epoch) = ("2026-11-22T00:00:00", "2026-11-22T15:40:01", "1970-01-01T00:00:00");
        assert_eq!(show("", false, false), format!("{midnight} {soon}"));
        assert_eq!(show("", true, false), format!("{epoch} {soon}"));
        assert_eq!(show("", false, true), format!("2026-11-22T15:40:00 {soon}"));
        assert_eq!(show("-S 08:00", false, false), format!("2026-11-22T08:00:00 {soon}"));
        assert_eq!(show("-S 2026-11-01", false, true), "2026-11-01T00:00:00 2026-11-01T00:00:01");
        assert_eq!(show("-S now-1days -E now", false, true), "2026-11-21T15:40:00 2026-11-22T15:40:00");
        let none = Besides { jobs: false, states: false };
        assert!(read(&given("-S tomorrow"), &settings(), none).is_err());
        assert!(read(&given("-S foo"), &settings(), none).is_err());
    }

    #[test]
    fn the_window_in_words() {
        let (jobs, states) = (true, false);
        let window = read(&given(""), &settings(), Besides { jobs, states }).unwrap();
        let filter = Filter { window, ..Filter::default() };
        assert_eq!(
            described(&filter, &settings()),
            "Jobs Eligible in the time window from Epoch 0 to Sun Nov 22 15:40:01 2026"
        );
        let states = Some(vec![JobState::Running, JobState::Completed]);
        let text = described(&Filter { states, ..filter }, &settings());
        assert!(text.starts_with("Jobs RUNNING,COMPLETED in the time window"));
    }

    #[test]
    fn times_lie_in_the_past_where_they_may() {
        let now: Zoned = "2026-11-22T15:40:00[UTC]".parse().unwrap();
        let show = |text: &str| {
            past(text, &now, Timestamp::of(&now))
                .map(|at| at.zoned(now.time_zone()).strftime("%F %R").to_string())
        };
        for (text, expected) in [
            ("08:00", "2026-11-22 08:00"),
            ("16:00", "2026-11-21 16:00"),
            ("12/24", "2025-12-24 00:00"),
            ("2027-01-01", "2027-01-01 00:00"),
            ("now+1hours", "2026-11-22 16:40"),
            ("now-1day", "2026-11-21 15:40"),
            ("midnight", "2026-11-22 00:00"),
            ("tomorrow", "2026-11-23 00:00"),
        ] {
            assert_eq!(show(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(show("foo"), None);
    }
}
