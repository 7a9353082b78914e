//! Options that ask for a job, whichever command it is: one row for sbatch, salloc and, outside a job, srun.

use super::{NO_BINDING, NO_FEDERATION, Opt, opt};

pub(super) const ACCOUNT: Opt = opt("account", "charge the job to this account").short('A').takes("name");
pub(super) const ACCTG_FREQ: Opt =
    opt("acctg-freq", "how often it is looked at what tasks use, 0: only when they end")
        .takes("task=seconds");
pub(super) const BB: Opt = opt("bb", "burst buffer request").takes("spec").listed("there is no burst buffer");
pub(super) const BBF: Opt =
    opt("bbf", "file with a burst buffer request").takes("file").listed("there is no burst buffer");
pub(super) const BEGIN: Opt =
    opt("begin", "do not start before this time, as 16:00, now+1hour or 2030-01-20T12:34")
        .short('b')
        .takes("time");
pub(super) const CLUSTER_CONSTRAINT: Opt =
    opt("cluster-constraint", "features of clusters of a federation").takes("list").listed(NO_FEDERATION);
pub(super) const COMMENT: Opt = opt("comment", "a remark that is kept with the job").takes("text");
pub(super) const CONSTRAINT: Opt =
    opt("constraint", "features that the nodes must have, as a&b or a|b").short('C').takes("features");
pub(super) const CONTAINER: Opt = opt("container", "OCI bundle to run in")
    .takes("path")
    .refused("run a program that starts the container, for example apptainer");
pub(super) const CONTEXT: Opt =
    opt("context", "SELinux context").takes("context").listed("no SELinux plugin is in use");
pub(super) const CONTIGUOUS: Opt = opt("contiguous", "nodes that follow one another");
pub(super) const CORE_SPEC: Opt =
    opt("core-spec", "cores set aside for the system, which AllowSpecResourcesUsage=No ignores")
        .short('S')
        .takes("count");
pub(super) const CORES_PER_SOCKET: Opt = opt("cores-per-socket", "least cores of a socket").takes("count");
pub(super) const CPU_FREQ: Opt =
    opt("cpu-freq", "CPU frequency").takes("range").listed("CPU frequencies are left to the machine");
pub(super) const CPUS_PER_GPU: Opt = opt("cpus-per-gpu", "CPUs for each GPU").takes("count");
pub(super) const CPUS_PER_TASK: Opt = opt("cpus-per-task", "CPUs for each task").short('c').takes("count");
pub(super) const DEADLINE: Opt = opt("deadline", "remove the job if it cannot end by then").takes("time");
pub(super) const DELAY_BOOT: Opt = opt("delay-boot", "how long to wait before booting nodes")
    .takes("minutes")
    .listed("nodes are never booted");
pub(super) const DEPENDENCY: Opt =
    opt("dependency", "wait for other jobs, as afterok:12:13,singleton").short('d').takes("conditions");
pub(super) const DISTRIBUTION: Opt =
    opt("distribution", "how srun spreads tasks over nodes: block, cyclic or plane=size")
        .short('m')
        .takes("method");
pub(super) const EXCLUDE: Opt = opt("exclude", "nodes not to use").short('x').takes("nodes");
pub(super) const EXCLUSIVE: Opt =
    opt("exclusive", "do not share the nodes with other jobs").may_take("user|mcs");
pub(super) const EXTRA_NODE_INFO: Opt =
    opt("extra-node-info", "least sockets, cores and threads of nodes").short('B').takes("s[:c[:t]]");
pub(super) const GET_USER_ENV: Opt =
    opt("get-user-env", "add the variables of the user's login environment").may_take("timeout][mode");
pub(super) const GID: Opt = opt("gid", "group of the job; for root").takes("group");
pub(super) const GPU_BIND: Opt = opt("gpu-bind", "how tasks are bound to GPUs").takes("type");
pub(super) const GPU_FREQ: Opt =
    opt("gpu-freq", "GPU frequency").takes("value").listed("GPU frequencies are left to the machine");
pub(super) const GPUS: Opt = opt("gpus", "GPUs of the whole job").short('G').takes("[type:]count");
pub(super) const GPUS_PER_NODE: Opt = opt("gpus-per-node", "GPUs of each node").takes("[type:]count");
pub(super) const GPUS_PER_SOCKET: Opt =
    opt("gpus-per-socket", "GPUs for each socket of which the job has CPUs").takes("[type:]count");
pub(super) const GPUS_PER_TASK: Opt = opt("gpus-per-task", "GPUs of each task").takes("[type:]count");
pub(super) const GRES: Opt = opt("gres", "generic resources of each node, as gpu:a100:2").takes("list");
pub(super) const GRES_FLAGS: Opt = opt("gres-flags", "how CPUs and GPUs go together")
    .takes("type")
    .listed("generic resources are not tied to CPUs here");
pub(super) const HINT: Opt =
    opt("hint", "hardware threads: compute_bound, memory_bound, multithread or nomultithread").takes("type");
pub(super) const HOLD: Opt = opt("hold", "submit held, to be released with scontrol release").short('H');
pub(super) const JOB_NAME: Opt = opt("job-name", "name of the job").short('J').takes("name");
pub(super) const LICENSES: Opt =
    opt("licenses", "licences to hold while running, as matlab:2,ansys").short('L').takes("list");
pub(super) const MAIL_TYPE: Opt = opt("mail-type", "events to be told of by mail")
    .takes("types")
    .listed("recorded with the job; mail is sent on a slurm.conf only, by its MailProg");
