//! What was measured of a step of three tasks on two nodes: the numbers and the texts are those of such a step of real
//! Slurm 22.05.8.

use super::*;
use crate::fixture::{self, share};
use crate::{Settings, Units};
use bivouac_types::info::{JobInfo, Usage};
use bivouac_types::usage::{Measured, TaskUsage};
use bivouac_types::{ExitStatus, JobState, StepKind};

fn job() -> JobInfo {
    let nodes = vec![share("n1", 0..2, 200), share("n2", 0..1, 100)];
    let mut job = fixture::ended(
        fixture::running(fixture::job(1, "x"), nodes),
        JobState::Completed,
        ExitStatus::default(),
    );
    let task = |task, node, cpu_ms: u64, rss_kb, vm_kb, written| Measured {
        task,
        node,
        usage: TaskUsage {
            user_us: cpu_ms * 1000,
            rss_kb,
            vm_kb,
            read: 1_686_681,
            written,
            ..TaskUsage::default()
        },
    };
    let mut step = job.steps[0].clone();
    (step.step, step.num_tasks, step.nodes) = (StepKind::Number(0), 3, vec!["n1".into(), "n2".into()]);
    step.usage = Usage::of_tasks(&[
        task(0, 0, 590, 32_980, 36_100, 1690),
        task(1, 0, 1490, 42_632, 45_868, 2_001_690),
        task(2, 1, 1150, 52_520, 55_632, 1690),
    ]);
    job.steps = vec![step];
    job
}

fn values(format: &str, units: Units) -> String {
    let jobs = [job()];
    let settings = Settings { units, ..fixture::settings() };
    let layout = layout(format, Style::Parsable2("|")).unwrap();
    let mut out = Vec::new();
    let window = Window { since: bivouac_types::Timestamp(0), until: settings.now };
    let filter = Filter { window, jobs: Some(parse_jobs("1.0").unwrap()), ..Filter::default() };
    layout.lines(entries(&jobs, &filter, false), &settings, &mut out).unwrap();
    String::from_utf8(out).unwrap().trim_end().to_owned()
}

#[test]
fn the_most_the_least_and_the_mean() {
    let show = |format: &str| values(format, Units::Natural);
    assert_eq!(show("avecpu,mincpu,mincpunode,mincputask"), "00:00:01|00:00:00|n1|0");
    assert_eq!(show("maxrss,maxrssnode,maxrsstask,averss"), "52520K|n2|2|43735722");
    assert_eq!(show("maxvmsize,maxvmsizenode,maxvmsizetask,avevmsize"), "55632K|n2|2|46967466");
    assert_eq!(show("maxpages,maxpagesnode,maxpagestask,avepages"), "0|n2|2|0");
    assert_eq!(show("maxdiskread,maxdiskreadnode,maxdiskreadtask,avediskread"), "1.61M|n2|2|1.61M");
    assert_eq!(show("maxdiskwrite,maxdiskwritenode,maxdiskwritetask,avediskwrite"), "1.91M|n1|1|0.64M");
    assert_eq!(show("totalcpu"), "00:03.230");
}

#[test]
fn lists_of_all_quantities() {
    for (field, expected) in [
        ("tresusageinave", "cpu=00:00:01,energy=0,fs/disk=1686681,mem=43735722,pages=0,vmem=46967466"),
        ("tresusageinmax", "cpu=00:00:01,energy=0,fs/disk=1686681,mem=52520K,pages=0,vmem=55632K"),
        ("tresusageinmaxnode", "cpu=n1,energy=n2,fs/disk=n2,mem=n2,pages=n2,vmem=n2"),
        ("tresusageinmaxtask", "cpu=1,fs/disk=2,mem=2,pages=2,vmem=2"),
        ("tresusageinmin", "cpu=00:00:00,energy=0,fs/disk=1686681,mem=32980K,pages=0,vmem=36100K"),
        ("tresusageinminnode", "cpu=n1,energy=n2,fs/disk=n2,mem=n1,pages=n2,vmem=n1"),
        ("tresusageinmintask", "cpu=0,fs/disk=2,mem=0,pages=2,vmem=0"),
        ("tresusageintot", "cpu=00:00:03,energy=0,fs/disk=5060043,mem=128132K,pages=0,vmem=137600K"),
        ("tresusageoutave", "energy=0,fs/disk=668356"),
        ("tresusageoutmax", "energy=0,fs/disk=2001690"),
        ("tresusageoutmaxnode", "energy=n2,fs/disk=n1"),
        ("tresusageoutmaxtask", "fs/disk=1"),
        ("tresusageoutmin", "energy=0,fs/disk=1690"),
        ("tresusageoutminnode", "energy=n2,fs/disk=n2"),
        ("tresusageoutmintask", "fs/disk=2"),
        ("tresusageouttot", "energy=0,fs/disk=2005070"),
    ] {
        assert_eq!(values(field, Units::Natural), expected, "{field}");
    }
}

#[test]
fn units() {
    let format = "maxrss,averss,maxvmsize,avevmsize,maxpages,maxdiskread,avediskread,maxdiskwrite,avediskwrite,\
                  tresusageintot,tresusageouttot";
    for (units, expected) in [
        (
            Units::Original,
            "53780480|43735722|56967168|46967466|0|1.61M|1.61M|1.91M|0.64M|\
             cpu=00:00:03,energy=0,fs/disk=5060043,mem=131207168,pages=0,vmem=140902400|energy=0,fs/disk=2005070",
        ),
        // AveDiskWrite knows no other unit, as there.
        (
            Units::Fixed('K'),
            "52520K|42710.67K|55632K|45866.67K|0|1647.15K|1647.15K|1954.78K|0.64M|\
             cpu=00:00:03,energy=0,fs/disk=4941.45K,mem=128132K,pages=0,vmem=137600K|energy=0,fs/disk=1958.08K",
        ),
        (
            Units::Fixed('G'),
            "0.05G|0.04G|0.05G|0.04G|0|0.00G|0.00G|0.00G|0.64M|\
             cpu=00:00:03,energy=0,fs/disk=0.00G,mem=0.12G,pages=0,vmem=0.13G|energy=0,fs/disk=0.00G",
        ),
    ] {
        assert_eq!(values(format, units), expected, "{units:?}");
    }
}

#[test]
fn a_step_that_was_not_measured_has_none_of_it() {
    let mut job = job();
    job.steps[0].usage = Usage::default();
    let layout = layout("maxrss,tresusageinmax,tresusageinmaxnode,avecpu", Style::Parsable2("|")).unwrap();
    let mut out = Vec::new();
    let settings = fixture::settings();
    let window = Window { since: bivouac_types::Timestamp(0), until: settings.now };
    let filter = Filter { window, ..Filter::default() };
    layout.lines(entries(&[job], &filter, false), &settings, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "|||\n|||\n");
}
