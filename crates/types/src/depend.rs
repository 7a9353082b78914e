//! Job dependencies: `afterok:12:13,singleton`.

use crate::ids::JobId;
use crate::time::Duration;
use serde::{Deserialize, Serialize};
use std::fmt;

/// --dependency: conditions that must all hold (`,`) or of which one suffices (`?`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// The conditions in the given order.
    pub terms: Vec<DependencyTerm>,
    /// Joined by `?`: one that holds is enough.
    pub any: bool,
}

/// One condition on one job (`afterok:12:13` makes two).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DependencyTerm {
    /// `after:job[+minutes]`: it has begun or was cancelled, and the delay has passed since.
    After {
        /// What is waited for.
        job: DependencyTarget,
        /// The delay.
        delay: Duration,
    },
    /// `afterany:job`: it has ended.
    AfterAny(DependencyTarget),
    /// `afterok:job`: it has ended with exit code 0.
    AfterOk(DependencyTarget),
    /// `afternotok:job`: it has ended otherwise.
    AfterNotOk(DependencyTarget),
    /// `aftercorr:array`: for each task of an array, the task of the same index has ended with exit code 0.
    AfterCorr(DependencyTarget),
    /// `afterburstbuffer:job`: it has ended; there are no burst buffers that could be busy still.
    AfterBurstBuffer(DependencyTarget),
    /// `singleton`: no earlier job of the same user and name is pending or running.
    Singleton,
}

/// The job of a dependency: `12`, or an array's task `12_3`. A whole array counts as ended when all its tasks have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DependencyTarget {
    /// The job or array.
    pub job: JobId,
    /// The task of the array.
    pub task: Option<u32>,
}

impl DependencyTarget {
    /// A job, or an array.
    pub fn job(job: JobId) -> DependencyTarget {
        DependencyTarget { job, task: None }
    }

    /// One task of an array.
    pub fn task(job: JobId, task: u32) -> DependencyTarget {
        DependencyTarget { job, task: Some(task) }
    }
}

/// Why a dependency is refused: it is no list of conditions, or mixes `,` and `?`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DependencyError;

impl fmt::Display for DependencyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Job dependency problem")
    }
}

impl std::error::Error for DependencyError {}

impl Dependency {
    /// Parses `afterok:12:13,afterany:12_3,after:14+5,singleton`; `?` instead of every comma means that one
    /// condition suffices. Ids without a kind mean afterany.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Dependency, DependencyError> {
        let any = text.contains('?');
        if any && text.contains(',') {
            return Err(DependencyError);
        }
        let mut terms = Vec::new();
        for part in text.split(if any { '?' } else { ',' }) {
            parse_part(part, &mut terms)?;
        }
        // What is said twice counts once.
        let mut seen = Vec::new();
        terms.retain(|term| {
            !seen.contains(term) && {
                seen.push(*term);
                true
            }
        });
        // Of one condition, perhaps named twice, all is what any is; and so it reads when it is printed.
        Ok(Dependency { any: any && terms.len() > 1, terms })
    }
}

fn parse_part(part: &str, terms: &mut Vec<DependencyTerm>) -> Result<(), DependencyError> {
    if part.eq_ignore_ascii_case("singleton") {
        terms.push(DependencyTerm::Singleton);
        return Ok(());
    }
    let (kind, ids) = match part.split_once(':') {
        Some((kind, ids)) if !kind.starts_with(|c: char| c.is_ascii_digit()) => (kind, ids),
        _ => ("afterany", part),
    };
    let make: fn(DependencyTarget) -> DependencyTerm = match kind.to_ascii_lowercase().as_str() {
        "after" => {
            for id in ids.split(':') {
                let (id, minutes) = match id.split_once('+') {
                    Some((id, minutes)) => (id, number(minutes)?),
                    None => (id, 0),
                };
                let delay = Duration::from_secs(u64::from(minutes) * 60);
                terms.push(DependencyTerm::After { job: target(id)?, delay });
            }
            return Ok(());
        }
        "afterany" => DependencyTerm::AfterAny,
        "afterok" => DependencyTerm::AfterOk,
        "afternotok" => DependencyTerm::AfterNotOk,
        "aftercorr" => DependencyTerm::AfterCorr,
        "afterburstbuffer" => DependencyTerm::AfterBurstBuffer,
        _ => return Err(DependencyError),
    };
    for id in ids.split(':') {
        terms.push(make(target(id)?));
    }
    Ok(())
}

