//! From command lines to job specifications. Texts and exit codes are those of sbatch 22.05.8.

use super::*;
use crate::getopt::{self, Invocation};
use crate::job::samples::{nodes_file, sample, with};
use crate::table::{Arg, Program, Status};
use bivouac_types::job::{NodeRange, OpenMode};
use bivouac_types::{MemRequest, TimeLimit};
use std::ffi::OsString;

fn given(args: &[&str], variables: &[(&str, &str)]) -> Given {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v));
    match getopt::read(Program::Sbatch, &args, variable) {
        Ok(Invocation::Run(given)) => given,
        other => panic!("{other:?}"),
    }
}

fn asked(args: &[&str]) -> Result<Request, ValueError> {
    request(&given(args, &[]), &"2026-11-22T15:41:17[UTC]".parse().unwrap(), &nodes_file)
}

#[test]
fn every_honoured_option_is_consumed_and_changes_what_is_asked() {
    let plain = format!("{:?}", asked(&[]).unwrap());
    for o in Program::Sbatch.options().iter().filter(|o| o.status == Status::Honoured) {
        if matches!(o.long, "help" | "usage" | "version") {
            continue;
        }
        let word = match o.arg {
            Arg::Required(_) => format!("--{}={}", o.long, sample(o.long)),
            _ => format!("--{}", o.long),
        };
        // Answered by the frame of every command, or read with the script.
        if o.long == "ignore-pbs" {
            asked(&[&word]).unwrap();
            continue;
        }
        let with = with(o.long);
        if let [value, with @ ..] = with {
            let plain = format!("{:?}", asked(with).unwrap());
            let word = format!("--{}={value}", o.long);
            let changed =
                asked(&[&[word.as_str()], with].concat()).unwrap_or_else(|e| panic!("{word}: {e:?}"));
            assert_ne!(format!("{changed:?}"), plain, "{word} is accepted and ignored");
            continue;
        }
        let changed = asked(&[&word]).unwrap_or_else(|e| panic!("{word}: {e:?}"));
        // Asking for what holds anyway changes nothing.
        if o.long != "distribution" {
            assert_ne!(format!("{changed:?}"), plain, "{word} is accepted and ignored");
        }
    }
}

#[test]
fn a_job_with_everything() {
    let r = asked(&[
        "-A",
        "acc",
        "-a",
        "1-10:2%3",
        "-c",
        "2",
        "-C",
        "a&b",
        "-d",
        "afterok:3,singleton",
        "-e",
        "e",
        "-o",
        "o",
        "-i",
        "i",
        "-J",
        "name",
        "-N",
        "2-4",
        "-n",
        "8",
        "-p",
        "p,q",
        "-q",
        "normal",
        "-t",
        "90",
        "-w",
        "n[1-2]",
        "-x",
        "n3",
        "--mem",
        "4G",
        "--ntasks-per-node=4",
        "--gres=gpu:1",
        "--exclusive",
        "-H",
        "--no-requeue",
        "--comment=c",
        "--open-mode=t",
        "--mail-type=ALL,TIME_LIMIT",
        "--mail-user=me",
        "--nice",
        "-b",
        "16:00",
    ])
    .unwrap();
    let s = &r.job.spec;
    assert_eq!(
        (s.name.as_str(), s.account.as_deref(), s.qos.as_deref()),
        ("name", Some("acc"), Some("normal"))
    );
    assert_eq!(s.partitions, ["p", "q"]);
    assert_eq!(s.array.as_ref().map(ToString::to_string).as_deref(), Some("1,3,5,7,9%3"));
    assert_eq!(s.dependency.as_ref().map(ToString::to_string).as_deref(), Some("afterok:3,singleton"));
    assert_eq!(s.time_limit, Some(TimeLimit::Minutes(90)));
    assert_eq!(s.resources.nodes, Some(NodeRange { min: 2, max: Some(4) }));
    assert_eq!(s.resources.mem, Some(MemRequest::PerNode(4096)));
    assert_eq!(s.resources.nodelist.as_ref().map(|h| h.names.len()), Some(2));
    assert_eq!((s.hold, s.requeue, s.nice, s.open_mode), (true, Some(false), 100, Some(OpenMode::Truncate)));
    assert_eq!(s.mail_types.len(), 7);
    assert!(s.resources.exclusive && s.begin.is_some());
}

