//! Batch scripts: what a script must be, and its `#SBATCH` lines.

use crate::foreign::{ForeignError, System};
use crate::getopt::{self, Choice, UsageError};
use crate::table::Program;
use std::ffi::OsString;
use std::fmt;

/// The largest script, as Slurm's default max_script_size.
pub const MAX_SCRIPT: usize = 4 << 20;

/// Why a file is not a batch script. `Display` has one line for each `sbatch: error:` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAScript {
    /// Nothing in it.
    Empty,
    /// No `#!` at its beginning.
    NoInterpreter,
    /// A NUL byte.
    Nul,
    /// Lines end as on DOS.
    DosLines,
    /// More than [`MAX_SCRIPT`].
    TooLarge,
}

impl fmt::Display for NotAScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotAScript::Empty => "Batch script is empty!",
            NotAScript::NoInterpreter => {
                "This does not look like a batch script.  The first\n\
                 line must start with #! followed by the path to an interpreter.\n\
                 For instance: #!/bin/sh"
            }
            NotAScript::Nul => {
                "The Slurm controller does not allow scripts that\ncontain a NULL character '\\0'."
            }
            NotAScript::DosLines => {
                "Batch script contains DOS line breaks (\\r\\n)\ninstead of expected UNIX line breaks (\\n)."
            }
            NotAScript::TooLarge => "Batch script is larger than 4 MiB.",
        })
    }
}

/// Checks what sbatch checks of a script.
///
/// # Errors
/// [`NotAScript`].
pub fn check(script: &[u8]) -> Result<(), NotAScript> {
    if script.is_empty() {
        Err(NotAScript::Empty)
    } else if !script.starts_with(b"#!") {
        Err(NotAScript::NoInterpreter)
    } else if script.contains(&0) {
        Err(NotAScript::Nul)
    } else if script.windows(2).any(|w| w == b"\r\n") {
        Err(NotAScript::DosLines)
    } else if script.len() > MAX_SCRIPT {
        Err(NotAScript::TooLarge)
    } else {
        Ok(())
    }
}

/// A line that Slurm passes over in silence but whose writer probably meant something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// Its number, from 1.
    pub line: u32,
    /// The line.
    pub text: String,
    /// Why it has no effect.
    pub why: &'static str,
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} has no effect, {}: {}", self.line, self.why, self.text)
    }
}

/// A directive that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectiveError {
    /// Its line, from 1.
    pub line: u32,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A quote that is not closed, and the text from there.
    Unmatched(char, String),
    /// A colon, which would separate parts of a heterogeneous job, and the text from there.
    Colon(String),
    /// `hetjob`.
    HetJob,
    /// A word that is no option.
    Operand(String),
    /// An option that cannot be read.
    Usage(UsageError),
    /// A directive of another system that cannot be read.
    Foreign(ForeignError),
}

impl DirectiveError {
    /// The lines for standard error, and the exit code. `script` is the script's name as given.
    pub fn message(&self, script: &str) -> (String, u8) {
        let at = |what: String| format!("sbatch: fatal: {script}: line {}: {what}\n", self.line);
        match &self.problem {
            Problem::Unmatched(quote, rest) => (at(format!("Unmatched `{quote}` in [{rest}]")), 1),
            Problem::Colon(rest) => (at(format!("Unexpected `:` in [{rest}]")), 1),
            Problem::HetJob => {
                ("sbatch: error: heterogeneous jobs (#SBATCH hetjob) are not available here: submit several jobs\n".into(), 255)
            }
            Problem::Operand(word) => (format!("sbatch: error: Invalid directive found in batch script: {word}\n"), 255),
            Problem::Usage(e) => (e.message(Program::Sbatch), Program::Sbatch.usage_exit_code()),
            Problem::Foreign(e) => (e.message(), 1),
        }
    }
}

