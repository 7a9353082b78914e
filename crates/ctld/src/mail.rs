//! --mail-type: mail about jobs, sent as Slurm sends it: `MailProg -s SUBJECT USER`. Where the program does not exist,
//! nothing is sent; what was asked for is shown by scontrol all the same.

use crate::controller::Controller;
use crate::programs::Run;
use bivouac_core::Change;
use bivouac_types::info::{ArrayTasks, JobInfo};
use bivouac_types::{Duration, JobId, JobState};
use std::path::Path;

/// What there is mail about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Began,
    Ended,
    Requeued,
}

/// Mail to be sent once the turn is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Letter {
    job: JobId,
    event: Event,
    /// The first task of an array begins, or the last one ends.
    whole: bool,
}

impl Event {
    /// The word in the subject.
    fn word(self, state: JobState) -> &'static str {
        match self {
            Event::Began => "Began",
            Event::Requeued => "Requeued",
            Event::Ended if failed(state) => "Failed",
            Event::Ended => "Ended",
        }
    }

    /// Whether a job's --mail-type asks for it. FAIL is mail at the end of a job that failed.
    fn is_asked_for(self, types: &[String], state: JobState) -> bool {
        let has = |name: &str| types.iter().any(|t| t == name || t == "ALL");
        match self {
            Event::Began => has("BEGIN"),
            Event::Requeued => has("REQUEUE"),
            Event::Ended => has("END") || failed(state) && has("FAIL"),
        }
    }
}

fn failed(state: JobState) -> bool {
    !matches!(state, JobState::Completed | JobState::Cancelled)
}

impl Controller {
    /// The mail that an event of the core's may lead to.
    pub(crate) fn mail_about(&self, change: &Change) -> Option<Letter> {
        let (job, event) = match change {
            Change::Started { job, .. } => (*job, Event::Began),
            Change::Ended { job, .. } => (*job, Event::Ended),
            Change::Requeued { job, .. } => (*job, Event::Requeued),
            _ => return None,
        };
        let submission = self.cluster.submission(self.cluster.job(job)?)?;
        if submission.spec.mail_types.is_empty() {
            return None;
        }
        let whole = match event {
            Event::Began => submission.tally.begun == 1,
            Event::Ended => submission.is_over(),
            Event::Requeued => true,
        };
        Some(Letter { job, event, whole })
    }

    /// Sends what the job's --mail-type asks for, beside everything else.
    pub(crate) fn mail(&mut self, Letter { job: id, event, whole }: Letter) {
        let Some(program) = self.config.parameters.programs.mail.clone() else { return };
        let Some(job) = self.cluster.job(id) else { return };
        let Some(submission) = self.cluster.submission(job) else { return };
        let types = &submission.spec.mail_types;
        if types.is_empty() || types.iter().any(|t| t == "NONE") || !Path::new(&program).exists() {
            return;
        }
        let is_array = submission.spec.array.is_some();
        let each_task = types.iter().any(|t| t == "ARRAY_TASKS");
        let Some(row) = self.row(id, self.clock.now()) else { return };
        let summary = is_array && !each_task;
        if !event.is_asked_for(&row.spec.mail_types, row.state) {
            return;
        }
        // An array's first beginning and its last end.
        if summary && (!whole || event == Event::Requeued) {
            return;
        }
        let subject = if summary { self.summary(&row, event) } else { subject(&row, event) };
        let mut environment = self.environment_of(&row, "", None);
        let mut set = |name: &str, value: String| environment.push((name.to_owned(), value));
        set("SLURM_JOB_STATE", row.state.name().to_owned());
        set("SLURM_JOB_MAIL_TYPE", event.word(row.state).to_owned());
        match event {
            Event::Began => set("SLURM_JOB_QUEUED_TIME", clock_time(queued(&row))),
            _ => set("SLURM_JOB_RUN_TIME", clock_time(row.elapsed)),
        }
        if event == Event::Ended {
            set("SLURM_JOB_EXIT_CODE_MAX", row.exit.code.to_string());
        }
        let arguments = vec!["-s".to_owned(), subject, self.recipient(&row)];
        self.run_aside(Run { program, arguments, environment, node: None });
    }

    /// --mail-user, else the job's user; a name without a domain gets MailDomain.
    fn recipient(&self, row: &JobInfo) -> String {
        match (&row.spec.mail_user, &self.config.parameters.programs.mail_domain) {
            (Some(user), _) => user.clone(),
            (None, Some(domain)) => format!("{}@{domain}", row.user),
            (None, None) => row.user.clone(),
        }
    }

    fn summary(&self, row: &JobInfo, event: Event) -> String {
        let origin = row.array.as_ref().map_or(row.id, |a| a.job);
        let start = format!("Slurm Array Summary Job_id={origin}_* ({origin}) Name={}", row.spec.name);
        if event == Event::Began {
            return format!("{start} Began");
        }
        let codes =
            || self.family(origin).filter_map(|j| self.row(j.id, self.clock.now())).map(|r| r.exit.code);
        let (least, most) = (codes().min().unwrap_or(0), codes().max().unwrap_or(0));
        let states: Vec<JobState> = self.family(origin).map(|j| j.state()).collect();
        let state = match states.iter().find(|s| failed(**s)) {
            None => states.first().map_or("COMPLETED", |s| s.name()),
            Some(s) if states.iter().all(|t| t == s) => s.name(),
            Some(_) => "MIXED",
        };
        let word = if states.iter().any(|s| failed(*s)) { "Failed" } else { "Ended" };
        format!("{start} {word}, {state}, ExitCode [{least}-{most}]")
    }
}

fn subject(row: &JobInfo, event: Event) -> String {
    let name = &row.spec.name;
    let start = match &row.array {
        Some(array) => match array.tasks {
            ArrayTasks::One(task) => {
                format!("Slurm Array Task Job_id={}_{task} ({}) Name={name}", array.job, row.id)
            }
            ArrayTasks::Pending(_) => format!("Slurm Job_id={} Name={name}", row.id),
        },
        None => format!("Slurm Job_id={} Name={name}", row.id),
    };
    let word = event.word(row.state);
    match event {
        Event::Began => format!("{start} {word}, Queued time {}", clock_time(queued(row))),
        Event::Requeued => format!("{start} {word}, Run time {}", clock_time(row.elapsed)),
        Event::Ended => {
            let run = clock_time(row.elapsed);
            format!("{start} {word}, Run time {run}, {}, ExitCode {}", row.state.name(), row.exit.code)
        }
    }
}

fn queued(row: &JobInfo) -> Duration {
    match (row.start, row.eligible) {
        (Some(start), Some(eligible)) => start.since(eligible),
        _ => Duration::ZERO,
    }
}

/// `00:01:05`, with days before it from a day on.
fn clock_time(d: Duration) -> String {
    d.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_an_end_or_a_failure_gets_it() {
        let types = |t: &str| vec![t.to_owned()];
        assert!(Event::Ended.is_asked_for(&types("END"), JobState::Failed));
        assert!(Event::Ended.is_asked_for(&types("FAIL"), JobState::Timeout));
        assert!(!Event::Ended.is_asked_for(&types("FAIL"), JobState::Completed));
        assert!(!Event::Ended.is_asked_for(&types("BEGIN"), JobState::Failed));
        assert!(Event::Requeued.is_asked_for(&types("ALL"), JobState::Pending));
    }

    #[test]
    fn times_are_shown_as_in_slurms_subjects() {
        assert_eq!(clock_time(Duration::from_secs(65)), "00:01:05");
        assert_eq!(clock_time(Duration::from_secs(90_000)), "1-01:00:00");
    }
}
