//! scancel(1).

use super::{CLUSTERS, HELP, Opt, USAGE, VERBOSE, VERSION, opt};

pub(super) const OPTIONS: &[Opt] = &[
    opt("account", "jobs of this account").short('A').takes("name").env(&["SCANCEL_ACCOUNT"]),
    opt("batch", "signal the batch shell only").short('b').env(&["SCANCEL_BATCH"]),
    CLUSTERS.env(&["SLURM_CLUSTERS"]),
    opt("ctld", "send the request to the controller")
        .env(&["SCANCEL_CTLD"])
        .listed("requests always go to the controller"),
    opt("full", "signal the batch shell and all steps").short('f').env(&["SCANCEL_FULL"]),
    HELP,
    opt("hurry", "do not write back burst buffers")
        .short('H')
        .env(&["SCANCEL_HURRY"])
        .listed("there is no burst buffer"),
    opt("interactive", "ask before each job").short('i').env(&["SCANCEL_INTERACTIVE"]),
    opt("jobname", "jobs of this name").alias(&["name"]).short('n').takes("name").env(&["SCANCEL_NAME"]),
    opt("me", "the caller's own jobs"),
    opt("nodelist", "jobs on these nodes").short('w').takes("nodes"),
    opt("partition", "jobs in this partition").short('p').takes("name").env(&["SCANCEL_PARTITION"]),
    opt("qos", "jobs of this QoS").short('q').takes("name").env(&["SCANCEL_QOS"]),
    opt("quiet", "say nothing of jobs that have ended").short('Q'),
    opt("reservation", "jobs in this reservation").short('R').takes("name"),
    opt("sibling", "sibling job on a cluster of a federation")
        .takes("cluster")
        .listed("no job is one of a federation, and that is the answer"),
    opt("signal", "send this signal instead of ending the job").short('s').takes("signal"),
    opt("state", "jobs in this state: PENDING, RUNNING or SUSPENDED")
        .short('t')
        .takes("state")
        .env(&["SCANCEL_STATE"]),
    USAGE,
    opt("user", "jobs of this user").short('u').takes("user").env(&["SCANCEL_USER"]),
    VERBOSE.env(&["SCANCEL_VERBOSE"]),
    VERSION,
    opt("wckey", "jobs of this wckey").takes("key").env(&["SCANCEL_WCKEY"]),
];
