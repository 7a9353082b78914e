//! The cases: named pieces of bash in `tests/diff/*.cases`.
//!
//! A line `== NAME [as USER] [within SECONDS] [for VAR in WORDS...]` begins a case; what follows, up to the next such
//! line, is its script. With `for` every word makes a case of its own, named `NAME[WORD]`, in which VAR has that value. A
//! header goes on in the next line where it ends with a backslash. What stands before the first header begins every script
//! of the file.

use std::path::Path;

/// One unit with its own verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// `FILE/NAME` or `FILE/NAME[WORD]`.
    pub name: String,
    /// The file and the line of its header.
    pub place: String,
    /// As whom it runs: none is the one who runs the harness.
    pub user: Option<String>,
    /// Seconds after which it is stopped.
    pub within: u64,
    /// The bash script.
    pub script: String,
}

/// How long a case may take that says nothing.
const WITHIN: u64 = 60;

/// Reads every `*.cases` file of a folder, in the order of their names.
///
/// # Errors
/// A file that cannot be read, a header that makes no sense, two cases of one name.
pub fn load(folder: &Path) -> Result<Vec<Case>, String> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "cases"));
    files.sort();
    let mut cases: Vec<Case> = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let file = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for case in parse(&file, &text)? {
            if let Some(other) = cases.iter().find(|other| other.name == case.name) {
                return Err(format!("{}: the name {} is taken by {}", case.place, case.name, other.place));
            }
            cases.push(case);
        }
    }
    Ok(cases)
}

/// The cases of one file's text.
///
/// # Errors
/// A header that makes no sense.
pub fn parse(file: &str, text: &str) -> Result<Vec<Case>, String> {
    let mut cases: Vec<Case> = Vec::new();
    let mut open: Vec<Case> = Vec::new();
    let mut values: Vec<String> = Vec::new();
    let mut body = String::new();
    let mut common = None;
    let mut close = |open: &mut Vec<Case>, values: &[String], body: &mut String| {
        for (mut case, value) in open.drain(..).zip(values) {
            case.script = format!("{value}{body}");
            cases.push(case);
        }
        body.clear();
    };
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let place = format!("{file}.cases:{}", number + 1);
        if let Some(header) = line.strip_prefix("== ") {
            let mut header = header.to_owned();
            while let Some(begun) = header.strip_suffix('\\') {
                header = format!("{begun} {}", lines.next().map_or("", |(_, line)| line));
            }
            match &common {
                Some(_) => close(&mut open, &values, &mut body),
                None => common = Some(std::mem::take(&mut body)),
            }
            (open, values) = begin(file, &place, &header).map_err(|e| format!("{place}: {e}"))?;
        } else {
            body.push_str(line);
            body.push('\n');
        }
    }
    close(&mut open, &values, &mut body);
    let common = common.unwrap_or_default();
    cases.iter_mut().for_each(|case| case.script.insert_str(0, &common));
    Ok(cases)
}

/// The cases that a header begins, each with the assignment that its script starts with.
fn begin(file: &str, place: &str, header: &str) -> Result<(Vec<Case>, Vec<String>), String> {
    let words = words(header)?;
    let mut words = words.into_iter();
    let name = words.next().ok_or("a case needs a name")?;
    let mut case = Case {
        name: format!("{file}/{name}"),
        place: place.to_owned(),
        user: None,
        within: WITHIN,
        script: String::new(),
    };
    let need = |what: &str, words: &mut std::vec::IntoIter<String>| {
        words.next().ok_or(format!("`{what}` needs a word behind it"))
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "as" => case.user = Some(need("as", &mut words)?),
            "within" => {
                let seconds = need("within", &mut words)?;
                case.within =
                    seconds.parse().map_err(|_| format!("within {seconds}: no number of seconds"))?;
            }
            "for" => {
                let variable = need("for", &mut words)?;
                if words.next().as_deref() != Some("in") {
                    return Err(format!("`for {variable}` needs `in` and words behind it"));
                }
                let values: Vec<String> = words.collect();
                if values.is_empty() {
                    return Err(format!("`for {variable} in` has no words"));
                }
                let named = |value: &String| Case { name: format!("{}[{value}]", case.name), ..case.clone() };
                let quoted = |value: &String| format!("{variable}='{}'; ", value.replace('\'', "'\\''"));
                return Ok((values.iter().map(named).collect(), values.iter().map(quoted).collect()));
            }
            other => return Err(format!("{other}: a header has `as`, `within` and `for` behind the name")),
        }
    }
    Ok((vec![case], vec![String::new()]))
}

/// Splits at spaces; quotes hold words together, a backslash keeps the next character.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            ' ' | '\t' => words.extend(word.take()),
            '\'' | '"' => {
                let word = word.get_or_insert_with(String::new);
                loop {
                    match characters.next() {
                        Some(end) if end == c => break,
                        Some(inner) => word.push(inner),
                        None => return Err(format!("a quote {c} is not closed")),
                    }
                }
            }
            '\\' => word.get_or_insert_with(String::new).extend(characters.next()),
            other => word.get_or_insert_with(String::new).push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_named_scripts() {
        let text = "# What this is.\n\n== first\nrun a\nrun b\n== second as camper within 90\nrun c\n";
        let cases = parse("squeue", text).unwrap();
        assert_eq!(cases.len(), 2);
        assert_eq!(cases[0].name, "squeue/first");
        assert_eq!(cases[0].script, "# What this is.\n\nrun a\nrun b\n");
        assert_eq!(cases[0].place, "squeue.cases:3");
        assert_eq!((cases[1].user.as_deref(), cases[1].within), (Some("camper"), 90));
    }

    #[test]
    fn every_word_of_a_loop_is_a_case() {
        let cases = parse("f", "== bad for v in abc '1 2' \"it's\"\nrun x \"$v\"\n").unwrap();
        let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names, ["f/bad[abc]", "f/bad[1 2]", "f/bad[it's]"]);
        assert_eq!(cases[2].script, "v='it'\\''s'; run x \"$v\"\n");
    }

    #[test]
    fn a_long_header_goes_on_in_the_next_line() {
        let cases = parse("f", "== bad for v in a \\\n  b \\\n  c\nrun x\n").unwrap();
        assert_eq!(cases.len(), 3);
        assert_eq!(cases[2].script, "v='c'; run x\n");
    }

    #[test]
    fn what_stands_first_begins_every_script() {
        let cases = parse("f", "# Said.\nhelp() { true; }\n== a\nhelp\n== b for v in c\nhelp $v\n").unwrap();
        assert_eq!(cases[0].script, "# Said.\nhelp() { true; }\nhelp\n");
        assert_eq!(cases[1].script, "# Said.\nhelp() { true; }\nv='c'; help $v\n");
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_place() {
        for (text, said) in [
            ("== a\n== \n", "f.cases:2"),
            ("== a for x\n", "needs `in`"),
            ("== a for x in\n", "no words"),
            ("== a within soon\n", "soon"),
            ("== a beside b\n", "beside"),
            ("== a 'b\n", "not closed"),
        ] {
            let error = parse("f", text).unwrap_err();
            assert!(error.contains(said), "{text:?}: {error}");
        }
    }
}
