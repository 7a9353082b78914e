//! --cpu-bind of srun, and what the tasks find of it in their environment.

use crate::value::ValueError;

/// The words that bind to a kind of hardware.
const KINDS: [&str; 4] = ["threads", "cores", "sockets", "ldoms"];

/// How tasks are to be bound to CPUs. Nothing is bound: it is shown to the tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuBind {
    /// Whether `verbose` or `quiet` was said.
    pub verbose: Option<bool>,
    /// The way, for example `cores` or `map_cpu:`.
    pub kind: &'static str,
    /// Its list; the whole text for a kind of hardware, as 22.05.8 keeps it.
    pub list: String,
}

impl CpuBind {
    /// Reads the words of --cpu-bind.
    ///
    /// # Errors
    /// The first word that is none, in Slurm's words.
    pub fn parse(text: &str) -> Result<CpuBind, ValueError> {
        let mut bind = CpuBind::default();
        let mut rest = text;
        loop {
            let (word, tail) = rest.split_once(',').map_or((rest, None), |(word, tail)| (word, Some(tail)));
            let lower = word.to_ascii_lowercase();
            let kind = KINDS.iter().find(|kind| **kind == lower);
            match lower.as_str() {
                "q" | "quiet" => bind.verbose = Some(false),
                "v" | "verbose" => {
                    bind.verbose = Some(true);
                    bind.list = text.to_owned();
                }
                "n" | "no" | "none" => (bind.kind, bind.list) = ("none", String::new()),
                "rank" => (bind.kind, bind.list) = ("rank", String::new()),
                "rank_ldom" => (bind.kind, bind.list) = ("rank_ldom", String::new()),
                _ if kind.is_some() => {
                    (bind.kind, bind.list) = (kind.copied().unwrap_or_default(), text.to_owned());
                }
                _ => {
                    // A list takes the rest, whose entries are separated by commas as well.
                    let lists = ["map_cpu:", "mask_cpu:", "map_ldom:", "mask_ldom:"];
                    let all = rest.to_ascii_lowercase();
                    let found = lists.iter().find_map(|l| all.strip_prefix(l).map(|list| (*l, list)));
                    let Some((kind, list)) = found.filter(|(_, list)| !list.is_empty()) else {
                        return Err(ValueError {
                            level: "error",
                            text: format!("unrecognized --cpu-bind argument \"{word}\""),
                            code: 1,
                        });
                    };
                    let entries = list.split(',').map(|e| e.strip_prefix("0x").unwrap_or(e));
                    (bind.kind, bind.list) = (kind, entries.collect::<Vec<_>>().join(","));
                    return Ok(bind);
                }
            }
            match tail {
                Some(tail) => rest = tail,
                None => return Ok(bind),
            }
        }
    }

    /// What options that imply a binding to a kind of hardware say.
    pub fn implied(kind: &'static str) -> CpuBind {
        CpuBind { kind, ..CpuBind::default() }
    }

    /// The variables of the tasks; none if all that was said is that nothing is to be said.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let verbose = if self.verbose == Some(true) { "verbose" } else { "quiet" };
        if self.kind.is_empty() && self.verbose != Some(true) {
            return Vec::new();
        }
        let all = match self.kind {
            "" => verbose.to_owned(),
            kind => format!("{verbose},{kind}{}", self.list),
        };
        vec![
            ("SLURM_CPU_BIND", all),
            ("SLURM_CPU_BIND_LIST", self.list.clone()),
            ("SLURM_CPU_BIND_TYPE", self.kind.to_owned()),
            ("SLURM_CPU_BIND_VERBOSE", verbose.to_owned()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Observed on 22.05.8.
    #[test]
    fn what_tasks_find() {
        for (text, all, list, kind) in [
            ("none", "quiet,none", "", "none"),
            ("cores", "quiet,corescores", "cores", "cores"),
            ("verbose,cores", "verbose,coresverbose,cores", "verbose,cores", "cores"),
            ("v", "verbose", "v", ""),
            ("map_cpu:0,1", "quiet,map_cpu:0,1", "0,1", "map_cpu:"),
            ("mask_cpu:0x1", "quiet,mask_cpu:1", "1", "mask_cpu:"),
            ("rank", "quiet,rank", "", "rank"),
        ] {
            let set = CpuBind::parse(text).unwrap().variables();
            assert_eq!(set[0], ("SLURM_CPU_BIND", all.to_owned()), "{text}");
            assert_eq!(set[1], ("SLURM_CPU_BIND_LIST", list.to_owned()), "{text}");
            assert_eq!(set[2], ("SLURM_CPU_BIND_TYPE", kind.to_owned()), "{text}");
        }
        assert!(CpuBind::parse("q").unwrap().variables().is_empty());
        assert_eq!(CpuBind::implied("threads").variables()[0].1, "quiet,threads");
    }

    #[test]
    fn what_is_no_word_is_named() {
        for (text, word) in [("nope", "nope"), ("", ""), ("cores,nope", "nope"), ("boards", "boards")] {
            let e = CpuBind::parse(text).unwrap_err();
            assert_eq!(e.text, format!("unrecognized --cpu-bind argument \"{word}\""));
        }
    }
}
