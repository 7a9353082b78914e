//! sshare(1).

use super::{CLUSTERS, HELP, Opt, USAGE, VERBOSE, VERSION, opt};

pub(super) const OPTIONS: &[Opt] = &[
    opt("accounts", "these accounts").short('A').takes("names"),
    opt("all", "all users").short('a'),
    CLUSTERS.env(&["SLURM_CLUSTERS"]),
    opt("format", "fields, as account,user%20,rawusage").short('o').takes("fields"),
    HELP,
    opt("helpformat", "show the names of the fields").short('e'),
    opt("long", "more fields").short('l'),
    opt("noheader", "leave out the header").short('n').also('h'),
    opt("parsable", "fields separated by |, also at the end").short('p'),
    opt("parsable2", "fields separated by |").short('P'),
    opt("partition", "the partitions of associations").short('m'),
    USAGE,
    opt("Users", "users without their accounts").short('U'),
    opt("users", "these users").short('u').takes("names"),
    VERBOSE,
    VERSION,
];
