//! sattach(1).

use super::{HELP, Opt, USAGE, VERBOSE, VERSION, job, opt};

pub(super) const OPTIONS: &[Opt] = &[
    opt("error-filter", "show standard error of this task only").takes("task"),
    HELP.short('h'),
    opt("input-filter", "send standard input to this task only").takes("task"),
    opt("label", "begin each line with the task's number").short('l'),
    opt("layout", "show where the step's tasks are, and attach to none"),
    opt("output-filter", "show standard output of this task only").takes("task"),
    opt("pty", "attach to the terminal of task 0"),
    job::QUIET,
    USAGE.short('u'),
    VERBOSE,
    VERSION,
];