/// The directives of a script.
#[derive(Clone, Debug, Default)]
pub struct Directives {
    /// Those of #SBATCH lines in order, the last counts.
    pub choices: Vec<Choice>,
    /// Those of #PBS and #BSUB lines, which win over them unless --ignore-pbs.
    pub foreign: Vec<Choice>,
    /// Lines without effect.
    pub ignored: Vec<Ignored>,
}

const PBS: &str = "#PBS";
const BSUB: &str = "#BSUB";

/// Options that have a meaning on the command line only.
const NOT_IN_SCRIPTS: [&str; 4] = ["wrap", "help", "usage", "version"];

/// Reads the directives of a script up to its first command. `ignore_pbs`: --ignore-pbs was given outside the script.
///
/// # Errors
/// [`DirectiveError`], for the first line that cannot be read.
pub fn read(script: &[u8], ignore_pbs: bool) -> Result<Directives, DirectiveError> {
    let mut found = Directives::default();
    let (mut pbs, mut lsf) = (Vec::new(), Vec::new());
    let mut before_commands = true;
    for (number, line) in (1u32..).zip(script.split(|&b| b == b'\n')) {
        let text = String::from_utf8_lossy(line);
        if !text.trim().is_empty() && !text.trim().starts_with('#') {
            before_commands = false;
            continue;
        }
        let mut reader = Reader { found: &mut found, line: number, text: text.trim() };
        if let Some(rest) = text.strip_prefix("#SBATCH").filter(|_| before_commands) {
            reader.own(rest)?;
        } else if ["#SBATCH", PBS, BSUB].iter().any(|d| text.starts_with(d)) && !before_commands {
            reader.ignore("it comes after the first command");
        } else if text.starts_with(PBS) {
            pbs.push((number, text.into_owned()));
        } else if text.starts_with(BSUB) {
            lsf.push((number, text.into_owned()));
        } else if before_commands && let Some(why) = nearly(&text) {
            reader.ignore(why);
        }
    }
    let ignore_pbs = ignore_pbs || found.choices.iter().any(|c| c.opt.long == "ignore-pbs");
    let replaced = if ignore_pbs { Vec::new() } else { lsf.clone() };
    for (system, word, lines) in [(System::Pbs, PBS, pbs), (System::Lsf, BSUB, lsf)] {
        for (line, text) in lines {
            let mut reader = Reader { found: &mut found, line, text: text.trim() };
            if system == System::Pbs && !replaced.is_empty() {
                reader.ignore("sbatch reads the #BSUB lines instead");
            } else if !ignore_pbs {
                reader.foreign(system, &text[word.len()..])?;
            }
        }
    }
    found.ignored.sort_by_key(|i| i.line);
    Ok(found)
}

/// One line on its way into what was found.
struct Reader<'a> {
    found: &'a mut Directives,
    line: u32,
    text: &'a str,
}

impl Reader<'_> {
    fn ignore(&mut self, why: &'static str) {
        self.found.ignored.push(Ignored { line: self.line, text: self.text.to_owned(), why });
    }

    fn fail(&self, problem: Problem) -> DirectiveError {
        DirectiveError { line: self.line, problem }
    }

    /// What follows #SBATCH.
    fn own(&mut self, rest: &str) -> Result<(), DirectiveError> {
        let (words, comment) = split(rest).map_err(|p| self.fail(p))?;
        if comment.is_some_and(|c| c.trim_start().starts_with('-')) {
            self.ignore("what follows # is a comment");
        }
        if let Some("hetjob" | "packjob") = words.first().map(String::as_str) {
            return Err(self.fail(Problem::HetJob));
        }
        for choice in self.options(words)? {
            if NOT_IN_SCRIPTS.contains(&choice.opt.long) {
                self.ignore("the option is one of the command line");
            } else {
                self.found.choices.push(choice);
            }
        }
        Ok(())
    }

    /// What follows #PBS or #BSUB.
    fn foreign(&mut self, system: System, rest: &str) -> Result<(), DirectiveError> {
        let (words, _) = split(rest).map_err(|p| self.fail(p))?;
        let read = system.translate(&words).map_err(|e| self.fail(Problem::Foreign(e)))?;
        for text in read.without_effect {
            let why = "sbatch does nothing with it";
            self.found.ignored.push(Ignored { line: self.line, text, why });
        }
        let choices = self.options(read.words)?;
        self.found.foreign.extend(choices);
        Ok(())
    }

    fn options(&self, words: Vec<String>) -> Result<Vec<Choice>, DirectiveError> {
        let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
        let read = getopt::directive(Program::Sbatch, &words, self.line);
        let (choices, operands) = read.map_err(|e| self.fail(Problem::Usage(e)))?;
        match operands.first() {
            Some(word) => Err(self.fail(Problem::Operand(word.to_string_lossy().into_owned()))),
            None => Ok(choices),
        }
    }
}

