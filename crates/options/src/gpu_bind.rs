//! --gpu-bind: which of a step's GPUs each task finds. Rules and texts are those found on 22.05.8.

use crate::value::ValueError;

/// How the tasks of a node are bound to the step's GPUs there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuBind {
    /// As it was given.
    pub text: String,
    /// Tasks say what they were bound to.
    verbose: bool,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// To all: no GPU is closer to a CPU than another.
    Closest,
    /// Tasks find no GPUs in their variables.
    None,
    /// One GPU for each group of so many tasks; 0: what was said is no number, and counts as 1.
    Single(u32),
    /// So many GPUs for each task.
    PerTask(u32),
    /// GPUs by their numbers, task by task, over and over: sets of bits.
    Each(Vec<u128>),
}

/// What a task is bound to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// The numbers of its GPUs; empty: it is not to find any.
    pub gpus: Vec<u32>,
    /// Lines for its standard error.
    pub lines: Vec<String>,
}

impl GpuBind {
    /// Reads the value.
    ///
    /// # Errors
    /// In Slurm's words.
    pub fn parse(text: &str) -> Result<GpuBind, ValueError> {
        let refused = |text: String| ValueError { level: "error", text, code: 255 };
        let invalid = format!("Invalid --gpu-bind argument: gpu:{text}");
        let (verbose, rest) = text.strip_prefix("verbose,").map_or((false, text), |rest| (true, rest));
        let lower = rest.to_ascii_lowercase();
        let kind = if let Some(list) = lower.strip_prefix("map_gpu:") {
            entries(list, 10)
                .map(|ids| ids.into_iter().map(|id| u32::try_from(id).map_or(0, bit)).collect())
                .map(Kind::Each)
        } else if let Some(list) = lower.strip_prefix("mask_gpu:") {
            entries(list, 16).map(Kind::Each)
        } else {
            Ok(match (lower.as_str(), lower.split_once(':')) {
                ("closest", _) => Kind::Closest,
                ("none", _) => Kind::None,
                (_, Some(("single", n))) => Kind::Single(n.parse().unwrap_or(0)),
                (_, Some(("per_task", n))) => Kind::PerTask(n.parse().unwrap_or(0)),
                _ => return Err(refused(invalid)),
            })
        };
        let kind =
            kind.map_err(|why| refused(why.map_or(invalid.clone(), |why| format!("{why}\n{invalid}"))))?;
        Ok(GpuBind { text: text.to_owned(), verbose, kind })
    }

    /// What --gpus-per-task implies.
    pub fn per_task(gpus: u32) -> GpuBind {
        GpuBind { text: format!("per_task:{gpus}"), verbose: false, kind: Kind::PerTask(gpus) }
    }

    /// What --ntasks-per-gpu implies.
    pub fn single(tasks: u32) -> GpuBind {
        GpuBind { text: format!("single:{tasks}"), verbose: false, kind: Kind::Single(tasks.max(1)) }
    }

    /// Which of the step's GPUs on a node the task with that number there has.
    pub fn share(&self, local: u32, gpus: &[u32]) -> Share {
        let mut share = Share::default();
        let mut error = |text: String| share.lines.push(format!("slurmstepd: error: {text}"));
        let at = |n: u32| gpus.get(n as usize).copied();
        share.gpus = match &self.kind {
            _ if gpus.is_empty() => return Share::default(),
            Kind::None | Kind::PerTask(0) => return Share::default(),
            Kind::Closest => gpus.to_vec(),
            Kind::Single(tasks) => {
                if *tasks == 0 {
                    let text = self.text.trim_start_matches("verbose,");
                    error(format!(
                        "_parse_tres_bind: {text} does not specify a valid number. Defaulting to 1."
                    ));
                }
                at(local / tasks.max(&1) % gpus.len() as u32).into_iter().collect()
            }
            Kind::PerTask(count) => {
                let first = local.saturating_mul(*count);
                let own: Vec<u32> = (first..first.saturating_add(*count)).map_while(at).collect();
                if own.len() < *count as usize {
                    error("Not enough gpus to bind for gpus per task".to_owned());
                }
                own
            }
            Kind::Each(list) => {
                let mask = list.get(local as usize % list.len().max(1)).copied().unwrap_or_default();
                gpus.iter().copied().filter(|gpu| mask & bit(*gpu) != 0).collect()
            }
        };
        if share.gpus.is_empty() {
            error(format!(
                "Bind request gpu:{} does not specify any devices within the allocation for task {local}. Binding to \
                 the first device in the allocation instead.",
                self.text
            ));
            share.gpus = gpus[..1].to_vec();
        }
        if self.verbose {
            let mask = |of: &[u32]| of.iter().fold(0, |mask, gpu| mask | bit(*gpu));
            let list: Vec<String> = share.gpus.iter().map(u32::to_string).collect();
            let list = list.join(",");
            share.lines.push(format!(
                "gpu-bind: usable_gres={:#x}; bit_alloc={:#x}; local_inx=0; global_list={list}; local_list={list}",
                mask(&share.gpus),
                mask(gpus)
            ));
        }
        share
    }
}

