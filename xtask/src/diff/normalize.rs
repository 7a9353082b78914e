//! From what a system printed to what can be compared: lines of tokens.
//!
//! A job id becomes its rank among the ids of the case, a path of the system's own folder loses that folder, a time is
//! compared by its distance from the case's beginning, a span of time with some slack. Everything else is text, and one
//! changed character of it is a difference.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use regex::Regex;

/// Job ids lie here (`FirstJobId` of the reference's slurm.conf), and no other number does.
const JOB_IDS: std::ops::RangeInclusive<i64> = 700_001..=709_999;

/// How many seconds two times may differ in their distance from their case's beginning.
const SLACK: i64 = 25;

const DAY: i64 = 86_400;

/// What one system knows of a case when its output is read.
pub struct Context {
    /// Unix time at which the case began there.
    pub started: i64,
    /// Folders of this system, with what stands for them; longer ones first.
    pub folders: Vec<(String, &'static str)>,
    /// The case's job ids.
    pub jobs: BTreeSet<i64>,
}

/// A piece of a line.
#[derive(Debug, Clone)]
pub enum Token {
    /// Literal text.
    Text(String),
    /// A job, by its rank among the case's.
    Job(usize),
    /// A moment: its unix time, and the seconds since the case began.
    Time { at: i64, offset: i64 },
    /// A span of time in seconds, and the width that it takes with the spaces around it.
    Span { seconds: i64, width: usize },
}

impl PartialEq for Token {
    fn eq(&self, other: &Token) -> bool {
        match (self, other) {
            (Token::Text(a), Token::Text(b)) => a == b,
            (Token::Job(a), Token::Job(b)) => a == b,
            (Token::Time { at: a, offset: x }, Token::Time { at: b, offset: y }) => {
                a == b || (x - y).abs() <= SLACK
            }
            (Token::Span { seconds: a, width: x }, Token::Span { seconds: b, width: y }) => {
                // Limits are whole minutes; what has passed, or is left, is measured.
                let limits = a % 60 == 0 && b % 60 == 0;
                x == y && (a == b || ((a - b).abs() <= SLACK && !limits))
            }
            _ => false,
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Text(text) => f.write_str(text),
            Token::Job(rank) => write!(f, "<job{rank}>"),
            Token::Time { offset, .. } if offset.abs() <= SLACK => f.write_str("<now>"),
            Token::Time { offset, .. } => write!(f, "<now{offset:+}s>"),
            Token::Span { seconds, width } => write!(f, "{:>width$}", format!("<{seconds}s>")),
        }
    }
}

/// A line of tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Line(pub Vec<Token>);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|token| token.fmt(f))
    }
}

/// Which forms of a span a command prints. `4:05` is a span in squeue and an exit code in sacct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spans {
    /// `M:SS`, `H:MM:SS`, `D-HH:MM:SS`.
    Short,
    /// `HH:MM:SS`, `D-HH:MM:SS`.
    Long,
}

static PIECES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)",
        r"|(?P<long> *(?:\d+-)?\d{1,2}:\d\d:\d\d(?:\.\d{3})? *)",
        r"|(?P<short> *\d{1,2}:\d\d *)",
        r"|(?P<number>\d+)",
    ))
    .unwrap_or_else(|e| unreachable!("{e}"))
});

static NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\d+").unwrap_or_else(|e| unreachable!("{e}")));

/// The job ids that a text names.
pub fn jobs(text: &str) -> impl Iterator<Item = i64> {
    NUMBER.find_iter(text).filter_map(|m| m.as_str().parse().ok()).filter(|n| JOB_IDS.contains(n))
}

impl Context {
    /// Reads a text.
    pub fn lines(&self, text: &str, spans: Spans) -> Vec<Line> {
        let mut text = text.to_owned();
        for (folder, name) in &self.folders {
            text = text.replace(folder.as_str(), name);
        }
        let mut lines: Vec<Line> = text.split('\n').map(|line| self.line(line, spans)).collect();
        // The end of the last line is not a line; a text without it is shown as such.
        match lines.last() {
            Some(last) if last.0.is_empty() => drop(lines.pop()),
            Some(_) => lines.push(Line(vec![Token::Text("(no newline at the end)".to_owned())])),
            None => {}
        }
        lines
    }

    fn line(&self, line: &str, spans: Spans) -> Line {
        let mut tokens = Vec::new();
        let mut text = String::new();
        let mut end = 0;
        for piece in PIECES.captures_iter(line) {
            let Some(whole) = piece.get(0) else { continue };
            text.push_str(&line[end..whole.start()]);
            end = whole.end();
            match self.token(&piece, whole.as_str(), spans) {
                Some(token) => {
                    if !text.is_empty() {
                        tokens.push(Token::Text(std::mem::take(&mut text)));
                    }
                    tokens.push(token);
                }
                None => text.push_str(whole.as_str()),
            }
        }
        text.push_str(&line[end..]);
        if !text.is_empty() {
            tokens.push(Token::Text(text));
        }
        Line(tokens)
    }

