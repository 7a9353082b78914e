//! sacct(1).

use super::{LATER, NO_FEDERATION, OTHER_CLUSTER, Opt, opt};

pub(super) const OPTIONS: &[Opt] = &[
    opt("accounts", "jobs of these accounts").short('A').takes("accounts"),
    opt("allclusters", "jobs of all clusters").short('L').listed("each cluster keeps its own accounting"),
    opt("allocations", "jobs without their steps").short('X'),
    opt("allusers", "jobs of all users").short('a'),
    opt("associations", "jobs of these associations")
        .short('x')
        .takes("ids")
        .refused("there are no associations; use --accounts"),
    opt("batch-script", "print the job's script").short('B').refused("use scontrol write batch_script"),
    opt("brief", "job, state and exit code").short('b'),
    opt("clusters", "clusters to ask").alias(&["cluster"]).short('M').takes("names").refused(OTHER_CLUSTER),
    opt("completion", "read the job completion log")
        .short('c')
        .refused("the accounting has all jobs; leave it out"),
    opt("constraints", "jobs that asked for these features").short('C').takes("features").refused(LATER),
    opt("delimiter", "what separates fields with --parsable").takes("text"),
    opt("duplicates", "every run of a job that was requeued").short('D').listed("a job has one record"),
    opt("endtime", "jobs that ran before this time").short('E').takes("time"),
    opt("env-vars", "print the job's environment").refused(LATER),
    opt("federation", "jobs of the federation").env(&["SACCT_FEDERATION"]).listed(NO_FEDERATION),
    opt("file", "completion log to read")
        .short('f')
        .takes("file")
        .refused("the accounting has all jobs; leave it out"),
    opt("flags", "special ways of choosing jobs").short('F').takes("flags").refused(LATER),
    opt("format", "columns by name, as jobid,state%20")
        .alias(&["fields"])
        .short('o')
        .takes("fields")
        .env(&["SACCT_FORMAT"]),
    opt("group", "jobs of these groups").alias(&["gid"]).short('g').takes("groups").refused("use --user"),
    opt("help", "show this text").short('h'),
    opt("helpformat", "names of all columns").short('e'),
    opt("jobs", "these jobs and steps").short('j').takes("job_ids"),
    opt("json", "print JSON").refused(LATER),
    opt("local", "jobs of this cluster").env(&["SACCT_LOCAL"]).listed(NO_FEDERATION),
    opt("long", "all columns in use").short('l'),
    opt("name", "jobs of these names").takes("names"),
    opt("ncpus", "jobs with so many CPUs").short('I').takes("min[-max]").refused(LATER),
    opt("nnodes", "jobs with so many nodes").short('i').takes("min[-max]").refused(LATER),
    opt("noconvert", "print memory in the unit it has"),
    opt("nodelist", "jobs on these nodes").short('N').takes("nodes"),
    opt("noheader", "leave out the header").short('n'),
    opt("parsable", "fields ended by |").short('p'),
    opt("parsable2", "fields separated by |").short('P'),
    opt("partition", "jobs in these partitions").short('r').takes("names"),
    opt("qos", "jobs of these QoS").short('q').takes("names"),
    opt("reason", "jobs that waited for these reasons").short('R').takes("reasons").refused(LATER),
    opt("starttime", "jobs that ran after this time").short('S').takes("time"),
    opt("state", "jobs in these states").short('s').takes("states"),
    opt("timelimit-max", "most time limit, with --timelimit-min").short('K').takes("time").refused(LATER),
    opt("timelimit-min", "time limit, or the least").short('k').takes("time").refused(LATER),
    opt("truncate", "cut times to the window that was asked for").short('T').refused(LATER),
    opt("units", "unit of memory: K, M, G, T or P").takes("unit"),
    opt("usage", "show the options in brief"),
    opt("use-local-uid", "look up users on this machine").listed("users are always those of this machine"),
    opt("user", "jobs of these users").alias(&["uid"]).short('u').takes("users"),
    opt("verbose", "say more").short('v'),
    opt("version", "show the version").short('V'),
    opt("wckeys", "jobs of these wckeys").short('W').takes("keys").refused("wckeys are not tracked"),
    opt("whole-hetjob", "all components of heterogeneous jobs")
        .may_take("yes|no")
        .listed("there are no heterogeneous jobs"),
    opt("yaml", "print YAML").refused(LATER),
];
