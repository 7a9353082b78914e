//! sattach(1).

use super::{HELP, Opt, USAGE, VERBOSE, VERSION, job, opt};

pub(super) const OPTIONS: &[Opt] = &[
    opt("error-filter", "show standard error of this task only").takes("task"),
    HELP.short('h'),
    opt("input-filter", "send standard input to this task only")
        .takes("task")
        .listed("standard input stays that of the step's srun"),
    opt("label", "begin each line with the task's number").short('l'),
    opt("layout", "show where the step's tasks are, and attach to none"),
    opt("output-filter", "show standard output of this task only").takes("task"),
    opt("pty", "attach to the terminal of task 0")
        .refused("a terminal has one user: start another step with srun --overlap --pty"),
    job::QUIET,
    USAGE.short('u'),
    VERBOSE,
    VERSION,
];
