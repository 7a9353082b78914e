//! -B and --env-vars: what jobs ran.

use super::fatal;
use crate::report::Trouble;
use bivouac_options::Given;
use bivouac_proto::client::Client;
use bivouac_proto::message::{Ask, Payload, Response};
use bivouac_types::Reject;
use bivouac_types::info::JobInfo;
use std::io::{self, Write};
use std::process::ExitCode;

/// Which part of it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// -B.
    Script,
    /// --env-vars.
    Environment,
}

/// Which part is asked for, if one is.
pub fn part(given: &Given) -> Result<Option<Part>, ExitCode> {
    let (part, what) = match (given.has("batch-script"), given.has("env-vars")) {
        (false, false) => return Ok(None),
        (true, true) => return Err(fatal("Options --batch-script and --env-vars are mutually exclusive")),
        (true, false) => (Part::Script, "scripts"),
        (false, true) => (Part::Environment, "environment"),
    };
    if given.value("jobs").is_none() {
        return Err(fatal(format_args!(
            "When requesting job {what} you must also request specific jobs with the '-j' option."
        )));
    }
    Ok(Some(part))
}

/// Prints it of each of these jobs.
pub fn print(client: &mut Client, part: Part, jobs: &[&JobInfo]) -> Result<(), Trouble> {
    let mut out = io::stdout().lock();
    for job in jobs {
        let text = match client.call(Ask::Payload(job.id))? {
            Response::Payload(payload) => text(part, &payload),
            // Not kept, or not the caller's to see.
            Response::Rejected(Reject::InvalidJobId | Reject::AccessDenied) => None,
            other => return Err(other.into()),
        };
        let mut id = String::new();
        bivouac_render::job::write_id(&mut id, job, None, 0);
        let title = match part {
            Part::Script => format!("Batch Script for {id}"),
            Part::Environment => format!("Environment used for {id} (must be batch to display)"),
        };
        let written = writeln!(out, "{title}\n{}", "-".repeat(80))
            .and_then(|()| out.write_all(text.as_deref().unwrap_or(b"NONE\n")))
            .and_then(|()| out.write_all(b"\n"));
        if written.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn text(part: Part, payload: &Payload) -> Option<Vec<u8>> {
    match part {
        Part::Script => Some(payload.script.0.clone()).filter(|script| !script.is_empty()),
        Part::Environment => {
            let mut lines = Vec::new();
            for variable in &payload.env {
                lines.extend_from_slice(&variable.0);
                lines.push(b'\n');
            }
            Some(lines).filter(|lines| !lines.is_empty())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::given;
    use super::*;

    #[test]
    fn jobs_must_be_named() {
        assert_eq!(part(&given("-j 1")), Ok(None));
        assert_eq!(part(&given("-B -j 1")), Ok(Some(Part::Script)));
        assert_eq!(part(&given("--env-vars -j 1")), Ok(Some(Part::Environment)));
        assert!(part(&given("-B")).is_err() && part(&given("-B --env-vars -j 1")).is_err());
    }
}
