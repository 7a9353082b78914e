//! sinfo: nodes grouped by partition and by whatever the format shows.

mod group;
mod json;
mod nodes;
mod states;

pub use group::{Filter, Group, group, pairs};
pub use json::document;
pub use nodes::Nodes;
pub use states::{BadState, StateFilter, parse_states};

pub(crate) use nodes::{ranges, write_gres, write_gres_used};

use crate::settings::Settings;
use crate::table::{self, Layout, SortKey};
use bivouac_types::info::PartitionInfo;
use std::cmp::Ordering;

/// The format without -o, -O, -l, -s, -N. Fields of 9 characters grow to hold the longest partition or node list.
pub const DEFAULT_FORMAT: &str = "%9P %.5a %.10l %.6D %.6t %N";
/// The format of -s.
pub const SUMMARY_FORMAT: &str = "%9P %.5a %.10l %.16F %N";
/// The format of -l.
pub const LONG_FORMAT: &str = "%9P %.5a %.10l %.10s %.4r %.8h %.10g %.6D %.11T %N";
/// The format of -N.
pub const NODE_FORMAT: &str = "%9N %.6D %.9P %6t";
/// The format of -N -l.
pub const LONG_NODE_FORMAT: &str = "%9N %.6D %.9P %.11T %4c %.8z %.6m %.8d %.6w %.8f %20E";
/// The format of -R.
pub const REASON_FORMAT: &str = "%20E %9u %19H %N";
/// The format of -R -l.
pub const LONG_REASON_FORMAT: &str = "%20E %12U %19H %6t %N";
/// The width that fields of the default formats have at least.
pub const FIT: usize = 9;

/// How lines are sorted.
pub struct Sorting(Vec<Key>);

enum Key {
    /// `#P`: partitions as they stand in the configuration.
    Configured,
    Column(SortKey<Nodes>),
}

/// Parses -S: letters of columns with `+` or `-` before them, and `#P`. What is no column does not count, as in Slurm.
pub fn sorting(text: &str) -> Sorting {
    let mut keys = Vec::new();
    let (mut descending, mut configured) = (false, false);
    for c in text.chars() {
        match c {
            '+' => descending = false,
            '-' => descending = true,
            '#' => configured = true,
            'P' if configured => {
                keys.push(Key::Configured);
                (descending, configured) = (false, false);
            }
            c => {
                let column = table::column_of::<Nodes>(c).filter(|c| c.order.is_some());
                keys.extend(column.map(|column| Key::Column(SortKey { column, descending })));
                (descending, configured) = (false, false);
            }
        }
    }
    Sorting(keys)
}

/// The order without -S: partitions as configured, then states, busiest first; with -N by node.
pub fn default_sort(by_node: bool) -> &'static str {
    if by_node { "N" } else { "#P,-t" }
}

/// Sorts lines.
pub fn sort<'a>(
    groups: &mut [Group<'a>],
    sorting: &Sorting,
    partitions: &'a [PartitionInfo],
    settings: &Settings,
) {
    let place = |g: &Group<'a>| partitions.iter().position(|p| std::ptr::eq(p, g.partition));
    groups.sort_by(|a, b| {
        sorting.0.iter().fold(Ordering::Equal, |so_far, key| {
            so_far.then_with(|| match key {
                Key::Configured => place(a).cmp(&place(b)),
                Key::Column(key) => table::compare::<Nodes>(a, b, std::slice::from_ref(key), settings),
            })
        })
    });
}

/// Widens the fields that Slurm fits to their longest value.
pub fn fit<'a>(layout: &mut Layout<Nodes>, groups: &[Group<'a>], by_node: bool, settings: &Settings) {
    layout.fit('P', FIT, groups, settings);
    if by_node {
        layout.fit('N', FIT, groups, settings);
    }
}

#[cfg(test)]
mod tests;
