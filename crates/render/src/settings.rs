//! What a rendering depends on besides the rows.

use bivouac_types::time::TimeFormat;
use bivouac_types::{Duration, Timestamp};
use jiff::tz::TimeZone;

/// How amounts of memory are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Units {
    /// In the largest unit that leaves a whole number: `2G`, `1500M`.
    #[default]
    Natural,
    /// `--noconvert`: in the unit in which it is kept.
    Original,
    /// `--units`: always in this unit (one of K, M, G, T, P).
    Fixed(char),
}

/// The machine on which all nodes are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Machine {
    /// Its architecture, as `uname -m` has it.
    pub arch: String,
    /// Its operating system with release and version.
    pub os: String,
    /// When it was booted.
    pub boot: Option<Timestamp>,
    /// Processes that want to run, averaged over a minute.
    pub load: Option<f64>,
    /// Memory that is free, MiB.
    pub free_mb: Option<u64>,
}

/// SLURM_BITSTR_LEN where it is not set.
pub const DEFAULT_TASK_CHARS: usize = 64;

/// What a rendering depends on besides the rows: handed in, so that rendering stays pure.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The time of the report.
    pub now: Timestamp,
    /// The time zone in which times are shown.
    pub zone: TimeZone,
    /// SLURM_TIME_FORMAT.
    pub time_format: TimeFormat,
    /// The cluster's name.
    pub cluster: String,
    /// Units of memory.
    pub units: Units,
    /// The machine, for reports about nodes.
    pub machine: Machine,
    /// SLURM_BITSTR_LEN: bytes of an array's task expression; 0: no limit.
    pub task_chars: usize,
    /// Names of the QoS, in the order of their numbers (sacct's QOSRAW).
    pub qos: Vec<String>,
}

impl Settings {
    /// The defaults: standard times in UTC, natural units, 64 bytes for an array's tasks.
    pub fn new(now: Timestamp) -> Settings {
        Settings {
            now,
            zone: TimeZone::UTC,
            time_format: TimeFormat::Standard,
            cluster: String::new(),
            units: Units::Natural,
            machine: Machine::default(),
            task_chars: DEFAULT_TASK_CHARS,
            qos: Vec::new(),
        }
    }

    /// A point in time, or `missing`.
    pub fn time(&self, out: &mut String, at: Option<Timestamp>, missing: &str) {
        match at {
            Some(at) => out.push_str(&at.format(&self.zone, &self.time_format, self.now)),
            None => out.push_str(missing),
        }
    }

    /// The line above a long or repeated report: `Sun Nov 22 15:39:02 2026`.
    pub fn stamp(&self) -> String {
        self.now.zoned(&self.zone).strftime("%a %b %d %H:%M:%S %Y").to_string()
    }

    /// How long ago something was.
    pub fn since(&self, at: Timestamp) -> Duration {
        self.now.since(at)
    }

    /// MiB as squeue, sinfo and scontrol print them (`100M`, `2G`).
    pub fn memory(&self, out: &mut String, mb: u64) {
        match self.units {
            Units::Natural => out.push_str(&bivouac_types::memory::format_mb(mb)),
            Units::Original => push(out, format_args!("{mb}M")),
            Units::Fixed(_) => self.scaled(out, (mb << 10) as f64),
        }
    }

    /// KiB as sacct prints a measured size: `12720K`, with --noconvert in bytes, with --units in that unit.
    pub fn measured(&self, out: &mut String, kb: u64) {
        match self.units {
            Units::Natural => push(out, format_args!("{kb}K")),
            Units::Original => push(out, format_args!("{}", kb << 10)),
            Units::Fixed(_) => self.scaled(out, kb as f64),
        }
    }

    /// KiB in the unit that was asked for.
    pub(crate) fn scaled(&self, out: &mut String, kb: f64) {
        let Units::Fixed(unit) = self.units else { return push(out, format_args!("{kb:.0}K")) };
        let steps = "KMGTP".find(unit).unwrap_or(0);
        let value = kb / 1024f64.powi(steps as i32);
        if value.fract() == 0.0 {
            push(out, format_args!("{value:.0}{unit}"));
        } else {
            push(out, format_args!("{value:.2}{unit}"));
        }
    }
}

/// Appends formatted text; writing to a string cannot fail.
pub(crate) fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    use std::fmt::Write;
    let _ = out.write_fmt(text);
}
