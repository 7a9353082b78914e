//! The table: every option of every command of Slurm 22.05, each in exactly one of three states.

mod added;
mod job;
mod sacct;
mod salloc;
mod sattach;
mod sbatch;
mod sbcast;
mod scancel;
mod scontrol;
mod sdiag;
mod sinfo;
mod sprio;
mod squeue;
mod sreport;
mod srun;
mod sshare;
mod strigger;
mod variables;
mod words;

pub use variables::Variable;
pub use words::{COMMANDS, ENTITIES, REPORTS, Word};

use std::fmt;

/// A command whose options are in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Program {
    /// `sbatch`.
    Sbatch,
    /// `salloc`.
    Salloc,
    /// `srun`.
    Srun,
    /// `sbcast`.
    Sbcast,
    /// `sattach`.
    Sattach,
    /// `squeue`.
    Squeue,
    /// `scancel`.
    Scancel,
    /// `sinfo`.
    Sinfo,
    /// `scontrol`.
    Scontrol,
    /// `sacct`.
    Sacct,
    /// `sprio`.
    Sprio,
    /// `sshare`.
    Sshare,
    /// `sdiag`.
    Sdiag,
    /// `strigger`.
    Strigger,
    /// `sreport`.
    Sreport,
    /// `seff`.
    Seff,
    /// `seff-array`.
    SeffArray,
    /// `jobstats`.
    Jobstats,
    /// `suuser`.
    Suuser,
    /// `suacct`.
    Suacct,
}

/// Every command, in the order of the compatibility document.
pub const PROGRAMS: [Program; 20] = [
    Program::Sbatch,
    Program::Salloc,
    Program::Srun,
    Program::Sbcast,
    Program::Sattach,
    Program::Squeue,
    Program::Scancel,
    Program::Sinfo,
    Program::Scontrol,
    Program::Sacct,
    Program::Sprio,
    Program::Sshare,
    Program::Sdiag,
    Program::Strigger,
    Program::Sreport,
    Program::Seff,
    Program::SeffArray,
    Program::Jobstats,
    Program::Suuser,
    Program::Suacct,
];

/// Whether an option takes an argument, and the word that stands for it in --help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arg {
    /// None.
    No,
    /// Always one.
    Required(&'static str),
    /// One may be given, joined by `=` (or directly after the short letter).
    Optional(&'static str),
}

/// What becomes of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does what Slurm does.
    Honoured,
    /// It is accepted, because it cannot matter on this cluster: the reason.
    Listed(&'static str),
    /// It is an error: what to use instead, or when it will come.
    Refused(&'static str),
}

/// One option of one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opt {
    /// Its long name without the dashes: by this name it is asked for everywhere.
    pub long: &'static str,
    /// Further long names that mean the same.
    pub aliases: &'static [&'static str],
    /// Its letter.
    pub short: Option<char>,
    /// Another letter that means the same.
    pub also: Option<char>,
    /// Its argument.
    pub arg: Arg,
    /// Environment variables that set it, the first that is set counts.
    pub env: &'static [&'static str],
    /// Further variables of srun that set it outside a job only.
    pub env_outside: &'static [&'static str],
    /// What becomes of it.
    pub status: Status,
    /// What becomes of it where srun runs in a job, if that is something else: there it asks for a step only.
    pub in_job: Option<Status>,
    /// One line for --help.
    pub help: &'static str,
}

/// An honoured option without letter, argument or variable; the methods add those.
const fn opt(long: &'static str, help: &'static str) -> Opt {
    Opt {
        long,
        aliases: &[],
        short: None,
        also: None,
        arg: Arg::No,
        env: &[],
        env_outside: &[],
        status: Status::Honoured,
        in_job: None,
        help,
    }
}

