//! Variables that a command reads and that set none of its options.

use super::{Program, Status};

/// One variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What becomes of it.
    pub status: Status,
    /// One line of what it does.
    pub help: &'static str,
}

const fn variable(name: &'static str, help: &'static str) -> Variable {
    Variable { name, status: Status::Honoured, help }
}

const fn listed(name: &'static str, help: &'static str, reason: &'static str) -> Variable {
    Variable { name, status: Status::Listed(reason), help }
}

const CONF: Variable = listed(
    "SLURM_CONF",
    "place of slurm.conf",
    "a command finds its cluster without a file; BIVOUAC_CLUSTER names another one",
);
const DEBUG_FLAGS: Variable =
    listed("SLURM_DEBUG_FLAGS", "debug flags of the command", "there are no debug flags");
const TIME_FORMAT: Variable =
    variable("SLURM_TIME_FORMAT", "form of times: standard, relative or strftime's");
const BITSTR_LEN: Variable = variable("SLURM_BITSTR_LEN", "how long the list of an array's tasks may be");
const EXIT_ERROR: Variable = variable("SLURM_EXIT_ERROR", "exit code of errors, 1 without it");
const EXIT_IMMEDIATE: Variable =
    variable("SLURM_EXIT_IMMEDIATE", "exit code where --immediate found no free resources, 1 without it");
const KILLED_MSG: Variable = listed(
    "SLURM_STEP_KILLED_MSG_NODE_ID",
    "the node that tells of a signal",
    "one process tells for all nodes",
);
const UMASK: Variable = variable("SLURM_UMASK", "umask of output files and of the job");

const WAIT4SWITCH: Variable = wait4switch("SBATCH_WAIT4SWITCH");
const WAIT4SWITCH_SALLOC: Variable = wait4switch("SALLOC_WAIT4SWITCH");

const fn wait4switch(name: &'static str) -> Variable {
    listed(name, "how long to wait for the switches of --switches", "all nodes are on one machine")
}
const CONF_OUT: Variable = variable("SLURM_CONF_OUT", "file of `write config`, without the time behind it");
const TOPO_LEN: Variable =
    listed("SLURM_TOPO_LEN", "length of lines of `show topology`", "lines are not cut");

impl Program {
    /// Its variables, sorted, without those that set options.
    pub fn variables(self) -> &'static [Variable] {
        match self {
            Program::Sbatch => &[WAIT4SWITCH, CONF, DEBUG_FLAGS, EXIT_ERROR, KILLED_MSG, UMASK],
            Program::Salloc => &[WAIT4SWITCH_SALLOC, CONF, DEBUG_FLAGS, EXIT_ERROR, EXIT_IMMEDIATE],
            Program::Srun => &[CONF, DEBUG_FLAGS, EXIT_ERROR, EXIT_IMMEDIATE, KILLED_MSG],
            Program::Sattach => &[CONF, DEBUG_FLAGS, EXIT_ERROR],
            Program::Sbcast => &[CONF, DEBUG_FLAGS],
            Program::Squeue | Program::Sacct => &[BITSTR_LEN, CONF, DEBUG_FLAGS, TIME_FORMAT],
            Program::Sinfo => &[CONF, DEBUG_FLAGS, TIME_FORMAT],
            Program::Scontrol => &[BITSTR_LEN, CONF, CONF_OUT, DEBUG_FLAGS, TIME_FORMAT, TOPO_LEN],
            Program::Scancel | Program::Sprio | Program::Sshare | Program::Strigger => &[CONF, DEBUG_FLAGS],
            Program::Sdiag | Program::Sreport => &[CONF],
            Program::Jobstats => &[TIME_FORMAT],
            Program::Seff | Program::SeffArray | Program::Suuser | Program::Suacct => &[],
        }
    }
}
