//! scontrol and sreport without a command: commands are read from standard input, one a line.

use bivouac_options::Program;
use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

/// Reads and carries out commands until one says that no more follow, or the input ends. The exit code tells whether the
/// last one failed.
pub fn run(
    program: Program,
    mut carry_out: impl FnMut(&[String]) -> Result<bool, ExitCode>,
) -> Result<(), ExitCode> {
    let echo = !io::stdin().is_terminal();
    let mut lines = io::stdin().lock().split(b'\n');
    let mut done = Ok(());
    let mut last: Vec<String> = Vec::new();
    loop {
        say(&format!("{program}: "));
        let Some(Ok(line)) = lines.next() else {
            say("\n");
            return done;
        };
        let line = match String::from_utf8(line) {
            Ok(line) => line,
            Err(_) => {
                done = Err(crate::invocation::fail(program, "the line is not valid UTF-8"));
                continue;
            }
        };
        if echo {
            // As a line editor shows it.
            say(&format!("{line}\n"));
        }
        let mut words = split(&line);
        match words.first().map(String::as_str) {
            None => continue,
            Some("!!") => words.clone_from(&last),
            Some(_) => last.clone_from(&words),
        }
        match carry_out(&words) {
            Ok(true) => done = Ok(()),
            Ok(false) => return done,
            Err(code) => done = Err(code),
        }
    }
}

fn say(text: &str) {
    let mut out = io::stdout().lock();
    // Who reads that may be gone; the commands are carried out all the same.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Words at spaces; quotes keep a value together and are taken away.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut begun, mut quote) = (String::new(), false, None);
    for c in line.chars() {
        match (c, quote) {
            ('"' | '\'', None) => (quote, begun) = (Some(c), true),
            (c, Some(q)) if c == q => quote = None,
            (c, None) if c.is_whitespace() => {
                if std::mem::take(&mut begun) {
                    words.push(std::mem::take(&mut word));
                }
            }
            (c, _) => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn lines_are_split_into_words() {
        assert_eq!(split("  show  job 12 "), ["show", "job", "12"]);
        assert_eq!(
            split("update job=1 comment=\"two words\" name=''"),
            ["update", "job=1", "comment=two words", "name="]
        );
        assert_eq!(split("a \"b"), ["a", "b"]);
        assert!(split(" \t").is_empty());
    }
}
