//! Directives of PBS and LSF in a batch script, which sbatch reads unless --ignore-pbs: each is some of sbatch's own
//! options, or nothing. (As observed on sbatch 22.05.8.)

/// What one directive line stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Translation {
    /// Words for sbatch.
    pub words: Vec<String>,
    /// Parts that sbatch reads and does nothing with.
    pub without_effect: Vec<String>,
}

/// A directive of another system that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForeignError {
    /// No option of that letter.
    InvalidLetter(char),
    /// A long option that is unknown.
    Unrecognized(String),
    /// A letter without its argument.
    MissingArgument(char),
    /// A word that is no option.
    Operand(String),
}

impl ForeignError {
    /// The lines for standard error; the exit code is 1.
    pub fn message(&self) -> String {
        const THEN: &str = "sbatch: error: Unrecognized command line parameter ?\n";
        match self {
            ForeignError::InvalidLetter(c) => format!("sbatch: invalid option -- '{c}'\n{THEN}"),
            ForeignError::Unrecognized(text) => format!("sbatch: unrecognized option '{text}'\n{THEN}"),
            ForeignError::MissingArgument(c) => {
                format!("sbatch: option requires an argument -- '{c}'\n{THEN}")
            }
            ForeignError::Operand(word) => format!("sbatch: error: Invalid argument: {word}\n"),
        }
    }
}

/// The system that a directive belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// `#PBS`.
    Pbs,
    /// `#BSUB`.
    Lsf,
}

impl System {
    /// Its letters; those with a colon have an argument.
    fn letters(self) -> &'static str {
        match self {
            System::Pbs => "a:A:c:C:e:hIj:J:k:l:m:M:N:o:p:q:r:S:t:u:v:VW:z",
            System::Lsf => "c:e:J:m:M:n:o:q:W:x",
        }
    }

    /// Translates the words of one directive.
    ///
    /// # Errors
    /// [`ForeignError`], in sbatch's words.
    pub fn translate(self, words: &[String]) -> Result<Translation, ForeignError> {
        let mut out = Translation::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            // LSF's long name, with one dash.
            let mut letters = match (self, word.as_str()) {
                (System::Lsf, "-cwd") => "c",
                (_, long) if long.starts_with("--") => {
                    return Err(ForeignError::Unrecognized(long.to_owned()));
                }
                (_, w) => match w.strip_prefix('-').filter(|l| !l.is_empty()) {
                    Some(letters) => letters,
                    None => return Err(ForeignError::Operand(w.to_owned())),
                },
            };
            while let Some(letter) = letters.chars().next() {
                letters = &letters[letter.len_utf8()..];
                let at = self.letters().find(letter).filter(|_| letter != ':');
                let Some(at) = at else { return Err(ForeignError::InvalidLetter(letter)) };
                let mut value = None;
                if self.letters()[at + 1..].starts_with(':') {
                    let rest = std::mem::take(&mut letters);
                    let text = if rest.is_empty() { words.next().map(String::as_str) } else { Some(rest) };
                    value = Some(text.ok_or(ForeignError::MissingArgument(letter))?);
                }
                match self {
                    System::Pbs => out.pbs(letter, value.unwrap_or_default()),
                    System::Lsf => out.lsf(letter, value.unwrap_or_default()),
                }
            }
        }
        Ok(out)
    }
}

impl Translation {
    fn is(&mut self, long: &str, value: &str) {
        self.words.push(format!("--{long}={value}"));
    }

    fn nothing(&mut self, what: String) {
        self.without_effect.push(what);
    }

    fn pbs(&mut self, letter: char, value: &str) {
        match letter {
            'a' => self.is("begin", value),
            'A' => self.is("account", value),
            'e' => self.is("error", value),
            'h' => self.words.push("--hold".into()),
            'J' | 't' => self.is("array", value),
            'l' => value.split(',').for_each(|item| self.resource(item)),
            'm' => self.mail(value),
            'M' => self.is("mail-user", value),
            'N' => self.is("job-name", value),
            'o' => self.is("output", value),
            'p' => self.is("nice", value),
            'q' => self.is("partition", value),
            'r' if value.starts_with('n') => self.words.push("--no-requeue".into()),
            'r' => self.words.push("--requeue".into()),
            'v' => self.is("export", value),
            'V' => self.is("export", "ALL"),
            'W' => value.split(',').for_each(|item| match item.split_once('=') {
                Some(("depend", conditions)) => self.is("dependency", conditions),
                _ => self.nothing(format!("-W {item}")),
            }),
            _ if value.is_empty() => self.nothing(format!("-{letter}")),
            _ => self.nothing(format!("-{letter} {value}")),
        }
    }

    /// The letters of `-m`.
    fn mail(&mut self, letters: &str) {
        let words: Vec<&str> = letters
            .chars()
            .map(|c| match c {
                'a' => "FAIL",
                'b' => "BEGIN",
                'e' => "END",
                'n' => "NONE",
                _ => "",
            })
            .collect();
        // What is no such letter is refused as sbatch's own option refuses it.
        let valid = words.iter().all(|w| !w.is_empty());
        self.is("mail-type", if valid { words.join(",") } else { letters.to_owned() }.as_str());
    }

