//! sdiag: what the controller counts of its own work.

use crate::settings::{Settings, push};
use bivouac_types::Timestamp;
use bivouac_types::diagnostics::{Calls, Diagnostics, JobCounts, Passes};
use std::cmp::Reverse;

/// How requests are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The most frequent first.
    #[default]
    Count,
    /// -i: by number.
    Id,
    /// -t: the longest time together first.
    Time,
    /// -T: the longest mean time first.
    Mean,
}

/// The whole report.
pub fn report(d: &Diagnostics, order: Order, settings: &Settings) -> String {
    let mut out = String::new();
    let o = &mut out;
    let rule = "*******************************************************\n";
    o.push_str(rule);
    push(o, format_args!("sdiag output at {}\n", moment(settings, d.at)));
    push(o, format_args!("Data since      {}\n", moment(settings, d.since)));
    o.push_str(rule);
    // Messages to nodes and to the accounting need no queue and no threads of their own here.
    push(o, format_args!("Server thread count:  {}\n", d.threads));
    o.push_str("Agent queue size:     0\nAgent count:          0\nAgent thread count:   0\nDBD Agent queue size: 0\n\n");
    let JobCounts { submitted, started, completed, canceled, failed } = d.jobs;
    push(
        o,
        format_args!("Jobs submitted: {submitted}\nJobs started:   {started}\nJobs completed: {completed}\n"),
    );
    push(o, format_args!("Jobs canceled:  {canceled}\nJobs failed:    {failed}\n\n"));
    push(o, format_args!("Job states ts:  {}\n", moment(settings, d.at)));
    push(o, format_args!("Jobs pending:   {}\nJobs running:   {}\n\n", d.pending, d.running));
    main_passes(o, d);
    backfill(o, d, settings);
    push(
        o,
        format_args!("\nLatency for 1000 calls to gettimeofday(): {} microseconds\n", d.clock_latency_us),
    );
    o.push_str("\nRemote Procedure Call statistics by message type\n");
    for call in sorted(&d.by_type, order) {
        push(o, format_args!("\t{:<40}({:5}) ", call.name, call.id));
        times(o, call);
    }
    o.push_str("\nRemote Procedure Call statistics by user\n");
    for call in sorted(&d.by_user, order) {
        push(o, format_args!("\t{:<16}({:8}) ", call.name, call.id));
        times(o, call);
    }
    o.push_str("\nPending RPC statistics\n\tNo pending RPCs\n");
    out
}

fn main_passes(o: &mut String, d: &Diagnostics) {
    let Passes { last_us, max_us, count, .. } = d.main;
    o.push_str("Main schedule statistics (microseconds):\n");
    push(o, format_args!("\tLast cycle:   {last_us}\n\tMax cycle:    {max_us}\n\tTotal cycles: {count}\n"));
    mean(o, &d.main, "Mean cycle:   ", d.main.total_us);
    mean(o, &d.main, "Mean depth cycle:  ", d.main.total_depth);
    let minutes = d.at.since(d.since).as_secs() / 60;
    if let Some(rate) = count.checked_div(minutes) {
        push(o, format_args!("\tCycles per minute: {rate}\n"));
    }
    push(o, format_args!("\tLast queue length: {}\n", d.main.last_queue));
}

fn backfill(o: &mut String, d: &Diagnostics, settings: &Settings) {
    let passes = &d.backfill;
    o.push_str("\nBackfilling stats\n");
    push(o, format_args!("\tTotal backfilled jobs (since last slurm start): {}\n", d.backfilled_ever));
    push(o, format_args!("\tTotal backfilled jobs (since last stats cycle start): {}\n", d.backfilled));
    o.push_str("\tTotal backfilled heterogeneous job components: 0\n");
    push(o, format_args!("\tTotal cycles: {}\n", passes.count));
    let when = d.last_backfill.map_or_else(|| "N/A".to_owned(), |at| moment(settings, at));
    push(o, format_args!("\tLast cycle when: {when}\n"));
    push(o, format_args!("\tLast cycle: {}\n\tMax cycle:  {}\n", passes.last_us, passes.max_us));
    mean(o, passes, "Mean cycle: ", passes.total_us);
    push(o, format_args!("\tLast depth cycle: {}\n", passes.last_depth));
    push(o, format_args!("\tLast depth cycle (try sched): {}\n", passes.last_tried));
    mean(o, passes, "Depth Mean: ", passes.total_depth);
    mean(o, passes, "Depth Mean (try depth): ", passes.total_tried);
    push(o, format_args!("\tLast queue length: {}\n", passes.last_queue));
    mean(o, passes, "Queue length mean: ", passes.total_queue);
    // One reservation is worked out after the other: there is no table of time slots.
    o.push_str("\tLast table size: 0\n");
    mean(o, passes, "Mean table size: ", 0);
}

/// A mean, which is not there before the first pass.
fn mean(o: &mut String, passes: &Passes, label: &str, total: u64) {
    if let Some(mean) = passes.mean(total) {
        push(o, format_args!("\t{label}{mean}\n"));
    }
}

fn times(o: &mut String, call: &Calls) {
    push(
        o,
        format_args!("count:{:<6} ave_time:{:<6} total_time:{}\n", call.count, call.mean_us(), call.total_us),
    );
}

