//! How command lines and variables are read.

use super::*;
use proptest::prelude::*;

fn parse(program: Program, args: &[&str]) -> Result<Given, String> {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    match read(program, &args, |_| None) {
        Ok(Invocation::Run(given)) => Ok(given),
        Ok(Invocation::Print(text)) => Err(text),
        Err(e) => Err(e.message(program)),
    }
}

#[test]
fn letters_and_names_in_every_spelling() {
    let given = parse(
        Program::Sbatch,
        &[
            "-n4",
            "-c",
            "2",
            "--time=5",
            "--mem",
            "1G",
            "-HQ",
            "--job=x",
            "-t6",
            "--exclusive",
            "s.sh",
            "-n",
            "9",
        ],
    )
    .unwrap();
    assert_eq!(given.value("ntasks"), Some("4"));
    assert_eq!(given.value("cpus-per-task"), Some("2"));
    assert_eq!(given.value("time"), Some("6"), "the last counts");
    assert_eq!(given.value("mem"), Some("1G"));
    assert_eq!(given.value("job-name"), Some("x"), "a name cut short");
    assert!(given.has("hold") && given.has("quiet") && given.has("exclusive"));
    assert_eq!(given.value("exclusive"), None);
    assert_eq!(given.operands, ["s.sh", "-n", "9"], "what follows the script is the script's");
}

#[test]
fn operands_between_options_where_the_command_takes_them() {
    let given = parse(Program::Scancel, &["12", "-u", "ada", "13", "--", "-5"]).unwrap();
    assert_eq!(given.operands, ["12", "13", "-5"]);
    assert_eq!(given.value("user"), Some("ada"));
}

#[test]
fn errors_in_the_words_of_getopt() {
    let cases: [(&[&str], &str); 8] = [
        (&["--foo"], "sbatch: unrecognized option '--foo'"),
        (&["-t"], "sbatch: option requires an argument -- 't'"),
        (&["--time"], "sbatch: option '--time' requires an argument"),
        (&["--parsable=3"], "sbatch: option '--parsable' doesn't allow an argument"),
        (&["-Z"], "sbatch: invalid option -- 'Z'"),
        (&["-H=1"], "sbatch: invalid option -- '='"),
        (&["--ti=5"], "sbatch: option '--ti=5' is ambiguous; possibilities: '--time' '--time-min'"),
        (
            &["--t", "5"],
            "sbatch: option '--t' is ambiguous; possibilities: '--tasks-per-node' '--test-only' '--thread-spec' \
             '--threads-per-core' '--time' '--time-min' '--tmp'",
        ),
    ];
    for (args, line) in cases {
        let said = parse(Program::Sbatch, args).unwrap_err();
        let mut want: Vec<&str> = line.split(' ').collect();
        let mut got: Vec<&str> = said.lines().next().unwrap_or_default().split(' ').collect();
        // The order of the possibilities is that of the table.
        want.sort_unstable();
        got.sort_unstable();
        assert_eq!(got, want);
        assert!(said.ends_with("Try \"sbatch --help\" for more information\n"));
    }
}

#[test]
fn a_refused_option_names_itself_and_the_way_out() {
    let said = parse(Program::Sbatch, &["--container=x"]).unwrap_err();
    assert!(said.starts_with("sbatch: error: --container is not available here: "), "{said}");
    assert!(said.contains("apptainer"), "{said}");
    let listed = parse(Program::Sbatch, &["--reboot", "--reboot"]).unwrap();
    assert_eq!(listed.listed().len(), 1);
}

#[test]
fn help_and_version_come_before_later_errors() {
    assert_eq!(parse(Program::Squeue, &["x", "--version", "--foo"]).unwrap_err(), "slurm 22.05.8\n");
    let help = parse(Program::Sbatch, &["--help"]).unwrap_err();
    for o in Program::Sbatch.options() {
        assert!(help.contains(&format!("--{}", o.long)), "--{}", o.long);
    }
    let help = parse(Program::Scontrol, &["--help"]).unwrap_err();
    for words in ["  hold JOBS  ", "  listpids [JOB[.STEP]]  ", "What show shows:\n"] {
        assert!(help.contains(words), "{help}");
    }
    assert!(!help.contains("takeover"), "what is refused is not offered");
    assert!(parse(Program::Srun, &["--usage"]).unwrap_err().lines().all(|l| l.len() <= 80));
}

#[test]
fn variables_lie_below_the_command_line() {
    let variable = |name: &str| match name {
        "SBATCH_TIMELIMIT" => Some("7".into()),
        "SBATCH_WAIT" => Some("0".into()),
        "SBATCH_REQUEUE" => Some("yes".into()),
        "SBATCH_EXCLUSIVE" => Some("".into()),
        _ => None,
    };
    let read = |args: &[&str]| {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        match read(Program::Sbatch, &args, variable) {
            Ok(Invocation::Run(given)) => given,
            other => panic!("{other:?}"),
        }
    };
    let given = read(&["-t9"]);
    assert_eq!(given.value("time"), Some("9"));
    assert!(!given.has("wait") && given.has("requeue") && given.has("exclusive"));
    assert_eq!(read(&[]).get("time").map(|c| c.source), Some(Source::Variable("SBATCH_TIMELIMIT")));
}

#[test]
fn what_nobody_asks_for_is_an_error() {
    let given = parse(Program::Scancel, &["-u", "ada", "--ctld"]).unwrap();
    assert_eq!(given.finish(), Err(UsageError::Unhandled("user")));
    assert_eq!(given.value("user"), Some("ada"));
    assert_eq!(given.finish(), Ok(()), "a listed option needs no handling");
}

#[test]
fn bytes_that_are_no_text() {
    let args = [OsString::from("-J"), OsString::from_vec(vec![0xff])];
    assert!(matches!(read(Program::Sbatch, &args, |_| None), Err(UsageError::NotText("job-name"))));
    let args = [OsString::from_vec(vec![0xff]), OsString::from_vec(vec![b'-', b'-', 0xff])];
    match read(Program::Sbatch, &args, |_| None) {
        Ok(Invocation::Run(given)) => {
            assert_eq!(given.operands, args, "the script's arguments may be any bytes")
        }
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn garbage_never_panics(words in prop::collection::vec("(-|--)?[a-zA-Z=é]{0,12}( [0-9]+)?", 0..6)) {
        for program in crate::table::PROGRAMS {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let _ = parse(program, &words);
        }
    }
}
