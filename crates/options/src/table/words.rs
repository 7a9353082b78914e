//! The commands of scontrol, the entities of its `show`, and the commands and reports of sreport, each in one of the three
//! states.

use super::Status;

/// One word that scontrol or sreport knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// As it is written in full.
    pub name: &'static str,
    /// What follows it.
    pub arguments: &'static str,
    /// What becomes of it.
    pub status: Status,
    /// One line of what it does.
    pub help: &'static str,
}

const fn word(name: &'static str, arguments: &'static str, help: &'static str) -> Word {
    Word { name, arguments, status: Status::Honoured, help }
}

impl Word {
    const fn listed(mut self, reason: &'static str) -> Word {
        self.status = Status::Listed(reason);
        self
    }
    const fn refused(mut self, instead: &'static str) -> Word {
        self.status = Status::Refused(instead);
        self
    }
}

const NO_BURST_BUFFER: &str = "there are no burst buffers";
const ONE_LOG: &str = "the controller's log has one level";

/// The commands, sorted.
pub const COMMANDS: &[Word] = &[
    word("abort", "", "end the controller and dump its memory").refused("use `bivouac down`"),
    word("all", "", "show hidden partitions too"),
    word("bbstat", "", "state of burst buffers").refused(NO_BURST_BUFFER),
    word("cancel_reboot", "NODES", "take a reboot back").listed("no node is ever to be rebooted"),
    word("cluster", "NAME", "speak to another cluster")
        .refused("set BIVOUAC_CLUSTER to speak to another cluster"),
    word("completing", "", "show jobs that are being ended"),
    word("create", "PartitionName=NAME ...", "make a partition"),
    word("delete", "PartitionName=NAME", "remove a partition in which no job is"),
    word("details", "", "show more"),
    word("dwstat", "", "state of burst buffers").refused(NO_BURST_BUFFER),
    word("errnumstr", "NUMBER", "show the text of an error number"),
    word("exit", "", "end the session"),
    word("fsdampeningfactor", "NUMBER", "set the dampening factor of fair share"),
    word("help", "", "show the commands"),
    word("hide", "", "leave out hidden partitions"),
    word("hold", "JOBS", "keep pending jobs from starting"),
    word("listpids", "[JOB[.STEP]]", "show processes of jobs"),
    word("notify", "JOB MESSAGE", "write to a job's standard error"),
    word("oneliner", "", "show each record in one line"),
    word("pidinfo", "PID", "show the job of a process"),
    word("ping", "", "show whether the controller answers"),
    word("quiet", "", "print no warnings"),
    word("quit", "", "end the session"),
    word("reboot", "NODES", "boot nodes").refused("nodes are not rebooted"),
    word("reconfigure", "", "read the configuration again"),
    word("release", "JOBS", "let held jobs start"),
    word("requeue", "JOBS", "run jobs again"),
    word("requeuehold", "JOBS", "run jobs again once they are released"),
    word("resume", "JOBS", "let suspended jobs go on"),
    word("schedloglevel", "LEVEL", "switch the scheduler's log")
        .refused("there is no log of the scheduler's own"),
    word("setdebug", "LEVEL", "set the controller's verbosity").listed(ONE_LOG),
    word("setdebugflags", "+FLAG|-FLAG", "set a debug flag of the controller").listed(ONE_LOG),
    word("show", "ENTITY [ID]", "show something"),
    word("shutdown", "[slurmctld]", "end the controller; jobs go on"),
    word("suspend", "JOBS", "stop running jobs, whose CPUs others may use"),
    word("takeover", "", "let a backup controller take over").refused("there is one controller"),
    word("token", "", "make a token for the REST interface").refused("there is no REST interface"),
    word("top", "JOBS", "put jobs first among their user's"),
    word("uhold", "JOBS", "keep pending jobs from starting, as their users would"),
    word("update", "KEY=VALUE...", "change jobs, nodes and partitions"),
    word("verbose", "", "show more"),
    word("version", "", "show the version"),
    word("wait_job", "JOB", "wait until a job runs"),
    word("write", "batch_script JOB | config [FILE]", "write a job's script or the configuration to a file"),
];

/// What `scontrol show` shows, sorted.
pub const ENTITIES: &[Word] = &[
    word("aliases", "[NODE]", "names of nodes on this machine"),
    word("assoc_mgr", "[KEY=NAMES...]", "users, associations and QOS, and what is used of them"),
    word("bbstat", "", "state of burst buffers").listed(NO_BURST_BUFFER),
    word("burstbuffer", "", "burst buffers").listed(NO_BURST_BUFFER),
    word("config", "", "the parameters that hold"),
    word("daemons", "", "the daemons of this machine"),
    word("dwstat", "", "state of burst buffers").listed(NO_BURST_BUFFER),
    word("federation", "", "the federation").listed("there is one cluster and no federation"),
    word("frontend", "", "front ends").listed("there are no front ends"),
    word("hostlist", "NAMES", "the hostlist of names"),
    word("hostlistsorted", "NAMES", "the same, sorted"),
    word("hostnames", "[LIST]", "a hostlist's names, one a line"),
    word("job", "[JOB]", "jobs"),
    word("licenses", "[NAME]", "licences"),
    word("node", "[NODES]", "nodes"),
    word("partition", "[NAME]", "partitions"),
    word("reservation", "[NAME]", "reservations").listed("there are no reservations"),
    word("slurmd", "", "the node daemon of this machine").refused("there is no node daemon"),
    word("step", "[JOB[.STEP]]", "steps that run"),
    word("topology", "[NODE]", "switches, or those above a node"),
];

const NO_WCKEYS: &str = "jobs have no workload characterization keys";

/// sreport's commands and reports, sorted.
pub const REPORTS: &[Word] = &[
    word("cluster AccountUtilizationByUser", "[CONDITIONS]", "accounts, their users and what they used"),
    word("cluster UserUtilizationByAccount", "[CONDITIONS]", "users in their accounts, by what they used"),
    word("cluster UserUtilizationByWckey", "[CONDITIONS]", "users by key").listed(NO_WCKEYS),
    word("cluster Utilization", "[CONDITIONS]", "nodes' time: allocated, down, idle, planned"),
    word("cluster WCKeyUtilizationByUser", "[CONDITIONS]", "keys by user").listed(NO_WCKEYS),
    word("exit", "", "end the session"),
    word("help", "", "show options, commands and reports"),
    word("job SizesByAccount", "[CONDITIONS]", "what jobs of which size used"),
    word("job SizesByAccountAndWcKey", "[CONDITIONS]", "the same by key").listed(NO_WCKEYS),
    word("job SizesByWckey", "[CONDITIONS]", "the same by key").listed(NO_WCKEYS),
    word("nonparsable", "", "pad columns again"),
    word("parsable", "", "part fields by |, also at the end"),
    word("parsable2", "", "part fields by |"),
    word("quiet", "", "print no warnings"),
    word("quit", "", "end the session"),
    word("reservation Utilization", "[CONDITIONS]", "how reservations were used")
        .listed("there are no reservations"),
    word("time", "FORM", "the unit of time, as -t"),
    word("user TopUsage", "[CONDITIONS]", "the users who used most"),
    word("verbose", "", "say more"),
    word("version", "", "show the version"),
];
