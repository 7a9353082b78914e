//! From salloc's command lines to jobs. Texts and exit codes are those of salloc 22.05.8.

use super::*;
use crate::getopt::{self, Invocation};
use crate::job::samples::{nodes_file, sample, with};
use crate::table::{Arg, Program, Status};
use std::ffi::OsString;

fn asked(args: &[&str], variables: &[(&str, &str)]) -> Result<Request, ValueError> {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
    match getopt::read(Program::Salloc, &args, variable) {
        Ok(Invocation::Run(given)) => {
            request(&given, &"2026-11-22T15:41:17[UTC]".parse().unwrap(), &nodes_file)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_honoured_option_is_consumed_and_changes_what_is_asked() {
    for o in Program::Salloc.options().iter().filter(|o| o.status == Status::Honoured) {
        if matches!(o.long, "help" | "usage" | "version") {
            continue;
        }
        let (value, beside) = match with(o.long) {
            [value, beside @ ..] => (*value, beside),
            [] if o.long == "signal" => ("USR1@30", &[][..]),
            [] => (sample(o.long), &[][..]),
        };
        let word = match o.arg {
            Arg::Required(_) => format!("--{}={value}", o.long),
            _ => format!("--{}", o.long),
        };
        let plain = format!("{:?}", asked(beside, &[]).unwrap());
        let changed =
            asked(&[&[word.as_str()], beside].concat(), &[]).unwrap_or_else(|e| panic!("{word}: {e:?}"));
        // Asking for what holds anyway changes nothing.
        if o.long != "distribution" {
            assert_ne!(format!("{changed:?}"), plain, "{word} is accepted and ignored");
        }
    }
}

#[test]
fn jobs_are_called_interactive() {
    let name = |args: &[&str]| asked(args, &[("SLURM_JOB_NAME", "outer")]).unwrap().job.spec.name;
    assert_eq!(name(&[]), "interactive");
    assert_eq!(name(&["make", "-j"]), "interactive");
    assert_eq!(name(&["--no-shell"]), "no-shell");
    assert_eq!(name(&["-J", "mine"]), "mine");
}

#[test]
fn what_salloc_alone_has() {
    let r = |args: &[&str]| asked(args, &[]).unwrap();
    assert_eq!((r(&[]).immediate, r(&["-I"]).immediate, r(&["-I9"]).immediate), (None, Some(1), Some(9)));
    assert_eq!(r(&["-I0"]).immediate, None);
    assert_eq!((r(&[]).kill_command, r(&["-K"]).kill_command), (None, Some(libc::SIGTERM)));
    assert_eq!((r(&["-K9"]).kill_command, r(&["-Kusr1"]).kill_command), (Some(9), Some(libc::SIGUSR1)));
    assert_eq!(r(&[]).bell, Bell::AfterWait);
    assert_eq!(
        (r(&["--no-bell", "--bell"]).bell, r(&["--bell", "--no-bell"]).bell),
        (Bell::Always, Bell::Never)
    );
    for (args, text, code) in [
        (&["-Kx"][..], "Invalid --kill-command specification", 255),
        (&["-Ix"], "Invalid numeric value \"x\" for immediate.", 1),
        (&["--wait-all-nodes=3"], "Invalid --wait-all-nodes specification", 255),
        (&["-Q", "-v"], "don't specify both --verbose (-v) and --quiet (-Q)", 1),
    ] {
        let e = asked(args, &[]).unwrap_err();
        assert_eq!((e.text.as_str(), e.code), (text, code), "{args:?}");
    }
}

#[test]
fn variables_of_salloc_count_and_those_of_sbatch_do_not() {
    let r = asked(&[], &[("SALLOC_TIMELIMIT", "5"), ("SBATCH_PARTITION", "p"), ("SALLOC_KILL_CMD", "9")])
        .unwrap();
    assert_eq!(r.job.spec.time_limit, Some(bivouac_types::TimeLimit::Minutes(5)));
    assert_eq!((r.job.spec.partitions.len(), r.kill_command), (0, Some(9)));
}
