//! Programs that sites add to Slurm: seff, seff-array, jobstats, suuser, suacct. There are no manual pages of theirs.

use super::{HELP, Opt, VERSION, opt};

pub(super) const SEFF: &[Opt] = &[
    opt("debug", "show what is known of the job first").short('d'),
    HELP.short('h'),
    opt("version", "show the version").short('v'),
];

pub(super) const SEFF_ARRAY: &[Opt] = &[
    opt("cluster", "the cluster to ask, which is this one").short('c').takes("name"),
    HELP.short('h'),
    opt("version", "show the version"),
];

pub(super) const OF_DAYS: &[Opt] = &[HELP.short('h'), VERSION];
