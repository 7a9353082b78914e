//! strigger(1).

use super::{CLUSTERS, HELP, Opt, USAGE, VERSION, opt};

const NO_BACKUP: &str =
    "there is one controller, which is started again; --primary_slurmctld_resumed_operation tells";
const NO_DAEMON: &str = "the controller keeps the accounting itself";

pub(super) const OPTIONS: &[Opt] = &[
    opt("backup_slurmctld_assumed_control", "event: the backup controller takes over")
        .alias(&["backup_slurmctld_as_ctrl"])
        .short('C')
        .refused(NO_BACKUP),
    opt("backup_slurmctld_failure", "event: the backup controller fails").short('B').refused(NO_BACKUP),
    opt("backup_slurmctld_resumed_operation", "event: the backup controller is back")
        .short('c')
        .refused(NO_BACKUP),
    opt("burst_buffer", "event: an error of a burst buffer").refused("there are no burst buffers"),
    opt("clear", "remove triggers"),
    CLUSTERS.env(&["SLURM_CLUSTERS"]),
    opt("down", "event: a node goes down").short('d'),
    opt("drained", "event: a node that takes no new jobs has lost its last one").short('D'),
    opt("fail", "event: a node is expected to fail").short('F'),
    opt("fini", "event: the job ends").short('f'),
    opt("flags", "PERM: the trigger stays after it has fired").takes("flag"),
    opt("front_end", "changes of front end nodes").refused("there are no front end nodes"),
    opt("get", "show triggers"),
    HELP,
    opt("id", "the trigger of this number").short('i').takes("number"),
    opt("idle", "event: a node has been idle for --offset").short('I'),
    opt("jobid", "the job that is looked at, or whose nodes are").short('j').takes("job_id"),
    opt("node", "the nodes that are looked at: all, if none are named").short('n').may_take("nodes"),
    opt("noheader", "leave out the header").short('N'),
    opt("offset", "seconds between the event and the program; negative: before it")
        .short('o')
        .takes("seconds"),
    opt("primary_database_failure", "event: the database fails").short('h').refused(NO_DAEMON),
    opt("primary_database_resumed_operation", "event: the database is back").short('H').refused(NO_DAEMON),
    opt("primary_slurmctld_acct_buffer_full", "event: accounting records are lost")
        .short('e')
        .refused("records are stored with the events that make them"),
    opt("primary_slurmctld_failure", "event: the controller fails").short('a').refused(NO_BACKUP),
    opt("primary_slurmctld_resumed_control", "event: the controller has control again")
        .short('b')
        .refused(NO_BACKUP),
    opt("primary_slurmctld_resumed_operation", "event: the controller serves again").short('A'),
    opt("primary_slurmdbd_failure", "event: the accounting daemon fails").short('g').refused(NO_DAEMON),
    opt("primary_slurmdbd_resumed_operation", "event: the accounting daemon is back")
        .short('G')
        .refused(NO_DAEMON),
    opt("program", "absolute path of what is run, and its first arguments").short('p').takes("path"),
    opt("quiet", "clearing what is not there is no error").short('Q'),
    opt("reconfig", "event: the configuration or a node's state changes").short('r'),
    opt("set", "make a trigger"),
    opt("time", "event: the job reaches its time limit").short('t'),
    opt("up", "event: a node comes back to service").short('u'),
    USAGE,
    opt("user", "triggers of this user").takes("user"),
    opt("verbose", "say how many there are").short('v'),
    VERSION,
];
