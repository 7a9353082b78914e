//! Reading a conda command line: long options with unambiguous abbreviations, short options that may be joined,
//! options and words in any order.

use crate::error::{CondaError, Result};

/// One option of a command.
#[derive(Debug, Clone, Copy)]
pub struct Opt {
    /// Long name without the dashes; also the key under which the parsed option is found.
    pub long: &'static str,
    /// One-letter form.
    pub short: Option<char>,
    /// Name of its value in the help, `None` for a switch.
    pub value: Option<&'static str>,
    /// One line of help.
    pub help: &'static str,
}

/// A switch.
pub const fn switch(long: &'static str, short: Option<char>, help: &'static str) -> Opt {
    Opt { long, short, value: None, help }
}

/// An option with a value.
pub const fn valued(long: &'static str, short: Option<char>, value: &'static str, help: &'static str) -> Opt {
    Opt { long, short, value: Some(value), help }
}

/// What a command line said.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Parsed {
    given: Vec<(&'static str, Option<String>)>,
    /// The words that are no options, in order.
    pub words: Vec<String>,
}

impl Parsed {
    /// Whether the option was given.
    pub fn has(&self, long: &str) -> bool {
        self.given.iter().any(|(name, _)| *name == long)
    }

    /// The last value given for the option.
    pub fn value(&self, long: &str) -> Option<&str> {
        self.given.iter().rev().find(|(name, _)| *name == long).and_then(|(_, value)| value.as_deref())
    }

    /// All values given for the option, in order.
    pub fn values<'a>(&'a self, long: &'a str) -> impl Iterator<Item = &'a str> {
        self.given.iter().filter(move |(name, _)| *name == long).filter_map(|(_, value)| value.as_deref())
    }
}

/// Where reading options ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Options may follow words.
    Never,
    /// Everything from the first word on belongs to the words (`conda run python -c ...`).
    FirstWord,
}

/// Reads `args` by the option table. `-h`/`--help` is understood everywhere, as the switch `help`.
///
/// # Errors
/// An unknown or ambiguous option, or one whose value is missing or not wanted; exit status 2.
pub fn parse(args: &[String], table: &[&[Opt]], stop: Stop) -> Result<Parsed> {
    const HELP: Opt = switch("help", Some('h'), "Show this help message and exit.");
    let options: Vec<Opt> = table.iter().copied().flatten().copied().chain([HELP]).collect();
    let mut parsed = Parsed::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if arg == "--" {
            parsed.words.extend(rest.cloned());
            break;
        } else if let Some(long) = arg.strip_prefix("--") {
            let (name, attached) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            let option = find_long(&options, name)?;
            let value = match (option.value, attached) {
                (None, Some(_)) => {
                    return Err(CondaError::usage(format!("argument --{}: takes no value", option.long)));
                }
                (None, None) => None,
                (Some(_), Some(value)) => Some(value),
                (Some(_), None) => Some(next_value(&mut rest, option.long)?),
            };
            parsed.given.push((option.long, value));
        } else if arg.len() > 1 && arg.starts_with('-') {
            for (at, letter) in arg.char_indices().skip(1) {
                let option = options
                    .iter()
                    .find(|option| option.short == Some(letter))
                    .ok_or_else(|| CondaError::usage(format!("unrecognized arguments: {arg}")))?;
                if option.value.is_none() {
                    parsed.given.push((option.long, None));
                    continue;
                }
                let attached = &arg[at + letter.len_utf8()..];
                let value = match attached.strip_prefix('=').unwrap_or(attached) {
                    "" => next_value(&mut rest, option.long)?,
                    value => value.to_owned(),
                };
                parsed.given.push((option.long, Some(value)));
                break;
            }
        } else {
            parsed.words.push(arg.clone());
            if stop == Stop::FirstWord {
                parsed.words.extend(rest.cloned());
                break;
            }
        }
    }
    Ok(parsed)
}

fn find_long(options: &[Opt], name: &str) -> Result<Opt> {
    if let Some(option) = options.iter().find(|option| option.long == name) {
        return Ok(*option);
    }
    let matching: Vec<Opt> =
        options.iter().filter(|option| !name.is_empty() && option.long.starts_with(name)).copied().collect();
    match matching.as_slice() {
        [option] => Ok(*option),
        [] => Err(CondaError::usage(format!("unrecognized arguments: --{name}"))),
        several => Err(CondaError::usage(format!(
            "ambiguous option: --{name} could match {}",
            several.iter().map(|option| format!("--{}", option.long)).collect::<Vec<_>>().join(", ")
        ))),
    }
}

fn next_value<'a>(rest: &mut impl Iterator<Item = &'a String>, long: &str) -> Result<String> {
    match rest.next() {
        Some(value) if !value.starts_with('-') || value == "-" => Ok(value.clone()),
        _ => Err(CondaError::usage(format!("argument --{long}: expected one argument"))),
    }
}

/// The help text of a command: usage line, purpose, options.
pub fn help(usage: &str, purpose: &str, table: &[&[Opt]]) -> String {
    let mut text = format!("usage: conda {usage}\n\n{purpose}\n");
    if table.iter().any(|group| !group.is_empty()) {
        text.push_str("\nOptions:\n");
    }
    for option in table.iter().copied().flatten() {
        let mut form = match option.short {
            Some(short) => format!("-{short}, --{}", option.long),
            None => format!("    --{}", option.long),
        };
        if let Some(value) = option.value {
            form.push(' ');
            form.push_str(value);
        }
        text.push_str(&format!("  {form:<28} {}\n", option.help));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TABLE: &[Opt] = &[
        valued("name", Some('n'), "NAME", ""),
        valued("prefix", Some('p'), "PATH", ""),
        switch("yes", Some('y'), ""),
        switch("quiet", Some('q'), ""),
        valued("file", Some('f'), "FILE", ""),
    ];

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn all_spellings_of_an_option_mean_the_same() {
        for line in ["-n x -y", "-nx --yes", "--name=x -y", "--na x --y", "-yn x", "-yn=x"] {
            let parsed = parse(&words(line), &[TABLE], Stop::Never).unwrap();
            assert_eq!(parsed.value("name"), Some("x"), "{line}");
            assert!(parsed.has("yes"), "{line}");
        }
    }

    #[test]
    fn words_and_options_mix_until_a_double_dash() {
        let parsed = parse(&words("python -y numpy -- -q"), &[TABLE], Stop::Never).unwrap();
        assert_eq!(parsed.words, ["python", "numpy", "-q"]);
        assert!(!parsed.has("quiet"));
    }

    #[test]
    fn options_of_a_program_to_run_are_left_alone() {
        let parsed = parse(&words("-n x python -c -y"), &[TABLE], Stop::FirstWord).unwrap();
        assert_eq!(parsed.words, ["python", "-c", "-y"]);
        assert!(!parsed.has("yes"));
    }

    #[test]
    fn unknown_and_incomplete_options_exit_with_two() {
        for line in ["--nme x", "-Z", "--name", "--yes=1", "--name -y"] {
            assert_eq!(parse(&words(line), &[TABLE], Stop::Never).unwrap_err().exit, 2, "{line}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_command_line_panics(args in proptest::collection::vec("\\PC{0,12}", 0..6)) {
            let _ = parse(&args, &[TABLE], Stop::Never);
        }
    }
}