    fn token(&self, piece: &regex::Captures<'_>, text: &str, spans: Spans) -> Option<Token> {
        if piece.name("time").is_some() {
            let at = unix_time(text)?;
            return Some(Token::Time { at, offset: at - self.started });
        }
        if piece.name("long").is_some() || (piece.name("short").is_some() && spans == Spans::Short) {
            return Some(Token::Span { seconds: span(text.trim())?, width: text.len() });
        }
        let number: i64 = text.parse().ok()?;
        if let Some(rank) = self.jobs.iter().position(|&job| job == number) {
            return Some(Token::Job(rank + 1));
        }
        let near = (self.started - 2 * DAY).max(1_000_000_000)..self.started + 400 * DAY;
        near.contains(&number).then_some(Token::Time { at: number, offset: number - self.started })
    }
}

/// Seconds of `M:SS`, `HH:MM:SS[.mmm]`, `D-HH:MM:SS`.
fn span(text: &str) -> Option<i64> {
    let (days, clock) = text.split_once('-').unwrap_or(("0", text));
    let clock = clock.split('.').next()?;
    let seconds = clock.split(':').try_fold(0, |sum, part| Some(sum * 60 + part.parse::<i64>().ok()?))?;
    Some(days.parse::<i64>().ok()? * DAY + seconds)
}

/// Unix time of `YYYY-MM-DDTHH:MM:SS` in UTC, which is the cases' time zone.
fn unix_time(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    // Days since 1970 in the proleptic Gregorian calendar, with years that begin in March.
    let (y, m) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    Some(days * DAY + number(11..13)? * 3600 + number(14..16)? * 60 + number(17..19)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(started: i64, jobs: &[i64]) -> Context {
        Context {
            started,
            folders: vec![("/tmp/x/real".into(), "DIR")],
            jobs: jobs.iter().copied().collect(),
        }
    }

    fn line(context: &Context, text: &str) -> Line {
        context.lines(text, Spans::Short).remove(0)
    }

    #[test]
    fn a_job_is_its_rank() {
        let (a, b) = (context(0, &[700_007, 700_009]), context(0, &[700_001, 700_002]));
        assert_eq!(line(&a, "700009_3 of 700007.0"), line(&b, "700002_3 of 700001.0"));
        assert_ne!(line(&a, "700009"), line(&b, "700001"));
        assert_ne!(line(&a, "999999"), line(&b, "700001"), "an id that is not the case's stays");
    }

    #[test]
    fn one_character_of_text_is_a_difference() {
        let a = context(0, &[]);
        assert_eq!(line(&a, "sbatch: error: x"), line(&a, "sbatch: error: x"));
        for other in ["sbatch: error: y", "sbatch: error: x ", "sbatch:  error: x", "Sbatch: error: x", ""] {
            let lines = a.lines(other, Spans::Short);
            assert_ne!(lines.first(), Some(&line(&a, "sbatch: error: x")), "{other:?}");
        }
    }

    #[test]
    fn times_count_from_the_beginning_of_the_case() {
        // 2026-11-22T18:00:00
        let (a, b) = (context(1_795_370_400, &[]), context(1_795_370_437, &[]));
        assert_eq!(line(&a, "at 2026-11-22T18:00:03"), line(&b, "at 2026-11-22T18:00:39"));
        assert_eq!(line(&a, "2026-11-22T18:00:03").to_string(), "<now>");
        assert_ne!(line(&a, "2026-11-22T18:00:03"), line(&b, "2026-11-22T19:00:39"));
        assert_eq!(line(&a, "2030-01-01T00:00:00"), line(&b, "2030-01-01T00:00:00"), "a fixed date is one");
        assert_ne!(line(&a, "2026-11-22T18:00:03"), line(&b, "Unknown"));
        assert_eq!(line(&a, "1795370403"), line(&b, "1795370440"));
    }

    #[test]
    fn spans_have_slack_but_limits_have_none() {
        let a = context(0, &[]);
        assert_eq!(line(&a, "x      0:03 y"), line(&a, "x      0:11 y"));
        assert_eq!(line(&a, "   59:57"), line(&a, " 1:00:00"), "the width is what it takes with its spaces");
        assert_ne!(line(&a, "x 10:00"), line(&a, "x 11:00"));
        assert_ne!(line(&a, "x 0:03"), line(&a, "x  0:03"));
        assert_ne!(line(&a, "1-00:00:00"), line(&a, "2-00:00:00"));
        let long = |text: &str| a.lines(text, Spans::Long);
        assert_ne!(long("0:15"), long("0:11"), "an exit code is no span");
    }

    #[test]
    fn folders_are_named() {
        let a = context(0, &[]);
        assert_eq!(line(&a, "/tmp/x/real/w/out").to_string(), "DIR/w/out");
    }

    #[test]
    fn a_missing_newline_is_seen() {
        let a = context(0, &[]);
        assert_ne!(a.lines("x", Spans::Long), a.lines("x\n", Spans::Long));
        assert_ne!(a.lines("x\n\n", Spans::Long), a.lines("x\n", Spans::Long));
        assert!(a.lines("", Spans::Long).is_empty());
    }

    #[test]
    fn dates_are_unix_times() {
        assert_eq!(unix_time("1970-01-01T00:00:00"), Some(0));
        assert_eq!(unix_time("2000-02-29T12:00:01"), Some(951_825_601));
        assert_eq!(unix_time("2026-11-22T18:00:00"), Some(1_795_370_400));
    }
}
