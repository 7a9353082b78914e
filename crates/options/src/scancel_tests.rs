//! Operands and signals as scancel 22.05.8 takes them.

use super::*;
use crate::getopt::{self, Invocation};
use crate::table::Program;
use proptest::prelude::*;

fn asked(args: &[&str]) -> Result<Request, ValueError> {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    match getopt::read(Program::Scancel, &args, |_| None) {
        Ok(Invocation::Run(given)) => request(&given),
        other => panic!("{other:?}"),
    }
}

#[test]
fn operands_of_every_form() {
    let r = asked(&["12", "13_4", "14_[4-6,9]", "15.0", "1,2"]).unwrap();
    let shown: Vec<String> = r
        .selections
        .iter()
        .map(|s| {
            format!(
                "{}/{}/{:?}",
                s.job,
                s.tasks.as_ref().map(ToString::to_string).unwrap_or_default(),
                s.step
            )
        })
        .collect();
    assert_eq!(shown, ["12//None", "13/4/None", "14/4-6,9/None", "15//Some(0)", "1//None", "2//None"]);
    assert!(!r.needs_rows() && r.signal.is_none());
    for bad in
        ["abc", "123-125", "1.x", "1.batch", "1_[3-5", "0", "-5", "1_2_3", "1_[1-3],x", "", "99999999999"]
    {
        let e = asked(&["--", bad]).unwrap_err();
        assert_eq!(
            (e.message(Program::Scancel), e.code),
            (format!("scancel: error: Invalid job id {bad}\n"), 1)
        );
    }
}

#[test]
fn what_is_missing_or_unknown_is_said() {
    assert_eq!(asked(&[]).unwrap_err().text, "No job identification provided");
    assert_eq!(asked(&["-b"]).unwrap_err().text, "No job identification provided");
    assert_eq!(asked(&["-s", "FOO", "1"]).unwrap_err().text, "Unknown job signal: FOO");
    assert!(asked(&["-t", "PEND"]).unwrap_err().text.starts_with("Invalid job state specified: PEND\n"));
}

#[test]
fn signals_and_whom_they_are_for() {
    for (text, number) in
        [("usr1", Some(10)), ("SIGTERM", Some(15)), ("9", Some(9)), ("0", None), ("65", None), ("CHLD", None)]
    {
        assert_eq!(crate::signal::parse(text), number, "{text}");
    }
    let r = asked(&["-b", "1"]).unwrap();
    assert_eq!((r.signal, r.scope), (Some(libc::SIGKILL), Scope::Batch));
    let r = asked(&["-f", "-b", "-s", "USR1", "1"]).unwrap();
    assert_eq!((r.signal, r.scope), (Some(libc::SIGUSR1), Scope::All));
}

#[test]
fn every_honoured_option_is_consumed() {
    for o in Program::Scancel.options() {
        let word = match (o.long, o.arg) {
            // The frame of the command has an answer to these.
            ("clusters" | "help" | "usage" | "version", _) => continue,
            _ if o.status != crate::table::Status::Honoured => continue,
            ("state", _) => "--state=RUNNING".to_owned(),
            ("signal", _) => "--signal=USR1".to_owned(),
            (long, crate::table::Arg::No) => format!("--{long}"),
            (long, _) => format!("--{long}=x"),
        };
        let with = format!("{:?}", asked(&[&word, "7"]).unwrap_or_else(|e| panic!("{word}: {e:?}")));
        assert_ne!(with, format!("{:?}", asked(&["7"]).unwrap()), "{word} is accepted and ignored");
    }
}

#[test]
fn the_filters_that_nothing_matched_are_named() {
    let r = asked(&["-t", "PENDING", "--me", "-n", "x"]).unwrap();
    assert_eq!(r.filters.describe(7), "job_name=x state=PENDING user_name=7 ");
}

proptest! {
    #[test]
    fn garbage_never_panics(text in "[0-9_.,\\[\\]x é-]{0,20}") {
        let _ = selections(&[OsString::from(&text)]);
        let _ = crate::signal::parse(&text);
    }
}
