//! sacct(1).

use super::{HELP, NO_FEDERATION, Opt, USAGE, VERSION, opt};

pub(super) const OPTIONS: &[Opt] = &[
    opt("accounts", "jobs of these accounts").short('A').takes("accounts"),
    opt("allclusters", "jobs of all clusters").short('L').listed("each cluster keeps its own accounting"),
    opt("allocations", "jobs without their steps").short('X'),
    opt("allusers", "jobs of all users").short('a'),
    opt("associations", "jobs of these associations, by AssocID").short('x').takes("ids"),
    opt("batch-script", "print the jobs' scripts; needs --jobs").short('B'),
    opt("brief", "job, state and exit code").short('b'),
    opt("clusters", "clusters whose jobs are shown; of others nothing is known")
        .alias(&["cluster"])
        .short('M')
        .takes("names"),
    opt("completion", "read the job completion log: there is none, which is said").short('c'),
    opt("constraints", "jobs that asked for all of these features").short('C').takes("features"),
    opt("delimiter", "what separates fields with --parsable").takes("text"),
    opt("duplicates", "every run of a job that was requeued").short('D'),
    opt("endtime", "jobs that ran before this time").short('E').takes("time"),
    opt("env-vars", "print the jobs' environments; needs --jobs"),
    opt("federation", "jobs of the federation").env(&["SACCT_FEDERATION"]).listed(NO_FEDERATION),
    opt("file", "completion log to read: there is none, which is said").short('f').takes("file"),
    opt("flags", "jobs started by SchedSubmit, SchedMain or SchedBackfill").short('F').takes("flags"),
    opt("format", "columns by name, as jobid,state%20")
        .alias(&["fields"])
        .short('o')
        .takes("fields")
        .env(&["SACCT_FORMAT"]),
    opt("group", "jobs of these groups").alias(&["gid"]).short('g').takes("groups"),
    HELP.short('h'),
    opt("helpformat", "names of all columns").short('e'),
    opt("jobs", "these jobs and steps").short('j').takes("job_ids"),
    opt("json", "print JSON in the shape of the REST interface v0.0.38"),
    opt("local", "jobs of this cluster").env(&["SACCT_LOCAL"]).listed(NO_FEDERATION),
    opt("long", "all columns in use").short('l'),
    opt("name", "jobs of these names").takes("names"),
    opt("ncpus", "jobs that ran on so many CPUs").short('I').takes("min[-max]"),
    opt("nnodes", "jobs that ran on so many nodes").short('i').takes("min[-max]"),
    opt("noconvert", "print memory in the unit it has"),
    opt("nodelist", "jobs on these nodes").short('N').takes("nodes"),
    opt("noheader", "leave out the header").short('n'),
    opt("parsable", "fields ended by |").short('p'),
    opt("parsable2", "fields separated by |").short('P'),
    opt("partition", "jobs in these partitions").short('r').takes("names"),
    opt("qos", "jobs of these QoS").short('q').takes("names"),
    opt("reason", "jobs that waited for these reasons").takes("reasons"),
    opt("starttime", "jobs that ran after this time").short('S').takes("time"),
    opt("state", "jobs in these states").short('s').takes("states"),
    opt("timelimit-max", "most time limit, with --timelimit-min").short('K').takes("time"),
    opt("timelimit-min", "time limit, or the least").short('k').takes("time"),
    opt("truncate", "cut times to the window that was asked for").short('T'),
    opt("units", "unit of memory: K, M, G, T or P").takes("unit"),
    USAGE.short('U'),
    opt("use-local-uid", "look up users on this machine").listed("users are always those of this machine"),
    opt("user", "jobs of these users").alias(&["uid"]).short('u').takes("users"),
    opt("verbose", "say which time window is asked for").short('v'),
    VERSION,
    opt("wckeys", "jobs of these wckeys").short('W').takes("keys"),
    opt("whole-hetjob", "all components of heterogeneous jobs")
        .may_take("yes|no")
        .listed("there are no heterogeneous jobs"),
    opt("yaml", "print YAML in the shape of the REST interface v0.0.38"),
];