    /// One item of `-l`.
    fn resource(&mut self, item: &str) {
        match item.split_once('=') {
            Some(("walltime" | "cput", time)) => self.is("time", time),
            Some(("ncpus", count)) => self.is("mincpus", count),
            Some(("mem", size)) => self.is("mem", size),
            Some(("file", size)) => self.is("tmp", size),
            Some(("nodes" | "select", what)) => self.nodes(what),
            _ => self.nothing(format!("-l {item}")),
        }
    }

    /// `2:ppn=4:gpus=1`, or names joined by `+`.
    fn nodes(&mut self, text: &str) {
        let mut parts = text.split(':');
        let first = parts.next().unwrap_or_default();
        let count: Option<u64> = first.parse().ok();
        match count {
            Some(_) => self.is("nodes", first),
            None => self.is("nodelist", &first.replace('+', ",")),
        }
        for part in parts {
            match part.split_once('=') {
                Some(("ppn", n)) => {
                    let tasks = n.parse::<u64>().ok().map(|n| n.saturating_mul(count.unwrap_or(1)));
                    self.is("ntasks", &tasks.map_or_else(|| n.to_owned(), |t| t.to_string()));
                }
                Some(("ncpus", n)) => self.is("mincpus", n),
                Some(("mem", size)) => self.is("mem", size),
                Some(("gpus" | "ngpus", n)) => self.is("gres", &format!("gpu:{n}")),
                _ => self.nothing(format!("-l {part}")),
            }
        }
    }

    fn lsf(&mut self, letter: char, value: &str) {
        match letter {
            'c' => self.is("chdir", value),
            'e' => self.is("error", value),
            'J' => self.is("job-name", value),
            'm' => self.is("nodelist", value),
            // LSF counts memory in KiB.
            'M' => self.is("mem-per-cpu", &format!("{value}K")),
            'n' => self.is("ntasks", value),
            'o' => self.is("output", value),
            'q' => self.is("partition", value),
            'W' => self.is("time", value),
            _ => self.words.push("--exclusive".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(system: System, line: &str) -> Result<Translation, ForeignError> {
        system.translate(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn what_pbs_and_lsf_ask_for_is_asked_of_sbatch() {
        for (system, line, words) in [
            (System::Pbs, "-N name -q debug", "--job-name=name --partition=debug"),
            (System::Pbs, "-l nodes=2:ppn=4,walltime=0:10:00", "--nodes=2 --ntasks=8 --time=0:10:00"),
            (System::Pbs, "-l select=2:ncpus=4", "--nodes=2 --mincpus=4"),
            (System::Pbs, "-l nodes=n1+n2", "--nodelist=n1,n2"),
            (System::Pbs, "-l nodes=1:gpus=1,mem=2gb", "--nodes=1 --gres=gpu:1 --mem=2gb"),
            (System::Pbs, "-m abe -p -5 -t1-3", "--mail-type=FAIL,BEGIN,END --nice=-5 --array=1-3"),
            (System::Pbs, "-W depend=afterok:1 -r n", "--dependency=afterok:1 --no-requeue"),
            (System::Lsf, "-n 4 -J name -x", "--ntasks=4 --job-name=name --exclusive"),
            (System::Lsf, "-cwd /tmp -M 100 -m n2", "--chdir=/tmp --mem-per-cpu=100K --nodelist=n2"),
        ] {
            let read = read(system, line).unwrap();
            assert_eq!(read.words.join(" "), words, "{line}");
            assert_eq!(read.without_effect, Vec::<String>::new(), "{line}");
        }
    }

    #[test]
    fn what_has_no_effect_is_told_and_what_is_unknown_refused() {
        let read_pbs = |line| read(System::Pbs, line);
        assert_eq!(read_pbs("-j oe -l pmem=1gb -I").unwrap().without_effect, ["-j oe", "-l pmem=1gb", "-I"]);
        assert_eq!(read_pbs("-d /tmp"), Err(ForeignError::InvalidLetter('d')));
        assert_eq!(read_pbs("-N"), Err(ForeignError::MissingArgument('N')));
        assert_eq!(read_pbs("-N a b"), Err(ForeignError::Operand("b".into())));
        assert_eq!(read(System::Lsf, "--foo"), Err(ForeignError::Unrecognized("--foo".into())));
        assert_eq!(
            read_pbs("-X").unwrap_err().message(),
            "sbatch: invalid option -- 'X'\nsbatch: error: Unrecognized command line parameter ?\n"
        );
    }

    proptest! {
        #[test]
        fn garbage_never_panics(line in "[-a-zA-Z:=é+ ,0-9]{0,24}") {
            for system in [System::Pbs, System::Lsf] {
                if let Err(e) = read(system, &line) {
                    prop_assert!(e.message().starts_with("sbatch: "));
                }
            }
        }
    }
}
