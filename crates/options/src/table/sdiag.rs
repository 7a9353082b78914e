//! sdiag(1).

use super::{HELP, Opt, USAGE, VERSION, opt};

pub(super) const OPTIONS: &[Opt] = &[
    opt("all", "show everything, as is done anyway").short('a'),
    opt("cluster", "cluster to ask").short('M').takes("name").env(&["SLURM_CLUSTERS"]),
    HELP.short('h'),
    opt("reset", "begin to count anew").short('r'),
    opt("sort-by-id", "requests by number").short('i'),
    opt("sort-by-time", "requests by the time of all of a kind").short('t'),
    opt("sort-by-time2", "requests by their mean time").short('T'),
    USAGE,
    VERSION,
];