fn target(id: &str) -> Result<DependencyTarget, DependencyError> {
    let (job, task) = match id.split_once('_') {
        Some((job, task)) => (job, Some(number(task)?)),
        None => (id, None),
    };
    match number(job)? {
        0 => Err(DependencyError),
        job => Ok(DependencyTarget { job: JobId(job), task }),
    }
}

fn number(text: &str) -> Result<u32, DependencyError> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(DependencyError);
    }
    text.parse().map_err(|_| DependencyError)
}

impl DependencyTerm {
    /// The job it waits for; none for singleton.
    pub fn target(&self) -> Option<DependencyTarget> {
        match *self {
            DependencyTerm::After { job, .. }
            | DependencyTerm::AfterAny(job)
            | DependencyTerm::AfterOk(job)
            | DependencyTerm::AfterNotOk(job)
            | DependencyTerm::AfterCorr(job)
            | DependencyTerm::AfterBurstBuffer(job) => Some(job),
            DependencyTerm::Singleton => None,
        }
    }
}

impl fmt::Display for DependencyTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.job)?;
        self.task.map_or(Ok(()), |t| write!(f, "_{t}"))
    }
}

impl fmt::Display for DependencyTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DependencyTerm::After { job, delay } if *delay == Duration::ZERO => write!(f, "after:{job}"),
            DependencyTerm::After { job, delay } => write!(f, "after:{job}+{}", delay.as_secs() / 60),
            DependencyTerm::AfterAny(job) => write!(f, "afterany:{job}"),
            DependencyTerm::AfterOk(job) => write!(f, "afterok:{job}"),
            DependencyTerm::AfterNotOk(job) => write!(f, "afternotok:{job}"),
            DependencyTerm::AfterCorr(job) => write!(f, "aftercorr:{job}"),
            DependencyTerm::AfterBurstBuffer(job) => write!(f, "afterburstbuffer:{job}"),
            DependencyTerm::Singleton => f.write_str("singleton"),
        }
    }
}

impl fmt::Display for Dependency {
    /// One condition per job: `afterok:12,afterok:13`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, term) in self.terms.iter().enumerate() {
            if n > 0 {
                f.write_str(if self.any { "?" } else { "," })?;
            }
            write!(f, "{term}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn expressions_as_the_man_page_has_them() {
        for (given, shown) in [
            ("afterok:20:21,afterany:23", "afterok:20,afterok:21,afterany:23"),
            ("afterok:20?afternotok:21", "afterok:20?afternotok:21"),
            ("after:12+5:13", "after:12+5,after:13"),
            ("afterany:12_3,singleton", "afterany:12_3,singleton"),
            ("12:13", "afterany:12,afterany:13"),
            ("AfterOK:7", "afterok:7"),
            ("aftercorr:7,afterburstbuffer:8", "aftercorr:7,afterburstbuffer:8"),
            ("afterok:7,afterany:7:7,afterok:7", "afterok:7,afterany:7"),
            ("singleton?singleton", "singleton"),
        ] {
            assert_eq!(Dependency::parse(given).unwrap().to_string(), shown, "{given}");
        }
    }

    #[test]
    fn what_is_no_dependency_is_refused() {
        for bad in [
            "",
            ",",
            "afterok",
            "afterok:",
            "afterok:x",
            "afterok:1,",
            "afterok:1,afterok:2?singleton",
            "afterok:0",
            "afterok:1+5",
            "singleton:1",
            "after:1+",
            "when:1",
            "afterok:99999999999",
            "afterok:1_",
            "-1",
        ] {
            assert_eq!(Dependency::parse(bad), Err(DependencyError), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics_and_what_is_taken_prints_back(text in "(after(ok|any|notok|corr|burstbuffer)?|singleton|[0-9]{1,3}|[:,?+_x-]){0,8}") {
            if let Ok(d) = Dependency::parse(&text) {
                prop_assert_eq!(Dependency::parse(&d.to_string()), Ok(d));
            }
        }
    }
}
