//! `seff` and `seff-array`.

use super::{operands, palette};
use crate::report::{self, Trouble};
use crate::{clusters, invocation, terminal};
use bivouac_options::Program;
use bivouac_proto::message::AccountingQuery;
use bivouac_render::efficiency::{self, Form};
use bivouac_render::sacct::{Pick, parse_jobs};
use bivouac_types::JobId;
use bivouac_types::config::ClusterConfig;
use bivouac_types::info::{ArrayTasks, JobInfo};
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

/// Runs `seff`.
pub fn seff(args: &[OsString]) -> ExitCode {
    invocation::run(Program::Seff, args, |given| {
        let id = operands(given, 1)?.remove(0);
        let debug = given.has("debug");
        invocation::finish(given)?;
        let fail = |what: String| invocation::fail(Program::Seff, what);
        let (job, task) = job_and_task(&id).ok_or_else(|| fail(no_job(&id)))?;
        let (config, jobs) = records(job).map_err(|e| fail(e.to_string()))?;
        let job = choose(&jobs, job, task).ok_or_else(|| match jobs.is_empty() {
            true => fail(format!("Job {id} not found: `sacct -S now-30days` lists one's own")),
            false => {
                fail(format!("{id} is an array: name one of its tasks, as {id}_1, or use seff-array {id}"))
            }
        })?;
        let settings = report::settings();
        let form = if config.site.as_str() >= "alpine@2026" && config.site.starts_with("alpine@") {
            Form::Sections
        } else {
            Form::List
        };
        let mut text = if debug { efficiency::raw(job, &settings) } else { String::new() };
        text += &efficiency::seff(job, form, palette(), &settings);
        io::stdout().write_all(text.as_bytes()).map_err(|_| ExitCode::FAILURE)?;
        efficiency::advice(job).iter().for_each(terminal::hint);
        Ok(())
    })
}

/// Runs `seff-array`.
pub fn seff_array(args: &[OsString]) -> ExitCode {
    invocation::run(Program::SeffArray, args, |given| {
        let id = operands(given, 1)?.remove(0);
        let fail = |what: String| invocation::fail(Program::SeffArray, what);
        if let Some(cluster) = given.value("cluster") {
            clusters::known(Program::SeffArray, cluster, "--cluster")?;
        }
        invocation::finish(given)?;
        let (job, _) = job_and_task(&id).ok_or_else(|| fail(no_job(&id)))?;
        let (_, jobs) = records(job).map_err(|e| fail(e.to_string()))?;
        let text = efficiency::array(&jobs, palette(), &report::settings())
            .ok_or_else(|| fail(format!("Job {id} not found: `sacct -S now-30days` lists one's own")))?;
        io::stdout().write_all(text.as_bytes()).map_err(|_| ExitCode::FAILURE)
    })
}

fn no_job(id: &str) -> String {
    format!("{id} is no number of a job: give one, as 123 or 123_4")
}

/// `123`, `123_4`; a step counts as its job.
fn job_and_task(id: &str) -> Option<(JobId, Option<u32>)> {
    let picks = parse_jobs(id).ok()?;
    let [Pick { job, .. }] = &picks[..] else { return None };
    let task = match &job.tasks {
        None => None,
        Some(tasks) => Some(tasks.iter().next()?),
    };
    Some((job.job, task))
}

/// The last run of each job of that number, or of that array.
fn records(job: JobId) -> Result<(ClusterConfig, Vec<JobInfo>), Trouble> {
    let mut client = report::connect()?;
    let config = report::config(&mut client)?;
    let query = AccountingQuery { ids: Some(vec![job]), ..AccountingQuery::default() };
    let mut jobs = client.accounting(query)??.jobs;
    jobs.sort_by_key(|j| (j.id, std::cmp::Reverse(j.restarts)));
    jobs.dedup_by_key(|j| j.id);
    Ok((config, jobs))
}

/// The job that is meant; none if it is an array of several.
fn choose(jobs: &[JobInfo], id: JobId, task: Option<u32>) -> Option<&JobInfo> {
    let is_task = |job: &&JobInfo| {
        let of = job.array.as_ref().map(|a| (a.job, &a.tasks));
        matches!((of, task), (Some((array, ArrayTasks::One(n))), Some(wanted)) if array == id && *n == wanted)
    };
    match (jobs, task) {
        (_, Some(_)) => jobs.iter().find(is_task),
        ([job], None) => Some(job),
        // The last task of an array has the array's own number, but who names it means all of them.
        _ => None,
    }
}
