//! `srun --multi-prog`: a file that says which task runs which program. Pure.

use std::collections::BTreeMap;

/// What each task runs, by rank: the program's words, and the task's place among those of its line.
#[derive(Debug, PartialEq, Eq)]
pub struct Programs(BTreeMap<u32, (Vec<String>, u32)>);

impl Programs {
    /// Reads the file for a step of so many tasks. Blank lines and those that begin with `#` say nothing; `*` is every
    /// task that no other line names.
    ///
    /// # Errors
    /// The errors to print, in Slurm's words.
    pub fn parse(file: &str, text: &str, tasks: u32) -> Result<Programs, Vec<String>> {
        let mut programs = BTreeMap::new();
        let mut rest: Option<Vec<String>> = None;
        for (number, line) in lines(text) {
            let invalid = |why: Option<String>| {
                let line = format!("Line {number} of configuration file {file} invalid");
                why.into_iter().chain([line]).collect::<Vec<_>>()
            };
            let (ranks, command) = line.split_once(char::is_whitespace).unwrap_or((line.as_str(), ""));
            let words = words(command);
            if words.is_empty() {
                return Err(invalid(None));
            }
            if ranks == "*" {
                rest = Some(words);
                continue;
            }
            let bad = || invalid(Some(format!("Invalid task range specification ({ranks})")));
            let mut place = 0..;
            for (first, last) in ranges(ranks).ok_or_else(bad)? {
                if last >= tasks {
                    return Err(invalid(Some(format!("Invalid task id, {last} >= ntasks"))));
                }
                for rank in first..=last {
                    if programs.insert(rank, (words.clone(), place.next().unwrap_or(0))).is_some() {
                        return Err(invalid(Some(format!("Duplicate record for task {rank}"))));
                    }
                }
            }
        }
        let others: Vec<u32> = (0..tasks).filter(|rank| !programs.contains_key(rank)).collect();
        for (place, rank) in (0..).zip(others) {
            let none = || vec![format!("Configuration file {file} invalid, no record for task id {rank}")];
            programs.insert(rank, (rest.clone().ok_or_else(none)?, place));
        }
        Ok(Programs(programs))
    }

    /// A task's words. `%t` is its rank, `%o` its place among the tasks of its line.
    pub fn of(&self, rank: u32) -> Vec<String> {
        let Some((words, place)) = self.0.get(&rank) else { return Vec::new() };
        let expand = |w: &String| w.replace("%t", &rank.to_string()).replace("%o", &place.to_string());
        words.iter().map(expand).collect()
    }
}

/// Lines with their numbers; one that ends with a backslash goes on in the next.
fn lines(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (number, line) in (1..).zip(text.lines()) {
        let part = line.strip_suffix('\\').unwrap_or(line);
        match found.last_mut().filter(|_| open) {
            Some((_, last)) => last.push_str(part),
            None => found.push((number, part.to_owned())),
        }
        open = part.len() < line.len();
    }
    let says = |line: &str| !line.is_empty() && !line.starts_with('#');
    found.into_iter().map(|(n, l)| (n, l.trim().to_owned())).filter(|(_, l)| says(l)).collect()
}

/// `0,2-4`.
fn ranges(text: &str) -> Option<Vec<(u32, u32)>> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (first <= last).then_some((first, last))
    };
    text.split(',').map(range).collect()
}

/// Words; quotes hold blanks: single ones are taken away where they enclose a word, double ones stay.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in text.chars() {
        match (c, quote) {
            (c, Some(q)) if c == q => {
                quote = None;
                if c == '"' {
                    word.get_or_insert_default().push(c);
                }
            }
            ('\'' | '"', None) => {
                quote = Some(c);
                let word = word.get_or_insert_default();
                if c == '"' {
                    word.push(c);
                }
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, tasks: u32) -> Result<Vec<String>, Vec<String>> {
        let programs = Programs::parse("m", text, tasks)?;
        Ok((0..tasks).map(|rank| programs.of(rank).join("|")).collect())
    }

    /// Observed on 22.05.8.
    #[test]
    fn each_task_has_its_program() {
        let text = "0 echo zero %t %o\n1-2 echo some %t %o\n* echo rest %t\n";
        let all = ["echo|zero|0|0", "echo|some|1|0", "echo|some|2|1", "echo|rest|3"];
        assert_eq!(of(text, 4).unwrap(), all);
        let text = "#c\n\n0,2 echo 02 %o \\\n cont\n1 bash -c 'echo $0 x' q\n";
        assert_eq!(of(text, 3).unwrap(), ["echo|02|0|cont", "bash|-c|echo $0 x|q", "echo|02|1|cont"]);
        assert_eq!(of("0 /bin/echo b  \"x y\" z\n", 1).unwrap(), ["/bin/echo|b|\"x y\"|z"]);
    }

    #[test]
    fn wrong_lines_are_named() {
        let line = |n: u32| format!("Line {n} of configuration file m invalid");
        for (text, why) in [
            ("0 echo a\n", vec!["Configuration file m invalid, no record for task id 1".to_owned()]),
            ("0-5 echo\n", vec!["Invalid task id, 5 >= ntasks".into(), line(1)]),
            ("0 a\n0 b\n1-2 c\n", vec!["Duplicate record for task 0".into(), line(2)]),
            ("x a\n1-2 c\n", vec!["Invalid task range specification (x)".into(), line(1)]),
            ("0\n1-2 c\n", vec![line(1)]),
        ] {
            assert_eq!(of(text, 3).unwrap_err(), why, "{text}");
        }
    }
}
