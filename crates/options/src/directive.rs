//! Batch scripts: what a script must be, and its `#SBATCH` lines.

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
        }
    }
}

/// The directives of a script.
#[derive(Clone, Debug, Default)]
pub struct Directives {
    /// In order, the last counts.
    pub choices: Vec<Choice>,
    /// Lines without effect.
    pub ignored: Vec<Ignored>,
}

/// Options that have a meaning on the command line only.
const NOT_IN_SCRIPTS: [&str; 4] = ["wrap", "help", "usage", "version"];

/// Reads the `#SBATCH` lines of a script up to its first command.
///
/// # Errors
/// [`DirectiveError`], for the first line that cannot be read.
pub fn read(script: &[u8]) -> Result<Directives, DirectiveError> {
    let mut found = Directives::default();
    let mut before_commands = true;
    for (number, line) in (1u32..).zip(script.split(|&b| b == b'\n')) {
        let text = String::from_utf8_lossy(line);
        let trimmed = text.trim();
        let mut ignore = |why| found.ignored.push(Ignored { line: number, text: trimmed.to_owned(), why });
        if !trimmed.is_empty() && !trimmed.starts_with('#') {
            before_commands = false;
            continue;
        }
        let Some(rest) = text.strip_prefix("#SBATCH") else {
            if before_commands && let Some(why) = nearly(&text) {
                ignore(why);
            }
            continue;
        };
        if !before_commands {
            ignore("it comes after the first command");
            continue;
        }
        let fail = |problem| DirectiveError { line: number, problem };
        let (words, comment) = split(rest).map_err(fail)?;
        if comment.is_some_and(|c| c.trim_start().starts_with('-')) {
            ignore("what follows # is a comment");
        }
        match words.first().map(String::as_str) {
            None => continue,
            Some("hetjob" | "packjob") => return Err(fail(Problem::HetJob)),
            Some(_) => {}
        }
        let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
        let (choices, operands) =
            getopt::directive(Program::Sbatch, &words, number).map_err(|e| fail(Problem::Usage(e)))?;
        if let Some(word) = operands.first() {
            return Err(fail(Problem::Operand(word.to_string_lossy().into_owned())));
        }
        for choice in choices {
            if NOT_IN_SCRIPTS.contains(&choice.opt.long) {
                ignore("the option is one of the command line");
            } else {
                found.choices.push(choice);
            }
        }
    }
    Ok(found)
}

/// Whether a comment was probably meant as a directive, and why it is none.
fn nearly(line: &str) -> Option<&'static str> {
    let word = line.split_whitespace().next()?;
    if matches!(word, "#PBS" | "#BSUB") {
        return Some("directives of other systems are not read here; write #SBATCH");
    }
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
