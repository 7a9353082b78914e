//! Command lines as GNU getopt reads them, and variables.

use crate::help;
use crate::table::{Arg, Opt, Program, Status};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The version that `--version` shows: tools look for `slurm N.N.N`.
pub const VERSION: &str = "slurm 22.05.8";

/// The options that every command answers before it looks at its own.
const ANSWERED: [&str; 3] = ["help", "usage", "version"];

/// Where an option was given; later ones win over earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// An `#SBATCH` line, counted from 1.
    Directive(u32),
    /// An environment variable.
    Variable(&'static str),
    /// The command line.
    CommandLine,
}

/// One option as given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Which.
    pub opt: &'static Opt,
    /// Its argument, if it has one.
    pub value: Option<String>,
    /// Where.
    pub source: Source,
}

/// What a command was asked to do.
#[derive(Debug)]
pub enum Invocation {
    /// Print this to standard output and exit 0 (--help, --usage, --version).
    Print(String),
    /// Run.
    Run(Given),
}

/// All options given to a command. Options are asked for by their long name in the table; each question marks the
/// option as used.
#[derive(Debug)]
pub struct Given {
    /// The command.
    pub program: Program,
    /// In order of precedence, the last counts.
    choices: Vec<Choice>,
    /// What is not an option.
    pub operands: Vec<OsString>,
    /// srun runs in a job, and asks for a step of it only.
    pub in_job: bool,
    used: RefCell<BTreeSet<&'static str>>,
}

