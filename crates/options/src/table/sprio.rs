//! sprio(1).

use super::{CLUSTERS, HELP, NO_FEDERATION, Opt, USAGE, VERBOSE, VERSION, opt};

pub(super) const OPTIONS: &[Opt] = &[
    CLUSTERS.env(&["SLURM_CLUSTERS"]),
    opt("federation", "jobs of the federation").env(&["SPRIO_FEDERATION"]).listed(NO_FEDERATION),
    opt("format", "columns, as \"%.15i %9r %.10Y\"").short('o').takes("format").env(&["SPRIO_FORMAT"]),
    HELP,
    opt("jobs", "these jobs").short('j').may_take("job_ids"),
    opt("local", "jobs of this cluster").env(&["SPRIO_LOCAL"]).listed(NO_FEDERATION),
    opt("long", "more columns").short('l'),
    opt("noheader", "leave out the header").short('h'),
    opt("norm", "factors between 0 and 1 instead of their part of the priority").short('n'),
    opt("partition", "these partitions").alias(&["partitions"]).short('p').takes("names"),
    opt("sibling", "sibling jobs of a federation").alias(&["sib"]).env(&["SPRIO_SIBLING"]),
    opt("sort", "order of the lines, as r,-y").short('S').takes("columns"),
    USAGE,
    opt("user", "jobs of these users").alias(&["users"]).short('u').takes("users"),
    VERBOSE,
    VERSION,
    opt("weights", "the weights of the factors instead of jobs").short('w'),
];