/// The set of that one number, as far as they are counted.
fn bit(number: u32) -> u128 {
    1u128.checked_shl(number).unwrap_or(0)
}

/// The values of a list, each as often as is said behind a `*`. None as error: it is no list.
fn entries(list: &str, radix: u32) -> Result<Vec<u128>, Option<String>> {
    /// More repetitions are of no use: no node has so many tasks.
    const MOST: usize = 4096;
    let mut all = Vec::new();
    for entry in list.split(',').filter(|e| !e.is_empty()) {
        let (value, times) = entry.split_once('*').map_or((entry, Some(1)), |(v, n)| (v, n.parse().ok()));
        let digits = if radix == 16 { value.strip_prefix("0x").unwrap_or(value) } else { value };
        if let Some(bad) = digits.chars().find(|c| !c.is_digit(radix)) {
            return Err(Some(format!("Failed to validate {entry}, offending character is {bad}")));
        }
        let value = u128::from_str_radix(digits, radix).map_err(|_| None)?;
        all.extend(std::iter::repeat_n(value, times.map_or(0, |n: usize| n.min(MOST))));
    }
    if all.is_empty() { Err(None) } else { Ok(all) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(text: &str, tasks: u32, gpus: &[u32]) -> Vec<Vec<u32>> {
        let bind = GpuBind::parse(text).unwrap();
        (0..tasks).map(|task| bind.share(task, gpus).gpus).collect()
    }

    /// Observed on 22.05.8, on nodes with two GPUs.
    #[test]
    fn each_task_has_its_gpus() {
        for (text, gpus) in [
            ("closest", [&[0, 1][..], &[0, 1], &[0, 1]]),
            ("none", [&[], &[], &[]]),
            ("single:1", [&[0], &[1], &[0]]),
            ("single:2", [&[0], &[0], &[1]]),
            ("single:x", [&[0], &[1], &[0]]),
            ("per_task:1", [&[0], &[1], &[0]]),
            ("per_task:2", [&[0, 1], &[0], &[0]]),
            ("per_task:0", [&[], &[], &[]]),
            ("map_gpu:1,0", [&[1], &[0], &[1]]),
            ("map_gpu:0*2,1*2", [&[0], &[0], &[1]]),
            ("map_gpu:5,,1", [&[0], &[1], &[0]]),
            ("mask_gpu:3*2,1", [&[0, 1], &[0, 1], &[0]]),
            ("MASK_GPU:0x2,8", [&[1], &[0], &[1]]),
        ] {
            assert_eq!(shares(text, 3, &[0, 1]), gpus, "{text}");
        }
        assert_eq!(shares("map_gpu:1,0", 2, &[1]), [[1], [1]]);
        assert_eq!(shares("single:1", 2, &[]), [[], []]);
    }

    #[test]
    fn what_was_bound_is_said() {
        let share = GpuBind::parse("verbose,per_task:1").unwrap().share(1, &[1]);
        let lines = [
            "slurmstepd: error: Not enough gpus to bind for gpus per task",
            "slurmstepd: error: Bind request gpu:verbose,per_task:1 does not specify any devices within the allocation \
             for task 1. Binding to the first device in the allocation instead.",
            "gpu-bind: usable_gres=0x2; bit_alloc=0x2; local_inx=0; global_list=1; local_list=1",
        ];
        assert_eq!(share.lines, lines);
        assert!(GpuBind::parse("single:1").unwrap().share(0, &[0]).lines.is_empty());
    }

    #[test]
    fn what_is_no_binding_is_refused() {
        for good in ["closest", "Closest", "verbose,none", "single:2", "map_gpu:0*4", "mask_gpu:0x1,f"] {
            assert_eq!(GpuBind::parse(good).unwrap().text, good);
        }
        for bad in
            ["x", "single", "verbose", "V,closest", "", "map_gpu:", "map_gpu:1*1*0", "verbose,verbose,none"]
        {
            let e = GpuBind::parse(bad).unwrap_err();
            assert_eq!((e.text, e.code), (format!("Invalid --gpu-bind argument: gpu:{bad}"), 255));
        }
        for (bad, entry, sign) in
            [("mask_gpu:zz", "zz", 'z'), ("map_gpu:0x1,0", "0x1", 'x'), ("map_gpu:a", "a", 'a')]
        {
            let first = format!("Failed to validate {entry}, offending character is {sign}");
            let text = format!("{first}\nInvalid --gpu-bind argument: gpu:{bad}");
            assert_eq!(GpuBind::parse(bad).unwrap_err().text, text);
        }
    }
}