pub(super) const MAIL_USER: Opt = opt("mail-user", "who is told by mail")
    .takes("user")
    .listed("recorded with the job; mail is sent on a slurm.conf only, by its MailProg");
pub(super) const MCS_LABEL: Opt =
    opt("mcs-label", "multi-category security label").takes("label").listed("no security plugin is in use");
pub(super) const MEM: Opt = opt("mem", "memory of each node, as 500M or 4G; 0: all of it").takes("size");
pub(super) const MEM_BIND: Opt =
    opt("mem-bind", "how tasks are bound to memory").takes("type").listed(NO_BINDING);
pub(super) const MEM_PER_CPU: Opt = opt("mem-per-cpu", "memory for each CPU, as 500M or 4G").takes("size");
pub(super) const MEM_PER_GPU: Opt = opt("mem-per-gpu", "memory for each GPU").takes("size");
pub(super) const MINCPUS: Opt = opt("mincpus", "least CPUs of each node").takes("count");
pub(super) const NETWORK: Opt =
    opt("network", "interconnect request").takes("type").listed("there is no interconnect");
pub(super) const NICE: Opt = opt("nice", "lower the priority by so much").may_take("number");
pub(super) const NO_KILL: Opt = opt("no-kill", "go on when a node fails")
    .short('k')
    .may_take("off")
    .listed("the nodes are on one machine and do not fail singly");
pub(super) const NODEFILE: Opt = opt("nodefile", "file with the nodes to use").short('F').takes("file");
pub(super) const NODELIST: Opt =
    opt("nodelist", "nodes that must be among the job's").short('w').takes("nodes");
pub(super) const NODES: Opt =
    opt("nodes", "number of nodes, least or least-most").short('N').takes("min[-max]");
pub(super) const NTASKS: Opt = opt("ntasks", "number of tasks").short('n').takes("count");
pub(super) const NTASKS_PER_CORE: Opt = opt("ntasks-per-core", "most tasks of a core").takes("count");
pub(super) const NTASKS_PER_GPU: Opt =
    opt("ntasks-per-gpu", "tasks for each GPU").alias(&["ntasks-per-tres"]).takes("count");
pub(super) const NTASKS_PER_NODE: Opt =
    opt("ntasks-per-node", "tasks of each node").alias(&["tasks-per-node"]).takes("count");
pub(super) const NTASKS_PER_SOCKET: Opt = opt("ntasks-per-socket", "most tasks of a socket").takes("count");
pub(super) const OVERCOMMIT: Opt =
    opt("overcommit", "give each node the CPUs of one task for all its tasks").short('O');
pub(super) const OVERSUBSCRIBE: Opt = opt("oversubscribe", "share resources with other jobs")
    .short('s')
    .listed("no partition shares resources between jobs, and the partition decides");
pub(super) const PARTITION: Opt =
    opt("partition", "partitions, one of which is to be used").short('p').takes("names");
pub(super) const POWER: Opt =
    opt("power", "power management").takes("flags").listed("there is no power management");
pub(super) const PREFER: Opt = opt("prefer", "features that the nodes had better have").takes("features");
pub(super) const PRIORITY: Opt = opt("priority", "priority of the job, or TOP; for operators").takes("value");
pub(super) const PROFILE: Opt =
    opt("profile", "detailed measurements").takes("types").listed("no profiling plugin is in use");
pub(super) const QOS: Opt = opt("qos", "quality of service").short('q').takes("name");
pub(super) const QUIET: Opt = opt("quiet", "print errors only").short('Q');
pub(super) const REBOOT: Opt = opt("reboot", "boot the nodes first").listed("nodes are never booted");
pub(super) const RESERVATION: Opt = opt("reservation", "reservation to run in").takes("names");
pub(super) const SIGNAL: Opt =
    opt("signal", "send a signal some seconds before the time limit").takes("[R:]signal[@seconds]");
pub(super) const SOCKETS_PER_NODE: Opt = opt("sockets-per-node", "least sockets of nodes").takes("count");
pub(super) const SPREAD_JOB: Opt = opt("spread-job", "use as many nodes as possible");
pub(super) const SWITCHES: Opt = opt("switches", "most leaf switches, and how long to wait for them")
    .takes("count[@time]")
    .listed("all nodes are on one machine");
pub(super) const THREAD_SPEC: Opt =
    opt("thread-spec", "threads set aside for the system, which AllowSpecResourcesUsage=No ignores")
        .takes("count");
pub(super) const THREADS_PER_CORE: Opt =
    opt("threads-per-core", "threads of each core that are used, and least threads of a core").takes("count");
pub(super) const TIME: Opt = opt("time", "time limit, as 30, 1:30:00 or 2-12").short('t').takes("time");
pub(super) const TIME_MIN: Opt =
    opt("time-min", "least time limit that will do, for who overtakes a job that waits").takes("time");
pub(super) const TMP: Opt = opt("tmp", "least temporary disk space of a node").takes("size");
pub(super) const UID: Opt =
    opt("uid", "user of the job; for root, whose cluster the job's own commands do not reach").takes("user");
pub(super) const USE_MIN_NODES: Opt = opt("use-min-nodes", "prefer the smaller number of nodes");
pub(super) const WAIT_ALL_NODES: Opt = opt("wait-all-nodes", "whether to wait until all nodes are booted")
    .takes("0|1")
    .listed("all nodes are always ready");
pub(super) const WCKEY: Opt = opt("wckey", "workload characterization key")
    .takes("key")
    .listed("wckeys are not tracked (TrackWCKey=no)");