#[test]
fn wrong_values_in_slurms_words_and_codes() {
    for (args, text, code) in [
        (&["-t", "bad"][..], "error: Invalid --time specification", 255),
        (&["-n", "0"], "error: Invalid numeric value \"0\" for --ntasks.", 1),
        (&["-n", "4k"], "error: Invalid numeric value \"4k\" for --ntasks.", 1),
        (&["-n", "4294967297"], "error: Invalid numeric value \"4294967297\" for --ntasks.", 1),
        (&["-N", "x"], "error: \"x\" is not a valid node count", 255),
        (&["-N", "1-2-3"], "error: \"2-3\" is not a valid node count", 255),
        (&["-N", "3-1"], "error: Maximum node count 1 is less than minimum node count 3", 255),
        (&["-N", "0"], "error: Batch job submission failed: Node count specification invalid", 1),
        (&["-b", "x"], "error: Invalid --begin specification", 255),
        (&["--mem=x"], "error: Invalid --mem specification", 255),
        (&["--mem-per-cpu=1.5G"], "error: Invalid --mem-per-cpu specification", 255),
        (&["--open-mode=x"], "error: Invalid --open-mode specification", 255),
        (&["--mail-type=x"], "error: Invalid --mail-type specification", 255),
        (&["--exclusive=x"], "error: Invalid --exclusive specification", 255),
        (&["--gres=gpu:-1"], "error: Invalid generic resource (gres) specification", 1),
        (&["-a", "x"], "error: Batch job submission failed: Invalid job array specification", 1),
        (&["-d", "x"], "error: Batch job submission failed: Job dependency problem", 1),
        (&["-w", "n["], "error: Batch job submission failed: Invalid node name specified", 1),
        (&["-m", "bogus"], "error: Invalid --distribution specification", 255),
        (&["--get-user-env=x"], "error: Invalid --get-user-env specification", 255),
        (&["--mincpus=0"], "error: Invalid numeric value \"0\" for --mincpus.", 1),
        (&["--tmp=1x"], "error: Invalid --tmp specification", 255),
        (&["--gpus=x:y:z"], "error: Invalid generic resource (gres) specification", 1),
        (
            &["--gpus=2", "--cpus-per-gpu=2", "-c", "2"],
            "error: --cpus-per-gpu is mutually exclusive with --cpus-per-task\nsbatch: error: Invalid generic resource \
             (gres) specification",
            1,
        ),
        (
            &["--gpus=1", "-N", "2"],
            "error: Failed to validate job spec, --gpus < -N\nsbatch: error: Invalid generic resource (gres) specification",
            1,
        ),
        (
            &["--mem-per-gpu=10"],
            "error: Requested mem_per_tres=gres:gpu:10 but did not request any GPU.\nsbatch: error: Invalid generic \
             resource (gres) specification",
            1,
        ),
        (&["-B", "x"], "error: Invalid numeric value \"x\" for first arg of -B.", 1),
        (&["--switches=x"], "error: Invalid numeric value \"x\" for --switches.", 1),
        (&["--delay-boot=x"], "error: Invalid --delay-boot specification", 255),
        (&["--core-spec=x"], "error: Invalid numeric value \"x\" for --core-spec.", 1),
        (&["--thread-spec=0"], "error: Invalid numeric value \"0\" for --thread-spec.", 1),
        (&["--priority=-1"], "error: Priority must be >= 0", 255),
        (&["--kill-on-invalid-dep=x"], "error: Invalid --kill-on-invalid-dep specification", 255),
        (&["--no-kill=x"], "error: Invalid --no-kill specification", 255),
        (&["--wait-all-nodes=2"], "error: Invalid --wait-all-nodes specification", 255),
        (&["-L", "matlab:x"], "error: Batch job submission failed: Invalid license specification", 1),
        (&["--deadline=x"], "error: Invalid --deadline specification", 255),
        (
            &["--deadline=now+1hour", "-b", "now+2hours"],
            "error: Incompatible begin and deadline time specification",
            1,
        ),
        (
            &["-m", "arbitrary"],
            "error: With Arbitrary distribution you need to specify a nodelist or hostfile with the -w option",
            1,
        ),
        (
            &["-m", "plane"],
            "error: Invalid plane size or size not specified\nsbatch: error: Invalid --distribution specification",
            255,
        ),
        (&["--time-min=x"], "error: Invalid --time-min specification", 255),
        (&["--signal=foo"], "error: Invalid --signal specification", 255),
        (&["--signal=USR1@99999"], "error: Invalid --signal specification", 255),
        (&["--signal=X:USR1"], "error: Invalid --signal specification", 255),
        (&["--hint=x"], "error: unrecognized --hint argument \"x\", see --hint=help", 1),
        (
            &["-F", "/nope"],
            "error: slurm_allocate_resources error opening file /nope, No such file or directory\nsbatch: error: Invalid \
             --nodefile node file",
            255,
        ),
        (
            &["--mem=1", "--mem-per-cpu=1"],
            "fatal: --mem, --mem-per-cpu, and --mem-per-gpu are mutually exclusive.",
            1,
        ),
    ] {
        let e = asked(args).unwrap_err();
        assert_eq!((e.message(Program::Sbatch), e.code), (format!("sbatch: {text}\n"), code), "{args:?}");
    }
    for args in [&["--gpus=a:1,b:1"]] as [&[&str]; 1] {
        assert!(asked(args).unwrap_err().text.contains("not available here"), "{args:?}");
    }
}

