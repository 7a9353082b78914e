//! From the words of conditions to what they mean on this machine: times, groups, nodes.

use crate::report;
use crate::sacct::window;
use bivouac_options::Program;
use bivouac_options::sreport::Conditions;
use bivouac_render::sreport::{By, Groups, Level, Period, SizeFilter, Sizes};
use bivouac_render::{Settings, sreport};
use bivouac_types::{HostList, Timestamp};
use jiff::Zoned;
use std::process::ExitCode;

/// The period; a time that is none is told, and does not count.
pub fn period(conditions: &Conditions, settings: &Settings) -> Period {
    let now = settings.now.zoned(&settings.zone);
    let time = |text: &Option<String>| {
        let text = text.as_deref().filter(|t| !t.is_empty())?;
        let at = time(text, &now);
        if at.is_none() {
            eprintln!("Invalid time specification (pos=0): {text}");
        }
        at
    };
    Period::new(time(&conditions.start), time(&conditions.end), settings.now, &settings.zone)
}

/// A time of day is today's, even one that is still to come; a day without a year has been.
fn time(text: &str, now: &Zoned) -> Option<Timestamp> {
    let tonight = now.tomorrow().ok()?.start_of_day().ok()?;
    window::past(text, now, Timestamp::of(&tonight))
}

/// What a report on sizes counts.
///
/// # Errors
/// A group or a grouping that is none; it has been said.
pub fn sizes(conditions: &Conditions, by: By, cluster: Option<String>) -> Result<Sizes, ExitCode> {
    let fail = |what: std::fmt::Arguments<'_>| crate::invocation::fail(Program::Sreport, what);
    let gid =
        |name: &String| report::gid_of(name).ok_or_else(|| fail(format_args!("Invalid group id: {name}")));
    let gids = conditions.gids.as_ref().map(|names| names.iter().map(gid).collect()).transpose()?;
    let groups = match conditions.grouping.as_deref() {
        None => Groups::default(),
        Some(text) => sreport::Groups::parse(text).ok_or_else(|| {
            fail(format_args!("Invalid value for Grouping ({text}): use numbers, as 50,100"))
        })?,
    };
    // Tasks of arrays and steps are parts of their jobs.
    let number = |id: &String| id.split(['.', '_']).next().and_then(|n| n.parse().ok()).unwrap_or(0);
    let nodes =
        conditions.nodes.as_deref().map(|list| HostList::parse(list).map(|l| l.names).unwrap_or_default());
    let filter = SizeFilter {
        accounts: conditions.accounts.clone(),
        gids,
        jobs: conditions.jobs.as_ref().map(|ids| ids.iter().map(number).collect()),
        nodes,
        partitions: conditions.partitions.clone(),
        users: conditions.users.clone(),
        cluster,
    };
    let level = match (conditions.flat, conditions.below) {
        (true, _) => Level::Flat,
        (false, true) => Level::Below,
        (false, false) => Level::Named,
    };
    Ok(Sizes { by, filter, level, groups, count: conditions.count })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Observed on Slurm 22.05.8.
    #[test]
    fn times_of_day_are_todays() {
        let now: Zoned = "2026-11-28T20:16:25[UTC]".parse().unwrap();
        let show =
            |text: &str| time(text, &now).map(|at| at.zoned(now.time_zone()).strftime("%F %R").to_string());
        for (text, expected) in [
            ("08:00", "2026-11-28 08:00"),
            ("23:00", "2026-11-28 23:00"),
            ("12/24", "2025-12-24 00:00"),
            ("tomorrow", "2026-11-29 00:00"),
            ("now-2hours", "2026-11-28 18:16"),
        ] {
            assert_eq!(show(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(show("foo"), None);
    }
}
