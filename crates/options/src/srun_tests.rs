//! From srun's command lines to steps.

use super::*;
use crate::getopt::{self, Invocation};
use crate::table::{Arg, Program, Status};
use std::ffi::OsString;

fn asked(args: &[&str], variables: &[(&str, &str)]) -> Result<Request, ValueError> {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
    match getopt::read(Program::Srun, &args, variable) {
        Ok(Invocation::Run(given)) => request(&given, None),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_honoured_option_is_consumed_and_changes_what_is_asked() {
    let plain = format!("{:?}", asked(&[], &[]).unwrap());
    for o in Program::Srun.options().iter().filter(|o| o.status == Status::Honoured) {
        let value = match o.long {
            "help" | "usage" | "version" => continue,
            "distribution" => "block",
            "mpi" => "list",
            "nodelist" => "n1",
            "open-mode" => "append",
            _ => "2",
        };
        let word = match o.arg {
            Arg::Required(_) => format!("--{}={value}", o.long),
            _ => format!("--{}", o.long),
        };
        let changed = asked(&[&word], &[]).unwrap_or_else(|e| panic!("{word}: {e:?}"));
        // Asking for what holds anyway changes nothing.
        if o.long != "distribution" {
            assert_ne!(format!("{changed:?}"), plain, "{word} is accepted and ignored");
        }
    }
}

#[test]
fn a_jobs_variables_are_its_steps_defaults() {
    let job = [("SLURM_NTASKS", "4"), ("SLURM_NNODES", "2"), ("SLURM_NTASKS_PER_NODE", "2")];
    let r = asked(&[], &job).unwrap();
    assert_eq!((r.ntasks, r.nodes, r.ntasks_per_node), (Some(4), Some(2), Some(2)));
    let r = asked(&["-n1", "-N1"], &job).unwrap();
    assert_eq!((r.ntasks, r.nodes), (Some(1), Some(1)));
    let r = asked(&["--ntasks-per-node=1"], &job).unwrap();
    assert_eq!(r.ntasks, Some(4), "the job's tasks are known");
    let r = asked(&["--ntasks-per-node=3"], &[("SLURM_NNODES", "2")]).unwrap();
    assert_eq!(r.ntasks, Some(6), "three on each of the two nodes");
    let r = asked(&["--ntasks-per-node=1", "--ntasks=1"], &job).unwrap();
    assert_eq!(r.ntasks, Some(1));
}

#[test]
fn streams_and_flags() {
    let r = asked(&["-o", "x.%t", "-e", "none", "-i", "0", "-lu", "-K0", "-W", "5"], &[]).unwrap();
    assert_eq!(r.output, Stream::File("x.%t".into()));
    assert_eq!((r.error, r.input), (Some(Stream::None), Stream::Task(0)));
    assert_eq!((r.label, r.unbuffered, r.kill_on_bad_exit, r.wait), (true, true, Some(false), Some(5)));
    assert_eq!(asked(&["--kill-on-bad-exit"], &[]).unwrap().kill_on_bad_exit, Some(true));
    assert_eq!(asked(&["-K"], &[("SLURM_KILL_BAD_EXIT", "0")]).unwrap().kill_on_bad_exit, Some(true));
    assert_eq!(asked(&[], &[("SLURM_KILL_BAD_EXIT", "0")]).unwrap().kill_on_bad_exit, Some(false));
    assert!(asked(&["--mpi=pmi2"], &[]).unwrap_err().text.contains("cannot find mpi plugin for mpi/pmi2\n"));
    assert_eq!(asked(&["-W", "x"], &[]).unwrap_err().text, "Invalid numeric value \"x\" for --wait.");
}
