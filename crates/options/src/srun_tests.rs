//! From srun's command lines to steps.

use super::*;
use crate::getopt::{self, Invocation};
use crate::table::{Arg, Program, Status};
use std::ffi::OsString;

fn asked(args: &[&str], variables: &[(&str, &str)]) -> Result<Request, ValueError> {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
    // Of a job's process.
    let variable = |name: &str| if name == "SLURM_JOB_ID" { Some("1".into()) } else { variable(name) };
    match getopt::read(Program::Srun, &args, variable) {
        Ok(Invocation::Run(given)) => request(&given, None),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_honoured_option_is_consumed_and_changes_what_is_asked() {
    let plain = format!("{:?}", asked(&[], &[]).unwrap());
    for o in Program::Srun.options().iter().filter(|o| o.status_where(true) == Status::Honoured) {
        let value = match o.long {
            "help" | "usage" | "version" => continue,
            "distribution" => "block",
            "gpu-bind" => "closest",
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
    assert_eq!(asked(&["--mpi=pmi2"], &[]).unwrap().mpi, Some(Mpi::Pmi2));
    assert_eq!(asked(&["--mpi=openmpi"], &[("SLURM_MPI_TYPE", "pmi2")]).unwrap().mpi, Some(Mpi::None));
    assert_eq!(asked(&[], &[("SLURM_MPI_TYPE", "pmi2")]).unwrap().mpi, Some(Mpi::Pmi2));
    assert!(asked(&["--mpi=pmix"], &[]).unwrap_err().text.contains("cannot find mpi plugin for mpi/pmix\n"));
    assert_eq!(asked(&["-W", "x"], &[]).unwrap_err().text, "Invalid numeric value \"x\" for --wait.");
}

fn outside(args: &[&str], variables: &[(&str, &str)]) -> (Allocation, Request) {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
    let given = match getopt::read(Program::Srun, &args, variable) {
        Ok(Invocation::Run(given)) => given,
        other => panic!("{other:?}"),
    };
    assert!(!given.in_job);
    let now = jiff::Zoned::default();
    let around =
        Surroundings { now: &now, read: &|_| Err(std::io::ErrorKind::NotFound.into()), plane_size: None };
    let allocation = allocation(&given, &around).unwrap_or_else(|e| panic!("{args:?}: {e:?}"));
    (allocation, request(&given, None).unwrap_or_else(|e| panic!("{args:?}: {e:?}")))
}

#[test]
fn outside_a_job_every_honoured_option_is_consumed_and_changes_what_is_asked() {
    use crate::job::samples::{sample, with};
    for o in Program::Srun.options().iter().filter(|o| o.status == Status::Honoured) {
        let value = match o.long {
            "help" | "usage" | "version" | "nodefile" => continue,
            // With it srun is in that job.
            "jobid" => continue,
            "mpi" => "list",
            "signal" => "USR1",
            "wait" => "2",
            _ if Program::Sbatch.option(o.long).is_some() => sample(o.long),
            _ => "2",
        };
        let (value, beside) = match with(o.long) {
            [value, beside @ ..] => (*value, beside),
            [] => (value, &[][..]),
        };
        let word = match o.arg {
            Arg::Required(_) => format!("--{}={value}", o.long),
            _ => format!("--{}", o.long),
        };
        let plain = format!("{:?}", outside(beside, &[]));
        let changed = format!("{:?}", outside(&[&[word.as_str()], beside].concat(), &[]));
        // Asking for what holds anyway changes nothing.
        if o.long != "distribution" {
            assert_ne!(changed, plain, "{word} is accepted and ignored");
        }
    }
}

#[test]
fn srun_asks_for_the_job_that_its_step_needs() {
    let (a, step) = outside(&["-p", "p", "-t", "5", "-N2", "-n4", "--mem=10", "/bin/date", "-n"], &[]);
    assert_eq!((a.job.spec.name.as_str(), a.job.spec.partitions.len()), ("date", 1));
    assert_eq!((a.job.spec.resources.ntasks, step.ntasks, step.time_limit), (Some(4), Some(4), Some(5)));
    let (a, _) = outside(&["-I", "-J", "name", "date"], &[("SLURM_JOB_NAME", "outer")]);
    assert_eq!((a.job.spec.name.as_str(), a.immediate), ("name", Some(1)));
    let (a, _) = outside(&["date"], &[("SLURM_JOB_NAME", "outer"), ("SLURM_PARTITION", "p")]);
    assert_eq!((a.job.spec.name.as_str(), a.job.spec.partitions.len()), ("outer", 1));
}

#[test]
fn in_a_job_what_asks_for_one_is_without_effect_or_refused() {
    let read = |args: &[&str], job: &str| {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        getopt::read(Program::Srun, &args, |name| (name == job).then(|| OsString::from("3")))
    };
    for inside in ["SLURM_JOB_ID", "SLURM_JOBID"] {
        let e = read(&["-b", "now", "x"], inside).unwrap_err().to_string();
        assert!(e.starts_with("--begin is not available here: it belongs to a job's allocation"), "{e}");
        let Ok(Invocation::Run(given)) = read(&["-A", "acc", "x"], inside) else { panic!() };
        assert_eq!((given.in_job, given.listed().len()), (true, 1));
    }
    let Ok(Invocation::Run(given)) = read(&["-A", "acc", "-b", "now", "x"], "") else { panic!() };
    assert_eq!((given.in_job, given.listed().len()), (false, 0));
    // A job's memory is no step's.
    let r = asked(&[], &[("SLURM_MEM_PER_CPU", "10"), ("SLURM_JOB_NAME", "of the job")]).unwrap();
    assert_eq!(r.name, None);
}
