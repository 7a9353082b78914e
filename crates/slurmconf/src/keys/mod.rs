//! THE table: every key of slurm.conf, gres.conf, topology.conf and cgroup.conf that Slurm 22.05 documents, what
//! becomes of it here, how its value is read, and how `scontrol show config` prints it.

mod controller;
mod entries;
mod files;
mod programs;

pub use controller::CONTROLLER;
pub use entries::{DOWN_NODE, NODE, NODE_SET, PARTITION};
pub use files::{CGROUP, GRES, TOPOLOGY};
pub use programs::PROGRAMS;

/// Slurm's word for "not set".
pub const NULL: &str = "(null)";

/// A key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As the man page, or `scontrol show config`, spells it.
    pub name: &'static str,
    /// How a value is read and printed.
    pub kind: Kind,
    /// What `scontrol show config` prints where the key is not given; [`NULL`] where nothing is set.
    pub default: &'static str,
    /// What becomes of it.
    pub standing: Standing,
    /// Where it is printed.
    pub shown: Shown,
}

/// The names of [`Kind::Level`]'s numbers.
pub const LEVELS: [&str; 10] =
    ["quiet", "fatal", "error", "info", "verbose", "debug", "debug2", "debug3", "debug4", "debug5"];

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does what it does in Slurm.
    Honoured,
    /// It is read, checked and shown, and cannot matter here: the reason.
    Listed(&'static str),
    /// Any value but the default is an error: what to do.
    Refused(&'static str),
    /// No key, but a line that `scontrol show config` computes.
    Computed,
}

/// When `scontrol show config` prints a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Always.
    Always,
    /// With PriorityType=priority/multifactor only.
    Multifactor,
    /// Never, or under another key's name.
    Never,
}

/// How a value is read and printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text, printed as given.
    Text,
    /// A program: an absolute path.
    Program,
    /// A whole number.
    Count,
    /// A whole number, with what is printed behind it: `sec`, `min`, `usec`, `nodes/min`, `percent`.
    Unit(&'static str),
    /// A number of seconds, or INFINITE (also NONE, -1).
    SecondsOrInfinite,
    /// `YES` or `NO`, printed `Yes` and `No`.
    YesNo,
    /// Printed `yes` and `no`.
    LowerYesNo,
    /// `1` or `0`, also YES and NO, printed as the digit.
    Bit,
    /// Minutes or `D-HH:MM:SS`, printed as the latter; also INFINITE and UNLIMITED.
    Time,
    /// A number, or UNLIMITED.
    Limit,
    /// Percent, printed `90.0%`.
    Percent,
    /// MiB, printed `30 MB`.
    Megabytes,
    /// A level of logging, by name or by number.
    Level,
    /// One of these words, in any case; printed as spelled here.
    OneOf(&'static [&'static str]),
    /// Any of these words, separated by commas; `word=` takes a value. Printed as spelled here.
    Words(&'static [&'static str]),
}

impl Key {
    const fn new(name: &'static str, kind: Kind, default: &'static str, standing: Standing) -> Key {
        Key { name, kind, default, standing, shown: Shown::Always }
    }

    /// Not among the lines of `scontrol show config`.
    const fn unseen(mut self) -> Key {
        self.shown = Shown::Never;
        self
    }

    /// Only with priority/multifactor.
    const fn multifactor(mut self) -> Key {
        self.shown = Shown::Multifactor;
        self
    }
}

const fn honoured(name: &'static str, kind: Kind, default: &'static str) -> Key {
    Key::new(name, kind, default, Standing::Honoured)
}

const fn listed(name: &'static str, kind: Kind, default: &'static str, why: &'static str) -> Key {
    Key::new(name, kind, default, Standing::Listed(why))
}

const fn refused(name: &'static str, kind: Kind, default: &'static str, advice: &'static str) -> Key {
    Key::new(name, kind, default, Standing::Refused(advice))
}

const fn computed(name: &'static str, default: &'static str) -> Key {
    Key::new(name, Kind::Text, default, Standing::Computed)
}

/// The keys of slurm.conf outside node, partition and similar lines, in the order of `scontrol show config`.
pub fn parameters() -> impl Iterator<Item = &'static Key> {
    CONTROLLER.iter().chain(PROGRAMS)
}

/// The key of that name in a list, in any case.
pub fn find(keys: &'static [Key], name: &str) -> Option<&'static Key> {
    keys.iter().find(|k| k.name.eq_ignore_ascii_case(name) && k.standing != Standing::Computed)
}

/// The key of that name among [`parameters`].
pub fn parameter(name: &str) -> Option<&'static Key> {
    find(CONTROLLER, name).or_else(|| find(PROGRAMS, name))
}