impl Opt {
    const fn short(mut self, letter: char) -> Opt {
        self.short = Some(letter);
        self
    }
    const fn also(mut self, letter: char) -> Opt {
        self.also = Some(letter);
        self
    }
    const fn alias(mut self, names: &'static [&'static str]) -> Opt {
        self.aliases = names;
        self
    }
    const fn takes(mut self, word: &'static str) -> Opt {
        self.arg = Arg::Required(word);
        self
    }
    const fn may_take(mut self, word: &'static str) -> Opt {
        self.arg = Arg::Optional(word);
        self
    }
    const fn env(mut self, names: &'static [&'static str]) -> Opt {
        self.env = names;
        self
    }
    const fn env_outside(mut self, names: &'static [&'static str]) -> Opt {
        self.env_outside = names;
        self
    }
    const fn listed(mut self, reason: &'static str) -> Opt {
        self.status = Status::Listed(reason);
        self
    }
    const fn refused(mut self, instead: &'static str) -> Opt {
        self.status = Status::Refused(instead);
        self
    }
    const fn listed_in_job(mut self, reason: &'static str) -> Opt {
        self.in_job = Some(Status::Listed(reason));
        self
    }
    const fn refused_in_job(mut self, instead: &'static str) -> Opt {
        self.in_job = Some(Status::Refused(instead));
        self
    }

    /// What becomes of it outside a job, or in one.
    pub fn status_where(&self, in_job: bool) -> Status {
        self.in_job.filter(|_| in_job).unwrap_or(self.status)
    }

    /// The variables that set it.
    pub fn variables(&self) -> impl Iterator<Item = &'static str> {
        self.env.iter().chain(self.env_outside).copied()
    }

    /// Every long name, the main one first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.long).chain(self.aliases.iter().copied())
    }
}