/// Whether a comment was probably meant as a directive, and why it is none.
fn nearly(line: &str) -> Option<&'static str> {
    if line.starts_with([' ', '\t']) && line.trim_start().starts_with("#SBATCH") {
        return Some("#SBATCH must stand at the beginning of the line");
    }
    let rest = line.trim_start().strip_prefix('#').filter(|r| !r.starts_with('#'))?;
    let spaced = rest.starts_with([' ', '\t']);
    let mut words = rest.split_whitespace();
    let (name, next) = (words.next()?, words.next());
    // Without an option after it, a word is prose.
    if !next.is_some_and(|n| n.starts_with('-')) {
        return None;
    }
    if name == "SBATCH" && spaced {
        Some("there must be no space between # and SBATCH")
    } else if name.eq_ignore_ascii_case("SBATCH") {
        Some("SBATCH must be written in capitals")
    } else if !spaced && distance(&name.to_ascii_uppercase(), "SBATCH") <= 2 {
        Some("it does not begin with #SBATCH")
    } else {
        None
    }
}

/// How many letters must be changed, put in or taken out to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(16).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let best = (diagonal + usize::from(ca != *cb)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], best);
        }
    }
    row[b.len()]
}

/// The words of a directive, and the comment that ends it. Words are separated by white space; quotes of both kinds
/// group; a backslash makes the next character ordinary, within quotes too; a `#` outside quotes begins a comment, in
/// the middle of a word too; empty words vanish. (As observed on sbatch 22.05.8.)
fn split(text: &str) -> Result<(Vec<String>, Option<&str>), Problem> {
    let mut words = Vec::new();
    let (mut word, mut quote, mut start) = (String::new(), None, 0);
    let mut chars = text.char_indices();
    let mut comment = None;
    while let Some((at, c)) = chars.next() {
        match (c, quote) {
            ('\\', _) => match chars.clone().next() {
                Some((_, next)) if quote.is_some() || !next.is_whitespace() => {
                    word.push(next);
                    chars.next();
                }
                _ => {}
            },
            (c, Some(q)) if c == q => quote = None,
            (c, Some(_)) => word.push(c),
            ('"' | '\'', None) => quote = Some(c),
            ('#', None) => {
                comment = Some(&text[at + 1..]);
                break;
            }
            (c, None) if c.is_whitespace() => {
                take(&mut word, &mut words, &text[start..])?;
                // The text from here on, spaces first, is what messages quote.
                if text[start..at].ends_with(|c: char| !c.is_whitespace()) {
                    start = at;
                }
            }
            (c, None) => word.push(c),
        }
    }
    if let Some(q) = quote {
        return Err(Problem::Unmatched(q, text[start..].to_owned()));
    }
    take(&mut word, &mut words, &text[start..])?;
    Ok((words, comment))
}

/// Ends a word.
fn take(word: &mut String, words: &mut Vec<String>, from: &str) -> Result<(), Problem> {
    match word.as_str() {
        "" => Ok(()),
        ":" => Err(Problem::Colon(from.to_owned())),
        _ => {
            words.push(std::mem::take(word));
            Ok(())
        }
    }
}

#[cfg(test)]
#[path = "directive_tests.rs"]
mod tests;
