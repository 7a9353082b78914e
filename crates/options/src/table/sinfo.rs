//! sinfo(1).

use super::{CLUSTERS, HELP, NO_FEDERATION, Opt, USAGE, VERBOSE, VERSION, opt};

pub(super) const OPTIONS: &[Opt] = &[
    opt("all", "all partitions").short('a').env(&["SINFO_ALL"]),
    CLUSTERS.env(&["SLURM_CLUSTERS"]),
    opt("dead", "nodes that do not respond").short('d'),
    opt("exact", "do not group nodes that differ").short('e'),
    opt("federation", "nodes of the federation").env(&["SINFO_FEDERATION"]).listed(NO_FEDERATION),
    opt("format", "columns, as \"%P %.5a %.10l\"").short('o').takes("format").env(&["SINFO_FORMAT"]),
    opt("Format", "columns by name, as nodelist,cpus:8").short('O').takes("fields"),
    HELP,
    opt("hide", "leave out hidden partitions"),
    opt("iterate", "repeat every so many seconds").short('i').takes("seconds"),
    opt("json", "print JSON"),
    opt("list-reasons", "why nodes are down or drained").short('R'),
    opt("local", "this cluster").env(&["SINFO_LOCAL"]).listed(NO_FEDERATION),
    opt("long", "more columns").short('l'),
    opt("noconvert", "print memory in the unit it has").listed("sizes are always printed in MiB"),
    opt("Node", "one line for each node").short('N'),
    opt("nodes", "these nodes").short('n').takes("nodes"),
    opt("noheader", "leave out the header").short('h'),
    opt("partition", "these partitions").short('p').takes("names").env(&["SINFO_PARTITION"]),
    opt("reservation", "reservations instead of partitions").short('T'),
    opt("responding", "nodes that respond").short('r'),
    opt("sort", "order of the lines, as -P,N").short('S').takes("columns").env(&["SINFO_SORT"]),
    opt("states", "nodes in these states").short('t').takes("states"),
    opt("summarize", "partitions with counts of nodes").short('s'),
    USAGE,
    VERBOSE,
    VERSION,
    opt("yaml", "print YAML"),
];
