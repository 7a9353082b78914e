//! sbatch(1).

use super::{CLUSTERS, HELP, LATER, NO_BINDING, NO_FEDERATION, Opt, USAGE, VERBOSE, VERSION, opt};

pub(super) const OPTIONS: &[Opt] = &[
    opt("account", "charge the job to this account").short('A').takes("name").env(&["SBATCH_ACCOUNT"]),
    opt("acctg-freq", "how often use is sampled")
        .takes("type=seconds")
        .env(&["SBATCH_ACCTG_FREQ"])
        .listed("use is measured when a process ends, not by sampling"),
    opt("array", "submit a job array, as 0-15, 1,3,5 or 0-15:4, with %n at most n at once")
        .short('a')
        .takes("indices")
        .env(&["SBATCH_ARRAY_INX"]),
    opt("batch", "features wanted of the node of the batch script").takes("list").env(&["SBATCH_BATCH"]),
    opt("bb", "burst buffer request").takes("spec").listed("there is no burst buffer"),
    opt("bbf", "file with a burst buffer request").takes("file").listed("there is no burst buffer"),
    opt("begin", "do not start before this time, as 16:00, now+1hour or 2030-01-20T12:34")
        .short('b')
        .takes("time"),
    opt("chdir", "folder in which the script runs").short('D').takes("folder"),
    opt("cluster-constraint", "features of clusters of a federation").takes("list").listed(NO_FEDERATION),
    CLUSTERS.env(&["SBATCH_CLUSTERS", "SLURM_CLUSTERS"]),
    opt("comment", "a remark that is kept with the job").takes("text"),
    opt("constraint", "features that the nodes must have, as a&b or a|b")
        .short('C')
        .takes("features")
        .env(&["SBATCH_CONSTRAINT"]),
    opt("container", "OCI bundle to run in")
        .takes("path")
        .env(&["SBATCH_CONTAINER"])
        .refused("start the container in the script, for example with apptainer"),
    opt("context", "SELinux context").takes("context").listed("no SELinux plugin is in use"),
    opt("contiguous", "nodes that follow one another"),
    opt("core-spec", "cores set aside for the system, which AllowSpecResourcesUsage=No ignores")
        .short('S')
        .takes("count")
        .env(&["SBATCH_CORE_SPEC"]),
    opt("cores-per-socket", "least cores of a socket").takes("count"),
    opt("cpu-freq", "CPU frequency").takes("range").listed("CPU frequencies are left to the machine"),
    opt("cpus-per-gpu", "CPUs for each GPU").takes("count").env(&["SBATCH_CPUS_PER_GPU"]),
    opt("cpus-per-task", "CPUs for each task").short('c').takes("count"),
    opt("deadline", "remove the job if it cannot end by then").takes("time"),
    opt("delay-boot", "how long to wait before booting nodes")
        .takes("minutes")
        .env(&["SBATCH_DELAY_BOOT"])
        .listed("nodes are never booted"),
    opt("dependency", "wait for other jobs, as afterok:12:13,singleton").short('d').takes("conditions"),
    opt("distribution", "how srun spreads tasks over nodes: block, cyclic or plane=size")
        .short('m')
        .takes("method")
        .env(&["SBATCH_DISTRIBUTION"]),
    opt("error", "file for standard error, as %x-%j.err").short('e').takes("pattern").env(&["SBATCH_ERROR"]),
    opt("exclude", "nodes not to use").short('x').takes("nodes"),
    opt("exclusive", "do not share the nodes with other jobs")
        .may_take("user|mcs")
        .env(&["SBATCH_EXCLUSIVE"]),
    opt("export", "variables that go along: ALL, NONE, or names and NAME=value")
        .takes("list")
        .env(&["SBATCH_EXPORT"]),
    opt("export-file", "file with variables that go along, each ended by a NUL byte").takes("file|fd"),
    opt("extra-node-info", "least sockets, cores and threads of nodes").short('B').takes("s[:c[:t]]"),
    opt("get-user-env", "add the variables of the user's login environment")
        .may_take("timeout][mode")
        .env(&["SBATCH_GET_USER_ENV"]),
    opt("gid", "group of the job; for root").takes("group"),
    opt("gpu-bind", "how tasks are bound to GPUs").takes("type").env(&["SBATCH_GPU_BIND"]).refused(LATER),
    opt("gpu-freq", "GPU frequency")
        .takes("value")
        .env(&["SBATCH_GPU_FREQ"])
        .listed("GPU frequencies are left to the machine"),
    opt("gpus", "GPUs of the whole job").short('G').takes("[type:]count").env(&["SBATCH_GPUS"]),
    opt("gpus-per-node", "GPUs of each node").takes("[type:]count").env(&["SBATCH_GPUS_PER_NODE"]),
    opt("gpus-per-socket", "GPUs of each socket")
        .takes("[type:]count")
        .refused("GPUs are not tied to sockets here; use --gpus-per-node"),
    opt("gpus-per-task", "GPUs of each task").takes("[type:]count").env(&["SBATCH_GPUS_PER_TASK"]),
    opt("gres", "generic resources of each node, as gpu:a100:2").takes("list").env(&["SBATCH_GRES"]),
    opt("gres-flags", "how CPUs and GPUs go together")
        .takes("type")
        .env(&["SBATCH_GRES_FLAGS"])
        .listed("generic resources are not tied to CPUs here"),
    HELP.short('h'),
    opt("hint", "hardware threads: compute_bound, memory_bound, multithread or nomultithread")
        .takes("type")
        .env(&["SBATCH_HINT", "SLURM_HINT"]),
    opt("hold", "submit held, to be released with scontrol release").short('H'),
    opt("ignore-pbs", "take no notice of #PBS and #BSUB lines").env(&["SBATCH_IGNORE_PBS"]),
    opt("input", "file for standard input").short('i').takes("pattern").env(&["SBATCH_INPUT"]),
    opt("job-name", "name of the job").short('J').takes("name").env(&["SBATCH_JOB_NAME"]),
    opt("kill-on-invalid-dep", "cancel the job if its dependency can never hold").takes("yes|no"),
    opt("licenses", "licences to hold while running, as matlab:2,ansys").short('L').takes("list"),
    opt("mail-type", "events to be told of by mail")
        .takes("types")
        .listed("recorded with the job; mail is sent on a slurm.conf only, by its MailProg"),
    opt("mail-user", "who is told by mail")
        .takes("user")
        .listed("recorded with the job; mail is sent on a slurm.conf only, by its MailProg"),
    opt("mcs-label", "multi-category security label").takes("label").listed("no security plugin is in use"),
    opt("mem", "memory of each node, as 500M or 4G; 0: all of it")
        .takes("size")
        .env(&["SBATCH_MEM_PER_NODE"]),
    opt("mem-bind", "how tasks are bound to memory")
        .takes("type")
        .env(&["SBATCH_MEM_BIND"])
        .listed(NO_BINDING),
    opt("mem-per-cpu", "memory for each CPU, as 500M or 4G").takes("size").env(&["SBATCH_MEM_PER_CPU"]),
    opt("mem-per-gpu", "memory for each GPU").takes("size").env(&["SBATCH_MEM_PER_GPU"]),
    opt("mincpus", "least CPUs of each node").takes("count"),
    opt("network", "interconnect request")
        .takes("type")
        .env(&["SBATCH_NETWORK"])
        .listed("there is no interconnect"),
    opt("nice", "lower the priority by so much").may_take("number"),
    opt("no-kill", "go on when a node fails")
        .short('k')
        .may_take("off")
        .env(&["SBATCH_NO_KILL"])
        .listed("the nodes are on one machine and do not fail singly"),
    opt("no-requeue", "never requeue the job").env(&["SBATCH_NO_REQUEUE"]),
    opt("nodefile", "file with the nodes to use").short('F').takes("file"),
    opt("nodelist", "nodes that must be among the job's").short('w').takes("nodes"),
    opt("nodes", "number of nodes, least or least-most").short('N').takes("min[-max]"),
    opt("ntasks", "number of tasks").short('n').takes("count"),
    opt("ntasks-per-core", "most tasks of a core").takes("count"),
    opt("ntasks-per-gpu", "tasks for each GPU").alias(&["ntasks-per-tres"]).takes("count"),
    opt("ntasks-per-node", "tasks of each node").alias(&["tasks-per-node"]).takes("count"),
    opt("ntasks-per-socket", "most tasks of a socket").takes("count"),
    opt("open-mode", "append to the output files or truncate them")
        .takes("append|truncate")
        .env(&["SBATCH_OPEN_MODE"]),
    opt("output", "file for standard output, as %x-%j.out")
        .short('o')
        .takes("pattern")
        .env(&["SBATCH_OUTPUT"]),
    opt("overcommit", "give each node the CPUs of one task for all its tasks")
        .short('O')
        .env(&["SBATCH_OVERCOMMIT"]),
    opt("oversubscribe", "share resources with other jobs")
        .short('s')
        .listed("no partition shares resources between jobs, and the partition decides"),
    opt("parsable", "print the job's number only"),
    opt("partition", "partitions, one of which is to be used")
        .short('p')
        .takes("names")
        .env(&["SBATCH_PARTITION"]),
    opt("power", "power management")
        .takes("flags")
        .env(&["SBATCH_POWER"])
        .listed("there is no power management"),
    opt("prefer", "features that the nodes had better have").takes("features"),
    opt("priority", "priority of the job, or TOP; for operators").takes("value"),
    opt("profile", "detailed measurements")
        .takes("types")
        .env(&["SBATCH_PROFILE"])
        .listed("no profiling plugin is in use"),
    opt("propagate", "resource limits that go along: ALL, NONE or names").may_take("limits"),
    opt("qos", "quality of service").short('q').takes("name").env(&["SBATCH_QOS"]),
    opt("quiet", "print errors only").short('Q'),
    opt("reboot", "boot the nodes first").listed("nodes are never booted"),
    opt("requeue", "the job may be requeued").env(&["SBATCH_REQUEUE"]),
    opt("reservation", "reservation to run in").takes("names").env(&["SBATCH_RESERVATION"]),
    opt("signal", "send a signal some seconds before the time limit")
        .takes("[{R|B}:]signal[@seconds]")
        .env(&["SBATCH_SIGNAL"]),
    opt("sockets-per-node", "least sockets of nodes").takes("count"),
    opt("spread-job", "use as many nodes as possible").env(&["SBATCH_SPREAD_JOB"]),
    opt("switches", "most leaf switches, and how long to wait for them")
        .takes("count[@time]")
        .env(&["SBATCH_REQ_SWITCH"])
        .listed("all nodes are on one machine"),
    opt("test-only", "say when the job would start, and submit nothing"),
    opt("thread-spec", "threads set aside for the system, which AllowSpecResourcesUsage=No ignores")
        .takes("count")
        .env(&["SBATCH_THREAD_SPEC"]),
    opt("threads-per-core", "threads of each core that are used, and least threads of a core")
        .takes("count")
        .env(&["SBATCH_THREADS_PER_CORE"]),
    opt("time", "time limit, as 30, 1:30:00 or 2-12").short('t').takes("time").env(&["SBATCH_TIMELIMIT"]),
    opt("time-min", "least time limit that will do, for who overtakes a job that waits").takes("time"),
    opt("tmp", "least temporary disk space of a node").takes("size"),
    opt("uid", "user of the job; for root, whose cluster the job's own commands do not reach").takes("user"),
    USAGE,
    opt("use-min-nodes", "prefer the smaller number of nodes").env(&["SBATCH_USE_MIN_NODES"]),
    VERBOSE.env(&["SBATCH_DEBUG"]),
    VERSION,
    opt("wait", "wait for the job's end and exit with its code").short('W').env(&["SBATCH_WAIT"]),
    opt("wait-all-nodes", "whether to wait until all nodes are booted")
        .takes("0|1")
        .env(&["SBATCH_WAIT_ALL_NODES"])
        .listed("all nodes are always ready"),
    opt("wckey", "workload characterization key")
        .takes("key")
        .env(&["SBATCH_WCKEY"])
        .listed("wckeys are not tracked (TrackWCKey=no)"),
    opt("wrap", "submit this command line instead of a script").takes("command"),
];
