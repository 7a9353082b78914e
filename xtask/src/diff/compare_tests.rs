use super::*;

fn record(argv: &str, rc: i32, out: &str, err: &str) -> Record {
    let argv = argv.split(' ').map(str::to_owned).collect();
    Record { argv, rc, out: out.to_owned(), err: err.to_owned(), deviates: None }
}

fn ran(records: &[Record]) -> Ran {
    Ran { records: records.to_vec(), ..Ran::default() }
}

fn rules() -> Rules {
    Rules::parse(
        "priority key Priority\nvariables env SLURM_CONF SLURM_*_PORT\nversion s/slurm-wlm 22/slurm 22/\n@measured CPULoad SLURM_TASK_PID\n",
        "h",
    )
    .unwrap()
}

fn differences(slurm: Record, ours: Record) -> Vec<Difference> {
    compare(&ran(&[slurm]), &ran(&[ours]), &rules()).differences
}

fn undeclared(slurm: Record, ours: Record) -> usize {
    compare(&ran(&[slurm]), &ran(&[ours]), &rules()).undeclared().count()
}

#[test]
fn what_is_equal_agrees() {
    let record = record("squeue -h", 0, "700001 main\n", "");
    assert!(differences(record.clone(), record).is_empty());
}

#[test]
fn a_changed_word_is_seen() {
    let found = differences(record("squeue", 0, "a b\nc d\n", ""), record("squeue", 0, "a b\nc e\n", ""));
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].part, &found[0].slurm[..], &found[0].ours[..]),
        ("out", &["c d".to_owned()][..], &["c e".to_owned()][..])
    );
    assert_eq!(undeclared(record("x", 0, "", "no\n"), record("x", 0, "", "yes\n")), 1);
}

#[test]
fn a_missing_or_an_extra_line_is_seen() {
    let three = || record("squeue", 0, "a\nb\nc\n", "");
    for other in ["a\nc\n", "a\nb\nc\nd\n", "b\na\nc\n", "", "a\nb\nc"] {
        assert!(undeclared(three(), record("squeue", 0, other, "")) > 0, "{other:?}");
        assert!(undeclared(record("squeue", 0, other, ""), three()) > 0, "{other:?}");
    }
}

#[test]
fn another_exit_code_is_seen() {
    let found = differences(record("sbatch x", 1, "", ""), record("sbatch x", 255, "", ""));
    assert_eq!((found.len(), found[0].part), (1, "rc"));
}

#[test]
fn a_case_that_went_another_way_is_seen() {
    let one = record("squeue", 0, "", "");
    assert!(!compare(&ran(&[one.clone(), one.clone()]), &ran(std::slice::from_ref(&one)), &rules()).agrees());
    assert!(!compare(&ran(&[]), &ran(&[one]), &rules()).agrees());
    let stuck = Ran { broken: Some("it took too long".into()), ..Ran::default() };
    assert!(!compare(&ran(&[]), &stuck, &rules()).agrees());
}

#[test]
fn keys_are_compared_one_by_one() {
    let show = |line: &str| record("scontrol show job 700001", 0, &format!("JobId=700001\n   {line}\n"), "");
    let found = differences(show("Priority=100 Nice=0 Account=proj"), show("Priority=7 Nice=1 Account=proj"));
    let keys: Vec<_> = found.iter().map(|d| (d.key.as_deref().unwrap(), d.deviation.as_deref())).collect();
    assert_eq!(keys, [("Priority", Some("priority")), ("Nice", None)]);
    assert_eq!(undeclared(show("A=1 B=2"), show("B=2 A=1")), 1, "the order of keys counts");
    assert_eq!(undeclared(show("A=1 B=2"), show("A=1")), 1, "a missing key");
    assert_eq!(undeclared(show("A=1  B=2"), show("A=1 B=2")), 1, "spaces count");
    assert_eq!(undeclared(show("A=1 B=2"), show("A=1 C=2")), 1, "another key");
}

#[test]
fn environments_are_compared_variable_by_variable() {
    let env = |text: &str| record("sort -z env", 0, &text.replace(';', "\0"), "");
    let found = differences(env("A=1;B=2;SLURM_CONF=/x;"), env("A=1;B=3;C=4;"));
    let keys: Vec<_> = found.iter().map(|d| (d.key.as_deref().unwrap(), d.deviation.as_deref())).collect();
    assert_eq!(keys, [("B", None), ("C", None), ("SLURM_CONF", Some("variables"))]);
    assert_eq!(undeclared(env("A=1;SLURM_X_PORT=5;"), env("A=1;")), 0);
    assert_eq!(undeclared(env("A=1;B=;"), env("A=1;")), 1, "an empty variable is one");
}

#[test]
fn what_is_measured_must_be_a_number_on_both() {
    let show = |value: &str| {
        record("scontrol show node n1", 0, &format!("CPUTot=8 CPULoad={value} Sockets=2\n"), "")
    };
    assert_eq!(undeclared(show("0.31"), show("1.04")), 0);
    assert_eq!(undeclared(show("0.31"), show("N/A")), 1);
}

#[test]
fn a_declared_difference_that_vanished_is_seen() {
    let declared = Record { deviates: Some("version".into()), ..record("x", 0, "a\n", "") };
    let same = std::slice::from_ref(&declared);
    let compared = compare(&ran(same), &ran(&[record("x", 0, "b\n", "")]), &rules());
    assert!(compared.agrees() && compared.differences.len() == 1);
    let compared = compare(&ran(same), &ran(same), &rules());
    assert_eq!(compared.vanished, [("version".to_owned(), "x".to_owned())]);
    assert!(!compared.agrees());
}

#[test]
fn a_rewritten_text_must_still_differ() {
    let version = |text: &str| record("squeue -V", 0, text, "");
    assert_eq!(undeclared(version("slurm-wlm 22.05.8\n"), version("slurm 22.05.8\n")), 0);
    assert_eq!(undeclared(version("slurm-wlm 22.05.8\n"), version("slurm-wlm 22.05.8\n")), 1, "vanished");
}
