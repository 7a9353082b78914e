use super::*;
use crate::fixture::{print, settings};
use crate::table::sort_keys;
use bivouac_types::Uid;
use bivouac_types::priority::Factors;
use proptest::prelude::*;

/// The weights of the reference run.
fn rules() -> PriorityParameters {
    PriorityParameters {
        multifactor: true,
        age: 1000,
        assoc: 500,
        fairshare: 10_000,
        job_size: 1000,
        partition: 2000,
        qos: 3000,
        tres: Some("cpu=100,mem=50,gres/gpu=10".into()),
        ..PriorityParameters::default()
    }
}

/// Jobs of the reference run: plain, with GPUs, of a QoS with a priority, with --nice, in two partitions.
fn jobs() -> Vec<JobFactors> {
    let job = |id: u32, partition: &str, of_partition: f64, tres: &[(&str, f64)]| JobFactors {
        job: JobId(id),
        uid: Uid(0),
        user: "root".into(),
        partition: partition.into(),
        factors: Factors {
            fairshare: 1.0,
            job_size: 0.140_625,
            partition: of_partition,
            tres: tres.iter().map(|(n, f)| ((*n).to_owned(), *f)).collect(),
            ..Factors::default()
        },
    };
    let main = |id| job(id, "main", 0.05, &[("cpu", 1.0 / 24.0), ("mem", 100.0 / 12_000.0)]);
    let gpu = [("cpu", 0.125), ("mem", 0.025)];
    let mut high = main(37);
    high.factors.qos = 1.0;
    let mut nice = main(38);
    nice.factors.nice = 100;
    vec![
        main(30),
        job(35, "gpu", 1.0, &[gpu[0], gpu[1], ("gres/gpu", 0.5)]),
        job(36, "gpu", 1.0, &gpu),
        main(36),
        high,
        nice,
    ]
}

fn sprio(format: &str, order: &str, weights_only: bool) -> String {
    let (rules, jobs, settings) = (rules(), jobs(), settings());
    let weights = Weights::new(&rules);
    let mut rows: Vec<Row<'_>> = match weights_only {
        true => vec![Row { job: None, weights: &weights }],
        false => jobs.iter().map(|job| Row { job: Some(job), weights: &weights }).collect(),
    };
    sort(&mut rows, &sort_keys(order).unwrap(), &settings);
    print(&layout(format).layout, rows, &settings)
}

