//! srun(1). Outside a job it asks for one with the rows of [`job`], and runs a step in it; in a job it asks for a step, for
//! which most of these rows mean nothing: their variables are then not read, because a job's environment holds many of them
//! (SLURM_MEM_PER_CPU and so on), which the batch shell passes on.

use super::{CLUSTERS, HELP, LATER, LATER_GPU, NO_BINDING, Opt, USAGE, VERBOSE, VERSION, job, opt};

const OF_THE_JOB: &str = "a step has what its job has";
const ALLOCATION: &str = "it belongs to a job's allocation: give it to sbatch or salloc";

pub(super) const OPTIONS: &[Opt] = &[
    opt("accel-bind", "how tasks are bound to accelerators").takes("options").listed(NO_BINDING),
    job::ACCOUNT.env_outside(&["SLURM_ACCOUNT"]).listed_in_job(OF_THE_JOB),
    job::ACCTG_FREQ.env_outside(&["SLURM_ACCTG_FREQ"]),
    job::BB.env_outside(&["SLURM_BURST_BUFFER"]),
    job::BBF,
    opt("bcast", "copy the program to the nodes first").may_take("path").env(&["SLURM_BCAST"]),
    opt("bcast-exclude", "libraries that --bcast leaves out")
        .takes("paths")
        .env(&["SLURM_BCAST_EXCLUDE"])
        .listed("all nodes see the same files"),
    job::BEGIN.refused_in_job(ALLOCATION),
    opt("chdir", "folder in which the tasks run")
        .short('D')
        .takes("folder")
        .env(&["SLURM_WORKING_DIR", "SLURM_REMOTE_CWD"]),
    job::CLUSTER_CONSTRAINT,
    CLUSTERS
        .env_outside(&["SLURM_CLUSTERS"])
        .refused_in_job("set BIVOUAC_CLUSTER to speak to another cluster"),
    job::COMMENT.listed_in_job(OF_THE_JOB),
    opt("compress", "compress what --bcast copies")
        .may_take("type")
        .env(&["SLURM_COMPRESS"])
        .listed("all nodes see the same files"),
    job::CONSTRAINT
        .env_outside(&["SLURM_CONSTRAINT"])
        .refused_in_job("it comes in a later release; use --nodelist"),
    job::CONTAINER.env(&["SRUN_CONTAINER"]),
    opt("context", "SELinux context").takes("context").refused("jobs run in the context of their user"),
    job::CONTIGUOUS.listed_in_job("all nodes are on one machine"),
    job::CORE_SPEC.env_outside(&["SLURM_CORE_SPEC"]).refused_in_job(ALLOCATION),
    job::CORES_PER_SOCKET.refused_in_job(ALLOCATION),
    opt("cpu-bind", "how tasks are bound to CPUs, for their environment: nothing is bound")
        .alias(&["cpu_bind"])
        .takes("type"),
    job::CPU_FREQ.env_outside(&["SLURM_CPU_FREQ_REQ"]),
    job::CPUS_PER_GPU
        .env_outside(&["SLURM_CPUS_PER_GPU"])
        .refused_in_job("it comes in a later release; use --cpus-per-task"),
    opt("cpus-per-task", "CPUs for each task").short('c').takes("count").env(&["SRUN_CPUS_PER_TASK"]),
    job::DEADLINE.refused_in_job(ALLOCATION),
    opt("debugger-test", "for the tests of parallel debuggers").refused(LATER),
    job::DELAY_BOOT.env_outside(&["SLURM_DELAY_BOOT"]),
    job::DEPENDENCY.env_outside(&["SLURM_DEPENDENCY"]).refused_in_job(ALLOCATION),
    opt("disable-status", "pass an interrupt on to the tasks at once")
        .short('X')
        .env(&["SLURM_DISABLE_STATUS"]),
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
    job::EXCLUDE,
    opt("exclusive", "do not share CPUs with other steps, nor the nodes with other jobs")
        .may_take("user|mcs")
        .env(&["SLURM_EXCLUSIVE"]),
    opt("export", "variables that go along: ALL, NONE, or names and NAME=value")
        .takes("list")
        .env(&["SRUN_EXPORT_ENV", "SLURM_EXPORT_ENV"]),
    job::EXTRA_NODE_INFO.refused_in_job(ALLOCATION),
    opt("gid", "group of the job").takes("group").refused("run it under newgrp(1)"),
    job::GPU_BIND.env(&["SLURM_GPU_BIND"]),
    job::GPU_FREQ.env_outside(&["SLURM_GPU_FREQ"]),
    job::GPUS.env_outside(&["SLURM_GPUS"]).refused_in_job(LATER_GPU),
    job::GPUS_PER_NODE.env_outside(&["SLURM_GPUS_PER_NODE"]).refused_in_job(LATER_GPU),
    job::GPUS_PER_SOCKET.refused_in_job(LATER_GPU),
    job::GPUS_PER_TASK.env_outside(&["SLURM_GPUS_PER_TASK"]).refused_in_job(LATER_GPU),
    opt("gres", "generic resources of each node, in a job of the job's")
        .takes("list")
        .env_outside(&["SLURM_GRES"]),
    job::GRES_FLAGS.env_outside(&["SLURM_GRES_FLAGS"]),
    HELP.short('h'),
    opt("het-group", "components of a heterogeneous job")
        .alias(&["pack-group"])
        .takes("list")
        .refused("there are no heterogeneous jobs"),
    job::HINT.env_outside(&["SLURM_HINT"]).listed_in_job(NO_BINDING),
    job::HOLD.refused_in_job(ALLOCATION),
    opt("immediate", "fail if the resources are not free at once")
        .short('I')
        .may_take("seconds")
        .env_outside(&["SLURM_IMMEDIATE"])
        .listed_in_job("a step in its own job always starts at once"),
    opt("input", "standard input: all, none, a task's number or a file")
        .short('i')
        .takes("mode")
        .env(&["SLURM_STDINMODE"]),
    opt("interactive", "the step of an interactive job").refused(LATER),
    opt("job-name", "name of the job and the step").short('J').takes("name").env_outside(&["SLURM_JOB_NAME"]),
    opt("jobid", "job to run in").takes("job_id"),
    opt("kill-on-bad-exit", "end the step when a task fails")
        .short('K')
        .may_take("0|1")
        .env(&["SLURM_KILL_BAD_EXIT"]),
    opt("label", "begin each line with the task's number").short('l').env(&["SLURM_LABELIO"]),
    job::LICENSES.refused_in_job(ALLOCATION),
    job::MAIL_TYPE.listed_in_job(OF_THE_JOB),
    job::MAIL_USER.listed_in_job(OF_THE_JOB),
    job::MCS_LABEL,
    job::MEM.env_outside(&["SLURM_MEM_PER_NODE"]).listed_in_job("a step may use all memory of its job"),
    job::MEM_BIND.env_outside(&["SLURM_MEM_BIND"]),
    job::MEM_PER_CPU
        .env_outside(&["SLURM_MEM_PER_CPU"])
        .listed_in_job("a step may use all memory of its job"),
    job::MEM_PER_GPU
        .env_outside(&["SLURM_MEM_PER_GPU"])
        .listed_in_job("a step may use all memory of its job"),
    job::MINCPUS.refused_in_job(ALLOCATION),
    opt("mpi", "how MPI programs are started: none, pmi2, list").takes("type").env(&["SLURM_MPI_TYPE"]),
    opt("msg-timeout", "how long to wait for messages")
        .takes("seconds")
        .listed("tasks are started without messages"),
    opt("multi-prog", "run different programs, named in a file"),
    job::NETWORK.env_outside(&["SLURM_NETWORK"]),
    job::NICE.refused_in_job(ALLOCATION),
    opt("no-allocate", "run without an allocation").short('Z').refused("use the job's allocation"),
    job::NO_KILL.env_outside(&["SLURM_NO_KILL"]),
    job::NODEFILE.refused_in_job("use --nodelist"),
    opt("nodelist", "nodes of the job to run on").short('w').takes("nodes"),
    opt("nodes", "number of nodes")
        .short('N')
        .takes("min[-max]")
        .env(&["SLURM_JOB_NUM_NODES", "SLURM_NNODES"]),
    opt("ntasks", "number of tasks").short('n').takes("count").env(&["SLURM_NTASKS", "SLURM_NPROCS"]),
    job::NTASKS_PER_CORE.env_outside(&["SLURM_NTASKS_PER_CORE"]).refused_in_job("use --ntasks-per-node"),
    job::NTASKS_PER_GPU.env_outside(&["SLURM_NTASKS_PER_GPU"]).refused_in_job("use --ntasks-per-node"),
    opt("ntasks-per-node", "tasks of each node")
        .alias(&["tasks-per-node"])
        .takes("count")
        .env(&["SLURM_NTASKS_PER_NODE"]),
    job::NTASKS_PER_SOCKET.env_outside(&["SLURM_NTASKS_PER_SOCKET"]).refused_in_job("use --ntasks-per-node"),
    opt("open-mode", "append to the output files or truncate them")
        .takes("append|truncate")
        .env(&["SLURM_OPEN_MODE"]),
    opt("output", "file for standard output, as %x.%t.out; none or all")
        .short('o')
        .takes("pattern")
        .env(&["SLURM_STDOUTMODE"]),
    opt("overcommit", "allow more than one task for each CPU").short('O').env(&["SLURM_OVERCOMMIT"]),
    opt("overlap", "share CPUs with other steps").env(&["SLURM_OVERLAP"]),
    job::OVERSUBSCRIBE.listed_in_job(OF_THE_JOB),
    job::PARTITION.env_outside(&["SLURM_PARTITION"]).listed_in_job(OF_THE_JOB),
    job::POWER.env_outside(&["SLURM_POWER"]),
    job::PREFER.refused_in_job(ALLOCATION),
    opt("preserve-env", "leave SLURM_NNODES and SLURM_NTASKS as they are").short('E').refused(LATER),
    job::PRIORITY.refused_in_job(ALLOCATION),
    job::PROFILE.env_outside(&["SLURM_PROFILE"]),
    opt("prolog", "program to run on this host before the step").takes("program").env(&["SLURM_PROLOG"]),
    opt("propagate", "resource limits that go along")
        .may_take("limits")
        .listed("tasks have the limits of the calling shell"),
    opt("pty", "run task 0 in a terminal"),
    job::QOS.env_outside(&["SLURM_QOS"]).listed_in_job(OF_THE_JOB),
    opt("quiet", "print errors only").short('Q'),
    opt("quit-on-interrupt", "let one interrupt end the step"),
    job::REBOOT,
    opt("relative", "begin at this node of the job").short('r').takes("number"),
    job::RESERVATION.env_outside(&["SLURM_RESERVATION"]).refused_in_job(ALLOCATION),
    opt("resv-ports", "reserve communication ports").may_take("count").refused(LATER),
    opt("send-libs", "copy the program's libraries with --bcast")
        .may_take("yes|no")
        .env(&["SLURM_SEND_LIBS"])
        .listed("all nodes see the same files"),
    job::SIGNAL.env_outside(&["SLURM_SIGNAL"]).refused_in_job(ALLOCATION),
    opt("slurmd-debug", "verbosity of the node daemon")
        .takes("level")
        .env(&["SLURMD_DEBUG"])
        .listed("there is no node daemon"),
    job::SOCKETS_PER_NODE.refused_in_job(ALLOCATION),
    job::SPREAD_JOB.env_outside(&["SLURM_SPREAD_JOB"]).refused_in_job("use --nodes"),
    job::SWITCHES.env_outside(&["SLURM_REQ_SWITCH"]),
    opt("task-epilog", "program to run after each task").takes("program").env(&["SLURM_TASK_EPILOG"]),
    opt("task-prolog", "program to run before each task; what it prints may set variables")
        .takes("program")
        .env(&["SLURM_TASK_PROLOG"]),
    opt("test-only", "say when the job would start, and submit nothing").refused_in_job(ALLOCATION),
    job::THREAD_SPEC.env_outside(&["SLURM_THREAD_SPEC"]).refused_in_job(ALLOCATION),
    opt("threads", "threads that start the tasks")
        .short('T')
        .takes("count")
        .env(&["SLURM_THREADS"])
        .listed("tasks are started one after the other"),
    opt("threads-per-core", "threads of each core that are used; in a job for the tasks' environment")
        .takes("count")
        .env_outside(&["SLURM_THREADS_PER_CORE"]),
    opt("time", "time limit of the job and the step").short('t').takes("time").env(&["SLURM_TIMELIMIT"]),
    job::TIME_MIN.refused_in_job(ALLOCATION),
    job::TMP.refused_in_job(ALLOCATION),
    opt("uid", "user of the job").takes("user").refused("run it as that user, for example with su"),
    opt("unbuffered", "pass output on as it comes, not line by line").short('u').env(&["SLURM_UNBUFFEREDIO"]),
    USAGE,
    job::USE_MIN_NODES.env_outside(&["SLURM_USE_MIN_NODES"]).refused_in_job("give --nodes one number"),
    VERBOSE.env(&["SLURM_DEBUG"]),
    VERSION,
    opt("wait", "seconds to wait for other tasks once the first has ended")
        .short('W')
        .takes("seconds")
        .env(&["SLURM_WAIT"]),
    job::WCKEY.env_outside(&["SLURM_WCKEY"]),
    opt("whole", "use all CPUs of the job on each node").refused("ask with --ntasks and --cpus-per-task"),
    opt("x11", "forward X11")
        .may_take("all|first|last")
        .listed("tasks run on this machine and reach its display"),
];
