//! Expectations come from sbatch 22.05.8.

use super::*;
use proptest::prelude::*;

/// The directives of one line, as `long=value`.
fn line(text: &str) -> Result<Vec<String>, String> {
    let script = format!("#!/bin/sh\n{text}\ntrue\n");
    match read(script.as_bytes(), false) {
        Ok(d) => Ok(d
            .choices
            .iter()
            .map(|c| format!("{}={}", c.opt.long, c.value.as_deref().unwrap_or("")))
            .collect()),
        Err(e) => Err(e.message("d.sh").0),
    }
}

#[test]
fn words_quotes_and_comments() {
    for (text, want) in [
        ("#SBATCH -J a --comment=x # trailing", vec!["job-name=a", "comment=x"]),
        ("#SBATCH -J a#b", vec!["job-name=a"]),
        ("#SBATCH -J a #b -t 5", vec!["job-name=a"]),
        ("#SBATCH -J 'a b'", vec!["job-name=a b"]),
        ("#SBATCH -J \"a b\"c", vec!["job-name=a bc"]),
        ("#SBATCH -J \"a\\\"b\"", vec!["job-name=a\"b"]),
        ("#SBATCH -J 'a\\b'", vec!["job-name=ab"]),
        ("#SBATCH --array               3-5", vec!["array=3-5"]),
        ("#SBATCH\t-J\ttab", vec!["job-name=tab"]),
        ("#SBATCH-J a", vec!["job-name=a"]),
        ("#SBATCH", vec![]),
        ("#SBATCH -J $HOME", vec!["job-name=$HOME"]),
        ("#SBATCH -J \"#x\"", vec!["job-name=#x"]),
        ("#SBATCH --account=\"a,b\" -C \"x&y\"", vec!["account=a,b", "constraint=x&y"]),
        ("#SBATCH -n 2 -n 3", vec!["ntasks=2", "ntasks=3"]),
        ("#SBATCH --wrap=x -J a", vec!["job-name=a"]),
        ("#SBATCH --version", vec![]),
    ] {
        assert_eq!(line(text).unwrap(), want, "{text}");
    }
}

#[test]
fn errors_in_slurms_words() {
    for (text, want) in [
        ("#SBATCH -J \"unclosed", "sbatch: fatal: d.sh: line 2: Unmatched `\"` in [ \"unclosed]\n"),
        ("#SBATCH -J it's", "sbatch: fatal: d.sh: line 2: Unmatched `'` in [ it's]\n"),
        ("#SBATCH -J a : -J b", "sbatch: fatal: d.sh: line 2: Unexpected `:` in [ : -J b]\n"),
        ("#SBATCHx -J a", "sbatch: error: Invalid directive found in batch script: x\n"),
        ("#SBATCH=-J a", "sbatch: error: Invalid directive found in batch script: =-J\n"),
        ("#SBATCH operand -n 2", "sbatch: error: Invalid directive found in batch script: operand\n"),
        ("#SBATCH -J a\\ b", "sbatch: error: Invalid directive found in batch script: b\n"),
        ("#SBATCH -- -J a", "sbatch: error: Invalid directive found in batch script: -J\n"),
        (
            "#SBATCH --foo",
            "sbatch: unrecognized option '--foo'\nTry \"sbatch --help\" for more information\n",
        ),
        (
            "#SBATCH -J \"\"",
            "sbatch: option requires an argument -- 'J'\nTry \"sbatch --help\" for more information\n",
        ),
    ] {
        assert_eq!(line(text).unwrap_err(), want, "{text}");
    }
    assert!(line("#SBATCH hetjob").unwrap_err().contains("heterogeneous"));
    assert!(
        line("#SBATCH --container=x").unwrap_err().contains("--container (line 2) is not available here")
    );
    assert!(line("#PBS -d x").unwrap_err().starts_with("sbatch: invalid option -- 'd'"));
}

#[test]
fn directives_end_at_the_first_command() {
    let d =
        read(b"#!/bin/sh\n\n# c\n   \n\t# x\n#SBATCH -J a\necho hi\n#SBATCH -t 4 --bogus\n", false).unwrap();
    assert_eq!(d.choices.len(), 1);
    let said: Vec<String> = d.ignored.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["line 8 has no effect, it comes after the first command: #SBATCH -t 4 --bogus"]);
    assert_eq!(read(b"#!/bin/sh\n#SBATCH -J nonl", false).unwrap().choices.len(), 1);
}

#[test]
fn directives_of_other_systems_come_last() {
    let script = b"#!/bin/sh\n#PBS -N pbs -j oe\n#BSUB -J lsf\n#SBATCH -J own\n";
    let read_names = |ignore| {
        let found = read(script, ignore).unwrap();
        let names = |c: &[Choice]| c.iter().filter_map(|c| c.value.clone()).collect::<Vec<_>>().join(" ");
        (names(&found.choices), names(&found.foreign), found.ignored.len())
    };
    assert_eq!(read_names(false), ("own".into(), "lsf".into(), 1));
    assert_eq!(read_names(true), ("own".into(), String::new(), 0));
    let within = read(b"#!/bin/sh\n#PBS -N a\n#SBATCH --ignore-pbs\n", false).unwrap();
    assert!(within.foreign.is_empty());
}

#[test]
fn lines_that_were_probably_meant_are_named() {
    for text in [
        "#sbatch -J a",
        "# SBATCH -J a",
        " #SBATCH -J a",
        "#Sbatch -J a",
        "#SABTCH -t 5",
        "#SBTACH --mem=3",
        "#PBS -j oe",
        "#SBATCH -J a #-t 5",
        "#SBATCH --wrap=x",
    ] {
        let d = read(format!("#!/bin/sh\n{text}\ntrue\n").as_bytes(), false).unwrap();
        assert_eq!(d.ignored.iter().map(|i| i.line).collect::<Vec<_>>(), [2], "{text}");
    }
    for text in
        ["# sbatch is a command", "##SBATCH -J a", "# -----", "#", "#SBATCH -J a # note", "# batch -n"]
    {
        let d = read(format!("#!/bin/sh\n{text}\ntrue\n").as_bytes(), false).unwrap();
        assert_eq!(d.ignored, [], "{text}");
    }
}

#[test]
fn what_is_no_batch_script() {
    assert_eq!(check(b""), Err(NotAScript::Empty));
    assert_eq!(check(b"echo hi\n"), Err(NotAScript::NoInterpreter));
    assert_eq!(check(b" #!/bin/sh\n"), Err(NotAScript::NoInterpreter));
    assert_eq!(check(b"#!/bin/sh\ntrue\0x\n"), Err(NotAScript::Nul));
    assert_eq!(check(b"#!/bin/sh\ntrue\r\n"), Err(NotAScript::DosLines));
    assert_eq!(
        check(&[b"#!/bin/sh\n".as_slice(), &vec![b'#'; MAX_SCRIPT]].concat()),
        Err(NotAScript::TooLarge)
    );
    assert_eq!(check(b"#!/bin/sh\nprintf 'a\\r\\n'\n"), Ok(()));
}

proptest! {
    #[test]
    fn garbage_never_panics(
        text in "(#(SBATCH|sbatch)?|[ '\"\\\\:=a-c\n-]|--time|é){0,24}",
        bytes in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let _ = read(text.as_bytes(), false);
        let _ = (check(&bytes), read(&bytes, false));
    }
}