fn sorted(calls: &[Calls], order: Order) -> Vec<&Calls> {
    let mut calls: Vec<&Calls> = calls.iter().collect();
    calls.sort_by_key(|call| {
        let first = match order {
            Order::Count => Reverse(call.count),
            Order::Id => Reverse(0),
            Order::Time => Reverse(call.total_us),
            Order::Mean => Reverse(call.mean_us()),
        };
        (first, call.id)
    });
    calls
}

/// `Sun Nov 22 18:40:17 2026 (1795372817)`.
fn moment(settings: &Settings, at: Timestamp) -> String {
    format!("{} ({})", at.zoned(&settings.zone).strftime("%a %b %d %H:%M:%S %Y"), at.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{NOW, START, settings};

    fn some() -> Diagnostics {
        let mut d = Diagnostics {
            at: NOW,
            since: Timestamp(START.0 - 300_000),
            threads: 3,
            jobs: JobCounts { submitted: 9, started: 4, completed: 2, canceled: 1, failed: 0 },
            pending: 2,
            running: 1,
            clock_latency_us: 20,
            ..Diagnostics::default()
        };
        (d.backfilled, d.backfilled_ever, d.last_backfill) = (1, 3, Some(START));
        d.main.enter(100, 5, 2, 5);
        d.main.enter(300, 8, 4, 9);
        d.backfill.enter(300, 8, 4, 9);
        let call = |name: &str, id, count, total_us| Calls { name: name.into(), id, count, total_us };
        d.by_type = vec![
            call("REQUEST_JOB_INFO", 2003, 11, 1554),
            call("REQUEST_PARTITION_INFO", 2009, 11, 811),
            call("REQUEST_SUBMIT_BATCH_JOB", 4003, 1, 2757),
        ];
        d.by_user = vec![call("root", 0, 23, 5122)];
        d
    }

    #[test]
    fn the_whole_report() {
        insta::assert_snapshot!(report(&some(), Order::Count, &settings()), @r"
        *******************************************************
        sdiag output at Sun Nov 22 15:39:02 2026 (1795361942)
        Data since      Sun Nov 22 15:34:00 2026 (1795361640)
        *******************************************************
        Server thread count:  3
        Agent queue size:     0
        Agent count:          0
        Agent thread count:   0
        DBD Agent queue size: 0

        Jobs submitted: 9
        Jobs started:   4
        Jobs completed: 2
        Jobs canceled:  1
        Jobs failed:    0

        Job states ts:  Sun Nov 22 15:39:02 2026 (1795361942)
        Jobs pending:   2
        Jobs running:   1

        Main schedule statistics (microseconds):
        	Last cycle:   300
        	Max cycle:    300
        	Total cycles: 2
        	Mean cycle:   200
        	Mean depth cycle:  6
        	Cycles per minute: 0
        	Last queue length: 9

        Backfilling stats
        	Total backfilled jobs (since last slurm start): 3
        	Total backfilled jobs (since last stats cycle start): 1
        	Total backfilled heterogeneous job components: 0
        	Total cycles: 1
        	Last cycle when: Sun Nov 22 15:39:00 2026 (1795361940)
        	Last cycle: 300
        	Max cycle:  300
        	Mean cycle: 300
        	Last depth cycle: 8
        	Last depth cycle (try sched): 4
        	Depth Mean: 8
        	Depth Mean (try depth): 4
        	Last queue length: 9
        	Queue length mean: 9
        	Last table size: 0
        	Mean table size: 0

        Latency for 1000 calls to gettimeofday(): 20 microseconds

        Remote Procedure Call statistics by message type
        	REQUEST_JOB_INFO                        ( 2003) count:11     ave_time:141    total_time:1554
        	REQUEST_PARTITION_INFO                  ( 2009) count:11     ave_time:73     total_time:811
        	REQUEST_SUBMIT_BATCH_JOB                ( 4003) count:1      ave_time:2757   total_time:2757

        Remote Procedure Call statistics by user
        	root            (       0) count:23     ave_time:222    total_time:5122

        Pending RPC statistics
        	No pending RPCs
        ");
    }

    #[test]
    fn before_the_first_pass_there_are_no_means() {
        let fresh = Diagnostics { at: NOW, since: NOW, ..Diagnostics::default() };
        let text = report(&fresh, Order::Count, &settings()).to_lowercase();
        assert!(!text.contains("mean") && !text.contains("per minute"), "{text}");
        assert!(text.contains("last cycle when: n/a"));
    }

    #[test]
    fn requests_in_each_order() {
        let names = |order| -> Vec<u32> {
            let text = report(&some(), order, &settings());
            let lines = text.lines().filter(|l| l.contains("REQUEST_"));
            lines.filter_map(|l| l.split(['(', ')']).nth(1)?.trim().parse().ok()).collect()
        };
        assert_eq!(names(Order::Count), [2003, 2009, 4003]);
        assert_eq!(names(Order::Id), [2003, 2009, 4003]);
        assert_eq!(names(Order::Time), [4003, 2003, 2009]);
        assert_eq!(names(Order::Mean), [4003, 2003, 2009]);
    }
}
