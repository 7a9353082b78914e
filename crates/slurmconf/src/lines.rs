//! Text to lines of `key=value` pairs, as Slurm reads its configuration files: comments, continued lines, included
//! files, quoted values. Each line knows where it stands.

use std::fmt;
use std::sync::Arc;

/// How deep files may include each other.
const DEPTH: usize = 16;
/// Files that are included in all.
const MAX_INCLUDED: usize = 1_000;
/// Lines of all files together.
const MAX_LINES: usize = 1 << 20;

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as it was opened.
    pub file: Arc<str>,
    /// The line, from 1; of a continued line the first. 0 means the file as a whole.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// Something to tell about a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// Where.
    pub place: Place,
    /// What, and what to do.
    pub text: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// One `key=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// As written.
    pub key: String,
    /// Without its quotes.
    pub value: String,
}

/// A line with its pairs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it stands.
    pub place: Place,
    /// What it says.
    pub pairs: Vec<Pair>,
}

/// Gives the text of a file; `None`: there is none of that name.
pub type Open<'a> = &'a mut dyn FnMut(&str) -> Result<Option<String>, String>;

/// Reads a file and what it includes. `cluster` stands for `%c` in the names of included files.
///
/// Everything that is wrong is added to `problems`; what can be read is.
pub fn read(file: &str, text: &str, cluster: &str, open: Open, problems: &mut Vec<Diagnostic>) -> Vec<Line> {
    let mut lines = Vec::new();
    Reader { cluster, open, problems, lines: &mut lines, included: 0 }.file(file, text, 0);
    lines
}

struct Reader<'a, 'o> {
    cluster: &'a str,
    open: Open<'o>,
    problems: &'a mut Vec<Diagnostic>,
    lines: &'a mut Vec<Line>,
    /// Files so far, the same one again included.
    included: usize,
}

impl Reader<'_, '_> {
    fn file(&mut self, name: &str, text: &str, depth: usize) {
        let file: Arc<str> = name.into();
        for (number, line) in logical(text) {
            let place = Place { file: file.clone(), line: number };
            if self.lines.len() >= MAX_LINES {
                return self.problem(&place, "there are too many lines".into());
            }
            if let Some(included) = included(&line) {
                let included = included.replace("%c", self.cluster);
                self.include(&place, &included, depth);
            } else {
                match pairs(&line) {
                    Ok(pairs) if pairs.is_empty() => {}
                    Ok(pairs) => self.lines.push(Line { place, pairs }),
                    Err(rest) => self.problem(&place, format!("Parse error: \"{rest}\" is no Key=Value")),
                }
            }
        }
    }

    fn include(&mut self, place: &Place, name: &str, depth: usize) {
        self.included += 1;
        // Files that include one another several times are more with each step down: one word about it is enough.
        match self.included {
            ..=MAX_INCLUDED => {}
            n if n == MAX_INCLUDED + 1 => {
                return self.problem(place, "there are too many included files".into());
            }
            _ => return,
        }
        if depth >= DEPTH {
            return self.problem(place, format!("{name} is included too deep; does it include itself?"));
        }
        match (self.open)(name) {
            Ok(Some(text)) => self.file(name, &text, depth + 1),
            Ok(None) => self.problem(place, format!("the included file {name} does not exist")),
            Err(e) => self.problem(place, format!("the included file {name} cannot be read: {e}")),
        }
    }

    fn problem(&mut self, place: &Place, text: String) {
        self.problems.push(Diagnostic { place: place.clone(), text });
    }
}

/// Lines without comments, continued ones joined, with the number of the first.
fn logical(text: &str) -> Vec<(u32, String)> {
    let mut out: Vec<(u32, String)> = Vec::new();
    let mut continued = false;
    for (n, raw) in (1..).zip(text.split('\n')) {
        let line = without_comment(raw.trim_end_matches('\r'));
        let (line, goes_on) = match line.trim_end().strip_suffix('\\') {
            Some(line) if !line.ends_with('\\') => (line.to_owned(), true),
            _ => (line, false),
        };
        match out.last_mut().filter(|_| continued) {
            Some((_, before)) => before.push_str(&line),
            None => out.push((n, line)),
        }
        continued = goes_on;
    }
    out
}

/// Up to a `#` that no backslash stands before, quoted or not.
fn without_comment(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'#') => {
                chars.next();
                out.push('#');
            }
            '#' => break,
            c => out.push(c),
        }
    }
    out
}

