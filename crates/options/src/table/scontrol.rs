//! scontrol(1): its options; its commands (show, hold, update ...) are operands.

use super::{CLUSTERS, HELP, NO_FEDERATION, Opt, USAGE, VERBOSE, VERSION, opt};

pub(super) const OPTIONS: &[Opt] = &[
    opt("all", "all partitions").short('a').env(&["SCONTROL_ALL"]),
    CLUSTERS.env(&["SLURM_CLUSTERS"]),
    opt("details", "show more of jobs").short('d'),
    opt("federation", "the federation").env(&["SCONTROL_FEDERATION"]).listed(NO_FEDERATION),
    opt("future", "nodes that are to come").short('F').env(&["SCONTROL_FUTURE"]),
    HELP.short('h'),
    opt("hide", "leave out hidden partitions"),
    opt("local", "this cluster").env(&["SCONTROL_LOCAL"]).listed(NO_FEDERATION),
    opt("oneliner", "one line for each record").short('o'),
    opt("quiet", "print no warnings").short('Q'),
    opt("sibling", "sibling jobs of a federation").env(&["SCONTROL_SIBLING"]).listed(NO_FEDERATION),
    opt("uid", "update jobs as this user, for root").short('u').takes("user"),
    USAGE,
    VERBOSE,
    VERSION,
];
