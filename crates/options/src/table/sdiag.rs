//! sdiag(1).

use super::{Opt, opt};

pub(super) const OPTIONS: &[Opt] = &[
    opt("all", "show everything, as is done anyway").short('a'),
    opt("cluster", "cluster to ask").short('M').takes("name").env(&["SLURM_CLUSTERS"]),
    opt("help", "show this text").short('h'),
    opt("reset", "begin to count anew").short('r'),
    opt("sort-by-id", "requests by number").short('i'),
    opt("sort-by-time", "requests by the time of all of a kind").short('t'),
    opt("sort-by-time2", "requests by their mean time").short('T'),
    opt("usage", "show the options in brief"),
    opt("version", "show the version").short('V'),
];
