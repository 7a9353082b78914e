//! The shape is that of Slurm 22.05.8.

use super::*;
use crate::fixture::{self, START, jobs};
use crate::json::Form;
use bivouac_types::info::{Scheduler, Usage};
use bivouac_types::{ExitStatus, JobState, Timestamp, Uid};

fn tree(ids: &str, allocations: bool) -> String {
    let mut jobs = jobs();
    jobs[0].state = JobState::Cancelled;
    (jobs[0].cancelled_by, jobs[0].end) = (Some(Uid(0)), Some(START));
    jobs[0].accounting.scheduler = Some(Scheduler::Backfill);
    jobs[0].steps.truncate(1);
    let batch = &mut jobs[0].steps[0];
    (batch.end, batch.state, batch.exit) =
        (Some(START), JobState::Cancelled, ExitStatus { code: 0, signal: 15 });
    batch.usage = Usage { user_us: 1_500_000, system_us: 250, max_rss_kb: 3040, ..Usage::default() };
    let window = Window { since: Timestamp(0), until: fixture::NOW };
    let filter = Filter { jobs: Some(parse_jobs(ids).unwrap()), window, ..Filter::default() };
    document(&jobs, &filter, allocations, &fixture::settings()).print(Form::Json)
}

#[test]
fn a_job_and_its_steps() {
    insta::assert_snapshot!("job", tree("1", false));
}

#[test]
fn pending_tasks_of_an_array_are_bits() {
    let text = tree("2_[3-10]", true);
    let read: serde_json::Value = serde_json::from_str(&text).unwrap();
    let job = &read["jobs"][0];
    assert_eq!(job["array"]["task"], "0x7F8");
    assert_eq!(job["array"]["limits"]["max"]["running"]["tasks"], 2);
    assert_eq!((&job["nodes"], &job["allocation_nodes"]), (&"None assigned".into(), &0.into()));
    assert_eq!(read["errors"].as_array().map(Vec::len), Some(0));
    let task: serde_json::Value = serde_json::from_str(&tree("2_1", true)).unwrap();
    assert_eq!(
        (&task["jobs"][0]["array"]["task_id"], &task["jobs"][0]["steps"]),
        (&1.into(), &serde_json::json!([]))
    );
}

#[test]
fn exit_codes() {
    let read: serde_json::Value = serde_json::from_str(&tree("5", false)).unwrap();
    let code = serde_json::json!({"status": "ERROR", "return_code": 3});
    assert_eq!((&read["jobs"][0]["exit_code"], &read["jobs"][0]["steps"][0]["exit_code"]), (&code, &code));
}

#[test]
fn nothing_found_is_an_error_in_the_document() {
    let read: serde_json::Value = serde_json::from_str(&tree("999", false)).unwrap();
    assert_eq!(read["errors"][0]["error_number"], 9003);
    assert_eq!(read["jobs"].as_array().map(Vec::len), Some(0));
}