#[test]
fn the_default_report() {
    insta::assert_snapshot!(sprio(&default_format(Shape::default(), &rules()), "i", false), @r"
              JOBID PARTITION   PRIORITY       SITE        AGE      ASSOC  FAIRSHARE    JOBSIZE  PARTITION        QOS                 TRES
                 30 main           10245          0          0          0      10000        141        100          0          cpu=4,mem=0
                 35 gpu            12159          0          0          0      10000        141       2000          0 cpu=12,mem=1,gres/gp
                 36 gpu            12154          0          0          0      10000        141       2000          0         cpu=12,mem=1
                 36 main           10245          0          0          0      10000        141        100          0          cpu=4,mem=0
                 37 main           13245          0          0          0      10000        141        100       3000          cpu=4,mem=0
                 38 main           10145          0          0          0      10000        141        100          0          cpu=4,mem=0
    ");
}

#[test]
fn the_long_report_and_the_weights() {
    let long = Shape { long: true, ..Shape::default() };
    insta::assert_snapshot!(sprio(&default_format(long, &rules()), "-y", false), @r"
              JOBID PARTITION     USER   PRIORITY       SITE        AGE      ASSOC  FAIRSHARE    JOBSIZE  PARTITION        QOS        NICE                 TRES
                 37 main          root      13245          0          0          0      10000        141        100       3000           0          cpu=4,mem=0
                 35 gpu           root      12159          0          0          0      10000        141       2000          0           0 cpu=12,mem=1,gres/gp
                 36 gpu           root      12154          0          0          0      10000        141       2000          0           0         cpu=12,mem=1
                 30 main          root      10245          0          0          0      10000        141        100          0           0          cpu=4,mem=0
                 36 main          root      10245          0          0          0      10000        141        100          0           0          cpu=4,mem=0
                 38 main          root      10145          0          0          0      10000        141        100          0         100          cpu=4,mem=0
    ");
    insta::assert_snapshot!(sprio(&default_format(Shape::default(), &rules()), "i", true), @r"
              JOBID PARTITION   PRIORITY       SITE        AGE      ASSOC  FAIRSHARE    JOBSIZE  PARTITION        QOS                 TRES
            Weights                               1       1000        500      10000       1000       2000       3000 cpu=100,mem=50,gres/
    ");
}

#[test]
fn normalized_factors() {
    let normalized = Shape { normalized: true, users: true, ..Shape::default() };
    insta::assert_snapshot!(sprio(&default_format(normalized, &rules()), "i", false), @r"
              JOBID PARTITION     USER PRIORITY   AGE        ASSOC      FAIRSHARE  JOBSIZE    PARTITION  QOS        TRES                
                 30 main          root 0.00000238 0.0000000  0.0000000  1.0000000  0.1406250  0.0500000  0.0000000  cpu=0.04,mem=0.01   
                 35 gpu           root 0.00000283 0.0000000  0.0000000  1.0000000  0.1406250  1.0000000  0.0000000  cpu=0.12,mem=0.03,gr
                 36 gpu           root 0.00000282 0.0000000  0.0000000  1.0000000  0.1406250  1.0000000  0.0000000  cpu=0.12,mem=0.03   
                 36 main          root 0.00000238 0.0000000  0.0000000  1.0000000  0.1406250  0.0500000  0.0000000  cpu=0.04,mem=0.01   
                 37 main          root 0.00000308 0.0000000  0.0000000  1.0000000  0.1406250  0.0500000  1.0000000  cpu=0.04,mem=0.01   
                 38 main          root 0.00000236 0.0000000  0.0000000  1.0000000  0.1406250  0.0500000  0.0000000  cpu=0.04,mem=0.01   
    ");
}

#[test]
fn factors_without_a_weight_are_left_out() {
    let none = PriorityParameters { multifactor: true, age: 5, ..PriorityParameters::default() };
    assert_eq!(default_format(Shape::default(), &none), "%.15i %9r %.10Y %.10S %.10A");
    let users = Shape { users: true, ..Shape::default() };
    assert_eq!(default_format(users, &none), "%.15i %9r %.8u %.10Y %.10S %.10A");
    let siblings = Shape { siblings: true, ..Shape::default() };
    assert_eq!(default_format(siblings, &none), "%.15i %9r %.8c %.10Y %.10S %.10A");
}

#[test]
fn what_is_no_field_is_left_out_with_what_follows() {
    let parsed = layout("%i|%x|%!|%5x|z|%%|%Y");
    assert_eq!(parsed.invalid, ["x", "!", "x", "|"]);
    assert_eq!(print(&parsed.layout, [], &settings()), "JOBID|PRIORITY\n");
    assert_eq!(sort_keys::<Priorities>("i,x").err(), Some('x'));
    assert_eq!(sort_keys::<Priorities>("b").err(), Some('b'));
    assert_eq!(sort_keys::<Priorities>("nope").err(), Some('e'), "the last one that is none");
}

#[test]
fn ids_are_numbers() {
    assert_eq!(parse_jobs("30,,31"), Ok(vec![JobId(30), JobId(31)]));
    for bad in ["x", "49_1", "0", "-1", "99999999999"] {
        assert_eq!(parse_jobs(bad), Err(bad.to_owned()), "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_format_prints(format in "(%[.]?[0-9]{0,3}[a-zA-Z%!]|[a-z |<>é]){0,12}", any in "\\PC{0,40}") {
        let (rules, jobs, settings) = (rules(), jobs(), settings());
        let weights = Weights::new(&rules);
        for text in [&format, &any] {
            let rows = jobs.iter().map(Some).chain([None]).map(|job| Row { job, weights: &weights });
            print(&layout(text).layout, rows, &settings);
            let _ = (sort_keys::<Priorities>(text), parse_jobs(text));
        }
    }
}