/// The file's name of an `Include FILE` line.
fn included(line: &str) -> Option<&str> {
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace)?;
    let rest = rest.trim();
    (word.eq_ignore_ascii_case("include") && !rest.is_empty() && !rest.starts_with('=')).then_some(rest)
}

/// The pairs of a line; blanks may stand around the `=`.
///
/// # Errors
/// The rest of the line that is no pair.
pub(crate) fn pairs(line: &str) -> Result<Vec<Pair>, String> {
    let mut out = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.')))
            .ok_or_else(|| rest.to_owned())?;
        let (key, after) = rest.split_at(end);
        let after = after.trim_start().strip_prefix('=').filter(|_| !key.is_empty());
        let Some(after) = after.map(str::trim_start) else { return Err(rest.to_owned()) };
        let quoted = after.strip_prefix('"').and_then(|a| a.split_once('"'));
        let quoted = quoted.filter(|(_, tail)| tail.is_empty() || tail.starts_with(char::is_whitespace));
        let (value, tail) = match quoted {
            Some((value, tail)) => (value, tail),
            None => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
        };
        if value.is_empty() && quoted.is_none() {
            return Err(rest.to_owned());
        }
        out.push(Pair { key: key.to_owned(), value: value.to_owned() });
        rest = tail.trim_start();
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Numbered = Vec<(u32, Vec<(String, String)>)>;

    fn parsed(text: &str) -> (Numbered, Vec<String>) {
        let mut problems = Vec::new();
        let mut open = |name: &str| match name {
            "more" => Ok(Some("Inside=1\nbad\n".to_owned())),
            "loop" => Ok(Some("include loop\n".to_owned())),
            "twice" => Ok(Some("include twice\n".repeat(50))),
            _ => Ok(None),
        };
        let lines = read("f", text, "camp", &mut open, &mut problems);
        let lines = lines
            .into_iter()
            .map(|l| (l.place.line, l.pairs.into_iter().map(|p| (p.key, p.value)).collect::<Vec<_>>()));
        (lines.collect(), problems.iter().map(Diagnostic::to_string).collect())
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn lines_are_read_as_slurm_reads_them() {
        let (lines, problems) =
            parsed("# c\nA=1 B = two\n\nC=\"x y\" # tail\nD=a\\\nb,\\\nc E=\\#5\r\nF= G=1\n");
        assert_eq!(problems, [""; 0]);
        assert_eq!(
            lines,
            [
                (2, vec![pair("A", "1"), pair("B", "two")]),
                (4, vec![pair("C", "x y")]),
                (5, vec![pair("D", "ab,c"), pair("E", "#5")]),
                (8, vec![pair("F", "G=1")]),
            ]
        );
    }

    #[test]
    fn included_files_are_read_and_faults_name_their_place() {
        let (lines, problems) = parsed("Include more\nX=1\ninclude missing-%c\nInclude loop\noops\n");
        assert_eq!(lines, [(1, vec![pair("Inside", "1")]), (2, vec![pair("X", "1")])]);
        assert_eq!(problems[0], "more:2: Parse error: \"bad\" is no Key=Value");
        assert_eq!(problems[1], "f:3: the included file missing-camp does not exist");
        assert_eq!(problems[2], "loop:1: loop is included too deep; does it include itself?");
        assert_eq!(problems[3], "f:5: Parse error: \"oops\" is no Key=Value");
    }

    #[test]
    fn files_that_include_one_another_many_times_come_to_an_end() {
        let (_, problems) = parsed("include twice\n");
        let told = problems.iter().filter(|p| p.ends_with("there are too many included files")).count();
        assert_eq!((told, problems.len() <= MAX_INCLUDED), (1, true), "{}", problems.len());
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[ -~\n\\\\é\"#=]{0,80}") {
            let _ = parsed(&text);
        }

        #[test]
        fn pairs_that_are_written_are_read(
            given in prop::collection::vec(("[A-Za-z][A-Za-z0-9_.]{0,8}", "[!$-Z^-~]{1,8}|[ a-z]{0,5}"), 1..6)
        ) {
            let text: Vec<String> = given
                .iter()
                .map(|(k, v)| match v.is_empty() || v.contains(' ') {
                    true => format!("{k}=\"{v}\""),
                    false => format!("{k}={v}"),
                })
                .collect();
            let read = pairs(&text.join(" ")).unwrap();
            let read: Vec<(String, String)> = read.into_iter().map(|p| (p.key, p.value)).collect();
            prop_assert_eq!(read, given);
        }
    }
}
