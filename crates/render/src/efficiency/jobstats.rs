//! jobstats: a user's jobs, a line each.

use crate::job;
use crate::sacct::{over, shown_start};
use crate::settings::Settings;
use bivouac_types::info::JobInfo;
use std::fmt::Write;

/// The report on a user's jobs of the last days, oldest first.
pub fn jobstats(jobs: &[JobInfo], user: &str, days: u32, settings: &Settings) -> String {
    let mut out = format!("job stats for user {user} over past {days} days\n");
    let heads = [
        "jobid",
        "jobname",
        "partition",
        "qos",
        "account",
        "cpus",
        "state",
        "start-date-time",
        "elapsed",
        "wait",
    ];
    line(&mut out, heads);
    out += &"-".repeat(115);
    out.push('\n');
    for of in jobs {
        let mut id = String::new();
        job::write_id(&mut id, of, None, settings.task_chars);
        let mut start = String::new();
        settings.time(&mut start, shown_start(of), "Unknown");
        let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
        let marked = |text: Option<&str>| match text.unwrap_or("") {
            text if text.chars().count() > 10 => cut(text, 9) + "+",
            text => text.to_owned(),
        };
        // Until it started, was over, or now.
        let until = shown_start(of).or(over(of)).unwrap_or(settings.now);
        let waited = job::eligible(of).map_or(0, |at| until.since(at).as_secs() / 3600);
        line(
            &mut out,
            [
                &id,
                &cut(&of.spec.name, 8),
                &marked(Some(&of.partition)),
                &marked(of.qos.as_deref()),
                &marked(of.account.as_deref()),
                &of.num_cpus.to_string(),
                &cut(crate::sacct::state_word(of), 8),
                &start,
                &of.elapsed.to_string(),
                &format!("{waited} hrs"),
            ],
        );
    }
    out
}

fn line(out: &mut String, cells: [&str; 10]) {
    const WIDTHS: [usize; 10] = [12, 8, 12, 12, 12, 4, 8, 19, 10, 0];
    let mut text = String::new();
    for (cell, width) in cells.iter().zip(WIDTHS) {
        let _ = write!(text, "{cell:width$} ");
    }
    out.push_str(text.trim_end());
    out.push('\n');
}