#[test]
fn what_follows_from_gpus_and_shapes() {
    let resources = |args: &[&str]| asked(args).unwrap().job.spec.resources;
    let tasks = |args: &[&str]| resources(args).ntasks;
    assert_eq!(tasks(&["--gpus-per-task=1", "--gpus=2"]), Some(2));
    assert_eq!(tasks(&["--ntasks-per-gpu=2", "--gpus=2"]), Some(4));
    assert_eq!(tasks(&["--ntasks-per-gpu=2", "--gpus-per-node=2", "-N", "3"]), Some(12));
    assert_eq!(tasks(&["-B2:4:1"]), Some(8));
    assert_eq!((tasks(&["-B2:4"]), tasks(&["-B", "*"])), (Some(8), None));
    let shaped = ["--sockets-per-node=2", "--threads-per-core=1"];
    for (nodes, found) in
        [("-N2", Some(4)), ("-N2-3", None), ("-wn1", Some(2)), ("-n3", Some(3)), ("-Ja", None)]
    {
        assert_eq!(tasks(&[&shaped[..], &[nodes]].concat()), found, "{nodes}");
    }
    let bound = resources(&["--hint=memory_bound"]);
    assert_eq!((bound.cores_per_socket, bound.threads_per_core), (Some(1), Some(1)));
    assert_eq!(resources(&["-s", "--exclusive"]), resources(&["--exclusive"]));
    assert!(resources(&["--exclusive", "-s"]).oversubscribe);
    assert_eq!(resources(&["-F", "./nodes"]).nodelist.unwrap().to_string(), "n[1-4]");
    assert_eq!(resources(&["-x", "./nodes"]).exclude.unwrap().to_string(), "n[1-4]");
    assert_eq!(resources(&["--gpus=gpu:tesla:2"]).gpus.per_job[0].to_string(), "gpu:tesla:2");
}

#[test]
fn a_signal_with_its_flags() {
    let of = |text: &str| {
        let s = asked(&["--signal", text]).unwrap().job.spec.signal.unwrap();
        (s.signal, s.seconds, s.batch_only, s.reservation)
    };
    assert_eq!(of("USR1"), (libc::SIGUSR1, 60, false, false));
    assert_eq!(of("B:10@0"), (10, 0, true, false));
    assert_eq!(of("RB:SIGTERM@5"), (libc::SIGTERM, 5, true, true));
}

#[test]
fn memory_of_a_variable_gives_way() {
    let mem = |args: &[&str], variables: &[(&str, &str)]| {
        request(&given(args, variables), &Zoned::default(), &nodes_file).map(|r| r.job.spec.resources.mem)
    };
    let (cpu, node) = (("SBATCH_MEM_PER_CPU", "5"), ("SBATCH_MEM_PER_NODE", "7"));
    assert_eq!(mem(&["--mem=3"], &[cpu]).unwrap(), Some(MemRequest::PerNode(3)));
    assert_eq!(mem(&[], &[cpu]).unwrap(), Some(MemRequest::PerCpu(5)));
    assert!(mem(&[], &[cpu, node]).unwrap_err().text.starts_with("SLURM_MEM_PER_CPU"));
}

#[test]
fn the_login_environment_is_asked_for() {
    let kind = |args: &[&str]| asked(args).unwrap().job.spec.export;
    assert_eq!(kind(&[]), Export::All);
    assert_eq!(kind(&["--export=NONE"]), Export::None);
    assert_eq!(kind(&["--export=A,B=c"]), Export::Names);
    assert_eq!(kind(&["--export=A", "--get-user-env=L"]), Export::Names);
}