/// A command line that cannot be read. `Display` is what is printed, without the program's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsageError {
    /// No option begins so.
    Unrecognized(String),
    /// Several options begin so: the text and their names.
    Ambiguous(String, Vec<&'static str>),
    /// `--long=value` of an option without argument.
    UnwantedArgument(&'static str),
    /// A long option without its argument.
    MissingArgument(&'static str),
    /// A letter without its argument.
    MissingShortArgument(char),
    /// No option has that letter.
    InvalidLetter(char),
    /// The argument is no text.
    NotText(&'static str),
    /// An option that is not available here, what to use instead, and where it was given.
    Refused(&'static Opt, &'static str, Source),
    /// An honoured option that the command does not handle: our mistake, and said so.
    Unhandled(&'static str),
}

impl UsageError {
    /// The lines for standard error.
    pub fn message(&self, program: Program) -> String {
        match self {
            UsageError::NotText(_) | UsageError::Refused(..) | UsageError::Unhandled(_) => {
                format!("{program}: error: {self}\n")
            }
            // sacct alone does not say where to look.
            _ if program == Program::Sacct => format!("{program}: {self}\n"),
            _ => format!("{program}: {self}\nTry \"{program} --help\" for more information\n"),
        }
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UsageError::Unrecognized(text) => write!(f, "unrecognized option '{text}'"),
            UsageError::Ambiguous(text, names) => {
                write!(f, "option '{text}' is ambiguous; possibilities:")?;
                names.iter().try_for_each(|n| write!(f, " '--{n}'"))
            }
            UsageError::UnwantedArgument(name) => write!(f, "option '--{name}' doesn't allow an argument"),
            UsageError::MissingArgument(name) => write!(f, "option '--{name}' requires an argument"),
            UsageError::MissingShortArgument(c) => write!(f, "option requires an argument -- '{c}'"),
            UsageError::InvalidLetter(c) => write!(f, "invalid option -- '{c}'"),
            UsageError::NotText(name) => write!(f, "the argument of --{name} is not valid UTF-8"),
            UsageError::Refused(opt, instead, source) => {
                write!(f, "--{} ", opt.long)?;
                match source {
                    Source::Variable(v) => write!(f, "(from {v}) ")?,
                    Source::Directive(n) => write!(f, "(line {n}) ")?,
                    Source::CommandLine => {}
                }
                write!(f, "is not available here: {instead}")
            }
            UsageError::Unhandled(name) => {
                write!(
                    f,
                    "--{name} is known but not handled here; this is a defect of bivouac, please report it"
                )
            }
        }
    }
}

impl std::error::Error for UsageError {}

/// Reads a command's arguments (without its name) and the variables that set its options; the command line wins.
/// `variable` looks up the environment.
///
/// # Errors
/// [`UsageError`], for the first option that is wrong or refused.
pub fn read(
    program: Program,
    args: &[OsString],
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Invocation, UsageError> {
    let (line, operands) = match scan(program, args, Source::CommandLine, true)? {
        Scan::Print(text) => return Ok(Invocation::Print(text)),
        Scan::Words(line, operands) => (line, operands),
    };
    let in_job = program == Program::Srun
        && (JOB_VARIABLES.iter().any(|name| variable(name).is_some())
            || line.iter().any(|c| c.opt.long == "jobid"));
    let mut choices = set_by_variables(program, in_job, variable)?;
    choices.extend(available(line, in_job)?);
    Ok(Invocation::Run(Given { in_job, ..Given::new(program, choices, operands) }))
}

/// What a job's processes know their job by.
pub const JOB_VARIABLES: [&str; 2] = ["SLURM_JOB_ID", "SLURM_JOBID"];

/// The choices, if none of them is refused.
fn available(choices: Vec<Choice>, in_job: bool) -> Result<Vec<Choice>, UsageError> {
    let refusal = choices.iter().find_map(|c| match c.opt.status_where(in_job) {
        Status::Refused(instead) => Some(UsageError::Refused(c.opt, instead, c.source)),
        _ => None,
    });
    refusal.map_or(Ok(choices), Err)
}

/// A command line, read.
pub enum Line {
    /// --help, --usage or --version came before any error.
    Print(String),
    /// Options in order, and operands.
    Options(Vec<Choice>, Vec<OsString>),
}

/// Reads the arguments only.
///
/// # Errors
/// [`UsageError`].
pub fn command_line(program: Program, args: &[OsString]) -> Result<Line, UsageError> {
    Ok(match scan(program, args, Source::CommandLine, true)? {
        Scan::Print(text) => Line::Print(text),
        Scan::Words(choices, operands) => Line::Options(available(choices, false)?, operands),
    })
}

/// Reads the words of one `#SBATCH` line; `--help` and its like are only options there.
///
/// # Errors
/// [`UsageError`].
pub(crate) fn directive(
    program: Program,
    words: &[OsString],
    line: u32,
) -> Result<(Vec<Choice>, Vec<OsString>), UsageError> {
    match scan(program, words, Source::Directive(line), false)? {
        Scan::Words(choices, operands) => Ok((available(choices, false)?, operands)),
        Scan::Print(_) => Ok((Vec::new(), Vec::new())),
    }
}

/// The options that environment variables set. A flag is set by the empty text, `yes`, or a number other than 0; scancel's
/// are by `t` and `true` alone, see [`crate::scancel::unrecognized`].
///
/// # Errors
/// [`UsageError::Refused`] and [`UsageError::NotText`].
pub fn variables(
    program: Program,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Vec<Choice>, UsageError> {
    set_by_variables(program, false, variable)
}

fn set_by_variables(
    program: Program,
    in_job: bool,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Vec<Choice>, UsageError> {
    let mut choices = Vec::new();
    for opt in program.options() {
        let outside = opt.env_outside.iter().filter(|_| !in_job);
        let found = opt.env.iter().chain(outside).find_map(|name| Some((*name, variable(name)?)));
        let Some((name, value)) = found else { continue };
        let text = value.into_string().map_err(|_| UsageError::NotText(opt.long))?;
        let on = match program {
            // They take any value of such a variable for yes.
            Program::Squeue | Program::Sbcast => true,
            Program::Scancel => crate::scancel::truth(&text) == Some(true),
            _ => {
                text.is_empty()
                    || text.eq_ignore_ascii_case("yes")
                    || text.parse::<i64>().is_ok_and(|n| n != 0)
            }
        };
        let value = match opt.arg {
            Arg::No if !on => continue,
            Arg::No => None,
            Arg::Optional(_) => Some(text).filter(|t| !t.is_empty() && t != "yes"),
            Arg::Required(_) => Some(text),
        };
        choices.push(Choice { opt, value, source: Source::Variable(name) });
    }
    available(choices, in_job)
}

enum Scan {
    Print(String),
    Words(Vec<Choice>, Vec<OsString>),
}

/// The reading itself. With `answer`, --help, --usage and --version end it at once, as in Slurm.
fn scan(program: Program, args: &[OsString], source: Source, answer: bool) -> Result<Scan, UsageError> {
    let (mut choices, mut operands) = (Vec::new(), Vec::new());
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let bytes = word.as_bytes();
        if bytes == b"--" {
            operands.extend(words.cloned());
            break;
        }
        if bytes.len() < 2 || bytes[0] != b'-' {
            operands.push(word.clone());
            if program.stops_at_operand() {
                operands.extend(words.cloned());
                break;
            }
            continue;
        }
        let before = choices.len();
        if bytes[1] == b'-' {
            choices.push(long(program, &bytes[2..], &mut words, source)?);
        } else {
            short(program, &bytes[1..], &mut words, source, &mut choices)?;
        }
        if answer && let Some(text) = choices[before..].iter().find_map(|c| help::answer(program, c.opt)) {
            return Ok(Scan::Print(text));
        }
    }
    Ok(Scan::Words(choices, operands))
}

/// `--name`, `--name=value` or `--name value`; the name may be cut short where that is not ambiguous.
fn long<'a>(
    program: Program,
    word: &[u8],
    words: &mut impl Iterator<Item = &'a OsString>,
    source: Source,
) -> Result<Choice, UsageError> {
    let shown = || format!("--{}", String::from_utf8_lossy(word));
    let (name, value) = match word.iter().position(|&b| b == b'=') {
        Some(at) => (&word[..at], Some(&word[at + 1..])),
        None => (word, None),
    };
    let name = std::str::from_utf8(name).map_err(|_| UsageError::Unrecognized(shown()))?;
    let (opt, full) = find(program, name, shown)?;
    let value = match (opt.arg, value) {
        (Arg::No, Some(_)) => return Err(UsageError::UnwantedArgument(full)),
        (Arg::No, None) => None,
        (_, Some(v)) => Some(OsStr::from_bytes(v).to_owned()),
        (Arg::Optional(_), None) => None,
        (Arg::Required(_), None) => Some(words.next().cloned().ok_or(UsageError::MissingArgument(full))?),
    };
    Ok(Choice { opt, value: text(opt, value)?, source })
}

/// The option meant by a long name or by the beginning of one.
fn find(
    program: Program,
    name: &str,
    shown: impl Fn() -> String,
) -> Result<(&'static Opt, &'static str), UsageError> {
    let all = || program.options().iter().flat_map(|o| o.names().map(move |n| (o, n)));
    if let Some(exact) = all().find(|(_, n)| *n == name) {
        return Ok(exact);
    }
    let mut near: Vec<_> = all().filter(|(_, n)| n.starts_with(name)).collect();
    // As Slurm's own list of names is sorted.
    near.sort_by_key(|(_, n)| *n);
    match near.first() {
        None => Err(UsageError::Unrecognized(shown())),
        Some(first) if near.iter().all(|(o, _)| o.long == first.0.long) => Ok(*first),
        Some(_) => Err(UsageError::Ambiguous(shown(), near.iter().map(|(_, n)| *n).collect())),
    }
}

/// A word of letters: flags, then at most one with an argument, which is the rest of the word or the next one.
fn short<'a>(
    program: Program,
    letters: &[u8],
    words: &mut impl Iterator<Item = &'a OsString>,
    source: Source,
    choices: &mut Vec<Choice>,
) -> Result<(), UsageError> {
    for (at, &letter) in letters.iter().enumerate() {
        let letter = char::from(letter);
        let opt = program
            .options()
            .iter()
            .find(|o| o.short == Some(letter) || o.also == Some(letter))
            .ok_or(UsageError::InvalidLetter(letter))?;
        let rest = Some(&letters[at + 1..]).filter(|r| !r.is_empty()).map(|r| OsString::from_vec(r.to_vec()));
        let value = match opt.arg {
            Arg::No => {
                choices.push(Choice { opt, value: None, source });
                continue;
            }
            Arg::Optional(_) => rest,
            Arg::Required(_) => {
                Some(rest.or_else(|| words.next().cloned()).ok_or(UsageError::MissingShortArgument(letter))?)
            }
        };
        choices.push(Choice { opt, value: text(opt, value)?, source });
        break;
    }
    Ok(())
}

fn text(opt: &'static Opt, value: Option<OsString>) -> Result<Option<String>, UsageError> {
    value.map(|v| v.into_string().map_err(|_| UsageError::NotText(opt.long))).transpose()
}

impl Given {
    /// From choices in order of precedence (the last counts) and operands.
    pub fn new(program: Program, choices: Vec<Choice>, operands: Vec<OsString>) -> Given {
        Given { program, choices, operands, in_job: false, used: RefCell::default() }
    }

    fn use_name(&self, long: &'static str) {
        debug_assert!(
            self.program.options().iter().any(|o| o.long == long),
            "--{long} is not in the table of {}",
            self.program
        );
        self.used.borrow_mut().insert(long);
    }

    /// Every time the option was given, the one that counts last.
    pub fn all(&self, long: &'static str) -> impl DoubleEndedIterator<Item = &Choice> {
        self.use_name(long);
        self.choices.iter().filter(move |c| c.opt.long == long)
    }

    /// The choice that counts.
    pub fn get(&self, long: &'static str) -> Option<&Choice> {
        self.all(long).next_back()
    }

    /// Whether the option was given.
    pub fn has(&self, long: &'static str) -> bool {
        self.get(long).is_some()
    }

    /// How often it was given (-vv).
    pub fn count(&self, long: &'static str) -> usize {
        self.all(long).count()
    }

    /// The argument of the choice that counts.
    pub fn value(&self, long: &'static str) -> Option<&str> {
        self.get(long)?.value.as_deref()
    }

    /// Of several options, the one given last.
    pub fn last_of(&self, longs: &[&'static str]) -> Option<&Choice> {
        longs.iter().for_each(|l| self.use_name(l));
        self.choices.iter().rfind(|c| longs.contains(&c.opt.long))
    }

    /// All choices, for showing them.
    pub fn choices(&self) -> &[Choice] {
        &self.choices
    }

    /// The options that were accepted without effect, each once, with the reason.
    pub fn listed(&self) -> Vec<(&'static Opt, &'static str)> {
        let mut seen = BTreeSet::new();
        let listed = self.choices.iter().filter_map(|c| match c.opt.status_where(self.in_job) {
            Status::Listed(reason) if seen.insert(c.opt.long) => Some((c.opt, reason)),
            _ => None,
        });
        listed.collect()
    }

    /// Checks, when all options have been asked for, that every honoured one that was given was among them.
    ///
    /// # Errors
    /// [`UsageError::Unhandled`] names the first that nobody asked for.
    pub fn finish(&self) -> Result<(), UsageError> {
        let used = self.used.borrow();
        let asked_for = |long| used.contains(long) || ANSWERED.contains(&long);
        let honoured = |c: &&Choice| c.opt.status_where(self.in_job) == Status::Honoured;
        let left = self.choices.iter().filter(honoured).find(|c| !asked_for(c.opt.long));
        left.map_or(Ok(()), |c| Err(UsageError::Unhandled(c.opt.long)))
    }
}

#[cfg(test)]
#[path = "getopt_tests.rs"]
mod tests;
