//! One reading for three commands.

use super::*;
use crate::getopt::{self, Invocation};
use crate::{salloc, sbatch, srun};
use samples::{nodes_file, sample, with};
use std::ffi::OsString;

fn given(program: Program, args: &[&str]) -> Given {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    match getopt::read(program, &args, |_| None) {
        Ok(Invocation::Run(given)) => given,
        other => panic!("{program} {args:?}: {other:?}"),
    }
}

fn asked(program: Program, args: &[&str]) -> Result<Asked, ValueError> {
    let given = given(program, args);
    let now = "2026-11-22T15:41:17[UTC]".parse().unwrap();
    match program {
        Program::Sbatch => sbatch::request(&given, &now, &nodes_file).map(|r| r.job),
        Program::Salloc => salloc::request(&given, &now, &nodes_file).map(|r| r.job),
        _ => {
            let around = Surroundings { now: &now, read: &nodes_file, plane_size: None };
            srun::allocation(&given, &around).map(|r| r.job)
        }
    }
}

/// What sbatch makes of an option that salloc and srun have too, they make of it.
#[test]
fn the_same_words_ask_for_the_same_job() {
    let mut compared = 0;
    for o in Program::Sbatch.options() {
        let refused = |o: &crate::Opt| matches!(o.status, crate::Status::Refused(_));
        let others = [Program::Salloc, Program::Srun].into_iter();
        let others = others.filter(|p| p.option(o.long).is_some_and(|same| !refused(same)));
        // What of the environment goes along with a batch script is no matter of the job's itself.
        if refused(o) || matches!(o.long, "help" | "usage" | "version" | "get-user-env") {
            continue;
        }
        for program in others {
            let (first, rest) = match with(o.long) {
                [value, rest @ ..] => (*value, rest),
                [] => (sample(o.long), &[][..]),
            };
            let first = if o.long == "signal" { "R:USR1@30" } else { first };
            let word = match o.arg {
                crate::Arg::Required(_) => format!("--{}={first}", o.long),
                _ => format!("--{}", o.long),
            };
            // These mean something else to srun.
            if program == Program::Srun
                && matches!(o.long, "wait" | "export" | "input" | "output" | "error" | "open-mode")
            {
                continue;
            }
            let words: Vec<&str> =
                [word.as_str(), "--job-name=n"].into_iter().chain(rest.iter().copied()).collect();
            let shown = |program| {
                let mut asked = asked(program, &words);
                if let Ok(asked) = &mut asked {
                    // Told to the command of salloc only.
                    asked.variables.retain(|(name, _)| *name != "SLURM_NETWORK");
                    // sbatch says twice what it reads twice.
                    asked.warnings.dedup();
                }
                format!("{asked:?}")
            };
            assert_eq!(shown(program), shown(Program::Sbatch), "{program} {word}");
            compared += 1;
        }
    }
    assert!(compared > 120, "{compared}");
}

#[test]
fn refusals_in_the_words_of_each_command() {
    for (program, words) in [
        (Program::Sbatch, "sbatch: error: Batch job submission failed: "),
        (Program::Salloc, "salloc: error: Job submit/allocate failed: "),
        (Program::Srun, "srun: error: Unable to allocate resources: "),
    ] {
        let e = asked(program, &["-d", "x"]).unwrap_err();
        assert_eq!((e.message(program), e.code), (format!("{words}Job dependency problem\n"), 1));
        assert!(e.is_refusal());
        let e = asked(program, &["-p", ""]).unwrap_err();
        let first = format!("{program}: error: invalid partition specified: (null)\n");
        assert_eq!(e.message(program), format!("{first}{words}Invalid partition name specified\n"));
    }
}

#[test]
fn only_a_batch_script_can_be_signalled_alone() {
    assert!(asked(Program::Sbatch, &["--signal=B:USR1"]).unwrap().spec.signal.unwrap().batch_only);
    for program in [Program::Salloc, Program::Srun] {
        let e = asked(program, &["--signal=B:USR1"]).unwrap_err();
        assert_eq!((e.text.as_str(), e.code), ("Invalid --signal specification", 255));
        assert!(asked(program, &["--signal=R:USR1"]).unwrap().spec.signal.unwrap().reservation);
    }
}