impl Program {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Program::Sbatch => "sbatch",
            Program::Salloc => "salloc",
            Program::Srun => "srun",
            Program::Sbcast => "sbcast",
            Program::Sattach => "sattach",
            Program::Squeue => "squeue",
            Program::Scancel => "scancel",
            Program::Sinfo => "sinfo",
            Program::Scontrol => "scontrol",
            Program::Sacct => "sacct",
            Program::Sprio => "sprio",
            Program::Sshare => "sshare",
            Program::Sdiag => "sdiag",
            Program::Strigger => "strigger",
            Program::Sreport => "sreport",
            Program::Seff => "seff",
            Program::SeffArray => "seff-array",
            Program::Jobstats => "jobstats",
            Program::Suuser => "suuser",
            Program::Suacct => "suacct",
        }
    }

    /// Its options, sorted by long name.
    pub fn options(self) -> &'static [Opt] {
        match self {
            Program::Sbatch => sbatch::OPTIONS,
            Program::Salloc => salloc::OPTIONS,
            Program::Srun => srun::OPTIONS,
            Program::Sbcast => sbcast::OPTIONS,
            Program::Sattach => sattach::OPTIONS,
            Program::Squeue => squeue::OPTIONS,
            Program::Scancel => scancel::OPTIONS,
            Program::Sinfo => sinfo::OPTIONS,
            Program::Scontrol => scontrol::OPTIONS,
            Program::Sacct => sacct::OPTIONS,
            Program::Sprio => sprio::OPTIONS,
            Program::Sshare => sshare::OPTIONS,
            Program::Sdiag => sdiag::OPTIONS,
            Program::Strigger => strigger::OPTIONS,
            Program::Sreport => sreport::OPTIONS,
            Program::Seff => added::SEFF,
            Program::SeffArray => added::SEFF_ARRAY,
            Program::Jobstats | Program::Suuser | Program::Suacct => added::OF_DAYS,
        }
    }

    /// The option of that long name (main name or alias).
    pub fn option(self, name: &str) -> Option<&'static Opt> {
        self.options().iter().find(|o| o.names().any(|n| n == name))
    }

    /// What follows the options on the command line, for --usage.
    pub fn synopsis(self) -> &'static str {
        match self {
            Program::Sbatch => "[script [arguments...]]",
            Program::Salloc => "[command [arguments...]]",
            Program::Srun => "program [arguments...]",
            Program::Sbcast => "source destination",
            Program::Sattach => "job_id.step_id",
            Program::Scancel => "[job_id[_array_id][.step_id]...]",
            Program::Scontrol => "[command [arguments...]]",
            Program::Sreport => "[cluster|job|reservation|user report [conditions...]]",
            Program::Seff => "job",
            Program::SeffArray => "array",
            Program::Jobstats | Program::Suuser => "user [days]",
            Program::Suacct => "account [days]",
            Program::Squeue
            | Program::Sinfo
            | Program::Sacct
            | Program::Sprio
            | Program::Sshare
            | Program::Sdiag
            | Program::Strigger => "",
        }
    }

    /// What it is for, in a line.
    pub fn purpose(self) -> &'static str {
        match self {
            Program::Sbatch => "submit a batch script",
            Program::Salloc => "run a command, or a shell, with the resources of a job",
            Program::Srun => "run the tasks of a step",
            Program::Sbcast => "copy a file to the nodes of a job",
            Program::Sattach => "show and feed the tasks of a running step",
            Program::Squeue => "show jobs and steps",
            Program::Scancel => "end or signal jobs and steps",
            Program::Sinfo => "show nodes and partitions",
            Program::Scontrol => "show and change the cluster's state",
            Program::Sacct => "show the accounting of jobs and steps",
            Program::Sprio => "show what makes up the priority of pending jobs",
            Program::Sshare => "show shares and their use",
            Program::Sdiag => "show what the scheduler does",
            Program::Strigger => "run programs when something happens",
            Program::Sreport => "report how the cluster was used, and by whom",
            Program::Seff => "show how well a job used what it had asked for",
            Program::SeffArray => "show how well the tasks of an array used what they had asked for",
            Program::Jobstats => "show a user's jobs of the last days, a line each",
            Program::Suuser => "show service units that a user used in the last days, by account",
            Program::Suacct => "show service units that an account used in the last days, by user",
        }
    }

    /// Whether it is no program of Slurm's, but one that sites add.
    pub fn is_added(self) -> bool {
        matches!(
            self,
            Program::Seff | Program::SeffArray | Program::Jobstats | Program::Suuser | Program::Suacct
        )
    }

    /// Whether options end at the first operand (what follows belongs to the user's own program).
    pub fn stops_at_operand(self) -> bool {
        matches!(self, Program::Sbatch | Program::Salloc | Program::Srun)
    }

    /// The exit code for a command line that cannot be parsed, as observed on Slurm 22.05.8.
    pub fn usage_exit_code(self) -> u8 {
        if self.stops_at_operand() { 255 } else { 1 }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

// What most commands have.
const CLUSTERS: Opt =
    opt("clusters", "the cluster to ask, which is this one").alias(&["cluster"]).short('M').takes("names");
const HELP: Opt = opt("help", "show this text");
const USAGE: Opt = opt("usage", "show the options in brief");
const VERBOSE: Opt = opt("verbose", "say more").short('v');
const VERSION: Opt = opt("version", "show the version").short('V');

/// What is said of options of an area that is not built yet.
const LATER: &str = "it comes in a later release";
const LATER_GPU: &str = "it comes in a later release; ask per node with --gres=gpu:[type:]count";
const NO_FEDERATION: &str = "there is one cluster and no federation";
const NO_BINDING: &str = "tasks are not bound to cores or memory here";

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_table_has_doubles_and_every_row_is_complete() {
        for program in PROGRAMS {
            let (mut longs, mut shorts, mut variables) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
            for o in program.options() {
                for name in o.names() {
                    assert!(longs.insert(name), "{program} --{name} is there twice");
                    assert!(!name.is_empty() && !name.starts_with('-') && !name.contains(['=', ' ']));
                }
                for c in [o.short, o.also].into_iter().flatten() {
                    assert!(shorts.insert(c), "{program} -{c} is there twice");
                }
                for v in o.variables() {
                    assert!(variables.insert(v), "{program} {v} is there twice");
                }
                assert!(
                    !o.help.is_empty() && !o.help.ends_with('.') && !o.help.contains('\n'),
                    "{program} --{}",
                    o.long
                );
                for status in [Some(o.status), o.in_job].into_iter().flatten() {
                    if let Status::Listed(why) | Status::Refused(why) = status {
                        assert!(!why.is_empty() && !why.ends_with('.'), "{program} --{}", o.long);
                    }
                }
                assert!(program == Program::Srun || o.in_job.is_none() && o.env_outside.is_empty());
            }
            let names: Vec<_> = program.options().iter().map(|o| o.long.to_ascii_lowercase()).collect();
            assert!(names.is_sorted(), "{program}: the rows are not sorted: {names:?}");
        }
    }

    #[test]
    fn words_are_sorted_and_complete() {
        for words in [COMMANDS, ENTITIES, REPORTS] {
            let names: Vec<_> = words.iter().map(|w| w.name).collect();
            assert!(names.windows(2).all(|w| w[0] < w[1]), "{names:?}");
            assert!(words.iter().all(|w| !w.help.is_empty() && !w.help.ends_with('.')));
        }
    }

    #[test]
    fn every_command_answers_help_and_version() {
        for program in PROGRAMS {
            for name in ["help", "version"] {
                assert_eq!(
                    program.option(name).map(|o| (o.status, o.arg)),
                    Some((Status::Honoured, Arg::No))
                );
            }
        }
    }
}
