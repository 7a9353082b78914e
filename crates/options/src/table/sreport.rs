//! sreport(1).

use super::{NO_FEDERATION, Opt, USAGE, VERBOSE, VERSION, opt};

pub(super) const OPTIONS: &[Opt] = &[
    opt("all_clusters", "all clusters of the database").short('a').listed("there is one cluster"),
    opt("cluster", "the clusters to report on").short('M').takes("names").env(&["SREPORT_CLUSTER"]),
    opt("federation", "report on the federation").env(&["SREPORT_FEDERATION"]).listed(NO_FEDERATION),
    opt("help", "show this text").short('h'),
    opt("local", "report on this cluster alone").env(&["SREPORT_LOCAL"]).listed("there is one cluster"),
    opt("noheader", "leave out title and headings").short('n'),
    opt("parsable", "fields separated by |, also at the end").short('p'),
    opt("parsable2", "fields separated by |").short('P'),
    opt("quiet", "print no warnings").short('Q'),
    opt("time", "seconds, minutes, hours, percent, SecPer, MinPer or HourPer").short('t').takes("form"),
    opt("tres", "resources to report on, or ALL").short('T').takes("names").env(&["SREPORT_TRES"]),
    USAGE,
    VERBOSE,
    VERSION,
];
