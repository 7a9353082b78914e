//! The command line of `cargo xtask diff`.

use std::path::PathBuf;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// Patterns of the cases' names; none: all.
    pub only: Vec<String>,
    /// List the names only.
    pub list: bool,
    /// Leave the folder of the clusters behind (but no process).
    pub keep: bool,
    /// Print everything that both systems said.
    pub show: bool,
    /// Run on Slurm alone, and print what it said.
    pub slurm_only: bool,
    /// A case that disagrees is not run again.
    pub once: bool,
    /// Use the programs that are there.
    pub no_build: bool,
    /// Where bivouac's programs are; none: cargo's folder of debug builds.
    pub programs: Option<PathBuf>,
    /// Of three parts of the cases, this one.
    pub third: Option<usize>,
    /// How many pairs of clusters there are.
    pub workers: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            only: Vec::new(),
            list: false,
            keep: false,
            show: false,
            slurm_only: false,
            once: false,
            no_build: false,
            programs: None,
            third: None,
            workers: 2,
        }
    }
}

const USAGE: &str =
    "usage: cargo xtask diff [--only PATTERN]... [--list] [--show] [--slurm-only] [--once] [--keep] \
                     [--third 1|2|3] [--workers N] [--no-build] [--programs DIR]
PATTERN is part of a case's name, with * for anything.";

impl Options {
    /// Reads the arguments.
    ///
    /// # Errors
    /// The usage, and the word that was not understood.
    pub fn parse(arguments: &[String]) -> Result<Options, String> {
        let mut options = Options::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value\n{USAGE}"));
            match argument.as_str() {
                "--only" => options.only.push(value()?.clone()),
                "--list" => options.list = true,
                "--keep" => options.keep = true,
                "--show" => options.show = true,
                "--slurm-only" => options.slurm_only = true,
                "--once" => options.once = true,
                "--no-build" => options.no_build = true,
                "--programs" => options.programs = Some(PathBuf::from(value()?)),
                "--workers" => {
                    let count = value()?;
                    options.workers = count
                        .parse()
                        .ok()
                        .filter(|n| *n > 0)
                        .ok_or(format!("--workers {count}: no number\n{USAGE}"))?;
                }
                "--third" => {
                    let part = value()?;
                    let number = part.parse().ok().filter(|n| (1..=3).contains(n));
                    options.third = Some(number.ok_or(format!("--third {part}: 1, 2 or 3\n{USAGE}"))?);
                }
                other => return Err(format!("{other}?\n{USAGE}")),
            }
        }
        Ok(options)
    }

    /// Whether the case of that number and name is wanted.
    pub fn wants(&self, number: usize, name: &str) -> bool {
        let in_part = self.third.is_none_or(|third| number % 3 == third - 1);
        let fits = |pattern: &String| {
            let mut rest = Some(name);
            pattern
                .split('*')
                .for_each(|part| rest = rest.and_then(|r| r.find(part).map(|at| &r[at + part.len()..])));
            rest.is_some()
        };
        in_part && (self.only.is_empty() || self.only.iter().any(fits))
    }

    /// Whether all cases are run and compared.
    pub fn is_complete(&self) -> bool {
        self.only.is_empty() && self.third.is_none() && !self.slurm_only
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_choose_cases() {
        let only = |pattern: &str| Options::parse(&["--only".into(), pattern.into()]).unwrap();
        assert!(only("squeue").wants(0, "squeue/format[%i]"));
        assert!(only("sq*%i").wants(0, "squeue/format[%i]"));
        assert!(!only("sq*%j").wants(0, "squeue/format[%i]"));
        assert!(Options::parse(&[]).unwrap().wants(0, "anything"));
    }

    #[test]
    fn the_three_parts_are_all_cases() {
        let part = |third| Options { third: Some(third), ..Options::default() };
        for number in 0..9 {
            assert_eq!((1..=3).filter(|third| part(*third).wants(number, "x")).count(), 1);
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for words in [&["--onyl"][..], &["--only"], &["--workers", "0"], &["--third", "4"]] {
            let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
            assert!(Options::parse(&words).unwrap_err().contains("usage"));
        }
    }
}
