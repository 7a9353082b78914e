//! Proof that the net holds: each planted defect is caught.

use bivouac_sim::{Planted, run};

fn caught_within(planted: Planted, seeds: u64) -> String {
    let found = (0..seeds).find_map(|seed| run(seed, Some(planted), false).violation);
    found.unwrap_or_else(|| panic!("{planted:?} was not caught within {seeds} seeds"))
}

#[test]
fn a_stale_report_that_counts_is_caught() {
    caught_within(Planted::AcceptStaleReport, 600);
}

#[test]
fn resources_freed_twice_are_caught() {
    caught_within(Planted::FreeTwice, 100);
}

#[test]
fn an_answer_before_its_event_is_durable_is_caught() {
    let violation = caught_within(Planted::AnswerBeforeDurable, 5);
    assert!(violation.contains("was promised"), "{violation}");
}
