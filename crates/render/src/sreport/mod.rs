//! sreport: how the cluster was used, by whom, and by jobs of which size.
//!
//! Owns the reports, their fields and what they sum up. A reader starts at [`usage`] (how records and nodes become sums),
//! then at the module of a report. Texts, widths, abbreviations and rounding were observed on Slurm 22.05.8.

mod accounts;
mod amounts;
mod cluster;
mod field;
mod period;
mod sheet;
mod sizes;
mod usage;
mod users;

pub use accounts::{AccountFilter, by_account};
pub use amounts::{Measure, TimeForm, TresName, Unit, tres_names};
pub use cluster::utilization;
pub use field::{Fields, Kind};
pub use period::Period;
pub use sheet::{Print, Report};
pub use sizes::{By, Groups, Level, SizeFilter, Sizes, by_size};
pub use usage::{Sources, Usage};
pub use users::{Order, UserFilter, by_user};

use jiff::tz::TimeZone;

/// What a report on keys or reservations, of which there are none, looks like: its headings alone.
pub fn empty(kind: Kind, period: &Period, measure: &Measure, fields: &Fields, zone: &TimeZone) -> Report {
    let (what, counted) = match kind {
        Kind::UserWckey => ("Cluster/User/WCKey Utilization", true),
        Kind::WckeyUser => ("Cluster/WCKey/User Utilization", true),
        _ => ("Reservation Utilization", false),
    };
    // Reservations are reported in all resources.
    let of_tres = measure.tres.is_some() || kind == Kind::Reservations;
    Report::new(vec![period.title(what, zone, counted), measure.title_of(of_tres)], fields, measure, &[])
}

#[cfg(test)]
mod tests;
