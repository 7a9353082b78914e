//! File name patterns of --output, --error and --input: `%j %A %a %x %u %N %n %t %J %s %%`.

use crate::ids::JobId;

/// What the symbols of a pattern stand for. What is not known stands as its symbol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatternContext<'a> {
    /// %j: the job's own number.
    pub job: JobId,
    /// %A: the array's number; none: the job's own.
    pub array_job: Option<JobId>,
    /// %a: the index in the array.
    pub array_task: Option<u32>,
    /// %u.
    pub user: &'a str,
    /// %x: the job's name.
    pub name: &'a str,
    /// %N: the node's short host name.
    pub node: &'a str,
    /// %n: the node's number in the job.
    pub node_id: u32,
    /// %t: the task's rank.
    pub task_id: u32,
    /// %s, and %J (`12.0`): the step; none: the batch script's, `batch` and the job's number alone.
    pub step: Option<u32>,
}

/// What Slurm shows as a job array's index where there is no array.
const NO_ARRAY_TASK: u32 = 4_294_967_294;

/// Replaces the symbols of a pattern. A number between `%` and the symbol pads numbers with zeros (at most 10
/// digits). A pattern with a backslash in it is taken literally, its backslashes removed.
pub fn expand(pattern: &str, of: &PatternContext<'_>) -> String {
    if pattern.contains('\\') {
        return pattern.replace('\\', "");
    }
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let width = after[..digits].parse().unwrap_or(0usize).min(10);
        let mut tail = after[digits..].chars();
        let symbol = tail.next();
        let padded = |n: u32| format!("{n:0width$}");
        match symbol {
            Some('%') if digits == 0 => out.push('%'),
            Some('j') => out += &padded(of.job.0),
            Some('A') => out += &padded(of.array_job.unwrap_or(of.job).0),
            Some('a') => out += &padded(of.array_task.unwrap_or(NO_ARRAY_TASK)),
            Some('x') => out += of.name,
            Some('u') => out += of.user,
            Some('N') => out += of.node,
            Some('n') => out += &padded(of.node_id),
            Some('t') => out += &padded(of.task_id),
            Some('s') => out += &of.step.map_or_else(|| "batch".to_owned(), padded),
            Some('J') => {
                out += &padded(of.job.0);
                if let Some(step) = of.step {
                    out += &format!(".{step}");
                }
            }
            _ => {
                // Not a symbol: it stays as it is.
                out.push('%');
                rest = after;
                continue;
            }
        }
        rest = tail.as_str();
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn step() -> PatternContext<'static> {
        PatternContext {
            job: JobId(128),
            array_job: Some(JobId(100)),
            array_task: Some(7),
            user: "ada",
            name: "fit",
            node: "n1",
            node_id: 1,
            task_id: 3,
            step: Some(0),
        }
    }

    #[test]
    fn symbols_as_the_man_page_has_them() {
        for (pattern, name) in [
            ("job%J.out", "job128.0.out"),
            ("job%4j.out", "job0128.out"),
            ("job%j-%2t.out", "job128-03.out"),
            ("slurm-%A_%a.out", "slurm-100_7.out"),
            ("%x-%u-%N-%n-%s", "fit-ada-n1-1-0"),
            ("100%%", "100%"),
            ("%q%", "%q%"),
            (r"\%j", "%j"),
            (r"a\b%j", "ab%j"),
            ("%99999999999j", "0000000128"),
            ("%12j", "0000000128"),
        ] {
            assert_eq!(expand(pattern, &step()), name, "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics_and_text_without_symbols_stays(text in "\\PC{0,20}", plain in "[a-z/._é-]{0,20}") {
            let _ = expand(&text, &step());
            prop_assert_eq!(expand(&plain, &step()), plain);
        }
    }
}
