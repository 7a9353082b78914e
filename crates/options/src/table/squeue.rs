//! squeue(1).

use super::{CLUSTERS, HELP, NO_FEDERATION, Opt, USAGE, VERBOSE, VERSION, opt};

pub(super) const OPTIONS: &[Opt] = &[
    opt("account", "jobs of these accounts")
        .alias(&["accounts"])
        .short('A')
        .takes("accounts")
        .env(&["SQUEUE_ACCOUNT"]),
    opt("all", "jobs in all partitions").short('a').env(&["SQUEUE_ALL"]),
    opt("array", "one line for each task of an array").short('r').env(&["SQUEUE_ARRAY"]),
    opt("array-unique", "one line for each record of an array, pending ones not put together")
        .env(&["SQUEUE_ARRAY_UNIQUE"]),
    CLUSTERS.env(&["SLURM_CLUSTERS"]),
    opt("federation", "jobs of the federation").env(&["SQUEUE_FEDERATION"]).listed(NO_FEDERATION),
    opt("format", "columns, as \"%.18i %.9P %j\"").short('o').takes("format").env(&["SQUEUE_FORMAT"]),
    opt("Format", "columns by name, as jobid,state:12").short('O').takes("fields").env(&["SQUEUE_FORMAT2"]),
    HELP,
    opt("hide", "leave out hidden partitions"),
    opt("iterate", "repeat every so many seconds").short('i').takes("seconds"),
    opt("jobs", "these jobs").short('j').may_take("job_ids"),
    opt("json", "print JSON"),
    opt("licenses", "jobs that hold these licences").short('L').takes("names").env(&["SQUEUE_LICENSES"]),
    opt("local", "jobs of this cluster").env(&["SQUEUE_LOCAL"]).listed(NO_FEDERATION),
    opt("long", "more columns").short('l'),
    opt("me", "the caller's own jobs"),
    opt("name", "jobs of these names").short('n').takes("names").env(&["SQUEUE_NAMES"]),
    opt("noconvert", "print memory in the unit it has"),
    opt("nodelist", "jobs on these nodes").alias(&["nodes", "node"]).short('w').takes("nodes"),
    opt("noheader", "leave out the header").short('h'),
    opt("partition", "jobs in these partitions")
        .alias(&["partitions"])
        .short('p')
        .takes("names")
        .env(&["SQUEUE_PARTITION"]),
    opt("priority", "one line for each partition that a job may run in").short('P').env(&["SQUEUE_PRIORITY"]),
    opt("qos", "jobs of these QoS").short('q').takes("names").env(&["SQUEUE_QOS"]),
    opt("reservation", "jobs in this reservation").short('R').takes("name"),
    opt("sibling", "sibling jobs of a federation")
        .alias(&["sib"])
        .env(&["SQUEUE_SIBLING"])
        .listed(NO_FEDERATION),
    opt("sort", "order of the lines, as -p,i").short('S').takes("columns").env(&["SQUEUE_SORT"]),
    opt("start", "when pending jobs are expected to start"),
    opt("states", "jobs in these states, or all").short('t').takes("states").env(&["SQUEUE_STATES"]),
    opt("steps", "steps instead of jobs").short('s').may_take("step_ids"),
    USAGE,
    opt("user", "jobs of these users").alias(&["users"]).short('u').takes("users").env(&["SQUEUE_USERS"]),
    VERBOSE,
    VERSION,
    opt("yaml", "print YAML"),
];
