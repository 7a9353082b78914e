//! srun(1), within a job: the options of a step. Variables are listed only where the option is honoured: a job's
//! environment holds many of srun's variables (SLURM_MEM_PER_CPU and so on), which the batch shell passes on.

use super::{CLUSTERS, HELP, LATER, LATER_GPU, NO_BINDING, NO_FEDERATION, Opt, USAGE, VERBOSE, VERSION, opt};

const OF_THE_JOB: &str = "a step has what its job has";
const ALLOCATION: &str = "it belongs to a job's allocation: give it to sbatch";

pub(super) const OPTIONS: &[Opt] = &[
    opt("accel-bind", "how tasks are bound to accelerators").takes("options").listed(NO_BINDING),
    opt("account", "charge the job to this account").short('A').takes("name").listed(OF_THE_JOB),
    opt("acctg-freq", "how often use is sampled")
        .takes("type=seconds")
        .listed("use is measured when a process ends, not by sampling"),
    opt("bb", "burst buffer request").takes("spec").listed("there is no burst buffer"),
    opt("bbf", "file with a burst buffer request").takes("file").listed("there is no burst buffer"),
    opt("bcast", "copy the program to the nodes first").may_take("path").env(&["SLURM_BCAST"]),
    opt("bcast-exclude", "libraries that --bcast leaves out")
        .takes("paths")
        .listed("all nodes see the same files"),
    opt("begin", "do not start before this time").short('b').takes("time").refused(ALLOCATION),
    opt("chdir", "folder in which the tasks run")
        .short('D')
        .takes("folder")
        .env(&["SLURM_WORKING_DIR", "SLURM_REMOTE_CWD"]),
    opt("cluster-constraint", "features of clusters of a federation").takes("list").listed(NO_FEDERATION),
    CLUSTERS.refused("set BIVOUAC_CLUSTER to speak to another cluster"),
    opt("comment", "a remark that is kept with the job").takes("text").listed(OF_THE_JOB),
    opt("compress", "compress what --bcast copies").may_take("type").listed("all nodes see the same files"),
    opt("constraint", "features that the nodes must have")
        .short('C')
        .takes("features")
        .refused("it comes in a later release; use --nodelist"),
    opt("container", "OCI bundle to run in")
        .takes("path")
        .env(&["SRUN_CONTAINER"])
        .refused("start the container as the program, for example with apptainer"),
    opt("context", "SELinux context").takes("context").refused("jobs run in the context of their user"),
    opt("contiguous", "ask for adjacent nodes").listed("all nodes are on one machine"),
    opt("core-spec", "cores set aside for the system").short('S').takes("count").refused(ALLOCATION),
    opt("cores-per-socket", "least cores of a socket").takes("count").refused(ALLOCATION),
    opt("cpu-bind", "how tasks are bound to CPUs, for their environment: nothing is bound")
        .alias(&["cpu_bind"])
        .takes("type"),
    opt("cpu-freq", "CPU frequency").takes("range").listed("CPU frequencies are left to the machine"),
    opt("cpus-per-gpu", "CPUs for each GPU")
        .takes("count")
        .refused("it comes in a later release; use --cpus-per-task"),
    opt("cpus-per-task", "CPUs for each task").short('c').takes("count").env(&["SRUN_CPUS_PER_TASK"]),
    opt("deadline", "remove the job if it cannot end by then").takes("time").refused(ALLOCATION),
    opt("debugger-test", "for the tests of parallel debuggers").refused(LATER),
    opt("delay-boot", "how long to wait before booting nodes")
        .takes("minutes")
        .listed("nodes are never booted"),
    opt("dependency", "wait for other jobs").short('d').takes("conditions").refused(ALLOCATION),
    opt("disable-status", "let one interrupt end the step")
        .short('X')
        .listed("one interrupt always ends the step"),
    opt("distribution", "how tasks are spread over nodes: block, cyclic or plane=size")
        .short('m')
        .takes("method")
        .env(&["SLURM_DISTRIBUTION"]),
    opt("epilog", "program to run on this host after the step").takes("program").env(&["SLURM_EPILOG"]),
    opt("error", "file for standard error, as %x.%t.err; none or all")
        .short('e')
        .takes("pattern")
        .env(&["SLURM_STDERRMODE"]),
    opt("exact", "use no more CPUs than asked for").env(&["SLURM_EXACT"]),
    opt("exclude", "nodes not to use").short('x').takes("nodes"),
    opt("exclusive", "do not share CPUs with other steps").may_take("user|mcs").env(&["SLURM_EXCLUSIVE"]),
    opt("export", "variables that go along: ALL, NONE, or names and NAME=value")
        .takes("list")
        .env(&["SRUN_EXPORT_ENV", "SLURM_EXPORT_ENV"]),
    opt("extra-node-info", "least sockets, cores and threads of nodes")
        .short('B')
        .takes("s[:c[:t]]")
        .refused(ALLOCATION),
    opt("gid", "group of the job").takes("group").refused("run it under newgrp(1)"),
    opt("gpu-bind", "how tasks are bound to GPUs").takes("type").refused(LATER),
    opt("gpu-freq", "GPU frequency").takes("value").listed("GPU frequencies are left to the machine"),
    opt("gpus", "GPUs of the whole step").short('G').takes("[type:]count").refused(LATER_GPU),
    opt("gpus-per-node", "GPUs of each node").takes("[type:]count").refused(LATER_GPU),
    opt("gpus-per-socket", "GPUs of each socket").takes("[type:]count").refused(LATER_GPU),
    opt("gpus-per-task", "GPUs of each task").takes("[type:]count").refused(LATER_GPU),
    opt("gres", "how many of the job's generic resources of each node").takes("list"),
    opt("gres-flags", "how CPUs and GPUs go together")
        .takes("type")
        .listed("generic resources are not tied to CPUs here"),
    HELP.short('h'),
    opt("het-group", "components of a heterogeneous job")
        .alias(&["pack-group"])
        .takes("list")
        .refused("there are no heterogeneous jobs"),
    opt("hint", "how tasks are bound to hardware threads").takes("type").listed(NO_BINDING),
    opt("hold", "submit held").short('H').refused(ALLOCATION),
    opt("immediate", "fail if the resources are not free at once")
        .short('I')
        .may_take("seconds")
        .listed("a step in its own job always starts at once"),
    opt("input", "standard input: all, none, a task's number or a file")
        .short('i')
        .takes("mode")
        .env(&["SLURM_STDINMODE"]),
    opt("interactive", "the step of an interactive job").refused(LATER),
    opt("job-name", "name of the step").short('J').takes("name"),
    opt("jobid", "job to run in").takes("job_id").refused("srun runs in the job of the script that calls it"),
    opt("kill-on-bad-exit", "end the step when a task fails")
        .short('K')
        .may_take("0|1")
        .env(&["SLURM_KILL_BAD_EXIT"]),
    opt("label", "begin each line with the task's number").short('l').env(&["SLURM_LABELIO"]),
    opt("licenses", "licences to hold while running").short('L').takes("list").refused(ALLOCATION),
    opt("mail-type", "events to be told of by mail").takes("types").listed(OF_THE_JOB),
    opt("mail-user", "who is told by mail").takes("user").listed(OF_THE_JOB),
    opt("mcs-label", "multi-category security label").takes("label").listed("no security plugin is in use"),
    opt("mem", "memory of each node").takes("size").listed("a step may use all memory of its job"),
    opt("mem-bind", "how tasks are bound to memory").takes("type").listed(NO_BINDING),
    opt("mem-per-cpu", "memory for each CPU").takes("size").listed("a step may use all memory of its job"),
    opt("mem-per-gpu", "memory for each GPU").takes("size").listed("a step may use all memory of its job"),
    opt("mincpus", "least CPUs of each node").takes("count").refused(ALLOCATION),
    opt("mpi", "how MPI programs are started: none").takes("type").env(&["SLURM_MPI_TYPE"]),
    opt("msg-timeout", "how long to wait for messages")
        .takes("seconds")
        .listed("tasks are started without messages"),
    opt("multi-prog", "run different programs, named in a file"),
    opt("network", "interconnect request").takes("type").listed("there is no interconnect"),
    opt("nice", "lower the priority by so much").may_take("number").refused(ALLOCATION),
    opt("no-allocate", "run without an allocation").short('Z').refused("use the job's allocation"),
    opt("no-kill", "go on when a node fails")
        .short('k')
        .may_take("off")
        .listed("the nodes are on one machine and do not fail singly"),
    opt("nodefile", "file with the nodes to use").short('F').takes("file").refused("use --nodelist"),
    opt("nodelist", "nodes of the job to run on").short('w').takes("nodes"),
    opt("nodes", "number of nodes")
        .short('N')
        .takes("min[-max]")
        .env(&["SLURM_JOB_NUM_NODES", "SLURM_NNODES"]),
    opt("ntasks", "number of tasks").short('n').takes("count").env(&["SLURM_NTASKS", "SLURM_NPROCS"]),
    opt("ntasks-per-core", "most tasks of a core").takes("count").refused("use --ntasks-per-node"),
    opt("ntasks-per-gpu", "tasks for each GPU")
        .alias(&["ntasks-per-tres"])
        .takes("count")
        .refused("use --ntasks-per-node"),
    opt("ntasks-per-node", "tasks of each node")
        .alias(&["tasks-per-node"])
        .takes("count")
        .env(&["SLURM_NTASKS_PER_NODE"]),
    opt("ntasks-per-socket", "most tasks of a socket").takes("count").refused("use --ntasks-per-node"),
    opt("open-mode", "append to the output files or truncate them")
        .takes("append|truncate")
        .env(&["SLURM_OPEN_MODE"]),
    opt("output", "file for standard output, as %x.%t.out; none or all")
        .short('o')
        .takes("pattern")
        .env(&["SLURM_STDOUTMODE"]),
    opt("overcommit", "allow more than one task for each CPU").short('O').env(&["SLURM_OVERCOMMIT"]),
    opt("overlap", "share CPUs with other steps").env(&["SLURM_OVERLAP"]),
    opt("oversubscribe", "share resources with other jobs").short('s').listed(OF_THE_JOB),
    opt("partition", "partition of the job").short('p').takes("names").listed(OF_THE_JOB),
    opt("power", "power management").takes("flags").listed("there is no power management"),
    opt("prefer", "features that the nodes had better have").takes("features").refused(ALLOCATION),
    opt("preserve-env", "leave SLURM_NNODES and SLURM_NTASKS as they are").short('E').refused(LATER),
    opt("priority", "priority of the job").takes("value").refused(ALLOCATION),
    opt("profile", "detailed measurements").takes("types").listed("no profiling plugin is in use"),
    opt("prolog", "program to run on this host before the step").takes("program").env(&["SLURM_PROLOG"]),
    opt("propagate", "resource limits that go along")
        .may_take("limits")
        .listed("tasks have the limits of the calling shell"),
    opt("pty", "run task 0 in a terminal").refused(LATER),
    opt("qos", "quality of service").short('q').takes("name").listed(OF_THE_JOB),
    opt("quiet", "print errors only").short('Q'),
    opt("quit-on-interrupt", "let one interrupt end the step").listed("one interrupt always ends the step"),
    opt("reboot", "boot the nodes first").listed("nodes are never booted"),
    opt("relative", "begin at this node of the job").short('r').takes("number"),
    opt("reservation", "reservation to run in").takes("names").refused(ALLOCATION),
    opt("resv-ports", "reserve communication ports").may_take("count").refused(LATER),
    opt("send-libs", "copy the program's libraries with --bcast")
        .may_take("yes|no")
        .listed("all nodes see the same files"),
    opt("signal", "send a signal some seconds before the time limit")
        .takes("signal[@seconds]")
        .refused(ALLOCATION),
    opt("slurmd-debug", "verbosity of the node daemon").takes("level").listed("there is no node daemon"),
    opt("sockets-per-node", "least sockets of nodes").takes("count").refused(ALLOCATION),
    opt("spread-job", "use as many nodes as possible").refused("use --nodes"),
    opt("switches", "most leaf switches").takes("count[@time]").listed("all nodes are on one machine"),
    opt("task-epilog", "program to run after each task").takes("program").env(&["SLURM_TASK_EPILOG"]),
    opt("task-prolog", "program to run before each task; what it prints may set variables")
        .takes("program")
        .env(&["SLURM_TASK_PROLOG"]),
    opt("test-only", "say when the job would start").refused(ALLOCATION),
    opt("thread-spec", "threads set aside for the system").takes("count").refused(ALLOCATION),
    opt("threads", "threads that start the tasks")
        .short('T')
        .takes("count")
        .listed("tasks are started one after the other"),
    opt("threads-per-core", "threads of a core, for the tasks' environment").takes("count"),
    opt("time", "time limit of the step").short('t').takes("time"),
    opt("time-min", "least time limit that will do").takes("time").refused(ALLOCATION),
    opt("tmp", "least temporary disk space of a node").takes("size").refused(ALLOCATION),
    opt("uid", "user of the job").takes("user").refused("run it as that user, for example with su"),
    opt("unbuffered", "pass output on as it comes, not line by line").short('u').env(&["SLURM_UNBUFFEREDIO"]),
    USAGE,
    opt("use-min-nodes", "prefer the smaller number of nodes").refused("give --nodes one number"),
    VERBOSE.env(&["SLURM_DEBUG"]),
    VERSION,
    opt("wait", "seconds to wait for other tasks once the first has ended")
        .short('W')
        .takes("seconds")
        .env(&["SLURM_WAIT"]),
    opt("wckey", "workload characterization key")
        .takes("key")
        .listed("wckeys are not tracked (TrackWCKey=no)"),
    opt("whole", "use all CPUs of the job on each node").refused("ask with --ntasks and --cpus-per-task"),
    opt("x11", "forward X11")
        .may_take("all|first|last")
        .listed("tasks run on this machine and reach its display"),
];
