//! scontrol update StepId=...

use crate::update::{is_key, pairs};
use bivouac_types::{JobId, StepLimit, TimeLimit};

/// A step, and what to change of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepUpdate {
    /// The job.
    pub job: JobId,
    /// The step's number; none: every step of srun's.
    pub step: Option<u32>,
    /// Its time limit from now on.
    pub limit: StepLimit,
}

/// Reads the words behind `update`, of which one is StepId.
///
/// # Errors
/// Lines for standard error.
pub fn read(words: &[String]) -> Result<StepUpdate, Vec<String>> {
    let (mut step, mut limit) = (None, None);
    for (word, (key, value)) in words.iter().zip(pairs(words)) {
        let text = value.unwrap_or_default();
        if is_key(key, "StepId", 4) {
            let invalid = || vec![format!("Invalid StepID parameter: {word}"), "Request aborted".to_owned()];
            step = Some(parse(text).ok_or_else(invalid)?);
        } else if is_key(key, "TimeLimit", 5) {
            let invalid = || vec!["scontrol: error: Invalid TimeLimit value".to_owned()];
            limit = Some(time(text).ok_or_else(invalid)?);
        } else {
            let line = format!("Update of this parameter is not supported: {word}");
            return Err(vec![line, "Request aborted".to_owned()]);
        }
    }
    match (step, limit) {
        (Some((job, step)), Some(limit)) => Ok(StepUpdate { job, step, limit }),
        _ => Err(vec!["No changes specified".to_owned()]),
    }
}

/// `12.0`, `12`. What stands behind the point and is no number is the batch step, which has the job's limit.
fn parse(text: &str) -> Option<(JobId, Option<u32>)> {
    let (job, step) = match text.split_once('.') {
        Some((job, step)) => (job, Some(step.parse().ok()?)),
        None => (text, None),
    };
    Some((JobId(job.parse().ok().filter(|n| *n > 0)?), step))
}

fn time(text: &str) -> Option<StepLimit> {
    let by = |text| match TimeLimit::parse(text)? {
        TimeLimit::Minutes(minutes) => Some(i64::from(minutes)),
        TimeLimit::Unlimited => None,
    };
    match text.split_at_checked(1) {
        Some(("+", rest)) => by(rest).map(StepLimit::By),
        Some(("-", rest)) => by(rest).map(|m| StepLimit::By(-m)),
        _ => TimeLimit::parse(text).map(StepLimit::To),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Result<StepUpdate, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        read(&words).map_err(|lines| lines.join(" / "))
    }

    #[test]
    fn a_step_and_its_limit() {
        let update = |step, limit| Ok(StepUpdate { job: JobId(12), step, limit });
        let minutes = |n| StepLimit::To(TimeLimit::Minutes(n));
        assert_eq!(said("stepid=12.3 timelimit=5"), update(Some(3), minutes(5)));
        assert_eq!(said("TimeLimit=1-0 StepId=12"), update(None, minutes(1440)));
        assert_eq!(said("step=12.0 timel=-5"), update(Some(0), StepLimit::By(-5)));
        assert_eq!(
            said("step=12.0 timelimit=unlimited"),
            update(Some(0), StepLimit::To(TimeLimit::Unlimited))
        );
        for (line, text) in [
            ("stepid=12.0", "No changes specified"),
            ("stepid=x timelimit=5", "Invalid StepID parameter: stepid=x / Request aborted"),
            ("stepid=12.0 timelimit=x", "scontrol: error: Invalid TimeLimit value"),
            ("stepid=12.0 nope=5", "Update of this parameter is not supported: nope=5 / Request aborted"),
        ] {
            assert_eq!(said(line), Err(text.to_owned()), "{line}");
        }
    }
}
